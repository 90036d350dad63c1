"""Regimens that can be prescribed: whole numbers of licensed units, at licensed intervals, within licensed limits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.records import Dose


@dataclass(frozen=True)
class Regimen:
    """``amount`` (mg) every ``interval`` (h), ``n_doses`` times, into ``state``, as an infusion of ``duration`` (h) if > 0.

    ``modelled``: the input's duration or rate is a parameter of the model (RATE -2 or -1), else 0.
    """

    amount: float
    interval: float
    n_doses: int
    state: str
    duration: float = 0.0
    modelled: int = 0

    @property
    def name(self) -> str:
        """As a prescription says it."""
        length = f" over {self.duration:g} h" if self.duration else ""
        return f"{self.amount:g} mg{length} every {self.interval:g} h"

    @property
    def daily(self) -> float:
        """Amount a day (mg)."""
        return self.amount * 24.0 / self.interval

    def doses(self, model: PopulationModel) -> tuple[Dose, ...]:
        """Its doses from time 0 on; raises KeyError for a state that the model does not have."""
        states = model.structure.state_names
        if self.state not in states:
            raise KeyError(f"model {model.name} has no state {self.state!r}; it has {states}")
        rate = self.amount / self.duration if self.duration else float(self.modelled)
        return (Dose(0.0, states.index(self.state), self.amount, rate, self.interval, self.n_doses - 1, 0, 0),)


@dataclass(frozen=True)
class Licence:
    """What may be prescribed: ``strengths`` (mg) of a unit, at most ``units`` a dose; ``intervals`` (h); limits (mg).

    ``splits``: 1 whole units only, 2 halves too. ``durations`` (h) of infusions, empty for other routes.
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


def regimens(licence: Licence, horizon: float) -> list[Regimen]:
    """All regimens of a licence, by daily amount and then longer intervals first; each lasts about ``horizon`` (h).

    Raises ValueError where nothing can be prescribed.
    """
    amounts = {0.0}
    for strength in licence.strengths:
        steps = [strength * k / licence.splits for k in range(licence.units * licence.splits + 1)]
        amounts |= {a + s for a, s in itertools.product(amounts, steps) if _units(a + s, licence) <= licence.units}
    found = [
        Regimen(round(a, 9), i, max(1, round(horizon / i)), licence.state, d)
        for a, i, d in itertools.product(sorted(amounts), licence.intervals, licence.durations or (0.0,))
        if a > 0
        and licence.lowest_dose <= a <= licence.highest_dose
        and a * 24.0 / i <= licence.highest_daily * (1 + 1e-9)
    ]
    if not found:
        raise ValueError(f"no dose can be made of {licence.strengths} mg within the licence's limits")
    return sorted(found, key=lambda r: (r.daily, -r.interval, r.duration))


def _units(amount: float, licence: Licence) -> float:
    """Fewest units that make an amount (the largest strengths first)."""
    left, units = amount, 0.0
    for strength in sorted(licence.strengths, reverse=True):
        share = strength / licence.splits
        n = int(left / share + 1e-9)
        left -= n * share
        units += n / licence.splits
    return units if left < 1e-9 * max(amount, 1.0) else float("inf")


def single(amounts: Sequence[float], state: str, interval: float, duration: float = 0.0) -> list[Regimen]:
    """One dose each, followed for ``interval`` (h)."""
    return [Regimen(float(a), interval, 1, state, duration) for a in amounts]
