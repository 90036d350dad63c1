"""Concentrations and areas of one person under any doses to come, for every draw of the person's effects.

A forecast is a problem whose samples have times and no values: so lag times, bioavailability, occasions, covariates and
the doses already given are those of the fit. The area under an observable is a state, as exact as the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.structure import is_linear
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.models.description import Output, PopulationModel
from pharmtwin.inference.models.occasions import expand
from pharmtwin.inference.problem.problem import make_problem
from pharmtwin.inference.problem.records import Dose, Subject
from pharmtwin.inference.problem.score import OBSERVED
from pharmtwin.model.description import Flux, Model, State

Floats = NDArray[np.float64]
SAMPLE, DOSE, LATE_SAMPLE = range(3)  # order at one time


@dataclass(frozen=True)
class Forecast:
    """Concentrations and areas at ``times`` (h from now): (n, n_times); NaN where a solve failed."""

    times: Floats
    concentration: Floats
    area: Floats


def with_area(structure: Model, observable: str) -> tuple[Model, str]:
    """The model with a state that integrates an observable, and the name of that state, which it reports too."""
    name = f"area_under_{observable}"
    found = next(o for o in structure.observables if o.name == observable)
    flux = Flux(f"rate_of_{name}", observable, "1/h", target=name)
    area = replace(found, name=name, expression=name, meaning=f"area under {observable}")
    made = replace(
        structure, name=f"{structure.name}_{name}", states=(*structure.states, State(name, "1", area.meaning)),
        fluxes=(*structure.fluxes, flux), observables=(*structure.observables, area),
    )  # fmt: skip
    return made, name


def affine_in_doses(model: PopulationModel, output: str) -> bool:
    """Whether the output is a fixed part plus a part proportional to the amount of all doses to come.

    Read from the model's text: its rates, and a state that follows the observable, are affine in the states.
    """
    observable = model.output(output).observable
    follower = State("follower", "1", "a state whose rate holds the observable")
    flux = Flux("rate_of_follower", f"{observable} - follower", "1/h", target="follower")
    structure = model.structure
    return is_linear(replace(structure, states=(*structure.states, follower), fluxes=(*structure.fluxes, flux)))


def forecast(
    person: Person, doses: Sequence[Dose], times: Floats, output: str, late: Sequence[int] = (), threads: int = 1
) -> Forecast:
    """Curves under ``doses`` (their times in h from now) at ``times`` (h from now, ascending).

    A sample at the time of a dose is taken before it; ``late``: numbers of the times whose sample is taken after it.
    """
    model = person.model
    n_effects = len(model.fixed) + len(expand(model, person.n_occasions).random)
    if person.effects.shape[1] != n_effects:
        raise ValueError(f"a draw has {person.effects.shape[1]} effects; model {model.name} has {n_effects} of them "
                         f"with {person.n_occasions} occasion(s)")  # fmt: skip
    wanted = model.output(output)
    structure, area = with_area(model.structure, wanted.observable)
    outputs = tuple(Output(o, o, "additive", (model.residuals[0].name,)) for o in (wanted.observable, area))
    extended = replace(model, structure=structure, outputs=outputs)
    subject = _subject(person, doses, times, frozenset(late))
    problem = make_problem(
        extended, [subject], wrt=(), components={subject.id: person.components}, covariate_at=person.covariate_at,
        rtol=person.rtol,
    )  # fmt: skip
    many = problem.repeat_cases(person.case)
    predicted = many.predict(person.effects[many.case_of_run], derivatives=False, threads=threads)
    order = np.lexsort((many.subject_obs, many.case_of_run[many.run_of_obs]))
    f = predicted.f[order].reshape(person.n, len(times), 2)
    return Forecast(times, f[:, :, 0], f[:, :, 1])


def _subject(person: Person, doses: Sequence[Dose], times: Floats, late: frozenset[int]) -> Subject:
    """The past's rows, one at ``now`` where its covariates and occasion end, and the doses and samples to come."""
    past, now = person.past, person.now
    occasion = person.n_occasions - 1 if person.model.of_occasion else 0
    ahead = [(d.time + now, DOSE, k) for k, d in enumerate(doses)]
    ahead += [(t + now, LATE_SAMPLE if k in late else SAMPLE, k) for k, t in enumerate(times.tolist())]
    ahead.sort()
    before = [d.time for d in person.doses]
    time = [*([] if past is None else past.times), *before, *([] if past is None else [now]), *(t for t, _, _ in ahead)]
    if np.any(np.diff(time) < 0):
        raise ValueError("doses given since the last record must lie between it and now, in their order")
    n_before, n = len(time) - len(ahead), len(time)
    covariates, occasions = np.tile(person.covariates, (n, 1)), np.full(n, occasion)
    given: list[Dose] = []
    if past is not None:
        n_past = len(past.times)
        # the row at now ends what held until then, or begins what holds from then on
        last = n_before if person.covariate_at == "end" else n_before - 1
        covariates[:last], occasions[:last] = past.covariates[-1], past.occasions[-1]
        covariates[:n_past], occasions[:n_past] = past.covariates, past.occasions
        given += past.doses
    first = 0 if past is None else len(past.times)
    given += [replace(d, row=first + k) for k, d in enumerate(person.doses)]
    given += [replace(doses[k], time=t, row=n_before + i) for i, (t, kind, k) in enumerate(ahead) if kind == DOSE]
    seen = np.array([n_before + i for i, (_, kind, _) in enumerate(ahead) if kind != DOSE], dtype=np.int64)
    if not person.model.of_occasion:
        occasions[:] = 0
    m = 2 * len(seen)
    resets = () if past is None else past.resets
    return Subject(
        "forecast", np.array(time, dtype=float), covariates, occasions, resets, tuple(given),
        np.repeat(seen, 2), np.tile([0, 1], len(seen)), np.zeros(m), np.full(m, OBSERVED), np.zeros(m),
        np.zeros(m, dtype=np.int64),
    )  # fmt: skip
