"""NUTS on a population fit: how long it will take, the draws, and whether they may be trusted."""

from __future__ import annotations

import logging
import math
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from pharmtwin.core.seeds import seed_sequence
from pharmtwin.inference.criticism.diagnostics import SamplerRun, diagnostic_rows, parameter_table
from pharmtwin.inference.criticism.limits import verdict
from pharmtwin.inference.netcdf import save_posterior
from pharmtwin.inference.population_fit.build import PopulationFit
from pharmtwin.inference.population_fit.geometry import Centre, Density, settle

Floats = NDArray[np.float64]
#: a trajectory of standardised coordinates turns back after half a period, pi; its step shrinks with the fourth root of
#: their number, here 1.5 / n^(1/4) (seen at target 0.8)
HALF_PERIOD, LONGEST_STEP, SEEN_AT = 3.14, 1.5, 0.8
MAX_DEPTH = 10
#: seconds between lines of progress, and between looks at the clock
PROGRESS, LOOK = 15.0, 0.1
#: names of what is sampled, which means nothing outside of the sampler
RAW = ("v", "u")


@dataclass(frozen=True)
class Plan:
    """Chains, warm-up and kept draws a chain, target acceptance, threads, and the seconds that sampling may take.

    low_rank : while it warms up the sampler also learns the strongest correlations of its coordinates (nutpie's
        low-rank mass matrix). Worth it where the maps of ``geometry`` fit badly: few samples, strongly nonlinear.
    """

    chains: int = 4
    tune: int = 200
    draws: int = 500
    target_accept: float = 0.8
    cores: int = 2
    cap: float = 3600.0
    low_rank: bool = False


@dataclass(frozen=True, eq=False)
class Posterior:
    """What came of a fit.

    Attributes
    ----------
    idata : ArviZ InferenceData: the parameters by name, ``eta`` (chain, draw, subject, effect), ``omega``.
    table : of every parameter, those of eta included (``criticism.diagnostics.parameter_table``).
    checks, verdict : rows and words of ``criticism.limits``; never good where sampling was stopped.
    stopped : why sampling ended early, or "".
    seconds, cpu_seconds : of sampling; ``prepared``: seconds for compiling and the search for the centre.
    gradients, failed_solves : evaluations of the density, and solves of a subject that failed, while sampling.
    """

    idata: Any
    table: pd.DataFrame
    checks: pd.DataFrame
    verdict: str
    stopped: str
    centre: Centre
    seconds: float
    cpu_seconds: float
    prepared: float
    gradients: int
    failed_solves: int

    def draws(self, name: str) -> Floats:
        """Draws of a parameter, chain by chain: (n, ...)."""
        values = self.idata.posterior[name].values
        return np.asarray(values.reshape(-1, *values.shape[2:]))

    def slowest(self) -> tuple[str, float]:
        """The parameter with the fewest effective draws (bulk), and how many it has a second of sampling."""
        effective = self.table["ess_bulk"].to_numpy(float)
        k = int(np.argmin(np.where(np.isfinite(effective), effective, -1.0)))
        return str(self.table["parameter"].iloc[k]), float(effective[k]) / self.seconds

    def draws_table(self, fit: PopulationFit) -> pd.DataFrame:
        """One row a draw: chain, draw, the population's parameters, ``eta[subject,effect]``."""
        posterior = self.idata.posterior
        n_chains, n_draws = posterior.sizes["chain"], posterior.sizes["draw"]
        columns: dict[str, Any] = {
            "chain": np.repeat(np.arange(n_chains), n_draws), "draw": np.tile(np.arange(n_draws), n_chains),
        }  # fmt: skip
        columns |= {name: self.draws(name) for name in fit.parameters}
        if fit.n_random:
            columns |= dict(zip(_eta_names(fit), self.draws("eta").reshape(n_chains * n_draws, -1).T, strict=True))
        return pd.DataFrame(columns)

    def save(self, path: str | Path, fit: PopulationFit) -> None:
        """All draws as NetCDF without clock or host, with model and verdict: equal draws give equal bytes."""
        save_posterior(self.idata, Path(path), said_of(fit, "NUTS", self.verdict))


