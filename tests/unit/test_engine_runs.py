"""What a run is made of: events and records at equal times, resumption, threads, paths, a model that uses time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine import cvode, sundials
from pharmtwin.engine.run import Dose, Trajectories, pack, pack_events, simulate, simulate_with_sensitivities
from pharmtwin.model.description import Flux, Model, Module, Parameter, State, compose

Floats = NDArray[np.float64]
Event = tuple[float, int, float, int]
KA, CL, V = 0.9, 4.0, 25.0
LINEAR = np.array([KA, CL, V, 0.0, 1.0])
SATURABLE = np.array([KA, 2.0, V, 6.0, 0.3])
CENTRAL = 1  # index of A_central
ADD, ADD_RATE, SET, SET_RATE = range(4)
#: engine and form of the model's functions; cvode_public solves without the compiled driver
PATHS = (
    ("rosenbrock", "native"), ("rosenbrock", "tape"), ("cvode", "native"), ("cvode", "tape"),
    ("cvode_public", "native"),
)  # fmt: skip
paths = pytest.mark.parametrize(("engine", "form"), PATHS)
engines = pytest.mark.parametrize("engine", ["rosenbrock", "cvode"])


def one_run(
    model: Model, events: list[Event], times: list[float], engine: str, form: str, after: list[int] | None = None
) -> Trajectories:
    placed = None if after is None else [np.array(after)]
    batch = pack_events(model, [LINEAR], [events], [np.array(times)], placed)
    solved = simulate(model, batch, engine=engine, form=form, rtol=1e-10)
    assert not solved.flag.any()
    return solved


def amount(events: list[Event], time: float, n_applied: int, a: float = 0.0) -> tuple[float, float]:
    """Amount and input rate of A' = r - k A at ``time`` after the first ``n_applied`` events, from t = 0."""
    k, r, t = CL / V, 0.0, 0.0
    for at, _, x, kind in events[:n_applied]:
        a = r / k + (a - r / k) * np.exp(-k * (at - t))
        t = at
        if kind in (ADD, SET):
            a = x + (a if kind == ADD else 0.0)
        else:
            r = x + (r if kind == ADD_RATE else 0.0)
    return r / k + (a - r / k) * np.exp(-k * (time - t)), r


# ---------------------------------------------------------------- events and records


@paths
def test_records_are_taken_after_as_many_events_as_they_say(one_compartment: Model, engine: str, form: str) -> None:
    """Two boluses at 6 h: before both, between them, after both; a record at the start after its dose."""
    events = [(0.0, CENTRAL, 50.0, ADD), (6.0, CENTRAL, 40.0, ADD), (6.0, CENTRAL, 10.0, ADD), (9.0, CENTRAL, 1.0, ADD)]
    times = [0.0, 0.0, 6.0, 6.0, 6.0, 8.0, 9.0, 9.0]
    after = [0, 1, 1, 2, 3, 3, 3, 4]
    solved = one_run(one_compartment, events, times, engine, form, after)
    expected = [amount(events, t, n)[0] / V for t, n in zip(times, after, strict=True)]
    np.testing.assert_allclose(solved.of(0)[:, 0], expected, rtol=2e-8, atol=1e-15)
    assert solved.final_state[0, CENTRAL] == pytest.approx(V * expected[-1], rel=2e-8)
    assert solved.stat[0, 5] == 4  # events applied
    earlier = one_run(one_compartment, events, times[:4], engine, form, after[:4])
    applied = int(earlier.stat[0, 5])  # may go on to the other events of that time, and says so
    assert applied in (2, 3)
    assert earlier.final_state[0, CENTRAL] == pytest.approx(amount(events, 6.0, applied)[0], rel=2e-8)


def test_records_that_cannot_be_placed_are_refused(one_compartment: Model) -> None:
    events, times = [(1.0, 0, 5.0, ADD), (4.0, 0, 5.0, ADD)], [np.array([1.0, 3.0])]
    for after in ([1, 2], [1, 0], [0, 1, 1]):
        with pytest.raises(
            ValueError, match="run 0: a record is placed after an event that lies later, or out of order"
        ):
            pack_events(one_compartment, [LINEAR], [events], times, [np.array(after)])
    default = pack_events(one_compartment, [LINEAR], [events], times)
    assert default.rec_ev.tolist() == [0, 1]


ALL_KINDS: list[Event] = [
    (0.0, CENTRAL, 100.0, ADD), (1.0, CENTRAL, 20.0, ADD_RATE), (2.0, CENTRAL, 10.0, ADD_RATE),
    (3.0, CENTRAL, 5.0, SET_RATE), (4.0, CENTRAL, 40.0, SET), (5.0, CENTRAL, 0.0, SET_RATE),
    (6.0, CENTRAL, 10.0, SET), (6.0, CENTRAL, 5.0, ADD), (7.0, CENTRAL, 5.0, ADD), (7.0, CENTRAL, 10.0, SET),
    (8.0, CENTRAL, 7.0, SET_RATE), (8.0, CENTRAL, 3.0, ADD_RATE),
]  # fmt: skip


