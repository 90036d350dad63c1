"""The approximations of a subject's marginal likelihood: each maps the joint density near its mode to one number.

For subject i with whitened random effects z ~ Normal(0, 1) and h(z) = log p(y_i | z) - z'z / 2, the marginal likelihood
is the integral of exp(h) / (2 pi)^(m/2).

=======  ============================================================================================================
FO       f linearised at eta = 0: y ~ Normal(f(0), J Omega J' + R(0))
FOCE     Laplace's method with the Gauss-Newton curvature, residual variances R those of the prediction at eta = 0
FOCEI    the same with R at the mode, which adds the expected information in dR/d eta to the curvature
Laplace  with the exact curvature (differences of the exact gradient)
AGQ      Gauss-Hermite quadrature, nodes centred at the mode and scaled by the exact curvature (one node: Laplace)
=======  ============================================================================================================

Laplace and AGQ take the curvature of FOCEI instead where ``curvature`` is "expected" (nlmixr does: one node is FOCEI
then; with many nodes the choice does not matter).

Wang 2007, J Pharmacokinet Pharmacodyn 34:575, doi 10.1007/s10928-007-9060-6; Pinheiro and Bates 1995, J Comput Graph
Stat 4:12, doi 10.1080/10618600.1995.10474663 (quadrature).
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pharmtwin.inference.estimation.modes import LogJoint, root
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.problem import Problem

Floats = NDArray[np.float64]
METHODS = ("fo", "foce", "focei", "laplace", "agq")
CURVATURES = ("exact", "expected")
#: step of the differences of the gradient, in standard deviations of the prior
STEP = 1e-3
#: more nodes than this a subject are refused
MOST_NODES = 5000


@njit(cache=True, nogil=True)
def _spreads(f: Any, kind: Any, where: Any, zero: Any, sigma: Any, out: Any) -> None:
    """Residual standard deviation at every prediction (of its logarithm for a lognormal error)."""
    for i in range(f.shape[0]):
        b = sigma[where[i, 1]] if where[i, 1] >= 0 else 0.0
        size = zero[i] if f[i] == 0.0 else f[i]
        out[i] = sc.spread(kind[i], size, sigma[where[i, 0]], b)[0]


def residual_sd(problem: Problem, f: Floats, sigma: Floats) -> Floats:
    """Residual standard deviation (n_obs,) at predictions f; that of log y where the error is lognormal."""
    out = np.empty(len(f))
    _spreads(f, problem.kind, problem.where, problem.zero, np.asarray(sigma, dtype=float), out)
    return out


def frozen(problem: Problem, fixed: Floats, sigma: Floats) -> tuple[Problem, Floats]:
    """The problem with residual standard deviations fixed at those of the prediction at eta = 0, and these (n_obs,).

    The second stands in for ``sigma``: each observation has a residual parameter of its own.
    """
    f = problem.predict(problem.rows(fixed, np.zeros((len(problem.subjects), _width(problem)))), False).f
    kind = np.where(problem.kind == sc.LOGNORMAL, sc.LOGNORMAL, sc.ADDITIVE)
    where = np.column_stack([np.arange(len(f)), np.full(len(f), -1)])
    return replace(problem, kind=kind, where=where), residual_sd(problem, f, sigma)


def _width(problem: Problem) -> int:
    return len(problem.effects) - problem.n_fixed


def first_order(problem: Problem, fixed: Floats, sigma: Floats, omega: Floats) -> Floats:
    """-2 log marginal likelihood of every case (n_cases,) by FO, without n log 2 pi; +inf where it cannot be
    computed."""
    p = problem.predict(problem.rows(fixed, np.zeros((len(problem.subjects), _width(problem)))))
    sd, J = residual_sd(problem, p.f, sigma), p.J @ root(omega)
    e, extra = problem.y - p.f, np.zeros(len(p.f))
    log = problem.kind == sc.LOGNORMAL
    if log.any():
        with np.errstate(invalid="ignore", divide="ignore"):
            e[log] = np.log(problem.y[log]) - np.log(p.f[log])
            extra[log] = 2.0 * np.log(problem.y[log])  # density of y, not of its logarithm
            J[log] /= p.f[log, None]
    out = np.full(problem.n_cases, np.inf)
    case = problem.case_of_run[problem.run_of_obs]
    for k in range(problem.n_cases):
        mine = np.flatnonzero(case == k)
        V = J[mine] @ J[mine].T + np.diag(sd[mine] ** 2)
        if np.isfinite(V).all() and np.isfinite(e[mine]).all() and (sd[mine] > 0).all():
            C = np.linalg.cholesky(V)
            u = np.linalg.solve(C, e[mine])
            out[k] = 2.0 * np.log(np.diag(C)).sum() + u @ u + extra[mine].sum()
    return out


def exact_curvature(joint: LogJoint, z: Floats) -> Floats:
    """-d2 h / dz2 at z (n_subjects, m): (n_subjects, m, m), by central differences of the exact gradient."""
    n, m = z.shape
    H = np.empty((n, m, m))
    for k in range(m):
        shift = np.zeros(m)
        shift[k] = STEP
        H[:, k] = (joint(z - shift)[1] - joint(z + shift)[1]) / (2.0 * STEP)
    return 0.5 * (H + H.transpose(0, 2, 1))


def expected_curvature(joint: LogJoint, information: Floats) -> Floats:
    """1 + L' I L (n_subjects, m, m) of the expected information I on eta."""
    return np.einsum("ji,njk,kl->nil", joint.L, information, joint.L) + np.eye(joint.L.shape[1])


