"""Excretion in urine (or faeces): amounts and rates of collections. Formulas as in PKNCA (R/pk.calc.urine.R)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pharmtwin.nca.terminal import Missing


@dataclass(frozen=True)
class Excretion:
    """``ae``: amount excreted, ``volume`` collected, ``rate_max`` and its midpoint ``time_max``, midpoint ``time_last``
    of the last collection with drug in it (nan: none)."""

    ae: float
    volume: float
    rate_max: float
    time_max: float
    time_last: float


def excretion(conc: ArrayLike, volume: ArrayLike, start: ArrayLike, duration: ArrayLike) -> Excretion:
    """Collections, shapes (n,): concentration (BLQ 0), volume, start and length.

    Raises Missing where a concentration or volume is missing (an amount of the others would be too small), ValueError
    on unequal lengths or lengths of collections not above 0.
    """
    c, v, t, d = (np.asarray(x, dtype=float) for x in (conc, volume, start, duration))
    if not c.shape == v.shape == t.shape == d.shape or c.ndim != 1 or not len(c):
        raise ValueError("conc, volume, start and duration must be vectors of one length, at least 1")
    if not np.all(d > 0):
        raise ValueError("collections last longer than 0")
    lacking = [f"{int(np.isnan(x).sum())} of {len(x)} {name}" for name, x in (("concentrations", c), ("volumes", v))
               if np.isnan(x).any()]  # fmt: skip
    if lacking:
        raise Missing(f"{' and '.join(lacking)} are missing")
    rate, middle = c * v / d, t + d / 2
    drug = np.flatnonzero(rate > 0)
    return Excretion(float(c @ v), float(v.sum()), float(rate.max()),
                     float(middle[np.argmax(rate)]) if len(drug) else float("nan"),
                     float(middle[drug].max()) if len(drug) else float("nan"))  # fmt: skip


def renal_clearance(ae: float, auc: float) -> float:
    """Amount excreted over the plasma area of the same time; raises Missing where the area is not above 0."""
    if not auc > 0:
        raise Missing("the area is not above 0")
    return ae / auc


def fraction_excreted(ae: float, dose: float) -> float:
    """Amount excreted over dose; raises Missing without a dose."""
    if not dose > 0:
        raise Missing("no dose is stated")
    return ae / dose
