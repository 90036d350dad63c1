"""Exposure of a person put together from the reference person and a twin, on the workflow's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.attribution.causes import GENOTYPE, SAMPLES, Causes, mixed_rows
from pharmtwin.core.assembly import base_parameters, individual_columns, typical_individual
from pharmtwin.core.draws import ACTIVITY, Population
from pharmtwin.core.drug import Drug
from pharmtwin.core.exposure import Scenario, interval_metrics
from pharmtwin.core.seeds import generator
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.engine.crosscheck import crosscheck
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import pack, simulate

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
#: rows of a twins sheet -> table body (long)
Bodies = Callable[[pd.DataFrame], pd.DataFrame]
METRICS = ("AUCtau", "Cmax", "Ctrough")
STAGE = "attributions"
#: share of a genotype's probability that is simulated; rarer activities are left out, and the share is told
KEPT = 0.99
FITTED_NAMES = "unknown:"  # the fit joins components of equal activity, known and unknown function alike


@dataclass(frozen=True)
class Genes:
    """Activities relative to score 2 and their weights, (n,) each; ``left_out``: share that is not simulated."""

    activity: Floats
    weight: Floats
    left_out: float = 0.0

    @classmethod
    def of(cls, priors: pd.DataFrame, twin_id: str, counts: Mapping[str, float] | None = None) -> Genes:
        """From table ``priors``; ``counts`` gives the weights by component instead (of a twin's posterior draws)."""
        mine = priors[(priors["twin_id"] == twin_id) & (priors["parameter"] == ACTIVITY)]
        if mine.empty or mine[["location", "weight"]].isna().any(axis=None):
            raise KeyError(f"no complete prior on {ACTIVITY} for twin {twin_id}")
        weight = mine["weight"].to_numpy(float)
        if counts is not None:
            names = mine["component"].astype(str).str.replace(FITTED_NAMES, "")
            first = ~names.duplicated().to_numpy(dtype=bool)
            weight = np.where(first, names.map(dict(counts)).fillna(0.0).to_numpy(float), 0.0)
        pooled = pd.Series(weight / weight.sum()).groupby(mine["location"].to_numpy(float)).sum()
        pooled = pooled.sort_values(ascending=False, kind="stable")
        keep = int(np.searchsorted(pooled.cumsum().to_numpy(float), KEPT - 1e-12)) + 1
        kept = pooled.iloc[:keep]
        return cls(kept.index.to_numpy(float), (kept / kept.sum()).to_numpy(float), float(1 - kept.sum()))


@dataclass(frozen=True)
class Own:
    """What a twin's own concentrations tell: its genotype's weights and its deviations (4,) from what is typical."""

    genes: Genes
    deviation: Floats


def typical_of(drug: Drug, population: Population, draw: int | None = None) -> Floats:
    """Typical individual parameters (4,) of the study at activity score 2: of the drug file, moved by the fit.

    At the posterior mean, or of one joint draw of the population.
    """
    theta = population.theta.mean(axis=0) if draw is None else population.theta[draw]
    return np.asarray(typical_individual(drug) * np.exp(theta))


def own_of(draws: pd.DataFrame, priors: pd.DataFrame, twin_id: str, typical: Floats) -> Own | None:
    """From the twin's posterior draws (table ``twin_draws``); None without any.

    Deviations are geometric means over draws; of CYP2D6 over draws of a genotype that has activity (1 if none has).
    """
    mine = draws[draws["twin_id"] == twin_id]
    if mine.empty:
        return None
    prior = priors[(priors["twin_id"] == twin_id) & (priors["parameter"] == ACTIVITY)]
    names = prior["component"].astype(str).str.replace(FITTED_NAMES, "")
    location = dict(zip(names, prior["location"].to_numpy(float)))
    activity = mine["component"].astype(str).map(location).to_numpy(float)
    x = mine[list(INDIVIDUAL)].to_numpy(float) / typical
    f = INDIVIDUAL.index("f_CYP2D6")
    active = activity > 0
    deviation = np.ones(len(INDIVIDUAL))
    for j in range(len(INDIVIDUAL)):
        ratio = x[active, j] / activity[active] if j == f else x[:, j]
        deviation[j] = float(np.exp(np.mean(np.log(ratio)))) if len(ratio) else 1.0
    counts = mine["component"].astype(str).value_counts().astype(float).to_dict()
    return Own(Genes.of(priors, twin_id, {str(k): float(v) for k, v in counts.items()}), deviation)


@dataclass(frozen=True)
class Solver:
    """How to solve: engine, tolerance, share and limit of the check by the second engine, master seed."""

    engine: str
    rtol: float
    crosscheck_fraction: float
    crosscheck_rtol: float
    master_seed: int


@dataclass
class Mixed:
    """Exposure of combinations of a twin's causes; a call solves them in one batch.

    ``reference_activity``: of the reference person; ``checks`` collects rows of table ``solver_check``; ``known``
    keeps the parameters of bodies already put together, by combination of covariates.
    """

    name: str
    twin: pd.Series
    reference: pd.Series
    causes: Causes
    bodies: Bodies
    drug: Drug
    typical: Floats
    reference_activity: float
    genes: Genes
    own: Own | None
    scenario: Scenario
    solver: Solver
    checks: list[pd.DataFrame] = field(default_factory=list)
    known: dict[bytes, Floats] = field(default_factory=dict)

    def bases(self, masks: Masks) -> list[Floats]:
        """Parameter vector of the body of each combination of covariates."""
        new = np.array([m for m in np.unique(masks, axis=0) if m.tobytes() not in self.known], dtype=bool)
        if len(new):
            table = self.bodies(mixed_rows(self.twin, self.reference, self.causes, new))
            wide = table.pivot(index="twin_id", columns="quantity", values="value")
            for k, mask in enumerate(new):
                person = {str(q): float(v) for q, v in wide.loc[f"mixed{k}"].to_dict().items()}
                self.known[mask.tobytes()] = base_parameters(self.drug, person)
        return [self.known[m.tobytes()] for m in masks]

    def parameters(self, masks: Masks) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Parameter vectors (n_runs, n_parameters), the combination of each run, and its weight in it."""
        at = {name: k for k, name in enumerate(self.causes.names)}
        body = [at[name] for name in self.causes.columns]
        only = np.zeros_like(masks)
        only[:, body] = masks[:, body]
        base = self.bases(only)
        columns, f = individual_columns(), INDIVIDUAL.index("f_CYP2D6")
        rows: list[Floats] = []
        run: list[int] = []
        weight: list[float] = []
        for k, mask in enumerate(masks):
            sampled = self.own is not None and bool(mask[at[SAMPLES]])
            individual = self.typical * (self.own.deviation if self.own is not None and sampled else 1.0)
            genes = Genes(np.array([self.reference_activity]), np.ones(1))
            if mask[at[GENOTYPE]]:
                genes = self.own.genes if self.own is not None and sampled else self.genes
            for activity, share in zip(genes.activity, genes.weight, strict=True):
                row = base[k].copy()
                row[columns] = individual
                row[columns[f]] *= activity
                rows.append(row)
                run.append(k)
                weight.append(float(share))
        return np.array(rows), np.array(run, dtype=np.int64), np.array(weight)

    def __call__(self, masks: Masks) -> Floats:
        """Metrics (means over the genotype's activities), then their logarithms, (n, 2 n_metrics); NaN if one fails."""
        return outcomes([self], masks, self.name)[0]


def outcomes(people: Sequence[Mixed], masks: Masks, name: str) -> Floats:
    """Outcomes of the same combinations in several people, solved in one batch: (n_people, n, 2 n_metrics).

    The people share scenario, solver and ``checks``; ``name`` is that of the batch's random numbers.
    """
    first, model = people[0], whole_body()
    times, solver = first.scenario.times(), first.solver
    parts = [p.parameters(masks) for p in people]
    P = np.concatenate([part[0] for part in parts])
    batch = pack(model, P, [first.scenario.doses()] * len(P), [times] * len(P))
    solved = simulate(model, batch, engine=solver.engine, rtol=solver.rtol)
    # a run an activity
    labels = [f"{p.name}/combination{k}-run{i}" for p, part in zip(people, parts) for i, k in enumerate(part[1])]
    first.checks.append(note_failures(model, batch, solved, labels, STAGE))
    if solver.engine != "cvode":
        rng = generator(solver.master_seed, "crosscheck", f"{STAGE}/{name}")
        fraction, limit = solver.crosscheck_fraction, solver.crosscheck_rtol
        first.checks.append(
            crosscheck(model, batch, solved, labels, stage=STAGE, fraction=fraction, limit=limit, rng=rng)
        )
    out, at = np.zeros((len(people), len(masks), len(METRICS))), 0
    for who, (_, run, weight) in enumerate(parts):
        for i, (k, share) in enumerate(zip(run, weight, strict=True), start=at):
            good = solved.flag[i] == 0
            found = interval_metrics(first.scenario, times, solved.of(i)) if good else dict.fromkeys(METRICS, np.nan)
            out[who, k] += share * np.array([found[m] for m in METRICS])
        at += len(run)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([out, np.log(out)], axis=2)
