"""A library of modules: organs, circulation, absorption, elimination, enzymes, interactions, binding, accounts.

Each builder returns a :class:`~pharmtwin.model.description.Module`; :func:`~pharmtwin.model.description.compose` joins
them. Amounts are states in mg and conserved; enzymes and targets are relative to their undisturbed level 1. A builder's
``compound`` is a suffix of its names, so that two compounds (victim and inhibitor) live in one system; the second one
says ``shares_body=True`` where volumes, flows and filtration are declared by the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pharmtwin.model.description import Module
from pharmtwin.model.library.absorption import first_order_absorption, transit_absorption
from pharmtwin.model.library.accounts import area_under_curve, excreted
from pharmtwin.model.library.binding import linear_plasma_binding, saturable_plasma_binding, target_binding_qss
from pharmtwin.model.library.circulation import blood, lung
from pharmtwin.model.library.concentrations import (
    molar_mass,
    unbound_outflow,
    unbound_plasma,
    unbound_tissue,
    wall_from_tissue,
)
from pharmtwin.model.library.depot import first_order_depot, parallel_depot
from pharmtwin.model.library.enterocytes import WallPath, adam_absorption
from pharmtwin.model.library.enzyme import constant_enzyme, enzyme_turnover
from pharmtwin.model.library.inhibition import competitive_inhibition, uncompetitive_inhibition
from pharmtwin.model.library.kidney import glomerular_filtration, tubular_secretion
from pharmtwin.model.library.liver import two_state_liver, well_stirred_liver
from pharmtwin.model.library.lumen import cat_absorption, intestine
from pharmtwin.model.library.metabolism import linear_metabolism, michaelis_menten_metabolism
from pharmtwin.model.library.naming import Names, join
from pharmtwin.model.library.organs import perfusion_limited_organ, permeability_limited_organ
from pharmtwin.model.library.paths import active_transport, inhibition, metabolic_path

#: every builder of the library by its name
MODULES: Mapping[str, Callable[..., Module]] = MappingProxyType(
    {
        builder.__name__: builder
        for builder in (
            perfusion_limited_organ,
            permeability_limited_organ,
            blood,
            lung,
            well_stirred_liver,
            two_state_liver,
            molar_mass,
            unbound_tissue,
            unbound_plasma,
            unbound_outflow,
            wall_from_tissue,
            glomerular_filtration,
            tubular_secretion,
            first_order_absorption,
            transit_absorption,
            intestine,
            cat_absorption,
            adam_absorption,
            first_order_depot,
            parallel_depot,
            enzyme_turnover,
            constant_enzyme,
            inhibition,
            metabolic_path,
            active_transport,
            competitive_inhibition,
            uncompetitive_inhibition,
            linear_metabolism,
            michaelis_menten_metabolism,
            linear_plasma_binding,
            saturable_plasma_binding,
            target_binding_qss,
            area_under_curve,
            excreted,
        )
    }
)

__all__ = [
    "MODULES",
    "Names",
    "WallPath",
    "active_transport",
    "adam_absorption",
    "area_under_curve",
    "blood",
    "cat_absorption",
    "competitive_inhibition",
    "constant_enzyme",
    "enzyme_turnover",
    "excreted",
    "first_order_absorption",
    "first_order_depot",
    "glomerular_filtration",
    "inhibition",
    "intestine",
    "join",
    "linear_metabolism",
    "linear_plasma_binding",
    "lung",
    "metabolic_path",
    "michaelis_menten_metabolism",
    "molar_mass",
    "parallel_depot",
    "perfusion_limited_organ",
    "permeability_limited_organ",
    "saturable_plasma_binding",
    "target_binding_qss",
    "transit_absorption",
    "tubular_secretion",
    "two_state_liver",
    "unbound_outflow",
    "unbound_plasma",
    "unbound_tissue",
    "uncompetitive_inhibition",
    "wall_from_tissue",
    "well_stirred_liver",
]
