"""From prior and samples to a twin's posterior: modes, Laplace, importance sampling, and NUTS where these do not do.

1. For every hypothesis (diplotype) the modes of its log posterior, by the exact gradient (``laplace``).
2. Proposal: Student t around each mode with the curvature there, hypotheses by their Laplace evidence, and the prior
   (``proposal``).
3. Importance weights against the exact posterior (all draws of the population, all hypotheses), smoothed (PSIS).
   Pareto k too large, or too few effective draws: the proposal moves to the weighted draws, and the step is repeated.
4. NUTS where that does not do, and as a second opinion where the person lies far from the prior.

Every rung's outcome is kept: ``TwinPosterior.rungs`` says what was tried and why it was left. How long importance
sampling and NUTS will take is estimated beforehand; what would exceed its cap is not begun, and NUTS ends at its cap.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import chi2

from pharmtwin.inference.criticism.psis import pareto_k_limit, psis
from pharmtwin.inference.estimation.modes import root
from pharmtwin.inference.twin import laplace
from pharmtwin.inference.twin.proposal import Proposal, around
from pharmtwin.inference.twin.target import TwinTarget

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: solves are timed until they took so long (s), or there were so many; an expectation of so many seconds is told
ENOUGH, MOST, SLOW = 0.05, 64, 5.0


@dataclass(frozen=True)
class LadderOptions:
    """How hard the ladder tries; values in ``resources/inference/twin.tsv`` (``settings.ladder_options``).

    draws, rounds : of importance sampling. degrees_of_freedom, defensive : of the proposal. least_ess : effective draws
    asked. keep : equally weighted draws. seconds : cap of importance sampling. nuts_tune, nuts_draws, nuts_accept : a
    chain's warm-up, draws and target acceptance; nuts_seconds : cap. conflict : probability of a mode as far out as the
    person's below which NUTS is asked too.
    """

    draws: int
    rounds: int
    degrees_of_freedom: float
    defensive: float
    least_ess: float
    keep: int
    seconds: float
    nuts_tune: int
    nuts_draws: int
    nuts_accept: float
    nuts_seconds: float
    conflict: float


@dataclass(frozen=True)
class TwinPosterior:
    """Posterior of a person.

    Attributes
    ----------
    names : (k,) random effects. v (n, k), case (n,) : equally weighted draws of effects and hypotheses, order random.
    sigma (n, n_residuals) : residual parameters of each draw. f (n, n_obs) : predictions of the person's samples.
    mean, sd, mcse (k,) : posterior mean and standard deviation of the effects, and the Monte-Carlo error of the mean,
        from all weighted draws. probability : (n_cases,) of the hypotheses. evidence : log marginal likelihood of the
        samples. k : Pareto k of the weights (NaN after NUTS). ess : effective sample size.
    method : the rung that gave the draws. rungs : what each rung found, in words.
    distance : chi-squared probability of a mode as far from the prior's centre as this one.
    trusted : False where no rung passed its own check. solves, failed : of the solver.
    """

    names: tuple[str, ...]
    v: Floats
    case: Ints
    sigma: Floats
    f: Floats
    mean: Floats
    sd: Floats
    mcse: Floats
    probability: Floats
    evidence: float
    k: float
    ess: float
    method: str
    rungs: tuple[str, ...]
    distance: float
    trusted: bool
    solves: int
    failed: int


def to_stderr(line: str) -> None:
    """Write a line for the user who waits."""
    print(line, file=sys.stderr, flush=True)


def too_long(target: TwinTarget, options: LadderOptions, more: int, say: Callable[[str], None]) -> str:
    """What to say if a fit and ``more`` solves would take longer than ``options.seconds``; "" if they would not.

    From the time of a few solves at the prior's centre. ``say`` is told of a long wait.
    """
    n_effects, n_cases = root(target.cov).shape[1], target.problem.n_cases
    expected = _seconds(target) * (more + options.draws + laplace.solves(n_effects, n_cases))
    words = f"importance sampling: about {expected:.0f} s expected"
    if expected > SLOW:
        say(f"{target.problem.subjects[0]}: {words}")
    return f"{words}, more than the {options.seconds:g} s allowed: not run" if expected > options.seconds else ""


def climb(
    target: TwinTarget, options: LadderOptions, rng: np.random.Generator, say: Callable[[str], None] = to_stderr
) -> TwinPosterior:
    """The posterior of one person; ``rng`` from the person's own seed; ``say`` is told how long NUTS will take.

    Never raises for hard data: see ``TwinPosterior.trusted``.
    """
    if target.n_obs == 0:
        raise ValueError("the person has no samples: the prior is the answer")
    end = time.monotonic() + options.seconds
    basis = root(target.cov)  # effects without variance do not move
    log_weight = target.problem.log_weight
    found = laplace.modes(target, basis, end)
    near = laplace.parts(found, log_weight)
    proposal = around(near, log_weight, basis.shape[1], options.defensive, options.degrees_of_freedom)
    distance, evidence = _distance(found, log_weight), _evidence(found, log_weight)
    rungs = [f"Laplace: {len(found)} mode(s) of {len(log_weight)} hypothesis(es), log evidence {evidence:.2f}"]
    passed = False
    for round_ in range(options.rounds):
        started = time.monotonic()
        sampled = _importance(target, proposal, basis, options, rng)
        if sampled is None:
            rungs.append("importance sampling: no point of prior and modes can have given these samples")
            return unfitted(target, options, rng, tuple(rungs))
        made, proposal = sampled
        rungs.append(f"importance sampling, round {round_ + 1}: Pareto k {made.k:.2f}, ESS {made.ess:.0f}")
        passed = made.k <= pareto_k_limit(options.draws) and made.ess >= options.least_ess
        if passed:
            break
        if 2.0 * time.monotonic() - started > end:
            rungs.append(f"importance sampling: no further round within {options.seconds:g} s")
            break
    made = replace(made, distance=distance, trusted=passed)
    if not passed or distance < options.conflict:
        from pharmtwin.inference.twin.nuts import sample_twin

        nuts = sample_twin(target, basis, options, rng, made, say)
        rungs += nuts.rungs
        made = nuts if nuts.trusted or not passed else made
    return replace(made, rungs=tuple(rungs), solves=target.solves, failed=target.failed)


def _seconds(target: TwinTarget) -> float:
    """Time of one solve, from a few at the centre (after one that is not timed: it may compile)."""
    target.evaluate(target.mean[None], np.zeros(1, dtype=np.int64))
    n = 1
    while True:
        v, case = np.tile(target.mean, (n, 1)), np.sort(np.arange(n) % target.problem.n_cases)
        started = time.monotonic()
        target.evaluate(v, case)
        took = time.monotonic() - started
        if took > ENOUGH or n >= MOST:
            return took / n
        n *= 4


def _distance(found: list[laplace.Mode], log_weight: Floats) -> float:
    """Chi-squared probability of the best mode's distance from the prior's centre."""
    if not found:
        return float("nan")
    best = max(found, key=lambda x: x.log_evidence + log_weight[x.case])
    return float(chi2.sf(best.z @ best.z, max(len(best.z), 1)))


def _evidence(found: list[laplace.Mode], log_weight: Floats) -> float:
    return float(logsumexp([x.log_evidence + log_weight[x.case] for x in found])) if found else -np.inf


def _importance(
    target: TwinTarget, proposal: Proposal, basis: Floats, options: LadderOptions, rng: np.random.Generator
) -> tuple[TwinPosterior, Proposal] | None:
    """Weighted draws from the proposal, resampled, and the proposal moved to them; None where all weights are 0."""
    z, case, log_q = proposal.draw(options.draws, rng)
    v = target.mean + z @ basis.T
    e = target.evaluate(v, case)
    # the density of v, along the effects that vary, is that of z over the volume of the basis
    log_w = target.log_posterior(v, case, e.log_lik) - log_q + np.sum(np.log(np.linalg.svd(basis, compute_uv=False)))
    if not np.isfinite(log_w).any():
        return None
    smooth, k = psis(log_w)
    w = np.exp(smooth)
    mean = w @ v
    sd = np.sqrt(np.maximum(w @ (v - mean) ** 2, 0.0))
    mcse = np.sqrt(w**2 @ (v - mean) ** 2)
    kept = resampled(w, options.keep, rng)
    draw_of = _population_draw(target, v[kept], e.log_lik[kept], rng)
    made = TwinPosterior(
        target.prior.names, v[kept], case[kept], target.prior.sigma[draw_of], e.f[kept], mean, sd, mcse,
        np.bincount(case, w, minlength=target.problem.n_cases).astype(float),
        float(logsumexp(log_w) - np.log(len(log_w))), float(k), float(1.0 / np.sum(w * w)), "importance sampling", (),
        float("nan"), False, target.solves, target.failed,
    )  # fmt: skip
    return made, proposal.moved(z, case, w, proposal.counts(options.draws))


def resampled(w: Floats, n: int, rng: np.random.Generator) -> Ints:
    """Numbers of n draws by weight (systematic resampling), in random order: any part of them is a sample too."""
    positions = (np.arange(n) + rng.random()) / n
    chosen = np.minimum(np.searchsorted(np.cumsum(w) / np.sum(w), positions, side="right"), len(w) - 1)
    return rng.permutation(chosen)


def _population_draw(target: TwinTarget, v: Floats, log_lik: Floats, rng: np.random.Generator) -> Ints:
    """Which draw of the population each point belongs to, by its probability."""
    joint = target.prior.log_density(v) + log_lik
    return chosen(joint, rng)


def chosen(joint: Floats, rng: np.random.Generator) -> Ints:
    """A column of every row of log probabilities (n, columns), drawn."""
    p = np.cumsum(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), axis=1)
    return np.minimum((p < rng.random((len(joint), 1)) * p[:, -1:]).sum(axis=1), joint.shape[1] - 1)


def unfitted(
    target: TwinTarget, options: LadderOptions, rng: np.random.Generator, rungs: tuple[str, ...]
) -> TwinPosterior:
    """Draws of the prior, not to be trusted, where there is no posterior; predictions are not computed."""
    n, p = options.keep, np.exp(target.problem.log_weight)
    v, sigma = target.prior.sample(n, rng)
    mean, sd = target.mean, np.sqrt(np.diagonal(target.cov))
    return TwinPosterior(
        target.prior.names, v, rng.choice(len(p), size=n, p=p / p.sum()), sigma, np.full((n, target.n_obs), np.nan),
        mean, sd, sd / np.sqrt(n), p, -np.inf, float("inf"), 0.0, "none", (*rungs, "the draws are the prior's"),
        float("nan"), False, target.solves, target.failed,
    )  # fmt: skip
