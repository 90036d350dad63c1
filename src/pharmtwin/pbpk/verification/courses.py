"""Every state of the model over a regimen: concentrations in all compartments, and where the dose is (mass balance)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.anatomy import BLOOD, COMPARTMENTS, TISSUES
from pharmtwin.core.exposure import NG_ML, Scenario
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import pack, simulate
from pharmtwin.model.balance import given_amounts, mass_error
from pharmtwin.pbpk.verification.limits import Check
from pharmtwin.pbpk.verification.people import Person
from pharmtwin.tables import schema

Floats = NDArray[np.float64]
PLASMA = "plasma"
#: solver -> its name
ENGINES = {"rosenbrock": "Rodas5P", "cvode": "CVODE"}
FINE, BETWEEN = 48, 8  # steps of the first and the last dosing interval, and of those between
MANY_DOSES = 30  # of longer regimens the intervals between have a step each

#: where drug can be -> states; every conserved state is in one of them
POOLS: dict[str, tuple[str, ...]] = {
    "lumen": tuple(s for s in whole_body().state_names if s.startswith("A_transit")),
    "blood": tuple(f"A_{c}" for c in BLOOD),
    "tissues": tuple(f"A_{t}" for t in TISSUES),
    "metabolised_CYP2D6": ("A_met_CYP2D6",),
    "metabolised_other": ("A_met_other",),
    "urine": ("A_urine",),
    "not_absorbed": ("A_faeces",),
}


@dataclass(frozen=True)
class Solver:
    """How predictions are solved: engine and relative tolerance."""

    engine: str
    rtol: float


@dataclass(frozen=True)
class Production:
    """What the study solves with: predictions by ``solver``, held against ``limit``; the fit's tolerance, or None."""

    solver: Solver
    limit: float
    fit_rtol: float | None


def grid(scenario: Scenario) -> Floats:
    """Times (h) from the first dose to the end of the last interval, every dose among them."""
    between = BETWEEN if scenario.n_doses <= MANY_DOSES else 1
    parts = [
        k * scenario.interval_h + np.linspace(0.0, scenario.interval_h, n + 1)
        for k in range(scenario.n_doses)
        for n in [FINE if k in (0, scenario.n_doses - 1) else between]
    ]
    return np.unique(np.concatenate(parts))


def end_states(parameters: Floats, scenario: Scenario, times: Floats, solver: Solver, label: str, stage: str) -> Ends:
    """The states at each of the times, by one run to each of them: what the solver returns there, nothing between."""
    model, n = whole_body(), len(times)
    batch = pack(model, [parameters] * n, [scenario.doses()] * n, [np.array([t]) for t in times])
    solved = simulate(model, batch, engine=solver.engine, rtol=solver.rtol)
    failed = note_failures(model, batch, solved, [f"{label}/{t:g} h" for t in times], stage)
    return Ends(np.asarray(times, dtype=float), solved.final_state, failed)


@dataclass(frozen=True)
class Ends:
    """States (n_times, n_states) at times (h), NaN where a solve failed; ``failed`` rows of ``solver_check``."""

    times: Floats
    states: Floats
    failed: pd.DataFrame

    def of(self, *names: str) -> Floats:
        """Sum of some states (mg) at each time."""
        at = [whole_body().state_names.index(n) for n in names]
        return self.states[:, at].sum(axis=1)


def concentrations(ends: Ends, values: dict[str, float]) -> dict[str, Floats]:
    """Concentration (ng/mL) over time in every compartment (tissue or blood), and in venous plasma."""
    out = {c: ends.of(f"A_{c}") / values[f"V_{c}"] * NG_ML for c in COMPARTMENTS}
    return {**out, PLASMA: out["venous"] / values["B_P"]}


def parameter_values(parameters: Floats) -> dict[str, float]:
    """Parameters of the whole body by name."""
    return dict(zip(whole_body().parameter_names, map(float, parameters), strict=True))


def organ_rows(person: Person, scenario: Scenario, ends: Ends) -> pd.DataFrame:
    """Rows of table ``organ_courses``; times whose solve failed have none."""
    good = np.flatnonzero(np.isfinite(ends.states).all(axis=1))
    levels = concentrations(ends, parameter_values(person.parameters))
    parts = []
    for name, level in levels.items():
        amount = ends.of(f"A_{name}") if name != PLASMA else np.full(len(ends.times), np.nan)
        part = {"compartment": name, "time_h": ends.times, "amount_mg": amount, "concentration_ng_ml": level}
        parts.append(pd.DataFrame(part).iloc[good])
    return _headed("organ_courses", pd.concat(parts, ignore_index=True), person, scenario)


def balance_rows(person: Person, scenario: Scenario, ends: Ends) -> pd.DataFrame:
    """Rows of table ``mass_balance``: where the dose is at each time; times whose solve failed have none."""
    good = np.flatnonzero(np.isfinite(ends.states).all(axis=1))
    model, doses = whole_body(), scenario.doses()
    table = {"time_h": ends.times, "given_mg": [given_amounts(model, doses, float(t)).sum() for t in ends.times]}
    table |= {f"{pool}_mg": ends.of(*states) for pool, states in POOLS.items()}
    table["imbalance"] = mass_error(model, ends.states, [doses] * len(ends.times), list(ends.times)).max(axis=1)
    return _headed("mass_balance", pd.DataFrame(table).iloc[good], person, scenario)


def balance_check(person: Person, rows: pd.DataFrame, ends: Ends) -> Check:
    """The largest imbalance of one person; no value where a solve failed."""
    if len(ends.failed) or rows.empty:
        return Check.create("mass_balance", person.name, np.nan, f"{len(ends.failed)} solves failed")
    worst = rows.iloc[int(rows["imbalance"].to_numpy(float).argmax())]
    return Check.create("mass_balance", person.name, float(worst["imbalance"]), f"at {worst['time_h']:g} h")


def _headed(table: str, rows: pd.DataFrame, person: Person, scenario: Scenario) -> pd.DataFrame:
    rows = rows.assign(twin_id=person.name, role=person.role, scenario=scenario.name)
    return rows[schema(table).names].reset_index(drop=True)
