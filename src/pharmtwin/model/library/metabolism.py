"""Metabolic paths: linear and Michaelis-Menten, out of any tissue whose unbound concentration is given."""

from __future__ import annotations

from pharmtwin.model.description import Flux, Module, Parameter, Port, State
from pharmtwin.model.library.naming import Names

KINDS = ("competitive", "uncompetitive")


def linear_metabolism(
    path: str = "other",
    *,
    concentration: str = "Cu_mg",
    source: str = "A_liver",
    enzyme: str = "",
    inhibited: bool = False,
    compound: str = "",
) -> Module:
    """A path far below saturation: f CLint Cu (mg/h), Cu the unbound tissue concentration (mg/L), f individual.

    Parameters
    ----------
    path : name of the path (and of its account ``A_met_<path>``, CLint_<path>, f_<path>).
    source : state that is emptied. enzyme : the path follows this enzyme's state E_<enzyme>.
    inhibited : divided by ``competitive_<enzyme>``. An uncompetitive inhibitor does nothing to a linear path.

    Raises
    ------
    ValueError : ``inhibited`` without an enzyme.
    """
    if inhibited and not enzyme:
        raise ValueError(f"path {path!r}: inhibited=True needs the name of the enzyme that is inhibited")
    n = Names(compound)
    CLint, f, Cu, account = n(f"CLint_{path}"), n(f"f_{path}"), n(concentration), n(f"A_met_{path}")
    rate, needs = f"{f}*{CLint}*{Cu}", [Port(Cu, "mg/L")]
    if enzyme:
        rate += f"*E_{enzyme}"
        needs.append(Port(f"E_{enzyme}", "1"))
    if inhibited:
        factor = n(f"competitive_{enzyme}")
        rate += f"/{factor}"
        needs.append(Port(factor, "1"))
    return Module(
        name=n(f"metabolism_{path}"),
        states=(State(account, "mg", n.meaning(f"amount metabolised by the path {path}"), conserved=True),),
        parameters=(
            Parameter(CLint, "L/h", n.meaning(f"unbound intrinsic clearance of the path {path}")),
            Parameter(f, "1", n.meaning(f"individual factor on CLint_{path}")),
        ),
        fluxes=(Flux(n(f"met_{path}"), rate, "mg/h", n(source), account),),
        needs=tuple(needs),
    )


def michaelis_menten_metabolism(
    enzyme: str,
    *,
    concentration: str = "Cu",
    source: str = "A_liver",
    inhibited: tuple[str, ...] = (),
    compound: str = "",
) -> Module:
    """Saturable metabolism by an enzyme state: f E Vmax Cu/(Km + Cu) MW/1000 (mg/h), Cu unbound (umol/L).

    Parameters
    ----------
    enzyme : name of the enzyme, whose module owns E_<enzyme> and f_<enzyme>. source : state that is emptied.
    inhibited : which factors act, out of ``competitive`` (on Km) and ``uncompetitive`` (on the substrate).

    Raises
    ------
    ValueError : an unknown kind of inhibition.
    """
    unknown = [k for k in inhibited if k not in KINDS]
    if unknown:
        raise ValueError(f"metabolism by {enzyme!r}: unknown kind of inhibition {unknown}; use some of {KINDS}")
    n = Names(compound)
    Vmax, Km, Cu, MW = n(f"Vmax_{enzyme}"), n(f"Km_{enzyme}"), n(concentration), n("MW")
    account, E, f = n(f"A_met_{enzyme}"), f"E_{enzyme}", f"f_{enzyme}"
    factor = {kind: f"*{n(f'{kind}_{enzyme}')}" if kind in inhibited else "" for kind in KINDS}
    denominator = f"{Km}{factor['competitive']} + {Cu}{factor['uncompetitive']}"
    return Module(
        name=n(f"metabolism_{enzyme}"),
        states=(State(account, "mg", n.meaning(f"amount metabolised by {enzyme}"), conserved=True),),
        parameters=(
            Parameter(Vmax, "umol/h", n.meaning(f"maximal rate of {enzyme} at f = E = 1, whole organ")),
            Parameter(Km, "umol/L", n.meaning("Michaelis constant (unbound)")),
        ),
        fluxes=(
            Flux(n(f"met_{enzyme}"), f"{f}*{E}*{Vmax}*{Cu}/({denominator})*{MW}/1000", "mg/h", n(source), account),
        ),
        needs=(
            Port(Cu, "umol/L"),
            Port(MW, "g/mol"),
            Port(E, "1"),
            Port(f, "1"),
            *(Port(n(f"{kind}_{enzyme}"), "1") for kind in KINDS if kind in inhibited),
        ),
    )
