"""Units of kidney markers: conversions at the door, and doubts about values said as findings.

A value is compared with what is typical of the person's age, in the unit given and in every other known unit. It is
converted only by the unit that the user wrote; a likely mistake is an error that names the other unit, never a
silent repair. The bounds stand in ``physiology/kidney.tsv`` (``*_check``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pharmtwin import units
from pharmtwin.body.equations import Floats, body_surface_area
from pharmtwin.body.kidney.equations import kidney_coefficients
from pharmtwin.body.kidney.function import INDEX_BSA, kidney_curve, typical_gfr
from pharmtwin.findings import Finding
from pharmtwin.units import DAYS_PER_YEAR

CREATININE_UNITS = ("mg/dL", "umol/L", "mmol/L", "mg/L")
CYSTATIN_UNITS = ("mg/L", "mg/dL", "nmol/L")
GFR_UNITS = ("mL/min", "mL/min/1.73m2", "L/h", "mL/s")


def typical_creatinine(age_y: ArrayLike, female: ArrayLike) -> Floats:
    """Median creatinine (mg/dL) of healthy people of this age and sex, continuous in age.

    Boer 2010 to 7 months, the EKFC medians from 2 to 25 years, held after; between, straight in the logarithms.
    """
    age = np.maximum(np.atleast_1d(np.asarray(age_y, dtype=float)), 1.0 / DAYS_PER_YEAR)
    woman = np.broadcast_to(np.asarray(female, dtype=bool), age.shape)
    c = kidney_coefficients("typical_creatinine")

    def median(years: Floats, sex: str) -> Floats:
        a = np.clip(years, c["from_age"], c["to_age"])
        return (
            c[f"constant_{sex}"]
            + c[f"linear_{sex}"] * a
            + c[f"log_{sex}"] * np.log(a)
            + c[f"square_{sex}"] * a**2
            + c[f"cube_{sex}"] * a**3
        )

    ages, values = kidney_curve("creatinine_infant")
    knots = np.log(np.append(ages, c["from_age"]))
    two = np.array([c["from_age"]])
    log_value = np.empty(age.shape)
    for sex, rows in (("F", woman), ("M", ~woman)):
        infant = np.interp(np.log(age[rows]), knots, np.append(np.log(values), median(two, sex)))
        log_value[rows] = np.where(age[rows] < c["from_age"], infant, median(age[rows], sex))
    return np.asarray(units.convert(1.0, "creatinine", "umol/L", "mg/dL") * np.exp(log_value), dtype=float)


def creatinine_mg_dl(values: ArrayLike, unit: str) -> Floats:
    """Creatinine in mg/dL from any unit of ``units.tsv``; raises UnitError for another."""
    return np.asarray(values, dtype=float) * units.convert(1.0, "creatinine", unit, "mg/dL")


def cystatin_mg_l(values: ArrayLike, unit: str) -> Floats:
    """Cystatin C in mg/L from mg/L, mg/dL or nmol/L; raises UnitError for another unit."""
    return np.asarray(values, dtype=float) * _factor("units_of_cystatin", unit, CYSTATIN_UNITS)


def measured_gfr_ml_min(values: ArrayLike, unit: str, weight_kg: ArrayLike, height_cm: ArrayLike) -> Floats:
    """Measured GFR in mL/min of this body from mL/min, mL/min/1.73m2 (by BSA), L/h or mL/s; raises UnitError."""
    number = np.asarray(values, dtype=float)
    if "".join(unit.split()).lower() == "ml/min/1.73m2":
        weight, height = np.asarray(weight_kg, dtype=float), np.asarray(height_cm, dtype=float)
        return np.asarray(number * body_surface_area(weight, height) / INDEX_BSA, dtype=float)
    return number * _factor("units_of_gfr", unit, GFR_UNITS)


def _plain(unit: str) -> str:
    """A unit without blanks, in small letters, micro as u."""
    return "".join(unit.split()).lower().replace("µ", "u").replace("μ", "u")


def _factor(equation: str, unit: str, known: Sequence[str]) -> float:
    table = {name.lower(): value for name, value in kidney_coefficients(equation).items()}
    factor = table.get(_plain(unit))
    if factor is None:
        raise units.UnitError(f"unit {unit!r} is not known here; known units: {', '.join(known)}")
    return factor


def _numbers(values: ArrayLike) -> tuple[Floats, np.ndarray]:
    """Values as floats, and which of them are written but no positive number (blank and NaN mean not known)."""
    raw = pd.Series(np.asarray(values, dtype=object).ravel(), dtype=object)
    number = pd.to_numeric(raw, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    written = (raw.notna() & (raw.astype(str).str.strip() != "")).to_numpy(dtype=bool)
    broken = written & ~(np.isfinite(number) & (number > 0))
    return np.where(broken, np.nan, number), broken


class _Report:
    """Collects findings of one column; ``rows`` are the line numbers in the user's file."""

    def __init__(self, file: str, column: str, values: ArrayLike, rows: Sequence[int] | None) -> None:
        self.file, self.column = file, column
        self.values = np.asarray(values, dtype=object).ravel()
        self.rows = np.arange(2, self.values.size + 2) if rows is None else np.asarray(rows, dtype=int)
        if self.rows.size != self.values.size:
            raise ValueError(f"{self.rows.size} row numbers for {self.values.size} values")
        self.found: list[Finding] = []

    def each(self, mask: np.ndarray, rule: str, what: str, why: str, fix: str, severity: str) -> None:
        for i in np.flatnonzero(mask):
            row, value = int(self.rows[i]), self.values[i]
            self.found.append(
                Finding.create(
                    rule, self.file, what, why, fix, row=row, column=self.column, value=value, severity=severity
                )
            )

    def file_wide(self, rule: str, what: str, why: str, fix: str, severity: str) -> None:
        self.found.append(Finding.create(rule, self.file, what, why, fix, column=self.column, severity=severity))

    def numbers(self, unit: str, known: Sequence[str], name: str, what: str) -> tuple[str, Floats]:
        """The unit as it is spelled here and the values (nan: blank, or said to be no positive number).

        A unit that is not known is an error, and empty.
        """
        own = {_plain(u): u for u in known}.get(_plain(unit), "")
        number, broken = _numbers(self.values)
        if own:
            why = "GFR and drug clearance come from it, and nothing is filled in"
            self.each(broken, f"kidney.{name}_number", "not a positive number", why, "give the measured value", "error")
        else:
            what, fix = f"{what} cannot be read", f"use one of {', '.join(known)}"
            self.file_wide(f"kidney.{name}_unit_name", f"unit {unit!r} is not known", what, fix, "error")
        return own, number

    def done(self) -> list[Finding]:
        return sorted(self.found, key=lambda f: (f.row, f.rule))


