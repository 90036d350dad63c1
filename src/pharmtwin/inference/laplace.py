"""Mode and curvature of the population posterior: the affine map that makes the sampler's work easy.

All parameters are standardised (prior N(0, 1)); phi = mode + L u with L L' the inverse Hessian at the
mode. Sampling u instead of phi changes nothing in the posterior (the map is affine and fixed) but removes
the correlations that make NUTS take long trajectories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from pharmtwin.core.whole_body import INDIVIDUAL
from pharmtwin.inference.data import MG_PER_L, FitData
from pharmtwin.inference.priors import OMEGA_SPREAD, PopulationPriors

Floats = NDArray[np.float64]
N_PAR = len(INDIVIDUAL)
ACTIVITY = INDIVIDUAL.index("f_CYP2D6")


@dataclass(frozen=True)
class Whitening:
    """phi = mode + L u; ``log_density`` at the mode."""

    mode: Floats
    L: Floats
    log_density: float


def unpack(phi: Floats, n_twins: int) -> tuple[Floats, Floats, float, Floats]:
    """theta (4,), log_omega (4,), log_sigma, z (n_twins, 4), all standardised."""
    return phi[:N_PAR], phi[N_PAR : 2 * N_PAR], float(phi[2 * N_PAR]), phi[2 * N_PAR + 1 :].reshape(n_twins, N_PAR)


class LogPosterior:
    """Log posterior density of the standardised parameters and its exact gradient (numpy, one solve)."""

    def __init__(self, data: FitData, priors: PopulationPriors, kernel: Any) -> None:
        self.data, self.priors, self.kernel = data, priors, kernel
        self.size = 2 * N_PAR + 1 + len(data.twins) * N_PAR

    def __call__(self, phi: Floats) -> tuple[float, Floats]:
        """Value and gradient; (-inf, 0) where a solve failed."""
        d, p = self.data, self.priors
        n_twins, n_runs = len(d.twins), len(d.twin_of_run)
        theta, log_omega, log_sigma, z = unpack(phi, n_twins)
        omega = p.omega * np.exp(OMEGA_SPREAD * log_omega)
        sigma = p.sigma * np.exp(OMEGA_SPREAD * log_sigma)
        x = np.exp(np.log(p.typical) + p.uncertainty * theta + omega * z)[d.twin_of_run]
        x[:, ACTIVITY] *= d.activity
        concentration, jacobian, failed = self.kernel(x)
        if failed or not np.all(concentration > 0):
            return -np.inf, np.zeros(self.size)
        residual = (d.log_observed - np.log(concentration * MG_PER_L)) / sigma
        log_lik = d.log_weight + np.bincount(
            d.run_of_obs, -0.5 * residual**2 - np.log(sigma) - 0.5 * np.log(2 * np.pi), minlength=n_runs
        )
        per_twin = np.full((n_twins, n_runs), -np.inf)
        per_twin[d.twin_of_run, np.arange(n_runs)] = log_lik
        total = logsumexp(per_twin, axis=1)
        responsibility = np.exp(log_lik - total[d.twin_of_run])
        w = responsibility[d.run_of_obs]
        # d loglik / d log x, summed over the observations of a run
        slope = (w * residual / (sigma * concentration))[:, None] * jacobian * x[d.run_of_obs]
        by_run = np.zeros((n_runs, N_PAR))
        np.add.at(by_run, d.run_of_obs, slope)
        by_twin = np.zeros((n_twins, N_PAR))
        np.add.at(by_twin, d.twin_of_run, by_run)
        gradient = np.concatenate(
            [
                p.uncertainty * by_twin.sum(0),
                OMEGA_SPREAD * omega * (by_twin * z).sum(0),
                [OMEGA_SPREAD * float(np.sum(w * (residual**2 - 1.0)))],
                (by_twin * omega).ravel(),
            ]
        )
        return float(total.sum() - 0.5 * phi @ phi), gradient - phi


def whiten(posterior: LogPosterior) -> Whitening:
    """Find the mode (L-BFGS with the exact gradient) and the inverse Hessian there.

    The Hessian is made of central differences of the exact gradient; eigenvalues below 0.3 (the prior
    alone gives 1) are raised to 0.3, so that the map stays well conditioned if the mode is not a maximum
    in every direction.
    """
    result = minimize(lambda v: tuple(-a for a in posterior(v)), np.zeros(posterior.size), jac=True, method="L-BFGS-B")
    mode, step = result.x, 1e-3
    hessian = np.empty((posterior.size, posterior.size))
    for k in range(posterior.size):
        e = np.zeros(posterior.size)
        e[k] = step
        hessian[k] = -(posterior(mode + e)[1] - posterior(mode - e)[1]) / (2 * step)
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    values = np.maximum(values, 0.3)
    return Whitening(mode, vectors / np.sqrt(values), float(-result.fun))
