"""The equations of a model as LaTeX, for the dossier.

Read from the same text that the solver's code is made from, so that what is printed is what is solved. The result is a
fragment (packages ``amsmath`` and ``longtable``); :func:`document` makes it a whole file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from pharmtwin.model.algebra import COMPARISONS, ExpressionError, parse
from pharmtwin.model.description import TIME, Model

#: how tightly a piece of LaTeX holds together; a weaker piece inside a stronger one gets brackets
PIECE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, POWER, ATOM = range(9)
RELATION = {"lt": "<", "le": r"\le", "gt": ">", "ge": r"\ge", "eq": "=", "ne": r"\ne"}
FUNCTION = {
    "exp": r"\exp", "log": r"\ln", "log10": r"\log_{10}", "sin": r"\sin", "cos": r"\cos", "tan": r"\tan",
    "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan", "sinh": r"\sinh", "cosh": r"\cosh", "tanh": r"\tanh",
    "min": r"\min", "max": r"\max",
}  # fmt: skip
FENCE = {
    "abs": (r"\left|", r"\right|"),
    "floor": (r"\left\lfloor", r"\right\rfloor"),
    "ceil": (r"\left\lceil", r"\right\rceil"),
}
TERMS_A_LINE = 5
ESCAPES = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
           "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "µ": r"$\mu$"}  # fmt: skip


def text(plain: str) -> str:
    """Plain text as LaTeX text."""
    return "".join(ESCAPES.get(c, c) for c in plain)


def symbol(name: str) -> str:
    """A name of the model as a mathematical symbol: ``Kp_liver_inh`` is Kp with the subscript ``liver, inh``.

    ``time`` is t; ``pi`` is the constant.
    """
    if name in (TIME, "pi"):
        return {TIME: "t", "pi": r"\pi"}[name]
    head, *rest = name.split("_")
    if not head:  # a leading underscore belongs to the name
        head, rest = name, []
    base = head if len(head) == 1 else rf"\mathrm{{{text(head)}}}"
    subscript = r",\,".join(text(part) for part in rest if part)
    return rf"{base}_{{\mathrm{{{subscript}}}}}" if subscript else base


def rate_symbol(flux: str) -> str:
    """The symbol of a flux: v with the flux's name as subscript."""
    return rf"v_{{\mathrm{{{text(flux).replace(chr(92) + '_', chr(92) + ' ')}}}}}"


def number(value: float) -> str:
    """A number; very large and small ones as powers of ten."""
    written = repr(value)
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        written = str(int(value))
    mantissa, e, exponent = written.partition("e")
    if not e:
        return written
    power = rf"10^{{{int(exponent)}}}"
    return power if mantissa in ("1", "1.0") else rf"{mantissa} \cdot {power}"


def expression(source: str) -> str:
    """An expression of the model's language as LaTeX.

    Raises
    ------
    ExpressionError : the text contains something that is not part of the language; the message names it.
    """
    return _write(parse(source))[0]


def _inside(node: ast.expr, strength: int) -> str:
    """A part, in brackets where it holds together less than its place needs."""
    written, own = _write(node)
    return written if own >= strength else rf"\left({written}\right)"


def _write(node: ast.expr) -> tuple[str, int]:
    """LaTeX of a node and how tightly it holds together."""
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value):
            written = number(value)
            return written, PRODUCT if r"\cdot" in written else POWER if "^" in written else ATOM
        case ast.Name(id=name):
            return symbol(name), ATOM
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return f"-{_inside(a, PRODUCT)}", SUM
        case ast.UnaryOp(op=ast.UAdd(), operand=a):
            return _write(a)
        case ast.UnaryOp(op=ast.Not(), operand=a):
            return rf"\neg {_inside(a, ATOM)}", NOT
        case ast.BinOp(left=a, op=ast.Add(), right=b):
            return f"{_inside(a, SUM)} + {_inside(b, PRODUCT)}", SUM
        case ast.BinOp(left=a, op=ast.Sub(), right=b):
            return f"{_inside(a, SUM)} - {_inside(b, PRODUCT)}", SUM
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return _quotient(node)
        case ast.BinOp(left=a, op=ast.Pow(), right=b):
            return rf"{{{_inside(a, ATOM)}}}^{{{_write(b)[0]}}}", POWER
        case ast.BoolOp(op=op, values=values):
            strength, word = (AND, r" \wedge ") if isinstance(op, ast.And) else (OR, r" \vee ")
            return word.join(_inside(v, strength + 1) for v in values), strength
        case ast.Compare(left=a, ops=ops, comparators=others) if all(type(op) in COMPARISONS for op in ops):
            pairs = zip(ops, others, strict=True)
            parts = [f"{RELATION[COMPARISONS[type(op)]]} {_inside(o, SUM)}" for op, o in pairs]
            return " ".join([_inside(a, SUM), *parts]), COMPARISON
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if args:
            return _call(name, args, node)
    raise ExpressionError(f"{ast.unparse(node)!r} is not part of the expression language")


def _quotient(node: ast.expr) -> tuple[str, int]:
    """A chain of products and quotients as one product or fraction, its sign in front."""
    above: list[ast.expr] = []
    below: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        (above if isinstance(node.op, ast.Mult) else below).insert(0, node.right)
        node = node.left
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    above.insert(0, node.operand if negative and isinstance(node, ast.UnaryOp) else node)
    # as a power's base a fraction needs brackets: (a/b)^2, so it counts as weaker than an atom
    written, strength = (
        (rf"\frac{{{_product(above)}}}{{{_product(below)}}}", POWER) if below else (_product(above), PRODUCT)
    )
    return (f"-{written}", SUM) if negative else (written, strength)


