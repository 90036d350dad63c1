"""A model description as SBML Level 3 Version 2.

States in the commonest unit of amount become species (amounts, in a compartment without size) and the fluxes between
them reactions; every other state is a parameter with a rate rule. Definitions are assignment rules. Doses and the
engines' events are not part of the model; the notes say which states take doses.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import libsbml

from pharmtwin.exchange.evaluate import ExchangeError
from pharmtwin.exchange.sbml_math import math_of
from pharmtwin.exchange.sbml_units import define_unit, is_amount
from pharmtwin.model.algebra import names
from pharmtwin.model.description import TIME, Flux, Model, State

XHTML = "http://www.w3.org/1999/xhtml"


@dataclass
class _Writer:
    """The SBML model under construction."""

    sbml: libsbml.Model
    model: Model
    taken: set[str]
    species: frozenset[str]
    space: str = ""
    rates: dict[str, list[str]] = field(default_factory=dict)  # state with a rate rule -> terms

    def fresh(self, wish: str) -> str:
        """An id that nothing else has."""
        while wish in self.taken:
            wish += "_"
        self.taken.add(wish)
        return wish


def to_sbml(
    model: Model,
    parameter_values: Mapping[str, float] | None = None,
    initial: Mapping[str, float] | None = None,
    *,
    time_unit: str = "h",
) -> str:
    """The model as an SBML document.

    Parameters
    ----------
    parameter_values : parameter -> value; parameters that are not named stay without a value.
    initial : state -> value at the start; default the description's.
    time_unit : unit of time of the model's rates.

    Returns
    -------
    XML text that libsbml's consistency check finds without errors (see :func:`findings` for its warnings). Numbers
    in formulas carry 15 digits (libsbml's writer).

    Raises
    ------
    ExchangeError : a name that the model does not have, an expression that SBML cannot say, an invalid document.
    """
    _known(model.parameter_names, parameter_values, "parameter")
    _known(model.state_names, initial, "state")
    document = libsbml.SBMLDocument(3, 2)
    sbml = document.createModel()
    sbml.setId(model.name if libsbml.SyntaxChecker.isValidSBMLSId(model.name) else "model")
    sbml.setName(model.name)
    counts = Counter(s.unit for s in model.states if is_amount(s.unit))
    amount = counts.most_common(1)[0][0] if counts else None
    everything = {*model.state_names, *model.parameter_names, *(d.name for d in model.definitions)}
    species = frozenset(s.name for s in model.states if s.unit == amount)
    writer = _Writer(sbml, model, set(everything), species)
    _units(writer, amount, time_unit)
    for p in model.parameters:
        _parameter(writer, p.name, p.unit, p.meaning, (parameter_values or {}).get(p.name), constant=True)
    for s in model.states:
        if s.name != TIME:
            _state(writer, s, float((initial or {}).get(s.name, s.initial)))
    for d in model.definitions:
        _parameter(writer, d.name, d.unit, d.meaning, None, constant=False)
        rule = sbml.createAssignmentRule()
        rule.setVariable(d.name)
        rule.setMath(math_of(d.expression))
    for flux in model.fluxes:
        _flux(writer, flux)
    for name, terms in writer.rates.items():
        rate = sbml.createRateRule()
        rate.setVariable(name)
        rate.setMath(math_of(" + ".join(terms) if terms else "0"))
    doses = "; ".join(f"{route} doses go to {state}" for route, state in model.dose_targets)
    _note(sbml, f"Written by PharmTwin. Doses are not part of this model{': ' + doses if doses else ''}.")
    text = str(libsbml.writeSBMLToString(document))
    errors = [line for severe, line in _findings(text) if severe]
    if errors:
        raise ExchangeError(f"model {model.name} does not give valid SBML: {'; '.join(errors[:5])}")
    return text


def findings(text: str) -> list[str]:
    """What libsbml's consistency check says of a document: errors first, then warnings (mostly of units)."""
    return [line for _, line in sorted(_findings(text), key=lambda f: not f[0])]


def _findings(text: str) -> list[tuple[bool, str]]:
    document = libsbml.readSBMLFromString(text)
    document.checkConsistency()
    found = [document.getError(i) for i in range(document.getNumErrors())]
    return [
        (
            e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR,
            f"{e.getSeverityAsString()} {e.getErrorId()}, line {e.getLine()}: {' '.join(e.getMessage().split())}",
        )
        for e in found
    ]


def _known(names_of_model: list[str], given: Mapping[str, float] | None, kind: str) -> None:
    unknown = sorted(set(given or {}) - set(names_of_model))
    if unknown:
        raise ExchangeError(f"the model has no {kind} {unknown}")


def _note(element: libsbml.SBase, text: str) -> None:
    element.setNotes(f'<body xmlns="{XHTML}"><p>{html.escape(text)}</p></body>')


def _units(writer: _Writer, amount: str | None, time_unit: str) -> None:
    sbml = writer.sbml
    time = define_unit(sbml, time_unit)
    if time is None:
        raise ExchangeError(f"time unit {time_unit!r} is not known to SBML; use s, min, h, d or week")
    sbml.setTimeUnits(time)
    if amount is not None:
        sbml.setSubstanceUnits(define_unit(sbml, amount))
        sbml.setExtentUnits(define_unit(sbml, amount))
        space = sbml.createCompartment()
        writer.space = writer.fresh("space")
        space.setId(writer.space)
        space.setName("no place: species are amounts")
        space.setSpatialDimensions(0)
        space.setConstant(True)


def _declare(writer: _Writer, element: libsbml.SBase, unit: str, meaning: str) -> str | None:
    """Name and note of a quantity; the id of its unit."""
    element.setName(meaning)
    defined = define_unit(writer.sbml, unit)
    if defined is None:
        _note(element, f"Unit {unit}, which SBML does not know: left without a unit.")
    return defined


def _parameter(writer: _Writer, name: str, unit: str, meaning: str, value: float | None, *, constant: bool) -> None:
    element = writer.sbml.createParameter()
    element.setId(name)
    element.setConstant(constant)
    defined = _declare(writer, element, unit, meaning)
    if defined is not None:
        element.setUnits(defined)
    if value is not None:
        element.setValue(float(value))


def _state(writer: _Writer, state: State, value: float) -> None:
    if state.name not in writer.species:
        writer.rates[state.name] = []
        _parameter(writer, state.name, state.unit, state.meaning, value, constant=False)
        return
    element = writer.sbml.createSpecies()
    element.setId(state.name)
    element.setCompartment(writer.space)
    element.setHasOnlySubstanceUnits(True)
    element.setBoundaryCondition(False)
    element.setConstant(False)
    element.setSubstanceUnits(_declare(writer, element, state.unit, state.meaning))
    element.setInitialAmount(value)


def _flux(writer: _Writer, flux: Flux) -> None:
    """A reaction for the species that a flux changes, terms of rate rules for the other states."""
    moved = [(s, c) for s, c in flux.changes if s in writer.species]
    rate = f"({flux.expression})"
    if moved:
        rate = writer.fresh(flux.name)
        reaction = writer.sbml.createReaction()
        reaction.setId(rate)
        reaction.setName(flux.name)
        reaction.setReversible(True)
        for state, coefficient in moved:
            _reference(writer, reaction, state, coefficient)
        for state in sorted((names(flux.expression) & writer.species) - {s for s, _ in moved}):
            reaction.createModifier().setSpecies(state)
        reaction.createKineticLaw().setMath(math_of(flux.expression))
    for state, coefficient in flux.changes:
        if state not in writer.species:
            factor = {1.0: "", -1.0: "-"}.get(coefficient, f"({coefficient})*")  # type: ignore[arg-type]
            writer.rates[state].append(f"{factor}{rate}")


def _reference(writer: _Writer, reaction: libsbml.Reaction, state: str, coefficient: float | str) -> None:
    number = isinstance(coefficient, int | float)
    takes = number and float(coefficient) < 0
    reference = reaction.createReactant() if takes else reaction.createProduct()
    reference.setSpecies(state)
    reference.setConstant(True)
    if number:
        reference.setStoichiometry(abs(float(coefficient)))
        return
    identifier = writer.fresh(f"stoichiometry_{reaction.getId()}_{state}")
    reference.setId(identifier)
    assignment = writer.sbml.createInitialAssignment()
    assignment.setSymbol(identifier)
    assignment.setMath(math_of(str(coefficient)))
