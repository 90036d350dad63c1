"""SBML (Level 2 and 3) to a model description.

Amounts of species are the states; a concentration is a definition, amount / compartment size, so that varying
compartments need no special care. A species whose concentration has a rate rule keeps its concentration as state.
Reactions become definitions (their id is their rate) and fluxes; assignment rules become definitions.
SBML L3V2 core: Hucka et al. 2019, J Integr Bioinform 16:20190021, doi 10.1515/jib-2019-0021.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import libsbml

from pharmtwin.exchange.evaluate import ExchangeError
from pharmtwin.exchange.imported import ImportedEvent, ImportedModel, ImportedSpecies
from pharmtwin.exchange.sbml_document import NOT_STATED, open_document, unit_text
from pharmtwin.exchange.sbml_math import condition_of, text_of
from pharmtwin.exchange.sbml_simulate import simulate_imported
from pharmtwin.model.algebra import CONSTANTS, FUNCTIONS
from pharmtwin.model.description import TIME, Definition, Flux, Module, Parameter, State, compose

__all__ = ["ExchangeError", "ImportedEvent", "ImportedModel", "ImportedSpecies", "from_sbml", "simulate_imported"]

RESERVED = {*keyword.kwlist, *FUNCTIONS, *CONSTANTS, "piecewise", TIME}


@dataclass
class _Parts:
    """What has been read so far."""

    sbml: libsbml.Model
    names: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    states: list[State] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    fluxes: list[Flux] = field(default_factory=list)
    species: dict[str, ImportedSpecies] = field(default_factory=dict)
    start: dict[str, str] = field(default_factory=dict)
    given: dict[str, float] = field(default_factory=dict)
    assigned: dict[str, str] = field(default_factory=dict)  # id -> text of its assignment rule
    driven: dict[str, str] = field(default_factory=dict)  # id -> text of its rate rule
    initial: dict[str, str] = field(default_factory=dict)  # id -> text of its initial assignment
    ignored: list[str] = field(default_factory=list)

    def fresh(self, wish: str) -> str:
        """A name of the model that nothing else has."""
        while wish in self.taken or wish in RESERVED:
            wish += "_"
        self.taken.add(wish)
        return wish

    def name(self, identifier: str) -> str:
        """Name in the model of an SBML id."""
        if identifier not in self.names:
            raise ExchangeError(f"a formula uses {identifier!r}, which is no id with a value in this SBML model")
        return self.names[identifier]

    def text(self, element: Any, where: str) -> str:
        """Expression text of an element's formula."""
        if element is None or element.getMath() is None:
            raise ExchangeError(f"{where} has no formula; give it one or remove it")
        return text_of(element.getMath(), self.name, where)

    def unit(self, element: libsbml.SBase) -> str:
        """Unit of a quantity as text."""
        if isinstance(element, libsbml.Species):
            amount = unit_text(self.sbml, element.getSubstanceUnits() or self.sbml.getSubstanceUnits())
            if element.getHasOnlySubstanceUnits():
                return amount
            size = unit_text(self.sbml, self.sbml.getCompartment(element.getCompartment()).getUnits())
            return NOT_STATED if NOT_STATED in (amount, size) else f"{amount}/{size}"
        return unit_text(self.sbml, element.getUnits() if hasattr(element, "getUnits") else "")

    def starts(self, identifier: str, value: float) -> None:
        """Say what a quantity starts from: its initial assignment, else the number of the document."""
        if identifier in self.initial:
            self.start[self.names[identifier]] = self.initial[identifier]
        else:
            self.given[self.names[identifier]] = value


