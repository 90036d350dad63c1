"""Conditional modes of the random effects (MAP, "empirical Bayes estimates"), all subjects at once.

For subject i, with random effects eta ~ Normal(0, Omega) and hypotheses k of probability w_k:

    maximise  log sum_k w_k p(y_i | eta, k) - 1/2 eta' Omega^-1 eta

in z with eta = L z, Omega = L L' (effects of variance 0 stay 0). Quasi-Newton (BFGS), started from the expected
information, with backtracking; every iteration solves the subjects that are not there yet, in one batch.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from pharmtwin.inference.problem.problem import Problem
from pharmtwin.inference.problem.score import OBSERVED, TRUNCATED

Floats = NDArray[np.float64]
#: a subject is done when a step would change the log posterior by less than this
DONE = 1e-11
#: gains that the solver's own error hides
NOISE = 1e-9
MOST = 200
#: largest first move of a whitened effect, smallest share of a step
LONGEST, SHORTEST = 1.5, 1e-8


@dataclass(frozen=True)
class Modes:
    """Modes of all subjects.

    Attributes
    ----------
    eta : (n_subjects, n_random). objective : (n_subjects,) -2 log of the joint density without constants
        (sum of log variance + squared residual / variance, + eta' Omega^-1 eta): NONMEM's.
    information : (n_subjects, n_random, n_random) expected information of the data on eta, without the prior.
    weight : (n_cases,) posterior probability of each hypothesis at the mode.
    converged : (n_subjects,). iterations : the largest number.
    """

    eta: Floats
    objective: Floats
    information: Floats
    weight: Floats
    converged: NDArray[np.bool_]
    iterations: int


def root(omega: Floats) -> Floats:
    """L (n, m) with L L' = Omega, without columns for directions of variance 0."""
    values, vectors = np.linalg.eigh(0.5 * (omega + omega.T))
    if len(values) and values[0] > 1e-14 * values[-1]:
        return np.asarray(np.linalg.cholesky(omega))
    kept = values > 1e-14 * max(float(values[-1]), 1e-300) if len(values) else np.zeros(0, dtype=bool)
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


class LogJoint:
    """Log joint density of data and whitened random effects z, by subject, with gradient."""

    def __init__(self, problem: Problem, fixed: Floats, sigma: Floats, omega: Floats, threads: int = 1) -> None:
        expected = tuple(range(problem.n_fixed, len(problem.effects)))
        if problem.wrt != expected:
            raise ValueError("the problem must be made with wrt='random'")
        self.problem, self.fixed, self.sigma, self.threads = problem, fixed, sigma, threads
        self.L = root(omega)
        self._parts: dict[bytes, LogJoint] = {}

    def of(self, subjects: NDArray[np.int64]) -> LogJoint:
        """The same for some of the subjects."""
        if len(subjects) == len(self.problem.subjects):
            return self
        key = subjects.tobytes()
        if key not in self._parts:
            part = copy(self)
            part.problem, part._parts = self.problem.of(subjects.tolist()), {}
            self._parts = {key: part}
        return self._parts[key]

    def value(self, z: Floats) -> Floats:
        """Log joint (n_subjects,) without derivatives."""
        p = self.problem
        like = p.likelihood(p.rows(self.fixed, z @ self.L.T), self.sigma, derivatives=False, threads=self.threads)
        ll = p.by_case(like.ll) + p.log_weight
        return _log_sum(ll, p.subject_of_case, len(p.subjects)) - 0.5 * np.sum(z * z, axis=1)

    def __call__(self, z: Floats, information: bool = False) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Log joint (n_subjects,), gradient, expected information on eta, log-likelihood, weights of the cases.

        The constant of the prior is left out; a failed solve gives -inf.
        """
        p = self.problem
        eta = z @ self.L.T
        like = p.likelihood(p.rows(self.fixed, eta), self.sigma, True, information, self.threads)
        n = len(p.subjects)
        ll = p.by_case(like.ll) + p.log_weight
        total = _log_sum(ll, p.subject_of_case, n)
        with np.errstate(invalid="ignore"):
            weight = np.where(np.isfinite(ll), np.exp(ll - total[p.subject_of_case]), 0.0)
        g = np.zeros((n, eta.shape[1]))
        np.add.at(g, p.subject_of_case, weight[:, None] * p.by_case(like.g))
        info = np.zeros((n, eta.shape[1], eta.shape[1]))
        if like.information is not None:
            np.add.at(info, p.subject_of_case, weight[:, None, None] * p.by_case(like.information))
        return total - 0.5 * np.sum(z * z, axis=1), g @ self.L - z, info, total, weight


def _log_sum(values: Floats, group: NDArray[np.int64], n: int) -> Floats:
    """log sum exp by group."""
    top = np.full(n, -np.inf)
    np.maximum.at(top, group, values)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(top + np.log(np.bincount(group, np.exp(values - top[group]), minlength=n)))


def conditional_modes(
    problem: Problem, fixed: Floats, sigma: Floats, omega: Floats, start: Floats | None = None, *, screen: int = 24,
    threads: int = 1,
) -> Modes:  # fmt: skip
    """Modes of all subjects (problem made with ``wrt="random"``).

    Parameters
    ----------
    start : (n_subjects, n_random); default 0.
    screen : where there are several modes a search ends in the nearest. So many points of the prior (quasi-random, the
        same for all subjects) are tried, a second search starts from the best, and the better end counts. 0: none.

    A subject whose start cannot be solved, or whose search ends before it is done, is marked by ``converged``.
    """
    joint = LogJoint(problem, fixed, sigma, omega, threads)
    n, m = len(problem.subjects), joint.L.shape[1]
    first = np.zeros((n, m)) if start is None else start @ np.linalg.pinv(joint.L).T
    z, value, done, iterations = _search(joint, first)
    if screen and m:
        best = _screened(joint, screen, n, m)
        other, value_2, done_2, more = _search(joint, best)
        better = (value_2 > value + 1e-6) | (~done & done_2 & (value_2 > value - 1e-6))
        z = np.where(better[:, None], other, z)
        done = np.where(better, done_2, done)
        iterations += more
    value, _, info, _, weight = joint(z, information=True)
    plain = np.isin(problem.code, (OBSERVED, TRUNCATED))
    counted = np.bincount(problem.subject_of_run[problem.run_of_obs[plain]], minlength=n)
    n_obs = counted / np.maximum(np.bincount(problem.subject_of_case, minlength=n), 1)
    objective = -2.0 * value - n_obs * np.log(2.0 * np.pi)
    return Modes(z @ joint.L.T, objective, info, weight, done & np.isfinite(value), iterations)


def _screened(joint: LogJoint, points: int, n: int, m: int) -> Floats:
    """The best of some points of the prior, by subject."""
    uniform = qmc.Sobol(m, scramble=True, rng=np.random.default_rng(0)).random(1 << (points - 1).bit_length())[:points]
    best, value = np.zeros((n, m)), np.full(n, -np.inf)
    for u in uniform:
        z = np.tile(ndtri(np.clip(u, 1e-6, 1 - 1e-6)), (n, 1))
        new = joint.value(z)
        best[new > value] = z[0]
        value = np.maximum(new, value)
    return best


def _search(joint: LogJoint, start: Floats) -> tuple[Floats, Floats, NDArray[np.bool_], int]:
    """BFGS from ``start`` (n_subjects, n): end, value, whether it is done, iterations."""
    n, m = start.shape
    z = start.copy()
    value, g, info, _, _ = joint(z, information=True)
    B = np.einsum("ji,njk,kl->nil", joint.L, info, joint.L) + np.eye(m)
    done, fresh = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
    stuck = ~np.isfinite(value)
    if m == 0:
        return z, value, ~stuck, 0
    step, direction = np.ones(n), np.zeros((n, m))
    iterations = 0
    while iterations < MOST:
        iterations += 1
        new_way = np.flatnonzero(fresh & ~done & ~stuck)
        if len(new_way):
            ahead = np.linalg.solve(B[new_way], g[new_way][:, :, None])[:, :, 0]
            lost = np.einsum("ni,ni->n", ahead, g[new_way]) <= 0  # not an ascent: again from the prior's curvature
            B[new_way[lost]] = np.eye(m)
            ahead[lost] = g[new_way[lost]]
            direction[new_way] = ahead
            step[new_way] = np.minimum(1.0, LONGEST / np.maximum(np.abs(ahead).max(axis=1), 1e-12))
        gain = np.einsum("ni,ni->n", direction, g)
        done |= fresh & (0.5 * gain < DONE) & ~stuck
        active = np.flatnonzero(~done & ~stuck)
        if not len(active):
            break
        trial = z[active] + step[active, None] * direction[active]
        new, g_new, _, _, _ = joint.of(active)(trial)
        accept = new >= value[active] + 1e-4 * step[active] * gain[active]
        fresh[:] = False
        moved, held = active[accept], active[~accept]
        B[moved] = _updated(B[moved], trial[accept] - z[moved], g[moved] - g_new[accept])
        z[moved], value[moved], g[moved], fresh[moved] = trial[accept], new[accept], g_new[accept], True
        hidden = step[held] * gain[held] < NOISE
        done[held[hidden]] = True
        step[held[~hidden]] *= 0.5
        stuck[held[~hidden]] = step[held[~hidden]] < SHORTEST
    return z, value, done, iterations


def _updated(B: Floats, s: Floats, y: Floats) -> Floats:
    """Curvatures (n, m, m) after the BFGS update with steps s and changes of the gradient y (n, m); some stay."""
    curvature, Bs = np.einsum("ni,ni->n", s, y), np.einsum("nij,nj->ni", B, s)
    sBs = np.einsum("ni,ni->n", s, Bs)
    fit = curvature > 1e-10 * sBs
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = (
            y[:, :, None] * y[:, None, :] / curvature[:, None, None]
            - Bs[:, :, None] * Bs[:, None, :] / sBs[:, None, None]
        )
    return np.asarray(np.where(fit[:, None, None], B + gained, B))
