"""From prior and samples to a twin's posterior: mode, Laplace, importance sampling, and NUTS where these are not enough.

1. For every hypothesis (diplotype) the mode of its log posterior, by quasi-Newton with the exact gradient.
2. Proposal: a mixture over hypotheses of Student t around each mode with the inverse of the curvature there, heavier in
   the tails than any normal posterior; hypotheses get draws by their Laplace evidence.
3. Importance weights against the exact posterior (all draws of the population, all hypotheses), smoothed (PSIS).
   Pareto k > 0.7: the proposal is moved to the weighted draws and the step repeated; if that does not do, NUTS.

Every rung's outcome is kept: ``TwinPosterior.rungs`` says what was tried and why it was left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from pharmtwin.inference.criticism.psis import psis
from pharmtwin.inference.estimation.modes import root
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.target import TwinTarget

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LadderOptions:
    """How hard the ladder tries; values of ``resources/inference/twin.tsv`` (:func:`pharmtwin.inference.twin.settings`)."""

    draws: int
    degrees_of_freedom: float
    highest_k: float
    rounds: int
    keep: int
    nuts_tune: int
    nuts_draws: int
    seconds: float


@dataclass(frozen=True)
class TwinPosterior:
    """Posterior of a person.

    Attributes
    ----------
    names : (k,) random effects. v (n, k), case (n,) : equally weighted draws of effects and hypotheses.
    sigma (n, n_residuals) : residual parameters of each draw. f (n, n_obs) : predictions of the person's samples.
    probability : (n_cases,) of the hypotheses. evidence : log marginal likelihood of the samples.
    k : Pareto k of the weights (NaN after NUTS). ess : effective sample size. method : the rung that gave the draws.
    rungs : what each rung found, in words. trusted : False where no rung passed its own check.
    """

    names: tuple[str, ...]
    v: Floats
    case: Ints
    sigma: Floats
    f: Floats
    probability: Floats
    evidence: float
    k: float
    ess: float
    method: str
    rungs: tuple[str, ...]
    trusted: bool
    solves: int
    failed: int


@dataclass
class _Proposal:
    """A mixture of Student t, one component a hypothesis: centre, root of the scale, weight."""

    centre: list[Floats]
    L: list[Floats]
    weight: Floats
    nu: float

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
        counts = _counts(self.weight, n)
        case = np.repeat(np.arange(len(counts)), counts)
        k = self.centre[0].shape[0]
        v = np.empty((n, k))
        scale = np.sqrt(self.nu / rng.chisquare(self.nu, size=n))
        normal = rng.standard_normal((n, k))
        for c in range(len(counts)):
            mine = case == c
            v[mine] = self.centre[c] + (scale[mine, None] * normal[mine]) @ self.L[c].T
        return v, case

    def log_density(self, v: Floats, case: Ints, counts: Floats) -> Floats:
        k = v.shape[1]
        out = np.empty(len(v))
        for c in range(len(self.centre)):
            mine = case == c
            if not mine.any():
                continue
            z = np.linalg.solve(self.L[c], (v[mine] - self.centre[c]).T)
            q = np.sum(z * z, axis=0)
            constant = gammaln(0.5 * (self.nu + k)) - gammaln(0.5 * self.nu) - 0.5 * k * np.log(self.nu * np.pi)
            log_det = float(np.sum(np.log(np.abs(np.diagonal(self.L[c])))))
            out[mine] = constant - log_det - 0.5 * (self.nu + k) * np.log1p(q / self.nu) + np.log(counts[c])
        return out


def _counts(weight: Floats, n: int) -> Ints:
    """Whole numbers of draws by weight, at least a few where the weight is not nothing."""
    share = np.maximum(weight, np.where(weight > 1e-6, 0.02, 0.0))
    exact = share / share.sum() * n
    counts = np.floor(exact).astype(np.int64)
    for c in np.argsort(-(exact - counts))[: n - counts.sum()]:
        counts[c] += 1
    return counts


def climb(target: TwinTarget, prior: TwinPrior, options: LadderOptions, rng: np.random.Generator) -> TwinPosterior:
    """The posterior of one person; ``rng`` from the person's own seed. Never raises for hard data: see ``trusted``."""
    if target.n_obs == 0:
        raise ValueError("the person has no samples: the prior is the answer")
    rungs: list[str] = []
    basis = root(target.cov)  # effects without variance do not move
    proposal, evidence = _laplace(target, basis, options.degrees_of_freedom)
    rungs.append("Laplace: log evidence " + ", ".join(f"{e:.2f}" for e in evidence))
    found: TwinPosterior | None = None
    for round_ in range(options.rounds):
        found, w, v, case = _importance(target, proposal, basis, options, rng)
        rungs.append(f"importance sampling, round {round_ + 1}: Pareto k {found.k:.2f}, ESS {found.ess:.0f}")
        if found.k <= options.highest_k and found.ess >= 0.1 * options.draws:
            return replace(found, rungs=tuple(rungs), trusted=True)
        proposal = _moved(proposal, w, v, case, basis)
    from pharmtwin.inference.twin.nuts import sample_twin

    assert found is not None
    nuts = sample_twin(target, basis, options, rng, found)
    rungs.append(nuts.rungs[0])
    return replace(nuts, rungs=tuple(rungs))