def from_sbml(source: str | Path, observables: Sequence[str] | None = None) -> ImportedModel:
    """Read an SBML model.

    Parameters
    ----------
    source : path, or the document as text.
    observables : SBML ids (or names of amounts and concentrations, see ``ImportedModel.species``) that the engines
        shall return besides the states; default everything that can change in time.

    Raises
    ------
    ExchangeError : what is not supported (algebraic rules, fast reactions, delays, priorities, rateOf, required
        packages) or not valid, naming the element.
    """
    sbml = open_document(source).getModel()
    parts = _Parts(sbml)
    _take_names(parts)
    _read_formulas(parts)
    for compartment in sbml.getListOfCompartments():
        if compartment.getSpatialDimensionsAsDouble() != 0:
            _quantity(parts, compartment, compartment.getSize() if compartment.isSetSize() else math.nan)
    for parameter in sbml.getListOfParameters():
        _quantity(parts, parameter, parameter.getValue() if parameter.isSetValue() else math.nan)
    changed = _reacting(sbml)
    for species in sbml.getListOfSpecies():
        _species(parts, species, species.getId() in changed)
    for reaction in sbml.getListOfReactions():
        _reaction(parts, reaction)
    events = tuple(e for event in sbml.getListOfEvents() if (e := _event(parts, event)) is not None)
    for c in sbml.getListOfConstraints():
        parts.ignored.append(f"constraint {c.getId() or c.getMetaId() or '(no id)'} is not checked")
    return _assemble(parts, events, observables)


def _assemble(parts: _Parts, events: tuple[ImportedEvent, ...], observables: Sequence[str] | None) -> ImportedModel:
    changing = [s.name for s in parts.states] + [d.name for d in parts.definitions]
    if observables is None:
        wanted = changing
    else:
        own = {p.name for p in parts.parameters}
        asked = [parts.names.get(o, o) for o in observables]
        wanted = list(dict.fromkeys([s.name for s in parts.states] + [a for a in asked if a not in own]))
    name = parts.sbml.getId() or parts.sbml.getName() or "sbml_model"
    module = Module(
        name=name,
        states=tuple(parts.states),
        parameters=tuple(parts.parameters),
        definitions=tuple(parts.definitions),
        fluxes=tuple(parts.fluxes),
    )
    bare = ImportedModel(
        model=compose(name, [module], wanted),
        parameter_values={},
        initial_values={},
        events=events,
        ids=parts.names,
        species=parts.species,
        time_unit=_time_unit(parts.sbml),
        start=parts.start,
        given=parts.given,
        ruled=frozenset(parts.assigned),
        ignored=tuple(parts.ignored),
    )
    parameters, states = bare.start_values()
    return replace(bare, parameter_values=parameters, initial_values=states)


def _time_unit(sbml: libsbml.Model) -> str:
    if sbml.getLevel() > 2:
        return unit_text(sbml, sbml.getTimeUnits())
    return unit_text(sbml, "time") if sbml.getUnitDefinition("time") else "s"


def _take_names(parts: _Parts) -> None:
    sbml = parts.sbml
    lists = [
        sbml.getListOfCompartments(),
        sbml.getListOfSpecies(),
        sbml.getListOfParameters(),
        sbml.getListOfReactions(),
    ]
    elements = [e for group in lists for e in group]
    elements = [
        e for e in elements if not (isinstance(e, libsbml.Compartment) and e.getSpatialDimensionsAsDouble() == 0)
    ]
    elements += [s for r in sbml.getListOfReactions() for s in _references(r) if s.isSetIdAttribute()]
    for element in elements:
        identifier = element.getIdAttribute()
        parts.names[identifier] = parts.fresh(identifier)


def _read_formulas(parts: _Parts) -> None:
    for rule in parts.sbml.getListOfRules():
        if rule.isAlgebraic():
            shown = libsbml.formulaToL3String(rule.getMath()) if rule.getMath() else "empty"
            raise ExchangeError(
                f"algebraic rule (0 = {shown}) is not supported; solve it by hand for one variable and write an "
                f"assignment rule"
            )
        kind = parts.assigned if rule.isAssignment() else parts.driven
        kind[rule.getVariable()] = parts.text(rule, f"rule of {rule.getVariable()!r}")
    for initial in parts.sbml.getListOfInitialAssignments():
        symbol = initial.getSymbol()
        parts.initial[symbol] = parts.text(initial, f"initial assignment of {symbol!r}")


def _quantity(parts: _Parts, element: libsbml.SBase, value: float) -> None:
    """A compartment, parameter or stoichiometry: definition, state or parameter, by its rule."""
    identifier = element.getIdAttribute()
    name, unit, meaning = parts.names[identifier], parts.unit(element), element.getName() or identifier
    if identifier in parts.assigned:
        parts.definitions.append(Definition(name, parts.assigned[identifier], unit, meaning))
        return
    parts.starts(identifier, value)
    if identifier in parts.driven:
        parts.states.append(State(name, unit, meaning))
        _flux(parts, f"{name}_rate", parts.driven[identifier], name)
    else:
        parts.parameters.append(Parameter(name, unit, meaning))


