"""What is uncertain about an arm itself: the activities assigned to genotypes, and the exposure to the other drugs.

The sd of an assigned activity is that of the map from genotype to activity (``genes/clearance_maps.tsv``, column
variability): how far a group's typical activity, for a drug that the map has not seen, is from the map's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from pharmtwin.facts import fact_table
from pharmtwin.genome.function.factors import TABLE, default_map
from pharmtwin.qualification.reading.genotypes import GENES
from pharmtwin.qualification.study import Arm, Dosing, Mixture
from pharmtwin.tables import records

Normals = Callable[[str], Sequence[float]]


@cache
def map_rows(protein: str) -> tuple[str, tuple[tuple[float, float], ...]]:
    """Form of the default map of a protein's gene, and (value, sd of the logarithm) of its rows; no map: no rows."""
    gene = GENES.get(protein, "")
    try:
        name = default_map(gene)
    except KeyError:
        return "none", ()
    rows = [r for r in records(fact_table(TABLE)) if r.gene == gene and r.map_name == name]
    return str(rows[0].form), tuple((float(r.value), float(r.variability)) for r in rows)


def activity(protein: str, value: float, z: Sequence[float]) -> list[float]:
    """A relative activity in every draw.

    A power map (CYP2D6) has an uncertain exponent, ``value`` to the power of exp(sd z): 0 and the reference's 1 stay.
    Of a map by classes the row nearest to ``value`` tells the sd of its logarithm (the reference has none).
    """
    form, rows = map_rows(protein)
    if value <= 0 or not rows:
        return [value] * len(z)
    if form == "power":
        return [value ** math.exp(rows[0][1] * x) for x in z]
    known = [(v, sd) for v, sd in rows if v > 0]
    sd = min(known, key=lambda row: abs(math.log(row[0] / value)))[1] if known else 0.0
    return [value * math.exp(sd * x) for x in z]


def base_name(drug: str) -> str:
    """Name of a drug, the same for both parts of a racemate (_R, _S)."""
    return drug.removesuffix("_R").removesuffix("_S")


def drawn_arms(arm: Arm, study: str, company: float, normals: Normals) -> list[Arm]:
    """The arm in every draw.

    Parameters
    ----------
    study : the exposure to another drug differs between studies (sd of its logarithm ``company``), by its dose.
    normals : standard normal numbers by name, one a draw. Activities are those of a drug, in all its studies.
    """
    names = list(dict.fromkeys(base_name(d.drug) for d in arm.dosings))
    first = names[0]
    n = len(normals(""))
    mixtures: list[dict[str, Mixture]] = [{} for _ in range(n)]
    for protein, mixture in arm.genotype.items():
        columns = [activity(protein, a, normals(f"activity:{protein}:{first}")) for a, _ in mixture]
        for k in range(n):
            mixtures[k][protein] = tuple((c[k], w) for c, (_, w) in zip(columns, mixture, strict=True))
    out = []
    for k in range(n):
        factors = {x: math.exp(company * normals(f"{study}:{x}")[k]) for x in names if x != first}
        dosings = tuple(_scaled(d, factors.get(base_name(d.drug), 1.0)) for d in arm.dosings)
        out.append(replace(arm, dosings=dosings, genotype=mixtures[k]))
    return out


def _scaled(dosing: Dosing, factor: float) -> Dosing:
    return replace(dosing, events=tuple(replace(e, amount=e.amount * factor) for e in dosing.events))
