"""What a steady-state row (SS 1 or 2) stands for at its own time: state, running infusions, doses under way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.event_table import LongLag, Record
from pharmtwin.engine.run import Floats, initial_state
from pharmtwin.engine.schedule import ADD_AMOUNT, ADD_RATE
from pharmtwin.engine.steady_state import (
    CONSTANT_INPUT_SPAN,
    Input,
    SteadyStateError,
    affine_map,
    linear_solve,
    period_map,
    running,
    settle,
)
from pharmtwin.engine.structure import accounts, is_linear
from pharmtwin.model.description import Model


@dataclass(frozen=True)
class SteadyRow:
    """At the time of the row: ``state`` (number, value) of all states but accounts, ``rate`` of the infusions that run
    into the dosed state, and ``coming`` (hours after the row, amount, kind of event) for that state: ends of those
    infusions, and doses of the past that are still under way. The row's own dose is not in it."""

    state: tuple[tuple[int, float], ...]
    rate: float = 0.0
    coming: tuple[tuple[float, float, int], ...] = ()


def steady_row(
    model: Model, parameters: Floats, record: Record, long_lag: LongLag, engine: str, rtol: float, where: str
) -> SteadyRow:
    """Solve a row with SS > 0; ``where`` names it in messages.

    Raises
    ------
    SteadyStateError : there is none, it was not found, or what the row asks for has no meaning in this model.
    """
    try:
        return _steady_row(model, parameters, record, long_lag, engine, rtol)
    except SteadyStateError as error:
        raise SteadyStateError(f"{where} SS [{record.ss}] - {error}") from error


def _steady_row(
    model: Model, parameters: Floats, record: Record, long_lag: LongLag, engine: str, rtol: float
) -> SteadyRow:
    active = _active(model)
    if record.ss == 2:
        _check_empty_at_rest(model, parameters, active, engine, rtol)
    interval, lag = record.ii, record.lag
    if interval == 0:
        constant = np.zeros(len(model.states))
        constant[record.state] = record.rate
        state = _solve(model, parameters, [], CONSTANT_INPUT_SPAN, constant, engine, rtol)
        return SteadyRow(_listed(state, active))
    if lag > interval and long_lag == "nonmem":
        return _extrapolated(model, parameters, record, active, engine, rtol)
    under_way = math.floor(lag / interval + 1e-12)
    phase = max(0.0, lag - under_way * interval)
    dose = Input(phase, record.state, record.amount, record.duration)
    state = _solve(model, parameters, [dose], interval, np.zeros(len(model.states)), engine, rtol)
    infusions = list(running(dose, interval))
    coming = [(left, -rate, ADD_RATE) for rate, left in infusions]
    for k in range(under_way):
        at = phase + k * interval
        if dose.duration > 0:
            rate = dose.amount / dose.duration
            coming += [(at, rate, ADD_RATE), (at + dose.duration, -rate, ADD_RATE)]
        else:
            coming.append((at, dose.amount, ADD_AMOUNT))
    return SteadyRow(_listed(state, active), sum(rate for rate, _ in infusions), tuple(coming))


def _active(model: Model) -> NDArray[np.int64]:
    idle = accounts(model)
    return np.array([i for i, s in enumerate(model.states) if s.name not in idle], dtype=np.int64)


def _listed(state: Floats, active: NDArray[np.int64]) -> tuple[tuple[int, float], ...]:
    return tuple((int(i), float(state[i])) for i in active)


def _solve(
    model: Model, parameters: Floats, doses: list[Input], period: float, constant: Floats, engine: str, rtol: float
) -> Floats:
    state, info = settle(model, parameters, doses, period, constant, engine=engine, rtol=rtol)
    if not info.converged:
        raise SteadyStateError(f"{info.finding}; give the doses one by one (ADDL), or check the clearances")
    return state


def _check_empty_at_rest(model: Model, parameters: Floats, active: NDArray[np.int64], engine: str, rtol: float) -> None:
    """SS 2 adds steady states; a state with a value of its own (a turnover) would be counted twice."""
    start = initial_state(model)[active]
    zero = np.zeros(len(model.states))
    phi = period_map(model, parameters, zero, active, CONSTANT_INPUT_SPAN, zero, (), engine, rtol)
    rest = phi(np.zeros((1, len(active))))[0]
    full = [model.states[i].name for i, a, b in zip(active, start, rest) if a != 0 or b != 0]
    if full:
        raise SteadyStateError(
            f"SS 2 adds two steady states; {', '.join(full)} would count twice, being not zero without a dose;  "
            "write one regimen with SS 1 and give the other's doses one by one (ADDL)"
        )


def _extrapolated(
    model: Model, parameters: Floats, record: Record, active: NDArray[np.int64], engine: str, rtol: float
) -> SteadyRow:
    """NONMEM's reading of a lag longer than the interval: steady state is computed without lag, just after a dose, and
    the system is then advanced by II - ALAG, here a negative time, with the infusions that run at that dose.

    (NONMEM help, "SS dose event record": "Steady-state is computed as if there were no ALAG, and then there is an
    advance to the appropriate point in the steady-state cycle (II-ALAG)".) Going back is done by inverting the affine
    map of the way forward, and is checked by going forward again.
    """
    if not is_linear(model):
        raise SteadyStateError(
            f'long_lag="nonmem" extrapolates backwards in time, which model {model.name} (not linear) does not bear; '
            'choose "periodic"'
        )
    back = record.lag - record.ii
    dose = Input(0.0, record.state, record.amount, record.duration)
    after = _solve(model, parameters, [dose], record.ii, np.zeros(len(model.states)), engine, rtol)
    infusions = list(running(dose, record.ii))
    if record.duration > 0:
        infusions.append((record.amount / record.duration, record.duration))
    else:
        after[record.state] += record.amount
    rate = sum(r for r, _ in infusions)
    rates = np.zeros(len(model.states))
    rates[record.state] = rate
    phi = period_map(model, parameters, initial_state(model), active, back, rates, (), engine, rtol)
    goal = after[active]
    M, b = affine_map(phi, len(active), record.amount or 1.0)
    try:
        before = linear_solve(M, goal - b)
        missed = np.max(np.abs(phi(before[None])[0] - goal)) / np.max(np.abs(goal), initial=1e-300)
    except (np.linalg.LinAlgError, SteadyStateError):
        missed = math.inf
    if not missed < 1e-6:
        raise SteadyStateError(
            f"the state {back:g} h before a dose cannot be found by going backwards: it is too far back for this "
            'model; choose long_lag="periodic"'
        )
    state = initial_state(model)
    state[active] = before
    return SteadyRow(_listed(state, active), rate, tuple((back + left, -r, ADD_RATE) for r, left in infusions))
