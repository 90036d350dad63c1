"""What stands on a twin's own page and on no other: steps of knowledge, another genotype, other doses."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pharmtwin.core.exposure import Scenario
from pharmtwin.core.unsolved import run_name
from pharmtwin.pbpk.alternatives import best_model, course_rows, dose_rows, exchanged, gene_rows
from pharmtwin.pbpk.predict import Inputs, parameter_draws
from pharmtwin.pbpk.stage import settings_of, study_target
from pharmtwin.pbpk.steps import good, solve, step_rows
from pharmtwin.tables import conform, schema

TABLES = ("steps", "counterfactuals", "counterfactual_courses", "dose_options", "solver_check")


def explained_scenario(config: Mapping[str, Any], scenarios: Sequence[Scenario]) -> Scenario:
    """The regimen that is explained: ``explain.scenario``, or the sheet's first; raises ValueError if unknown."""
    name = str(config["explain"]["scenario"])
    found = [s for s in scenarios if not name or s.name == name]
    if not found:
        raise ValueError(f"explain.scenario {name!r} is not a scenario of the study: {[s.name for s in scenarios]}")
    return found[0]


def explain_bucket(
    inputs: Inputs, twins: Sequence[str], scenario: Scenario, config: Mapping[str, Any], stage: str, log: logging.Logger
) -> dict[str, pd.DataFrame]:
    """The tables :data:`TABLES` of the given twins of a bucket."""
    wish, target = config["explain"], study_target(config)
    settings = settings_of(config, page=True)
    doses = [float(d) for d in wish["doses"]]
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in TABLES[:-1]}
    checks: list[pd.DataFrame] = []
    for twin in twins:
        steps, actual, failed = step_rows(inputs, twin, scenario, settings, stage)
        rows["steps"] += steps
        checks.append(failed)
        if best_model(inputs, twin) == "covariates":  # with random numbers of its own, as everywhere but in the chain
            P, _ = parameter_draws(inputs, twin, "covariates", settings.draws, settings.master_seed)
            actual, failed = solve(P, scenario, settings, run_name(twin, scenario.name, "covariates"), stage)
            checks.append(failed)
        if len(good(actual.metrics["AUCtau"])):
            other, failed = exchanged(inputs, twin, scenario, settings, stage)
            rows["counterfactuals"] += gene_rows(inputs, twin, scenario, actual, other)
            rows["counterfactual_courses"] += course_rows(inputs, twin, scenario, actual, other)
            checks.append(failed)
            if doses:
                options, failed = dose_rows(inputs, twin, scenario, doses, target, actual.metrics, settings, stage)
                rows["dose_options"] += options
                checks.append(failed)
    log.info("%d twins explained", len(twins))
    tables = {name: pd.DataFrame(found, columns=schema(name).names) for name, found in rows.items()}
    kept = [c for c in checks if len(c)]
    empty = pd.DataFrame({c: [] for c in schema("solver_check").names})
    tables["solver_check"] = pd.concat(kept, ignore_index=True) if kept else empty
    return {name: conform(name, table) for name, table in tables.items()}
