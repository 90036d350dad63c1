"""Simulation of imported models: the engines between events, stop and resume at events.

Comparisons of time with constants (in triggers and in rules) give times at which the run stops exactly. Triggers that
depend on states are searched for on a grid and narrowed down. Values at the time of an event or of a jump of a rule are
those after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pharmtwin.engine.run import REASONS, pack, simulate
from pharmtwin.exchange.evaluate import ExchangeError, Floats, Scope, comparisons, evaluate
from pharmtwin.exchange.imported import ImportedEvent, ImportedModel, complete, vector
from pharmtwin.exchange.sbml_jumps import closure, searched_events, stops
from pharmtwin.model.description import TIME

#: how far below the largest state a state is still solved to the relative tolerance
FLOOR = 1e-9
#: points between two stops at which triggers of states are looked at, and points of each narrowing
GRID, NARROW = 201, 33
#: a trigger is found to this share of the time (or of one time unit); triggers are asked just after a stop
TIME_TOLERANCE = 1e-12
MAX_CASCADE, MAX_NARROWING, MAX_CLOSER = 100, 12, 4
Values = dict[str, float]


@dataclass(frozen=True)
class Solver:
    """Engine, relative tolerance and (for all states alike) absolute tolerance.

    Models from elsewhere come in any unit (1e-9 mmol of a hormone beside 100 mg of a drug), so that the default
    absolute tolerance is :data:`FLOOR` x rtol x the largest state at the start of a stretch.
    """

    engine: str = "cvode"
    rtol: float = 1e-8
    atol: float | None = None

    def absolute(self, states: Floats, names_of: list[str]) -> Floats:
        """Absolute tolerance of each state (time is no measure of the others)."""
        largest = max((abs(v) for n, v in zip(names_of, states, strict=True) if n != TIME), default=0.0) or 1.0
        return np.full(states.shape, FLOOR * self.rtol * largest if self.atol is None else self.atol)


@dataclass(frozen=True)
class Point:
    """A moment of a run: constants (events may change them), states and what each trigger says."""

    time: float
    parameters: Values
    states: Values
    armed: tuple[bool, ...]


def simulate_imported(
    imported: ImportedModel,
    times: Sequence[float] | Floats,
    parameter_values: Mapping[str, float] | None = None,
    *,
    columns: Sequence[str] | None = None,
    start_time: float = 0.0,
    engine: str = "cvode",
    rtol: float = 1e-8,
    atol: float | None = None,
) -> pd.DataFrame:
    """Simulate an imported model, events included.

    Parameters
    ----------
    times : sorted output times in the model's time unit, none before ``start_time``.
    parameter_values : SBML id -> value at the start (see :meth:`ImportedModel.start_values`).
    columns : SBML ids or model names; default all observables of the model and what events change.
    engine, rtol : as :func:`pharmtwin.engine.run.simulate`. atol : absolute tolerance of all states; default see
        :class:`Solver`.

    Returns
    -------
    One row a time: ``time`` and the columns, named by SBML id where there is one. A row at the time of an event holds
    the values after it.

    Raises
    ------
    ExchangeError : start values that are missing, a run that fails, events at one time whose order would matter.
    """
    parameters, states = imported.start_values(parameter_values, start_time)
    frame, _ = run(imported, parameters, states, times, Solver(engine, rtol, atol), columns, start_time)
    return frame


def run(
    imported: ImportedModel,
    parameters: Values,
    states: Values,
    times: Sequence[float] | Floats,
    solver: Solver,
    columns: Sequence[str] | None = None,
    start_time: float = 0.0,
) -> tuple[pd.DataFrame, Point]:
    """As :func:`simulate_imported`, from given constants and states; also returns where the run ended."""
    wanted = np.asarray(times, dtype=float)
    if wanted.size == 0 or np.any(np.diff(wanted) < 0) or wanted[0] < start_time:
        raise ExchangeError(f"output times must be sorted, at least one, and none before the start at {start_time:g}")
    complete(imported, parameters | states)
    shown = _columns(imported, columns)
    point = _begin(imported, parameters, states, start_time)
    rows: list[tuple[Floats, dict[str, Floats]]] = []
    end = float(wanted[-1])
    while point.time < end:
        stop = min((b for b in stops(imported, point.parameters) if b > point.time), default=end)
        stop = min(stop, end)
        inside = wanted[(wanted >= point.time) & (wanted < stop)]
        point, kept, trace = _advance(imported, point, inside, stop, solver)
        rows.append((kept, _pick(imported, shown, trace)))
    last = wanted[wanted == end]
    _, trace = _integrate(imported, point, last, solver)
    rows.append((last, _pick(imported, shown, trace)))
    data = {c: np.concatenate([r[c] for _, r in rows]) for c in shown}
    return pd.DataFrame({"time": np.concatenate([t for t, _ in rows])} | data), point


def _columns(imported: ImportedModel, columns: Sequence[str] | None) -> dict[str, str]:
    """Column -> name in the model."""
    back = {name: identifier for identifier, name in imported.ids.items()}
    if columns is None:
        changed = [v for e in imported.events for v, _ in e.assignments]
        targets = [imported.name_of(v) for v in changed]
        targets += [imported.species[v].amount for v in changed if v in imported.species]
        everything = dict.fromkeys([*imported.model.observable_names, *targets])
        return {back.get(n, n): n for n in everything if n != TIME}
    return {c: imported.name_of(c) for c in columns}


def _pick(imported: ImportedModel, shown: Mapping[str, str], trace: Scope) -> dict[str, Floats]:
    n = len(np.atleast_1d(trace[TIME]))
    return {c: np.broadcast_to(np.asarray(trace[name], dtype=float), (n,)) for c, name in shown.items()}


def _integrate(imported: ImportedModel, point: Point, times: Floats, solver: Solver) -> tuple[Values, Scope]:
    """Run the engine from a point without events; final states and values of every name at ``times`` (sorted)."""
    model = imported.model
    if not model.state_names:  # nothing to integrate: constants, rules of constants and events
        return {}, imported.scope(point.parameters, {}, times)
    at_start, clock = vector(model.state_names, point.states), times
    if TIME in model.state_names:  # what jumps at a stop must not be seen before it, nor its past after it
        at_start[model.state_names.index(TIME)] = point.time + _breath(point.time)
        clock = np.clip(times, None, max(point.time, times[-1] - 2 * _breath(times[-1])))
    constants = vector(model.parameter_names, point.parameters)
    unknown = {p for p, v in zip(model.parameter_names, constants, strict=True) if not np.isfinite(v)}
    batch = pack(
        model,
        [np.nan_to_num(constants)],  # no rate uses the unknown ones (see complete); what else does is NaN below
        [[]],
        [clock],
        state0=at_start[None, :],
        segment_times=[np.array([point.time])],
    )
    result = simulate(
        model, batch, engine=solver.engine, rtol=solver.rtol, atol=solver.absolute(at_start, model.state_names)
    )
    if result.flag[0]:
        raise ExchangeError(
            f"model {model.name}: {solver.engine} failed between {point.time:g} and {times[-1]:g}: "
            f"{REASONS.get(int(result.flag[0]), 'unknown reason')}; try the other engine or another rtol"
        )
    seen = dict(zip(model.observable_names, result.of(0).T, strict=True))
    if unknown:
        seen = {n: v if not closure(imported, n) & unknown else np.full_like(v, np.nan) for n, v in seen.items()}
    states = {s: seen[s] for s in model.state_names if s in seen}
    final = dict(zip(model.state_names, map(float, result.final_state[0]), strict=True))
    scope = imported.scope(point.parameters, states, times)
    if TIME not in model.state_names:  # else definitions are evaluated at the very times, without the breath
        scope.update({n: v for n, v in seen.items() if n not in point.parameters})
    return final, scope


def _breath(time: float) -> float:
    """The shortest time that counts."""
    return TIME_TOLERANCE * max(1.0, abs(time))


# --- events ---------------------------------------------------------------------------------------------


def _begin(imported: ImportedModel, parameters: Values, states: Values, time: float) -> Point:
    """The start: events whose trigger SBML takes for false before the start may fire at once."""
    varying = {*imported.model.state_names, TIME}
    for event in imported.events:
        for a, operator, b in comparisons(event.trigger):
            if operator in ("Eq", "NotEq") and closure(imported, f"({a}) - ({b})") & varying:
                raise ExchangeError(
                    f"event {event.id!r} tests {a} and {b} for equality, which a solver can step over; use <= or >="
                )
    armed = tuple(e.initially for e in imported.events)
    return _fire(imported, Point(time, dict(parameters), dict(states), armed))


def _now(imported: ImportedModel, point: Point) -> Scope:
    """Values of every name just after a point's time (so that both > and >= hold at a stop)."""
    return imported.scope(point.parameters, dict(point.states), point.time + _breath(point.time))


