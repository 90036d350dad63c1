"""Draws of a fit put back into its problem: predictions of all subjects, and what the draws say of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, ndtr, ndtri

from pharmtwin.inference.estimation.modes import conditional_modes, root
from pharmtwin.inference.population_fit.build import PopulationFit, copies
from pharmtwin.inference.population_fit.priors import Free
from pharmtwin.inference.problem.problem import Problem
from pharmtwin.inference.twin.residuals import Observed, log_likelihood, residual_sd, simulated

Floats = NDArray[np.float64]
#: points solved in one batch
BATCH = 16
#: proposal of the random effects: Student t of so many degrees around the mode, wider than the curvature there, and a
#: share from the population
NU, WIDER, DEFENSIVE = 5.0, 1.1, 0.1
#: how often a replicate that the solver fails on is drawn again
TRIES = 5


@dataclass(frozen=True, eq=False)
class Replay:
    """Draws of a fit.

    Attributes
    ----------
    problem : of the random effects. fixed (n, n_fixed), sigma (n, n_residuals), eta (n, n_subjects, n_random), omega
    (n, n_random, n_random) : effects of the occasion written out. chains : the draws stand chain after chain.
    """

    problem: Problem
    fixed: Floats
    sigma: Floats
    eta: Floats
    omega: Floats
    chains: int

    @classmethod
    def of(cls, fit: PopulationFit, draws: Mapping[str, Floats], most: int) -> Replay:
        """About ``most`` draws, evenly spread over each chain.

        draws : by name, (chains, draws, ...), ``eta`` and ``omega`` among them.

        Raises ValueError for a fit with shifts: new people would need their hypotheses.
        """
        if len(fit.shifts):
            raise ValueError("a fit with shifts cannot be criticised: give its hypotheses as components")
        first = next(iter(draws.values()))
        chains, n = first.shape[:2]
        kept = np.unique(np.linspace(0, n - 1, min(n, max(most // chains, 1))).round().astype(int))
        take = lambda name: draws[name][:, kept].reshape(chains * len(kept), *draws[name].shape[2:])  # noqa: E731
        value = lambda f: take(f.name) if isinstance(f, Free) else np.full(chains * len(kept), float(f))  # noqa: E731
        column = lambda items: np.array([value(f) for f in items]).T.reshape(chains * len(kept), len(items))  # noqa: E731
        k, n_subjects = fit.n_random, len(fit.problem.subjects)
        eta, omega = np.zeros((chains * len(kept), n_subjects, 0)), np.zeros((chains * len(kept), 0, 0))
        if k:
            index, together = copies(fit)
            eta, omega = take("eta"), take("omega")[:, index][:, :, index] * together
        return cls(fit.random_problem, column(fit.fixed), column(fit.residuals), eta, omega, chains)

    def __len__(self) -> int:
        """Draws."""
        return len(self.fixed)

    @property
    def samples(self) -> Observed:
        """All observations."""
        return Observed(self.problem, np.arange(len(self.problem.y)))

    @property
    def subject_of_obs(self) -> NDArray[np.int64]:
        """Subject of each observation."""
        return self.problem.subject_of_run[self.problem.run_of_obs]

    def some(self, n: int) -> Replay:
        """n draws, evenly spread (repeated where there are fewer)."""
        which = np.linspace(0, len(self) - 1, n).round().astype(int)
        return Replay(self.problem, self.fixed[which], self.sigma[which], self.eta[which], self.omega[which], 1)


def predictions(problem: Problem, fixed: Floats, eta: Floats) -> Floats:
    """Predictions (n, n_obs) of all subjects at n points: fixed (n, n_fixed), eta (n, n_subjects, n_random)."""
    n, cases = len(fixed), problem.n_cases
    size = min(BATCH, n)
    many = problem.repeat_cases(np.tile(np.arange(cases), size))
    copy, case = np.divmod(many.case_of_run, cases)
    x = np.empty((many.n_runs, len(problem.effects)))
    out = np.empty((n, len(problem.y)))
    for first in range(0, n, size):
        points = np.minimum(np.arange(first, first + size), n - 1)
        x[:, : problem.n_fixed] = fixed[points][copy]
        x[:, problem.n_fixed :] = eta[points][copy, problem.subject_of_case[case]]
        f = many.predict(x, derivatives=False).f.reshape(size, -1)
        out[first : first + size] = f[: min(size, n - first)]
    return out


def by_subject(replay: Replay, values: Floats) -> Floats:
    """Sums of values (n, n_obs) over the observations of each subject: (n, n_subjects)."""
    out = np.zeros((len(values), len(replay.problem.subjects)))
    np.add.at(out.T, replay.subject_of_obs, values.T)
    return out


def pointwise(replay: Replay) -> Floats:
    """Log-likelihood of each observation given the subject's own effects: (n, n_obs); -inf where unsolved."""
    f = predictions(replay.problem, replay.fixed, replay.eta)
    value = log_likelihood(replay.samples, f, replay.sigma)
    return np.where(np.isnan(value), -np.inf, value)


