"""Bins of observations along time (or another independent variable)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: bins of a visual predictive check, and observations that one should have
BINS, PER_BIN = 8, 10


def bins_for_percentiles(x: ArrayLike) -> Ints:
    """Bin of each observation (n,): bins of about equal counts, ``BINS`` or as many as have ``PER_BIN`` of them.

    Raises ValueError as :func:`bins_by_count`.
    """
    values = _vector(x)
    return bins_by_count(values, max(1, min(BINS, len(values) // PER_BIN)))


def bins_by_count(x: ArrayLike, n_bins: int) -> Ints:
    """Bin of each observation (n,), 0 upwards, of about equal counts; equal x are never split.

    Fewer bins come back where ties leave no others. Raises ValueError for values that are not finite, and for
    fewer observations than bins.
    """
    values = _vector(x)
    if not 1 <= n_bins <= len(values):
        raise ValueError(f"{n_bins} bins for {len(values)} observations")
    # the rank of the first of each group of ties decides for all of them
    rank = np.searchsorted(np.sort(values), values, side="left")
    return _dense(rank * n_bins // len(values))


def bins_by_edges(x: ArrayLike, edges: ArrayLike) -> Ints:
    """Bin of each observation (n,): [edge 0, edge 1), [edge 1, edge 2) and so on, the last one closed.

    Empty bins keep their number. Raises ValueError for edges that do not rise, and for x outside them.
    """
    values, limits = _vector(x), np.asarray(edges, dtype=float)
    if limits.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0).all():
        raise ValueError("edges must be at least two and rise")
    outside = (values < limits[0]) | (values > limits[-1])
    if outside.any():
        raise ValueError(f"{int(outside.sum())} observations lie outside {limits[0]:g} to {limits[-1]:g}")
    return np.minimum(np.searchsorted(limits, values, side="right") - 1, len(limits) - 2).astype(np.int64)


def bins_by_nominal(nominal: ArrayLike) -> Ints:
    """Bin of each observation (n,): one for each distinct nominal time, in rising order."""
    return _dense(_vector(nominal))


def _vector(x: ArrayLike) -> Floats:
    values = np.asarray(x, dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all() or len(values) == 0:
        raise ValueError("the independent variable must be a finite vector")
    return values


def _dense(values: NDArray[np.generic]) -> Ints:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