def _doubts(report: _Report, name: str, unit: str, ratios: Mapping[str, Floats], check: Mapping[str, float]) -> None:
    """Errors where another unit fits what is typical and the given one does not; warnings where none does.

    ``ratios``: value / typical for every known unit; the unit given is one of them.
    """
    given = ratios[unit]
    odd = (given < check["given_low"]) | (given > check["given_high"])
    others = np.array([u for u in ratios if u != unit])
    fits = np.array([(ratios[u] >= check["other_low"]) & (ratios[u] <= check["other_high"]) for u in others])
    for pattern in np.unique(fits[:, odd & fits.any(axis=0)], axis=1).T:
        other = " or ".join(others[pattern])
        report.each(
            odd & (fits == pattern[:, None]).all(axis=0),
            f"kidney.{name}_unit",
            f"not plausible in {unit}, plausible in {other}",
            "GFR would be wrong by the factor between the units, and nothing is converted on a guess",
            f"write the value in {unit}, converted if it is in {other}",
            "error",
        )
    report.each(
        odd & ~fits.any(axis=0),
        f"kidney.{name}_range",
        f"far from what is typical of the age in {unit}",
        "GFR is computed from it all the same",
        "check the value",
        "warning",
    )


def creatinine_findings(
    values: ArrayLike,
    unit: str,
    age_y: ArrayLike,
    female: ArrayLike,
    *,
    rows: Sequence[int] | None = None,
    file: str = "twins.tsv",
    column: str = "creatinine_mg_dl",
    traceable: bool | None = None,
) -> list[Finding]:
    """What is doubtful in a column of creatinine: all rows, all at once, in the order of the file.

    Parameters
    ----------
    values : as written, (n,); blank or NaN means not known and is no finding. unit : of the whole column.
    age_y, female : (n,). rows : line numbers in the file (default 2, 3, ...: after a header).
    traceable : whether the laboratory's assay is IDMS-traceable; None: not told (a note), False: a warning.
    """
    report = _Report(file, column, values, rows)
    own, number = report.numbers(unit, CREATININE_UNITS, "creatinine", "creatinine")
    if not own:
        return report.done()
    age = np.broadcast_to(np.asarray(age_y, dtype=float), number.shape)
    normal = typical_creatinine(age, female)
    # mg/L is never proposed: a tenfold creatinine is kidney failure more often than another unit
    candidates = [u for u in CREATININE_UNITS if u in ("mg/dL", "umol/L", "mmol/L", own)]
    ratios = {u: creatinine_mg_dl(number, u) / normal for u in candidates}
    _doubts(report, "creatinine", own, ratios, kidney_coefficients("creatinine_check"))
    unchecked = ~np.isnan(number) & np.isnan(age)
    why = "what is plausible depends on the age"
    report.each(unchecked, "kidney.creatinine_unchecked", "unit not checked", why, "give the age", "note")
    newborn = ~np.isnan(number) & (age * DAYS_PER_YEAR < kidney_coefficients("windows")["creatinine_from_day"])
    what = "creatinine of the first 4 weeks is not used"
    why = "it is still settling from the mother's; GFR comes from weight and postmenstrual age"
    report.each(newborn, "kidney.creatinine_newborn", what, why, "nothing to do; a later value will count", "note")
    if np.isfinite(number).any() and traceable is not True:
        what = "assay not IDMS-traceable" if traceable is False else "not told whether the assay is IDMS-traceable"
        why = "every equation used supposes it; older assays read differently, most of all at children's low values"
        fix = "ask the laboratory" if traceable is None else "have creatinine measured by a traceable assay"
        report.file_wide("kidney.creatinine_idms", what, why, fix, "note" if traceable is None else "warning")
    return report.done()


