"""Who the twins are, in groups: children and adults apart, stage of life, conditions."""

from __future__ import annotations

import pandas as pd

from pharmtwin.core.ages import PRETERM_WEEKS
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.words import plain, plural
from pharmtwin.units import DAYS_PER_YEAR

CHILDREN, ADULTS, NO_AGE = "under 18 years", "adults", "age not stated"
ADULT = 18.0
#: upper end (years) and name of the stages of life of ICH E11(R1); the old apart
STAGES = ((28 / DAYS_PER_YEAR, "newborn"), (2.0, "infant"), (12.0, "child"), (ADULT, "adolescent"), (65.0, "adult"))
OLD = "65 and over"


def in_order() -> list[str]:
    """Stages of life as :func:`stages` names them, the youngest first."""
    named = [n for _, n in STAGES]
    return [*(f"{n}{early}" for n in named[:2] for early in (", preterm", "")), *named[2:], OLD, NO_AGE]


def _ages(inputs: ReportInputs) -> pd.Series:
    """Age in years by twin; nan where it is not stated."""
    found = inputs.numeric_covariate("age")
    ages = found[0] if found is not None else pd.Series(dtype=float)
    return ages.reindex(inputs.twins).astype(float)


def age_groups(inputs: ReportInputs) -> pd.Series:
    """Twin -> under 18 years, adults or not stated."""
    return _ages(inputs).map(lambda a: NO_AGE if pd.isna(a) else CHILDREN if a < ADULT else ADULTS)


def stages(inputs: ReportInputs) -> pd.Series:
    """Twin -> stage of life, ``newborn, preterm`` where birth was before 37 weeks."""
    early = inputs.numeric_covariate("gestational_age")
    preterm = early[0].reindex(inputs.twins) < PRETERM_WEEKS if early is not None else pd.Series(False, inputs.twins)

    def stage(twin: str, age: float) -> str:
        if pd.isna(age):
            return NO_AGE
        name = next((n for end, n in STAGES if age < end), OLD)
        return f"{name}, preterm" if name in (STAGES[0][1], STAGES[1][1]) and bool(preterm[twin]) else name

    return pd.Series({str(t): stage(str(t), float(a)) for t, a in _ages(inputs).items()}, dtype=object)


def age_words(years: float) -> str:
    """``2 days``, ``8 months``, ``5 years``: an age in the unit of its stage of life."""
    if years < STAGES[0][0]:
        return plural(round(years * DAYS_PER_YEAR), "day")
    return plural(round(years * 12), "month") if years < STAGES[1][0] else f"{plain(years)} years"


def conditions_of(inputs: ReportInputs) -> dict[str, str]:
    """Twin -> conditions as the sheet has them; twins without any are absent."""
    people = inputs.covariates
    if "conditions" not in people:
        return {}
    told = people["conditions"].astype("string").fillna("").str.strip()
    return {str(t): str(c) for t, c in zip(people["twin_id"], told) if c}
