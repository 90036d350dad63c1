"""SUNDIALS CVODE: the reference engine, by two paths.

* the compiled driver (``kernel_cvode``, ``sundials``) carries populations: no Python between the model's
  functions and the library;
* scikit-sundae's public API, one Python call a right-hand side, is the reference of the reference and
  the way out where the driver's self-check fails.

BDF with Newton iteration and analytic Jacobian; integration restarts at every dose or change of
parameters. Hindmarsh et al. 2005, ACM Trans Math Softw 31:363, doi 10.1145/1089014.1089020.
"""

from __future__ import annotations

import ctypes
import logging
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine import sundials
from pharmtwin.engine.compiled import Compiled, compiled
from pharmtwin.engine.kernels import function
from pharmtwin.engine.run import (
    MAX_STEPS,
    Batch,
    Trajectories,
    absolute_tolerance,
    blank_failures,
    empty_result,
    over_threads,
    pack,
    pointer,
)
from pharmtwin.model.codegen import FUNCTIONS
from pharmtwin.model.description import Flux, Model, Module, Parameter, State, compose

CVODE_FAILED, BAD_INPUT = 4, 5
SELF_CHECK = 1e-4  # relative error allowed in the self-check, solved at rtol 1e-6
#: C signature of ``cvode_entry``
ENTRY = "IvvvIFiFIFIFIiIFIiIFFiiFFFFI"

log = logging.getLogger(__name__)


def solve(
    model: Model,
    batch: Batch,
    rtol: float,
    atol: NDArray[np.float64] | None,
    form: str,
    threads: int,
    public: bool = False,
) -> Trajectories:
    """Solve a batch; a run that CVODE gives up on has flag 4 and NaN values."""
    absolute = absolute_tolerance(model, rtol) if atol is None else np.ascontiguousarray(atol, dtype=float)
    why_not = None if public else driver_fault()
    if public or why_not is not None:
        reason = "" if public else f" ({why_not})"
        return _solve_public(compiled(model, form), batch, rtol, absolute, f"cvode, public API{reason}, {form}")
    return _solve_driver(compiled(model, form), batch, rtol, absolute, form, threads)


@lru_cache(maxsize=1)
def driver_fault() -> str | None:
    """None if the compiled driver can be used; otherwise why not (version, functions, layout or self-check)."""
    try:
        fault = _self_check()
    except (sundials.NotDrivable, OSError, ImportError) as error:
        fault = str(error)
    if fault:
        log.warning("CVODE runs by its Python API, several times slower: %s", fault)
    else:
        log.info("CVODE %s runs by the compiled driver (self-check passed)", sundials.library().version)
    return fault


def _self_check() -> str | None:
    """Solve A -> B -> nothing, a' = -2a, b' = 2a - b, whose solution is known."""
    model = compose(
        "cvode_self_check",
        [
            Module(
                "chain",
                states=(State("a", "1", "first", 1.0), State("b", "1", "second")),
                parameters=(Parameter("k", "1/h", "rate"),),
                fluxes=(Flux("ab", "k*a", "1/h", "a", "b"), Flux("out", "b", "1/h", "b", None)),
            )
        ],
        ["a", "b"],
    )
    t = np.array([0.5, 1.0, 3.0])
    batch = pack(model, [np.array([2.0])], [[]], [t])
    result = _solve_driver(compiled(model), batch, 1e-6, np.full(2, 1e-10), "native", 1)
    exact = np.column_stack([np.exp(-2 * t), 2 * (np.exp(-t) - np.exp(-2 * t))])
    error = float(np.max(np.abs(result.values / exact - 1.0)))
    return None if error < SELF_CHECK else f"self-check solve is off by {error:.2g}"


def _solve_driver(
    code: Compiled, batch: Batch, rtol: float, atol: NDArray[np.float64], form: str, threads: int
) -> Trajectories:
    g = code.generated
    path = f"cvode {sundials.library().version}, compiled driver, {form}"
    result = empty_result(batch, g.n_o, g.n_t, False, path)
    sundials.entries()  # binds the kernel to the library
    entry = function("cvode", "cvode_entry", ENTRY)
    p = pointer

    def run(first: int, last: int) -> None:  # without the interpreter lock
        with sundials.Solver(code.table, rtol, atol, MAX_STEPS) as s:
            entry(
                p(code.table), s.mem, s.vector, s.spare, p(s.user), p(batch.P), len(batch.P), p(batch.seg_t),
                p(batch.seg_0), p(batch.ev_t), p(batch.ev_state), p(batch.ev_amount), p(batch.ev_kind),
                len(batch.ev_t), p(batch.ev_0), p(batch.times), p(batch.rec_ev), len(batch.times), p(batch.t_0),
                p(batch.y0), p(batch.r0), first, last, p(result.values), p(result.final_state),
                p(result.final_rate), p(result.stat), p(result.flag),
            )  # fmt: skip

    over_threads(run, batch.n, 1 if form == "tape" else threads)
    return blank_failures(result)


