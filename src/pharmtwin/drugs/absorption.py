"""Absorption of a drug in a system: which model and form its file asks for, the module, and its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pharmtwin.core.gut import Gut, cat_parameters
from pharmtwin.core.gut_drug import OralDrug, permeability_clearance, weibull_release
from pharmtwin.core.whole_body import N_TRANSIT
from pharmtwin.drugs.consistency import absorption_model
from pharmtwin.drugs.schema import Drug, Formulation
from pharmtwin.model.description import Module
from pharmtwin.model.library import (
    Names,
    WallPath,
    adam_absorption,
    cat_absorption,
    first_order_absorption,
    transit_absorption,
)
from pharmtwin.model.library.lumen import SMALL_BOWEL


@dataclass(frozen=True)
class Absorption:
    """How a drug is absorbed in a system: ``model`` (empty: takes no oral dose), dosage form, its release stages."""

    model: str = ""
    formulation: Formulation = field(default_factory=lambda: Formulation("solution", "solution", {}))
    form: str = "solution"
    stages: int = 0

    @property
    def lumen(self) -> bool:
        """True if the gut lumen is modelled in segments."""
        return self.model in ("cat", "adam")

    @property
    def wall(self) -> bool:
        """True if enterocytes are modelled."""
        return self.model == "adam"


def formulation_of(drug: Drug, name: str = "") -> Formulation:
    """A dosage form by name (empty: the first of the file, or a solution); raises KeyError naming those known."""
    if not name:
        return next(iter(drug.formulations.values()), Formulation("solution", "solution", {}))
    if name not in drug.formulations:
        if name == "solution":
            return Formulation("solution", "solution", {})
        raise KeyError(f"{drug.name} has no formulation {name!r}; it has {sorted(drug.formulations)}")
    return drug.formulations[name]


def choose(drug: Drug, formulation: str, wall: bool) -> Absorption:
    """The absorption model of a drug.

    The file's ``model``; with ``auto`` and Peff it is adam if the wall matters in this system (``wall``: the drug has
    gut paths or efflux, or acts on something of the wall), else cat; without Peff transit (MTT) or first_order (ka).
    This depends on what the file says, not on its numbers, so that a fit does not change the structure;
    ``core.gut.choose_absorption`` tells from the numbers what a drug needs at a dose. Raises ValueError for a release
    that the model cannot hold.
    """
    model = absorption_model(drug)
    form = formulation_of(drug, formulation)
    if model == "segmented":
        model = "adam" if wall else "cat"
    if model not in ("cat", "adam"):
        if form.release in ("weibull", "particles"):
            raise ValueError(f"{drug.name}: release {form.release} needs absorption model cat or adam")
        return Absorption(model, form)
    if form.release == "transit":
        raise ValueError(f"{drug.name}: release transit needs absorption model transit, not {model}")
    if form.release == "solution":
        return Absorption(model, form)
    if form.release == "particles":
        return Absorption(model, form, "particles", 1)
    return Absorption(model, form, "released", weibull_release(*weibull(form)).stages)


def weibull(form: Formulation) -> tuple[float, float]:
    """Scale (h) and shape of a Weibull release: the scale from the time of half release, t50/ln(2)^(1/shape)."""
    t50, shape = form.values["t50"].value, form.values["shape"].value
    return t50 / math.log(2.0) ** (1.0 / shape), shape


def absorption_modules(
    how: Absorption, paths: tuple[WallPath, ...], acts: tuple[str, ...], inhibited: Mapping[str, tuple[str, ...]],
    portal: str, compound: str,
) -> list[Module]:  # fmt: skip
    """The absorption of one compound. paths, acts, inhibited : of its wall; portal : state that takes portal blood."""
    if not how.model:
        return []
    if how.model == "transit":
        return [transit_absorption(N_TRANSIT, compound=compound)]
    if how.model == "first_order":
        return [first_order_absorption(compound=compound)]
    n = Names(compound)
    colon = Module(n("route_colon"), dose_targets=((n("colon"), n("A_colon")),))
    if how.model == "cat":
        return [cat_absorption(how.form, stages=how.stages, compound=compound), colon]
    wall = adam_absorption(
        how.form, stages=how.stages, paths=paths, acts_on=acts, inhibited=inhibited, into=portal, compound=compound
    )
    return [wall, colon]


def oral_drug(drug: Drug, how: Absorption) -> OralDrug:
    """What ``core.gut`` needs to know of a drug in a dosage form; raises ValueError as :class:`OralDrug`."""
    parent, given = drug.parent, {k: q.value for k, q in drug.absorption.items()}
    return OralDrug(
        MW=parent["physicochemistry.MW"],
        Peff=given["Peff"],
        logP=parent["physicochemistry.logP"],
        acids=parent.acid_pKa,
        bases=parent.base_pKa,
        solubility=1000.0 * given["solubility"] if "solubility" in given else None,
        radius_um=how.formulation.values["particle_radius"].value if how.form == "particles" else 25.0,
        release=weibull(how.formulation) if how.form == "released" else None,
        colon_ratio=given.get("colon_ratio", 0.0),
        fu_gut=parent.get("binding.fu_gut", 1.0),
    )


def absorption_values(drug: Drug, how: Absorption, gut: Gut, compound: str) -> dict[str, float]:
    """Parameters of the absorption module by name (those of wall paths are ``parameters.path_values``).

    Unbound fraction in enterocytes: the file's ``binding.fu_gut``, else 1 (what served QGut best, Yang 2007).
    """
    n = Names(compound)
    if not how.lumen:
        given = {**drug.absorption, **how.formulation.values}
        return {n(k): q.value for k, q in given.items() if k in ("MTT", "F_a", "ka")}
    oral = oral_drug(drug, how)
    values = cat_parameters(oral, gut, form=how.form, stages=how.stages, compound=compound)
    if how.wall:
        values[n("fu_gut")] = oral.fu_gut
        exit_ = permeability_clearance(oral.Peff, gut.area / len(SMALL_BOWEL))
        values |= {n(f"CLperm_{i}"): exit_ for i in SMALL_BOWEL}
    return values
