"""What in the covariates of the twins stops their physiology, or is worth telling about it: all rows, all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from pharmtwin.body.anatomy.composition import least_shrink
from pharmtwin.body.anatomy.organs import organ_masses
from pharmtwin.body.conditions.effects import weight_before_pregnancy
from pharmtwin.body.conditions.table import condition_findings, conditions_of
from pharmtwin.body.content.ontogeny import ontogeny_curve, ontogeny_names
from pharmtwin.body.equations import Bools, coefficients
from pharmtwin.body.kidney.findings import creatinine_findings, cystatin_findings, measured_gfr_findings
from pharmtwin.body.people.imputation import Imputation, extreme_findings, impute
from pharmtwin.body.people.persons import REQUIRED, Persons
from pharmtwin.body.people.sheet import numbers
from pharmtwin.body.physiology import gfr_knowledge, state_of
from pharmtwin.core.ages import PRETERM_WEEKS
from pharmtwin.findings import Finding, has_errors

#: what may be missing from a twin and is drawn from its conditional distribution
IMPUTED = ("height_cm", "weight_kg")
#: up to which age (years) a preterm birth is said of enzymes that count from birth
PRETERM_UNTIL = 1.0


def completed(twins: pd.DataFrame) -> pd.DataFrame:
    """The twins with a missing height or weight at its conditional median (:mod:`pharmtwin.body.people.imputation`)."""
    imputation = impute(twins, IMPUTED)
    return with_pregnancy(imputation.filled(), imputation)


def with_pregnancy(filled: pd.DataFrame, imputation: Imputation) -> pd.DataFrame:
    """The filled sheet; an imputed weight of a pregnant woman gets what she has gained since the survey's weight."""
    rows = imputation.table.loc[imputation.table["column"] == "weight_kg", "row"].to_numpy(dtype=int)
    if not len(rows) or "conditions" not in filled.columns:
        return filled
    week = np.zeros(len(filled))
    week[rows] = Persons.of(filled).week_of_pregnancy()[rows]
    weight = numbers(filled, "weight_kg")
    gained = np.where(week > 0, weight - weight_before_pregnancy(weight, week), 0.0)
    return filled.assign(weight_kg=weight + gained)


def misfit(twins: pd.DataFrame) -> str:
    """Why a condition does not hold for one of these people (the first such error in words); "" if all hold."""
    wrong = (f for f in body_findings(twins) if f.severity == "error" and f.rule.startswith("conditions."))
    return next((f.what for f in wrong), "")


def body_findings(twins: pd.DataFrame, file: str = "twins.tsv") -> list[Finding]:
    """Everything to say of the bodies of a twins sheet.

    Parameters
    ----------
    twins : columns of :class:`~pharmtwin.body.people.persons.Persons`; ``row``, the line in the file, if it is there
        (else the order of the rows below a header).
    file : name of the sheet as the user wrote it.
    """
    missing = [name for name in REQUIRED if name not in twins.columns]
    if missing:
        what, fix = f"missing columns {missing}", f"add the columns {missing}"
        return [Finding.create("body.columns", file, what, "physiology is computed from them", fix, row=1)]
    twins = twins.reset_index(drop=True)
    found = [*_imputed(twins, file), *extreme_findings(_before_pregnancy(twins), file=file), *_markers(twins, file)]
    found += conditions_of(_texts(twins), file)[1]
    named = {f.row for f in found if f.rule.startswith("kidney.creatinine")}
    found = [
        f for f in found if not (f.rule == "body.impossible" and f.column == "creatinine_mg_dl" and f.row in named)
    ]
    bad = {f.row for f in found if f.severity == "error"}
    usable = twins[[i + 2 not in bad for i in range(len(twins))]]
    if len(usable):
        found += _on(usable, lambda rows: _bodies(rows, file))
    lines = twins["row"].to_numpy(dtype=int) if "row" in twins.columns else np.arange(2, len(twins) + 2)
    placed = [replace(f, row=int(lines[f.row - 2])) if f.row >= 2 else f for f in found]
    return sorted(set(placed), key=lambda f: (f.row, f.column, f.rule))


def _before_pregnancy(twins: pd.DataFrame) -> pd.DataFrame:
    """The twins with a pregnant woman's weight as it was before: the survey that sizes are held against has those."""
    week = Persons.of(twins).week_of_pregnancy()
    if not week.any():
        return twins
    weight = numbers(twins, "weight_kg")
    return twins.assign(weight_kg=np.where(week > 0, weight_before_pregnancy(weight, week).round(1), weight))


def _imputed(twins: pd.DataFrame, file: str) -> list[Finding]:
    """Errors of age, sex and numbers, and what stands in for a missing size."""
    return impute(twins, IMPUTED, file=file).findings


