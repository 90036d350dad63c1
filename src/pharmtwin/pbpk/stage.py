"""PBPK stage of one bucket: read tables, predict, return tables."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.core.assembly import assemble, assemble_draws
from pharmtwin.core.draws import Population
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import Scenario
from pharmtwin.core.metrics import METRICS
from pharmtwin.core.regimen import regimen
from pharmtwin.core.targets import Target, target_of
from pharmtwin.facts import resource_path
from pharmtwin.pbpk.predict import Inputs, Settings, predict_samples, predict_scenarios
from pharmtwin.tables import read_table, read_tables, schema

AUDITED = 3  # twins of a bucket whose runs are always audited
TABLES = ("exposure", "profiles", "predictions", "predictive_scores", "exceedance", "solver_check")
FROM_TARGET = "target"  # in evaluation.limits_ng_ml: the limit of the drug's target range
SAMPLE_DRAWS = 400  # draws behind predictive intervals at the twins' own samples


def settings_of(config: Mapping[str, Any], *, page: bool = False) -> Settings:
    """Solver settings of the config; ``page``: with the draws of what stands on a twin's own page, if more."""
    p = config["pbpk"]
    draws = max(int(p["draws"]), int(config["explain"]["draws"])) if page else int(p["draws"])
    return Settings(
        str(p["engine"]), float(p["rtol"]), draws, float(p["crosscheck_fraction"]),
        float(p["crosscheck_rtol"]), int(config["master_seed"]),
    )  # fmt: skip


def study_target(config: Mapping[str, Any]) -> Target | None:
    """Target range of the study's drug, where the configuration's table (else ``resources/targets.tsv``) has one."""
    table = str(config["paths"]["targets"])
    return target_of(Path(table) if table else resource_path("targets.tsv"), Path(str(config["drug"])).stem)


def limits_of(config: Mapping[str, Any]) -> tuple[float, ...]:
    """Concentrations (ng/mL) of ``evaluation.limits_ng_ml``, each once, in their order.

    ``target`` is the lower end of the drug's target range, and nothing where no range is known, where it is not one of
    a concentration, or where it begins at 0.
    """
    found: list[float] = []
    for limit in config["evaluation"]["limits_ng_ml"]:
        if limit != FROM_TARGET:
            found.append(float(limit))
            continue
        target = study_target(config)
        if target is not None and METRICS[target.metric] == METRICS["Ctrough"] and target.low > 0:
            found.append(target.low)
    return tuple(dict.fromkeys(found))


def read_inputs(files: Any, config: Mapping[str, Any], twins: Collection[str] | None = None) -> Inputs:
    """Inputs from a job's files: drug, reference tables, population draws, and where given those of a bucket, or of
    several; of ``twins`` only (None: all)."""

    def own(name: str, given: Any) -> pd.DataFrame:
        table = read_tables(name, [Path(p) for p in ([given] if isinstance(given, str) else given)])
        return table if twins is None else table[table["twin_id"].isin(list(twins))].reset_index(drop=True)

    drug = load_drug(str(config["drug"]))
    body = [read_table("body", Path(files.reference_body))]
    priors = [read_table("priors", Path(files.reference_priors))]
    twin_draws = pd.DataFrame({c: [] for c in schema("twin_draws").names})
    body_draws = pd.DataFrame({c: [] for c in schema("body_draws").names})
    if hasattr(files, "body"):
        body.append(own("body", files.body))
        priors.append(own("priors", files.priors))
        twin_draws = own("twin_draws", files.twins)
        body_draws = own("body_draws", files.body_draws)
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
    paged: Collection[str] = (),
) -> dict[str, pd.DataFrame]:
    """The tables of :data:`TABLES` of a bucket's twins, by name.

    paged : twins with a page of their own; they get the draws of ``explain``, so that all tables of a page agree.
    """
    twins, limits = inputs.twins, limits_of(config)
    tables: dict[str, list[pd.DataFrame]] = {n: [] for n in TABLES}
    for k, twin in enumerate(twins, start=1):
        settings = replace(settings_of(config, page=twin in paged), limits=limits)
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
