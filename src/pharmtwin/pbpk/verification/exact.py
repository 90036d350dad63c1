"""The model against closed forms: a matrix exponential and exact limits, written down here and not derived from it.

With CYP2D6 made linear (its intrinsic clearance at low concentration joins the other pathways) the whole body is a
linear system, dA/dt = M A. M is written from the flow diagram, so that it shares nothing with the model's description
but the parameters' names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.stats import gamma

from pharmtwin.core.anatomy import COMPARTMENTS, PORTAL, SYSTEMIC, TISSUES
from pharmtwin.core.exposure import NG_ML, Scenario
from pharmtwin.core.partition import vss
from pharmtwin.core.whole_body import N_TRANSIT, whole_body
from pharmtwin.engine.crosscheck import relative_difference
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.pbpk.verification.courses import (
    ENGINES,
    PLASMA,
    Production,
    Solver,
    concentrations,
    end_states,
    parameter_values,
)
from pharmtwin.pbpk.verification.limits import AT_MOST, Check, settings, together
from pharmtwin.pbpk.verification.people import Person
from pharmtwin.tables import schema

Floats = NDArray[np.float64]
Values = dict[str, float]
DOSE = 10.0  # mg: any dose serves, the closed forms are linear
SINKS = ("A_faeces", "A_met_other", "A_urine")


def linear_body(v: Values) -> tuple[Floats, list[str]]:
    """M (1/h) of the linear whole body, and the names of its states; CYP2D6 has no part in it."""
    names = [*(f"A_transit{i}" for i in range(1, N_TRANSIT + 1)), *(f"A_{c}" for c in COMPARTMENTS), *SINKS]
    at = {n: i for i, n in enumerate(names)}
    M = np.zeros((len(names), len(names)))

    def move(source: str, target: str, rate: float) -> None:
        M[at[source], at[source]] -= rate
        M[at[target], at[source]] += rate

    def leaves(organ: str) -> float:
        return v["B_P"] / (v[f"V_{organ}"] * v[f"Kp_{organ}"] * v["Kp_scale"])

    ktr = N_TRANSIT / v["MTT"]
    for i in range(1, N_TRANSIT):
        move(f"A_transit{i}", f"A_transit{i + 1}", ktr)
    move(f"A_transit{N_TRANSIT}", "A_gut", ktr * v["F_a"])
    move(f"A_transit{N_TRANSIT}", "A_faeces", ktr * (1 - v["F_a"]))
    output = sum(v[f"Q_{o}"] for o in (*SYSTEMIC, *PORTAL))
    move("A_venous", "A_lung", output / v["V_venous"])
    move("A_lung", "A_arterial", output * leaves("lung"))
    for organ in (*SYSTEMIC, *PORTAL):
        move("A_arterial", f"A_{organ}", v[f"Q_{organ}"] / v["V_arterial"])
        if organ in PORTAL:
            move(f"A_{organ}", "A_liver", v[f"Q_{organ}"] * leaves(organ))
        elif organ != "liver":
            move(f"A_{organ}", "A_venous", v[f"Q_{organ}"] * leaves(organ))
    move("A_liver", "A_venous", hepatic_flow(v) * leaves("liver"))
    unbound = v["fu_p"] / (v["V_liver"] * v["Kp_liver"] * v["Kp_scale"])
    move("A_liver", "A_met_other", v["f_other"] * v["CLint_other"] * unbound)
    move("A_arterial", "A_urine", v["fu_p"] * v["GFR"] / (v["B_P"] * v["V_arterial"]))
    return M, names


def hepatic_flow(v: Values) -> float:
    """Blood flow through the liver (L/h): its artery and the portal organs."""
    return v["Q_liver"] + sum(v[f"Q_{o}"] for o in PORTAL)


def hepatic_clearance(v: Values) -> float:
    """Well-stirred liver, blood clearance (L/h): Q f CLint/(Q + f CLint), f = fu_p/B_P."""
    f_cl = v["fu_p"] / v["B_P"] * v["f_other"] * v["CLint_other"]
    return hepatic_flow(v) * f_cl / (hepatic_flow(v) + f_cl)


def linear(v: Values) -> Values:
    """The person with CYP2D6 made linear: Vmax/Km joins what the other pathways clear."""
    intrinsic = v["f_other"] * v["CLint_other"] + v["f_CYP2D6"] * v["Vmax_CYP2D6"] / v["Km_CYP2D6"]
    return v | {"f_CYP2D6": 0.0, "f_other": 1.0, "CLint_other": intrinsic}


def vector(v: Values) -> Floats:
    """Parameter vector of the model."""
    return np.array([v[n] for n in whole_body().parameter_names])


def exact_states(v: Values, scenario: Scenario, times: Floats) -> tuple[Floats, list[str]]:
    """States (n_times, n) of the linear body by the matrix exponential, doses as jumps; a record precedes its dose."""
    M, names = linear_body(v)
    steps: dict[float, Floats] = {}

    def on(y: Floats, dt: float) -> Floats:
        key = round(dt, 9)
        if key not in steps:
            steps[key] = expm(M * key)
        return np.asarray(steps[key] @ y)

    target = {"oral": "A_transit1", "iv": "A_venous"}
    doses, y, t, out = list(scenario.doses()), np.zeros(len(names)), 0.0, []
    for end in map(float, times):
        while doses and doses[0].time < end:
            dose = doses.pop(0)
            y, t = on(y, dose.time - t), dose.time
            y = y.copy()
            y[names.index(target[dose.route])] += dose.amount
        y, t = on(y, end - t), end
        out.append(y)
    return np.array(out), names


@dataclass(frozen=True)
class Exact:
    """Tables ``exact_courses`` and ``closed_forms``, the checks, and rows of ``solver_check`` of solves that failed."""

    courses: pd.DataFrame
    forms: pd.DataFrame
    checks: list[Check]
    failed: pd.DataFrame


def against_exact(person: Person, scenario: Scenario, times: Floats, production: Production, stage: str) -> Exact:
    """The linear body over the study's regimen by both solvers and the matrix exponential, and the closed forms."""
    v = linear(parameter_values(person.parameters))
    states, names = exact_states(v, scenario, times)
    exact = {c: states[:, names.index(f"A_{c}")] / v[f"V_{c}"] * NG_ML for c in COMPARTMENTS}
    exact[PLASMA] = exact["venous"] / v["B_P"]
    solved: dict[str, dict[str, Floats]] = {}
    failed: list[pd.DataFrame] = []
    for engine in ENGINES:
        label = f"{person.name}/linear/{engine} {production.solver.rtol:g}"
        ends = end_states(vector(v), scenario, times, Solver(engine, production.solver.rtol), label, stage)
        solved[engine] = concentrations(ends, v)
        failed.append(ends.failed)
    apart = {e: {c: relative_difference(solved[e][c], exact[c]) for c in exact} for e in ENGINES}
    parts = [
        pd.DataFrame({"twin_id": person.name, "scenario": scenario.name, "compartment": c, "time_h": times,
                      "exact_ng_ml": exact[c], **{f"{e}_ng_ml": solved[e][c] for e in ENGINES},
                      **{f"{e}_difference": apart[e][c] for e in ENGINES}})
        for c in exact
    ]  # fmt: skip
    forms = closed_forms(person, v, scenario, stage, failed)
    courses = pd.concat(parts, ignore_index=True)[schema("exact_courses").names]
    checks = [*_course_checks(apart, production), *_form_checks(forms)]
    return Exact(courses, forms, checks, together("solver_check", failed))


