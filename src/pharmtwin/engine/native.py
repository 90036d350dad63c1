"""Straight-line programs to machine code, by LLVM (llvmlite), without a C compiler.

One object file a model, kept in the cache folder under the hash of its LLVM text, CPU and LLVM version.
Each function has the form ``void f(int64 context, double *a0, ... *a4)``; the arrays never overlap.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from pharmtwin.engine.llvm_types import DOUBLE, FLAGS, INT64, SIGNATURE
from pharmtwin.engine.native_step import emit_step
from pharmtwin.files import write_bytes
from pharmtwin.model.codegen import FUNCTIONS, Generated
from pharmtwin.model.program import Program

COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
INTRINSICS = {"exp", "log", "log10", "sqrt", "floor", "ceil", "sin", "cos", "pow"}
LIBM = {"tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"}
#: what numba's wrappers would call to allocate or to raise
NEVER = (
    "NRT_Allocate", "NRT_Free", "NRT_MemInfo_alloc_aligned", "NRT_MemInfo_call_dtor", "numba_gil_ensure",
    "numba_gil_release", "numba_unpickle", "numba_runtime_build_excinfo_struct", "numba_do_raise",
)  # fmt: skip

_engines: list[Any] = []  # keep the loaded code alive as long as the process


def cache_folder() -> Path:
    """Folder of compiled code."""
    return Path(os.environ.get("PHARMTWIN_CACHE", Path.home() / ".cache" / "pharmtwin"))


class _Function:
    """Emits one program into an LLVM module."""

    def __init__(self, module: ir.Module, program: Program, width: int) -> None:
        self.program = program
        self.module = module
        self.row = ir.VectorType(DOUBLE, width)
        self.width = width
        self.function = ir.Function(module, SIGNATURE, program.name)
        for a in self.function.args[1:]:
            a.add_attribute("noalias")
        self.b = ir.IRBuilder(self.function.append_basic_block())
        self.values: list[Any] = []

    def emit(self) -> None:
        for k, ins in enumerate(self.program.instructions):
            is_row = k in self.program.rows
            args = [self._as(a, is_row) for a in ins.args]
            self.values.append(self._emit(ins.op, args, ins.array, ins.index, ins.number, is_row))
        self.b.ret_void()

    def _as(self, k: int, row: bool) -> Any:
        """A value, spread over a row where a row needs it."""
        if not row or k in self.program.rows:
            return self.values[k]
        if self.width == 1:
            return self.b.insert_element(ir.Constant(self.row, ir.Undefined), self.values[k], ir.IntType(32)(0))
        lane = self.b.insert_element(ir.Constant(self.row, ir.Undefined), self.values[k], ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.width), [0] * self.width)
        return self.b.shuffle_vector(lane, ir.Constant(self.row, ir.Undefined), mask)

    def _address(self, array: int, index: int, row: bool) -> Any:
        p = self.b.gep(self.function.args[1 + array], [INT64(index * (self.width if row else 1))])
        return self.b.bitcast(p, self.row.as_pointer()) if row else p

    def _truth(self, v: Any) -> Any:
        return self.b.fcmp_unordered("!=", v, DOUBLE(0.0))

    def _number(self, flag: Any) -> Any:
        return self.b.uitofp(flag, DOUBLE)

    def _emit(self, op: str, v: list[Any], array: int, index: int, number: float, row: bool) -> Any:
        b = self.b
        binary: dict[str, Callable[..., Any]] = {"add": b.fadd, "sub": b.fsub, "mul": b.fmul, "div": b.fdiv}
        if op == "number":
            return DOUBLE(number)
        if op in ("load", "load_row"):
            value = b.load(self._address(array, index, op == "load_row"))
            value.align = 8
            return value
        if op in ("store", "store_row"):
            b.store(v[0], self._address(array, index, op == "store_row")).align = 8
            return None
        if op in binary:
            return binary[op](*v, flags=FLAGS)
        if op == "neg":
            return b.fneg(v[0], flags=FLAGS)
        if row:
            raise ValueError(
                f"program {self.program.name!r} applies {op!r} to a row (one number a sensitivity parameter), but rows "
                "only know load, store, add, sub, mul, div and neg: compute the factor as a number and multiply the "
                "row by it"
            )
        if op in COMPARE:
            return self._number(b.fcmp_ordered(COMPARE[op], *v))
        if op in ("min", "max"):
            return b.select(b.fcmp_ordered("<" if op == "min" else ">", *v), *v)
        if op == "select":
            return b.select(self._truth(v[0]), v[1], v[2])
        if op == "not":
            return self._number(b.not_(self._truth(v[0])))
        if op in ("and", "or"):
            return self._number((b.and_ if op == "and" else b.or_)(self._truth(v[0]), self._truth(v[1])))
        if op == "sign":
            up, down = b.fcmp_ordered(">", v[0], DOUBLE(0.0)), b.fcmp_ordered("<", v[0], DOUBLE(0.0))
            return b.fsub(self._number(up), self._number(down))
        if op == "abs":
            return b.call(self.module.declare_intrinsic("llvm.fabs", [DOUBLE]), v)
        if op in INTRINSICS:
            name = f"llvm.{op}"
            types = ir.FunctionType(DOUBLE, [DOUBLE] * len(v))
            return b.call(self.module.declare_intrinsic(name, [DOUBLE], types), v)
        if op in LIBM:
            known = self.module.globals.get(op) or ir.Function(
                self.module, ir.FunctionType(DOUBLE, [DOUBLE] * len(v)), op
            )
            return b.call(known, v)
        raise ValueError(
            f"program {self.program.name!r} uses the operation {op!r}, which has no machine code: use one of "
            "model.program.OPERATIONS, or add it to INTRINSICS or LIBM of engine.native"
        )


def llvm_text(generated: Generated) -> str:
    """LLVM text of all functions of a model."""
    module = ir.Module("model")
    for name in FUNCTIONS:
        _Function(module, generated.programs[name], generated.width).emit()
    emit_step(module, generated.n)
    return str(module)


@cache
def _start() -> None:
    """Start LLVM, once a process."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # kernels neither allocate nor raise; should one try, the process must stop rather than go on wrong
    stop = ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value
    for name in NEVER:
        if llvm.address_of_symbol(name) is None:
            llvm.add_symbol(name, stop)


