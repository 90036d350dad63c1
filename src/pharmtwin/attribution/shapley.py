"""Shapley values: what each cause adds to an outcome, averaged over all orders in which causes may come.

Shapley 1953 (A value for n-person games). Exact from all combinations of causes; for many causes from sampled orders
(Castro 2009, doi:10.1016/j.cor.2008.04.004), each with its reverse (antithetic), with the sampling error stated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
#: outcomes (n, n_outcomes) of combinations of causes (n, n_causes); NaN: the outcome could not be computed
Value = Callable[[Masks], Floats]
EXACT, SAMPLED = "exact", "sampled orders"


@dataclass(frozen=True)
class Attribution:
    """``base`` and ``total`` (n_outcomes,): without and with all causes; ``value`` (n_causes, n_outcomes) of each.

    The values of an outcome add up to ``total - base`` (efficiency), sampled or not. ``lo95``, ``hi95``: 95 % interval
    of the sampling error, equal to ``value`` if exact. ``n_runs``: combinations computed.
    """

    base: Floats
    total: Floats
    value: Floats
    lo95: Floats
    hi95: Floats
    method: str
    n_runs: int


def combinations(n: int) -> Masks:
    """All combinations of n causes, (2^n, n); row k holds the causes of the bits of k."""
    return np.asarray((np.arange(2**n)[:, None] >> np.arange(n)) & 1, dtype=bool)


def _of_combinations(v: Floats) -> Floats:
    """Shapley values (n_causes, n_outcomes) from the outcomes of :func:`combinations`, (2^n, n_outcomes)."""
    n = len(v).bit_length() - 1
    masks = combinations(n)
    size = masks.sum(axis=1)
    weight = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    phi = np.zeros((n, v.shape[1]))
    for i in range(n):
        without = np.flatnonzero(~masks[:, i])
        with np.errstate(invalid="ignore"):
            phi[i] = weight[size[without]] @ (v[without + 2**i] - v[without])
    return phi


def exact(value: Value, n: int) -> Attribution:
    """From all 2^n combinations."""
    v = value(combinations(n))
    phi = _of_combinations(v)
    return Attribution(v[0], v[-1], phi, phi, phi, EXACT, len(v))


@dataclass(frozen=True)
class Chains:
    """Orders of causes, each followed by its reverse, (2 pairs, n), and the combinations that they pass.

    ``masks`` (n_masks, n): each combination once; ``place`` (2 pairs, n + 1): which it is after so many causes.
    """

    orders: NDArray[np.int64]
    masks: Masks
    place: NDArray[np.int64]

    @classmethod
    def draw(cls, n: int, pairs: int, rng: np.random.Generator) -> Chains:
        """Random orders of n causes."""
        orders = np.array([p for _ in range(pairs) for o in [rng.permutation(n)] for p in (o, o[::-1])])
        chains = np.zeros((len(orders), n + 1, n), dtype=bool)
        for k in range(n):
            chains[:, k + 1] = chains[:, k]
            chains[np.arange(len(orders)), k + 1, orders[:, k]] = True
        known, place = np.unique(chains.reshape(-1, n), axis=0, return_inverse=True)
        return cls(orders, known, place.reshape(len(orders), n + 1))

    def paired(self, v: Floats) -> Floats:
        """What each cause adds, by pair of orders (pairs, n, n_outcomes), from the outcomes of ``masks``."""
        with np.errstate(invalid="ignore"):
            step = np.diff(v[self.place], axis=1)
        own = np.empty_like(step)
        np.put_along_axis(own, self.orders[:, :, None], step, axis=1)
        pairs, n = len(self.orders) // 2, self.orders.shape[1]
        return np.asarray(own.reshape(pairs, 2, n, -1).mean(axis=1))


def sampled(value: Value, n: int, pairs: int, rng: np.random.Generator) -> Attribution:
    """From ``pairs`` of random orders and their reverses; interval from Student's t over the pairs.

    Raises ValueError for fewer than two pairs.
    """
    if pairs < 2:
        raise ValueError(f"an interval needs two pairs of orders or more, not {pairs}")
    chains = Chains.draw(n, pairs, rng)
    v = value(chains.masks)
    paired = chains.paired(v)
    phi = paired.mean(axis=0)
    half = stats.t.ppf(0.975, pairs - 1) * paired.std(axis=0, ddof=1) / np.sqrt(pairs)
    base, total = v[chains.place[0, 0]], v[chains.place[0, -1]]
    return Attribution(base, total, phi, phi - half, phi + half, SAMPLED, len(chains.masks))


def shapley(value: Value, n: int, *, max_exact: int, pairs: int, rng: np.random.Generator) -> Attribution:
    """Exact where all 2^n combinations are at most ``max_exact``, else from ``pairs`` of sampled orders."""
    return exact(value, n) if 2**n <= max_exact else sampled(value, n, pairs, rng)


@dataclass(frozen=True)
class Spread:
    """90 % interval of each value given the parameters' uncertainty, (n_causes, n_outcomes) both ends.

    ``n_draws`` (n_outcomes,): draws of the parameters behind it; NaN in both ends where there are fewer than two.
    """

    lo90: Floats
    hi90: Floats
    n_draws: NDArray[np.int64]


def spread(
    values: Callable[[Masks], Floats], found: Attribution, n: int, pairs: int, rng: np.random.Generator
) -> Spread:
    """How far the Shapley values move with the parameters, by their quantiles over draws.

    Draws have the same ``pairs`` of orders as the point; what a draw adds to the point along them is added to the
    point's value (a control variate: the sampling error of the few orders is common to both and mostly drops out).
    Where all combinations are no more than those on the orders, each draw is exact.

    Parameters
    ----------
    values : combinations (n_masks, n) -> outcomes (1 + n_draws, n_masks, n_outcomes), those of the point first.
    found : attribution at the point.
    """
    chains = Chains.draw(n, pairs, rng)
    if 2**n <= len(chains.masks):
        each = np.array([_of_combinations(v) for v in values(combinations(n))])
    else:
        each = np.array([chains.paired(v).mean(axis=0) for v in values(chains.masks)])
    moved = found.value + (each[1:] - each[0])
    good = np.isfinite(moved).all(axis=1)
    lo, hi = np.full_like(found.value, np.nan), np.full_like(found.value, np.nan)
    for j in np.flatnonzero(good.sum(axis=0) > 1):
        lo[:, j], hi[:, j] = np.quantile(moved[good[:, j], :, j], [0.05, 0.95], axis=0)
    return Spread(lo, hi, good.sum(axis=0))
