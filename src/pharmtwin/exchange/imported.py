"""An SBML model in PharmTwin's description: what :func:`~pharmtwin.exchange.sbml_import.from_sbml` returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pharmtwin.exchange.evaluate import ExchangeError, Floats, Scope, Value
from pharmtwin.model.algebra import names
from pharmtwin.model.description import TIME, Model


@dataclass(frozen=True)
class ImportedSpecies:
    """Names in the model of a species' amount and concentration (None where it has no compartment size).

    ``by_amount`` is SBML's hasOnlySubstanceUnits: the species' id means its amount, otherwise its concentration.
    """

    amount: str
    concentration: str | None
    compartment: str
    by_amount: bool


@dataclass(frozen=True)
class ImportedEvent:
    """An event without delay: when ``trigger`` (text) turns true, ``assignments`` (SBML id, text) happen at once.

    ``initially`` is the trigger's value just before the start (true: an event that is true from the start does not
    fire). ``sole`` is true where SBML leaves the result open if another event fires at the same time.
    """

    id: str
    trigger: str
    assignments: tuple[tuple[str, str], ...]
    initially: bool = True
    sole: bool = False


@dataclass(frozen=True)
class ImportedModel:
    """A model read from SBML.

    Attributes
    ----------
    model : the description, for the engines. Amounts of species are states unless a rate rule drives a concentration.
    parameter_values, initial_values : model parameter -> value, model state -> value at time 0, as the document says
        (NaN where it says nothing).
    events : in the order of the document.
    ids : SBML id -> name in the model of what the id means in formulas.
    species : SBML id -> names of amount and concentration.
    time_unit : unit of time as text ("not stated" where the document is silent).
    start : name in the model -> text of its value at the start, in terms of other names.
    given : names whose start is a plain number in the document.
    ruled : SBML ids that follow from an assignment rule at every time.
    ignored : elements of the document without influence here, in words.
    """

    model: Model
    parameter_values: Mapping[str, float]
    initial_values: Mapping[str, float]
    events: tuple[ImportedEvent, ...]
    ids: Mapping[str, str]
    species: Mapping[str, ImportedSpecies]
    time_unit: str
    start: Mapping[str, str] = field(repr=False)
    given: Mapping[str, float] = field(repr=False)
    ruled: frozenset[str] = frozenset()
    ignored: tuple[str, ...] = ()

    def name_of(self, identifier: str) -> str:
        """Name in the model of an SBML id (or of a model name itself); raises ExchangeError naming near ids."""
        if identifier in self.ids:
            return self.ids[identifier]
        if identifier in self.known_names:
            return identifier
        near = sorted(i for i in self.ids if identifier.lower() in i.lower())[:5]
        raise ExchangeError(
            f"model {self.model.name} has no id {identifier!r}" + (f"; near it: {near}" if near else "")
        )

    @property
    def known_names(self) -> frozenset[str]:
        """Names of states, parameters and definitions of the model."""
        model = self.model
        return frozenset((*model.state_names, *model.parameter_names, *(d.name for d in model.definitions)))

    @cached_property
    def definition_texts(self) -> dict[str, str]:
        """Name -> text of all definitions."""
        return {d.name: d.expression for d in self.model.definitions}

    def scope(self, parameters: Mapping[str, float], states: Mapping[str, Value], time: Value) -> Scope:
        """Values of every name at given states (floats or arrays) and time."""
        return Scope(self.definition_texts, {**parameters, **states, TIME: time})

    def start_values(
        self, overrides: Mapping[str, float] | None = None, start_time: float = 0.0
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Values of parameters and states at the start.

        Parameters
        ----------
        overrides : SBML id (or model name) -> value at the start, in the meaning that the id has in formulas
            (concentration or amount). They replace start values and initial assignments; what depends on them
            through other initial assignments follows.

        Returns
        -------
        parameters, states by model name; NaN where the document gives no value.

        Raises
        ------
        ExchangeError : unknown id, an id that an assignment rule fixes, initial assignments in a circle.
        """
        known: dict[str, Value] = dict(self.given)
        texts = self.definition_texts | dict(self.start)
        for identifier, value in (overrides or {}).items():
            name = self.name_of(identifier)
            if identifier in self.ruled or (name not in known and name not in self.start):
                raise ExchangeError(
                    f"{identifier!r} follows from a rule of the model and cannot be given a value; "
                    f"change the parameters in its rule"
                )
            known[name] = float(value)
            texts.pop(name, None)
            for s in self.species.values():  # a given amount decides the concentration, and the other way round
                if s.amount == name and s.concentration is not None and s.concentration != name:
                    known.pop(s.concentration, None)
                    texts[s.concentration] = f"{s.amount}/{s.compartment}"
                elif s.concentration == name:
                    known.pop(s.amount, None)
                    texts[s.amount] = f"{s.concentration}*{s.compartment}"
        scope = Scope(texts, known | {TIME: float(start_time)})
        parameters = {p: float(scope[p]) for p in self.model.parameter_names}
        states = {s: float(scope[s]) for s in self.model.state_names}
        return parameters, states


def complete(imported: ImportedModel, values: Mapping[str, float]) -> None:
    """Raise ExchangeError naming the ids without a finite start value, as far as the solution needs them.

    (A membrane without a size that no rate uses does no harm; a concentration in it is NaN.)
    """
    model, texts = imported.model, imported.definition_texts
    needed = set(model.state_names)
    open_ = set().union(*(names(f.expression) for f in model.fluxes))
    while open_:
        name = open_.pop()
        needed.add(name)
        open_ |= names(texts.get(name, "0")) - needed
    back = {name: identifier for identifier, name in imported.ids.items()}
    missing = sorted(back.get(n, n) for n, v in values.items() if n in needed and not math.isfinite(v))
    if missing:
        raise ExchangeError(
            f"model {model.name}: {missing} have no finite value at the start; give them in parameter_values"
        )


def vector(names: list[str], values: Mapping[str, float]) -> Floats:
    """Values in the order of names, as an array."""
    return np.array([values[n] for n in names], dtype=float)
