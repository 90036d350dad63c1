"""Unbound concentrations at the sites where enzymes, transporters and targets see the drug."""

from __future__ import annotations

from pharmtwin.model.description import Definition, Module, Parameter, Port
from pharmtwin.model.library.naming import Names


def molar_mass(*, compound: str = "") -> Module:
    """The compound's molar mass MW (g/mol): the door between mg and umol."""
    n = Names(compound)
    return Module(name=n("molar_mass"), parameters=(Parameter(n("MW"), "g/mol", n.meaning("molar mass")),))


def unbound_tissue(organ: str = "liver", *, mass: str = "Cu_mg", molar: str = "Cu", compound: str = "") -> Module:
    """Unbound concentration in a tissue, fu_p C/(Kp Kp_scale), as ``mass`` (mg/L) and ``molar`` (umol/L).

    Unbound drug is in equilibrium between tissue water and the plasma that leaves the organ, so fu_p/(Kp Kp_scale) is
    the tissue's unbound fraction.
    """
    n = Names(compound)
    A, Kp, fu, scale, MW = n(f"A_{organ}"), n(f"Kp_{organ}"), n("fu_p"), n("Kp_scale"), n("MW")
    meaning = n.meaning(f"unbound {organ} concentration")
    return Module(
        name=n(f"unbound_{organ}"),
        definitions=(
            Definition(n(mass), f"{fu}*{A}/(V_{organ}*{Kp}*{scale})", "mg/L", meaning),
            Definition(n(molar), f"1000*{n(mass)}/{MW}", "umol/L", meaning),
        ),
        needs=(
            Port(fu, "1"),
            Port(scale, "1"),
            Port(MW, "g/mol"),
            Port(A, "mg"),
            Port(f"V_{organ}", "L"),
            Port(Kp, "1"),
        ),
    )


def unbound_plasma(*, compound: str = "") -> Module:
    """Unbound venous plasma concentration, fu_p C_plasma: ``Cu_plasma_mg`` (mg/L) and ``Cu_plasma`` (umol/L)."""
    n = Names(compound)
    mass, meaning = n("Cu_plasma_mg"), n.meaning("unbound venous plasma concentration")
    return Module(
        name=n("unbound_plasma"),
        definitions=(
            Definition(mass, f"{n('fu_p')}*{n('C_plasma')}", "mg/L", meaning),
            Definition(n("Cu_plasma"), f"1000*{mass}/{n('MW')}", "umol/L", meaning),
        ),
        needs=(Port(n("fu_p"), "1"), Port(n("C_plasma"), "mg/L"), Port(n("MW"), "g/mol")),
    )
