"""Metabolic paths that form a compound of the system, active transport, inhibition of several compounds by others.

What a path takes from the parent arrives in the product's state times the ratio of the molar masses; the rest, and the
part of the path that forms something else, goes to an account, so that mass closes.
"""

from __future__ import annotations

from pharmtwin.model.description import Definition, Flux, Module, Parameter, Port, State
from pharmtwin.model.library.metabolism import KINDS
from pharmtwin.model.library.naming import Names


def metabolic_path(
    path: str,
    *,
    enzyme: str = "",
    saturable: bool = True,
    concentration: str = "Cu",
    source: str = "A_liver",
    inhibited: tuple[str, ...] = (),
    product: str | None = None,
    product_into: str = "A_liver",
    compound: str = "",
) -> Module:
    """One path of a compound: f E Vmax Cu/(Km + Cu) or f E CLint Cu, Cu unbound (umol/L), as mg/h.

    Parameters
    ----------
    path : name of the path: parameters Vmax_<path> and Km_<path>, or CLint_<path>; account A_met_<path>.
    enzyme : the path follows its state E_<enzyme> and activity f_<enzyme>; empty: a factor f_<path> of its own.
    concentration, source : unbound concentration (umol/L) and the state that is emptied, without suffix.
    inhibited : ``competitive`` and ``uncompetitive`` factors of the enzyme (see :func:`inhibition`); a linear path is
        far below saturation, where only the competitive one acts.
    product : suffix of the compound that is formed (None: none in the system); its share is yield_<path>.
    product_into : state of the product, without suffix.

    Raises
    ------
    ValueError : an unknown kind of inhibition, inhibition without an enzyme, or a product that is the compound itself.
    """
    unknown = [k for k in inhibited if k not in KINDS]
    if unknown or (inhibited and not enzyme):
        raise ValueError(
            f"path {path!r}: kinds of inhibition {unknown or inhibited} need an enzyme and be some of {KINDS}"
        )
    if product == compound:
        raise ValueError(f"path {path!r}: the product is the compound itself")
    n = Names(compound)
    Cu, MW, account, taken = n(concentration), n("MW"), n(f"A_met_{path}"), n(source)
    E, f = (f"E_{enzyme}", f"f_{enzyme}") if enzyme else ("", n(f"f_{path}"))
    activity = f"{f}*{E}" if enzyme else f
    needs = [Port(Cu, "umol/L"), Port(MW, "g/mol")]
    needs += [Port(E, "1"), Port(f, "1")] if enzyme else []
    needs += [Port(n(f"{kind}_{enzyme}"), "1") for kind in inhibited]
    factor = {kind: f"*{n(f'{kind}_{enzyme}')}" if kind in inhibited else "" for kind in KINDS}
    parameters = [] if enzyme else [Parameter(f, "1", n.meaning(f"individual factor on the path {path}"))]
    if saturable:
        Vmax, Km = n(f"Vmax_{path}"), n(f"Km_{path}")
        parameters += [
            Parameter(Vmax, "umol/h", n.meaning(f"maximal rate of the path {path}, whole organ")),
            Parameter(Km, "umol/L", n.meaning(f"Michaelis constant of the path {path} (unbound)")),
        ]
        molar = f"{activity}*{Vmax}*{Cu}/({Km}{factor['competitive']} + {Cu}{factor['uncompetitive']})"
    else:
        CLint = n(f"CLint_{path}")
        parameters.append(Parameter(CLint, "L/h", n.meaning(f"unbound intrinsic clearance of the path {path}")))
        molar = f"{activity}*{CLint}*{Cu}" + (f"/{n(f'competitive_{enzyme}')}" if "competitive" in inhibited else "")
    rate = f"{molar}*{MW}/1000"
    if product is None:
        flux = Flux(n(f"met_{path}"), rate, "mg/h", taken, account)
    else:
        m, share = Names(product), n(f"yield_{path}")
        parameters.append(
            Parameter(share, "1", n.meaning(f"part of the path {path} that forms {product or 'the parent'}"))
        )
        needs.append(Port(m("MW"), "g/mol"))
        formed = f"{share}*{m('MW')}/{MW}"
        changes = ((taken, -1.0), (m(product_into), formed), (account, f"1 - {formed}"))
        flux = Flux(n(f"met_{path}"), rate, "mg/h", stoichiometry=changes)
    return Module(
        name=n(f"path_{path}"),
        states=(State(account, "mg", n.meaning(f"amount metabolised by the path {path}"), conserved=True),),
        parameters=tuple(parameters),
        fluxes=(flux,),
        needs=tuple(needs),
    )


