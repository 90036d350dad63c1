"""Lysosomal trapping: what the acid of lysosomes adds to the tissue:plasma partition coefficients of a base.

Only the unionised form crosses membranes, so unbound drug in lysosomes over unbound drug in plasma is
(1 + X_lysosome)/(1 + Y), X and Y ionised:unionised (de Duve 1974, Biochem Pharmacol 23:2495). The lysosomal part of the
cell is moved from the cytosol's ratio to that:

    Kp added = fu_p fraction cells ((1 + X_lysosome) - (1 + X_cytosol))/(1 + Y),   cells = f_iw/(f_iw + f_ew)

It holds far below saturation: an accumulating base raises the pH of lysosomes. Fractions and pH: ``lysosomes.tsv``.
"""

from __future__ import annotations

from functools import lru_cache

from pharmtwin.core.partition.composition import ORGANS, constants, tissue_composition
from pharmtwin.core.partition.compound import Compound, ionised_ratio
from pharmtwin.facts import fact_table

TABLE = "physiology/lysosomes.tsv"


@lru_cache(maxsize=1)
def _facts() -> dict[tuple[str, str], float]:
    table = fact_table(TABLE)
    return {(str(o), str(q)): float(v) for o, q, v in zip(table["organ"], table["quantity"], table["value"])}


def lysosomal_kp(compound: Compound) -> dict[str, float]:
    """What lysosomes add to Kp (tissue:plasma, total concentrations, 1) by organ; 0 for a compound without a base."""
    if not compound.bases:
        return dict.fromkeys(ORGANS, 0.0)
    facts, c, table = _facts(), constants("rodgers_rowland"), tissue_composition()
    inside = ionised_ratio(compound, facts["all", "pH"]) - ionised_ratio(compound, c["pH_intracellular"])
    ratio = inside / (1.0 + ionised_ratio(compound, c["pH_plasma"]))
    out: dict[str, float] = {}
    for organ in ORGANS:
        cells = table[organ]["f_iw"] / (table[organ]["f_iw"] + table[organ]["f_ew"])
        fraction = facts.get((organ, "fraction"), facts["all", "fraction"])
        out[organ] = compound.fu_p * fraction * cells * ratio
    return out
