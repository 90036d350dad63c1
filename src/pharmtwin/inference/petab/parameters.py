"""The parameter table: what is estimated becomes a fixed effect on its ``parameterScale`` or a residual parameter.

A fixed effect on the scale log10 is the logarithm itself (``log10_k``), with bounds and prior of the logarithm; the
model defines ``k`` from it. Residual parameters are standard deviations: those on a logarithmic scale keep their
prior, carried over to the standard deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pharmtwin.exchange.petab import SCALES, PetabProblem
from pharmtwin.inference.models.description import FixedEffect, Prior, Residual
from pharmtwin.inference.models.read import FAMILIES

#: natural logarithm of the base of a scale
LOG_BASE = {"log": 1.0, "log10": math.log(10.0)}
#: a lognormal this many times wider than its bounds is flat in the logarithm, to 2e-7 of its density
WIDE = 1e3
#: prior that PEtab takes where the table states none: flat between the bounds, on the parameter's scale
DEFAULT = "parameterScaleUniform"


@dataclass(frozen=True)
class Entry:
    """A row of the parameter table.

    Attributes
    ----------
    value : nominal, linear. lower, upper : bounds, linear. estimated : or constant.
    prior, arguments : ``objectivePriorType`` and its parameters, "" where the table has none.
    """

    id: str
    scale: str
    value: float
    lower: float
    upper: float
    estimated: bool
    prior: str = ""
    arguments: tuple[float, ...] = ()

    def scaled(self, value: float) -> float:
        """A linear value on the scale; -inf for the logarithm of 0, NaN for that of less."""
        if self.scale == "lin" or math.isinf(value):
            return value
        return float(SCALES[self.scale][0](value)) if value > 0 else -math.inf if value == 0 else math.nan


def read_entries(problem: PetabProblem, priors: bool, faults: list[str]) -> dict[str, Entry]:
    """Rows of the parameter table; what cannot be read goes to ``faults``. priors False: the table's are left out."""
    found = {}
    for identifier, row in problem.parameters.iterrows():
        name = str(identifier)

        def number(column: str, default: float, name: str = name, row: dict[str, str] = dict(row)) -> float:  # noqa: B006
            text = str(row.get(column, "")).strip()
            if not text:
                return default
            try:
                return float(text)
            except ValueError:
                faults.append(f"parameter {name}: {column} is {text!r}, not a number")
                return default

        flag = str(row.get("estimate", "")).strip().removesuffix(".0")
        if flag not in ("0", "1"):
            faults.append(f"parameter {name}: estimate is {flag!r}, not 0 or 1")
        kind, words = str(row.get("objectivePriorType", "")).strip(), str(row.get("objectivePriorParameters", ""))
        arguments: tuple[float, ...] = ()
        if kind and priors:
            try:
                arguments = tuple(float(w) for w in words.split(";"))
            except ValueError:
                faults.append(f"parameter {name}: objectivePriorParameters are {words!r}, not numbers")
            if len(arguments) != 2:
                faults.append(f"parameter {name}: {kind} has 2 parameters, not {len(arguments)}")
                arguments = (math.nan, math.nan)
        entry = Entry(name, str(row["parameterScale"]), number("nominalValue", math.nan),
                      number("lowerBound", -math.inf), number("upperBound", math.inf), flag == "1",
                      kind if priors else "", arguments)  # fmt: skip
        if not math.isfinite(entry.scaled(entry.value) if entry.estimated else entry.value):
            faults.append(
                f"parameter {name}: the nominal value {entry.value:g} has no place on the scale {entry.scale}"
            )
        found[name] = entry
    return found


def effect_of(entry: Entry, name: str, faults: list[str]) -> FixedEffect:
    """The fixed effect of an estimated parameter: its value on its scale."""
    low, high = entry.scaled(entry.lower), entry.scaled(entry.upper)
    kind, arguments = entry.prior, entry.arguments
    if not kind:
        bounded = math.isfinite(low) and math.isfinite(high)
        prior = Prior("uniform", (low, high)) if bounded else Prior("flat")
    else:
        prior = _checked(_on_scale(entry.scale, kind, arguments), entry, faults)
    return FixedEffect(name, entry.scaled(entry.value), meaning=f"{entry.id}, {entry.scale}", prior=prior,
                       lower=low, upper=high)  # fmt: skip


