"""A model's functions in the three forms that tests compare.

* :class:`Interpreted`: the straight-line programs run instruction by instruction as Python, on real or
  complex numbers (complex steps give derivatives exact to rounding);
* :func:`called`: the machine code or the tape that the engines run, by the addresses in their table.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.compiled import compiled
from pharmtwin.engine.kernel_calls import FIRST
from pharmtwin.model.codegen import FUNCTIONS, Generated, generate
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose
from pharmtwin.model.program import Program

STEP = 1e-30  # of the complex-step derivative
Numbers = NDArray[Any]
Run = Callable[..., None]


def _compare(name: str) -> Callable[..., float]:
    test: Callable[[Any, Any], bool] = getattr(np, {"lt": "less", "le": "less_equal", "gt": "greater",
        "ge": "greater_equal", "eq": "equal", "ne": "not_equal"}[name])  # fmt: skip
    return lambda x, y: float(test(np.real(x), np.real(y)))


#: what every instruction means; functions with a kink look at the real part
MEANING: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
    "neg": lambda x: -x, "pow": np.power, "exp": np.exp, "log": np.log, "log10": lambda x: np.log(x) / np.log(10.0),
    "sqrt": np.sqrt, "abs": lambda x: x if np.real(x) >= 0 else -x, "sign": lambda x: float(np.sign(np.real(x))),
    "floor": lambda x: float(np.floor(np.real(x))), "ceil": lambda x: float(np.ceil(np.real(x))),
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "min": lambda x, y: x if np.real(x) < np.real(y) else y, "max": lambda x, y: x if np.real(x) > np.real(y) else y,
    **{name: _compare(name) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    "and": lambda x, y: float(bool(x) and bool(y)), "or": lambda x, y: float(bool(x) or bool(y)),
    "not": lambda x: float(not x), "select": lambda c, x, y: x if c else y,
}  # fmt: skip


def interpret(program: Program, width: int, *arrays: Numbers) -> None:
    """Run a program on flat arrays; rows are ``width`` numbers side by side."""
    values: list[Any] = []
    for ins in program.instructions:
        a, i = (arrays[ins.array], ins.index) if ins.op.startswith(("load", "store")) else (np.empty(0), 0)
        with np.errstate(all="ignore"):
            if ins.op == "number":
                values.append(np.float64(ins.number))
            elif ins.op == "load":
                values.append(a[i])
            elif ins.op == "load_row":
                values.append(a[i * width : (i + 1) * width].copy())
            elif ins.op == "store":
                a[i] = values[ins.args[0]]
                values.append(None)
            elif ins.op == "store_row":
                a[i * width : (i + 1) * width] = values[ins.args[0]]
                values.append(None)
            else:
                values.append(MEANING[ins.op](*(values[k] for k in ins.args)))


class Interpreted:
    """A model's functions as Python. States ``y`` and parameters ``p`` may be complex."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.code: Generated = generate(model)

    def run(self, name: str, *arrays: Numbers) -> None:
        """Call one of ``codegen.FUNCTIONS`` on flat arrays."""
        interpret(self.code.programs[name], self.code.width, *arrays)

    def constants(self, p: Numbers) -> Numbers:
        """Parameter-only constants q."""
        q = np.zeros(self.code.n_q, dtype=np.result_type(p, float))
        self.run("prepare", p, q)
        return q

    def rates(self, y: Numbers, p: Numbers) -> Numbers:
        """Derivatives of the states."""
        dy = np.zeros(self.code.n, dtype=np.result_type(y, p))
        self.run("rhs", y, self.constants(p), dy)
        return dy

    def slots(self, y: Numbers, p: Numbers) -> Numbers:
        """Jacobian in LU slots."""
        J = np.zeros(self.code.n_lu, dtype=np.result_type(y, p))
        self.run("jacobian", y, self.constants(p), J)
        return J

    def dense(self, y: Numbers, p: Numbers) -> Numbers:
        """Jacobian as a matrix."""
        slots = self.slots(y, p)
        J = np.zeros((self.code.n, self.code.n), dtype=slots.dtype)
        for (i, j), s in self.code.lu.slot.items():
            J[i, j] = slots[s]
        return J

    def observed(self, y: Numbers, p: Numbers) -> Numbers:
        """Observables."""
        o = np.zeros(self.code.n_o, dtype=np.result_type(y, p))
        self.run("observe", y, self.constants(p), o)
        return o


def called(model: Model, form: str) -> Callable[[str, tuple[Numbers, ...]], None]:
    """The engines' own functions: ``f(name, arrays)`` on contiguous arrays of doubles."""
    table = compiled(model, form).table
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * 5)

    def run(name: str, arrays: tuple[Numbers, ...]) -> None:
        k = FIRST + 2 * FUNCTIONS.index(name)
        at = [a.ctypes.data for a in arrays]
        kind(int(table[k]))(int(table[k + 1]), *at, *[at[0]] * (5 - len(at)))

    return run


#: every function of the language, on states a, b (positive) and parameters k, m (positive)
EVERYTHING = (
    "exp(-a)", "log(1 + b)", "log10(a + k)", "sqrt(a*b)", "abs(a - b)", "floor(3*a)", "ceil(3*b)", "sin(a + m)",
    "cos(b*k)", "tan(a/3)", "asin(a/(1 + a))", "acos(b/(2 + b))", "atan(a - k)", "sinh(a)", "cosh(0.5*b)", "tanh(a*b)",
    "min(a, b*k)", "max(a, b, m)", "pow(a, m)/(k**m + pow(a, m))", "(a + b)**2.5", "1/(1 + a)**3",
    "piecewise(a**2, a < b, b**2, a <= 2*b and not a == b, 3*a)", "piecewise(a, a > b or b >= k, b*m, a != m, k)",
    "a*log(k)*tan(0.2*m)/min(k, m)", "piecewise(a*k, k > m, a*m)", "-a*pi", "a**(-0.5)", "b**m", "2**a", "a**-2*b**6",
)  # fmt: skip


def everything_model() -> Model:
    """One flux and one observable for every text of EVERYTHING; tangents for k and m."""
    definitions = tuple(Definition(f"d{i}", text, "1", "") for i, text in enumerate(EVERYTHING))
    fluxes = tuple(
        Flux(f"f{i}", f"{0.1 + 0.01 * i:.2f}*d{i}", "1/h", None, "ab"[i % 2]) for i in range(len(EVERYTHING))
    )
    loss = Flux("loss", "a*b", "1/h", stoichiometry=(("a", "-k"), ("b", -2.0)))
    part = Module(
        "everything",
        states=(State("a", "1", "", 0.8), State("b", "1", "", 0.6)),
        parameters=(Parameter("k", "1", ""), Parameter("m", "1", "")),
        definitions=definitions,
        fluxes=(*fluxes, loss),
    )
    return compose("everything", [part], [d.name for d in definitions], ("k", "m"))
