"""Rows of subjects: what is read, what is refused, and values beyond the limits of quantification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.problem.pieces import pieces
from pharmtwin.inference.problem.records import Columns, DataError, Subject, read_subjects
from pharmtwin.inference.problem.score import ABOVE, BELOW, BETWEEN, OBSERVED, TRUNCATED

MODEL = """
schema: 1
name: oral
covariates: [WT]
fixed: {CL: 4, V: 70, KA: 1, W: 1, D: 2}
residual: {a: 0.1}
states: {depot: -KA * depot, central: KA * depot - CL / V * central * WT / WT}
observe: {C: central / V, E: central * W}
doses: {central: {duration: D}}
outputs: {plasma: {of: C, error: {additive: [a]}}, effect: {of: E, error: {additive: [a]}}}
"""
BOTH = Columns(output="DVID", outputs={"1": "plasma", "2": "effect"})


def model(**changes: Any) -> PopulationModel:
    """The model above."""
    return population_model({**yaml.safe_load(MODEL), **changes})[0]


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows with the usual items filled."""
    usual = {"ID": 1, "TIME": 0.0, "EVID": 0, "AMT": 0, "CMT": 1, "DV": 1.0, "DVID": 1, "WT": 70}
    return pd.DataFrame([usual | r for r in rows])


DOSE = {"EVID": 1, "AMT": 100}


def read(*rows: dict[str, Any], columns: Columns = BOTH) -> tuple[Subject, list[Any]]:
    """One subject."""
    subjects, findings = read_subjects(model(), table(*rows), columns, "rows.csv")
    return subjects[0], findings


def test_rows_are_read() -> None:
    s, findings = read(
        DOSE | {"II": 12, "ADDL": 3}, {"TIME": 2, "DV": 5}, {"TIME": 2, "DVID": 2, "DV": 7},
        {"TIME": 3, "EVID": 2, "DV": 9},
        {"TIME": 4, "MDV": 1, "DV": 9}, {"TIME": 30, "EVID": 4, "AMT": 10, "CMT": 2, "RATE": -2}, {"TIME": 31, "DV": 1},
    )  # fmt: skip
    assert not findings
    assert s.obs_value.tolist() == [5, 7, 1] and s.obs_output.tolist() == [0, 1, 0]
    assert [(d.time, d.state, d.amount, d.addl, d.rate) for d in s.doses] == [(0, 0, 100, 3, 0), (30, 1, 10, 0, -2)]
    assert s.resets == (5,) and s.file_row.tolist() == [3, 4, 8]


