"""One Rodas5P step of one model as machine code: with sizes and tableau in place, nothing is left to loop over.

The same step as ``step`` in ``kernel_rosenbrock`` (which serves models in the form of tapes; a test
compares them), a fifth faster.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from pharmtwin.engine.llvm_types import DOUBLE, FLAGS, INT64, SIGNATURE
from pharmtwin.facts import fact_yaml

CHUNK = 32  # doubles worked on at once: four of the widest registers


class _Step:
    """Emits ``step(y, q, r, M, W)``, with W = stages K (8 n), stage values Y (8 n), new value (n), 1/h."""

    def __init__(self, module: ir.Module, n: int) -> None:
        self.n = n
        self.module = module
        self.function = ir.Function(module, SIGNATURE, "step")
        for a in self.function.args[1:]:
            a.add_attribute("noalias")
        self.context, self.y, self.q, self.r, self.m, self.w = self.function.args
        self.b = ir.IRBuilder(self.function.append_basic_block())

    def vector(self, base: Any, offset: int, size: int) -> Any:
        """Pointer to ``size`` doubles of an array."""
        p = self.b.gep(base, [INT64(offset)])
        return self.b.bitcast(p, ir.VectorType(DOUBLE, size).as_pointer())

    def load(self, base: Any, offset: int, size: int) -> Any:
        value = self.b.load(self.vector(base, offset, size))
        value.align = 8
        return value

    def spread(self, value: Any, size: int) -> Any:
        """A number in every lane."""
        kind = ir.VectorType(DOUBLE, size)
        lane = self.b.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), size), [0] * size)
        return self.b.shuffle_vector(lane, ir.Constant(kind, ir.Undefined), mask)

    def combine(self, to: int, start: list[tuple[Any, int]], weights: list[float], scale: Any = None) -> None:
        """W[to:] = sum of the start vectors + scale * sum of weights[j] K_j."""
        b, n = self.b, self.n
        for first in range(0, n, CHUNK):
            size = min(CHUNK, n - first)
            total = self.load(start[0][0], start[0][1] + first, size)
            for base, offset in start[1:]:
                total = b.fadd(total, self.load(base, offset + first, size), flags=FLAGS)
            for j, weight in enumerate(weights):
                if weight:
                    factor = DOUBLE(weight) if scale is None else b.fmul(scale, DOUBLE(weight), flags=FLAGS)
                    part = b.fmul(self.spread(factor, size), self.load(self.w, j * n + first, size), flags=FLAGS)
                    total = b.fadd(total, part, flags=FLAGS)
            b.store(total, self.vector(self.w, to + first, size)).align = 8

    def call(self, name: str, *arrays: Any) -> None:
        arrays = (*arrays, *[self.y] * (5 - len(arrays)))
        self.b.call(self.module.globals[name], [self.context, *arrays])

    def emit(self, A: list[list[float]], C: list[list[float]]) -> None:
        n, b, stages = self.n, self.b, len(C)
        hi = b.load(b.gep(self.w, [INT64((2 * stages + 1) * n)]))
        for i in range(stages):
            at = (stages + i) * n
            if i < len(A):
                self.combine(at, [(self.y, 0)], A[i])
            else:  # stiffly accurate: the last stages build on the one before
                self.combine(at, [(self.w, at - n), (self.w, (i - 1) * n)], [])
            stage = b.gep(self.w, [INT64(i * n)])
            self.call("rhs", b.gep(self.w, [INT64(at)]), self.q, stage)
            self.combine(i * n, [(self.w, i * n), (self.r, 0)], C[i][:i], hi)
            self.call("lu_solve", self.m, stage)
        self.combine(2 * stages * n, [(self.w, (2 * stages - 1) * n), (self.w, (stages - 1) * n)], [])
        b.ret_void()


def emit_step(module: ir.Module, n: int) -> None:
    """Add ``step`` to a module that holds ``rhs`` and ``lu_solve`` of a model with n states."""
    raw = fact_yaml("solver_rodas5p.yaml")
    rows = {k: [[float(v) for v in row] for row in raw[k]] for k in ("A", "C")}
    _Step(module, n).emit(rows["A"], rows["C"])
