"""The log-likelihood of all subjects and its gradients as one compiled function: solve, score and sum without Python.

What ``Problem.likelihood`` does, in a form that a sampler's threads can call without the interpreter lock. A subject's
hypotheses are summed here (log-sum-exp), so what comes out is the likelihood of each subject.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine import native
from pharmtwin.engine.compiled import compiled, symbols
from pharmtwin.engine.dose_parameters import place_events
from pharmtwin.engine.kernels import event_tangents
from pharmtwin.engine.run import MAX_STEPS, N_STATS, SOLVE, Batch, absolute_tolerance
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.problem import Problem
from pharmtwin.model.description import Model

#: tolerance of the model without states that evaluates dose parameters (``Problem.predict`` uses the engine's default)
STATIC_RTOL = 1e-6
_counters: dict[str, NDArray[np.int64]] = {}


def counter(key: str) -> NDArray[np.int64]:
    """Calls, and failed solves, of the kernels of this key in this process: (2,), counted by the kernels themselves.

    Two threads that count at the same instant may count once: a figure for a report, not for arithmetic.
    """
    if key not in _counters:
        _counters[key] = np.zeros(2, dtype=np.int64)
        native.bind(_counter_symbol(key), native.constant_function(int(_counters[key].ctypes.data)))
    return _counters[key]


def _counter_symbol(key: str) -> str:
    return f"pharmtwin_counter_{key[:16]}"


def make_solver(model: Model, batch: Batch, rtol: float) -> Callable[..., Any]:
    """Compiled ``(P, events) -> (values, tangents, flag)`` over a batch's segments and records.

    ``events``: (ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, ev_0, rec_ev). Rows of failed runs are undefined.
    """
    code = compiled(model)
    g = code.generated
    entry, table = symbols(model)
    n_states, n_seen, n_tangents, n_scratch = g.n, g.n_o, g.n_t, code.scratch(tangents=True)
    integer, double = numba.types.int64, numba.types.float64
    kinds = {"i": integer, "f": double, "I": numba.types.CPointer(integer), "F": numba.types.CPointer(double)}
    # the table goes as a number: it is the address itself
    signature = numba.types.void(integer, *(kinds[c] for c in SOLVE[1:]))
    solve_entry = numba.types.ExternalFunction(entry, signature)
    table_address = numba.types.ExternalFunction(table, integer())
    seg_t, seg_0, times, t_0, y0, r0 = batch.seg_t, batch.seg_0, batch.times, batch.t_0, batch.y0, batch.r0
    atol = absolute_tolerance(model, rtol)
    n_times, n_runs = len(batch.times), batch.n

    @numba.njit(nogil=True)
    def solve(P: Any, events: Any) -> Any:
        ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, ev_0, rec_ev = events
        values = np.empty((n_times, n_seen))
        tangents = np.empty((n_times, n_seen, n_tangents))
        final, rate = np.empty((n_runs, n_states)), np.empty((n_runs, n_states))
        stat, flag = np.zeros((n_runs, N_STATS)), np.zeros(n_runs, dtype=np.int64)
        scratch = np.empty(n_scratch)
        solve_entry(
            table_address(), P.ctypes, P.shape[0], seg_t.ctypes, seg_0.ctypes,
            ev_t.ctypes, ev_state.ctypes, ev_amount.ctypes, ev_kind.ctypes, ev_t.shape[0], ev_0.ctypes,
            ev_dt.ctypes, ev_da.ctypes, ev_dt.shape[0],
            times.ctypes, rec_ev.ctypes, n_times, t_0.ctypes, y0.ctypes, r0.ctypes, 0, n_runs, rtol, atol.ctypes,
            MAX_STEPS, 1, values.ctypes, tangents.ctypes, final.ctypes, rate.ctypes, stat.ctypes, flag.ctypes,
            scratch.ctypes,
        )  # fmt: skip
        return values, tangents, flag

    return solve


def make_events(problem: Problem) -> Callable[..., Any]:
    """Compiled ``x -> events`` of :func:`make_solver`: the batch's own, or placed at effects x (n_runs, n_effects)."""
    batch = problem.batch
    if problem.dose_solve is None:
        n_tangents = compiled(problem.structure).generated.n_t
        ev_dt, ev_da = event_tangents(batch.ev_dt, batch.ev_da, len(batch.ev_t), n_tangents)
        ev_t, ev_state, ev_amount, ev_kind = batch.ev_t, batch.ev_state, batch.ev_amount, batch.ev_kind
        ev_0, rec_ev = batch.ev_0, batch.rec_ev

        @numba.njit(nogil=True)
        def events(x: Any) -> Any:
            return ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, ev_0, rec_ev

        return events
    dose = problem.dose_solve
    static = make_solver(dose.static, dose.batch, STATIC_RTOL)
    base, columns, run_of, first = dose.batch.P, dose.columns, dose.run_of, dose.slot_of * dose.n_items
    rows, n_items, n_parameters = dose.rows.arrays, dose.n_items, dose.rows.n_parameters
    n_sens = len(dose.static.sensitivities)
    none_f, none_i = np.zeros(0), np.zeros(0, dtype=np.int64)
    none_d = np.zeros((0, n_sens))
    no_events, before = np.zeros(dose.batch.n + 1, dtype=np.int64), np.zeros(len(dose.batch.times), dtype=np.int64)

    @numba.njit(nogil=True)
    def placed(x: Any) -> Any:
        P = base.copy()
        for k in range(P.shape[0]):
            for c in range(columns.shape[0]):
                P[k, columns[c]] = x[run_of[k], c]
        values, tangents, _ = static(P, (none_f, none_i, none_f, none_i, none_d, none_d, no_events, before))
        X = np.full((x.shape[0], n_parameters), np.nan)
        dX = np.zeros((x.shape[0], n_parameters, n_sens))
        for k in range(P.shape[0]):
            for i in range(n_items):
                X[run_of[k], first[k] + i] = values[k, i]
                dX[run_of[k], first[k] + i] = tangents[k, i]
        ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, ev_0, rec_ev, _ = place_events(rows, X, dX)
        return ev_t, ev_state, ev_amount, ev_kind, ev_dt, ev_da, ev_0, rec_ev

    return placed


