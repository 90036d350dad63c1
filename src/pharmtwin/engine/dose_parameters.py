"""Doses whose F, lag, duration or rate are parameters: events with derivatives, anew at every evaluation of a fit.

``place`` (inside compiled code ``place_events``) turns checked rows (``engine.dose_rows``) and the parameters of a
point into events as ``engine.events.expand`` does, whose rules hold here: F scales a bolus, the length of an infusion
of given rate and the rate of one of given length; what arrives of itself (lag, ADDL, end of an infusion) at the time
of a row arrives before that row; a reset stops and cancels. Two differences:

* A dose of amount 0 (F = 0) stays an event, since its derivative with respect to F is not 0.
* A state whose initial value is a parameter goes back to it at a reset, as with NONMEM's A_0 (NONMEM help, item
  COMPARTMENT INITIALIZATION BLOCK: the block is executed at the first record and at a reset record).

The order of events at one time is that of the point; where it changes, derivatives are those of one side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from pharmtwin.engine.dose_rows import (
    BOLUS,
    DOSE,
    RATE,
    RATE_PARAMETER,
    RECORD,
    RESET,
    START_OF_RUN,
    DoseRows,
    Floats,
    Ints,
)
from pharmtwin.engine.events import SAME_TIME
from pharmtwin.engine.run import Batch
from pharmtwin.engine.schedule import ADD_AMOUNT, ADD_RATE, SET_RATE, SET_STATE

JIT: dict[str, Any] = dict(nogil=True, error_model="numpy", cache=True)
#: where a run's work stands: its first event, the first since its last reset, the events so far, the queue of what is
#: under way, the records so far
START, SINCE, END, HEAD, TAIL, RECORDS = range(6)


@dataclass(frozen=True, eq=False)
class Events:
    """Events of all runs as in ``engine.run.Batch``: ev_* in order, offsets ``ev_0``, and ``rec_ev`` of the records.

    ev_dt, ev_da : (n_events, n_sensitivities), without rows where no derivatives were asked for.
    flag : (n_runs,) 0, or 1 + the dose parameter that is out of range (F or lag below 0, duration or rate not above 0,
        not finite). Such a run gets one event whose amount is not a number, so that its solve fails.
    rows : what was placed.
    """

    rows: DoseRows
    ev_t: Floats
    ev_state: Ints
    ev_amount: Floats
    ev_kind: Ints
    ev_dt: Floats
    ev_da: Floats
    ev_0: Ints
    rec_ev: Ints
    flag: Ints


def place(rows: DoseRows, X: Floats, dX: Floats | None = None) -> Events:
    """Events of all runs at a point.

    Parameters
    ----------
    X : (n_runs, n_parameters) dose parameters: F, lag (h), duration (h), rate (mg/h), initial value of a state.
    dX : (n_runs, n_parameters, n_sensitivities) their derivatives with respect to the model's sensitivities, or None.

    Raises
    ------
    ValueError : shapes that do not fit.
    """
    X = np.ascontiguousarray(X, dtype=float)
    dx = np.zeros((*X.shape, 0)) if dX is None else np.ascontiguousarray(dX, dtype=float)
    if X.shape != (rows.n, rows.n_parameters) or dx.ndim != 3 or dx.shape[:2] != X.shape:
        raise ValueError(
            f"X and dX have shapes {X.shape} and {dx.shape}; runs by parameters are {rows.n, rows.n_parameters}"
        )
    ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, ev_0, rec_ev, flag = place_events(rows.arrays, X, dx)
    if dX is None:
        ev_dt, ev_da = np.zeros((0, 0)), np.zeros((0, 0))
    return Events(rows, ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, ev_0, rec_ev, flag)


def batch_with(batch: Batch, events: Events) -> Batch:
    """The batch with these events in place of its own; raises ValueError where runs, starts or records differ."""
    a = events.rows.arrays
    starts = batch.seg_t[batch.seg_0[:-1]]
    same = batch.n == events.rows.n and np.array_equal(starts, a.start) and batch.y0.shape[1] == len(a.initial)
    if not (same and np.array_equal(batch.t_0, a.rec_0) and np.array_equal(batch.times, events.rows.rec_time)):
        raise ValueError("the batch and the dose rows differ in their runs, in the starts of runs or in the records")
    return replace(
        batch, ev_t=events.ev_t, ev_state=events.ev_state, ev_amount=events.ev_amount, ev_kind=events.ev_kind,
        ev_dt=events.ev_dt, ev_da=events.ev_da, ev_0=events.ev_0, rec_ev=events.rec_ev,
    )  # fmt: skip


@njit(**JIT)
def _arrivals(a: Any, k: int, x: Any, dx: Any, arriving: Any) -> int:
    """Start (2 i) and end (2 i + 1) of the dose of each row i of run k; 1 + the parameter out of range, or 0."""
    a_t, a_state, a_amount, a_kind, a_dt, a_da = arriving
    for i in range(a.row_0[k + 1] - a.row_0[k]):
        d = a.row_0[k] + i
        if a.evid[d] != DOSE:
            continue
        f, g, length, kind = a.f[d], a.lag[d], a.length[d], a.kind[d]
        fraction = x[f] if f >= 0 else 1.0
        lag = x[g] if g >= 0 else 0.0
        own = x[length] if length >= 0 else a.value[d]
        amount = a.amount[d] * fraction
        if not (fraction >= 0.0 and math.isfinite(amount)):
            return 1 + f
        if not (lag >= 0.0 and math.isfinite(lag)):
            return 1 + g
        duration, rate = 0.0, amount
        by_rate = kind in (RATE, RATE_PARAMETER)
        if kind != BOLUS:
            rate, duration = (own, amount / own) if by_rate else (amount / own, own)
            if not (own > 0.0 and math.isfinite(rate) and math.isfinite(duration)):
                return 1 + (length if length >= 0 else f)
        start, end = 2 * i, 2 * i + 1
        a_t[start] = a.time[d] + lag + a.later[d]
        a_t[end] = a_t[start] + duration
        a_state[start], a_state[end] = a.state[d], a.state[d]
        a_amount[start], a_amount[end] = rate, -rate
        a_kind[start], a_kind[end] = ADD_AMOUNT if kind == BOLUS else ADD_RATE, ADD_RATE
        for m in range(dx.shape[1]):
            d_amount = a.amount[d] * dx[f, m] if f >= 0 else 0.0
            d_own = dx[length, m] if length >= 0 else 0.0
            d_lag = dx[g, m] if g >= 0 else 0.0
            d_rate, d_duration = d_amount, 0.0
            if by_rate:
                d_rate, d_duration = d_own, (d_amount - duration * d_own) / own
            elif kind != BOLUS:
                d_rate, d_duration = (d_amount - rate * d_own) / own, d_own
            a_dt[start, m], a_dt[end, m] = d_lag, d_lag + d_duration
            a_da[start, m], a_da[end, m] = d_rate, -d_rate
    return 0


@njit(**JIT)
def _wait(first: int, last: int, a_t: Any, queue: Any, at: Any) -> None:
    """Arrivals into the queue, which is sorted by time; equal times in the order of coming."""
    for c in range(first, last):
        i = at[TAIL]
        while i > at[HEAD] and a_t[queue[i - 1]] > a_t[c]:
            queue[i] = queue[i - 1]
            i -= 1
        queue[i] = c
        at[TAIL] += 1


@njit(**JIT)
def _advance(time: float, arriving: Any, queue: Any, out: Any, at: Any) -> None:
    """Apply what has arrived by ``time``; times that a rounding error separates become one (as engine.events)."""
    a_t, a_state, a_amount, a_kind, a_dt, a_da = arriving
    ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da = out
    last = ev_t[at[END] - 1] if at[END] > at[START] else 0.0
    slack = SAME_TIME * max(1.0, abs(time if math.isfinite(time) else last))
    while at[HEAD] < at[TAIL] and a_t[queue[at[HEAD]]] <= time + slack:
        c, n = queue[at[HEAD]], at[END]
        near = ev_t[n - 1] if n > at[START] else time
        ev_t[n] = time if abs(a_t[c] - time) <= slack else a_t[c]
        if abs(ev_t[n] - near) <= slack:
            ev_t[n] = near
        ev_state[n], ev_amount[n], ev_kind[n] = a_state[c], a_amount[c], a_kind[c]
        for m in range(ev_dt.shape[1]):
            ev_dt[n, m], ev_da[n, m] = a_dt[c, m], a_da[c, m]
        at[HEAD] += 1
        at[END] += 1


@njit(**JIT)
def _set(time: float, state: int, amount: float, kind: int, out: Any, at: Any) -> None:
    """One event that no parameter moves."""
    ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da = out
    n = at[END]
    ev_t[n], ev_state[n], ev_amount[n], ev_kind[n] = time, state, amount, kind
    for m in range(ev_dt.shape[1]):
        ev_dt[n, m], ev_da[n, m] = 0.0, 0.0
    at[END] += 1


@njit(**JIT)
def _restart(a: Any, k: int, x: Any, dx: Any, row: int, out: Any, at: Any) -> None:
    """Start or reset of a run: stop what was infused, cancel what is under way, put states to their initial values.

    At the start only the states that start from a parameter: the others are in the batch's initial state.
    """
    time, before = a.time[row], at[END]
    for s in range(a.initial.shape[0]):
        for e in range(at[SINCE], before):
            if out[3][e] == ADD_RATE and out[1][e] == s:
                _set(time, s, 0.0, SET_RATE, out, at)
                break
    at[HEAD], at[SINCE] = at[TAIL], at[END]
    for s in range(a.initial.shape[0]):
        c = a.initial_column[k, s]
        if c >= 0 or (s != a.clock and a.evid[row] == RESET):
            _set(time, s, x[c] if c >= 0 else a.initial[s], SET_STATE, out, at)
            for m in range(dx.shape[1]):
                out[5][at[END] - 1, m] = dx[c, m] if c >= 0 else 0.0


@njit(**JIT)
def _place_run(a: Any, k: int, x: Any, dx: Any, arriving: Any, queue: Any, out: Any, at: Any, rec_ev: Any) -> None:
    """Work off the rows of run k; its events come to stand in ``out`` from at[START] to at[END]."""
    at[START], at[SINCE], at[HEAD], at[TAIL] = at[END], at[END], 0, 0
    first, last = a.row_0[k], a.row_0[k + 1]
    for row in range(first, last + 1):
        _advance(a.time[row] if row < last else np.inf, arriving, queue, out, at)
        if row == last:
            break
        if a.evid[row] == RECORD:
            rec_ev[at[RECORDS]] = at[END] - at[START]
            at[RECORDS] += 1
        elif a.evid[row] == DOSE:
            i = 2 * (row - first)
            _wait(i, i + (1 if a.kind[row] == BOLUS else 2), arriving[0], queue, at)
        else:
            _restart(a, k, x, dx, row, out, at)


@njit(**JIT)
def _space(n: int, n_sens: int) -> Any:
    """Room for n events: times, states, amounts, kinds, derivatives of times and of amounts."""
    dt, da = np.empty((n, n_sens)), np.empty((n, n_sens))
    return np.empty(n), np.empty(n, np.int64), np.empty(n), np.empty(n, np.int64), dt, da


@njit(**JIT)
def place_events(a: Any, X: Any, dX: Any) -> Any:
    """As :func:`place`, compiled, without the interpreter lock: ``a`` is ``DoseRows.arrays``; n_sensitivities may be 0.

    Returns (ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, ev_0, rec_ev, flag), see :class:`Events`.
    """
    n_states, n_runs, n_sens = a.initial.shape[0], a.start.shape[0], dX.shape[2]
    n_rows, restarts, longest = a.time.shape[0], 0, 0
    for k in range(n_runs):
        longest = max(longest, a.row_0[k + 1] - a.row_0[k])
    for row in range(n_rows):
        if a.evid[row] in (START_OF_RUN, RESET):
            restarts += 1
    out, arriving = _space(2 * n_rows + 2 * n_states * restarts, n_sens), _space(2 * longest, n_sens)
    queue, at = np.empty(2 * longest, np.int64), np.zeros(6, np.int64)
    ev_0, flag = np.zeros(n_runs + 1, np.int64), np.zeros(n_runs, np.int64)
    rec_ev = np.zeros(a.rec_0[n_runs], np.int64)
    for k in range(n_runs):
        x, dx = X[k], dX[k]
        flag[k] = _arrivals(a, k, x, dx, arriving)
        for s in range(n_states):
            c = a.initial_column[k, s]
            if flag[k] == 0 and c >= 0 and not math.isfinite(x[c]):
                flag[k] = 1 + c
        if flag[k] == 0:
            _place_run(a, k, x, dx, arriving, queue, out, at, rec_ev)
        else:  # with an amount that is not a number the solver cannot but fail
            _set(a.start[k], 0, np.nan, SET_STATE, out, at)
            rec_ev[a.rec_0[k] : a.rec_0[k + 1]] = 1
            at[RECORDS] = a.rec_0[k + 1]
        ev_0[k + 1] = at[END]
    n = at[END]
    return out[0][:n], out[1][:n], out[2][:n], out[3][:n], out[4][:n], out[5][:n], ev_0, rec_ev, flag
