"""Bootstrap intervals of any figure: whole subjects are drawn, random numbers come from the data's name.

Figures that are functions of means over rows (most are) are drawn all at once from sums by subject; the others are
computed draw by draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.evaluation.metrics import MIN_CLUSTERS

Array = NDArray[np.float64]
Columns = Mapping[str, Array]
STAGE = "evaluation"
DRAWS = 2000
#: share of the draws that must have a figure for an interval of it
MOST = 0.9


@dataclass(frozen=True)
class Moments:
    """A figure as a function of means: ``features`` of the columns, (n, k), ``combine`` of their means, (..., k)."""

    features: Callable[[Columns], Array]
    combine: Callable[[Array], Array]


class Resampler:
    """Draws whole clusters of rows with replacement; the same draws for every figure of one name and data.

    ``clusters`` (n,): names; rows of one cluster stay together. ``seed`` and ``name`` fix the draws.
    """

    def __init__(self, clusters: NDArray[np.str_], seed: int, name: str, n_boot: int = DRAWS) -> None:
        names, self._code = np.unique(np.asarray(clusters).astype(str), return_inverse=True)
        self.n_clusters, self.n_boot = len(names), n_boot
        k = self.n_clusters
        #: how often each cluster is drawn, (n_boot, n_clusters)
        self._times = generator(seed, STAGE, name).multinomial(k, np.full(k, 1 / k), size=n_boot) if k else None

    @property
    def enough(self) -> bool:
        """Whether there are clusters enough to say how they differ."""
        return self.n_clusters >= MIN_CLUSTERS

    def draws(self, figure: Callable[[Columns], float], data: Columns, moments: Moments | None = None) -> Array:
        """A figure in every draw, (n_boot,); nan where it is not defined. ``data``: columns (n,)."""
        assert self._times is not None
        if moments is not None:
            features = moments.features(data)
            sums = np.zeros((self.n_clusters, features.shape[1]))
            np.add.at(sums, self._code, features)
            rows = self._times @ np.bincount(self._code, minlength=self.n_clusters)
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(moments.combine((self._times @ sums) / rows[:, None]))
        order = np.argsort(self._code, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(self._code, minlength=self.n_clusters))[:-1])
        out = np.full(self.n_boot, np.nan)
        for b, times in enumerate(self._times):
            drawn = np.repeat(np.arange(self.n_clusters), times)
            chosen = np.concatenate([parts[k] for k in drawn])
            out[b] = value_or_nan(figure, {name: column[chosen] for name, column in data.items()})
        return out


def value_or_nan(figure: Callable[[Columns], float], data: Columns) -> float:
    """A figure, nan where these rows have none."""
    try:
        return figure(data)
    except ValueError:
        return float("nan")


def percentile_interval(draws: Array) -> tuple[float, float]:
    """95 % percentile interval; nan where too many draws have no figure."""
    finite = draws[np.isfinite(draws)]
    if len(finite) < MOST * len(draws):
        return float("nan"), float("nan")
    lo, hi = np.percentile(finite, [2.5, 97.5])
    return float(lo), float(hi)
