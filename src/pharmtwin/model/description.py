"""Declarative description of an ODE model, and its composition from small modules.

A :class:`Module` declares what it owns (states, parameters, algebraic definitions, fluxes) and, by
name and unit, what it needs from others (its ports). :func:`compose` joins modules into one
:class:`Model` and refuses, naming the culprit, whatever does not fit: a port that nobody provides, a
unit that differs, a name declared twice, an algebraic loop, an expression with an unknown symbol.

Expressions are written as text, in the order and with the names a pharmacometrician uses; the language
is that of ``model.algebra``. The name ``time`` may be used: such a model gets a last state ``time`` with
derivative 1, so that every engine sees an autonomous system.
"""

from __future__ import annotations

import hashlib
import json
import keyword
import math
from dataclasses import dataclass, replace
from functools import cached_property

from pharmtwin.model.algebra import Algebra, Expr, ExpressionError, names


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
    """A rate that leaves ``source`` and enters ``target`` (either may be ``None``: turnover, integrals).

    ``stoichiometry``, where given, replaces both: pairs of a state and its coefficient, a number or an
    expression in parameters.
    """

    name: str
    expression: str
    unit: str
    source: str | None = None
    target: str | None = None
    stoichiometry: tuple[tuple[str, float | str], ...] = ()

    @property
    def changes(self) -> tuple[tuple[str, float | str], ...]:
        """(state, coefficient) of every state that the flux changes."""
        if self.stoichiometry:
            return self.stoichiometry
        ends = ((self.source, -1.0), (self.target, 1.0))
        return tuple((state, sign) for state, sign in ends if state is not None)


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


#: the name of time in expressions, and of the state that carries it
TIME = "time"


