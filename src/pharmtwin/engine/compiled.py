"""A model made ready for the kernels: its functions as machine code or as tapes, behind one table.

Machine code takes a fraction of a second a model and is kept in the cache folder; tapes cost nothing to
make and run several times slower: for structures that few runs share.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine import native, native_step, tape
from pharmtwin.engine.kernels import kernel, machine
from pharmtwin.model import algebra, codegen, program
from pharmtwin.model.codegen import CODEGEN_VERSION, Generated, generate
from pharmtwin.model.description import Model

N_SIZES = 10  # words of the table before the functions
FORMS = ("native", "tape")


@dataclass(frozen=True, eq=False)
class Compiled:
    """A model's programs and the table (int64) by which the kernels call them (see ``kernel_calls``)."""

    generated: Generated
    table: NDArray[np.int64]
    diagonal: NDArray[np.int64]  # the table points into these
    seen: NDArray[np.int64]

    @property
    def functions(self) -> list[tuple[int, int]]:
        """(address, context) of the functions in the table."""
        pairs = self.table[N_SIZES:].reshape(-1, 2)
        return [(int(a), int(c)) for a, c in pairs]

    def scratch(self, tangents: bool) -> int:
        """Doubles of scratch memory that one thread of ``solve_entry`` needs (as its ``memory_size``)."""
        g = self.generated
        rows = (23 * g.n if tangents else 0) + g.n_o
        return 24 * g.n + 1 + g.n_q + 3 * g.n_lu + rows * g.width


def source_key(model: Model) -> str:
    """Key of a model's machine code (description, code generator, machine)."""
    sources = [Path(str(m.__file__)).read_bytes() for m in (algebra, program, codegen, native, native_step)]
    parts = [model.digest, CODEGEN_VERSION, *(hashlib.sha256(s).hexdigest() for s in sources), machine()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def compiled(model: Model, form: str = "native") -> Compiled:
    """The model's functions as ``native`` code or as a ``tape``; kept for the life of the process."""
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; use one of {FORMS}")
    key = (model.digest, form)
    if key not in _models:
        _models[key] = _compile(model, form)
    return _models[key]


def symbols(model: Model) -> tuple[str, str]:
    """Names by which code compiled in this process may call the solver and ask for the model's table.

    By name, not by address: what is compiled with them stays valid in another process, where the addresses
    differ. The second is a function without arguments that returns the table's address.
    """
    entry, table = "pharmtwin_solve_entry", f"pharmtwin_table_{source_key(model)[:16]}"
    native.bind(entry, kernel("rosenbrock")["solve_entry"])
    native.bind(table, native.constant_function(int(compiled(model).table.ctypes.data)))
    return entry, table


_models: dict[tuple[str, str], Compiled] = {}  # looking up must cost nothing


def _compile(model: Model, form: str) -> Compiled:
    g = generate(model)
    machine_code = form == "native"
    functions = [(a, 0) for a in native.addresses(g, source_key(model))] if machine_code else tape.addresses(g)
    diagonal = np.array([g.lu.slot[i, i] for i in range(g.n)], dtype=np.int64)
    seen = np.array(g.seen, dtype=np.int64)
    sizes = [g.n, g.n_q, g.n_lu, g.n_t, g.width, g.n_o, g.n_p, diagonal.ctypes.data, len(seen), seen.ctypes.data]
    table = np.array([*sizes, *(v for pair in functions for v in pair)], dtype=np.int64)
    return Compiled(g, table, diagonal, seen)
