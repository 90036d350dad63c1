"""Small models and people for the tests of twins: a straight line, a square, and one compartment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.problem.records import Columns, Subject, read_subjects
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.target import TwinTarget

#: C = a + b t, both with effects: predictions are linear in the effects
LINE: dict[str, Any] = {
    "schema": 1,
    "name": "line",
    "fixed": {"TVA": 10.0, "TVB": 2.0},
    "random": {"eta_a": 4.0, "eta_b": 0.25},
    "covariance": [["eta_a", "eta_b", 0.4]],
    "residual": {"s": 0.8},
    "parameters": {"a": "TVA + eta_a", "b": "TVB + eta_b"},
    "states": {"clock": "1.0"},
    "observe": {"C": "a + b * clock"},
    "outputs": {"plasma": {"of": "C", "error": {"additive": ["s"]}}},
}
#: C = (a + eta)^2: two answers to most questions
SQUARE: dict[str, Any] = {
    "schema": 1,
    "name": "square",
    "fixed": {"TVA": 0.2},
    "random": {"eta_a": 1.0},
    "residual": {"s": 0.3},
    "parameters": {"a": "TVA + eta_a"},
    "states": {"clock": "1.0"},
    "observe": {"C": "a * a"},
    "outputs": {"plasma": {"of": "C", "error": {"additive": ["s"]}}},
}
#: one compartment, oral, with a factor on clearance that hypotheses may set
ORAL: dict[str, Any] = {
    "schema": 1,
    "name": "oral",
    "constants": {"activity": 1.0},
    "fixed": {"TVCL": 4.0, "TVV": 40.0, "TVKA": 1.0},
    "random": {"eta_CL": 0.09, "eta_V": 0.06},
    "residual": {"s": 0.2},
    "parameters": {"CL": "TVCL * activity * exp(eta_CL)", "V": "TVV * exp(eta_V)", "ka": "TVKA"},
    "states": {"depot": "-ka * depot", "central": "ka * depot - CL / V * central"},
    "observe": {"C": "central / V"},
    "routes": {"oral": "depot"},
    "outputs": {"plasma": {"of": "C", "error": {"lognormal": ["s"]}}},
}


def model_of(raw: dict[str, Any], **changed: Any) -> PopulationModel:
    """The model, sections replaced."""
    return population_model({**raw, **changed})[0]


def person(
    model: PopulationModel,
    times: list[float],
    values: list[float],
    doses: tuple[tuple[float, float], ...] = (),
    columns: Columns | None = None,
    name: str = "p1",
) -> Subject:
    """One person: samples at times (h), doses as (time, mg). Doses come before samples of the same time."""
    rows = [(0.0, 2, 0.0, np.nan, -1)]  # the model's clock starts with the first row
    rows += [(t, 1, a, np.nan, 0) for t, a in doses] + [(t, 0, 0.0, y, 1) for t, y in zip(times, values, strict=True)]
    frame = pd.DataFrame(sorted(rows, key=lambda r: (r[0], r[4])), columns=["TIME", "EVID", "AMT", "DV", "order"])
    route = "oral" if any(r == "oral" for r, _ in model.structure.dose_targets) else ""
    return read_subjects(model, frame.assign(ID=name, CMT=route), columns)[0][0]


def concentration(t: float, dose: float, cl: float, v: float, ka: float = 1.0) -> float:
    """The one compartment's closed form (mg/L)."""
    k = cl / v
    return dose * ka / (v * (ka - k)) * (np.exp(-k * t) - np.exp(-ka * t))


def target_of(problem: Any, prior: TwinPrior | None = None) -> TwinTarget:
    """A target with the model's own prior by default."""
    return TwinTarget(problem, prior or TwinPrior.of_model(problem.model))
