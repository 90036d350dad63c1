"""Curves of conditions over GFR or gestational age; coefficients from ``resources/physiology/condition_curves.tsv``.

All are continuous. Ratios are 1 at gestational age 0 or at the healthy GFR; increments are 0 at gestational age 0
(the lumped conceptus: a few grams).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pharmtwin.body.conditions.table import CURVES, LAST_WEEK
from pharmtwin.body.equations import Bools, Floats
from pharmtwin.facts import fact_table

Terms = dict[str, float]
OUTPUT = "preg_cardiac_output"


@lru_cache(maxsize=1)
def _curves() -> dict[str, tuple[str, str, dict[str, Terms]]]:
    table = fact_table(CURVES)
    table["sex"] = table["sex"].astype(object).where(table["sex"].notna(), "")
    table["term"] = table["term"].astype(str)
    curves: dict[str, tuple[str, str, dict[str, Terms]]] = {}
    for name, part in table.groupby("curve", sort=False):
        terms = {
            str(sex): dict(zip(rows["term"], rows["value"].astype(float)))
            for sex, rows in part.groupby("sex", sort=False)
        }
        curves[str(name)] = (str(part["kind"].iloc[0]), str(part["variable"].iloc[0]), terms)
    return curves


def curve_names() -> tuple[str, ...]:
    """Names of all curves."""
    return tuple(_curves())


def variable_of(name: str) -> str:
    """``gfr`` or ``week``; KeyError if there is no such curve."""
    return _curves()[name][1]


def curve(name: str, x: Floats, healthy: Floats, female: Bools) -> Floats:
    """Value of a curve; ratios are dimensionless, ``added`` curves in kg or L/h.

    Parameters
    ----------
    name : of ``condition_curves.tsv``; KeyError if it is not there.
    x : GFR (mL/min/1.73 m2) or gestational age (weeks), whichever the curve depends on; NaN gives NaN.
    healthy : healthy GFR (mL/min/1.73 m2), used by ratios of kidney disease: all of them are 1 there, so that the old,
        whose healthy GFR is low, do not start with an effect.
    female : sex, where the curve depends on it.
    """
    kind, variable, by_sex = _curves()[name]
    if kind == "knots" and variable == "gfr":
        return _by_sex(kind, by_sex, x, healthy, female) / _by_sex(kind, by_sex, healthy, healthy, female)
    return _by_sex(kind, by_sex, x, healthy, female)


def _by_sex(kind: str, by_sex: dict[str, Terms], x: Floats, healthy: Floats, female: Bools) -> Floats:
    if "" in by_sex:
        return _value(kind, by_sex[""], x, healthy)
    return np.where(female, _value(kind, by_sex["F"], x, healthy), _value(kind, by_sex["M"], x, healthy))


def largest_effect(name: str) -> float:
    """Largest distance of log(curve) from 0, over the knots or the weeks 0-40: what sd_log belongs to; else NaN."""
    kind, variable, by_sex = _curves()[name]
    if kind == "knots":
        values = np.array([v for terms in by_sex.values() for v in terms.values()])
    elif variable == "week":
        week = np.linspace(0.0, LAST_WEEK, 401)
        values = curve(name, week, week, np.ones(week.shape, dtype=bool))
    else:
        return float("nan")
    return float(np.abs(np.log(values)).max())


def _polynomial(terms: Terms, x: Floats) -> Floats:
    return sum((value * x ** int(power) for power, value in terms.items()), start=np.zeros_like(x))


def _placenta_ml(terms: Terms, week: Floats) -> Floats:
    return np.maximum(sum(terms[f"cubic{k}"] * week**k for k in (1, 2, 3)), 0.0)


def _value(kind: str, t: Terms, x: Floats, healthy: Floats) -> Floats:
    if kind == "knots":
        at = np.array([float(k) for k in t])
        order = np.argsort(at)
        return np.interp(x, at[order], np.array(list(t.values()))[order])
    if kind == "target_ratio":
        return t["scale"] * x / healthy
    if kind == "log_quadratic":
        return np.exp(t["a"] * (x**2 - healthy**2) + t["b"] * (x - healthy))
    if kind == "polynomial":
        return _polynomial(t, x) / t["0"]
    if kind == "increment":
        return _polynomial(t, x)
    if kind == "modified_logistic":
        start = t["rise"] / (1.0 + np.exp(t["rate"] * t["middle"])) + t["base"]
        return (t["rise"] / (1.0 + np.exp(-t["rate"] * (x - t["middle"]))) + t["base"]) / start
    if kind == "share_of_output":
        share = 1.0 + (t["terminal"] / t["initial"] - 1.0) * x / t["term"]
        return share * curve(OUTPUT, x, healthy, np.ones(x.shape, dtype=bool))
    if kind == "placenta_flow":
        return t["flow"] * _placenta_ml(t, x)
    if kind == "conceptus":
        fetus = t["fetus"] * np.exp(t["fetus_rate"] / t["fetus_decay"] * (1.0 - np.exp(-t["fetus_decay"] * x)))
        fluid = t["fluid"] / (1.0 + np.exp(-t["fluid_rate"] * (x - t["fluid_middle"])))
        return (fetus + t["density_placenta"] * _placenta_ml(t, x) + t["density_fluid"] * fluid) / 1000.0
    raise ValueError(f"{CURVES}: unknown kind {kind!r}")
