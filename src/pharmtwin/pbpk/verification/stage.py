"""Verification stage: courses of the states, tolerance ladder, closed forms, sums of bodies; tables and the checks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.core.assembly import assemble
from pharmtwin.core.draws import Population
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import Scenario
from pharmtwin.pbpk.predict import Inputs
from pharmtwin.pbpk.verification.courses import (
    Production,
    Solver,
    balance_check,
    balance_rows,
    end_states,
    grid,
    organ_rows,
)
from pharmtwin.pbpk.verification.exact import against_exact
from pharmtwin.pbpk.verification.ladder import climb
from pharmtwin.pbpk.verification.limits import Check, check_table, failed_rows, together
from pharmtwin.pbpk.verification.people import chosen, people
from pharmtwin.pbpk.verification.sums import body_sums, sum_checks
from pharmtwin.tables import read_table, read_tables

STAGE = "verification"
#: tables in the order of the rule's outputs
TABLES = ("verification", "organ_courses", "mass_balance", "tolerance_ladder", "exact_courses", "closed_forms",
          "body_sums", "solver_check")  # fmt: skip


def production_of(config: Mapping[str, Any]) -> Production:
    """What the study solves with, by its configuration."""
    p, fit = config["pbpk"], config["fit"]
    fit_rtol = float(fit["rtol"]) if fit["enabled"] else None
    return Production(Solver(str(p["engine"]), float(p["rtol"])), float(p["crosscheck_rtol"]), fit_rtol)


def verify(
    files: Any, config: Mapping[str, Any], scenario: Scenario, sheet: pd.DataFrame, log: logging.Logger
) -> dict[str, pd.DataFrame]:
    """The tables of :data:`TABLES` by name.

    Parameters
    ----------
    files : ``body`` and ``priors`` of all buckets (lists), ``reference_body``, ``reference_priors``, ``population``,
        ``twins`` (draws of the fit). scenario : the regimen that is looked at.
    sheet : twin_id, sex, weight_kg of the twins and the reference people, as their bodies were made from.
    """
    body = read_tables("body", [*(Path(p) for p in files.body), Path(files.reference_body)])
    priors = read_tables("priors", [*(Path(p) for p in files.priors), Path(files.reference_priors)])
    reference = sorted(set(read_table("body", Path(files.reference_body))["twin_id"].astype(str)))
    twin_draws = read_table("twin_draws", Path(files.twins))
    twins = sorted(set(body["twin_id"].astype(str)) - set(reference))
    roles = chosen(priors, twins, set(twin_draws["twin_id"].astype(str)))
    drug = load_drug(str(config["drug"]))
    inputs = Inputs(
        drug=drug,
        base=assemble(drug, body[body["twin_id"].isin([*reference, *roles])]),
        priors=priors,
        population=Population.from_frame(read_table("population_draws", Path(files.population))),
        twin_draws=twin_draws,
    )
    production, times = production_of(config), grid(scenario)
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    checks: list[Check] = []
    everybody = people(inputs, roles, int(config["master_seed"]))
    for person in everybody:
        label = f"{person.name}/{scenario.name}"
        ends = end_states(person.parameters, scenario, times, production.solver, label, STAGE)
        ladder = climb(person, scenario, production, STAGE)
        found["organ_courses"].append(organ_rows(person, scenario, ends))
        found["mass_balance"].append(balance_rows(person, scenario, ends))
        found["tolerance_ladder"].append(ladder.table)
        found["solver_check"] += [ends.failed, ladder.failed]
        checks += [balance_check(person, found["mass_balance"][-1], ends), *ladder.checks]
    exact = against_exact(everybody[0], scenario, times, production, STAGE)
    sums = body_sums(body, sheet)
    checks += [*exact.checks, *sum_checks(sums)]
    found |= {"exact_courses": [exact.courses], "closed_forms": [exact.forms], "body_sums": [sums]}
    found["solver_check"] += [exact.failed, failed_rows(checks, STAGE)]
    found["verification"].append(check_table(checks))
    say(checks, log)
    return {name: together(name, frames) for name, frames in found.items()}


def say(checks: Sequence[Check], log: logging.Logger) -> None:
    """Every failed check as an error in the log, and how many there were."""
    for check in checks:
        if not check.passed:
            log.error("NOT PASSED: %s", check.words)
    log.info("%d of %d checks passed", sum(c.passed for c in checks), len(checks))
