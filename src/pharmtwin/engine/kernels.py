"""The compiled kernels: Rodas5P, the CVODE driver and the tape, each compiled once a machine.

The texts of ``kernel_*.py`` (below their marker) are joined into one module a kernel in the cache folder
(``$PHARMTWIN_CACHE`` or ``~/.cache/pharmtwin``) under the hash of the text, Python, numba and CPU; numba
compiles them, and the machine code is kept there. So a second checkout, a second job and a second user of
the folder find it compiled, and need no numba to run it. The workflow's warm-up rule compiles before the
jobs that simulate start.
"""

from __future__ import annotations

import ast
import ctypes
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine import native
from pharmtwin.engine.native import cache_folder
from pharmtwin.facts import fact_yaml
from pharmtwin.files import write_bytes

if TYPE_CHECKING:  # read as text, never imported: named here so that code digests cover them
    import pharmtwin.engine.kernel_calls
    import pharmtwin.engine.kernel_cvode
    import pharmtwin.engine.kernel_rosenbrock
    import pharmtwin.engine.kernel_tape  # noqa: F401

Floats = NDArray[np.float64]
_KINDS = {
    "i": ctypes.c_int64, "f": ctypes.c_double, "I": ctypes.POINTER(ctypes.c_int64),
    "F": ctypes.POINTER(ctypes.c_double), "v": ctypes.c_void_p,
}  # fmt: skip
MARKER = "# --- kernel ---\n"
HEADER = '''"""Joined by pharmtwin.engine.kernels; do not edit."""

import math

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

'''


def _tableau() -> str:
    """Rodas5P as unrolled sums: with constants in place the compiler vectorises over states."""
    raw = fact_yaml("solver_rodas5p.yaml")
    stages = len(raw["C"])
    out = [f"GAMMA = {float(raw['gamma'])!r}", f"DENSE = np.array({[[float(v) for v in r] for r in raw['H']]!r})"]

    def emit(name: str, args: str, lines: list[tuple[int, str]]) -> None:
        out.extend(["", "", "@njit(**JIT)", f"def {name}({args}):"])
        for k, (i, line) in enumerate(lines):
            out.append(f"    {'if' if k == 0 else 'elif'} i == {i}:")
            out.append(f"        for k in range(n):\n            {line}")

    def terms(row: list[float], scale: str = "") -> str:
        return "".join(f" + {scale}({float(v)!r})*K[{j}*n + k]" for j, v in enumerate(row) if v)

    # the method is stiffly accurate: the last two stages build on the one before
    built = len(raw["A"])
    emit(
        "stage_value", "i, n, y, K, Y",
        [(i, f"Y[{i}*n + k] = y[k]{terms(raw['A'][i])}") for i in range(built)]
        + [(i, f"Y[{i}*n + k] = Y[{i - 1}*n + k] + K[{i - 1}*n + k]") for i in range(built, stages)],
    )  # fmt: skip
    emit(
        "add_history", "i, n, hi, K",
        [(i, f"K[{i}*n + k] += 0.0{terms(raw['C'][i], 'hi*')}") for i in range(1, stages)],
    )  # fmt: skip
    return "\n".join(out) + "\n"


def machine() -> str:
    """What compiled code depends on besides its source."""
    import llvmlite.binding as llvm

    return f"{version('numba')}|{version('llvmlite')}|{llvm.get_host_cpu_name()}|{sys.version_info[:2]}"


def _part(name: str) -> str:
    return Path(__file__).with_name(f"kernel_{name}.py").read_text(encoding="utf-8").split(MARKER, 1)[1]


def kernel_text(name: str) -> str:
    """Source of one kernel module."""
    return "\n\n".join([HEADER + _part("calls"), *([_tableau()] if name == "rosenbrock" else []), _part(name)])


@cache
def kernel_key(name: str) -> str:
    """Hash of a kernel's source and of what its machine code depends on."""
    return hashlib.sha256(f"{kernel_text(name)}\n{machine()}".encode()).hexdigest()


@cache
def kernel(name: str) -> dict[str, int]:
    """Addresses of the entries of kernel ``rosenbrock``, ``cvode`` or ``tape``, compiled now or from the cache."""
    folder = cache_folder() / "kernels" / f"{name}_{kernel_key(name)[:16]}"
    entries = [e.strip("\"' ") for e in _entries(name)]
    if not all((folder / f"{e}.o").exists() for e in entries):
        _compile(name, folder)
    return {e: native.load(folder / f"{e}.o", [f"pharmtwin_{e}"])[0] for e in entries}


def function(name: str, entry: str, signature: str) -> Any:
    """An entry of a kernel as a Python callable that leaves the interpreter lock while it runs.

    ``signature``: one letter an argument: i 64-bit integer, f double, I and F pointers to them, v any address.
    """
    kinds: list[Any] = [_KINDS[c] for c in signature]
    return ctypes.CFUNCTYPE(None, *kinds)(kernel(name)[entry])


def pointer(array: NDArray[Any]) -> Any:
    """C pointer to a contiguous array of doubles or 64-bit integers."""
    kind = ctypes.c_double if array.dtype == np.float64 else ctypes.c_int64
    if array.dtype not in (np.float64, np.int64) or not array.flags.c_contiguous:
        raise TypeError(f"the solver needs contiguous double or int64 arrays, not {array.dtype}")
    return array.ctypes.data_as(ctypes.POINTER(kind))


def over_threads(solve: Any, n: int, threads: int) -> None:
    """Call ``solve(first, last)`` on shares of n runs; each run's result is the same whatever the number."""
    bounds = np.linspace(0, n, max(1, min(threads, n)) + 1).astype(int)
    if len(bounds) == 2:
        solve(0, n)
        return
    with ThreadPoolExecutor(len(bounds) - 1) as pool:
        list(pool.map(solve, bounds[:-1].tolist(), bounds[1:].tolist()))


def event_tangents(ev_dt: Floats, ev_da: Floats, n_events: int, n_t: int) -> tuple[Floats, Floats]:
    """``ev_dt`` and ``ev_da`` of a batch as ``solve_entry`` takes them: (n_events, n_t) both, or (0, n_t) both.

    Raises
    ------
    ValueError : one without the other, or a shape that does not fit.
    """
    if len(ev_dt) == 0 and len(ev_da) == 0:
        return np.zeros((0, n_t)), np.zeros((0, n_t))
    if not ev_dt.shape == ev_da.shape == (n_events, n_t):
        raise ValueError(
            f"ev_dt and ev_da have shapes {ev_dt.shape} and {ev_da.shape}; both need {(n_events, n_t)}, "
            "events by sensitivities"
        )
    return np.ascontiguousarray(ev_dt), np.ascontiguousarray(ev_da)


def _entries(name: str) -> list[str]:
    """The C entry points that a kernel file declares in ENTRIES."""
    for node in ast.parse(_part(name)).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ENTRIES":
            return list(ast.literal_eval(node.value))
    raise ImportError(f"kernel {name} declares no ENTRIES")


def _compile(name: str, folder: Path) -> None:
    """Compile a kernel by numba and keep its machine code: later processes need no numba for it."""
    namespace: dict[str, Any] = {"__name__": f"pharmtwin_{name}"}
    exec(compile(kernel_text(name), f"<kernel {name}>", "exec"), namespace)
    for entry in namespace["ENTRIES"]:
        function = namespace[entry]
        # the wrapper's own name holds hashes that numba makes anew in every process
        text = function.inspect_llvm().replace(function.native_name, f"pharmtwin_{entry}")
        write_bytes(folder / f"{entry}.o", native.object_code(text, optimise=False))