def _log_posterior(target: TwinTarget, basis: Floats, z: Floats, case: Ints, information: bool = True):  # type: ignore[no-untyped-def]
    """In v = mean + basis z: value, gradient, curvature of each point, with the prior's moments."""
    ll, g, info = target.derivatives(target.mean + z @ basis.T, case)
    value = ll - 0.5 * np.sum(z * z, axis=1)
    return value, g @ basis - z, np.einsum("ji,njk,kl->nil", basis, info, basis) + np.eye(z.shape[1])


def _laplace(target: TwinTarget, basis: Floats, nu: float) -> tuple[_Proposal, Floats]:
    """Modes of all hypotheses at once, and the proposal around them."""
    n, m = target.problem.n_cases, basis.shape[1]
    case = np.arange(n)
    z, value = np.zeros((n, m)), np.full(n, -np.inf)
    # the data may pull far: the best of a few steps along each effect is where the search starts
    trial = np.vstack([np.zeros((1, m)), *(s * np.eye(m) for s in (-1.5, 1.5))])
    for point in trial:
        e = (
            target.evaluate(np.tile(target.mean + basis @ point, (n, 1)), case).log_lik.mean(axis=1)
            - 0.5 * point @ point
        )
        better = e > value
        z[better], value[better] = point, e[better]
    value, g, H = _log_posterior(target, basis, z, case)
    for _ in range(60):
        step = np.stack([np.linalg.solve(H[c], g[c]) for c in range(n)])
        gain = np.einsum("ci,ci->c", step, g)
        if not (gain > 1e-5).any():
            break
        size = np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(axis=1), 1e-12))
        moved = np.zeros(n, dtype=bool)
        for _ in range(12):
            new_z = np.where(moved[:, None], z, z + size[:, None] * step)
            new, g_new, H_new = _log_posterior(target, basis, new_z, case)
            accept = ~moved & (new > value + 1e-4 * size * gain)
            z = np.where(accept[:, None], new_z, z)
            value, g, H = (
                np.where(accept, new, value),
                np.where(accept[:, None], g_new, g),
                np.where(accept[:, None, None], H_new, H),
            )
            moved |= accept | (gain < 1e-5)
            if moved.all():
                break
            size = np.where(moved, size, 0.5 * size)
        if not moved.any():
            break
    H = _exact_curvature(target, basis, z, case, H)
    L = [np.linalg.inv(np.linalg.cholesky(h)).T for h in H]
    evidence = value + np.array([float(np.sum(np.log(np.abs(np.diagonal(l))))) for l in L])
    log_w = evidence + target.problem.log_weight
    weight = np.exp(log_w - logsumexp(log_w)) if np.isfinite(log_w).any() else np.full(n, 1.0 / n)
    return _Proposal(list(z), L, weight, nu), evidence


