"""The whole-body PBPK model as modules that compose into one ODE system.

Amounts in mg, hours, litres; blood concentrations; binding sites in µmol/L. Perfusion-limited organs:
V dC/dt = Q (C_arterial - E), with E = C B_P / Kp the concentration in the blood that leaves the organ.
Fifteen named compartments (lung, adipose, bone, brain, gut, heart, kidney, liver, muscle, pancreas,
skin, spleen, thyroid, venous, arterial) and ``rest``, so that flows and mass close: the liver receives
its artery and the outflow of gut, spleen and pancreas, and cardiac output is the sum of all branches.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, Port, State, compose

PORTAL = ("gut", "spleen", "pancreas")
SYSTEMIC = ("adipose", "bone", "brain", "heart", "kidney", "liver", "muscle", "skin", "thyroid", "rest")
TISSUES = ("lung", *SYSTEMIC, *PORTAL)
COMPARTMENTS = (*TISSUES, "venous", "arterial")
N_TRANSIT = 4

#: Individual parameters that inference estimates; the engines carry tangents for them in this order.
INDIVIDUAL = ("f_CYP2D6", "f_other", "Kp_scale", "MTT")


def organ(name: str) -> Module:
    """A perfusion-limited tissue between artery and vein (or liver, for the portal organs)."""
    inflow, target = ("C_arterial", "A_venous")
    if name == "lung":
        inflow, target = "C_venous", "A_arterial"
    elif name in PORTAL:
        target = "A_liver"
    source = "A_venous" if name == "lung" else "A_arterial"
    # the liver drains its artery and the portal organs
    drain = " + ".join(f"Q_{o}" for o in ("liver", *PORTAL)) if name == "liver" else f"Q_{name}"
    needs = [Port("B_P", "1"), Port("Kp_scale", "1"), Port(inflow, "mg/L")]
    if name == "liver":
        needs += [Port(f"Q_{o}", "L/h") for o in PORTAL]
    return Module(
        name=name,
        states=(State(f"A_{name}", "mg", f"amount in {name}", conserved=True),),
        parameters=(
            Parameter(f"V_{name}", "L", f"volume of {name}"),
            Parameter(f"Q_{name}", "L/h", f"arterial blood flow to {name}" if name != "lung" else "cardiac output"),
            Parameter(f"Kp_{name}", "1", f"{name}:plasma partition coefficient"),
        ),
        definitions=(
            Definition(f"C_{name}", f"A_{name}/V_{name}", "mg/L", f"concentration in {name}"),
            Definition(f"E_{name}", f"A_{name}/V_{name}*B_P/(Kp_{name}*Kp_scale)", "mg/L", f"blood leaving {name}"),
        ),
        fluxes=(
            Flux(f"into_{name}", f"Q_{name}*{inflow}", "mg/h", source, f"A_{name}"),
            Flux(f"out_of_{name}", f"({drain})*E_{name}", "mg/h", f"A_{name}", target),
        ),
        needs=tuple(needs),
    )


def blood() -> Module:
    """Venous and arterial pools, blood:plasma ratio and the plasma concentration that is measured."""
    return Module(
        name="blood",
        states=(
            State("A_venous", "mg", "amount in venous blood", conserved=True),
            State("A_arterial", "mg", "amount in arterial blood", conserved=True),
            State("AUC", "mg*h/L", "area under the venous plasma concentration"),
        ),
        parameters=(
            Parameter("V_venous", "L", "venous blood volume"),
            Parameter("V_arterial", "L", "arterial blood volume"),
            Parameter("B_P", "1", "blood:plasma concentration ratio"),
            Parameter("fu_p", "1", "fraction unbound in plasma"),
            Parameter("Kp_scale", "1", "common factor on all tissue:plasma partition coefficients"),
        ),
        definitions=(
            Definition("C_venous", "A_venous/V_venous", "mg/L", "venous blood concentration"),
            Definition("C_arterial", "A_arterial/V_arterial", "mg/L", "arterial blood concentration"),
            Definition("C_plasma", "A_venous/(V_venous*B_P)", "mg/L", "venous plasma concentration"),
        ),
        fluxes=(Flux("auc", "A_venous/(V_venous*B_P)", "mg/L", None, "AUC"),),
        dose_targets=(("iv", "A_venous"),),
    )


def absorption() -> Module:
    """Oral absorption by a chain of transit compartments into the gut tissue.

    Savic et al. 2007, J Pharmacokinet Pharmacodyn 34:711, doi 10.1007/s10928-007-9066-0; mean transit
    time MTT = n/ktr.
    """
    chain = [f"A_transit{i}" for i in range(1, N_TRANSIT + 1)]
    ktr = f"{N_TRANSIT}/MTT"
    fluxes = [Flux(f"transit{i}", f"{ktr}*{a}", "mg/h", a, b) for i, (a, b) in enumerate(pairwise(chain), start=1)]
    fluxes += [
        Flux("absorbed", f"F_a*{ktr}*{chain[-1]}", "mg/h", chain[-1], "A_gut"),
        Flux("not_absorbed", f"(1 - F_a)*{ktr}*{chain[-1]}", "mg/h", chain[-1], "A_faeces"),
    ]
    return Module(
        name="absorption",
        states=(
            *(State(c, "mg", "amount on its way to the gut wall", conserved=True) for c in chain),
            State("A_faeces", "mg", "amount not absorbed", conserved=True),
        ),
        parameters=(
            Parameter("MTT", "h", "mean transit time of oral absorption"),
            Parameter("F_a", "1", "fraction absorbed"),
        ),
        fluxes=tuple(fluxes),
        dose_targets=(("oral", chain[0]),),
    )


def elimination() -> Module:
    """Hepatic metabolism by CYP2D6 (saturable) and by everything else (linear), renal filtration.

    CYP2D6 turns over and is inactivated by its substrate (mechanism-based inactivation):
    dE/dt = kdeg (1 - E) - kinact Cu/(KI + Cu) E, E relative to the uninhibited enzyme.
    Renal: fu_p GFR from arterial plasma entering the kidney.
    """
    return Module(
        name="elimination",
        states=(
            State("E_CYP2D6", "1", "active hepatic CYP2D6 relative to the uninhibited state", initial=1.0),
            State("A_met_CYP2D6", "mg", "amount metabolised by CYP2D6", conserved=True),
            State("A_met_other", "mg", "amount metabolised by other hepatic routes", conserved=True),
            State("A_urine", "mg", "amount filtered into urine", conserved=True),
        ),
        parameters=(
            Parameter("MW", "g/mol", "molar mass"),
            Parameter("Vmax_CYP2D6", "umol/h", "maximal rate of the whole liver's CYP2D6 at activity score 2"),
            Parameter("Km_CYP2D6", "umol/L", "Michaelis constant (unbound)"),
            Parameter("f_CYP2D6", "1", "individual CYP2D6 activity relative to activity score 2"),
            Parameter("CLint_other", "L/h", "unbound intrinsic clearance of the other hepatic routes"),
            Parameter("f_other", "1", "individual factor on CLint_other"),
            Parameter("kdeg_CYP2D6", "1/h", "degradation rate of CYP2D6"),
            Parameter("kinact_CYP2D6", "1/h", "maximal inactivation rate"),
            Parameter("KI_CYP2D6", "umol/L", "unbound concentration of half-maximal inactivation"),
            Parameter("GFR", "L/h", "glomerular filtration rate"),
        ),
        definitions=(
            Definition("Cu_mg", "fu_p*A_liver/(V_liver*Kp_liver*Kp_scale)", "mg/L", "unbound liver concentration"),
            Definition("Cu", "1000*Cu_mg/MW", "umol/L", "unbound liver concentration"),
        ),
        fluxes=(
            Flux(
                "met_CYP2D6",
                "f_CYP2D6*E_CYP2D6*Vmax_CYP2D6*Cu/(Km_CYP2D6 + Cu)*MW/1000",
                "mg/h",
                "A_liver",
                "A_met_CYP2D6",
            ),
            Flux("met_other", "f_other*CLint_other*Cu_mg", "mg/h", "A_liver", "A_met_other"),
            Flux("filtration", "fu_p*GFR*C_arterial/B_P", "mg/h", "A_arterial", "A_urine"),
            Flux("synthesis_CYP2D6", "kdeg_CYP2D6", "1/h", None, "E_CYP2D6"),
            Flux("degradation_CYP2D6", "kdeg_CYP2D6*E_CYP2D6", "1/h", "E_CYP2D6", None),
            Flux("inactivation_CYP2D6", "kinact_CYP2D6*Cu/(KI_CYP2D6 + Cu)*E_CYP2D6", "1/h", "E_CYP2D6", None),
        ),
        needs=(
            Port("fu_p", "1"),
            Port("B_P", "1"),
            Port("Kp_scale", "1"),
            Port("A_liver", "mg"),
            Port("V_liver", "L"),
            Port("Kp_liver", "1"),
            Port("C_arterial", "mg/L"),
        ),
    )


#: states that only keep accounts (nothing depends on them) and what fills them
ACCOUNTS = ("AUC", "A_faeces", "A_met_CYP2D6", "A_met_other", "A_urine")


@lru_cache(maxsize=2)
def whole_body() -> Model:
    """The composed model; observables: C_plasma (mg/L), AUC (mg h/L), E_CYP2D6 (1)."""
    modules = [absorption(), *(organ(t) for t in TISSUES), blood(), elimination()]
    return compose("whole_body", modules, ["C_plasma", "AUC", "E_CYP2D6"], sensitivities=INDIVIDUAL)


@lru_cache(maxsize=1)
def whole_body_for_fit() -> Model:
    """The same model without the accounting states: the same concentrations, a fifth fewer equations."""
    return whole_body().without(ACCOUNTS)


def mass(model: Model, state: list[float]) -> float:
    """Total amount (mg) in all conserved states: must equal the dose given so far."""
    return float(sum(v for s, v in zip(model.states, state, strict=True) if s.conserved))
