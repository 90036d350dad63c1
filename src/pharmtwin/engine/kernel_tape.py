"""The index-driven form of a model's functions: one precompiled interpreter of straight-line programs.

For structures that few runs share, where even a second of compilation is too much. The context of a
function is the address of (number of instructions, number of registers, width of a row, address of the
code, of the constants, of the registers); an instruction is (operation, destination, a, b, c, row) with registers
as operands; in a row operation, operands that are numbers are marked by a negative register (-1 - register).
Compiled once a machine, see ``engine.kernels``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray, cfunc, njit, types

from pharmtwin.engine.kernel_calls import FLOATS, JIT, doubles_at, integers_at

# --- kernel ---
ENTRIES = ("run_tape",)
(
    LOAD, STORE, NUMBER, ADD, SUB, MUL, DIV, NEG, POW, EXP, LOG, LOG10, SQRT, ABS, SIGN, FLOOR, CEIL, SIN, COS, TAN,
    ASIN, ACOS, ATAN, SINH, COSH, TANH, MIN, MAX, LT, LE, GT, GE, EQ, NE, AND, OR, NOT, SELECT,
) = range(38)  # fmt: skip


@njit(**JIT)
def rare(op, x, y, z):
    """Operations other than the four of arithmetic."""
    v = 0.0
    if op == NEG:
        v = -x
    elif op == POW:
        v = x**y
    elif op == EXP:
        v = math.exp(x)
    elif op == LOG:
        v = np.log(x)
    elif op == LOG10:
        v = np.log10(x)
    elif op == SQRT:
        v = np.sqrt(x)
    elif op == ABS:
        v = abs(x)
    elif op == SIGN:
        v = (1.0 if x > 0.0 else 0.0) - (1.0 if x < 0.0 else 0.0)
    elif op == FLOOR:
        v = np.floor(x)
    elif op == CEIL:
        v = np.ceil(x)
    elif op == SIN:
        v = np.sin(x)
    elif op == COS:
        v = np.cos(x)
    elif op == TAN:
        v = np.tan(x)
    elif op == ASIN:
        v = np.arcsin(x)
    elif op == ACOS:
        v = np.arccos(x)
    elif op == ATAN:
        v = np.arctan(x)
    elif op == SINH:
        v = np.sinh(x)
    elif op == COSH:
        v = np.cosh(x)
    elif op == TANH:
        v = np.tanh(x)
    elif op == MIN:
        v = x if x < y else y
    elif op == MAX:
        v = x if x > y else y
    elif op == LT:
        v = 1.0 if x < y else 0.0
    elif op == LE:
        v = 1.0 if x <= y else 0.0
    elif op == GT:
        v = 1.0 if x > y else 0.0
    elif op == GE:
        v = 1.0 if x >= y else 0.0
    elif op == EQ:
        v = 1.0 if x == y else 0.0
    elif op == NE:
        v = 1.0 if x != y else 0.0
    elif op == AND:
        v = 1.0 if x != 0.0 and y != 0.0 else 0.0
    elif op == OR:
        v = 1.0 if x != 0.0 or y != 0.0 else 0.0
    elif op == NOT:
        v = 1.0 if x == 0.0 else 0.0
    elif op == SELECT:
        v = y if x != 0.0 else z
    return v


@cfunc(types.void(types.int64, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS), nopython=True)
def run_tape(context, a0, a1, a2, a3, a4):
    """Interpret one program."""
    head = carray(integers_at(context), (6,))
    w = head[2]
    code = carray(integers_at(head[3]), (head[0], 6))
    constants = carray(doubles_at(head[4]), (head[0],))
    reg = carray(doubles_at(head[5]), (head[1],))
    for k in range(head[0]):
        op, dst, a, b, c, row = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4], code[k, 5]
        if op in (LOAD, STORE):  # a: array, b: offset, c: length
            p = a0 if a == 0 else a1 if a == 1 else a2 if a == 2 else a3 if a == 3 else a4
            if op == LOAD:
                for i in range(c):
                    reg[dst + i] = p[b + i]
            else:
                for i in range(c):
                    p[b + i] = reg[dst + i]
        elif op == NUMBER:
            reg[dst] = constants[k]
        elif not row:
            if op == ADD:
                reg[dst] = reg[a] + reg[b]
            elif op == SUB:
                reg[dst] = reg[a] - reg[b]
            elif op == MUL:
                reg[dst] = reg[a] * reg[b]
            elif op == DIV:
                reg[dst] = reg[a] / reg[b]
            else:
                reg[dst] = rare(op, reg[a], reg[b], reg[c])
        else:
            for i in range(w):
                x = reg[a + i] if a >= 0 else reg[-1 - a]
                y = reg[b + i] if b >= 0 else reg[-1 - b]
                if op == ADD:
                    reg[dst + i] = x + y
                elif op == SUB:
                    reg[dst + i] = x - y
                elif op == MUL:
                    reg[dst + i] = x * y
                else:
                    reg[dst + i] = -x