def _course_checks(apart: dict[str, dict[str, Floats]], production: Production) -> list[Check]:
    """The largest difference from the matrix exponential of either solver, at the study's tolerance."""
    out = []
    for engine, by_compartment in apart.items():
        worst = {c: float(d.max()) for c, d in by_compartment.items()}
        name = max(worst, key=lambda c: worst[c] if np.isfinite(worst[c]) else np.inf)
        place = f"at {production.solver.rtol:g}, worst in {name}"
        out.append(Check("matrix_exponential", ENGINES[engine], worst[name], production.limit, AT_MOST, place))
    return out


def _form_checks(forms: pd.DataFrame) -> list[Check]:
    """The worse of the two solvers, closed form by closed form."""
    out = []
    for case, mine in forms.groupby("case", sort=False):
        worst = mine.iloc[int(mine["relative_difference"].fillna(np.inf).to_numpy(float).argmax())]
        place = f"{ENGINES[str(worst['engine'])]} at {settings()['tightest_rung']:g}"
        out.append(Check.create("closed_form", str(case), float(worst["relative_difference"]), place))
    return out


@dataclass(frozen=True)
class Form:
    """One quantity with its closed form.

    Attributes
    ----------
    case : id. meaning, unit : of the quantity. exact : its closed form's value.
    runs : what the model solves for it: parameters, dose, end (h). computed : the model's value from the final states
    (by name) of these runs.
    """

    case: str
    meaning: str
    unit: str
    exact: float
    runs: tuple[tuple[Values, Dose, float], ...]
    computed: Callable[[list[Values]], float]


def horizon(v: Values) -> float:
    """Time (h) after which what still changes is below rounding: by the slowest rate of the linear body."""
    M, names = linear_body(v)
    kept = [i for i, n in enumerate(names) if n not in SINKS]
    rates = -np.linalg.eigvals(M[np.ix_(kept, kept)]).real
    slowest = min(r for r in rates if r > np.finfo(float).eps * rates.max() * len(rates))
    return float(-np.log(np.finfo(float).eps) / slowest)


