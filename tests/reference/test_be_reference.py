"""Bioequivalence against replicateBE's data sets (R's lm and nlme), PKNCA's criteria and a textbook crossover."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.bioequivalence.assess import assess
from pharmtwin.bioequivalence.average import method_a, method_b
from pharmtwin.bioequivalence.linear import Fit
from pharmtwin.bioequivalence.read import read_studies
from pharmtwin.bioequivalence.scaled import within
from pharmtwin.bioequivalence.study import Study

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "bayes" / "bioequivalence"
EXPECTED = DATA / "replicateBE" / "expected_methodA_methodB.csv"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not EXPECTED.exists(), reason="reference data not beside the checkout"),
]
ROWS = pd.read_csv(EXPECTED).set_index("dataset") if EXPECTED.exists() else pd.DataFrame()


def load(path: Path) -> Study:
    (study,) = read_studies(str(path), ["PK"]).studies
    return study


def percent(fit: Fit) -> list[float]:
    return [100 * math.exp(x) for x in (fit.estimate, *fit.interval(0.05))]


@pytest.mark.parametrize("name", list(ROWS.index))
def test_replicate_data_sets(name: str) -> None:
    row, study = ROWS.loc[name], load(DATA / "replicateBE" / f"{name}.csv")
    assert (study.n_subjects, len(study.y)) == (row["n_subjects"], row["n_obs"])
    a = method_a(study)
    assert percent(a) == pytest.approx(row[["A_pe", "A_lo", "A_hi"]].to_list(), rel=1e-12)
    assert a.df == row["A_df"] and a.mse == pytest.approx(row["A_mse"], rel=1e-12)
    reference = within(study, "R")
    assert (reference.sw, reference.cv) == pytest.approx((row["swR"], row["CVwR"]), rel=1e-12)
    # nlme stops its search earlier than the search here: its last digits are those of its tolerance
    assert percent(method_b(study)) == pytest.approx(row[["B_pe", "B_lo", "B_hi"]].to_list(), rel=5e-7)


def test_pknca_full_replicate() -> None:
    study = load(DATA / "pknca_full_replicate_seed20240501.csv")
    table, _ = assess(study)
    ema = table[(table["framework"] == "EMA") & table["model"].str.startswith("A")].iloc[0]
    assert ema[["ratio", "ci_low", "ci_high"]].to_list() == pytest.approx([88.359573, 75.617477, 103.248804], rel=1e-8)
    assert (ema["cv_reference"], ema["sw_reference"]) == pytest.approx((51.5704078, 0.485616493), rel=2e-9)
    assert ema[["limit_low", "limit_high"]].to_list() == pytest.approx([69.83678, 143.19102], abs=5e-6)
    by_subject = table[table["model"].str.contains("PKNCA")].set_index("framework")
    assert by_subject.loc["FDA", "criterion"] == pytest.approx(-0.073963079, abs=1e-9)
    assert by_subject.loc["FDA_NTID", "criterion"] == pytest.approx(-0.130502036, abs=1e-9)
    assert by_subject.loc["FDA", ["ci_low", "ci_high"]].to_list() == pytest.approx([73.865065, 105.698331], rel=1e-8)
    assert by_subject.loc["FDA_NTID", "sw_ratio_upper"] == pytest.approx(1.128639463, rel=1e-9)
    verdicts = {"FDA": "bioequivalent", "FDA_NTID": "not shown", "FDA_HVNTID": "not shown"}  # PKNCA be_compare
    assert by_subject["verdict"].to_dict() == verdicts
    assert set(table.loc[table["framework"].isin(["EMA", "HC", "GCC"]), "verdict"]) == {"bioequivalent"}


def test_pknca_partial_replicate() -> None:
    study = load(DATA / "pknca_partial_seed505.csv")
    assert within(study, "R").sw == pytest.approx(0.428849840, rel=2e-9)


def test_textbook_crossover() -> None:
    study = load(DATA / "chow_liu_2x2_auc.csv")
    table, design = assess(study, ["ABE"])
    assert design.kind == "2x2x2"
    row = table.iloc[0]
    assert row[["ratio", "ci_low", "ci_high"]].round(4).to_list() == [97.1756, 88.3129, 106.9277]
    assert round(row["cv_intra"], 2) == 19.47 and row["df"] == 22
    raw = Study("AUC", study.subject, study.sequence, study.period, study.treatment, np.exp(study.y), "T", "R")
    assert (method_a(raw).estimate, method_a(raw).mse) == pytest.approx((-2.287, 167.246), abs=1e-3)
