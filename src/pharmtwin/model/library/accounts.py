"""Accounts: states that nothing depends on. They keep areas under curves and amounts excreted."""

from __future__ import annotations

from pharmtwin.model.description import Flux, Module, Port, State
from pharmtwin.model.library.naming import Names


def area_under_curve(
    concentration: str = "C_plasma", *, account: str = "AUC", unit: str = "mg/L", meaning: str = "", compound: str = ""
) -> Module:
    """The area under a concentration (its ``unit`` times h), zero at the start."""
    n = Names(compound)
    amount, slash, volume = unit.partition("/")
    area = f"{amount}*h{slash}{volume}"
    return Module(
        name=n(f"account_{account}"),
        states=(State(n(account), area, n.meaning(meaning or f"area under {concentration}")),),
        fluxes=(Flux(n(account.lower()), n(concentration), unit, None, n(account)),),
        needs=(Port(n(concentration), unit),),
    )


def excreted(account: str = "A_urine", *, meaning: str = "amount excreted into urine", compound: str = "") -> Module:
    """Where excreted drug arrives (mg): the target of filtration, secretion, bile."""
    n = Names(compound)
    return Module(name=n(f"account_{account}"), states=(State(n(account), "mg", n.meaning(meaning), conserved=True),))
