"""CVODE of the scikit-sundae wheel for the compiled driver: library, solver objects, self-check.

The shared library is opened locally (its symbols stay invisible to others in the process, e.g. another
program's own CVODE) and handed to the kernel under names with our prefix. Whether it can be driven is
found out once a process by :func:`available`: version, functions, the place of the operations in a
SUNLinearSolver, and a solve with a known answer.
"""

from __future__ import annotations

import ctypes
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.kernels import kernel

PREFIX = "pharmtwin_sun_"
CALLED = (
    "CVode", "CVodeReInit", "CVodeSetStopTime", "CVodeGetNumSteps", "CVodeGetNumErrTestFails", "CVodeGetLastStep",
    "CVodeGetErrWeights", "N_VGetArrayPointer",
)  # fmt: skip
SET_UP = (
    "SUNContext_Create", "SUNContext_Free", "SUNContext_ClearErrHandlers", "N_VNew_Serial", "N_VDestroy",
    "SUNDenseMatrix", "SUNMatDestroy", "SUNLinSol_Dense", "SUNLinSolNewEmpty", "SUNLinSolFree", "SUNLinSolFreeEmpty",
    "SUNLinSolGetType_Dense", "SUNLinSolSetup_Dense", "SUNLinSolSolve_Dense", "CVodeCreate", "CVodeInit",
    "CVodeSVtolerances", "CVodeSetUserData", "CVodeSetLinearSolver", "CVodeSetLinSysFn", "CVodeSetMaxNumSteps",
    "CVodeSetMaxHnilWarns", "CVodeFree", "SUNDIALSGetVersionNumber",
)  # fmt: skip
BDF = 2
N_OPERATIONS = 14  # function pointers that a SUNLinearSolver holds at least
MAJOR = 7  # SUNDIALS versions whose calls are known here


class NotDrivable(RuntimeError):
    """The library cannot be driven from compiled code; the message says why."""


def _address(f: Any) -> int:
    return int(ctypes.cast(f, ctypes.c_void_p).value or 0)


@dataclass(frozen=True)
class Library:
    """The opened library, its version, and where a SUNLinearSolver keeps its operations.

    ``ops`` is the word of the struct that points to the operations; ``positions`` those of gettype, setup
    and solve among them.
    """

    handle: Any
    version: str
    ops: int
    positions: tuple[int, int, int]

    def call(self, name: str, *args: Any, result: Any = ctypes.c_int) -> Any:
        """Call a function; raises NotDrivable where it returns an error."""
        f = getattr(self.handle, name)
        f.restype = result
        value = f(*args)
        if (result is ctypes.c_int and value != 0) or (result is ctypes.c_void_p and not value):
            raise NotDrivable(f"{name} returned {value}")
        return value


@lru_cache(maxsize=1)
def library() -> Library:
    """Open the library and find what is needed; raises NotDrivable."""
    spec = importlib.util.find_spec("sksundae")
    if spec is None or spec.origin is None:
        raise NotDrivable("scikit-sundae is not installed")
    root = Path(spec.origin).parent.parent
    found = sorted(root.glob("scikit_sundae.libs/libsundials_cvode-*")) + sorted(
        root.glob("sksundae/.dylibs/libsundials_cvode*")
    )
    if not found:
        raise NotDrivable("the wheel of scikit-sundae holds no shared libsundials_cvode")
    handle = ctypes.CDLL(str(found[0]))
    missing = [name for name in (*CALLED, *SET_UP) if not hasattr(handle, name)]
    if missing:
        raise NotDrivable(f"{found[0].name} lacks {missing}")
    numbers, label = [ctypes.c_int() for _ in range(3)], ctypes.create_string_buffer(32)
    handle.SUNDIALSGetVersionNumber(*(ctypes.byref(v) for v in numbers), label, 32)
    version = ".".join(str(v.value) for v in numbers)
    if numbers[0].value != MAJOR:
        raise NotDrivable(f"SUNDIALS {version}, but the driver knows {MAJOR}.x")
    return Library(handle, version, *_layout(handle))


def _layout(handle: Any) -> tuple[int, tuple[int, int, int]]:
    """Where the library's own dense solver keeps its operations: ours keeps them in the same places."""
    plain = Library(handle, "", 0, (0, 0, 0))
    context = ctypes.c_void_p()
    plain.call("SUNContext_Create", ctypes.c_int(0), ctypes.byref(context))
    vector = plain.call("N_VNew_Serial", ctypes.c_int64(2), context, result=ctypes.c_void_p)
    two = ctypes.c_int64(2)
    matrix = plain.call("SUNDenseMatrix", two, two, context, result=ctypes.c_void_p)
    args = [ctypes.c_void_p(v) for v in (vector, matrix)]
    solver = plain.call("SUNLinSol_Dense", *args, context, result=ctypes.c_void_p)
    names = ("SUNLinSolGetType_Dense", "SUNLinSolSetup_Dense", "SUNLinSolSolve_Dense")
    wanted = [_address(getattr(handle, n)) for n in names]
    words = ctypes.cast(solver, ctypes.POINTER(ctypes.c_void_p))
    # the struct begins with content and operations, in later versions with a word between them
    ops = 1 if words[1] else 2
    table = ctypes.cast(words[ops], ctypes.POINTER(ctypes.c_void_p))
    slots = [table[i] for i in range(N_OPERATIONS)] if table else []
    if any(w not in slots for w in wanted):
        raise NotDrivable("the operations of a SUNLinearSolver are not where they were expected")
    plain.call("SUNLinSolFree", ctypes.c_void_p(solver))
    handle.SUNMatDestroy(args[1])
    handle.N_VDestroy(args[0])
    plain.call("SUNContext_Free", ctypes.byref(context))
    first, second, third = (slots.index(w) for w in wanted)
    return ops, (first, second, third)


