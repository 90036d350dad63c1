"""Formulas of SBML (libsbml's syntax trees) to expression text and back.

Trees from MathML are read after function definitions have been expanded. What the expression language lacks is
rewritten where that is exact (sec, arccoth, quotient, xor, ...) and refused by name where it is not.
"""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Callable

import libsbml
from libsbml import ASTNode as Node

from pharmtwin.exchange.evaluate import ExchangeError
from pharmtwin.model.algebra import parse

Names = Callable[[str], str]

#: Avogadro's number of the csymbol, fixed by SBML L3V2 core, section 3.4.6 (CODATA 2006)
AVOGADRO = "6.02214179e+23"
RELATION = {
    libsbml.AST_RELATIONAL_LT: "<", libsbml.AST_RELATIONAL_LEQ: "<=", libsbml.AST_RELATIONAL_GT: ">",
    libsbml.AST_RELATIONAL_GEQ: ">=", libsbml.AST_RELATIONAL_EQ: "==", libsbml.AST_RELATIONAL_NEQ: "!=",
}  # fmt: skip
CALL = {
    libsbml.AST_FUNCTION_EXP: "exp", libsbml.AST_FUNCTION_LN: "log", libsbml.AST_FUNCTION_ABS: "abs",
    libsbml.AST_FUNCTION_FLOOR: "floor", libsbml.AST_FUNCTION_CEILING: "ceil", libsbml.AST_FUNCTION_SIN: "sin",
    libsbml.AST_FUNCTION_COS: "cos", libsbml.AST_FUNCTION_TAN: "tan", libsbml.AST_FUNCTION_SINH: "sinh",
    libsbml.AST_FUNCTION_COSH: "cosh", libsbml.AST_FUNCTION_TANH: "tanh", libsbml.AST_FUNCTION_ARCSIN: "asin",
    libsbml.AST_FUNCTION_ARCCOS: "acos", libsbml.AST_FUNCTION_ARCTAN: "atan",
    libsbml.AST_FUNCTION_POWER: "pow", libsbml.AST_POWER: "pow",
    libsbml.AST_FUNCTION_MIN: "min", libsbml.AST_FUNCTION_MAX: "max",
}  # fmt: skip
REWRITTEN = {
    libsbml.AST_FUNCTION_SEC: "(1/cos({0}))", libsbml.AST_FUNCTION_CSC: "(1/sin({0}))",
    libsbml.AST_FUNCTION_COT: "(1/tan({0}))", libsbml.AST_FUNCTION_SECH: "(1/cosh({0}))",
    libsbml.AST_FUNCTION_CSCH: "(1/sinh({0}))", libsbml.AST_FUNCTION_COTH: "(1/tanh({0}))",
    libsbml.AST_FUNCTION_ARCSEC: "acos(1/({0}))", libsbml.AST_FUNCTION_ARCCSC: "asin(1/({0}))",
    libsbml.AST_FUNCTION_ARCCOT: "atan(1/({0}))",
    libsbml.AST_FUNCTION_ARCSINH: "log(({0}) + sqrt(({0})**2 + 1))",
    libsbml.AST_FUNCTION_ARCCOSH: "log(({0}) + sqrt(({0})**2 - 1))",
    libsbml.AST_FUNCTION_ARCTANH: "(0.5*log((1 + ({0}))/(1 - ({0}))))",
    libsbml.AST_FUNCTION_QUOTIENT: "piecewise(floor(({0})/({1})), ({0})/({1}) >= 0, ceil(({0})/({1})))",
    libsbml.AST_FUNCTION_REM:
        "(({0}) - ({1})*piecewise(floor(({0})/({1})), ({0})/({1}) >= 0, ceil(({0})/({1}))))",
}  # fmt: skip
#: characters up to which a formula may grow where its arguments are written out several times: nested remainders grow
#: fourfold a level
MOST_WRITTEN = 20_000
#: signs % of an infix formula: libsbml writes each out with its left side four times, before we see it
MOST_REMAINDERS = 6
ARITY = {libsbml.AST_FUNCTION_QUOTIENT: 2, libsbml.AST_FUNCTION_REM: 2}
LOGIC = {
    libsbml.AST_LOGICAL_AND, libsbml.AST_LOGICAL_OR, libsbml.AST_LOGICAL_NOT, libsbml.AST_LOGICAL_XOR,
    libsbml.AST_LOGICAL_IMPLIES, libsbml.AST_CONSTANT_TRUE, libsbml.AST_CONSTANT_FALSE, *RELATION,
}  # fmt: skip
REFUSED = {
    libsbml.AST_FUNCTION_DELAY: "delay() (a delay differential equation)",
    libsbml.AST_FUNCTION_RATE_OF: "rateOf()",
    libsbml.AST_FUNCTION_FACTORIAL: "factorial()",
}


