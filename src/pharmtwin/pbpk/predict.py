"""Predictions: exposure and profiles of every scenario, and concentrations at the twins' own samples.

Three models stand side by side: ``population`` (nothing known about the patient: pooled genotype
frequencies, reference bodies), ``covariates`` (the twin's genotype and body) and ``twin`` (also its own
concentrations, where it has any).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.assembly import individual_columns, typical_individual
from pharmtwin.core.draws import ACTIVITY, Population, gfr_factors, individual_draws
from pharmtwin.core.drug import Drug
from pharmtwin.core.exposure import NG_ML, QUANTILES, Scenario, summarise
from pharmtwin.core.seeds import generator
from pharmtwin.core.unsolved import SAMPLES, reason_of, run_name
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.crosscheck import crosscheck
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.pbpk.scores import exceedance_rows, score_rows
from pharmtwin.tables import records, schema

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
POPULATION = ("population_M", "population_F")  # ids of the reference bodies
OWN_REGIMEN = "own_regimen"  # name of the scenario in which a twin was sampled


@dataclass(frozen=True)
class Settings:
    """How to solve: engine, tolerance, draws a twin, share and limit of the cross-check, master seed.

    ``limits``: concentrations (ng/mL) of which the probability to lie above is predicted at the samples.
    """

    engine: str
    rtol: float
    draws: int
    crosscheck_fraction: float
    crosscheck_rtol: float
    master_seed: int
    limits: tuple[float, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """What the predictions are made from.

    ``base`` parameter vectors by twin (and by reference body), ``base_draws`` the same (n, n_parameters) of twins
    whose body is uncertain, ``priors`` table, ``population`` draws, ``twin_draws`` table (may be empty).
    """

    drug: Drug
    base: Mapping[str, Floats]
    priors: pd.DataFrame
    population: Population
    twin_draws: pd.DataFrame
    base_draws: Mapping[str, Floats] = field(default_factory=dict)


def _mixture(priors: pd.DataFrame, twin_id: str, parameter: str) -> pd.DataFrame:
    mine = priors[(priors.twin_id == twin_id) & (priors.parameter == parameter)]
    if mine.empty:
        raise KeyError(f"no prior on {parameter} for twin {twin_id}")
    return mine.sort_values("component")


def _base(inputs: Inputs, name: str, draw: int) -> Floats:
    """Parameter vector of one draw: the twin's body, or one of its bodies where covariates leave it uncertain."""
    drawn = inputs.base_draws.get(name)
    return inputs.base[name] if drawn is None else drawn[draw % len(drawn)]


def parameter_draws(inputs: Inputs, twin_id: str, model: str, n: int, master: int) -> tuple[Floats, Floats]:
    """Parameter vectors (n, n_parameters) and residual sd (n,) of a twin under one model."""
    columns = individual_columns()
    if model == "population":
        who = [POPULATION[k % 2] for k in range(n)]
        prior = _mixture(inputs.priors, POPULATION[0], ACTIVITY)
        stream = "population"
    else:
        who = [twin_id] * n
        prior = _mixture(inputs.priors, twin_id, ACTIVITY)
        stream = twin_id
    P = np.array([_base(inputs, w, k) for k, w in enumerate(who)])
    gfr = whole_body().parameter_names.index("GFR")
    for name in dict.fromkeys(who):
        scale = float(_mixture(inputs.priors, name, "GFR").iloc[0].scale)
        rows = [k for k, w in enumerate(who) if w == name]
        P[rows, gfr] *= gfr_factors(stream if model == "population" else name, scale, n, master)[rows]
    if model == "twin":
        mine = inputs.twin_draws[inputs.twin_draws.twin_id == twin_id]
        pick = np.linspace(0, len(mine) - 1, n).round().astype(int)
        P[:, columns] = mine[["f_CYP2D6", "f_other", "Kp_scale", "MTT"]].to_numpy(float)[pick]
        return P, mine["sigma"].to_numpy(float)[pick]
    P[:, columns] = individual_draws(
        stream, prior.location.to_numpy(float), prior.weight.to_numpy(float),
        typical_individual(inputs.drug), inputs.population, n, master,
    )  # fmt: skip
    pick = np.linspace(0, inputs.population.n - 1, n).round().astype(int)
    return P, inputs.population.sigma[pick]


def models_of(inputs: Inputs, twin_id: str) -> list[str]:
    """Individual models of a twin: always covariates, and twin where it has a posterior of its own."""
    return ["covariates", "twin"] if (inputs.twin_draws.twin_id == twin_id).any() else ["covariates"]