@dataclass(frozen=True)
class Model:
    """A composed, checked model.

    Attributes
    ----------
    states, parameters, observables : in the order of the arrays that the engines use.
    definitions : all algebraic quantities, each after those it uses.
    fluxes : all rates.
    dose_targets : (route, state).
    sensitivities : parameters that the engines carry tangents for, in this order.
    """

    name: str
    states: tuple[State, ...]
    parameters: tuple[Parameter, ...]
    definitions: tuple[Definition, ...]
    fluxes: tuple[Flux, ...]
    observables: tuple[Definition, ...]
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

    @cached_property
    def graph(self) -> tuple[Algebra, list[Expr], list[Expr]]:
        """The algebra, one expression a state (its derivative) and one an observable."""
        a = Algebra()
        symbols = {s.name: a.symbol(s.name, "y") for s in self.states}
        symbols |= {p.name: a.symbol(p.name, "p") for p in self.parameters}
        for d in self.definitions:
            symbols[d.name] = a.read(d.expression, symbols)
        parts: dict[str, list[Expr]] = {s.name: [a.zero] for s in self.states}
        for flux in self.fluxes:
            rate = a.read(flux.expression, symbols)
            for state, coefficient in flux.changes:
                parts[state].append(a.mul(a.read(str(coefficient), symbols), rate))
        if TIME in parts:
            parts[TIME].append(a.one)
        return a, [a.add(*parts[s.name]) for s in self.states], [symbols[o.name] for o in self.observables]

    def depends_on(self) -> dict[str, set[str]]:
        """For each state, the states that its derivative depends on."""
        _, rates, _ = self.graph
        known = set(self.state_names)
        return {s.name: set(e.symbols & known) for s, e in zip(self.states, rates, strict=True)}

    def without(self, gone: tuple[str, ...]) -> Model:
        """The model without states that nothing depends on (accounts); raises ModelError if something does."""
        unknown = [n for n in gone if n not in self.state_names]
        if unknown:
            raise ModelError(f"model {self.name} has no state {unknown}")
        for state, others in self.depends_on().items():
            if state not in gone and others & set(gone):
                raise ModelError(f"state {state!r} depends on an account among {gone}")
        _, _, seen = self.graph
        kept = tuple(s for s in self.states if s.name not in gone)
        fluxes = []
        for f in self.fluxes:
            changes = tuple((state, c) for state, c in f.changes if state not in gone)
            if changes:
                fluxes.append(f if len(changes) == len(f.changes) else _with_changes(f, changes))
        lost: set[str] = set(gone)
        definitions = []
        for d in self.definitions:
            if names(d.expression) & lost:
                lost.add(d.name)
            else:
                definitions.append(d)
        return replace(
            self,
            name=f"{self.name}_without_accounts",
            states=kept,
            definitions=tuple(definitions),
            fluxes=tuple(fluxes),
            observables=tuple(o for o, e in zip(self.observables, seen, strict=True) if not e.symbols & set(gone)),
        )

    @cached_property
    def digest(self) -> str:
        """sha256 of the description (names, units, equations): the key of generated code."""
        text = json.dumps(
            [
                self.name,
                [(s.name, s.unit, s.initial, s.conserved) for s in self.states],
                [(p.name, p.unit) for p in self.parameters],
                [(d.name, d.expression) for d in self.definitions],
                [(f.name, f.expression, f.changes) for f in self.fluxes],
                [o.name for o in self.observables],
                self.dose_targets,
                self.sensitivities,
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()


def _with_changes(flux: Flux, changes: tuple[tuple[str, float | str], ...]) -> Flux:
    return replace(flux, source=None, target=None, stoichiometry=changes)


def _unique(kind: str, found: list[tuple[str, str]]) -> None:
    owner: dict[str, str] = {}
    for module, name in found:
        if name in owner:
            raise ModelError(f"{kind} {name!r} is declared by module {owner[name]!r} and by module {module!r}")
        owner[name] = module


def _check_names(modules: list[Module]) -> None:
    """Names can be used in expressions, ``time`` stays the clock, initial values are numbers."""
    for m in modules:
        parts: tuple[State | Parameter | Definition | Flux, ...] = (*m.states, *m.parameters, *m.definitions, *m.fluxes)
        for part in parts:
            if not part.name.isidentifier() or keyword.iskeyword(part.name):
                raise ModelError(f"{part.name!r} of module {m.name!r} cannot be a name in expressions")
            if part.name == TIME and not isinstance(part, State):
                raise ModelError(f"module {m.name!r} calls something {TIME!r}, which is the name of time")
        for s in m.states:
            if not math.isfinite(s.initial):
                raise ModelError(f"state {s.name!r} of module {m.name!r} starts at {s.initial}")
        variable = {s.name for s in m.states} | {TIME}
        for f in m.fluxes:
            for end, c in f.changes:
                used = sorted(names(str(c)) & variable)
                if used:
                    where = f"flux {f.name!r} of module {m.name!r}"
                    raise ModelError(
                        f"the coefficient of {end!r} in {where} uses {used}: it may depend on parameters only"
                    )


def _check_ports(modules: list[Module], unit_of: dict[str, str]) -> None:
    """Every port is provided in the unit it counts on, and nothing foreign is used without one."""
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
        own |= {p.name for p in m.needs} | {TIME}
        texts = [(d.name, d.expression) for d in m.definitions] + [(f.name, f.expression) for f in m.fluxes]
        texts += [(f.name, str(c)) for f in m.fluxes for _, c in f.changes]
        for owner, text in texts:
            try:
                foreign = names(text) - own
            except ExpressionError as error:
                raise ModelError(f"{owner!r} of module {m.name!r}: {error}") from None
            if foreign:
                raise ModelError(f"{owner!r} of module {m.name!r} uses {sorted(foreign)} without a port for it")


def _ordered(definitions: dict[str, Definition]) -> tuple[Definition, ...]:
    """Definitions, each after those it uses; raises ModelError naming a circle."""
    done: dict[str, Definition] = {}

    def visit(key: str, path: tuple[str, ...]) -> None:
        if key in path:
            raise ModelError(f"circular definition: {' -> '.join((*path[path.index(key) :], key))}")
        if key not in done:
            for other in sorted(names(definitions[key].expression) & definitions.keys()):
                visit(other, (*path, key))
            done[key] = definitions[key]

    for key in definitions:
        visit(key, ())
    return tuple(done.values())


def _check_flux(m: Module, flux: Flux, by_name: dict[str, State]) -> None:
    """The ends exist and are not the clock, units fit, and what touches mass neither creates nor destroys it."""
    for end, _ in flux.changes:
        if end == TIME:
            raise ModelError(
                f"flux {flux.name!r} of module {m.name!r} ends at {TIME!r}, the clock, whose derivative is always 1: "
                "let it end at a state of its own"
            )
        if end not in by_name:
            raise ModelError(f"flux {flux.name!r} of module {m.name!r} ends at unknown state {end!r}")
        if by_name[end].conserved and flux.unit != f"{by_name[end].unit}/h":
            raise ModelError(f"flux {flux.name!r} is in {flux.unit}, but state {end!r} needs {by_name[end].unit}/h")
    touched = [(by_name[end], c) for end, c in flux.changes]
    if not any(s.conserved for s, _ in touched):
        return
    a = Algebra()
    symbols = {n: a.symbol(n, "p") for _, c in touched for n in names(str(c))}
    left = a.value(a.add(*(a.read(str(c), symbols) for _, c in touched)))
    if left is None or abs(left) > 1e-12 or not all(s.conserved for s, _ in touched):
        raise ModelError(f"flux {flux.name!r} of module {m.name!r} would create or destroy mass")


def compose(name: str, modules: list[Module], observables: list[str], sensitivities: tuple[str, ...] = ()) -> Model:
    """Join modules into one model.

    Parameters
    ----------
    observables : names of definitions (or states) that the engines shall return.
    sensitivities : names of parameters that the engines shall carry tangents for.

    Raises
    ------
    ModelError : dangling or mismatched port, doubly declared name, circular definition, unknown symbol, mass made or
        lost by a flux, a flux or dose into the clock.
    """
    _check_names(modules)
    _unique("observable", [(name, o) for o in observables])
    states = [(m.name, s.name, s.unit) for m in modules for s in m.states]
    parameters = [(m.name, p.name, p.unit) for m in modules for p in m.parameters]
    defined = [(m.name, d.name, d.unit) for m in modules for d in m.definitions]
    declared = states + parameters + defined
    _unique("name", [(m, n) for m, n, _ in declared])
    _unique("flux", [(m.name, f.name) for m in modules for f in m.fluxes])
    _check_ports(modules, {n: u for _, n, u in declared})
    definitions = _ordered({d.name: d for m in modules for d in m.definitions})

    owned = tuple(s for m in modules for s in m.states)
    used = {n for m in modules for f in m.fluxes for n in names(f.expression)}
    used |= {n for d in definitions for n in names(d.expression)}
    if TIME in used and TIME not in {n for _, n, _ in declared}:
        owned += (State(TIME, "h", "time"),)
    by_name = {s.name: s for s in owned}
    for m in modules:
        for flux in m.fluxes:
            _check_flux(m, flux, by_name)

    all_definitions = {d.name: d for d in definitions}
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
            if target not in by_name or target == TIME:
                what = "the clock" if target == TIME else "unknown state"
                raise ModelError(f"{route!r} doses of module {m.name!r} go to {what} {target!r}")
    unknown = [s for s in sensitivities if s not in {n for _, n, _ in parameters}]
    if unknown:
        raise ModelError(f"sensitivities to {unknown}: model {name} has no such parameter")
    model = Model(
        name=name,
        states=owned,
        parameters=tuple(p for m in modules for p in m.parameters),
        definitions=definitions,
        fluxes=tuple(f for m in modules for f in m.fluxes),
        observables=tuple(chosen),
        dose_targets=tuple(t for m in modules for t in m.dose_targets),
        sensitivities=tuple(sensitivities),
    )
    try:
        _ = model.graph  # what no port check can see: calls of unknown functions, division by zero
    except ExpressionError as error:
        raise ModelError(f"model {name}: {error}") from None
    return model
