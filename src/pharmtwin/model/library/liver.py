"""The liver, well-stirred or with a membrane: it receives its artery and the outflow of the portal organs."""

from __future__ import annotations

from pharmtwin.model.description import Definition, Flux, Module, Parameter, Port, State
from pharmtwin.model.library.naming import Names, of_the_body
from pharmtwin.model.library.organs import perfusion_limited_organ

PORTAL = ("gut", "spleen", "pancreas")


def well_stirred_liver(portal: tuple[str, ...] = PORTAL, *, compound: str = "", shares_body: bool = False) -> Module:
    """A perfusion-limited liver; metabolism acts on its unbound concentration (``concentrations``, ``metabolism``).

    With linear metabolism the blood clearance is Q fu CLint/(B_P Q + fu CLint), Q the sum of arterial and portal flow:
    Rowland, Benet and Graham 1973, J Pharmacokinet Biopharm 1:123, doi 10.1007/BF01059626.

    Parameters
    ----------
    portal : organs that drain into the liver; their modules must name ``liver`` as their outflow.
    """
    return perfusion_limited_organ("liver", also_drains=portal, compound=compound, shares_body=shares_body)


def two_state_liver(
    portal: tuple[str, ...] = PORTAL, *, compound: str = "", shares_body: bool = False, shares_blood: bool = False
) -> Module:
    """A liver of blood (``A_liver_blood``) and cells (``A_liver``); unbound drug crosses between them passively at PS.

    Transporters between the two are added by ``active_transport``, out of A_liver_blood on Cu_sinus; metabolism and
    canalicular efflux act on Cu, unbound in the cell (fu_cell of its content), and empty A_liver. At steady state,
    with all clearances linear and unbound, CL = Q fu CLall/(B_P Q + fu CLall), CLall = (PSact + PS) CLint/(PS + CLint):
    the extended clearance model. Shitara and Sugiyama 2006, Pharmacol Ther 112:71. As PS grows it becomes the
    well-stirred liver of the same volume whose cells bind as fu_cell says.

    Parameters
    ----------
    portal : organs that drain into the liver; their modules must name ``liver_blood`` as their outflow.
    shares_body : V_liver (blood included) and Q_liver are declared by another compound's liver. shares_blood :
        V_liver_blood is.
    """
    n = Names(compound)
    body, ports = of_the_body(
        shares_body,
        Parameter("V_liver", "L", "volume of liver"),
        Parameter("Q_liver", "L/h", "arterial blood flow to liver"),
    )
    space, more = of_the_body(shares_blood, Parameter("V_liver_blood", "L", "volume of the blood in the liver"))
    A, Ab, E, C = n("A_liver"), n("A_liver_blood"), n("E_liver"), n("C_liver")
    PS, fu, cell, B_P, MW = n("PS_liver"), n("fu_p"), n("fu_cell"), n("B_P"), n("MW")
    Cu, Cu_mg, sinus = n("Cu"), n("Cu_mg"), n("Cu_sinus_mg")
    drain = " + ".join(f"Q_{o}" for o in ("liver", *portal))
    inside, outside = n.meaning("unbound concentration in liver cells"), n.meaning("unbound in the blood of the liver")
    needs = [*ports, *more, Port(B_P, "1"), Port(fu, "1"), Port(MW, "g/mol"), Port(n("C_arterial"), "mg/L")]
    return Module(
        name=n("liver"),
        states=(
            State(Ab, "mg", n.meaning("amount in the blood of the liver"), conserved=True),
            State(A, "mg", n.meaning("amount in liver cells"), conserved=True),
        ),
        parameters=(
            *body,
            *space,
            Parameter(PS, "L/h", n.meaning("passive clearance of unbound drug between blood and cells of the liver")),
            Parameter(cell, "1", n.meaning("fraction unbound in liver cells")),
        ),
        definitions=(
            Definition(C, f"{A}/(V_liver - V_liver_blood)", "mg/L", n.meaning("concentration in liver cells")),
            Definition(E, f"{Ab}/V_liver_blood", "mg/L", n.meaning("blood in and leaving liver")),
            Definition(Cu_mg, f"{cell}*{C}", "mg/L", inside),
            Definition(Cu, f"1000*{Cu_mg}/{MW}", "umol/L", inside),
            Definition(sinus, f"{fu}*{E}/{B_P}", "mg/L", outside),
            Definition(n("Cu_sinus"), f"1000*{sinus}/{MW}", "umol/L", outside),
        ),
        fluxes=(
            Flux(n("into_liver"), f"Q_liver*{n('C_arterial')}", "mg/h", n("A_arterial"), Ab),
            Flux(n("out_of_liver"), f"({drain})*{E}", "mg/h", Ab, n("A_venous")),
            Flux(n("passive_into_liver"), f"{PS}*{sinus}", "mg/h", Ab, A),
            Flux(n("passive_out_of_liver"), f"{PS}*{Cu_mg}", "mg/h", A, Ab),
        ),
        needs=tuple(dict.fromkeys((*needs, *(Port(f"Q_{o}", "L/h") for o in portal)))),
    )
