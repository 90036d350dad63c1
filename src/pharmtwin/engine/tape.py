"""Straight-line programs as tapes for the precompiled interpreter (``kernel_tape``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.kernels import kernel
from pharmtwin.model.codegen import FUNCTIONS, Generated
from pharmtwin.model.program import Program

OPCODES = (
    "load", "store", "number", "add", "sub", "mul", "div", "neg", "pow", "exp", "log", "log10", "sqrt", "abs", "sign",
    "floor", "ceil", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "min", "max", "lt", "le",
    "gt", "ge", "eq", "ne", "and", "or", "not", "select",
)  # fmt: skip

_tapes: list[NDArray[Any]] = []  # addresses point into these: they live as long as the process


def _encode(program: Program, width: int) -> NDArray[np.int64]:
    """The head of a tape: (instructions, registers, width, addresses of code, constants and registers)."""
    size = max(1, len(program.instructions))
    code = np.zeros((size, 6), dtype=np.int64)
    constants = np.zeros(size)
    register: list[int] = []
    free = 0
    for k, ins in enumerate(program.instructions):
        row = k in program.rows
        length = width if row or ins.op == "store_row" else 1
        register.append(free)
        if ins.op in ("load", "load_row"):
            code[k] = OPCODES.index("load"), free, ins.array, ins.index * length, length, 0
        elif ins.op in ("store", "store_row"):
            code[k] = OPCODES.index("store"), register[ins.args[0]], ins.array, ins.index * length, length, 0
        else:
            args = [register[a] if not row or a in program.rows else -1 - register[a] for a in ins.args]
            code[k] = OPCODES.index(ins.op), free, *(args + [args[0] if args else 0] * (3 - len(args))), row
            constants[k] = ins.number
        if not ins.op.startswith("store"):
            free += length
    registers = np.zeros(max(1, free))
    pointers = [a.ctypes.data for a in (code, constants, registers)]
    head = np.array([len(program.instructions), len(registers), width, *pointers], dtype=np.int64)
    _tapes.extend([code, constants, registers, head])
    return head


def addresses(generated: Generated) -> list[tuple[int, int]]:
    """(address of the interpreter, context) of each of the model's functions; the step is the kernel's own."""
    run = kernel("tape")["run_tape"]
    return [(run, int(_encode(generated.programs[f], generated.width).ctypes.data)) for f in FUNCTIONS] + [(0, 0)]
