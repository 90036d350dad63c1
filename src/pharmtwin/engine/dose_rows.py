"""Rows of many runs whose doses have parameters (F, lag, duration, rate), checked once and laid out flat.

``engine.dose_parameters`` places them at every evaluation of a fit. Steady states (SS) are not among the rows: give the
doses that lead to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import initial_state
from pharmtwin.model.description import TIME, Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: what tells how long a dose takes: nothing; its ``value`` is a rate; a parameter is its duration; its ``value`` is a
#: duration; a parameter is its rate
BOLUS, RATE, DURATION_PARAMETER, DURATION, RATE_PARAMETER = range(5)
RECORD, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)  # EVID
START_OF_RUN = -1  # among the rows of ``Arrays``
NONE = -1  # no parameter: F 1, lag 0


class Row(NamedTuple):
    """One row of a run's table.

    ``time`` (h), ``evid`` as in NONMEM (0 and 2 are records). Of a dose: ``state`` number, ``amount`` (mg), ``kind``
    and ``value`` of its length (rate in mg/h or duration in h); columns of the dose parameters ``f``, ``lag`` and
    ``length`` (duration or rate), or :data:`NONE`; ``ii`` (h) and ``addl`` further doses with the same parameters.
    """

    time: float
    evid: int = DOSE
    state: int = NONE
    amount: float = 0.0
    kind: int = BOLUS
    value: float = 0.0
    f: int = NONE
    lag: int = NONE
    length: int = NONE
    ii: float = 0.0
    addl: int = 0


class Arrays(NamedTuple):
    """All runs laid out flat; run k has rows ``row_0[k]`` to ``row_0[k + 1]``. A named tuple: compiled code takes it.

    initial (n_states,) and clock: the model's initial values and the number of the state that is the time (-1: none).
    initial_column (n_runs, n_states): dose parameter that a state starts from, or -1. start (n_runs,): of a run (h).
    Rows begin with the start of the run and are records, doses or resets (``evid``): further doses are rows of their
    own after that of the first, ``later`` than its ``time`` by k II; a reset with a dose is two rows. The other columns
    are those of :class:`Row`. rec_0 (n_runs + 1,): offsets of the records among all records.
    """

    initial: Floats
    clock: int
    initial_column: Ints
    start: Floats
    rec_0: Ints
    row_0: Ints
    evid: Ints
    time: Floats
    later: Floats
    state: Ints
    amount: Floats
    kind: Ints
    value: Floats
    f: Ints
    lag: Ints
    length: Ints


COLUMNS = Arrays._fields[6:]
TYPES = [np.float64 if c in ("time", "later", "amount", "value") else np.int64 for c in COLUMNS]


@dataclass(frozen=True, eq=False)
class DoseRows:
    """Checked rows of all runs, each with ``n_parameters`` dose parameters."""

    arrays: Arrays
    n_parameters: int

    @property
    def n(self) -> int:
        """Number of runs."""
        return len(self.arrays.start)

    @property
    def rec_time(self) -> Floats:
        """Times of the records of all runs."""
        return self.arrays.time[self.arrays.evid == RECORD]

    @classmethod
    def create(
        cls,
        model: Model,
        runs: Sequence[Sequence[Row]],
        n_parameters: int,
        initial: Sequence[Mapping[int, int]] | None = None,
        start: Sequence[float] | None = None,
    ) -> DoseRows:
        """Check the rows of every run, and write out further doses.

        Parameters
        ----------
        runs : rows of each run in their order; equal times are worked off in it.
        n_parameters : columns of the table of dose parameters.
        initial : of each run, number of a state -> column of the parameter that it starts from; default none.
        start : of each run (h); default its first row's time.

        Raises
        ------
        ValueError : names run and row (from 1) of the first that does not fit.
        """
        n_states = len(model.states)
        clock = model.state_names.index(TIME) if TIME in model.state_names else NONE
        first = [run[0].time if run else 0.0 for run in runs] if start is None else [float(t) for t in start]
        states = [{}] * len(runs) if initial is None else list(initial)
        if not len(runs) == len(first) == len(states):
            raise ValueError(f"{len(runs)} runs, {len(states)} initial states and {len(first)} starts do not fit")
        if not np.isfinite(first).all():
            raise ValueError(f"starts of runs are {first}: one is not a number")
        columns = np.full((len(runs), n_states), NONE, dtype=np.int64)
        for k, run in enumerate(runs):
            for state, column in states[k].items():
                if not 0 <= state < n_states or state == clock or not 0 <= column < n_parameters:
                    raise ValueError(f"run {k}: state {state} cannot start from parameter {column} of {n_parameters}")
                columns[k, state] = column
            for i, (before, row) in enumerate(zip([first[k], *(r.time for r in run)], run)):
                wrong = _wrong(row, before, n_states, clock, n_parameters)
                if wrong:
                    raise ValueError(f"run {k}, row {i + 1}: {wrong}")
        flat = [[(START_OF_RUN, t, 0.0, *Row(t)[2:9]), *_written_out(run)] for t, run in zip(first, runs)]
        rows = [row for own in flat for row in own]
        parts: list[Any] = [np.array([row[c] for row in rows], dtype=kind) for c, kind in enumerate(TYPES)]
        records = [[row for row in own if row[0] == RECORD] for own in flat]
        begin = np.array(first, dtype=float)
        arrays = Arrays(initial_state(model), clock, columns, begin, _offsets(records), _offsets(flat), *parts)
        return cls(arrays, n_parameters)

    def of(self, runs: Sequence[int]) -> DoseRows:
        """The chosen runs."""
        a, own = self.arrays, np.array(runs, dtype=np.int64)
        rows = [np.arange(a.row_0[k], a.row_0[k + 1]) for k in runs]
        at = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
        parts: list[Any] = [getattr(a, name)[at] for name in COLUMNS]
        rec_0 = np.concatenate([[0], np.cumsum(np.diff(a.rec_0)[own])])
        arrays = Arrays(
            a.initial, a.clock, a.initial_column[own], a.start[own], rec_0.astype(np.int64), _offsets(rows), *parts
        )
        return DoseRows(arrays, self.n_parameters)


def _written_out(run: Sequence[Row]) -> list[tuple[float, ...]]:
    """Rows of a run in the columns of ``Arrays``."""
    rows: list[tuple[float, ...]] = []
    for r in run:
        if r.evid in (RECORD, OTHER):
            rows.append((RECORD, r.time, 0.0, *r[2:9]))
        if r.evid in (RESET, RESET_AND_DOSE):
            rows.append((RESET, r.time, 0.0, *Row(r.time)[2:9]))
        if r.evid in (DOSE, RESET_AND_DOSE):
            rows += [(DOSE, r.time, k * r.ii, *r[2:9]) for k in range(int(r.addl) + 1)]
    return rows


def _offsets(items: Sequence[Any]) -> Ints:
    return np.array([0, *np.cumsum([len(own) for own in items])], dtype=np.int64)


def _wrong(row: Row, before: float, n_states: int, clock: int, n_parameters: int) -> str:
    """What is wrong with a row; "" if nothing is."""
    if not math.isfinite(row.time) or row.time < before:
        return f"time {row.time} h is not a number or lies before {before:g} h, the start or the row above it"
    if row.evid not in range(5):
        return f"EVID {row.evid} is not 0 to 4"
    if row.evid not in (DOSE, RESET_AND_DOSE):
        idle = row == Row(row.time, row.evid)
        return "" if idle else f"EVID {row.evid} gives no dose, but the row says how one is given"
    if not 0 <= row.state < n_states or row.state == clock:
        return f"state {row.state} takes no dose"
    if not (math.isfinite(row.amount) and row.amount >= 0):
        return f"amount {row.amount} mg is not a number from 0"
    if row.kind not in range(5):
        return f"kind {row.kind} is not 0 to 4"
    if row.kind in (RATE, DURATION):
        if not (row.value > 0 and math.isfinite(row.value) and math.isfinite(row.amount / row.value)):
            return f"rate or duration {row.value} of {row.amount} mg is no number greater than 0"
    elif row.value != 0:
        return f"value {row.value} has no meaning for a dose of kind {row.kind}"
    if (row.kind in (DURATION_PARAMETER, RATE_PARAMETER)) != (row.length != NONE):
        return f"kind {row.kind} and length parameter {row.length} do not fit"
    for column in (row.f, row.lag, row.length):
        if not NONE <= column < n_parameters:
            return f"there is no dose parameter {column}; there are {n_parameters}"
    if not (row.addl >= 0 and int(row.addl) == row.addl and math.isfinite(row.ii) and (row.addl > 0) == (row.ii > 0)):
        return f"ADDL {row.addl} with II {row.ii} h: further doses need an interval, and an interval further doses"
    return ""
