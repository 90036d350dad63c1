"""PBPK stage of one bucket: read tables, predict, return tables."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.core.assembly import assemble, assemble_draws
from pharmtwin.core.draws import Population
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import Scenario
from pharmtwin.core.regimen import regimen
from pharmtwin.pbpk.predict import Inputs, Settings, predict_samples, predict_scenarios
from pharmtwin.tables import read_table, schema

AUDITED = 3  # twins of a bucket whose runs are always audited
TABLES = ("exposure", "profiles", "predictions", "predictive_scores", "exceedance", "solver_check")
SAMPLE_DRAWS = 400  # draws behind predictive intervals at the twins' own samples


def settings_of(config: Mapping[str, Any]) -> Settings:
    """Solver settings of the config."""
    p = config["pbpk"]
    return Settings(
        str(p["engine"]), float(p["rtol"]), int(p["draws"]), float(p["crosscheck_fraction"]),
        float(p["crosscheck_rtol"]), int(config["master_seed"]),
        tuple(float(x) for x in config["evaluation"]["limits_ng_ml"]),
    )  # fmt: skip


def read_inputs(files: Any, config: Mapping[str, Any]) -> Inputs:
    """Inputs from a job's files: drug, reference tables, population draws, and the bucket's own where given."""
    drug = load_drug(str(config["drug"]))
    body = [read_table("body", Path(files.reference_body))]
    priors = [read_table("priors", Path(files.reference_priors))]
    twin_draws = pd.DataFrame({c: [] for c in schema("twin_draws").names})
    body_draws = pd.DataFrame({c: [] for c in schema("body_draws").names})
    if hasattr(files, "body"):
        body.append(read_table("body", Path(files.body)))
        priors.append(read_table("priors", Path(files.priors)))
        twin_draws = read_table("twin_draws", Path(files.twins))
        body_draws = read_table("body_draws", Path(files.body_draws))
    return Inputs(
        drug=drug,
        base=assemble(drug, pd.concat(body, ignore_index=True)),
        base_draws=assemble_draws(drug, body_draws),
        priors=pd.concat(priors, ignore_index=True),
        population=Population.from_frame(read_table("population_draws", Path(files.population))),
        twin_draws=twin_draws,
    )


def predict_bucket(
    inputs: Inputs,
    events: pd.DataFrame,
    scenarios: Sequence[Scenario],
    config: Mapping[str, Any],
    stage: str,
    log: logging.Logger,
) -> dict[str, pd.DataFrame]:
    """The tables of :data:`TABLES` of a bucket's twins, by name."""
    settings = settings_of(config)
    twins = [t for t in inputs.base if not t.startswith("population_")]
    tables: dict[str, list[pd.DataFrame]] = {n: [] for n in TABLES}
    for k, twin in enumerate(twins, start=1):
        exposure, profiles, checks = predict_scenarios(inputs, [twin], scenarios, settings, stage, audit=k <= AUDITED)
        tables["exposure"].append(exposure)
        tables["profiles"].append(profiles)
        tables["solver_check"].append(checks)
        mine = events[events.twin_id == twin]
        samples = mine[mine.evid == 0]
        if len(samples):
            own = predict_samples(inputs, twin, regimen(mine), samples, settings, SAMPLE_DRAWS, stage)
            for name, table in own.items():
                tables[name].append(table)
        if k % 20 == 0 or k == len(twins):
            log.info("%d of %d twins", k, len(twins))
    return {
        name: pd.concat([f for f in frames if len(f)], ignore_index=True)
        if any(len(f) for f in frames)
        else pd.DataFrame({c: [] for c in schema(name).names})
        for name, frames in tables.items()
    }
