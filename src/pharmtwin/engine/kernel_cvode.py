"""A population driver for CVODE: no Python between the model's functions and the SUNDIALS library.

Calls the library inside the scikit-sundae wheel by documented SUNDIALS functions (user guide of CVODE
7.x: sections on CVodeSetLinSysFn and on supplying a custom SUNLinearSolver). The linear solver is our
generated sparse LU: ``linear_system`` forms M = I - gamma J in LU slots, ``setup`` factors it and
``solve`` solves with it. The user data and the linear solver's content are one array of int64 (U_...).
Compiled once a machine, see ``engine.kernels``.
"""

from __future__ import annotations

import numpy as np
from numba import carray, cfunc, njit, types

from pharmtwin.engine.kernel_calls import (
    BAD_INPUT,
    CVODE_FAILED,
    DIAGONAL,
    FACTOR,
    FLOATS,
    INTS,
    JACOBIAN,
    JIT,
    N_LU,
    OBSERVE,
    OK,
    PREPARE,
    RHS,
    SOLVE,
    TABLE,
    N,
    apply_event,
    at,
    bad_parameter,
    call2,
    call3,
    copy_row,
    doubles_at,
    integers_at,
    next_stop,
    views,
    worst_of,
)

# --- kernel ---
ENTRIES = ("cvode_rhs", "cvode_linear_system", "cvode_setup", "cvode_solve", "cvode_entry")
U_TABLE, U_Q, U_R, U_J, U_M, U_SIZE = 0, 1, 2, 3, 4, 5
NORMAL = 1
CLOSE = 1e-13  # of the time: closer than this, two events are at one time
I32, I64, F64 = types.int32, types.int64, types.float64

CVode = types.ExternalFunction("pharmtwin_sun_CVode", I32(I64, F64, I64, I64, I32))
CVodeReInit = types.ExternalFunction("pharmtwin_sun_CVodeReInit", I32(I64, F64, I64))
CVodeSetStopTime = types.ExternalFunction("pharmtwin_sun_CVodeSetStopTime", I32(I64, F64))
CVodeGetNumSteps = types.ExternalFunction("pharmtwin_sun_CVodeGetNumSteps", I32(I64, I64))
CVodeGetNumErrTestFails = types.ExternalFunction("pharmtwin_sun_CVodeGetNumErrTestFails", I32(I64, I64))
CVodeGetLastStep = types.ExternalFunction("pharmtwin_sun_CVodeGetLastStep", I32(I64, I64))
CVodeGetErrWeights = types.ExternalFunction("pharmtwin_sun_CVodeGetErrWeights", I32(I64, I64))
N_VGetArrayPointer = types.ExternalFunction("pharmtwin_sun_N_VGetArrayPointer", I64(I64))


@njit(**JIT)
def table_of(user):
    """The model's table from the user data."""
    return carray(integers_at(user[U_TABLE]), (TABLE,))


@cfunc(I32(F64, I64, I64, I64), nopython=True)
def cvode_rhs(t, y, dy, data):
    """Right-hand side; asks for a smaller step where it is not finite."""
    user = carray(integers_at(data), (U_SIZE,))
    table = table_of(user)
    n = table[N]
    out = carray(doubles_at(N_VGetArrayPointer(dy)), (n,))
    rate = carray(doubles_at(user[U_R]), (n,))
    call3(table, RHS, N_VGetArrayPointer(y), user[U_Q], at(out, 0))
    total = 0.0
    for k in range(n):
        out[k] += rate[k]
        total += out[k] * 0.0  # zero unless something is infinite or not a number
    return 0 if total == 0.0 else 1