def make_kernel(problem: Problem, key: str) -> Callable[..., Any]:
    """Compiled ``(theta, eta, sigma) -> (ll, g_theta, g_eta, g_sigma)``.

    theta (n_fixed,), eta (n_subjects, n_random), sigma (n_residuals,) -> log-likelihoods (n_subjects,) and their
    gradients (n_subjects, n_fixed), (n_subjects, n_random), (n_subjects, n_residuals); effects that are not in
    ``problem.wrt`` get 0. A subject that fails gives -inf and gradients of 0; ``key`` names the :func:`counter`.
    """
    counter(key)
    solve = make_solver(problem.structure, problem.batch, problem.rtol)
    events = make_events(problem)
    counts_at = numba.types.ExternalFunction(_counter_symbol(key), numba.types.CPointer(numba.types.int64)())
    base, seg_0, columns = problem.batch.P, problem.batch.seg_0, problem.columns
    n_runs, n_cases, n_subjects = problem.n_runs, problem.n_cases, len(problem.subjects)
    n_fixed, n_random, n_sigma = problem.n_fixed, len(problem.effects) - problem.n_fixed, len(problem.model.residuals)
    case_of_run, subject_of_case, log_weight = problem.case_of_run, problem.subject_of_case, problem.log_weight
    subject_of_run, run_of_obs = problem.subject_of_run, problem.run_of_obs
    record_of_obs, column_of_obs = problem.record_of_obs, problem.column_of_obs
    y, code, limit, kind, where, zero = (
        problem.y, problem.code, problem.limit, problem.kind, problem.where, problem.zero,
    )  # fmt: skip
    wrt, solved, follows = np.array(problem.wrt, dtype=np.int64), problem.solved, problem.follows
    n_obs, n_wrt, n_effects = len(problem.y), len(problem.wrt), len(problem.effects)

    # a typical value that underflows to 0 divides its derivative by 0: no number, hence no density, but no exception
    @numba.njit(nogil=True, error_model="numpy")
    def kernel(theta: Any, eta: Any, sigma: Any) -> Any:
        x = np.empty((n_runs, n_effects))
        P = base.copy()
        for r in range(n_runs):
            for c in range(n_fixed):
                x[r, c] = theta[c]
            for c in range(n_random):
                x[r, n_fixed + c] = eta[subject_of_run[r], c]
            for row in range(seg_0[r], seg_0[r + 1]):
                for c in range(n_effects):
                    P[row, columns[c]] = x[r, c]
        values, tangents, flag = solve(P, events(x))
        counts = numba.carray(counts_at(), (2,))
        counts[0] += 1
        for r in range(n_runs):
            if flag[r] != 0:
                counts[1] += 1
        f, J = np.empty(n_obs), np.zeros((n_obs, n_wrt))
        for i in range(n_obs):
            r = run_of_obs[i]
            f[i] = np.nan
            if flag[r] == 0:
                f[i] = values[record_of_obs[i], column_of_obs[i]]
                for k in range(n_wrt):
                    J[i, k] = tangents[record_of_obs[i], column_of_obs[i], solved[k]]
                    if follows[k] >= 0:
                        J[i, k] /= x[r, wrt[k]]
        ll_obs, d_f, weight, d_s = np.empty(n_obs), np.empty(n_obs), np.empty(n_obs), np.empty((n_obs, 2))
        sc.score(f, y, code, limit, kind, where, zero, sigma, ll_obs, d_f, d_s, weight)
        ll_case = log_weight.copy()
        g_case, g_case_sigma = np.zeros((n_cases, n_effects)), np.zeros((n_cases, n_sigma))
        for i in range(n_obs):
            c = case_of_run[run_of_obs[i]]
            ll_case[c] += ll_obs[i]
            for k in range(n_wrt):
                g_case[c, wrt[k]] += d_f[i] * J[i, k]
            for slot in range(2):
                if where[i, slot] >= 0:
                    g_case_sigma[c, where[i, slot]] += d_s[i, slot]
        top = np.full(n_subjects, -np.inf)
        for c in range(n_cases):
            top[subject_of_case[c]] = max(top[subject_of_case[c]], ll_case[c])
        total = np.zeros(n_subjects)
        for c in range(n_cases):
            i = subject_of_case[c]
            if math.isfinite(ll_case[c]):
                total[i] += math.exp(ll_case[c] - top[i])
        ll = np.full(n_subjects, -np.inf)
        for i in range(n_subjects):
            if total[i] > 0.0:
                ll[i] = top[i] + math.log(total[i])
        g_theta, g_eta = np.zeros((n_subjects, n_fixed)), np.zeros((n_subjects, n_random))
        g_sigma = np.zeros((n_subjects, n_sigma))
        for c in range(n_cases):
            i = subject_of_case[c]
            if math.isfinite(ll_case[c]):
                share = math.exp(ll_case[c] - ll[i])
                for k in range(n_fixed):
                    g_theta[i, k] += share * g_case[c, k]
                for k in range(n_random):
                    g_eta[i, k] += share * g_case[c, n_fixed + k]
                for k in range(n_sigma):
                    g_sigma[i, k] += share * g_case_sigma[c, k]
        return ll, g_theta, g_eta, g_sigma

    return kernel
