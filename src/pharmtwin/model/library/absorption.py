"""Oral absorption: first order from the gut lumen, or through a chain of transit compartments."""

from __future__ import annotations

from itertools import pairwise

from pharmtwin.model.description import Flux, Module, Parameter, State
from pharmtwin.model.library.naming import Names


def first_order_absorption(*, into: str = "A_gut", route: str = "oral", compound: str = "") -> Module:
    """Drug leaves the lumen at ka; the fraction F_a of it reaches the state ``into``, the rest goes into faeces."""
    n = Names(compound)
    lumen, faeces, ka, F_a = n("A_lumen"), n("A_faeces"), n("ka"), n("F_a")
    return Module(
        name=n("absorption"),
        states=(
            State(lumen, "mg", n.meaning("amount in the gut lumen"), conserved=True),
            State(faeces, "mg", n.meaning("amount not absorbed"), conserved=True),
        ),
        parameters=(
            Parameter(ka, "1/h", n.meaning("rate of loss from the gut lumen")),
            Parameter(F_a, "1", n.meaning("fraction absorbed")),
        ),
        fluxes=(
            Flux(n("absorbed"), f"{F_a}*{ka}*{lumen}", "mg/h", lumen, n(into)),
            Flux(n("not_absorbed"), f"(1 - {F_a})*{ka}*{lumen}", "mg/h", lumen, faeces),
        ),
        dose_targets=((n(route), lumen),),
    )


def transit_absorption(n_transit: int = 4, *, into: str = "A_gut", route: str = "oral", compound: str = "") -> Module:
    """Oral absorption by a chain of ``n_transit`` compartments: what has left them is a gamma (Erlang) distribution.

    Savic et al. 2007, J Pharmacokinet Pharmacodyn 34:711, doi 10.1007/s10928-007-9066-0; mean transit
    time MTT = n/ktr.

    Raises
    ------
    ValueError : fewer than one compartment.
    """
    if n_transit < 1:
        raise ValueError(f"transit absorption needs at least one compartment, not {n_transit}")
    n = Names(compound)
    chain = [n(f"A_transit{i}") for i in range(1, n_transit + 1)]
    MTT, F_a, faeces = n("MTT"), n("F_a"), n("A_faeces")
    ktr = f"{n_transit}/{MTT}"
    fluxes = [Flux(n(f"transit{i}"), f"{ktr}*{a}", "mg/h", a, b) for i, (a, b) in enumerate(pairwise(chain), start=1)]
    fluxes += [
        Flux(n("absorbed"), f"{F_a}*{ktr}*{chain[-1]}", "mg/h", chain[-1], n(into)),
        Flux(n("not_absorbed"), f"(1 - {F_a})*{ktr}*{chain[-1]}", "mg/h", chain[-1], faeces),
    ]
    return Module(
        name=n("absorption"),
        states=(
            *(State(c, "mg", n.meaning("amount on its way to the gut wall"), conserved=True) for c in chain),
            State(faeces, "mg", n.meaning("amount not absorbed"), conserved=True),
        ),
        parameters=(
            Parameter(MTT, "h", n.meaning("mean transit time of oral absorption")),
            Parameter(F_a, "1", n.meaning("fraction absorbed")),
        ),
        fluxes=tuple(fluxes),
        dose_targets=((n(route), chain[0]),),
    )
