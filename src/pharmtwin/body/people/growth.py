"""Growth charts of children by the LMS method: z-score of a height or weight, and back.

Cole and Green 1992 (doi:10.1002/sim.4780111005): ``z = ((x/M)^L - 1) / (L S)``. The skewness L, median M and
coefficient of variation S come from ``resources/physiology/growth_lms.tsv``: WHO 2006 to two years, CDC 2000 from
three to twenty, blended between (:data:`BLEND`). Beyond z = +-3 a step of z is as wide as that from 2 to 3 (WHO's
rule for weight), so that every z has a value and every value a z. From 20 years on the chart of 20 years stands.

Below three years "height" is recumbent length in the WHO rows (0.7 cm added to its standing heights beyond 24
months), standing height in the CDC rows: the blend turns one into the other without a jump.
Preterm infants are not covered: no chart here knows gestational age.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from pharmtwin.body.equations import Bools, Floats, fade_in
from pharmtwin.facts import fact_table
from pharmtwin.units import DAYS_PER_YEAR

Measure = Literal["height", "weight"]

TABLE = "physiology/growth_lms.tsv"
BLEND = (2.0, 3.0)  # years: WHO below, CDC above (own choice inside the ages that both charts cover)
LAST = 20.0  # years: end of the CDC charts
EDGE = 3.0  # |z| beyond which the scale is continued linearly


@lru_cache(maxsize=1)
def _charts() -> dict[tuple[str, str, str], Floats]:
    """(chart, measure, sex) -> rows of age_y, L, M, S in ascending age."""
    table = fact_table(TABLE)
    out = {}
    for (chart, measure, sex), rows in table.groupby(["chart", "measure", "sex"]):
        numbers = rows[["age_d", "L", "M", "S"]].to_numpy(dtype=float)
        numbers[:, 0] /= DAYS_PER_YEAR
        out[(str(chart), str(measure), str(sex))] = numbers[np.argsort(numbers[:, 0])]
    return out


def lms(measure: Measure, age_y: Floats, female: Bools) -> tuple[Floats, Floats, Floats]:
    """L, M (cm or kg) and S of the blended chart, each of the shape of ``age_y`` (years; NaN in, NaN out)."""
    age = np.asarray(age_y, dtype=float)
    cdc = fade_in(age, *BLEND)
    out = []
    for column in (1, 2, 3):
        by_sex = []
        for sex in ("M", "F"):
            who, later = _charts()[("WHO", measure, sex)], _charts()[("CDC", measure, sex)]
            early = np.interp(age, who[:, 0], who[:, column])
            by_sex.append((1.0 - cdc) * early + cdc * np.interp(age, later[:, 0], later[:, column]))
        out.append(np.where(np.asarray(female), by_sex[1], by_sex[0]))
    return out[0], out[1], out[2]


def _inside(z: Floats, skew: Floats, median: Floats, spread: Floats) -> Floats:
    """Value at z by the plain formula, floored far below any use of it."""
    flat = np.abs(skew) < 1e-8
    safe = np.where(flat, 1.0, skew)
    base = np.maximum(1.0 + safe * spread * z, 1e-12)
    return median * np.where(flat, np.exp(spread * z), base ** (1.0 / safe))


def lms_value(z: Floats, skew: Floats, median: Floats, spread: Floats) -> Floats:
    """Value at z-score ``z`` for given L, M, S (elementwise, in the unit of M)."""
    z, skew = np.asarray(z, dtype=float), np.asarray(skew, dtype=float)
    value = _inside(np.clip(z, -EDGE, EDGE), skew, median, spread)
    upper, lower = (
        _inside(np.asarray(sign * EDGE), skew, median, spread)
        - _inside(np.asarray(sign * (EDGE - 1)), skew, median, spread)
        for sign in (1.0, -1.0)
    )
    return value + np.maximum(z - EDGE, 0.0) * upper + np.maximum(-z - EDGE, 0.0) * lower


def lms_z(value: Floats, skew: Floats, median: Floats, spread: Floats) -> Floats:
    """z-score of a value for given L, M, S (elementwise); the inverse of :func:`lms_value`."""
    value, skew = np.asarray(value, dtype=float), np.asarray(skew, dtype=float)
    flat = np.abs(skew) < 1e-8
    safe = np.where(flat, 1.0, skew)
    edges = {s: _inside(np.asarray(s * EDGE), skew, median, spread) for s in (1.0, -1.0)}
    steps = {s: edges[s] - _inside(np.asarray(s * (EDGE - 1)), skew, median, spread) for s in (1.0, -1.0)}
    inside = np.clip(value, edges[-1.0], edges[1.0]) / median
    z = np.where(flat, np.log(inside), (inside**safe - 1.0) / safe) / spread
    above = np.maximum(value - edges[1.0], 0.0) / steps[1.0]
    below = np.maximum(edges[-1.0] - value, 0.0) / -steps[-1.0]
    return z + above - below


def chart_value(measure: Measure, z: Floats, age_y: Floats, female: Bools) -> Floats:
    """Height (cm) or weight (kg) at z-score ``z`` of the chart."""
    return lms_value(z, *lms(measure, age_y, female))


def chart_z(measure: Measure, value: Floats, age_y: Floats, female: Bools) -> Floats:
    """z-score on the chart of a height (cm) or weight (kg)."""
    return lms_z(value, *lms(measure, age_y, female))