class _Functions:
    """The model's functions for Python callers: arrays of doubles in, by address."""

    def __init__(self, code: Compiled) -> None:
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * 5)
        pairs = zip(FUNCTIONS, code.functions, strict=False)
        self._call = {name: (kind(address), context) for name, (address, context) in pairs}

    def __call__(self, name: str, *arrays: NDArray[np.float64]) -> None:
        f, context = self._call[name]
        addresses = [a.ctypes.data for a in arrays]
        f(context, *addresses, *[addresses[0]] * (5 - len(addresses)))


def _solve_public(code: Compiled, batch: Batch, rtol: float, atol: NDArray[np.float64], path: str) -> Trajectories:
    from sksundae.cvode import CVODE

    g, f = code.generated, _Functions(code)
    q, r, J = np.zeros(g.n_q), np.zeros(g.n), np.zeros(g.n_lu)
    rows = np.array([i for i, _ in g.lu.slot], dtype=np.intp)
    columns = np.array([j for _, j in g.lu.slot], dtype=np.intp)
    slots = np.array(list(g.lu.slot.values()), dtype=np.intp)

    def rhs(t: float, y: NDArray[Any], yp: NDArray[Any]) -> None:
        f("rhs", y, q, yp)
        yp += r

    def jacobian(t: float, y: NDArray[Any], yp: NDArray[Any], JJ: NDArray[Any]) -> None:
        f("jacobian", y, q, J)
        JJ[:, :] = 0.0  # the wrapper does not clear it
        JJ[rows, columns] = J[slots]

    solver = CVODE(rhs, jacfn=jacobian, rtol=rtol, atol=atol, linsolver="dense", max_num_steps=MAX_STEPS)
    result = empty_result(batch, g.n_o, g.n_t, False, path)
    for k in range(batch.n):
        _run_public(f, solver, q, r, batch, k, result)
    return blank_failures(result)


def _run_public(
    f: _Functions, solver: Any, q: NDArray[Any], r: NDArray[Any], batch: Batch, k: int, result: Trajectories
) -> None:
    """Integrate run ``k``, records, segments and events in the order of the compiled driver."""
    rows = slice(batch.t_0[k], batch.t_0[k + 1])
    times, after, out = batch.times[rows], batch.rec_ev[rows], result.values[rows]
    seg = slice(batch.seg_0[k], batch.seg_0[k + 1])
    seg_t, P = batch.seg_t[seg], np.ascontiguousarray(batch.P[seg])
    ev = slice(batch.ev_0[k], batch.ev_0[k + 1])
    events = list(zip(batch.ev_t[ev], batch.ev_state[ev], batch.ev_amount[ev], batch.ev_kind[ev], strict=True))
    if not np.all(np.isfinite(P)):
        result.flag[k], result.stat[k, 4] = BAD_INPUT, np.argwhere(~np.isfinite(P))[0, 1]
        return
    t, y, i_seg, i_ev, done = float(seg_t[0]), batch.y0[k].copy(), 0, 0, 0
    r[:] = batch.r0[k]
    f("prepare", P[0], q)

    def record() -> None:
        nonlocal done
        while done < len(times) and times[done] <= t and after[done] <= i_ev:
            f("observe", y, q, out[done])
            done += 1

    while True:
        record()
        if done >= len(times):
            break
        while i_seg + 1 < len(seg_t) and seg_t[i_seg + 1] <= t:
            i_seg += 1
            f("prepare", P[i_seg], q)
        while i_ev < len(events) and events[i_ev][0] <= t:
            _, state, amount, kind = events[i_ev]
            target = y if kind in (0, 2) else r
            target[state] = amount + (target[state] if kind in (0, 1) else 0.0)
            i_ev += 1
            record()
        if done >= len(times):
            break
        stop = min([times[-1], *(e[0] for e in events[i_ev : i_ev + 1]), *seg_t[i_seg + 1 : i_seg + 2]])
        inner = times[done:][times[done:] < stop]
        if stop - t <= 1e-13 * max(1.0, abs(t)):  # CVODE refuses to start on an interval of rounding size
            t = float(stop)
            continue
        grid = np.unique(np.concatenate([[t], inner, [stop]]))
        if len(grid) == 2:  # two points would make CVODE return its own steps
            grid = np.array([t, 0.5 * (t + stop), stop])
        solved = solver.solve(grid, y)
        if not solved.success or not np.all(np.isfinite(solved.y)):
            result.flag[k], result.stat[k, 2] = CVODE_FAILED, t
            return
        while done < len(times) and times[done] < stop:
            f("observe", np.ascontiguousarray(solved.y[np.searchsorted(grid, times[done])]), q, out[done])
            done += 1
        t, y = float(stop), solved.y[-1].copy()
    result.final_state[k], result.final_rate[k], result.stat[k, 5] = y, r, i_ev
