"""The contract of the engines.

``simulate(model, batch, ...)`` and ``simulate_with_sensitivities`` take parameters that are piecewise
constant in time, ragged regimens and per-twin output times, can start from a given state, and return the
final state so that a run can be resumed. Records at the time of a dose are taken before the dose, unless
``rec_ev`` says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.compiled import compiled
from pharmtwin.engine.kernels import event_tangents, function, over_threads, pointer
from pharmtwin.model.description import TIME, Model

#: C signature of ``solve_entry``: i a 64-bit integer, I a pointer to them, f a double, F a pointer
SOLVE = "IFiFIFIFIiIFFiFIiIFFiifFiiFFFFFIF"
Floats = NDArray[np.float64]
MAX_STEPS = 200_000
REASONS = {
    0: "ok", 1: "too many steps", 2: "step size underflow", 3: "not finite", 4: "CVODE failed",
    5: "a parameter is not finite",
}  # fmt: skip
N_STATS = 6  # steps, rejected steps, time reached, last step size, worst state, events applied


@dataclass(frozen=True)
class Dose:
    """One dose event, as in NONMEM: time (h), amount (mg), route, duration (h; 0 is a bolus)."""

    time: float
    amount: float
    route: str = "oral"
    duration: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Ragged input of many runs: flat arrays, run k has items ``x_0[k]`` to ``x_0[k + 1]``.

    P (segments, n_parameters) from seg_t on; events ev_t, ev_state, ev_amount, ev_kind (0 adds the amount
    to a state, 1 to the state's zero-order input rate, 2 sets the state, 3 sets the rate; equal times in
    order); records at times, taken after rec_ev of the run's events; y0 and r0 (n_runs, n_states) initial
    states and running input rates (mg/h). ``differentiable`` is False where amounts of events depend on
    the parameters (steady states set as numbers): tangents would lack that part.

    ev_dt, ev_da (n_events, n_sensitivities): derivatives of the events' times and amounts with respect to
    ``model.sensitivities``; without rows (default) events are numbers. Only tangents read them.
    """

    P: Floats
    seg_t: Floats
    seg_0: NDArray[np.int64]
    ev_t: Floats
    ev_state: NDArray[np.int64]
    ev_amount: Floats
    ev_kind: NDArray[np.int64]
    ev_0: NDArray[np.int64]
    times: Floats
    t_0: NDArray[np.int64]
    y0: Floats
    rec_ev: NDArray[np.int64]
    r0: Floats
    differentiable: bool = True
    ev_dt: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    ev_da: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def n(self) -> int:
        """Number of runs."""
        return int(self.y0.shape[0])


