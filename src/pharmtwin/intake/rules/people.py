"""Rules about the twins sheet as a whole, and about numbers that stand for something else."""

from __future__ import annotations

from collections.abc import Iterator

from pharmtwin import units
from pharmtwin.intake.rules.registry import Given, Hit, rule
from pharmtwin.intake.sheet import is_missing

SIZES = ("age_y", "weight_kg", "height_cm", "creatinine_mg_dl")


@rule(
    "twins.placeholder",
    "error",
    "a number that stands for a missing value in other programs (-99, 999, 9999)",
    why="it would be used as a measured value",
    fix="leave the cell empty",
    needs=("twins",),
    explains=(
        "*.out_of_range",
        "twins.adult_size",
        "twins.height_*",
        "twins.creatinine_umol",
        "twins.weight_*",
        "body.*",
        "kidney.*",
        "twins.age_unit",
    ),
)
def _placeholder(given: Given) -> Iterator[Hit]:
    codes = set(given.limit("placeholders", "twins"))
    table = given.events if given.alone else given.twins
    for r in table.records:
        for column in (*SIZES, "albumin_g_l", "haematocrit", "gfr_ml_min", "cystatin_c_mg_l", "agp_g_l"):
            value = r.number(column)
            if value in codes:
                yield Hit(table, r, column, "looks like the code of a missing value")


@rule(
    "events.placeholder",
    "error",
    "a concentration or dose that stands for a missing value in other programs (-99, 9999)",
    why="it would be used as a measured value",
    fix="leave the cell empty, or write MDV 1",
    explains=("events.out_of_range", "events.slip_*", "events.dose_*", "events.above_dose"),
)
def _event_placeholder(given: Given) -> Iterator[Hit]:
    codes = {c for c in given.limit("placeholders", "twins") if c < 0 or c >= 9999}
    for e in given.rows:
        for column, value in (("dv_ng_ml", e.value), ("dose_mg", e.amount)):
            if value in codes:
                yield Hit(given.events, e.record, column, "looks like the code of a missing value")


@rule(
    "twins.birth_year",
    "error",
    "an age that is a year of birth",
    why="organs and enzymes mature and age with it",
    fix="write the age in years",
    needs=("twins",),
    explains=("*.out_of_range", "twins.age_unit", "body.*"),
)
def _birth_year(given: Given) -> Iterator[Hit]:
    low, high = given.limit("birth_year", "twins")
    table = given.events if given.alone else given.twins
    for r in table.records:
        age = r.number("age_y")
        if age is not None and low <= age <= high and age == int(age):
            yield Hit(table, r, "age_y", "looks like a year of birth", value="")


@rule(
    "twins.haematocrit_percent",
    "error",
    "a haematocrit in per cent",
    why="the blood to plasma ratio follows it",
    fix="write a fraction (42 % is 0.42)",
    needs=("twins",),
    explains=("twins.out_of_range",),
)
def _haematocrit(given: Given) -> Iterator[Hit]:
    low, high = given.limit("percent", "twins")
    for r in given.twins.records:
        value = r.number("haematocrit")
        if value is not None and low <= value <= high:
            yield Hit(
                given.twins,
                r,
                "haematocrit",
                "looks like per cent",
                f"write {units.convert(value, 'fraction', '%', '1'):.4g}",
            )


@rule(
    "twins.albumin_g_dl",
    "error",
    "an albumin in g/dL",
    why="the unbound fraction of drugs bound to it follows it",
    fix="write g/L (4.2 g/dL is 42)",
    needs=("twins",),
    explains=("twins.out_of_range",),
)
def _albumin(given: Given) -> Iterator[Hit]:
    low, high = given.limit("albumin_g_dl", "twins")
    for r in given.twins.records:
        value = r.number("albumin_g_l")
        if value is not None and low <= value <= high:
            yield Hit(
                given.twins,
                r,
                "albumin_g_l",
                "looks like g/dL",
                f"write {units.convert(value, 'protein', 'g/dL', 'g/L'):.4g}",
            )


@rule(
    "twins.copied_column",
    "warning",
    "a covariate that is the same in every row of the sheet",
    why="a cell may have been copied down",
    fix="check the column, or leave it if it is right",
    needs=("twins",),
    alone=False,
)
def _copied(given: Given) -> Iterator[Hit]:
    n = given.limit("alike", "twins")
    for column in SIZES:
        told = [r for r in given.twins.records if not is_missing(r.raw.get(column, ""))]
        if len(told) >= n and len({r.raw[column] for r in told}) == 1:
            yield Hit(given.twins, told[0], column, f"all {len(told)} twins have the same value")


@rule(
    "twins.same_person",
    "warning",
    "two twins equal in every covariate",
    why="one person may stand in the sheet twice",
    fix="delete one row, or leave both if they are two people",
    needs=("twins",),
    alone=False,
)
def _same(given: Given) -> Iterator[Hit]:
    n = given.limit("alike", "twins")
    seen: dict[tuple[str, ...], int] = {}
    rows = given.twins.records
    keys = [tuple(r.raw.get(c, "") for c in ("sex", *SIZES)) for r in rows]
    if len(set(keys)) < 0.8 * len(rows) or len(rows) < n:
        return  # made of few typical people
    for r, key in zip(rows, keys, strict=True):
        exact = all(not is_missing(k) for k in key)
        first = seen.setdefault(key, r.row)
        if exact and first != r.row:
            yield Hit(given.twins, r, "twin_id", f"sex, age, size and creatinine are those of row {first}", value="")