@cfunc(I32(F64, I64, I64, I64, I32, I64, F64, I64, I64, I64, I64), nopython=True)
def cvode_linear_system(t, y, fy, A, jacobian_is_current, updated, gamma, data, t1, t2, t3):
    """M = I - gamma J, with a fresh Jacobian where CVODE asks for one."""
    user = carray(integers_at(data), (U_SIZE,))
    table = table_of(user)
    n, n_lu = table[N], table[N_LU]
    J = carray(doubles_at(user[U_J]), (n_lu,))
    M = carray(doubles_at(user[U_M]), (n_lu,))
    diagonal = carray(integers_at(table[DIAGONAL]), (n,))
    fresh = carray(integers_at(updated), (1,)).view(np.int32)
    if jacobian_is_current:
        fresh[0] = 0
    else:
        call3(table, JACOBIAN, N_VGetArrayPointer(y), user[U_Q], user[U_J])
        fresh[0] = 1
    for k in range(n_lu):
        M[k] = -gamma * J[k]
    for k in range(n):
        M[diagonal[k]] += 1.0
    return 0


@cfunc(I32(I64, I64), nopython=True)
def cvode_setup(solver, A):
    """Factor M; ``solver`` is the SUNLinearSolver, whose first word is its content."""
    user = carray(integers_at(carray(integers_at(solver), (1,))[0]), (U_SIZE,))
    call2(table_of(user), FACTOR, user[U_M], user[U_M])
    return 0


@cfunc(I32(I64, I64, I64, I64, F64), nopython=True)
def cvode_solve(solver, A, x, b, tolerance):
    """Solve M x = b."""
    user = carray(integers_at(carray(integers_at(solver), (1,))[0]), (U_SIZE,))
    table = table_of(user)
    n = table[N]
    to = carray(doubles_at(N_VGetArrayPointer(x)), (n,))
    given = carray(doubles_at(N_VGetArrayPointer(b)), (n,))
    for k in range(n):
        to[k] = given[k]
    call2(table, SOLVE, user[U_M], at(to, 0))
    return 0


@njit(**JIT)
def note(mem, stat, count, reached):
    """Counters of a run: steps, error test failures, time reached, last step."""
    stat[2] = reached[0]
    CVodeGetNumSteps(mem, count.ctypes.data)
    stat[0] += count[0]
    CVodeGetNumErrTestFails(mem, count.ctypes.data)
    stat[1] += count[0]
    CVodeGetLastStep(mem, reached.ctypes.data)
    stat[3] = reached[0]


@njit(**JIT)
def fastest(table, mem, spare, y, q, r, rate):
    """The state that changes fastest, in units of its tolerance: where a run got stuck. ``rate`` is scratch."""
    n = table[N]
    call3(table, RHS, at(y, 0), at(q, 0), at(rate, 0))
    if CVodeGetErrWeights(mem, spare) == 0:
        weight = carray(doubles_at(N_VGetArrayPointer(spare)), (n,))
        for k in range(n):
            rate[k] = (rate[k] + r[k]) * weight[k]
    return worst_of(rate)


@njit(**JIT)
def cvode_run(
    table, mem, vector, spare, y, q, r, rate, P, seg_t, ev_t, ev_state, ev_amount, ev_kind, times, rec_ev, out, stat,
    count, reached,
):  # fmt: skip
    """Integrate one run to its last output time (the order of records, segments and events as in solve_run)."""
    n_t, n_ev, n_seg = times.shape[0], ev_t.shape[0], seg_t.shape[0]
    i_out, i_ev, i_seg = 0, 0, 0
    t = seg_t[0]
    bad = bad_parameter(P)
    if bad >= 0:
        stat[4] = bad
        return BAD_INPUT
    call2(table, PREPARE, at(P, 0), at(q, 0))
    while True:
        while i_out < n_t and times[i_out] <= t and rec_ev[i_out] <= i_ev:
            call3(table, OBSERVE, at(y, 0), at(q, 0), at(out[i_out], 0))
            i_out += 1
        if i_out >= n_t:
            break
        while i_seg + 1 < n_seg and seg_t[i_seg + 1] <= t:
            i_seg += 1
            call2(table, PREPARE, at(P, i_seg * P.shape[1]), at(q, 0))
        while i_ev < n_ev and ev_t[i_ev] <= t:
            apply_event(ev_kind[i_ev], ev_state[i_ev], ev_amount[i_ev], y, r)
            i_ev += 1
            while i_out < n_t and times[i_out] <= t and rec_ev[i_out] <= i_ev:
                call3(table, OBSERVE, at(y, 0), at(q, 0), at(out[i_out], 0))
                i_out += 1
        if i_out >= n_t:
            break
        stop = next_stop(times, ev_t, i_ev, seg_t, i_seg)
        if stop - t > CLOSE * max(1.0, abs(t)):  # CVODE refuses to start on an interval of rounding size
            reached[0] = t
            flag = CVodeReInit(mem, t, vector)
            if flag == 0:
                flag = CVodeSetStopTime(mem, stop)
            while flag >= 0 and i_out < n_t and times[i_out] < stop:
                flag = CVode(mem, times[i_out], vector, reached.ctypes.data, NORMAL)
                if flag >= 0:
                    call3(table, OBSERVE, at(y, 0), at(q, 0), at(out[i_out], 0))
                    i_out += 1
            if flag >= 0:
                flag = CVode(mem, stop, vector, reached.ctypes.data, NORMAL)
            note(mem, stat, count, reached)
            if flag < 0:
                stat[4], stat[5] = fastest(table, mem, spare, y, q, r, rate), flag
                return CVODE_FAILED
        t = stop
    stat[5] = i_ev
    return OK


