"""A linear model whose marginal likelihood is known: samples of a + eta_a + b t + eta_b t, with any residual error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.problem.problem import Problem, make_problem
from pharmtwin.inference.problem.records import Columns, Subject, read_subjects


def mapping(error: str = "additive", **changes: Any) -> dict[str, Any]:
    """YAML of the model; ``changes`` replace sections."""
    raw: dict[str, Any] = {
        "schema": 1,
        "name": "linear",
        "fixed": {"a": 5.0},
        "random": {"eta_a": {"variance": 0.5}},
        "residual": {"s": 0.8},
        "states": {"nothing": "0 * a"},
        "observe": {"Y": "a + eta_a"},
        "outputs": {"y": {"of": "Y", "error": {error: ["s"]}}},
    }
    raw.update(changes)
    return raw


LINE = {
    "fixed": {"a": 5.0, "b": -1.0},
    "random": {"eta_a": {"variance": 0.5}, "eta_b": {"variance": 0.3}},
    "covariance": [["eta_a", "eta_b", 0.1]],
    "observe": {"Y": "a + eta_a + (b + eta_b) * time"},
}


def table(values: np.ndarray[Any, Any], times: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Rows of values (n_subjects, n_times)."""
    n, k = values.shape
    return pd.DataFrame(
        {"ID": np.repeat(np.arange(1, n + 1), k), "TIME": np.tile(times, n), "AMT": 0.0, "DV": values.ravel()}
    )


def prepared(
    raw: dict[str, Any], rows: pd.DataFrame, columns: Columns | None = None, **keywords: Any
) -> tuple[PopulationModel, list[Subject], Problem]:
    """Model, subjects and problem."""
    model, _ = population_model(raw)
    subjects, _ = read_subjects(model, rows, columns or Columns(), "rows")
    return model, subjects, make_problem(model, subjects, **keywords)


def at_values(problem: Problem, omega: np.ndarray[Any, Any] | None = None) -> tuple[Any, Any, Any]:
    """Fixed effects, residual parameters and Omega as the model states them."""
    return problem.typical()[: problem.n_fixed], problem.sigma(), problem.model.omega if omega is None else omega
