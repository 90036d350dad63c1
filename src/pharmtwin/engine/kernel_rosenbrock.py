"""Rodas5P on the generated sparse LU, with exact tangents of the discrete map.

Method: Steinebach 2023, BIT Numer Math 63:27, doi 10.1007/s10543-023-00967-x: 8 stages, order 5(4),
stiffly accurate, L-stable, dense output of order 4. Written in the k-transformed form of
Hairer & Wanner 1996, Solving ODEs II, section IV.7: (I/(gamma h) - J) K_i = f(Y_i) + sum_j C_ij/h K_j.
Tangents differentiate that recursion at frozen steps: (I/(gamma h) - J) K'_i = J(Y_i) Y'_i +
df/dtheta(Y_i) + r' + sum_j C_ij/h K'_j + (d2f/dy2 S + d2f/dy dtheta) K_i; at events see ``apply_moving_event``.

Compiled once a machine, see ``engine.kernels``. Arrays of one run:
    P (n_seg, n_p) parameters by segment; seg_t (n_seg,) start of each, seg_t[0] = start of the run.
    ev_t, ev_state, ev_amount, ev_kind: events in order (see ``apply_event``); ev_dt, ev_da (n_ev or 0, n_t):
    derivatives of their times and amounts.
    times (n_t,) sorted output times; rec_ev (n_t,) events that come before each record.
"""

from __future__ import annotations

import numpy as np
from numba import carray, cfunc, njit, types

from pharmtwin.engine._generated import DENSE, GAMMA, add_history, stage_value
from pharmtwin.engine.kernel_calls import (
    BAD_INPUT,
    CURVATURE,
    DIAGONAL,
    FACTOR,
    FIRST,
    FLOATS,
    INTS,
    JACOBIAN,
    JIT,
    N_LU,
    N_O,
    N_Q,
    N_SEEN,
    N_T,
    NOT_FINITE,
    OBSERVE,
    OBSERVE_ROWS,
    OK,
    PREPARE,
    RHS,
    RHS_DP,
    SEEN,
    SOLVE,
    SOLVE_ROWS,
    STEP,
    STEP_TOO_SMALL,
    TABLE,
    TIMES_ROWS,
    TOO_MANY_STEPS,
    WIDTH,
    N,
    apply_event,
    apply_moving_event,
    at,
    bad_parameter,
    call2,
    call3,
    call5,
    copy_row,
    integers_at,
    next_stop,
    scratch,
    views,
    worst_of,
)

# --- kernel ---
ENTRIES = ("solve_entry",)
STAGES = 8
LAST = STAGES - 1
I64 = types.int64


@njit(**JIT)
def step(table, n, y, q, r, M, h, W, K, YS, yn):
    """One step: stages K and stage values YS (STAGES * n), new value yn (n); the last stage is the error.

    K, YS, yn and then 1/h are parts of W.
    """
    hi = 1.0 / h
    if table[FIRST + 2 * STEP] != 0:
        W[(2 * STAGES + 1) * n] = hi
        call5(table, STEP, at(y, 0), at(q, 0), at(r, 0), at(M, 0), at(W, 0))
        return
    for i in range(STAGES):
        stage_value(i, n, y, K, YS)
        call3(table, RHS, at(YS, i * n), at(q, 0), at(K, i * n))
        for k in range(n):
            K[i * n + k] += r[k]
        add_history(i, n, hi, K)
        call2(table, SOLVE, at(M, 0), at(K, i * n))
    for k in range(n):
        yn[k] = YS[LAST * n + k] + K[LAST * n + k]


