"""Error against tolerance: the study's own regimen with both solvers, from loose to tight, beside a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.exposure import Scenario, interval_metrics
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.crosscheck import relative_difference
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import pack, simulate
from pharmtwin.pbpk.verification.courses import ENGINES, Production
from pharmtwin.pbpk.verification.limits import AT_MOST, Check, settings, together
from pharmtwin.pbpk.verification.people import Person
from pharmtwin.tables import schema

Floats = NDArray[np.float64]
#: concentration over the whole regimen, then the metrics of the last interval
ERRORS = ("curve", "AUCtau", "Cmax")
CURVE = [0]  # column of the plasma concentration among the observables


def rungs(production: Production) -> list[float]:
    """Relative tolerances of the ladder from loose to tight, the study's own among them."""
    known = settings()
    first, last = (round(np.log10(known[k])) for k in ("loosest_rung", "tightest_rung"))
    own = [production.solver.rtol, *([production.fit_rtol] if production.fit_rtol else [])]
    return sorted({*(float(f"1e{k}") for k in range(first, last - 1, -1)), *own}, reverse=True)


def used_for(engine: str, rtol: float, production: Production) -> str:
    """What the study solves with this engine at this tolerance; ``nothing`` if nothing."""
    if (engine, rtol) == (production.solver.engine, production.solver.rtol):
        return "predictions"
    return "fit" if (engine, rtol) == ("rosenbrock", production.fit_rtol) else "nothing"


@dataclass(frozen=True)
class Ladder:
    """Rows of table ``tolerance_ladder``, the checks, and rows of ``solver_check`` of solves that failed."""

    table: pd.DataFrame
    checks: list[Check]
    failed: pd.DataFrame


def climb(person: Person, scenario: Scenario, production: Production, stage: str) -> Ladder:
    """Solve one person's regimen at every rung, and hold it against a reference.

    The reference is Rodas5P at ``reference_rtol``; CVODE at the same tolerance says how far it can be trusted.
    """
    times, tight = scenario.times(), settings()["reference_rtol"]
    failed: list[pd.DataFrame] = []

    def values(engine: str, rtol: float) -> tuple[Floats, int]:
        model = whole_body()
        batch = pack(model, [person.parameters], [scenario.doses()], [times])
        solved = simulate(model, batch, engine=engine, rtol=rtol)
        label = f"{person.name}/{scenario.name}/{engine} {rtol:g}"
        failed.append(note_failures(model, batch, solved, [label], stage))
        return solved.of(0), int(solved.steps[0])

    reference, twice = values("rosenbrock", tight)[0], values("cvode", tight)[0]
    rows: list[dict[str, Any]] = []
    for engine in ENGINES:
        for rtol in rungs(production):
            found, steps = values(engine, rtol)
            rows.append(
                {
                    "twin_id": person.name, "role": person.role, "scenario": scenario.name, "engine": engine,
                    "rtol": rtol, "used_for": used_for(engine, rtol, production), "steps": steps,
                    **errors(scenario, times, found, reference),
                }
            )  # fmt: skip
    table = pd.DataFrame(rows, columns=schema("tolerance_ladder").names)
    agreement = relative_difference(twice[:, CURVE], reference[:, CURVE]).max()
    checks = [Check.create("reference_agreement", person.name, float(agreement), f"both solvers at {tight:g}")]
    return Ladder(
        table,
        [*checks, *production_checks(person, table, production), *order_checks(person, table, float(agreement))],
        together("solver_check", failed),
    )


def errors(scenario: Scenario, times: Floats, found: Floats, reference: Floats) -> dict[str, float]:
    """Relative errors of the curve (worst time), of AUCtau and of Cmax; NaN where a solve failed."""
    a, b = (interval_metrics(scenario, times, v) for v in (found, reference))
    curve = relative_difference(found[:, CURVE], reference[:, CURVE]).max()
    return {"curve_error": float(curve), **{f"{m}_error": abs(a[m] - b[m]) / b[m] for m in ERRORS[1:]}}


def production_checks(person: Person, table: pd.DataFrame, production: Production) -> list[Check]:
    """Error of what the study predicts with, against the study's own limit."""
    own = table[table["used_for"] == "predictions"].iloc[0]
    place = f"{ENGINES[str(own['engine'])]} at {own['rtol']:g}"
    return [
        Check(f"tolerance_{what}", person.name, float(own[f"{what}_error"]), production.limit, AT_MOST, place)
        for what in ERRORS
    ]


def order_checks(person: Person, table: pd.DataFrame, floor: float) -> list[Check]:
    """Does the error of the curve fall with the tolerance: slope of the logarithms, of either solver.

    Rungs count from ``loosest_rung`` to ``tightest_rung``, and as long as the error stands above ``floor``, the
    error of the reference; with fewer than three there is no slope.
    """
    known, out = settings(), []
    for engine, name in ENGINES.items():
        mine = table[(table["engine"] == engine) & table["rtol"].between(known["tightest_rung"], known["loosest_rung"])]
        e, rtol = mine["curve_error"].to_numpy(float), mine["rtol"].to_numpy(float)
        kept = np.isfinite(e) & (e > floor)
        slope = np.polyfit(np.log10(rtol[kept]), np.log10(e[kept]), 1)[0] if kept.sum() > 2 else np.nan
        place = f"{int(kept.sum())} of {len(mine)} rungs above the error of the reference"
        out.append(Check.create("tolerance_order", f"{person.name}, {name}", float(slope), place))
    return out
