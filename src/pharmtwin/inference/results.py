"""From the sampler's output to tables: summary, diagnostics, twins, genotype, draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

from pharmtwin.core.draws import Population, choose_components
from pharmtwin.core.priors import OMEGA_SPREAD, PopulationPriors
from pharmtwin.core.seeds import generator
from pharmtwin.core.whole_body import INDIVIDUAL
from pharmtwin.inference.criticism.limits import limits
from pharmtwin.inference.diplotypes import diplotype_table
from pharmtwin.inference.failed import log_failed_runs
from pharmtwin.inference.models.description import SD
from pharmtwin.inference.population_fit.build import PopulationFit
from pharmtwin.inference.population_fit.sample import Posterior
from pharmtwin.inference.problem.problem import Problem
from pharmtwin.inference.study import StudyData
from pharmtwin.inference.twin.whole_body import ACTIVITY

Floats = NDArray[np.float64]
QUANTILE_90 = float(norm.ppf(0.95))
LABELS = {
    "f_CYP2D6": ("CLint_CYP2D6", "CYP2D6 intrinsic clearance relative to the drug file at the genotype's activity"),
    "f_other": ("CLint_other", "other hepatic intrinsic clearance relative to the drug file"),
    "Kp_scale": ("Kp_scale", "factor on all tissue:plasma partition coefficients"),
    "MTT": ("MTT", "mean transit time of oral absorption"),
}
SIGMA = ("sigma", "residual sd of the logarithm of a concentration")
ACTIVE = INDIVIDUAL.index("f_CYP2D6")


@dataclass(frozen=True)
class FitTables:
    """All tables of the fit stage (see ``pharmtwin.tables``)."""

    summary: pd.DataFrame
    diagnostics: pd.DataFrame
    twins: pd.DataFrame
    genotype: pd.DataFrame
    diplotypes: pd.DataFrame
    population_draws: pd.DataFrame
    twin_draws: pd.DataFrame


@dataclass(frozen=True)
class Draws:
    """Posterior draws.

    typical : (n, 4) typical values (natural scale). omega : (n, 4). sigma : (n,). eta : (n, n_twins, 4), of a twin with
    ``population_fit.shifts`` relative to its reference.
    """

    typical: Floats
    omega: Floats
    sigma: Floats
    eta: Floats

    @classmethod
    def of(cls, posterior: Posterior) -> Draws:
        """All draws, chain by chain."""
        typical = np.stack([posterior.draws(f"TV_{p}") for p in INDIVIDUAL], axis=1)
        omega = np.stack([posterior.draws(SD.format(f"eta_{p}")) for p in INDIVIDUAL], axis=1)
        return cls(typical, omega, posterior.draws(SIGMA[0]), posterior.draws("eta"))

    def some(self, keep: NDArray[np.int64]) -> Draws:
        """The chosen draws."""
        return Draws(self.typical[keep], self.omega[keep], self.sigma[keep], self.eta[keep])

    def individual(self, twin: int) -> Floats:
        """Individual parameters (n, 4) of a twin, ``f_CYP2D6`` without the activity of what was solved."""
        return np.asarray(self.typical * np.exp(self.eta[:, twin]))


def population_names() -> dict[str, str]:
    """Population parameters as they are sampled, and as table ``fit_summary`` calls them, in its order."""
    typical = {f"TV_{p}": LABELS[p][0] for p in INDIVIDUAL}
    return typical | {SD.format(f"eta_{p}"): f"omega_{LABELS[p][0]}" for p in INDIVIDUAL} | {SIGMA[0]: SIGMA[0]}


def _units(name: str) -> str:
    return "h" if name == "MTT" else "1"


def summary(posterior: Posterior, draws: Draws, priors: PopulationPriors) -> pd.DataFrame:
    """Table ``fit_summary``: typical values (natural scale), omegas and sigma, prior beside posterior."""
    figures = posterior.table.set_index("parameter")
    rows = []

    def add(name: str, sampled: str, meaning: str, unit: str, values: Floats, median: float, sd: float) -> None:
        q05, q50, q95 = np.quantile(values, [0.05, 0.5, 0.95])
        prior = [median * np.exp(sd * QUANTILE_90 * s) for s in (-1, 0, 1)]  # all priors are lognormal
        d = figures.loc[sampled]
        rows.append(
            {
                "parameter": name, "meaning": meaning, "unit": unit, "mean": values.mean(), "sd": values.std(ddof=1),
                "q05": q05, "q50": q50, "q95": q95, "prior_q05": prior[0], "prior_q50": prior[1], "prior_q95": prior[2],
                "rhat": d["rhat"], "ess_bulk": d["ess_bulk"], "ess_tail": d["ess_tail"],
            }
        )  # fmt: skip

    for k, p in enumerate(INDIVIDUAL):
        label, meaning = LABELS[p]
        add(label, f"TV_{p}", f"typical value: {meaning}", _units(p), draws.typical[:, k], priors.typical[k],
            priors.uncertainty[k])  # fmt: skip
    for k, p in enumerate(INDIVIDUAL):
        label, meaning = LABELS[p]
        add(f"omega_{label}", SD.format(f"eta_{p}"), f"between-subject sd of the logarithm: {meaning}", "1",
            draws.omega[:, k], priors.omega[k], OMEGA_SPREAD)  # fmt: skip
    add(SIGMA[0], SIGMA[0], SIGMA[1], "1", draws.sigma, priors.sigma, OMEGA_SPREAD)
    return pd.DataFrame(rows)


def diagnostics(posterior: Posterior, n_failed: int, cut: Mapping[str, float]) -> pd.DataFrame:
    """Table ``fit_diagnostics``: the checks of ``criticism``, and what else a reader must know of the fit.

    n_failed : solves that failed when kept draws were solved again; they count with those of the sampler.
    """
    table = posterior.checks.copy()
    own = table["check"] == "solver_failures"
    failures = table.loc[own, "value"] + n_failed
    table.loc[own, "value"] = failures
    table.loc[own, "passed"] = [limits("sampler")["solver_failures"].passes(f) for f in failures]
    sizes = posterior.idata.posterior.sizes
    more = [
        ("draws", float(sizes["draw"]), "kept draws a chain", True, ""),
        ("failed_solves", float(posterior.failed_solves), "while sampling, warm-up included", True, ""),
        ("stopped", float(bool(posterior.stopped)), "not before all draws were made", not posterior.stopped, ""),
        ("twins_with_cut_components", float(len(cut)), f"largest weight cut {max(cut.values(), default=0):.2g}", True,
         max(cut, key=lambda t: cut[t], default="")),
    ]  # fmt: skip
    return pd.concat([table, pd.DataFrame(more, columns=table.columns)], ignore_index=True)


def responsibilities(problem: Problem, draws: Draws) -> tuple[Floats, int]:
    """Posterior probability of each case (twin and component) for each draw: (n_draws, n_cases); failed solves.

    Failed solves are logged by name. The log-likelihoods are those of the fit, at its tolerance.
    """
    failures = 0
    out = np.full((len(draws.sigma), problem.n_cases), np.nan)
    for d in range(len(draws.sigma)):
        x = problem.rows(draws.typical[d], draws.eta[d])
        solved = problem.likelihood(x, draws.sigma[d : d + 1], derivatives=False)
        if solved.flag.any():
            failures += int(np.count_nonzero(solved.flag))
            log_failed_runs(problem, x, np.flatnonzero(solved.flag), d)
        log_lik = problem.log_weight + problem.by_case(solved.ll)
        for i in range(len(problem.subjects)):
            mine = problem.subject_of_case == i
            with np.errstate(invalid="ignore"):  # no component could be solved: no probabilities
                out[d, mine] = np.exp(log_lik[mine] - logsumexp(log_lik[mine]))
    return out, failures


@dataclass(frozen=True)
class Shifted:
    """Of twins whose hypotheses are shifts, at every draw: probabilities of the hypotheses, and one drawn from them.

    probability : by twin number, (n_draws, n_hypotheses). chosen : by twin number, (n_draws,).
    """

    probability: Mapping[int, Floats]
    chosen: Mapping[int, NDArray[np.int64]]

    @classmethod
    def of(cls, posterior: Posterior, fit: PopulationFit, master: int) -> Shifted:
        """The choice depends on ``master`` and the twin's name only."""
        share = fit.shifts.probabilities(posterior.draws("eta"), posterior.draws("omega"))
        n = np.isfinite(fit.shifts.log_weight).sum(axis=1).tolist()
        probability = {i: share[:, r, : n[r]] for r, i in enumerate(fit.shifts.rows.tolist())}
        chosen = {i: _chosen(p, master, fit.problem.subjects[i]) for i, p in probability.items()}
        return cls(probability, chosen)


