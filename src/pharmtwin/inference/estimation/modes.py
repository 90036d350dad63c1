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
from scipy.special import logsumexp, ndtri
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
    out = np.full(n, -np.inf)
    for i in range(n):
        mine = values[group == i]
        out[i] = logsumexp(mine) if np.isfinite(mine).any() else -np.inf
    return out


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
    step, direction = np.ones(n), np.zeros((n, m))
    iterations = 0
    for iterations in range(1, MOST + 1):
        for i in np.flatnonzero(fresh & ~done & ~stuck):
            direction[i] = np.linalg.solve(B[i], g[i])
            if direction[i] @ g[i] <= 0:  # not an ascent: start again from the prior's curvature
                B[i] = np.eye(m)
                direction[i] = g[i]
            step[i] = min(1.0, LONGEST / max(float(np.abs(direction[i]).max()), 1e-12))
        gain = np.einsum("ni,ni->n", direction, g)
        done |= fresh & (0.5 * gain < DONE) & ~stuck
        active = np.flatnonzero(~done & ~stuck)
        if not len(active) or m == 0:
            break
        trial = z[active] + step[active, None] * direction[active]
        new, g_new, _, _, _ = joint.of(active)(trial)
        accept = new >= value[active] + 1e-4 * step[active] * gain[active]
        fresh[:] = False
        for k, i in enumerate(active):
            if accept[k]:
                _update(B[i], trial[k] - z[i], g[i] - g_new[k])
                z[i], value[i], g[i], fresh[i] = trial[k], new[k], g_new[k], True
            elif step[i] * gain[i] < NOISE:
                done[i] = True
            else:
                step[i] *= 0.5
                stuck[i] = step[i] < SHORTEST
    return z, value, done, iterations


def _update(B: Floats, s: Floats, y: Floats) -> None:
    """BFGS update of the curvature, in place."""
    curvature, Bs = s @ y, B @ s
    if curvature > 1e-10 * (s @ Bs):
        B += np.outer(y, y) / curvature - np.outer(Bs, Bs) / (s @ Bs)
