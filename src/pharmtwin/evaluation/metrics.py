"""Accuracy figures of predicted against observed concentrations, and their intervals.

Every fold figure is built on ``ln(predicted / observed)``: positive means predicted too high.
Intervals come from a cluster bootstrap (whole twins or studies are drawn, never single samples); a share of 0 or 1,
which a bootstrap gives no width, gets Wilson's.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-12  # relative slack of the inclusive fold limits
MIN_CLUSTERS = 5  # with fewer, a bootstrap over clusters promises a precision that is not there


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval (nan where an interval cannot be given) and the pairs behind it."""

    value: float
    lo95: float
    hi95: float
    n: int


def _positive_pair(predicted: ArrayLike, observed: ArrayLike) -> tuple[Array, Array]:
    pred, obs = np.asarray(predicted, dtype=float), np.asarray(observed, dtype=float)
    if pred.shape != obs.shape or pred.ndim != 1:
        raise ValueError(f"predicted {pred.shape} and observed {obs.shape} must be two vectors of one length")
    if not (np.all(np.isfinite(pred) & (pred > 0)) and np.all(np.isfinite(obs) & (obs > 0))):
        raise ValueError("fold figures need finite predicted and observed values above 0")
    return pred, obs


def log_ratio(predicted: ArrayLike, observed: ArrayLike) -> Array:
    """``ln(predicted / observed)``, shape (n,); raises ValueError on values that are not above 0."""
    pred, obs = _positive_pair(predicted, observed)
    return np.asarray(np.log(pred) - np.log(obs))


def gmfe(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Geometric mean fold error, ``exp(mean |ln(pred/obs)|)``; 1 is perfect (Obach 1997, where it is AAFE)."""
    return float(np.exp(np.mean(np.abs(log_ratio(predicted, observed)))))


def afe(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Average fold error, ``exp(mean ln(pred/obs))``: the bias; above 1 predicts too high (Obach 1997)."""
    return float(np.exp(np.mean(log_ratio(predicted, observed))))


def within_fold(predicted: ArrayLike, observed: ArrayLike, fold: float) -> NDArray[np.bool_]:
    """Which pairs lie within ``fold`` of each other, limits included, shape (n,)."""
    if fold < 1:
        raise ValueError(f"a fold limit is at least 1, not {fold}")
    pred, obs = _positive_pair(predicted, observed)
    return np.asarray(np.maximum(pred / obs, obs / pred) <= fold * (1 + ROUNDING))


def share_within(predicted: ArrayLike, observed: ArrayLike, fold: float) -> float:
    """Share (0 to 1) of pairs within ``fold`` of each other."""
    return float(np.mean(within_fold(predicted, observed, fold)))


def guest_limit(observed: ArrayLike, delta: float = 1.0) -> Array:
    """Fold limit of Guest 2011 (doi:10.1124/dmd.110.036103) at an observed ratio, shape of ``observed``.

    ``L = (delta + 2 (x - 1)) / x`` with x the ratio or its inverse, whichever is above 1; ``delta`` 1 allows no
    variability of a ratio of 1 (then L = 1 there), 1.25 allows 25 %. A prediction is inside within obs/L and obs L.
    """
    obs = np.asarray(observed, dtype=float)
    x = np.maximum(obs, 1 / obs)
    return np.asarray((delta + 2 * (x - 1)) / x)


def within_guest(predicted: ArrayLike, observed: ArrayLike, delta: float = 1.0) -> NDArray[np.bool_]:
    """Which predictions lie inside Guest's limits, these included."""
    pred, obs = np.asarray(predicted, dtype=float), np.asarray(observed, dtype=float)
    fold = np.maximum(pred / obs, obs / pred)
    return np.asarray(fold <= guest_limit(obs, delta) * (1 + 1e-12))


def inside(observed: ArrayLike, lo: ArrayLike, hi: ArrayLike) -> NDArray[np.bool_]:
    """Which observations lie in their interval, limits included, shape (n,)."""
    obs = np.asarray(observed, dtype=float)
    return np.asarray((obs >= np.asarray(lo, dtype=float)) & (obs <= np.asarray(hi, dtype=float)))


def coverage(observed: ArrayLike, lo: ArrayLike, hi: ArrayLike) -> float:
    """Share (0 to 1) of observations inside their predictive interval."""
    return float(np.mean(inside(observed, lo, hi)))


def interval_width(lo: ArrayLike, hi: ArrayLike) -> float:
    """Geometric mean of ``hi / lo``: how many-fold the predictive interval is wide."""
    return float(np.exp(np.mean(log_ratio(hi, lo))))


def wilson(hits: int, n: int, level: float = 0.95) -> Estimate:
    """A share with Wilson's score interval (Wilson 1927); treats the ``n`` pairs as independent."""
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} of {n} is not a share")
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Estimate(p, float(max(0.0, centre - half)), float(min(1.0, centre + half)), n)


def cluster_bootstrap_mean(values: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, n_boot: int) -> Array:
    """Bootstrap draws of a mean when whole clusters are drawn with replacement, shape (n_boot,).

    ``values`` and ``clusters`` have shape (n,). With fewer than ``MIN_CLUSTERS`` clusters the
    draws are nan: too few to say how clusters differ.
    """
    x = np.asarray(values, dtype=float)
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    k = len(names)
    if k < MIN_CLUSTERS:
        return np.full(n_boot, np.nan)
    sums, counts = np.bincount(codes, weights=x, minlength=k), np.bincount(codes, minlength=k)
    weights = rng.multinomial(k, np.full(k, 1 / k), size=n_boot)
    return np.asarray((weights @ sums) / (weights @ counts))


def exp_mean(logs: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, n_boot: int = 2000) -> Estimate:
    """``exp(mean(logs))`` with a 95 % percentile interval of the cluster bootstrap."""
    x = np.asarray(logs, dtype=float)
    draws = cluster_bootstrap_mean(x, clusters, rng, n_boot)
    lo, hi = np.exp(np.percentile(draws, [2.5, 97.5]))
    return Estimate(float(np.exp(np.mean(x))), float(lo), float(hi), len(x))