def _chosen(probability: Floats, master: int, twin: str) -> NDArray[np.int64]:
    """A hypothesis for each row of probabilities (n_draws, n_hypotheses)."""
    u = generator(master, "component", twin).random((len(probability), 1))
    return np.asarray((np.cumsum(probability, axis=1) < u).sum(axis=1).clip(max=probability.shape[1] - 1))


def with_own_effects(posterior: Posterior, fit: PopulationFit, master: int) -> Any:
    """The draws (InferenceData), ``eta`` under a hypothesis drawn for each draw: what Omega is the covariance of."""
    idata = posterior.idata.copy()
    eta = idata.posterior["eta"].values.copy()
    width = fit.shifts.delta.shape[2]
    chosen = Shifted.of(posterior, fit, master).chosen
    for r, i in enumerate(fit.shifts.rows.tolist()):
        eta[:, :, i, :width] -= fit.shifts.delta[r][chosen[i]].reshape(*eta.shape[:2], width)
    idata.posterior["eta"] = (idata.posterior["eta"].dims, eta)
    return idata


def tabulate(
    posterior: Posterior,
    fit: PopulationFit,
    data: StudyData,
    shares: pd.DataFrame,
    priors: PopulationPriors,
    *,
    n_keep: int,
    master: int,
) -> FitTables:
    """All tables from the posterior; ``n_keep`` evenly spaced joint draws go on to the later stages.

    fit : of ``data.solved`` and ``data.shifts``. shares : of each diplotype in the activity components
    (``diplotypes.diplotype_table``).
    """
    problem = fit.problem
    every = Draws.of(posterior)
    keep = np.linspace(0, len(every.sigma) - 1, n_keep).round().astype(int)
    kept = every.some(keep)
    share, failed = responsibilities(problem, kept)
    shifted = Shifted.of(posterior, fit, master)
    twin_rows, genotype_rows, draw_frames = [], [], []
    for i, twin in enumerate(problem.subjects):
        own = data.components[twin]
        activity = np.array([c.values[ACTIVITY] for c in own])
        weight = np.array([c.weight for c in own])
        x = kept.individual(i)
        if i in shifted.chosen:
            probability, component = shifted.probability[i], shifted.chosen[i][keep]
            x[:, ACTIVE] *= data.solved[twin][0].values[ACTIVITY]
        else:
            probability = share[:, problem.subject_of_case == i]
            component = _chosen(probability, master, twin)
            x[:, ACTIVE] *= activity[component]
        for k, c in enumerate(own):
            genotype_rows.append(
                {
                    "twin_id": twin, "gene": "CYP2D6", "component": c.name,
                    "prior_probability": c.weight, "posterior_probability": float(probability[:, k].mean()),
                }
            )  # fmt: skip
        prior = _prior_individual(activity, weight, priors, generator(master, "twin_prior", twin))
        for k, p in enumerate(INDIVIDUAL):
            q, before = (np.quantile(v[:, k], [0.05, 0.5, 0.95]) for v in (x, prior))
            twin_rows.append(
                {
                    "twin_id": twin, "parameter": LABELS[p][0], "unit": _units(p),
                    "prior_q05": before[0], "prior_q50": before[1], "prior_q95": before[2],
                    "q05": q[0], "q50": q[1], "q95": q[2],
                }
            )  # fmt: skip
        draw_frames.append(
            pd.DataFrame(
                {
                    "twin_id": twin,
                    "draw": np.arange(len(keep)),
                    "component": [own[c].name for c in component],
                    **{p: x[:, k] for k, p in enumerate(INDIVIDUAL)},
                    "sigma": kept.sigma,
                }
            )
        )
    genotype = pd.DataFrame(genotype_rows)
    return FitTables(
        summary=summary(posterior, every, priors),
        diagnostics=diagnostics(posterior, failed, data.cut_weight),
        twins=pd.DataFrame(twin_rows),
        genotype=genotype,
        diplotypes=diplotype_table(shares, genotype),
        population_draws=Population(np.log(kept.typical / priors.typical), kept.omega, kept.sigma).to_frame(),
        twin_draws=pd.concat(draw_frames, ignore_index=True),
    )


def _prior_individual(
    activity: Floats, weight: Floats, priors: PopulationPriors, rng: np.random.Generator, n: int = 4000
) -> Floats:
    """Individual parameters before any concentration: drug file and genotype only."""
    width = len(priors.typical)
    theta = rng.standard_normal((n, width)) * priors.uncertainty
    omega = np.exp(rng.standard_normal((n, width)) * OMEGA_SPREAD) * priors.omega
    x = priors.typical * np.exp(theta + omega * rng.standard_normal((n, width)))
    x[:, ACTIVE] *= activity[choose_components(rng, weight, n)]
    return np.asarray(x)
