"""Doses of a data set that the reference tables get wrong or do not give: corrections, single doses told in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pharmtwin.facts import fact_table
from pharmtwin.qualification.reading.samples import end_seen
from pharmtwin.tables import records

Row = Mapping[str, str]
LEFT_OUT = "left_out"
#: a data set that is not one dose of one drug in healthy people
REPEATED = re.compile(
    r"\bm\.?d\b|\bMAD|multiple|\b[qob]\.?i?d\b|\btid\b|steady|week|loading|\bday ?(?!1\b)\d|terminal", re.I
)
COMPANY = re.compile(
    r"\bwith(?!out| water| placebo)|\+|\bafter\b|\bDDI\b|antacid|hyperforin|wort|\bcola\b|vit\. ?c|juice", re.I
)
NOT_HEALTHY = re.compile(r"patient|disease|cirrho|impair|failure|obese|pediatric|child", re.I)
DOSE = re.compile(r"([\d.]+)\s*(mg|µg|g)(/kg)?")
INFUSION = re.compile(r"([\d.]+) ?-?(h|min)\w*\.? infusion", re.I)
BOLUS = re.compile(r"bolus", re.I)
WAYS = {"PO": "Oral", "IV": "Intravenous"}
FEWEST = 3  # points
LATE = 1.0  # h: the first sample of a single dose comes no later, else the clock's zero may be another event


def corrections() -> dict[str, dict[str, str]]:
    """Corrected columns by data set (``profile_corrections.tsv``); ``doses.X`` is column X of its doses."""
    out: dict[str, dict[str, str]] = {}
    for row in records(fact_table("qualification/profile_corrections.tsv")):
        out.setdefault(str(row.dataset_id), {})[str(row.column)] = str(row.value)
    return out


def corrected(row: Row, doses: Sequence[Row], changes: Mapping[str, str]) -> tuple[Row, tuple[Row, ...]]:
    """A data set and its doses with corrected columns.

    Where the compound of the doses is corrected they become one a time (two enantiomers were one compound), and where
    the dose is, only the first time is kept if ``doses.times`` is ``first``.
    """
    own = {k: v for k, v in changes.items() if not k.startswith("doses.")}
    theirs = {k.removeprefix("doses."): v for k, v in changes.items() if k.startswith("doses.")}
    times = theirs.pop("times", "")
    kept = list(doses)
    if times == "first" and kept:
        first = min(float(d["time_h"]) for d in kept)
        kept = [d for d in kept if float(d["time_h"]) == first]
    if "compound" in theirs:
        kept = list({d["time_h"]: d for d in reversed(kept)}.values())[::-1]
    return {**row, **own}, tuple({**d, **theirs} for d in kept)


def single_dose(
    row: Row, points: Sequence[Row], siblings: Sequence[Sequence[Row]], curves: Sequence[Sequence[Row]] = ()
) -> tuple[Row, ...]:
    """The one dose that a data set without doses tells in its own words; empty where it does not.

    It needs a route, a dose of one number, three samples and the first within an hour. Left out is what is repeated,
    taken with something else, or of patients, by the words of its name; an intravenous dose whose infusion is told
    neither there nor by the doses of another data set of the study. An infusion told by another data set ends before
    the concentrations of this arm fall (:func:`.samples.end_seen`).

    siblings : doses of the study's other data sets of the same route. curves : points of all data sets of the arm.
    """
    words = " ".join(row.get(c, "") for c in ("osp_name", "grouping", "food"))
    dose = DOSE.fullmatch(row["dose"].strip())
    clock = sorted(float(p["time_h"]) for p in points if p["conc_ug_per_L"] and float(p["conc_ug_per_L"]) > 0)
    if not dose or row["route"] not in WAYS or len(clock) < FEWEST or not 0 <= clock[0] <= LATE:
        return ()
    if any(pattern.search(words) for pattern in (REPEATED, COMPANY, NOT_HEALTHY)):
        return ()
    minutes = 0.0
    if row["route"] == "IV":
        own = _told_infusion(words)
        found = _infusion(siblings) if own is None else own
        if found is None:
            return ()
        minutes = end_seen(curves, found) if own is None else found
    return (
        {
            "dataset_id": row["dataset_id"], "compound": row["drug"].capitalize(), "time_h": "0", "dose": dose[1],
            "dose_unit": f"{dose[2]}{dose[3] or ''}", "application": WAYS[row["route"]], "infusion_min": str(minutes),
            "formulation": row["osp_name"] if row["route"] == "PO" else "",
        },
    )  # fmt: skip


def _told_infusion(words: str) -> float | None:
    """Minutes of an infusion that words tell."""
    if found := INFUSION.search(words):
        return float(found[1]) * (60.0 if found[2].lower() == "h" else 1.0)
    return 0.0 if BOLUS.search(words) else None


def _infusion(siblings: Sequence[Sequence[Row]]) -> float | None:
    """Minutes of an infusion if all other data sets of the study agree."""
    told = {float(d["infusion_min"] or 0) for doses in siblings for d in doses if d["application"].startswith("Intra")}
    return told.pop() if len(told) == 1 else None
