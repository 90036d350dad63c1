"""Weights of several models from what each predicts of units left out (Yao 2018, doi:10.1214/17-BA1091)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

Floats = NDArray[np.float64]
GAP = 1e-6  # mean log score that the weights found may be short of the best, per unit
NOTHING = 1e-9  # smaller weights are reported as 0
MAX_STEPS = 100_000
BOOTSTRAP = 1000


def stacking_weights(elpd: ArrayLike) -> Floats:
    """Weights (models,) of the mixture that predicts left-out units best, from pointwise elpd (units, models).

    Maximises the mean over units of log(sum over models of weight * exp(elpd)), a concave problem: SLSQP, then
    steps that cannot go down until the optimality gap is below ``GAP``. Raises ValueError for a table that is not
    finite or has no units, RuntimeError if the gap stays.
    """
    scores = _finite(elpd)
    density = np.exp(scores - scores.max(axis=1, keepdims=True))
    n_models = density.shape[1]
    if n_models == 1:
        return np.ones(1)

    def negative(w: Floats) -> float:
        return -float(np.mean(np.log(np.maximum(density @ w, 1e-300))))

    def slope(w: Floats) -> Floats:
        return -np.asarray(np.mean(density / np.maximum(density @ w, 1e-300)[:, None], axis=0))

    start = np.full(n_models, 1 / n_models)
    found = minimize(
        negative,
        start,
        jac=slope,
        method="SLSQP",
        bounds=[(0, 1)] * n_models,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(n_models)},
        options={"ftol": 1e-14, "maxiter": 500},
    ).x
    w = np.clip(found, 0, 1)
    w = w / w.sum() if np.isfinite(w).all() and w.sum() > 0 and negative(w) <= negative(start) else start
    # a model that SLSQP has put at exactly 0 could not come back in the steps below
    w = (w + 1e-12) / (1 + n_models * 1e-12)
    for _ in range(MAX_STEPS):
        gain = -slope(w)  # its weighted mean is 1; concavity bounds the gap by max(gain) - 1
        if gain.max() - 1 <= GAP:
            w = np.where(w < NOTHING, 0.0, w)
            return np.asarray(w / w.sum())
        w = w * gain / (w @ gain)
    raise RuntimeError(f"stacking weights not found: mean log score may be {gain.max() - 1:.2g} short of the best")


def pseudo_bma_weights(elpd: ArrayLike, rng: np.random.Generator, n_bootstrap: int = BOOTSTRAP) -> Floats:
    """Pseudo-BMA+ weights (models,) from pointwise elpd (units, models): softmax of elpd, averaged over a bootstrap.

    The Bayesian bootstrap over units keeps a difference that a few units make from deciding everything.
    """
    scores = _finite(elpd)
    share = rng.dirichlet(np.ones(len(scores)), size=n_bootstrap)
    return np.asarray(softmax(len(scores) * share @ scores, axis=1).mean(axis=0))


def mixture_elpd(elpd: ArrayLike, weights: ArrayLike) -> float:
    """elpd of the weighted mixture of models, from pointwise elpd (units, models)."""
    scores, w = _finite(elpd), np.asarray(weights, dtype=float)
    return float(logsumexp(scores, b=w, axis=1).sum())


def _finite(elpd: ArrayLike) -> Floats:
    scores = np.asarray(elpd, dtype=float)
    if scores.ndim != 2 or 0 in scores.shape or not np.isfinite(scores).all():
        raise ValueError(f"pointwise elpd must be a finite (units, models) table, not {scores.shape}")
    return scores