def _exact_curvature(target: TwinTarget, basis: Floats, z: Floats, case: Ints, fallback: Floats) -> Floats:
    """Hessian of -log posterior by central differences of the exact gradient; the expected one where it is not positive."""
    n, m = z.shape
    h = 1e-3
    shifted = np.concatenate([np.concatenate([z + h * e, z - h * e]) for e in np.eye(m)])
    _, g, _ = _log_posterior(target, basis, shifted, np.tile(case, 2 * m))
    g = g.reshape(m, 2, n, m)
    H = -(g[:, 0] - g[:, 1]).transpose(1, 0, 2) / (2 * h)
    H = 0.5 * (H + H.transpose(0, 2, 1))
    for c in range(n):
        if not np.isfinite(H[c]).all() or np.linalg.eigvalsh(H[c])[0] < 0.05:
            H[c] = fallback[c]
    return H


def _importance(
    target: TwinTarget, proposal: _Proposal, basis: Floats, options: LadderOptions, rng: np.random.Generator
) -> tuple[TwinPosterior, Floats, Floats, Ints]:
    """Weighted draws from the proposal, resampled; also the weights, draws (whitened) and hypotheses."""
    z, case = proposal.draw(options.draws, rng)
    counts = np.bincount(case, minlength=len(proposal.centre)) / options.draws
    v = target.mean + z @ basis.T
    e = target.evaluate(v, case)
    log_w = target.log_posterior(v, case, e.log_lik) - proposal.log_density(z, case, counts)
    log_w += float(np.sum(np.log(np.linalg.svd(basis, compute_uv=False))))  # density of v from that of z
    smooth, k = psis(log_w)
    w = np.exp(smooth - logsumexp(smooth))
    ess = float(1.0 / np.sum(w * w))
    log_evidence = float(logsumexp(log_w) - np.log(len(log_w)))
    kept = _systematic(w, options.keep, rng)
    draw_of = _population_draw(target, v[kept], e.log_lik[kept], rng)
    probability = np.bincount(case, w, minlength=target.problem.n_cases).astype(float)
    made = TwinPosterior(
        target.prior.names, v[kept], case[kept], target.prior.sigma[draw_of], e.f[kept], probability, log_evidence,
        float(k), ess, "importance sampling", (), False, target.solves, target.failed,
    )  # fmt: skip
    return made, w, z, case


def _systematic(w: Floats, n: int, rng: np.random.Generator) -> Ints:
    """Systematic resampling: numbers of n draws by weight."""
    positions = (np.arange(n) + rng.random()) / n
    return np.minimum(np.searchsorted(np.cumsum(w), positions), len(w) - 1)


def _population_draw(target: TwinTarget, v: Floats, log_lik: Floats, rng: np.random.Generator) -> Ints:
    """Which draw of the population each point belongs to, by its probability."""
    if target.prior.n_draws == 1:
        return np.zeros(len(v), dtype=np.int64)
    joint = target.prior.log_density(v) + log_lik
    p = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    return np.minimum((np.cumsum(p, axis=1) < rng.random((len(v), 1))).sum(axis=1), p.shape[1] - 1)


def _moved(proposal: _Proposal, w: Floats, z: Floats, case: Ints, basis: Floats) -> _Proposal:
    """The proposal moved to the weighted draws of each hypothesis, a little wider."""
    centre, L, weight = list(proposal.centre), list(proposal.L), proposal.weight.copy()
    for c in range(len(centre)):
        mine = case == c
        total = w[mine].sum()
        weight[c] = total
        if total < 1e-3 or 1.0 / np.sum((w[mine] / total) ** 2) < 5 * z.shape[1]:
            continue
        p = w[mine] / total
        centre[c] = p @ z[mine]
        d = z[mine] - centre[c]
        L[c] = np.linalg.cholesky(1.3 * (d * p[:, None]).T @ d + 1e-8 * np.eye(z.shape[1]))
    return _Proposal(centre, L, weight / weight.sum(), proposal.nu)