def _triggers(imported: ImportedModel, scope: Scope) -> tuple[bool, ...]:
    return tuple(bool(evaluate(e.trigger, scope)) for e in imported.events)


def _fire(imported: ImportedModel, point: Point) -> Point:
    """Apply the events whose trigger has turned true, and those that follow from them."""
    if not imported.events:
        return point
    for _ in range(MAX_CASCADE):
        scope = _now(imported, point)
        after = _triggers(imported, scope)
        due = [e for e, was, now in zip(imported.events, point.armed, after, strict=True) if now and not was]
        point = Point(point.time, point.parameters, point.states, after)
        if not due:
            return point
        point = _assign(imported, point, due, scope)
    raise ExchangeError(f"events {[e.id for e in due]} keep firing at time {point.time:g}; check their triggers")


def _assign(imported: ImportedModel, point: Point, due: list[ImportedEvent], scope: Scope) -> Point:
    targets = [variable for e in due for variable, _ in e.assignments]
    if len(due) > 1 and (len(set(targets)) < len(targets) or any(e.sole for e in due)):
        raise ExchangeError(
            f"events {[e.id for e in due]} fire together at time {point.time:g} and SBML leaves their order open; "
            f"separate them in time or make one event of them"
        )
    new = {v: float(evaluate(text, scope)) for e in due for v, text in e.assignments}
    parameters, states = dict(point.parameters), dict(point.states)

    def put(name: str, value: float) -> None:
        home = states if name in states else parameters
        if name not in home:
            raise ExchangeError(f"an event sets {name!r}, which is neither a state nor a constant of the model")
        home[name] = value

    species = {v: imported.species[v] for v in new if v in imported.species}
    for v in (v for v in new if v not in species):
        put(imported.name_of(v), new[v])
    for v, s in species.items():
        if s.by_amount or s.concentration in states:
            put(imported.name_of(v), new[v])
        else:
            put(s.amount, new[v] * float(scope[s.compartment]))  # the size before, even if the event sets it, too
    return Point(point.time, parameters, states, point.armed)


