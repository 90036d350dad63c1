"""Age, weight and height written in another unit: what hardly anybody has as written is ordinary in that unit.

The judge is the survey of :mod:`pharmtwin.body.people.survey`: a value counts by its distance from the middle of its
age and sex, in standard deviations (z). An age that is not known counts as :data:`ADULT`, a sex as M: for this
judgement alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pharmtwin import units
from pharmtwin.body.people.sizes import Floats, Scores
from pharmtwin.findings import Finding
from pharmtwin.intake.columns import Record, SheetSpec
from pharmtwin.intake.twins import WHY_SIZE, Explained

ADULT = 40.0


@dataclass(frozen=True)
class Rows:
    """The twins as arrays (n,): years, kg, cm, weeks; NaN where there is no positive number."""

    records: Sequence[Record]
    age: Floats
    known: np.ndarray
    female: np.ndarray
    weight: Floats
    height: Floats
    gestation: Floats

    @classmethod
    def of(cls, spec: SheetSpec, records: Sequence[Record]) -> Rows:
        """Heights written in metres are in cm here."""

        def column(name: str) -> Floats:
            numbers = np.array([np.nan if (v := r.number(name)) is None else v for r in records], dtype=np.float64)
            return np.where(numbers > 0, numbers, np.nan)

        written = np.array([-1.0 if (a := r.number("age_y")) is None else a for r in records], dtype=float)
        known = (written >= 0) & (written <= 125)
        height = column("height_cm")
        low, high = spec.limits["height_metres"]
        height = np.where((height >= low) & (height <= high), units.convert(1.0, "length", "m", "cm") * height, height)
        sex = np.array([r.text("sex") for r in records], dtype=object)
        told = known & np.isin(sex, ["M", "F"])
        age = np.where(known, written, ADULT)
        return cls(records, age, told, sex == "F", column("weight_kg"), height, column("gestational_age_wk"))

    def scores(self, at: np.ndarray | None = None, age: Floats | None = None, weight: Floats | None = None) -> Scores:
        """Scores of the rows ``at``, as written or with another age or weight."""
        at = np.arange(len(self.age)) if at is None else at
        age, weight = self.age[at] if age is None else age, self.weight[at] if weight is None else weight
        return Scores.of(age, self.female[at], weight, self.height[at])


def unit_findings(path: str, spec: SheetSpec, records: Sequence[Record]) -> list[Explained]:
    """Findings on ages in months, weeks or days, on weights in grams or pounds."""
    if not records:
        return []
    rows = Rows.of(spec, records)
    plain = rows.scores()
    ages = list(_ages(path, spec, rows, plain))
    said = {f.row for f, _ in ages}
    grams = [x for x in _grams(path, spec, rows, plain) if x[0].row not in said]
    said |= {f.row for f, _ in grams}
    return [*ages, *grams, *(x for x in _pounds(path, spec, rows, plain) if x[0].row not in said)]


def _ages(path: str, spec: SheetSpec, rows: Rows, plain: Scores) -> Iterator[Explained]:
    """Nobody of this age in years has this size, and it is an ordinary one at this age in a smaller unit."""
    preterm = rows.gestation < spec.limits["term"]
    at = np.flatnonzero(rows.known & ~preterm & (plain.worst() > spec.limits["age_sd"][0]) & (rows.age > 0))
    if not at.size:
        return
    per_year: dict[str, float] = spec.limits["age_units"]
    young = [rows.age[at] / n for n in per_year.values()]
    # two sizes must agree on the unit: one alone is ordinary at some age in some unit too easily
    both = np.isfinite(rows.weight[at]) & np.isfinite(rows.height[at])
    worst = np.where(both, np.stack([rows.scores(at, age=age).worst() for age in young]), np.inf)
    best = worst.argmin(axis=0)
    for i, row in enumerate(at.tolist()):
        if worst[best[i], i] > spec.limits["age_sd"][1]:
            continue
        record, unit, years = rows.records[row], list(per_year)[best[i]], young[best[i]][i]
        written = record.raw["age_y"]
        finding = Finding.create(
            "twins.age_unit",
            path,
            f"looks like {unit}s: weight and height are those of {written} {unit}s, and nobody's of {written} years",
            "organs and enzymes mature and age with it",
            f"write {years:.4g} ({written} {unit}s in years), or put twins.age_unit into the column accept",
            row=record.row,
            column="age_y",
            value=written,
        )
        yield finding, ("age_y", "weight_kg", "height_cm")


def _grams(path: str, spec: SheetSpec, rows: Rows, plain: Scores) -> Iterator[Explained]:
    """An infant far too heavy in kg, and not too heavy in g."""
    lightest, sd, oldest = (spec.limits["grams"][k] for k in ("lightest", "sd", "oldest"))
    far = plain.weight > spec.limits["pounds_error_sd"]
    at = np.flatnonzero(rows.known & (rows.age < oldest) & far & (rows.weight >= lightest))
    kg = units.convert(1.0, "body_mass", "g", "kg") * rows.weight[at]
    z = rows.scores(at, weight=kg).weight
    newborn = (rows.gestation[at] < spec.limits["term"]) | (rows.age[at] < 0.25)  # may be born early: light is possible
    for i in np.flatnonzero((z <= sd) & ((z >= -sd) | newborn)):
        record = rows.records[at[i]]
        what, fix = "looks like grams, not kg", f"write {kg[i]:.4g}"
        place = dict(row=record.row, column="weight_kg", value=record.raw["weight_kg"])
        yield Finding.create("twins.weight_grams", path, what, WHY_SIZE, fix, **place), ("weight_kg",)


def _pounds(path: str, spec: SheetSpec, rows: Rows, plain: Scores) -> Iterator[Explained]:
    """Heavy in kg and ordinary in lb: a warning; an error where hardly anybody is that heavy."""
    limits = spec.limits
    with np.errstate(over="ignore", divide="ignore"):  # heights that nobody has are findings of their own
        bmi = rows.weight / (rows.height / 100.0) ** 2
    heavy = plain.heavy()
    child = rows.age < limits["adult_from"]
    sized = child | ~(rows.height < limits["adult_height"][0])  # shorter adults are unlike the survey's
    doubtful = (bmi >= limits["bmi_warning"]) | (heavy > np.where(child, limits["pounds_child_sd"], np.inf))
    far = heavy > limits["pounds_error_sd"]
    at = np.flatnonzero((doubtful | far) & sized)
    kg = units.convert(1.0, "body_mass", "lb", "kg") * rows.weight[at]
    converted = rows.scores(at, weight=kg)
    ordinary = np.fmax(np.abs(converted.weight), np.abs(converted.given))
    for i in np.flatnonzero(ordinary <= limits["pounds_plausible_sd"][0]):
        row = at[i]
        record = rows.records[row]
        error = far[row] and ordinary[i] <= limits["pounds_plausible_sd"][1]
        if np.isnan(bmi[row]):
            sizes = f"as kg {heavy[row]:.1f} sd above the middle of age and sex, as lb {ordinary[i]:.1f} sd from it"
        else:
            as_lb = bmi[row] * kg[i] / rows.weight[row]
            sizes = f"a body mass index of {bmi[row]:.0f} kg/m2 as kg, of {as_lb:.0f} as lb"
        if error:
            what, or_else = f"looks like pounds: {sizes}", "or put twins.weight_pounds into the column accept"
        else:
            what, or_else = f"may be pounds: {sizes}", "leave it if it is right"
        if not child[row] and bmi[row] >= limits["bmi_warning"]:
            or_else += " (and see obesity:severe for the column conditions)"
        finding = Finding.create(
            "twins.weight_pounds",
            path,
            what,
            WHY_SIZE,
            f"write {kg[i]:.4g} if it is in pounds, {or_else}",
            row=record.row,
            column="weight_kg",
            value=record.raw["weight_kg"],
            severity="error" if error else "warning",
        )
        yield finding, ("weight_kg",)