def cholesky(curvature: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Lower roots (n, m, m) and which matrices have one; the others' roots are 1."""
    roots = np.tile(np.eye(curvature.shape[1]), (len(curvature), 1, 1))
    good = np.zeros(len(curvature), dtype=bool)
    for i, H in enumerate(curvature):
        if np.isfinite(H).all():
            try:
                roots[i], good[i] = np.linalg.cholesky(H), True
            except np.linalg.LinAlgError:
                continue
    return roots, good


def at_mode(joint: LogJoint, z: Floats, method: str, nodes: int, curvature: str) -> tuple[Floats, Floats]:
    """-2 log marginal likelihood of every subject from the mode z, all constants kept; and the curvature used.

    ``method``: any of :data:`METHODS` but "fo". +inf where a solve fails or z is no mode (curvature not positive).
    """
    if method in ("foce", "focei") or curvature == "expected":
        value, _, information, _, _ = joint(z, information=True)
        H = expected_curvature(joint, information)
    else:
        value = joint.value(z)
        H = exact_curvature(joint, z)
    C, good = cholesky(H)
    log_det = 2.0 * np.log(np.einsum("nii->ni", C)).sum(axis=1)
    total = -2.0 * value + log_det
    if method == "agq":
        total = -2.0 * _quadrature(joint, z, C, nodes) + log_det
    return np.where(good & np.isfinite(total), total, np.inf), H


def _quadrature(joint: LogJoint, z: Floats, C: Floats, nodes: int) -> Floats:
    """log sum_k w_k exp(x_k'x_k) exp(h(z + sqrt(2) C'^-1 x_k)) / pi^(m/2), C C' the curvature."""
    m = z.shape[1]
    if nodes**m > MOST_NODES:
        raise ValueError(f"{nodes} nodes in {m} dimensions are {nodes**m} points a subject, more than {MOST_NODES}")
    x, w = np.polynomial.hermite.hermgauss(nodes)
    scale = np.sqrt(2.0) * np.linalg.inv(C).transpose(0, 2, 1)
    total = np.full(len(z), -np.inf)
    for where in itertools.product(range(nodes), repeat=m):
        at = x[list(where)]
        log_weight = np.log(w[list(where)]).sum() + at @ at - 0.5 * m * np.log(np.pi)
        total = np.logaddexp(total, log_weight + joint.value(z + scale @ at))
    return total
