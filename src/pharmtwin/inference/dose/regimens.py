"""Regimens that can be prescribed: whole or split licensed units, at licensed intervals, within licensed limits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.records import Dose


@dataclass(frozen=True)
class Regimen:
    """``amount`` (mg) every ``interval`` (h), ``n_doses`` times, into ``state``; an infusion if ``duration`` (h) > 0.

    ``modelled``: the input's rate (-1) or duration (-2) is a parameter of the model (as RATE in NONMEM), else 0.
    ``made_of``: units that make the amount, in words.
    """

    amount: float
    interval: float
    n_doses: int
    state: str
    duration: float = 0.0
    modelled: int = 0
    made_of: str = ""

    @property
    def name(self) -> str:
        """As a prescription says it."""
        length = f" over {self.duration:g} h" if self.duration else ""
        return f"{self.amount:g} mg{length} every {self.interval:g} h"

    @property
    def daily(self) -> float:
        """Amount a day (mg)."""
        return self.amount * 24.0 / self.interval

    def of_amount(self, amount: float) -> Regimen:
        """The same rhythm with another amount (mg)."""
        return replace(self, amount=amount, made_of="")

    def doses(self, model: PopulationModel) -> tuple[Dose, ...]:
        """Its doses from time 0 on, one by one; raises KeyError for a state that the model does not have."""
        states = model.structure.state_names
        if self.state not in states:
            raise KeyError(f"model {model.name} has no state {self.state!r}; it has {states}")
        rate = self.amount / self.duration if self.duration else float(self.modelled)
        number = states.index(self.state)
        return tuple(Dose(k * self.interval, number, self.amount, rate, 0.0, 0, 0, 0) for k in range(self.n_doses))


@dataclass(frozen=True)
class Licence:
    """What may be prescribed: ``strengths`` (mg) of a unit, at most ``units`` a dose; ``intervals`` (h); limits (mg).

    ``splits``: 1 whole units only, 2 halves too. ``durations`` (h) of infusions, empty for other routes; none is longer
    than its interval. ``modelled``: see :class:`Regimen`.
    """

    strengths: tuple[float, ...]
    intervals: tuple[float, ...]
    state: str
    units: int = 3
    highest_dose: float = float("inf")
    highest_daily: float = float("inf")
    lowest_dose: float = 0.0
    durations: tuple[float, ...] = ()
    splits: int = 1
    modelled: int = 0


def amounts(licence: Licence) -> dict[float, str]:
    """Every amount (mg) that the units make, with the fewest of them, in words; ascending."""
    shares = [Fraction(str(s)) / licence.splits for s in sorted(licence.strengths, reverse=True)]
    made: dict[Fraction, tuple[int, ...]] = {Fraction(0): (0,) * len(shares)}
    newest = dict(made)
    for _ in range(licence.units * licence.splits):  # one share more each time, so the first way is the shortest
        grown: dict[Fraction, tuple[int, ...]] = {}
        for amount, counts in newest.items():
            for k, share in enumerate(shares):
                more = (*counts[:k], counts[k] + 1, *counts[k + 1 :])
                if amount + share not in made:
                    grown.setdefault(amount + share, more)
        made |= grown
        newest = grown
    words = {float(a): _words({float(s) * licence.splits: Fraction(c, licence.splits) for s, c in zip(shares, counts)})
             for a, counts in made.items() if a > 0}  # fmt: skip
    return dict(sorted(words.items()))


def _words(units: Mapping[float, Fraction]) -> str:
    """``{500.0: 3/2}`` -> ``1.5 x 500 mg``."""
    return " + ".join(f"{float(count):g} x {strength:g} mg" for strength, count in units.items() if count)


def regimens(licence: Licence, horizon: float) -> list[Regimen]:
    """All regimens of a licence, by daily amount, then longer intervals first; each lasts ``horizon`` (h) or more.

    Raises ValueError where nothing can be prescribed.
    """
    found = [
        Regimen(a, i, max(1, math.ceil(horizon / i - 1e-9)), licence.state, d, licence.modelled, words)
        for (a, words), i, d in itertools.product(
            amounts(licence).items(), licence.intervals, licence.durations or (0.0,)
        )
        if licence.lowest_dose <= a <= licence.highest_dose
        and a * 24.0 / i <= licence.highest_daily * (1 + 1e-9)
        and d <= i
    ]
    if not found:
        raise ValueError(f"no dose can be made of {licence.strengths} mg within the licence's limits")
    return sorted(found, key=lambda r: (r.daily, -r.interval, r.duration))
