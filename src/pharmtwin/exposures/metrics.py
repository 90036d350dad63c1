"""Exposure of the last dosing interval in every run, and limits over the draws of a twin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.exposure import NG_ML
from pharmtwin.core.metrics import METRICS

Floats = NDArray[np.float64]
PROBABILITIES = (0.05, 0.5, 0.95)


def exposures(times: Floats, concentration: Floats, area: Floats) -> Floats:
    """The house's metrics of each run, (n, 4) in the order of ``core.exposure.METRICS``; NaN for a failed run.

    Parameters
    ----------
    times : (n_t,) h, the last interval. concentration, area : (n, n_t), mg/L and mg h/L.
    """
    failed = np.asarray(np.isnan(concentration).any(axis=1))
    top = np.where(failed, 0, np.argmax(np.where(failed[:, None], 0.0, concentration), axis=1))
    rows = np.arange(len(concentration))
    found = {
        "AUCtau": (area[:, -1] - area[:, 0]) * NG_ML,
        "Cmax": concentration[rows, top] * NG_ML,
        "Ctrough": concentration[:, -1] * NG_ML,
        "tmax": times[top] - times[0],
    }
    out = np.stack([found[m] for m in METRICS], axis=1)
    out[failed] = np.nan
    return out


def limits(samples: Floats) -> Floats:
    """5 %, 50 % and 95 % limits of the draws (last axis), (..., 3); failed draws (NaN) are left out.

    Hazen's plotting positions ((i - 0.5)/n): with 20 draws the usual quantile (R's type 7) lies too far inside, by 0.2
    standard deviations of a normal distribution; these do not (docs/exposures.md has the comparison with 1,000 draws).
    NaN where no draw is left.
    """
    whole = ~np.isnan(samples).any(axis=-1)
    out = np.full((*samples.shape[:-1], len(PROBABILITIES)), np.nan)
    if whole.any():
        out[whole] = np.moveaxis(np.quantile(samples[whole], PROBABILITIES, axis=-1, method="hazen"), 0, -1)
    for index in zip(*np.nonzero(~whole), strict=True):
        left = samples[index][~np.isnan(samples[index])]
        if len(left):
            out[index] = np.quantile(left, PROBABILITIES, method="hazen")
    return out
