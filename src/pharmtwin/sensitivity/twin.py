"""The twin of the workflow as a subject: drug file of schema 1, whole-body model, a person of the body stage.

Uncertain are: the four estimated values of the drug file and their spread between people; the other drug values of
``resources/sensitivity/inputs.tsv``; tissue:plasma ratios; organ volumes, flows and GFR; the CYP2D6 activity where the
genotype leaves it open; adherence. Enzymes and protein per gram of liver have no input of their own: the spread of the
drug file between people of one genotype and body holds theirs, and no variance may enter twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.assembly import base_parameters
from pharmtwin.core.draws import ACTIVITY
from pharmtwin.core.drug import Drug
from pharmtwin.core.exposure import NG_ML, Scenario
from pharmtwin.core.partition import reference_haematocrit
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.sensitivity.outputs import Output, Window, observing
from pharmtwin.sensitivity.subject import Subject, select
from pharmtwin.uncertainty.body import anatomy_inputs, bodies
from pharmtwin.uncertainty.declared import declared_inputs
from pharmtwin.uncertainty.drugs import BETWEEN, twin_value_inputs
from pharmtwin.uncertainty.inputs import Input, Law, dummy, factor

Floats = NDArray[np.float64]
CONCENTRATION = "C_plasma"
GENOTYPE = "genotype.CYP2D6"
#: individual parameter -> key of the drug file that it multiplies
INDIVIDUAL_KEYS = dict(
    zip(INDIVIDUAL, ("metabolism.CYP2D6_kcat", "metabolism.CLint_other", "distribution.Kp_scale", "absorption.MTT"),
        strict=True)
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Quantities of table ``body``, sex (M, F), age, and rows of table ``priors``."""

    name: str
    body: Mapping[str, float]
    sex: str
    age_y: float
    priors: pd.DataFrame


def genotype_input(priors: pd.DataFrame) -> tuple[Input, ...]:
    """CYP2D6 activity (relative to activity score 2) as a discrete input; none where only one value is possible."""
    mine = priors[priors.parameter == ACTIVITY].groupby("location", sort=True)["weight"].sum()
    if len(mine) < 2:
        return ()
    pairs = tuple(x for value, weight in mine.items() for x in (float(value), float(weight)))  # type: ignore[arg-type]
    return (
        Input(GENOTYPE, Law("discrete", pairs), "genotype", "f_CYP2D6", "diplotype frequencies and activity map of the "
              "genome stage (table priors)", meaning="CYP2D6 activity of the diplotype, relative to activity score 2"),
    )  # fmt: skip


def twin_inputs(drug: Drug, person: Person, *, known_activity: bool) -> tuple[Input, ...]:
    """Everything that is uncertain about a twin, and the dummy."""
    prior = person.priors[person.priors.parameter == "GFR"]
    gfr = factor("gfr", float(prior["scale"].iloc[0]), "body", "GFR", "residual of the estimated GFR (table priors)",
                 unit="L/h", typical=float(person.body["GFR"]), meaning="glomerular filtration rate")  # fmt: skip
    declared = [_with_typical(i, drug) for i in declared_inputs("twin")]
    return (
        *twin_value_inputs(drug),
        *(i for i in declared if i.kind != "adherence"),
        *anatomy_inputs(person.body),
        gfr,
        *(() if known_activity else genotype_input(person.priors)),
        *(i for i in declared if i.kind == "adherence"),
        dummy(),
    )


def _with_typical(item: Input, drug: Drug) -> Input:
    """A factor on a value of the drug file gets that value; an input that is added, or is no drug value, none."""
    if item.acts_on in drug.values and item.law.family != "normal":
        return replace(item, typical=drug[item.acts_on])
    return item


