"""The structural model of a problem: definitions of what is estimated, covariates of the conditions, start values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pharmtwin.exchange.evaluate import ExchangeError, Scope, evaluate
from pharmtwin.exchange.petab import PetabProblem
from pharmtwin.inference.models.description import FixedEffect
from pharmtwin.inference.petab.conditions import Values, read_values
from pharmtwin.inference.petab.outputs import Outputs, Reader
from pharmtwin.inference.petab.parameters import LOG_BASE, Entry, effect_of
from pharmtwin.inference.petab.stretches import Switches
from pharmtwin.inference.petab.texts import fresh, reached, substituted
from pharmtwin.model.algebra import CONSTANTS, FUNCTIONS, names
from pharmtwin.model.description import TIME, Definition, Model, ModelError, Module, Parameter, compose


@dataclass
class Assembly:
    """Parts of a population model.

    Attributes
    ----------
    structure : None where there are faults. fixed, constants, covariates, initial : as in PopulationModel.
    effect_of_parameter : id of the parameter table -> its fixed effect. jumping : observables whose formula a covariate
        is in, so that they jump with it.
    """

    values: Values
    switches: Switches
    outputs: Outputs
    structure: Model | None
    fixed: list[FixedEffect]
    constants: dict[str, float]
    covariates: list[str]
    initial: list[tuple[str, str]]
    effect_of_parameter: dict[str, str]
    jumping: set[str]


def assemble(
    problem: PetabProblem, entries: Mapping[str, Entry], used: Sequence[str], without_events: Sequence[str],
    faults: list[str], notes: list[str],
) -> Assembly:  # fmt: skip
    """Everything but the subjects; ``used``: conditions that are simulated."""
    imported = problem.model
    taken = {*imported.known_names, *imported.ids, *FUNCTIONS, *CONSTANTS, TIME, "piecewise"}
    values = read_values(problem, entries, used, taken, faults)
    switches = Switches(imported, values.estimated, taken, faults)
    for event in imported.events:
        if event.id in without_events:
            notes.append(f"event {event.id} ({event.trigger}) is left out, as asked")
        else:
            switches.add_event(event)
    unknown = sorted(set(without_events) - {e.id for e in imported.events})
    if unknown:
        faults.append(f"there are no events {', '.join(unknown)} to leave out")
    switched = replace(
        problem,
        formulas={o: switches.replaced(t) for o, t in problem.formulas.items()},
        noises={o: switches.replaced(t) for o, t in problem.noises.items()},
    )
    moving = {*imported.model.state_names, TIME}
    outputs = Reader(switched, entries, values.symbols, moving, taken, faults).read()
    made = Assembly(values, switches, outputs, None, [], {}, [], [], {}, set())
    builder = _Builder(problem, entries, made, taken, faults, notes)
    builder.build()
    switches.check()
    return made


class _Builder:
    """Collects the texts of all names and composes the model."""

    def __init__(
        self, problem: PetabProblem, entries: Mapping[str, Entry], made: Assembly, taken: set[str], faults: list[str],
        notes: list[str],
    ) -> None:  # fmt: skip
        self.imported, self.entries, self.made, self.taken = problem.model, entries, made, taken
        self.faults, self.notes = faults, notes
        self.states = [s for s in self.imported.model.states if s.name != TIME]
        self.texts = {n: made.switches.replaced(t) for n, t in self.imported.definition_texts.items()}
        self.changing = {s.name for s in self.states} | {TIME}
        self.changing |= {n for n in self.texts if reached(self.texts, [n]) & self.changing}
        # concentrations of what does not react: definitions by the amount, which starts from them
        own = {*self.imported.given, *self.imported.start, *made.values.texts}
        self.placed = {n for n in self.texts if n in own}
        self.numbers: dict[str, float] = {}
        self.origin = self._origin()
        self.starts: dict[str, str] = {}
        self._open: list[str] = []

    def _origin(self) -> dict[str, str]:
        """Text of every name at the start, in names at the start (see ``ImportedModel.start_values``)."""
        own = {n: repr(v) for n, v in self.imported.given.items()} | dict(self.imported.start)
        for name, text in self.made.values.texts.items():
            own[name] = text
            for s in self.imported.species.values():  # amount and concentration: one follows from the other
                if s.amount == name and s.concentration not in (None, name):
                    own[str(s.concentration)] = f"{s.amount}/{s.compartment}"
                elif s.concentration == name:
                    own[s.amount] = f"{s.concentration}*{s.compartment}"
        return {**self.texts, **own}

    def build(self) -> None:
        """Fill in the parts."""
        made, values = self.made, self.made.values
        covariates = {*values.covariates, *made.switches.flags.values(), *made.switches.changed}
        direct = set(values.symbols.values())
        for name in self.imported.model.parameter_names:
            if name in covariates or name in direct:
                continue
            text = self.origin.get(name, "nan")
            try:
                self.numbers[name] = float(text)
            except ValueError:
                text = self._at_start(text)
                if "nan" in names(text):
                    self.numbers[name] = math.nan
                else:
                    self.texts[name] = text
        self._parameters()
        fluxes = [
            replace(f, expression=made.switches.replaced(f.expression)) for f in self.imported.model.fluxes
            if not all(state == TIME for state, _ in f.changes)
        ]  # fmt: skip
        first = {s.name: self._start(s.name) for s in self.states}
        rates = [f.expression for f in fluxes] + [str(c) for f in fluxes for _, c in f.changes]
        needed = reached({**self.texts, **made.outputs.formulas}, [*rates, *made.outputs.formulas, *first.values()])
        states = [replace(s, initial=self._initial(s.name, first[s.name])) for s in self.states]
        made.constants = {n: v for n, v in self.numbers.items() if n in needed}
        made.covariates = sorted(c for c in covariates if c in needed)
        made.jumping = {o for o, t in made.outputs.formulas.items() if reached(self.texts, [t]) & covariates}
        self._check(needed)
        if self.faults:
            return
        definitions = [
            Definition(n, t, "1", n) for n, t in {**self.texts, **made.outputs.formulas}.items() if n in needed
        ]
        parameters = [*(f.name for f in made.fixed), *made.constants, *made.covariates]
        name = self.imported.model.name
        declared = tuple(Parameter(p, "1", p) for p in parameters)
        module = Module(name, tuple(states), declared, tuple(definitions), tuple(fluxes))
        try:
            made.structure = compose(name, [module], list(made.outputs.formulas))
        except ModelError as error:
            self.faults.append(str(error))

    def _parameters(self) -> None:
        """Symbols of the parameter table: constants, fixed effects and what the model makes of these."""
        made = self.made
        for identifier, entry in self.entries.items():
            symbol = made.values.symbols[identifier]
            if symbol in made.switches.changed:
                continue  # a covariate: its value before the event is the table's
            if not entry.estimated:
                self.numbers[symbol] = entry.value
                continue
            if identifier in made.outputs.of_parameter:
                continue
            effect = symbol
            if entry.scale != "lin":
                effect = fresh(f"{entry.scale}_{identifier}", self.taken)
                base = LOG_BASE[entry.scale]
                self.texts[symbol] = f"exp({effect})" if base == 1.0 else f"exp({base!r}*{effect})"
            made.effect_of_parameter[identifier] = effect
            made.fixed.append(effect_of(entry, effect, self.faults))

    def _at_start(self, text: str) -> str:
        """A text in names at the start as one that is free of states."""
        return substituted(text, {n: self._start(n) for n in names(text) if n in self.changing or n in self.placed})

    def _start(self, name: str) -> str:
        """Number or name that stands for the value of a state (or of what depends on states) at the start."""
        if name == TIME:
            return "0.0"
        if name not in self.starts:
            if name in self._open:
                self.faults.append(f"values that need each other at the start: {' -> '.join((*self._open, name))}")
                return "0.0"
            self._open.append(name)
            text = self._at_start(self.origin.get(name, "nan"))
            self._open.remove(name)
            if not names(text) or "nan" in names(text):
                self.starts[name] = "nan" if names(text) else text
            else:
                self.starts[name] = fresh(f"{name}_start", self.taken)
                self.texts[self.starts[name]] = text
        return self.starts[name]

    def _initial(self, state: str, start: str) -> float:
        """The number that a state starts from; where it depends on more than constants it is noted in ``initial``."""
        try:
            value = math.nan if start == "nan" else float(evaluate(start, Scope(self.texts, dict(self.numbers))))
        except (KeyError, ExchangeError):  # it uses what is no constant
            self.made.initial.append((state, start))
            return 0.0
        if not math.isfinite(value):
            self.faults.append(f"state {state} has no value at the start")
        return value if math.isfinite(value) else 0.0

    def _check(self, needed: set[str]) -> None:
        """Faults and notes about what is needed and what is not."""
        made = self.made
        lacking = sorted(n for n, v in made.constants.items() if not math.isfinite(v))
        if lacking:
            self.faults.append(f"{', '.join(lacking)} have no value: neither the model nor the tables give one")
        for identifier, (residual, _) in made.outputs.of_parameter.items():
            if self.entries[identifier].estimated and made.values.symbols[identifier] in needed:
                self.faults.append(
                    f"parameter {identifier} is both noise (residual {residual}) and a part of the model or of an "
                    "observable: a residual parameter stands for noise alone"
                )
        idle = sorted(p for p, e in made.effect_of_parameter.items() if e not in needed)
        if idle:
            self.notes.append(f"without influence on any measurement: {', '.join(idle)}")
        gone = sorted(c for c in made.values.covariates if c not in needed | made.switches.used)
        if gone:
            self.notes.append(f"of the condition table without influence on any measurement: {', '.join(gone)}")
