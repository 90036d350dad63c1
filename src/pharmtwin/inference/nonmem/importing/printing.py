"""Expressions of a control stream in the language of population model files."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.str import StrPrinter

FUNCTIONS = {"Abs": "abs", "Max": "max", "Min": "min", "ceiling": "ceil"}


class _Printer(StrPrinter):
    """sympy's printer with our functions, numbers in full, and logic in words."""

    def __init__(self, states: Mapping[str, str]) -> None:
        super().__init__()
        self.states = states

    def _print_Float(self, expr: sympy.Float) -> str:
        return repr(float(expr)).removesuffix(".0")

    def _print_Function(self, expr: sympy.Function) -> str:
        if isinstance(expr, AppliedUndef):  # an amount, A_CENTRAL(t)
            name = expr.func.__name__
            return self.states.get(name.removeprefix("A_"), name)
        name = FUNCTIONS.get(expr.func.__name__, expr.func.__name__)
        return f"{name}({', '.join(self._print(a) for a in expr.args)})"

    _print_Max = _print_Min = _print_Abs = _print_ceiling = _print_Function

    def _print_Exp1(self, expr: sympy.Expr) -> str:
        return "exp(1)"

    def _print_Piecewise(self, expr: sympy.Piecewise) -> str:
        parts, otherwise = [], "0"
        for value, condition in expr.args:
            if condition is sympy.true:
                otherwise = self._print(value)
                break
            parts += [self._print(value), self._print(condition)]
        return f"piecewise({', '.join([*parts, otherwise])})" if parts else otherwise

    def _print_Relational(self, expr: sympy.Rel) -> str:
        operator = {"Eq": "==", "Ne": "!="}.get(expr.func.__name__, getattr(expr, "rel_op", ""))
        operator = {"Equality": "==", "Unequality": "!="}.get(expr.func.__name__, operator)
        return f"({self._print(expr.lhs)} {operator} {self._print(expr.rhs)})"

    _print_Equality = _print_Unequality = _print_Relational

    def _print_And(self, expr: sympy.And) -> str:
        return "(" + " and ".join(self._print(a) for a in expr.args) + ")"

    def _print_Or(self, expr: sympy.Or) -> str:
        return "(" + " or ".join(self._print(a) for a in expr.args) + ")"

    def _print_Not(self, expr: sympy.Not) -> str:
        return f"(not {self._print(expr.args[0])})"


def text(expression: sympy.Expr, states: Mapping[str, str]) -> str:
    """The expression as text; ``states``: name of a compartment -> of the state. Time is ``time``."""
    plain = sympy.sympify(expression).subs(sympy.Symbol("t"), sympy.Symbol("time"))
    return str(_Printer(states).doprint(plain))


def open_ended(expression: sympy.Expr) -> bool:
    """Does a condition without an else occur (0 is written there)?"""
    pieces = sympy.sympify(expression).atoms(sympy.Piecewise)
    return any(p.args[-1][1] is not sympy.true for p in pieces)
