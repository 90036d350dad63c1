"""Twin assembly: genome x body x drug -> parameter vectors of the whole-body model.

The genome's activity and the individual random effects enter as four individual parameters (``f_CYP2D6``,
``f_other``, ``Kp_scale``, ``MTT``); everything else is set by body and drug.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.anatomy import COMPARTMENTS, TISSUES
from pharmtwin.core.binding import blood_to_plasma, fraction_unbound
from pharmtwin.core.drug import Drug
from pharmtwin.core.partition import Compound, reference_haematocrit, rodgers_rowland
from pharmtwin.core.whole_body import whole_body
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


@lru_cache(maxsize=8)
def partition_ratios(substance: Compound) -> Mapping[str, float]:
    """Kp by tissue at the drug file's unbound fraction; read-only, computed once a substance."""
    return MappingProxyType(rodgers_rowland(substance))


def base_parameters(drug: Drug, body: Mapping[str, float]) -> Floats:
    """Parameter vector of a person with all individual factors at their typical values.

    Parameters
    ----------
    body : quantities of table ``body`` of one person.

    Unbound fraction and blood:plasma ratio follow the person's binding protein and haematocrit where the drug file
    names the protein; tissue:plasma ratios follow the unbound fraction, since tissue binds the unbound drug. Enzymes
    follow maturation, protein per gram of liver and conditions (``enzyme_<name>``); what is cleared by no named
    enzyme keeps its activity per gram of liver.
    """
    fact = enzyme_facts()
    fu, ratio = plasma(drug, body)
    kp = partition_ratios(compound(drug))
    liver_g = body["V_liver"] * liver_density() * 1e3
    enzyme_pmol = fact["CYP2D6", "abundance"] * fact["liver", "MPPGL"] * liver_g * body["enzyme_CYP2D6"]
    other = other_enzyme(drug, body) * liver_g / (fact["liver", "reference_mass"] * 1e3)
    values = {
        **{f"V_{c}": body[f"V_{c}"] for c in COMPARTMENTS},
        **{f"Q_{t}": body[f"Q_{t}"] for t in TISSUES},
        **{f"Kp_{t}": kp[t] * fu / drug["binding.fu_p"] for t in TISSUES},
        "B_P": ratio,
        "fu_p": fu,
        "Kp_scale": drug["distribution.Kp_scale"],
        "MTT": drug.formulation("IR")["MTT"].value,
        "F_a": drug["absorption.F_a"],
        "MW": drug["physicochemistry.MW"],
        "Vmax_CYP2D6": drug["metabolism.CYP2D6_kcat"] * 60.0 * enzyme_pmol * 1e-6,
        "Km_CYP2D6": drug["metabolism.CYP2D6_Km"],
        "f_CYP2D6": 1.0,
        "CLint_other": drug["metabolism.CLint_other"] * other,
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


def plasma(drug: Drug, body: Mapping[str, float]) -> tuple[float, float]:
    """Unbound fraction in plasma and blood:plasma ratio of a drug in a person; the drug file's if it names no protein.

    The drug file's values are those of a healthy adult with the reference haematocrit of the partition equations.
    """
    fu, ratio = drug["binding.fu_p"], drug["binding.B_P"]
    protein = drug.words.get("binding.protein")
    if protein is None:
        return fu, ratio
    levels = {name: body[f"{name}_ratio"] for name in ("albumin", "AGP")}
    own = float(fraction_unbound(fu, protein, levels))
    return own, float(blood_to_plasma(ratio, fu, own, body["haematocrit"], _reference_haematocrit()))


@lru_cache(maxsize=1)
def _reference_haematocrit() -> float:
    return reference_haematocrit()


def other_enzyme(drug: Drug, body: Mapping[str, float]) -> float:
    """Activity per gram of liver of what is not CYP2D6, relative to the adult: of the enzyme that the drug file names.

    Raises KeyError for an enzyme that table ``body`` does not have.
    """
    name = drug.words.get("metabolism.other_enzyme")
    if name is None:
        return 1.0
    if f"enzyme_{name}" not in body:
        raise KeyError(f"{drug.name}: metabolism.other_enzyme {name!r} has no enzyme_{name} in the table body")
    return body[f"enzyme_{name}"]


@lru_cache(maxsize=1)
def liver_density() -> float:
    """kg/L, of ``reference_organs.tsv``."""
    organs = fact_table("physiology/reference_organs.tsv")
    return float(organs.loc[organs["organ"] == "liver", "density_kg_per_L"].iloc[0])


def assemble(drug: Drug, body: pd.DataFrame) -> dict[str, Floats]:
    """Base parameter vectors of all twins of a table ``body`` (long), by twin_id."""
    wide = body.pivot(index="twin_id", columns="quantity", values="value")
    names = [str(c) for c in wide.columns]
    return {
        str(twin): base_parameters(drug, dict(zip(names, row))) for twin, row in zip(wide.index, wide.to_numpy(float))
    }


def assemble_draws(drug: Drug, draws: pd.DataFrame) -> dict[str, Floats]:
    """Base parameter vectors (n_draws, n_parameters) of the twins of table ``body_draws`` (long), by twin_id."""
    out = {}
    for twin, mine in draws.groupby("twin_id", sort=True):
        wide = mine.pivot(index="draw", columns="quantity", values="value")
        names = [str(c) for c in wide.columns]
        out[str(twin)] = np.array([base_parameters(drug, dict(zip(names, row))) for row in wide.to_numpy(float)])
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
