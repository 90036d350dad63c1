"""Values of expression texts in plain NumPy: start values, triggers of events, formulas of observables.

The engines compile a model; what is said once a run (or once a table) is not worth compiling. The language is
that of :mod:`pharmtwin.model.algebra`. Values are floats or arrays of one common shape.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.model.algebra import CONSTANTS, parse

Floats = NDArray[np.float64]
Value = float | Floats


class ExchangeError(ValueError):
    """A document cannot be read, written or simulated; the message names the element and says what to do."""


COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal,
    ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip
BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power,
}  # fmt: skip
UNARY: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp, "log": np.log, "log10": np.log10, "sqrt": np.sqrt, "abs": np.abs, "floor": np.floor,
    "ceil": np.ceil, "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
}  # fmt: skip
FOLDED: dict[str, Callable[[Any, Any], Any]] = {"min": np.minimum, "max": np.maximum, "pow": np.power}


def evaluate(text: str, values: Mapping[str, Value]) -> Value:
    """Value of an expression; conditions are 1.0 or 0.0.

    Names are looked up in ``values``. A division by zero or a logarithm of a negative number gives inf or NaN,
    as in the engines. Raises ExchangeError naming an unknown name or function.
    """
    with np.errstate(all="ignore"):
        result = np.asarray(_value(parse(text), values), dtype=float)
    return float(result) if result.ndim == 0 else result


def _value(node: ast.expr, values: Mapping[str, Value]) -> Any:
    go = lambda n: np.asarray(_value(n, values), dtype=float)  # noqa: E731
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return _named(name, values)
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return -go(a)
        case ast.UnaryOp(op=ast.UAdd(), operand=a):
            return go(a)
        case ast.UnaryOp(op=ast.Not(), operand=a):
            return go(a) == 0.0
        case ast.BinOp(left=a, op=op, right=b) if type(op) in BINARY:
            return BINARY[type(op)](go(a), go(b))
        case ast.BoolOp(op=op, values=parts):
            fold = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return _fold(fold, [go(p) != 0.0 for p in parts])
        case ast.Compare(left=a, ops=ops, comparators=others) if all(type(o) in COMPARE for o in ops):
            sides = [go(n) for n in (a, *others)]
            pairs = zip(ops, sides[:-1], sides[1:], strict=True)
            return _fold(np.logical_and, [COMPARE[type(o)](x, y) for o, x, y in pairs])
        case ast.Call(func=ast.Name(id="piecewise"), args=args, keywords=[]) if len(args) % 2:
            result = go(args[-1])
            for value, condition in reversed(list(zip(args[:-1:2], args[1::2], strict=True))):
                result = np.where(go(condition) != 0.0, go(value), result)
            return result
        case ast.Call(func=ast.Name(id=name), args=[a], keywords=[]) if name in UNARY:
            return UNARY[name](go(a))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FOLDED and len(args) > 1:
            return _fold(FOLDED[name], [go(a) for a in args])
    raise ExchangeError(f"{ast.unparse(node)!r} is not part of the expression language")


def _fold(function: Callable[[Any, Any], Any], parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = function(total, part)
    return total


def _named(name: str, values: Mapping[str, Value]) -> Value:
    try:
        return values[name]
    except KeyError as error:
        if name in CONSTANTS:
            return CONSTANTS[name]
        if error.args and error.args[0] != name:  # something that this name stands for is missing
            raise
        raise ExchangeError(f"unknown name {name!r}") from None


class Scope(dict[str, Value]):
    """Known values, and texts that are evaluated when they are first asked for (in whatever order they depend)."""

    def __init__(self, texts: Mapping[str, str], known: Mapping[str, Value]) -> None:
        super().__init__(known)
        self.texts = texts
        self._open: list[str] = []

    def __missing__(self, name: str) -> Value:
        """Evaluate a text; raises KeyError for an unknown name, ExchangeError for texts that need each other."""
        if name not in self.texts:
            raise KeyError(name)
        if name in self._open:
            circle = " -> ".join((*self._open[self._open.index(name) :], name))
            raise ExchangeError(f"values that need each other: {circle}; give one of them a value of its own")
        self._open.append(name)
        try:
            self[name] = evaluate(self.texts[name], self)
        finally:
            self._open.pop()
        return self[name]


def comparisons(text: str) -> tuple[tuple[str, str, str], ...]:
    """Every comparison in an expression as (left text, operator's name, right text)."""
    found: list[tuple[str, str, str]] = []
    for node in ast.walk(parse(text)):
        if isinstance(node, ast.Compare):
            sides = [ast.unparse(n) for n in (node.left, *node.comparators)]
            found += [(a, type(op).__name__, b) for a, op, b in zip(sides[:-1], node.ops, sides[1:], strict=True)]
    return tuple(found)
