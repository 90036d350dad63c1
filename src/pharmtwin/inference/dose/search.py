"""Answers on a continuous scale: which dose reaches a value, which interval, how long until a level, for one set of effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from pharmtwin.inference.dose.forecast import Person, exposure, forecast
from pharmtwin.inference.dose.regimens import Regimen

LARGEST = 1e6  # times the first guess


class NoAnswer(ValueError):
    """No dose, interval or time gives what is asked; the message says what the ends give."""


def _root(f: Callable[[float], float], low: float, high: float, what: str) -> float:
    a, b = f(low), f(high)
    if not (np.isfinite(a) and np.isfinite(b)) or a * b > 0:
        raise NoAnswer(
            f"{what}: between {low:g} and {high:g} the difference from what is asked goes from {a:g} to {b:g}"
        )
    return float(brentq(f, low, high, xtol=1e-9 * high, rtol=1e-10))


def dose_for(
    person: Person,
    regimen: Regimen,
    value: Callable[[Person, Regimen], np.ndarray],
    target: float,
    probability: float = 0.5,
) -> float:
    """The amount (mg) whose quantile 1 - probability of a value over the draws is ``target`` (for one draw: its value).

    With probability p the value is then at least the target. ``value``: for instance ``lambda p, r: exposure(p, r, "C").AUC``;
    it must grow with the dose.
    """

    def f(amount: float) -> float:
        return float(np.quantile(value(person, replace(regimen, amount=amount)), 1.0 - probability)) - target

    high = max(regimen.amount, 1.0)
    while f(high) < 0:
        high *= 4.0
        if high > LARGEST * max(regimen.amount, 1.0):
            raise NoAnswer(f"no dose up to {high:g} mg reaches {target:g}")
    return _root(f, 0.0, high, "dose")


def concentration_at(person: Person, regimen: Regimen, time: float, output: str) -> np.ndarray:
    """Concentration at a time (h) after the regimen's start, a draw each."""
    return np.asarray(forecast(person, regimen.doses(person.model), np.array([time]), output).concentration[:, 0])


def area_between(person: Person, regimen: Regimen, start: float, end: float, output: str) -> np.ndarray:
    """Area from ``start`` to ``end`` (h after the regimen's start), a draw each."""
    area = forecast(person, regimen.doses(person.model), np.array([start, end]), output).area
    return np.asarray(area[:, 1] - area[:, 0])


def time_until_below(person: Person, regimen: Regimen, level: float, output: str, longest: float = 2400.0) -> float:
    """Hours from the last dose until the median concentration falls below ``level`` (after its peak)."""
    last = (regimen.n_doses - 1) * regimen.interval
    grid = np.linspace(0.0, longest, 4801)
    curve = np.median(forecast(person, regimen.doses(person.model), last + grid, output).concentration, axis=0)
    peak = int(np.argmax(curve))
    below = np.flatnonzero(curve[peak:] < level)
    if not len(below):
        raise NoAnswer(f"the concentration stays above {level:g} for {longest:g} h")
    k = peak + int(below[0])
    if k == 0:
        return 0.0

    def f(t: float) -> float:
        return float(np.median(concentration_at(person, regimen, last + t, output))) - level

    return _root(f, float(grid[max(k - 1, 0)]), float(grid[k]), "time")


def interval_for(person: Person, regimen: Regimen, trough: float, output: str, longest: float = 240.0) -> float:
    """The interval (h) at which the median trough after ``regimen.n_doses`` doses is ``trough``."""

    def f(interval: float) -> float:
        return float(np.median(exposure(person, replace(regimen, interval=interval), output).Ctrough)) - trough

    return _root(f, max(regimen.duration, 0.5), longest, "interval")
