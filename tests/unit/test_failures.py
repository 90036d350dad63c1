"""Runs that cannot be solved: flagged with time and state by both engines, and told by name in log and table."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine import cvode, run
from pharmtwin.engine.failures import CAUSES, CVODE_CODES, failures, message, note_failures, require_some
from pharmtwin.engine.run import REASONS, Batch, Dose, Trajectories, pack, simulate, simulate_with_sensitivities
from pharmtwin.model.description import Flux, Model, Module, Parameter, State, compose
from pharmtwin.tables import conform

Floats = NDArray[np.float64]
engines = pytest.mark.parametrize("engine", ["rosenbrock", "cvode"])
TIMES = np.array([0.5, 2.0, 5.0])


def blow_up() -> Model:
    """y' = k y**2 with y(0) = 1: y = 1/(1 - k t), infinite at t = 1/k. Two calm states stand before and after it."""
    part = Module(
        "blow_up",
        states=(State("calm", "1", "", 1.0), State("y", "1", "", 1.0), State("rest", "1", "", 1.0)),
        parameters=(Parameter("k", "1/h", "growth"), Parameter("c", "1/h", "decay")),
        fluxes=(
            Flux("growth", "k*y**2", "1/h", None, "y"),
            Flux("decay", "c*calm", "1/h", "calm", None),
            Flux("turnover", "c*rest", "1/h", "rest", None),
        ),
        dose_targets=(("y", "y"),),
    )
    return compose("blow_up", [part], ["y"], ("k",))


def batch_of(k: list[float], state0: Floats | None = None, rate0: Floats | None = None) -> Batch:
    P = [np.array([x, 1.0]) for x in k]
    return pack(blow_up(), P, [[]] * len(k), [TIMES] * len(k), state0, rate0=rate0)


@engines
@pytest.mark.parametrize("growth", [1.0, 0.4, 1.7])
def test_a_blow_up_is_flagged_where_it_happens(engine: str, growth: float) -> None:
    """Time of the pole 1/k, the state that has it, a step size that says how close it came; neighbours go on."""
    batch = batch_of([0.1, growth, -1.0])
    solved = simulate(blow_up(), batch, engine=engine)
    assert solved.flag[1] in {"rosenbrock": (2, 3), "cvode": (4,)}[engine]
    assert solved.flag[0] == solved.flag[2] == 0
    assert np.isnan(solved.of(1)).all() and np.isnan(solved.final_state[1]).all()
    for mine, k in ((0, 0.1), (2, -1.0)):
        np.testing.assert_allclose(solved.of(mine)[:, 0], 1.0 / (1.0 - k * TIMES), rtol=1e-5)
    (failure,) = failures(blow_up(), batch, solved, ["a", "b", "c"])
    assert failure.run == "b" and failure.state == "y"
    assert failure.time == pytest.approx(1.0 / growth, rel=1e-3)
    assert failure.step is not None and 0.0 < failure.step < 1e-6
    line = message(failure)
    assert "\n" not in line and line.startswith("b - solve failed: ")
    for words in (failure.reason, f"at {failure.time:.6g} h", "state y", "step size", "grow without bound"):
        assert words in line


def test_cvode_by_its_python_api_admits_what_it_does_not_know() -> None:
    batch = batch_of([1.0])
    solved = simulate(blow_up(), batch, engine="cvode_public")
    (failure,) = failures(blow_up(), batch, solved, ["a"])
    assert (failure.time, failure.state, failure.step) == (None, None, None)
    assert "tells neither time nor state" in message(failure) and " at " not in message(failure).split(" - ")[1]


