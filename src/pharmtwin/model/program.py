"""Straight-line programs: what the model's functions are before they become machine code or a tape.

A program is a list of instructions in single-assignment form on up to five arrays of doubles. A value is
a *number* or a *row* (one number for each of the model's sensitivity parameters, side by side), so that
tangents of all parameters are carried by the same instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pharmtwin.model.algebra import Atom, Expr, Monomial

#: operations on values: name -> number of operands
OPERATIONS = {
    "add": 2, "sub": 2, "mul": 2, "div": 2, "neg": 1, "pow": 2, "exp": 1, "log": 1, "log10": 1, "sqrt": 1, "abs": 1,
    "sign": 1, "floor": 1, "ceil": 1, "sin": 1, "cos": 1, "tan": 1, "asin": 1, "acos": 1, "atan": 1, "sinh": 1,
    "cosh": 1, "tanh": 1, "min": 2, "max": 2, "lt": 2, "le": 2, "gt": 2, "ge": 2, "eq": 2, "ne": 2, "and": 2, "or": 2,
    "not": 1, "select": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    """``op`` on earlier values ``args``; loads and stores name an ``array`` (0-4) and an ``index``."""

    op: str
    args: tuple[int, ...] = ()
    array: int = 0
    index: int = 0
    number: float = 0.0


@dataclass
class Program:
    """Instructions in order; a value's number is its position. ``rows`` are the values that are rows."""

    name: str
    instructions: list[Instruction] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)
    _known: dict[tuple[object, ...], int] = field(default_factory=dict)

    def _put(self, instruction: Instruction, row: bool = False) -> int:
        self.instructions.append(instruction)
        if row:
            self.rows.add(len(self.instructions) - 1)
        return len(self.instructions) - 1

    def number(self, value: float) -> int:
        """A constant."""
        return self._once(("number", value), Instruction("number", number=value))

    def _once(self, key: tuple[object, ...], instruction: Instruction, row: bool = False) -> int:
        if key not in self._known:
            self._known[key] = self._put(instruction, row)
        return self._known[key]

    def load(self, array: int, index: int) -> int:
        """A number of an array that the program does not write to."""
        return self._once(("load", array, index), Instruction("load", (), array, index))

    def load_row(self, array: int, index: int) -> int:
        """Row ``index`` of an array of rows that the program does not write to."""
        return self._once(("row", array, index), Instruction("load_row", (), array, index), row=True)

    def op(self, name: str, *args: int) -> int:
        """An operation; a number with a row gives a row."""
        return self._once((name, *args), Instruction(name, args), row=any(a in self.rows for a in args))

    def store(self, array: int, index: int, value: int) -> None:
        """Write a number."""
        self._put(Instruction("store", (value,), array, index))

    def store_row(self, array: int, index: int, value: int) -> None:
        """Write a row (a number fills it)."""
        if value not in self.rows:
            value = self._put(Instruction("add", (value, self.number(0.0))), row=True)
        self._put(Instruction("store_row", (value,), array, index))

    def sum(self, terms: list[tuple[int, int]]) -> int:
        """Sum of (sign, value); zero if there are none."""
        if not terms:
            return self.number(0.0)
        terms = sorted(terms, key=lambda t: -t[0])  # begin with a positive one: saves a negation
        sign, total = terms[0]
        if sign < 0:
            total = self.op("neg", total)
        for sign, v in terms[1:]:
            total = self.op("add" if sign > 0 else "sub", total, v)
        return total


class Emitter:
    """Writes expressions into a program. ``leaf`` loads symbols, ``coefficient`` what depends on parameters only."""

    def __init__(self, program: Program, leaf: Callable[[str], int], coefficient: Callable[[Expr], int] | None) -> None:
        self.program = program
        self.leaf = leaf
        self.coefficient = coefficient
        self._atoms: dict[tuple[Atom, float], int] = {}
        self._exprs: dict[tuple[int, int], int] = {}

    def expr(self, e: Expr) -> int:
        """The value of an expression."""
        key = (e.level, e.order)
        if key not in self._exprs:
            self._exprs[key] = self.program.sum([self._term(m, c) for m, c in e.terms])
        return self._exprs[key]

    def _term(self, m: Monomial, c: float | Expr) -> tuple[int, int]:
        number = c if isinstance(c, float) else self._plain(c)
        if number is None:
            assert isinstance(c, Expr) and self.coefficient is not None
            value = self.coefficient(c)
            return 1, self.program.op("mul", value, self._product(m)) if m else value
        if not m:
            return 1, self.program.number(number)
        product = self._product(m)
        if abs(number) == 1.0:
            return int(number), product
        sign = -1 if number < 0 else 1
        return sign, self.program.op("mul", self.program.number(abs(number)), product)

    @staticmethod
    def _plain(c: Expr) -> float | None:
        if not c.terms:
            return 0.0
        if len(c.terms) == 1 and not c.terms[0][0] and isinstance(c.terms[0][1], float):
            return c.terms[0][1]
        return None

    def _product(self, m: Monomial) -> int:
        total = self._power(*m[0])
        for atom, k in m[1:]:
            total = self.program.op("mul", total, self._power(atom, k))
        return total

    def _power(self, atom: Atom, k: float) -> int:
        if (atom, k) not in self._atoms:
            p = self.program
            if k == 1.0:
                value = self._atom(atom)
            elif k == -1.0:
                value = p.op("div", p.number(1.0), self._power(atom, 1.0))
            elif k == int(k) and 2 <= abs(k) <= 8:
                unit = 1.0 if k > 0 else -1.0
                value = p.op("mul", self._power(atom, k - unit), self._power(atom, unit))
            elif k == 0.5:
                value = p.op("sqrt", self._power(atom, 1.0))
            elif k == -0.5:
                value = p.op("div", p.number(1.0), self._power(atom, 0.5))
            else:
                value = p.op("pow", self._power(atom, 1.0), p.number(k))
            self._atoms[atom, k] = value
        return self._atoms[atom, k]

    def _atom(self, atom: Atom) -> int:
        if atom.kind in "pyv":
            return self.leaf(atom.name)
        if atom.kind == "sum":
            return self.expr(atom.args[0])
        return self.program.op(atom.name, *(self.expr(a) for a in atom.args))
