"""Verification tables of three people on a short regimen, computed once a process by the stage's own functions."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from pharmtwin.body.physiology import body_of, reference_twins
from pharmtwin.core.assembly import assemble, individual_columns, typical_individual
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import Scenario
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
from pharmtwin.pbpk.verification.limits import Check, check_table
from pharmtwin.pbpk.verification.people import HIGHEST, LOWEST, REFERENCE, Person
from pharmtwin.pbpk.verification.sums import body_sums, sum_checks

REGIMEN = Scenario("40mg_bid", 40.0, 12.0, 3, "oral")
PRODUCTION = Production(Solver("cvode", 1e-4), 1e-3, 1e-2)


@cache
def bodies() -> pd.DataFrame:
    """Table ``body`` of the reference man and woman."""
    return body_of(reference_twins()).table()


def somebody(name: str, role: str = REFERENCE, activity: float = 1.0, body: str = "population_M") -> Person:
    """A reference body with a CYP2D6 activity, taking paroxetine."""
    drug = load_drug("paroxetine")
    parameters = assemble(drug, bodies())[body].copy()
    parameters[individual_columns()] = typical_individual(drug) * np.array([activity, 1.0, 1.0, 1.0])
    return Person(name, role, parameters)


def weights() -> pd.DataFrame:
    """Sex and weight of the reference people."""
    return reference_twins()[["twin_id", "sex", "weight_kg"]]


@cache
def _computed() -> tuple[dict[str, pd.DataFrame], list[Check]]:
    people = [somebody("population_M"), somebody("LOW", LOWEST, 0.05, "population_F"),
              somebody("HIGH", HIGHEST, 2.0, "population_F")]  # fmt: skip
    tables: dict[str, list[pd.DataFrame]] = {"organ_courses": [], "mass_balance": [], "tolerance_ladder": []}
    checks: list[Check] = []
    for person in people:
        ends = end_states(person.parameters, REGIMEN, grid(REGIMEN), PRODUCTION.solver, person.name, "verification")
        ladder = climb(person, REGIMEN, PRODUCTION, "verification")
        tables["organ_courses"].append(organ_rows(person, REGIMEN, ends))
        tables["mass_balance"].append(balance_rows(person, REGIMEN, ends))
        tables["tolerance_ladder"].append(ladder.table)
        checks += [balance_check(person, tables["mass_balance"][-1], ends), *ladder.checks]
    exact = against_exact(people[0], REGIMEN, grid(REGIMEN), PRODUCTION, "verification")
    sums = body_sums(bodies(), weights())
    checks += [*exact.checks, *sum_checks(sums)]
    joined = {name: pd.concat(frames, ignore_index=True) for name, frames in tables.items()}
    joined |= {"exact_courses": exact.courses, "closed_forms": exact.forms, "body_sums": sums}
    return {**joined, "verification": check_table(checks)}, checks


def verification_tables(low: str, high: str) -> dict[str, pd.DataFrame]:
    """All tables of the stage, and the reference bodies; ``low`` and ``high`` are the names of the two twins."""
    names = {"LOW": low, "HIGH": high}
    out = {"reference_body": bodies().copy()}
    for name, table in _computed()[0].items():
        renamed = table.copy()
        for column in {"twin_id", "subject"} & set(table.columns):
            renamed[column] = renamed[column].astype(str).str.replace("^(LOW|HIGH)", lambda m: names[m[0]], regex=True)
        out[name] = renamed
    return out