@njit(**JIT)
def step_tangent(table, n, w, y, S, q, M, h, K, YS, KT, YT, SN, Jt, forced, RS):
    """Tangents of a step already taken: S (n rows) to SN; RS those of the input rates, if ``forced``."""
    hi = 1.0 / h
    nw = n * w
    for i in range(STAGES):
        stage_value(i, nw, S, KT, YT)
        call3(table, JACOBIAN, at(YS, i * n), at(q, 0), at(Jt, 0))
        call3(table, TIMES_ROWS, at(Jt, 0), at(YT, i * nw), at(KT, i * nw))
        call3(table, RHS_DP, at(YS, i * n), at(q, 0), at(KT, i * nw))
        if forced:
            for k in range(nw):
                KT[i * nw + k] += RS[k]
        call5(table, CURVATURE, at(y, 0), at(q, 0), at(K, i * n), at(S, 0), at(KT, i * nw))
        add_history(i, nw, hi, KT)
        call2(table, SOLVE_ROWS, at(M, 0), at(KT, i * nw))
    for k in range(nw):
        SN[k] = YT[LAST * nw + k] + KT[LAST * nw + k]


@njit(**JIT)
def dense_rows(seen, n, w, K, D):
    """Coefficients of the continuous extension for rows (of width w) of the states that are seen."""
    size = seen.shape[0] * w
    for m in range(3):
        for a in range(seen.shape[0]):
            for c in range(w):
                s = 0.0
                for j in range(STAGES):
                    s += DENSE[m, j] * K[(j * n + seen[a]) * w + c]
                D[m * size + a * w + c] = s


@njit(**JIT)
def dense(theta, seen, w, y0, y1, D, out):
    """Continuous extension of order 4 at theta in [0, 1], for the states that are seen."""
    size = seen.shape[0] * w
    for a in range(seen.shape[0]):
        for c in range(w):
            i, k = a * w + c, seen[a] * w + c
            inner = D[i] + theta * (D[size + i] + theta * D[2 * size + i])
            out[k] = (1.0 - theta) * y0[k] + theta * (y1[k] + (1.0 - theta) * inner)


@njit(**JIT)
def record(table, y, q, S, tangents, out, out_s, row):
    """Observables (and their tangents) of a state into row arrays; ``row`` is scratch (n_o * width)."""
    call3(table, OBSERVE, at(y, 0), at(q, 0), at(out, 0))
    if tangents:
        call5(table, OBSERVE_ROWS, at(y, 0), at(q, 0), at(S, 0), at(row, 0), at(row, 0))
        w, nt = table[WIDTH], table[N_T]
        for k in range(table[N_O]):
            for m in range(nt):
                out_s[k, m] = row[k * w + m]


