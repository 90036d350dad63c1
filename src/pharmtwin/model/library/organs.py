"""Organs: perfusion-limited (one well-stirred space) and permeability-limited (blood and tissue apart).

Amounts in mg, volumes in L, flows in L/h; ``C_`` concentrations are mg per L of the space, ``E_`` is the
concentration (mg/L) in the blood that leaves the organ. At equilibrium C B_P/(Kp Kp_scale) equals the blood
concentration in every tissue.
"""

from __future__ import annotations

from pharmtwin.model.description import Definition, Flux, Module, Parameter, Port, State
from pharmtwin.model.library.naming import Names, of_the_body


def _flow_meaning(organ: str, inflow: str) -> str:
    return "cardiac output" if inflow == "venous" else f"arterial blood flow to {organ}"


def perfusion_limited_organ(
    organ: str,
    *,
    inflow: str = "arterial",
    outflow: str = "venous",
    also_drains: tuple[str, ...] = (),
    compound: str = "",
    shares_body: bool = False,
) -> Module:
    """A tissue in instant equilibrium with the blood that leaves it: V dC/dt = Q (C_in - E), E = C B_P/(Kp Kp_scale).

    Rowland, Benet and Graham 1973, J Pharmacokinet Biopharm 1:123, doi 10.1007/BF01059626 (well-stirred organ).

    Parameters
    ----------
    inflow, outflow : compartments that feed the organ and take its blood (``C_<inflow>`` and ``A_<outflow>``).
    also_drains : organs whose blood flows into this one (the portal organs, for the liver): their flows add to its
        outflow.
    compound : suffix of the compound's names. shares_body : volume and flow are declared by another compound's organ.
    """
    n = Names(compound)
    body, ports = of_the_body(
        shares_body,
        Parameter(f"V_{organ}", "L", f"volume of {organ}"),
        Parameter(f"Q_{organ}", "L/h", _flow_meaning(organ, inflow)),
    )
    A, C, E, Kp = n(f"A_{organ}"), n(f"C_{organ}"), n(f"E_{organ}"), n(f"Kp_{organ}")
    entering, B_P, scale = n(f"C_{inflow}"), n("B_P"), n("Kp_scale")
    drain = " + ".join(f"Q_{o}" for o in (organ, *also_drains))
    return Module(
        name=n(organ),
        states=(State(A, "mg", n.meaning(f"amount in {organ}"), conserved=True),),
        parameters=(*body, Parameter(Kp, "1", n.meaning(f"{organ}:plasma partition coefficient"))),
        definitions=(
            Definition(C, f"{A}/V_{organ}", "mg/L", n.meaning(f"concentration in {organ}")),
            Definition(E, f"{A}/V_{organ}*{B_P}/({Kp}*{scale})", "mg/L", n.meaning(f"blood leaving {organ}")),
        ),
        fluxes=(
            Flux(n(f"into_{organ}"), f"Q_{organ}*{entering}", "mg/h", n(f"A_{inflow}"), A),
            Flux(n(f"out_of_{organ}"), f"({drain})*{E}", "mg/h", A, n(f"A_{outflow}")),
        ),
        needs=(
            *ports,
            Port(B_P, "1"),
            Port(scale, "1"),
            Port(entering, "mg/L"),
            *(Port(f"Q_{o}", "L/h") for o in also_drains),
        ),
    )


