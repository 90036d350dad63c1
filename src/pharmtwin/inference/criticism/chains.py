"""The sampler's chains as tables for figures: ranks, thinned draws, energies (as ArviZ draws them)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hypergeom, rankdata

from pharmtwin.inference.criticism.arviz_door import bulk_ess, energy_bfmi

Floats = NDArray[np.float64]
#: most bars of a rank histogram, and draws of a chain that a bar should hold
BARS, PER_BAR = 20, 10
#: chance that any bar of a parameter leaves the band of well mixed chains
OUTSIDE = 0.05
#: draws of a chain that figures show
SHOWN = 75
ENERGY_BARS = 30


@dataclass(frozen=True)
class Chains:
    """Kept draws of a fit.

    draws : by parameter, (chains, draws). energy, diverging : (chains, draws).
    """

    draws: Mapping[str, Floats]
    energy: Floats
    diverging: NDArray[np.bool_]


def rank_table(draws: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Table ``fit_ranks``: how often each chain's draws have which rank among the draws of all chains.

    draws : by parameter, (chains, draws), at least 4 draws. One row a parameter, chain and bar: parameter, chain, bar,
    rank_low, rank_high (share of all ranks), count, expected, low, high.

    low to high : counts of chains that mix, all bars of a parameter inside with probability 0.95 (Bonferroni). A count
    is then hypergeometric: that many of all draws fall into the bar, and a chain has its share of all. Draws of a chain
    resemble each other, so the counts are those of as many independent draws as the bulk ESS of a chain by itself says
    (median of the chains; at most all), and scaled. Of one chain the ranks are always uniform: its rows say nothing.
    Vehtari 2021, doi:10.1214/20-BA1221.
    """
    rows: list[tuple[object, ...]] = []
    for name, values in draws.items():
        value = np.asarray(values, dtype=float)
        chains, n = value.shape
        bars = int(np.clip(n // PER_BAR, 2, BARS))
        rank = rankdata(value.ravel(), method="average").reshape(chains, n)
        bar = np.minimum((rank - 0.5) * bars / value.size, bars - 1).astype(int)
        # of each chain by itself: together, chains that disagree have few effective draws, and would have a wide band
        own = [bulk_ess(chain[None]) for chain in value]
        low, high = _band(chains, n, bars, float(np.median(own)))
        for c in range(chains):
            counts = np.bincount(bar[c], minlength=bars)
            rows += [(name, c, b, b / bars, (b + 1) / bars, int(counts[b]), n / bars, low, high) for b in range(bars)]
    columns = ["parameter", "chain", "bar", "rank_low", "rank_high", "count", "expected", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _band(chains: int, n: int, bars: int, ess: float) -> tuple[float, float]:
    """Least and largest count of a bar; ess : of a chain, nan (never moves) gives nan."""
    if not np.isfinite(ess):
        return float("nan"), float("nan")
    # a whole number of effective draws in each bar of all chains together
    per_bar = max(round(min(ess, n) * chains / bars), 1)
    all_draws = per_bar * bars
    own = max(round(all_draws / chains), 1)
    tail = OUTSIDE / (2 * chains * bars)
    scale = n / own
    law = hypergeom(all_draws, per_bar, own)
    return float(law.ppf(tail)) * scale, float(law.ppf(1 - tail)) * scale


def trace_table(chains: Chains, shown: int = SHOWN) -> pd.DataFrame:
    """Table ``fit_traces``: parameter, chain, draw, value, diverging; ``shown`` draws of each chain, evenly picked.

    Divergent draws are all kept.
    """
    n = chains.diverging.shape[1]
    even = np.zeros(n, dtype=bool)
    even[np.unique(np.linspace(0, n - 1, min(shown, n)).round().astype(int))] = True
    at = np.argwhere(even | chains.diverging)
    parts = [
        pd.DataFrame(
            {
                "parameter": name,
                "chain": at[:, 0],
                "draw": at[:, 1],
                "value": np.asarray(value, dtype=float)[at[:, 0], at[:, 1]],
                "diverging": chains.diverging[at[:, 0], at[:, 1]],
            }
        )
        for name, value in chains.draws.items()
    ]
    return pd.concat(parts, ignore_index=True)


def energy_table(energy: ArrayLike) -> pd.DataFrame:
    """Table ``fit_energy``: histograms of each chain's energy less its mean, and of its change from draw to draw.

    energy (chains, draws). One row a chain, kind (marginal, transition) and bar: chain, kind, low, high, share of the
    chain. All have the same bars. Where the changes are much narrower than the energy, the sampler explores the tails
    slowly (Betancourt 2016 arXiv:1604.00695).
    """
    value = np.asarray(energy, dtype=float)
    kinds = {"marginal": value - value.mean(axis=1, keepdims=True), "transition": np.diff(value, axis=1)}
    far = max(float(np.abs(v).max()) for v in kinds.values()) or 1.0
    edges = np.linspace(-far, far, ENERGY_BARS + 1)
    rows = [
        (c, kind, low, high, share)
        for kind, v in kinds.items()
        for c in range(len(v))
        for low, high, share in zip(edges, edges[1:], np.histogram(v[c], edges)[0] / v.shape[1])
    ]
    return pd.DataFrame(rows, columns=["chain", "kind", "low", "high", "share"])


def chain_table(chains: Chains) -> pd.DataFrame:
    """Table ``fit_chains``: chain, draws, divergences, e_bfmi."""
    n = chains.energy.shape[1]
    return pd.DataFrame(
        {
            "chain": np.arange(len(chains.energy)),
            "draws": n,
            "divergences": chains.diverging.sum(axis=1),
            "e_bfmi": energy_bfmi(chains.energy),
        }
    )
