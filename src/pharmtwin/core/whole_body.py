"""The whole-body PBPK model, put together from the library's modules into one ODE system.

Amounts in mg, hours, litres; blood concentrations; binding sites in µmol/L. Perfusion-limited organs:
V dC/dt = Q (C_arterial - E), with E = C B_P / Kp the concentration in the blood that leaves the organ.
Fifteen named compartments (lung, adipose, bone, brain, gut, heart, kidney, liver, muscle, pancreas,
skin, spleen, thyroid, venous, arterial) and ``rest``, so that flows and mass close: the liver receives
its artery and the outflow of gut, spleen and pancreas, and cardiac output is the sum of all branches.
"""

from __future__ import annotations

from functools import lru_cache

from pharmtwin.core.anatomy import PORTAL, TISSUES
from pharmtwin.model.balance import total_mass
from pharmtwin.model.description import Model, Module, compose
from pharmtwin.model.library import (
    area_under_curve,
    blood,
    enzyme_turnover,
    excreted,
    glomerular_filtration,
    join,
    linear_metabolism,
    linear_plasma_binding,
    lung,
    michaelis_menten_metabolism,
    molar_mass,
    perfusion_limited_organ,
    transit_absorption,
    unbound_tissue,
    well_stirred_liver,
)

N_TRANSIT = 4

#: Individual parameters that inference estimates; the engines carry tangents for them in this order.
INDIVIDUAL = ("f_CYP2D6", "f_other", "Kp_scale", "MTT")

# The order of the parameters is that of every parameter table and array of the workflow: it is part of the model.
BLOOD_PARAMETERS = ("V_venous", "V_arterial", "B_P", "fu_p", "Kp_scale")
ELIMINATION_PARAMETERS = (
    "MW", "Vmax_CYP2D6", "Km_CYP2D6", "f_CYP2D6", "CLint_other", "f_other", "kdeg_CYP2D6", "kinact_CYP2D6",
    "KI_CYP2D6", "GFR",
)  # fmt: skip


def organ(name: str) -> Module:
    """A perfusion-limited tissue between artery and vein (or liver, for the portal organs)."""
    if name == "lung":
        return lung()
    if name == "liver":
        return well_stirred_liver(PORTAL)
    return perfusion_limited_organ(name, outflow="liver" if name in PORTAL else "venous")


def circulation() -> Module:
    """Venous and arterial pools, constant plasma binding, and the area under the plasma concentration."""
    area = area_under_curve(meaning="area under the venous plasma concentration")
    return join("blood", [blood(), linear_plasma_binding(), area], BLOOD_PARAMETERS)


def elimination() -> Module:
    """Hepatic metabolism by CYP2D6 (saturable) and by everything else (linear), renal filtration.

    CYP2D6 turns over and is inactivated by its substrate (mechanism-based inactivation).
    """
    parts = [
        molar_mass(),
        unbound_tissue("liver"),
        enzyme_turnover("CYP2D6", inactivated_by=("",)),
        michaelis_menten_metabolism("CYP2D6"),
        linear_metabolism("other"),
        excreted("A_urine", meaning="amount filtered into urine"),
        glomerular_filtration(),
    ]
    return join("elimination", parts, ELIMINATION_PARAMETERS)


#: states that only keep accounts (nothing depends on them) and what fills them
ACCOUNTS = ("AUC", "A_faeces", "A_met_CYP2D6", "A_met_other", "A_urine")


@lru_cache(maxsize=2)
def whole_body() -> Model:
    """The composed model; observables: C_plasma (mg/L), AUC (mg h/L), E_CYP2D6 (1)."""
    modules = [transit_absorption(N_TRANSIT), *(organ(t) for t in TISSUES), circulation(), elimination()]
    return compose("whole_body", modules, ["C_plasma", "AUC", "E_CYP2D6"], sensitivities=INDIVIDUAL)


@lru_cache(maxsize=1)
def whole_body_for_fit() -> Model:
    """The same model without the accounting states: the same concentrations, a fifth fewer equations."""
    return whole_body().without(ACCOUNTS)


def mass(model: Model, state: list[float]) -> float:
    """Total amount (mg) in all conserved states: must equal the dose given so far."""
    return total_mass(model, state)
