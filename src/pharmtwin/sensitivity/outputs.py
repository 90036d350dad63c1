"""What is looked at: exposure metrics of the observed interval, times to a target, any observable; and the time course.

An output is a statistic of one observable. AUC comes from an integrated state, not from a trapezoid. ``log`` outputs
are analysed on the logarithm (shares of relative variation), others as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.exposure import GRID_POINTS, NG_ML
from pharmtwin.model.description import Definition, Flux, Model, State

Floats = NDArray[np.float64]
#: statistic -> meaning; those of the whole course begin at the first dose, the others at the observed interval
STATISTICS = {
    "AUC": "area under the observable over the interval",
    "max": "largest value in the interval",
    "min": "smallest value in the interval",
    "end": "value at the end of the interval",
    "tmax": "time of the largest value, from the start of the interval",
    "time_above": "time in the interval above a level",
    "time_to": "time from the first dose until a level is first reached (the end of the run if it never is)",
}
COURSE = 25  # points of the time course in the interval
WHOLE_COURSE = ("time_to",)
LOG = ("AUC", "max", "min", "end")
#: names that need no more words: statistic of the plasma concentration
SHORT = {"AUCtau": "AUC", "AUC": "AUC", "Cmax": "max", "Cmin": "min", "Ctrough": "end", "tmax": "tmax"}


@dataclass(frozen=True)
class Output:
    """One output. ``level`` of a target; ``factor`` from the model's unit to ``unit``."""

    name: str
    statistic: str
    observable: str
    unit: str
    factor: float = 1.0
    level: float = float("nan")
    log: bool = False

    def text(self) -> str:
        """In words."""
        at = f", level {self.level * self.factor:g} {self.unit}" if np.isfinite(self.level) else ""
        return f"{STATISTICS[self.statistic]} ({self.observable}{at})"


