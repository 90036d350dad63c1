"""Prior and posterior predictive checks: is a statistic of the data like that of data simulated from the model?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from pharmtwin.inference.criticism.limits import limits

Floats = NDArray[np.float64]
#: a statistic maps data (..., n) to (...)
Statistic = Callable[[Floats], Floats]


def _quantile(p: float) -> Statistic:
    return lambda y: np.asarray(np.quantile(y, p, axis=-1))


STATISTICS: dict[str, Statistic] = {
    "mean": lambda y: np.asarray(y.mean(axis=-1)),
    "sd": lambda y: np.asarray(y.std(axis=-1, ddof=1)),
    "minimum": lambda y: np.asarray(y.min(axis=-1)),
    "5th percentile": _quantile(0.05),
    "median": _quantile(0.5),
    "95th percentile": _quantile(0.95),
    "maximum": lambda y: np.asarray(y.max(axis=-1)),
}


def predictive_checks(
    y: ArrayLike,
    simulated: ArrayLike,
    statistics: Mapping[str, Statistic] | None = None,
    group: Sequence[object] | None = None,
) -> pd.DataFrame:
    """One row for each group and statistic: group, statistic, n, observed, median, low, high, p_above, tail, flagged.

    y : (n,) data; simulated : (replicates, n), each row a whole study simulated from a draw of the prior or the
    posterior. low to high : the central 95 % of the statistic over the replicates. p_above : share of replicates
    above the observed value, ties counting half; tail : the smaller of it and its complement; flagged : below
    ``tail_probability`` of diagnostics.tsv. After a fit to the same y, p_above is drawn towards 0.5 (the data are
    used twice), so a flag is serious and its absence no proof (Gelman 1996, Statistica Sinica 6:733).
    Raises ValueError for values that are not finite and for too few replicates (``replicates``).
    """
    obs, sims = _checked(y, simulated)
    asked = limits("predictive")
    if len(sims) < asked["replicates"].value:
        raise ValueError(f"{len(sims)} replicates; a check needs {asked['replicates'].words()}")
    names = np.array(["all"] * len(obs) if group is None else list(group), dtype=object)
    if len(names) != len(obs):
        raise ValueError(f"{len(names)} groups named for {len(obs)} observations")
    rows = []
    for name in pd.unique(pd.Series(names)):
        mine = names == name
        for title, statistic in (STATISTICS if statistics is None else statistics).items():
            observed, replicated = float(statistic(obs[mine])), statistic(sims[:, mine])
            low, middle, high = np.quantile(replicated, [0.025, 0.5, 0.975])
            above = float(np.mean(replicated > observed) + np.mean(replicated == observed) / 2)
            tail = min(above, 1 - above)
            flagged = not asked["tail_probability"].passes(tail)
            rows.append((name, title, int(mine.sum()), observed, middle, low, high, above, tail, flagged))
    columns = ["group", "statistic", "n", "observed", "median", "low", "high", "p_above", "tail", "flagged"]
    return pd.DataFrame(rows, columns=columns)


def interval_coverage(
    y: ArrayLike, simulated: ArrayLike, levels: Sequence[float] = (0.5, 0.8, 0.9, 0.95)
) -> pd.DataFrame:
    """Share of observations inside their own central predictive intervals: level, n, inside, share, low, high.

    low, high : 95 % limits of the share (Clopper and Pearson), as if observations were independent; those of one
    subject are not, so the true limits are wider.
    """
    obs, sims = _checked(y, simulated)
    rows = []
    for level in levels:
        lower, upper = np.quantile(sims, [(1 - level) / 2, (1 + level) / 2], axis=0)
        inside = int(((obs >= lower) & (obs <= upper)).sum())
        limit = binomtest(inside, len(obs)).proportion_ci(0.95, method="exact")
        rows.append((level, len(obs), inside, inside / len(obs), limit.low, limit.high))
    return pd.DataFrame(rows, columns=["level", "n", "inside", "share", "low", "high"])


def _checked(y: ArrayLike, simulated: ArrayLike) -> tuple[Floats, Floats]:
    obs, sims = np.asarray(y, dtype=float), np.asarray(simulated, dtype=float)
    if obs.ndim != 1 or len(obs) == 0 or sims.ndim != 2 or sims.shape[1] != len(obs):
        raise ValueError(f"data {obs.shape} need replicates (K, n), not {sims.shape}")
    if not (np.isfinite(obs).all() and np.isfinite(sims).all()):
        raise ValueError("data and replicates must be finite")
    return obs, sims
