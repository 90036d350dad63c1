"""The posterior density of one person's effects and hypotheses, for optimisers, importance sampling and NUTS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.problem import Problem
from pharmtwin.inference.twin.prior import TwinPrior

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Evaluated:
    """Of n points, each with one hypothesis: log-likelihood by draw of the population (n, S) and predictions (n, n_obs)."""

    log_lik: Floats
    f: Floats


class TwinTarget:
    """One subject's problem (made with ``wrt="random"``) and prior.

    Points are (v, case): effects v (k,) and the hypothesis they belong to. All hypotheses share the prior of v.
    """

    def __init__(self, problem: Problem, prior: TwinPrior, threads: int = 1) -> None:
        if len(problem.subjects) != 1:
            raise ValueError(f"a twin is one subject, not {len(problem.subjects)}")
        self.problem, self.prior, self.threads = problem, prior, threads
        self.mean, self.cov = prior.moments()
        self.sigma = prior.sigma.mean(axis=0)
        self.solves = 0
        self.failed = 0
        runs = [np.flatnonzero(problem.case_of_run == c) for c in range(problem.n_cases)]
        self.obs_of_case = [np.flatnonzero(np.isin(problem.run_of_obs, r)) for r in runs]

    @property
    def n_obs(self) -> int:
        """Observations of the person."""
        return len(self.obs_of_case[0])

    def derivatives(self, v: Floats, case: Ints) -> tuple[Floats, Floats, Floats]:
        """Log-likelihood at the mean residual error (n,), its gradient (n, k), expected information (n, k, k)."""
        many, rows = self._many(v, case)
        like = many.likelihood(rows, self.sigma, True, True, self.threads)
        assert like.information is not None
        self._count(like.flag)
        return many.by_case(like.ll), many.by_case(like.g), many.by_case(like.information)

    def evaluate(self, v: Floats, case: Ints) -> Evaluated:
        """Log-likelihood of every point under every draw's residual error; one solve a point and piece."""
        many, rows = self._many(v, case)
        predicted = many.predict(rows, derivatives=False, threads=self.threads)
        self._count(predicted.flag)
        n, S = len(v), self.prior.n_draws
        distinct, which = np.unique(self.prior.sigma, axis=0, return_inverse=True)
        log_lik = np.empty((n, len(distinct)))
        case_of_obs = many.case_of_run[many.run_of_obs]
        m = len(predicted.f)
        value, d_f, weight, d_s = np.empty(m), np.empty(m), np.empty(m), np.empty((m, 2))
        for j, sigma in enumerate(distinct):
            sc.score(predicted.f, many.y, many.code, many.limit, many.kind, many.where, many.zero, sigma,
                     value, d_f, d_s, weight)  # fmt: skip
            log_lik[:, j] = np.bincount(case_of_obs, value, minlength=n)
        f = predicted.f[np.lexsort((many.subject_obs, case_of_obs))].reshape(n, -1)
        return Evaluated(log_lik[:, which.ravel()].reshape(n, S), f)

    def log_posterior(self, v: Floats, case: Ints, log_lik: Floats) -> Floats:
        """log of w_case * 1/S sum_s Normal(v; mean_s, cov_s) p(y | v, case, sigma_s): (n,)."""
        joint = self.prior.log_density(v) + log_lik
        total = logsumexp(joint, axis=1) - np.log(self.prior.n_draws)
        return np.asarray(np.where(np.isfinite(total), total, -np.inf) + self.problem.log_weight[case])

    def _count(self, flag: Ints) -> None:
        self.solves += len(flag)
        self.failed += int(np.count_nonzero(flag))

    def _many(self, v: Floats, case: Ints) -> tuple[Problem, Floats]:
        """The problem with one case a point, and the effects of its runs."""
        many = self.problem.repeat_cases(case)
        rows = np.empty((many.n_runs, len(many.effects)))
        rows[:, : many.n_fixed] = self.prior.centre
        rows[:, many.n_fixed :] = v[many.case_of_run]
        return many, rows

    def marginal(self, v: Floats) -> tuple[float, Floats]:
        """log of the posterior density of effects v (k,), hypotheses summed out, and its gradient; -inf where unsolved."""
        p, prior = self.problem, self.prior
        n = p.n_cases
        many, rows = self._many(np.tile(v, (n, 1)), np.arange(n))
        predicted = many.predict(rows, True, self.threads)
        self._count(predicted.flag)
        distinct, which = np.unique(prior.sigma, axis=0, return_inverse=True)
        case_of_obs, m = many.case_of_run[many.run_of_obs], len(predicted.f)
        log_lik, slope = np.empty((n, len(distinct))), np.zeros((n, len(distinct), len(v)))
        value, d_f, weight, d_s = np.empty(m), np.empty(m), np.empty(m), np.empty((m, 2))
        for j, sigma in enumerate(distinct):
            sc.score(predicted.f, many.y, many.code, many.limit, many.kind, many.where, many.zero, sigma,
                     value, d_f, d_s, weight)  # fmt: skip
            log_lik[:, j] = np.bincount(case_of_obs, value, minlength=n)
            np.add.at(slope[:, j], case_of_obs, d_f[:, None] * predicted.J)
        density = prior.log_density(v[None])[0]
        joint = p.log_weight[:, None] + density[None] + log_lik[:, which.ravel()]
        total = logsumexp(joint)
        if not np.isfinite(total):
            return -np.inf, np.zeros(len(v))
        r = np.exp(joint - total)
        by_draw = r.sum(axis=0)
        pull = np.array([np.linalg.lstsq(c, v - m, rcond=None)[0] for c, m in zip(prior.cov, prior.mean, strict=True)])
        return float(total - np.log(prior.n_draws)), np.einsum("cs,csk->k", r, slope[:, which.ravel()]) - by_draw @ pull
