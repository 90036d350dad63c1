"""The contract of the engines.

``simulate(model, batch, ...)`` and ``simulate_with_sensitivities`` take parameters that are piecewise
constant in time, ragged regimens and per-twin output times, can start from a given state, and return the
final state so that a run can be resumed. Records at the time of a dose are taken before the dose.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.compiled import compiled
from pharmtwin.model.description import Model

Floats = NDArray[np.float64]
MAX_STEPS = 200_000
REASONS = {0: "ok", 1: "too many steps", 2: "step size underflow", 3: "not finite", 4: "CVODE failed"}


@dataclass(frozen=True)
class Dose:
    """One dose event, as in NONMEM: time (h), amount (mg), route, duration (h; 0 is a bolus)."""

    time: float
    amount: float
    route: str = "oral"
    duration: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Ragged input of many runs (flat arrays with offsets; see ``rosenbrock_kernel``)."""

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

    @property
    def n(self) -> int:
        """Number of runs."""
        return int(self.y0.shape[0])


@dataclass(frozen=True)
class Trajectories:
    """Output of a batch: ``values`` (sum of n_t, n_observables), offsets ``t_0``, final states, flags.

    ``flag`` is 0 where a run succeeded (else a key of :data:`REASONS`); rows of failed runs are NaN.
    ``tangents`` (sum of n_t, n_observables, n_sensitivities) or None.
    """

    values: Floats
    t_0: NDArray[np.int64]
    final_state: Floats
    flag: NDArray[np.int64]
    steps: NDArray[np.int64]
    tangents: Floats | None = None

    def of(self, k: int) -> Floats:
        """Values of run ``k``: (n_t, n_observables)."""
        return self.values[self.t_0[k] : self.t_0[k + 1]]


def initial_state(model: Model) -> Floats:
    """Initial values of the states."""
    return np.array([s.initial for s in model.states])


def absolute_tolerance(model: Model, rtol: float) -> Floats:
    """Absolute tolerance of each state: amounts 1e-3 x rtol mg, everything else 1e-2 x rtol."""
    return np.array([(1e-3 if s.unit == "mg" else 1e-2) * rtol for s in model.states])


def pack(
    model: Model,
    parameters: Sequence[Floats] | Floats,
    regimens: Sequence[Sequence[Dose]],
    times: Sequence[Floats],
    state0: Floats | None = None,
    segment_times: Sequence[Floats] | None = None,
) -> Batch:
    """Pack runs into a :class:`Batch`.

    Parameters
    ----------
    parameters : one row a run, or one (n_segments, n_parameters) array a run.
    regimens : doses of each run. times : sorted output times (h) of each run.
    state0 : (n_runs, n_states) initial states; default the model's.
    segment_times : start times (h) of each run's segments; default [0.].

    A running infusion is not part of the state: a resumed run needs its rest as a new dose.

    Raises
    ------
    ValueError : shapes that do not fit, unsorted times, a dose before the start.
    """
    n = len(times)
    rows = [np.atleast_2d(np.asarray(p, dtype=float)) for p in parameters]
    starts = [np.array([0.0])] * n if segment_times is None else [np.asarray(s, dtype=float) for s in segment_times]
    if not (len(rows) == len(regimens) == len(starts) == n):
        raise ValueError(f"{len(rows)} parameter sets, {len(regimens)} regimens and {n} time vectors do not fit")
    ev: list[list[tuple[float, int, float, int]]] = []
    for k, regimen in enumerate(regimens):
        if rows[k].shape != (len(starts[k]), len(model.parameters)):
            raise ValueError(
                f"run {k}: parameters have shape {rows[k].shape}, need {(len(starts[k]), len(model.parameters))}"
            )
        if np.any(np.diff(times[k]) < 0):
            raise ValueError(f"run {k}: output times are not sorted")
        items: list[tuple[float, int, float, int]] = []
        for d in regimen:
            if d.time < starts[k][0]:
                raise ValueError(f"run {k}: dose at {d.time} h lies before the start at {starts[k][0]} h")
            s = model.dose_state(d.route)
            if d.duration > 0:
                items += [(d.time, s, d.amount / d.duration, 1), (d.time + d.duration, s, -d.amount / d.duration, 1)]
            else:
                items.append((d.time, s, d.amount, 0))
        ev.append(sorted(items))
    offsets = lambda sizes: np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)  # noqa: E731
    flat = [e for items in ev for e in items]
    column = lambda i, dtype: np.array([e[i] for e in flat], dtype=dtype)  # noqa: E731
    return Batch(
        P=np.ascontiguousarray(np.vstack(rows)),
        seg_t=np.concatenate(starts),
        seg_0=offsets([len(s) for s in starts]),
        ev_t=column(0, np.float64),
        ev_state=column(1, np.int64),
        ev_amount=column(2, np.float64),
        ev_kind=column(3, np.int64),
        ev_0=offsets([len(e) for e in ev]),
        times=np.concatenate([np.asarray(t, dtype=float) for t in times]) if n else np.zeros(0),
        t_0=offsets([len(t) for t in times]),
        y0=np.tile(initial_state(model), (n, 1)) if state0 is None else np.array(state0, dtype=float),
    )