def text_of(node: Node, name: Names, where: str) -> str:
    """Expression text of a formula.

    Parameters
    ----------
    name : SBML id -> name in the expression. where : the element, for messages.

    Raises ExchangeError for what has no equal in the expression language (delay, rateOf, random numbers, ...).
    """
    kind, children = node.getType(), [node.getChild(i) for i in range(node.getNumChildren())]
    go = lambda n: text_of(n, name, where)  # noqa: E731
    if kind == libsbml.AST_REAL_E:  # mantissa times a power of ten would round twice
        return _number(float(f"{node.getMantissa()!r}e{node.getExponent()}"), where)
    if node.isNumber():
        return _number(float(node.getValue()), where)
    if kind == libsbml.AST_NAME:
        return name(node.getName())
    if kind in LOGIC:
        return f"piecewise(1.0, {condition_of(node, name, where)}, 0.0)"
    if kind in (libsbml.AST_PLUS, libsbml.AST_TIMES):
        if not children:
            return "0.0" if kind == libsbml.AST_PLUS else "1.0"
        return "(" + ("*" if kind == libsbml.AST_TIMES else " + ").join(map(go, children)) + ")"
    if kind == libsbml.AST_MINUS:
        return f"(-{go(children[0])})" if len(children) == 1 else f"({go(children[0])} - {go(children[1])})"
    if kind == libsbml.AST_DIVIDE:
        return f"({go(children[0])}/{go(children[1])})"
    if kind in CALL:
        return f"{CALL[kind]}({', '.join(map(go, children))})" if len(children) > 1 or kind not in (
            libsbml.AST_FUNCTION_MIN, libsbml.AST_FUNCTION_MAX) else go(children[0])  # fmt: skip
    if kind in REWRITTEN and len(children) == ARITY.get(kind, 1):
        return _bounded(REWRITTEN[kind].format(*map(go, children)), where)
    if kind == libsbml.AST_FUNCTION_PIECEWISE:
        return _piecewise(children, name, where)
    if kind == libsbml.AST_FUNCTION_ROOT:
        degree, radicand = (None, children[0]) if len(children) == 1 else (go(children[0]), children[1])
        return f"sqrt({go(radicand)})" if degree in (None, "2.0") else f"pow({go(radicand)}, 1/({degree}))"
    if kind == libsbml.AST_FUNCTION_LOG:
        base, argument = ("10.0", children[0]) if len(children) == 1 else (go(children[0]), children[1])
        return f"log10({go(argument)})" if base == "10.0" else f"(log({go(argument)})/log({base}))"
    constants = {
        libsbml.AST_NAME_TIME: "time", libsbml.AST_CONSTANT_PI: "pi", libsbml.AST_CONSTANT_E: "exp(1.0)",
        libsbml.AST_NAME_AVOGADRO: AVOGADRO,
    }  # fmt: skip
    if kind in constants:
        return constants[kind]
    shown = REFUSED.get(kind) or f"{node.getName() or libsbml.formulaToL3String(node)!r}"
    raise ExchangeError(f"{where} uses {shown}, which PharmTwin does not support; rewrite the formula without it")


def condition_of(node: Node, name: Names, where: str) -> str:
    """Text of a formula that stands where a condition is wanted (a number is true if it is not 0)."""
    kind, children = node.getType(), [node.getChild(i) for i in range(node.getNumChildren())]
    if kind not in LOGIC:
        return f"({text_of(node, name, where)} != 0.0)"
    if kind in RELATION:
        sides = [text_of(c, name, where) for c in children]
        if len(sides) < 2:
            raise ExchangeError(f"{where}: a comparison needs two sides")
        pairs = " and ".join(f"{a} {RELATION[kind]} {b}" for a, b in itertools.pairwise(sides))
        return f"({_bounded(pairs, where) if len(sides) > 2 else pairs})"
    if kind in (libsbml.AST_CONSTANT_TRUE, libsbml.AST_CONSTANT_FALSE):
        return "(1.0 == 1.0)" if kind == libsbml.AST_CONSTANT_TRUE else "(1.0 == 0.0)"
    parts = [condition_of(c, name, where) for c in children]
    if kind == libsbml.AST_LOGICAL_NOT:
        return f"(not {parts[0]})"
    if kind == libsbml.AST_LOGICAL_IMPLIES:
        return f"((not {parts[0]}) or {parts[1]})"
    if kind == libsbml.AST_LOGICAL_XOR:
        total = parts[0] if parts else "(1.0 == 0.0)"
        for p in parts[1:]:
            total = _bounded(f"(({total} and not {p}) or ({p} and not {total}))", where)
        return total
    if not parts:
        return "(1.0 == 1.0)" if kind == libsbml.AST_LOGICAL_AND else "(1.0 == 0.0)"
    return "(" + (" and " if kind == libsbml.AST_LOGICAL_AND else " or ").join(parts) + ")"


def _bounded(text: str, where: str) -> str:
    if len(text) > MOST_WRITTEN:
        raise ExchangeError(
            f"{where} nests remainders, comparisons or the like so deeply that it has more than {MOST_WRITTEN} "
            "characters once they are written out; give its inner parts names of their own"
        )
    return text


