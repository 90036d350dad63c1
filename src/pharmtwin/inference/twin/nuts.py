"""NUTS for one person, where importance sampling does not do: the exact posterior, hypotheses summed out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from pharmtwin.inference.twin.target import TwinTarget

if TYPE_CHECKING:
    from pharmtwin.inference.twin.ladder import LadderOptions, TwinPosterior

Floats = NDArray[np.float64]
CHAINS = 4
#: R-hat and effective draws below which the chains are not believed (Vehtari 2021, doi 10.1214/20-BA1221)
HIGHEST_RHAT, LEAST_ESS = 1.01, 400.0


class _OutOfTime(RuntimeError):
    """The cap on time is reached."""


def sample_twin(
    target: TwinTarget, basis: Floats, options: LadderOptions, rng: np.random.Generator, found: TwinPosterior
) -> TwinPosterior:
    """Draws of one person by NUTS in v = mean + basis z; ends at ``options.seconds`` with what importance sampling gave.

    ``found``: the importance sampling result, for the starts (its spread) and as what is left if time runs out.
    """
    from dataclasses import replace

    import arviz as az
    import nutpie

    m = basis.shape[1]
    inverse = np.linalg.pinv(basis)
    started = time.monotonic()
    centre = (found.v - target.mean) @ inverse.T
    scale = np.maximum(centre.std(axis=0), 0.05)
    middle = np.median(centre, axis=0)

    def log_density(u: Floats) -> tuple[float, Floats]:
        if time.monotonic() - started > options.seconds:
            raise _OutOfTime
        value, g = target.marginal(target.mean + basis @ (middle + scale * u))
        if not np.isfinite(value):
            return -1e10, np.zeros(m)
        return value, scale * (g @ basis)

    first = time.monotonic()
    log_density(np.zeros(m))
    one = time.monotonic() - first
    expected = one * CHAINS * (options.nuts_tune + options.nuts_draws) * 7
    words = f"NUTS: about {expected:.0f} s expected ({one * 1e3:.1f} ms a gradient)"
    if expected > options.seconds:
        return replace(found, rungs=(f"{words}, more than the {options.seconds:g} s allowed: not run",), trusted=False)

    def make() -> Any:
        return log_density

    def expand(seed1: int, seed2: int, chain: int) -> Any:
        return lambda u: {"u": np.asarray(u)}

    compiled = nutpie.compiled_pyfunc.from_pyfunc(
        m, make, expand, [np.dtype("float64")], [(m,)], ["u"], dims={"u": ("effect",)},
        coords={"effect": list(range(m))},
    )  # fmt: skip
    try:
        trace = nutpie.sample(
            compiled, chains=CHAINS, cores=1, tune=options.nuts_tune, draws=options.nuts_draws,
            seed=int(rng.integers(2**31)), progress_bar=False, save_warmup=False,
        )  # fmt: skip
    except (RuntimeError, _OutOfTime) as error:
        return replace(found, rungs=(f"{words}; stopped: {error or 'out of time'}",), trusted=False)
    u = trace.posterior["u"].values
    rhat = float(np.max(az.rhat(trace)["u"].values))
    ess = float(np.min(az.ess(trace)["u"].values))
    divergences = int(trace.sample_stats["diverging"].values.sum())
    flat = u.reshape(-1, m)
    picked = flat[np.linspace(0, len(flat) - 1, options.keep).astype(int)]
    v = target.mean + (middle + scale * picked) @ basis.T
    return _with_hypotheses(target, v, found, rng, rhat, ess, divergences, words)


def _with_hypotheses(
    target: TwinTarget, v: Floats, found: TwinPosterior, rng: np.random.Generator, rhat: float, ess: float,
    divergences: int, words: str,
) -> TwinPosterior:  # fmt: skip
    """Each draw's hypothesis and draw of the population, by their probabilities given the effects."""
    from dataclasses import replace

    n_cases = target.problem.n_cases
    density = target.prior.log_density(v)
    evaluated = [target.evaluate(v, np.full(len(v), c)) for c in range(n_cases)]
    joint = np.stack([density + e.log_lik + target.problem.log_weight[c] for c, e in enumerate(evaluated)], axis=1)
    flat = joint.reshape(len(v), -1)
    p = np.exp(flat - logsumexp(flat, axis=1, keepdims=True))
    chosen = np.minimum((np.cumsum(p, axis=1) < rng.random((len(v), 1))).sum(axis=1), p.shape[1] - 1)
    case, draw = chosen // target.prior.n_draws, chosen % target.prior.n_draws
    f = np.stack([e.f for e in evaluated])[case, np.arange(len(v))]
    good = rhat < HIGHEST_RHAT and ess >= LEAST_ESS and divergences == 0
    said = f"{words}; R-hat {rhat:.3f}, ESS {ess:.0f}, {divergences} divergences: {'good' if good else 'NOT GOOD'}"
    return replace(
        found, v=v, case=case, sigma=target.prior.sigma[draw], f=f, k=float("nan"), ess=ess, method="NUTS",
        probability=p.reshape(len(v), n_cases, -1).sum(axis=2).mean(axis=0), rungs=(said,), trusted=good,
        solves=target.solves, failed=target.failed,
    )  # fmt: skip