@paths
def test_kinds_of_events_follow_the_formula_in_their_order(one_compartment: Model, engine: str, form: str) -> None:
    """Add, add a rate, set, set a rate; at equal times the order decides (10 + 5, but 5 then 10)."""
    times = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.0, 6.5, 7.0, 7.5, 9.0, 12.0]
    solved = one_run(one_compartment, ALL_KINDS, times, engine, form)
    applied = [sum(e[0] < t for e in ALL_KINDS) for t in times]
    expected = [amount(ALL_KINDS, t, n)[0] for t, n in zip(times, applied, strict=True)]
    np.testing.assert_allclose(solved.of(0)[:, 0] * V, expected, rtol=1e-7)
    assert solved.final_rate[0].tolist() == [0.0, 10.0, 0.0, 0.0]
    assert expected[7] == pytest.approx(15.0 * np.exp(-0.5 * CL / V))  # the helper itself, at one point
    assert expected[9] == pytest.approx(10.0 * np.exp(-0.5 * CL / V))


def test_tangents_across_every_kind_of_event_are_those_of_the_formula(one_compartment: Model) -> None:
    """dA/dCL: an added amount or rate keeps the tangent, a state that is set forgets it."""
    times = np.array([1.5, 3.5, 4.0, 4.5, 6.5, 7.5, 12.0])
    solved = simulate_with_sensitivities(
        one_compartment, pack_events(one_compartment, [LINEAR], [ALL_KINDS], [times]), rtol=1e-10
    )
    assert solved.tangents is not None

    def by_hand(k: complex) -> list[complex]:
        out = []
        for end in times:
            a, r, t = 0j, 0j, 0.0
            for at, _, x, kind in [e for e in ALL_KINDS if e[0] < end]:
                a, t = r / k + (a - r / k) * np.exp(-k * (at - t)), at
                a, r = (
                    (x + (a if kind == ADD else 0), r)
                    if kind in (ADD, SET)
                    else (a, x + (r if kind == ADD_RATE else 0))
                )
            out.append(r / k + (a - r / k) * np.exp(-k * (end - t)))
        return out

    exact = np.imag(by_hand(CL / V + 1e-30j)) / 1e-30 / V  # dA/dk -> dA/dCL
    np.testing.assert_allclose(solved.tangents[:, 0, 1] * V, exact, rtol=1e-6)


# ---------------------------------------------------------------- stop and resume


