"""Target ranges of drugs: what a dose is meant to reach. Facts with their source, given as a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pharmtwin.core.metrics import METRICS

COLUMNS = ("drug", "metric", "low", "high", "unit", "source")


@dataclass(frozen=True)
class Target:
    """Range of an exposure metric, limits included, in the metric's unit; ``source`` says who set it."""

    drug: str
    metric: str
    low: float
    high: float
    source: str


def faults(table: pd.DataFrame) -> list[tuple[int, str, str, str]]:
    """(line, column, value, what is wrong) of a table of targets, all at once; the header is line 1."""
    missing = [c for c in COLUMNS if c not in table.columns]
    if missing:
        return [(1, c, "", "the column is missing") for c in missing]
    out = []
    for line, (_, row) in enumerate(table.astype("string").fillna("").iterrows(), start=2):
        metric, unit = str(row["metric"]), str(row["unit"])
        if metric not in METRICS:
            out.append((line, "metric", metric, f"is not one of {', '.join(METRICS)}"))
        elif unit != METRICS[metric]:
            out.append((line, "unit", unit, f"is not {METRICS[metric]}, the unit of {metric}"))
        limits = pd.to_numeric(pd.Series([row["low"], row["high"]]), errors="coerce")
        for column, value in zip(("low", "high"), limits):
            if pd.isna(value) or value < 0:
                out.append((line, column, str(row[column]), "is not a number of at least 0"))
        if limits.notna().all() and limits.iloc[0] >= limits.iloc[1]:
            out.append((line, "high", str(row["high"]), "is not above low"))
        if not str(row["source"]).strip():
            out.append((line, "source", "", "is empty: who set this range?"))
    for drug in sorted(table.loc[table["drug"].duplicated(), "drug"].astype(str).unique()):
        out.append((int(table["drug"].eq(drug).to_numpy().nonzero()[0][1]) + 2, "drug", drug, "has a row already"))
    return out


def read_targets(path: Path) -> pd.DataFrame:
    """The table as it stands, every cell a text."""
    return pd.read_csv(path, sep="\t", comment="#", dtype="string", keep_default_na=False)


def target_of(path: Path, drug: str) -> Target | None:
    """Target range of a drug; None where the table has no row of it. Raises ValueError on a faulty table."""
    table = read_targets(path)
    wrong = faults(table)
    if wrong:
        said = "; ".join(f"{path.name}:{line} {column} [{value}] {what}" for line, column, value, what in wrong)
        raise ValueError(said)
    rows = table[table["drug"] == drug]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Target(drug, str(row["metric"]), float(row["low"]), float(row["high"]), str(row["source"]))
