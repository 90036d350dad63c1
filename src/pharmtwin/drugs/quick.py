"""Quick answers of a drug file in one body: exposure of a dose, its fate by path, bioavailability, an interaction.

For the modeller at work; studies are simulated by the qualification. Fasted, normal genotype, one typical body.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_vector
from pharmtwin.drugs.schema import Compound, Drug
from pharmtwin.drugs.system import System, build
from pharmtwin.engine.run import REASONS, Dose, pack, simulate

Floats = NDArray[np.float64]
Body = Mapping[str, float]

RTOL = 1e-7
#: h; the area to infinity ends at the first of doubling times from which on it grows by less than 1e-4
LONGEST, GROWTH = 24.0 * 512, 1e-4
#: the window of the half-life ends where this share of the area has been seen
SEEN = 0.95


@dataclass(frozen=True)
class Regimen:
    """Doses of one drug: mg every ``every`` h, ``count`` times from ``start`` on. route as in ``drugs.dosing``."""

    drug: str
    dose: float
    route: str = "oral"
    every: float = 24.0
    count: int = 1
    start: float = 0.0
    formulation: str = ""

    def events(self, system: System) -> list[Dose]:
        """Doses for the engine; raises as :func:`dosing.dose_events`."""
        doses = [(self.start + k * self.every, self.dose, 0.0) for k in range(self.count)]
        return dose_events(system, self.drug, self.route, doses, self.formulation)


@dataclass(frozen=True)
class Exposure:
    """Of one compound after one dose: area to infinity (mg h/L), Cmax (mg/L), tmax and half-life (h), window (h).

    ``half_life`` is the slope over the second half of the window.
    """

    auc: float
    cmax: float
    tmax: float
    half_life: float
    window: float


@dataclass(frozen=True)
class Fate:
    """Where a dose went, as shares of it. paths : by path (``CYP3A4``, ``CYP3A4_gut``); absorbed : not in faeces.

    Of the parent alone: products of metabolism are followed no further, and do not act.
    """

    paths: Mapping[str, float]
    urine: float
    faeces: float
    enzymes: Mapping[str, str]

    @property
    def gut(self) -> float:
        """Share of the dose that the gut metabolises."""
        return sum(v for k, v in self.paths.items() if k.endswith("_gut"))


def solve(system: System, body: Body, doses: Sequence[Dose], times: Floats) -> dict[str, Floats]:
    """Observables by name at times; raises ValueError if no engine can solve it."""
    vector = parameter_vector(system, body)
    ordered = sorted(doses, key=lambda d: (d.time, d.route))
    flag = 0
    for engine in ("rosenbrock", "cvode"):
        packed = pack(system.model, np.array([vector]), [ordered], [np.asarray(times, dtype=float)])
        solved = simulate(system.model, packed, rtol=RTOL, engine=engine)
        flag = int(solved.flag[0])
        if flag == 0:
            return dict(zip(system.model.observable_names, solved.of(0).T))
    raise ValueError(f"could not be solved: {REASONS.get(flag, flag)}")


def grid(start: float, until: float) -> Floats:
    """Times that see a peak and an end: steps of 0.05 h for 6 h, of 0.25 h to 48 h, then 2 %."""
    late = 48.0 * 1.02 ** np.arange(0, int(np.log(max(until / 48.0, 1.0)) / np.log(1.02)) + 2)
    steps = np.concatenate([np.arange(0.0, 6.0, 0.05), np.arange(6.0, 48.0, 0.25), late, [until]])
    return start + np.unique(steps[steps <= until])


def exposure(times: Floats, concentration: Floats, area: Floats, start: float, window: float = 0.0) -> Exposure:
    """Exposure of one dose from a curve that starts at the dose (``start``); ``window`` 0: chosen by :data:`SEEN`.

    Raises ValueError if the area still grows at the end of the curve.
    """
    since, area = times - start, area - area[0]
    ends = [24.0 * 2**k for k in range(10) if 24.0 * 2**k <= since[-1]]
    at = np.interp(ends, since, area)
    settled = [i for i in range(len(ends) - 1) if at[i + 1] - at[i] <= GROWTH * at[i + 1]]
    if not settled:
        raise ValueError(f"the area under the curve still grows after {since[-1]:.0f} h")
    total = float(at[settled[0] + 1])
    window = window or float(since[np.argmax(area >= SEEN * total)])
    late = (since >= window / 2) & (since <= window) & (concentration > 0)
    slope = np.polyfit(since[late], np.log(concentration[late]), 1)[0] if late.sum() > 1 else np.nan
    peak = int(np.argmax(concentration))
    half = float(np.log(2) / -slope) if slope < 0 else float("nan")
    return Exposure(total, float(concentration[peak]), float(since[peak]), half, window)


def name(quantity: str, system: System, compound: str) -> str:
    """Name of a compound's observable."""
    suffix = system.part(compound).suffix
    return f"{quantity}_{suffix}" if suffix else quantity


