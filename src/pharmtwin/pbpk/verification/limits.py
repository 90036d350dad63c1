"""Limits of the verification, and one check held against one limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pharmtwin.facts import fact_table, fact_values
from pharmtwin.tables import schema

TABLE = "verification.tsv"
AT_MOST, AT_LEAST = "at_most", "at_least"


def settings() -> dict[str, float]:
    """Limits and settings by name, of ``resources/verification.tsv``."""
    return fact_values(TABLE, "name")


@dataclass(frozen=True)
class Check:
    """One value held against its limit.

    Attributes
    ----------
    kind : what is checked, as table ``verification`` lists it. subject : of whom, or of what. value : NaN where it
    could not be computed. place : where the value was found (time, organ, twin), or why there is none.
    """

    kind: str
    subject: str
    value: float
    limit: float
    relation: str
    place: str

    @classmethod
    def create(cls, kind: str, subject: str, value: float, place: str) -> Check:
        """A check whose limit and relation are those of the resource; raises KeyError for an unknown kind."""
        table = fact_table(TABLE)
        relations = dict(zip(table["name"].astype(str), table["relation"].astype(str), strict=True))
        return cls(kind, subject, value, settings()[kind], relations[kind], place)

    @property
    def passed(self) -> bool:
        """Whether the value keeps the limit; a value that is missing or infinite does not."""
        if not math.isfinite(self.value):
            return False
        return self.value >= self.limit if self.relation == AT_LEAST else self.value <= self.limit

    @property
    def words(self) -> str:
        """What failed, as one sentence without a full stop."""
        bound = "at least" if self.relation == AT_LEAST else "at most"
        value = f"{self.value:.3g}" if math.isfinite(self.value) else "no value"
        return f"{self.kind.replace('_', ' ')} of {self.subject}: {value} (limit: {bound} {self.limit:g}); {self.place}"


def check_table(checks: Sequence[Check]) -> pd.DataFrame:
    """Table ``verification``, failed checks first."""
    rows = [
        {
            "kind": c.kind, "subject": c.subject, "value": c.value if math.isfinite(c.value) else math.nan,
            "relation": c.relation, "limit": c.limit, "passed": c.passed, "place": c.place,
        }
        for c in sorted(checks, key=lambda c: c.passed)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=schema("verification").names)


def together(table: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of several frames of one table; its empty frame where there are none."""
    kept = [f for f in frames if len(f)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=schema(table).names)


def failed_rows(checks: Sequence[Check], stage: str) -> pd.DataFrame:
    """Rows of ``solver_check`` of the checks that failed: the run then says so at its end, with exit code 1."""
    rows = [
        {
            "stage": stage, "run": f"{c.kind}/{c.subject}", "state": c.place, "max_relative_difference": math.nan,
            "limit": math.nan, "passed": False, "failure": c.words,
        }
        for c in checks
        if not c.passed
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=schema("solver_check").names)