@dataclass(frozen=True)
class Trajectories:
    """Output of a batch: ``values`` (sum of n_t, n_observables), offsets ``t_0``, final states, flags.

    ``flag`` is 0 where a run succeeded (else a key of :data:`REASONS`); rows of failed runs are NaN.
    ``final_state`` and ``final_rate`` (n_runs, n_states) after the last record: with the events that are
    left (``stat[:, 5]`` tells how many were applied) they resume the run. ``stat`` (n_runs, 6): steps,
    rejected steps, time reached (h), last step size (h), worst state of a failure, events applied.
    ``tangents`` (sum of n_t, n_observables, n_sensitivities) or None. ``path`` says which code solved.
    """

    values: Floats
    t_0: NDArray[np.int64]
    final_state: Floats
    final_rate: Floats
    flag: NDArray[np.int64]
    stat: Floats
    tangents: Floats | None = None
    path: str = ""

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps of each run."""
        return self.stat[:, 0].astype(np.int64)

    def of(self, k: int) -> Floats:
        """Values of run ``k``: (n_t, n_observables)."""
        return self.values[self.t_0[k] : self.t_0[k + 1]]


def initial_state(model: Model) -> Floats:
    """Initial values of the states."""
    return np.array([s.initial for s in model.states])


def absolute_tolerance(model: Model, rtol: float) -> Floats:
    """Absolute tolerance of each state: amounts 1e-3 x rtol mg, everything else 1e-2 x rtol."""
    return np.array([(1e-3 if s.unit == "mg" else 1e-2) * rtol for s in model.states])


def _offsets(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))]).astype(np.int64)


def pack(
    model: Model,
    parameters: Sequence[Floats] | Floats,
    regimens: Sequence[Sequence[Dose]],
    times: Sequence[Floats],
    state0: Floats | None = None,
    segment_times: Sequence[Floats] | None = None,
    rate0: Floats | None = None,
) -> Batch:
    """Pack runs into a :class:`Batch`.

    Parameters
    ----------
    parameters : one row a run, or one (n_segments, n_parameters) array a run.
    regimens : doses of each run. times : sorted output times (h) of each run.
    state0 : (n_runs, n_states) initial states; default the model's.
    segment_times : start times (h) of each run's segments; default [0.].
    rate0 : (n_runs, n_states) input rates (mg/h) that run at the start; default none. With it the run
        resumes an earlier one: ``final_state`` and ``final_rate`` of that one, the whole regimen again; doses
        before the start have been given, and infusions that began before it only end.

    Raises
    ------
    ValueError : shapes that do not fit, unsorted times, a dose before the start.
    """
    events: list[list[tuple[float, int, float, int]]] = []
    for k, regimen in enumerate(regimens):
        start = 0.0 if segment_times is None else float(np.asarray(segment_times[k])[0])
        early = [d.time for d in regimen if d.time < start]
        if early and rate0 is None:
            raise ValueError(f"run {k}: dose at {early[0]} h lies before the start at {start} h")
        items: list[tuple[float, int, float, int]] = []
        for d in regimen:
            s = model.dose_state(d.route)
            if not 0.0 <= d.duration < math.inf:
                raise ValueError(f"run {k}: dose at {d.time} h has a duration of {d.duration} h; 0 is a bolus")
            parts = [(d.time, s, d.amount, 0)]
            if d.duration > 0:
                rate = d.amount / d.duration
                parts = [(d.time, s, rate, 1), (d.time + d.duration, s, -rate, 1)]
            items += [part for part in parts if part[0] >= start]
        events.append(sorted(items))
    return pack_events(model, parameters, events, times, None, state0, segment_times, rate0)


def pack_events(
    model: Model,
    parameters: Sequence[Floats] | Floats,
    events: Sequence[Sequence[tuple[float, int, float, int]]],
    times: Sequence[Floats],
    records_after: Sequence[NDArray[np.int64]] | None = None,
    state0: Floats | None = None,
    segment_times: Sequence[Floats] | None = None,
    rate0: Floats | None = None,
) -> Batch:
    """As :func:`pack`, from events (time h, state index, amount, kind) in order.

    ``records_after`` : for each output time how many of the run's events come before the record; default
    those strictly before its time.
    """
    n = len(times)
    rows = [np.atleast_2d(np.asarray(p, dtype=float)) for p in parameters]
    starts = [np.array([0.0])] * n if segment_times is None else [np.asarray(s, dtype=float) for s in segment_times]
    if not (len(rows) == len(events) == len(starts) == n):
        raise ValueError(f"{len(rows)} parameter sets, {len(events)} regimens and {n} time vectors do not fit")
    n_p, n_s = len(model.parameters), len(model.states)
    after: list[NDArray[np.int64]] = []
    for k, own in enumerate(events):
        if rows[k].shape != (len(starts[k]), n_p):
            raise ValueError(f"run {k}: parameters have shape {rows[k].shape}, need {(len(starts[k]), n_p)}")
        ev_t = np.array([e[0] for e in own], dtype=float)
        if np.any(np.diff(times[k]) < 0) or np.any(np.diff(ev_t) < 0) or np.any(np.diff(starts[k]) <= 0):
            raise ValueError(f"run {k}: output times, events or segments are not sorted")
        if not all(np.isfinite(x).all() for x in (times[k], ev_t, starts[k])):
            raise ValueError(f"run {k}: a time is not finite: output times, events or segments")
        if len(ev_t) and ev_t[0] < starts[k][0]:
            raise ValueError(f"run {k}: event at {ev_t[0]} h lies before the start at {starts[k][0]} h")
        if len(times[k]) and times[k][0] < starts[k][0]:
            raise ValueError(f"run {k}: output time {times[k][0]} h lies before the start at {starts[k][0]} h")
        before = np.searchsorted(ev_t, times[k], side="left").astype(np.int64)
        if records_after is not None:
            before = np.asarray(records_after[k], dtype=np.int64)
            latest = np.searchsorted(ev_t, times[k], side="right")
            if before.shape != np.shape(times[k]) or np.any(before > latest) or np.any(np.diff(before) < 0):
                raise ValueError(f"run {k}: a record is placed after an event that lies later, or out of order")
        after.append(before)
        wrong = [e for e in own if not (0 <= e[1] < n_s and e[3] in (0, 1, 2, 3) and math.isfinite(e[2]))]
        if wrong:
            raise ValueError(
                f"run {k}: event (time, state, amount, kind) {wrong[0]}: states are 0 to {n_s - 1}, "
                "kinds 0 to 3, amounts finite"
            )
    flat = [e for own in events for e in own]
    column = lambda i, dtype: np.array([e[i] for e in flat], dtype=dtype)  # noqa: E731
    y0 = np.tile(initial_state(model), (n, 1)) if state0 is None else np.array(state0, dtype=float)
    if state0 is None and TIME in model.state_names:
        y0[:, model.state_names.index(TIME)] = [s[0] for s in starts]
    return Batch(
        P=np.ascontiguousarray(np.vstack(rows)) if n else np.zeros((0, n_p)),
        seg_t=np.concatenate(starts) if n else np.zeros(0),
        seg_0=_offsets([len(s) for s in starts]),
        ev_t=column(0, np.float64),
        ev_state=column(1, np.int64),
        ev_amount=column(2, np.float64),
        ev_kind=column(3, np.int64),
        ev_0=_offsets([len(e) for e in events]),
        times=np.concatenate([np.asarray(t, dtype=float) for t in times]) if n else np.zeros(0),
        t_0=_offsets([len(t) for t in times]),
        y0=np.ascontiguousarray(y0).reshape(n, n_s),
        rec_ev=np.concatenate(after) if n else np.zeros(0, dtype=np.int64),
        r0=np.zeros((n, n_s)) if rate0 is None else np.ascontiguousarray(np.array(rate0, dtype=float)),
    )


def empty_result(batch: Batch, n_o: int, n_t: int, tangents: bool, path: str) -> Trajectories:
    """Where a batch is solved into; NaN until it is."""
    n_out, n_s = len(batch.times), batch.y0.shape[1]
    return Trajectories(
        values=np.full((n_out, n_o), np.nan),
        t_0=batch.t_0,
        final_state=np.full((batch.n, n_s), np.nan),
        final_rate=np.full((batch.n, n_s), np.nan),
        flag=np.zeros(batch.n, dtype=np.int64),
        stat=np.zeros((batch.n, N_STATS)),
        tangents=np.full((n_out, n_o, n_t), np.nan) if tangents else None,
        path=path,
    )


def blank_failures(result: Trajectories) -> Trajectories:
    """A failed run has no values at all, not even those before it failed."""
    for k in np.flatnonzero(result.flag):
        mine = slice(result.t_0[k], result.t_0[k + 1])
        result.values[mine] = np.nan
        result.final_state[k] = np.nan
        if result.tangents is not None:
            result.tangents[mine] = np.nan
    return result


def _rosenbrock(
    model: Model, batch: Batch, with_tangents: bool, rtol: float, atol: Floats | None, form: str, threads: int
) -> Trajectories:
    code = compiled(model, form)
    g = code.generated
    entry = function("rosenbrock", "solve_entry", SOLVE)
    result = empty_result(batch, g.n_o, g.n_t, with_tangents, f"rosenbrock, {form}")
    tangents = np.zeros((0, g.n_o, g.n_t)) if result.tangents is None else result.tangents
    ev_dt, ev_da = event_tangents(batch.ev_dt, batch.ev_da, len(batch.ev_t), g.n_t)
    absolute = absolute_tolerance(model, rtol) if atol is None else np.ascontiguousarray(atol, dtype=float)
    p = pointer

    def solve(first: int, last: int) -> None:  # without the interpreter lock
        entry(
            p(code.table), p(batch.P), len(batch.P), p(batch.seg_t), p(batch.seg_0), p(batch.ev_t), p(batch.ev_state),
            p(batch.ev_amount), p(batch.ev_kind), len(batch.ev_t), p(batch.ev_0), p(ev_dt), p(ev_da), len(ev_dt),
            p(batch.times), p(batch.rec_ev), len(batch.times), p(batch.t_0), p(batch.y0), p(batch.r0), first, last,
            rtol, p(absolute), MAX_STEPS, int(with_tangents), p(result.values), p(tangents), p(result.final_state),
            p(result.final_rate), p(result.stat), p(result.flag), p(np.empty(code.scratch(with_tangents))),
        )  # fmt: skip

    over_threads(solve, batch.n, 1 if form == "tape" else threads)
    return blank_failures(result)


def simulate(
    model: Model,
    batch: Batch,
    *,
    engine: str = "cvode",
    rtol: float = 1e-6,
    atol: Floats | None = None,
    form: str = "native",
    threads: int = 1,
) -> Trajectories:
    """Solve a batch with ``cvode`` (SUNDIALS, the reference) or ``rosenbrock`` (Rodas5P, the fast path).

    Parameters
    ----------
    rtol : relative tolerance. atol : absolute tolerance of each state; default :func:`absolute_tolerance`.
    form : ``native`` machine code or ``tape`` (no compilation, slower: for structures that few runs share).
    threads : runs are shared out over so many; results do not depend on the number.

    A run that fails has a flag, NaN values and a reason (``engine.failures``); the others go on.
    """
    if engine == "rosenbrock":
        return _rosenbrock(model, batch, False, rtol, atol, form, threads)
    if engine in ("cvode", "cvode_public"):
        from pharmtwin.engine import cvode

        return cvode.solve(model, batch, rtol, atol, form, threads, public=engine == "cvode_public")
    raise ValueError(f"unknown engine {engine!r}; use cvode or rosenbrock (cvode_public: CVODE by its Python API)")


def simulate_with_sensitivities(
    model: Model,
    batch: Batch,
    *,
    rtol: float = 1e-6,
    atol: Floats | None = None,
    form: str = "native",
    threads: int = 1,
) -> Trajectories:
    """Solve (Rodas5P) with exact tangents of the discrete solution with respect to ``model.sensitivities``.

    Where the batch has ``ev_dt`` and ``ev_da``, tangents jump at an event as those of the exact solution do. Neither
    tangents of the final state nor of the final rates are returned: a resumed run starts with tangents of zero.

    Raises
    ------
    ValueError : the batch sets steady states as numbers, through which no tangents pass; ``ev_dt`` and ``ev_da`` do
        not fit the events and sensitivities.
    """
    if not batch.differentiable:
        raise ValueError(
            "tangents do not pass through steady-state rows (SS 1 or 2), whose states are set as numbers: "
            "give the doses that lead to the steady state"
        )
    return _rosenbrock(model, batch, True, rtol, atol, form, threads)
