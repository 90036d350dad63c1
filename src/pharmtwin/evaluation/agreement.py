"""Agreement of predicted with observed values on their own scale: NMSE, concordance, bias, precision, calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def _pairs(predicted: ArrayLike, observed: ArrayLike) -> tuple[Array, Array]:
    pred, obs = np.asarray(predicted, dtype=float), np.asarray(observed, dtype=float)
    if pred.shape != obs.shape or pred.ndim != 1 or not len(pred):
        raise ValueError(
            f"predicted {pred.shape} and observed {obs.shape} must be two vectors of one length, at least 1"
        )
    if not (np.isfinite(pred).all() and np.isfinite(obs).all()):
        raise ValueError("predicted and observed values must be finite")
    return pred, obs


def _relative(predicted: ArrayLike, observed: ArrayLike) -> Array:
    pred, obs = _pairs(predicted, observed)
    if np.any(obs == 0):
        raise ValueError("relative errors need observed values other than 0")
    return np.asarray((pred - obs) / obs)


def nmse(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Normalised mean square error, mean((obs - pred)^2) / (mean obs * mean pred); 0 is perfect.

    Raises ValueError where one of the means is 0.
    """
    pred, obs = _pairs(predicted, observed)
    scale = float(obs.mean() * pred.mean())
    if scale == 0:
        raise ValueError("NMSE needs means other than 0")
    return float(np.mean((obs - pred) ** 2)) / scale


def ccc(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Concordance correlation with population moments (Lin 1989, doi:10.2307/2532051); 1 is perfect.

    nan where both are one and the same constant.
    """
    pred, obs = _pairs(predicted, observed)
    spread = float(pred.var() + obs.var() + (pred.mean() - obs.mean()) ** 2)
    return float(2 * np.mean((pred - pred.mean()) * (obs - obs.mean())) / spread) if spread > 0 else float("nan")


def ccc_of_change(
    predicted: ArrayLike, observed: ArrayLike, predicted_before: ArrayLike, observed_before: ArrayLike
) -> float:
    """Concordance of changes from a value before: levels agree by the spread between people alone, changes do not."""
    pred, obs = _pairs(predicted, observed)
    pred_0, obs_0 = _pairs(predicted_before, observed_before)
    return ccc(pred - pred_0, obs - obs_0)


def rmse(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Root mean square error, in the unit of the values."""
    pred, obs = _pairs(predicted, observed)
    return float(np.sqrt(np.mean((pred - obs) ** 2)))


def mean_error(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Mean of predicted less observed, in the unit of the values."""
    pred, obs = _pairs(predicted, observed)
    return float(np.mean(pred - obs))


def mpe(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Mean prediction error in % of the observed (rBias; Sheiner and Beal 1981, doi:10.1007/BF01060893)."""
    return float(100 * np.mean(_relative(predicted, observed)))


def relative_rmse(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Root mean square of the relative errors, % (rRMSE; Sheiner and Beal 1981)."""
    return float(100 * np.sqrt(np.mean(_relative(predicted, observed) ** 2)))


def share_within_percent(predicted: ArrayLike, observed: ArrayLike, percent: float) -> float:
    """Share (0 to 1) of predictions within ``percent`` of the observed, limits included (F20, F30 of forecasts)."""
    error = 100 * np.abs(_relative(predicted, observed))
    return float(np.mean(error <= percent * (1 + 1e-12)))


def calibration_line(predicted: ArrayLike, observed: ArrayLike) -> tuple[float, float]:
    """Slope and intercept of observed on predicted by least squares; 1 and 0 are perfect. nan without spread."""
    pred, obs = _pairs(predicted, observed)
    x = pred - pred.mean()
    if not x @ x > 0:
        return float("nan"), float("nan")
    slope = float(x @ obs / (x @ x))
    return slope, float(obs.mean() - slope * pred.mean())
