"""From the sampler's output to tables: summary, diagnostics, twins, genotype, draws."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

from pharmtwin.core.draws import Population
from pharmtwin.core.priors import OMEGA_SPREAD, PopulationPriors
from pharmtwin.core.seeds import generator
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body_for_fit
from pharmtwin.engine.crosscheck import subset
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import simulate_with_sensitivities
from pharmtwin.inference.data import MG_PER_L, FitData
from pharmtwin.inference.population import LABELS, Draws, natural

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
LIMIT_RHAT, LIMIT_ESS, LIMIT_BFMI = 1.01, 400.0, 0.3
QUANTILE_90 = float(norm.ppf(0.95))
SIGMA = ("sigma", "residual sd of the logarithm of a concentration")


@dataclass(frozen=True)
class FitTables:
    """All tables of the fit stage (see ``pharmtwin.tables``)."""

    summary: pd.DataFrame
    diagnostics: pd.DataFrame
    twins: pd.DataFrame
    genotype: pd.DataFrame
    population_draws: pd.DataFrame
    twin_draws: pd.DataFrame


def _units(name: str) -> str:
    return "h" if name == "MTT" else "1"


def summary(idata: Any, priors: PopulationPriors) -> pd.DataFrame:
    """Table ``fit_summary``: typical values (natural scale), omegas and sigma, prior beside posterior."""
    import arviz as az

    post = idata.posterior
    diag = {
        k: az.summary(idata, var_names=[k], kind="diagnostics", round_to="none") for k in ("theta", "omega", "sigma")
    }
    rows = []

    def add(name: str, meaning: str, unit: str, draws: Floats, prior: tuple[float, float, float], d: pd.Series) -> None:
        q05, q50, q95 = np.quantile(draws, [0.05, 0.5, 0.95])
        rows.append(
            {
                "parameter": name, "meaning": meaning, "unit": unit, "mean": draws.mean(), "sd": draws.std(ddof=1),
                "q05": q05, "q50": q50, "q95": q95, "prior_q05": prior[0], "prior_q50": prior[1], "prior_q95": prior[2],
                "rhat": d["r_hat"], "ess_bulk": d["ess_bulk"], "ess_tail": d["ess_tail"],
            }
        )  # fmt: skip

    def around(median: float, sd: float) -> tuple[float, float, float]:
        return tuple(median * np.exp(sd * QUANTILE_90 * s) for s in (-1, 0, 1))

    for k, p in enumerate(INDIVIDUAL):
        label, meaning = LABELS[p]
        draws = np.exp(post["theta"].values[..., k].ravel()) * priors.typical[k]
        add(label, f"typical value: {meaning}", _units(p), draws, around(priors.typical[k], priors.uncertainty[k]),
            diag["theta"].iloc[k])  # fmt: skip
    for k, p in enumerate(INDIVIDUAL):
        label, meaning = LABELS[p]
        add(f"omega_{label}", f"between-subject sd of the logarithm: {meaning}", "1",
            post["omega"].values[..., k].ravel(), around(priors.omega[k], OMEGA_SPREAD),
            diag["omega"].iloc[k])  # fmt: skip
    add(*SIGMA, "1", post["sigma"].values.ravel(), around(priors.sigma, OMEGA_SPREAD), diag["sigma"].iloc[0])
    return pd.DataFrame(rows)


def diagnostics(idata: Any, table: pd.DataFrame, n_failed: int, cut: dict[str, float], max_depth: int) -> pd.DataFrame:
    """Table ``fit_diagnostics``."""
    import arviz as az

    stats = idata.sample_stats
    hits = int((stats["depth"].values >= max_depth).sum()) if "depth" in stats else 0
    checks = [
        ("chains", float(idata.posterior.sizes["chain"]), "at least 4", idata.posterior.sizes["chain"] >= 4),
        ("draws", float(idata.posterior.sizes["draw"]), "kept draws a chain", True),
        ("divergences", float(stats["diverging"].values.sum()), "none", not stats["diverging"].values.any()),
        ("max_rhat", table.rhat.max(), f"below {LIMIT_RHAT}", table.rhat.max() < LIMIT_RHAT),
        ("min_ess_bulk", table.ess_bulk.min(), f"at least {LIMIT_ESS:g}", table.ess_bulk.min() >= LIMIT_ESS),
        ("min_ess_tail", table.ess_tail.min(), f"at least {LIMIT_ESS:g}", table.ess_tail.min() >= LIMIT_ESS),
        ("max_treedepth_hits", float(hits), "none", hits == 0),
        ("solver_failures", float(n_failed), "none among the kept draws", n_failed == 0),
        ("twins_with_cut_components", float(len(cut)), f"largest weight cut {max(cut.values(), default=0):.2g}", True),
    ]
    if "energy" in stats:
        bfmi = float(np.min(az.bfmi(idata)))
        checks.append(("min_e_bfmi", bfmi, f"above {LIMIT_BFMI}", bfmi > LIMIT_BFMI))
    return pd.DataFrame(
        [{"check": c, "value": float(v), "limit": limit, "passed": bool(ok)} for c, v, limit, ok in checks]
    )


def log_failed_runs(data: FitData, x: Floats, runs: NDArray[np.int64], draw: int, rtol: float) -> None:
    """Name runs whose solve failed in a kept draw; solved again for time, state and step size.

    x (n_runs, n_individual) individual parameters of the draw; runs : the failed ones.
    """
    model, batch = whole_body_for_fit(), subset(data.batch, runs.tolist())
    P = batch.P.copy()
    columns = [model.parameter_names.index(p) for p in INDIVIDUAL]
    for i, k in enumerate(runs):
        P[batch.seg_0[i] : batch.seg_0[i + 1], columns] = x[k]
    batch = replace(batch, P=P)
    labels = []
    for k in runs:
        twin = data.twins[data.twin_of_run[k]]
        component = twin.names[int(k - np.flatnonzero(data.twin_of_run == data.twin_of_run[k])[0])]
        labels.append(f"{twin.twin_id}/{component}/draw{draw}")
    again = simulate_with_sensitivities(model, batch, rtol=rtol)
    note_failures(model, batch, again, labels, "fit")
    for label, flag in zip(labels, again.flag, strict=True):
        if flag == 0:
            log.warning("%s - solve failed in the fit, but not when it was repeated at rtol %g", label, rtol)


def responsibilities(data: FitData, draws: Draws, kernel: Any, rtol: float = 1e-6) -> tuple[Floats, int]:
    """Posterior probability of each run (twin and component) for each draw: (n_draws, n_runs); failed solves.

    Failed solves are logged by name; ``rtol`` is the tolerance at which they are repeated for that.
    """
    from pharmtwin.inference.laplace import ACTIVITY

    n_runs, failures = len(data.twin_of_run), 0
    out = np.full((len(draws.sigma), n_runs), np.nan)
    for d in range(len(draws.sigma)):
        x = np.exp(draws.log_x[d])[data.twin_of_run]
        x[:, ACTIVITY] *= data.activity
        concentration, _, failed = kernel(x)
        failures += failed
        if failed:
            log_failed_runs(data, x, np.unique(data.run_of_obs[~np.isfinite(concentration)]), d, rtol)
        residual = (data.log_observed - np.log(concentration * MG_PER_L)) / draws.sigma[d]
        log_lik = data.log_weight + np.bincount(data.run_of_obs, -0.5 * residual**2, minlength=n_runs)
        for i in range(len(data.twins)):
            mine = data.twin_of_run == i
            out[d, mine] = np.exp(log_lik[mine] - logsumexp(log_lik[mine]))
    return out, failures


def tabulate(
    idata: Any,
    data: FitData,
    priors: PopulationPriors,
    kernel: Any,
    *,
    n_keep: int,
    master: int,
    max_depth: int = 10,
    rtol: float = 1e-6,
) -> FitTables:
    """All tables from the posterior; ``n_keep`` evenly spaced joint draws go on to the later stages.

    ``kernel`` solves at its own tolerance; ``rtol`` is that of a repetition of failed solves.
    """
    table = summary(idata, priors)
    every = natural(idata.posterior, priors)
    keep = np.linspace(0, len(every.sigma) - 1, n_keep).round().astype(int)
    kept = Draws(every.theta[keep], every.omega[keep], every.sigma[keep], every.log_x[keep])
    share, failed = responsibilities(data, kept, kernel, rtol)
    twin_rows, genotype_rows, draw_frames = [], [], []
    for i, twin in enumerate(data.twins):
        runs = np.flatnonzero(data.twin_of_run == i)
        posterior = share[:, runs]
        for k, name in enumerate(twin.names):
            genotype_rows.append(
                {
                    "twin_id": twin.twin_id, "gene": "CYP2D6", "component": name,
                    "prior_probability": twin.weight[k], "posterior_probability": float(posterior[:, k].mean()),
                }
            )  # fmt: skip
        rng = generator(master, "component", twin.twin_id)
        u = rng.random((len(keep), 1))
        component = (np.cumsum(posterior, axis=1) < u).sum(axis=1).clip(max=len(runs) - 1)
        x = np.exp(kept.log_x[:, i])
        x[:, INDIVIDUAL.index("f_CYP2D6")] *= twin.activity[component]
        prior = _prior_individual(twin.activity, twin.weight, priors, generator(master, "twin_prior", twin.twin_id))
        for k, p in enumerate(INDIVIDUAL):
            q, before = (np.quantile(v[:, k], [0.05, 0.5, 0.95]) for v in (x, prior))
            twin_rows.append(
                {
                    "twin_id": twin.twin_id, "parameter": LABELS[p][0], "unit": _units(p),
                    "prior_q05": before[0], "prior_q50": before[1], "prior_q95": before[2],
                    "q05": q[0], "q50": q[1], "q95": q[2],
                }
            )  # fmt: skip
        draw_frames.append(
            pd.DataFrame(
                {
                    "twin_id": twin.twin_id,
                    "draw": np.arange(len(keep)),
                    "component": [twin.names[c] for c in component],
                    **{p: x[:, k] for k, p in enumerate(INDIVIDUAL)},
                    "sigma": kept.sigma,
                }
            )
        )
    return FitTables(
        summary=table,
        diagnostics=diagnostics(idata, table, failed, data.cut_weight, max_depth),
        twins=pd.DataFrame(twin_rows),
        genotype=pd.DataFrame(genotype_rows),
        population_draws=Population(kept.theta, kept.omega, kept.sigma).to_frame(),
        twin_draws=pd.concat(draw_frames, ignore_index=True),
    )


def _prior_individual(
    activity: Floats, weight: Floats, priors: PopulationPriors, rng: np.random.Generator, n: int = 4000
) -> Floats:
    """Individual parameters before any concentration: drug file and genotype only."""
    from pharmtwin.core.draws import choose_components

    width = len(priors.typical)
    theta = rng.standard_normal((n, width)) * priors.uncertainty
    omega = np.exp(rng.standard_normal((n, width)) * OMEGA_SPREAD) * priors.omega
    x = priors.typical * np.exp(theta + omega * rng.standard_normal((n, width)))
    x[:, INDIVIDUAL.index("f_CYP2D6")] *= activity[choose_components(rng, weight, n)]
    return x