def dose_response(
    drug: Drug, body: Body, dose: float, route: str = "oral", formulation: str = "", hours: float = 0.0
) -> dict[str, Exposure]:
    """Exposure of every compound of a drug after a single dose.

    Parameters
    ----------
    dose : mg. route : oral, iv or a depot. hours : window of the half-life (0: where 95 % of the area was seen).

    Raises ValueError for a route or solve that fails, or an area of the parent that never ends (a metabolite's is nan).
    """
    system = build([drug], formulations={drug.name: formulation} if formulation else None)
    times = grid(0.0, LONGEST)
    seen = solve(system, body, Regimen(drug.name, dose, route, formulation=formulation).events(system), times)
    out = {}
    for part in system.parts:
        of = part.compound.name
        concentration, area = seen[name("C_plasma", system, of)], seen[name("AUC", system, of)]
        after = 1 if part.dosed and route == "iv" else 0  # a bolus: the value at 0 is before the dose
        peak = concentration.copy()
        peak[:after] = 0.0
        try:
            if area[-1] > 0:
                out[of] = exposure(times, peak, area, 0.0, hours)
        except ValueError:
            if part.dosed:
                raise
            k = int(np.argmax(peak))  # a metabolite that (nearly) never leaves: it has a peak, but no area
            out[of] = Exposure(np.nan, float(peak[k]), float(times[k]), np.nan, np.nan)
    return out


def fate(drug: Drug, body: Body, dose: float, route: str = "oral", formulation: str = "") -> Fate:
    """Where a single dose ends, path by path."""
    alone = dataclasses.replace(drug, compounds=(_without_products(drug.parent),))
    states = [s.name for s in build([alone]).model.states]
    watched = [s for s in states if s.startswith(("A_met_", "A_urine", "A_faeces"))]
    forms = {drug.name: formulation} if formulation else None
    system = build([alone], formulations=forms, observe=watched)
    seen = solve(system, body, Regimen(drug.name, dose, route, formulation=formulation).events(system),
                 np.array([0.0, LONGEST]))  # fmt: skip
    amount = {s: float(seen[s][-1]) / dose for s in watched}
    paths = {s.removeprefix("A_met_"): v for s, v in amount.items() if s.startswith("A_met_")}
    enzymes = {}
    for path in drug.parent.paths:
        for tissue in path.where:
            enzymes[path.name if tissue == "liver" else f"{path.name}_{tissue}"] = path.enzyme
    return Fate(paths, amount.get("A_urine", 0.0), amount.get("A_faeces", 0.0), enzymes)


def _without_products(compound: Compound) -> Compound:
    """A compound whose paths end in nothing, so that what they take is counted."""
    return dataclasses.replace(compound, paths=tuple(dataclasses.replace(p, product="") for p in compound.paths))


@dataclass(frozen=True)
class Interaction:
    """Victim alone and in company. start : time of the victim's dose after the first of the others (h)."""

    alone: Exposure
    together: Exposure
    start: float

    @property
    def auc_ratio(self) -> float:
        return self.together.auc / self.alone.auc

    @property
    def cmax_ratio(self) -> float:
        return self.together.cmax / self.alone.cmax


def interaction(
    victim: Drug, others: Sequence[tuple[Drug, float, float]], body: Body, dose: float, route: str = "oral",
    lead: float = 120.0,
) -> Interaction:  # fmt: skip
    """A single dose of the victim beside repeated oral doses of others.

    Parameters
    ----------
    others : (drug, mg, every h), from ``lead`` h before the victim's dose until ten of its half-lives after it (at
        least 72 h).

    Raises as :func:`dose_response`.
    """
    alone = dose_response(victim, body, dose, route)[victim.parent.name]
    more = max(72.0, 10.0 * alone.half_life)
    system = build([victim, *(drug for drug, _, _ in others)])
    for _ in range(4):  # an inhibited victim stays longer: go on until its area has ended
        doses = Regimen(victim.name, dose, route, start=lead).events(system)
        for drug, mg, every in others:
            count = int(np.ceil((lead + more) / every))
            doses += Regimen(drug.name, mg, "oral", every, count).events(system)
        times = grid(lead, lead + more) if more < LONGEST else grid(lead, LONGEST)
        seen = solve(system, body, doses, np.concatenate([[0.0], times]))
        concentration, area = seen["C_plasma"][1:], seen["AUC"][1:]
        tail = area[-1] - np.interp(lead + more / 2, times, area)
        if tail <= 1e-3 * area[-1]:
            peak = int(np.argmax(concentration))
            together = Exposure(float(area[-1]), float(concentration[peak]), float(times[peak] - lead), np.nan, more)
            return Interaction(alone, together, lead)
        more *= 2.0
    raise ValueError(f"the area of {victim.name} still grows {more / 2:.0f} h after its dose")


@dataclass(frozen=True)
class Plateau:
    """Of one compound in the last interval of repeated doses: Cmax (mg/L) and its time after the dose (h)."""

    cmax: float
    tmax: float


def plateau(drug: Drug, body: Body, regimen: Regimen) -> dict[str, Plateau]:
    """Peaks of every compound in the last interval of a regimen."""
    system = build([drug], formulations={drug.name: regimen.formulation} if regimen.formulation else None)
    last = regimen.start + (regimen.count - 1) * regimen.every
    times = np.concatenate([[regimen.start], last + np.arange(0.0, regimen.every + 1e-9, 0.05)])
    seen = solve(system, body, regimen.events(system), np.unique(times))
    out = {}
    for part in system.parts:
        inside = np.unique(times) > last
        since = np.unique(times)[inside] - last
        concentration = seen[name("C_plasma", system, part.compound.name)][inside]
        k = int(np.argmax(concentration))
        out[part.compound.name] = Plateau(float(concentration[k]), float(since[k]))
    return out