@pytest.mark.parametrize("engine", ["rosenbrock", "cvode", "cvode_public"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_parameter_that_is_not_finite_is_named_and_harms_no_other_run(engine: str, bad: float) -> None:
    """In the second segment too: its start is the time."""
    model = blow_up()
    P = [np.array([[-1.0, 1.0], [-2.0, 1.0]]) for _ in range(3)]
    P[1][1, 1] = bad
    starts = [np.array([0.0, 1.5])] * 3
    batch = pack(model, P, [[]] * 3, [TIMES] * 3, segment_times=starts)
    solved = simulate(model, batch, engine=engine)
    assert solved.flag.tolist() == [0, 5, 0]
    assert np.isnan(solved.of(1)).all() and np.isnan(solved.final_state[1]).all()
    alone = simulate(model, pack(model, P[:1], [[]], [TIMES], segment_times=starts[:1]), engine=engine)
    for k in (0, 2):
        np.testing.assert_array_equal(solved.of(k), alone.of(0))
        np.testing.assert_array_equal(solved.final_state[k], alone.final_state[0])
    (failure,) = failures(model, batch, solved, ["a", "b", "c"])
    assert failure.run == "b" and failure.time == 1.5 and failure.step is None
    assert failure.reason == f"parameter c is {bad}"


@engines
def test_too_many_steps_are_a_failure(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAX_STEPS", 12)
    monkeypatch.setattr(cvode, "MAX_STEPS", 12)
    batch = batch_of([-1.0, -1.0], state0=np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    solved = simulate(blow_up(), batch, engine=engine, rtol=1e-10)
    assert solved.flag.tolist() == [0, {"rosenbrock": 1, "cvode": 4}[engine]]
    assert solved.steps[1] == 12
    (failure,) = failures(blow_up(), batch, solved, ["a", "b"])
    assert "too many steps" in failure.reason and "oscillation, growth" in failure.cause
    assert failure.time is not None and 0.0 < failure.time < 5.0


@engines
@pytest.mark.parametrize("where", ["state", "rate"])
def test_a_start_that_is_not_finite_is_told_as_the_cause(engine: str, where: str) -> None:
    start = np.ones((1, 3))
    start[0, 2] = np.nan
    batch = batch_of([0.1], start) if where == "state" else batch_of([0.1], rate0=start)
    solved = simulate(blow_up(), batch, engine=engine)
    assert solved.flag[0] != 0
    (failure,) = failures(blow_up(), batch, solved, ["a"])
    assert failure.cause == "the initial value or input rate of state rest is not finite"


def test_a_dose_that_is_not_finite_is_told_as_the_cause() -> None:
    """``pack`` refuses it; should it come by another way, the run fails and says so."""
    batch = pack(blow_up(), [np.array([-1.0, 1.0])], [[Dose(0.25, 1.0, "y")]], [TIMES])
    solved = simulate(blow_up(), replace(batch, ev_amount=np.array([np.nan])), engine="rosenbrock")
    assert solved.flag[0] == 3
    (failure,) = failures(blow_up(), replace(batch, ev_amount=np.array([np.nan])), solved, ["a"])
    assert failure.cause == "the dose at 0.25 h is not finite" and failure.time == 0.25


def test_failed_runs_have_no_tangents() -> None:
    solved = simulate_with_sensitivities(blow_up(), batch_of([1.0, -1.0]))
    assert solved.tangents is not None and solved.flag.tolist()[1] == 0 and solved.flag[0] != 0
    assert np.isnan(solved.tangents[:3]).all()
    np.testing.assert_allclose(solved.tangents[3:, 0, 0], TIMES / (1.0 + TIMES) ** 2, rtol=1e-4)


def test_every_failed_run_is_logged_and_has_a_row(caplog: pytest.LogCaptureFixture) -> None:
    batch = batch_of([1.0, 0.1, 0.5])
    solved = simulate(blow_up(), batch, engine="rosenbrock")
    with caplog.at_level(logging.WARNING):
        table = conform("solver_check", note_failures(blow_up(), batch, solved, ["t1", "t2", "t3"], "pbpk/b000"))
    assert [r.message for r in caplog.records] == table.failure.tolist()
    assert table.run.tolist() == ["t1", "t3"] and table.state.tolist() == ["y", "y"] and not table.passed.any()
    require_some(table, 3, "twin t")
    with pytest.raises(RuntimeError, match=r"all 2 solves of twin t failed; the first: t1 - solve failed: .* state y"):
        require_some(table, 2, "twin t")
    calm = batch_of([0.1])
    none = note_failures(blow_up(), calm, simulate(blow_up(), calm, engine="rosenbrock"), ["x"], "s")
    assert none.empty and conform("solver_check", none).empty
    require_some(none, 0, "nothing")


def test_labels_must_fit_the_runs() -> None:
    batch = batch_of([0.1, 0.1])
    solved = simulate(blow_up(), batch, engine="rosenbrock")
    with pytest.raises(ValueError, match="1 labels, 2 runs and 2 results"):
        failures(blow_up(), batch, solved, ["a"])


def test_every_reason_has_a_likely_cause() -> None:
    assert set(CAUSES) == set(REASONS) - {0, 5}  # 0 is no failure, 5 names the parameter itself
    assert all(code < 0 for code in CVODE_CODES)


def test_a_whole_body_that_fails_names_its_parameter(vector: Callable[..., Floats]) -> None:
    model = whole_body()
    batch = pack(model, [vector(), vector(GFR=np.nan)], [[Dose(0.0, 20.0)]] * 2, [np.array([24.0])] * 2)
    solved: Trajectories = simulate(model, batch, engine="rosenbrock")
    assert [message(f) for f in failures(model, batch, solved, ["a", "twin7/s/twin/draw3"])] == [
        "twin7/s/twin/draw3 - solve failed: parameter GFR is nan, at 0 h - "
        "likely cause: parameter GFR was computed from bad input"
    ]