@cfunc(
    types.void(
        INTS, I64, I64, I64, INTS, FLOATS, I64, FLOATS, INTS, FLOATS, INTS, FLOATS, INTS, I64, INTS, FLOATS, INTS, I64,
        INTS, FLOATS, FLOATS, I64, I64, FLOATS, FLOATS, FLOATS, FLOATS, INTS,
    ),
    nopython=True,
)  # fmt: skip
def cvode_entry(
    table_, mem, vector, spare, user_, P_, n_P, seg_t_, seg_0_, ev_t_, ev_state_, ev_amount_, ev_kind_, n_ev, ev_0_,
    times_, rec_ev_, n_t, t_0_, y0_, r0_, first_run, last_run, out_, y_end_, r_end_, stat_, flag_,
):  # fmt: skip
    """Runs ``first_run`` to ``last_run`` of a batch on one CVODE object; arrays as in solve_entry."""
    table = carray(table_, (TABLE,))
    user = carray(user_, (U_SIZE + 2,))
    n = table[N]
    (
        P, seg_t, seg_0, ev_t, ev_state, ev_amount, ev_kind, ev_0, times, rec_ev, t_0, y0, r0, out, y_end, r_end, stat,
        flag,
    ) = views(
        table, last_run, P_, n_P, seg_t_, seg_0_, ev_t_, ev_state_, ev_amount_, ev_kind_, n_ev, ev_0_, times_, rec_ev_,
        n_t, t_0_, y0_, r0_, out_, y_end_, r_end_, stat_, flag_,
    )  # fmt: skip
    y = carray(doubles_at(N_VGetArrayPointer(vector)), (n,))
    q = carray(doubles_at(user[U_Q]), (1,))
    r = carray(doubles_at(user[U_R]), (n,))
    rate = carray(doubles_at(user[U_M]), (n,))  # of no more use once a run has failed; the LU has n slots at least
    count = carray(integers_at(user[U_SIZE]), (1,))
    reached = carray(doubles_at(user[U_SIZE + 1]), (1,))
    for k in range(first_run, last_run):
        a, b = seg_0[k], seg_0[k + 1]
        c, d = ev_0[k], ev_0[k + 1]
        e, f = t_0[k], t_0[k + 1]
        copy_row(n, y0[k], y)
        copy_row(n, r0[k], r)
        flag[k] = cvode_run(
            table, mem, vector, spare, y, q, r, rate, P[a:b], seg_t[a:b], ev_t[c:d], ev_state[c:d], ev_amount[c:d],
            ev_kind[c:d], times[e:f], rec_ev[e:f], out[e:f], stat[k], count, reached,
        )  # fmt: skip
        copy_row(n, y, y_end[k])
        copy_row(n, r, r_end[k])
