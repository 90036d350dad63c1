"""A population model as a subject: fixed effects with their priors, random effects with their variances.

Random effects that covary are one group, drawn with their correlation. Effects of an occasion belong to one occasion.
A parameter whose distribution is given with the analysis takes that one; one without prior or distribution is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import Dose
from pharmtwin.inference.models.description import PopulationModel, Prior
from pharmtwin.sensitivity.outputs import Output, Window, observing
from pharmtwin.sensitivity.subject import Subject, boluses, select
from pharmtwin.uncertainty.declared import declared_inputs
from pharmtwin.uncertainty.inputs import Correlations, Input, Law, dummy

Floats = NDArray[np.float64]


def prior_law(prior: Prior) -> Law | None:
    """Law of a fixed effect's prior; None for one that has no proper law here (flat, half, truncated)."""
    if (
        prior.family not in ("lognormal", "normal", "uniform")
        or math.isfinite(prior.lower)
        or math.isfinite(prior.upper)
    ):
        return None
    return Law(prior.family, tuple(float(a) for a in prior.arguments))


def population_inputs(
    model: PopulationModel, given: Mapping[str, Law] | None = None
) -> tuple[tuple[Input, ...], Correlations]:
    """Inputs of a population model and the correlations of its random effects, without dummy.

    Parameters
    ----------
    given : laws of parameters by name, instead of priors and variances. An effect of variance 0 is none.
    """
    given = dict(given or {})
    inputs: list[Input] = []
    source = model.source or f"population model {model.name}"
    for f in model.fixed:
        own = given.pop(f.name, None)
        law = own or (prior_law(f.prior) if f.prior is not None else None)
        if law is not None:
            where = "given with the analysis" if own else f.source or source
            inputs.append(Input(f.name, law, "model", f.name, where, meaning=f.meaning, unit=f.unit or "1"))
    omega, at = model.omega, {r.name: k for k, r in enumerate(model.random)}
    linked = {
        r.name: {o.name for o in model.random if o is not r and omega[at[r.name], at[o.name]]} for r in model.random
    }
    correlations: dict[tuple[str, str], float] = {}
    for r in model.random:
        law = given.pop(r.name, None) or Law("normal", (0.0, math.sqrt(r.variance)))
        if law.family == "normal" and law.sd == 0:
            continue
        group = "random effects" if linked[r.name] else ""
        inputs.append(Input(r.name, law, "people", r.name, source, meaning="random effect", group=group))
        for other in sorted(linked[r.name]):
            if at[other] > at[r.name]:
                sd = math.sqrt(omega[at[r.name], at[r.name]] * omega[at[other], at[other]])
                correlations[r.name, other] = float(omega[at[r.name], at[other]] / sd)
    for name in list(given):
        if name in model.covariates or name in model.constants:
            inputs.append(Input(name, given.pop(name), "model", name, "given with the analysis"))
    if given:
        raise ValueError(f"model {model.name} has no {', '.join(sorted(given))} that could vary")
    return tuple(inputs), correlations


def population_subject(
    model: PopulationModel,
    covariates: Mapping[str, float],
    regimen: Sequence[Dose],
    window: Window,
    outputs: Sequence[Output],
    concentration: str,
    *,
    given: Mapping[str, Law] | None = None,
    leave_out: Sequence[str] = (),
    unit: str = "1",
) -> Subject:
    """A population model with doses.

    Raises
    ------
    ValueError : covariates that lack, a route that the model does not take (ModelError), doses or initial values that
        depend on parameters (not supported here).
    """
    lacking = [c for c in model.covariates if c not in covariates and c not in (given or {})]
    if lacking:
        raise ValueError(f"model {model.name} needs the covariates {', '.join(lacking)}")
    if model.doses or model.initial:
        what = [f"{d.item} of {d.state}" for d in model.doses] + [f"initial value of {s}" for s, _ in model.initial]
        raise ValueError(
            f"model {model.name}: {', '.join(what)} depend on parameters; the analysis does not do that yet"
        )
    for route in {d.route for d in regimen}:
        model.structure.dose_state(route)
    inputs, correlations = population_inputs(model, given)
    if boluses(regimen) and len(regimen) > 1:
        inputs = (*inputs, *(i for i in declared_inputs("system") if i.kind == "adherence"))
    inputs = (*select(inputs, leave_out), dummy())
    names = {i.name for i in inputs}
    correlations = {pair: r for pair, r in correlations.items() if set(pair) <= names}
    values = {**model.constants, **{f.name: f.value for f in model.fixed}, **{r.name: 0.0 for r in model.random}}
    values |= {c: float(v) for c, v in covariates.items()}
    base = np.array([values.get(n, np.nan) for n in model.structure.parameter_names])
    structure = observing(model.structure, outputs, concentration)
    return Subject(
        model.name, inputs, correlations, structure, PopulationParameters(tuple(structure.parameter_names), base),
        tuple(regimen), window, tuple(outputs), concentration, unit, 1.0,
    )  # fmt: skip


@dataclass(frozen=True)
class PopulationParameters:
    """Parameter vectors: the base with the drawn values in their places."""

    names: tuple[str, ...]
    base: Floats

    def __call__(self, drawn: Mapping[str, Floats], n: int) -> Floats:
        """(n, n_parameters)."""
        P = np.tile(self.base, (n, 1))
        for k, name in enumerate(self.names):
            if name in drawn:
                P[:, k] = drawn[name]
        return P
