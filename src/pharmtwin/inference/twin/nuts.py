"""NUTS for one person, where importance sampling does not do: the exact posterior, hypotheses summed out.

The sampler is nutpie's. It moves in u with v = mean + basis (middle + scale u), middle and scale those of the
importance sampling result, so that few steps do.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from pharmtwin.inference.criticism.limits import limits
from pharmtwin.inference.twin.target import TwinTarget

if TYPE_CHECKING:
    from pharmtwin.inference.twin.ladder import LadderOptions, TwinPosterior

Floats = NDArray[np.float64]
CHAINS = 4
#: gradients of a draw, for the estimate of time (whitened effects need trees of 3 to 15)
GRADIENTS = 8
#: least scale of a whitened effect in prior standard deviations, where importance sampling saw next to none
LEAST_SCALE = 0.02


def sample_twin(
    target: TwinTarget, basis: Floats, options: LadderOptions, rng: np.random.Generator, found: TwinPosterior,
    say: Callable[[str], None],
) -> TwinPosterior:  # fmt: skip
    """Draws of one person by NUTS; ends at ``options.nuts_seconds`` with ``found``, the importance sampling result.

    The result's ``rungs`` is one line on what happened; ``trusted`` is False where it did not run or is not good.
    """
    import nutpie

    middle, scale = _frame(target, basis, found)
    m = len(middle)
    along, at = basis @ scale, target.mean + basis @ middle

    def log_density(u: Floats) -> tuple[float, Floats]:
        value, g = target.marginal(at + along @ u)
        if not np.isfinite(value):
            return -1e10, np.zeros(m)  # the sampler turns back, and counts a divergence
        return value, g @ along

    log_density(np.zeros(m))  # may compile
    one = min(_timed(lambda: log_density(np.zeros(m))) for _ in range(3))
    expected = one * CHAINS * (options.nuts_tune + options.nuts_draws) * GRADIENTS
    words = f"NUTS: about {expected:.0f} s expected ({one * 1e3:.1f} ms a gradient)"
    say(f"{target.problem.subjects[0]}: {words}")
    if expected > options.nuts_seconds:
        line = f"{words}, more than the {options.nuts_seconds:g} s allowed: not run"
        return replace(found, rungs=(line,), trusted=False)
    compiled = nutpie.compiled_pyfunc.from_pyfunc(
        m, lambda: log_density, _expand, [np.dtype("float64")], [(m,)], ["u"]
    )  # fmt: skip
    sampler = nutpie.sample(
        compiled, chains=CHAINS, cores=1, tune=options.nuts_tune, draws=options.nuts_draws,
        seed=int(rng.integers(2**31)), target_accept=options.nuts_accept,
        progress_bar=False, save_warmup=False, blocking=False,
    )  # fmt: skip
    try:
        trace = sampler.wait(timeout=options.nuts_seconds)
    except TimeoutError:
        with warnings.catch_warnings():  # of chains without draws
            warnings.simplefilter("ignore")
            sampler.abort()
        line = f"{words}; stopped after the {options.nuts_seconds:g} s allowed"
        return replace(found, rungs=(line,), trusted=False)
    z = middle + trace.posterior["u"].values @ scale.T  # (chains, draws, m)
    return _posterior(target, target.mean + z @ basis.T, trace, found, options.keep, rng, words)


def _frame(target: TwinTarget, basis: Floats, found: TwinPosterior) -> tuple[Floats, Floats]:
    """Middle (m,) and root of the covariance (m, m) of the importance sampling result, in whitened effects."""
    z = (found.v - target.mean) @ np.linalg.pinv(basis).T
    cov = np.cov(z, rowvar=False).reshape(z.shape[1], -1) + LEAST_SCALE**2 * np.eye(z.shape[1])
    return np.median(z, axis=0), np.asarray(np.linalg.cholesky(cov))


def _timed(call: Callable[[], Any]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def _expand(seed1: int, seed2: int, chain: int) -> Any:
    return lambda u: {"u": np.asarray(u)}


def _posterior(
    target: TwinTarget, v: Floats, trace: Any, found: TwinPosterior, keep: int, rng: np.random.Generator, words: str
) -> TwinPosterior:
    """The posterior of chains v (chains, draws, k), judged by the sampler's usual limits.

    They are asked of the effects and of the hypotheses' probabilities given the effects: chains that do not pass from
    one hypothesis to the other show there.
    """
    import arviz as az

    from pharmtwin.inference.twin.ladder import chosen

    flat = v.reshape(-1, v.shape[2])
    n, n_cases, S = len(flat), target.problem.n_cases, target.prior.n_draws
    density = target.prior.log_density(flat)
    evaluated = [target.evaluate(flat, np.full(n, c)) for c in range(n_cases)]
    weights = zip(evaluated, target.problem.log_weight, strict=True)
    joint = np.stack([density + e.log_lik + w for e, w in weights], axis=1).reshape(n, -1)
    share = np.exp(joint - logsumexp(joint, axis=1, keepdims=True)).reshape(n, n_cases, S).sum(axis=2)

    looked = np.concatenate([v, share.reshape(*v.shape[:2], n_cases)], axis=2)
    moving = looked.std(axis=(0, 1)) > 1e-9
    judged = az.convert_to_dataset(looked[:, :, moving])
    rhat = float(az.rhat(judged)["x"].max())
    ess = float(min(az.ess(judged, method=kind)["x"].min() for kind in ("bulk", "tail")))
    divergences = int(trace.sample_stats["diverging"].values.sum())
    asked, values = limits("sampler"), {"max_rhat": rhat, "min_ess_bulk": ess, "divergences": divergences}
    good = all(asked[check].passes(value) for check, value in values.items())
    said = f"{words}; R-hat {rhat:.3f}, ESS {ess:.0f}, {divergences} divergences: {'good' if good else 'NOT GOOD'}"
    mcse = np.zeros(looked.shape[2])
    mcse[moving] = az.mcse(judged)["x"].values

    picked = rng.permutation(np.linspace(0, n - 1, keep).astype(int))
    which = chosen(joint[picked], rng)
    case, draw = which // S, which % S
    return replace(
        found, v=flat[picked], case=case, sigma=target.prior.sigma[draw],
        f=np.stack([e.f for e in evaluated])[case, picked],
        mean=flat.mean(axis=0), sd=flat.std(axis=0, ddof=1), mcse=mcse[: v.shape[2]], probability=share.mean(axis=0),
        k=float("nan"), ess=ess, method="NUTS", rungs=(said,), trusted=good,
    )  # fmt: skip
