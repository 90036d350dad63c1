"""Derivatives through the times and amounts of events, against closed forms and central differences of tight solves.

Dose parameters are parameters of the model that its equations do not use: the events that depend on them say how.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.engine.crosscheck import subset
from pharmtwin.engine.run import Batch, Trajectories, pack_events, simulate, simulate_with_sensitivities
from pharmtwin.inference.population_fit.kernel import make_solver
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose

Floats = NDArray[np.float64]
KA, CL, V, VMAX, KM = 1.1, 2.0, 20.0, 9.0, 0.7
LAG, D, F, A0 = 1.3, 4.0, 0.6, 30.0
K = CL / V
THETA = ("ka", "CL", "V", "lag", "D", "F", "A0")
DEPOT, CENTRAL, AREA = 0, 1, 2
ADD, RATE, SET, SET_RATE = 0, 1, 2, 3
AMOUNT = 100.0
GRID = np.array([0.0, 0.4, 1.2, 1.5, 2.2, 3.9, 4.1, 5.2, 5.4, 8.0, 13.0, 24.0])


def _model(name: str, elimination: str) -> Model:
    module = Module(
        name="body",
        states=(State("depot", "mg", "gut"), State("central", "mg", "body"), State("AUC", "mg*h/L", "area")),
        parameters=tuple(Parameter(n, "1", n) for n in ("ka", "CL", "V", "vmax", "km", "lag", "D", "F", "A0")),
        definitions=(Definition("C", "central/V", "mg/L", "concentration"),),
        fluxes=(
            Flux("absorption", "ka*depot", "mg/h", "depot", "central"),
            Flux("elimination", elimination, "mg/h", "central", None),
            Flux("area", "C", "mg/L", None, "AUC"),
        ),
        dose_targets=(("oral", "depot"), ("iv", "central")),
    )
    return compose(name, [module], ["C", "AUC", "depot"], THETA)


@pytest.fixture(scope="module")
def linear() -> Model:
    return _model("event_tangents_linear", "CL*C")


@pytest.fixture(scope="module")
def saturable() -> Model:
    return _model("event_tangents_saturable", "CL*C + vmax*C/(km + C)")


def point(**changed: float) -> dict[str, float]:
    values = dict(ka=KA, CL=CL, V=V, vmax=VMAX, km=KM, lag=LAG, D=D, F=F, A0=A0)
    assert changed.keys() <= values.keys()
    return values | changed


def row(**derivative: float) -> list[float]:
    """Derivatives by name of the parameter; the others are zero."""
    assert derivative.keys() <= set(THETA)
    return [derivative.get(n, 0.0) for n in THETA]


#: (time, state, amount, kind), derivatives of the time, derivatives of the amount
Moving = tuple[tuple[float, int, float, int], list[float], list[float]]


def batch_of(model: Model, p: dict[str, float], events: Sequence[Moving], times: Floats, **more: Any) -> Batch:
    P = [np.array(list(p.values()))] if "P" not in more else [more.pop("P")]
    batch = pack_events(model, P, [[e for e, _, _ in events]], [times], **more)
    return replace(batch, ev_dt=np.array([dt for _, dt, _ in events]), ev_da=np.array([da for _, _, da in events]))


def solved(model: Model, p: dict[str, float], events: Sequence[Moving], times: Floats = GRID, **more: Any) -> Any:
    """Values (n_t, n_observables) and derivatives by name of the parameter (n_t, n_observables)."""
    out = simulate_with_sensitivities(model, batch_of(model, p, events, times, **more), rtol=1e-10)
    assert not out.flag.any() and out.tangents is not None
    return out.values, {n: out.tangents[:, :, k] for k, n in enumerate(THETA)}


def by_complex_step(closed: Callable[..., Any], name: str) -> Floats:
    """Derivative of a closed form with respect to one of its arguments: exact to rounding."""
    values: dict[str, complex] = {k: complex(v) for k, v in point().items()}
    values[name] += 1e-30j
    return np.asarray(np.imag(closed(**values)) / 1e-30, dtype=float)


def close(got: Floats, exact: Floats, bound: float = 1e-7) -> None:
    """Relative to the value, or to a thousandth of the largest."""
    np.testing.assert_allclose(got, exact, rtol=bound, atol=1e-3 * bound * max(np.abs(exact).max(), 1e-12))


def oral(s: Any, ka: Any, cl: Any, v: Any) -> Any:
    k = cl / v
    return ka / (v * (ka - k)) * (np.exp(-k * s) - np.exp(-ka * s))


# ---------------------------------------------------------------- one dose parameter


def test_lag_of_an_oral_dose_is_minus_the_slope(linear: Model) -> None:
    """C(t) = c(t - lag), so dC/dlag = -c'(t - lag); the area loses what stands at its end: dAUC/dlag = -c(t - lag)."""
    values, d = solved(linear, point(), [((LAG, DEPOT, AMOUNT, ADD), row(lag=1.0), row())])
    on = np.where(GRID > LAG, 1.0, 0.0)
    s = on * (GRID - LAG)
    slope = on * AMOUNT * KA / (V * (KA - K)) * (KA * np.exp(-KA * s) - K * np.exp(-K * s))
    close(d["lag"][:, 0], -slope)
    close(d["lag"][:, 1], -on * AMOUNT * oral(s, KA, CL, V))
    close(d["lag"][:, 2], on * AMOUNT * KA * np.exp(-KA * s))
    assert np.all(d["lag"][GRID < LAG] == 0) and np.abs(slope).max() > 1
    for name in ("ka", "CL", "V"):  # what does not move is as before
        close(d[name][:, 0], by_complex_step(lambda ka, CL, V, **_: on * AMOUNT * oral(s, ka, CL, V), name), 1e-6)
    close(values[:, 0], on * AMOUNT * oral(s, KA, CL, V))


