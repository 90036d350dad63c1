"""The registry: every NCA parameter declares what it needs, its unit and its meaning; values are found on demand.

A parameter is a function of :class:`Values`, which gives it what it declared (and nothing else) and the curve. Where
something is missing the function raises ``Missing``; whatever needs that value is missing for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pharmtwin.nca.curve import Curve
from pharmtwin.nca.terminal import Missing, Terminal

#: intervals for which a parameter is given unless asked for by name: to infinity, a dosing interval, any other
OPEN, TAU, PART = "open", "tau", "part"
EVERYWHERE = (OPEN, TAU, PART)


@dataclass(frozen=True)
class Parameter:
    """One parameter. ``unit``: a kind of ``units``; ``cdisc``: CDISC code (PPTESTCD); ``winnonlin``: name there."""

    name: str
    unit: str
    needs: tuple[str, ...]
    meaning: str
    compute: Callable[[Values], float]
    where: tuple[str, ...]
    cdisc: str
    winnonlin: str


REGISTRY: dict[str, Parameter] = {}


def parameter(
    name: str, unit: str, meaning: str, needs: tuple[str, ...] = (), where: tuple[str, ...] = EVERYWHERE,
    cdisc: str = "", winnonlin: str = "",
) -> Callable[[Callable[[Values], float]], Callable[[Values], float]]:  # fmt: skip
    """Register the function below. Needs must be registered before it, so there are no circles."""

    def register(compute: Callable[[Values], float]) -> Callable[[Values], float]:
        unknown = [n for n in needs if n not in REGISTRY]
        if name in REGISTRY or unknown:
            raise ValueError(f"parameter {name}: registered twice, or needs what is not: {unknown}")
        REGISTRY[name] = Parameter(name, unit, needs, meaning, compute, where, cdisc, winnonlin)
        return compute

    return register


class Values:
    """Values of one interval, computed once each. ``first``: those of the first interval after the first dose."""

    def __init__(self, curve: Curve, threshold: float = float("nan"), first: Values | None = None) -> None:
        self.curve, self.threshold, self.first = curve, threshold, first
        self._known: dict[str, float | Missing] = {}
        self._terminal: Terminal | Missing | None = None
        self._asking: list[str] = []
        self._used: dict[str, set[str]] = {}

    def __getitem__(self, name: str) -> float:
        """A value; raises Missing with its reason, KeyError for an unknown or undeclared one."""
        if self._asking and name not in REGISTRY[self._asking[-1]].needs:
            raise KeyError(f"parameter {self._asking[-1]} uses {name} without declaring it")
        if self._asking:
            self._used.setdefault(self._asking[-1], set()).add(name)
        if name not in self._known:
            self._asking.append(name)
            try:
                value = float(REGISTRY[name].compute(self))
                self._known[name] = value if not np.isnan(value) else Missing("not defined for these values")
            except Missing as reason:
                self._known[name] = reason
            finally:
                self._asking.pop()
        value_or_reason = self._known[name]
        if isinstance(value_or_reason, Missing):
            raise Missing(_because(name, value_or_reason)) if self._asking else value_or_reason
        return value_or_reason

    def get(self, name: str) -> tuple[float, str]:
        """A value and no reason, or nan and the reason."""
        try:
            return self[name], ""
        except Missing as reason:
            return float("nan"), str(reason)

    def rests_on(self, name: str, cause: str) -> bool:
        """Whether a value was found by means of another, directly or not (or is it)."""
        return name == cause or any(self.rests_on(n, cause) for n in self._used.get(name, ()))

    def terminal(self, fit: Callable[[], Terminal]) -> Terminal:
        """The terminal phase, fitted once; raises Missing."""
        if self._terminal is None:
            try:
                self._terminal = fit()
            except Missing as reason:
                self._terminal = reason
        if isinstance(self._terminal, Missing):
            raise Missing(str(self._terminal))
        return self._terminal


def _because(name: str, reason: Missing) -> str:
    """The first cause: the name of the value that lacks, and why."""
    text = str(reason)
    return text if ": " in text else f"{name}: {text}"


def kind_of(length: float, tau: bool) -> str:
    """Which of the kinds of interval this is."""
    return OPEN if np.isinf(length) else (TAU if tau else PART)