def said_of(fit: PopulationFit, method: str, verdict: str) -> dict[str, str]:
    """What a file of draws says of itself; ``digest`` is of the model's equations."""
    source = fit.source
    return {"model": source.name, "digest": source.structure.digest, "method": method, "verdict": verdict}


def compile_fit(fit: PopulationFit) -> Any:
    """The compiled density (nutpie, numba), without contraction or reassociation of sums.

    Those follow what the compiler inlines, which differs between code that is compiled now and code from PyTensor's
    cache: with them the first run on a machine had other draws than the second.
    """
    import nutpie
    import pytensor

    with pytensor.config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(fit.model, backend="numba")


def sample(
    fit: PopulationFit,
    plan: Plan,
    *,
    master: int,
    name: str,
    log: logging.Logger | None = None,
    compiled: Any = None,
    centre: Centre | None = None,
) -> Posterior:
    """Draw from the posterior; the draws depend on ``master`` and ``name`` only, not on cores or the clock.

    An estimate of the time is logged before sampling. Sampling ends at ``plan.cap`` seconds with what there is, which
    the verdict says. ``compiled`` and ``centre`` of an earlier call (``compile_fit``, ``geometry.settle``) are used
    again.

    Raises
    ------
    TimeoutError : the cap came before any chain had kept draws.
    """
    import nutpie

    log = log or logging.getLogger(__name__)
    begun = time.perf_counter()
    compiled = compile_fit(fit) if compiled is None else compiled
    centre = settle(fit, compiled) if centre is None else centre
    prepared = time.perf_counter() - begun
    n_gradients = plan.chains * (plan.tune + plan.draws) * expected_steps(compiled.n_dim, plan.target_accept)
    announce(fit, compiled, plan, name, log)
    calls, failed = (int(c) for c in fit.op.counter)
    begun, cpu = time.perf_counter(), time.process_time()
    sampler = nutpie.sample(
        Density(fit, compiled).compiled, chains=plan.chains, tune=plan.tune, draws=plan.draws,
        cores=plan.cores, progress_bar=False,
        seed=int(seed_sequence(master, "fit", name).generate_state(1)[0]), target_accept=plan.target_accept,
        maxdepth=MAX_DEPTH, save_warmup=False, blocking=False, low_rank_modified_mass_matrix=plan.low_rank,
    )  # fmt: skip
    stopped = _watch(sampler, fit, plan, begun, calls, n_gradients, log)
    with warnings.catch_warnings():  # of ArviZ, on chains that have no draws yet
        warnings.filterwarnings("ignore", message="More chains")
        idata = sampler.abort() if stopped else sampler.wait()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    idata = _complete(idata, plan) if stopped else idata
    idata.posterior = idata.posterior.drop_vars([v for v in RAW if v in idata.posterior])
    made = Posterior(
        idata, pd.DataFrame(), pd.DataFrame(), "", stopped, centre, seconds, cpu, prepared,
        int(fit.op.counter[0]) - calls, int(fit.op.counter[1]) - failed,
    )  # fmt: skip
    return judged(fit, made, log)


def announce(fit: PopulationFit, compiled: Any, plan: Plan, name: str, log: logging.Logger) -> None:
    """Log how long sampling is likely to take."""
    one = time_of_gradient(fit, compiled)
    n_gradients = plan.chains * (plan.tune + plan.draws) * expected_steps(compiled.n_dim, plan.target_accept)
    log.info(
        "%s: %d parameters, %.3g ms a gradient; %d chains of %d + %d draws on %d threads: about %.0f s (cap %.0f s)",
        name, compiled.n_dim, 1e3 * one, plan.chains, plan.tune, plan.draws, plan.cores,
        n_gradients * one / min(plan.cores, plan.chains), plan.cap,
    )  # fmt: skip


