"""Limits by which a fit is judged: rows of ``resources/inference/diagnostics.tsv``."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pharmtwin.facts import fact_table

TABLE = "inference/diagnostics.tsv"
COLUMNS = ["check", "value", "limit", "passed", "worst"]
RELATIONS = {"below": operator.lt, "at_most": operator.le, "above": operator.gt, "at_least": operator.ge}


@dataclass(frozen=True)
class Limit:
    """One limit. relation : how a passing value stands to ``value`` (below, at_most, above or at_least)."""

    check: str
    relation: str
    value: float

    def passes(self, value: float) -> bool:
        """Whether ``value`` is within the limit; nan never is."""
        return bool(RELATIONS[self.relation](value, self.value))

    def words(self) -> str:
        """The limit for a reader, as ``at least 400``."""
        return f"{self.relation.replace('_', ' ')} {self.value:g}"


def limits(group: str) -> dict[str, Limit]:
    """Limits of a group (sampler, predictive, npde, loo, prior, sbc) by check; raises KeyError for another group."""
    table = fact_table(TABLE)
    table = table[table["group"] == group]
    if table.empty:
        raise KeyError(f"resources/{TABLE} has no group {group!r}")
    rows = zip(table["check"].astype(str), table["relation"].astype(str), table["value"].astype(float), strict=True)
    return {check: Limit(check, relation, value) for check, relation, value in rows}


def judged(group: str, values: Mapping[str, tuple[float, str]]) -> pd.DataFrame:
    """One row for each limit of a group: check, value, limit (words), passed, worst (what the value belongs to).

    values : value and its owner by check. A check without a value stays in the table, with nan, and has not passed:
    what was not looked at must not read as good. Raises KeyError for a value that has no limit.
    """
    asked = limits(group)
    unknown = sorted(set(values) - set(asked))
    if unknown:
        raise KeyError(f"resources/{TABLE} has no limit for {unknown} in group {group!r}")
    rows = []
    for check, limit in asked.items():
        value, worst = values.get(check, (float("nan"), "not given"))
        rows.append((check, float(value), limit.words(), limit.passes(value), worst))
    return pd.DataFrame(rows, columns=COLUMNS)


def verdict(rows: pd.DataFrame, group: str = "sampler") -> str:
    """``good`` if every check of the group was made and every row passed, else what failed or was not looked at.

    rows : at least the columns check, value and passed; rows beyond the group's checks count as well.
    """
    failing = [
        f"{check} (no value)" if pd.isna(value) else str(check)
        for check, value, passed in zip(rows["check"], rows["value"], rows["passed"], strict=True)
        if not (passed and not pd.isna(value))
    ]
    missing = [check for check in limits(group) if check not in set(rows["check"])]
    parts = ["failed: " + ", ".join(failing)] if failing else []
    parts += ["not looked at: " + ", ".join(missing)] if missing else []
    return "; ".join(parts) or "good"
