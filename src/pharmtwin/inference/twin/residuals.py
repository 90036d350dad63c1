"""Residual error of samples, by draw: its standard deviation, simulated samples, and residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.problem import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Samples(Protocol):
    """Samples among the observations of a problem: a person's (``TwinTarget``), or others."""

    @property
    def problem(self) -> Problem:
        """Whose observations."""

    @property
    def obs(self) -> Ints:
        """Numbers of the samples among them."""

    @property
    def n_obs(self) -> int:
        """Samples."""


@dataclass(frozen=True, eq=False)
class Observed:
    """All observations of a problem, or some of them."""

    problem: Problem
    obs: Ints

    @property
    def n_obs(self) -> int:
        """Samples."""
        return len(self.obs)


def residual_sd(target: Samples, f: Floats, sigma: Floats) -> Floats:
    """Standard deviation of the residual error at predictions f (n, n_obs), residual parameters sigma (n, n_residuals).

    Of the logarithm where the error is lognormal. NaN where the prediction is, or is 0 and the error has no scale.
    """
    p, obs = target.problem, target.obs
    return _spreads(np.asarray(f, dtype=float), np.asarray(sigma, dtype=float), p.kind[obs], p.where[obs], p.zero[obs])


@njit(cache=True, nogil=True)
def _spreads(f: Any, sigma: Any, kind: Any, where: Any, zero: Any) -> Any:
    out = np.full(f.shape, np.nan)
    for i in range(f.shape[0]):
        for j in range(f.shape[1]):
            size = f[i, j]
            if size == 0.0 and kind[j] != sc.ADDITIVE:  # as score.score does
                own_scale = kind[j] == sc.COMBINED or kind[j] == sc.COMBINED_SD
                size = 0.0 if own_scale and not np.isfinite(zero[j]) else zero[j]
            if np.isfinite(size):
                b = sigma[i, where[j, 1]] if where[j, 1] >= 0 else 0.0
                out[i, j] = sc.spread(kind[j], size, sigma[i, where[j, 0]], b)[0]
    return out


def simulated(target: Samples, f: Floats, sigma: Floats, rng: np.random.Generator) -> Floats:
    """Samples drawn around predictions f (n, n_obs), nothing censored. NaN where there is no prediction."""
    sd = residual_sd(target, f, sigma)
    noise = sd * rng.standard_normal(f.shape)
    lognormal = target.problem.kind[target.obs] == sc.LOGNORMAL
    return np.where(lognormal, f * np.exp(np.where(lognormal, noise, 0.0)), f + noise)


def log_likelihood(target: Samples, f: Floats, sigma: Floats) -> Floats:
    """Log-likelihood of each sample at each prediction f (n, n_obs), residual parameters sigma (n, n_residuals)."""
    p, obs = target.problem, target.obs
    out = np.empty(f.shape)
    d_f, d_sigma, information = np.empty(len(obs)), np.empty((len(obs), 2)), np.empty(len(obs))
    given = p.y[obs], p.code[obs], p.limit[obs], p.kind[obs], p.where[obs], p.zero[obs]
    for i in range(len(out)):
        sc.score(f[i], *given, sigma[i], out[i], d_f, d_sigma, information)
    return out


def standardised(target: Samples, f: Floats, sigma: Floats) -> Floats:
    """(sample - prediction) / residual standard deviation, (n, n_obs); NaN for samples that are censored."""
    p, obs = target.problem, target.obs
    sd = residual_sd(target, f, sigma)
    y = p.y[obs]
    lognormal = p.kind[obs] == sc.LOGNORMAL
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.where(lognormal, np.log(y) - np.log(f), y - f) / sd
    return np.asarray(np.where(quantified(target), out, np.nan))


def quantified(target: Samples) -> NDArray[np.bool_]:
    """Which samples have a value (the others are known to lie beyond a limit)."""
    return np.isin(target.problem.code[target.obs], (sc.OBSERVED, sc.TRUNCATED))
