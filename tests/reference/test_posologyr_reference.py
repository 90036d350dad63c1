"""MAP estimates and dose searches beside posologyr, Monolix, NONMEM and nlmixr."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.dose.regimens import Regimen
from pharmtwin.inference.dose.search import area_between, concentration_at, dose_for, interval_for, time_until_below
from pharmtwin.inference.estimation.modes import conditional_modes
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.read import read_population_model
from pharmtwin.inference.problem.problem import make_problem
from pharmtwin.inference.problem.records import Columns, read_subjects

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT.parent / "shared" / "data" / "bayes" / "map_reference" / "posologyr_cases.json"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not CASES.is_file(), reason="reference data are not beside the checkout"),
]


@cache
def cases() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(CASES.read_text(encoding="utf-8"))
    return made


def model_of(name: str) -> tuple[PopulationModel, Columns]:
    model, data = read_population_model(ROOT / "resources" / "population" / f"{name}.yaml")
    return model, Columns(**data)


def mode(name: str, table: pd.DataFrame) -> dict[str, float]:
    """Fixed and random effects at the mode, by name."""
    model, columns = model_of(name)
    subjects, _ = read_subjects(model, table, columns)
    problem = make_problem(model, subjects, rtol=1e-9)
    found = conditional_modes(problem, problem.typical()[: problem.n_fixed], problem.sigma(), problem.model.omega)
    assert found.converged.all()
    effects = {r.name: float(e) for r, e in zip(problem.model.random, found.eta[0], strict=True)}
    return {f.name: f.value for f in model.fixed} | effects


def infusions(case: dict[str, Any]) -> pd.DataFrame:
    """Rows of a case with ``doses`` and ``obs``."""
    given = [{"TIME": d["time"], "AMT": d["amt"], "RATE": d["amt"] / d["dur"], "EVID": 1} for d in case["doses"]]
    seen = [{"TIME": t, "DV": y, "EVID": 0} for t, y in case["obs"]]
    return table(given + seen, **case["cov"])


def table(records: list[dict[str, Any]], **columns: Any) -> pd.DataFrame:
    made = pd.DataFrame(sorted(records, key=lambda r: r["TIME"])).assign(ID=1, **columns).astype(object)
    return made.where(made.notna(), ".")


def test_tobramycin_as_monolix() -> None:
    case = cases()["tobramycin_2cpt"]
    e, cov, rtol = mode("tobramycin", infusions(case)), case["cov"], case["rtol"]
    ke = e["TVke"] * (cov["CLCREAT"] / 67.8) ** 0.89 * (cov["WT"] / 66.4) ** -1.09 * np.exp(e["eta_ke"])
    v = e["TVV"] * (cov["WT"] / 66.4) ** 0.80 * np.exp(e["eta_V"])
    assert ke == pytest.approx(case["expected"]["ke"], rel=rtol["ke"])
    assert v == pytest.approx(case["expected"]["V"], rel=rtol["V"])


def test_vancomycin_as_monolix() -> None:
    case = cases()["vancomycin_goti2018_p02"]
    e, cov = mode("vancomycin_goti", infusions(case)), case["cov"]
    found = {
        "CL": e["TVCL"] * (cov["CLCREAT"] / 120) ** 0.8 * 0.7 ** cov["DIAL"] * np.exp(e["eta_CL"]),
        "Vc": e["TVVC"] * (cov["WT"] / 70) * 0.5 ** cov["DIAL"] * np.exp(e["eta_VC"]),
        "Vp": e["TVVP"] * np.exp(e["eta_VP"]),
    }
    for name, value in case["expected"].items():
        assert found[name] == pytest.approx(value, rel=case["rtol"][name]), name


def test_amikacin_with_a_full_covariance_as_nlmixr() -> None:
    case = cases()["amikacin_burdet2015"]
    assert model_of("amikacin_burdet")[0].omega.tolist() == case["omega"]
    e, cov = mode("amikacin_burdet", infusions(case)), case["cov"]
    found = {
        "CL": e["TVCL"] * (cov["CLCREAT4H"] / 82) ** 0.7 * np.exp(e["eta_CL"]),
        "Vc": e["TVVC"] * (cov["TBW"] / 78) ** 0.9 * (cov["PoverF"] / 169) ** 0.4 * np.exp(e["eta_VC"]),
        "Vp": e["TVVP"] * np.exp(e["eta_VP"]),
        "Q": e["TVQ"] * np.exp(e["eta_Q"]),
    }
    for name, value in case["expected"].items():
        assert found[name] == pytest.approx(value, rel=float(case["rtol"])), name


def test_covariates_that_change_as_nonmem() -> None:
    case = cases()["run302_timevarying"]
    records = [
        {"TIME": t, "EVID": e, "AMT": case["amt_each"] * e, "RATE": case["amt_each"] * e, "DV": y, "BW": w, "SEX": s}
        for t, e, y, w, s in zip(*(case[k] for k in ("times", "evid", "dv", "BW", "SEX")), strict=True)
    ]
    e = mode("mapbayr_study/run302", table(records, CMT=2))
    assert e["eta_CL"] == pytest.approx(case["expected"]["eta_CL"], rel=case["rtol"]["eta_CL"])
    assert e["eta_VC"] == pytest.approx(case["expected"]["eta_Vc"], rel=case["rtol"]["eta_Vc"])
    assert e["eta_KA"] == pytest.approx(case["expected"]["eta_Ka"], abs=1e-6)  # nothing was given by mouth


def test_piperacillin_with_occasions_and_a_lag_as_monolix() -> None:
    case = cases()["piperacillin_roberts2010_iov"]
    given = [
        {"TIME": t, "AMT": case["amt"], "RATE": case["amt"] / case["dur"], "EVID": 1, "OCC": o}
        for t, o in zip(case["doses_times"], case["occ_of_dose"], strict=True)
    ]
    seen = [
        {"TIME": t, "DV": y, "EVID": 0, "OCC": o} for (t, y), o in zip(case["obs"], case["occ_of_obs"], strict=True)
    ]
    e, expected, rtol = mode("piperacillin_roberts", table(given + seen, **case["cov"])), case["expected"], 1e-3
    assert rtol == float(case["rtol"])
    typical = e["TVCL"] * case["cov"]["TBW"] / 70 * np.exp(e["eta_CL"])
    clearance = [typical * np.exp(e[f"kappa_CL_occ{k}"]) for k in (1, 2, 3, 4)]
    assert clearance == pytest.approx(expected["CL_by_occ"], rel=rtol)
    assert e["TVLAG"] * np.exp(e["eta_LAG"]) == pytest.approx(expected["LAG"], rel=rtol)
    assert e["TVV1"] * np.exp(e["eta_V1"] + e["kappa_V1_occ1"]) == pytest.approx(expected["V1"], rel=rtol)
    assert e["TVQ"] * np.exp(e["eta_Q"]) == pytest.approx(expected["Q"], rel=rtol)
    assert e["TVV2"] * np.exp(e["eta_V2"]) == pytest.approx(expected["V2"], rel=rtol)


# ---- doses

ONE = Regimen(1500.0, 24.0, 1, "central", 2.0)
ELEVEN = replace(ONE, n_doses=11)  # the first and ten more


def area(start: float, end: float) -> Callable[[Person, Regimen], Any]:
    return lambda p, r: area_between(p, r, start, end, "plasma")


def at(time: float) -> Callable[[Person, Regimen], Any]:
    return lambda p, r: concentration_at(p, r, time, "plasma")


#: the question of the reference, and how it is asked here; the infusion that goes on is read at 9.9 days
QUESTIONS: list[tuple[str, Callable[[Person], float]]] = [
    ("time until c<10 after 1500 over 2 h", lambda p: time_until_below(p, ONE, 10, "plasma")),
    ("dose for AUC0-24=400, 2 h infusion", lambda p: dose_for(p, ONE, area(0, 24), 400)),
    ("dose for C(24)=11.04931, 2 h infusion", lambda p: dose_for(p, ONE, at(24), 11.04931)),
    ("time until c<10 after 10 further doses of 1500 every 24 h", lambda p: time_until_below(p, ELEVEN, 10, "plasma")),
    ("dose q24h x11 for AUC(216-240)=400", lambda p: dose_for(p, ELEVEN, area(216, 240), 400)),
    ("continuous infusion q24h dose for C=400/24",
     lambda p: dose_for(p, replace(ELEVEN, duration=24.0), at(24 * 9.9), 400 / 24)),
    ("interval for 2000 mg so that trough=10", lambda p: interval_for(p, replace(ELEVEN, amount=2000.0), 10, "plasma")),
]  # fmt: skip


def test_every_dose_question_of_the_reference_is_asked() -> None:
    assert [q for q, _ in QUESTIONS] == [e["q"] for e in cases()["dosing_vancomycin_p04"]["expected"]]


@pytest.mark.parametrize("number", range(len(QUESTIONS)), ids=[q for q, _ in QUESTIONS])
def test_dose_searches_as_posologyr(number: int) -> None:
    case = cases()["dosing_vancomycin_p04"]
    model, _ = model_of("vancomycin_goti")
    etas = [case["eta"][n] for n in ("CL", "Vc", "Vp")]
    effects = np.array([[f.value for f in model.fixed] + etas])
    covariates = np.array([case["cov"][n] for n in model.covariates], dtype=float)
    person = Person(model, effects, np.zeros(1, dtype=np.int64), covariates=covariates, rtol=1e-9)
    assert QUESTIONS[number][1](person) == pytest.approx(case["expected"][number]["value"], rel=0.01)
