"""Parameter vector of a system of drugs in one person: drug files x body x genotype.

Enzymes of the liver: abundance (pmol per mg of microsomal protein) x MPPGL x liver mass, with the person's content
relative to the reference adult (``enzyme_<name>`` of table ``body``: maturation, age, conditions) and the genotype's
activity f. Enzymes of the gut: amount of the whole small bowel. What a drug file does not tell is never filled in: a
missing abundance or turnover raises KeyError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.anatomy import COMPARTMENTS, TISSUES
from pharmtwin.core.assembly import enzyme_facts, liver_density
from pharmtwin.core.binding import blood_to_plasma, fraction_unbound
from pharmtwin.core.partition import Compound as Substance
from pharmtwin.core.partition import Partition, partition, reference_haematocrit
from pharmtwin.drugs.schema import Compound, Path, Quantity
from pharmtwin.drugs.system import Part, System, site, symbol
from pharmtwin.facts import fact_table

Floats = NDArray[np.float64]
Body = Mapping[str, float]
Names = Callable[[str], str]


@lru_cache(maxsize=1)
def _contents() -> dict[tuple[str, str, str], float]:
    """(enzyme, tissue, quantity) -> default value of ``physiology/abundance.tsv``."""
    table = fact_table("physiology/abundance.tsv")
    table = table[table["default"] == 1]
    keys = zip(table["molecule"].astype(str), table["tissue"].astype(str), table["quantity"].astype(str))
    return dict(zip(keys, table["value"].astype(float)))


def content(enzyme: str, tissue: str, quantity: str) -> float:
    """Content or turnover of an enzyme in the reference adult; raises KeyError naming what the table lacks."""
    found = _contents().get((enzyme, tissue, quantity))
    if found is None:
        raise KeyError(f"physiology/abundance.tsv has no {quantity} of {enzyme} in {tissue}")
    return found


def substance(compound: Compound) -> Substance:
    """The compound as the partition methods see it."""
    groups = ("acid",) * len(compound.acid_pKa) + ("base",) * len(compound.base_pKa)
    pka = (*compound.acid_pKa, *compound.base_pKa)
    fu, ratio = compound["binding.fu_p"], compound["binding.B_P"]
    return Substance(compound["physicochemistry.logP"], pka, compound.kind, fu, ratio, groups)


@lru_cache(maxsize=64)
def _partition(chemistry: Substance, method: str) -> Partition:
    return partition(chemistry, method)


def distribution(compound: Compound) -> Partition:
    """Tissue:plasma partition coefficients by the compound's method (``auto``: by its class), with its notes."""
    return _partition(substance(compound), compound.partition)


def plasma(compound: Compound, body: Body) -> tuple[float, float]:
    """Unbound fraction and blood:plasma ratio in this person (the file's where no binding protein is named)."""
    fu, ratio = compound["binding.fu_p"], compound["binding.B_P"]
    if not compound.protein:
        return fu, ratio
    own = float(fraction_unbound(fu, compound.protein, {p: body[f"{p}_ratio"] for p in ("albumin", "AGP")}))
    return own, float(blood_to_plasma(ratio, fu, own, body["haematocrit"], reference_haematocrit()))


def enzyme_amount(enzyme: str, tissue: str, body: Body) -> float:
    """Amount of an enzyme in a person's tissue (umol), of normal genotype."""
    if tissue == "liver":
        microsomes = enzyme_facts()["liver", "MPPGL"] * body["V_liver"] * liver_density() * 1e3  # mg
        return content(enzyme, "liver", "abundance") * microsomes * 1e-6 * body.get(f"enzyme_{enzyme}", 1.0)
    return content(enzyme, tissue, "amount") * 1e-3 * body.get(f"enzyme_{enzyme}_{tissue}", 1.0)


def parameter_values(system: System, body: Body, activity: Mapping[str, float] | None = None) -> dict[str, float]:
    """Values by name of every parameter of a system.

    Parameters
    ----------
    body : quantities of table ``body`` of one person. activity : factor of the genotype by enzyme (1 where not given;
        the same in liver and gut).

    Raises
    ------
    KeyError : a quantity that drug file, body or tables do not have.
    """
    values: dict[str, float] = {f"V_{c}": body[f"V_{c}"] for c in COMPARTMENTS}
    values |= {f"Q_{t}": body[f"Q_{t}"] for t in TISSUES}
    values["GFR"] = body["GFR"]
    for enzyme, tissue in system.enzymes:
        values[f"f_{site(enzyme, tissue)}"] = (activity or {}).get(enzyme, 1.0)
        values[f"kdeg_{site(enzyme, tissue)}"] = content(enzyme, tissue, "kdeg")
    for part in system.parts:
        values |= _compound(part, body, system)
    return values