def cystatin_findings(
    values: ArrayLike,
    unit: str,
    *,
    rows: Sequence[int] | None = None,
    file: str = "twins.tsv",
    column: str = "cystatin_c_mg_l",
) -> list[Finding]:
    """What is doubtful in a column of cystatin C; as :func:`creatinine_findings`, typical 0.83 mg/L at every age."""
    report = _Report(file, column, values, rows)
    own, number = report.numbers(unit, CYSTATIN_UNITS, "cystatin", "cystatin C")
    if not own:
        return report.done()
    check = kidney_coefficients("cystatin_check")
    ratios = {u: cystatin_mg_l(number, u) / check["typical"] for u in CYSTATIN_UNITS}
    _doubts(report, "cystatin", own, ratios, check)
    return report.done()


def measured_gfr_findings(
    values: ArrayLike,
    unit: str,
    age_y: ArrayLike,
    female: ArrayLike,
    weight_kg: ArrayLike,
    height_cm: ArrayLike,
    *,
    rows: Sequence[int] | None = None,
    file: str = "twins.tsv",
    column: str = "measured_gfr",
) -> list[Finding]:
    """What is doubtful in a column of measured GFR; as :func:`creatinine_findings`, against ``typical_gfr``.

    Low values that would be normal in L/h get a warning, not an error: kidney failure looks the same. Between mL/min
    and mL/min/1.73 m2 no check is possible.
    """
    report = _Report(file, column, values, rows)
    own, number = report.numbers(unit, GFR_UNITS, "measured_gfr", "GFR")
    if not own:
        return report.done()
    normal = typical_gfr(age_y, female, weight_kg, height_cm)
    ratios = {u: measured_gfr_ml_min(number, u, weight_kg, height_cm) / normal for u in GFR_UNITS}
    check = kidney_coefficients("measured_gfr_check")
    _doubts(report, "measured_gfr", own, ratios, check)
    if own.startswith("mL/min"):
        hour = ratios["L/h"]
        low = (ratios[own] >= check["given_low"]) & (ratios[own] < check["doubt_below"])
        doubt = low & (hour >= check["doubt_other_low"]) & (hour <= check["doubt_other_high"])
        what = f"kidney failure if in {own}, normal if in L/h"
        fix = "nothing to do if it is right; if it is in L/h, write it in mL/min (times 16.7)"
        report.each(doubt, "kidney.measured_gfr_doubt", what, "it is taken as written", fix, "warning")
    return report.done()