def expected_steps(n_dim: int, target_accept: float) -> int:
    """Gradients a draw is likely to take: a whole tree that reaches half a period, of depth 3 at least.

    Of standard normal coordinates; others take more. The step for a target a follows from a = 2 Phi(-c step^2) (Beskos,
    Pillai, Roberts, Sanz-Serna, Stuart 2013, Bernoulli 19:1501, doi 10.3150/12-BEJ414).
    """
    shorter = math.sqrt(float(ndtri(target_accept / 2.0) / ndtri(SEEN_AT / 2.0)))
    step = LONGEST_STEP * shorter / n_dim**0.25
    return max(2 ** math.ceil(math.log2(HALF_PERIOD / step)) - 1, 7)


def time_of_gradient(fit: PopulationFit, compiled: Any, n: int = 5) -> float:
    """Seconds of one evaluation of density and gradient near the centre."""
    density = Density(fit, compiled)
    rng = np.random.default_rng(0)
    points = 0.5 * rng.normal(size=(n, density.n))
    density(points[0])
    begun = time.perf_counter()
    for x in points:
        density(x)
    return (time.perf_counter() - begun) / n


def _watch(
    sampler: Any, fit: PopulationFit, plan: Plan, begun: float, calls: int, expected: float, log: logging.Logger
) -> str:
    """Wait for the end or the cap; says why it was stopped, or ""."""
    told = begun
    while not finished(sampler):
        time.sleep(LOOK)
        now = time.perf_counter()
        if now - begun > plan.cap:
            return f"sampling was stopped at its cap of {plan.cap:g} s"
        if now - told > PROGRESS:
            told = now
            done = int(fit.op.counter[0]) - calls
            log.info("%.0f s: %d gradients of about %.0f", now - begun, done, expected)
    return ""


def finished(sampler: Any) -> bool:
    """Whether a nutpie sampler that runs in the background is done."""
    try:
        return bool(sampler.is_finished)
    except TimeoutError:  # nutpie's way to say that its threads are too busy to answer
        return False


def _complete(idata: Any, plan: Plan) -> Any:
    """Whole chains of a stopped run: those at least half as long as the longest, cut to the shortest of them."""
    energy = idata.sample_stats["energy"].values
    lengths = np.array([np.isfinite(chain).sum() if chain.size else 0 for chain in energy])
    longest = int(lengths.max(initial=0))
    if longest < 4:
        raise TimeoutError(f"the cap of {plan.cap:g} s came before any chain had kept draws: raise it, or draw less")
    chains = np.flatnonzero(lengths >= max(longest // 2, 4))
    return idata.isel(chain=chains, draw=slice(0, int(lengths[chains].min())))


def _eta_names(fit: PopulationFit) -> list[str]:
    effects = fit.problem.effects[fit.problem.n_fixed :]
    return [f"eta[{s},{e}]" for s in fit.problem.subjects for e in effects]


def judged(fit: PopulationFit, made: Posterior, log: logging.Logger) -> Posterior:
    """With the table of parameters, the checks and the verdict."""
    posterior, stats = made.idata.posterior, made.idata.sample_stats
    draws: dict[str, Any] = {name: posterior[name].values for name in fit.parameters}
    n_chains, n_draws = posterior.sizes["chain"], posterior.sizes["draw"]
    table = parameter_table(draws)
    if fit.n_random:
        own = parameter_table({"eta": posterior["eta"].values.reshape(n_chains, n_draws, -1)})
        table = pd.concat([table, own.assign(parameter=_eta_names(fit))], ignore_index=True)
    diverging = stats["diverging"].values
    run = SamplerRun(
        diverging=diverging, energy=stats["energy"].values, depth=stats["depth"].values, max_depth=MAX_DEPTH,
        # a failed solve ends its trajectory as a divergence. How many of the kept draws' divergences are failed solves,
        # and how many solves failed in the warm-up, is not known: where there are both, neither is the figure
        solver_failures=None if made.failed_solves and diverging.any() else 0,
    )  # fmt: skip
    checks = diagnostic_rows(table, run, n_chains)
    words = verdict(checks)
    if made.stopped:
        words = made.stopped if words == "good" else f"{made.stopped}; {words}"
    log.info("%.0f s (CPU %.0f s), %d gradients, %d failed solves: %s", made.seconds, made.cpu_seconds,
             made.gradients, made.failed_solves, words)  # fmt: skip
    return replace(made, table=table, checks=checks, verdict=words)
