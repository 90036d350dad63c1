"""From a model description to straight-line code.

Generated, never written by hand: right-hand side, analytic Jacobian (dense and in the slots of the
sparse LU), elimination in a symbolically chosen order without pivoting (the shifted matrix
I/(gamma h) - J of a compartment model is diagonally dominant), derivatives with respect to chosen
parameters, second-derivative products for exact tangents, and observables with their derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy.printing.pycode import PythonCodePrinter

from pharmtwin.model.description import Model

CODEGEN_VERSION = "1"


class _Printer(PythonCodePrinter):
    """Small integer powers as products: cheaper than ``pow`` and exactly differentiable by eye."""

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.as_base_exp()
        if (exponent.is_Integer and 2 <= abs(exponent) <= 4) or exponent == -1:
            product = "*".join([f"({self._print(base)})"] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(1.0/({product}))"
        return str(super()._print_Pow(expr, rational=rational))


@dataclass(frozen=True)
class SparseLU:
    """Symbolic LU: pivot order, elimination steps and the slot of every entry."""

    order: tuple[int, ...]
    steps: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]
    slot: dict[tuple[int, int], int]


def symbolic_lu(nonzeros: set[tuple[int, int]], n: int) -> SparseLU:
    """Markowitz order on the diagonal with fill-in; ``nonzeros`` are (row, column) of the Jacobian."""
    rows: list[set[int]] = [{i} for i in range(n)]
    cols: list[set[int]] = [{i} for i in range(n)]
    for i, j in nonzeros:
        rows[i].add(j)
        cols[j].add(i)
    entries = {(i, j) for i in range(n) for j in rows[i]}
    left = set(range(n))
    order, steps = [], []
    while left:
        k = min(left, key=lambda c: ((len(cols[c] & left) - 1) * (len(rows[c] & left) - 1), c))
        left.discard(k)
        below, right = tuple(sorted(cols[k] & left)), tuple(sorted(rows[k] & left))
        for i in below:
            for j in right:
                entries.add((i, j))
                rows[i].add(j)
                cols[j].add(i)
        order.append(k)
        steps.append((k, below, right))
    return SparseLU(tuple(order), tuple(steps), {e: s for s, e in enumerate(sorted(entries))})


class _Writer:
    """Collects functions as source text."""

    def __init__(self, model: Model) -> None:
        self.lines: list[str] = []
        self.printer = _Printer()
        self.states = {
            sp.Symbol(s, real=True): sp.Symbol(f"y[{k}]", real=True) for k, s in enumerate(model.state_names)
        }
        self.params = {
            sp.Symbol(s, real=True): sp.Symbol(f"p[{k}]", real=True) for k, s in enumerate(model.parameter_names)
        }
        self.constants: dict[sp.Expr, sp.Symbol] = {}  # parameter-only expression -> its slot q[k]

    def _constant(self, expr: sp.Expr) -> sp.Symbol:
        return self.constants.setdefault(expr, sp.Symbol(f"q[{len(self.constants)}]", real=True))

    def hoist(self, expr: sp.Expr) -> sp.Expr:
        """Replace the largest parameter-only parts by slots ``q[k]``, computed once a segment."""
        if expr.is_Number:
            return expr
        if not expr.free_symbols - self.params.keys():
            return self._constant(expr)
        if isinstance(expr, sp.Add):  # one coefficient for each distinct function of the states
            terms: dict[sp.Expr, list[sp.Expr]] = {}
            for arg in expr.args:
                coefficient, rest = arg.as_independent(*(arg.free_symbols - self.params.keys()), as_Add=False)
                terms.setdefault(rest, []).append(coefficient)
            return sp.Add(*[self._times(sp.Add(*c), r) for r, c in terms.items()])
        if isinstance(expr, sp.Mul):
            return self._times(*expr.as_independent(*(expr.free_symbols - self.params.keys()), as_Add=False))
        return expr.func(*[self.hoist(a) for a in expr.args]) if expr.args else expr

    def _times(self, coefficient: sp.Expr, rest: sp.Expr) -> sp.Expr:
        scale = self._constant(coefficient) if coefficient.free_symbols else coefficient
        factors = rest.args if isinstance(rest, sp.Mul) else (rest,)
        return sp.Mul(scale, *[f if f.is_Symbol else self.hoist(f) for f in factors])

    def function(self, name: str, args: str, targets: list[tuple[str, sp.Expr]], accumulate: bool = False) -> None:
        """A jitted function that assigns (or adds) expressions, with common subexpressions taken out."""
        expressions = [self.hoist(e).xreplace(self.states) for _, e in targets]
        shared, reduced = sp.cse(expressions, symbols=sp.numbered_symbols("x"), optimizations="basic")
        body = [f"{s} = {self.printer.doprint(e)}" for s, e in shared]
        sign = "+=" if accumulate else "="
        body += [f"{t} {sign} {self.printer.doprint(e)}" for (t, _), e in zip(targets, reduced, strict=True)]
        self.raw(name, args, body)

    def prepare(self) -> None:
        """The function that fills ``q`` from the parameters; written last, when all constants are known."""
        expressions = [e.xreplace(self.params) for e in self.constants]
        shared, reduced = sp.cse(expressions, symbols=sp.numbered_symbols("x"))
        body = [f"{s} = {self.printer.doprint(e)}" for s, e in shared]
        body += [f"q[{k}] = {self.printer.doprint(e)}" for k, e in enumerate(reduced)]
        self.raw("prepare", "p, q", body)
        self.lines.append(f"NQ = {max(1, len(self.constants))}")

    def raw(self, name: str, args: str, body: list[str]) -> None:
        """A jitted function from finished lines."""
        self.lines += ["", "", "@njit(**JIT)", f"def {name}({args}):"]
        self.lines += [f"    {line}" for line in (body or ["pass"])]


def generate(model: Model) -> str:
    """Source text of a module with the model's functions.

    Returns
    -------
    Python source that needs only ``numba.njit`` and a dict ``JIT`` of its options.
    Functions write into their last argument. ``M`` and ``J`` hold LU slots, ``q`` the parameter-only
    constants that ``prepare(p, q)`` fills once a segment.
    """
    n = len(model.states)
    y = [sp.Symbol(s, real=True) for s in model.state_names]
    theta = [sp.Symbol(s, real=True) for s in model.sensitivities]
    jac = {(i, j): d for i in range(n) for j in range(n) if (d := sp.diff(model.rhs[i], y[j])) != 0}
    lu = symbolic_lu(set(jac), n)
    v = [sp.Symbol(f"v[a, {i}]", real=True) for i in range(n)]
    w = [sp.Symbol(f"w[b, {i}]", real=True) for i in range(n)]
    out = _Writer(model)
    out.lines += [
        f"NS = {n}",
        f"NP = {len(model.parameters)}",
        f"NLU = {len(lu.slot)}",
        f"NT = {len(theta)}",
        f"NO = {len(model.observables)}",
    ]
    out.function("rhs", "y, q, dy, a", [(f"dy[a, {i}]", e) for i, e in enumerate(model.rhs)])
    out.function("jac_dense", "y, q, J", [(f"J[{i}, {j}]", e) for (i, j), e in jac.items()])
    zero = sp.Integer(0)
    out.function("jac_slots", "y, q, J", [(f"J[{k}]", jac.get(ij, zero)) for ij, k in lu.slot.items()])
    out.raw(
        "shifted",
        "J, s, M",
        [f"M[{k}] = s - J[{k}]" if i == j else f"M[{k}] = -J[{k}]" for (i, j), k in lu.slot.items()],
    )
    body = []
    for k, below, right in lu.steps:
        body.append(f"M[{lu.slot[k, k]}] = 1.0/M[{lu.slot[k, k]}]")
        for i in below:
            body.append(f"M[{lu.slot[i, k]}] *= M[{lu.slot[k, k]}]")
            body += [f"M[{lu.slot[i, j]}] -= M[{lu.slot[i, k]}]*M[{lu.slot[k, j]}]" for j in right]
    out.raw("lu_factor", "M", body)
    body = []
    for k, below, _ in lu.steps:
        body += [f"x[a, {i}] -= M[{lu.slot[i, k]}]*x[a, {k}]" for i in below]
    for k, _, right in reversed(lu.steps):
        terms = "".join(f" - M[{lu.slot[k, j]}]*x[a, {j}]" for j in right)
        body.append(f"x[a, {k}] = (x[a, {k}]{terms})*M[{lu.slot[k, k]}]")
    out.raw("lu_solve", "M, x, a", body)
    body = []
    for i in range(n):
        terms = " + ".join(f"J[{lu.slot[i, j]}]*v[a, {j}]" for j in range(n) if (i, j) in jac)
        body.append(f"o[b, {i}] = {terms or '0.0'}")
    out.raw("jac_times", "J, v, a, o, b", body)

    # Tangents: df/dtheta, (d2f/dy2 w) v and (d2f/dy dtheta) v, added to rows. Vectors are rows (a, b, c)
    # of larger arrays: passing array and row is much cheaper than slicing.
    out.function(
        "rhs_dp",
        "y, q, o, b",
        [
            (f"o[b + {m}, {i}]", d)
            for m in range(len(theta))
            for i in range(n)
            if (d := sp.diff(model.rhs[i], theta[m])) != 0
        ],
        accumulate=True,
    )
    second = []
    for i in range(n):
        total = sum(
            (
                sp.diff(d, y[k]) * v[j] * w[k]
                for (a, j), d in jac.items()
                if a == i
                for k in range(n)
                if y[k] in d.free_symbols
            ),
            zero,
        )
        if total != 0:
            second.append((f"o[c, {i}]", total))
    out.function("second_yy", "y, q, v, a, w, b, o, c", second, accumulate=True)
    mixed = []
    for m, th in enumerate(theta):
        for i in range(n):
            total = sum((sp.diff(d, th) * v[j] for (a, j), d in jac.items() if a == i and th in d.free_symbols), zero)
            if total != 0:
                mixed.append((f"o[b + {m}, {i}]", total))
    out.function("second_yp", "y, q, v, a, o, b", mixed, accumulate=True)

    out.function("observe", "y, q, o", [(f"o[{k}]", e) for k, e in enumerate(model.observable_exprs)])
    dobs = []
    for k, e in enumerate(model.observable_exprs):
        for m, th in enumerate(theta):
            total = sum((sp.diff(e, y[i]) * sp.Symbol(f"S[{m}, {i}]", real=True) for i in range(n)), zero) + sp.diff(
                e, th
            )
            dobs.append((f"o[{k}, {m}]", total))
    out.function("observe_tangent", "y, q, S, o", dobs)
    out.prepare()
    return "\n".join(out.lines) + "\n"