def active_transport(
    site: str,
    *,
    source: str,
    target: str,
    concentration: str,
    saturable: bool = False,
    inhibited: tuple[str, ...] = (),
    compound: str = "",
) -> Module:
    """A transporter that carries a compound from one space into another: f E Vmax Cu/(Km + Cu) or f E CL Cu (mg/h).

    Parameters
    ----------
    site : the transporter in its place: state E_<site>, activity f_<site>; parameters Vmax_<site> and Km_<site>, or
        CL_<site>. source, target : states, without suffix. concentration : unbound (umol/L), on the source's side.
    inhibited : as for :func:`metabolic_path`.

    Raises
    ------
    ValueError : an unknown kind of inhibition.
    """
    unknown = [k for k in inhibited if k not in KINDS]
    if unknown:
        raise ValueError(f"transport by {site!r}: unknown kind of inhibition {unknown}; use some of {KINDS}")
    n = Names(compound)
    Cu, MW, E, f = n(concentration), n("MW"), f"E_{site}", f"f_{site}"
    factor = {kind: f"*{n(f'{kind}_{site}')}" if kind in inhibited else "" for kind in KINDS}
    if saturable:
        Vmax, Km = n(f"Vmax_{site}"), n(f"Km_{site}")
        parameters = [
            Parameter(Vmax, "umol/h", n.meaning(f"maximal rate of transport by {site}, whole organ")),
            Parameter(Km, "umol/L", n.meaning(f"unbound concentration of half-maximal transport by {site}")),
        ]
        molar = f"{Vmax}*{Cu}/({Km}{factor['competitive']} + {Cu}{factor['uncompetitive']})"
    else:
        CL = n(f"CL_{site}")
        parameters = [Parameter(CL, "L/h", n.meaning(f"unbound clearance of transport by {site}, whole organ"))]
        molar = f"{CL}*{Cu}" + (f"/{n(f'competitive_{site}')}" if "competitive" in inhibited else "")
    needs = [Port(Cu, "umol/L"), Port(MW, "g/mol"), Port(E, "1"), Port(f, "1")]
    needs += [Port(n(f"{kind}_{site}"), "1") for kind in inhibited]
    return Module(
        name=n(f"transport_{site}"),
        parameters=tuple(parameters),
        fluxes=(Flux(n(f"carried_{site}"), f"{f}*{E}*{molar}*{MW}/1000", "mg/h", n(source), n(target)),),
        needs=tuple(needs),
    )


def inhibition(
    target: str,
    *,
    of: tuple[str, ...],
    competitive: tuple[str, ...] = (),
    uncompetitive: tuple[str, ...] = (),
    concentration: str = "Cu",
) -> Module:
    """Factors of reversible inhibition of one enzyme or transporter for all its substrates at once.

    ``competitive_<target>`` of a substrate is 1 + sum I/Kic over the inhibitors other than itself (its own Km says
    that already), ``uncompetitive_<target>`` the same with Kiu. A non-competitive inhibitor is in both lists with equal
    constants, a mixed one with different ones. Segel 1975, Enzyme Kinetics, chapters 3 and 4.

    Parameters
    ----------
    target : enzyme (of one tissue) or transporter. of : substrates by their suffix.
    competitive, uncompetitive : inhibitors by their suffix. concentration : their unbound concentration (umol/L).

    Raises
    ------
    ValueError : no inhibitor at all.
    """
    if not (competitive or uncompetitive):
        raise ValueError(f"inhibition of {target!r} needs an inhibitor")
    parameters, definitions = [], []
    for kind, symbol, inhibitors in (("competitive", "Kic", competitive), ("uncompetitive", "Kiu", uncompetitive)):
        for inhibitor in inhibitors:
            n = Names(inhibitor)
            meaning = n.meaning(f"{kind} inhibition constant on {target} (unbound)")
            parameters.append(Parameter(n(f"{symbol}_{target}"), "umol/L", meaning))
        for substrate in of if inhibitors else ():
            terms = [
                f"{Names(i)(concentration)}/{Names(i)(f'{symbol}_{target}')}" for i in inhibitors if i != substrate
            ]
            v = Names(substrate)
            name, meaning = v(f"{kind}_{target}"), v.meaning(f"factor of {kind} inhibition of {target}")
            definitions.append(Definition(name, " + ".join(["1", *terms]), "1", meaning))
    used = dict.fromkeys(i for i in (*competitive, *uncompetitive))
    return Module(
        name=f"inhibition_{target}",
        parameters=tuple(parameters),
        definitions=tuple(definitions),
        needs=tuple(Port(Names(i)(concentration), "umol/L") for i in used),
    )
