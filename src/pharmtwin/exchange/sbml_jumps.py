"""When something in an imported model jumps: times at which a comparison of time with constants changes."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping

import numpy as np

from pharmtwin.exchange.evaluate import comparisons, evaluate
from pharmtwin.exchange.imported import ImportedModel
from pharmtwin.model.algebra import names, parse
from pharmtwin.model.description import TIME


def stops(imported: ImportedModel, parameters: Mapping[str, float]) -> list[float]:
    """Times at which a comparison of time with constants changes, anywhere in the model or in its triggers."""
    texts = [d.expression for d in imported.model.definitions] + [f.expression for f in imported.model.fluxes]
    texts += [e.trigger for e in imported.events]
    found = set()
    for text in texts:
        for left, _, right in comparisons(text):
            time = crossing(imported, parameters, f"({left}) - ({right})")
            if time is not None:
                found.add(time)
    return sorted(found)


def closure(imported: ImportedModel, text: str) -> frozenset[str]:
    """Names that a text uses, through definitions."""
    definitions, seen, open_ = imported.definition_texts, set(), set(names(text))
    while open_:
        name = open_.pop()
        seen.add(name)
        open_ |= names(definitions.get(name, "0")) - seen
    return frozenset(seen)


def crossing(imported: ImportedModel, parameters: Mapping[str, float], difference: str) -> float | None:
    """Time at which a difference that is linear in time is zero; None where it is not so simple."""
    if _degree(imported, parse(difference)) != 1:
        return None
    g0, g1 = (float(evaluate(difference, imported.scope(parameters, {}, t))) for t in (0.0, 1.0))
    if not np.isfinite(g0 + g1) or g1 == g0:
        return None
    slope, time = g1 - g0, g0 / (g0 - g1)
    for _ in range(2):  # the differences above may have lost digits
        time -= float(evaluate(difference, imported.scope(parameters, {}, time))) / slope
    return time


def _degree(imported: ImportedModel, node: ast.expr) -> float:
    """Degree of an expression in time, through definitions: 0 (constant), 1 (linear) or inf (anything else)."""
    go = lambda n: _degree(imported, n)  # noqa: E731
    match node:
        case ast.Name(id=name):
            if name == TIME:
                return 1
            text = imported.definition_texts.get(name)
            return go(parse(text)) if text is not None else math.inf if name in imported.model.state_names else 0
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=a):
            return go(a)
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub(), right=b):
            return max(go(a), go(b))
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            return go(a) + go(b) if go(a) + go(b) <= 1 else math.inf
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            return go(a) if go(b) == 0 else math.inf
    inner = [c for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr)]
    if isinstance(node, ast.Call):
        inner = node.args
    return 0 if all(go(c) == 0 for c in inner) else math.inf


def searched_events(imported: ImportedModel, parameters: Mapping[str, float]) -> list[int]:
    """Events (by number) that may fire between stops: a comparison varies, and not linearly in time alone."""
    varying = {*imported.model.state_names, TIME}
    found = []
    for k, event in enumerate(imported.events):
        differences = [f"({a}) - ({b})" for a, _, b in comparisons(event.trigger)]
        loose = [d for d in differences if closure(imported, d) & varying]
        if any(crossing(imported, parameters, d) is None for d in loose):
            found.append(k)
    return found