def infusion(t: Floats, start: Any, duration: Any, rate: Any, cl: Any, v: Any) -> Any:
    """Concentration of a zero-order input, also for complex start and duration."""
    s = t - start
    during, after = np.real(s) > 0, np.real(s) > np.real(duration)
    length = np.where(after, duration, np.where(during, s, 0.0))
    return rate / cl * (1 - np.exp(-cl / v * length)) * np.exp(-cl / v * np.where(after, s - duration, 0.0))


def test_duration_of_a_zero_order_input(linear: Model) -> None:
    """F scales the rate; lag moves both ends. During the input D acts by the rate, after it by its end too."""
    rate = F * AMOUNT / D
    d_rate = row(F=AMOUNT / D, D=-rate / D)
    stop = [-x for x in d_rate]
    events = [
        ((LAG, CENTRAL, rate, RATE), row(lag=1.0), d_rate),
        ((LAG + D, CENTRAL, -rate, RATE), row(lag=1.0, D=1.0), stop),
    ]
    values, d = solved(linear, point(), events)
    assert np.sum((GRID > LAG) & (GRID < LAG + D)) >= 4 and np.sum(GRID > LAG + D) >= 4

    def closed(CL: Any, V: Any, lag: Any, D: Any, F: Any, **_: Any) -> Any:
        return infusion(GRID, lag, D, F * AMOUNT / D, CL, V)

    close(values[:, 0], np.real(closed(**point())))
    for name in ("D", "F", "lag", "CL", "V"):
        close(d[name][:, 0], by_complex_step(closed, name), 1e-7 if name in ("D", "F", "lag") else 1e-6)
    # the area of the whole dose does not depend on how fast it comes: F AMOUNT / CL in the end
    last, tail = d["F"][-1, 1], by_complex_step(closed, "F")[-1] / K
    assert last + tail == pytest.approx(AMOUNT / CL, rel=1e-7)


def test_bioavailability_of_a_bolus(linear: Model) -> None:
    values, d = solved(linear, point(), [((0.0, DEPOT, F * AMOUNT, ADD), row(), row(F=AMOUNT))])
    close(d["F"], values / F)  # linear: everything is proportional to F


def test_bioavailability_of_an_infusion_of_given_rate_is_its_length(linear: Model) -> None:
    rate, length = 15.0, F * AMOUNT / 15.0
    events = [
        ((0.0, CENTRAL, rate, RATE), row(), row()),
        ((length, CENTRAL, -rate, RATE), row(F=AMOUNT / rate), row()),
    ]
    _, d = solved(linear, point(), events)
    exact = by_complex_step(lambda CL, V, F, **_: infusion(GRID, 0.0, F * AMOUNT / rate, rate, CL, V), "F")
    close(d["F"][:, 0], exact)
    running = length > GRID
    assert np.all(d["F"][running] == 0) and np.all(exact[~running] > 0)


