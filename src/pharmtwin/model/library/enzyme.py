"""Enzymes as states: turnover, mechanism-based inactivation, induction."""

from __future__ import annotations

from pharmtwin.model.description import Definition, Flux, Module, Parameter, Port, State
from pharmtwin.model.library.naming import Names


def constant_enzyme(enzyme: str) -> Module:
    """An enzyme (or transporter) that nobody inactivates or induces: E is 1 and needs no state; f as in turnover."""
    f = Parameter(f"f_{enzyme}", "1", f"individual {enzyme} activity relative to the reference")
    level = Definition(f"E_{enzyme}", "1", "1", f"active {enzyme} relative to the undisturbed state")
    return Module(name=enzyme, parameters=(f,), definitions=(level,))


def enzyme_turnover(
    enzyme: str,
    *,
    inactivated_by: tuple[str, ...] = (),
    induced_by: tuple[str, ...] = (),
    concentration: str = "Cu",
) -> Module:
    """An enzyme E, relative to its undisturbed level 1, with the individual's activity f.

    dE/dt = kdeg (1 + sum Emax I/(EC50 + I)) - kdeg E - sum kinact I/(KI + I) E, I the unbound concentration at the
    enzyme (umol/L). Inactivators and inducers add up. Under a constant inactivator E falls to
    kdeg/(kdeg + kinact I/(KI + I)). Mayhew, Jones and Hall 2000, Drug Metab Dispos 28:1031; Fahmi et al. 2009, Drug
    Metab Dispos 37:1658, doi 10.1124/dmd.108.026252.

    Parameters
    ----------
    enzyme : name of the enzyme; one state serves all compounds (a gut enzyme is another enzyme: ``CYP3A4_gut``).
    inactivated_by, induced_by : compounds by their suffix (``""`` is the compound without one).
    concentration : name of the unbound concentration (umol/L) at this enzyme, without the compounds' suffix.
    """
    E, kdeg = f"E_{enzyme}", f"kdeg_{enzyme}"
    parameters = [
        Parameter(f"f_{enzyme}", "1", f"individual {enzyme} activity relative to the reference"),
        Parameter(kdeg, "1/h", f"degradation rate of {enzyme}"),
    ]
    losses = [Flux(f"degradation_{enzyme}", f"{kdeg}*{E}", "1/h", E, None)]
    for compound in inactivated_by:
        n = Names(compound)
        Cu, kinact, KI = n(concentration), n(f"kinact_{enzyme}"), n(f"KI_{enzyme}")
        parameters += [
            Parameter(kinact, "1/h", n.meaning("maximal inactivation rate")),
            Parameter(KI, "umol/L", n.meaning("unbound concentration of half-maximal inactivation")),
        ]
        losses.append(Flux(n(f"inactivation_{enzyme}"), f"{kinact}*{Cu}/({KI} + {Cu})*{E}", "1/h", E, None))
    synthesis = []
    for compound in induced_by:
        n = Names(compound)
        Cu, Emax, EC50 = n(concentration), n(f"Emax_{enzyme}"), n(f"EC50_{enzyme}")
        parameters += [
            Parameter(Emax, "1", n.meaning(f"maximal induction of {enzyme} (1: the synthesis doubles)")),
            Parameter(EC50, "umol/L", n.meaning("unbound concentration of half-maximal induction")),
        ]
        synthesis.append(f"{Emax}*{Cu}/({EC50} + {Cu})")
    rate = f"{kdeg}*({' + '.join(['1', *synthesis])})" if synthesis else kdeg
    compounds = dict.fromkeys((*inactivated_by, *induced_by))
    return Module(
        name=enzyme,
        states=(State(E, "1", f"active {enzyme} relative to the undisturbed state", initial=1.0),),
        parameters=tuple(parameters),
        fluxes=(Flux(f"synthesis_{enzyme}", rate, "1/h", None, E), *losses),
        needs=tuple(Port(Names(c)(concentration), "umol/L") for c in compounds),
    )
