"""Steady states by themselves: closed forms, waiting, and where there is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.core.whole_body import ACCOUNTS, whole_body
from pharmtwin.engine.event_table import EventTableError
from pharmtwin.engine.events import expand
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.engine.steady_state import SteadyStateError, steady_state
from pharmtwin.engine.structure import accounts, is_linear
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose

Floats = NDArray[np.float64]
CL, V = 2.0, 20.0
VMAX, KM, VOLUME = 10.0, 2.0, 30.0


def _compose(name: str, states: str, parameters: str, *fluxes: Flux) -> Model:
    """States in mg, a concentration C of ``central``, doses by ``iv`` into it."""
    module = Module(
        name="body",
        states=tuple(State(n, "mg", n) for n in states.split()),
        parameters=tuple(Parameter(n, "1", n) for n in parameters.split()),
        definitions=(Definition("C", "central/v", "mg/L", "concentration"),),
        fluxes=fluxes,
        dose_targets=(("iv", "central"),),
    )
    return compose(name, [module], ["C"])


LOSS = Flux("loss", "cl*C", "mg/h", "central", None)
SATURABLE = Flux("loss", "Vmax*C/(Km + C)", "mg/h", "central", None)
AREA = Flux("area", "C", "mg/h", None, "area")


@pytest.fixture(scope="module")
def linear() -> Model:
    return _compose("steady_linear", "central area", "cl v", LOSS, AREA)


@pytest.fixture(scope="module")
def saturable() -> Model:
    return _compose("steady_saturable", "central", "Vmax Km v", SATURABLE)


def test_structure(linear: Model, saturable: Model) -> None:
    assert accounts(linear) == ("area",) and is_linear(linear)
    assert accounts(saturable) == () and not is_linear(saturable)
    assert set(accounts(whole_body())) == set(ACCOUNTS) and not is_linear(whole_body())
    # what only feeds an account is an account; what only saturates an account does not make the model nonlinear
    moment = Flux("moment", "area**2", "mg/h", None, "moment")
    model = _compose("steady_moment", "central area moment", "cl v", LOSS, AREA, moment)
    assert accounts(model) == ("area", "moment") and is_linear(model)


@pytest.mark.parametrize(
    ("rate", "linear"),
    [
        ("a*central + b", True), ("central/a - -central", True), ("exp(a)*central", True), ("pow(a, 2)*central", True),
        ("piecewise(central, a > 1, 2*central)", True), ("central**2", False), ("central*other", False),
        ("a/central", False), ("exp(central)", False), ("floor(central)", False), ("max(central, a)", False),
        ("piecewise(1, central > 1, 2)", False), ("(central > 1)*a", False), ("central**a", False),
    ],
)  # fmt: skip
def test_linear_as_written(rate: str, linear: bool) -> None:
    coupling = Flux("coupling", "other + central", "mg/h", "other", None)
    model = _compose("steady_forms", "central other", "a b v", Flux("rate", rate, "mg/h", "central", None), coupling)
    assert is_linear(model) is linear


@pytest.mark.parametrize("engine", ["rosenbrock", "cvode"])
def test_linear_steady_state_with_overlapping_infusions(linear: Model, engine: str) -> None:
    """An infusion of 27 h every 12 h: two older ones run at the start, of which one ends within the interval."""
    state, info = steady_state(linear, np.array([CL, V]), [Dose(0.0, 54.0, "iv", 27.0)], 12.0, engine)
    assert list(info.rates) == [4.0, 0] and info.method == "affine" and info.accounts == ("area",)
    k, back = CL / V, 12.0 * np.arange(1, 400)
    during, after = np.minimum(back, 27.0), np.maximum(back - 27.0, 0.0)
    expected = np.sum(2.0 / CL * (1 - np.exp(-k * during)) * np.exp(-k * after))
    np.testing.assert_allclose(state[0] / V, expected, rtol=1e-8 if engine == "rosenbrock" else 1e-6)
    assert state[1] == 0


def test_saturable_bolus(saturable: Model) -> None:
    """The integrated Michaelis-Menten equation over one interval."""
    state, info = steady_state(saturable, np.array([VMAX, KM, VOLUME]), [Dose(0.0, 200.0, "iv")], 24.0)
    low, high = state[0] / VOLUME, (state[0] + 200) / VOLUME
    assert info.method == "anderson" and info.converged
    np.testing.assert_allclose(KM * np.log(high / low) + high - low, VMAX / VOLUME * 24, rtol=1e-6)


def test_saturable_infusion(saturable: Model) -> None:
    """Km R/(Vmax - R), by a row of an event table."""
    rows = [{"TIME": 0, "EVID": 1, "AMT": 0, "RATE": 8, "SS": 1, "ROUTE": "iv"}]
    (event,) = expand(saturable, rows, np.array([VMAX, KM, VOLUME])).events
    np.testing.assert_allclose(event.amount / VOLUME, KM * 8 / (VMAX - 8), rtol=1e-6)


def test_nearly_saturated_with_a_deep_tissue() -> None:
    """97 % of what can be lost in a day, and decades to settle: found, and still there a year later."""
    there, back = (
        Flux("there", "0.05*central", "mg/h", "central", "deep"),
        Flux("back", "0.001*deep", "mg/h", "deep", "central"),
    )
    model = _compose("steady_deep", "central deep", "Vmax Km v", SATURABLE, there, back)
    p, dose = np.array([VMAX, KM, VOLUME]), 0.97 * 24 * VMAX
    state, info = steady_state(model, p, [Dose(0.0, dose, "iv")], 24.0)
    assert info.converged and info.periods < 200
    year = pack(model, [p], [[Dose(24.0 * k, dose, "iv") for k in range(365)]], [np.array([24.0 * 365])], state[None])
    later = simulate(model, year, engine="rosenbrock", rtol=1e-10).final_state[0]
    np.testing.assert_allclose(later, state, rtol=1e-8)


@pytest.mark.parametrize(("dose", "rtol"), [(240.0, 1e-9), (250.0, 1e-9), (240.1, 1e-4), (250.0, 1e-3)])
def test_more_than_can_be_lost(saturable: Model, dose: float, rtol: float) -> None:
    """A state that drifts for ever changes by ever less of itself; it must not pass for settled."""
    p = np.array([VMAX, KM, VOLUME])
    _, info = steady_state(saturable, p, [Dose(0.0, dose, "iv")], 24.0, rtol=rtol)
    assert not info.converged and "no steady state within" in info.finding
    rows = [{"TIME": 0, "EVID": 1, "AMT": dose, "II": 24, "SS": 1, "ROUTE": "iv"}]
    with pytest.raises(SteadyStateError, match=r"Ann:1 SS \[1\] - no steady state within"):
        expand(saturable, rows, p, name="Ann")


def test_no_steady_state(linear: Model, saturable: Model) -> None:
    with pytest.raises(SteadyStateError, match="central is never lost"):
        steady_state(linear, np.array([0.0, V]), [Dose(0.0, 1.0, "iv")], 12.0)
    rhythm = Flux("rhythm", "1 + sin(time)", "mg/h", None, "central")
    with pytest.raises(SteadyStateError, match="uses the time"):
        steady_state(_compose("steady_clock", "central", "cl v", LOSS, rhythm), np.array([CL, V]), [], 24.0)
    with pytest.raises(ValueError, match="outside of the interval"):
        steady_state(linear, np.array([CL, V]), [Dose(12.0, 1.0, "iv")], 12.0)
    with pytest.raises(ValueError, match="neither may be negative"):
        steady_state(linear, np.array([CL, V]), [Dose(0.0, -1.0, "iv")], 12.0)
    long_lag = [{"TIME": 0, "EVID": 1, "AMT": 5, "II": 6, "SS": 1, "ALAG": 9, "ROUTE": "iv"}]
    with pytest.raises(SteadyStateError, match="not linear"):
        expand(saturable, long_lag, np.array([VMAX, KM, VOLUME]), long_lag="nonmem")
    with pytest.raises(EventTableError, match="longer than II"):
        expand(saturable, long_lag, np.array([VMAX, KM, VOLUME]))


def test_whole_body_is_sixty_days_of_waiting(vector: Callable[..., Floats]) -> None:
    """20 mg a day with mechanism-based inactivation; every state above a nanogram; a sixth of the runs."""
    model = whole_body()
    waited = pack(model, [vector()], [[Dose(24.0 * k, 20.0) for k in range(60)]], [np.array([24.0 * 60])])
    expected = simulate(model, waited, engine="rosenbrock", rtol=1e-10)
    state, info = steady_state(model, vector(), [Dose(0.0, 20.0)], 24.0)
    kept = [i for i, s in enumerate(model.states) if s.name not in ACCOUNTS and expected.final_state[0, i] > 1e-6]
    assert len(kept) == len(model.states) - len(ACCOUNTS) - 4  # the transit chain is empty after a day
    np.testing.assert_allclose(state[kept], expected.final_state[0, kept], rtol=1e-6)
    assert info.converged and info.periods <= 12
    assert state[model.state_names.index("E_CYP2D6")] < 0.5  # far from the uninhibited start
