"""Conservation of mass: as structure (every flux balances) and as numbers (what was given is still there).

Conserved states (amounts) that fluxes connect form a *pool*: what leaves one of its states enters another. Two
compounds of one system are two pools, each with its own balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pharmtwin.model.algebra import Algebra, names
from pharmtwin.model.description import Model, ModelError

Floats = NDArray[np.float64]
#: random values of the parameters at which coefficients written as text must cancel (two formulas that differ
#: somewhere agree at a random point with probability zero), and what counts as zero beside their size
DRAWS = 3
ROUNDING = 1e-12


class Given(Protocol):
    """A dose: time (h), amount (mg), route, duration (h; 0 is a bolus)."""

    @property
    def time(self) -> float: ...
    @property
    def amount(self) -> float: ...
    @property
    def route(self) -> str: ...
    @property
    def duration(self) -> float: ...


def coefficient(value: float | str, parameters: Mapping[str, float]) -> float:
    """A stoichiometric coefficient as a number.

    Raises
    ------
    ModelError : the text uses something that is no parameter.
    """
    if not isinstance(value, str):
        return float(value)
    unknown = sorted(names(value) - parameters.keys())
    if unknown:
        raise ModelError(f"stoichiometric coefficient {value!r} uses {unknown}, which are no parameters of the model")
    algebra = Algebra()
    number = algebra.value(algebra.read(value, {n: algebra.number(parameters[n]) for n in names(value)}))
    if number is None:
        raise ModelError(f"stoichiometric coefficient {value!r} is not a number at {dict(parameters)}")
    return number


def unbalanced_fluxes(model: Model) -> list[str]:
    """Fluxes that create or destroy mass: the coefficients of the conserved states that they touch do not add to zero.

    ``compose`` refuses such a flux; models from elsewhere (SBML) are checked here. Coefficients that are formulas of
    parameters must cancel at random positive values.
    """
    conserved = {s.name for s in model.states if s.conserved}
    rng = np.random.default_rng(20080816)  # any fixed draw serves
    draws = [dict(zip(model.parameter_names, rng.lognormal(size=len(model.parameters)))) for _ in range(DRAWS)]
    wrong = []
    for flux in model.fluxes:
        ends = [c for state, c in flux.changes if state in conserved]
        for values in draws:
            numbers = [coefficient(c, values) for c in ends]
            if abs(sum(numbers)) > ROUNDING * sum(map(abs, numbers)):
                wrong.append(flux.name)
                break
    return wrong


def pools(model: Model) -> tuple[tuple[str, ...], ...]:
    """Groups of conserved states that fluxes connect, in the order of the states."""
    group = {s.name: {s.name} for s in model.states if s.conserved}
    for flux in model.fluxes:
        touched = [state for state, _ in flux.changes if state in group]
        merged = set().union(*(group[s] for s in touched))
        for state in merged:
            group[state] = merged
    seen: dict[int, tuple[str, ...]] = {}
    for members in group.values():
        seen.setdefault(id(members), tuple(n for n in model.state_names if n in members))
    return tuple(seen.values())


def total_mass(model: Model, state: ArrayLike) -> float:
    """Sum of all conserved states (mg): must equal what was given so far."""
    return float(sum(v for s, v in zip(model.states, np.asarray(state, dtype=float), strict=True) if s.conserved))


def given_amounts(model: Model, doses: Sequence[Given], until: float) -> Floats:
    """What a regimen has brought into each state (n_states,) before the time ``until`` (h).

    A bolus counts strictly after its time, as the engines record states; an infusion counts by its part that has run.
    """
    total = np.zeros(len(model.states))
    for d in doses:
        part = float(d.time < until) if d.duration <= 0 else min(max((until - d.time) / d.duration, 0.0), 1.0)
        total[model.dose_state(d.route)] += part * d.amount
    return total


def mass_error(
    model: Model,
    final_state: ArrayLike,
    regimens: Sequence[Sequence[Given]],
    ends: Sequence[float],
    state0: ArrayLike | None = None,
) -> Floats:
    """Relative error of each run's and pool's mass balance: (n_runs, n_pools), pools as :func:`pools` lists them.

    Parameters
    ----------
    final_state : (n_runs, n_states), e.g. ``Trajectories.final_state``.
    regimens : doses of each run. ends : time (h) of each run's final state.
    state0 : (n_runs, n_states) or (n_states,) initial states; default the model's.

    Returns
    -------
    |mass found - mass at the start - mass given| / (mass at the start + mass given); where nothing was there and
    nothing given, the absolute error (mg). NaN stays NaN (a run that failed).

    Raises
    ------
    ModelError : a flux of the model does not balance, so that no such error can be stated. ValueError : shapes.
    """
    wrong = unbalanced_fluxes(model)
    if wrong:
        raise ModelError(f"model {model.name}: fluxes {wrong} create or destroy mass; correct their stoichiometry")
    final = np.atleast_2d(np.asarray(final_state, dtype=float))
    if not len(final) == len(regimens) == len(ends) or final.shape[1] != len(model.states):
        raise ValueError(
            f"final states of shape {final.shape}, {len(regimens)} regimens and {len(ends)} end times do not fit "
            f"a model of {len(model.states)} states: give one row, one regimen and one end time a run"
        )
    start = np.array([s.initial for s in model.states]) if state0 is None else np.asarray(state0, dtype=float)
    expected = np.broadcast_to(start, final.shape) + [
        given_amounts(model, doses, end) for doses, end in zip(regimens, ends)
    ]
    index = {name: i for i, name in enumerate(model.state_names)}
    columns = [[index[n] for n in pool] for pool in pools(model)]
    found = np.stack([final[:, c].sum(axis=1) for c in columns], axis=1)
    wanted = np.stack([expected[:, c].sum(axis=1) for c in columns], axis=1)
    return np.abs(found - wanted) / np.where(wanted == 0.0, 1.0, np.abs(wanted))
