"""Exposures of one batch of twins, and the summary of all batches."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.metrics import METRICS
from pharmtwin.core.seeds import generator
from pharmtwin.core.unsolved import reason_of, run_name
from pharmtwin.drugs.system import System
from pharmtwin.engine.crosscheck import crosscheck, subset
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.replicate import replicate
from pharmtwin.engine.run import Batch, Trajectories, pack, simulate
from pharmtwin.exposures.activity import Activity, activities
from pharmtwin.exposures.draws import STAGE
from pharmtwin.exposures.emulated import EMULATOR, FALLBACK, Bands, bands_of
from pharmtwin.exposures.emulator import Emulator
from pharmtwin.exposures.inputs import inputs_of
from pharmtwin.exposures.metrics import exposures
from pharmtwin.exposures.parameters import Draw, draws_of
from pharmtwin.exposures.people import People
from pharmtwin.exposures.regimens import Regimen, regimens_of, system_of
from pharmtwin.tables import conform, schema

Floats = NDArray[np.float64]
MODEL = "covariates"  # what a run is made of, in the words of table solver_check: genotype and body
ENGINES = ("rosenbrock", "cvode")


def exposures_of(
    people: People,
    genotype: pd.DataFrame,
    config: Mapping[str, Any],
    stage: str,
    log: logging.Logger,
    emulators: Mapping[str, Emulator] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables ``exposures`` and ``solver_check`` of a batch of twins, under every regimen of the configuration.

    Draws that Rodas5P cannot solve are tried again with CVODE; what then fails is counted and named, never filled.
    ``emulators`` : by name of the regimen; without one the limits are the quantiles of the solves.
    """
    tables, checks = [], []
    for regimen in regimens_of(config):
        drug, system = system_of(regimen)
        molecules = sorted({molecule for molecule, _ in system.enzymes})
        activity = activities(genotype, people.ancestry, molecules, str(config["genome"]["activity_map"]))
        n, master = int(config["exposures"]["draws"]), int(config["master_seed"])
        inputs = inputs_of(drug, people, activity, n, master)
        found = np.full((people.n, n, len(system.parts), len(METRICS)), np.nan)
        audited = _audited(people, regimen, n, config)
        for k, draw in enumerate(draws_of(drug, system, regimen, people, inputs)):
            batch, solved = run(system, regimen, draw, float(config["pbpk"]["rtol"]))
            labels = [f"{run_name(t, regimen.name, MODEL)}/draw{k}" for t in people.twin_ids]
            checks.append(note_failures(system.model, batch, solved, labels, stage))
            chosen = np.flatnonzero((audited == k) & (solved.flag == 0)).tolist()
            if chosen:
                first = _chosen(solved, chosen)
                checks.append(_second(system, subset(batch, chosen), first, [labels[i] for i in chosen], stage, config))
            found[:, k] = metrics_of(system, regimen, solved)
        emulator, flat = (emulators or {}).get(regimen.name), found.reshape(people.n, n, -1)
        bands = bands_of(flat, outputs_of(system), emulator, drug, people, activity, inputs, master)
        missed = int((bands.method == FALLBACK).any(axis=1).sum())
        log.info("%s: %d twins, %d draws each, %d missed by the emulator", regimen.name, people.n, n, missed)
        for c, part in enumerate(system.parts):
            own = bands.of(slice(c * len(METRICS), (c + 1) * len(METRICS)))
            tables.append(_table(people, regimen, part.compound.name, found[:, :, c], own, activity))
        checks += _without(found[:, :, 0], people, regimen, stage, checks)
    kept = [c for c in checks if len(c)]
    check = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=schema("solver_check").names)
    return conform("exposures", pd.concat(tables, ignore_index=True)), conform("solver_check", check)


def outputs_of(system: System) -> tuple[str, ...]:
    """Names of what a run gives: ``compound/metric``."""
    return tuple(f"{part.compound.name}/{metric}" for part in system.parts for metric in METRICS)


def run(system: System, regimen: Regimen, draw: Draw, rtol: float) -> tuple[Batch, Trajectories]:
    """One draw of all people, solved over the last interval."""
    one = pack(system.model, draw.parameters[:1], [draw.doses], [regimen.times()])
    batch = replicate(one, draw.parameters)
    return batch, solve(system, batch, rtol)


def metrics_of(system: System, regimen: Regimen, solved: Trajectories) -> Floats:
    """Metrics of the runs of :func:`run`, (n, compounds, metrics); NaN where one failed."""
    times = regimen.times()
    values = solved.values.reshape(len(solved.flag), len(times), -1)
    own = [exposures(times, values[:, :, 2 * c], values[:, :, 2 * c + 1]) for c in range(len(system.parts))]
    return np.stack(own, axis=1)


def solve(system: System, batch: Batch, rtol: float) -> Trajectories:
    """All runs by Rodas5P, what fails again by CVODE."""
    solved = simulate(system.model, batch, engine=ENGINES[0], rtol=rtol)
    again = np.flatnonzero(solved.flag).tolist()
    if again:
        second = simulate(system.model, subset(batch, again), engine=ENGINES[1], rtol=rtol)
        for i, run in enumerate(again):
            if second.flag[i] == 0:
                solved.values[solved.t_0[run] : solved.t_0[run + 1]] = second.of(i)
                solved.flag[run] = 0
    return solved


