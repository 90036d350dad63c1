"""Covariates to body quantities: published equations, coefficients from ``resources/physiology/equations.tsv``.

Every function is elementwise: arrays of shape (n_twins,) in, the same shape out. ``female`` is boolean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pharmtwin.facts import fact_table

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EQUATIONS = "physiology/equations.tsv"


def coefficients(equation: str) -> dict[str, float]:
    """Coefficients of one equation by name; raises KeyError if the sheet has no such equation."""
    table = fact_table(EQUATIONS)
    table = table[table["equation"] == equation]
    if table.empty:
        raise KeyError(f"{EQUATIONS} has no equation {equation!r}")
    return dict(zip(table["coefficient"], table["value"].astype(float)))


def body_mass_index(weight_kg: Floats, height_cm: Floats) -> Floats:
    """BMI (kg/m2) = weight / height^2."""
    return weight_kg / (height_cm / 100.0) ** 2


def body_surface_area(weight_kg: Floats, height_cm: Floats) -> Floats:
    """BSA (m2) = sqrt(height x weight / 3600) (Mosteller 1987, DOI 10.1056/NEJM198710223171717)."""
    return np.sqrt(height_cm * weight_kg / coefficients("mosteller")["divisor"])


def fat_free_mass(weight_kg: Floats, height_cm: Floats, female: Bools) -> Floats:
    """Fat-free mass (kg) = 9270 W / (a + b BMI) (Janmahasatian 2005, DOI 10.2165/00003088-200544100-00004).

    The equation knows no age, and exceeds body mass below a BMI of about 12 (men) or 2 (women).
    """
    c = coefficients("janmahasatian")
    intercept = np.where(female, c["intercept_F"], c["intercept_M"])
    slope = np.where(female, c["slope_F"], c["slope_M"])
    return c["numerator"] * weight_kg / (intercept + slope * body_mass_index(weight_kg, height_cm))


def egfr_ckd_epi_2021(creatinine_mg_dl: Floats, age_y: Floats, female: Bools) -> Floats:
    """Estimated GFR (mL/min/1.73 m2) from standardised creatinine, adults, race-free.

    142 min(Scr/k, 1)^a max(Scr/k, 1)^-1.200 0.9938^age (x 1.012 if female)
    (Inker 2021, DOI 10.1056/NEJMoa2102953).
    """
    c = coefficients("ckd_epi_2021")
    ratio = creatinine_mg_dl / np.where(female, c["kappa_F"], c["kappa_M"])
    alpha = np.where(female, c["alpha_F"], c["alpha_M"])
    sex = np.where(female, c["sex_F"], c["sex_M"])
    below, above = np.minimum(ratio, 1.0) ** alpha, np.maximum(ratio, 1.0) ** c["power_above"]
    return c["scale"] * below * above * c["age_base"] ** age_y * sex


def absolute_gfr(egfr: Floats, bsa_m2: Floats) -> Floats:
    """GFR of this body (L/h) from the indexed eGFR (mL/min/1.73 m2): x BSA/1.73, mL/min to L/h."""
    return egfr * bsa_m2 / coefficients("gfr_index")["reference_bsa"] * 60.0 / 1000.0


def cardiac_output_age_factor(age_y: Floats) -> Floats:
    """Resting cardiac index relative to the reference adult (1 at the reference age of 35).

    Falls linearly by 0.5 % of its value at 25 per year after 25 (httk 2.7.4; Ring 2017,
    DOI 10.1016/j.envint.2017.06.004).
    """
    c = coefficients("cardiac_output_age")

    def left(age: Floats | float) -> Floats:
        return 1.0 - c["decline"] * np.maximum(np.asarray(age, dtype=float) - c["from_age"], 0.0)

    return left(age_y) / left(c["reference_age"])
