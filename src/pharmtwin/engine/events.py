"""NONMEM's event table turned into the events and records of the engines.

Rules (NONMEM Users Guide part VI (PREDPP), chapter V; help items SS, EVID, ADDL; checked against NONMEM's output, see
tests/reference/test_events_reference.py):

* Rows are worked off in their order, also at equal times: a record after a dose row sees its bolus, one before does
  not. A dose that arrives of itself (ADDL, ALAG) at the time of a row arrives before that row, whatever it is.
* EVID 3 and 4 set all states to the model's initial values, accounts too, stop infusions and cancel whatever has not
  arrived yet. The clock goes on.
* SS 1 replaces the state by the steady state of the row's own regimen, stops infusions and cancels what has not
  arrived yet; accounts stay as they are. SS 2 adds that steady state (and its running infusions) to what is there and
  cancels nothing; for a model that is not linear the sum is NONMEM's, not a steady state of both regimens together.
  SS 2 is refused for a model that is not empty at rest (a turnover would be counted twice).
* With a lag, the steady state is that of the lagged doses: the row's dose arrives one lag after the row, and those
  before it arrived one interval earlier each. Lag longer than the interval (``long_lag``): "periodic" keeps to that
  rule; "nonmem" does what NONMEM does: the state just after the latest arrival that the row implies is extrapolated
  backwards in time to the row, and no dose arrives in between. Default: refused.
* SS with AMT 0 and II 0 is the end of a constant infusion (RATE 0: the model at rest); lag and F do not apply to it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

import numpy as np

from pharmtwin.engine.event_table import EventTableError, LongLag, Record, Table, read_table
from pharmtwin.engine.lagged import SteadyRow, steady_row
from pharmtwin.engine.run import Batch, Floats, initial_state
from pharmtwin.engine.schedule import ADD_AMOUNT, ADD_RATE, SET_RATE, SET_STATE, Event, Schedule, batch_of
from pharmtwin.findings import Finding
from pharmtwin.model.description import TIME, Model

#: times closer than this (relative) are the same: 3 x 0.1 h is 0.3 h
SAME_TIME = 1e-10


def expand(
    model: Model,
    table: Table,
    parameters: Floats | None = None,
    *,
    segment_times: Floats | None = None,
    long_lag: LongLag = "refuse",
    engine: str = "rosenbrock",
    rtol: float = 1e-9,
    name: str = "event table",
) -> Schedule:
    """Events and records of one run's table.

    Parameters
    ----------
    table : see ``event_table``; rows with EVID 0 and 2 become records.
    parameters : (n_parameters,) or (n_segments, n_parameters); needed where a row has SS > 0, whose steady state is
        that of the segment in which the row lies.
    segment_times : (n_segments,) start of each segment (h); the first is the start of the run (default: first row).
    long_lag : see the head of this file.
    engine, rtol : how steady states are solved.
    name : of the table, for messages.

    Raises
    ------
    EventTableError : everything that is wrong with the table.
    SteadyStateError : a row's steady state does not exist.

    The events of a steady state are numbers: tangents with respect to parameters do not see through them.
    """
    records, findings = _checked(model, table, name, long_lag, parameters is not None)
    if findings:
        raise EventTableError(findings)
    if not records:
        return Schedule(0.0, (), np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    rows = None if parameters is None else np.atleast_2d(np.asarray(parameters, dtype=float))
    starts = np.array([records[0].time]) if segment_times is None else np.asarray(segment_times, dtype=float)
    if records[0].time < starts[0]:
        raise ValueError(f"{name}: the first row is at {records[0].time:g} h, before the start at {starts[0]:g} h")
    if rows is not None and len(rows) != len(starts):
        raise ValueError(f"{name}: {len(rows)} rows of parameters for {len(starts)} segments")
    queue = _Queue(model)
    memory: dict[tuple[Record, int], SteadyRow] = {}
    for record in records:
        queue.advance(record.time)
        if record.evid in (0, 2):
            queue.take(record)
            continue
        if record.evid in (3, 4):
            queue.reset(record.time)
        if record.ss and rows is not None:
            k = int(np.searchsorted(starts, record.time, side="right")) - 1
            key = (_regimen(record), k)
            if key not in memory:
                memory[key] = steady_row(model, rows[k], record, long_lag, engine, rtol, f"{name}:{record.row}")
            queue.settle(record, memory[key])
        if record.state >= 0 and record.evid in (1, 4) and not (record.ss and record.ii == 0):
            queue.give(record)
    queue.advance(np.inf)
    return queue.schedule(float(starts[0]))


def pack_tables(
    model: Model,
    parameters: Sequence[Floats] | Floats,
    tables: Sequence[Table],
    *,
    segment_times: Sequence[Floats] | None = None,
    state0: Floats | None = None,
    long_lag: LongLag = "refuse",
    engine: str = "rosenbrock",
    rtol: float = 1e-9,
    names: Sequence[str] | None = None,
) -> Batch:
    """One batch of many runs, each with its own event table and parameters (see :func:`expand` and ``run.pack``).

    A run starts at its first row unless ``segment_times`` says otherwise, in the model's initial state or ``state0``
    (n_runs, n_states); a reset (EVID 3, 4) goes to the model's initial state in either case. The records of a run are
    its rows with EVID 0 and 2, in their order.

    Raises
    ------
    EventTableError : everything that is wrong with all tables. ValueError : numbers of runs that do not fit.
    """
    labels = [f"run {k}" for k in range(len(tables))] if names is None else list(names)
    if not len(parameters) == len(tables) == len(labels):
        raise ValueError(f"{len(parameters)} parameter sets, {len(tables)} tables and {len(labels)} names do not fit")
    if not len(tables):
        raise ValueError("there is no event table: give one a run")
    findings: list[Finding] = []
    for table, label in zip(tables, labels):
        records, found = _checked(model, table, label, long_lag, True)
        findings += found
        if not found and not any(r.evid in (0, 2) for r in records):
            what = "has no row with EVID 0 or 2"
            findings.append(
                Finding.create(
                    "event_table.no_record", label, what, "nothing would be returned", "add the times to read"
                )
            )
    if findings:
        raise EventTableError(findings)
    schedules = [
        expand(
            model, table, parameters[k], segment_times=None if segment_times is None else segment_times[k],
            long_lag=long_lag, engine=engine, rtol=rtol, name=labels[k],
        )
        for k, table in enumerate(tables)
    ]  # fmt: skip
    return batch_of(model, parameters, schedules, state0, segment_times)


def _checked(
    model: Model, table: Table, name: str, long_lag: LongLag, has_parameters: bool
) -> tuple[list[Record], list[Finding]]:
    if long_lag not in ("refuse", "periodic", "nonmem"):
        raise ValueError(f"long_lag is {long_lag!r}; use refuse, periodic or nonmem")
    records, findings = read_table(model, table, name, long_lag)
    for r in records:
        if r.ss and not has_parameters:
            why, fix = "its state depends on them", "hand over the run's parameters"
            what = "asks for a steady state, but no parameters were given"
            findings.append(Finding.create("event_table.ss", name, what, why, fix, row=r.row, column="SS", value=r.ss))
    return records, findings


def _regimen(record: Record) -> Record:
    """What a steady state depends on, without place and time of the row."""
    r = record
    return Record(0, 0.0, 1, r.state, r.amount, r.duration, r.rate, r.ii, 0, r.ss, r.lag)


class _Queue:
    """Works off rows in order; holds what will arrive of itself (doses under way, ends of infusions)."""

    def __init__(self, model: Model) -> None:
        self.initial = initial_state(model)
        self.clock = model.state_names.index(TIME) if TIME in model.state_names else -1
        self.events: list[Event] = []
        self.coming: list[tuple[float, int, Event]] = []
        self.order = itertools.count()
        self.infused: set[int] = set()
        self.taken: list[tuple[float, int, int]] = []
        self.steady = False  # a steady state was set, which depends on the parameters

    def later(self, event: Event) -> None:
        """Put an event among those that come of themselves."""
        heapq.heappush(self.coming, (event.time, next(self.order), event))

    def advance(self, time: float) -> None:
        """Apply what has arrived by ``time``; times that a rounding error separates become one."""
        last = self.events[-1].time if self.events else 0.0
        slack = SAME_TIME * max(1.0, abs(time if np.isfinite(time) else last))
        while self.coming and self.coming[0][0] <= time + slack:
            event = heapq.heappop(self.coming)[2]
            for near in (time, self.events[-1].time if self.events else time):
                if abs(event.time - near) <= slack:
                    event = event._replace(time=near)
            self.apply(event)

    def apply(self, event: Event) -> None:
        """The next event; an infusion that starts is remembered, so that a reset can stop it."""
        if event.kind in (ADD_RATE, SET_RATE):
            self.infused.add(event.state)
        self.events.append(event)

    def take(self, record: Record) -> None:
        """A record sees all events so far."""
        self.taken.append((record.time, len(self.events), record.row - 1))

    def stop(self, time: float) -> None:
        """Stop infusions, cancel what is under way."""
        self.coming.clear()
        for state in sorted(self.infused):
            self.events.append(Event(time, state, 0.0, SET_RATE))
        self.infused.clear()

    def reset(self, time: float) -> None:
        """EVID 3 and 4."""
        self.stop(time)
        for state, value in enumerate(self.initial):
            if state != self.clock:
                self.apply(Event(time, state, float(value), SET_STATE))

    def settle(self, record: Record, steady: SteadyRow) -> None:
        """SS 1 and 2: the state at the row, the infusions that run, and what of the past is still to arrive."""
        self.steady = True
        if record.ss == 1:
            self.stop(record.time)
        kind, rate_kind = (SET_STATE, SET_RATE) if record.ss == 1 else (ADD_AMOUNT, ADD_RATE)
        for state, value in steady.state:
            self.apply(Event(record.time, state, value, kind))
        if steady.rate:
            self.apply(Event(record.time, record.state, steady.rate, rate_kind))
        for after, amount, what in steady.coming:
            self.later(Event(record.time + after, record.state, amount, what))

    def give(self, record: Record) -> None:
        """The row's dose and its additional ones."""
        for k in range(record.addl + 1):
            at = record.time + record.lag + k * record.ii
            if record.duration > 0:
                rate = record.amount / record.duration
                self.later(Event(at, record.state, rate, ADD_RATE))
                self.later(Event(at + record.duration, record.state, -rate, ADD_RATE))
            elif record.amount > 0:
                self.later(Event(at, record.state, record.amount, ADD_AMOUNT))
        self.advance(record.time)

    def schedule(self, start: float) -> Schedule:
        """What was collected."""
        times = np.array([t for t, _, _ in self.taken], dtype=float)
        seen = np.array([n for _, n, _ in self.taken], dtype=np.int64)
        rows = np.array([r for _, _, r in self.taken], dtype=np.int64)
        return Schedule(start, tuple(self.events), times, seen, rows, self.steady)
