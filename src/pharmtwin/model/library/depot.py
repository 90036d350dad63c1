"""Depots under the skin or in muscle (routes ``sc``, ``im``): first-order, and two first-order processes at once."""

from __future__ import annotations

from pharmtwin.model.description import Flux, Module, Parameter, State
from pharmtwin.model.library.naming import Names


def first_order_depot(route: str = "sc", *, into: str = "A_venous", compound: str = "") -> Module:
    """Drug leaves the site of injection at ka; the fraction F of it reaches ``into``, the rest is degraded there."""
    n = Names(compound)
    depot, lost = n(f"A_{route}"), n(f"A_{route}_lost")
    ka, F = n(f"ka_{route}"), n(f"F_{route}")
    return Module(
        name=n(f"depot_{route}"),
        states=(
            State(depot, "mg", n.meaning(f"amount in the {route} depot"), conserved=True),
            State(lost, "mg", n.meaning(f"amount degraded at the {route} site"), conserved=True),
        ),
        parameters=(
            Parameter(ka, "1/h", n.meaning(f"rate of loss from the {route} depot")),
            Parameter(F, "1", n.meaning(f"bioavailable fraction of {route} doses")),
        ),
        fluxes=(
            Flux(n(f"absorbed_{route}"), f"{F}*{ka}*{depot}", "mg/h", depot, n(into)),
            Flux(n(f"lost_{route}"), f"(1 - {F})*{ka}*{depot}", "mg/h", depot, lost),
        ),
        dose_targets=((n(route), depot),),
    )


def parallel_depot(route: str = "im", *, into: str = "A_venous", compound: str = "") -> Module:
    """Two parallel first-order processes: a fraction ``fast`` of the dose is released at kfast, the rest at kslow.

    A dose of D releases D (fast kfast exp(-kfast t) + (1 - fast) kslow exp(-kslow t)), of which F reaches ``into``.
    A dose goes to one state only, so the two exponentials are written as the equivalent chain: the first state loses
    fast kfast + (1 - fast) kslow to release and (1 - fast) (kfast - kslow) to the second, which releases at kslow (the
    two systems have the same Laplace transform; the test shows it). The states of the chain are therefore not the
    contents of two pools, but their sum is what is left at the site. Meant for kfast > kslow; otherwise the release is
    still the formula's, but the second state is negative.
    """
    n = Names(compound)
    depot, slow, lost = n(f"A_{route}"), n(f"A_{route}_slow"), n(f"A_{route}_lost")
    kfast, kslow = n(f"kfast_{route}"), n(f"kslow_{route}")
    fast, F = n(f"fast_{route}"), n(f"F_{route}")
    early = f"({fast}*{kfast} + (1 - {fast})*{kslow})*{depot}"
    late = f"{kslow}*{slow}"
    return Module(
        name=n(f"depot_{route}"),
        states=(
            State(depot, "mg", n.meaning(f"amount in the first stage of the {route} depot"), conserved=True),
            State(slow, "mg", n.meaning(f"amount in the second stage of the {route} depot"), conserved=True),
            State(lost, "mg", n.meaning(f"amount degraded at the {route} site"), conserved=True),
        ),
        parameters=(
            Parameter(kfast, "1/h", n.meaning(f"fast release rate of the {route} depot")),
            Parameter(kslow, "1/h", n.meaning(f"slow release rate of the {route} depot")),
            Parameter(fast, "1", n.meaning(f"fraction of a {route} dose that is released fast")),
            Parameter(F, "1", n.meaning(f"bioavailable fraction of {route} doses")),
        ),
        fluxes=(
            Flux(n(f"absorbed_{route}"), f"{F}*{early}", "mg/h", depot, n(into)),
            Flux(n(f"lost_{route}"), f"(1 - {F})*{early}", "mg/h", depot, lost),
            Flux(n(f"retained_{route}"), f"(1 - {fast})*({kfast} - {kslow})*{depot}", "mg/h", depot, slow),
            Flux(n(f"absorbed_{route}_slow"), f"{F}*{late}", "mg/h", slow, n(into)),
            Flux(n(f"lost_{route}_slow"), f"(1 - {F})*{late}", "mg/h", slow, lost),
        ),
        dose_targets=((n(route), depot),),
    )
