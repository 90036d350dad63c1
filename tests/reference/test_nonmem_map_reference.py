"""Conditional modes beside NONMEM 7.4.4: the open runs of Le Louedec 2021 (doi 10.1002/psp4.12689), and phenobarbital.

Tolerances are those of the issue: etas 1e-3, 95 % of them within 1e-4, objective 1e-3, PRED and IPRED 1e-4 relative. A
subject for whom our optimum is lower than NONMEM's by more than 1e-3 is another optimum: these are counted, and may not
become more. One subject more (run 003, 19) is where NONMEM stops: its lag makes a dose arrive exactly with a sample.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.nonmem import compare as beside
from pharmtwin.inference.nonmem.estimates import find
from pharmtwin.inference.nonmem.study import Outcome, read_index, run_model
from pharmtwin.inference.problem.case import Case, columns_of
from pharmtwin.inference.problem.records import read_subjects

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bayes"
STUDY = DATA / "nonmem_map"
#: subjects whose optimum from eta = 0 is lower than NONMEM's by more than 1e-3: seen, by run
APART = {"003": 3, "004": 1, "962": 1}
#: subjects in NONMEM's optimum whose IPRED differs by more than 1e-4
STOPPED = {("003", "19")}
OPEN = tuple(read_index(STUDY)) if STUDY.exists() else ("none",)

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not STUDY.exists(), reason="reference data ../shared/data/bayes is not beside the checkout"),
]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {}


@pytest.mark.parametrize("number", OPEN)
def test_a_run_agrees_with_nonmem(number: str, outcomes: dict[str, Outcome]) -> None:
    outcome = run_model(number, read_index(STUDY)[number], STUDY)
    outcomes[number] = outcome
    assert outcome.comparison is not None, outcome.reason
    assert not outcome.disagreements and not outcome.unchecked
    subjects = outcome.comparison.subjects
    assert (subjects["failed"] == "").all() and not subjects["higher"].any()
    assert subjects["apart"].sum() <= APART.get(number, 0)
    same = subjects[~subjects["apart"]]
    assert same["max_eta_difference"].max() < beside.ETA
    assert (same["objective"] - same["nonmem_objective"]).abs().max() < beside.OBJECTIVE
    assert subjects["pred_difference"].max() < beside.PREDICTION
    wide = set(same.loc[same["ipred_difference"] >= beside.PREDICTION, "subject"])
    assert {(number, s) for s in wide} <= STOPPED


def test_nineteen_of_twenty_etas_are_within_1e_4(outcomes: dict[str, Outcome]) -> None:
    if len(outcomes) < len(OPEN):
        pytest.skip("not all runs were done")
    gaps = np.concatenate([o.comparison.differences.ravel() for o in outcomes.values() if o.comparison is not None])
    assert np.mean(gaps < beside.CLOSE) >= beside.SHARE_CLOSE
    assert np.mean(gaps < beside.ETA) >= 0.995  # those apart included


PHENOBARBITAL = {
    "schema": 1, "name": "phenobarbital", "covariates": ["WGT", "APGR"],
    "parameters": {"CL": "TVCL * exp(eta_CL)", "V": "TVV * exp(eta_V)"},
    "states": {"central": "-CL / V * central"}, "observe": {"C": "central / V"},
    "outputs": {"plasma": {"of": "C", "error": {"proportional": ["prop"]}}},
}  # fmt: skip


@pytest.mark.parametrize("name", ["pheno", "pheno_real"])
def test_phenobarbital_in_59_neonates(name: str) -> None:
    """Etas at NONMEM's estimates, of a simple model and of one with weight and Apgar score; printed to 6 digits."""
    table = pd.read_csv(DATA / "pharmpy_nonmem" / "pheno.nonmem.csv")
    found = pd.read_json(DATA / "pharmpy_nonmem" / "expected.json")[name]["estimates"]
    theta = {"T1": found["THETA1"], "T2": found["THETA2"]}
    own = {"TVCL": "T1", "TVV": "T2"}
    if name == "pheno_real":
        theta["T3"] = found["THETA3"]
        own = {"TVCL": "T1 * WGT", "TVV": "T2 * WGT * piecewise(1 + T3, APGR < 5, 1)"}
    raw = PHENOBARBITAL | {
        "fixed": theta, "random": {"eta_CL": found["OMEGA(1,1)"], "eta_V": found["OMEGA(2,2)"]},
        "residual": {"prop": float(np.sqrt(found["SIGMA(1,1)"]))}, "parameters": own | PHENOBARBITAL["parameters"],
    }  # fmt: skip
    if name == "pheno":
        raw["covariates"] = []
    model, _ = population_model(raw)
    columns = columns_of({}, name)
    subjects, _ = read_subjects(model, table, columns)
    modes = find(Case(model, columns, table, tuple(subjects), ())).near
    nonmem = pd.read_csv(DATA / "pharmpy_nonmem" / f"{name}.phi.csv")
    assert modes.converged.all() and len(subjects) == 59
    assert np.abs(modes.eta - nonmem[["ETA1", "ETA2"]].to_numpy()).max() < beside.CLOSE
