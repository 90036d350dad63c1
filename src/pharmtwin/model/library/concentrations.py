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


def unbound_outflow(organ: str = "liver", *, molar: str = "Cu_sinus", compound: str = "") -> Module:
    """Unbound concentration in the blood that leaves an organ, fu_p E/B_P, as ``molar`` (umol/L) and ``<molar>_mg``.

    For a perfusion-limited organ it is the unbound concentration of its tissue; a transporter in the membrane towards
    blood sees it.
    """
    n = Names(compound)
    fu, E, B_P, MW, mass = n("fu_p"), n(f"E_{organ}"), n("B_P"), n("MW"), n(f"{molar}_mg")
    meaning = n.meaning(f"unbound concentration in the blood of {organ}")
    return Module(
        name=n(f"unbound_outflow_{organ}"),
        definitions=(
            Definition(mass, f"{fu}*{E}/{B_P}", "mg/L", meaning),
            Definition(n(molar), f"1000*{mass}/{MW}", "umol/L", meaning),
        ),
        needs=(Port(fu, "1"), Port(B_P, "1"), Port(MW, "g/mol"), Port(E, "mg/L")),
    )


def wall_from_tissue(sites: tuple[str, ...], *, concentration: str = "Cu_gut", compound: str = "") -> Module:
    """What enzymes and transporters of the gut wall see of a compound that has no enterocytes of its own.

    Cu_wall_<site> is the unbound concentration of the gut organ (umol/L), through which everything swallowed or
    circulating passes.
    """
    n = Names(compound)
    Cu, meaning = n(concentration), n.meaning("unbound concentration in the gut organ, as the wall's {} sees it")
    return Module(
        name=n("seen_by_the_wall"),
        definitions=tuple(Definition(n(f"Cu_wall_{s}"), Cu, "umol/L", meaning.format(s)) for s in sites),
        needs=(Port(Cu, "umol/L"),),
    )
