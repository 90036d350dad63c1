"""Declarative description of an ODE model, and its composition from small modules.

A :class:`Module` declares what it owns (states, parameters, algebraic definitions, fluxes) and, by
name and unit, what it needs from others (its ports). :func:`compose` joins modules into one
:class:`Model` and refuses, naming the culprit, whatever does not fit: a port that nobody provides, a
unit that differs, a name declared twice, an algebraic loop, an expression with an unknown symbol.

Expressions are written as text, in the order and with the names a pharmacometrician uses.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property

import sympy as sp


class ModelError(ValueError):
    """The description is inconsistent; the message names module, port or symbol."""


@dataclass(frozen=True)
class State:
    """A state variable. ``conserved`` states (amounts, mg) enter the mass balance."""

    name: str
    unit: str
    meaning: str
    initial: float = 0.0
    conserved: bool = False


@dataclass(frozen=True)
class Parameter:
    """A parameter, constant between changes of segment."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Definition:
    """An algebraic quantity, e.g. a concentration; may use states, parameters and other definitions."""

    name: str
    expression: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Flux:
    """A rate that leaves ``source`` and enters ``target`` (either may be ``None``: turnover, integrals)."""

    name: str
    expression: str
    unit: str
    source: str | None
    target: str | None


@dataclass(frozen=True)
class Port:
    """Something a module needs from another module: its name and the unit it counts on."""

    name: str
    unit: str