def _advance(
    imported: ImportedModel, point: Point, inside: Floats, stop: float, solver: Solver
) -> tuple[Point, Floats, Scope]:
    """Run until ``stop`` or the first event of states before it; outputs that lie before where the run got."""
    searched = searched_events(imported, point.parameters)
    grid = np.linspace(point.time, stop, GRID) if searched else np.array([stop])
    times = np.union1d(np.union1d(inside, grid), [stop])
    final, trace = _integrate(imported, point, times, solver)
    found = _search(imported, point, trace, searched, solver) if searched else None
    if found is None:
        return _fire(imported, Point(stop, point.parameters, final, point.armed)), inside, _rows(trace, inside)
    kept = inside[inside < found.time]
    return _fire(imported, found), kept, _rows(trace, kept)


def _rows(trace: Scope, kept: Floats) -> Scope:
    """The part of a trace at some of its times."""
    at = np.searchsorted(np.asarray(trace[TIME]), kept)
    return Scope(trace.texts, {n: (np.asarray(v)[at] if np.ndim(v) else v) for n, v in trace.items()})


def _search(
    imported: ImportedModel, point: Point, trace: Scope, searched: list[int], solver: Solver, depth: int = 0
) -> Point | None:
    """The first moment of a trace at which a trigger has turned true, narrowed down; None if there is none.

    ``point`` is the start of the trace. Where a comparison turns round near equality between two points, it is looked
    at more closely (:data:`MAX_CLOSER` times), so that a smooth trigger true for a millionth of the run is found.
    """
    times = np.asarray(trace[TIME])
    says = {k: np.broadcast_to(evaluate(imported.events[k].trigger, trace), times.shape) != 0.0 for k in searched}
    for k, v in says.items():
        v[0] = point.armed[k]  # what was found at the start holds; its own clock may be a breath behind
    rises = [np.flatnonzero(v[1:] & ~v[:-1]) + 1 for v in says.values()]
    first = min((int(r[0]) for r in rises if len(r)), default=len(times))

    def at(i: int) -> Point:
        armed = tuple(bool(says[k][i]) if k in says else a for k, a in enumerate(point.armed))
        states = {s: float(np.asarray(trace[s])[i]) for s in imported.model.state_names}
        return Point(float(times[i]), point.parameters, states, armed)

    def closely(i: int, j: int) -> Point | None:
        _, finer = _integrate(imported, at(i), np.linspace(times[i], times[j], NARROW), solver)
        return _search(imported, at(i), finer, searched, solver, depth + 1)

    if depth < MAX_CLOSER:
        for i in _near(imported, trace, searched, first):
            found = closely(i - 1, i + 1)
            if found is not None:
                return found
    if first == len(times):
        return None
    if times[first] - times[first - 1] > _breath(times[first]) and depth < MAX_NARROWING:
        found = closely(first - 1, first)
        if found is not None:
            return found
    return Point(float(times[first]), point.parameters, at(first).states, at(first - 1).armed)


def _near(imported: ImportedModel, trace: Scope, searched: list[int], first: int) -> list[int]:
    """Grid points before ``first`` where a comparison turns round so near to equality that it may have touched it."""
    found = set()
    for k in searched:
        for a, _, b in comparisons(imported.events[k].trigger):
            g = np.abs(np.broadcast_to(evaluate(f"({a}) - ({b})", trace), np.shape(trace[TIME])))
            left, here, right = g[:-2], g[1:-1], g[2:]
            turns = (here <= left) & (here <= right) & (here < 2.0 * (left + right - 2.0 * here))
            found |= set((np.flatnonzero(turns) + 1).tolist())
    return sorted(i for i in found if i < first)
