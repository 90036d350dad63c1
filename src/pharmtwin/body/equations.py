"""Covariates to body quantities: published equations, coefficients from ``resources/physiology/equations.tsv``.

Every function is elementwise: arrays of shape (n_twins,) in, the same shape out. ``female`` is boolean.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pharmtwin.facts import fact_values, resource_path

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EQUATIONS = "physiology/equations.tsv"
BSA_FORMULAS = ("mosteller", "dubois", "haycock", "gehan_george")


def coefficients(equation: str) -> Mapping[str, float]:
    """Coefficients of one equation by name; raises KeyError if the sheet has no such equation."""
    return _coefficients(equation, resource_path(EQUATIONS).stat().st_mtime_ns)


@lru_cache(maxsize=128)
def _coefficients(equation: str, mtime: int) -> Mapping[str, float]:
    return MappingProxyType(fact_values(EQUATIONS, "coefficient", equation=equation))


def fade_in(x: Floats, low: float, high: float) -> Floats:
    """Weight of a blend: 0 up to ``low``, 1 from ``high`` on, between them 3 t^2 - 2 t^3 (value and slope
    continuous).
    """
    t = np.clip((np.asarray(x, dtype=float) - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def grown(age_y: Floats) -> Floats:
    """Weight of the adult rules: 0 up to 15 years, 1 from 20 on, smooth between (window in ``equations.tsv``)."""
    c = coefficients("growth")
    return fade_in(age_y, c["growing_until_from"], c["growing_until"])


def body_mass_index(weight_kg: Floats, height_cm: Floats) -> Floats:
    """BMI (kg/m2) = weight / height^2."""
    return weight_kg / (height_cm / 100.0) ** 2


def body_surface_area(weight_kg: Floats, height_cm: Floats, formula: str = "mosteller") -> Floats:
    """BSA (m2) by a named formula; the default, of every age, is sqrt(height x weight / 3600) (Mosteller 1987).

    ``formula``: mosteller (DOI 10.1056/NEJM198710223171717), or dubois, haycock, gehan_george: factor x height^a x
    weight^b, coefficients and sources in the sheet. One default for all ages, so that nothing jumps: at birth Haycock
    is 2 % above Mosteller. Raises ValueError for another name.
    """
    if formula not in BSA_FORMULAS:
        raise ValueError(f"BSA formula {formula!r}: known are {', '.join(BSA_FORMULAS)}")
    c = coefficients(formula)
    if formula == "mosteller":
        return np.sqrt(height_cm * weight_kg / c["divisor"])
    return c["factor"] * height_cm ** c["height_power"] * weight_kg ** c["weight_power"]


def fat_free_mass(weight_kg: Floats, height_cm: Floats, female: Bools) -> Floats:
    """Fat-free mass of an adult (kg) = 9270 W / (a + b BMI) (Janmahasatian 2005, DOI 10.2165/00003088-200544100-00004).

    The equation knows no age (see :mod:`pharmtwin.body.anatomy.composition`), and exceeds body mass below a BMI of
    about 12 (men) or 2 (women).
    """
    c = coefficients("janmahasatian")
    intercept = np.where(female, c["intercept_F"], c["intercept_M"])
    slope = np.where(female, c["slope_F"], c["slope_M"])
    return c["numerator"] * weight_kg / (intercept + slope * body_mass_index(weight_kg, height_cm))


def cardiac_output_age_factor(age_y: Floats) -> Floats:
    """Resting cardiac index relative to the reference adult (1 at the reference age of 35).

    Falls linearly by 0.5 % of its value at 25 per year after 25 (httk 2.7.4; Ring 2017,
    DOI 10.1016/j.envint.2017.06.004).
    """
    c = coefficients("cardiac_output_age")

    def left(age: Floats | float) -> Floats:
        return 1.0 - c["decline"] * np.maximum(np.asarray(age, dtype=float) - c["from_age"], 0.0)

    return left(age_y) / left(c["reference_age"])
