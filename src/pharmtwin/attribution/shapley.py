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


def exact(value: Value, n: int) -> Attribution:
    """From all 2^n combinations."""
    masks = combinations(n)
    v = value(masks)
    size = masks.sum(axis=1)
    weight = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    phi = np.zeros((n, v.shape[1]))
    for i in range(n):
        without = np.flatnonzero(~masks[:, i])
        with np.errstate(invalid="ignore"):
            phi[i] = weight[size[without]] @ (v[without + 2**i] - v[without])
    return Attribution(v[0], v[-1], phi, phi, phi, EXACT, len(masks))


def sampled(value: Value, n: int, pairs: int, rng: np.random.Generator) -> Attribution:
    """From ``pairs`` of random orders and their reverses; interval from Student's t over the pairs.

    Raises ValueError for fewer than two pairs.
    """
    if pairs < 2:
        raise ValueError(f"an interval needs two pairs of orders or more, not {pairs}")
    orders = np.array([p for _ in range(pairs) for o in [rng.permutation(n)] for p in (o, o[::-1])])
    # after k causes of an order: combination k of it; the same combination may come from several orders
    chains = np.zeros((len(orders), n + 1, n), dtype=bool)
    for k in range(n):
        chains[:, k + 1] = chains[:, k]
        chains[np.arange(len(orders)), k + 1, orders[:, k]] = True
    known, place = np.unique(chains.reshape(-1, n), axis=0, return_inverse=True)
    v = value(known)[place.ravel()].reshape(len(orders), n + 1, -1)
    with np.errstate(invalid="ignore"):
        step = np.diff(v, axis=1)
    own = np.empty_like(step)
    np.put_along_axis(own, orders[:, :, None], step, axis=1)
    paired = own.reshape(pairs, 2, n, -1).mean(axis=1)
    phi = paired.mean(axis=0)
    half = stats.t.ppf(0.975, pairs - 1) * paired.std(axis=0, ddof=1) / np.sqrt(pairs)
    return Attribution(v[0, 0], v[0, -1], phi, phi - half, phi + half, SAMPLED, len(known))


def shapley(value: Value, n: int, *, max_exact: int, pairs: int, rng: np.random.Generator) -> Attribution:
    """Exact where all 2^n combinations are at most ``max_exact``, else from ``pairs`` of sampled orders."""
    return exact(value, n) if 2**n <= max_exact else sampled(value, n, pairs, rng)
