"""The wall of the small bowel: enterocytes between lumen and villous blood (an ADAM-type model).

Jamei et al. 2009, AAPS J 11:225 (structure); the exit from enterocyte to blood is that of the QGut model (Yang et al.
2007, Curr Drug Metab 8:676): blood flow Qv and permeability in series, Qv CLperm/(Qv + CLperm), on the total
concentration in the enterocyte, while metabolism and efflux see the unbound one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pharmtwin.model.description import Definition, Flux, Module, Parameter, State
from pharmtwin.model.library.lumen import SMALL_BOWEL, Lumen, build_lumen
from pharmtwin.model.library.metabolism import KINDS
from pharmtwin.model.library.naming import Names

NOBODY: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True)
class WallPath:
    """One way of an enzyme or transporter in the wall.

    name : of its parameters: Vmax_<name> and Km_<name>, or CLint_<name> far below saturation; account A_met_<name>.
    site : the enzyme or transporter, whose state is E_<site>_gut. saturable : Michaelis-Menten kinetics.
    pumps : efflux into the lumen instead of metabolism. product : suffix of the compound that is formed (None: none in
    the system; its share is yield_<name>); product_into : state that takes it, with portal blood.
    """

    name: str
    site: str
    saturable: bool = True
    pumps: bool = False
    product: str | None = None
    product_into: str = "A_liver"


def adam_absorption(
    form: str = "solution",
    *,
    stages: int = 0,
    travels: bool = False,
    enzymes: tuple[str, ...] = (),
    efflux: tuple[str, ...] = (),
    paths: tuple[WallPath, ...] = (),
    acts_on: tuple[str, ...] = (),
    inhibited: Mapping[str, tuple[str, ...]] = NOBODY,
    by_segment: tuple[str, ...] = (),
    perfused: bool = True,
    into: str = "A_liver",
    gut_blood: str = "A_gut",
    route: str = "oral",
    compound: str = "",
) -> Module:
    """CAT with enterocytes: metabolism by wall enzymes, efflux back to the lumen, exit with villous blood.

    Villous blood is a part of Q_gut, not an addition to it: what the gut organ has taken from the artery for the villi
    (Q_wall K_wall C_arterial) is passed on to the enterocytes, and as much of its outflow (Q_wall K_wall E_gut) is
    taken back, so that no flow of the body changes and, without elimination, unbound drug is in equilibrium everywhere.
    K_wall = fu_p/(B_P fu_gut) is the enterocyte:blood ratio of that equilibrium (at most 1: blood gives no more than
    it carries). Drug absorbed in the colon enters the gut organ; the colon's wall does not metabolise.

    Parameters
    ----------
    form, stages, travels, route : as for ``cat_absorption``.
    enzymes : saturable metabolism f E share_i Vmax_<enzyme>_gut Cu_i/(Km_<enzyme>_gut + Cu_i), into one account
        A_met_<enzyme>_gut; E and f are those of ``enzyme_turnover("<enzyme>_gut")``.
    efflux : transporters that pump from enterocyte to lumen, by the same rate law (E_<transporter>_gut, f_...).
    paths : the same said in full: several paths of one enzyme, linear ones, products. An entry of ``enzymes`` or
        ``efflux`` is short for WallPath("<name>_gut", "<name>").
    acts_on : further enzymes and transporters that this compound inhibits, inactivates or induces. For them, and for
        the sites of all paths, Cu_wall_<site> (umol/L) is the unbound enterocyte concentration weighted with the
        site's shares: what ``enzyme_turnover`` and ``competitive_inhibition`` take as ``concentration``.
    inhibited : kinds of inhibition by enzyme or transporter; factors ``competitive_<site>_gut``, ``uncompetitive_...``.
    by_segment : sites whose enzyme and inhibition factors are those of each segment (``<site>_gut_<i>`` instead of
        ``<site>_gut``; concentration Cu_ent_<i>): exact where segments differ, seven enzyme states instead of one.
    perfused : blood also brings drug to the enterocytes; without, they only drain (into ``into``).
    into : state that takes villous blood (A_liver, or A_liver_blood). gut_blood : state of the gut organ that arterial
        blood enters (A_gut, or A_gut_blood).

    Raises
    ------
    ValueError : as for ``cat_absorption``; an unknown kind of inhibition; a site in ``inhibited`` or ``by_segment``
        that is neither enzyme nor efflux; a path whose product is the compound itself.
    """
    ways = tuple(WallPath(f"{e}_gut", e) for e in enzymes)
    ways += tuple(WallPath(f"{e}_gut", e, pumps=True) for e in efflux)
    ways += paths
    sites = tuple(dict.fromkeys(way.site for way in ways))
    selves = [way.name for way in ways if way.product == compound]
    if selves:
        raise ValueError(f"paths {selves}: the product is the compound itself")
    for where, names in (("inhibited", inhibited), ("by_segment", by_segment)):
        strange = [s for s in names if s not in sites]
        if strange:
            raise ValueError(f"{where}: {strange} is neither among the enzymes nor the efflux of this compound")
    unknown = sorted({kind for kinds in inhibited.values() for kind in kinds} - set(KINDS))
    if unknown:
        raise ValueError(f"unknown kind of inhibition {unknown}; use some of {KINDS}")
    n = Names(compound)
    colon_into = n(gut_blood if perfused else into)
    ent = {i: n(f"A_ent_{i}") for i in SMALL_BOWEL}
    lumen, targets = build_lumen(n, form, stages, travels, route, lambda site: ent.get(site, colon_into))
    _wall(lumen, ent, n(into), n(gut_blood), perfused)
    for site in dict.fromkeys((*sites, *acts_on)):
        _weighted(lumen, site)
    for way in ways:
        _way(lumen, way, ent, inhibited.get(way.site, ()), way.site in by_segment)
    return lumen.module("absorption", targets)


def _wall(lumen: Lumen, ent: Mapping[str, str], into: str, gut_blood: str, perfused: bool) -> None:
    """Enterocytes, their concentrations, and their exchange with villous blood."""
    n = lumen.n
    fu, K, MW = n("fu_gut"), n("K_wall"), n("MW")
    lumen.parameters.append(Parameter(fu, "1", n.meaning("fraction unbound in enterocytes")))
    lumen.needs |= {MW: "g/mol", "Q_gut": "L/h"}
    if perfused:
        lumen.needs |= {n("fu_p"): "1", n("B_P"): "1", n("C_arterial"): "mg/L", n("E_gut"): "mg/L"}
        ratio = f"min(1, {n('fu_p')}/({n('B_P')}*{fu}))"
        lumen.definitions.append(Definition(K, ratio, "1", n.meaning("enterocyte:blood ratio at equilibrium")))
    for i, A in ent.items():
        CLperm, Q, C = n(f"CLperm_{i}"), n(f"Q_wall_{i}"), n(f"C_ent_{i}")
        lumen.needs |= {f"V_ent_{i}": "L", f"villi_{i}": "1"}
        lumen.states.append(State(A, "mg", n.meaning(f"amount in enterocytes, segment {i}"), conserved=True))
        lumen.parameters.append(Parameter(CLperm, "L/h", n.meaning(f"permeability clearance of the wall, segment {i}")))
        flow = f"villi_{i}*Q_gut"
        lumen.definitions += [
            Definition(Q, f"{flow}*{CLperm}/({flow} + {CLperm})", "L/h", n.meaning(f"exit clearance, segment {i}")),
            Definition(C, f"{A}/V_ent_{i}", "mg/L", n.meaning(f"concentration in enterocytes, segment {i}")),
            Definition(
                n(f"Cu_ent_{i}"), f"1000*{fu}*{C}/{MW}", "umol/L", n.meaning(f"unbound in enterocytes, segment {i}")
            ),
        ]
        lumen.fluxes.append(Flux(n(f"villous_out_{i}"), f"{Q}*{C}", "mg/h", A, into))
        if perfused:
            inward = f"{Q}*{K}*{n('C_arterial')}"
            lumen.fluxes.append(Flux(n(f"villous_in_{i}"), inward, "mg/h", gut_blood, A))
    if perfused:
        total = " + ".join(n(f"Q_wall_{i}") for i in ent)
        lumen.fluxes.append(Flux(n("villous_share"), f"({total})*{K}*{n('E_gut')}", "mg/h", into, gut_blood))


def _weighted(lumen: Lumen, site: str) -> None:
    """Cu_wall_<site>: what the site's enzyme or transporter sees on the average."""
    n = lumen.n
    lumen.needs |= {f"share_{site}_{i}": "1" for i in SMALL_BOWEL}
    total = " + ".join(f"share_{site}_{i}*{n(f'Cu_ent_{i}')}" for i in SMALL_BOWEL)
    meaning = n.meaning(f"unbound enterocyte concentration weighted with the shares of {site}")
    lumen.definitions.append(Definition(n(f"Cu_wall_{site}"), total, "umol/L", meaning))


