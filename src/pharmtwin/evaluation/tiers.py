"""Validation in four tiers: what was done, with which result and where it stands, and what was not done.

The list of activities is data (resources/validation_tiers.tsv). An activity without evidence is "not done": nothing is
taken as done because it usually is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from pharmtwin.facts import fact_table

TIERS = ("verification", "estimation", "prediction", "clinical utility")
DONE, NOT_DONE = "done", "not done"


@dataclass(frozen=True)
class Evidence:
    """What speaks for an activity: ``activity`` id; ``result`` in words or figures; ``where``: file or command."""

    activity: str
    result: str
    where: str

    def __post_init__(self) -> None:
        if not (self.activity and self.result and self.where):
            raise ValueError("evidence names its activity, its result and where it can be seen")


@dataclass(frozen=True)
class NotDone:
    """An activity that was not done, and why."""

    activity: str
    why: str

    def __post_init__(self) -> None:
        if not (self.activity and self.why):
            raise ValueError("what was not done names its activity and the reason")


def activities() -> pd.DataFrame:
    """Activities by tier: tier, activity, question, factor (of ASME V&V 40), without_evidence (reason), source."""
    return fact_table("validation_tiers.tsv")


def validation_table(stated: Iterable[Evidence | NotDone] = ()) -> pd.DataFrame:
    """One row an activity and piece of evidence: tier, activity, question, factor, status, result, where, why_not.

    What nothing is stated of is not done, for the reason that the list of activities gives. Raises ValueError on an
    unknown activity, or one that is stated both done and not done.
    """
    known = activities()
    names = list(known["activity"])
    done: dict[str, list[Evidence]] = {}
    refused: dict[str, NotDone] = {}
    for one in stated:
        if one.activity not in names:
            raise ValueError(f"unknown activity {one.activity}; known: {', '.join(names)}")
        if isinstance(one, Evidence):
            done.setdefault(one.activity, []).append(one)
        else:
            refused[one.activity] = one
    both = sorted(set(done) & set(refused))
    if both:
        raise ValueError(f"stated as done and as not done: {', '.join(both)}")
    rows = []
    for row in known.to_dict("records"):
        base = {k: row[k] for k in ("tier", "activity", "question", "factor")}
        for evidence in done.get(row["activity"], []):
            rows.append({**base, "status": DONE, "result": evidence.result, "where": evidence.where, "why_not": ""})
        if row["activity"] not in done:
            why = refused[row["activity"]].why if row["activity"] in refused else row["without_evidence"]
            rows.append({**base, "status": NOT_DONE, "result": "", "where": "", "why_not": why})
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row a tier: activities done, not done, and their names."""
    rows = []
    for tier in TIERS:
        mine = table[table["tier"] == tier].drop_duplicates("activity")
        lists = {s: list(mine.loc[mine["status"] == s, "activity"]) for s in (DONE, NOT_DONE)}
        rows.append({"tier": tier, "n_done": len(lists[DONE]), "n_not_done": len(lists[NOT_DONE]),
                     "done": ", ".join(lists[DONE]), "not_done": ", ".join(lists[NOT_DONE])})  # fmt: skip
    return pd.DataFrame(rows)
