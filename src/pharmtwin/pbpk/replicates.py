"""The study simulated again and again: new people of the same genotypes, bodies and doses, at the same times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.assembly import individual_columns, typical_individual
from pharmtwin.core.draws import ACTIVITY
from pharmtwin.core.exposure import NG_ML
from pharmtwin.core.regimen import regimen
from pharmtwin.core.seeds import generator
from pharmtwin.core.unsolved import run_name
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.engine.crosscheck import crosscheck
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import pack, simulate
from pharmtwin.pbpk.predict import Inputs, Settings, mixture_of, parameter_draws
from pharmtwin.tables import schema

Floats = NDArray[np.float64]
STAGE = "criticism"
#: simulated studies: some more than a band of percentiles needs, since a study with a failed solve is left out
STUDIES = 520
MODEL = "covariates"
SAMPLES = ["twin_id", "time_h", "use", "observed", "lloq", "typical"]


@dataclass(frozen=True)
class Replicates:
    """Simulated studies beside the observed one.

    samples : one row a sample (``SAMPLES``): observed and limit of quantification (nan: none) in ng/mL; typical, the
    prediction for a typical person of the twin's genotype, body and doses. simulated : (studies, samples) ng/mL,
    residual error included. asked : studies that were to be simulated; those with a failed solve are left out.
    checks : table ``solver_check``.
    """

    samples: pd.DataFrame
    simulated: Floats
    asked: int
    checks: pd.DataFrame


def replicates(inputs: Inputs, events: pd.DataFrame, settings: Settings, n: int = STUDIES) -> Replicates:
    """Simulate the study ``n`` times by the model that the predictions call ``covariates``.

    Study k takes the k-th joint draw of the population's parameters for all twins (of the posterior; without a fit, of
    the drug file's priors), and draws for each twin a genotype from its probabilities, a GFR, random effects and
    residual errors. No study knows a twin's own random effects. events : canonical events sheet; samples above 0.
    """
    parts, columns, checks = [], [], []
    for twin in sorted(set(inputs.twins) & set(events.loc[events["evid"] == 0, "twin_id"].astype(str))):
        mine = events[events["twin_id"].astype(str) == twin]
        seen = mine[(mine["evid"] == 0) & (mine["dv_ng_ml"] > 0)].sort_values("time_h")
        if len(seen):
            rows, drawn, failed = _twin(inputs, twin, mine, seen, settings, n)
            parts.append(rows)
            columns.append(drawn)
            checks.append(failed)
    if not parts:
        nothing = pd.DataFrame({c: [] for c in SAMPLES})
        return Replicates(nothing, np.empty((0, 0)), n, pd.DataFrame({c: [] for c in schema("solver_check").names}))
    simulated = np.concatenate(columns, axis=1)
    kept = [c for c in checks if len(c)]
    return Replicates(
        pd.concat(parts, ignore_index=True),
        simulated[np.isfinite(simulated).all(axis=1)],
        n,
        pd.concat(kept, ignore_index=True) if kept else checks[0],
    )


def _twin(
    inputs: Inputs, twin: str, events: pd.DataFrame, seen: pd.DataFrame, settings: Settings, n: int
) -> tuple[pd.DataFrame, Floats, pd.DataFrame]:
    """Samples of one twin, what was simulated for them (n, samples; nan where the solver failed), and checks."""
    model = whole_body()
    drawn, sigma = parameter_draws(inputs, twin, MODEL, n, settings.master_seed)
    typical, weight = typical_people(inputs, twin)
    P = np.concatenate([drawn, typical])
    times = np.unique(seen["time_h"].to_numpy(float))
    doses = [d for d in regimen(events) if d.time < times[-1]]
    batch = pack(model, P, [doses] * len(P), [times] * len(P))
    solved = simulate(model, batch, engine="rosenbrock", rtol=settings.rtol)
    name = run_name(twin, "studies", MODEL)
    labels = [*(f"{name}/draw{k}" for k in range(n)), *(f"{name}/typical{k}" for k in range(len(typical)))]
    checks = [note_failures(model, batch, solved, labels, STAGE)]
    checks.append(
        crosscheck(model, batch, solved, labels, stage=STAGE, rng=generator(settings.master_seed, "crosscheck", name),
                   fraction=settings.crosscheck_fraction, limit=settings.crosscheck_rtol)
    )  # fmt: skip
    at = np.searchsorted(times, seen["time_h"].to_numpy(float))
    curves = np.full((len(P), len(at)), np.nan)
    for k in np.flatnonzero(solved.flag == 0):
        curves[k] = solved.of(int(k))[at, 0] * NG_ML
    noise = generator(settings.master_seed, "replicates", twin).standard_normal((n, len(at)))
    rows = pd.DataFrame(
        {
            "twin_id": twin,
            "time_h": seen["time_h"].to_numpy(float),
            "use": seen["use"].astype(str).to_numpy(),
            "observed": seen["dv_ng_ml"].to_numpy(float),
            "lloq": seen["lloq_ng_ml"].to_numpy(float) if "lloq_ng_ml" in seen else np.nan,
            "typical": weight @ curves[n:],
        }
    )
    kept = [c for c in checks if len(c)]
    return rows, curves[:n] * np.exp(sigma[:, None] * noise), pd.concat(kept, ignore_index=True) if kept else checks[0]


def typical_people(inputs: Inputs, twin: str) -> tuple[Floats, Floats]:
    """Parameter vectors (k, n_parameters) of a person without random effects, one for each genotype that the twin may
    have, and the genotypes' probabilities (k,). Population parameters: their geometric means over the draws."""
    prior = mixture_of(inputs.priors, twin, ACTIVITY)
    weight = prior["weight"].to_numpy(float)
    P = np.repeat(inputs.base[twin][None], len(weight), axis=0)
    x = np.repeat(
        (typical_individual(inputs.drug) * np.exp(inputs.population.theta.mean(axis=0)))[None], len(P), axis=0
    )
    x[:, INDIVIDUAL.index("f_CYP2D6")] *= prior["location"].to_numpy(float)
    P[:, individual_columns()] = x
    return P, weight / weight.sum()
