"""A second run beside the first: byte by byte by the manifests, and by two one-sided tests on predicted exposure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pharmtwin.bioequivalence.ratios import paired_tost
from pharmtwin.dossier.run import files_of
from pharmtwin.findings import Finding
from pharmtwin.provenance.compare import compare as compare_runs
from pharmtwin.provenance.verify import Recorded, check_outputs
from pharmtwin.report.blocks import Table
from pharmtwin.report.words import NONE, count, interval, number
from pharmtwin.tables import read_tables

KEY = ["twin_id", "scenario", "model", "metric"]
METRICS = ("AUCtau", "Cmax")


@dataclass(frozen=True)
class Rerun:
    """``problems``: differences of files in words (empty: byte-equal); ``table``: exposure of both runs compared."""

    problems: tuple[str, ...]
    table: Table


def exposure_table(first: pd.DataFrame, second: pd.DataFrame) -> Table:
    """TOST (0.80 to 1.25) on the ratios second/first of median AUCtau and Cmax, twins paired, a row a model.

    Rows that only one run has are counted, never left out in silence. Columns as in table ``exposure``.
    """
    both = first.merge(second, on=KEY, how="outer", suffixes=("_1", "_2"), indicator=True)
    rows = []
    for (model, metric), part in both[both["metric"].isin(METRICS)].groupby(["model", "metric"], sort=True):
        pairs = part[(part["_merge"] == "both") & (part["median_1"] > 0) & (part["median_2"] > 0)]
        unpaired = len(part) - len(pairs)
        ratio = pairs["median_2"] / pairs["median_1"]
        worst = number((ratio - 1).abs().max()) if len(pairs) else NONE
        if len(pairs) < 2:
            rows.append([str(model), str(metric), count(len(pairs)), count(unpaired), NONE, worst, "too few pairs"])
            continue
        test = paired_tost(pairs["median_2"], pairs["median_1"])
        said = "equivalent" if test.equivalent else "NOT shown equivalent"
        shown = interval(test.ratio, test.low, test.high)
        rows.append([str(model), str(metric), count(test.n), count(unpaired), shown, worst, said])
    header = [
        "Model",
        "Metric",
        "Pairs",
        "Without pair",
        "Ratio of geometric means (90 %)",
        "Largest difference",
        "TOST",
    ]
    note = (
        "Second run to first; pairs are twin and scenario; limits 0.80 to 1.25; largest relative difference of a pair."
    )
    return Table.create("Exposure of two runs", header, rows, text=(0, 1, 6), note=note)


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
    tables = [read_tables("exposure", [Path(p) for p in files_of(f).exposure]) for f in (first, Path(second))]
    return Rerun(tuple(problems), exposure_table(*tables)), []