def _number(value: float, where: str) -> str:
    if not math.isfinite(value):
        raise ExchangeError(f"{where} contains {value}; write a finite number")
    return repr(value) if value >= 0 else f"({value!r})"


def _piecewise(children: list[Node], name: Names, where: str) -> str:
    if len(children) % 2 == 0:
        raise ExchangeError(
            f"{where}: a piecewise without <otherwise> has no value where no condition holds; add <otherwise>"
        )
    parts = [condition_of(c, name, where) if i % 2 else text_of(c, name, where) for i, c in enumerate(children)]
    return f"piecewise({', '.join(parts)})"


OPERATOR = {
    ast.Add: libsbml.AST_PLUS, ast.Sub: libsbml.AST_MINUS, ast.Mult: libsbml.AST_TIMES, ast.Div: libsbml.AST_DIVIDE,
    ast.Pow: libsbml.AST_FUNCTION_POWER, ast.Lt: libsbml.AST_RELATIONAL_LT, ast.LtE: libsbml.AST_RELATIONAL_LEQ,
    ast.Gt: libsbml.AST_RELATIONAL_GT, ast.GtE: libsbml.AST_RELATIONAL_GEQ, ast.Eq: libsbml.AST_RELATIONAL_EQ,
    ast.NotEq: libsbml.AST_RELATIONAL_NEQ, ast.And: libsbml.AST_LOGICAL_AND, ast.Or: libsbml.AST_LOGICAL_OR,
    ast.Not: libsbml.AST_LOGICAL_NOT, ast.USub: libsbml.AST_MINUS,
}  # fmt: skip
FUNCTION = {text: kind for kind, text in CALL.items() if kind != libsbml.AST_POWER} | {
    "piecewise": libsbml.AST_FUNCTION_PIECEWISE
}


def math_of(text: str) -> Node:
    """Formula of an expression text; raises ExchangeError for what is not of the language."""
    return _tree(parse(text))


def _node(kind: int, *children: Node) -> Node:
    node = Node(kind)
    for child in children:
        node.addChild(child)
    return node


def _constant(value: float) -> Node:
    whole = float(value).is_integer() and abs(value) < 2**31
    node = Node(libsbml.AST_INTEGER if whole else libsbml.AST_REAL)
    node.setValue(int(value) if whole else float(value))
    return node


def _tree(node: ast.expr) -> Node:
    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return _constant(float(value))
        case ast.Name(id="time"):
            time = _node(libsbml.AST_NAME_TIME)
            time.setName("time")
            return time
        case ast.Name(id="pi"):
            return _node(libsbml.AST_CONSTANT_PI)
        case ast.Name(id=name):
            leaf = _node(libsbml.AST_NAME)
            leaf.setName(name)
            return leaf
        case ast.UnaryOp(op=ast.UAdd(), operand=a):
            return _tree(a)
        case ast.UnaryOp(op=op, operand=a) if type(op) in OPERATOR:
            return _node(OPERATOR[type(op)], _tree(a))
        case ast.BinOp(left=a, op=op, right=b) if type(op) in OPERATOR:
            return _node(OPERATOR[type(op)], _tree(a), _tree(b))
        case ast.BoolOp(op=op, values=parts):
            return _node(OPERATOR[type(op)], *map(_tree, parts))
        case ast.Compare(left=a, ops=ops, comparators=others) if all(type(o) in OPERATOR for o in ops):
            sides = (a, *others)
            pairs = [_node(OPERATOR[type(o)], _tree(x), _tree(y)) for o, x, y in zip(ops, sides, others, strict=False)]
            return pairs[0] if len(pairs) == 1 else _node(libsbml.AST_LOGICAL_AND, *pairs)
        case ast.Call(func=ast.Name(id="log10"), args=[a]):
            return _node(libsbml.AST_FUNCTION_LOG, _constant(10), _tree(a))
        case ast.Call(func=ast.Name(id="sqrt"), args=[a]):
            return _node(libsbml.AST_FUNCTION_ROOT, _constant(2), _tree(a))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTION:
            return _node(FUNCTION[name], *map(_tree, args))
    raise ExchangeError(f"{ast.unparse(node)!r} cannot be written as SBML mathematics")


def read_formula(text: str, name: Names, where: str) -> str:
    """Expression text of an infix formula as PEtab writes it (``^`` is a power, ``log`` is natural)."""
    if text.count("%") > MOST_REMAINDERS:
        raise ExchangeError(
            f"{where} has more than {MOST_REMAINDERS} remainders (%); give its parts names of their own"
        )
    settings = libsbml.L3ParserSettings()
    settings.setParseLog(libsbml.L3P_PARSE_LOG_AS_LN)
    node = libsbml.parseL3FormulaWithSettings(text, settings)
    if node is None:
        raise ExchangeError(f"{where}: cannot read {text!r}: {libsbml.getLastParseL3Error().strip()}")
    return text_of(node, name, where)
