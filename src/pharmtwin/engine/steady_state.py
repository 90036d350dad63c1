"""Steady state under repeated doses or a constant input, solved for and not waited for.

With Phi the map of the state over one dosing interval, the state y at its start satisfies y = Phi(y).

* Linear model (``structure.is_linear``): Phi(y) = M y + b; M and b from n + 1 runs of one interval, y = (I - M)^-1 b,
  then corrections (I - M)^-1 (Phi(y) - y) until they vanish.
* Any other model: Anderson acceleration of y <- Phi(y) (Walker & Ni 2011, SIAM J Numer Anal 49:1715,
  doi 10.1137/10078356X), one run an iteration. Most modes of a body die within an interval, so a handful of secants
  spans what is slow (an enzyme that turns over, a deep tissue).
* Where that does not converge: Newton's method on y - Phi(y), n + 1 runs an iteration.
* Where that does not either: interval after interval, up to a bound, and a finding if even that does not settle.

Criterion: the change over one interval is below 10 x rtol, and the error that it stands for (the change divided by
1 - the largest share of a deviation that is left after an interval) below 100 x rtol; both relative to the state plus
a floor (1e-3 mg for amounts, 1e-2 otherwise).

States that only keep accounts have no steady state: they are not solved for and keep their initial value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import REASONS, Batch, Dose, Floats, absolute_tolerance, initial_state, simulate
from pharmtwin.engine.schedule import ADD_AMOUNT, ADD_RATE, Event, Schedule, batch_of, dose_target
from pharmtwin.engine.structure import accounts, is_linear
from pharmtwin.model.description import TIME, Model

#: length (h) of the interval used where nothing repeats; a state that stays over any interval stays for ever
CONSTANT_INPUT_SPAN = 24.0
#: times closer than this (relative to the interval) are the same
SAME_TIME = 1e-10
MEMORY = 12
#: relative size of the deviation by which convergence is tried
PROBE = 1e-3
MAX_ITERATIONS = 60
MAX_NEWTON = 30
MAX_PERIODS = 2000
#: a mode that keeps more than this of itself over an interval does not settle: in a linear model, and in any other,
#: where shares are known less well (differences of relative size PROBE, runs of relative error 1e-8)
FOREVER, FOREVER_NONLINEAR = 1.0 - 1e-7, 1.0 - 1e-5
#: runs are never solved with a looser tolerance than this: a slow drift would drown in the error and pass for rest
LOOSEST = 1e-8


class SteadyStateError(ValueError):
    """There is no steady state to compute; the message says why and what to do."""


class Input(NamedTuple):
    """One dose of the repeated cycle: arrives ``time`` after the start of the interval; ``duration`` 0 is a bolus."""

    time: float
    state: int
    amount: float
    duration: float


@dataclass(frozen=True)
class SteadyState:
    """How a steady state was found.

    Attributes
    ----------
    method : ``affine``, ``anderson``, ``newton`` or ``waiting``.
    converged : whether the criterion was met; if not, ``finding`` says what was seen.
    periods : number of one-interval runs that were solved.
    change : largest change over one interval, relative to the state plus its floor.
    rates : (n_states,) zero-order input rates that run at the start of the interval (overlapping infusions).
    accounts : names of the states that were left as they are.
    """

    method: str
    converged: bool
    periods: int
    change: float
    rates: Floats
    accounts: tuple[str, ...]
    finding: str = ""


Map = Callable[[Floats], Floats]  # (k, n_active) states at the start -> the same at the end of one interval
Weights = Callable[[Floats], Floats]


def steady_state(
    model: Model,
    parameters: Floats,
    doses: Sequence[Dose],
    period: float,
    engine: str = "rosenbrock",
    rtol: float = 1e-9,
) -> tuple[Floats, SteadyState]:
    """State at the start of a dosing interval, before its first dose, when the interval has repeated for ever.

    Parameters
    ----------
    parameters : (n_parameters,).
    doses : doses of one interval, times (h) in [0, period); ``route`` may also name a state. An infusion may last
        longer than the interval: the rates that then run at its start are ``info.rates``. None: the state at rest.
    period : length of the interval (h).
    engine, rtol : how the runs are solved (rtol above 1e-8 is taken as 1e-8).

    Returns
    -------
    state (n_states,), info : accounting states keep their initial value (see the head of this file).

    Raises
    ------
    SteadyStateError : a linear model with a mode that never settles, a model that uses the time, a run that failed.
    ValueError : doses or interval that make no sense.
    """
    inputs = [Input(d.time, dose_target(model, d.route), d.amount, d.duration) for d in doses]
    if not (math.isfinite(period) and period > 0):
        raise ValueError(f"the dosing interval must be greater than 0 h, not {period}")
    for d in inputs:
        if not 0 <= d.time < period:
            raise ValueError(f"a dose at {d.time} h lies outside of the interval of {period} h; shift it by intervals")
        if not (math.isfinite(d.amount) and d.amount >= 0 and math.isfinite(d.duration) and d.duration >= 0):
            raise ValueError(f"a dose of amount {d.amount} and duration {d.duration} h; neither may be negative")
    return settle(model, parameters, inputs, period, np.zeros(len(model.states)), engine=engine, rtol=rtol)


def running(dose: Input, period: float) -> Iterator[tuple[float, float]]:
    """(rate, remaining duration) of each infusion of earlier intervals that still runs at the start of an interval."""
    if dose.duration > 0:
        left = dose.time + dose.duration - period
        while left > SAME_TIME * period:
            yield dose.amount / dose.duration, left
            left -= period


def settle(
    model: Model,
    parameters: Floats,
    inputs: Sequence[Input],
    period: float,
    constant: Floats,
    *,
    engine: str,
    rtol: float,
) -> tuple[Floats, SteadyState]:
    """As :func:`steady_state`, with doses by number of state and ``constant`` (n_states,) input rates beside them."""
    if TIME in model.state_names:
        raise SteadyStateError(
            f"model {model.name} uses the time, so one dosing interval is not like the next and no steady state is "
            "solved; give the doses one by one (ADDL) until the profile repeats"
        )
    idle, rtol = accounts(model), min(rtol, LOOSEST)
    active = np.array([i for i, s in enumerate(model.states) if s.name not in idle], dtype=int)
    rates, events = _interval(model, inputs, period, constant)
    start = initial_state(model)
    phi = period_map(model, np.asarray(parameters, dtype=float), start, active, period, rates, events, engine, rtol)
    floor = (absolute_tolerance(model, 1.0))[active]
    weights: Weights = lambda x: np.abs(x) + floor  # noqa: E731
    if is_linear(model):
        size = max([d.amount for d in inputs], default=0.0) or 1.0
        x, info = _affine(phi, [model.states[i].name for i in active], size, weights, rtol)
    else:
        x, info = _anderson(phi, start[active], weights, rtol)
        if not info.converged:
            x, info = _newton(phi, x if np.all(np.isfinite(x)) else start[active], weights, rtol, info.periods)
        if not info.converged:
            x, info = _wait(phi, start[active], weights, rtol, info.periods)
    state = start.copy()
    state[active] = x
    return state, SteadyState(info.method, info.converged, info.periods, info.change, rates, idle, info.finding)


@dataclass(frozen=True)
class _Found:
    method: str
    converged: bool
    periods: int
    change: float
    finding: str = ""


def _interval(
    model: Model, inputs: Sequence[Input], period: float, constant: Floats
) -> tuple[Floats, tuple[Event, ...]]:
    """Rates that run at the start of an interval, and the events within it."""
    rates = np.array(constant, dtype=float)
    events: list[Event] = []
    for d in inputs:
        if d.duration == 0:
            events.append(Event(d.time, d.state, d.amount, ADD_AMOUNT))
            continue
        rate = d.amount / d.duration
        events.append(Event(d.time, d.state, rate, ADD_RATE))
        ends = [d.time + d.duration, *(left for _, left in running(d, period))]
        events += [Event(end, d.state, -rate, ADD_RATE) for end in ends if end < period * (1 - SAME_TIME)]
        rates[d.state] += rate * (len(ends) - 1)
    events.sort(key=lambda e: e.time)
    for k in range(1, len(events)):  # no engine can integrate over a rounding error
        if events[k].time - events[k - 1].time <= SAME_TIME * period:
            events[k] = events[k]._replace(time=events[k - 1].time)
    return rates, tuple(events)


def period_map(
    model: Model,
    parameters: Floats,
    start: Floats,
    active: NDArray[np.int64],
    period: float,
    rates: Floats,
    events: tuple[Event, ...],
    engine: str,
    rtol: float,
) -> Map:
    """The map of the active states over one interval, for many starting states at once; NaN where a run fails."""
    end = np.array([period])
    schedule = Schedule(0.0, events, end, np.array([len(events)]), np.zeros(1, dtype=np.int64))

    @lru_cache(maxsize=2)
    def runs(k: int) -> Batch:
        return batch_of(model, [parameters] * k, [schedule] * k, rate0=np.tile(rates, (k, 1)))

    def phi(x: Floats) -> Floats:
        state0 = np.tile(start, (len(x), 1))
        state0[:, active] = x
        solved = simulate(model, replace(runs(len(x)), y0=state0), engine=engine, rtol=rtol)
        if solved.flag.all():
            raise SteadyStateError(f"no run over one interval of {period} h succeeded: {REASONS[int(solved.flag[0])]}")
        return np.where(solved.flag[:, None] == 0, solved.final_state[:, active], np.nan)

    return phi


def affine_map(phi: Map, n: int, size: float) -> tuple[Floats, Floats]:
    """M (n, n) and b (n,) of phi(x) = M x + b, from n + 1 runs in one batch; ``size`` scales the starting states."""
    ends = phi(np.vstack([np.zeros(n), size * np.eye(n)]))
    if not np.all(np.isfinite(ends)):
        raise SteadyStateError("a run over one interval failed; check the parameters, or loosen rtol")
    return (ends[1:] - ends[0]).T / size, ends[0]


def linear_solve(A: Floats, b: Floats) -> Floats:
    """x of A x = b; raises numpy's LinAlgError if A is singular."""
    return np.asarray(np.linalg.solve(A, b), dtype=np.float64)


