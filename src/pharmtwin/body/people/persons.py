"""The covariates of people as arrays, read from a twins sheet; what the sheet does not hold is NaN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.body.conditions.table import Condition, conditions_of
from pharmtwin.body.equations import Bools, Floats
from pharmtwin.body.people.sheet import numbers
from pharmtwin.core.ages import TERM_WEEKS

REQUIRED = ("twin_id", "sex", "age_y", "weight_kg", "height_cm")
OPTIONAL = (
    "gestational_age_wk",
    "creatinine_mg_dl",
    "cystatin_c_mg_l",
    "gfr_ml_min",
    "albumin_g_l",
    "agp_g_l",
    "haematocrit",
)


@dataclass(frozen=True)
class Persons:
    """People; arrays of shape (n,), NaN = not known.

    Attributes
    ----------
    age_y : years since birth. weight_kg, height_cm : kg, cm. gestational_age_wk : at birth, weeks; 40 if not told.
    creatinine_mg_dl, cystatin_c_mg_l, gfr_ml_min : markers and measured GFR of this body.
    albumin_g_l, agp_g_l, haematocrit : measured. conditions : of each person, maybe none.
    """

    twin_id: NDArray[np.object_]
    female: Bools
    age_y: Floats
    weight_kg: Floats
    height_cm: Floats
    gestational_age_wk: Floats
    creatinine_mg_dl: Floats
    cystatin_c_mg_l: Floats
    gfr_ml_min: Floats
    albumin_g_l: Floats
    agp_g_l: Floats
    haematocrit: Floats
    conditions: list[tuple[Condition, ...]]

    @classmethod
    def of(cls, twins: pd.DataFrame) -> Persons:
        """From a twins sheet (columns :data:`REQUIRED`, any of :data:`OPTIONAL`, ``conditions``); KeyError without.

        An unreadable cell is NaN and an unreadable condition none: :mod:`pharmtwin.body.checks` names both.
        """
        missing = [name for name in REQUIRED if name not in twins.columns]
        if missing:
            raise KeyError(f"the twins have no columns {missing}")
        n = len(twins)
        optional = {c: numbers(twins, c) if c in twins.columns else np.full(n, np.nan) for c in OPTIONAL}
        gestation = optional.pop("gestational_age_wk")
        texts = twins["conditions"].fillna("").tolist() if "conditions" in twins.columns else [""] * n
        return cls(
            twin_id=twins["twin_id"].astype(str).to_numpy(dtype=object),
            female=(twins["sex"] == "F").to_numpy(dtype=bool),
            age_y=numbers(twins, "age_y"),
            weight_kg=numbers(twins, "weight_kg"),
            height_cm=numbers(twins, "height_cm"),
            gestational_age_wk=np.where(np.isnan(gestation), TERM_WEEKS, gestation),
            conditions=conditions_of(texts)[0],
            **optional,
        )

    @property
    def n(self) -> int:
        """Number of people."""
        return len(self.age_y)

    def week_of_pregnancy(self) -> Floats:
        """Gestational age of the pregnancy of each (weeks); 0 for who has none."""
        weeks = [next((c.week for c in given if c.name == "pregnancy"), 0.0) for given in self.conditions]
        return np.array(weeks, dtype=float)
