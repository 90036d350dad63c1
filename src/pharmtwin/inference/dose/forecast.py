"""Exposure of one person under any regimen, for every draw of the posterior.

A forecast is a problem whose samples have times and no values: so lag times, bioavailability, occasions, covariates and the
doses already given are those of the fit. The area under an observable is a state of its own, as exact as the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.dose.regimens import Regimen
from pharmtwin.inference.models.description import Output, PopulationModel
from pharmtwin.inference.problem.problem import ALONE, Component, make_problem
from pharmtwin.inference.problem.records import Dose, Subject
from pharmtwin.inference.problem.score import OBSERVED
from pharmtwin.model.description import Flux, Model, State

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
POINTS = 96  # times within an interval at which the curve is read


@dataclass(frozen=True)
class Person:
    """Whom the forecast is for: model, draws of effects (n, n_effects) with their hypothesis (n,), and the past.

    ``covariates`` (n_covariates,) hold from now on; ``doses`` were given before ``now`` (h).
    """

    model: PopulationModel
    effects: Floats
    case: Ints
    components: tuple[Component, ...] = ALONE
    covariates: Floats = field(default_factory=lambda: np.zeros(0))
    doses: tuple[Dose, ...] = ()
    now: float = 0.0
    rtol: float = 1e-6


@dataclass(frozen=True)
class Forecast:
    """Concentrations and areas at ``times`` (h, from the start of the regimen): (n, n_times); NaN where a solve failed."""

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


def forecast(person: Person, doses: Sequence[Dose], times: Floats, output: str, threads: int = 1) -> Forecast:
    """Curves under ``doses`` (times from the start of the forecast, h) at ``times`` (ascending, h)."""
    model = person.model
    wanted = model.output(output)
    structure, area = with_area(model.structure, wanted.observable)
    outputs = tuple(Output(o, o, "additive", (model.residuals[0].name,)) for o in (wanted.observable, area))
    extended = replace(model, structure=structure, outputs=outputs)
    given = [*person.doses, *(replace(d, time=d.time + person.now) for d in doses)]
    given.sort(key=lambda d: d.time)
    rows = [(d.time, 0, k) for k, d in enumerate(given)]
    # a sample at the time of a dose is taken before it
    at = [(t + person.now, -1, j) for j, t in enumerate(times.tolist())]
    order = sorted([*rows, *at], key=lambda r: (r[0], r[1]))
    given = [replace(given[k], row=i) for i, (_, kind, k) in enumerate(order) if kind == 0]
    seen = np.array([i for i, (_, kind, _) in enumerate(order) if kind == -1], dtype=np.int64)
    n = len(seen)
    subject = Subject(
        "forecast", np.array([t for t, _, _ in order]), np.tile(person.covariates, (len(order), 1)),
        np.zeros(len(order), dtype=np.int64), (), tuple(given), np.repeat(seen, 2), np.tile([0, 1], n),
        np.zeros(2 * n), np.full(2 * n, OBSERVED), np.zeros(2 * n), np.zeros(2 * n, dtype=np.int64),
    )  # fmt: skip
    problem = make_problem(extended, [subject], wrt=(), components={"forecast": person.components}, rtol=person.rtol)
    many = problem.repeat_cases(person.case)
    predicted = many.predict(person.effects[many.case_of_run], derivatives=False, threads=threads)
    f = predicted.f[np.lexsort((many.subject_obs, many.case_of_run[many.run_of_obs]))].reshape(len(person.case), n, 2)
    return Forecast(times, f[:, :, 0], f[:, :, 1])


@dataclass(frozen=True)
class Exposure:
    """Metrics of one dosing interval, a draw each (n,): area (AUCtau), Cmax, Ctrough, Cavg, and the curve itself.

    ``settled``: share of draws whose area differs by less than a hundredth from that of the interval before.
    """

    AUC: Floats
    Cmax: Floats
    Ctrough: Floats
    Cavg: Floats
    times: Floats
    curve: Floats
    settled: float


def exposure(person: Person, regimen: Regimen, output: str, threads: int = 1) -> Exposure:
    """Metrics of the regimen's last interval (``regimen.n_doses`` doses; with one dose the interval after it)."""
    last = (regimen.n_doses - 1) * regimen.interval
    inside = np.linspace(0.0, regimen.interval, POINTS + 1)
    before = [last - regimen.interval] if regimen.n_doses > 1 else []
    peak = [regimen.duration] if 0 < regimen.duration < regimen.interval else []
    own = np.unique(np.concatenate([inside, peak]))
    times = np.concatenate([before, last + own])
    seen = forecast(person, regimen.doses(person.model), times, output, threads)
    k = len(before)
    curve, area = seen.concentration[:, k:], seen.area[:, k:]
    AUC = area[:, -1] - area[:, 0]
    earlier = area[:, 0] - seen.area[:, 0] if k else AUC
    with np.errstate(invalid="ignore", divide="ignore"):
        settled = float(np.mean(np.abs(earlier / AUC - 1.0) < 0.01))
    return Exposure(AUC, curve.max(axis=1), curve[:, -1], AUC / regimen.interval, own, curve, settled)
