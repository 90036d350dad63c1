"""The ``pharmtwin`` command: one function a sub-command, heavy imports inside it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pharmtwin import __version__


def check(arguments: argparse.Namespace) -> int:
    """Check configuration, sheets and VCFs; print all findings; 1 if any is an error."""
    from pharmtwin.findings import has_errors
    from pharmtwin.intake.check import check_study, format_findings
    from pharmtwin.intake.config import load_config

    config, places, findings = load_config(arguments.configfile)
    if config is not None:
        findings += check_study(config, places=places)
    print(format_findings(findings))
    return 1 if has_errors(findings) else 0


def verify(arguments: argparse.Namespace) -> int:
    """Hash a run's outputs again and, if a second manifest is given, compare the two runs; 1 if they differ."""
    from pathlib import Path

    from pharmtwin.workflow import manifest

    files = [Path(arguments.manifest), *([Path(arguments.other)] if arguments.other else [])]
    missing = [str(f) for f in files if not f.is_file()]
    if missing:
        print(f"no manifest at {', '.join(missing)}")
        return 1
    problems = [f"{f}: {p}" for f in files for p in manifest.verify(f)]
    if len(files) == 2:
        problems += manifest.compare(*files)
    print("\n".join(problems) if problems else f"verified: {' and '.join(map(str, files))}: every file as recorded")
    if len(files) == 2 and not problems:
        print("the two runs are byte-equal")
    return 1 if problems else 0


def parser() -> argparse.ArgumentParser:
    """The command line: every sub-command names its function as ``run``."""
    top = argparse.ArgumentParser(prog="pharmtwin", description="Patient-specific pharmacological digital twins.")
    top.add_argument("--version", action="version", version=f"pharmtwin {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    sub = commands.add_parser("check", help="check a study's config, sheets and VCFs and say all that is wrong")
    sub.add_argument(
        "--configfile",
        nargs="+",
        action="extend",
        default=[],
        metavar="F",
        help="your config file(s), merged over config/config.yaml in this order",
    )
    sub.set_defaults(run=check)

    sub = commands.add_parser("verify", help="hash a run's outputs again; with a second manifest, compare two runs")
    sub.add_argument("manifest", help="results/<study>/manifest.json")
    sub.add_argument("other", nargs="?", help="manifest of another run of the same study")
    sub.set_defaults(run=verify)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = parser().parse_args(argv)
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(main())
