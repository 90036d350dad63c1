"""Technical criteria, set before the fit, held against the table ``accuracy``; and the grid of model risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pandas as pd

from pharmtwin.findings import Finding

MET, NOT_MET, NOT_AVAILABLE = "met", "NOT met", "not available"
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True)
class Outcome:
    """A criterion and what became of it; ``row`` is its row of ``accuracy`` (None: no such row, see ``reason``)."""

    criterion: Mapping[str, Any]
    result: str
    row: pd.Series | None
    reason: str = ""

    @property
    def limit(self) -> str:
        """The limit in words, and what has to hold it."""
        c = self.criterion
        side, limit = ("at most", c["at_most"]) if "at_most" in c else ("at least", c["at_least"])
        return f"{side} {limit:g}" + (", whole 95 % interval" if c.get("judged_by") == "interval" else "")


def outcome(criterion: Mapping[str, Any], accuracy: pd.DataFrame) -> Outcome:
    """Hold one criterion against the table. An interval criterion without an interval is not available, never met."""
    rows = accuracy
    for column in ("data_set", "model", "metric"):
        left = rows[rows[column] == criterion[column]]
        if left.empty:
            known = sorted(set(rows[column]))
            near = get_close_matches(str(criterion[column]), known, n=1)
            hint = f"; nearest: {near[0]}" if near else f"; there are: {', '.join(known)}" if known else ""
            return Outcome(criterion, NOT_AVAILABLE, None, f"no {column} {criterion[column]!r}{hint}")
        rows = left
    row = rows.iloc[0]
    upper = "at_most" in criterion
    column = "value" if criterion.get("judged_by", "value") == "value" else "hi95" if upper else "lo95"
    if pd.isna(row[column]):
        return Outcome(criterion, NOT_AVAILABLE, row, "the figure has no interval")
    held = row[column] <= criterion["at_most"] if upper else row[column] >= criterion["at_least"]
    return Outcome(criterion, MET if held else NOT_MET, row)


def outcomes(criteria: list[Mapping[str, Any]], accuracy: pd.DataFrame) -> list[Outcome]:
    """All criteria in the author's order."""
    return [outcome(c, accuracy) for c in criteria]


def findings(held: list[Outcome], file: str) -> list[Finding]:
    """A warning for every criterion that could not be held against a figure."""
    why = "the dossier says neither met nor not met"
    fix = "name a data set, model and metric of evaluate/accuracy.tsv; amend the plan, and state the deviation"
    return [
        Finding.create("dossier.criterion_unknown", file, o.reason, why, fix, column=f"criteria.{o.criterion['id']}",
                       severity="warning")
        for o in held
        if o.result == NOT_AVAILABLE
    ]  # fmt: skip


def grid_risk(influence: str, consequence: str) -> str:
    """Model risk by the grid of this dossier: low, medium or high; empty where one of the two is blank.

    The ranks of influence and consequence (1 to 3) are added: up to 3 low, 4 medium, from 5 high. The grid is a
    convention of this program: neither ICH M15 nor ASME V&V 40 gives a formula.
    """
    if influence not in LEVELS or consequence not in LEVELS:
        return ""
    total = LEVELS.index(influence) + LEVELS.index(consequence) + 2
    return LEVELS[0] if total <= 3 else LEVELS[1] if total == 4 else LEVELS[2]
