"""What happens at a known time: switches in the model's formulas (``time < 4``) and events that only time triggers.

Each such comparison becomes a covariate of 0 or 1, constant between the times at which one of them turns, so that the
solver stops at every jump and never sees a formula jump within a step. A time that depends on an estimated parameter
has no place here: the derivative with respect to it is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pharmtwin.exchange.evaluate import comparisons, evaluate
from pharmtwin.exchange.imported import ImportedEvent, ImportedModel
from pharmtwin.exchange.petab import OUTSIDE
from pharmtwin.exchange.sbml_jumps import crossing
from pharmtwin.inference.petab.texts import fresh, reached, with_comparisons
from pharmtwin.model.algebra import Algebra, names
from pharmtwin.model.description import TIME


@dataclass(frozen=True)
class Stretch:
    """A stretch of time from ``start`` on: values of switches and of constants that events changed, amounts into
    states at its start."""

    start: float
    flags: Mapping[str, float]
    changed: Mapping[str, float]
    doses: tuple[tuple[str, float], ...]


@dataclass
class Switches:
    """Comparisons of time in a model (``flags``: text -> name of the covariate) and its events."""

    model: ImportedModel
    estimated: set[str]
    taken: set[str]
    faults: list[str]
    flags: dict[str, str] = field(default_factory=dict)
    differences: dict[str, str] = field(default_factory=dict)  # text of a comparison -> left minus right
    events: list[ImportedEvent] = field(default_factory=list)

    def replaced(self, text: str) -> str:
        """The text with its comparisons of time replaced by covariates."""

        def flag(left: str, shown: str, right: str) -> str | None:
            if not self._of_time(shown, f"({left}) - ({right})"):
                return None
            if shown not in self.flags:
                self.flags[shown] = fresh(f"switch_{len(self.flags) + 1}", self.taken)
            return self.flags[shown]

        return with_comparisons(text, flag)

    def _of_time(self, shown: str, difference: str) -> bool:
        """Whether a comparison changes at a known time; faults where that time cannot be held."""
        used = self._reached(difference)
        if TIME not in used or used & set(self.model.model.state_names) - {TIME}:
            return False
        if used & self.estimated:
            which = ", ".join(sorted(n.removeprefix(OUTSIDE) for n in used & self.estimated))
            self._fault(f"the time at which {shown} turns depends on what is estimated ({which}): "
                        "the derivative with respect to it would lack the jump")  # fmt: skip
        self.differences[shown] = difference
        return True

    def _reached(self, text: str) -> set[str]:
        known = set(self.model.model.parameter_names)
        starts = {n: t for n, t in self.model.start.items() if n in known}
        return reached(self.model.definition_texts | starts, [text])

    def _fault(self, text: str) -> None:
        if text not in self.faults:
            self.faults.append(text)

    def add_event(self, event: ImportedEvent) -> None:
        """An event that only time triggers and that adds known amounts to states, or changes constants."""
        before, states = len(self.faults), set(self.model.model.state_names) - {TIME}
        for left, _, right in comparisons(event.trigger):
            difference = f"({left}) - ({right})"
            if self._reached(difference) & states:
                self._fault(f"event {event.id}: its trigger {event.trigger} depends on states")
            elif TIME in self._reached(difference):
                self._of_time(f"{left}, {right} (event {event.id})", difference)
        for target, text in event.assignments:
            change = self.change(target, text)
            if change is None:
                self._fault(f"event {event.id} sets {target} to {text}: neither a constant nor more of a state by an "
                            "amount that is free of states")  # fmt: skip
            elif (self._reached(change[1]) - states) & self.estimated or self._constant_is_estimated(change[0]):
                self._fault(f"event {event.id}: what it sets {target} to depends on what is estimated")
        if len(self.faults) == before:
            self.events.append(event)

    def check(self) -> None:
        """Faults where an event changes what the time of a switch or event depends on."""
        for shown, difference in self.differences.items():
            moved = self._reached(difference) & set(self.changed)
            if moved:
                self._fault(
                    f"the time at which {shown} turns depends on {', '.join(sorted(moved))}, which events change"
                )

    def _constant_is_estimated(self, name: str) -> bool:
        """Whether the value of a constant follows from estimated parameters."""
        return name in self.model.model.parameter_names and bool(self._reached(name) & self.estimated)

    @property
    def used(self) -> set[str]:
        """Names that times of switches and events depend on."""
        return {n for difference in self.differences.values() for n in self._reached(difference)}

    @property
    def changed(self) -> list[str]:
        """Constants that events change."""
        changes = [self.change(target, text) for e in self.events for target, text in e.assignments]
        constants = set(self.model.model.parameter_names)
        return list(dict.fromkeys(c[0] for c in changes if c is not None and c[0] in constants))

    def change(self, target: str, text: str) -> tuple[str, str] | None:
        """(state, text of the amount added) or (constant, text of its new value) of an assignment; None: neither."""
        imported = self.model
        name, size = imported.name_of(target), ""
        if target in imported.species and not imported.species[target].by_amount:
            name, size = imported.species[target].amount, imported.species[target].compartment
        states = set(imported.model.state_names) - {TIME}
        if name in imported.model.parameter_names:
            text = f"({text})*{size}" if size else text
            return None if self._reached(text) & states else (name, text)
        if name not in states:
            return None
        added = f"({text}) - {imported.name_of(target)}"
        added = f"({added})*{size}" if size else added
        return (name, added) if self._free_of_states(added) else None

    def _free_of_states(self, text: str) -> bool:
        a, texts = Algebra(), self.model.definition_texts
        symbols = {n: a.symbol(n, "y") for n in self.model.model.state_names}
        symbols |= {n: a.symbol(n, "p") for n in reached(texts, [text]) - set(symbols) - set(texts)}
        for d in self.model.model.definitions:
            if names(d.expression) <= set(symbols):
                symbols[d.name] = a.read(d.expression, symbols)
        return not a.read(text, symbols).symbols & set(self.model.model.state_names)

    def stretches(self, parameters: dict[str, float], states: Mapping[str, float], end: float) -> list[Stretch]:
        """Stretches from 0 to ``end`` (inf: all; the last one is what rest is reached in) at values of constants."""
        times = {0.0}
        for shown, difference in self.differences.items():
            try:
                time = crossing(self.model, parameters, difference)
            except ArithmeticError:
                time = None
            if time is None and not self._constant(parameters, difference):
                self._fault(f"{shown} does not turn at a single time")
            if time is not None and 0 < time <= end:
                times.add(time)
        found: list[Stretch] = []
        armed, own, changed = {e.id: e.initially for e in self.events}, dict(parameters), {}
        starts = sorted(times)
        for start, stop in zip(starts, [*starts[1:], math.inf], strict=True):
            inside = 0.5 * (start + stop) if math.isfinite(stop) else start + 1.0
            scope = self.model.scope(own, dict(states), inside)
            due = [e for e in self.events if bool(evaluate(e.trigger, scope)) and not armed[e.id]]
            armed = {e.id: bool(evaluate(e.trigger, scope)) for e in self.events}
            doses = []
            for event in due:
                for target, text in event.assignments:
                    name, new = self.change(target, text) or ("", "0")
                    value = float(evaluate(new, self.model.scope(own, dict(states), start)))
                    if name in self.model.model.parameter_names:
                        own[name] = changed[name] = value
                    else:
                        doses.append((name, value))
            flags = {name: float(bool(evaluate(shown, scope))) for shown, name in self.flags.items()}
            found.append(Stretch(start, flags, dict(changed), tuple(doses)))
        return found

    def _constant(self, parameters: dict[str, float], difference: str) -> bool:
        """Whether a difference does not change in time at these values."""
        at = [float(evaluate(difference, self.model.scope(parameters, {}, t))) for t in (0.0, 1.0, 1e3)]
        return at[0] == at[1] == at[2]