def _product(factors: list[ast.expr]) -> str:
    """Factors side by side; a dot where a number follows, lest two numbers read as one."""
    if len(factors) == 1:
        return _write(factors[0])[0]
    written = [_inside(f, PRODUCT) for f in factors]
    return written[0] + "".join((r" \cdot " if w[0].isdigit() else r" \, ") + w for w in written[1:])


def _call(name: str, args: Sequence[ast.expr], node: ast.expr) -> tuple[str, int]:
    parts = [_write(a)[0] for a in args]
    if name == "piecewise" and len(args) % 2 and len(args) > 1:
        rows = [rf"{v} & \text{{if }} {c}" for v, c in zip(parts[:-1:2], parts[1::2], strict=True)]
        lines = r" \\ ".join([*rows, rf"{parts[-1]} & \text{{otherwise}}"])
        return rf"\begin{{cases}} {lines} \end{{cases}}", PIECE
    if name == "pow" and len(args) == 2:
        return rf"{{{_inside(args[0], ATOM)}}}^{{{parts[1]}}}", POWER
    if name == "sqrt" and len(args) == 1:
        return rf"\sqrt{{{parts[0]}}}", ATOM
    if name in FENCE and len(args) == 1:
        return f"{FENCE[name][0]} {parts[0]} {FENCE[name][1]}", ATOM
    if name in FUNCTION and (len(args) == 1) != (name in ("min", "max")):
        return rf"{FUNCTION[name]}\left({', '.join(parts)}\right)", ATOM
    raise ExpressionError(f"{ast.unparse(node)!r} is not part of the expression language")


def _sum_of_fluxes(model: Model, state: str) -> str:
    """The derivative of a state as a sum of rate symbols, broken into lines."""
    terms: list[str] = []
    for flux in model.fluxes:
        for changed, coefficient in flux.changes:
            if changed == state:
                terms.append(_term(coefficient, rate_symbol(flux.name), first=not terms))
    if not terms:
        return "1" if state == TIME else "0"
    lines = [" ".join(terms[i : i + TERMS_A_LINE]) for i in range(0, len(terms), TERMS_A_LINE)]
    return " \\\\\n&\\quad ".join(lines)


def _term(coefficient: float | str, rate: str, first: bool) -> str:
    tree = parse(str(coefficient))
    negative = isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub)
    size = tree.operand if isinstance(tree, ast.UnaryOp) and negative else tree
    sign = ("-" if negative else "") if first else ("- " if negative else "+ ")
    one = isinstance(size, ast.Constant) and size.value == 1
    return sign + (rate if one else rf"{_inside(size, PRODUCT)} \, {rate}")


def _aligned(rows: Iterable[tuple[str, str]]) -> str:
    body = " \\\\\n".join(f"{left} &= {right}" for left, right in rows)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}" if body else "None."


def _table(columns: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" & ".join(row) + r" \\" for row in rows]
    top = " & ".join(rf"\textbf{{{h}}}" for h in head)
    return "\n".join([rf"\begin{{longtable}}{{{columns}}}", rf"{top} \\ \hline \endhead", *lines, r"\end{longtable}"])


def latex(model: Model) -> str:
    """The model's equations: states by their fluxes, fluxes, definitions, doses, observables, parameters.

    Returns a fragment of LaTeX (packages ``amsmath``, ``longtable``) with one section a part; every symbol stands in a
    table beside its name in the model, its unit and its meaning.

    Raises
    ------
    ExpressionError : an expression that is not of the model's language.
    """
    states = [(rf"\frac{{d{symbol(s.name)}}}{{dt}}", _sum_of_fluxes(model, s.name)) for s in model.states]
    fluxes = [(rate_symbol(f.name), expression(f.expression)) for f in model.fluxes]
    definitions = [(symbol(d.name), expression(d.expression)) for d in model.definitions]

    def row(name: str, *more: str) -> list[str]:
        return [f"${symbol(name)}$", rf"\texttt{{{text(name)}}}", *more]

    defined = [row(d.name, text(d.unit), text(d.meaning)) for d in model.definitions]
    width, head = "llp{0.16\\textwidth}p{0.42\\textwidth}", ["symbol", "name", "unit", "meaning"]
    parts = [
        ("Differential equations", _aligned(states)),
        ("Fluxes", _aligned(fluxes)),
        ("Definitions", _aligned(definitions)),
        (
            "States",
            _table(
                "llp{0.13\\textwidth}lp{0.33\\textwidth}",
                ["symbol", "name", "unit", "at the start", "meaning"],
                [row(s.name, text(s.unit), f"${number(s.initial)}$", text(s.meaning)) for s in model.states],
            ),
        ),
        (
            "Defined quantities",
            _table(width, head, defined),
        ),
        ("Parameters", _table(width, head, [row(p.name, text(p.unit), text(p.meaning)) for p in model.parameters])),
        ("Doses", _table("ll", ["route", "enters"], [[text(r), f"${symbol(s)}$"] for r, s in model.dose_targets])),
        ("Observables", ", ".join(f"${symbol(o.name)}$" for o in model.observables) + "."),
    ]
    return "\n\n".join(rf"\section*{{{title}}}" + "\n" + body for title, body in parts) + "\n"


def document(model: Model) -> str:
    """The equations as a LaTeX file that compiles on its own."""
    head = [
        r"\documentclass{article}",
        r"\usepackage[a4paper,margin=2cm]{geometry}",
        r"\usepackage{amsmath,longtable}",
        r"\allowdisplaybreaks",
        r"\begin{document}",
        rf"\title{{Model \texttt{{{text(model.name)}}}}}\author{{}}\date{{}}\maketitle",
    ]
    return "\n".join([*head, latex(model), r"\end{document}", ""])
