"""Poulin and Theil 2002: a drug dissolves in water and lipid of tissue and plasma, and binds to their protein.

    lean tissue: Kp = S(tissue, P)/S(plasma, P) x fu_p/fu_t,   fu_t = 1/(1 + 0.5 (1 - fu_p)/fu_p)
    adipose:     Kp = S(tissue, D)/S(plasma, D) x fu_p
    S(row, P) = P (f_nl + 0.3 f_pl) + f_w + 0.7 f_pl

P is octanol:water of the unionised form; D vegetable oil:water, lowered by ionisation at the pH of adipose. fu_t rests
on half the protein of plasma. Ionisation does not enter lean tissue, so ions other than strong bases are overstated.
"""

from __future__ import annotations

from collections.abc import Mapping

from pharmtwin.core.partition.composition import ORGANS, Composition, constants, tissue_composition
from pharmtwin.core.partition.compound import Compound, log_distribution

#: columns of a composition that the method needs (of ``plasma`` too)
COLUMNS = ("f_water", "f_nl", "f_pl")


def poulin_theil(compound: Compound, composition: Composition | None = None) -> dict[str, float]:
    """Kp (tissue:plasma, total concentrations, 1) by organ; composition ``unified`` unless given."""
    c = constants("poulin_theil")
    table = tissue_composition("unified") if composition is None else composition
    octanol, oil = 10.0**compound.logP, oil_distribution(compound, table, c)
    plasma, fu_p = table["plasma"], compound.fu_p
    out: dict[str, float] = {}
    for organ in ORGANS:
        if organ == "adipose":
            out[organ] = _dissolved(oil, table[organ], c) / _dissolved(oil, plasma, c) * fu_p
        else:
            ratio = _dissolved(octanol, table[organ], c) / _dissolved(octanol, plasma, c)
            out[organ] = ratio * fu_p / tissue_unbound(fu_p, c)
    return out


def oil_distribution(compound: Compound, table: Composition, c: Mapping[str, float]) -> float:
    """Vegetable oil:water of all forms at the pH of adipose; pH and the line from octanol to oil are of the tables."""
    log_oil = c["oil_slope"] * compound.logP + c["oil_intercept"]
    return float(10.0 ** log_distribution(compound, log_oil, table["adipose"]["pH"]))


def tissue_unbound(fu_p: float, c: Mapping[str, float]) -> float:
    """Fraction unbound in lean tissue, which holds half the binding protein of plasma."""
    return 1.0 / (1.0 + c["tissue_protein"] * (1.0 - fu_p) / fu_p)


def _dissolved(partition: float, row: Mapping[str, float], c: Mapping[str, float]) -> float:
    lipid = row["f_nl"] + c["np_lipid_like"] * row["f_pl"]
    return partition * lipid + row["f_water"] + c["np_water_like"] * row["f_pl"]
