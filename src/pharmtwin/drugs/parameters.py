"""Parameter vector of a system of drugs in one person: drug files x body x genotype x gut.

Enzymes of the liver: abundance (pmol per mg of microsomal protein) x MPPGL x liver mass, with the person's content
relative to the reference adult (``enzyme_<name>`` of table ``body``: maturation, age, conditions) and the genotype's
activity f. Enzymes of the gut: amount of the whole small bowel. What a file states for the reference man's organ
(CLint_liver, Vmax_liver, PS, transport of the liver; CLint_kidney, secretion) goes with the person's organ over his.
What a drug file does not tell is never filled in: a missing abundance or turnover raises KeyError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.anatomy import COMPARTMENTS, TISSUES
from pharmtwin.core.gut import Gut, gut, intestine_parameters
from pharmtwin.drugs.absorption import absorption_values
from pharmtwin.drugs.body import (
    content,
    distribution,
    enzyme_amount,
    inducible,
    plasma,
    relative_content,
    relative_kidney,
    relative_liver,
    sinusoids,
)
from pharmtwin.drugs.places import TISSUE, place_of, site, transports
from pharmtwin.drugs.schema import Compound, Path, Quantity, Transport
from pharmtwin.drugs.system import Part, System, path_name

Floats = NDArray[np.float64]
Body = Mapping[str, float]
Names = Callable[[str], str]

__all__ = ["content", "distribution", "enzyme_amount", "parameter_values", "parameter_vector",
           "parameter_vectors", "plasma"]  # fmt: skip


def parameter_values(
    system: System, body: Body, activity: Mapping[str, float] | None = None, *, gut: Gut | None = None
) -> dict[str, float]:
    """Values by name of every parameter of a system.

    Parameters
    ----------
    body : quantities of table ``body`` of one person. activity : factor of the genotype by enzyme or transporter (1
        where not given; the same in every organ). gut : of ``core.gut.gut`` (fed or fasted, gastric pH); the fasted one
        if not given.

    Raises
    ------
    KeyError : a quantity that drug file, body or tables do not have; an activity of something that handles no compound
        of the system is of no effect and allowed.
    """
    values: dict[str, float] = {f"V_{c}": body[f"V_{c}"] for c in COMPARTMENTS}
    values |= {f"Q_{t}": body[f"Q_{t}"] for t in TISSUES}
    values |= {"GFR": body["GFR"], "V_liver_blood": sinusoids() * body["V_liver"]}
    wanted = set(system.model.parameter_names)
    for molecule, place in system.enzymes:
        name = site(molecule, place)
        values[f"f_{name}"] = (activity or {}).get(molecule, 1.0)
        if f"kdeg_{name}" in wanted:
            values[f"kdeg_{name}"] = content(molecule, TISSUE[place], "kdeg")
    own = _fasted() if gut is None else gut
    if any(part.absorption.lumen for part in system.parts):
        walls = any(part.absorption.wall for part in system.parts)
        values |= intestine_parameters(own, system.wall_sites if walls else ())
    for part in system.parts:
        values |= _compound(part, body, system, own)
    return values


def _fasted() -> Gut:
    return gut("fasted")


def parameter_vector(
    system: System, body: Body, activity: Mapping[str, float] | None = None, *, gut: Gut | None = None
) -> Floats:
    """:func:`parameter_values` in the order of the model; raises KeyError for a parameter without a value."""
    values = parameter_values(system, body, activity, gut=gut)
    missing = [n for n in system.model.parameter_names if n not in values]
    if missing:
        raise KeyError(f"no value for {missing}")
    return np.array([values[n] for n in system.model.parameter_names], dtype=float)


def parameter_vectors(
    system: System,
    bodies: Mapping[str, Floats],
    activity: Mapping[str, Floats] | None = None,
    *,
    gut: Gut | None = None,
) -> Floats:
    """:func:`parameter_vector` of many people at once, (n, n_parameters): the same numbers, row by row.

    ``bodies`` and ``activity`` hold (n,) values by quantity and by enzyme or transporter.
    """
    found: Mapping[str, Any] = parameter_values(system, cast(Body, bodies), cast(Body, activity), gut=gut)
    missing = [n for n in system.model.parameter_names if n not in found]
    if missing:
        raise KeyError(f"no value for {missing}")
    n = len(next(iter(bodies.values())))
    return np.stack([np.broadcast_to(found[name], (n,)) for name in system.model.parameter_names], axis=1)


def _compound(part: Part, body: Body, system: System, own: Gut) -> dict[str, float]:
    compound, drug = part.compound, part.drug

    def n(name: str) -> str:
        return f"{name}_{part.suffix}" if part.suffix else name

    fu, ratio = plasma(compound, body)
    kp, file_fu = distribution(compound).kp, compound["binding.fu_p"]
    scale = compound.get("distribution.Kp_scale", 1.0)
    if "distribution.Kp_muscle" in compound.values:  # stated as it is: the common factor must not move it
        kp = {**kp, "muscle": compound["distribution.Kp_muscle"] / scale}
    out = {n(f"Kp_{t}"): kp[t] * fu / file_fu for t in TISSUES}
    out |= {n("fu_p"): fu, n("B_P"): ratio, n("MW"): compound["physicochemistry.MW"], n("Kp_scale"): scale}
    out[n("GFR_fraction")] = compound.get("kidney.GFR_fraction", 1.0)
    if "binding.sites" in compound.values:
        out |= _saturable_binding(n, compound, fu)
    if part.permeable:
        out[n("PS_liver")] = compound["liver.PS"] * relative_liver(body)
        out[n("fu_cell")] = compound.get("liver.fu_cell", file_fu / (kp["liver"] * scale))
    if part.dosed and part.absorption.model:
        out |= absorption_values(drug, part.absorption, own, part.suffix)
    for route, depot in drug.depots.items() if part.dosed else ():
        out |= {n(f"ka_{route}"): depot["ka"].value, n(f"F_{route}"): depot["F"].value}
    for path in compound.paths:
        for tissue in path.where:
            out |= _path(n, path, tissue, body)
    for carried in transports(compound):
        out |= _carried(n, carried, body, part.absorption.wall)
    for action in compound.acts_on:
        for molecule, place in system.enzymes:
            if molecule == action.target:
                out |= _action(n, action.mechanism, action.values, molecule, place)
                if action.mechanism == "induction" and not inducible(molecule, TISSUE[place]):
                    out[n(f"Emax_{site(molecule, place)}")] = 0.0
    return out


def _saturable_binding(n: Names, compound: Compound, fu: float) -> dict[str, float]:
    """Sites and linear binding beside them; both follow the person's protein, as 1/fu - 1 does."""
    file_bound, bound = 1.0 / compound["binding.fu_p"] - 1.0, 1.0 / fu - 1.0
    protein = bound / file_bound if file_bound > 0 else 1.0
    sites, Kd = compound["binding.sites"] * protein, compound["binding.Kd"]
    return {n("Bmax_plasma"): sites, n("Kd_plasma"): Kd, n("NS_plasma"): _positive(bound - sites / Kd)}


