"""Linear models with more columns than the data can tell apart: least squares, and whether a contrast is estimable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
#: singular values below this share of the largest count as zero
RANK = 1e-10


class NotEstimable(ValueError):
    """The data do not tell what was asked; the message says why."""


@dataclass(frozen=True)
class Fit:
    """Estimate of a contrast on the log scale with its standard error; ``mse``: residual variance on ``df``."""

    estimate: float
    se: float
    df: float
    mse: float

    def interval(self, alpha: float) -> tuple[float, float]:
        """Two-sided 1 - 2 alpha confidence interval of the estimate."""
        half = float(stats.t.ppf(1 - alpha, self.df)) * self.se
        return self.estimate - half, self.estimate + half


def dummies(names: NDArray[np.str_], drop_first: bool = True) -> Floats:
    """Indicator columns of the distinct names in sorted order, shape (n, levels - 1) or (n, levels)."""
    levels = np.unique(names)[1 if drop_first else 0 :]
    return np.asarray(names[:, None] == levels[None, :], dtype=float)


def columns(*parts: Floats, n: int) -> Floats:
    """Side by side, shape (n, sum of columns)."""
    return np.hstack([p.reshape(n, -1) for p in parts]) if parts else np.zeros((n, 0))


def cross(*factors: Sequence[str] | NDArray[np.str_]) -> NDArray[np.str_]:
    """Names of the cells of crossed factors."""
    return np.array(["\x1f".join(parts) for parts in zip(*factors, strict=True)])


def independent(x: Floats) -> Floats:
    """Columns that are no combination of those to their left, shape (n, rank)."""
    kept: list[int] = []
    for j in range(x.shape[1]):
        if np.linalg.matrix_rank(x[:, [*kept, j]]) > len(kept):
            kept.append(j)
    return np.asarray(x[:, kept])


def residual(x: Floats, y: Floats) -> tuple[float, int]:
    """Residual sum of squares and its degrees of freedom."""
    beta, _, rank, _ = np.linalg.lstsq(x, y, rcond=RANK)
    left = y - x @ beta
    return float(left @ left), len(y) - int(rank)


def fit_contrast(x: Floats, y: Floats, contrast: Floats) -> Fit:
    """Least squares of ``y`` on ``x`` (n, p); the contrast (p,) of the coefficients.

    Raises NotEstimable if no degrees of freedom are left, or the contrast is not a combination of the rows of ``x``.
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    keep = s > RANK * s[0]
    u, s, vt = u[:, keep], s[keep], vt[keep]
    inside = vt.T @ (vt @ contrast)
    if not np.allclose(inside, contrast, atol=1e-8):
        raise NotEstimable("treatment cannot be told from the other effects of the model")
    df = len(y) - len(s)
    if df < 1:
        raise NotEstimable(f"no degrees of freedom are left for the residual variance ({len(y)} values)")
    beta = vt.T @ ((u.T @ y) / s)
    left = y - x @ beta
    mse = float(left @ left) / df
    leverage = (vt @ contrast) / s
    return Fit(float(contrast @ beta), float(np.sqrt(mse * (leverage @ leverage))), float(df), mse)


def last(p: int) -> Floats:
    """The contrast that is the last coefficient of ``p``."""
    return np.eye(p)[-1]
