"""Types and flags that all generated LLVM code shares."""

from __future__ import annotations

from llvmlite import ir

DOUBLE, INT64 = ir.DoubleType(), ir.IntType(64)
ARRAY = DOUBLE.as_pointer()
N_ARRAYS = 5
#: every generated function: ``void f(int64 context, double *a0, ... *a4)``; the arrays never overlap
SIGNATURE = ir.FunctionType(ir.VoidType(), [INT64, *[ARRAY] * N_ARRAYS])
# contraction only: reassociation would make results depend on the vector width chosen by the compiler
FLAGS = ("contract", "nsz", "arcp")