def _pointer(array: NDArray[Any]) -> Any:
    """C pointer to a contiguous array of doubles or 64-bit integers."""
    kind = ctypes.c_double if array.dtype == np.float64 else ctypes.c_int64
    if array.dtype not in (np.float64, np.int64) or not array.flags.c_contiguous:
        raise TypeError(f"the solver needs contiguous double or int64 arrays, not {array.dtype}")
    return array.ctypes.data_as(ctypes.POINTER(kind))


def _rosenbrock(model: Model, batch: Batch, with_tangents: bool, rtol: float) -> Trajectories:
    module = compiled(model)
    n_out = len(batch.times)
    values = np.full((n_out, module.NO), np.nan)
    tangents = np.full((n_out if with_tangents else 0, module.NO, module.NT), np.nan)
    final = np.full((batch.n, module.NS), np.nan)
    stat = np.zeros((batch.n, 3), dtype=np.int64)
    flag = np.zeros(batch.n, dtype=np.int64)
    p = _pointer
    module.solve_entry.ctypes(
        p(batch.P), len(batch.P), p(batch.seg_t), p(batch.seg_0),
        p(batch.ev_t), p(batch.ev_state), p(batch.ev_amount), p(batch.ev_kind), len(batch.ev_t), p(batch.ev_0),
        p(batch.times), n_out, p(batch.t_0), p(batch.y0), batch.n,
        rtol, p(absolute_tolerance(model, rtol)), MAX_STEPS, int(with_tangents),
        p(values), p(tangents), p(final), p(stat), p(flag),
    )  # fmt: skip
    for k in np.flatnonzero(flag):
        mine = slice(batch.t_0[k], batch.t_0[k + 1])
        values[mine] = np.nan
        if with_tangents:
            tangents[mine] = np.nan
    return Trajectories(values, batch.t_0, final, flag, stat[:, 0], tangents if with_tangents else None)


def simulate(model: Model, batch: Batch, *, engine: str = "cvode", rtol: float = 1e-6) -> Trajectories:
    """Solve a batch with ``cvode`` (SUNDIALS, the reference) or ``rosenbrock`` (Rodas5P, the fast path)."""
    if engine == "rosenbrock":
        return _rosenbrock(model, batch, False, rtol)
    if engine == "cvode":
        from pharmtwin.engine.cvode import solve

        return solve(model, batch, rtol)
    raise ValueError(f"unknown engine {engine!r}; use cvode or rosenbrock")


def simulate_with_sensitivities(model: Model, batch: Batch, *, rtol: float = 1e-6) -> Trajectories:
    """Solve (Rodas5P) with exact tangents of the discrete solution with respect to ``model.sensitivities``."""
    return _rosenbrock(model, batch, True, rtol)
