"""Which derivatives follow from others: in ``CL = TVCL * exp(eta_CL)``, d/dTVCL is d/deta_CL divided by TVCL.

Every derivative that the solver carries costs time, so typical values whose only place is beside their random effect
are not carried (a mu-referenced model in NONMEM's words).
"""

from __future__ import annotations

import ast

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.model.algebra import parse


def aliases(model: PopulationModel) -> dict[str, str]:
    """Fixed effect -> random effect whose derivative, divided by the fixed effect, is the fixed effect's own."""
    random = {r.name for r in model.random}
    texts = [d.expression for d in model.structure.definitions]
    texts += [f.expression for f in model.structure.fluxes]
    texts += [str(c) for f in model.structure.fluxes for _, c in f.changes]
    uses: dict[str, list[str]] = {}
    for text in texts:
        for node in ast.walk(parse(text)):
            if isinstance(node, ast.Name):
                uses.setdefault(node.id, []).append(text)
    direct = {d.name for d in model.doses} | {n for _, n in model.initial}
    direct |= {o.expression for o in model.structure.observables}
    found: dict[str, str] = {}
    for effect in model.fixed:
        name = effect.name
        if len(uses.get(name, ())) != 1 or name in direct:
            continue
        factors = _factors(parse(uses[name][0]))
        if not any(isinstance(f, ast.Name) and f.id == name for f in factors):
            continue
        for other in _exponents(factors):
            if other in random and len(uses[other]) == 1 and other not in direct:
                found[name] = other
                break
    return found


def _factors(node: ast.expr) -> list[ast.expr]:
    """Factors of a product, those that it is divided by left out."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _factors(node.left) + _factors(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _factors(node.left)
    return [node]


def _exponents(factors: list[ast.expr]) -> list[str]:
    """Names that are added in the exponent of a factor exp(...)."""
    out: list[str] = []
    for f in factors:
        if isinstance(f, ast.Call) and isinstance(f.func, ast.Name) and f.func.id == "exp" and len(f.args) == 1:
            left = [f.args[0]]
            while left:
                node = left.pop()
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                    left += [node.right, node.left]
                elif isinstance(node, ast.Name):
                    out.append(node.id)
    return out