def residual_of(entry: Entry, name: str, factor: float, faults: list[str]) -> Residual:
    """The residual parameter ``factor`` x parameter (linear)."""
    value = factor * entry.value
    if not value > 0:
        faults.append(f"parameter {entry.id} is a standard deviation of {value:g}: it must be above 0")
    if not entry.estimated:
        return Residual(name, value, fixed=True)
    low, high = factor * max(entry.lower, 0.0), factor * entry.upper
    prior = _checked(_of_sd(entry, factor, low, high), entry, faults) if entry.prior else _default(entry, low, high)
    return Residual(name, value, prior=prior)


def _checked(prior: Prior | str, entry: Entry, faults: list[str]) -> Prior:
    """The prior if it can be held; else its fault."""
    if isinstance(prior, str):
        faults.append(f"parameter {entry.id}: the prior {entry.prior} {prior}")
        return Prior("flat")
    if prior.family not in FAMILIES:
        faults.append(
            f"parameter {entry.id}: the prior {entry.prior} has no family here (known: {', '.join(FAMILIES)})"
        )
        return Prior("flat")
    return prior


def _on_scale(scale: str, kind: str, arguments: tuple[float, ...]) -> Prior | str:
    """The prior of a parameter's value on its scale, or why there is none."""
    a, b = arguments
    families = {"Uniform": "uniform", "Normal": "normal", "Laplace": "laplace"}
    if kind.startswith("parameterScale") and kind.removeprefix("parameterScale") in families:
        return Prior(families[kind.removeprefix("parameterScale")], (a, b))
    if scale == "lin":
        if kind in ("uniform", "normal", "laplace"):
            return Prior(kind, (a, b))
        return (
            Prior("lognormal", (math.exp(a), b))
            if kind == "logNormal"
            else f"of a {scale} parameter has no family here"
        )
    base = LOG_BASE[scale]
    if kind in ("logNormal", "logLaplace"):  # of the natural logarithm
        return Prior("normal" if kind == "logNormal" else "laplace", (a / base, b / base))
    if kind in ("uniform", "normal", "laplace"):
        return f"is one of the value itself; as one of its logarithm ({scale}) it has no family here"
    return "is unknown"


def _of_sd(entry: Entry, factor: float, low: float, high: float) -> Prior | str:
    """The prior of a standard deviation, factor x parameter."""
    (a, b), kind = entry.arguments, entry.prior
    if kind.startswith("parameterScale") and entry.scale == "lin":
        kind = kind.removeprefix("parameterScale").lower()
    base = LOG_BASE.get(entry.scale, 1.0)
    if kind == "parameterScaleUniform":
        return _flat_logarithm(max(low, factor * math.exp(base * a)), min(high, factor * math.exp(base * b)))
    if kind in ("parameterScaleNormal", "logNormal"):
        own = base if kind == "parameterScaleNormal" else 1.0
        return Prior("lognormal", (factor * math.exp(own * a), own * b), low, high)
    if kind == "uniform":
        return Prior("uniform", (max(low, factor * a), min(high, factor * b)))
    if kind == "normal":
        return Prior("normal", (factor * a, factor * b), low, high)
    return "of a standard deviation has no family here"


def _default(entry: Entry, low: float, high: float) -> Prior | None:
    """Flat between the bounds, on the scale; None where there are no bounds to lie between."""
    if not (math.isfinite(high) and (low > 0 or entry.scale == "lin")):
        return None
    return Prior("uniform", (low, high)) if entry.scale == "lin" else _flat_logarithm(low, high)


def _flat_logarithm(low: float, high: float) -> Prior:
    """Flat in the logarithm between bounds."""
    return Prior("lognormal", (math.sqrt(low * high), WIDE * math.log(high / low)), low, high)