def predict_scenarios(
    inputs: Inputs,
    twins: Sequence[str],
    scenarios: Sequence[Scenario],
    settings: Settings,
    stage: str,
    audit: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tables ``exposure``, ``profiles`` and ``solver_check`` of some twins (or of ``population``).

    Where Rodas5P solves, these twins are audited by CVODE: all if ``audit``, else a share of them. A twin whose
    draws all fail stops nothing: see :func:`no_result`, and ``n_draws`` 0 in ``exposure``.
    """
    model, n = whole_body(), settings.draws
    exposure, profiles, checks = [], [], []
    for twin_id in twins:
        for kind in ["population"] if twin_id == "population" else models_of(inputs, twin_id):
            P, _ = parameter_draws(inputs, twin_id, kind, n, settings.master_seed)
            for scenario in scenarios:
                times = scenario.times()
                batch = pack(model, P, [scenario.doses()] * n, [times] * n)
                solved = simulate(model, batch, engine=settings.engine, rtol=settings.rtol)
                name = run_name(twin_id, scenario.name, kind)
                labels = [f"{name}/draw{k}" for k in range(n)]
                checks.append(note_failures(model, batch, solved, labels, stage))
                checks.append(no_result(checks[-1], n, name, stage))
                e, p = summarise(twin_id, scenario, kind, times, solved)
                exposure += e
                profiles += p
                rng = generator(settings.master_seed, "crosscheck", name)
                if settings.engine != "cvode" and (audit or rng.random() < settings.crosscheck_fraction * n):
                    checks.append(
                        crosscheck(
                            model,
                            batch,
                            solved,
                            labels,
                            stage=stage,
                            rng=rng,
                            fraction=1.0 / n,
                            limit=settings.crosscheck_rtol,
                        )
                    )
    return _table("exposure", exposure), _table("profiles", profiles), _concat(checks)


def predict_samples(
    inputs: Inputs, twin_id: str, doses: Sequence[Dose], samples: pd.DataFrame, settings: Settings, n: int, stage: str
) -> dict[str, pd.DataFrame]:
    """Tables ``predictions``, ``predictive_scores``, ``exceedance``, ``profiles`` (own regimen) and ``solver_check``.

    All of one sampled twin, by name.

    Parameters
    ----------
    samples : time_h, use, dv_ng_ml. The predictive interval of a sample includes the residual error.

    A model whose draws all fail has no predictions and no profile, but a row of :func:`no_result`.
    """
    model = whole_body()
    samples = samples.sort_values("time_h")
    last = float(samples.time_h.max())
    fine = np.unique(
        np.concatenate([samples.time_h, np.linspace(0, min(72.0, last), 73), np.arange(72.0, last + 1e-9, 6.0)])
    )
    at = np.searchsorted(fine, samples.time_h.to_numpy(float))
    given = [d for d in doses if d.time < last]
    predictions, profiles, checks = [], [], []
    scores: list[dict[str, object]] = []
    exceedance: list[dict[str, object]] = []
    for kind in ["population", *models_of(inputs, twin_id)]:
        P, sigma = parameter_draws(inputs, twin_id, kind, n, settings.master_seed)
        batch = pack(model, P, [given] * n, [fine] * n)
        solved = simulate(model, batch, engine="rosenbrock", rtol=settings.rtol)
        name = run_name(twin_id, SAMPLES, kind)
        labels = [f"{name}/draw{k}" for k in range(n)]
        checks.append(note_failures(model, batch, solved, labels, stage))
        checks.append(no_result(checks[-1], n, name, stage))
        good = np.flatnonzero(solved.flag == 0)
        if not len(good):
            continue
        curves = np.array([solved.of(int(k))[:, 0] for k in good]) * NG_ML
        noise = generator(settings.master_seed, "residual", name).standard_normal((len(good), len(at)))
        observed = curves[:, at] * np.exp(sigma[good][:, None] * noise)
        lo, mid, hi = np.quantile(observed, [0.05, 0.5, 0.95], axis=0)
        for j, s in enumerate(records(samples)):
            predictions.append(
                {
                    "twin_id": twin_id, "model": kind, "time_h": float(s.time_h), "use": s.use,
                    "observed": float(s.dv_ng_ml), "median": float(mid[j]), "lo90": float(lo[j]), "hi90": float(hi[j]),
                }
            )  # fmt: skip
        scores += score_rows(twin_id, kind, samples, observed)
        exceedance += exceedance_rows(twin_id, kind, samples, observed, settings.limits)
        bands = np.quantile(curves, list(QUANTILES.values()), axis=0)
        for j, t in enumerate(fine):
            row = {q: float(bands[i, j]) for i, q in enumerate(QUANTILES)}
            profiles.append({"twin_id": twin_id, "scenario": OWN_REGIMEN, "model": kind, "time_h": float(t), **row})
        checks.append(
            crosscheck(
                model,
                batch,
                solved,
                labels,
                stage=stage,
                rng=generator(settings.master_seed, "crosscheck", name),
                fraction=settings.crosscheck_fraction,
                limit=settings.crosscheck_rtol,
            )
        )
    found = {"predictions": predictions, "predictive_scores": scores, "exceedance": exceedance, "profiles": profiles}
    return {**{name: _table(name, rows) for name, rows in found.items()}, "solver_check": _concat(checks)}


def no_result(failed: pd.DataFrame, n: int, name: str, stage: str) -> pd.DataFrame:
    """The row of ``solver_check`` that marks a twin, scenario and model whose ``n`` draws all failed, else no row.

    ``failed`` has the rows of the failed draws (:func:`pharmtwin.engine.failures.note_failures`); ``name`` is
    that of :func:`pharmtwin.core.unsolved.run_name`. The log says it as well.
    """
    if not n or len(failed) < n:
        return failed.head(0)
    first = failed.iloc[0]
    reason = reason_of(n, str(first.failure))
    log.error("%s: %s", name, reason)
    row = {
        "stage": stage, "run": name, "state": first.state, "max_relative_difference": np.nan, "limit": np.nan,
        "passed": False, "failure": reason,
    }  # fmt: skip
    return _table("solver_check", [row])


def _table(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a frame that has the table's columns even where there are no rows."""
    return pd.DataFrame(rows, columns=schema(name).names)


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    kept = [f for f in frames if len(f)]
    return pd.concat(kept, ignore_index=True) if kept else _table("solver_check", [])
