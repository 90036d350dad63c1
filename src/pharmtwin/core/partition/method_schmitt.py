"""Schmitt 2008: water, neutral lipid, neutral and acidic phospholipid and protein, with the forms of the drug apart.

    Kp = fu_p (f_w + K_nl f_nl + K_np f_np + K_ap f_ap + K_protein f_protein)

K_np = membrane:water; K_nl = P for the unionised form, 1000 times less for any ion; K_ap = K_np for net charge 0, x 20
for a cation, x 0.05 for an anion (forms at the pH of the tissue); K_protein = 5 (0.81 + 0.11 K_np)/24.92. This is the
whole-tissue form of Utsey 2020 and PBPKToolkit; Schmitt's own equation keeps cells and interstitium apart (with a pH
gradient between them), as httk does.
"""

from __future__ import annotations

from collections.abc import Mapping

from pharmtwin.core.partition.composition import ORGANS, Composition, constants, tissue_composition
from pharmtwin.core.partition.compound import Compound, forms

#: columns of a composition that the method needs
COLUMNS = ("f_water", "f_nl", "f_np", "f_ap", "f_protein", "pH")


def schmitt(compound: Compound, composition: Composition | None = None) -> dict[str, float]:
    """Kp (tissue:plasma, total concentrations, 1) by organ; composition ``unified`` unless given."""
    c = constants("schmitt")
    table = tissue_composition("unified") if composition is None else composition
    return {organ: compound.fu_p * row_partition(compound, table[organ], c) for organ in ORGANS}


def row_partition(compound: Compound, row: Mapping[str, float], c: Mapping[str, float]) -> float:
    """Tissue (or blood cells) to unbound plasma of one row of the composition (1)."""
    membrane, octanol = 10.0 ** compound.membrane_affinity(), 10.0**compound.logP
    protein = protein_affinity(membrane, c)
    acidic = {0: 1.0, 1: c["cation_in_acidic"], -1: c["anion_in_acidic"]}
    states = forms(compound, row["pH"])
    total = sum(s.amount for s in states)
    in_lipid = sum(s.amount * (c["ion_in_lipid"] if s.ionised else 1.0) for s in states) / total
    in_acidic = sum(s.amount * acidic[(s.charge > 0) - (s.charge < 0)] for s in states) / total
    lipids = octanol * in_lipid * row["f_nl"] + membrane * (row["f_np"] + in_acidic * row["f_ap"])
    return row["f_water"] + lipids + protein * row["f_protein"]


def protein_affinity(membrane: float, c: Mapping[str, float]) -> float:
    """Protein:water from membrane:water (1)."""
    linear = c["protein_intercept"] + c["protein_slope"] * membrane
    return c["protein_factor"] * linear / c["protein_divisor"]
