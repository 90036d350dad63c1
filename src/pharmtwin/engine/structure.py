"""What the text of a model tells about it: which states only keep accounts, and whether it is linear.

Both are read from the definitions and fluxes as they are written, never from a run.
"""

from __future__ import annotations

import ast
from functools import lru_cache

from pharmtwin.model.algebra import parse
from pharmtwin.model.description import TIME, Model

CONSTANT, LINEAR, OTHER = 0, 1, 2


@lru_cache(maxsize=64)
def accounts(model: Model) -> tuple[str, ...]:
    """States that no rate of another state (nor their own) depends on: areas, amounts excreted or metabolised.

    Under repeated doses they grow without end or tell of the past, so they have no steady state. States that only
    feed accounts are accounts too. The clock is not listed.
    """
    needs = model.depends_on()
    left = set(needs) - {TIME}
    while True:
        used = left & {other for name in left for other in needs[name]}
        if used == left:
            return tuple(s.name for s in model.states if s.name not in left and s.name != TIME)
        left = used


@lru_cache(maxsize=64)
def is_linear(model: Model) -> bool:
    """True if the rates of all states but accounts are, as written, affine in the states (and free of the clock)."""
    degree = {s.name: LINEAR for s in model.states} | {TIME: OTHER}
    for d in model.definitions:
        degree[d.name] = _degree(parse(d.expression), degree)
    kept = {s.name for s in model.states} - set(accounts(model)) - {TIME}
    moving = [f for f in model.fluxes if kept & {state for state, _ in f.changes}]
    return all(_degree(parse(f.expression), degree) <= LINEAR for f in moving)


def _degree(node: ast.expr, degree: dict[str, int]) -> int:
    """CONSTANT, LINEAR or OTHER in the states; names not in ``degree`` are parameters."""
    if isinstance(node, ast.Name):
        return degree.get(node.id, CONSTANT)
    inner = [_degree(n, degree) for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
    if isinstance(node, ast.Call):
        inner = [_degree(n, degree) for n in node.args]
        values = [*inner[:-1:2], inner[-1]] if inner else []
        if ast.unparse(node.func) == "piecewise" and not any(inner[1:-1:2]):
            return max(values)
        return OTHER if any(inner) else CONSTANT
    if not any(inner):
        return CONSTANT
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return inner[0]
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Add | ast.Sub):
            return max(inner)
        if isinstance(node.op, ast.Mult):
            return min(OTHER, sum(inner))
        if isinstance(node.op, ast.Div) and inner[1] == CONSTANT:
            return inner[0]
    return OTHER
