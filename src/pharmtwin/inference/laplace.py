"""Mode and curvature of the population posterior: the affine map that makes the sampler's work easy.

All parameters are standardised (prior N(0, 1)); phi = mode + L u with L L' the inverse Hessian at the
mode. Sampling u instead of phi changes nothing in the posterior (the map is affine and fixed) but removes
the correlations that make NUTS take long trajectories.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from pharmtwin.core.priors import OMEGA_SPREAD, PopulationPriors
from pharmtwin.core.whole_body import INDIVIDUAL
from pharmtwin.inference.data import MG_PER_L, FitData

Floats = NDArray[np.float64]
N_PAR = len(INDIVIDUAL)
ACTIVITY = INDIVIDUAL.index("f_CYP2D6")
FAILED = 1e10  # cost of a failed solve: finite, so that the line search steps back


@dataclass(frozen=True)
class Whitening:
    """phi = centre + L u, and the ``centring`` (n_twins, 4) of the random effects."""

    centre: Floats
    L: Floats
    centring: Floats


def unpack(phi: Floats, n_twins: int) -> tuple[Floats, Floats, float, Floats]:
    """theta (4,), log_omega (4,), log_sigma, z (n_twins, 4), all standardised."""
    return phi[:N_PAR], phi[N_PAR : 2 * N_PAR], float(phi[2 * N_PAR]), phi[2 * N_PAR + 1 :].reshape(n_twins, N_PAR)


class LogPosterior:
    """Log posterior density of the parameters phi and its exact gradient (numpy, one solve).

    Random effects: eta = omega^(1 - centring) phi with phi ~ N(0, omega^(2 centring)); ``centring``
    (n_twins, 4) is 0 for the non-centred form and 1 for the centred one.
    """

    def __init__(self, data: FitData, priors: PopulationPriors, kernel: Any, centring: Floats | None = None) -> None:
        self.data, self.priors, self.kernel = data, priors, kernel
        self.centring = np.zeros((len(data.twins), N_PAR)) if centring is None else centring
        self.size = 2 * N_PAR + 1 + len(data.twins) * N_PAR

    def __call__(self, phi: Floats) -> tuple[float, Floats]:
        """Value and gradient; (-inf, 0) where a solve failed."""
        d, p = self.data, self.priors
        n_twins, n_runs = len(d.twins), len(d.twin_of_run)
        theta, log_omega, log_sigma, z = unpack(phi, n_twins)
        omega = p.omega * np.exp(OMEGA_SPREAD * log_omega)
        sigma = p.sigma * np.exp(OMEGA_SPREAD * log_sigma)
        lam = self.centring
        scale, wide = omega ** (1.0 - lam), omega**-lam
        eta = scale * z
        x = np.exp(np.log(p.typical) + p.uncertainty * theta + eta)[d.twin_of_run]
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
                p.uncertainty * by_twin.sum(0) - theta,
                OMEGA_SPREAD * ((1.0 - lam) * by_twin * eta + lam * ((z * wide) ** 2 - 1.0)).sum(0) - log_omega,
                [OMEGA_SPREAD * float(np.sum(w * (residual**2 - 1.0))) - log_sigma],
                (by_twin * scale - z * wide**2).ravel(),
            ]
        )
        prior = theta @ theta + log_omega @ log_omega + log_sigma**2 + np.sum((z * wide) ** 2)
        return float(total.sum() - 0.5 * prior - np.sum(lam * (np.log(p.omega) + OMEGA_SPREAD * log_omega))), gradient

    def information(self, phi: Floats) -> Floats:
        """Gauss-Newton information of each twin's data on its own log parameters: (n_twins, 4, 4)."""
        d, p = self.data, self.priors
        theta, log_omega, log_sigma, z = unpack(phi, len(d.twins))
        omega, sigma = p.omega * np.exp(OMEGA_SPREAD * log_omega), p.sigma * np.exp(OMEGA_SPREAD * log_sigma)
        eta = omega ** (1.0 - self.centring) * z
        x = np.exp(np.log(p.typical) + p.uncertainty * theta + eta)[d.twin_of_run]
        x[:, ACTIVITY] *= d.activity
        concentration, jacobian, _ = self.kernel(x)
        slope = jacobian * x[d.run_of_obs] / (concentration[:, None] * sigma)
        weight = np.exp(d.log_weight)[d.run_of_obs]
        out = np.zeros((len(d.twins), N_PAR, N_PAR))
        np.add.at(out, d.twin_of_run[d.run_of_obs], weight[:, None, None] * slope[:, :, None] * slope[:, None, :])
        return out


def choose_centring(posterior: LogPosterior, mode: Floats) -> Floats:
    """How far each random effect is centred: the share of its prior variance that the twin's data remove.

    A weakly informed effect stays non-centred, a well informed one becomes centred (Papaspiliopoulos,
    Roberts, Skold 2007, Stat Sci 22:59, doi 10.1214/088342307000000014); both forms are the same model.
    """
    omega = posterior.priors.omega * np.exp(OMEGA_SPREAD * unpack(mode, len(posterior.data.twins))[1])
    # in units of omega: an effect that the data say nothing about keeps its prior variance of exactly 1
    information = posterior.information(mode) * omega[:, None] * omega
    covariance = np.linalg.inv(information + np.eye(N_PAR))
    return np.clip(1.0 - np.diagonal(covariance, axis1=1, axis2=2), 0.0, 1.0)


def whiten(data: FitData, priors: PopulationPriors, kernel: Any) -> Whitening:
    """Mode of the non-centred form (L-BFGS, exact gradient), centring, and inverse Hessian there.

    The Hessian is made of central differences of the exact gradient; eigenvalues below 0.3 (the prior
    alone gives 1) are raised to 0.3, so that the map stays well conditioned where the density is not
    concave.
    """
    plain = LogPosterior(data, priors, kernel)

    def cost(v: Floats) -> tuple[float, Floats]:
        value, gradient = plain(v)
        return (-value, -gradient) if np.isfinite(value) else (FAILED, gradient)

    result = minimize(cost, np.zeros(plain.size), jac=True, method="L-BFGS-B")
    if not result.success:
        logging.getLogger(__name__).warning("search for the mode: %s", result.message)
    centring = choose_centring(plain, result.x)
    posterior = LogPosterior(data, priors, kernel, centring)
    centre = result.x.copy()
    omega = priors.omega * np.exp(OMEGA_SPREAD * unpack(centre, len(data.twins))[1])
    centre[2 * N_PAR + 1 :] = (unpack(centre, len(data.twins))[3] * omega**centring).ravel()
    step = 1e-3
    hessian = np.empty((posterior.size, posterior.size))
    for k in range(posterior.size):
        e = np.zeros(posterior.size)
        e[k] = step
        hessian[k] = -(posterior(centre + e)[1] - posterior(centre - e)[1]) / (2 * step)
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    return Whitening(centre, vectors / np.sqrt(np.maximum(values, 0.3)), centring)