def _machine() -> Any:
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)


def object_code(text: str, optimise: bool = True) -> bytes:
    """Compile LLVM text for this CPU (``optimise=False``: it has been optimised already)."""
    _start()
    machine = _machine()
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    if optimise:
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.slp_vectorization = True
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def load(path: Path, functions: Sequence[str]) -> list[int]:
    """Load an object file into the process; addresses of its functions."""
    _start()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(path.read_bytes()))
    engine.finalize_object()
    _engines.append(engine)
    found = [engine.get_function_address(f) for f in functions]
    if not all(found):
        raise ImportError(f"{path.name} lacks {[f for f, a in zip(functions, found, strict=True) if not a]}")
    return found


def addresses(generated: Generated, key: str) -> list[int]:
    """Addresses of the model's functions (FUNCTIONS, then the step); compiled now or taken from the cache."""
    path = cache_folder() / "models" / f"{key[:16]}.o"
    if not path.exists():
        write_bytes(path, object_code(llvm_text(generated)))
    return load(path, [*FUNCTIONS, "step"])


def bind(name: str, address: int) -> None:
    """Let code compiled later in this process call ``address`` as ``name``."""
    _start()
    llvm.add_symbol(name, address)


def constant_function(value: int) -> int:
    """Address of a function without arguments that returns ``value``."""
    _start()
    module = ir.Module("constant")
    function = ir.Function(module, ir.FunctionType(INT64, []), "value")
    ir.IRBuilder(function.append_basic_block()).ret(INT64(value))
    compiled = llvm.parse_assembly(str(module))
    engine = llvm.create_mcjit_compiler(compiled, _machine())
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address("value"))
