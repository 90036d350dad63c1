"""Scores that need the whole predictive distribution of an observation; its quantiles alone do not tell them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.distribution import crps, pit

Floats = NDArray[np.float64]


def score_rows(twin_id: str, model: str, samples: pd.DataFrame, drawn: Floats) -> list[dict[str, object]]:
    """Rows of table ``predictive_scores``: ``samples`` (time_h, dv_ng_ml), ``drawn`` (n_draws, n_samples) in ng/mL."""
    observed = samples["dv_ng_ml"].to_numpy(float)
    distance, below = crps(drawn.T, observed), pit(drawn.T, observed)
    head: dict[str, object] = {"twin_id": twin_id, "model": model, "n_draws": len(drawn)}
    return [
        {**head, "time_h": float(t), "crps": float(c), "pit": float(p)}
        for t, c, p in zip(samples["time_h"], distance, below, strict=True)
    ]  # fmt: skip


def exceedance_rows(
    twin_id: str, model: str, samples: pd.DataFrame, drawn: Floats, limits: Sequence[float]
) -> list[dict[str, object]]:
    """Rows of table ``exceedance`` for limits in ng/mL.

    Half a draw is added on either side (the mean under Jeffreys' prior): draws can never show a probability of 0 or 1.
    """
    n = len(drawn)
    return [
        {"twin_id": twin_id, "model": model, "time_h": float(t), "limit": float(limit), "probability": float(p)}
        for limit in limits
        for t, p in zip(samples["time_h"], ((drawn > limit).sum(axis=0) + 0.5) / (n + 1), strict=True)
    ]
