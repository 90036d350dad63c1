"""A noise formula as one of the residual errors: a constant, a share of the observable, or both together.

Within the formula, what equals the observable is found by its canonical form, so ``a + b*(k*S)`` and ``a + b*k*S`` are
both a share b of the observable ``k*S``. The coefficients must be numbers or (multiples of) single parameters.
"""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pharmtwin.inference.petab.texts import reached
from pharmtwin.model.algebra import Algebra, Expr, ExpressionError, names, parse

#: stands for the observable in a noise formula
SHARE_OF = "the_observable"


@dataclass(frozen=True)
class Coefficient:
    """``factor`` x parameter, or the number ``factor`` where the parameter is ""."""

    factor: float
    parameter: str = ""


NOTHING, ONE = Coefficient(0.0), Coefficient(1.0)


@dataclass(frozen=True)
class Noise:
    """A residual error of ``models.description.ERRORS`` and its coefficients in order."""

    error: str
    coefficients: tuple[Coefficient, ...]


def noise_of(noise: str, observable: str, states: Iterable[str], definitions: Mapping[str, str]) -> Noise | str:
    """The residual error that a noise formula says, or why there is none.

    Parameters
    ----------
    noise, observable : formulas without placeholders. states : names that change in time, time included.
    definitions : texts of other names, which may contain states.
    """
    moving = set(states)
    moving |= {d for d, text in definitions.items() if reached(definitions, [text]) & moving}
    a = Algebra()
    symbols = {n: a.symbol(n, "p") for n in names(noise) | names(observable)}
    try:
        whole = noise
        if names(observable) & moving:
            whole = ast.unparse(_Shares(a, symbols, observable).visit(_fresh(noise)))
        left = names(whole) & moving
        if left:
            return f"depends on {', '.join(sorted(left))} otherwise than as a share of the observable"
        form = Algebra()
        symbols = {n: form.symbol(n, "p") for n in names(whole) - {SHARE_OF}}
        found = _error(form.read(whole, symbols | {SHARE_OF: form.symbol(SHARE_OF, "y")}))
    except ExpressionError as error:
        return f"cannot be read: {error}"
    return found


def _fresh(text: str) -> ast.expr:
    return copy.deepcopy(parse(text))


class _Shares(ast.NodeTransformer):
    """Replaces what equals the observable by :data:`SHARE_OF`, within longer products, too."""

    def __init__(self, algebra: Algebra, symbols: Mapping[str, Expr], observable: str) -> None:
        self.algebra, self.symbols = algebra, symbols
        self.whole = self._key(parse(observable))
        self.factors = sorted(self._key(f) for f in _factors(parse(observable)))

    def _key(self, node: ast.expr) -> int:
        return self.algebra.read(ast.unparse(node), self.symbols).order

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or what stands for the observable."""
        if not isinstance(node, (ast.BinOp, ast.Name, ast.Call, ast.UnaryOp)):
            return super().visit(node) if not isinstance(node, (ast.operator, ast.unaryop)) else node
        if self._key(node) == self.whole:
            return ast.Name(SHARE_OF)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            rest = _factors(node)
            keys = [self._key(f) for f in rest]
            for wanted in self.factors:
                if wanted not in keys:
                    break
                at = keys.index(wanted)
                del keys[at], rest[at]
            else:
                product: ast.expr = ast.Name(SHARE_OF)
                for factor in rest:
                    product = ast.BinOp(product, ast.Mult(), factor)
                return product
        if isinstance(node, ast.Call):
            node.args = [self.visit(x) for x in node.args]  # type: ignore[misc]
            return node
        return self.generic_visit(node)


def _factors(node: ast.expr) -> list[ast.expr]:
    """Factors of a product."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _factors(node.left) + _factors(node.right)
    return [node]


def _error(e: Expr) -> Noise | str:
    """The error of an expression in the observable (the only symbol of kind y)."""
    plain = _pair(e, 1.0)
    if plain is not None:
        a, b = plain
        if isinstance(a, str) or isinstance(b, str):
            return a if isinstance(a, str) else str(b)
        if b == NOTHING:
            return Noise("additive", (a,))
        return Noise("proportional", (b,)) if a == NOTHING else Noise("combined_sd", (a, b))
    if len(e.terms) == 1 and len(e.terms[0][0]) == 1:  # sqrt(a^2 + b^2 f^2)
        (atom, power), factor = e.terms[0][0][0], e.terms[0][1]
        if atom.kind == "sum" and power == 0.5 and isinstance(factor, Expr) and _coefficient(factor, 1.0) == ONE:
            squares = _pair(atom.args[0], 2.0)
            if squares is not None and not isinstance(squares[0], str) and not isinstance(squares[1], str):
                return Noise("combined", (squares[0], squares[1]))
    return "is no constant, no share of the observable, and no sum of both (or root of the sum of their squares)"


def _pair(e: Expr, power: float) -> tuple[Coefficient | str, Coefficient | str] | None:
    """a and b of an expression a^power + (b f)^power; None where it is something else."""
    found: dict[tuple[float, ...], Coefficient | str] = {(): NOTHING, (power,): NOTHING}
    for monomial, c in e.terms:
        key = tuple(k for atom, k in monomial if atom.kind == "y")
        if len(key) != len(monomial) or key not in found or not isinstance(c, Expr):
            return None
        found[key] = _coefficient(c, power)
    return found[()], found[power,]


def _coefficient(e: Expr, power: float) -> Coefficient | str:
    """The number or multiple of a parameter whose ``power`` an expression of parameters is."""
    if len(e.terms) == 1:
        monomial, factor = e.terms[0]
        if isinstance(factor, float) and factor > 0:
            root = factor if power == 1.0 else math.sqrt(factor)
            if not monomial:
                return Coefficient(root)
            if len(monomial) == 1 and monomial[0][0].kind == "p" and monomial[0][1] == power:
                return Coefficient(root, monomial[0][0].name)
    made_of = ", ".join(sorted(e.symbols)) or "numbers"
    return f"has a coefficient of {made_of} that is no positive multiple of one parameter"