def forms_of(v: Values) -> Iterator[Form]:
    """The closed forms of a linear person."""
    iv, oral = Dose(0.0, DOSE, "iv"), Dose(0.0, DOSE, "oral")
    liver = v | {"GFR": 0.0}
    cl, flow, until = hepatic_clearance(v), hepatic_flow(v), horizon(liver)

    def clearance(ends: list[Values]) -> float:
        return DOSE / (ends[0]["AUC"] * v["B_P"])

    yield Form(
        "hepatic_clearance",
        "blood clearance of an intravenous dose by a well-stirred liver: Q f CLint/(Q + f CLint)",
        "L/h", cl, ((liver, iv, until),), clearance,
    )  # fmt: skip
    fast = liver | {"CLint_other": settings()["flow_limit_excess"] * flow * v["B_P"] / v["fu_p"]}
    yield Form(
        "flow_limit",
        "blood clearance when enzymes clear all that the blood brings: hepatic flow",
        "L/h", flow, ((fast, iv, until),), clearance,
    )  # fmt: skip
    yield Form(
        "oral_bioavailability",
        "area after an oral over that after an intravenous dose: F_a (1 - CL_H/Q_H)",
        "1", v["F_a"] * (1.0 - cl / flow), ((liver, oral, until), (liver, iv, until)),
        lambda ends: ends[0]["AUC"] / ends[1]["AUC"],
    )  # fmt: skip
    renal = v["fu_p"] / v["B_P"] * v["GFR"]
    yield Form(
        "renal_excretion",
        "share of an intravenous dose that ends in urine: CL_R/(CL_R + CL_H)",
        "1", renal / (renal + cl), ((v, iv, horizon(v)),), lambda ends: ends[0]["A_urine"] / DOSE,
    )  # fmt: skip
    chain = [f"A_transit{i}" for i in range(1, N_TRANSIT + 1)]
    yield Form(
        "transit_absorption",
        "share of an oral dose still in the lumen after the mean transit time: gamma distribution",
        "1", float(gamma.sf(v["MTT"], N_TRANSIT, scale=v["MTT"] / N_TRANSIT)), ((v, oral, v["MTT"]),),
        lambda ends: sum(ends[0][a] for a in chain) / DOSE,
    )  # fmt: skip
    closed = v | {"GFR": 0.0, "CLint_other": 0.0}
    kp = {t: v[f"Kp_{t}"] * v["Kp_scale"] for t in TISSUES}
    yield Form(
        "distribution_volume",
        "plasma volume in which a dose is spread when nothing is eliminated: sum of V Kp",
        "L", vss(kp, {c: v[f"V_{c}"] for c in COMPARTMENTS}, v["B_P"]), ((closed, iv, horizon(closed)),),
        lambda ends: DOSE / (ends[0]["A_venous"] / (v["V_venous"] * v["B_P"])),
    )  # fmt: skip


def closed_forms(person: Person, v: Values, scenario: Scenario, stage: str, failed: list[pd.DataFrame]) -> pd.DataFrame:
    """Table ``closed_forms``: both solvers at the tightest rung beside exact values, with what the regimen leaves.

    ``failed`` gets rows of ``solver_check``.
    """

    def final(label: str, v: Values, doses: tuple[Dose, ...], until: float) -> Values:
        model = whole_body()
        batch = pack(model, [vector(v)], [doses], [np.array([until])])
        solved = simulate(model, batch, engine=engine, rtol=rtol)
        failed.append(note_failures(model, batch, solved, [f"{person.name}/{label}/{engine} {rtol:g}"], stage))
        return dict(zip(model.state_names, map(float, solved.final_state[0]), strict=True))

    rtol, limit = settings()["tightest_rung"], settings()["closed_form"]
    end = scenario.last_start + scenario.interval_h
    states, names = exact_states(v, scenario, np.array([end]))
    level = float(states[0, names.index("A_venous")] / (v["V_venous"] * v["B_P"]) * NG_ML)
    rows = []
    for engine in ENGINES:
        for form in forms_of(v):
            ends = [final(form.case, run, (dose,), until) for run, dose, until in form.runs]
            rows.append((form.case, form.meaning, form.unit, engine, form.exact, form.computed(ends)))
        after = final("regimen_trough", v, scenario.doses(), end)
        said = "trough of venous plasma after the whole regimen: matrix exponential"
        own = after["A_venous"] / (v["V_venous"] * v["B_P"]) * NG_ML
        rows.append(("regimen_trough", said, "ng/mL", engine, level, own))
    table = pd.DataFrame(rows, columns=["case", "meaning", "unit", "engine", "exact", "computed"])
    table["relative_difference"] = (table["computed"] - table["exact"]).abs() / table["exact"].abs()
    table = table.assign(twin_id=person.name, limit=limit, passed=table["relative_difference"] <= limit)
    return table[schema("closed_forms").names]