@lru_cache(maxsize=1)
def entries() -> dict[str, int]:
    """The kernel's entry points, its calls bound to the library."""
    import llvmlite.binding as llvm

    for name in CALLED:
        llvm.add_symbol(PREFIX + name, _address(getattr(library().handle, name)))
    return kernel("cvode")


class Solver:
    """One CVODE object (BDF, Newton, our sparse LU) for runs of one model; use as a context manager.

    ``user`` holds the addresses of the model's table, q, input rates, J, M and two scratch words.
    """

    def __init__(self, table: NDArray[np.int64], rtol: float, atol: NDArray[np.float64], max_steps: int) -> None:
        lib, code = library(), entries()
        n, n_q, n_lu = int(table[0]), int(table[1]), int(table[2])
        self._memory = [np.zeros(k) for k in (n_q, n, n_lu, n_lu)]
        self._count, self._time = np.zeros(1, dtype=np.int64), np.zeros(1)
        pointers = [a.ctypes.data for a in (table, *self._memory, self._count, self._time)]
        self.user = np.array(pointers, dtype=np.int64)
        self._table = table
        self._lib = lib
        self.context = ctypes.c_void_p()
        lib.call("SUNContext_Create", ctypes.c_int(0), ctypes.byref(self.context))
        lib.call("SUNContext_ClearErrHandlers", self.context)  # failures are ours to report
        new = lambda: ctypes.c_void_p(  # noqa: E731
            lib.call("N_VNew_Serial", ctypes.c_int64(n), self.context, result=ctypes.c_void_p)
        )
        self.vector, self.spare, self._atol = new(), new(), new()
        lib.handle.N_VGetArrayPointer.restype = ctypes.POINTER(ctypes.c_double)
        np.ctypeslib.as_array(lib.handle.N_VGetArrayPointer(self._atol), (n,))[:] = atol
        one = ctypes.c_int64(1)  # the matrix of the system is ours: the library's is a place holder
        self._matrix = ctypes.c_void_p(lib.call("SUNDenseMatrix", one, one, self.context, result=ctypes.c_void_p))
        self._linear = ctypes.c_void_p(lib.call("SUNLinSolNewEmpty", self.context, result=ctypes.c_void_p))
        words = ctypes.cast(self._linear, ctypes.POINTER(ctypes.c_void_p))
        operations = ctypes.cast(words[lib.ops], ctypes.POINTER(ctypes.c_void_p))
        ours = (_address(lib.handle.SUNLinSolGetType_Dense), code["cvode_setup"], code["cvode_solve"])
        for place, function in zip(lib.positions, ours, strict=True):
            operations[place] = function
        words[0] = self.user.ctypes.data
        self.mem = ctypes.c_void_p(lib.call("CVodeCreate", ctypes.c_int(BDF), self.context, result=ctypes.c_void_p))
        mem = self.mem
        lib.call("CVodeInit", mem, ctypes.c_void_p(code["cvode_rhs"]), ctypes.c_double(0.0), self.vector)
        lib.call("CVodeSVtolerances", mem, ctypes.c_double(rtol), self._atol)
        lib.call("CVodeSetUserData", mem, ctypes.c_void_p(self.user.ctypes.data))
        lib.call("CVodeSetLinearSolver", mem, self._linear, self._matrix)
        lib.call("CVodeSetLinSysFn", mem, ctypes.c_void_p(code["cvode_linear_system"]))
        lib.call("CVodeSetMaxNumSteps", mem, ctypes.c_long(max_steps))
        lib.call("CVodeSetMaxHnilWarns", mem, ctypes.c_int(-1))  # no words on the terminal: flags tell

    def __enter__(self) -> Solver:
        return self

    def __exit__(self, *_: object) -> None:
        handle = self._lib.handle
        handle.CVodeFree(ctypes.byref(self.mem))
        words = ctypes.cast(self._linear, ctypes.POINTER(ctypes.c_void_p))
        words[0] = None
        handle.SUNLinSolFreeEmpty(self._linear)
        handle.SUNMatDestroy(self._matrix)
        for v in (self.vector, self.spare, self._atol):
            handle.N_VDestroy(v)
        handle.SUNContext_Free(ctypes.byref(self.context))