def marginal(replay: Replay, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Log-likelihood of each subject, its random effects integrated out, at every draw: (n_draws, n_subjects).

    By importance sampling with n points of the effects a draw: from a Student t around the conditional mode, and from
    the population. The second: effective number of points, the lower 5 % of the draws, (n_subjects,).
    """
    problem = replay.problem
    n_subjects = len(problem.subjects)
    varied = np.flatnonzero(np.diagonal(replay.omega, axis1=1, axis2=2).min(axis=0, initial=np.inf) > 0)
    if not len(varied):
        return by_subject(replay, pointwise(replay)), np.full(n_subjects, float(n))
    m = len(varied)
    z = rng.standard_normal((n, n_subjects, m)) * np.sqrt(NU / rng.chisquare(NU, size=(n, n_subjects, 1)))
    normal, far = rng.standard_normal((n, n_subjects, m)), rng.random((n, n_subjects)) < DEFENSIVE
    out, effective = np.empty((len(replay), n_subjects)), np.empty((len(replay), n_subjects))
    for s in range(len(replay)):
        L = np.linalg.cholesky(replay.omega[s][np.ix_(varied, varied)])
        x, log_q, log_prior = np.empty((n, n_subjects, m)), np.empty((n, n_subjects)), np.empty((n, n_subjects))
        for i, (centre, spread) in enumerate(_conditional(replay, s, varied, L)):
            x[:, i] = np.where(far[:, i, None], normal[:, i] @ L.T, centre + z[:, i] @ spread.T)
            log_prior[:, i] = _log_normal(x[:, i], L)
            log_q[:, i] = np.logaddexp(
                np.log1p(-DEFENSIVE) + _log_student(x[:, i] - centre, spread), np.log(DEFENSIVE) + log_prior[:, i]
            )
        eta = np.zeros((n, n_subjects, replay.eta.shape[2]))
        eta[:, :, varied] = x
        f = predictions(problem, np.tile(replay.fixed[s], (n, 1)), eta)
        value = log_likelihood(replay.samples, f, np.tile(replay.sigma[s], (n, 1)))
        log_w = by_subject(replay, np.where(np.isnan(value), -np.inf, value)) + log_prior - log_q
        out[s] = logsumexp(log_w, axis=0) - np.log(n)
        with np.errstate(invalid="ignore"):
            effective[s] = np.nan_to_num(np.exp(2 * logsumexp(log_w, axis=0) - logsumexp(2 * log_w, axis=0)))
    return out, np.quantile(effective, 0.05, axis=0)


def _conditional(replay: Replay, s: int, varied: NDArray[np.int64], L: Floats) -> list[tuple[Floats, Floats]]:
    """Mode (m,) of each subject's effects at draw s, and the root (m, m) of their spread there, a little wider."""
    modes = conditional_modes(
        replay.problem, replay.fixed[s], replay.sigma[s], replay.omega[s], replay.eta[s], screen=0
    )
    found = []
    centres = np.where(np.isfinite(modes.eta[:, varied]), modes.eta[:, varied], 0.0)
    for centre, information in zip(centres, modes.information, strict=True):
        own = information[np.ix_(varied, varied)]
        own = own if np.isfinite(own).all() else np.zeros_like(own)
        # L (1 + L' I L)^-1 L': the inverse of I + Omega^-1
        whole = L @ np.linalg.solve(np.eye(len(L)) + L.T @ own @ L, L.T)
        whole = 0.5 * (whole + whole.T) + 1e-12 * np.diag(np.diagonal(whole))
        found.append((centre, np.asarray(WIDER * np.linalg.cholesky(whole), dtype=float)))
    return found


def replicates(replay: Replay, n: int, rng: np.random.Generator) -> Floats:
    """n simulated studies (n, n_obs) with new subjects of the same design; those that cannot be solved are left out."""
    some = replay.some(n)
    f = np.full((n, len(replay.problem.y)), np.nan)
    for _ in range(TRIES):
        left = np.flatnonzero(~np.isfinite(f).all(axis=1))
        if not len(left):
            break
        eta = np.zeros((len(left), *replay.eta.shape[1:]))
        for k, s in enumerate(left):
            L = root(some.omega[s])
            eta[k] = rng.standard_normal((eta.shape[1], L.shape[1])) @ L.T
        f[left] = predictions(replay.problem, some.fixed[left], eta)
    solved = np.isfinite(f).all(axis=1)
    f, sigma = f[solved], some.sigma[solved]
    y = simulated(replay.samples, f, sigma, rng)
    cut = np.array([replay.problem.model.outputs[o].truncated for o in replay.problem.output_of_obs], dtype=bool)
    if cut.any():
        sd = residual_sd(replay.samples, f, sigma)[:, cut]
        below = ndtr(-f[:, cut] / sd)
        y[:, cut] = f[:, cut] + sd * ndtri(below + rng.random(below.shape) * (1.0 - below))
    return y


def _log_student(d: Floats, L: Floats) -> Floats:
    """Log density of deviations d (n, m) from the centre of a Student t with scale L L'."""
    m = d.shape[1]
    q = np.sum(np.linalg.solve(L, d.T) ** 2, axis=0)
    constant = gammaln(0.5 * (NU + m)) - gammaln(0.5 * NU) - 0.5 * m * np.log(NU * np.pi)
    return np.asarray(constant - np.log(np.diagonal(L)).sum() - 0.5 * (NU + m) * np.log1p(q / NU))


def _log_normal(x: Floats, L: Floats) -> Floats:
    """Log density of x (n, m) under Normal(0, L L')."""
    q = np.sum(np.linalg.solve(L, x.T) ** 2, axis=0)
    return np.asarray(-0.5 * q - np.log(np.diagonal(L)).sum() - 0.5 * x.shape[1] * np.log(2 * np.pi))