def parameter_vector(system: System, body: Body, activity: Mapping[str, float] | None = None) -> Floats:
    """:func:`parameter_values` in the order of the model; raises KeyError for a parameter without a value."""
    values = parameter_values(system, body, activity)
    missing = [n for n in system.model.parameter_names if n not in values]
    if missing:
        raise KeyError(f"no value for {missing}")
    return np.array([values[n] for n in system.model.parameter_names], dtype=float)


def _compound(part: Part, body: Body, system: System) -> dict[str, float]:
    compound, drug = part.compound, part.drug

    def n(name: str) -> str:
        return f"{name}_{part.suffix}" if part.suffix else name

    fu, ratio = plasma(compound, body)
    kp = distribution(compound).kp
    out = {n(f"Kp_{t}"): kp[t] * fu / compound["binding.fu_p"] for t in TISSUES}
    out |= {n("fu_p"): fu, n("B_P"): ratio, n("MW"): compound["physicochemistry.MW"]}
    out[n("Kp_scale")] = compound.get("distribution.Kp_scale", 1.0)
    if part.dosed:
        names = {"MTT": "MTT", "F_a": "F_a", "ka": "ka"}
        out |= {n(k): drug.absorption[v].value for k, v in names.items() if v in drug.absorption}
    for path in compound.paths:
        for tissue in path.where:
            out |= _path(n, path, tissue, body)
    for action in compound.acts_on:
        for tissue in [t for e, t in system.enzymes if e == action.target]:
            out |= _action(n, action.mechanism, action.values, site(action.target, tissue))
    return out


def _path(n: Names, path: Path, tissue: str, body: Body) -> dict[str, float]:
    name = symbol(path.name) if tissue == "liver" else f"{symbol(path.name)}_{tissue}"
    v = {key: q.value for key, q in path.values.items()}
    out: dict[str, float] = {}
    if not path.enzyme:
        out[n(f"f_{name}")] = 1.0
    if path.product:
        out[n(f"yield_{name}")] = v.get("fraction", 1.0)
    if "kcat" in v:
        clearance = v["kcat"] * 60.0 * enzyme_amount(path.enzyme, tissue, body) / v["Km"]  # L/h
    elif "CLint_enzyme" in v:
        clearance = v["CLint_enzyme"] * 60.0 * enzyme_amount(path.enzyme, tissue, body)  # uL/min/pmol x umol = L/min
    else:
        clearance = v["CLint_liver"] * _relative_liver(path, body)
    if path.saturable:
        out |= {n(f"Vmax_{name}"): clearance * v["Km"], n(f"Km_{name}"): v["Km"]}
    else:
        out[n(f"CLint_{name}")] = clearance
    return out


def _relative_liver(path: Path, body: Body) -> float:
    """A person's liver over the reference man's for a clearance that is stated for his; it follows the named enzyme."""
    liver = body["V_liver"] * liver_density() / enzyme_facts()["liver", "reference_mass"]
    follows = path.enzyme or path.matures_as
    return liver * (body[f"enzyme_{follows}"] if follows else 1.0)


def _action(n: Names, mechanism: str, values: Mapping[str, Quantity], target: str) -> dict[str, float]:
    v = {key: q.value for key, q in values.items()}
    if mechanism == "inactivation":
        return {n(f"kinact_{target}"): v["kinact"], n(f"KI_{target}"): v["KI"]}
    if mechanism == "induction":
        return {n(f"Emax_{target}"): v["Emax"], n(f"EC50_{target}"): v["EC50"]}
    competitive, uncompetitive = v.get("Kic", v.get("Ki")), v.get("Kiu", v.get("Ki"))
    out = {}
    if mechanism != "uncompetitive" and competitive is not None:
        out[n(f"Kic_{target}")] = competitive
    if mechanism != "competitive" and uncompetitive is not None:
        out[n(f"Kiu_{target}")] = uncompetitive
    return out