def test_initial_value_of_a_state(linear: Model) -> None:
    values, d = solved(linear, point(), [((0.0, CENTRAL, A0, SET), row(), row(A0=1.0))], records_after=[GRID * 0 + 1])
    close(d["A0"][:, 0], np.exp(-K * GRID) / V)
    close(d["A0"][:, 1], (1 - np.exp(-K * GRID)) / CL)
    close(d["V"][:, 0], by_complex_step(lambda CL, V, A0, **_: A0 / V * np.exp(-CL / V * GRID), "V"))
    close(values[:, 0], A0 / V * np.exp(-K * GRID))


def test_a_state_set_at_a_moving_time(linear: Model) -> None:
    """Whatever was there before, it is a at the time of the event; what hangs on it downstream follows."""
    events = [
        ((0.0, CENTRAL, 50.0, ADD), row(), row()),
        ((LAG, CENTRAL, A0, SET), row(lag=1.0), row(A0=1.0)),
    ]
    _, d = solved(linear, point(), events)
    on = np.where(GRID > LAG, 1.0, 0.0)
    c = on * A0 / V * np.exp(-K * (GRID - LAG))
    before = 50.0 / V * np.exp(-K * LAG)
    close(d["lag"][:, 0], K * c)
    close(d["A0"][:, 0], c / A0)
    # area = 50 (1 - exp(-K lag)) / CL + A0 (1 - exp(-K (t - lag))) / CL
    close(d["lag"][:, 1], on * (before - A0 / V * np.exp(-K * (GRID - LAG))))


def test_a_rate_set_at_a_moving_time(linear: Model) -> None:
    events = [
        ((0.0, CENTRAL, 20.0, RATE), row(), row(F=9.0)),
        ((LAG, CENTRAL, A0, SET_RATE), row(lag=1.0), row(A0=1.0)),
    ]
    _, d = solved(linear, point(), events)

    def closed(CL: Any, V: Any, lag: Any, F: Any, A0: Any, **_: Any) -> Any:
        first = 20.0 + 9.0 * (F - point()["F"])
        return infusion(GRID, 0.0, lag, first, CL, V) + infusion(GRID, lag, 1e9, A0, CL, V)

    for name in ("lag", "A0", "F"):
        close(d[name][:, 0], by_complex_step(closed, name))


def test_time_in_the_equations(linear: Model) -> None:
    """k(t) = k0 (1 + sin(t)/2): a dose that comes later loses less, by the k of its own time."""
    module = Module(
        name="body",
        states=(State("central", "mg", "body"),),
        parameters=(Parameter("k0", "1/h", "rate"), Parameter("lag", "h", "lag")),
        fluxes=(Flux("elimination", "k0*(1 + 0.5*sin(time))*central", "mg/h", "central", None),),
        dose_targets=(("iv", "central"),),
    )
    model = compose("event_tangents_clock", [module], ["central"], ("k0", "lag"))
    k0 = 0.3
    batch = pack_events(model, [np.array([k0, LAG])], [[(LAG, 0, AMOUNT, ADD)]], [GRID])
    batch = replace(batch, ev_dt=np.array([[0.0, 1.0]]), ev_da=np.zeros((1, 2)))
    tangents = simulate_with_sensitivities(model, batch, rtol=1e-10).tangents
    assert tangents is not None
    total = k0 * ((GRID - LAG) - 0.5 * (np.cos(GRID) - np.cos(LAG)))
    amount = (GRID > LAG) * AMOUNT * np.exp(-total)
    close(tangents[:, 0, 1], k0 * (1 + 0.5 * np.sin(LAG)) * amount)
    close(tangents[:, 0, 0], -total / k0 * amount, 1e-6)


# ---------------------------------------------------------------- everything at once, nothing linear


