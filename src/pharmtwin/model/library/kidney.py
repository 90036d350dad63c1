"""The kidney: filtration of unbound plasma, saturable tubular secretion. Both fill ``A_urine`` (see ``accounts``)."""

from __future__ import annotations

from pharmtwin.model.description import Flux, Module, Parameter, Port
from pharmtwin.model.library.naming import Names, of_the_body


def glomerular_filtration(*, fraction: bool = False, compound: str = "", shares_body: bool = False) -> Module:
    """Filtration fu_p GFR C_arterial/B_P (mg/h) out of the arterial plasma that enters the kidney.

    fraction : times a parameter GFR_fraction: what is not reabsorbed; without it nothing is.
    """
    n = Names(compound)
    body, ports = of_the_body(shares_body, Parameter("GFR", "L/h", "glomerular filtration rate"))
    fu, C, B_P = n("fu_p"), n("C_arterial"), n("B_P")
    own = (Parameter(n("GFR_fraction"), "1", n.meaning("part of the filtered drug that is not reabsorbed")),)
    kept = f"{n('GFR_fraction')}*" if fraction else ""
    return Module(
        name=n("filtration"),
        parameters=(*body, *(own if fraction else ())),
        fluxes=(Flux(n("filtration"), f"{kept}{fu}*GFR*{C}/{B_P}", "mg/h", n("A_arterial"), n("A_urine")),),
        needs=(*ports, Port(fu, "1"), Port(B_P, "1"), Port(C, "mg/L")),
    )


def tubular_secretion(*, concentration: str = "Cu_kidney", compound: str = "") -> Module:
    """Secretion Tmax Cu/(Kt + Cu) out of kidney tissue into urine; Cu is the unbound kidney concentration (umol/L).

    Because it empties the kidney and not the artery, it can never clear more than the kidney's blood flow brings.
    """
    n = Names(compound)
    Cu, Tmax, Kt, MW = n(concentration), n("Tmax_renal"), n("Kt_renal"), n("MW")
    return Module(
        name=n("secretion"),
        parameters=(
            Parameter(Tmax, "umol/h", n.meaning("maximal rate of tubular secretion")),
            Parameter(Kt, "umol/L", n.meaning("unbound kidney concentration of half-maximal secretion")),
        ),
        fluxes=(Flux(n("secretion"), f"{Tmax}*{Cu}/({Kt} + {Cu})*{MW}/1000", "mg/h", n("A_kidney"), n("A_urine")),),
        needs=(Port(Cu, "umol/L"), Port(MW, "g/mol")),
    )
