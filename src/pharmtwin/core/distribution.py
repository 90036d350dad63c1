"""Whole predictive distributions against what was observed: CRPS, interval score, probability integral transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def crps(draws: ArrayLike, observed: ArrayLike) -> Array:
    """Continuous ranked probability score of each observation, in its unit, shape (n,); 0 is perfect.

    ``draws`` (n, m): m draws of each predictive distribution. ``E|X - y| - E|X - X'|/2`` over the empirical
    distribution (Gneiting and Raftery 2007, doi:10.1198/016214506000001437).
    """
    x, y = np.sort(np.asarray(draws, dtype=float), axis=1), np.asarray(observed, dtype=float)
    if x.ndim != 2 or y.shape != (len(x),) or x.shape[1] < 1:
        raise ValueError(f"draws {x.shape} must be (n, m) and observed {y.shape} (n,)")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("draws and observed values must be finite")
    m = x.shape[1]
    weight = 2 * np.arange(1, m + 1) - m - 1  # sum over pairs |x_i - x_j| of sorted values
    return np.asarray(np.abs(x - y[:, None]).mean(axis=1) - (x @ weight) / m**2)


def interval_score(observed: ArrayLike, lo: ArrayLike, hi: ArrayLike, level: float = 0.9) -> Array:
    """Winkler's score of central intervals, shape (n,): width, and 2/(1 - level) times what lies outside.

    In the unit of the values; lower is better (Gneiting and Raftery 2007, section 6.2).
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, not {level}")
    y, a, b = (np.asarray(v, dtype=float) for v in (observed, lo, hi))
    if np.any(b < a):
        raise ValueError("an interval's upper end lies below its lower end")
    return np.asarray(b - a + 2 / (1 - level) * (np.maximum(a - y, 0) + np.maximum(y - b, 0)))


def pit(draws: ArrayLike, observed: ArrayLike) -> Array:
    """Probability integral transform: share of draws below each observation, ties counted half, shape (n,)."""
    x, y = np.asarray(draws, dtype=float), np.asarray(observed, dtype=float)
    return np.asarray((x < y[:, None]).mean(axis=1) + 0.5 * (x == y[:, None]).mean(axis=1))
