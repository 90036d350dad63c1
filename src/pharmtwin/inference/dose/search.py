"""Answers on a continuous scale: which dose, which interval, how long until a level, with a probability over the draws.

``probability`` p counts draws: a value is reached with p where at least a share p of the draws reaches it. A draw whose
solve failed reaches nothing. With one draw every p gives its own answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from pharmtwin.inference.dose.exposure import exposure
from pharmtwin.inference.dose.forecast import forecast
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.dose.regimens import Regimen

Floats = NDArray[np.float64]
LARGEST = 1e6  # times the first guess


class NoAnswer(ValueError):
    """No dose, interval or time gives what is asked; the message says what the ends give."""


def reached(values: Floats, probability: float) -> float:
    """The largest number that at least a share ``probability`` of the values (n, ...) reaches; by column."""
    falling = -np.sort(-np.where(np.isnan(values), -np.inf, values), axis=0)
    return falling[max(math.ceil(probability * len(values) - 1e-9), 1) - 1]


def _root(f: Callable[[float], float], low: float, high: float, what: str) -> float:
    a, b = f(low), f(high)
    if not (np.isfinite(a) and np.isfinite(b)) or a * b > 0:
        raise NoAnswer(
            f"{what}: between {low:g} and {high:g} the difference from what is asked goes from {a:g} to {b:g}"
        )
    return float(brentq(f, low, high, xtol=1e-9 * high, rtol=1e-10))


def dose_for(
    person: Person, regimen: Regimen, value: Callable[[Person, Regimen], Floats], target: float,
    probability: float = 0.5,
) -> float:  # fmt: skip
    """The smallest amount (mg) with which ``value`` reaches ``target`` with a probability; 0 where it does so without.

    value : a draw each, for instance ``lambda p, r: exposure(p, r, "plasma").AUC``; it must grow with the dose.
    """

    def f(amount: float) -> float:
        return float(reached(value(person, regimen.of_amount(amount)), probability)) - target

    if f(0.0) >= 0:
        return 0.0
    high = max(regimen.amount, 1.0)
    while f(high) < 0:
        high *= 4.0
        if high > LARGEST * max(regimen.amount, 1.0):
            raise NoAnswer(f"no dose up to {high:g} mg reaches {target:g} with probability {probability:g}")
    return _root(f, 0.0, high, "dose")


def concentration_at(person: Person, regimen: Regimen, time: float, output: str) -> Floats:
    """Concentration at a time (h after the regimen's start; before a dose of that time), a draw each."""
    return np.asarray(forecast(person, regimen.doses(person.model), np.array([time]), output).concentration[:, 0])


def area_between(person: Person, regimen: Regimen, start: float, end: float, output: str) -> Floats:
    """Area from ``start`` to ``end`` (h after the regimen's start), a draw each."""
    area = forecast(person, regimen.doses(person.model), np.array([start, end]), output).area
    return np.asarray(area[:, 1] - area[:, 0])


def time_until_below(
    person: Person, regimen: Regimen, level: float, output: str, probability: float = 0.5, longest: float = 2400.0
) -> float:
    """Hours from the last dose until the concentration, its peak past, is below ``level`` with a probability.

    0 where the level is not reached at all.
    """
    last = (regimen.n_doses - 1) * regimen.interval

    def highest(times: Floats) -> Floats:
        """What the concentration stays below with the probability, at each time."""
        curve = forecast(person, regimen.doses(person.model), last + times, output).concentration
        return -np.asarray(reached(-curve, probability))

    grid = longest * np.linspace(0.0, 1.0, 1201) ** 2
    curve = highest(grid)
    peak = int(np.argmax(curve))
    if curve[peak] < level:
        return 0.0
    below = np.flatnonzero(curve[peak:] < level)
    if not len(below):
        raise NoAnswer(f"the concentration stays above {level:g} for {longest:g} h")
    k = peak + int(below[0])
    return _root(lambda t: float(highest(np.array([t]))[0]) - level, float(grid[k - 1]), float(grid[k]), "time")


def interval_for(
    person: Person, regimen: Regimen, trough: float, output: str, probability: float = 0.5, longest: float = 240.0
) -> float:
    """The longest interval (h) at which the trough of the last dose still reaches ``trough`` with a probability."""

    def f(interval: float) -> float:
        e = exposure(person, replace(regimen, interval=interval), output)
        return float(reached(e.Ctrough, probability)) - trough

    return _root(f, max(regimen.duration, 0.5), longest, "interval")