@dataclass(frozen=True)
class Window:
    """The observed interval, h since the first dose, and the step of the records before it (0: none)."""

    start: float
    end: float
    early: float = 0.0

    def times(self) -> Floats:
        """Record times: a fine grid of the interval, and coarse ones before it where something needs them."""
        fine = self.start + np.linspace(0.0, self.end - self.start, GRID_POINTS)
        if not self.early:
            return fine
        return np.unique(np.concatenate([np.arange(0.0, self.start, self.early), fine]))

    def course(self) -> Floats:
        """Times of the time course of indices, (COURSE,)."""
        return self.times()[-GRID_POINTS:][:: (GRID_POINTS - 1) // (COURSE - 1)]


def output_of(given: object, concentration: str, *, factor: float = NG_ML, unit: str = "ng/mL") -> Output:
    """An output from its name (:data:`SHORT`) or from name, statistic, observable, level, unit, factor, log.

    Parameters
    ----------
    concentration : observable that short names read; factor, unit : that bring it to what is written.

    Raises
    ------
    ValueError : a name or statistic that is not known, or a target without level.
    """
    if isinstance(given, str):
        if given not in SHORT:
            raise ValueError(
                f"output {given!r} is not one of {', '.join(SHORT)}, nor a block with statistic, observable"
            )
        given = {"name": given, "statistic": SHORT[given]}
    if not isinstance(given, dict) or not given.get("name"):
        raise ValueError(f"output {given!r} has no name")
    known = {"name", "statistic", "observable", "level", "unit", "factor", "log"}
    name, statistic = str(given["name"]), str(given.get("statistic", ""))
    if set(given) - known:
        raise ValueError(
            f"output {name}: unknown keys {sorted(set(given) - known)}; known are {', '.join(sorted(known))}"
        )
    if statistic not in STATISTICS:
        raise ValueError(f"output {name}: statistic {statistic!r} is not one of {', '.join(STATISTICS)}")
    observable = str(given.get("observable", concentration))
    plasma = observable == concentration
    own_factor = float(given.get("factor", factor if plasma else 1.0))
    own_unit = str(given.get("unit", unit if plasma else "1"))
    level = float(given.get("level", np.nan))
    if statistic in ("time_to", "time_above") and not np.isfinite(level):
        raise ValueError(f"output {name}: {statistic} needs a level")
    if statistic in ("tmax", "time_to", "time_above"):
        own_unit, shown = "h", 1.0
    else:
        shown = own_factor
        own_unit = (
            f"{own_unit.replace('/', '*h/', 1) if '/' in own_unit else own_unit + '*h'}"
            if statistic == "AUC"
            else own_unit
        )
    return Output(
        name, statistic, observable, own_unit, shown, level / own_factor, bool(given.get("log", statistic in LOG))
    )


def area_name(observable: str) -> str:
    """Name of the state that integrates an observable."""
    return f"area_under_{observable}"


def observing(model: Model, outputs: Sequence[Output], concentration: str) -> Model:
    """The model that returns what the outputs read: their observables, and integrals for those that ask for an area.

    Raises ValueError naming an observable that the model does not have.
    """
    defined = {d.name: d for d in model.definitions} | {o.name: o for o in model.observables}
    states = {s.name: s for s in model.states}
    wanted = list(dict.fromkeys([concentration, *(o.observable for o in outputs)]))
    missing = [n for n in wanted if n not in defined and n not in states]
    if missing:
        raise ValueError(f"model {model.name} has nothing called {', '.join(missing)}")
    chosen = [defined.get(n) or Definition(n, n, states[n].unit, states[n].meaning) for n in wanted]
    areas = dict.fromkeys(o.observable for o in outputs if o.statistic == "AUC")
    added, fluxes = [], []
    for name in areas:
        unit = (defined.get(name) or states[name]).unit
        state = State(area_name(name), f"{unit}*h", f"area under {name}")
        added.append(state)
        fluxes.append(Flux(f"into_{state.name}", name, unit, target=state.name))
        chosen.append(Definition(state.name, state.name, state.unit, state.meaning))
    return replace(model, name=f"{model.name}_sensitivity", states=(*model.states, *added),
                   fluxes=(*model.fluxes, *fluxes), observables=tuple(chosen), sensitivities=())  # fmt: skip


def read_outputs(outputs: Sequence[Output], window: Window, observables: Sequence[str], values: Floats) -> Floats:
    """Outputs of many runs, on the scale that is analysed (logarithm where ``log``).

    Parameters
    ----------
    values : (n, n_times, n_observables) at ``window.times()``.

    Returns
    -------
    (n, n_outputs); NaN where a run has failed, and where a logarithm does not exist.
    """
    times, at = window.times(), {n: k for k, n in enumerate(observables)}
    first = len(times) - GRID_POINTS
    t = times[first:] - window.start
    out = np.full((len(values), len(outputs)), np.nan)
    for k, o in enumerate(outputs):
        x = values[:, first:, at[o.observable]]
        if o.statistic == "AUC":
            area = values[:, first:, at[area_name(o.observable)]]
            found = area[:, -1] - area[:, 0]
        elif o.statistic == "time_to":
            found = _reached(times, values[:, :, at[o.observable]], o.level)
        elif o.statistic == "time_above":
            found = np.trapezoid((x > o.level).astype(float), t, axis=1)
        elif o.statistic == "tmax":
            found = _top(t, x)
        elif o.statistic == "end":
            found = x[:, -1]
        else:
            found = x.max(axis=1) if o.statistic == "max" else x.min(axis=1)
        found = np.where(np.isfinite(values).all(axis=(1, 2)), found * o.factor, np.nan)
        if o.log:
            with np.errstate(divide="ignore", invalid="ignore"):
                found = np.log(found)
        out[:, k] = np.where(np.isfinite(found), found, np.nan)
    return out


def _top(t: Floats, x: Floats) -> Floats:
    """Time of the largest value: vertex of the parabola through it and its neighbours, so that it moves smoothly."""
    k = x.argmax(axis=1)
    inner = (k > 0) & (k < len(t) - 1)
    m = np.clip(k, 1, len(t) - 2)
    rows = np.arange(len(x))
    before, top, after = x[rows, m - 1], x[rows, m], x[rows, m + 1]
    bend = before - 2.0 * top + after
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend < 0, 0.5 * (before - after) / bend, 0.0)
    return np.where(inner, t[m] + np.clip(shift, -1.0, 1.0) * (t[1] - t[0]), t[k])


def _reached(t: Floats, x: Floats, level: float) -> Floats:
    """First time at which a level is crossed, from wherever the run starts; the last time if it never is."""
    above = x >= level
    other = above != above[:, :1]
    k = np.where(other.any(axis=1), other.argmax(axis=1), 0)
    rows = np.arange(len(x))
    a, b = x[rows, np.maximum(k - 1, 0)], x[rows, k]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.where(b != a, (level - a) / (b - a), 1.0), 0.0, 1.0)
    found = t[np.maximum(k - 1, 0)] + share * (t[k] - t[np.maximum(k - 1, 0)])
    return np.where(k > 0, found, t[-1])
