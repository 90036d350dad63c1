"""Twin assembly: genome x body x drug -> parameter vectors of the whole-body model.

The genome's activity and the individual random effects enter as four individual parameters (``f_CYP2D6``,
``f_other``, ``Kp_scale``, ``MTT``); everything else is fixed by body and drug.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.drug import Drug
from pharmtwin.core.partition import Compound, rodgers_rowland
from pharmtwin.core.whole_body import COMPARTMENTS, TISSUES, whole_body
from pharmtwin.facts import fact_table

Floats = NDArray[np.float64]


@lru_cache(maxsize=1)
def enzyme_facts() -> dict[tuple[str, str], float]:
    """(enzyme, quantity) -> value of ``resources/physiology/enzymes.tsv``."""
    table = fact_table("physiology/enzymes.tsv")
    return {(str(e), str(q)): float(v) for e, q, v in zip(table.enzyme, table.quantity, table.value, strict=True)}


def compound(drug: Drug) -> Compound:
    """The drug as the partition model sees it."""
    pka = () if drug.kind == "neutral" else (drug["physicochemistry.pKa"],)
    return Compound(drug["physicochemistry.logP"], pka, drug.kind, drug["binding.fu_p"], drug["binding.B_P"])


def base_parameters(drug: Drug, body: Mapping[str, float], liver_mass_kg: float) -> Floats:
    """Parameter vector of a twin with all individual factors at their typical values.

    Parameters
    ----------
    body : quantities of table ``body`` for one twin (V_<organ> L, Q_<organ> L/h, CO, GFR L/h).
    """
    fact = enzyme_facts()
    kp = rodgers_rowland(compound(drug))
    enzyme_pmol = fact["CYP2D6", "abundance"] * fact["liver", "MPPGL"] * liver_mass_kg * 1e3
    values = {
        **{f"V_{c}": body[f"V_{c}"] for c in COMPARTMENTS},
        **{f"Q_{t}": body[f"Q_{t}"] for t in TISSUES},
        **{f"Kp_{t}": kp[t] for t in TISSUES},
        "B_P": drug["binding.B_P"],
        "fu_p": drug["binding.fu_p"],
        "Kp_scale": drug["distribution.Kp_scale"],
        "MTT": drug.formulation("IR")["MTT"].value,
        "F_a": drug["absorption.F_a"],
        "MW": drug["physicochemistry.MW"],
        "Vmax_CYP2D6": drug["metabolism.CYP2D6_kcat"] * 60.0 * enzyme_pmol * 1e-6,
        "Km_CYP2D6": drug["metabolism.CYP2D6_Km"],
        "f_CYP2D6": 1.0,
        "CLint_other": drug["metabolism.CLint_other"] * liver_mass_kg / fact["liver", "reference_mass"],
        "f_other": 1.0,
        "kdeg_CYP2D6": fact["CYP2D6", "kdeg"],
        "kinact_CYP2D6": drug["metabolism.CYP2D6_kinact"],
        "KI_CYP2D6": drug["metabolism.CYP2D6_KI"],
        "GFR": body["GFR"],
    }
    model = whole_body()
    missing = [n for n in model.parameter_names if n not in values]
    if missing:
        raise KeyError(f"assembly gives no value for {missing}")
    return np.array([float(values[n]) for n in model.parameter_names])


def assemble(drug: Drug, body: pd.DataFrame) -> dict[str, Floats]:
    """Base parameter vectors of all twins of a table ``body`` (long), by twin_id."""
    wide = body.pivot(index="twin_id", columns="quantity", values="value")
    organs = fact_table("physiology/reference_organs.tsv")
    density = float(organs.loc[organs["organ"] == "liver", "density_kg_per_L"].iloc[0])
    out = {}
    for twin, row in wide.iterrows():
        quantities = {str(k): float(v) for k, v in row.items()}
        out[str(twin)] = base_parameters(drug, quantities, quantities["V_liver"] * density)
    return out


def individual_columns() -> list[int]:
    """Positions of the four individual parameters in the parameter vector."""
    names = whole_body().parameter_names
    return [names.index(s) for s in whole_body().sensitivities]


def typical_individual(drug: Drug, formulation: str = "IR") -> Floats:
    """Typical values of the individual parameters (f_CYP2D6 at activity score 2, f_other, Kp_scale, MTT)."""
    return np.array([1.0, 1.0, drug["distribution.Kp_scale"], drug.formulation(formulation)["MTT"].value])


def between_subject(drug: Drug) -> Floats:
    """Prior median sd of the logarithm between subjects of the four individual parameters."""
    keys = ("metabolism.CYP2D6_kcat", "metabolism.CLint_other", "distribution.Kp_scale")
    values = [drug.values[k].between_subject for k in keys] + [drug.formulation("IR")["MTT"].between_subject]
    return np.array(values, dtype=float)


def typical_uncertainty(drug: Drug) -> Floats:
    """Sd of the logarithm of the typical values of the four individual parameters."""
    keys = ("metabolism.CYP2D6_kcat", "metabolism.CLint_other", "distribution.Kp_scale")
    values = [drug.values[k].uncertainty for k in keys] + [drug.formulation("IR")["MTT"].uncertainty]
    return np.array(values, dtype=float)