def _way(lumen: Lumen, way: WallPath, ent: Mapping[str, str], kinds: tuple[str, ...], by_segment: bool) -> None:
    """Metabolism by an enzyme, or efflux by a transporter, in every segment."""
    n, site = lumen.n, way.site
    Vmax, Km, CLint = n(f"Vmax_{way.name}"), n(f"Km_{way.name}"), n(f"CLint_{way.name}")
    MW, account = n("MW"), n(f"A_met_{way.name}")
    what = f"efflux by {site}" if way.pumps else f"metabolism by {site}"
    if way.saturable:
        lumen.parameters += [
            Parameter(Vmax, "umol/h", n.meaning(f"maximal {what} of the whole gut wall")),
            Parameter(Km, "umol/L", n.meaning(f"Michaelis constant of {what} in the gut wall (unbound)")),
        ]
    else:
        lumen.parameters.append(Parameter(CLint, "L/h", n.meaning(f"unbound clearance of {what}, whole gut wall")))
    if not way.pumps:
        meaning = n.meaning(f"amount metabolised by {site} in the gut wall")
        lumen.states.append(State(account, "mg", meaning, conserved=True))
    changes = _formed(lumen, way, account)
    for i, A in ent.items():
        where = f"{site}_gut_{i}" if by_segment else f"{site}_gut"
        E, f, Cu = f"E_{where}", f"f_{where}", n(f"Cu_ent_{i}")
        factor = {kind: f"*{n(f'{kind}_{where}')}" if kind in kinds else "" for kind in KINDS}
        lumen.needs |= {E: "1", f: "1"} | {n(f"{kind}_{where}"): "1" for kind in kinds}
        if way.saturable:
            molar = f"{Vmax}*{Cu}/({Km}{factor['competitive']} + {Cu}{factor['uncompetitive']})"
        else:
            molar = f"{CLint}*{Cu}" + (f"/{n(f'competitive_{where}')}" if "competitive" in kinds else "")
        rate = f"{f}*{E}*share_{site}_{i}*{molar}*{MW}/1000"
        name = n(f"{'efflux' if way.pumps else 'met'}_{way.name}_{i}")
        if changes:
            lumen.fluxes.append(Flux(name, rate, "mg/h", stoichiometry=((A, -1.0), *changes)))
        else:
            lumen.fluxes.append(Flux(name, rate, "mg/h", A, lumen.dissolved(i) if way.pumps else account))


def _formed(lumen: Lumen, way: WallPath, account: str) -> tuple[tuple[str, float | str], ...]:
    """What a path that forms a compound adds to its product and to the account, per mg taken."""
    if way.product is None:
        return ()
    n, m, share = lumen.n, Names(way.product), lumen.n(f"yield_{way.name}")
    lumen.parameters.append(Parameter(share, "1", n.meaning(f"part of the path {way.name} that forms {way.product}")))
    lumen.needs[m("MW")] = "g/mol"
    formed = f"{share}*{m('MW')}/{n('MW')}"
    return ((m(way.product_into), formed), (account, f"1 - {formed}"))
