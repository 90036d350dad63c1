"""Whom the analysis is about: uncertain inputs, a model, a regimen; and how points of the unit cube become solves.

Three kinds exist: the twin of the workflow (:mod:`.twin`), a system of drug files of schema 2 (:mod:`.system`), and a
population model (:mod:`.population`). Each gives parameter vectors from values of the inputs; all else is common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.exposure import GRID_POINTS
from pharmtwin.engine.run import Batch, Dose, initial_state
from pharmtwin.model.description import Model
from pharmtwin.sensitivity.outputs import Output, Window
from pharmtwin.uncertainty.adherence import taken_doses
from pharmtwin.uncertainty.inputs import Correlations, Input, check, values

Floats = NDArray[np.float64]


class Parameters(Protocol):
    """Parameter vectors (n, n_parameters) of runs, from values of the inputs by name, each (n,)."""

    def __call__(self, drawn: Mapping[str, Floats], n: int) -> Floats:
        """A row that cannot be computed is NaN (the solver then names the parameter)."""
        ...


@dataclass(frozen=True)
class Subject:
    """What is analysed.

    Attributes
    ----------
    name : in words. inputs, correlations : what is uncertain (:mod:`pharmtwin.uncertainty.inputs`).
    model : returns what the outputs read. parameters : see :class:`Parameters`.
    regimen : doses in order of time; where all are boluses into one state, adherence may change them.
    window, outputs, concentration : what is observed; ``concentration`` is the observable of the time course, in
        ``unit`` after ``factor``.
    """

    name: str
    inputs: tuple[Input, ...]
    correlations: Correlations
    model: Model
    parameters: Parameters
    regimen: tuple[Dose, ...]
    window: Window
    outputs: tuple[Output, ...]
    concentration: str
    unit: str
    factor: float

    def __post_init__(self) -> None:
        """Raises ValueError for inputs that cannot be varied as they are declared."""
        check(self.inputs, self.correlations)

    def batch(self, u: Floats) -> Batch:
        """Runs at points of the unit cube (n, n_inputs)."""
        return self.batch_of(values(self.inputs, u, self.correlations))

    def batch_of(self, x: Floats) -> Batch:
        """Runs at values of the inputs (n, n_inputs), in the order of ``inputs``."""
        drawn = {i.name: x[:, k] for k, i in enumerate(self.inputs)}
        n, times = len(x), self.window.times()
        P = np.ascontiguousarray(self.parameters(drawn, n))
        ev_t, ev_state, ev_amount, ev_kind = self._events(drawn, n)
        per = ev_t.shape[1]
        before = (
            np.array([np.searchsorted(row, times, side="left") for row in ev_t]) if n else np.zeros((0, len(times)))
        )
        if n:  # the interval begins with its dose: a bolus is seen at once
            start = len(times) - GRID_POINTS
            before[:, start] = [np.searchsorted(row, times[start], side="right") for row in ev_t]
        return Batch(
            P=P,
            seg_t=np.zeros(n),
            seg_0=np.arange(n + 1, dtype=np.int64),
            ev_t=ev_t.ravel(),
            ev_state=np.tile(ev_state, n),
            ev_amount=ev_amount.ravel(),
            ev_kind=np.tile(ev_kind, n),
            ev_0=np.arange(n + 1, dtype=np.int64) * per,
            times=np.tile(times, n),
            t_0=np.arange(n + 1, dtype=np.int64) * len(times),
            y0=np.tile(initial_state(self.model), (n, 1)),
            rec_ev=before.ravel().astype(np.int64),
            r0=np.zeros((n, len(self.model.states))),
        )

    def _events(
        self, drawn: Mapping[str, Floats], n: int
    ) -> tuple[Floats, NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Times and amounts (n, n_events), states and kinds (n_events,)."""
        if boluses(self.regimen):
            state = self.model.dose_state(self.regimen[0].route)
            t, a = taken_doses([d.time for d in self.regimen], [d.amount for d in self.regimen], drawn, n)
            return t, np.full(t.shape[1], state, dtype=np.int64), a, np.zeros(t.shape[1], dtype=np.int64)
        events = []
        for d in self.regimen:
            s = self.model.dose_state(d.route)
            if d.duration > 0:
                rate = d.amount / d.duration
                events += [(d.time, s, rate, 1), (d.time + d.duration, s, -rate, 1)]
            else:
                events.append((d.time, s, d.amount, 0))
        events.sort()
        rows = [np.tile(np.array([e[k] for e in events], dtype=float), (n, 1)) for k in (0, 2)]
        state_kind = [np.array([e[k] for e in events], dtype=np.int64) for k in (1, 3)]
        return rows[0], state_kind[0], rows[1], state_kind[1]


def boluses(regimen: Sequence[Dose]) -> bool:
    """True if all doses are boluses by one route, so that adherence can be described."""
    return bool(regimen) and all(d.duration == 0 for d in regimen) and len({d.route for d in regimen}) == 1


def select(inputs: Sequence[Input], leave_out: Sequence[str]) -> tuple[Input, ...]:
    """Inputs but for those named; raises ValueError naming what is not there."""
    names = {i.name for i in inputs} | {i.group for i in inputs if i.group}
    unknown = [n for n in leave_out if n not in names]
    if unknown:
        raise ValueError(f"there are no inputs or groups {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    return tuple(i for i in inputs if i.name not in leave_out and i.group not in leave_out)