def _positive(value: Any) -> Any:
    return np.maximum(value, 0.0) if np.ndim(value) else max(value, 0.0)


def _path(n: Names, path: Path, tissue: str, body: Body) -> dict[str, float]:
    name = path_name(path, tissue)
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
    elif "CLint_kidney" in v:
        clearance = v["CLint_kidney"] * relative_kidney(body)
    else:
        stated = v["CLint_liver"] if "CLint_liver" in v else v["Vmax_liver"] / v["Km"]
        clearance = stated * relative_liver(body) * relative_content(path, body)
    if path.saturable:
        out |= {n(f"Vmax_{name}"): clearance * v["Km"], n(f"Km_{name}"): v["Km"]}
    else:
        out[n(f"CLint_{name}")] = clearance
    return out


def _carried(n: Names, carried: Transport, body: Body, wall: bool) -> dict[str, float]:
    """Transport, with the person's organ over the reference adult's (the gut's is the same in everybody)."""
    place = place_of(carried)
    name = site(carried.transporter, place)
    organ = {"liver": relative_liver, "kidney": relative_kidney}.get(TISSUE[place])
    relative = (organ(body) if organ else 1.0) * body.get(f"enzyme_{carried.transporter}", 1.0)
    v = {key: q.value * (relative if key in ("CL", "Vmax") else 1.0) for key, q in carried.values.items()}
    if "Km" in v:
        return {n(f"Vmax_{name}"): v["Vmax"], n(f"Km_{name}"): v["Km"]}
    return {n(f"{'CLint' if wall and place == 'gut' else 'CL'}_{name}"): v["CL"]}


def _action(n: Names, mechanism: str, values: Mapping[str, Quantity], molecule: str, place: str) -> dict[str, float]:
    v, target = {key: q.value for key, q in values.items()}, site(molecule, place)
    if mechanism == "inactivation":
        return {n(f"kinact_{target}"): v["kinact"], n(f"KI_{target}"): v["KI"]}
    if mechanism == "induction":
        largest = v.get("Emax_gut", v["Emax"]) if place == "gut" else v["Emax"]
        return {n(f"Emax_{target}"): largest, n(f"EC50_{target}"): v["EC50"]}
    competitive, uncompetitive = v.get("Kic", v.get("Ki")), v.get("Kiu", v.get("Ki"))
    out = {}
    if mechanism != "uncompetitive" and competitive is not None:
        out[n(f"Kic_{target}")] = competitive
    if mechanism != "competitive" and uncompetitive is not None:
        out[n(f"Kiu_{target}")] = uncompetitive
    return out
