"""``pharmtwin verify``: a run against its manifest, against another run, or against a fresh one."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pharmtwin.provenance import verify as v
from pharmtwin.provenance.manifest import COMPARED


def main(argv: Sequence[str]) -> int:
    """Print what was found; 0 if everything is as recorded and the runs agree, else 1."""
    arguments = _parser().parse_args(argv)
    if not 0 < arguments.limits[0] < 1 < arguments.limits[1]:
        print("verify: --limits LOW HIGH: LOW between 0 and 1, HIGH above 1", file=sys.stderr)
        return 1
    if arguments.rerun and arguments.other:
        print("verify: give a second run or --rerun, not both", file=sys.stderr)
        return 1
    try:
        one = v.read_run(Path(arguments.run))
        if arguments.rerun:
            return _rerun(one, arguments)
        if arguments.other:
            return _two(one, v.read_run(Path(arguments.other)), arguments)
        return _one(one, arguments)
    except (FileNotFoundError, ValueError) as error:
        print(f"verify: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pharmtwin verify",
        description="Hash a run again; compare it with a second run; or run it afresh and compare.",
    )
    add = parser.add_argument
    add("run", help="results/<study>, or the manifest.json in it")
    add("other", nargs="?", help="a second run of the study, of the same or another release")
    add("--only", nargs="+", choices=v.SECTIONS, default=list(v.SECTIONS), metavar="PART",
        help="outputs, inputs, modules (of the checkout); default: all three")  # fmt: skip
    add("--project", type=Path, metavar="DIR", help="folder that the run's relative paths start from, if it has moved")
    add("--rerun", action="store_true", help="run the kept code on the inputs in a temporary folder and compare")
    add("--code", type=Path, metavar="DIR", help="with --rerun: run this checkout instead (another release)")
    add("--cores", type=int, default=1, help="with --rerun (default 1)")
    add("--keep", type=Path, metavar="DIR", help="with --rerun: work in this new folder and keep it")
    add("--limits", nargs=2, type=float, default=[0.8, 1.25], metavar=("LOW", "HIGH"),
        help="of the ratios of AUC and Cmax (default 0.8 1.25)")  # fmt: skip
    add("--page", type=Path, metavar="DIR",
        help="folder for the page of two runs (default: compared/ in the results of the first)")  # fmt: skip
    return parser


def _one(run: v.Recorded, arguments: argparse.Namespace) -> int:
    problems = _problems(run, arguments.only, arguments.project)
    print("\n".join(problems) if problems else f"verified: {run.folder}: {_counts(run, arguments.only)}")
    return 1 if problems else 0


def _problems(run: v.Recorded, only: Sequence[str], project: Path | None) -> list[str]:
    return [f"{run.folder}: {p}" for p in v.verify_run(run, only, project)]


def _counts(run: v.Recorded, only: Sequence[str]) -> str:
    made = run.manifest
    modules = len(made["code"]) + len(made["facts"])
    n = {"outputs": len(made["outputs"]), "inputs": len(made["inputs"]), "modules": modules}
    return ", ".join(f"{n[s]} {s}" for s in v.SECTIONS if s in only) + ": every file as recorded"


def _two(one: v.Recorded, other: v.Recorded, arguments: argparse.Namespace) -> int:
    """The outputs of both against their manifests, then the two against each other."""
    changed = [p for run in (one, other) for p in _problems(run, ["outputs"], None)]
    print("\n".join(changed) or f"verified: {one.folder} and {other.folder}: every output as recorded")
    return _compare(one, other, arguments, changed)


def _rerun(run: v.Recorded, arguments: argparse.Namespace) -> int:
    """The run as it stands, then the same study afresh."""
    from pharmtwin.provenance.rerun import RerunError, rerun

    sections = [s for s in arguments.only if s != "modules"]  # the kept code runs, not the checkout's
    problems = _problems(run, sections, arguments.project)
    print("\n".join(problems) or f"verified: {run.folder}: {_counts(run, sections)}")
    if not run.run:
        print("verify: without run.json nobody knows where the inputs are: no rerun")
        return 1
    if arguments.keep and arguments.keep.exists():
        print(f"verify: --keep {arguments.keep}: is there already; name a new folder", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="pharmtwin-rerun-") as temporary:
        into = arguments.keep or Path(temporary)
        into.mkdir(parents=True, exist_ok=True)
        print(f"rerun: {run.manifest['study']} in {into}, {arguments.cores} core(s)", flush=True)
        try:
            fresh = rerun(run, into.absolute(), arguments.cores, arguments.code, arguments.project)
        except RerunError as error:
            print(f"verify: {error}")
            return 1
        return _compare(run, v.read_run(fresh), arguments, problems, fresh=True)


def _compare(
    one: v.Recorded, other: v.Recorded, arguments: argparse.Namespace, changed: Sequence[str], fresh: bool = False
) -> int:
    """Print how two runs agree and write the page of it; 0 if they do."""
    from pharmtwin.provenance.agreement import agreement, agreement_lines
    from pharmtwin.provenance.page import write_page

    found = agreement(one, other, tuple(arguments.limits))
    print("\n".join(agreement_lines(found)))
    folder = arguments.page or one.folder / COMPARED
    try:
        print(f"page: {write_page(found, folder, changed, fresh)}")
    except OSError as error:  # results on a medium that cannot be written are compared all the same
        print(f"verify: no page at {folder} (--page FOLDER): {error.strerror}", file=sys.stderr)
    return 0 if found.agrees and not changed else 1