def _markers(twins: pd.DataFrame, file: str) -> list[Finding]:
    """Doubts about the units of kidney markers. The sheet is defined as of standardised assays."""
    age, female = numbers(twins, "age_y"), (twins["sex"] == "F").to_numpy(dtype=bool)
    found: list[Finding] = []
    good = np.isfinite(age) & (age >= 0)
    rows = np.flatnonzero(good)
    part = twins.iloc[rows]
    lines = [int(i) + 2 for i in rows]
    if "creatinine_mg_dl" in twins:
        values = part["creatinine_mg_dl"]
        found += creatinine_findings(values, "mg/dL", age[rows], female[rows], rows=lines, file=file, traceable=True)
    if "cystatin_c_mg_l" in twins:
        found += cystatin_findings(part["cystatin_c_mg_l"], "mg/L", rows=lines, file=file)
    if "gfr_ml_min" in twins:
        sizes = completed(twins).iloc[rows]
        weight, height = numbers(sizes, "weight_kg"), numbers(sizes, "height_cm")
        given = part["gfr_ml_min"]
        column = "gfr_ml_min"
        found += measured_gfr_findings(
            given, "mL/min", age[rows], female[rows], weight, height, rows=lines, file=file, column=column
        )
    return found


def _bodies(twins: pd.DataFrame, file: str) -> list[Finding]:
    """Findings that need a whole body: conditions against the person, kidney function, room for lean mass."""
    persons = Persons.of(completed(twins))
    given = persons.conditions
    people = state_of(replace(persons, conditions=[() for _ in given]))[0]
    found = condition_findings(given, people, file)
    wrong = np.zeros(persons.n, dtype=bool)
    wrong[[f.row - 2 for f in found if f.severity == "error"]] = True
    found = [f for f in found if f.severity == "error" or not wrong[f.row - 2]]
    persons = replace(persons, conditions=[() if w else c for w, c in zip(wrong, given)])
    _, effects, kidney, before = state_of(persons)
    sd_gfr, method = gfr_knowledge(persons, kidney, effects)

    def report(rows: Bools, column: str, rule: str, what: list[str], why: str, fix: str, severity: str) -> None:
        for i in np.flatnonzero(rows):
            value = twins[column].iloc[i] if column in twins else ""
            shown = "" if pd.isna(value) else value
            found.append(
                Finding.create(
                    rule, file, what[i], why, fix, row=int(i) + 2, column=column, value=shown, severity=severity
                )
            )

    staged = np.array([any(c.name == "ckd" for c in one) for one in given])
    # a newborn's creatinine is not used, and a finding of its own says so
    typical = ~np.isfinite(people.egfr) & ~staged & ~np.isfinite(persons.creatinine_mg_dl)
    words = [f"no kidney marker: GFR is what is typical ({how}), sd of the logarithm {sd:.2f}"
             for how, sd in zip(method, sd_gfr)]  # fmt: skip
    why, fix = "drugs that the kidney clears are as uncertain as that", "give creatinine, cystatin C or a measured GFR"
    report(typical, "creatinine_mg_dl", "body.gfr_typical", words, why, fix, "note")

    early = (persons.gestational_age_wk < PRETERM_WEEKS) & (persons.age_y < PRETERM_UNTIL)
    by_birth = ", ".join(n for n in ontogeny_names() if ontogeny_curve(n).clock == "birth" and n.startswith("CYP"))
    words = [f"born early: {by_birth} are taken to mature from birth, as in a child born at term"] * persons.n
    why, fix = (
        "their curves were found in children born at term",
        "read predictions of drugs cleared by them with caution",
    )
    report(early, "gestational_age_wk", "body.preterm_enzymes", words, why, fix, "warning")

    organs = organ_masses(before, persons.height_cm, persons.age_y, persons.female)
    least = least_shrink(persons.age_y)
    none = np.zeros(persons.n)
    impossible = organs.shrink < least
    why = "the lean mass predicted from weight and height leaves no room for essential fat"
    words = [f"muscle and rest would have to shrink to {s:.2f} of their predicted mass (least {m:.2f})"
             + (f"; weight before pregnancy {b:.3g} kg" if b < w else "")
             for s, m, b, w in zip(organs.shrink, least + none, before, persons.weight_kg)]  # fmt: skip
    report(impossible, "weight_kg", "body.impossible", words, why, "check weight and height and their units", "error")
    words = ["adipose set to essential fat, muscle and rest reduced to fit body mass"] * persons.n
    fix = "check weight and height; nothing to do if they are right"
    report((organs.shrink < 1.0) & ~impossible, "weight_kg", "body.lean", words, why, fix, "note")
    oldest = coefficients("twin")["max_age"]
    words = [f"age above {oldest:g} years"] * persons.n
    why, fix = "the curves of ageing end before", "check the age and its unit, years"
    report(persons.age_y > oldest, "age_y", "body.age", words, why, fix, "error")
    return found


def _on(twins: pd.DataFrame, check: Callable[[pd.DataFrame], list[Finding]]) -> list[Finding]:
    """Findings of some rows, their row numbers put back to those of the whole sheet."""
    at = twins.index.to_numpy(dtype=int)
    return [replace(f, row=int(at[f.row - 2]) + 2) for f in check(twins.reset_index(drop=True))]


def _texts(twins: pd.DataFrame) -> list[object]:
    return twins["conditions"].fillna("").tolist() if "conditions" in twins.columns else [""] * len(twins)


def stop_on_errors(findings: list[Finding]) -> None:
    """Raise ValueError with every error."""
    if has_errors(findings):
        raise ValueError("\n".join(f.message() for f in findings if f.severity == "error"))
