"""How surprising a person's samples are before the fit: prior predictive errors, impossible samples, slips of units.

|npde| (Brendel 2006, doi 10.1007/s11095-006-9067-5): where each sample stands among simulated ones, given the samples
before it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.twin.residuals import Samples, log_likelihood, quantified, residual_sd, simulated
from pharmtwin.inference.twin.target import Predictive

Floats = NDArray[np.float64]
#: factors that a slip of units makes (mg for ug, ug/L for mg/L), and how near to one counts
SLIPS, NEAR = (1e-6, 1e-3, 1e3, 1e6), 3.0
#: a prediction below this share of the median one is next to nothing where samples are compared on a log-like scale
NOTHING = 1e-6


def impossible(target: Samples, prior: Predictive) -> NDArray[np.bool_]:
    """Samples (n_obs,) that no draw of the prior can give: a prediction of 0 under a relative error, a value of 0 under
    a lognormal one. Draws that the solver fails on do not count."""
    value = log_likelihood(target, prior.f, prior.sigma)
    solved = np.isfinite(prior.f).all(axis=1)
    return (
        np.asarray(np.all(~np.isfinite(value[solved]), axis=0)) if solved.any() else np.zeros(target.n_obs, dtype=bool)
    )


def surprise(target: Samples, prior: Predictive, rng: np.random.Generator) -> Floats:
    """Standard normal score of each sample under the prior predictive (n_obs,); a large one is surprising.

    Quantified samples: npde, decorrelated in the order of the samples; beyond all simulated values the score is at
    least that of the last one. Censored samples: that of the probability of being censored, where it is small.
    NaN where the prior predicts nothing to compare with.
    """
    score = np.full(target.n_obs, np.nan)
    solved = np.isfinite(prior.f).all(axis=1)
    if solved.sum() < 2 * (target.n_obs + 2):
        return score
    prior = Predictive(prior.v[solved], prior.case[solved], prior.sigma[solved], prior.f[solved])
    n = len(prior.f)
    edge = 0.5 / n
    seen = quantified(target)
    share = np.exp(log_likelihood(target, prior.f, prior.sigma)).mean(axis=0)
    score[~seen] = -ndtri(np.clip(share[~seen], edge, 0.5))
    if not seen.any():
        return score
    y, scale = target.problem.y[target.obs][seen], _scale(target, prior)[seen]
    sim = np.arcsinh(simulated(target, prior.f, prior.sigma, rng)[:, seen] / scale)
    usable = np.isfinite(sim).all(axis=0)
    if not usable.all():  # a sample whose error has no scale at some draws
        seen[np.flatnonzero(seen)[~usable]] = False
        y, scale, sim = y[usable], scale[usable], sim[:, usable]
    if not seen.any():
        return score
    centre = sim.mean(axis=0)
    cov = np.cov(sim, rowvar=False).reshape(len(y), len(y))
    L = np.linalg.cholesky(cov + 1e-10 * np.trace(cov) * np.eye(len(y)))
    z = np.linalg.solve(L, (sim - centre).T).T
    own = np.linalg.solve(L, np.arcsinh(y / scale) - centre)
    rank = np.clip((z < own).mean(axis=0), edge, 1.0 - edge)
    score[seen] = np.where(
        (rank > edge) & (rank < 1.0 - edge), np.abs(ndtri(rank)), np.maximum(np.abs(own), -ndtri(edge))
    )
    return score


def slip(target: Samples, prior: Predictive) -> float:
    """The factor of units that lies between samples and prior predictions; 1 where none does."""
    return unit_factor(log_ratio(target, prior))


def unit_factor(logarithm: float) -> float:
    """The slip of units that a factor (its logarithm) is near to; 1 where there is none."""
    factor = float(np.exp(logarithm))
    return next((s for s in SLIPS if s / NEAR < factor < s * NEAR), 1.0)


def log_ratio(target: Samples, prior: Predictive) -> float:
    """Mean logarithm of sample over median prediction; NaN where nothing can be compared."""
    with np.errstate(invalid="ignore"):
        middle = np.nanmedian(prior.f, axis=0) if np.isfinite(prior.f).any() else np.full(target.n_obs, np.nan)
    y = target.problem.y[target.obs]
    usable = quantified(target) & (middle > 0) & (y > 0)
    return float(np.mean(np.log(y[usable] / middle[usable]))) if usable.any() else float("nan")


def _scale(target: Samples, prior: Predictive) -> Floats:
    """Scale c of each sample for arcsinh(y / c): the error's standard deviation at nothing, or next to nothing."""
    at_nothing = residual_sd(target, np.full((len(prior.sigma), target.n_obs), 1e-300), prior.sigma)
    relative = target.problem.kind[target.obs] == sc.LOGNORMAL
    least = NOTHING * np.median(np.abs(prior.f), axis=0) + 1e-300
    return np.maximum(np.where(relative, 0.0, np.median(at_nothing, axis=0)), least)
