"""Sobol indices from blocks of runs, with percentile bootstrap intervals over blocks.

With y_A, y_B, y_ABi the outputs of a block (centred on the mean), V the variance of the pooled y_A and y_B:

* total, Jansen 1999, doi 10.1016/S0010-4655(98)00154-4: ST_i = E (y_A - y_ABi)^2 / 2V;
* first order, S_i = E y_B y_ABi / V, with y_A y_B and y_A^2 - y_B^2, whose expectations are known to be 0, as control
  variates. The coefficients are those of least squares on the blocks. (1, 0) would give Saltelli 2010's estimator
  y_B (y_ABi - y_A), doi 10.1016/j.cpc.2009.09.018, which is good for small indices and poor for large ones, (0, 0) the
  plain one, good for large ones only; the regression is at least as good as either, exact for an input that does
  nothing and for one that does everything.
* second order (if the blocks hold BA): S_ij = E (y_BAi y_ABj - y_A y_B) / V - S_i - S_j, Saltelli 2002,
  doi 10.1016/S0010-4655(02)00280-1.

All are ratios of means over blocks, so a bootstrap replicate is a weighted mean and all replicates one matrix product.
A block with a failed run is out, as a whole, of that output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.sensitivity.design import STAGE
from pharmtwin.sensitivity.morris import LEVEL, weights

Floats = NDArray[np.float64]
LEAST_BLOCKS = 2
#: bootstrap replicates of outputs without number (time courses) and of all others
RESAMPLES = 1000


@dataclass(frozen=True)
class Indices:
    """Indices of one output: estimate, lower and upper end, each (3, n_units); ``pairs`` (3, n_units, n_units) or None.

    variance : of the output. n_blocks, n_lost : blocks that were used and those left out.
    """

    first: Floats
    total: Floats
    pairs: Floats | None
    variance: float
    n_blocks: int
    n_lost: int

    @property
    def half_width(self) -> float:
        """Half of the widest interval of a first-order or total index."""
        return float(max(np.max(x[2] - x[1]) for x in (self.first, self.total)) / 2.0)


def indices(y: Floats, n_units: int, *, second: bool, master: int, resamples: int = RESAMPLES) -> Indices:
    """Indices of one output.

    Parameters
    ----------
    y : (n_blocks, width), NaN where a run failed. second : the blocks hold BA, and pairs are asked for.

    Raises
    ------
    RuntimeError : fewer than two blocks without a failed run, or an output that does not vary.
    """
    whole = len(y)
    y = y[np.isfinite(y).all(axis=1)]
    n = len(y)
    if n < LEAST_BLOCKS:
        raise RuntimeError("fewer than two Sobol base blocks without a failed solve")
    shift = y[:, [0, -1]].mean()
    A, B, AB = y[:, :1] - shift, y[:, -1:] - shift, y[:, 1 : 1 + n_units] - shift
    scale = float(np.mean(A * A + B * B) / 2.0)
    if not scale > 1e-20 * max(shift * shift, 1e-200):
        raise RuntimeError("the output does not vary with any input")
    means, squares = (A + B) / 2.0, (A * A + B * B) / 2.0
    columns = [means, squares, _first(A, B, AB, squares), (A - AB) ** 2 / 2.0]
    if second:
        BA = y[:, 1 + n_units : 1 + 2 * n_units] - shift
        i, j = np.triu_indices(n_units, 1)
        columns.append(BA[:, i] * AB[:, j] - A * B)
    table = np.concatenate(columns, axis=1)
    rng = generator(master, STAGE, f"sobol bootstrap {n} of {whole}")
    moments = np.vstack([table.mean(axis=0), weights(rng, n, resamples) @ table])
    variance = moments[:, 1] - moments[:, 0] ** 2
    ratio = moments[:, 2:] / variance[:, None]
    first, total = ratio[:, :n_units], ratio[:, n_units : 2 * n_units]
    pairs = None
    if second:
        pairs = np.full((3, n_units, n_units), np.nan)
        pairs[:, i, j] = pairs[:, j, i] = _summary(ratio[:, 2 * n_units :] - first[:, i] - first[:, j])
    return Indices(_summary(first), _summary(total), pairs, float(variance[0]), n, whole - n)


def _first(A: Floats, B: Floats, AB: Floats, squares: Floats) -> Floats:
    """Columns whose means are the first-order parts of the variance, (n, n_units)."""
    controls = np.concatenate([A * B, A * A - B * B], axis=1)
    start = np.mean(B * (AB - A), axis=0) / squares.mean()
    influence = B * AB - start * squares  # what an index, as a ratio, depends on
    centred = controls - controls.mean(axis=0)
    slope, *_ = np.linalg.lstsq(centred, influence - influence.mean(axis=0), rcond=None)
    return np.asarray(B * AB - controls @ slope)


def _summary(replicates: Floats) -> Floats:
    """Estimate (row 0 of the replicates) and percentiles of the rest, (3, k)."""
    return np.vstack([replicates[:1], np.quantile(replicates[1:], LEVEL, axis=0)])