def busy(p: dict[str, float]) -> list[Moving]:
    """Lagged boluses of F, a lagged zero-order input over D, an unknown start, a reset of the depot on the way."""
    lag, d, f = p["lag"], p["D"], p["F"]
    rate = f * AMOUNT / d
    d_rate = row(F=AMOUNT / d, D=-rate / d)
    events: list[Moving] = [
        ((0.0, CENTRAL, p["A0"], SET), row(), row(A0=1.0)),
        ((lag, DEPOT, f * AMOUNT, ADD), row(lag=1.0), row(F=AMOUNT)),
        ((2.0 + lag, CENTRAL, rate, RATE), row(lag=1.0), d_rate),
        ((6.0, DEPOT, 0.0, SET), row(), row()),
        ((2.0 + lag + d, CENTRAL, -rate, RATE), row(lag=1.0, D=1.0), [-x for x in d_rate]),
        ((12.0 + lag, DEPOT, f * AMOUNT, ADD), row(lag=1.0), row(F=AMOUNT)),
    ]
    assert [e[0][0] for e in events] == sorted(e[0][0] for e in events)
    return events


@pytest.mark.parametrize("form", ["native", "tape"])
def test_saturable_elimination_equals_central_differences(saturable: Model, form: str) -> None:
    times = np.array([0.5, 1.2, 1.5, 3.0, 3.5, 5.0, 6.5, 7.2, 7.4, 9.0, 13.0, 14.0, 20.0, 30.0])
    batch = batch_of(saturable, point(), busy(point()), times)
    tangents = simulate_with_sensitivities(saturable, batch, rtol=1e-10, form=form).tangents
    assert tangents is not None
    for k, name in enumerate(THETA):
        h = 1e-4 * point()[name]
        sides = []
        for sign in (1, -1, 2, -2):  # five-point formula: an error of h^4
            p = point(**{name: point()[name] + sign * h})
            moved = batch_of(saturable, p, busy(p), times)
            sides.append(simulate(saturable, moved, engine="rosenbrock", rtol=1e-12).values)
        numeric = (8 * (sides[0] - sides[1]) - (sides[2] - sides[3])) / (12 * h)
        scale = np.maximum(np.abs(numeric), 1e-2 * np.abs(numeric).max(axis=0))
        rounding = 1e-13 * np.abs(sides[0]).max(axis=0) / h  # all that is left where the derivative is zero
        assert np.all(np.abs(tangents[:, :, k] - numeric) <= 1e-6 * scale + rounding), name


# ---------------------------------------------------------------- ties


def test_events_at_one_time(linear: Model) -> None:
    """A bolus and the start of an infusion share a lag; a bolus that another one follows at once with a lag of its
    own; records before, between and after them."""
    rate = 12.0
    events = [
        ((LAG, CENTRAL, AMOUNT, ADD), row(lag=1.0), row()),
        ((LAG, CENTRAL, rate, RATE), row(lag=1.0), row()),
        ((LAG, CENTRAL, F * AMOUNT, ADD), row(D=1.0), row(F=AMOUNT)),
    ]
    times = np.array([LAG, LAG, LAG, LAG, 3.0, 9.0])
    _, d = solved(linear, point(), events, times, records_after=[np.array([0, 1, 2, 3, 3, 3])])
    s = times - LAG
    c = AMOUNT / V * np.exp(-K * s)
    seen = np.array([0, 1, 2, 3, 3, 3])
    slope = K * c * (seen >= 1) - rate / V * np.exp(-K * s) * (seen >= 2)  # -d/dt of bolus, of infusion
    close(d["lag"][:, 0], slope)
    close(d["D"][:, 0], F * K * c * (seen >= 3))
    close(d["F"][:, 0], c * (seen >= 3))
    close(d["lag"][:, 1], -(c * (seen >= 1) + rate / CL * (1 - np.exp(-K * s))))


def test_a_dose_that_arrives_at_a_reset_leaves_no_trace(linear: Model) -> None:
    events = [
        ((5.0, CENTRAL, AMOUNT, ADD), row(lag=1.0), row(F=AMOUNT)),
        ((5.0, CENTRAL, 0.0, SET), row(), row()),
        ((5.0, CENTRAL, 0.0, SET_RATE), row(), row()),
    ]
    _, d = solved(linear, point(), events, np.array([5.0, 6.0]))
    assert np.all(d["F"] == 0) and np.all(d["lag"][:, 0] == 0)


