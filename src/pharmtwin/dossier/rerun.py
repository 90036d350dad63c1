"""A second run beside the first: byte by byte by the manifests, and by two one-sided tests on predicted exposure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pharmtwin.findings import Finding
from pharmtwin.provenance.compare import compare as compare_runs
from pharmtwin.provenance.equivalence import LIMITS, exposure_tost
from pharmtwin.provenance.verify import Recorded, check_outputs
from pharmtwin.report.blocks import Table
from pharmtwin.report.words import NONE, count, interval, number
from pharmtwin.tables import records


@dataclass(frozen=True)
class Rerun:
    """``problems``: differences of files in words (empty: byte-equal); ``table``: exposure of both runs compared."""

    problems: tuple[str, ...]
    table: Table


def exposure_table(tost: pd.DataFrame) -> Table:
    """The table of :func:`pharmtwin.provenance.equivalence.tost_table` for readers; no row is left out."""
    rows = []
    for r in records(tost):
        unpaired = int(r.only_reference) + int(r.only_test)
        head = [str(r.scenario), str(r.model), str(r.metric), count(r.n), count(unpaired)]
        if r.reason:
            rows.append([*head, NONE, NONE, f"not tested: {r.reason}"])
            continue
        said = "equivalent" if r.equivalent else "NOT shown equivalent"
        rows.append([*head, interval(r.ratio, r.lo90, r.hi90), number(r.largest), said])
    header = ["Scenario", "Model", "Metric", "Pairs", "Without pair", "Ratio of geometric means (90 %)"]
    header += ["Furthest twin", "TOST"]
    low, high = LIMITS
    note = f"Second run over first; pairs are twins; limits {low:.2f} to {high:.2f}; the ratio furthest from 1."
    return Table.create("Exposure of two runs", header, rows, text=(0, 1, 2, 7), note=note)


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
