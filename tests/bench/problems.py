"""Two problems for measurements of speed: a body of 30 states, and a victim with an inhibitor in one body, 58 states.

Seven days of doses every 12 h (14 doses) with a record every 15 min (673). The 30 states are the gut lumen (solid,
dissolved, six segments of the small bowel, colon), enterocytes, 13 tissues, venous and arterial blood, CYP3A4 of liver
and gut (both induced by the drug), and three accounts. The liver metabolises by three saturable paths and a linear one,
the enterocytes by a saturable one, the kidney excretes. The second problem puts two such compounds into one body with
the same two enzymes: the inhibitor inactivates them and competes with the victim.

The numbers are round ones of the order of a man's physiology and of a typical basic drug, chosen for these problems; no
result of a study rests on them. Patients are log-normal around them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import Batch, Dose, pack
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, Port, State, compose
from pharmtwin.model.library import (
    Names,
    area_under_curve,
    blood,
    competitive_inhibition,
    enzyme_turnover,
    linear_plasma_binding,
    lung,
    molar_mass,
    perfusion_limited_organ,
    unbound_tissue,
    well_stirred_liver,
)

Floats = NDArray[np.float64]
Values = dict[str, Floats]

PORTAL = ("gut", "spleen", "pancreas")
#: tissue: volume (L), share of cardiac output, tissue:plasma partition coefficient
TISSUES = {
    "lung": (0.5, 1.0, 1.0), "adipose": (15.0, 0.05, 10.0), "bone": (10.0, 0.05, 0.8), "brain": (1.45, 0.12, 1.5),
    "gut": (1.2, 0.15, 2.0), "heart": (0.33, 0.04, 2.0), "kidney": (0.31, 0.19, 3.0), "liver": (1.8, 0.065, 4.0),
    "muscle": (29.0, 0.229, 2.0), "pancreas": (0.14, 0.01, 2.0), "skin": (3.3, 0.05, 2.0), "spleen": (0.15, 0.03, 2.0),
    "thyroid": (0.02, 0.016, 2.0),
}  # fmt: skip
#: absorption from each segment of the small bowel relative to the first
SEGMENTS = (1.0, 1.0, 0.9, 0.7, 0.5, 0.3)
ENZYMES = {"CYP3A4": ("Cu", 0.0193), "CYP3A4_gut": ("Cu_gut", 0.03)}  # unbound concentration, kdeg (1/h)
SENSITIVITIES = ("Vmax1", "Km1", "Vmax2", "CLint", "CLR", "kge", "ka", "Kp_muscle")
DOSES, TAU, RECORDS = 14, 12.0, 673


def lumen(compound: str = "") -> Module:
    """Dissolution, emptying of the stomach, transit through six segments with absorption into the enterocytes."""
    n = Names(compound)
    small = [n(f"A_bowel{i}") for i in range(1, len(SEGMENTS) + 1)]
    names = [n("A_solid"), n("A_dissolved"), *small, n("A_colon")]
    fluxes = [
        Flux(n("dissolution"), f"{n('kdiss')}*{n('A_solid')}", "mg/h", n("A_solid"), n("A_dissolved")),
        Flux(n("emptying"), f"{n('kge')}*{n('A_dissolved')}", "mg/h", n("A_dissolved"), small[0]),
    ]
    for i, (state, following, share) in enumerate(zip(small, [*small[1:], n("A_colon")], SEGMENTS), start=1):
        fluxes += [
            Flux(n(f"transit{i}"), f"{n('kt')}*{state}", "mg/h", state, following),
            Flux(n(f"absorbed{i}"), f"{share}*{n('ka')}*{state}", "mg/h", state, n("A_enterocyte")),
        ]
    return Module(
        name=n("lumen"),
        states=tuple(State(a, "mg", "amount in the gut lumen", conserved=True) for a in names),
        parameters=tuple(Parameter(n(k), "1/h", "rate of the gut lumen") for k in ("kdiss", "kge", "kt", "ka")),
        fluxes=tuple(fluxes),
        dose_targets=((n("oral"), n("A_solid")),),
    )


def elimination(compound: str = "", inhibited: bool = False) -> Module:
    """Enterocytes (saturable metabolism, the rest goes to the liver), liver (four paths), kidney; two accounts."""
    n = Names(compound)
    ent, met, liver, Cu, Cg = n("A_enterocyte"), n("A_met"), n("A_liver"), n("Cu"), n("Cu_gut")
    raised = {e: f"*{n(f'competitive_{e}')}" if inhibited else "" for e in ENZYMES}
    paths = {
        "path1": f"{n('Vmax1')}*E_CYP3A4*{Cu}/({n('Km1')}{raised['CYP3A4']} + {Cu})",
        "path2": f"{n('Vmax2')}*{Cu}/({n('Km2')} + {Cu})",
        "path3": f"{n('Vmax3')}*{Cu}/({n('Km3')} + {Cu}*(1 + {n('Km3')}/{n('Ki3')}))",
        "path4": f"{n('CLint')}*{Cu}",
    }
    gut = f"{n('Vmax_gut')}*E_CYP3A4_gut*{Cg}/({n('Km_gut')}{raised['CYP3A4_gut']} + {Cg})"
    units = {"Vmax1": "mg/h", "Km1": "mg/L", "Vmax2": "mg/h", "Km2": "mg/L", "Vmax3": "mg/h", "Km3": "mg/L",
             "Ki3": "mg/L", "CLint": "L/h", "CLR": "L/h", "Vmax_gut": "mg/h", "Km_gut": "mg/L",
             "fu_per_V_enterocyte": "1/L", "k_enterocyte": "1/h"}  # fmt: skip
    needs = [Port(Cu, "umol/L"), Port(n("Cu_mg_kidney"), "mg/L"), *(Port(f"E_{e}", "1") for e in ENZYMES)]
    if inhibited:
        needs += [Port(n(f"competitive_{e}"), "1") for e in ENZYMES]
    return Module(
        name=n("elimination"),
        states=(
            State(ent, "mg", "amount in the enterocytes", conserved=True),
            State(met, "mg", "amount metabolised", conserved=True),
            State(n("A_urine"), "mg", "amount excreted", conserved=True),
        ),
        parameters=tuple(Parameter(n(k), unit, "elimination") for k, unit in units.items()),
        definitions=(
            # the molar mass of these problems is 1000 g/mol: a mg/L is a umol/L
            Definition(Cg, f"{ent}*{n('fu_per_V_enterocyte')}", "umol/L", "unbound enterocyte concentration"),
        ),
        fluxes=(
            Flux(n("to_liver"), f"{n('k_enterocyte')}*{ent}", "mg/h", ent, liver),
            Flux(n("gut_metabolism"), gut, "mg/h", ent, met),
            *(Flux(n(name), rate, "mg/h", liver, met) for name, rate in paths.items()),
            Flux(n("renal"), f"{n('CLR')}*{n('Cu_mg_kidney')}", "mg/h", n("A_kidney"), n("A_urine")),
        ),
        needs=tuple(needs),
    )


def one_compound(compound: str = "", inhibited: bool = False) -> list[Module]:
    """All modules of one compound but the enzymes; the first compound owns the body."""
    common: dict[str, Any] = {"compound": compound, "shares_body": bool(compound)}
    body = [lung(**common)]
    for organ in list(TISSUES)[1:]:
        if organ == "liver":
            body.append(well_stirred_liver(PORTAL, **common))
        else:
            drains = "liver" if organ in PORTAL else "venous"
            body.append(perfusion_limited_organ(organ, outflow=drains, **common))
    return [
        lumen(compound),
        *body,
        blood(**common),
        linear_plasma_binding(compound=compound),
        molar_mass(compound=compound),
        unbound_tissue("liver", compound=compound),
        unbound_tissue("kidney", mass="Cu_mg_kidney", molar="Cu_kidney", compound=compound),
        elimination(compound, inhibited),
        area_under_curve("C_venous", compound=compound),
    ]


def body_model() -> Model:
    """30 states; observable: venous concentration (mg/L); tangents for :data:`SENSITIVITIES`."""
    enzymes = [enzyme_turnover(e, induced_by=("",), concentration=c) for e, (c, _) in ENZYMES.items()]
    return compose("bench_30", [*one_compound(), *enzymes], ["C_venous"], SENSITIVITIES)


def interaction_model() -> Model:
    """58 states; observables: venous concentrations of victim and inhibitor; tangents as in the first problem."""
    shared = [
        enzyme_turnover(e, induced_by=("",), inactivated_by=("inh",), concentration=c) for e, (c, _) in ENZYMES.items()
    ]
    shared += [competitive_inhibition(e, ("inh",), concentration=c) for e, (c, _) in ENZYMES.items()]
    modules = [*one_compound(inhibited=True), *one_compound("inh"), *shared]
    return compose("bench_58", modules, ["C_venous", "C_venous_inh"], SENSITIVITIES)


Draw = Callable[..., Floats]


def _draws(n: int, rng: np.random.Generator) -> Draw:
    """``draw(sd)``: n log-normal factors around 1."""
    return lambda sd=0.3: np.exp(sd * rng.standard_normal(n))


def body_values(draw: Draw) -> Values:
    """Volumes (L), flows (L/h) of n patients."""
    weight = draw(0.2)
    output = 390.0 * weight**0.75 * draw(0.15)
    values = {f"V_{t}": v * weight * draw(0.15) for t, (v, _, _) in TISSUES.items()}
    values |= {f"Q_{t}": output * q for t, (_, q, _) in TISSUES.items()}
    return values | {"V_venous": 3.6 * weight, "V_arterial": 1.8 * weight}


def drug_values(draw: Draw, like: Floats) -> Values:
    """Values of one compound in n patients (``like`` is any array of n)."""
    one = np.ones_like(like)
    lipids = draw(0.3)  # fat and brain vary together
    values = {
        f"Kp_{t}": k * draw(0.2) * (lipids if t in ("adipose", "brain") else one) for t, (_, _, k) in TISSUES.items()
    }
    values |= {"fu_p": 0.1 * draw(0.2), "Vmax1": 40 * draw(0.4), "Vmax2": 15 * draw(0.4), "Vmax3": 10 * draw(0.4)}
    values |= {"CLint": 20 * draw(), "CLR": 6 * draw(), "Vmax_gut": 5 * draw(0.4), "k_enterocyte": 36 * draw(0.2)}
    values |= {"kdiss": 4 * draw(), "kge": 2 * draw(), "kt": 2.1 * draw(0.15), "ka": 1.5 * draw()}
    fixed = {"Km1": 0.02, "Km2": 0.1, "Km3": 0.2, "Ki3": 0.5, "Km_gut": 0.5, "fu_per_V_enterocyte": 0.2, "B_P": 1.0,
             "Kp_scale": 1.0, "MW": 1000.0}  # fmt: skip
    return values | {k: v * one for k, v in fixed.items()}


def enzyme_values(like: Floats, inactivated: bool) -> Values:
    """Turnover, induction and (by the inhibitor) inactivation and competition at both enzymes."""
    values: Values = {}
    for enzyme, (_, kdeg) in ENZYMES.items():
        fixed = {"f": 1.0, "kdeg": kdeg, "Emax": 5.0, "EC50": 0.03}
        values |= {f"{k}_{enzyme}": v * np.ones_like(like) for k, v in fixed.items()}
        if inactivated:
            perpetrator = {"kinact": 0.5, "KI": 0.3, "Kic": 0.05}
            values |= {f"{k}_{enzyme}_inh": v * np.ones_like(like) for k, v in perpetrator.items()}
    return values


@dataclass(frozen=True)
class Problem:
    """A problem: its model, patients and runs."""

    name: str
    build: Callable[[], Model]
    compounds: tuple[str, ...]

    @cached_property
    def _model(self) -> Model:
        return self.build()

    def model(self) -> Model:
        """The model, composed once."""
        return self._model

    def patients(self, n: int, seed: int = 1) -> Floats:
        """Parameters of n patients, (n, n_parameters) in the model's order."""
        draw = _draws(n, np.random.default_rng(seed))
        values = body_values(draw)
        like = values["V_venous"]
        for compound in self.compounds:
            values |= {Names(compound)(k): v for k, v in drug_values(draw, like).items()}
        values |= enzyme_values(like, inactivated=len(self.compounds) > 1)
        names = self.model().parameter_names
        if sorted(values) != sorted(names):
            raise ValueError(f"values and parameters of {self.name} differ: {sorted(set(values) ^ set(names))}")
        return np.column_stack([values[name] for name in names])

    def doses(self, amount: float = 100.0) -> list[Dose]:
        """The regimen: every compound by mouth every 12 h for 7 days."""
        return [Dose(TAU * k, amount, Names(c)("oral")) for k in range(DOSES) for c in self.compounds]

    def times(self) -> Floats:
        """The records: every 15 min for 7 days."""
        return np.linspace(0.0, TAU * DOSES, RECORDS)

    def batch(self, patients: Floats) -> Batch:
        """The runs of these patients."""
        n = len(patients)
        return pack(self.model(), patients, [self.doses()] * n, [self.times()] * n)


PROBLEMS = {
    "30 states": Problem("30 states", body_model, ("",)),
    "58 states": Problem("58 states", interaction_model, ("", "inh")),
}