def _affine(phi: Map, names: list[str], size: float, weights: Weights, rtol: float) -> tuple[Floats, _Found]:
    n = len(names)
    M, b = affine_map(phi, n, size)
    modes, vectors = np.linalg.eig(M)
    if n and np.max(np.abs(modes)) > FOREVER:
        shape = np.abs(vectors[:, int(np.argmax(np.abs(modes)))])
        stuck = [names[i] for i in np.flatnonzero(shape > 0.1 * shape.max())]
        raise SteadyStateError(
            f"there is no steady state: what is in {', '.join(stuck)} is never lost; check the clearances, or give "
            "the doses one by one (ADDL)"
        )
    gap = np.eye(n) - M
    x, periods, change = linear_solve(gap, b), n + 1, np.inf
    for _ in range(4):
        residual = phi(x[None])[0] - x
        step = linear_solve(gap, residual)
        periods += 1
        change = float(np.max(np.abs(residual) / weights(x), initial=0.0))
        x = x + step
        if np.max(np.abs(step) / weights(x), initial=0.0) <= 100 * rtol:
            return x, _Found("affine", True, periods, change)
    return x, _Found(
        "affine", False, periods, change, f"the corrections did not vanish: change {change:.2g} an interval"
    )


def _anderson(phi: Map, x: Floats, weights: Weights, rtol: float) -> tuple[Floats, _Found]:
    states: list[Floats] = []
    images: list[Floats] = []
    change, periods = np.inf, 0
    for _ in range(MAX_ITERATIONS):
        try:
            image, periods = phi(x[None])[0], periods + 1
            states, images = [*states, x][-MEMORY:], [*images, image][-MEMORY:]
            w = weights(image)
            new = _bounded(_mixed(np.array(states), np.array(images), w), x, image, w)
            change = float(np.max(np.abs(image - x) / w, initial=0.0))
            if change <= 10 * rtol and np.max(np.abs(new - x) / w, initial=0.0) <= 100 * rtol:
                # a state that drifts (more given than can be lost) also changes by little of itself: what is left of
                # a deviation after an interval tells; the state itself is one more deviation to try
                probe, periods = image + PROBE * w, periods + 1
                kept = _slowest(np.array([*states, probe]), np.array([*images, phi(probe[None])[0]]), w)
                if kept < FOREVER_NONLINEAR and change <= 100 * rtol * (1 - kept):
                    return new, _Found("anderson", True, periods, change)
        except SteadyStateError:  # the search went where the model cannot be solved
            break
        x = new
    return x, _Found("anderson", False, periods, change)