@njit(**JIT)
def solve_run(
    table, P, seg_t, ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, times, rec_ev, y, r,
    rtol, atol, max_steps, tangents, out, out_s, stat, work,
):  # fmt: skip
    """Integrate one run to its last output time; ``y`` and the input rates ``r`` go from start to end.

    out (n_t, n_o) observables; out_s (n_t, n_o, n_t) their derivatives (untouched unless ``tangents``);
    returns OK or the reason of failure.
    """
    n, w = table[N], table[WIDTH]
    nw = n * w if tangents else 0
    moving = tangents and ev_dt.shape[0] > 0
    q, W, K, YS, yn, yi, z, M, J, Jt, D, S, SN, SI, DT, YT, KT, RS, row = work
    diagonal = carray(integers_at(table[DIAGONAL]), (n,))
    seen = carray(integers_at(table[SEEN]), (table[N_SEEN],))
    for k in range(nw):
        S[k] = 0.0
        SI[k] = 0.0
        RS[k] = 0.0
    for k in range(n):
        yi[k] = 0.0
    n_t, n_ev, n_seg = times.shape[0], ev_t.shape[0], seg_t.shape[0]
    i_out, i_ev, i_seg = 0, 0, 0
    t = seg_t[0]
    h_first = 1e-3
    h = h_first
    n_steps = 0
    n_rejected = 0
    bad = bad_parameter(P)
    if bad >= 0:
        stat[4] = bad
        return BAD_INPUT
    gamma = GAMMA
    call2(table, PREPARE, at(P, 0), at(q, 0))
    n_lu = table[N_LU]
    while True:
        # at a change of parameters, records that precede the events see the old ones
        while i_out < n_t and times[i_out] <= t and rec_ev[i_out] <= i_ev:
            record(table, y, q, S, tangents, out[i_out], out_s[i_out], row)
            i_out += 1
        if i_out >= n_t:
            break
        while i_seg + 1 < n_seg and seg_t[i_seg + 1] <= t:
            i_seg += 1
            call2(table, PREPARE, at(P, i_seg * P.shape[1]), at(q, 0))
        while i_ev < n_ev and ev_t[i_ev] <= t:
            kind, state, amount = ev_kind[i_ev], ev_state[i_ev], ev_amount[i_ev]
            if moving:  # between steps K is free: scratch
                apply_moving_event(table, q, kind, state, amount, y, r, ev_dt[i_ev], ev_da[i_ev], S, RS, K)
            else:
                apply_event(kind, state, amount, y, r)
                if tangents and kind == 2:  # a state that is set no longer depends on anything
                    for m in range(w):
                        S[state * w + m] = 0.0
            i_ev += 1
            while i_out < n_t and times[i_out] <= t and rec_ev[i_out] <= i_ev:
                record(table, y, q, S, tangents, out[i_out], out_s[i_out], row)
                i_out += 1
        if i_out >= n_t:
            break
        stop = next_stop(times, ev_t, i_ev, seg_t, i_seg)
        h = h_first
        first = True
        while t < stop:
            left = stop - t
            if h >= left * (1.0 - 1e-12):
                h = left
            elif 2.0 * h > left:
                h = 0.5 * left
            call3(table, JACOBIAN, at(y, 0), at(q, 0), at(J, 0))
            while True:
                for k in range(n_lu):
                    M[k] = -J[k]
                shift = 1.0 / (gamma * h)
                for k in range(n):
                    M[diagonal[k]] += shift
                call2(table, FACTOR, at(M, 0), at(M, 0))
                step(table, n, y, q, r, M, h, W, K, YS, yn)
                e = 0.0
                for k in range(n):
                    z[k] = K[LAST * n + k] / (max(abs(y[k]), abs(yn[k])) * rtol + atol[k])
                    e += z[k] * z[k]
                err = np.sqrt(e / n)
                if err == err:
                    factor = min(6.0, max(0.2, 0.9 * max(err, 1e-12) ** -0.2))
                    if err <= 1.0:
                        break
                else:
                    factor = 0.1
                n_rejected += 1
                h *= factor
                if h < 1e-10 or h < 1e-14 * abs(t):
                    stat[0], stat[1], stat[2], stat[3], stat[4] = n_steps, n_rejected, t, h, worst_of(z)
                    return STEP_TOO_SMALL if err == err else NOT_FINITE
            if tangents:
                step_tangent(table, n, w, y, S, q, M, h, K, YS, KT, YT, SN, Jt, moving, RS)
            if first:
                h_first = h
                first = False
            t_new = stop if h == left else t + h
            if i_out < n_t and times[i_out] < t_new:
                dense_rows(seen, n, 1, K, D)
                if tangents:
                    dense_rows(seen, n, w, KT, DT)
                while i_out < n_t and times[i_out] < t_new:
                    th = (times[i_out] - t) / h
                    dense(th, seen, 1, y, yn, D, yi)
                    if tangents:
                        dense(th, seen, w, S, SN, DT, SI)
                    record(table, yi, q, SI, tangents, out[i_out], out_s[i_out], row)
                    i_out += 1
            for k in range(n):
                y[k] = yn[k]
            for k in range(nw):
                S[k] = SN[k]
            t = t_new
            n_steps += 1
            if n_steps >= max_steps:
                stat[0], stat[1], stat[2], stat[3], stat[4] = n_steps, n_rejected, t, h, worst_of(z)
                return TOO_MANY_STEPS
            h *= factor
    stat[0], stat[1], stat[2], stat[3], stat[5] = n_steps, n_rejected, t, h, i_ev
    return OK


@njit(**JIT)
def memory_size(n, n_q, n_lu, n_o, w, tangents):
    """Doubles of scratch memory that a thread needs (as ``Compiled.scratch``)."""
    rows = (23 * n if tangents else 0) + n_o
    return 24 * n + 1 + n_q + 3 * n_lu + rows * w


