"""Pareto smoothing of importance weights, and the k that says whether they may be trusted.

A few huge weights make an importance sampling estimate worthless without a warning. The largest weights are
replaced by the expected order statistics of a generalised Pareto distribution fitted to them; its shape k tells how
heavy their tail is (Vehtari 2024, Journal of Machine Learning Research 25:72; fit by Zhang and Stephens 2009,
Technometrics 51:316, doi:10.1198/tech.2009.08017).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

Floats = NDArray[np.float64]

MIN_TAIL = 5  # with fewer weights in the tail no shape can be estimated
PRIOR_K, PRIOR_WEIGHT = 0.5, 10.0  # Vehtari 2024, appendix: ten observations' worth of k = 0.5 steadies short tails
EQUAL = 1e-10  # logarithms of weights that differ by less are equal up to rounding


def psis(log_weights: ArrayLike, relative_efficiency: float = 1.0) -> tuple[Floats, float]:
    """Smoothed, normalised logarithms of importance weights (n,) and the Pareto shape k.

    log_weights : (n,) logarithms of the raw weights up to a constant; -inf is a draw of weight zero.
    relative_efficiency : effective draws per draw where these come from a Markov chain; it lengthens the tail.

    The returned weights add up to 1. k above ``pareto_k_limit(n)`` means: do not use them. k is inf if fewer than
    five distinct weights make up the tail (nothing is smoothed then), and -inf if all weights are equal, where
    there is nothing to smooth: proposal and target are the same.
    Raises ValueError for anything but a vector that has a finite value and neither nan nor +inf.
    """
    lw = np.array(log_weights, dtype=float)
    if lw.ndim != 1 or lw.size == 0 or np.isnan(lw).any() or not np.isfinite(lw.max()):
        raise ValueError("log weights must be a vector without nan and +inf, and not all of them may be -inf")
    if not relative_efficiency > 0:
        raise ValueError(f"the relative efficiency must be above 0, not {relative_efficiency}")
    lw -= lw.max()
    if lw.min() > -EQUAL:
        return np.full(lw.size, -math.log(lw.size)), -math.inf
    order = np.argsort(lw, kind="stable")
    length = math.ceil(min(lw.size / 5, 3 * math.sqrt(lw.size / relative_efficiency)))
    # the threshold is the largest weight outside the tail; ties with it and weights that underflow stay outside
    threshold = max(lw[order[max(lw.size - length - 1, 0)]], math.log(np.finfo(float).tiny))
    tail = order[lw[order] > threshold]
    k = math.inf
    if tail.size >= MIN_TAIL:
        excess = np.exp(lw[tail]) - math.exp(threshold)
        k, scale = generalised_pareto(excess)
        if math.isfinite(k):
            p = (np.arange(tail.size) + 0.5) / tail.size
            lw[tail] = np.minimum(np.log(math.exp(threshold) + pareto_quantile(p, k, scale)), 0.0)
    return lw - logsumexp(lw), float(k)


def pareto_k_limit(n_draws: int) -> float:
    """Largest k at which n draws still give a usable estimate: min(1 - 1/log10(n), 0.7) (Vehtari 2024)."""
    if n_draws < 2:
        raise ValueError(f"needs at least 2 draws, not {n_draws}")
    return min(1 - 1 / math.log10(n_draws), 0.7)


def generalised_pareto(excess: ArrayLike) -> tuple[float, float]:
    """Shape k and scale of a generalised Pareto distribution from excesses over a threshold, sorted upwards (n,).

    Zhang and Stephens' estimate: the posterior mean of b = -k / scale over a grid, under their data-dependent prior,
    by the profile likelihood. k is then drawn towards 0.5 as by ten more observations. Both are nan if the excesses
    do not differ enough from 0 to be fitted.
    """
    x = np.asarray(excess, dtype=float)
    n = x.size
    m = 30 + int(math.sqrt(n))
    quartile = x[int(n / 4 + 0.5) - 1]
    if not (quartile > 0 and np.isfinite(x[-1])):
        return math.nan, math.nan
    # k here has the sign of Vehtari 2024: positive is a heavy tail
    b = 1 / x[-1] + (1 - np.sqrt(m / (np.arange(m) + 0.5))) / (3 * quartile)
    profile_k = np.log1p(-b[:, None] * x).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_likelihood = n * (np.log(-b / profile_k) - profile_k - 1)
    log_likelihood = np.where(np.isfinite(log_likelihood), log_likelihood, -np.inf)
    weight = np.exp(log_likelihood - logsumexp(log_likelihood))
    b_mean = float(weight @ b)
    k = float(np.log1p(-b_mean * x).mean())
    scale = -k / b_mean
    return (n * k + PRIOR_WEIGHT * PRIOR_K) / (n + PRIOR_WEIGHT), scale


def pareto_quantile(p: Floats, k: float, scale: float) -> Floats:
    """Quantiles of the generalised Pareto distribution at probabilities p, shape of p."""
    log_survival = np.log1p(-p)
    if abs(k) < 1e-12:
        return -scale * log_survival
    return np.asarray(scale * np.expm1(-k * log_survival) / k)