def permeability_limited_organ(
    organ: str,
    *,
    inflow: str = "arterial",
    outflow: str = "venous",
    also_drains: tuple[str, ...] = (),
    transporter: str = "",
    inhibited: bool = False,
    compound: str = "",
    shares_body: bool = False,
) -> Module:
    """An organ whose blood (``A_<organ>_blood``) and tissue (``A_<organ>``) exchange through a membrane.

    Unbound drug crosses passively by PS (fu_p C_blood/B_P - fu_p C/(Kp Kp_scale)), and, if a transporter is named,
    actively into the tissue by f CLact fu_p C_blood/B_P. As PS grows the organ becomes the perfusion-limited one with
    its blood added. Thompson and Beard 2011, J Pharmacokinet Pharmacodyn 38:405, doi 10.1007/s10928-011-9200-x;
    hepatic uptake: Chiba, Ishii and Sugiyama 2009, AAPS J 11:262, doi 10.1208/s12248-009-9103-6. Uptake is linear:
    unbound concentrations must stay well below the transporter's Km.

    Parameters
    ----------
    inflow, outflow, also_drains, compound, shares_body : as for :func:`perfusion_limited_organ`; an organ that drains
        into this one names ``<organ>_blood`` as its outflow.
    transporter : uptake transporter; adds CLact_<transporter> (L/h) and its relative activity f_<transporter>.
    inhibited : the uptake is divided by ``competitive_<transporter>`` (see ``inhibition``).

    Raises
    ------
    ValueError : ``inhibited`` without a transporter.
    """
    if inhibited and not transporter:
        raise ValueError(f"organ {organ!r}: inhibited=True needs the name of the transporter that is inhibited")
    n = Names(compound)
    blood = f"{organ}_blood"
    drain = " + ".join(f"Q_{o}" for o in (organ, *also_drains))
    body, ports = of_the_body(
        shares_body,
        Parameter(f"V_{blood}", "L", f"volume of the blood in {organ}"),
        Parameter(f"V_{organ}", "L", f"volume of {organ} without its blood"),
        Parameter(f"Q_{organ}", "L/h", _flow_meaning(organ, inflow)),
        *([Parameter(f"f_{transporter}", "1", f"individual activity of {transporter}")] if transporter else []),
    )
    A, Ab, C, E = n(f"A_{organ}"), n(f"A_{blood}"), n(f"C_{organ}"), n(f"E_{organ}")
    Kp, PS, CLact = n(f"Kp_{organ}"), n(f"PS_{organ}"), n(f"CLact_{transporter}")
    entering, B_P, fu, scale = n(f"C_{inflow}"), n("B_P"), n("fu_p"), n("Kp_scale")
    factor = n(f"competitive_{transporter}")
    drug = [
        Parameter(Kp, "1", n.meaning(f"{organ}:plasma partition coefficient")),
        Parameter(PS, "L/h", n.meaning(f"passive permeability times surface of {organ}, for unbound drug")),
    ]
    fluxes = [
        Flux(n(f"into_{organ}"), f"Q_{organ}*{entering}", "mg/h", n(f"A_{inflow}"), Ab),
        Flux(n(f"out_of_{organ}"), f"({drain})*{E}", "mg/h", Ab, n(f"A_{outflow}")),
        Flux(n(f"passive_into_{organ}"), f"{PS}*{fu}*{E}/{B_P}", "mg/h", Ab, A),
        Flux(n(f"passive_out_of_{organ}"), f"{PS}*{fu}*{C}/({Kp}*{scale})", "mg/h", A, Ab),
    ]
    needs = [*ports, Port(B_P, "1"), Port(fu, "1"), Port(scale, "1"), Port(entering, "mg/L")]
    needs += [Port(f"Q_{o}", "L/h") for o in also_drains]
    if transporter:
        drug.append(Parameter(CLact, "L/h", n.meaning(f"uptake clearance of unbound drug by {transporter}")))
        rate = f"f_{transporter}*{CLact}*{fu}*{E}/{B_P}"
        if inhibited:
            rate += f"/{factor}"
            needs.append(Port(factor, "1"))
        fluxes.append(Flux(n(f"uptake_{transporter}"), rate, "mg/h", Ab, A))
    return Module(
        name=n(organ),
        states=(
            State(Ab, "mg", n.meaning(f"amount in the blood of {organ}"), conserved=True),
            State(A, "mg", n.meaning(f"amount in {organ} without its blood"), conserved=True),
        ),
        parameters=(*body, *drug),
        definitions=(
            Definition(C, f"{A}/V_{organ}", "mg/L", n.meaning(f"concentration in {organ} without its blood")),
            Definition(E, f"{Ab}/V_{blood}", "mg/L", n.meaning(f"blood in and leaving {organ}")),
        ),
        fluxes=tuple(fluxes),
        needs=tuple(needs),
    )
