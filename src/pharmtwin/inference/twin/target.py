"""The posterior density of one person's effects and hypotheses, for optimisers, importance sampling and NUTS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import logsumexp

from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.problem import Problem
from pharmtwin.inference.twin.prior import TwinPrior

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Evaluated:
    """Of n points: log-likelihood by draw of the population (n, S) and predictions (n, n_obs)."""

    log_lik: Floats
    f: Floats


@dataclass(frozen=True)
class Predictive:
    """Draws of the prior: effects v (n, k), hypotheses case (n,), residual parameters sigma, predictions f."""

    v: Floats
    case: Ints
    sigma: Floats
    f: Floats


class TwinTarget:
    """One subject's problem (made with ``wrt="random"``) and prior.

    Points are (v, case): effects v (k,) and the hypothesis they belong to. All hypotheses share the prior of v.
    ``solves`` and ``failed`` count what the solver did; a point that cannot be solved has the density 0.
    """

    def __init__(self, problem: Problem, prior: TwinPrior, threads: int = 1) -> None:
        if len(problem.subjects) != 1:
            raise ValueError(f"a twin is one subject, not {len(problem.subjects)}")
        self.problem, self.prior, self.threads = problem, prior, threads
        self.mean, self.cov = prior.moments()
        self.sigma = prior.sigma.mean(axis=0)
        self.solves = 0
        self.failed = 0
        # population draws that share a residual error are scored once
        self._sigmas, which = np.unique(prior.sigma, axis=0, return_inverse=True)
        self._sigma_of_draw = np.asarray(which).ravel()
        first = np.flatnonzero(np.isin(problem.run_of_obs, np.flatnonzero(problem.case_of_run == 0)))
        #: the person's samples among the problem's observations (of the first hypothesis; the others repeat them)
        self.obs = first[np.argsort(problem.subject_obs[first], kind="stable")]
        self._last: tuple[bytes, Problem] = (b"", problem)

    @property
    def n_obs(self) -> int:
        """Observations of the person."""
        return len(self.obs)

    def derivatives(self, v: Floats, case: Ints) -> tuple[Floats, Floats, Floats]:
        """Log-likelihood at the mean residual error (n,), its gradient (n, k), expected information (n, k, k)."""
        many = self._many(case)
        like = many.likelihood(self._rows(many, v), self.sigma, True, True, self.threads)
        assert like.information is not None
        self._count(like.flag)
        return many.by_case(like.ll), many.by_case(like.g), many.by_case(like.information)

    def log_likelihood(self, v: Floats, case: Ints) -> Floats:
        """Log-likelihood at the mean residual error (n,); -inf where unsolved."""
        many = self._many(case)
        like = many.likelihood(self._rows(many, v), self.sigma, False, False, self.threads)
        self._count(like.flag)
        return many.by_case(like.ll)

    def evaluate(self, v: Floats, case: Ints) -> Evaluated:
        """Log-likelihood of every point under every draw's residual error; one solve a point and piece."""
        many = self._many(case)
        predicted = many.predict(self._rows(many, v), derivatives=False, threads=self.threads)
        self._count(predicted.flag)
        log_lik, _ = self._score(many, predicted.f, False)
        return Evaluated(log_lik, self._by_sample(many, predicted.f))

    def log_posterior(self, v: Floats, case: Ints, log_lik: Floats) -> Floats:
        """log of w_case * 1/S sum_s Normal(v; mean_s, cov_s) p(y | v, case, sigma_s): (n,)."""
        joint = self.prior.log_density(v) + log_lik
        total = logsumexp(joint, axis=1) - np.log(self.prior.n_draws)
        return np.asarray(np.where(np.isfinite(total), total, -np.inf) + self.problem.log_weight[case])

    def marginal(self, v: Floats) -> tuple[float, Floats]:
        """Log posterior density of effects v (k,), hypotheses summed out, and its gradient; -inf where unsolved."""
        p, prior = self.problem, self.prior
        many = self._many(np.arange(p.n_cases))
        predicted = many.predict(self._rows(many, np.tile(v, (p.n_cases, 1))), True, self.threads)
        self._count(predicted.flag)
        log_lik, d_f = self._score(many, predicted.f, True)
        joint = p.log_weight[:, None] + prior.log_density(v[None])[0] + log_lik
        top = joint.max()
        if not np.isfinite(top):
            return -np.inf, np.zeros(len(v))
        share = np.exp(joint - top)
        total = top + np.log(share.sum())
        share /= share.sum()  # of every hypothesis and draw
        by_sigma = np.zeros((p.n_cases, len(self._sigmas)))
        for s, column in enumerate(self._sigma_of_draw):
            by_sigma[:, column] += share[:, s]
        case_of_obs = many.case_of_run[many.run_of_obs]
        weight = np.einsum("os,os->o", d_f, by_sigma[case_of_obs])
        used = weight != 0.0  # a hypothesis that cannot be solved has no share, but nan for derivatives
        g = weight[used] @ predicted.J[used] + share.sum(axis=0) @ prior.pull(v)
        return float(total - np.log(prior.n_draws)), g

    def predictive(self, n: int, rng: np.random.Generator) -> Predictive:
        """Predictions of the samples by the prior, hypotheses by their weight; NaN where the solver fails."""
        v, sigma = self.prior.sample(n, rng)
        w = np.exp(self.problem.log_weight)
        case = rng.choice(self.problem.n_cases, size=n, p=w / w.sum()).astype(np.int64)
        order = np.argsort(case, kind="stable")
        return Predictive(v[order], case[order], sigma[order], self.evaluate(v[order], case[order]).f)

    def _score(self, many: Problem, f: Floats, slopes: bool) -> tuple[Floats, Floats]:
        """Log-likelihood by case and draw (n_cases, S); derivatives of the observations' (n_obs, distinct sigmas)."""
        log_lik = np.zeros((many.n_cases, len(self._sigmas)))
        d_f = np.zeros((len(f) if slopes else 0, len(self._sigmas)))
        _score_draws(f, many.y, many.code, many.limit, many.kind, many.where, many.zero, self._sigmas,
                     many.case_of_run[many.run_of_obs], log_lik, d_f)  # fmt: skip
        return log_lik[:, self._sigma_of_draw], d_f

    def _by_sample(self, many: Problem, f: Floats) -> Floats:
        """Predictions by case and sample: (n_cases, n_obs)."""
        case_of_obs = many.case_of_run[many.run_of_obs]
        return np.asarray(f[np.lexsort((many.subject_obs, case_of_obs))].reshape(many.n_cases, self.n_obs))

    def _many(self, case: Ints) -> Problem:
        """The problem with one case a point."""
        key = np.ascontiguousarray(case).tobytes()
        if self._last[0] != key:
            self._last = key, self.problem.repeat_cases(case)
        return self._last[1]

    def _rows(self, many: Problem, v: Floats) -> Floats:
        """Effects of every run."""
        rows = np.empty((many.n_runs, len(many.effects)))
        rows[:, : many.n_fixed] = self.prior.centre
        rows[:, many.n_fixed :] = v[many.case_of_run]
        return rows

    def _count(self, flag: Ints) -> None:
        self.solves += len(flag)
        self.failed += int(np.count_nonzero(flag))


@njit(cache=True, nogil=True)
def _score_draws(
    f: Any, y: Any, code: Any, limit: Any, kind: Any, where: Any, zero: Any, sigma: Any, case: Any, log_lik: Any,
    slope: Any,
) -> None:  # fmt: skip
    """Add the observations' log-likelihoods under every row of sigma to log_lik (n_cases, S); slopes if asked for."""
    m = f.shape[0]
    value, d_f, information, d_sigma = np.empty(m), np.empty(m), np.empty(m), np.empty((m, 2))
    for s in range(sigma.shape[0]):
        sc.score(f, y, code, limit, kind, where, zero, sigma[s], value, d_f, d_sigma, information)
        for i in range(m):
            log_lik[case[i], s] += value[i]
        if slope.shape[0] > 0:
            for i in range(m):
                slope[i, s] = d_f[i]