@cfunc(
    types.void(
        INTS, FLOATS, I64, FLOATS, INTS, FLOATS, INTS, FLOATS, INTS, I64, INTS, FLOATS, FLOATS, I64, FLOATS, INTS, I64,
        INTS, FLOATS, FLOATS, I64, I64, types.float64, FLOATS, I64, I64, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, INTS,
        FLOATS,
    ),
    nopython=True,
)  # fmt: skip
def solve_entry(
    table_, P_, n_P, seg_t_, seg_0_, ev_t_, ev_state_, ev_amount_, ev_kind_, n_ev, ev_0_, ev_dt_, ev_da_, n_moving,
    times_, rec_ev_, n_t, t_0_, y0_, r0_, first_run, last_run, rtol, atol_, max_steps, tangents, out_, out_s_, y_end_,
    r_end_, stat_, flag_, memory_,
):  # fmt: skip
    """Runs ``first_run`` to ``last_run`` of a batch (``engine.run.Batch``); ev_dt and ev_da have n_moving rows."""
    table = carray(table_, (TABLE,))
    n, w, n_o, nt = table[N], table[WIDTH], table[N_O], table[N_T]
    wt = w if tangents else 0
    (
        P, seg_t, seg_0, ev_t, ev_state, ev_amount, ev_kind, ev_0, times, rec_ev, t_0, y0, r0, out, y_end, r_end, stat,
        flag,
    ) = views(
        table, last_run, P_, n_P, seg_t_, seg_0_, ev_t_, ev_state_, ev_amount_, ev_kind_, n_ev, ev_0_, times_, rec_ev_,
        n_t, t_0_, y0_, r0_, out_, y_end_, r_end_, stat_, flag_,
    )  # fmt: skip
    out_s = carray(out_s_, (n_t, n_o, nt))
    ev_dt, ev_da = carray(ev_dt_, (n_moving, nt)), carray(ev_da_, (n_moving, nt))
    atol = carray(atol_, (n,))
    nw, n_lu, u = n * wt, table[N_LU], 0
    memory = carray(memory_, (memory_size(n, table[N_Q], n_lu, n_o, w, tangents),))
    y, u = scratch(memory, u, n)
    r, u = scratch(memory, u, n)
    q, u = scratch(memory, u, table[N_Q])
    W, u = scratch(memory, u, (2 * STAGES + 1) * n + 1)
    K, YS = W[0 : STAGES * n], W[STAGES * n : 2 * STAGES * n]
    yn = W[2 * STAGES * n : (2 * STAGES + 1) * n]
    yi, u = scratch(memory, u, n)
    z, u = scratch(memory, u, n)
    M, u = scratch(memory, u, n_lu)
    J, u = scratch(memory, u, n_lu)
    Jt, u = scratch(memory, u, n_lu)
    D, u = scratch(memory, u, 3 * n)
    S, u = scratch(memory, u, nw)
    SN, u = scratch(memory, u, nw)
    SI, u = scratch(memory, u, nw)
    DT, u = scratch(memory, u, 3 * nw)
    YT, u = scratch(memory, u, STAGES * nw)
    KT, u = scratch(memory, u, STAGES * nw)
    RS, u = scratch(memory, u, nw)
    row, u = scratch(memory, u, n_o * w)
    work = (q, W, K, YS, yn, yi, z, M, J, Jt, D, S, SN, SI, DT, YT, KT, RS, row)
    for k in range(first_run, last_run):
        a, b = seg_0[k], seg_0[k + 1]
        c, d = ev_0[k], ev_0[k + 1]
        e, f = t_0[k], t_0[k + 1]
        copy_row(n, y0[k], y)
        copy_row(n, r0[k], r)
        flag[k] = solve_run(
            table, P[a:b], seg_t[a:b], ev_t[c:d], ev_state[c:d], ev_amount[c:d], ev_kind[c:d], ev_dt[c:d], ev_da[c:d],
            times[e:f], rec_ev[e:f], y, r, rtol, atol, max_steps, tangents != 0, out[e:f],
            out_s[e:f] if tangents else out_s[0 : f - e], stat[k], work,
        )  # fmt: skip
        copy_row(n, y, y_end[k])
        copy_row(n, r, r_end[k])