def _bounded(new: Floats, x: Floats, image: Floats, w: Floats) -> Floats:
    """The accelerated step where it stays physical, the plain step where it does not: below zero, or ten times off."""
    wild = ((new < 0) & (image >= 0)) | (np.abs(new) > 10 * np.maximum(np.abs(x), w))
    return np.where(wild, image, new)


def _slowest(states: Floats, images: Floats, w: Floats) -> float:
    """Largest share of a deviation that is left after an interval: the Ritz value of the differences at hand."""
    dx, dg = np.diff(states, axis=0) / w, np.diff(images, axis=0) / w
    size = np.linalg.norm(dx, axis=1)
    clear = size > 1e-3 * PROBE  # smaller ones drown in the error of the solver
    u, s, vt = np.linalg.svd((dx[clear] / size[clear, None]).T, full_matrices=False)
    kept = s > 0.01 * s[0]
    ritz = u[:, kept].T @ (dg[clear] / size[clear, None]).T @ vt[kept].T / s[kept]
    return float(np.max(np.abs(np.linalg.eigvals(ritz))))


def _mixed(states: Floats, images: Floats, w: Floats) -> Floats:
    """The combination of the images whose residual is smallest (Walker & Ni 2011, type II)."""
    residuals = (images - states) / w
    differences = np.diff(residuals, axis=0)
    scale = np.linalg.norm(differences, axis=1)
    useful = scale > 0
    if not useful.any():
        return images[-1]
    columns = (differences[useful] / scale[useful, None]).T
    gamma = np.linalg.lstsq(columns, residuals[-1], rcond=1e-9)[0] / scale[useful]
    return images[-1] - gamma @ np.diff(images, axis=0)[useful]


