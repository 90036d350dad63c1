"""A finished run, read back for the dossier: its manifest, tables and sheets, and whether all is as recorded.

The dossier describes the run of the manifest and no other. A result that changed since, an input that changed, or a
configuration that is another one stops it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from pharmtwin.facts import sha256_file
from pharmtwin.findings import Finding, has_errors
from pharmtwin.intake.study import Study, load_study
from pharmtwin.provenance.manifest import input_entries
from pharmtwin.provenance.verify import Recorded, check_outputs
from pharmtwin.report import ReportInputs
from pharmtwin.report.limits import flat
from pharmtwin.report.stage import CRITICISM, EVALUATION, SENSITIVITY, VERIFICATION
from pharmtwin.workflow.plan import REPOSITORY
from pharmtwin.workflow.reporting import report_inputs

#: folders with a table of solver checks
CHECKED = ("sensitivity", "published", "pbpk/*", "explain/*", "attributions/*", "criticism", "verification")
#: blocks of the configuration that change no result: paths (files are compared by hash) and the dossier's own
BESIDE = ("paths", "dossier")
WHY = "the dossier would describe another run than the one that the manifest records"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    folder : ``results/<study>``. config : the configuration, with paths. manifest, record : ``manifest.json`` and
    ``run.json`` (empty if absent). manifest_sha256 : of the manifest's bytes; its beginning is the run's id.
    study : the sheets. inputs : the tables, as the report has them. events : events sheet. seconds : run time by job.
    code_as_now : whether the code that was recorded is the code that writes the dossier.
    """

    folder: Path
    config: dict[str, Any]
    manifest: Mapping[str, Any]
    manifest_sha256: str
    record: Mapping[str, Any]
    study: Study
    inputs: ReportInputs
    seconds: Mapping[str, float]
    code_as_now: bool

    @property
    def run_id(self) -> str:
        """First twelve digits of the manifest's hash."""
        return self.manifest_sha256[:12]


def digest_of(entries: Sequence[Mapping[str, Any]]) -> str:
    """One sha256 over the paths and hashes of a section of the manifest."""
    lines = sorted(f"{e['sha256']}  {e['path']}\n" for e in entries)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def files_of(folder: Path) -> SimpleNamespace:
    """Files of a run by the names of the report rule's inputs; the population's prediction comes last."""

    def found(*patterns: str) -> list[str]:
        return [str(p) for pattern in patterns for p in sorted(folder.glob(pattern))]

    def by_bucket(stage: str, name: str) -> list[str]:
        return found(f"{stage}/b[0-9]*/{name}")

    def named(stage: str, names: Sequence[str]) -> list[str]:
        return [p for n in names for p in found(f"{stage}/{n}.tsv")]

    return SimpleNamespace(
        findings=[*by_bucket("twins", "findings.tsv"), *found("genome/*/findings.tsv", "scores/**/findings.tsv")],
        genotype=by_bucket("twins", "genotype.parquet"),
        sites=by_bucket("twins", "sites.parquet"),
        recommendations=by_bucket("twins", "recommendations.parquet"),
        body=by_bucket("twins", "body.parquet"),
        priors=by_bucket("twins", "priors.parquet"),
        reference=found("reference/body.parquet"),
        exposure=[*by_bucket("pbpk", "exposure.parquet"), *found("pbpk/population/exposure.parquet")],
        profiles=[*by_bucket("pbpk", "profiles.parquet"), *found("pbpk/population/profiles.parquet")],
        predictions=by_bucket("pbpk", "predictions.parquet"),
        steps=by_bucket("explain", "steps.parquet"),
        counterfactuals=by_bucket("explain", "counterfactuals.parquet"),
        counterfactual_courses=by_bucket("explain", "counterfactual_courses.parquet"),
        dose_options=by_bucket("explain", "dose_options.parquet"),
        checks=found(*(f"{s}/solver_check.tsv" for s in CHECKED)),
        fit=named("fit", ("summary", "diagnostics", "twins", "genotype")),
        criticism=found(*(f"criticism/{name}.{end}" for name, end in CRITICISM.items())),
        sensitivity=named("sensitivity", SENSITIVITY),
        published=found("published/published.tsv"),
        scores=by_bucket("pbpk", "predictive_scores.parquet"),
        exceedance=by_bucket("pbpk", "exceedance.parquet"),
        attributions=by_bucket("attributions", "attributions.parquet"),
        accuracy=str(folder / "evaluate/accuracy.tsv"),
        evaluation=named("evaluate", EVALUATION),
        verification=found(*(f"verification/{n}.*" for n in VERIFICATION)),
        verdict=str(folder / "evaluate/verdict.txt"),
    )


