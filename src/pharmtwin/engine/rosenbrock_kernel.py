"""Rodas5P on the generated sparse LU, with exact tangents of the discrete map.

This file is never imported as it stands: ``engine.compiled`` appends its text below the marker to the
generated functions of one model (``rhs``, ``lu_solve`` ...), so that everything that is compiled lies
in one file keyed by its hash.

Method: Steinebach 2023, BIT Numer Math 63:27, doi 10.1007/s10543-023-00967-x: 8 stages, order 5(4),
stiffly accurate, L-stable, dense output of order 4. Written in the k-transformed form of
Hairer & Wanner 1996, Solving ODEs II, section IV.7: (I/(gamma h) - J) K_i = f(Y_i) + sum_j C_ij/h K_j.
Tangents differentiate that recursion at frozen steps: (I/(gamma h) - J) K'_i = J(Y_i) Y'_i +
df/dtheta(Y_i) + sum_j C_ij/h K'_j + (d2f/dy2 S + d2f/dy dtheta) K_i.

Conventions of the arrays (one twin):
    P (n_seg, NP) parameters by segment; seg_t (n_seg,) start of each, seg_t[0] = start of the run.
    ev_t, ev_state, ev_amount, ev_kind: kind 0 adds ev_amount to a state (bolus), kind 1 adds it to the
    state's zero-order input rate (infusion on/off). Sorted by time.
    times (n_t,) sorted output times. A record at the time of a dose is taken before the dose.
"""

from __future__ import annotations

import numpy as np
from numba import carray, cfunc, njit, types

from pharmtwin.engine._generated import (  # the generated functions of one model
    JIT,
    NLU,
    NO,
    NP,
    NQ,
    NS,
    NT,
    TABLEAU,
    add_history,
    add_history_tangent,
    jac_dense,
    jac_slots,
    jac_times,
    lu_factor,
    lu_solve,
    observe,
    observe_tangent,
    prepare,
    rhs,
    rhs_dp,
    second_yp,
    second_yy,
    shifted,
    stage_tangent,
    stage_value,
)

# --- kernel ---
GAMMA = TABLEAU["gamma"]
H = np.array(TABLEAU["H"])
STAGES = 8
LAST = STAGES - 1
OK, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE = 0, 1, 2, 3


@njit(**JIT)
def cvode_rhs(t, y, yp, data):
    """Right-hand side in the form of scikit-sundae; data = (q, input rates)."""
    rhs(y, data[0], yp.reshape(1, NS), 0)
    for n in range(NS):
        yp[n] += data[1][n]


@njit(**JIT)
def cvode_jac(t, y, yp, J, data):
    """Dense Jacobian in the form of scikit-sundae (which does not clear J)."""
    J[:, :] = 0.0
    jac_dense(y, data[0], J)


@njit(**JIT)
def step(y, q, r, M, h, K, yt, yn):
    """One step: fills the stages K (STAGES, NS) and the new value yn (NS); the last stage is the error."""
    hi = 1.0 / h
    for i in range(STAGES):
        stage_value(i, y, K, yt)
        rhs(yt, q, K, i)
        add_history(i, hi, r, K)
        lu_solve(M, K, i)
    for n in range(NS):
        yn[n] = yt[n] + K[LAST, n]


@njit(**JIT)
def step_tangent(y, S, q, M, h, K, KT, yt, YT, SN, Jt):
    """Tangents of a step already taken with stages K: S to SN (NT, NS); KT holds (STAGES * NT, NS)."""
    hi = 1.0 / h
    for i in range(STAGES):
        stage_value(i, y, K, yt)
        stage_tangent(i, S, KT, YT)
        jac_slots(yt, q, Jt)
        for m in range(NT):
            jac_times(Jt, YT, m, KT, i * NT + m)
            second_yy(y, q, K, i, S, m, KT, i * NT + m)
        rhs_dp(yt, q, KT, i * NT)
        second_yp(y, q, K, i, KT, i * NT)
        add_history_tangent(i, hi, KT)
        for m in range(NT):
            lu_solve(M, KT, i * NT + m)
    for m in range(NT):
        for n in range(NS):
            SN[m, n] = YT[m, n] + KT[LAST * NT + m, n]


