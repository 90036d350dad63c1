"""Population models from YAML files: one page that a modeller writes, checked whole.

schema: 1
name: one_compartment_oral
source: where the model is from
covariates: [WT]
constants: {TVQ: 4}
fixed:                              # typical values and coefficients
  TVCL: {value: 4, unit: L/h, prior: {lognormal: [4, 1]}}
random:                             # variances of normal effects
  eta_CL: {variance: 0.2}
  kappa_CL: {variance: 0.1, level: occasion}
covariance: [[eta_CL, eta_V, 0.01]]
residual: {b: {value: 0.2}}         # standard deviations
parameters:                         # definitions, in any order
  CL: TVCL * (WT / 70)**0.75 * exp(eta_CL + kappa_CL)
states:                             # their derivatives
  depot: -KA * depot
  central: KA * depot - CL / V * central
observe: {C: central / V}
initial: {effect: E0}               # names of parameters
doses:
  depot: {F: F1, lag: ALAG1, duration: D1, rate: R1}
routes: {oral: depot}
outputs:
  plasma: {of: C, error: {proportional: [b]}, unit: mg/L}
data: {output: DVID, outputs: {"1": plasma}, states: {"1": depot}, occasion: OCC, lloq: {plasma: 0.1}, blq: M3}

A file may build on another: ``base: other.yaml`` (beside it). Entries of its own sections replace those of the base by
name, or take them away (``KA: ~``); ``random``, whose order counts, and sections that are lists are replaced as a
whole.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from pharmtwin.inference.models.description import (
    DoseParameter,
    FixedEffect,
    Output,
    PopulationModel,
    PopulationModelError,
    Prior,
    RandomEffect,
    Residual,
)
from pharmtwin.model.description import Definition, Flux, Model, ModelError, Module, Parameter, State, compose
from pharmtwin.untrusted import inside, load_yaml

SCHEMA = 1
SECTIONS = (
    "schema", "name", "source", "base", "covariates", "constants", "fixed", "random", "covariance", "residual",
    "parameters", "states", "observe", "initial", "doses", "routes", "outputs", "data",
)  # fmt: skip
FAMILIES = {"lognormal": 2, "normal": 2, "halfnormal": 1, "halfcauchy": 1, "uniform": 2, "flat": 0}


def read_population_model(path: str | Path) -> tuple[PopulationModel, dict[str, Any]]:
    """The checked model of a file, and its section ``data`` (what the columns mean; see ``problem.records.Columns``).

    Raises PopulationModelError naming the file and everything that is wrong; FileNotFoundError.
    """
    return population_model(_with_base(Path(path), ()), str(path))


def _with_base(path: Path, above: tuple[Path, ...]) -> Any:
    """Sections of a file, over those of its base."""
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PopulationModelError(f"{path}: cannot be read: {error}") from None
    if not isinstance(raw, dict) or not raw.get("base"):
        return raw
    named = str(raw.pop("base"))
    if not inside(named):
        raise PopulationModelError(f"{path}: its base {named!r} is not beside or below it")
    base = path.parent / named
    if base.resolve() in above:
        raise PopulationModelError(f"{path}: its base {base.name} builds on it")
    if not os.path.isfile(base):
        raise PopulationModelError(f"{path}: its base {base} does not exist")
    merged = _with_base(base, (*above, path.resolve(), base.resolve()))
    if not isinstance(merged, dict):
        raise PopulationModelError(f"{base}: is no mapping of sections")
    for section, own in raw.items():
        old = merged.get(section)
        if section != "random" and isinstance(own, dict) and isinstance(old, dict):
            own = {k: v for k, v in {**old, **own}.items() if v is not None}
        merged[section] = own
    return merged


def population_model(raw: Any, where: str = "model") -> tuple[PopulationModel, dict[str, Any]]:
    """The same from a mapping as YAML gives it."""
    if not isinstance(raw, Mapping):
        raise PopulationModelError(f"{where}: is no mapping of sections")
    reader = _Reader(where)
    unknown = [k for k in raw if k not in SECTIONS]
    if unknown:
        reader.wrong(f"unknown sections {unknown}; known are {', '.join(SECTIONS)}")
    if raw.get("schema") != SCHEMA:
        reader.wrong(f"schema is {raw.get('schema')!r}; this program reads {SCHEMA}")
    for section in ("name", "states", "outputs", "observe"):
        if not raw.get(section):
            reader.wrong(f"section {section!r} is missing or empty")
    reader.stop()
    return reader.model(raw), dict(raw.get("data") or {})


class _Reader:
    """Reads the sections, and collects what is wrong."""

    def __init__(self, where: str) -> None:
        self.where, self.faults = where, []  # type: tuple[str, list[str]]

    def wrong(self, what: str) -> None:
        """One fault more."""
        self.faults.append(what)

    def stop(self) -> None:
        """Raise if there are faults."""
        if self.faults:
            raise PopulationModelError("\n".join(f"{self.where}: {f}" for f in self.faults))

    def model(self, raw: Mapping[str, Any]) -> PopulationModel:
        """The model of the sections."""
        fixed = [self.effect(n, v) for n, v in self.pairs(raw, "fixed")]
        random = [self.random(n, v) for n, v in self.pairs(raw, "random")]
        residual = [self.residual(n, v) for n, v in self.pairs(raw, "residual")]
        constants = {n: self.number(f"constants.{n}", v) for n, v in self.pairs(raw, "constants")}
        covariates = [str(c) for c in raw.get("covariates") or ()]
        initial: list[tuple[str, str]] = []
        starts: dict[str, float] = {}
        for state, value in self.pairs(raw, "initial"):
            if isinstance(value, str):
                initial.append((state, value))
            else:
                starts[state] = self.number(f"initial.{state}", value)
        doses = []
        for state, items in self.pairs(raw, "doses"):
            for item, value in (items or {}).items() if isinstance(items, Mapping) else ():
                if isinstance(value, str):
                    doses.append(DoseParameter(state, str(item), value))
                else:  # a number is a constant of its own
                    name = f"{item}_{state}"
                    constants[name] = self.number(f"doses.{state}.{item}", value)
                    doses.append(DoseParameter(state, str(item), name))
        outputs = [self.output(n, v) for n, v in self.pairs(raw, "outputs")]
        covariances = {}
        for row in raw.get("covariance") or ():
            if not (isinstance(row, list) and len(row) == 3):
                self.wrong(f"covariance {row!r} is not [effect, effect, value]")
                continue
            covariances[str(row[0]), str(row[1])] = self.number("covariance", row[2])
        self.stop()
        names = [*(f.name for f in fixed), *(r.name for r in random), *covariates, *constants]
        structure = self.structure(raw, names, starts)
        try:
            return PopulationModel.create(
                str(raw["name"]), structure, fixed, random, residual, outputs, covariates, constants, doses, initial,
                covariances, str(raw.get("source", "")),
            )  # fmt: skip
        except PopulationModelError as error:
            raise PopulationModelError("\n".join(f"{self.where}: {line}" for line in str(error).splitlines())) from None

    def structure(self, raw: Mapping[str, Any], parameters: list[str], starts: Mapping[str, float]) -> Model:
        """The ODE model."""
        states = self.pairs(raw, "states")
        seen = self.pairs(raw, "observe")
        definitions = [*self.pairs(raw, "parameters"), *seen]
        routes = [(str(r), str(s)) for r, s in self.pairs(raw, "routes")] or [(s, s) for s, _ in states]
        module = Module(
            str(raw["name"]),
            states=tuple(State(s, "1", s, float(starts.get(s, 0.0))) for s, _ in states),
            parameters=tuple(Parameter(n, "1", n) for n in parameters),
            definitions=tuple(Definition(n, str(e), "1", n) for n, e in definitions),
            fluxes=tuple(Flux(f"rate_of_{s}", str(e), "1/h", target=s) for s, e in states),
            dose_targets=tuple(routes),
        )
        try:
            return compose(str(raw["name"]), [module], [n for n, _ in seen])
        except ModelError as error:
            raise PopulationModelError(f"{self.where}: {error}") from None

    def pairs(self, raw: Mapping[str, Any], section: str) -> list[tuple[str, Any]]:
        """Items of a section that is a mapping."""
        value = raw.get(section) or {}
        if not isinstance(value, Mapping):
            self.wrong(f"section {section!r} is no mapping")
            return []
        return [(str(k), v) for k, v in value.items()]

    def number(self, where: str, value: Any) -> float:
        """A finite number."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            self.wrong(f"{where} is {value!r}, not a finite number")
            return math.nan
        return float(value)

    def entry(self, where: str, value: Any, allowed: tuple[str, ...]) -> dict[str, Any]:
        """A mapping with known keys; a bare number is its first key."""
        if isinstance(value, (int, float)):
            return {allowed[0]: value}
        if not isinstance(value, Mapping):
            self.wrong(f"{where} is {value!r}, not a number or a mapping")
            return {}
        unknown = [k for k in value if k not in allowed]
        if unknown:
            self.wrong(f"{where} has unknown keys {unknown}; known are {', '.join(allowed)}")
        return {str(k): v for k, v in value.items() if k in allowed}

    def prior(self, where: str, value: Any) -> Prior | None:
        """``{family: [arguments], lower: .., upper: ..}``."""
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.wrong(f"{where}.prior is no mapping")
            return None
        named = [k for k in value if k in FAMILIES]
        bounds = {k: self.number(f"{where}.prior.{k}", value[k]) for k in ("lower", "upper") if k in value}
        if len(named) != 1 or len(value) != 1 + len(bounds):
            given = sorted(map(str, value))
            self.wrong(f"{where}.prior needs one family of {', '.join(FAMILIES)} (and lower, upper), not {given}")
            return None
        arguments = value[named[0]]
        arguments = arguments if isinstance(arguments, list) else [] if arguments is None else [arguments]
        if len(arguments) != FAMILIES[named[0]]:
            self.wrong(f"{where}.prior: {named[0]} has {FAMILIES[named[0]]} argument(s), not {len(arguments)}")
        return Prior(named[0], tuple(self.number(f"{where}.prior", a) for a in arguments), **bounds)

    def effect(self, name: str, value: Any) -> FixedEffect:
        """A fixed effect."""
        allowed = tuple(f.name for f in fields(FixedEffect) if f.name != "name")
        e = self.entry(f"fixed.{name}", value, allowed)
        e["value"] = self.number(f"fixed.{name}.value", e.get("value"))
        e["prior"] = self.prior(f"fixed.{name}", e.get("prior"))
        return FixedEffect(name, **e)

    def random(self, name: str, value: Any) -> RandomEffect:
        """A random effect."""
        e = self.entry(f"random.{name}", value, ("variance", "level", "fixed", "prior"))
        e["variance"] = self.number(f"random.{name}.variance", e.get("variance"))
        e["prior"] = self.prior(f"random.{name}", e.get("prior"))
        return RandomEffect(name, **e)

    def residual(self, name: str, value: Any) -> Residual:
        """A parameter of the residual error."""
        e = self.entry(f"residual.{name}", value, ("value", "fixed", "prior"))
        e["value"] = self.number(f"residual.{name}.value", e.get("value"))
        e["prior"] = self.prior(f"residual.{name}", e.get("prior"))
        return Residual(name, **e)

    def output(self, name: str, value: Any) -> Output:
        """An output."""
        allowed = (
            "of",
            "error",
            *(f.name for f in fields(Output) if f.name not in ("name", "observable", "residuals")),
        )
        e = self.entry(f"outputs.{name}", value, allowed)
        error = e.pop("error", None)
        if not (isinstance(error, Mapping) and len(error) == 1):
            self.wrong(f"outputs.{name}.error is {error!r}, not one kind with its parameters")
            error = {"additive": []}
        kind, slots = next(iter(error.items()))
        slots = slots if isinstance(slots, list) else [slots]
        return Output(name, str(e.pop("of", name)), str(kind), tuple(map(str, slots)), **e)
