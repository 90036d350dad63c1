"""A second run beside the first: byte by byte by the manifests, and by two one-sided tests on predicted exposure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pharmtwin.findings import Finding
from pharmtwin.provenance.compare import compare as compare_runs
from pharmtwin.provenance.equivalence import exposure_tost
from pharmtwin.provenance.page import exposure_table
from pharmtwin.provenance.verify import Recorded, check_outputs
from pharmtwin.report.blocks import Table


@dataclass(frozen=True)
class Rerun:
    """``problems``: differences of files in words (empty: byte-equal); ``table``: exposure of both runs compared."""

    problems: tuple[str, ...]
    table: Table


def compare(first: Path, second: str) -> tuple[Rerun | None, list[Finding]]:
    """Compare two folders of results; nothing and no finding where no second one is named."""
    if not second:
        return None, []
    other = Path(second) / "manifest.json"
    if not other.is_file() or not (first / "manifest.json").is_file():
        what = "there is no manifest of a second run"
        fix = "correct the path"
        return None, [Finding.create("dossier.no_manifest", str(other), what, "nothing can be compared", fix)]
    runs = [Recorded(f, json.loads((f / "manifest.json").read_text(encoding="utf-8"))) for f in (first, Path(second))]
    problems = [f"second run: {p}" for p in check_outputs(runs[1])]
    for problem in compare_runs(*runs):
        for path, name in ((str(first), "the first run"), (str(Path(second)), "the second run")):
            problem = problem.replace(path, name)
        problems.append(problem)
    return Rerun(tuple(problems), exposure_table(exposure_tost(first, Path(second)))), []
