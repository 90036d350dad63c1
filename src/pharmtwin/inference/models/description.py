"""A population model: any ODE model, what varies around what in it, and how its outputs are observed.

Every fixed effect (THETA), random effect (ETA, KAPPA), covariate and constant is a parameter of the structural model,
by its name; the individual parameters (``CL = TVCL * (WT/70)**0.75 * exp(eta_CL)``) are definitions of the same model.
So one description gives predictions, exact derivatives with respect to every effect, and the equations of the report.
Effects of an occasion (inter-occasion variability) stand in the model by their name (``kappa_CL``);
:func:`pharmtwin.inference.models.occasions.expand` replaces each by one effect an occasion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pharmtwin.model.algebra import names
from pharmtwin.model.description import Model, ModelError

Floats = NDArray[np.float64]
#: kinds of residual error, with the number of their parameters; sd of an observation y of prediction f
ERRORS = {
    "additive": 1,  # a
    "proportional": 1,  # b f
    "combined": 2,  # sqrt(a^2 + b^2 f^2): independent parts (NONMEM: two EPS)
    "combined_sd": 2,  # a + b f: one EPS
    "power": 2,  # b f^c
    "lognormal": 1,  # log y ~ Normal(log f, a); density of y
}
#: what a dose may be modified by: F (1), lag (h), duration (h) and rate (mg/h) of a zero-order input
DOSE_ITEMS = ("F", "lag", "duration", "rate")
LEVELS = ("subject", "occasion")
#: names of a random effect's standard deviation, and of the correlation of two, among draws of a population
SD, CORRELATION = "sd_{}", "corr_{}_{}"


class PopulationModelError(ValueError):
    """The model is inconsistent; the message lists everything that is wrong, a line each."""


@dataclass(frozen=True)
class Prior:
    """Prior of a fixed effect or of a scale: family and arguments.

    ``lognormal`` (median, sd of the logarithm), ``normal`` (mean, sd), ``halfnormal`` (scale), ``halfcauchy`` (scale),
    ``uniform`` (low, high), ``flat`` (). ``lower`` and ``upper`` truncate.
    """

    family: str
    arguments: tuple[float, ...] = ()
    lower: float = -np.inf
    upper: float = np.inf

    @property
    def support(self) -> tuple[float, float]:
        """Lowest and highest possible value: of the family, within the bounds."""
        low, high = -np.inf, np.inf
        if self.family == "uniform":
            low, high = self.arguments[0], self.arguments[1]
        elif self.family in ("lognormal", "halfnormal", "halfcauchy"):
            low = 0.0
        return max(low, self.lower), min(high, self.upper)


@dataclass(frozen=True)
class FixedEffect:
    """A typical value or a covariate's coefficient. ``fixed``: not estimated. Without a prior a fit needs bounds
    only."""

    name: str
    value: float
    unit: str = ""
    meaning: str = ""
    source: str = ""
    fixed: bool = False
    prior: Prior | None = None
    lower: float = -np.inf
    upper: float = np.inf


@dataclass(frozen=True)
class RandomEffect:
    """A zero-mean normal effect of a subject or of an occasion; ``prior`` is that of its standard deviation."""

    name: str
    variance: float
    level: str = "subject"
    fixed: bool = False
    prior: Prior | None = None


@dataclass(frozen=True)
class Residual:
    """A parameter of the residual error, on the scale of a standard deviation (or a power)."""

    name: str
    value: float
    fixed: bool = False
    prior: Prior | None = None


@dataclass(frozen=True)
class Output:
    """Something that is measured.

    Attributes
    ----------
    observable : of the structural model.
    error, residuals : a key of :data:`ERRORS` and the names of its parameters.
    where_zero : prediction that the error is scaled by where the model predicts exactly 0 (NONMEM's ``W = F + DEL``);
        NaN: 0 itself, and
        an observation is impossible where its error has no additive part.
    matrix, analyte, site : what was measured and where; ``unbound``: free or total concentration; ``unit`` of the data.
    truncated : the error is cut off at 0 (no negative concentration), and the density normalised.
    """

    name: str
    observable: str
    error: str
    residuals: tuple[str, ...]
    where_zero: float = float("nan")
    unit: str = ""
    matrix: str = "plasma"
    analyte: str = ""
    site: str = "venous"
    unbound: bool = False
    truncated: bool = False


@dataclass(frozen=True)
class DoseParameter:
    """``item`` (F, lag, duration, rate) of doses into ``state``: a definition or parameter free of states."""

    state: str
    item: str
    name: str


@dataclass(frozen=True)
class PopulationModel:
    """A population model; build it by :meth:`create`, which checks everything.

    ``omega`` (n_random, n_random) covariance of the random effects, in their order; blocks of different levels are 0.
    ``initial``: (state, name of a definition or parameter) of states that do not start at a number.
    """

    name: str
    structure: Model
    fixed: tuple[FixedEffect, ...]
    random: tuple[RandomEffect, ...]
    omega: Floats
    residuals: tuple[Residual, ...]
    outputs: tuple[Output, ...]
    covariates: tuple[str, ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)
    doses: tuple[DoseParameter, ...] = ()
    initial: tuple[tuple[str, str], ...] = ()
    source: str = ""

    @classmethod
    def create(
        cls,
        name: str,
        structure: Model,
        fixed: Sequence[FixedEffect],
        random: Sequence[RandomEffect],
        residuals: Sequence[Residual],
        outputs: Sequence[Output],
        covariates: Sequence[str] = (),
        constants: Mapping[str, float] | None = None,
        doses: Sequence[DoseParameter] = (),
        initial: Sequence[tuple[str, str]] = (),
        covariances: Mapping[tuple[str, str], float] | None = None,
        source: str = "",
    ) -> PopulationModel:
        """The checked model; raises PopulationModelError with every fault."""
        omega = np.diag([r.variance for r in random]) if random else np.zeros((0, 0))
        where = {r.name: k for k, r in enumerate(random)}
        faults: list[str] = []
        for (a, b), value in (covariances or {}).items():
            if a not in where or b not in where or a == b:
                faults.append(f"the covariance of {a!r} and {b!r} names no pair of random effects")
                continue
            if random[where[a]].level != random[where[b]].level:
                faults.append(f"{a!r} and {b!r} are effects of different levels: they cannot covary")
            omega[where[a], where[b]] = omega[where[b], where[a]] = value
        made = cls(
            name, structure, tuple(fixed), tuple(random), omega, tuple(residuals), tuple(outputs), tuple(covariates),
            dict(constants or {}), tuple(doses), tuple(initial), source,
        )  # fmt: skip
        faults += _faults(made)
        if faults:
            raise PopulationModelError("\n".join(f"{name}: {f}" for f in faults))
        return made

    @property
    def of_subject(self) -> tuple[RandomEffect, ...]:
        """Random effects of the subject."""
        return tuple(r for r in self.random if r.level == "subject")

    @property
    def of_occasion(self) -> tuple[RandomEffect, ...]:
        """Random effects of the occasion."""
        return tuple(r for r in self.random if r.level == "occasion")

    def omega_of(self, effects: Sequence[RandomEffect]) -> Floats:
        """Covariance of some of the random effects, in their order."""
        order = [r.name for r in self.random]
        rows = [order.index(e.name) for e in effects]
        return self.omega[np.ix_(rows, rows)]

    def output(self, name: str) -> Output:
        """The output of a name; raises KeyError naming those that are declared."""
        for output in self.outputs:
            if output.name == name:
                return output
        raise KeyError(f"model {self.name} declares no output {name!r}; it has {[o.name for o in self.outputs]}")


def _faults(model: PopulationModel) -> list[str]:
    structure = model.structure
    roles = {
        "fixed effect": [f.name for f in model.fixed],
        "random effect": [r.name for r in model.random],
        "covariate": list(model.covariates),
        "constant": list(model.constants),
    }
    given = [n for group in roles.values() for n in group]
    faults = [f"{n!r} is declared {given.count(n)} times" for n in sorted({n for n in given if given.count(n) > 1})]
    parameters = set(structure.parameter_names)
    faults += [f"parameter {p!r} of the structure is given by nothing" for p in sorted(parameters - set(given))]
    for role, group in roles.items():
        faults += [f"{role} {n!r} is no parameter of the structure" for n in group if n not in parameters]
    for r in model.random:
        if r.level not in LEVELS:
            faults.append(f"random effect {r.name!r} is of level {r.level!r}, not one of {LEVELS}")
        if not r.variance >= 0:
            faults.append(f"random effect {r.name!r} has a variance of {r.variance}")
    if model.random and np.all(np.isfinite(model.omega)) and np.linalg.eigvalsh(model.omega)[0] < -1e-10:
        faults.append("the covariance of the random effects is not positive semi-definite")
    residuals = [r.name for r in model.residuals]
    for o in model.outputs:
        if o.observable not in structure.observable_names:
            faults.append(f"output {o.name!r} reads {o.observable!r}, which is no observable of the structure")
        if o.error not in ERRORS:
            faults.append(f"output {o.name!r} has the error {o.error!r}, not one of {sorted(ERRORS)}")
        elif len(o.residuals) != ERRORS[o.error]:
            faults.append(
                f"output {o.name!r}: error {o.error} has {ERRORS[o.error]} parameter(s), not {len(o.residuals)}"
            )
        faults += [
            f"output {o.name!r} uses residual {n!r}, which is not declared" for n in o.residuals if n not in residuals
        ]
    static = static_names(structure)
    states = set(structure.state_names)
    for d in model.doses:
        if d.state not in states:
            faults.append(f"dose parameter {d.item} is of {d.state!r}, which is no state")
        if d.item not in DOSE_ITEMS:
            faults.append(f"dose parameter {d.item!r} is not one of {DOSE_ITEMS}")
        if d.name not in static:
            faults.append(
                f"dose parameter {d.item} of {d.state} is {d.name!r}: no parameter, no definition free of states"
            )
    for state, name in model.initial:
        if state not in states:
            faults.append(f"the initial value {name!r} is of {state!r}, which is no state")
        if name not in static:
            faults.append(
                f"the initial value of {state} is {name!r}: neither a parameter nor a definition free of states"
            )
    return faults


def static_names(model: Model) -> set[str]:
    """Parameters, and definitions that depend on parameters only."""
    known = set(model.parameter_names)
    for d in model.definitions:  # each after those it uses
        if names(d.expression) <= known:
            known.add(d.name)
    return known


def require_parameters(model: Model, wanted: Sequence[str]) -> None:
    """Raises ModelError naming what the model has no parameter for."""
    missing = [n for n in wanted if n not in model.parameter_names]
    if missing:
        raise ModelError(f"model {model.name} has no parameter {missing}")
