"""What a body does to the numbers of a drug file: a person's enzymes and organs over those of the reference adult."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from pharmtwin.core.assembly import enzyme_facts, liver_density
from pharmtwin.core.binding import blood_to_plasma, fraction_unbound
from pharmtwin.core.partition import Compound as Substance
from pharmtwin.core.partition import Partition, lysosomal_kp, partition, reference_haematocrit, with_computed_ratio
from pharmtwin.drugs.schema import Compound, Path
from pharmtwin.facts import fact_table

Body = Mapping[str, float]


@lru_cache(maxsize=1)
def _contents() -> dict[tuple[str, str, str], float]:
    """(molecule, tissue, quantity) -> default value of ``physiology/abundance.tsv``."""
    table = fact_table("physiology/abundance.tsv")
    table = table[table["default"] == 1]
    keys = zip(table["molecule"].astype(str), table["tissue"].astype(str), table["quantity"].astype(str))
    return dict(zip(keys, table["value"].astype(float)))


def content(molecule: str, tissue: str, quantity: str) -> float:
    """Content or turnover of an enzyme or transporter in the reference adult; raises KeyError naming what lacks."""
    found = _contents().get((molecule, tissue, quantity))
    if found is None:
        raise KeyError(f"physiology/abundance.tsv has no {quantity} of {molecule} in {tissue}")
    return found


def has_content(molecule: str, tissue: str, quantity: str) -> bool:
    """True if :func:`content` knows it."""
    return (molecule, tissue, quantity) in _contents()


def inducible(molecule: str, tissue: str) -> bool:
    """False if inducers do not reach a molecule in this tissue (``inducible`` 0 in ``physiology/abundance.tsv``)."""
    return _contents().get((molecule, tissue, "inducible"), 1.0) > 0


def sinusoids() -> float:
    """Part of the liver's volume that is outside of cells, in the two-state liver the space of its blood."""
    return content("extracellular", "liver", "volume_fraction")


@lru_cache(maxsize=1)
def _kidney_volume() -> float:
    """Volume (L) of the reference man's kidneys."""
    table = fact_table("physiology/reference_organs.tsv")
    row = table[(table["organ"] == "kidney") & (table["sex"] == "M")].iloc[0]
    return float(row["mass_kg"]) / float(row["density_kg_per_L"])


def relative_liver(body: Body) -> float:
    """A person's liver over the reference man's, by mass."""
    return body["V_liver"] * liver_density() / enzyme_facts()["liver", "reference_mass"]


def relative_kidney(body: Body) -> float:
    """A person's kidneys over the reference man's, by volume (which follows age and chronic kidney disease)."""
    return body["V_kidney"] / _kidney_volume()


def relative_content(path: Path, body: Body) -> float:
    """Content per gram of liver over the reference adult's: of ``matures_as``, else of the path's enzyme, else 1.

    1 too for an enzyme that table ``body`` does not follow; KeyError for a ``matures_as`` that it does not.
    """
    if path.matures_as:
        return body[f"enzyme_{path.matures_as}"]
    return body.get(f"enzyme_{path.enzyme}", 1.0)


def enzyme_amount(enzyme: str, tissue: str, body: Body) -> float:
    """Amount of an enzyme in a person's tissue (umol), of normal genotype."""
    if tissue == "liver":
        microsomes = enzyme_facts()["liver", "MPPGL"] * body["V_liver"] * liver_density() * 1e3  # mg
        return content(enzyme, "liver", "abundance") * microsomes * 1e-6 * body.get(f"enzyme_{enzyme}", 1.0)
    return content(enzyme, tissue, "amount") * 1e-3 * body.get(f"enzyme_{enzyme}_{tissue}", 1.0)


def substance(compound: Compound) -> Substance:
    """The compound as the partition methods see it; a blood:plasma ratio that the file does not give is computed."""
    groups = ("acid",) * len(compound.acid_pKa) + ("base",) * len(compound.base_pKa)
    pka = (*compound.acid_pKa, *compound.base_pKa)
    fu, ratio = compound["binding.fu_p"], compound.get("binding.B_P", 1.0)
    given = Substance(compound["physicochemistry.logP"], pka, compound.kind, fu, ratio, groups)
    return given if "binding.B_P" in compound.values else with_computed_ratio(given)


@lru_cache(maxsize=256)
def _partition(chemistry: Substance, method: str, lysosomes: bool) -> Partition:
    found = partition(chemistry, method)
    if not lysosomes:
        return found
    kp = {organ: found.kp[organ] + added for organ, added in lysosomal_kp(chemistry).items()}
    return replace(found, kp=kp, notes=(*found.notes, "pH partition into lysosomes added"))


def distribution(compound: Compound) -> Partition:
    """Tissue:plasma partition coefficients by the compound's method (``auto``: by its class), with its notes."""
    return _partition(substance(compound), compound.partition, compound.lysosomes)


def plasma(compound: Compound, body: Body) -> tuple[float, float]:
    """Unbound fraction and blood:plasma ratio in this person (the file's where no binding protein is named)."""
    fu, ratio = compound["binding.fu_p"], substance(compound).B_P
    if not compound.protein:
        return fu, ratio
    own = fraction_unbound(fu, compound.protein, {p: body[f"{p}_ratio"] for p in ("albumin", "AGP")})
    blood = blood_to_plasma(ratio, fu, own, body["haematocrit"], reference_haematocrit())
    return _plain(own), _plain(blood)


def _plain(value: Any) -> Any:
    """A number as a float; the values of many people at once (``parameters.parameter_vectors``) as they are."""
    return value if np.ndim(value) else float(value)
