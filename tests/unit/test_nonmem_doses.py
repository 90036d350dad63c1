"""Which covariates a dose's bioavailability is taken at, and columns of values and occasions by name.

The amounts are exact: nothing leaves the state, so what is there is the sum of F times the doses that have arrived.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.problem.case import columns_of
from pharmtwin.inference.problem.problem import make_problem
from pharmtwin.inference.problem.records import DataError, read_subjects

MODEL: dict[str, Any] = {
    "schema": 1, "name": "kept", "covariates": ["FED"], "fixed": {"TVF": 1.0}, "random": {"eta_F": 0.1},
    "residual": {"a": 1.0}, "parameters": {"F1": "TVF * FED * exp(eta_F)"}, "states": {"x": "0 * x"},
    "observe": {"C": "x"}, "outputs": {"level": {"of": "C", "error": {"additive": ["a"]}}},
}  # fmt: skip


def amounts(rows: list[dict[str, Any]], doses: dict[str, Any], at: str = "end") -> list[float]:
    """Predictions at the observed rows."""
    model, _ = population_model(MODEL | {"doses": {"x": doses}})
    subjects, _ = read_subjects(model, pd.DataFrame(rows), columns_of({"covariate_at": at}, "x"))
    problem = make_problem(model, subjects, covariate_at=at)
    return problem.predict(problem.rows(problem.typical()[:1], np.zeros((1, 1))), False).f.tolist()


def dose(time: float, fed: float, **more: Any) -> dict[str, Any]:
    """A dose of 10."""
    return {"ID": 1, "TIME": time, "EVID": 1, "AMT": 10.0, "CMT": 1, "FED": fed, "DV": 0.0, **more}


def seen(time: float, fed: float) -> dict[str, Any]:
    """A sample."""
    return {"ID": 1, "TIME": time, "EVID": 0, "AMT": 0.0, "CMT": 1, "FED": fed, "DV": 1.0}


def test_a_dose_that_arrives_with_its_row_takes_its_rows_covariates() -> None:
    assert amounts([dose(0, 0.5), seen(5, 0.8)], {"F": "F1"}) == pytest.approx([5.0])


def test_a_lagged_dose_takes_those_of_the_next_record_after_its_arrival() -> None:
    doses = {"F": "F1", "lag": 1.0}
    assert amounts([dose(0, 0.5), seen(5, 0.8)], doses) == pytest.approx([8.0])
    rows = [dose(0, 0.5), seen(0.5, 0.2), seen(5, 0.8)]  # not of the next row, but of that after the arrival
    assert amounts(rows, doses) == pytest.approx([0.0, 8.0])


def test_where_covariates_hold_from_their_row_on_a_lagged_dose_takes_what_is_in_force() -> None:
    doses = {"F": "F1", "lag": 1.0}
    assert amounts([dose(0, 0.5), seen(5, 0.8)], doses, "start") == pytest.approx([5.0])


def test_further_doses_each_take_the_covariates_at_their_arrival() -> None:
    rows = [dose(0, 0.5, II=2.0, ADDL=3), seen(3, 0.2), seen(5, 0.8), seen(7, 1.0)]
    # at 0 (0.5), 2 (record at 3: 0.2), 4 (record at 5: 0.8) and 6 (record at 7: 1.0)
    assert amounts(rows, {"F": "F1"}) == pytest.approx([7.0, 15.0, 25.0])


def test_a_further_dose_at_the_time_of_a_record_arrives_before_it() -> None:
    rows = [dose(0, 0.5, II=2.0, ADDL=1), seen(2, 0.2), seen(3, 0.8)]
    assert amounts(rows, {"F": "F1"}) == pytest.approx([7.0, 7.0])


def test_occasions_by_name_and_a_column_of_values() -> None:
    raw = MODEL | {
        "random": {"iov": {"variance": 0.1, "level": "occasion"}}, "parameters": {"F1": "TVF * FED * exp(iov)"},
        "doses": {"x": {"F": "F1"}},
    }  # fmt: skip
    model, _ = population_model(raw)
    rows = pd.DataFrame([dose(0, 1.0), seen(5, 1.0), dose(6, 1.0), seen(7, 1.0)]).assign(
        CYCLE=[2.0, 2.0, 1.0, 1.0], LDV=[0, 3.0, 0, 4.0]
    )
    section = {"occasion": "CYCLE", "occasions": [1, 2], "value": "LDV"}
    subjects, _ = read_subjects(model, rows, columns_of(section, "x"))
    assert subjects[0].occasions.tolist() == [1, 1, 0, 0] and subjects[0].obs_value.tolist() == [3.0, 4.0]
    with pytest.raises(DataError, match="is no declared occasion"):
        read_subjects(model, rows, columns_of(section | {"occasions": [1]}, "x"))
