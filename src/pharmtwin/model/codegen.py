"""From a model description to the straight-line programs that the engines run.

Derived, never written by hand: right-hand side, analytic Jacobian in the slots of the sparse LU,
elimination in a symbolically chosen order without pivoting (the shifted matrix I/(gamma h) - J of a
compartment model is diagonally dominant), derivatives with respect to chosen parameters,
second-derivative products for exact tangents, and observables with their derivatives.

Arrays of the programs (numbers of the arguments in this order):

    prepare(p, q)            parameter-only constants q, once a segment
    rhs(y, q, dy)            derivatives of the states
    jacobian(y, q, J)        Jacobian in LU slots
    lu_factor(M)             in place
    lu_solve(M, x)           in place, x (n)
    lu_solve_rows(M, X)      in place, X (n rows)
    jac_times_rows(J, V, O)  O = J V
    curvature(y, q, v, S, O) O += (d2f/dy2 v) S + d2f/dy dtheta v
    rhs_dp(y, q, O)          O += df/dtheta
    observe(y, q, o)         observables
    observe_rows(y, q, S, o) their derivatives, one row an observable
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pharmtwin.model.algebra import Algebra, Expr
from pharmtwin.model.description import Model
from pharmtwin.model.program import Emitter, Program

CODEGEN_VERSION = "2"

#: the model's functions, in the order of the table that the engines get
FUNCTIONS = (
    "prepare", "rhs", "jacobian", "lu_factor", "lu_solve", "lu_solve_rows", "jac_times_rows", "curvature", "rhs_dp",
    "observe", "observe_rows",
)  # fmt: skip


@dataclass(frozen=True)
class SparseLU:
    """Symbolic LU: pivot order, elimination steps (pivot, rows below, columns right) and the slot of every entry."""

    order: tuple[int, ...]
    steps: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]
    slot: dict[tuple[int, int], int]


@dataclass(frozen=True)
class Generated:
    """Programs of a model and the sizes that go with them.

    n states, n_q constants, n_lu slots, n_t sensitivity parameters, width of a row (n_t rounded up), n_o
    observables; (row, column) of the Jacobian; states that observables depend on (``seen``).
    """

    programs: dict[str, Program]
    n: int
    n_p: int
    n_q: int
    n_t: int
    width: int
    n_o: int
    lu: SparseLU
    jacobian: tuple[tuple[int, int], ...]
    seen: tuple[int, ...]

    @property
    def n_lu(self) -> int:
        """Number of slots of the sparse LU."""
        return len(self.lu.slot)


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


def row_width(n_t: int) -> int:
    """Doubles in a row of tangents: up to the next even size of a vector register."""
    if n_t <= 1:
        return 1
    return -(-n_t // 4) * 4 if n_t > 2 else 2


class _Functions:
    """Programs that share the parameter-only constants."""

    def __init__(self, model: Model) -> None:
        self.index = {s: k for k, s in enumerate(model.state_names)}
        self.constants: dict[int, tuple[Expr, int]] = {}
        self.programs: dict[str, Program] = {}

    def constant(self, e: Expr) -> int:
        """Slot of a parameter-only expression in q."""
        if e.order not in self.constants:
            self.constants[e.order] = (e, len(self.constants))
        return self.constants[e.order][1]

    def emitter(self, name: str, direction: int = 0) -> tuple[Program, Emitter]:
        """A program on (y, q, ...); symbols ``v[i]`` are elements of array ``direction``."""
        p = self.programs[name] = Program(name)

        def leaf(symbol: str) -> int:
            if symbol.startswith("v["):
                return p.load(direction, int(symbol[2:-1]))
            return p.load(0, self.index[symbol])

        return p, Emitter(p, leaf, lambda c: p.load(1, self.constant(c)))

    def prepare(self, model: Model) -> None:
        """The program that fills q, written last: now all constants are known."""
        p = self.programs["prepare"] = Program("prepare")
        where = {s: k for k, s in enumerate(model.parameter_names)}
        emit = Emitter(p, lambda symbol: p.load(0, where[symbol]), None)
        for e, slot in sorted(self.constants.values(), key=lambda t: t[1]):
            p.store(1, slot, emit.expr(e))


def _factor(lu: SparseLU) -> Program:
    p = Program("lu_factor")
    value: dict[int, int] = {}

    def get(i: int, j: int) -> int:
        slot = lu.slot[i, j]
        return value[slot] if slot in value else p.load(0, slot)

    one = p.number(1.0)
    for k, below, right in lu.steps:
        pivot = value[lu.slot[k, k]] = p.op("div", one, get(k, k))
        for i in below:
            factor = value[lu.slot[i, k]] = p.op("mul", get(i, k), pivot)
            for j in right:
                value[lu.slot[i, j]] = p.op("sub", get(i, j), p.op("mul", factor, get(k, j)))
    for slot, v in sorted(value.items()):
        p.store(0, slot, v)
    return p


def _solve(lu: SparseLU, name: str, rows: bool) -> Program:
    p = Program(name)
    load: Callable[[int, int], int] = p.load_row if rows else p.load
    x = {k: load(1, k) for k in sorted(lu.order)}
    m = lambda i, j: p.load(0, lu.slot[i, j])  # noqa: E731
    for k, below, _ in lu.steps:
        for i in below:
            x[i] = p.op("sub", x[i], p.op("mul", m(i, k), x[k]))
    for k, _, right in reversed(lu.steps):
        for j in right:
            x[k] = p.op("sub", x[k], p.op("mul", m(k, j), x[j]))
        x[k] = p.op("mul", x[k], m(k, k))
    for k in sorted(lu.order):
        (p.store_row if rows else p.store)(1, k, x[k])
    return p


def _curvature(
    f: _Functions,
    a: Algebra,
    jac: dict[tuple[int, int], Expr],
    states: list[str],
    theta: tuple[str, ...],
    width: int,
) -> None:
    """O += (d2f/dy2 v) S + d2f/dy dtheta v: the only place where second derivatives are needed."""
    p, emit = f.emitter("curvature", direction=2)
    where = {s: k for k, s in enumerate(states)}
    by_row: dict[int, dict[str, Expr]] = {}
    for (i, j), d in jac.items():
        v = a.symbol(f"v[{j}]", "v")
        for s in d.symbols:
            if (s in where or s in theta) and (dd := a.diff(d, s)).terms:
                row = by_row.setdefault(i, {})
                part = a.mul(dd, v)
                row[s] = a.add(row[s], part) if s in row else part
    for i, row in sorted(by_row.items()):
        terms = [(1, p.op("mul", emit.expr(row[s]), p.load_row(3, where[s]))) for s in states if s in row]
        if terms:
            p.store_row(4, i, p.sum([(1, p.load_row(4, i)), *terms]))
        for m, t in enumerate(theta):
            if t in row:
                at = i * width + m
                p.store(4, at, p.op("add", p.load(4, at), emit.expr(row[t])))


def generate(model: Model) -> Generated:
    """Programs of a model (see the module's docstring for their arguments)."""
    a, rates, observables = model.graph
    n, states, theta = len(model.states), model.state_names, model.sensitivities
    width = row_width(len(theta))
    f = _Functions(model)

    p, emit = f.emitter("rhs")
    for i, e in enumerate(rates):
        p.store(2, i, emit.expr(e))

    where = {s: k for k, s in enumerate(states)}
    jac = {
        (i, j): d
        for i, e in enumerate(rates)
        for j in sorted(where[s] for s in e.symbols if s in where)
        if (d := a.diff(e, states[j])).terms
    }
    lu = symbolic_lu(set(jac), n)
    p, emit = f.emitter("jacobian")
    for ij, slot in lu.slot.items():
        p.store(2, slot, emit.expr(jac[ij]) if ij in jac else p.number(0.0))

    f.programs["lu_factor"] = _factor(lu)
    f.programs["lu_solve"] = _solve(lu, "lu_solve", rows=False)
    f.programs["lu_solve_rows"] = _solve(lu, "lu_solve_rows", rows=True)

    p = f.programs["jac_times_rows"] = Program("jac_times_rows")
    for i in range(n):
        terms = [(1, p.op("mul", p.load(0, lu.slot[i, j]), p.load_row(1, j))) for j in range(n) if (i, j) in jac]
        p.store_row(2, i, p.sum(terms))

    p, emit = f.emitter("rhs_dp")
    for i, e in enumerate(rates):
        for m, t in enumerate(theta):
            if (d := a.diff(e, t)).terms:
                p.store(2, i * width + m, p.op("add", p.load(2, i * width + m), emit.expr(d)))

    _curvature(f, a, jac, states, theta, width)

    p, emit = f.emitter("observe")
    for k, e in enumerate(observables):
        p.store(2, k, emit.expr(e))
    p, emit = f.emitter("observe_rows")
    for k, e in enumerate(observables):
        terms = [(1, p.op("mul", emit.expr(a.diff(e, s)), p.load_row(2, where[s]))) for s in states if s in e.symbols]
        p.store_row(3, k, p.sum(terms))
        for m, t in enumerate(theta):
            if (d := a.diff(e, t)).terms:
                at = k * width + m
                p.store(3, at, p.op("add", p.load(3, at), emit.expr(d)))
    f.prepare(model)
    return Generated(
        f.programs, n, len(model.parameters), max(1, len(f.constants)), len(theta), width, len(observables), lu,
        tuple(jac), tuple(sorted({where[s] for e in observables for s in e.symbols if s in where})),
    )  # fmt: skip
