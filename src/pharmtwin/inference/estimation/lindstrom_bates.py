"""The alternating algorithm of Lindstrom and Bates (1990), as the R package nlme runs it: not quite maximum likelihood
by FOCE.

Given estimates, the model is linearised at the conditional modes; the linear mixed model is fitted by maximum
likelihood; its estimates, or a share of the way to them, give new modes, until nothing changes. FOCE maximises the same
approximation of the likelihood, but lets the linearisation move with the parameters, so that it ends a little higher
and elsewhere.

Lindstrom and Bates 1990, Biometrics 46:673; Pinheiro and Bates 2000, Mixed-Effects Models in S and S-PLUS, chapter 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from pharmtwin.inference.estimation import objective as ob
from pharmtwin.inference.estimation.approximations import residual_sd
from pharmtwin.inference.estimation.modes import conditional_modes, root
from pharmtwin.inference.estimation.scale import Scale, expanded_omega, scale_of, with_values
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.problem import Problem, make_problem
from pharmtwin.inference.problem.records import Subject

Floats = NDArray[np.float64]
#: the algorithm is done when nothing moves by more: fixed effects in standard errors, logarithms of standard deviations
STILL = 1e-5
#: smallest share of a step of the fixed effects
SHORTEST = 1e-3


@dataclass(frozen=True)
class LinearisedFit:
    """What the algorithm found.

    Attributes
    ----------
    model : with the estimates as its values. log_likelihood : of the linear mixed model, with constants (nlme's
        logLik).
    se : (n_fixed,) of the fixed effects, from the linear mixed model at given variances (NaN: fixed).
    eta : (n_subjects, n_random) conditional modes.
    """

    model: PopulationModel
    log_likelihood: float
    se: Floats
    eta: Floats
    iterations: int
    converged: bool


class _Linear(NamedTuple):
    """The linearised model of all subjects: w = X theta + Z eta + e; rows of each subject."""

    w: Floats
    X: Floats
    Z: Floats
    rows: list[NDArray[np.int64]]


def lindstrom_bates(
    model: PopulationModel,
    subjects: Sequence[Subject],
    *,
    covariate_at: str = "end",
    rtol: float = 1e-9,
    most: int = 200,
) -> LinearisedFit:
    """Estimates by the alternating algorithm, from the model's values.

    Raises EstimationError where an observation is censored, a residual error depends on the prediction (its weights
    would move with the linearisation), or nothing is left to estimate.
    """
    problem = make_problem(model, subjects, wrt="all", covariate_at=covariate_at, rtol=rtol)
    ob.check(problem, "foce")
    if not np.isin(problem.kind, (sc.ADDITIVE, sc.LOGNORMAL)).all():
        raise ob.EstimationError(f"{model.name}: a residual error depends on the prediction; use foce or focei")
    inner = make_problem(model, subjects, covariate_at=covariate_at, rtol=rtol)
    scale = scale_of(model)
    n_occasions = max(s.n_occasions for s in subjects)
    free = list(scale.free_fixed)
    fixed, v = np.array([f.value for f in model.fixed]), scale.start[len(free) :]

    def modes(fixed: Floats, v: Floats, z: Floats | None) -> tuple[float, Floats, Floats]:
        """-2 log joint density, conditional modes and their whitened selves, started from whitened ones."""
        values = scale.values(np.concatenate([scale.start[: len(free)], v]))
        omega = expanded_omega(model, values.omega, n_occasions)
        L = root(omega)
        start = None if z is None else z @ L.T
        found = conditional_modes(inner, fixed, values.sigma, omega, start, screen=24 if z is None else 0)
        return float(found.objective.sum()), found.eta, found.eta @ np.linalg.pinv(L).T

    _, eta, z = modes(fixed, v, None)
    converged, iteration = False, 0
    while iteration < most and not converged:
        iteration += 1
        linear = _linearised(problem, fixed, eta, free)
        # from the stated variances, too: one that went to 0 on the way has no slope to come back by
        tries = [
            minimize(lambda u, at=linear: _value(problem, scale, n_occasions, u, at), start, method="BFGS",
                     options={"gtol": 1e-6})
            for start in (v, scale.start[len(free) :])
        ]  # fmt: skip
        best = min(tries, key=lambda t: float(t.fun))
        _, theta, information = _minus_2ll(problem, scale, n_occasions, best.x, linear)
        before, _, z = modes(fixed, best.x, z)
        ahead, step = np.zeros(len(fixed)), 1.0
        ahead[free] = theta - fixed[free]
        after, eta, z_new = modes(fixed + ahead, best.x, z)
        while not after <= before + 1e-6 and step > SHORTEST:  # the linear model holds near its point only
            step *= 0.5
            after, eta, z_new = modes(fixed + step * ahead, best.x, z)
        moved = np.concatenate([best.x - v, ahead[free] * np.sqrt(np.diag(information))])
        converged = float(np.abs(moved).max()) < STILL
        fixed, v, z = fixed + step * ahead, best.x, z_new
    value, _, information = _minus_2ll(problem, scale, n_occasions, v, _linearised(problem, fixed, eta, free))
    se = np.full(len(fixed), np.nan)
    se[free] = np.sqrt(np.diag(np.linalg.inv(information)))
    values = scale.values(np.concatenate([scale.start[: len(free)], v]))
    values.fixed[:] = fixed
    return LinearisedFit(with_values(model, values), -0.5 * value, se, eta, iteration, converged)


def _linearised(problem: Problem, fixed: Floats, eta: Floats, free: list[int]) -> _Linear:
    p = problem.predict(problem.rows(fixed, eta))
    f, J, y = p.f, p.J, problem.y
    log = problem.kind == sc.LOGNORMAL
    if log.any():
        J = np.where(log[:, None], J / f[:, None], J)
        f, y = np.where(log, np.log(f), f), np.where(log, np.log(y), y)
    X, Z = J[:, free], J[:, problem.n_fixed :]
    subject = problem.subject_of_run[problem.run_of_obs]
    rows = [np.flatnonzero(subject == i) for i in range(len(problem.subjects))]
    w = y - f + X @ fixed[free] + np.einsum("nk,nk->n", Z, eta[subject])
    return _Linear(w, X, Z, rows)


def _value(problem: Problem, scale: Scale, n_occasions: int, v: Floats, at: _Linear) -> float:
    """-2 log likelihood; +inf where a step of the search went too far to compute it."""
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            return _minus_2ll(problem, scale, n_occasions, v, at)[0]
        except np.linalg.LinAlgError:
            return float("inf")


def _minus_2ll(
    problem: Problem, scale: Scale, n_occasions: int, v: Floats, at: _Linear
) -> tuple[float, Floats, Floats]:
    """-2 log likelihood of the linear mixed model, best fixed effects for these variances, and their information."""
    n_free = len(scale.free_fixed)
    values = scale.values(np.concatenate([scale.start[:n_free], v]))
    L = root(expanded_omega(scale.model, values.omega, n_occasions))
    variance = residual_sd(problem, np.ones(len(at.w)), values.sigma) ** 2
    information, score, log_det, square = np.zeros((n_free, n_free)), np.zeros(n_free), 0.0, 0.0
    for mine in at.rows:
        D = at.Z[mine] @ L
        C = np.linalg.cholesky(D @ D.T + np.diag(variance[mine]))
        u = np.linalg.solve(C, np.column_stack([at.w[mine], at.X[mine]]))
        information += u[:, 1:].T @ u[:, 1:]
        score += u[:, 1:].T @ u[:, 0]
        square += float(u[:, 0] @ u[:, 0])
        log_det += 2.0 * float(np.log(np.diag(C)).sum())
    theta: Floats = np.asarray(np.linalg.solve(information, score)) if n_free else score
    jacobian = 2.0 * float(np.log(problem.y[problem.kind == sc.LOGNORMAL]).sum())
    constant = len(at.w) * np.log(2.0 * np.pi) + jacobian
    return square - float(theta @ score) + log_det + constant, theta, information