@paths
@pytest.mark.parametrize("stop", [1.7, 2.0, 4.0, 6.0])
def test_a_run_resumes_from_its_state_and_input_rates(
    one_compartment: Model, engine: str, form: str, stop: float
) -> None:
    """In the middle of infusions, at events, between two events of one time: the rest is the same run."""
    later = [t for t in (3.0, 6.5, 8.5, 12.0) if t > stop]
    after = [sum(e[0] <= stop for e in ALL_KINDS)] if stop == 4.0 else [sum(e[0] < stop for e in ALL_KINDS)]
    if stop == 6.0:
        after = [7]  # between setting 10 and adding 5

    def run(
        events: list[Event], times: list[float], first: float, state0: Floats | None = None,
        rate0: Floats | None = None, placed: list[int] | None = None,
    ) -> Trajectories:  # fmt: skip
        batch = pack_events(
            one_compartment, [SATURABLE], [events], [np.array(times)], None if placed is None else [np.array(placed)],
            state0, [np.array([first])], rate0,
        )  # fmt: skip
        solved = simulate(one_compartment, batch, engine=engine, form=form, rtol=1e-9)
        assert not solved.flag.any()
        return solved

    whole = run(ALL_KINDS, later, 0.0)
    head = run(ALL_KINDS, [stop], 0.0, placed=after)
    applied = int(head.stat[0, 5])
    assert applied >= after[0] and all(e[0] <= stop for e in ALL_KINDS[:applied])
    assert head.final_rate[0, CENTRAL] == amount(ALL_KINDS, stop, applied)[1]
    tail = run(ALL_KINDS[applied:], later, stop, head.final_state, head.final_rate)
    np.testing.assert_allclose(tail.of(0), whole.of(0), rtol=1e-6)
    np.testing.assert_allclose(tail.final_state, whole.final_state, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(tail.final_rate, whole.final_rate)
    assert applied + tail.stat[0, 5] == whole.stat[0, 5]


@engines
@pytest.mark.parametrize("stop", [1.0, 3.0, 4.0, 6.0])
def test_a_regimen_resumes_by_itself(one_compartment: Model, engine: str, stop: float) -> None:
    """With final states and rates the whole regimen may be given again: what lies before the stop is not repeated."""
    doses = [Dose(0.0, 80.0), Dose(0.5, 60.0, "iv", 3.5), Dose(3.0, 40.0), Dose(4.0, 25.0, "iv")]
    doses.append(Dose(7.0, 9.0, "iv", 1.0))
    later = np.array([t for t in (3.5, 4.0, 5.0, 7.5, 12.0) if t > stop])
    solve = lambda batch: simulate(one_compartment, batch, engine=engine, rtol=1e-9)  # noqa: E731
    whole = solve(pack(one_compartment, [SATURABLE], [doses], [later]))
    head = solve(pack(one_compartment, [SATURABLE], [doses], [np.array([stop])]))
    tail = pack(
        one_compartment, [SATURABLE], [doses], [later], head.final_state, [np.array([stop])], rate0=head.final_rate
    )
    solved = solve(tail)
    np.testing.assert_allclose(solved.of(0), whole.of(0), rtol=1e-6)
    np.testing.assert_allclose(solved.final_rate, whole.final_rate, atol=1e-12)


# ---------------------------------------------------------------- threads, paths


def same(a: Trajectories, b: Trajectories) -> None:
    """Every bit, also of final states, tangents and counters."""
    for f in fields(Trajectories):
        mine, other = getattr(a, f.name), getattr(b, f.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, other, err_msg=f.name)
        else:
            assert mine == other


@pytest.mark.parametrize("engine", ["rosenbrock", "cvode", "tangents"])
def test_threads_give_the_same_bits(vector: Callable[..., Floats], engine: str) -> None:
    """Ragged runs, one of them failed: shares of a batch must not feel each other."""
    model = whole_body()
    P = [vector(CLint_other=100.0 * (1 + k)) for k in range(7)]
    P[3] = vector(GFR=np.nan)
    regimens = [[Dose(6.0 * i, 5.0 + k) for i in range(1 + k)] for k in range(7)]
    times = [np.linspace(0.0, 20.0 + k, 5 + 2 * k) for k in range(7)]
    batch = pack(model, P, regimens, times)

    def solve(threads: int) -> Trajectories:
        if engine == "tangents":
            return simulate_with_sensitivities(model, batch, threads=threads)
        return simulate(model, batch, engine=engine, threads=threads)

    one = solve(1)
    assert one.flag.tolist() == [0, 0, 0, 5, 0, 0, 0] and (one.steps[one.flag == 0] > 10).all()
    for threads in (2, 3, 16):
        same(one, solve(threads))
    same(one, solve(1))


@pytest.mark.parametrize(("rtol", "bound"), [(1e-6, 1e-8), (1e-9, 1e-9)])
def test_the_cvode_driver_equals_the_public_api(vector: Callable[..., Floats], rtol: float, bound: float) -> None:
    """The same library and method behind both: infusion, boluses, change of parameters, saturation.

    The systems are solved by two eliminations: Newton's iterates, broken off at a share of the tolerance, differ.
    """
    model = whole_body()
    P = [np.array([vector(), vector(CLint_other=450.0)])] * 2
    doses = [[Dose(12.0 * k, 20.0) for k in range(4)], [Dose(0.0, 30.0, "iv", 3.0), Dose(20.0, 10.0)]]
    times = [np.array([0.0, 0.3, 5.0, 12.0, 30.0, 47.0]), np.linspace(0.0, 60.0, 13)]
    batch = pack(model, P, doses, times, segment_times=[np.array([0.0, 15.0])] * 2)
    driver, public = (simulate(model, batch, engine=e, rtol=rtol) for e in ("cvode", "cvode_public"))
    assert not driver.flag.any() and not public.flag.any()
    scale = np.abs(public.values).max(axis=0)
    np.testing.assert_allclose(driver.values, public.values, rtol=bound, atol=bound * scale.min())
    np.testing.assert_allclose(driver.final_state, public.final_state, rtol=bound, atol=1e-4 * rtol)
    # (amounts: a tenth of the engine's own absolute tolerance)


@paths
def test_the_path_says_which_code_solved(one_compartment: Model, engine: str, form: str) -> None:
    path = one_run(one_compartment, [(0.0, 0, 10.0, ADD)], [1.0], engine, form).path
    version = sundials.library().version
    expected = {
        "rosenbrock": f"rosenbrock, {form}",
        "cvode": f"cvode {version}, compiled driver, {form}",
        "cvode_public": f"cvode, public API, {form}",
    }
    assert path == expected[engine]
    assert version.split(".")[0] == "7"


@pytest.fixture
def fresh_driver() -> Iterator[None]:
    """What is known of the driver is forgotten before and after."""
    cvode.driver_fault.cache_clear()
    yield
    cvode.driver_fault.cache_clear()


def test_a_library_that_cannot_be_driven_leaves_the_public_api(
    one_compartment: Model, fresh_driver: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> sundials.Library:
        raise sundials.NotDrivable("SUNDIALS 9.0.0, but the driver knows 7.x")

    expected = one_run(one_compartment, ALL_KINDS, [3.5, 7.5, 12.0], "cvode", "native")
    cvode.driver_fault.cache_clear()
    monkeypatch.setattr(sundials, "library", refuse)
    with caplog.at_level(logging.WARNING):
        solved = one_run(one_compartment, ALL_KINDS, [3.5, 7.5, 12.0], "cvode", "native")
        again = one_run(one_compartment, ALL_KINDS, [3.5, 7.5, 12.0], "cvode", "native")
    assert solved.path == "cvode, public API (SUNDIALS 9.0.0, but the driver knows 7.x), native" == again.path
    assert caplog.text.count("SUNDIALS 9.0.0, but the driver knows 7.x") == 1  # said once a process
    np.testing.assert_allclose(solved.values, expected.values, rtol=1e-9)


def test_a_driver_that_gives_wrong_numbers_is_not_used(
    one_compartment: Model, fresh_driver: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The self-check solves a problem with a known answer; here the driver returns 1 % too much."""
    honest = cvode._solve_driver

    def wrong(*args: object) -> Trajectories:
        solved = honest(*args)  # type: ignore[arg-type]
        return replace(solved, values=solved.values * 1.01)

    monkeypatch.setattr(cvode, "_solve_driver", wrong)
    solved = one_run(one_compartment, ALL_KINDS, [3.5], "cvode", "native")
    assert "public API (self-check solve is off by 0.01)" in solved.path


# ---------------------------------------------------------------- time


def clock(extra: tuple[Flux, ...] = ()) -> Model:
    """x' = amplitude sin(time): x(t) - x(t0) = amplitude (cos t0 - cos t)."""
    part = Module(
        "wave",
        states=(State("x", "1", "integral of a wave", 2.0),),
        parameters=(Parameter("amplitude", "1/h", ""),),
        fluxes=(Flux("f", "amplitude*sin(time)", "1/h", None, "x"), *extra),
        dose_targets=(("x", "x"),),
    )
    return compose("wave", [part], ["x", "time"], ("amplitude",))


@paths
@pytest.mark.parametrize("t0", [0.0, 5.0, -3.0])
def test_a_model_may_use_the_time(engine: str, form: str, t0: float) -> None:
    """Also when the run starts elsewhere, with a dose and a change of the amplitude on the way."""
    model = clock()
    times = t0 + np.array([0.0, 0.4, 2.0, 4.0, 9.0, 31.0])
    starts, P = np.array([t0, t0 + 3.0]), np.array([[1.0], [2.5]])
    batch = pack(model, [P], [[Dose(t0 + 1.0, 7.0, "x")]], [times], segment_times=[starts])
    solved = simulate(model, batch, engine=engine, form=form, rtol=1e-9)
    assert not solved.flag.any()
    first, second = np.minimum(times, starts[1]), np.maximum(times, starts[1])
    x = 2.0 + np.cos(t0) - np.cos(first) + 2.5 * (np.cos(starts[1]) - np.cos(second)) + 7.0 * (times > t0 + 1.0)
    np.testing.assert_allclose(solved.of(0)[:, 0], x, rtol=2e-7)
    np.testing.assert_allclose(solved.of(0)[:, 1], times, rtol=1e-12, atol=1e-12)


@engines
def test_a_model_that_uses_the_time_resumes_where_it_stopped(engine: str) -> None:
    model = clock()
    head = simulate(model, pack(model, [np.ones(1)], [[]], [np.array([4.0])]), engine=engine, rtol=1e-10)
    assert head.final_state[0].tolist() == pytest.approx([2.0 + 1.0 - np.cos(4.0), 4.0], rel=1e-8)
    tail = pack(model, [np.ones(1)], [[]], [np.array([11.0])], state0=head.final_state, segment_times=[np.array([4.0])])
    solved = simulate(model, tail, engine=engine, rtol=1e-10)
    np.testing.assert_allclose(solved.of(0)[0], [3.0 - np.cos(11.0), 11.0], rtol=1e-8)


def test_tangents_of_a_model_that_uses_the_time() -> None:
    model = clock()
    times = np.array([1.0, 6.0, 20.0])
    solved = simulate_with_sensitivities(model, pack(model, [np.full(1, 1.7)], [[]], [times]), rtol=1e-9)
    assert solved.tangents is not None
    np.testing.assert_allclose(solved.tangents[:, 0, 0], 1.0 - np.cos(times), rtol=1e-6)
    assert not solved.tangents[:, 1].any()
