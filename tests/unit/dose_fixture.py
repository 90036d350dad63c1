"""A one-compartment model whose exposure has closed forms, and persons made of draws of its effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.read import population_model

Floats = NDArray[np.float64]
CL, V = 5.0, 50.0
K = CL / V


def raw(**changes: Any) -> dict[str, Any]:
    """Sections of the model: clearance factor ACT (a constant), WT (covariate, in proportion) and two effects."""
    made: dict[str, Any] = {
        "schema": 1,
        "name": "one_compartment",
        "source": "made up for tests",
        "covariates": ["WT"],
        "constants": {"ACT": 1.0},
        "fixed": {"TVCL": CL, "TVV": V},
        "random": {"eta_CL": {"variance": 0.09}, "eta_V": {"variance": 0.04}},
        "residual": {"b": 0.1},
        "parameters": {"CL": "TVCL * (WT / 70) * ACT * exp(eta_CL)", "V": "TVV * exp(eta_V)"},
        "states": {"central": "-CL / V * central"},
        "observe": {"C": "central / V"},
        "routes": {"iv": "central"},
        "outputs": {"plasma": {"of": "C", "error": {"proportional": ["b"]}, "unit": "mg/L"}},
    }
    return made | changes


def model(**changes: Any) -> PopulationModel:
    """The checked model."""
    return population_model(raw(**changes))[0]


def occasions() -> PopulationModel:
    """The same with an effect of the occasion on clearance."""
    return model(
        random={
            "eta_CL": {"variance": 0.09}, "eta_V": {"variance": 0.04},
            "kappa_CL": {"variance": 0.16, "level": "occasion"},
        },
        parameters={"CL": "TVCL * (WT / 70) * ACT * exp(eta_CL + kappa_CL)", "V": "TVV * exp(eta_V)"},
    )  # fmt: skip


def person(etas: Any = ((0.0, 0.0),), own: PopulationModel | None = None, **given: Any) -> Person:
    """A person of 70 kg with draws of (eta_CL, eta_V)."""
    v = np.atleast_2d(np.array(etas, dtype=float))
    used = own or model()
    fixed = np.tile([f.value for f in used.fixed], (len(v), 1))
    settings = {"covariates": np.array([70.0]), "rtol": 1e-9} | given
    return Person(used, np.hstack([fixed, v]), np.zeros(len(v), dtype=np.int64), **settings)


def rows(*records: dict[str, Any], **columns: Any) -> pd.DataFrame:
    """Data rows of subject 1; empty cells are points."""
    names = ["ID", "TIME", "EVID", "AMT", "RATE", "II", "ADDL", "SS", "DV", "WT"]
    table = pd.DataFrame([{"ID": 1, "WT": 70, "DV": None} | r for r in records]).assign(**columns)
    kept = [n for n in names if n in table.columns] + [n for n in table.columns if n not in names]
    return table[kept].astype(object).where(table[kept].notna(), ".")