def _differences(recorded: Mapping[str, Any], config: Mapping[str, Any], where: str) -> list[Finding]:
    """Settings of the run that are others now (paths are compared by the files' hashes)."""
    then, now = (dict(flat({k: v for k, v in c.items() if k not in BESIDE})) for c in (recorded, config))
    out = []
    for key in sorted(then.keys() | now.keys()):
        if then.get(key) != now.get(key):
            what = f"the run had {then.get(key, 'no such key')}, the configuration has {now.get(key, 'none')}"
            fix = "give the run's own configuration with --configfile, or run the study again"
            out.append(Finding.create("dossier.other_config", where, what, WHY, fix, column=key))
    return out


def _changed_inputs(recorded: Mapping[str, Any], config: Mapping[str, Any], where: str) -> list[Finding]:
    try:
        now = {(e["path"], e["sha256"]) for e in input_entries(config)}
    except OSError as error:
        fix = "run the command where the study was run"
        return [Finding.create("dossier.input_missing", where, f"an input cannot be read: {error}", WHY, fix)]
    then = {(e["path"], e["sha256"]) for e in recorded["inputs"]}
    fix = "bring back the file, or run the study again"
    return [
        Finding.create("dossier.input_changed", path, "is not the file that the run has read", WHY, fix)
        for path in sorted({p for p, _ in then ^ now})
    ]


def _seconds(folder: Path) -> dict[str, float]:
    """Run time by job, from the benchmarks beside the logs."""
    out = {}
    for path in sorted((folder / "logs").rglob("*.benchmark.tsv")):
        times = pd.read_csv(path, sep="\t")["s"]
        out[path.relative_to(folder / "logs").as_posix().removesuffix(".benchmark.tsv")] = float(times.iloc[-1])
    return out


def _code_as_now(recorded: Mapping[str, Any]) -> bool:
    def current(entry: Mapping[str, Any]) -> bool:
        path = REPOSITORY / entry["path"]
        return path.is_file() and sha256_file(path) == entry["sha256"]

    return all(current(e) for section in ("code", "facts") for e in recorded[section])


def read_run(folder: Path, config: Mapping[str, Any]) -> tuple[Run | None, list[Finding]]:
    """The run in ``folder``, made with ``config``, and findings; None if one is an error. Relative paths start here."""
    path = folder / "manifest.json"
    if not path.is_file():
        what, fix = "there is no manifest: the run has not finished", "run the study to its end, or correct the path"
        return None, [Finding.create("dossier.no_manifest", str(path), what, "nothing says what was run", fix)]
    raw = path.read_bytes()
    recorded = json.loads(raw)
    fix = "run the study again; results are never edited"
    findings = [
        Finding.create("dossier.result_changed", str(path), problem, WHY, fix)
        for problem in check_outputs(Recorded(folder, recorded))
    ]
    findings += _differences(recorded["config"], config, str(path))
    if has_errors(findings):
        return None, findings
    findings += _changed_inputs(recorded, config, str(path))
    given, its_findings = load_study(config)
    if given is None or has_errors(findings):
        return None, findings + ([] if given else list(its_findings))
    now = _code_as_now(recorded)
    if not now:
        what = "code or facts of this installation are not those that made the run"
        why = "texts of the dossier that describe the method are those of the installation that writes it"
        findings.append(
            Finding.create("dossier.other_code", str(path), what, why, "run the study again", severity="warning")
        )
    about = folder / "run.json"
    record = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
    inputs = report_inputs(files_of(folder), config, given, folder)
    sha = hashlib.sha256(raw).hexdigest()
    return Run(folder, dict(config), recorded, sha, record, given, inputs, _seconds(folder), now), findings
