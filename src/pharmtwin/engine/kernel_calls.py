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

from llvmlite import ir
from numba import njit, types
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
def scratch(memory, used, size):
    """The next ``size`` doubles of the caller's scratch memory, and how much is used after them."""
    return memory[used : used + size], used + size


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