@njit(**JIT)
def dense_rows(K, w, D):
    """Coefficients of the continuous extension: D (3 * w, NS) = H K, for w rows a stage."""
    for m in range(3):
        for k in range(w):
            for n in range(NS):
                s = 0.0
                for j in range(STAGES):
                    s += H[m, j] * K[j * w + k, n]
                D[m * w + k, n] = s


@njit(**JIT)
def dense(theta, y0, y1, D, w, k, out):
    """Continuous extension of order 4 at theta in [0, 1], row k of w."""
    for n in range(NS):
        inner = D[k, n] + theta * (D[w + k, n] + theta * D[2 * w + k, n])
        out[n] = (1.0 - theta) * y0[n] + theta * (y1[n] + (1.0 - theta) * inner)


@njit(**JIT)
def solve_twin(
    P,
    seg_t,
    ev_t,
    ev_state,
    ev_amount,
    ev_kind,
    times,
    y_start,
    rtol,
    atol,
    max_steps,
    tangents,
    out,
    out_s,
    y_end,
    stat,
):
    """Integrate one twin to its last output time.

    out (n_t, NO) observables; out_s (n_t, NO, NT) their derivatives (untouched unless ``tangents``);
    y_end (NS,) the final state; stat[0] steps, stat[1] rejected steps, stat[2] hours reached (floor).
    Returns OK or the reason of failure.
    """
    y = y_start.copy()
    q = np.empty(NQ)
    r = np.zeros(NS)
    yn = np.empty(NS)
    yt = np.empty(NS)
    yi = np.empty(NS)
    J = np.empty(NLU)
    M = np.empty(NLU)
    K = np.empty((STAGES, NS))
    D = np.empty((3, NS))
    w = NT if tangents else 0
    S = np.zeros((w, NS))
    SN = np.zeros((w, NS))
    SI = np.zeros((w, NS))
    DT = np.zeros((3 * w, NS))
    YT = np.zeros((w, NS))
    KT = np.zeros((STAGES * w, NS))
    Jt = np.empty(NLU)
    n_t = times.shape[0]
    n_ev = ev_t.shape[0]
    n_seg = seg_t.shape[0]
    i_out = 0
    i_ev = 0
    i_seg = 0
    t = seg_t[0]
    prepare(P[0], q)
    h_first = 1e-3
    n_steps = 0
    n_rejected = 0
    while True:
        # records that fall on t are taken before the events at t
        while i_out < n_t and times[i_out] <= t:
            observe(y, q, out[i_out])
            if tangents:
                observe_tangent(y, q, S, out_s[i_out])
            i_out += 1
        if i_out >= n_t:
            break
        while i_seg + 1 < n_seg and seg_t[i_seg + 1] <= t:
            i_seg += 1
            prepare(P[i_seg], q)
        while i_ev < n_ev and ev_t[i_ev] <= t:
            if ev_kind[i_ev] == 0:
                y[ev_state[i_ev]] += ev_amount[i_ev]
            else:
                r[ev_state[i_ev]] += ev_amount[i_ev]
            i_ev += 1
        stop = times[n_t - 1]
        if i_ev < n_ev and ev_t[i_ev] < stop:
            stop = ev_t[i_ev]
        if i_seg + 1 < n_seg and seg_t[i_seg + 1] < stop:
            stop = seg_t[i_seg + 1]
        h = h_first
        first = True
        while t < stop:
            left = stop - t
            if h >= left * (1.0 - 1e-12):
                h = left
            elif 2.0 * h > left:
                h = 0.5 * left
            jac_slots(y, q, J)
            while True:
                shifted(J, 1.0 / (GAMMA * h), M)
                lu_factor(M)
                step(y, q, r, M, h, K, yt, yn)
                e = 0.0
                for n in range(NS):
                    z = K[LAST, n] / (max(abs(y[n]), abs(yn[n])) * rtol + atol[n])
                    e += z * z
                err = np.sqrt(e / NS)
                if err == err:
                    factor = min(6.0, max(0.2, 0.9 * max(err, 1e-12) ** -0.2))
                    if err <= 1.0:
                        break
                else:
                    factor = 0.1
                n_rejected += 1
                h *= factor
                if h < 1e-10:
                    stat[0], stat[1], stat[2] = n_steps, n_rejected, int(t)
                    return STEP_TOO_SMALL if err == err else NOT_FINITE
            if tangents:
                step_tangent(y, S, q, M, h, K, KT, yt, YT, SN, Jt)
            if first:
                h_first = h
                first = False
            t_new = stop if h == left else t + h
            if i_out < n_t and times[i_out] < t_new:
                dense_rows(K, 1, D)
                if tangents:
                    dense_rows(KT, w, DT)
                while i_out < n_t and times[i_out] < t_new:
                    th = (times[i_out] - t) / h
                    dense(th, y, yn, D, 1, 0, yi)
                    observe(yi, q, out[i_out])
                    if tangents:
                        for m in range(NT):
                            dense(th, S[m], SN[m], DT, NT, m, SI[m])
                        observe_tangent(yi, q, SI, out_s[i_out])
                    i_out += 1
            y[:] = yn
            if tangents:
                S[:] = SN
            t = t_new
            h *= factor
            n_steps += 1
            if n_steps >= max_steps:
                stat[0], stat[1], stat[2] = n_steps, n_rejected, int(t)
                return TOO_MANY_STEPS
    y_end[:] = y
    stat[0], stat[1], stat[2] = n_steps, n_rejected, int(t)
    return OK