@dataclass(frozen=True)
class Module:
    """A part of a model: an organ, an absorption path, an enzyme."""

    name: str
    states: tuple[State, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    definitions: tuple[Definition, ...] = ()
    fluxes: tuple[Flux, ...] = ()
    needs: tuple[Port, ...] = ()
    dose_targets: tuple[tuple[str, str], ...] = ()  # (route, state)


@dataclass(frozen=True)
class Model:
    """A composed, checked model.

    Attributes
    ----------
    states, parameters, observables : in the order of the arrays that the engines use.
    rhs : one sympy expression a state, in the symbols of states and parameters only.
    observable_exprs : one expression an observable.
    dose_targets : route -> state.
    sensitivities : parameters that the engines carry tangents for, in this order.
    """

    name: str
    states: tuple[State, ...]
    parameters: tuple[Parameter, ...]
    observables: tuple[Definition, ...]
    rhs: tuple[sp.Expr, ...] = field(repr=False)
    observable_exprs: tuple[sp.Expr, ...] = field(repr=False)
    dose_targets: tuple[tuple[str, str], ...] = ()
    sensitivities: tuple[str, ...] = ()

    @property
    def state_names(self) -> list[str]:
        """State names in array order."""
        return [s.name for s in self.states]

    @property
    def parameter_names(self) -> list[str]:
        """Parameter names in array order."""
        return [p.name for p in self.parameters]

    @property
    def observable_names(self) -> list[str]:
        """Observable names in array order."""
        return [o.name for o in self.observables]

    def dose_state(self, route: str) -> int:
        """Index of the state that takes doses of a route; raises ModelError naming the known routes."""
        targets = dict(self.dose_targets)
        if route not in targets:
            raise ModelError(f"model {self.name} takes no {route!r} dose; it knows {sorted(targets)}")
        return self.state_names.index(targets[route])

    def without(self, names: tuple[str, ...]) -> Model:
        """The model without states that nothing depends on (accounts); raises ModelError if something does."""
        unknown = [n for n in names if n not in self.state_names]
        if unknown:
            raise ModelError(f"model {self.name} has no state {unknown}")
        gone = {sp.Symbol(n, real=True) for n in names}
        kept = [i for i, s in enumerate(self.states) if s.name not in names]
        for i in kept:
            if self.rhs[i].free_symbols & gone:
                raise ModelError(f"state {self.states[i].name!r} depends on an account among {names}")
        seen = [k for k, e in enumerate(self.observable_exprs) if not e.free_symbols & gone]
        return Model(
            name=f"{self.name}_without_accounts",
            states=tuple(self.states[i] for i in kept),
            parameters=self.parameters,
            observables=tuple(self.observables[k] for k in seen),
            rhs=tuple(self.rhs[i] for i in kept),
            observable_exprs=tuple(self.observable_exprs[k] for k in seen),
            dose_targets=self.dose_targets,
            sensitivities=self.sensitivities,
        )

    @cached_property
    def digest(self) -> str:
        """sha256 of the description (names, units, equations): the key of generated code."""
        text = json.dumps(
            [
                self.name,
                [(s.name, s.unit, s.initial, s.conserved) for s in self.states],
                [(p.name, p.unit) for p in self.parameters],
                [str(e) for e in self.rhs],
                [(o.name, str(e)) for o, e in zip(self.observables, self.observable_exprs, strict=True)],
                self.dose_targets,
                self.sensitivities,
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()


def _unique(kind: str, names: list[tuple[str, str]]) -> dict[str, str]:
    owner: dict[str, str] = {}
    for module, name in names:
        if name in owner:
            raise ModelError(f"{kind} {name!r} is declared by module {owner[name]!r} and by module {module!r}")
        owner[name] = module
    return owner


def compose(name: str, modules: list[Module], observables: list[str], sensitivities: tuple[str, ...] = ()) -> Model:
    """Join modules into one model.

    Parameters
    ----------
    observables : names of definitions (or states) that the engines shall return.
    sensitivities : names of parameters that the engines shall carry tangents for.

    Raises
    ------
    ModelError : dangling or mismatched port, doubly declared name, circular definition, unknown symbol.
    """
    declared: list[tuple[str, str, str]] = []  # module, name, unit
    for m in modules:
        declared += [(m.name, s.name, s.unit) for s in m.states]
        declared += [(m.name, p.name, p.unit) for p in m.parameters]
        declared += [(m.name, d.name, d.unit) for d in m.definitions]
    _unique("name", [(m, n) for m, n, _ in declared])
    _unique("flux", [(m.name, f.name) for m in modules for f in m.fluxes])
    unit_of = {n: u for _, n, u in declared}
    for m in modules:
        for port in m.needs:
            if port.name not in unit_of:
                raise ModelError(f"port {port.name!r} of module {m.name!r} is dangling: no module provides it")
            if unit_of[port.name] != port.unit:
                raise ModelError(
                    f"port {port.name!r} of module {m.name!r} counts on {port.unit}, "
                    f"but it is given in {unit_of[port.name]}"
                )
        own = {s.name for s in m.states} | {p.name for p in m.parameters} | {d.name for d in m.definitions}
        own |= {p.name for p in m.needs}
        parts: tuple[Definition | Flux, ...] = (*m.definitions, *m.fluxes)
        for part in parts:
            foreign = {str(s) for s in sp.sympify(part.expression, locals=_symbols(unit_of)).free_symbols} - own
            if foreign:
                raise ModelError(f"{part.name!r} of module {m.name!r} uses {sorted(foreign)} without a port for it")

    symbols = _symbols(unit_of)
    definitions = {d.name: sp.sympify(d.expression, locals=symbols) for m in modules for d in m.definitions}
    resolved: dict[str, sp.Expr] = {}

    def resolve(key: str, path: tuple[str, ...]) -> sp.Expr:
        if key in path:
            raise ModelError(f"circular definition: {' -> '.join((*path[path.index(key) :], key))}")
        if key not in resolved:
            expr = definitions[key]
            inner = {s: resolve(str(s), (*path, key)) for s in expr.free_symbols if str(s) in definitions}
            resolved[key] = expr.xreplace(inner)
        return resolved[key]

    for key in definitions:
        resolve(key, ())
    flat = {symbols[k]: v for k, v in resolved.items()}

    states = tuple(s for m in modules for s in m.states)
    by_name = {s.name: s for s in states}
    rates: dict[str, sp.Expr] = {s.name: sp.Integer(0) for s in states}
    for m in modules:
        for flux in m.fluxes:
            rate = sp.sympify(flux.expression, locals=symbols).xreplace(flat)
            for end, sign in ((flux.source, -1), (flux.target, 1)):
                if end is None:
                    continue
                if end not in by_name:
                    raise ModelError(f"flux {flux.name!r} of module {m.name!r} ends at unknown state {end!r}")
                if by_name[end].conserved and flux.unit != f"{by_name[end].unit}/h":
                    raise ModelError(
                        f"flux {flux.name!r} is in {flux.unit}, but state {end!r} needs {by_name[end].unit}/h"
                    )
                rates[end] += sign * rate
            touched = [by_name[e] for e in (flux.source, flux.target) if e is not None]
            if any(s.conserved for s in touched) and not (len(touched) == 2 and all(s.conserved for s in touched)):
                raise ModelError(f"flux {flux.name!r} of module {m.name!r} would create or destroy mass")

    all_definitions = {d.name: d for m in modules for d in m.definitions}
    chosen: list[Definition] = []
    for o in observables:
        if o in all_definitions:
            chosen.append(all_definitions[o])
        elif o in by_name:
            chosen.append(Definition(o, o, by_name[o].unit, by_name[o].meaning))
        else:
            raise ModelError(f"observable {o!r} is neither a definition nor a state")
    _unique("dose route", [(m.name, route) for m in modules for route, _ in m.dose_targets])
    for m in modules:
        for route, target in m.dose_targets:
            if target not in by_name:
                raise ModelError(f"{route!r} doses of module {m.name!r} go to unknown state {target!r}")
    known = {p.name for m in modules for p in m.parameters}
    unknown = [s for s in sensitivities if s not in known]
    if unknown:
        raise ModelError(f"sensitivities to {unknown}: model {name} has no such parameter")
    return Model(
        name=name,
        states=states,
        parameters=tuple(p for m in modules for p in m.parameters),
        observables=tuple(chosen),
        rhs=tuple(rates[s.name] for s in states),
        observable_exprs=tuple(symbols[o.name].xreplace(flat) for o in chosen),
        dose_targets=tuple(t for m in modules for t in m.dose_targets),
        sensitivities=tuple(sensitivities),
    )


def _symbols(unit_of: dict[str, str]) -> dict[str, sp.Symbol]:
    return {n: sp.Symbol(n, real=True) for n in unit_of}
