"""What the compiled kernels share: calling a model's functions through their table, events, options.

A kernel is compiled once a machine and serves every model. It gets a *table* (int64): sizes, the addresses
of the diagonal's LU slots and of the states that observables depend on, then for each function of
``model.codegen.FUNCTIONS`` its address and a context (0 for machine code, the address of a tape for the
index-driven form), and last the model's own Rodas5P step (0 where the kernel's serves).

A kernel neither allocates nor raises: scratch comes from the caller, failures are codes. So its machine
code needs nothing of numba once it is compiled. The texts of the kernel files below their marker are
joined (``engine.kernels``): compiled code is keyed by content, not by the path of a checkout.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

# --- kernel ---
# contraction only: reassociation would make results depend on the vector width chosen by the compiler
JIT = dict(error_model="numpy", fastmath={"contract", "nsz", "arcp"}, nogil=True)
N, N_Q, N_LU, N_T, WIDTH, N_O, N_P, DIAGONAL, N_SEEN, SEEN, FIRST = range(11)
(
    PREPARE, RHS, JACOBIAN, FACTOR, SOLVE, SOLVE_ROWS, TIMES_ROWS, CURVATURE, RHS_DP, OBSERVE, OBSERVE_ROWS, STEP,
) = range(12)  # fmt: skip
TABLE = FIRST + 2 * 12
OK, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE, CVODE_FAILED, BAD_INPUT = 0, 1, 2, 3, 4, 5
STATS = 6  # steps, rejected steps, time reached, last step size, worst state, events applied
INTS = types.CPointer(types.int64)
FLOATS = types.CPointer(types.float64)


@intrinsic
def call_address(typingctx, function, context, a0, a1, a2, a3, a4):
    """Call ``void f(int64, double*, ..., double*)`` by its address; arrays by theirs."""

    def generate(context_, builder, signature, args):
        double = ir.DoubleType().as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64), *[double] * 5])
        f = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(f, [args[1], *[builder.inttoptr(a, double) for a in args[2:]]])
        return context_.get_dummy_value()

    return types.void(*[types.int64] * 7), generate


@intrinsic
def doubles_at(typingctx, address):
    """The address as a pointer to doubles."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], ir.DoubleType().as_pointer())

    return FLOATS(types.int64), generate


@intrinsic
def integers_at(typingctx, address):
    """The address as a pointer to 64-bit integers."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], ir.IntType(64).as_pointer())

    return INTS(types.int64), generate


@njit(**JIT)
def at(a, offset):
    """Address of element ``offset`` of an array of doubles."""
    return a.ctypes.data + 8 * offset


@njit(**JIT)
def call2(table, f, a, b):
    """Call a function of the table with two arrays."""
    k = FIRST + 2 * f
    call_address(table[k], table[k + 1], a, b, a, a, a)


@njit(**JIT)
def call3(table, f, a, b, c):
    """Call a function of the table with three arrays."""
    k = FIRST + 2 * f
    call_address(table[k], table[k + 1], a, b, c, a, a)


@njit(**JIT)
def call5(table, f, a, b, c, d, e):
    """Call a function of the table with five arrays."""
    k = FIRST + 2 * f
    call_address(table[k], table[k + 1], a, b, c, d, e)


@njit(**JIT)
def apply_event(kind, state, amount, y, r):
    """0 adds to a state, 1 to its zero-order input rate; 2 sets the state, 3 sets the rate."""
    if kind == 0:
        y[state] += amount
    elif kind == 1:
        r[state] += amount
    elif kind == 2:
        y[state] = amount
    else:
        r[state] = amount


@njit(**JIT)
def apply_moving_event(table, q, kind, state, amount, y, r, dt, da, S, RS, rates):
    """An event whose time and amount depend on theta: dt and da (n_t,) are their derivatives.

    S (n rows) are the tangents of the states and go from just before to just after the event, RS (n rows)
    those of the input rates. An event that comes later by dt leaves the old flow to run for dt and takes
    the new one away for as long: S gains (f before - f after) dt. ``rates`` is scratch (2 n).
    """
    n, w, nt = table[N], table[WIDTH], table[N_T]
    before, after = rates[0:n], rates[n : 2 * n]
    moves = False
    for m in range(nt):
        if dt[m] != 0.0:
            moves = True
    if moves:
        call3(table, RHS, at(y, 0), at(q, 0), at(before, 0))
        for k in range(n):
            before[k] += r[k]
    apply_event(kind, state, amount, y, r)
    if moves:
        call3(table, RHS, at(y, 0), at(q, 0), at(after, 0))
        for k in range(n):
            after[k] += r[k]
            for m in range(nt):
                S[k * w + m] += (before[k] - after[k]) * dt[m]
    for m in range(nt):
        k = state * w + m
        if kind == 0:
            S[k] += da[m]
        elif kind == 1:
            RS[k] += da[m]
        elif kind == 2:  # whatever the state was before, it is the amount at the event and flows on from there
            S[k] = da[m] - after[state] * dt[m] if moves else da[m]
        else:
            RS[k] = da[m]


@njit(**JIT)
def scratch(memory, used, size):
    """The next ``size`` doubles of the caller's scratch memory, and how much is used after them."""
    return memory[used : used + size], used + size


@njit(**JIT)
def views(
    table, last_run, P_, n_P, seg_t_, seg_0_, ev_t_, ev_state_, ev_amount_, ev_kind_, n_ev, ev_0_, times_, rec_ev_, n_t,
    t_0_, y0_, r0_, out_, y_end_, r_end_, stat_, flag_,
):  # fmt: skip
    """The arrays of a batch and of its result (see ``engine.run``) from their addresses."""
    n = table[N]
    return (
        carray(P_, (n_P, table[N_P])), carray(seg_t_, (n_P,)), carray(seg_0_, (last_run + 1,)),
        carray(ev_t_, (n_ev,)), carray(ev_state_, (n_ev,)), carray(ev_amount_, (n_ev,)), carray(ev_kind_, (n_ev,)),
        carray(ev_0_, (last_run + 1,)), carray(times_, (n_t,)), carray(rec_ev_, (n_t,)), carray(t_0_, (last_run + 1,)),
        carray(y0_, (last_run, n)), carray(r0_, (last_run, n)), carray(out_, (n_t, table[N_O])),
        carray(y_end_, (last_run, n)), carray(r_end_, (last_run, n)), carray(stat_, (last_run, STATS)),
        carray(flag_, (last_run,)),
    )  # fmt: skip


@njit(**JIT)
def copy_row(n, source, target):
    """The first n numbers of one array into another."""
    for i in range(n):
        target[i] = source[i]


@njit(**JIT)
def bad_parameter(P):
    """Column of the first parameter that is not finite; -1 if there is none."""
    for k in range(P.shape[0]):
        for m in range(P.shape[1]):
            if not np.isfinite(P[k, m]):
                return m
    return -1


@njit(**JIT)
def next_stop(times, ev_t, i_ev, seg_t, i_seg):
    """Where integration must stop next: event, change of parameters or last record."""
    stop = times[times.shape[0] - 1]
    if i_ev < ev_t.shape[0] and ev_t[i_ev] < stop:
        stop = ev_t[i_ev]
    if i_seg + 1 < seg_t.shape[0] and seg_t[i_seg + 1] < stop:
        stop = seg_t[i_seg + 1]
    return stop


@njit(**JIT)
def worst_of(z):
    """Index of the largest absolute value; the first that is not a number, if there is one."""
    k = 0
    for i in range(z.shape[0]):
        if z[i] != z[i]:
            return i
        if abs(z[i]) > abs(z[k]):
            k = i
    return k