def _newton(phi: Map, x: Floats, weights: Weights, rtol: float, spent: int) -> tuple[Floats, _Found]:
    """Newton's method with all n + 1 differences in one batch: dear, but sure where many slow things interact."""
    n, change, periods = len(x), np.inf, spent
    for _ in range(MAX_NEWTON):
        step = PROBE * 0.1 * weights(x)
        try:
            ends, periods = phi(np.vstack([x, x + np.diag(step)])), periods + n + 1
        except SteadyStateError:
            break
        if not np.all(np.isfinite(ends)):
            break
        image, M = ends[0], (ends[1:] - ends[0]).T / step
        w = weights(image)
        scaled = M * w / w[:, None]
        kept = float(np.max(np.abs(np.linalg.eigvals(scaled))))
        change = float(np.max(np.abs(image - x) / w, initial=0.0))
        correction = image - x if kept > FOREVER_NONLINEAR else w * linear_solve(np.eye(n) - scaled, (image - x) / w)
        new = _bounded(x + correction, x, image, w)
        if change <= 10 * rtol and kept < FOREVER_NONLINEAR and np.max(np.abs(new - x) / w, initial=0.0) <= 100 * rtol:
            return new, _Found("newton", True, periods, change)
        x = new
    return x, _Found("newton", False, periods, change)


def _wait(phi: Map, x: Floats, weights: Weights, rtol: float, spent: int) -> tuple[Floats, _Found]:
    """Interval after interval until the geometric tail of the changes is below the tolerance."""
    before, change, met = np.inf, np.inf, 0
    for k in range(1, MAX_PERIODS + 1):
        new = phi(x[None])[0]
        change = float(np.max(np.abs(new - x) / weights(new), initial=0.0))
        ratio = change / before if before > 0 else 0.0
        tail = change * ratio / (1 - ratio) if ratio < 1 else 0.0 if change == 0 else np.inf
        x, before = new, change
        met = met + 1 if tail <= 100 * rtol else 0
        if met == 2:
            return x, _Found("waiting", True, spent + k, change)
    what = f"no steady state within {MAX_PERIODS} intervals: it still changes by {change:.2g} of itself an interval"
    return x, _Found("waiting", False, spent + MAX_PERIODS, change, what)
