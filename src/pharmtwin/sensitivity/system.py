"""Drug files of schema 2 as a subject: one person, one dosed drug, its compounds, enzymes, gut, and company.

Uncertain are: every value of the drug files with a ``cv`` and every one with ``between_subject``; enzyme turnover;
enzymes and transporters between people; genotype where its activities are given; tissue:plasma ratios; organ volumes,
flows, GFR; the gut; adherence. The declarations are those that ``pharmtwin qualify`` draws its intervals from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.exposure import NG_ML
from pharmtwin.core.gut import Gut, gut
from pharmtwin.drugs.parameters import parameter_vector
from pharmtwin.drugs.places import site
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.system import System, build, parts_of
from pharmtwin.drugs.values import Scales, scaled
from pharmtwin.engine.run import Dose
from pharmtwin.sensitivity.outputs import Output, Window, observing
from pharmtwin.sensitivity.subject import Subject, boluses, select
from pharmtwin.uncertainty.body import anatomy_inputs, bodies
from pharmtwin.uncertainty.declared import declared_inputs
from pharmtwin.uncertainty.drugs import (
    between_inputs,
    molecule_inputs,
    organ_inputs,
    turnover_inputs,
    value_inputs,
)
from pharmtwin.uncertainty.inputs import Input, Law, dummy
from pharmtwin.uncertainty.spread import Spread, shipped_spread

Floats = NDArray[np.float64]
CONCENTRATION = "C_plasma"
GUT = ("gut.residence", "gut.emptying")


def system_inputs(
    drugs: Sequence[Drug],
    body: Mapping[str, float],
    *,
    genotypes: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    spread: Spread | None = None,
) -> tuple[Input, ...]:
    """Everything that is uncertain about drugs in a person, and the dummy.

    genotypes : molecule -> (activity relative to the reference diplotype, probability); a molecule with one activity
        is known.
    """
    spread = spread or shipped_spread()
    known = genotypes or {}
    genotype = [
        Input(f"genotype.{m}", Law("discrete", tuple(x for pair in sorted(p) for x in pair)), "genotype", m, "given",
              meaning=f"activity of {m} by diplotype, relative to the reference diplotype")
        for m, p in sorted(known.items())
        if len(p) > 1
    ]  # fmt: skip
    gfr = next(i for i in organ_inputs(spread) if i.acts_on == "GFR")
    declared = declared_inputs("system")
    inputs: list[Input] = []
    for drug in drugs:
        inputs += [*value_inputs(drug), *between_inputs(drug)]
    return (
        *inputs,
        *turnover_inputs(drugs, spread),
        *molecule_inputs(drugs, spread, known),
        *genotype,
        *(i for i in declared if i.kind == "drug"),
        *anatomy_inputs(body),
        replace(gfr, kind="body", unit="L/h", typical=float(body["GFR"]), meaning="glomerular filtration rate"),
        *(i for i in declared if i.kind in ("body", "adherence")),
        dummy(),
    )


def system_subject(
    drugs: Sequence[Drug],
    body: Mapping[str, float],
    sex: str,
    age_y: float,
    regimen: Sequence[Dose],
    window: Window,
    outputs: Sequence[Output],
    *,
    formulations: Mapping[str, str] | None = None,
    genotypes: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    leave_out: Sequence[str] = (),
) -> Subject:
    """Drugs in one person; ``regimen`` has the engine's routes (:func:`pharmtwin.drugs.dosing.dose_events`).

    Raises ValueError or KeyError for what :func:`pharmtwin.drugs.system.build` or the assembly refuse.
    """
    system = build(list(drugs), "sensitivity", formulations=formulations)
    inputs = select(system_inputs(drugs, body, genotypes=genotypes), leave_out)
    lumen = any(p.absorption.lumen for p in system.parts)
    if not boluses(regimen):
        inputs = tuple(i for i in inputs if i.kind != "adherence")
    if not lumen:
        inputs = tuple(i for i in inputs if i.name not in GUT)
    activity = {m: p[0][0] for m, p in (genotypes or {}).items() if len(p) == 1}
    make = SystemParameters(system, tuple(drugs), dict(formulations or {}), dict(body), sex, age_y, activity, inputs)
    return Subject(
        " + ".join(d.name for d in drugs), inputs, {}, observing(system.model, outputs, CONCENTRATION), make,
        tuple(regimen), window, tuple(outputs), CONCENTRATION, "ng/mL", NG_ML,
    )  # fmt: skip


@dataclass(frozen=True)
class SystemParameters:
    """Parameter vectors of the drugs in a person from drawn inputs, by the assembly of the drug library itself."""

    system: System
    drugs: tuple[Drug, ...]
    formulations: Mapping[str, str]
    body: Mapping[str, float]
    sex: str
    age_y: float
    activity: Mapping[str, float]
    inputs: tuple[Input, ...]

    def __call__(self, drawn: Mapping[str, Floats], n: int) -> Floats:
        """(n, n_parameters)."""
        anatomy = {k: v for k, v in drawn.items() if k == "cardiac_output" or k.startswith(("volume.", "flow."))}
        body = bodies(self.body, self.sex, self.age_y, anatomy) if anatomy else {}
        if "gfr" in drawn:
            body["GFR"] = self.body["GFR"] * drawn["gfr"]
        activity = {m: np.full(n, a) for m, a in self.activity.items()}
        values: list[tuple[str, str, Floats]] = []
        for i in self.inputs:
            if i.name.startswith(("activity:", "genotype.")):
                activity[i.acts_on] = activity.get(i.acts_on, np.ones(n)) * drawn[i.name]
            elif ":" in i.name and not i.name.startswith("turnover:"):
                values.append((i.name.partition(":")[0], i.acts_on, drawn[i.name]))
        base = gut("fasted")
        P = np.empty((n, len(self.system.model.parameter_names)))
        for k in range(n):
            scales: list[Scales] = [{drug: {path: float(x[k])}} for drug, path, x in values]
            drugs = [scaled(d, tuple(scales)) for d in self.drugs]
            system = replace(self.system, parts=parts_of(drugs, self.formulations))
            own = {**self.body, **{q: float(x[k]) for q, x in body.items()}}
            P[k] = parameter_vector(
                system, own, {m: float(x[k]) for m, x in activity.items()}, gut=_gut(base, drawn, k)
            )
        column = {name: k for k, name in enumerate(self.system.model.parameter_names)}
        for i in self.inputs:
            if i.name.startswith("turnover:"):
                for molecule, place in self.system.enzymes:
                    name = f"kdeg_{site(molecule, place)}"
                    if molecule == i.acts_on and name in column:
                        P[:, column[name]] *= drawn[i.name]
            elif i.name.startswith("Kp."):
                for part in self.system.parts:
                    name = f"{i.acts_on}_{part.suffix}" if part.suffix else i.acts_on
                    P[:, column[name]] *= drawn[i.name]
        return P


def _gut(base: Gut, drawn: Mapping[str, Floats], k: int) -> Gut:
    """The gut of run ``k``: transit by residence, emptying by its rate."""
    residence, emptying = (float(drawn[name][k]) if name in drawn else 1.0 for name in GUT)
    return replace(base, k_transit=base.k_transit / residence, k_empty=base.k_empty * emptying)