def twin_subject(
    drug: Drug,
    person: Person,
    scenario: Scenario,
    outputs: Sequence[Output],
    *,
    known_activity: float | None = None,
    leave_out: Sequence[str] = (),
) -> Subject:
    """A person under one scenario.

    Parameters
    ----------
    known_activity : CYP2D6 activity relative to score 2; None: what the person's priors say, as an input.
    leave_out : names of inputs or groups that are kept at their typical value.

    Raises
    ------
    ValueError : a name to leave out that is not there, an output that the model does not have.
    """
    inputs = select(twin_inputs(drug, person, known_activity=known_activity is not None), leave_out)
    early = scenario.interval_h / 8.0 if any(o.statistic == "time_to" for o in outputs) else 0.0
    window = Window(scenario.last_start, scenario.last_start + scenario.interval_h, early)
    activity = 1.0
    if known_activity is not None:
        activity = known_activity
    elif not any(i.name == GENOTYPE for i in inputs):
        mine = person.priors[person.priors.parameter == ACTIVITY]
        activity = float(np.average(mine["location"], weights=mine["weight"]))
    model = observing(whole_body(), outputs, CONCENTRATION)
    return Subject(
        f"{person.name}, {drug.name}, {scenario.name}", inputs, {}, model,
        TwinParameters(drug, person, activity), scenario.doses(), window, tuple(outputs), CONCENTRATION, "ng/mL", NG_ML,
    )  # fmt: skip


@dataclass(frozen=True)
class TwinParameters:
    """Parameter vectors of a person from drawn inputs, by the assembly of the workflow itself."""

    drug: Drug
    person: Person
    activity: float

    def __call__(self, drawn: Mapping[str, Floats], n: int) -> Floats:
        """(n, n_parameters)."""
        names = whole_body().parameter_names
        column = {name: k for k, name in enumerate(names)}
        anatomy = {k: v for k, v in drawn.items() if k == "cardiac_output" or k.startswith(("volume.", "flow."))}
        body = bodies(self.person.body, self.person.sex, self.person.age_y, anatomy) if anatomy else {}
        keys = [k for k in self.drug.values if k in drawn and k not in INDIVIDUAL_KEYS.values()]
        quantities, of_drug = list(body), np.column_stack([drawn[k] for k in keys]) if keys else np.zeros((n, 0))
        of_body = np.column_stack([body[q] for q in quantities]) if quantities else np.zeros((n, 0))
        P = np.empty((n, len(names)))
        for k in range(n):
            drug = changed(self.drug, dict(zip(keys, of_drug[k].tolist(), strict=True)))
            own = {**self.person.body, **dict(zip(quantities, of_body[k].tolist(), strict=True))}
            P[k] = base_parameters(drug, own)
        one = np.ones(n)
        typical = (1.0, 1.0, self.drug["distribution.Kp_scale"], self.drug.formulation("IR")["MTT"].value)
        for (parameter, key), value in zip(INDIVIDUAL_KEYS.items(), typical, strict=True):
            P[:, column[parameter]] = value * drawn.get(key, one) * drawn.get(f"{key} {BETWEEN}", one)
        P[:, column["f_CYP2D6"]] *= drawn.get(GENOTYPE, one * self.activity)
        P[:, column["GFR"]] *= drawn.get("gfr", one)
        P[:, column["kdeg_CYP2D6"]] *= drawn.get("turnover:CYP2D6", one)
        for name, x in drawn.items():
            if name.startswith("Kp."):
                P[:, column[f"Kp_{name.removeprefix('Kp.')}"]] *= x
        return P


@lru_cache(maxsize=1)
def _plasma_share() -> float:
    return 1.0 - reference_haematocrit()


def changed(drug: Drug, drawn: Mapping[str, float]) -> Drug:
    """The drug with values times factors; logP is moved, of B_P the part above 1 - haematocrit (plasma) is scaled, and
    fractions (fu_p, F_a) stay at most 1."""
    if not drawn:
        return drug
    values = dict(drug.values)
    for key, x in drawn.items():
        old, leaf = values[key], key.partition(".")[2]
        if leaf == "logP":
            new = old.value + x
        elif leaf == "B_P":
            new = _plasma_share() + (old.value - _plasma_share()) * x
        else:
            new = old.value * x
        values[key] = replace(old, value=min(new, 1.0) if leaf in ("fu_p", "F_a") else new)
    return replace(drug, values=values)
