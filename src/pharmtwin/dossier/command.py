"""``pharmtwin plan`` and ``pharmtwin dossier``: an analysis plan before the fit, a dossier after the run."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pharmtwin.files import write_text
from pharmtwin.findings import Finding, has_errors, sort_findings


def _say(findings: Sequence[Finding]) -> None:
    for finding in sort_findings(findings):
        print(f"{finding.severity}: {finding.message()}", file=sys.stderr)


def plan(argv: Sequence[str]) -> int:
    """Write the analysis plan and print its hash; a plan that is there is never overwritten."""
    from pharmtwin.dossier.about import read_about
    from pharmtwin.dossier.plan import plan as content
    from pharmtwin.dossier.plan import plan_hash, plan_text
    from pharmtwin.intake.config import check_config, load_config

    parser = argparse.ArgumentParser(prog="pharmtwin plan", description="Write and hash the analysis plan.")
    parser.add_argument("--about", required=True, metavar="YAML", help="your statements: question, criteria ...")
    parser.add_argument(
        "--configfile", nargs="+", action="extend", default=[], metavar="F", help="as for pharmtwin check"
    )
    parser.add_argument("--out", required=True, metavar="JSON", help="a new file; name it as paths.plan of the config")
    arguments = parser.parse_args(argv)
    config, places, findings = load_config(arguments.configfile)
    about, wrong = read_about(arguments.about)
    findings = [*findings, *wrong, *(check_config(config, places=places) if config is not None else [])]
    out = Path(arguments.out)
    if out.exists():
        what, fix = "there is a plan already", "write the amended plan to a new file, and keep this one"
        findings.append(
            Finding.create("dossier.plan_exists", str(out), what, "a plan is not changed once written", fix)
        )
    _say(findings)
    if has_errors(findings) or config is None or about is None:
        return 1
    try:
        text = plan_text(content(config, about))
    except OSError as error:
        print(f"plan: {error}", file=sys.stderr)
        return 1
    write_text(out, text)
    print(f"{plan_hash(text)}  {out}")
    print(f"Set paths.plan: {out} in the configuration: the fit then waits for it, and the manifest records it.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pharmtwin dossier", description="Dossier of a finished run.")
    parser.add_argument("results", help="results/<study> of a finished run")
    parser.add_argument("--about", required=True, metavar="YAML", help="your statements (config/examples/dossier)")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder, or that of an earlier dossier")
    parser.add_argument("--configfile", nargs="+", action="extend", default=[], metavar="F", help="of the run")
    parser.add_argument("--plan", default="", metavar="JSON", help="analysis plan (default: paths.plan of the config)")
    parser.add_argument("--rerun", default="", metavar="DIR", help="results of a second run, to be compared")
    parser.add_argument("--release", default="", metavar="NAME", help="who releases it: no DRAFT mark; refuses blanks")
    return parser


def time_of(record: object) -> datetime:
    """When the run finished: the time stamp of every file of the dossier; the first day of 2000 if not recorded."""
    try:
        return datetime.fromisoformat(str(record))
    except ValueError:
        return datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def _target(out: Path) -> list[Finding]:
    """Refuse a folder that holds anything but an earlier dossier."""
    if not out.exists() or (out.is_dir() and ((out / "sha256.txt").is_file() or not any(out.iterdir()))):
        return []
    what, why = "holds something that is no dossier", "it would be replaced"
    return [Finding.create("dossier.folder_taken", str(out), what, why, "name a new folder")]


def make(
    results: Path,
    config: Mapping[str, Any],
    about_file: str,
    out: Path,
    *,
    plan: str = "",
    rerun: str = "",
    release: str = "",
) -> list[Finding]:
    """Write the dossier of the run in ``results`` into ``out``; all findings. An error: nothing is written."""
    from pharmtwin.dossier.about import blank_findings, read_about
    from pharmtwin.dossier.rerun import compare
    from pharmtwin.dossier.run import read_run
    from pharmtwin.dossier.write import plan_state, write

    about, findings = read_about(about_file)
    compared, wrong = compare(results, rerun)
    run, more = read_run(results, config)
    findings += [*_target(out), *wrong, *more]
    if about is not None:
        findings += blank_findings(about, "error" if release else "warning")
    if run is None or about is None:
        return findings
    state, wrong = plan_state(run, about, plan)
    findings += wrong
    unexplained = [d.key for d in state.deviations if not d.reason]
    if release and unexplained:
        what = f"deviations from the plan have no reason: {', '.join(unexplained)}"
        why, fix = "a reader must know why", "state a reason for each"
        findings.append(Finding.create("dossier.blank", about.file, what, why, fix, column="deviations"))
    if has_errors(findings):
        return findings
    draft = out.with_name(f".{out.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        when = time_of(run.record.get("finished"))
        findings += write(draft, run, about, state, compared, release, when, plan)
        shutil.rmtree(out, ignore_errors=True)
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return findings


def main(argv: Sequence[str]) -> int:
    """Write the dossier; 1 and no folder if anything is wrong."""
    from pharmtwin.intake.config import load_config, setting

    arguments = _parser().parse_args(argv)
    config, _, findings = load_config(arguments.configfile)
    if config is not None:
        plan = arguments.plan or setting(config, "paths.plan", "")
        findings += make(Path(arguments.results), config, arguments.about, Path(arguments.out), plan=plan,
                         rerun=arguments.rerun, release=arguments.release)  # fmt: skip
    _say(findings)
    if has_errors(findings):
        return 1
    print(f"{'dossier' if arguments.release else 'DRAFT of a dossier'}: {arguments.out}")
    return 0
