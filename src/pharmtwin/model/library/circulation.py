"""The circulation: venous and arterial blood, and the lung between them."""

from __future__ import annotations

from pharmtwin.model.description import Definition, Module, Parameter, State
from pharmtwin.model.library.naming import Names, of_the_body
from pharmtwin.model.library.organs import perfusion_limited_organ


def blood(*, compound: str = "", shares_body: bool = False) -> Module:
    """Venous and arterial pools (mg), their concentrations and the venous plasma concentration that is measured.

    Owns B_P (blood:plasma concentration ratio) and Kp_scale (common factor on all partition coefficients). Takes the
    route ``iv`` into venous blood. Cardiac output is the lung's flow: Q_lung must be the sum of all arterial branches,
    else drug piles up on one side of the circulation (it is never lost: amounts are the states).
    """
    n = Names(compound)
    body, ports = of_the_body(
        shares_body,
        Parameter("V_venous", "L", "venous blood volume"),
        Parameter("V_arterial", "L", "arterial blood volume"),
    )
    venous, arterial, B_P = n("A_venous"), n("A_arterial"), n("B_P")
    return Module(
        name=n("blood"),
        states=(
            State(venous, "mg", n.meaning("amount in venous blood"), conserved=True),
            State(arterial, "mg", n.meaning("amount in arterial blood"), conserved=True),
        ),
        parameters=(
            *body,
            Parameter(B_P, "1", n.meaning("blood:plasma concentration ratio")),
            Parameter(n("Kp_scale"), "1", n.meaning("common factor on all tissue:plasma partition coefficients")),
        ),
        definitions=(
            Definition(n("C_venous"), f"{venous}/V_venous", "mg/L", n.meaning("venous blood concentration")),
            Definition(n("C_arterial"), f"{arterial}/V_arterial", "mg/L", n.meaning("arterial blood concentration")),
            Definition(n("C_plasma"), f"{venous}/(V_venous*{B_P})", "mg/L", n.meaning("venous plasma concentration")),
        ),
        needs=ports,
        dose_targets=((n("iv"), venous),),
    )


def lung(*, compound: str = "", shares_body: bool = False) -> Module:
    """The lung: a perfusion-limited organ that takes the whole cardiac output from the veins to the arteries."""
    return perfusion_limited_organ(
        "lung", inflow="venous", outflow="arterial", compound=compound, shares_body=shares_body
    )
