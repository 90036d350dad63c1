"""Tissue:plasma partition coefficients: five published methods on named tissue compositions, one file a method.

:func:`partition` is the entrance. docs/partition.md says what the methods are, which is taken when, and how they fare.
"""

from __future__ import annotations

from pharmtwin.core.partition.choose import (
    AUTO,
    BLOOD,
    METHODS,
    Partition,
    compound_class,
    partition,
    vss,
)
from pharmtwin.core.partition.composition import (
    COMPOSITION,
    COMPOSITIONS,
    EQUATIONS,
    ORGANS,
    Composition,
    reference_haematocrit,
    tissue_composition,
)
from pharmtwin.core.partition.compound import KINDS, Compound
from pharmtwin.core.partition.lysosomes import lysosomal_kp
from pharmtwin.core.partition.method_berezhkovskiy import berezhkovskiy
from pharmtwin.core.partition.method_pk_sim import pk_sim
from pharmtwin.core.partition.method_poulin_theil import poulin_theil
from pharmtwin.core.partition.method_rodgers_rowland import (
    Affinity,
    affinity,
    partition_findings,
    rodgers_rowland,
    unbound_partition,
)
from pharmtwin.core.partition.method_schmitt import schmitt
from pharmtwin.core.partition.red_cells import blood_plasma_ratio, with_computed_ratio

__all__ = [
    "AUTO",
    "BLOOD",
    "COMPOSITION",
    "COMPOSITIONS",
    "EQUATIONS",
    "KINDS",
    "METHODS",
    "ORGANS",
    "Affinity",
    "Composition",
    "Compound",
    "Partition",
    "affinity",
    "berezhkovskiy",
    "blood_plasma_ratio",
    "compound_class",
    "lysosomal_kp",
    "partition",
    "partition_findings",
    "pk_sim",
    "poulin_theil",
    "reference_haematocrit",
    "rodgers_rowland",
    "schmitt",
    "tissue_composition",
    "unbound_partition",
    "vss",
    "with_computed_ratio",
]
