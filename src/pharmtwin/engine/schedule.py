"""Events of one run in the engines' own terms, and many such runs as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import Batch, Floats, pack_events
from pharmtwin.model.description import TIME, Model, ModelError

#: what an event does with the amount that it carries (the codes of the engines)
ADD_AMOUNT, ADD_RATE, SET_STATE, SET_RATE = 0, 1, 2, 3


class Event(NamedTuple):
    """At ``time`` (h): ``kind`` with ``amount`` (unit of the state, or that per hour) on state number ``state``."""

    time: float
    state: int
    amount: float
    kind: int


@dataclass(frozen=True)
class Schedule:
    """Events and records of one run.

    Attributes
    ----------
    start : time at which the run starts (h).
    events : in the order in which they are applied; sorted by time.
    times : (n_records,) sorted times of the records (h).
    rec_ev : (n_records,) how many of the events have been applied when a record is taken.
    rows : (n_records,) 0-based position in the table of the row that each record belongs to.
    steady : steady states are among the events: their amounts depend on the parameters.
    """

    start: float
    events: tuple[Event, ...]
    times: Floats
    rec_ev: NDArray[np.int64]
    rows: NDArray[np.int64]
    steady: bool = False


def dose_target(model: Model, name: str) -> int:
    """Number of the state that takes a dose given by route or by name of the state; raises ModelError."""
    if name in dict(model.dose_targets):
        return model.dose_state(name)
    if name in model.state_names and name != TIME:
        return model.state_names.index(name)
    routes = sorted(dict(model.dose_targets))
    raise ModelError(f"model {model.name} has neither a route nor a state {name!r}; its routes are {routes}")


def batch_of(
    model: Model,
    parameters: Sequence[Floats] | Floats,
    schedules: Sequence[Schedule],
    state0: Floats | None = None,
    segment_times: Sequence[Floats] | None = None,
    rate0: Floats | None = None,
) -> Batch:
    """Batch of runs with given schedules; the other arguments as in ``engine.run.pack``.

    By default a run has one segment that begins with its schedule.
    """
    starts = [np.array([s.start]) for s in schedules] if segment_times is None else segment_times
    events, times = [s.events for s in schedules], [s.times for s in schedules]
    batch = pack_events(model, parameters, events, times, [s.rec_ev for s in schedules], state0, starts, rate0)
    return replace(batch, differentiable=not any(s.steady for s in schedules))
