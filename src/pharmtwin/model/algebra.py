"""A small algebra of rate expressions: parsing, like terms, exact derivatives.

An expression is kept as a sum of terms, each a *coefficient* (made of parameters only) times a product
of powers of *atoms* (states, or functions and sums that contain states). Coefficients are expressions
of the same kind over parameters with plain numbers as coefficients. So what depends on parameters alone
is apart from the start (it is computed once a segment), like terms merge, and equal things are one
object. Sums are not multiplied out with each other.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce

FUNCTIONS = {
    "exp": 1, "log": 1, "log10": 1, "sqrt": 1, "abs": 1, "floor": 1, "ceil": 1, "sin": 1, "cos": 1, "tan": 1,
    "asin": 1, "acos": 1, "atan": 1, "sinh": 1, "cosh": 1, "tanh": 1, "min": 2, "max": 2, "pow": 2,
}  # fmt: skip
COMPARISONS = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
CONSTANTS = {"pi": math.pi}
#: their derivative is zero wherever it exists
FLAT = {"floor", "ceil", "sign", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"}
EXACT = {  # values of functions of numbers
    "exp": math.exp, "log": math.log, "log10": math.log10, "sqrt": math.sqrt, "abs": abs,
    "floor": math.floor, "ceil": math.ceil, "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin,
    "acos": math.acos, "atan": math.atan, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "pow": math.pow,
    "min": min, "max": max,
}  # fmt: skip


class ExpressionError(ValueError):
    """The text is no expression of this language; the message shows it."""


@dataclass(frozen=True, eq=False)
class Atom:
    """A symbol (``kind`` p parameter, y state, v direction), a function of expressions or a sum."""

    kind: str
    name: str
    args: tuple[Expr, ...]
    order: int
    symbols: frozenset[str]


Monomial = tuple[tuple[Atom, float], ...]


@dataclass(frozen=True, eq=False)
class Expr:
    """Terms (monomial, coefficient); coefficients are numbers (level 0) or expressions of level 0."""

    level: int
    terms: tuple[tuple[Monomial, float | Expr], ...]
    order: int
    symbols: frozenset[str]


@lru_cache(maxsize=100_000)
def parse(text: str) -> ast.expr:
    """Syntax tree of an expression; raises ExpressionError where it cannot be read."""
    try:
        return ast.parse(str(text).strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"cannot read the expression {text!r}: {error.msg}") from None


@lru_cache(maxsize=100_000)
def names(text: str) -> frozenset[str]:
    """Names (not functions) that an expression uses; ``pi`` is not a name."""
    tree = parse(text)
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}
    return frozenset(found - CONSTANTS.keys())


class Algebra:
    """Builds expressions; equal expressions of one algebra are the same object."""

    def __init__(self) -> None:
        self._atoms: dict[tuple[object, ...], Atom] = {}
        self._exprs: dict[tuple[object, ...], Expr] = {}
        self._derivatives: dict[tuple[int, str], Expr] = {}
        self._alive: list[Expr] = []
        self.zero, self.one = self.number(0.0), self.number(1.0)

    # --- building -------------------------------------------------------------------------------

    def _atom(self, kind: str, name: str, args: tuple[Expr, ...], symbols: Iterable[str]) -> Atom:
        key = (kind, name, *(a.order for a in args))
        if key not in self._atoms:
            self._atoms[key] = Atom(kind, name, args, len(self._atoms), frozenset(symbols))
        return self._atoms[key]

    def _expr(self, level: int, terms: Mapping[Monomial, float | Expr]) -> Expr:
        kept = [(m, c) for m, c in terms.items() if not (c == 0.0 if isinstance(c, float) else not c.terms)]
        if any(isinstance(c, float) and not math.isfinite(c) for _, c in kept):
            raise ExpressionError("a number leaves the range of numbers")
        kept.sort(key=lambda t: [(a.order, e) for a, e in t[0]])
        key = (
            level,
            *((tuple((a.order, e) for a, e in m), c if isinstance(c, float) else ("e", c.order)) for m, c in kept),
        )
        if key not in self._exprs:
            symbols: set[str] = set()
            for m, c in kept:
                symbols.update(*(a.symbols for a, _ in m))
                if not isinstance(c, float):
                    symbols |= c.symbols
            self._exprs[key] = Expr(level, tuple(kept), len(self._exprs), frozenset(symbols))
        return self._exprs[key]

    def number(self, value: float) -> Expr:
        """A constant."""
        return self._lift(self._expr(0, {(): float(value)}))

    def symbol(self, name: str, kind: str) -> Expr:
        """A parameter (kind ``p``), state (``y``) or element of a direction (``v``)."""
        atom = self._atom(kind, name, (), (name,))
        if kind == "p":
            return self._lift(self._expr(0, {((atom, 1.0),): 1.0}))
        return self._expr(1, {((atom, 1.0),): self._expr(0, {(): 1.0})})

    def _lift(self, free: Expr) -> Expr:
        """An expression of parameters as one of states and parameters."""
        return self._expr(1, {(): free})

    def free(self, e: Expr) -> Expr | None:
        """The expression of parameters only that ``e`` is (None if it contains states)."""
        if e.level == 0:
            return e
        if not e.terms:
            return self._expr(0, {})
        if len(e.terms) == 1 and not e.terms[0][0]:
            return e.terms[0][1]  # type: ignore[return-value]
        return None

    def value(self, e: Expr) -> float | None:
        """The number that ``e`` is, or None."""
        free = self.free(e)
        if free is None:
            return None
        if not free.terms:
            return 0.0
        if len(free.terms) == 1 and not free.terms[0][0]:
            inner = free.terms[0][1]
            return inner if isinstance(inner, float) else None
        return None

    def add(self, *parts: Expr) -> Expr:
        """Sum; like terms merge."""
        level = parts[0].level
        total: dict[Monomial, float | Expr] = {}
        for part in parts:
            for m, c in part.terms:
                if m not in total:
                    total[m] = c
                elif isinstance(c, float):
                    total[m] = total[m] + c  # type: ignore[operator]
                else:
                    total[m] = self.add(total[m], c)  # type: ignore[arg-type]
        return self._expr(level, total)

    def neg(self, a: Expr) -> Expr:
        """Minus ``a``."""
        return self._expr(a.level, {m: -c if isinstance(c, float) else self.neg(c) for m, c in a.terms})

    def mul(self, a: Expr, b: Expr) -> Expr:
        """Product; sums are not multiplied out with each other, short ones are with single terms."""
        if not a.terms or not b.terms:
            return self._expr(a.level, {})
        if len(a.terms) > 1 and len(b.terms) > 1:
            a, b = self._whole(a), self._whole(b)
        if len(a.terms) > 1:
            a, b = b, a
        (m, c) = a.terms[0]
        if m and len(b.terms) > 2:  # a state times a long sum: keep the sum whole
            b = self._whole(b)
        product: dict[Monomial, float | Expr] = {}
        for m2, c2 in b.terms:
            key = self._times(m, m2)
            value = c * c2 if isinstance(c, float) else self.mul(c, c2)  # type: ignore[arg-type,operator]
            if key in product:  # two terms may meet where powers cancel
                old = product[key]
                value = old + value if isinstance(old, float) else self.add(old, value)  # type: ignore[operator,arg-type]
            product[key] = value
        return self._expr(a.level, product)

    @staticmethod
    def _times(a: Monomial, b: Monomial) -> Monomial:
        if not a or not b:
            return a or b
        powers = dict(a)
        for atom, e in b:
            powers[atom] = powers.get(atom, 0.0) + e
        return tuple(sorted(((t, e) for t, e in powers.items() if e != 0.0), key=lambda te: te[0].order))

    def _unit(self, level: int) -> float | Expr:
        return 1.0 if level == 0 else self._expr(0, {(): 1.0})

    def _whole(self, a: Expr, power: float = 1.0) -> Expr:
        """A sum as one atom (to some power)."""
        atom = self._atom("sum", "", (a,), a.symbols)
        return self._expr(a.level, {((atom, power),): self._unit(a.level)})

    def power(self, a: Expr, k: float) -> Expr:
        """``a`` to a constant power."""
        if k == 0.0:
            return self.number(1.0) if a.level else self._expr(0, {(): 1.0})
        if k == 1.0:
            return a
        if not a.terms:
            if k < 0:
                raise ExpressionError("division by zero")
            return a
        if len(a.terms) == 1 and (k == int(k)):
            m, c = a.terms[0]
            scaled = c**k if isinstance(c, float) else self.power(c, k)
            return self._expr(a.level, {tuple((t, e * k) for t, e in m): scaled})
        if len(a.terms) == 1:
            m, c = a.terms[0]
            if not m and isinstance(c, float) and c >= 0:
                return self._expr(0, {(): float(c**k)})
            if not m and isinstance(c, Expr):
                return self._lift(self.power(c, k))
            if len(m) == 1 and m[0][1] == 1.0 and c == self._unit(a.level):
                return self._expr(a.level, {((m[0][0], k),): c})
        return self._whole(a, k)

    def call(self, name: str, *args: Expr) -> Expr:
        """A function; of numbers a number, of parameters a coefficient."""
        values = [self.value(a) for a in args]
        if name in EXACT and all(v is not None for v in values):
            try:
                return self.number(float(EXACT[name](*values)))  # type: ignore[operator]
            except (ValueError, OverflowError) as error:
                raise ExpressionError(f"{name} of {values} is not a number: {error}") from None
        if name == "pow":
            k = values[1]
            if k is not None:
                return self.power(args[0], k)
        if name == "sqrt":
            return self.power(args[0], 0.5)
        if name == "select" and values[0] is not None:
            return args[1] if values[0] != 0.0 else args[2]
        if name == "select" and args[1] is args[2]:
            return args[1]
        frees = [self.free(a) for a in args]
        symbols = frozenset().union(*(a.symbols for a in args))
        if all(f is not None for f in frees):
            atom = self._atom("fn0", name, tuple(f for f in frees if f is not None), symbols)
            return self._lift(self._expr(0, {((atom, 1.0),): 1.0}))
        atom = self._atom("fn", name, args, symbols)
        return self._expr(1, {((atom, 1.0),): self._unit(1)})

    # --- reading --------------------------------------------------------------------------------

    def read(self, text: str, symbols: Mapping[str, Expr]) -> Expr:
        """The expression that a text says; raises ExpressionError naming what it does not know."""
        try:
            return self._read(parse(text), symbols)
        except OverflowError:
            raise ExpressionError(f"a number leaves the range of numbers in {text!r}") from None
        except ExpressionError as error:
            raise ExpressionError(f"{error} in {text!r}" if repr(text) not in str(error) else str(error)) from None

    def _read(self, node: ast.expr, symbols: Mapping[str, Expr]) -> Expr:
        go = lambda n: self._read(n, symbols)  # noqa: E731
        match node:
            case ast.Constant(value=bool() as v):
                return self.number(float(v))
            case ast.Constant(value=int() | float() as v):
                return self.number(float(v))
            case ast.Name(id=name):
                if name in symbols:
                    return symbols[name]
                if name in CONSTANTS:
                    return self.number(CONSTANTS[name])
                raise ExpressionError(f"unknown name {name!r}")
            case ast.UnaryOp(op=ast.USub(), operand=a):
                return self.neg(go(a))
            case ast.UnaryOp(op=ast.UAdd(), operand=a):
                return go(a)
            case ast.UnaryOp(op=ast.Not(), operand=a):
                return self.call("not", go(a))
            case ast.BinOp(left=a, op=ast.Add(), right=b):
                return self.add(go(a), go(b))
            case ast.BinOp(left=a, op=ast.Sub(), right=b):
                return self.add(go(a), self.neg(go(b)))
            case ast.BinOp(left=a, op=ast.Mult(), right=b):
                return self.mul(go(a), go(b))
            case ast.BinOp(left=a, op=ast.Div(), right=b):
                return self.mul(go(a), self.power(go(b), -1.0))
            case ast.BinOp(left=a, op=ast.Pow(), right=b):
                return self.call("pow", go(a), go(b))
            case ast.BoolOp(op=joint, values=values):
                name = "and" if isinstance(joint, ast.And) else "or"
                return reduce(lambda p, q: self.call(name, p, q), map(go, values))
            case ast.Compare(left=first, ops=ops, comparators=others) if all(type(o) in COMPARISONS for o in ops):
                sides = [go(s) for s in (first, *others)]
                pairs = zip(ops, sides, sides[1:], strict=False)
                return reduce(
                    lambda p, q: self.call("and", p, q), [self.call(COMPARISONS[type(o)], x, y) for o, x, y in pairs]
                )
            case ast.Call(func=ast.Name(id="piecewise"), args=args, keywords=[]) if len(args) % 2:
                total = go(args[-1])
                for k in range(len(args) - 3, -1, -2):
                    total = self.call("select", go(args[k + 1]), go(args[k]), total)
                return total
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                if name in ("min", "max") and len(args) > 2:
                    return reduce(lambda p, q: self.call(name, p, q), map(go, args))
                if len(args) == FUNCTIONS[name]:
                    return self.call(name, *map(go, args))
        raise ExpressionError(f"{ast.unparse(node)!r} is not part of the expression language")

    # --- derivatives ----------------------------------------------------------------------------

    def diff(self, e: Expr, name: str) -> Expr:
        """Exact derivative with respect to a symbol (of any kind)."""
        if name not in e.symbols:
            return self._expr(e.level, {})
        key = (e.order, name)
        if key not in self._derivatives:
            parts = [self._expr(e.level, {})]
            for m, c in e.terms:
                if not isinstance(c, float) and name in c.symbols:
                    parts.append(self.mul(self._lift(self.diff(c, name)), self._expr(1, {m: self._unit(1)})))
                for atom, k in m:
                    if name not in atom.symbols:
                        continue
                    rest = self._times(m, ((atom, -1.0),))  # m / atom: the power falls by one
                    scale = c * k if isinstance(c, float) else self.mul(c, self._expr(0, {(): k}))
                    parts.append(self.mul(self._expr(e.level, {rest: scale}), self._inner(atom, name, e.level)))
            self._derivatives[key] = self.add(*parts)
        return self._derivatives[key]

    def _inner(self, atom: Atom, name: str, level: int) -> Expr:
        """Derivative of an atom."""
        if atom.kind in "pyv":
            return self._expr(level, {(): self._unit(level)})
        if atom.kind == "sum":
            return self.diff(atom.args[0], name)
        up = [self._lift(a) if a.level == 0 else a for a in atom.args]
        if atom.name in ("select", "min", "max"):
            total = self._branch(atom.name, up, name)
        else:
            total = self.number(0.0)
            for i, a in enumerate(up):
                da = self.diff(a, name)
                if da.terms:
                    total = self.add(total, self.mul(self._partial(atom.name, up, i), da))
        if level == 0:
            free = self.free(total)
            assert free is not None  # a function of parameters has a derivative of parameters
            return free
        return total

    def _branch(self, f: str, x: list[Expr], name: str) -> Expr:
        """Derivative of a choice: that of the branch taken (nought times the other's may be no number)."""
        first = x[0] if f == "select" else self.call("le" if f == "min" else "ge", *x)
        one, other = (self.diff(b, name) for b in x[-2:])
        return self.call("select", first, one, other)

    def _partial(self, f: str, x: list[Expr], i: int) -> Expr:
        one, a = self.one, x[0]
        if f in FLAT:
            return self.zero
        if f == "exp":
            return self.call("exp", a)
        if f in ("log", "log10"):
            scale = 1.0 if f == "log" else 1.0 / math.log(10.0)
            return self.mul(self.number(scale), self.power(a, -1.0))
        if f == "abs":
            return self.call("sign", a)
        if f == "pow":
            if i == 0:
                return self.mul(x[1], self.call("pow", a, self.add(x[1], self.number(-1.0))))
            value = self.mul(self.call("pow", *x), self.call("log", a))
            return self.call("select", self.call("gt", a, self.zero), value, self.zero)
        square = lambda e: self.power(e, 2.0)  # noqa: E731
        minus = lambda e: self.neg(e)  # noqa: E731
        table = {
            "sin": lambda: self.call("cos", a),
            "cos": lambda: minus(self.call("sin", a)),
            "tan": lambda: self.add(one, square(self.call("tan", a))),
            "sinh": lambda: self.call("cosh", a),
            "cosh": lambda: self.call("sinh", a),
            "tanh": lambda: self.add(one, minus(square(self.call("tanh", a)))),
            "asin": lambda: self.power(self.add(one, minus(square(a))), -0.5),
            "acos": lambda: minus(self.power(self.add(one, minus(square(a))), -0.5)),
            "atan": lambda: self.power(self.add(one, square(a)), -1.0),
        }
        return table[f]()
