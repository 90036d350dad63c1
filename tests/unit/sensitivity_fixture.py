"""A subject that is cheap to solve and whose indices are known by hand: one compartment after an intravenous bolus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import Dose
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose
from pharmtwin.sensitivity.outputs import Window, observing, output_of
from pharmtwin.sensitivity.runs import Solver
from pharmtwin.sensitivity.study import Settings
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.uncertainty.inputs import Input, Law, dummy

Floats = NDArray[np.float64]
SD = {"CL": 0.2, "V": 0.1, "F": 0.15}
SOLVER = Solver(rtol=1e-8, checked=0.02, limit=1e-5, seed=7)


def model() -> Model:
    return compose(
        "toy",
        [
            Module(
                "toy",
                states=(State("A", "mg", "amount"),),
                parameters=(Parameter("CL", "L/h", ""), Parameter("V", "L", ""), Parameter("F", "1", "")),
                definitions=(Definition("C", "F * A / V", "mg/L", "concentration"),),
                fluxes=(Flux("out", "CL / V * A", "mg/h", source="A"),),
                dose_targets=(("iv", "A"),),
            )
        ],
        ["C"],
    )


@dataclass(frozen=True)
class Toy:
    """CL, V, F around 10 L/h, 20 L, 1; runs whose F is above ``broken`` have no parameters."""

    broken: float = np.inf

    def __call__(self, drawn: Mapping[str, Floats], n: int) -> Floats:
        one = np.ones(n)
        P = np.column_stack([10.0 * drawn.get("CL", one), 20.0 * drawn.get("V", one), drawn.get("F", one)])
        P[P[:, 2] > self.broken] = np.nan
        return P


def toy_inputs() -> tuple[Input, ...]:
    return (*(Input(n, Law("lognormal", (1.0, sd)), "drug", n, "test", typical=10.0) for n, sd in SD.items()), dummy())


def toy_subject(broken: float = np.inf, **changes: object) -> Subject:
    """AUC over many half-lives and Cmax of a bolus, on the logarithm: ln F - ln CL, ln F - ln V."""
    outputs = (output_of("AUC", "C"), output_of("Cmax", "C"), output_of({"name": "tmax", "statistic": "tmax"}, "C"))
    values: dict[str, object] = {
        "name": "toy", "inputs": toy_inputs(), "correlations": {}, "model": observing(model(), outputs, "C"),
        "parameters": Toy(broken), "regimen": (Dose(0.0, 100.0, "iv"),), "window": Window(0.0, 60.0),
        "outputs": outputs, "concentration": "C", "unit": "ng/mL", "factor": 1000.0,
    }  # fmt: skip
    return Subject(**{**values, **changes})  # type: ignore[arg-type]


def toy_settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "trajectories": 6, "candidates": 0, "grid": 4, "base": 16, "max_base": 64, "target": 1e-9, "solver": SOLVER,
        "keep": 0.01,
    }  # fmt: skip
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


def make_toy(broken: str) -> tuple[Subject, Settings]:
    """For workers: ``broken`` as text."""
    return toy_subject(float(broken)), toy_settings()


#: a population model as its YAML file gives it
POPULATION: dict[str, Any] = {
    "schema": 1, "name": "oral", "covariates": ["WT"], "constants": {"KA": 1.0},
    "fixed": {"TVCL": {"value": 4.0, "unit": "L/h", "prior": {"lognormal": [4.0, 0.2]}},
              "TVV": {"value": 70.0, "unit": "L"}},
    "random": {"eta_CL": {"variance": 0.09}, "eta_V": {"variance": 0.04}, "eta_0": {"variance": 0.0}},
    "covariance": [["eta_CL", "eta_V", 0.03]], "residual": {"b": {"value": 0.2}},
    "parameters": {"CL": "TVCL * (WT / 70)**0.75 * exp(eta_CL + 0 * eta_0)", "V": "TVV * exp(eta_V)"},
    "states": {"depot": "-KA * depot", "central": "KA * depot - CL / V * central"},
    "observe": {"C": "central / V"}, "routes": {"oral": "depot"},
    "outputs": {"plasma": {"of": "C", "error": {"proportional": ["b"]}, "unit": "mg/L"}},
}  # fmt: skip
