"""Exact simultaneous test of uniformity of ranks through their distribution function.

Sailynoja, Buerkner and Vehtari 2022, Stat Comput 32:32, doi:10.1007/s11222-022-10090-6. Under uniformity the number
of ranks below a point z is binomial, and the counts along z are a Markov chain; so the probability that all of them
lie within pointwise limits follows by recursion, without simulation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln
from scipy.stats import binom

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def evaluation_points(n_ranks: int, n_values: int) -> Ints:
    """Values v at which counts of ranks below v are looked at, out of 1 to n_values - 1: all, or n_ranks evenly."""
    if n_ranks < 1 or n_values < 2:
        raise ValueError(f"needs at least one rank and two possible values, not {n_ranks} and {n_values}")
    number = min(n_values - 1, n_ranks)
    return np.unique(np.rint(np.arange(1, number + 1) * n_values / (number + 1)).astype(np.int64))


def counts_below(ranks: ArrayLike, points: Ints) -> Ints:
    """How many ranks are below each point, (points,)."""
    return np.searchsorted(np.sort(np.asarray(ranks, dtype=np.int64)), points, side="left").astype(np.int64)


def uniformity_p(ranks: ArrayLike, n_values: int) -> float:
    """p value of ranks (n,) being uniform on 0 to n_values - 1; small if their counts leave the expected anywhere.

    The statistic is the smallest pointwise tail probability along the distribution function; its distribution is
    exact, so the test keeps its level (the p value being discrete, it errs on the side of passing).
    Raises ValueError for ranks outside 0 to n_values - 1.
    """
    r = np.asarray(ranks)
    if r.ndim != 1 or len(r) == 0 or (r != np.rint(r)).any() or r.min() < 0 or r.max() >= n_values:
        raise ValueError(f"ranks must be whole numbers from 0 to {n_values - 1}")
    points = evaluation_points(len(r), n_values)
    z = points / n_values
    counts = counts_below(r, points)
    tail = np.minimum(binom.cdf(counts, len(r), z), binom.sf(counts - 1, len(r), z)).min()
    low, high = _limits(_tails(len(r), z), float(tail) * (1 + 1e-9))
    # low to high: counts whose pointwise tail is larger, that is paths less extreme than the one seen
    return 1.0 - inside_probability(len(r), z, low, high)


@lru_cache(maxsize=32)
def simultaneous_limits(n_ranks: int, n_values: int, level: float = 0.95) -> tuple[Ints, Ints, Ints]:
    """Points, and the least and largest count below each, that uniform ranks keep to with probability >= ``level``."""
    points = evaluation_points(n_ranks, n_values)
    z = points / n_values
    tails = _tails(n_ranks, z)
    low, high = 1e-12, 1 - level  # tail probabilities: the first keeps everything inside, the second is pointwise
    for _ in range(60):
        middle = math.sqrt(low * high)
        inside = inside_probability(n_ranks, z, *_limits(tails, middle)) >= level
        low, high = (middle, high) if inside else (low, middle)
    return (points, *_limits(tails, low))


def inside_probability(n: int, z: Floats, low: Ints, high: Ints) -> float:
    """Probability that for n uniform numbers the counts below each z (rising) are all within low to high."""
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    state, chance, before = np.array([0]), np.array([1.0]), 0.0
    for point, least, most in zip(z, low, high, strict=True):
        if most < least:
            return 0.0
        step = (point - before) / (1 - before)
        target = np.arange(least, most + 1)
        more = target[None, :] - state[:, None]
        left = n - state[:, None]
        possible = (more >= 0) & (more <= left)
        more = np.where(possible, more, 0)
        log_p = log_factorial[left] - log_factorial[more] - log_factorial[left - more]
        log_p = log_p + more * math.log(step) + (left - more) * math.log1p(-step)
        chance = chance @ np.where(possible, np.exp(log_p), 0.0)
        state, before = target, float(point)
    return float(min(chance.sum(), 1.0))


def _tails(n: int, z: Floats) -> Floats:
    """Smaller tail probability of every count 0 to n below each z, (n + 1, points)."""
    counts = np.arange(n + 1)[:, None]
    return np.asarray(np.minimum(binom.cdf(counts, n, z), binom.sf(counts - 1, n, z)))


def _limits(tails: Floats, tail: float) -> tuple[Ints, Ints]:
    """Least and largest count at each z whose tail probability exceeds ``tail``; an empty range where none does."""
    kept = tails > tail
    n = len(tails) - 1
    low = np.where(kept.any(axis=0), np.argmax(kept, axis=0), n)
    high = np.where(kept.any(axis=0), n - np.argmax(kept[::-1], axis=0), -1)
    return low.astype(np.int64), high.astype(np.int64)
