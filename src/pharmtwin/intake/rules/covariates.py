"""Rules about covariates that stand beside the events: constant where they must be, plausible where they change."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pharmtwin.intake.rules.registry import Event, Given, Hit, rule
from pharmtwin.intake.sheet import is_missing

HOURS_PER_YEAR = 24 * 365.25
#: covariates that no time changes
CONSTANT = ("sex", "ancestry", "label", "vcf", "sample")
FIXED_NAMES = (
    "SEX",
    "RACE",
    "ETHN",
    "ETHNIC",
    "GENO",
    "GENOTYPE",
    "PHENO",
    "STUDYID",
    "SITEID",
    "CYP2D6",
    "CYP2C19",
    "CYP2C9",
)


def _cells(rows: list[Event], column: str) -> list[Event]:
    return [e for e in rows if not is_missing(e.record.raw.get(column, ""))]


@rule(
    "events.covariate_constant",
    "error",
    "a covariate that cannot change changes within a twin (sex, ancestry, genotype)",
    why="rows of two people may be mixed under one id",
    fix="correct the cell, or the id of the row",
)
def _constant(given: Given) -> Iterator[Hit]:
    columns = [c for c in given.events.columns if c in CONSTANT or c.upper() in FIXED_NAMES]
    for rows in given.people.values():
        for column in sorted(columns):
            told = _cells(rows, column)
            usual = max(
                (e.record.raw[column] for e in told), key=[e.record.raw[column] for e in told].count, default=""
            )
            odd = [e for e in told if e.record.raw[column] != usual]
            if odd:
                yield Hit(given.events, odd[0].record, column, f"is {usual} in other rows of the twin")


@rule(
    "events.covariate_gap",
    "warning",
    "a covariate that stands in some rows of a twin and not in others",
    why="an empty cell is read as 0 by NM-TRAN",
    fix="fill the cell in every row, as it was at that time",
)
def _gaps(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        for column in ("weight_kg", "height_cm", "age_y", "sex", "creatinine_mg_dl", "albumin_g_l", "haematocrit"):
            told = _cells(rows, column) if column in given.events.columns else []
            if told and len(told) < len(rows):
                empty = next(e for e in rows if is_missing(e.record.raw.get(column, "")))
                yield Hit(given.events, empty.record, column, f"empty here, and told in {len(told)} rows of the twin")


@rule(
    "events.weight_jump",
    "warning",
    "an adult's weight that changes by a fifth within a month",
    why="one of the two may be mistyped, or in pounds",
    fix="correct the weight, or leave it if it is right",
)
def _jump(given: Given) -> Iterator[Hit]:
    share, hours = given.limit("weight_jump")
    for rows in given.people.values():
        told = [e for e in rows if e.record.number("weight_kg") and e.time is not None]
        for a, b in itertools.pairwise(told):
            before, now = a.record.number("weight_kg") or 0.0, b.record.number("weight_kg") or 0.0
            adult = (b.record.number("age_y") or 40.0) >= 18
            if adult and abs((b.time or 0.0) - (a.time or 0.0)) <= hours and abs(now - before) > share * before:
                yield Hit(
                    given.events,
                    b.record,
                    "weight_kg",
                    f"was {before:g} kg in row {a.row}, {(b.time or 0) - (a.time or 0):g} h before",
                )
                break


@rule(
    "events.age_clock",
    "warning",
    "an age that falls, or runs ahead of the clock",
    why="rows of two people may be mixed, or age is in another unit",
    fix="correct the age",
)
def _age(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        told = [e for e in rows if e.record.number("age_y") is not None and e.time is not None]
        for a, b in itertools.pairwise(told):
            aged = (b.record.number("age_y") or 0.0) - (a.record.number("age_y") or 0.0)
            passed = ((b.time or 0.0) - (a.time or 0.0)) / HOURS_PER_YEAR
            if passed >= 0 and (aged < -0.01 or aged > passed + given.limit("age_jump")):
                yield Hit(
                    given.events,
                    b.record,
                    "age_y",
                    f"{aged:+.3g} years since row {a.row}, in {max(passed, 0) * 365.25:.3g} days",
                )
                break


@rule(
    "events.height_falls",
    "warning",
    "a height that falls by more than 3 cm within a twin",
    why="nobody shrinks so within a study",
    fix="correct the height",
)
def _height(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        told = [e for e in rows if e.record.number("height_cm")]
        for a, b in itertools.pairwise(told):
            lost = (a.record.number("height_cm") or 0.0) - (b.record.number("height_cm") or 0.0)
            if lost > 3:
                yield Hit(given.events, b.record, "height_cm", f"{lost:g} cm less than in row {a.row}")
                break


@rule(
    "events.covariate_against_twins",
    "warning",
    "a covariate of the events that the twins sheet tells otherwise",
    why="the twins sheet is used, and the other value is lost",
    fix="make the two agree",
    needs=("events", "twins"),
    alone=False,
)
def _against(given: Given) -> Iterator[Hit]:
    sheet = {r.text("twin_id"): r for r in given.twins.records}
    for twin, rows in given.people.items():
        record = sheet.get(twin)
        for column in ("weight_kg", "height_cm", "age_y", "sex", "creatinine_mg_dl") if record is not None else ():
            for e in _cells(rows, column):
                here, there = e.record.raw[column], (record.raw.get(column, "") if record is not None else "")
                if not is_missing(there) and _differ(here, there):
                    yield Hit(given.events, e.record, column, f"the twins sheet says {there}")
                    break


def _differ(a: str, b: str) -> bool:
    try:
        return abs(float(a) - float(b)) > 0.05 * abs(float(b))
    except ValueError:
        return a != b
