"""$ERROR as an output: what is predicted, and the standard deviation around it.

Y is taken at observation rows (AMT, EVID and MDV 0) for one value of the column that selects the output, and for F > 0.
At EPS = 0 it is the prediction; the variance is the sum of products of its derivatives with respect to the EPS with
their covariances, so what is not linear in an EPS is linearised, as NONMEM's first-order methods do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray

from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.nonmem.importing.stream import Assignment, Stream

#: columns that are 0 on a row that is observed
AT_OBSERVATIONS = ("AMT", "EVID", "MDV", "RATE", "ADDL", "SS")
F = sympy.Symbol("F", positive=True)


@dataclass(frozen=True)
class Error:
    """Prediction in terms of :data:`F`, kind of error, its parameters, ``where_zero`` (NaN: none), linear in EPS?"""

    prediction: sympy.Expr
    kind: str
    parameters: tuple[tuple[str, float], ...]
    where_zero: float
    linear: bool
    fixed: bool


def datum(stream: Stream) -> sympy.Expr:
    """Y with all assignments of $ERROR written out, in terms of F, EPS, columns and what $PK assigns."""
    values: dict[str, sympy.Expr] = {}
    for name, expression in stream.after:
        own = expression.subs({sympy.Symbol(n): v for n, v in values.items()})
        values[name] = sympy.Symbol("F") if name == "F" else own
    return values[stream.dependent]


def selector(y: sympy.Expr, stream: Stream) -> tuple[str, list[float]]:
    """The column whose value decides which output a row is of, and the values that are named; ("", []) if none.

    Raises PopulationModelError where several columns do.
    """
    found: dict[str, set[float]] = {}
    names = {sympy.Symbol(c): c for c in stream.columns if c not in AT_OBSERVATIONS}
    for relation in y.atoms(sympy.core.relational.Relational):
        for symbol in relation.free_symbols & names.keys():
            other = relation.rhs if relation.lhs == symbol else relation.lhs
            if not isinstance(relation, (sympy.Eq, sympy.Ne)) or not other.is_number:
                raise PopulationModelError(f"the condition {relation} of $ERROR is not translated")
            found.setdefault(names[symbol], set()).add(float(other))
    if len(found) > 1:
        raise PopulationModelError(f"$ERROR decides by several columns ({', '.join(sorted(found))}): not translated")
    return (next(iter(found)), sorted(next(iter(found.values())))) if found else ("", [])


def error_at(y: sympy.Expr, stream: Stream, at: Mapping[str, float], sizes: Mapping[str, sympy.Expr]) -> Error | None:
    """The output at values of columns; None where it has no random part.

    sizes : names that depend on THETAs alone, and how; the size of the error may depend on them, at the THETAs' values.
    Raises PopulationModelError where it depends on anything else but F, or in a way that no kind of error has.
    """
    columns = {sympy.Symbol(c): 0 for c in AT_OBSERVATIONS} | {sympy.Symbol(c): v for c, v in at.items()}
    here = y.subs(columns)
    zero = here.subs(sympy.Symbol("F"), 0)
    here = here.subs(sympy.Symbol("F"), F)
    prediction, raw, linear = _moments(here, stream)
    if raw == 0:
        return None
    of_thetas = {sympy.Symbol(n): v for n, v in sizes.items()}
    values = {sympy.Symbol(t.name): sympy.Float(t.value) for t in stream.thetas}
    fixed_thetas = {sympy.Symbol(t.name): t.fixed for t in stream.thetas}
    decide = raw.subs(of_thetas).free_symbols & fixed_thetas.keys()
    variance = sympy.expand(sympy.simplify(raw.subs(of_thetas).subs(values)))
    strange = variance.free_symbols - {F}
    if strange:
        raise PopulationModelError(
            f"the residual error depends on {', '.join(sorted(map(str, strange)))}: not translated"
        )
    kind, parameters = _kind(variance, prediction)
    at_zero = sympy.simplify(_moments(zero, stream)[1].subs(of_thetas).subs(values))
    used = [k for k, e in enumerate(stream.epsilons) if here.has(sympy.Symbol(e))]
    fixed = all(stream.sigma_fixed[k] for k in used) and all(fixed_thetas[t] for t in decide)
    return Error(prediction, kind, parameters, _where_zero(kind, parameters, at_zero), linear, fixed)


def _where_zero(kind: str, parameters: tuple[tuple[str, float], ...], variance: sympy.Expr) -> float:
    """The prediction that would have the variance that $ERROR gives a prediction of 0; NaN where it gives none."""
    values = [v for _, v in parameters]
    if not variance.is_number or not variance.is_finite:
        return float("nan")
    if kind == "combined":
        rest = float(variance) - values[0] ** 2
        return float(np.sqrt(rest) / values[1]) if rest > 1e-12 * values[0] ** 2 and rest > 0 else float("nan")
    if kind in ("proportional", "power") and variance > 0:
        return float((np.sqrt(float(variance)) / values[0]) ** (1.0 / (values[1] if kind == "power" else 1.0)))
    return float("nan")


def _moments(y: sympy.Expr, stream: Stream) -> tuple[sympy.Expr, sympy.Expr, bool]:
    """Prediction, variance, and whether Y is linear in every EPS."""
    epsilons = [sympy.Symbol(e) for e in stream.epsilons]
    zeros = {e: 0 for e in epsilons}
    slopes = [sympy.diff(y, e) for e in epsilons]
    linear = not any(s.free_symbols & set(epsilons) for s in slopes)
    at = [s.subs(zeros) for s in slopes]
    sigma: NDArray[np.float64] = stream.sigma
    variance = sum(
        (a * b * sympy.Float(sigma[i, j]) for i, a in enumerate(at) for j, b in enumerate(at) if sigma[i, j] != 0.0),
        sympy.Integer(0),
    )
    return y.subs(zeros), variance, linear


def _kind(variance: sympy.Expr, prediction: sympy.Expr) -> tuple[str, tuple[tuple[str, float], ...]]:
    """Kind of error and its parameters, from the variance as a function of F."""
    if not variance.has(F):
        return "additive", (("add", float(sympy.sqrt(variance))),)
    ratio = sympy.simplify(variance / prediction**2)
    if ratio.is_number:
        return "proportional", (("prop", float(sympy.sqrt(ratio))),)
    if prediction == F:
        if variance.is_polynomial(F) and sympy.degree(variance, F) == 2:
            v2, v1, v0 = (float(c) for c in sympy.Poly(variance, F).all_coeffs())
            pair = (("add", float(np.sqrt(v0))), ("prop", float(np.sqrt(v2))))
            if abs(v1) <= 1e-12 * np.sqrt(v0 * v2):
                return "combined", pair
            if abs(v1 - 2.0 * np.sqrt(v0 * v2)) <= 1e-9 * abs(v1):
                return "combined_sd", pair
        power = sympy.simplify(F * sympy.diff(variance, F) / variance)
        if power.is_number:
            size = sympy.simplify(variance / F**power)
            return "power", (("size", float(sympy.sqrt(size))), ("power", float(power) / 2.0))
    raise PopulationModelError(f"the residual variance {variance} of the prediction {prediction} is of no known kind")


def ssa(assignments: tuple[Assignment, ...]) -> list[Assignment]:
    """The same with every name assigned once: earlier values of a name that is assigned again are written out."""
    last = {name: k for k, (name, _) in enumerate(assignments)}
    early: dict[sympy.Symbol, sympy.Expr] = {}
    out: list[Assignment] = []
    for k, (name, expression) in enumerate(assignments):
        own = expression.subs(early)
        symbol = sympy.Symbol(name)
        if last[name] == k:
            early.pop(symbol, None)
            out.append((name, own))
        else:
            early[symbol] = own
    return out
