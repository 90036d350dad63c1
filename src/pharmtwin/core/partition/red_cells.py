"""The blood:plasma ratio from the composition of red cells, for a compound of which none was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pharmtwin.core.partition.composition import Composition, constants, reference_haematocrit, tissue_composition
from pharmtwin.core.partition.compound import Compound
from pharmtwin.core.partition.method_schmitt import row_partition


def blood_plasma_ratio(compound: Compound, composition: Composition | None = None) -> float:
    """B:P = 1 + H (fu_p K - 1) at the reference haematocrit H; K red cells:unbound plasma by Schmitt's equation.

    Schmitt 2008 (PMID 17981004) on the row ``blood_cells`` of the unified composition, as the package httk does with
    its own table. ``B_P`` of the compound is not used. Measured ratios scatter about it by a factor of 2 and more;
    lipophilic drugs (logP above 4) are often far below: measure.
    """
    table = tissue_composition("unified") if composition is None else composition
    row: Mapping[str, float] = table["blood_cells"]
    cells = row_partition(compound, row, constants("schmitt"))
    return 1.0 + reference_haematocrit() * (compound.fu_p * cells - 1.0)


def with_computed_ratio(compound: Compound) -> Compound:
    """The compound with its blood:plasma ratio computed."""
    return replace(compound, B_P=blood_plasma_ratio(compound))