def _flux(parts: _Parts, name: str, expression: str, target: str) -> None:
    parts.fluxes.append(Flux(parts.fresh(name), expression, NOT_STATED, None, target))


def _species(parts: _Parts, species: libsbml.Species, reacts: bool) -> None:
    """A species: its id means amount or concentration; the other one gets a name of its own."""
    identifier, meaning, unit = species.getId(), species.getName() or species.getId(), parts.unit(species)
    own = parts.names[identifier]
    size = parts.names.get(species.getCompartment())
    by_amount = species.getHasOnlySubstanceUnits() or size is None
    amount = own if by_amount else parts.fresh(f"{own}_amount")
    concentration = own if not by_amount else parts.fresh(f"{own}_concentration") if size is not None else None
    parts.species[identifier] = ImportedSpecies(amount, concentration, size or species.getCompartment(), by_amount)
    other = concentration if by_amount else amount
    other_text = f"{own}/{size}" if by_amount else f"{own}*{size}"

    if identifier in parts.assigned:
        parts.definitions.append(Definition(own, parts.assigned[identifier], unit, meaning))
        if other is not None:
            parts.definitions.append(Definition(other, other_text, NOT_STATED, meaning))
        return
    _species_start(parts, species, parts.species[identifier])
    if identifier in parts.driven:
        parts.states.append(State(own, unit, meaning))
        _flux(parts, f"{own}_rate", parts.driven[identifier], own)
        if other is not None:
            parts.definitions.append(Definition(other, other_text, NOT_STATED, meaning))
        return
    amount_unit = unit if by_amount else NOT_STATED
    if reacts and not (species.getBoundaryCondition() or species.getConstant()):
        parts.states.append(State(amount, amount_unit, meaning))
    else:
        parts.parameters.append(Parameter(amount, amount_unit, meaning))
    if concentration is not None:
        shown = unit if not by_amount else NOT_STATED
        parts.definitions.append(Definition(concentration, f"{amount}/{size}", shown, meaning))


def _species_start(parts: _Parts, species: libsbml.Species, names: ImportedSpecies) -> None:
    identifier, own = species.getId(), parts.names[species.getId()]
    other = names.concentration if names.by_amount else names.amount
    if identifier in parts.initial:
        parts.start[own] = parts.initial[identifier]
    elif species.isSetInitialAmount() and names.by_amount:
        parts.given[own] = species.getInitialAmount()
    elif species.isSetInitialConcentration() and not names.by_amount:
        parts.given[own] = species.getInitialConcentration()
    elif species.isSetInitialAmount() or species.isSetInitialConcentration():
        concentration = species.isSetInitialConcentration()
        if other is None:
            raise ExchangeError(f"species {identifier!r} starts from a concentration, but its compartment has no size")
        parts.given[other] = species.getInitialConcentration() if concentration else species.getInitialAmount()
        parts.start[own] = f"{other}*{names.compartment}" if concentration else f"{other}/{names.compartment}"
        return
    else:
        parts.given[own] = math.nan
    if other is not None:
        parts.start[other] = f"{own}/{names.compartment}" if names.by_amount else f"{own}*{names.compartment}"


def _references(reaction: libsbml.Reaction) -> list[libsbml.SpeciesReference]:
    return [*reaction.getListOfReactants(), *reaction.getListOfProducts()]


def _reacting(sbml: libsbml.Model) -> set[str]:
    return {s.getSpecies() for r in sbml.getListOfReactions() for s in _references(r)}


