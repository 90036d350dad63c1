"""Binding: to plasma proteins (linear or saturable), and to a target that turns over (QSS TMDD)."""

from __future__ import annotations

from pharmtwin.model.description import Definition, Flux, Module, Parameter, Port, State
from pharmtwin.model.library.naming import Names


def linear_plasma_binding(*, compound: str = "") -> Module:
    """A constant fraction unbound in plasma, fu_p: concentrations far below the capacity of the binding proteins."""
    n = Names(compound)
    return Module(
        name=n("plasma_binding"), parameters=(Parameter(n("fu_p"), "1", n.meaning("fraction unbound in plasma")),)
    )


def saturable_plasma_binding(*, compound: str = "") -> Module:
    """fu_p = 1/(1 + NS + Bmax/(Kd + Cu)) with one saturable class of sites and linear binding NS beside it.

    Total plasma C = Cu (1 + NS) + Bmax Cu/(Kd + Cu), solved for the unbound Cu (umol/L; the positive root of a
    quadratic). fu_p follows the venous plasma concentration. Partition coefficients and B_P stay as given: the model
    holds where binding in tissue saturates alongside, and for moderate saturation. As C falls,
    fu_p -> 1/(1 + NS + Bmax/Kd).
    """
    n = Names(compound)
    C, Cu, fu = n("C_plasma_umol"), n("Cu_bindable"), n("fu_p")
    Bmax, Kd, NS, MW = n("Bmax_plasma"), n("Kd_plasma"), n("NS_plasma"), n("MW")
    rest = n("excess_over_sites")
    # (C - Bmax - (1 + NS) Kd)^2 + 4 (1 + NS) Kd C is the same number, but can round below zero
    root = f"sqrt(({C} - {Bmax} + (1 + {NS})*{Kd})**2 + 4*(1 + {NS})*{Bmax}*{Kd})"
    return Module(
        name=n("plasma_binding"),
        parameters=(
            Parameter(Bmax, "umol/L", n.meaning("concentration of saturable binding sites in plasma")),
            Parameter(Kd, "umol/L", n.meaning("dissociation constant of the saturable sites")),
            Parameter(NS, "1", n.meaning("ratio bound:unbound of linear binding in plasma")),
        ),
        definitions=(
            Definition(C, f"1000*{n('C_plasma')}/{MW}", "umol/L", n.meaning("total venous plasma concentration")),
            Definition(rest, f"{C} - {Bmax} - (1 + {NS})*{Kd}", "umol/L", n.meaning("drug beyond sites and Kd")),
            Definition(
                Cu, f"({rest} + {root})/(2*(1 + {NS}))", "umol/L", n.meaning("unbound venous plasma concentration")
            ),
            Definition(fu, f"1/(1 + {NS} + {Bmax}/({Kd} + {Cu}))", "1", n.meaning("fraction unbound in plasma")),
        ),
        needs=(Port(n("C_plasma"), "mg/L"), Port(MW, "g/mol")),
    )


