"""Uncertain inputs of the sensitivity analysis, declared once from drug file and facts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.anatomy import TISSUES
from pharmtwin.core.assembly import between_subject, typical_individual, typical_uncertainty
from pharmtwin.core.drug import Drug
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.facts import fact_table
from pharmtwin.tables import records

Floats = NDArray[np.float64]
DUMMY = "dummy"


@dataclass(frozen=True)
class Input:
    """A lognormal input: name, sd of the logarithm, and the model parameters that it multiplies."""

    name: str
    sd_log: float
    scales: tuple[str, ...]


def inputs(drug: Drug) -> list[Input]:
    """All inputs of the reference person, with a dummy input (touches nothing) as noise floor.

    The four individual parameters vary between subjects and by the uncertainty of their typical value;
    the rest by the CVs of ``resources/sensitivity/inputs.tsv``.
    """
    table = fact_table("sensitivity/inputs.tsv")
    spread = np.sqrt(between_subject(drug) ** 2 + typical_uncertainty(drug) ** 2)
    names = {"f_CYP2D6": "CLint_CYP2D6", "f_other": "CLint_other", "Kp_scale": "Kp_scale", "MTT": "MTT"}
    out = [Input(names[p], float(s), (p,)) for p, s in zip(INDIVIDUAL, spread, strict=True)]
    flows = tuple(f"Q_{t}" for t in TISSUES)
    for row in records(table):
        scales = flows if row.scales == "all blood flows" else tuple(str(row.scales).split(","))
        out.append(Input(str(row.input), float(np.sqrt(np.log1p(float(row.cv) ** 2))), scales))
    return [*out, Input(DUMMY, 1.0, ())]


def reference_parameters(base: Floats, drug: Drug, activity: float) -> Floats:
    """Parameter vector of the reference person at typical values and a given CYP2D6 activity."""
    p = base.copy()
    names = whole_body().parameter_names
    for name, value in zip(INDIVIDUAL, typical_individual(drug), strict=True):
        p[names.index(name)] = value
    p[names.index("f_CYP2D6")] = activity
    return p


def parameter_matrix(reference: Floats, chosen: list[Input], log_factor: Floats) -> Floats:
    """Parameter vectors (n, n_parameters): the reference scaled by exp(log_factor) (n, n_inputs)."""
    names = whole_body().parameter_names
    P = np.tile(reference, (len(log_factor), 1))
    for k, item in enumerate(chosen):
        for parameter in item.scales:
            P[:, names.index(parameter)] *= np.exp(log_factor[:, k])
    return P