def _reaction(parts: _Parts, reaction: libsbml.Reaction) -> None:
    """A reaction: its rate as a definition, one flux with plain numbers, one more a stoichiometry that is a formula."""
    identifier = reaction.getId()
    if reaction.isSetFast() and reaction.getFast():
        raise ExchangeError(f"reaction {identifier!r} is fast (a rapid equilibrium), which is not supported")
    law = reaction.getKineticLaw()
    if law is None or law.getMath() is None:
        raise ExchangeError(f"reaction {identifier!r} has no kinetic law; give it one or remove the reaction")
    rate = parts.names[identifier]
    where = f"kinetic law of {identifier!r}"
    meaning = reaction.getName() or identifier
    parts.definitions.append(Definition(rate, parts.text(law, where), NOT_STATED, meaning))
    net: dict[str, float] = {}
    sides = [(-1.0, s) for s in reaction.getListOfReactants()] + [(1.0, s) for s in reaction.getListOfProducts()]
    for sign, reference in sides:
        number, factors = _stoichiometry(parts, reaction, reference)
        state = parts.species.get(reference.getSpecies())
        if state is None:
            raise ExchangeError(f"reaction {identifier!r} names the unknown species {reference.getSpecies()!r}")
        species = parts.sbml.getSpecies(reference.getSpecies())
        if species.getBoundaryCondition() or species.getConstant():
            continue
        conversion = species.getConversionFactor() or parts.sbml.getConversionFactor()
        if conversion:
            factors.append(parts.name(conversion))
        if factors:
            text = "*".join([repr(sign * number), *factors, rate])
            _flux(parts, f"{rate}_to_{state.amount}", text, state.amount)
        else:
            net[state.amount] = net.get(state.amount, 0.0) + sign * number
    stoichiometry = tuple((s, c) for s, c in net.items() if c != 0.0)
    if stoichiometry:
        parts.fluxes.append(Flux(parts.fresh(f"{rate}_flux"), rate, NOT_STATED, stoichiometry=stoichiometry))


def _stoichiometry(
    parts: _Parts, reaction: libsbml.Reaction, reference: libsbml.SpeciesReference
) -> tuple[float, list[str]]:
    """Stoichiometry as a number and factors that are texts (Level 2 formulas, Level 3 ids with rules or values)."""
    where = f"stoichiometry of {reference.getSpecies()!r} in reaction {reaction.getId()!r}"
    if reference.isSetStoichiometryMath():
        return 1.0, [parts.text(reference.getStoichiometryMath(), where)]
    identifier = reference.getIdAttribute()
    number = reference.getStoichiometry() if parts.sbml.getLevel() == 2 or reference.isSetStoichiometry() else math.nan
    if identifier:
        _quantity(parts, reference, number)
    formula = identifier in parts.initial or identifier in parts.assigned or identifier in parts.driven
    fixed = parts.sbml.getLevel() == 2 or reference.getConstant()
    if identifier and (formula or not fixed):
        return 1.0, [parts.names[identifier]]
    if math.isnan(number):
        raise ExchangeError(f"{where} is not stated; give it a number")
    return number, []


def _event(parts: _Parts, event: libsbml.Event) -> ImportedEvent | None:
    shown = event.getId() or event.getName() or event.getMetaId() or "(no id)"
    if event.isSetDelay():
        raise ExchangeError(f"event {shown!r} has a delay, which is not supported; put the delay into its trigger")
    if event.isSetPriority():
        raise ExchangeError(f"event {shown!r} has a priority, which is not supported; separate the events in time")
    trigger = event.getTrigger()
    if trigger is None or trigger.getMath() is None:
        parts.ignored.append(f"event {shown} has no trigger and never fires")
        return None
    assignments = []
    for a in event.getListOfEventAssignments():
        target = a.getVariable()
        if target in parts.assigned:
            raise ExchangeError(f"event {shown!r} sets {target!r}, which has an assignment rule")
        held = [i for i, s in parts.species.items() if s.compartment == parts.names.get(target) and i in parts.driven]
        if any(not parts.species[i].by_amount for i in held):
            raise ExchangeError(
                f"event {shown!r} sets compartment {target!r} of {held}, concentrations with rate rules"
            )
        assignments.append((target, parts.text(a, f"event {shown!r}, assignment of {target!r}")))
    level3 = parts.sbml.getLevel() > 2
    return ImportedEvent(
        id=shown,
        trigger=condition_of(trigger.getMath(), parts.name, f"trigger of event {shown!r}"),
        assignments=tuple(assignments),
        initially=trigger.getInitialValue() if level3 else True,
        sole=not event.getUseValuesFromTriggerTime() or (level3 and not trigger.getPersistent()),
    )