def target_binding_qss(
    site: str = "target", *, exchanges_with_plasma: bool = True, route: str = "", compound: str = ""
) -> Module:
    """Target-mediated disposition in the quasi-steady-state approximation, in a space of its own.

    The space holds the total drug Ctot (free and bound) and the target R, relative to its undisturbed level R0:
    C = ((Ctot - Rtot - Kss) + sqrt((Ctot - Rtot - Kss)^2 + 4 Kss Ctot))/2, occupancy RO = C/(Kss + C),
    dR/dt = kdeg - kdeg R - (kint - kdeg) R RO, drug is lost by internalisation, kint Rtot RO; Kss = (koff + kint)/kon.
    Gibiansky et al. 2008, J Pharmacokinet Pharmacodyn 35:573, doi 10.1007/s10928-008-9102-8.

    Parameters
    ----------
    site : name of the space. exchanges_with_plasma : free drug exchanges with unbound venous plasma at PS (L/h).
    route : if given, doses of this route go into the space (the central compartment of a biologic).
    """
    n = Names(compound)
    A, R, gone = n(f"A_{site}"), n(f"R_{site}"), n(f"A_{site}_internalised")
    V, PS, R0, Kss = n(f"V_{site}"), n(f"PS_{site}"), n(f"R0_{site}"), n(f"Kss_{site}")
    kdeg, kint, MW = n(f"kdeg_{site}"), n(f"kint_{site}"), n("MW")
    Ctot, Rtot, excess, root = n(f"Ctot_{site}"), n(f"Rtot_{site}"), n(f"excess_{site}"), n(f"root_{site}")
    C, RO, plasma = n(f"C_{site}"), n(f"RO_{site}"), n("Cu_plasma_mg")
    parameters = [
        Parameter(V, "L", n.meaning(f"volume of {site}")),
        Parameter(R0, "umol/L", n.meaning(f"undisturbed concentration of {site}")),
        Parameter(Kss, "umol/L", n.meaning("quasi-steady-state constant")),
        Parameter(kdeg, "1/h", n.meaning(f"degradation rate of free {site}")),
        Parameter(kint, "1/h", n.meaning("internalisation rate of the complex")),
    ]
    fluxes = [
        Flux(n(f"internalised_{site}"), f"{kint}*{Rtot}*{RO}*{V}*{MW}/1000", "mg/h", A, gone),
        Flux(n(f"synthesis_{site}"), kdeg, "1/h", None, R),
        Flux(n(f"degradation_{site}"), f"{kdeg}*{R}*(1 - {RO})", "1/h", R, None),
        Flux(n(f"internalisation_{site}"), f"{kint}*{R}*{RO}", "1/h", R, None),
    ]
    needs = [Port(MW, "g/mol")]
    if exchanges_with_plasma:
        parameters.append(Parameter(PS, "L/h", n.meaning(f"exchange of unbound drug between plasma and {site}")))
        fluxes += [
            Flux(n(f"into_{site}"), f"{PS}*{plasma}", "mg/h", n("A_venous"), A),
            Flux(n(f"out_of_{site}"), f"{PS}*{C}*{MW}/1000", "mg/h", A, n("A_venous")),
        ]
        needs.append(Port(plasma, "mg/L"))
    return Module(
        name=n(f"binding_{site}"),
        states=(
            State(A, "mg", n.meaning(f"amount of drug, free and bound, in {site}"), conserved=True),
            State(R, "1", n.meaning(f"total {site} relative to the undisturbed state"), initial=1.0),
            State(gone, "mg", n.meaning(f"amount of drug internalised with {site}"), conserved=True),
        ),
        parameters=tuple(parameters),
        definitions=(
            Definition(Ctot, f"1000*{A}/({V}*{MW})", "umol/L", n.meaning(f"total drug in {site}")),
            Definition(Rtot, f"{R0}*{R}", "umol/L", n.meaning(f"total {site}, free and bound")),
            Definition(excess, f"{Ctot} - {Rtot} - {Kss}", "umol/L", n.meaning(f"drug beyond {site} and Kss")),
            # the same number as sqrt(excess^2 + 4 Kss Ctot), but it cannot round below zero
            Definition(
                root,
                f"sqrt(({Ctot} - {Rtot} + {Kss})**2 + 4*{Kss}*{Rtot})",
                "umol/L",
                n.meaning("square root of the binding quadratic"),
            ),
            # two forms of one root: each is free of cancellation on its own side
            Definition(
                C,
                f"piecewise(({excess} + {root})/2, {excess} > 0, 2*{Kss}*{Ctot}/({root} - {excess}))",
                "umol/L",
                n.meaning(f"free drug in {site}"),
            ),
            Definition(RO, f"{C}/({Kss} + {C})", "1", n.meaning(f"occupancy of {site}")),
        ),
        fluxes=tuple(fluxes),
        needs=tuple(needs),
        dose_targets=((n(route), A),) if route else (),
    )
