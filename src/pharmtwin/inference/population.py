"""Hierarchical Bayesian population fit: NUTS on the PBPK model with exact gradients.

For twin i and activity component k (diplotypes with the same activity):

    f_CYP2D6 = activity_k exp(theta_1 + omega_1 z_i1)        f_other  = exp(theta_2 + omega_2 z_i2)
    Kp_scale = Kp_scale_drug exp(theta_3 + omega_3 z_i3)     MTT      = MTT_drug exp(theta_4 + omega_4 z_i4)
    log C_ij ~ Normal(log C_model(t_ij), sigma)              z ~ Normal(0, 1)

non-centred, and moved towards the centred form as far as a twin's own data determine the effect (see
``laplace``; the model is the same). The likelihood marginalises over the twin's diplotype mixture (log-sum-exp over the
components), so ambiguity in the genome stays ambiguity until concentrations settle it, and no variance
enters twice: the genome's prior is the mixture, everything else is in omega. Priors: theta and omega from
the drug file (uncertainty, between_subject).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.priors import OMEGA_SPREAD, PopulationPriors
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body_for_fit
from pharmtwin.inference.data import MG_PER_L, FitData
from pharmtwin.inference.laplace import Whitening, whiten

Floats = NDArray[np.float64]
LABELS = {
    "f_CYP2D6": ("CLint_CYP2D6", "CYP2D6 intrinsic clearance relative to the drug file at the genotype's activity"),
    "f_other": ("CLint_other", "other hepatic intrinsic clearance relative to the drug file"),
    "Kp_scale": ("Kp_scale", "factor on all tissue:plasma partition coefficients"),
    "MTT": ("MTT", "mean transit time of oral absorption"),
}


def build_model(data: FitData, priors: PopulationPriors, rtol: float) -> tuple[Any, Any, Whitening]:
    """The PyMC model in whitened coordinates (see ``laplace``), its solver operation and the affine map."""
    import pymc as pm
    import pytensor.tensor as pt

    from pharmtwin.inference.solve_op import SolveOp

    op = SolveOp(whole_body_for_fit(), data.batch, "C_plasma", rtol)
    affine = whiten(data, priors, op.kernel)
    n_twins, n_par, n_runs = len(data.twins), len(INDIVIDUAL), len(data.twin_of_run)
    to_twin = np.zeros((n_twins, n_runs), dtype=bool)
    to_twin[data.twin_of_run, np.arange(n_runs)] = True
    sum_obs = np.zeros((n_runs, len(data.run_of_obs)))
    sum_obs[data.run_of_obs, np.arange(len(data.run_of_obs))] = 1.0
    activity = np.ones((n_runs, n_par))
    activity[:, INDIVIDUAL.index("f_CYP2D6")] = data.activity
    coords = {"parameter": [LABELS[p][0] for p in INDIVIDUAL], "twin": [t.twin_id for t in data.twins]}
    with pm.Model(coords=coords) as model:
        u = pm.Flat("u", shape=len(affine.centre), initval=np.zeros(len(affine.centre)))
        phi = affine.centre + pt.dot(pt.constant(affine.L), u)
        theta = pm.Deterministic("theta", phi[:n_par] * priors.uncertainty, dims="parameter")
        omega = pm.Deterministic(
            "omega", pt.exp(phi[n_par : 2 * n_par] * OMEGA_SPREAD) * priors.omega, dims="parameter"
        )
        sigma = pm.Deterministic("sigma", pt.exp(phi[2 * n_par] * OMEGA_SPREAD) * priors.sigma)
        effect = phi[2 * n_par + 1 :].reshape((n_twins, n_par))
        z = effect * omega**-affine.centring
        eta = pm.Deterministic("eta", omega * z, dims=("twin", "parameter"))
        pm.Potential("prior", -0.5 * (pt.sum(phi[: 2 * n_par + 1] ** 2) + pt.sum(z**2)))  # all N(0, 1)
        pm.Potential("jacobian", -pt.sum(affine.centring * pt.log(omega)))
        log_x = np.log(priors.typical) + theta + eta  # (twin, parameter)
        solved: Any = op(pt.exp(log_x)[data.twin_of_run] * activity)
        concentration = solved[0]
        residual = (data.log_observed - pt.log(concentration * MG_PER_L)) / sigma
        log_lik_obs = -0.5 * residual**2 - pt.log(sigma) - 0.5 * np.log(2 * np.pi)
        log_lik_run = pt.dot(pt.constant(sum_obs), log_lik_obs) + data.log_weight
        pm.Potential("log_likelihood", _log_sum_exp_by_twin(log_lik_run, to_twin).sum())
    return model, op, affine


def _log_sum_exp_by_twin(log_lik_run: Any, to_twin: NDArray[np.bool_]) -> Any:
    import pytensor.tensor as pt

    spread = pt.where(to_twin, log_lik_run[None, :], -1e30)
    top = pt.max(spread, axis=1, keepdims=True)
    return pt.log(pt.sum(pt.exp(spread - top), axis=1)) + top[:, 0]


@dataclass(frozen=True)
class Draws:
    """Posterior draws on the natural scale.

    theta : (n, 4) log deviation of typical values from the drug file. omega : (n, 4). sigma : (n,).
    log_x : (n, n_twins, 4) logarithm of the individual parameters (``f_CYP2D6`` without the activity).
    """

    theta: Floats
    omega: Floats
    sigma: Floats
    log_x: Floats


def natural(posterior: Any, priors: PopulationPriors) -> Draws:
    """Draws of all chains (chain-major) on the natural scale."""
    theta, omega, eta = (posterior[k].values.reshape(-1, *posterior[k].shape[2:]) for k in ("theta", "omega", "eta"))
    sigma = posterior["sigma"].values.reshape(-1)
    return Draws(theta, omega, sigma, np.log(priors.typical) + theta[:, None, :] + eta)


@dataclass(frozen=True)
class SamplerSettings:
    """NUTS: chains, warm-up and kept draws a chain, target acceptance, cores, seed."""

    chains: int
    tune: int
    draws: int
    target_accept: float
    cores: int
    seed: int


def sample(model: Any, settings: SamplerSettings) -> Any:
    """Run NUTS (nutpie, compiled with numba) and return ArviZ InferenceData.

    Deterministic for a given seed, whatever the number of cores.
    """
    import nutpie

    return nutpie.sample(
        nutpie.compile_pymc_model(model, backend="numba"),
        chains=settings.chains,
        tune=settings.tune,
        draws=settings.draws,
        cores=settings.cores,
        seed=settings.seed,
        target_accept=settings.target_accept,
        progress_bar=False,
        save_warmup=False,
    )