INTS = types.CPointer(types.int64)
FLOATS = types.CPointer(types.float64)


@cfunc(
    types.void(
        FLOATS, types.int64, FLOATS, INTS, FLOATS, INTS, FLOATS, INTS, types.int64, INTS, FLOATS, types.int64, INTS,
        FLOATS, types.int64, types.float64, FLOATS, types.int64, types.int64, FLOATS, FLOATS, FLOATS, INTS, INTS,
    ),
    cache=True,
    nopython=True,
)  # fmt: skip
def solve_entry(
    P, n_P, seg_t, seg_0, ev_t, ev_state, ev_amount, ev_kind, n_ev, ev_0, times, n_t, t_0,
    y0, n, rtol, atol, max_steps, tangents, out, out_s, y_end, stat, flag,
):  # fmt: skip
    """Many twins with ragged segments, events and output times (offsets seg_0, ev_0, t_0 of length n + 1).

    A C entry point: Python calls it through ctypes, compiled code through its symbol, and neither compiles
    the solver again. ``out_s`` may be empty unless ``tangents``.
    """
    P_, seg_t_, seg_0_ = carray(P, (n_P, NP)), carray(seg_t, n_P), carray(seg_0, n + 1)
    ev_t_, ev_state_, ev_amount_ = carray(ev_t, n_ev), carray(ev_state, n_ev), carray(ev_amount, n_ev)
    ev_kind_, ev_0_ = carray(ev_kind, n_ev), carray(ev_0, n + 1)
    times_, t_0_, y0_, atol_ = carray(times, n_t), carray(t_0, n + 1), carray(y0, (n, NS)), carray(atol, NS)
    out_, out_s_ = carray(out, (n_t, NO)), carray(out_s, (n_t if tangents else 0, NO, NT))
    y_end_, stat_, flag_ = carray(y_end, (n, NS)), carray(stat, (n, 3)), carray(flag, n)
    for k in range(n):
        a, b = seg_0_[k], seg_0_[k + 1]
        c, d = ev_0_[k], ev_0_[k + 1]
        e, f = t_0_[k], t_0_[k + 1]
        flag_[k] = solve_twin(
            P_[a:b], seg_t_[a:b], ev_t_[c:d], ev_state_[c:d], ev_amount_[c:d], ev_kind_[c:d], times_[e:f], y0_[k],
            rtol, atol_, max_steps, tangents != 0,
            out_[e:f], out_s_[e:f] if tangents else out_s_[0:0], y_end_[k], stat_[k],
        )  # fmt: skip
