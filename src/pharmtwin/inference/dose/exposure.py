"""What a dosing interval brings: areas, peak, trough, time above a level, for every draw; of one or many regimens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.dose.forecast import affine_in_doses, forecast
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.dose.regimens import Regimen

Floats = NDArray[np.float64]
METRICS = ("AUC", "AUC24", "Cmax", "Ctrough", "Cavg", "time_above")
POINTS = 384  # steps of the curve within an interval, shorter after the dose than before the next
#: an area within this share of the one that repeated intervals lead to counts as that of the steady state
STEADY = 0.05
#: areas that differ by less are equal: the solver's own error, added up over the intervals before
EQUAL = 1e-4
REFERENCE = 1000.0  # mg; linear models are solved for this amount and scaled


@dataclass(frozen=True)
class Exposure:
    """The last interval of a regimen, a draw each; NaN where the solve failed.

    Attributes
    ----------
    times (n_times,) h from the dose, curve (n, n_times) : concentrations; at time 0 after the dose.
    areas (n, n_intervals) : areas of the last intervals, the last one first. interval : h.
    """

    times: Floats
    curve: Floats
    areas: Floats
    interval: float

    @property
    def AUC(self) -> Floats:
        """Area of the interval (n,)."""
        return np.asarray(self.areas[:, 0])

    @property
    def AUC24(self) -> Floats:
        """Area a day (n,): of the whole intervals that make up at least 24 h, per 24 h.

        For intervals that do not divide a day, or are longer than one, it is so what a day brings on average.
        """
        m = min(self.areas.shape[1], intervals_of_a_day(self.interval))
        return np.asarray(self.areas[:, :m].sum(axis=1) * 24.0 / (m * self.interval))

    @property
    def Cmax(self) -> Floats:
        """Highest concentration (n,)."""
        return np.asarray(self.curve.max(axis=1))

    @property
    def Ctrough(self) -> Floats:
        """Concentration at the end of the interval (n,)."""
        return np.asarray(self.curve[:, -1])

    @property
    def Cavg(self) -> Floats:
        """Mean concentration of the interval (n,)."""
        return self.AUC / self.interval

    def time_above(self, level: float) -> Floats:
        """Share of the interval above a concentration (n,), the curve straight between its points."""
        a, b = self.curve[:, :-1] - level, self.curve[:, 1:] - level
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(a * b < 0, np.maximum(a, b) / np.abs(b - a), np.where(a + b > 0, 1.0, 0.0))
        share[~np.isfinite(a + b)] = np.nan
        return np.asarray(share @ np.diff(self.times) / self.interval)

    @property
    def settled(self) -> float:
        """Share of the draws whose area is within :data:`STEADY` of that of the steady state; NaN before three doses.

        The limit is extrapolated from three areas as a geometric series, which accumulation is for one phase of decline
        and becomes for several.
        """
        if self.areas.shape[1] < 3:
            return math.nan
        A1, A2, A3 = self.areas[:, 0], self.areas[:, 1], self.areas[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            r = (A1 - A2) / (A2 - A3)
            left = (A1 - A2) * r / (1.0 - r)
            near = (r >= 0) & (r < 1) & (np.abs(left) <= STEADY * np.abs(A1 + left))
            equal = np.abs(A1 - A2) <= EQUAL * np.abs(A1)
        return float(np.mean(near | equal))


def intervals_of_a_day(interval: float) -> int:
    """Whole intervals (h) that make up at least 24 h."""
    return math.ceil(24.0 / interval - 1e-9)


def metric(e: Exposure, name: str, level: float = 0.0) -> Floats:
    """A metric of :data:`METRICS`, a draw each; raises KeyError for an unknown one."""
    if name not in METRICS:
        raise KeyError(f"unknown metric {name!r}; use one of {', '.join(METRICS)}")
    return e.time_above(level) if name == "time_above" else np.asarray(getattr(e, name))


def exposure(person: Person, regimen: Regimen, output: str, threads: int = 1) -> Exposure:
    """The last interval of ``regimen.n_doses`` doses."""
    n, interval = regimen.n_doses, regimen.interval
    last = (n - 1) * interval
    inside = interval * np.linspace(0.0, 1.0, POINTS + 1) ** 2
    peak = [regimen.duration] if 0 < regimen.duration < interval else []
    own = np.unique([*inside, *peak])
    kept = min(n, max(3, intervals_of_a_day(interval)))
    before = np.array([(n - j) * interval for j in range(kept, 1, -1)])
    times = np.concatenate([before, last + own])
    first = len(before)
    seen = forecast(person, regimen.doses(person.model), times, output, late=[first], threads=threads)
    bounds = seen.area[:, [*range(first + 1), -1]]
    return Exposure(own, seen.concentration[:, first:], np.diff(bounds, axis=1)[:, ::-1], interval)


def exposures(person: Person, regimens: Sequence[Regimen], output: str, threads: int = 1) -> list[Exposure]:
    """The same for many; where the model is linear, all amounts of a rhythm follow from two solves."""
    scaled = affine_in_doses(person.model, output)
    ends: dict[Regimen, tuple[Exposure, Exposure]] = {}
    found = []
    for r in regimens:
        if not scaled or r.modelled == -1:  # a given rate: the length of the input follows from the amount
            found.append(exposure(person, r, output, threads))
            continue
        one, none = r.of_amount(REFERENCE), r.of_amount(0.0)
        if one not in ends:
            ends[one] = exposure(person, none, output, threads), exposure(person, one, output, threads)
        nothing, unit = ends[one]
        share = r.amount / one.amount
        found.append(Exposure(unit.times, nothing.curve + share * (unit.curve - nothing.curve),
                              nothing.areas + share * (unit.areas - nothing.areas), r.interval))  # fmt: skip
    return found