def test_a_dose_at_a_change_of_parameters_takes_the_new_ones(linear: Model) -> None:
    """At a kink there is one derivative a side; the event is applied after the change, so the later side is taken."""
    P = np.array([list(point().values()), list(point(CL=3 * CL).values())])
    event = ((5.0, CENTRAL, AMOUNT, ADD), row(lag=1.0), row())
    start = [np.array([0.0, 5.0])]
    _, d = solved(linear, point(), [event], np.array([4.0, 7.0]), P=P, segment_times=start)
    close(d["lag"][:, 0], np.array([0.0, 3 * K * AMOUNT / V * np.exp(-3 * K * 2.0)]))


# ---------------------------------------------------------------- the arrays


def both(model: Model, batch: Batch) -> Trajectories:
    out = simulate_with_sensitivities(model, batch)
    assert out.tangents is not None and not out.flag.any()
    return out


def test_derivatives_of_zero_are_events_that_are_numbers(saturable: Model) -> None:
    batch = batch_of(saturable, point(), busy(point()), GRID)
    absent = replace(batch, ev_dt=np.zeros((0, 7)), ev_da=np.zeros((0, 7)))
    zero = replace(batch, ev_dt=np.zeros((6, 7)), ev_da=np.zeros((6, 7)))
    a, b, c = both(saturable, absent), both(saturable, zero), both(saturable, batch)
    np.testing.assert_array_equal(a.tangents, b.tangents)
    np.testing.assert_array_equal(a.values, c.values)
    np.testing.assert_array_equal(a.values, simulate(saturable, batch, engine="rosenbrock").values)
    assert not np.allclose(a.tangents, c.tangents)  # type: ignore[arg-type]


def test_runs_keep_their_own_derivatives(saturable: Model) -> None:
    """A batch of three, of which one has no events, alone, chosen, and over two threads."""
    points = [point(), point(lag=0.4), point(F=0.9, D=5.5)]
    moving = [busy(points[0]), [], busy(points[2])]
    rows = [np.array(list(p.values())) for p in points]
    events = [[e for e, _, _ in own] for own in moving]
    flat = [m for own in moving for m in own]
    batch = replace(
        pack_events(saturable, rows, events, [GRID, GRID[:3], GRID[2:]]),
        ev_dt=np.array([dt for _, dt, _ in flat]),
        ev_da=np.array([da for _, _, da in flat]),
    )
    whole = both(saturable, batch)
    assert whole.tangents is not None
    two = simulate_with_sensitivities(saturable, batch, threads=2)
    np.testing.assert_array_equal(two.tangents, whole.tangents)
    chosen = both(saturable, subset(batch, [2, 0]))
    assert chosen.tangents is not None
    n = len(GRID) - 2
    np.testing.assert_array_equal(chosen.tangents[:n], whole.tangents[-n:])
    np.testing.assert_array_equal(chosen.tangents[n:], whole.tangents[: len(GRID)])
    alone = both(saturable, batch_of(saturable, points[2], moving[2], GRID[2:]))
    np.testing.assert_array_equal(alone.tangents, whole.tangents[-n:])


def test_the_samplers_solver_hands_them_on(saturable: Model) -> None:
    """Compiled without Python, with events that move and with events that are numbers."""
    batch = batch_of(saturable, point(), busy(point()), GRID)
    solve = make_solver(saturable, batch, 1e-6)
    for given in (batch, replace(batch, ev_dt=np.zeros((6, 7)), ev_da=np.zeros((6, 7)))):
        e = (given.ev_t, given.ev_state, given.ev_amount, given.ev_kind, given.ev_dt, given.ev_da, given.ev_0)
        values, tangents, flag = solve(given.P, (*e, given.rec_ev))
        out = both(saturable, given)
        assert not flag.any() and out.tangents is not None
        np.testing.assert_array_equal(values, out.values)
        np.testing.assert_array_equal(tangents, out.tangents)


@pytest.mark.parametrize(("dt", "da"), [((5, 7), (6, 7)), ((6, 7), (0, 7)), ((6, 3), (6, 3)), ((7, 7), (7, 7))])
def test_arrays_that_do_not_fit_are_refused(saturable: Model, dt: tuple[int, int], da: tuple[int, int]) -> None:
    batch = batch_of(saturable, point(), busy(point()), GRID)
    with pytest.raises(ValueError, match=r"both need \(6, 7\), events by sensitivities"):
        simulate_with_sensitivities(saturable, replace(batch, ev_dt=np.zeros(dt), ev_da=np.zeros(da)))