def _audited(people: People, regimen: Regimen, n: int, config: Mapping[str, Any]) -> NDArray[np.int64]:
    """Draw of each twin that is solved a second time by the reference solver, -1: none; by the twin's own numbers."""
    share, master = float(config["pbpk"]["crosscheck_fraction"]), int(config["master_seed"])
    out = np.full(people.n, -1, dtype=np.int64)
    for i, twin in enumerate(people.twin_ids):
        rng = generator(master, f"{STAGE} audit", f"{twin}/{regimen.name}")
        if rng.random() < share * n:
            out[i] = int(rng.integers(n))
    return out


def _chosen(solved: Trajectories, runs: Sequence[int]) -> Trajectories:
    """Some runs of a solution."""
    width = np.diff(solved.t_0)[list(runs)]
    return Trajectories(
        np.concatenate([solved.of(k) for k in runs]), np.concatenate([[0], np.cumsum(width)]).astype(np.int64),
        solved.final_state[list(runs)], solved.final_rate[list(runs)], solved.flag[list(runs)],
        solved.stat[list(runs)], path=solved.path,
    )  # fmt: skip


def _second(
    system: System, batch: Batch, solved: Trajectories, labels: Sequence[str], stage: str, config: Mapping[str, Any]
) -> pd.DataFrame:
    rng = generator(int(config["master_seed"]), f"{STAGE} audit", stage)
    limit = float(config["pbpk"]["crosscheck_rtol"])
    return crosscheck(system.model, batch, solved, labels, stage=stage, fraction=1.0, limit=limit, rng=rng)


def _table(
    people: People,
    regimen: Regimen,
    compound: str,
    samples: Floats,
    bands: Bands,
    activity: Mapping[str, Mapping[str, Activity]],
) -> pd.DataFrame:
    """Rows of table ``exposures`` of one compound; ``samples`` (twins, draws, metrics)."""
    width = len(METRICS)
    figures = bands.limits.reshape(-1, 3)
    solved = (~np.isnan(samples[:, :, 0])).sum(axis=1)
    unsourced = [max([0.0, *(of[t].unsourced for of in activity.values())]) for t in people.twin_ids]
    return pd.DataFrame(
        {
            "twin_id": np.repeat(np.array(people.twin_ids, dtype=object), width),
            "regimen": regimen.name,
            "drug": regimen.drug,
            "compound": compound,
            "metric": np.tile(np.array(list(METRICS), dtype=object), people.n),
            "unit": np.tile(np.array(list(METRICS.values()), dtype=object), people.n),
            "median": figures[:, 1],
            "lo90": figures[:, 0],
            "hi90": figures[:, 2],
            "n_draws": np.repeat(solved, width),
            "n_failed": np.repeat(samples.shape[1] - solved, width),
            "method": bands.method.ravel(),
            "misfit": bands.misfit.ravel(),
            "unsourced": np.repeat(unsourced, width),
        }
    )


def _without(
    samples: Floats, people: People, regimen: Regimen, stage: str, checks: Sequence[pd.DataFrame]
) -> list[pd.DataFrame]:
    """Rows of ``solver_check`` for twins of whom every draw failed, as the other predictions write them."""
    rows = []
    for i in np.flatnonzero(np.isnan(samples[:, :, 0]).all(axis=1)):
        name = run_name(people.twin_ids[i], regimen.name, MODEL)
        first = next(str(f) for c in checks for r, f in zip(c["run"], c["failure"]) if str(r).startswith(f"{name}/"))
        row = {c: np.nan for c in schema("solver_check").names}
        reason = reason_of(samples.shape[1], first)
        rows.append({**row, "stage": stage, "run": name, "state": "", "passed": False, "failure": reason})
    return [pd.DataFrame(rows)] if rows else []


def summary_of(table: pd.DataFrame, ancestry: Mapping[str, str]) -> pd.DataFrame:
    """Table ``exposure_summary``: each regimen, compound and metric over all twins and over each ancestry."""
    own = table.assign(group=[ancestry.get(str(t), "") for t in table["twin_id"]])
    both = pd.concat([table.assign(group="all"), own[own["group"] != ""]], ignore_index=True)
    rows = []
    for key, mine in both.groupby(["regimen", "compound", "metric", "unit", "group"], sort=False):
        known = mine[mine["n_draws"] > 0]
        quantiles = known["median"].quantile([0.5, 0.05, 0.95]).to_numpy() if len(known) else np.full(3, np.nan)
        positive = len(known) and bool((known["lo90"] > 0).all())
        rows.append(
            {
                **dict(zip(("regimen", "compound", "metric", "unit", "group"), key, strict=True)),
                "n_twins": len(known),
                "n_without": len(mine) - len(known),
                "n_failed": int(mine["n_failed"].sum()),
                "n_emulator": int((known["method"] == EMULATOR).sum()),
                "n_fallback": int((known["method"] == FALLBACK).sum()),
                "median": quantiles[0],
                "lo90": quantiles[1],
                "hi90": quantiles[2],
                "interval_ratio": float((known["hi90"] / known["lo90"]).median()) if positive else np.nan,
            }
        )
    return conform("exposure_summary", pd.DataFrame(rows, columns=schema("exposure_summary").names))