@pytest.mark.parametrize(
    ("rows", "place", "words"),
    [
        ([DOSE, {"TIME": -1}], "rows.csv:3 TIME", "lies before the row above"),
        ([DOSE, {"TIME": "ten"}], "rows.csv:3 TIME", "is no finite number"),
        ([DOSE, {"TIME": 1, "DV": "."}], "rows.csv:3 DV", "is no finite number"),
        ([DOSE, {"TIME": 1, "WT": None}], "rows.csv:3 WT", "is no finite number"),
        ([DOSE, {"TIME": 1, "DVID": 3}], "rows.csv:3 DVID", "is no declared output"),
        ([DOSE | {"AMT": 0}, {"TIME": 1}], "rows.csv:2 AMT", "is not greater than 0"),
        ([DOSE | {"CMT": 9}, {"TIME": 1}], "rows.csv:2 CMT", "names no state"),
        ([DOSE | {"RATE": -2}, {"TIME": 1}], "rows.csv:2 RATE", "asks for a duration"),
        ([DOSE | {"RATE": -3}, {"TIME": 1}], "rows.csv:2 RATE", "is negative"),
        ([DOSE | {"SS": 2, "II": 12}, {"TIME": 1}], "rows.csv:2 SS", "is not 0 or 1"),
        ([DOSE | {"SS": 1}, {"TIME": 1}], "rows.csv:2 II", "is not greater than 0"),
        ([DOSE | {"ADDL": 1.5, "II": 12}, {"TIME": 1}], "rows.csv:2 ADDL", "whole number"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(rows: list[dict[str, Any]], place: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(*rows)
    assert place in str(caught.value) and words in str(caught.value)


def test_all_faults_come_at_once() -> None:
    with pytest.raises(DataError) as caught:
        read(DOSE | {"AMT": 0}, {"TIME": 1, "DVID": 3}, {"TIME": "x"})
    assert len(caught.value.findings) == 3


def test_missing_columns_and_undeclared_outputs_are_errors() -> None:
    rows = table(DOSE, {"TIME": 1}).drop(columns=["WT"])
    with pytest.raises(DataError, match="WT"):
        read_subjects(model(), rows, BOTH, "rows.csv")
    with pytest.raises(DataError, match="which output"):
        read_subjects(model(), table(DOSE, {"TIME": 1}), Columns(), "rows.csv")
    with pytest.raises(DataError, match="is no output of the model"):
        read_subjects(model(), table(DOSE, {"TIME": 1}), Columns(output="DVID", outputs={"1": "blood"}), "rows.csv")


@pytest.mark.parametrize(
    ("method", "codes", "values"),
    [
        ("M1", [OBSERVED, OBSERVED], [5, 3]),
        ("M2", [TRUNCATED, TRUNCATED], [5, 3]),
        ("M3", [OBSERVED, OBSERVED, BELOW, BELOW], [5, 3, 1, 1]),
        ("M4", [TRUNCATED, TRUNCATED, BETWEEN, BETWEEN], [5, 3, 1, 1]),
        ("M5", [OBSERVED] * 4, [5, 3, 0.5, 0.5]),
        ("M6", [OBSERVED] * 3, [5, 3, 0.5]),
        ("M7", [OBSERVED] * 4, [5, 3, 0, 0]),
    ],
)
def test_values_below_the_limit(method: str, codes: list[int], values: list[float]) -> None:
    columns = Columns(output="DVID", outputs={"1": "plasma"}, lloq={"plasma": 1.0}, blq=method)
    s, findings = read(DOSE, {"TIME": 1, "DV": 5}, {"TIME": 2, "DV": 3}, {"TIME": 3, "DV": 0.5}, {"TIME": 4, "DV": 0.2},
                       columns=columns)  # fmt: skip
    assert s.obs_code.tolist() == codes and s.obs_value.tolist() == values
    said = [f for f in findings if f.rule == "records.blq"]
    assert len(said) == {"M3": 0, "M4": 0, "M6": 2}.get(method, 1)
    if said and method != "M6":
        assert "rows 5, 6" in said[0].message() or "5, 6" in said[0].message()


def test_a_flag_tells_what_is_censored() -> None:
    columns = Columns(output="DVID", outputs={"1": "plasma"}, censored="CENS")
    s, _ = read(DOSE | {"CENS": 0}, {"TIME": 1, "DV": 2, "CENS": 1}, {"TIME": 2, "DV": 90, "CENS": -1}, columns=columns)
    assert s.obs_code.tolist() == [BELOW, ABOVE] and s.obs_limit.tolist() == [2, 90]


def test_remarkable_subjects_have_warnings() -> None:
    columns = Columns(output="DVID", outputs={"1": "plasma"}, lloq={"plasma": 1.0})
    _, findings = read(DOSE, {"TIME": 3, "DV": 0.5}, {"TIME": 4, "DV": 0.2}, columns=columns)
    assert [f.rule for f in findings] == ["records.all_blq"]
    _, findings = read({"TIME": 1, "DV": 5}, DOSE | {"TIME": 3}, columns=columns)
    assert [f.rule for f in findings] == ["records.dose_after"]
    _, findings = read({"TIME": 1, "DV": 5}, columns=columns)
    assert [f.rule for f in findings] == ["records.no_dose"]


def test_covariates_hold_up_to_their_record_or_from_it_on() -> None:
    s, _ = read(DOSE | {"WT": 50}, {"TIME": 2, "WT": 60}, {"TIME": 4, "WT": 60}, {"TIME": 6, "WT": 80})
    end = pieces(s, s.covariates, True, 0)[0]
    assert end.segment_times.tolist() == [0, 4] and end.segments.ravel().tolist() == [60, 80]
    start = pieces(s, s.covariates, False, 0)[0]
    assert start.segment_times.tolist() == [0, 2, 6] and start.segments.ravel().tolist() == [50, 60, 80]


def test_resets_and_steady_states_cut_the_run() -> None:
    rows = [DOSE, {"TIME": 2}, DOSE | {"TIME": 5, "SS": 1, "II": 12}, {"TIME": 6}]
    s, _ = read(*rows, DOSE | {"TIME": 20, "EVID": 4}, {"TIME": 21})
    a, b, c = pieces(s, s.covariates, True, 10)
    assert (a.start, b.start, c.start) == (0, 5 - 120, 20)
    assert [(d.time, d.addl) for d in b.doses] == [(-115, 9), (5, 0)]
    assert [p.obs.tolist() for p in (a, b, c)] == [[0], [1], [2]]
    assert np.all(a.obs_times == [2])


def test_what_is_measured_must_be_declared() -> None:
    sections = yaml.safe_load(MODEL)
    sections["outputs"]["plasma"] |= {"unit": "mg/L", "analyte": "drug"}
    sections["outputs"]["effect"] |= {"matrix": "urine", "unit": "mg/L", "analyte": "drug"}
    declared, _ = population_model(sections)
    columns = Columns(described={"MATRIX": "matrix", "WHAT": "analyte", "UNIT": "unit", "KIND": "unbound"})
    plain = {"MATRIX": "Plasma", "WHAT": "drug", "UNIT": "ng/mL", "KIND": "total"}
    rows = [
        DOSE | plain,
        plain | {"TIME": 1, "DV": 500},
        plain | {"TIME": 2, "DV": 2, "MATRIX": "urine", "UNIT": "mg/L"},
    ]
    subjects, _ = read_subjects(declared, table(*rows), columns, "rows.csv")
    assert subjects[0].obs_value.tolist() == [0.5, 2.0] and subjects[0].obs_output.tolist() == [0, 1]
    for change, words in (
        ({"MATRIX": "saliva"}, "saliva, drug, total"), ({"KIND": "unbound"}, "is no declared output"),
        ({"WHAT": "metabolite"}, "declared are plasma: plasma, drug, total"),
        ({"UNIT": "furlong"}, "cannot be converted"),
    ):  # fmt: skip
        with pytest.raises(DataError) as caught:
            read_subjects(declared, table(rows[0], rows[1] | change), columns, "rows.csv")
        assert words in str(caught.value) and "rows.csv:3" in str(caught.value)
