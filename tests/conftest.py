"""Shared fixtures: a one-compartment model, a literal whole body, a complete drug file.

Compiled code is taken from (and left in) the user's own cache: tests never set ``PHARMTWIN_CACHE``, so a model is
compiled once on a machine and not once a run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.core.whole_body import whole_body
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose

Floats = NDArray[np.float64]

# A man of 73 kg in round numbers (L; L/h): written out here so that no test depends on resources/.
VOLUMES = {
    "lung": 0.5, "adipose": 18.0, "bone": 10.0, "brain": 1.45, "gut": 1.2, "heart": 0.33, "kidney": 0.31, "liver": 1.8,
    "muscle": 29.0, "pancreas": 0.14, "skin": 3.3, "spleen": 0.15, "thyroid": 0.02, "rest": 1.6, "venous": 3.9,
    "arterial": 1.4,
}  # fmt: skip
FLOWS = {
    "adipose": 19.5, "bone": 19.5, "brain": 46.8, "heart": 15.6, "kidney": 74.1, "liver": 25.35, "muscle": 66.3,
    "skin": 19.5, "thyroid": 6.24, "rest": 23.01, "gut": 58.5, "spleen": 11.7, "pancreas": 3.9,
}  # fmt: skip
KP = {
    "lung": 8.0, "adipose": 4.0, "bone": 2.5, "brain": 3.0, "gut": 5.0, "heart": 4.5, "kidney": 9.0, "liver": 10.0,
    "muscle": 3.5, "pancreas": 4.0, "skin": 2.0, "spleen": 3.0, "thyroid": 2.2, "rest": 1.5,
}  # fmt: skip
DRUG_AND_ENZYME = {
    "B_P": 0.9, "fu_p": 0.05, "Kp_scale": 1.3, "MTT": 2.0, "F_a": 0.8, "MW": 329.37, "Vmax_CYP2D6": 12.0,
    "Km_CYP2D6": 0.03, "f_CYP2D6": 1.2, "CLint_other": 300.0, "f_other": 0.9, "kdeg_CYP2D6": 0.014,
    "kinact_CYP2D6": 10.0, "KI_CYP2D6": 0.2, "GFR": 7.0,
}  # fmt: skip


@pytest.fixture(scope="session")
def body_values() -> dict[str, float]:
    """Every parameter of the whole-body model by name; saturation and inactivation are on."""
    return {
        **{f"V_{k}": v for k, v in VOLUMES.items()},
        **{f"Q_{k}": v for k, v in FLOWS.items()},
        "Q_lung": sum(FLOWS.values()),
        **{f"Kp_{k}": v for k, v in KP.items()},
        **DRUG_AND_ENZYME,
    }


@pytest.fixture(scope="session")
def vector(body_values: dict[str, float]) -> Callable[..., Floats]:
    """``vector(name=value, ...)``: the parameter vector of the literal body with some values changed."""
    names = whole_body().parameter_names

    def build(**changed: float) -> Floats:
        unknown = set(changed) - set(names)
        assert not unknown, unknown
        return np.array([(body_values | changed)[n] for n in names])

    return build


@pytest.fixture(scope="session")
def one_compartment() -> Model:
    """Depot and one compartment, linear and saturable elimination, with accounts.

    Parameters in order: ka, CL, V, Vmax, Km; observables C, AUC, A_depot; tangents for ka, CL, V, Vmax, Km.
    """
    depot = Module(
        name="depot",
        states=(State("A_depot", "mg", "amount at the site of absorption", conserved=True),),
        parameters=(Parameter("ka", "1/h", "absorption rate"),),
        fluxes=(Flux("absorbed", "ka*A_depot", "mg/h", "A_depot", "A_central"),),
        dose_targets=(("oral", "A_depot"),),
    )
    central = Module(
        name="central",
        states=(
            State("A_central", "mg", "amount in the body", conserved=True),
            State("A_out", "mg", "amount eliminated", conserved=True),
            State("AUC", "mg*h/L", "area under the concentration"),
        ),
        parameters=(
            Parameter("CL", "L/h", "clearance"),
            Parameter("V", "L", "volume"),
            Parameter("Vmax", "mg/h", "maximal rate"),
            Parameter("Km", "mg/L", "Michaelis constant"),
        ),
        definitions=(Definition("C", "A_central/V", "mg/L", "concentration"),),
        fluxes=(
            Flux("linear", "CL*C", "mg/h", "A_central", "A_out"),
            Flux("saturable", "Vmax*C/(Km + C)", "mg/h", "A_central", "A_out"),
            Flux("auc", "C", "mg/L", None, "AUC"),
        ),
        dose_targets=(("iv", "A_central"),),
    )
    return compose("one_compartment", [depot, central], ["C", "AUC", "A_depot"], ("ka", "CL", "V", "Vmax", "Km"))


def _quantity(value: float, unit: str, **more: float) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": "invented for a test", **more}


DRUG = {
    "name": "testamine",
    "physicochemistry": {
        "kind": "base",
        "MW": _quantity(300.0, "g/mol"),
        "logP": _quantity(3.0, "1"),
        "pKa": _quantity(9.0, "1"),
    },
    "binding": {"fu_p": _quantity(0.1, "1"), "B_P": _quantity(1.0, "1")},
    "distribution": {"Kp_scale": _quantity(1.1, "1", uncertainty=0.3, between_subject=0.2)},
    "metabolism": {
        "CYP2D6_kcat": _quantity(5.0, "1/min", uncertainty=0.3, between_subject=0.3),
        "CYP2D6_Km": _quantity(0.05, "umol/L"),
        "CYP2D6_kinact": _quantity(2.0, "1/h"),
        "CYP2D6_KI": _quantity(0.3, "umol/L"),
        "CLint_other": _quantity(200.0, "L/h", uncertainty=0.4, between_subject=0.35),
    },
    "absorption": {
        "F_a": _quantity(0.9, "1"),
        "residual_error": _quantity(0.15, "1"),
        "formulations": {
            "IR": {
                "MTT": _quantity(2.5, "h", uncertainty=0.3, between_subject=0.4),
                "lag": _quantity(0.0, "h"),
                "F_rel": _quantity(1.0, "1"),
            }
        },
    },
}


@pytest.fixture
def drug_file() -> dict[str, Any]:
    """Content of a complete drug file (a fresh copy: tests may spoil it)."""
    return copy.deepcopy(DRUG)
