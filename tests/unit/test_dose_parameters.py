"""Doses with parameters: the events are those of the event table, and their derivatives those of the solution."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.engine import dose_rows as dr
from pharmtwin.engine.dose_parameters import Events, batch_with, place, place_events
from pharmtwin.engine.dose_rows import DoseRows, Row
from pharmtwin.engine.events import expand
from pharmtwin.engine.run import Batch, pack_events, simulate, simulate_with_sensitivities
from pharmtwin.engine.schedule import ADD_AMOUNT, ADD_RATE, SET_RATE, SET_STATE
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose

Floats = NDArray[np.float64]
KA, CL, V, KIN, KOUT = 1.1, 2.0, 20.0, 1.2, 0.4
DEPOT, CENTRAL, RESPONSE = 0, 1, 2
#: dose parameters in the order of their columns, which are parameters of the model that its equations do not use
DOSE_PARAMETERS = ("F", "lag", "D", "R", "R0")
F, LAG, D, R, R0 = range(5)
POINT = np.array([0.7, 1.3, 3.7, 21.0, 4.5])


@pytest.fixture(scope="module")
def model() -> Model:
    """Depot, saturable elimination, a response with a turnover that starts at 3, and the clock in its production."""
    module = Module(
        name="body",
        states=(
            State("depot", "mg", "gut"),
            State("central", "mg", "body"),
            State("response", "1", "response", initial=3.0),
        ),
        parameters=tuple(Parameter(n, "1", n) for n in ("ka", "cl", "v", "kin", "kout", *DOSE_PARAMETERS)),
        definitions=(Definition("C", "central/v", "mg/L", "concentration"),),
        fluxes=(
            Flux("absorption", "ka*depot", "mg/h", "depot", "central"),
            Flux("elimination", "cl*C/(1 + 0.3*C)", "mg/h", "central", None),
            Flux("production", "kin*(1 + 0.2*sin(time/4))", "1", None, "response"),
            Flux("loss", "kout*response*(1 + C)", "1", "response", None),
        ),
        dose_targets=(("oral", "depot"), ("iv", "central")),
    )
    return compose("dose_parameters", [module], ["C", "response", "depot"], ("ka", "v", *DOSE_PARAMETERS))


def listed(events: Events, k: int) -> list[tuple[float, int, float, int]]:
    a, b = events.ev_0[k : k + 2]
    columns = (events.ev_t, events.ev_state, events.ev_amount, events.ev_kind)
    return list(zip(*(c[a:b].tolist() for c in columns)))


# ---------------------------------------------------------------- the same events as the event table


def random_row(rng: np.random.Generator, time: float, columns: list[float]) -> tuple[dict[str, Any], Row]:
    """One dose row in both forms; dose parameters go to the end of ``columns``. Times on a grid, so that many tie."""
    state, amount = int(rng.integers(2)), float(rng.choice([10.0, 25.0, 60.0]))
    table: dict[str, Any] = {"TIME": time, "EVID": int(rng.choice([1, 1, 1, 4])), "CMT": state + 1, "AMT": amount}
    row = Row(time, table["EVID"], state, amount)

    def column(name: str, value: float) -> int:
        table[name] = value
        columns.append(value)
        return len(columns) - 1

    if rng.random() < 0.5:
        row = row._replace(f=column("F", float(rng.choice([0.5, 0.8, 1.0]))))
    if rng.random() < 0.5:
        row = row._replace(lag=column("ALAG", float(rng.choice([0.0, 0.1, 0.3, 1.0, 2.5, 7.0]))))
    kind = int(rng.integers(4))
    if kind == 1:
        table["RATE"] = float(rng.choice([5.0, 10.0, 50.0]))
        row = row._replace(kind=dr.RATE, value=table["RATE"])
    elif kind == 2:
        table["RATE"] = -2
        row = row._replace(kind=dr.DURATION_PARAMETER, length=column("D", float(rng.choice([0.2, 1.0, 6.0]))))
    elif kind == 3:
        table["RATE"] = -1
        row = row._replace(kind=dr.RATE_PARAMETER, length=column("R", float(rng.choice([5.0, 10.0, 50.0]))))
    if rng.random() < 0.4:
        table["ADDL"], table["II"] = int(rng.integers(1, 5)), float(rng.choice([0.1, 0.5, 1.0, 4.0]))
        row = row._replace(addl=table["ADDL"], ii=table["II"])
    return table, row


def random_run(rng: np.random.Generator) -> tuple[list[dict[str, Any]], list[Row], list[float]]:
    times = np.cumsum(rng.choice([0.0, 0.1, 0.2, 0.5, 1.0, 3.0], size=int(rng.integers(1, 14))))
    table: list[dict[str, Any]] = []
    rows: list[Row] = []
    columns: list[float] = []
    for time in times.tolist():
        what = rng.random()
        if what < 0.5:
            cells, row = random_row(rng, time, columns)
        else:
            evid = 3 if what < 0.6 else int(rng.choice([0, 2]))
            cells, row = {"TIME": time, "EVID": evid}, Row(time, evid)
        table.append(cells)
        rows.append(row)
    return table, rows, columns


def test_events_are_those_of_the_event_table(model: Model) -> None:
    """Four hundred random tables in one batch: bolus, RATE given, -1 and -2, F, lag, ADDL, EVID 3 and 4, ties."""
    rng = np.random.default_rng(20)
    cases = [random_run(rng) for _ in range(400)]
    n = max(len(c) for _, _, c in cases)
    X = np.full((len(cases), n), np.nan)  # what a run does not use is not looked at
    for k, (_, _, columns) in enumerate(cases):
        X[k, : len(columns)] = columns
    rows = DoseRows.create(model, [rows for _, rows, _ in cases], n)
    events = place(rows, X)
    assert not events.flag.any() and events.ev_dt.shape == (0, 0)
    kinds, at, tied = set(), 0, 0
    for k, (table, _, _) in enumerate(cases):
        schedule = expand(model, table)
        got = np.array(listed(events, k)).reshape(-1, 4)
        expected = np.array(schedule.events).reshape(-1, 4)
        np.testing.assert_array_equal(got[:, [0, 1, 3]], expected[:, [0, 1, 3]], err_msg=str(table))
        np.testing.assert_allclose(got[:, 2], expected[:, 2], rtol=1e-15)
        seen = events.rec_ev[at : at + len(schedule.times)]
        np.testing.assert_array_equal(seen, schedule.rec_ev, err_msg=str(table))
        at += len(schedule.times)
        kinds |= set(got[:, 3].astype(int).tolist())
        tied += int(np.sum(np.diff(got[:, 0]) == 0))
    assert kinds == {ADD_AMOUNT, ADD_RATE, SET_STATE, SET_RATE} and tied > 300 and at == len(events.rec_ev) > 500


def test_an_infusion_of_given_duration(model: Model) -> None:
    """F scales its rate; the event table has no such row."""
    rows = DoseRows.create(model, [[Row(2.0, 1, CENTRAL, 30.0, dr.DURATION, 4.0, f=0, lag=1)]], 2)
    events = place(rows, np.array([[0.5, 0.25]]), np.array([[[1.0, 0.0], [0.0, 1.0]]]))
    assert listed(events, 0) == [(2.25, CENTRAL, 3.75, ADD_RATE), (6.25, CENTRAL, -3.75, ADD_RATE)]
    np.testing.assert_array_equal(events.ev_dt, [[0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(events.ev_da, [[7.5, 0.0], [-7.5, 0.0]])


def test_records_rows_and_what_arrives_of_itself(model: Model) -> None:
    """At 6 h: a record, a further dose and a lagged one that come of themselves, a dose row, a record."""
    run = [
        Row(0.0, 1, DEPOT, 10.0, ii=6.0, addl=1), Row(0.0, 0), Row(4.0, 1, CENTRAL, 20.0, lag=0), Row(6.0, 0),
        Row(6.0, 1, CENTRAL, 30.0), Row(6.0, 0),
    ]  # fmt: skip
    events = place(DoseRows.create(model, [run], 1), np.array([[2.0]]))
    doses = [(0.0, DEPOT, 10.0), (6.0, DEPOT, 10.0), (6.0, CENTRAL, 20.0), (6.0, CENTRAL, 30.0)]
    assert listed(events, 0) == [(*d, ADD_AMOUNT) for d in doses]
    assert events.rec_ev.tolist() == [1, 3, 4]
    # 0.1 + 0.2 is a rounding error later than 0.3
    early = DoseRows.create(model, [[Row(0.1, 1, DEPOT, 10.0, lag=0), Row(0.3, 0)]], 1)
    assert place(early, np.array([[0.2]])).rec_ev.tolist() == [1]


def test_initial_values_that_are_parameters(model: Model) -> None:
    """Set at the start before everything, and again at a reset, where the others go back to the model's."""
    run = [Row(1.0, 0), Row(1.0, 1, CENTRAL, 5.0), Row(2.0, 3), Row(3.0, 0)]
    rows = DoseRows.create(model, [run, run], 2, initial=[{RESPONSE: 1, DEPOT: 0}, {}], start=[0.5, 1.0])
    X = np.array([[8.0, 9.0], [1.0, 2.0]])
    events = place(rows, X, np.array([[[2.0], [3.0]], [[4.0], [5.0]]]))
    assert listed(events, 0) == [
        (0.5, DEPOT, 8.0, SET_STATE), (0.5, RESPONSE, 9.0, SET_STATE), (1.0, CENTRAL, 5.0, ADD_AMOUNT),
        (2.0, DEPOT, 8.0, SET_STATE), (2.0, CENTRAL, 0.0, SET_STATE), (2.0, RESPONSE, 9.0, SET_STATE),
    ]  # fmt: skip
    assert [e[2] for e in listed(events, 1)] == [5.0, 0.0, 0.0, 3.0]
    assert events.ev_da[:, 0].tolist() == [2.0, 3.0, 0.0, 2.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]
    assert events.rec_ev.tolist() == [2, 6, 0, 4]


# ---------------------------------------------------------------- derivatives


def busy() -> list[Row]:
    """Every kind of dose with every parameter; a reset on the way; records between and at the end."""
    doses = [
        Row(0.0, 1, DEPOT, 40.0, f=F, lag=LAG, ii=9.0, addl=1),
        Row(2.0, 1, CENTRAL, 30.0, dr.DURATION_PARAMETER, length=D, f=F, lag=LAG),
        Row(3.0, 1, CENTRAL, 50.0, dr.RATE, 11.0, f=F),
        Row(14.0, 4, CENTRAL, 45.0, dr.RATE_PARAMETER, length=R, f=F, lag=LAG),
        Row(15.0, 1, CENTRAL, 20.0, dr.DURATION, 5.0, f=F),
        Row(13.5, 1, CENTRAL, 80.0, dr.DURATION, 9.0, f=F),  # cut off by the reset
    ]
    records = [Row(t, 0) for t in (0.7, 1.9, 4.1, 6.3, 8.2, 11.0, 13.9, 14.8, 15.9, 17.3, 19.0, 23.0, 31.0)]
    return sorted(doses + records, key=lambda r: r.time)


def placed(model: Model, x: Floats, derivatives: bool) -> tuple[Batch, Events]:
    rows = DoseRows.create(model, [busy()], 5, initial=[{RESPONSE: R0}], start=[0.0])
    dX = np.concatenate([np.zeros((5, 2)), np.eye(5)], axis=1)[None]
    events = place(rows, x[None], dX if derivatives else None)
    p = np.array([KA, CL, V, KIN, KOUT, *x])
    return batch_with(pack_events(model, [p], [[]], [rows.rec_time]), events), events


def five_points(f: Any, x: Floats, k: int, h: float) -> Floats:
    """Derivative with respect to x[k], with an error of h^4."""
    step = np.zeros_like(x)
    step[k] = h
    return np.asarray((8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * h))


def test_derivatives_of_times_and_amounts(model: Model) -> None:
    _, events = placed(model, POINT, True)
    assert len(events.ev_t) == 16 and set(events.ev_kind.tolist()) == {0, 1, 2, 3}
    assert not events.ev_dt[:, :2].any() and not events.ev_da[:, :2].any()
    for k in range(5):
        for name, got in (("ev_t", events.ev_dt), ("ev_amount", events.ev_da)):
            numeric = five_points(lambda x, n=name: getattr(placed(model, x, False)[1], n), POINT, k, 1e-3)
            np.testing.assert_allclose(got[:, 2 + k], numeric, rtol=1e-9, atol=1e-9, err_msg=DOSE_PARAMETERS[k])


def test_derivatives_of_the_solution(model: Model) -> None:
    """From the dose parameters to the observables, against central differences of tight solves."""
    batch, _ = placed(model, POINT, True)
    tangents = simulate_with_sensitivities(model, batch, rtol=1e-10).tangents
    assert tangents is not None

    def solve(x: Floats) -> Floats:
        return simulate(model, placed(model, x, False)[0], engine="rosenbrock", rtol=1e-12).values

    for k, name in enumerate(DOSE_PARAMETERS):
        h = 1e-3 * POINT[k]
        numeric = five_points(solve, POINT, k, h)
        biggest = np.abs(numeric).max(axis=0)
        error = 1e-11 * np.abs(solve(POINT)).max(axis=0) / h  # of the solves: all that is left where nothing depends
        assert biggest.max() > 1e-3
        allowed = 1e-6 * np.maximum(np.abs(numeric), 1e-2 * biggest) + error
        assert np.all(np.abs(tangents[:, :, 2 + k] - numeric) <= allowed), name


def test_both_engines_see_the_same_events(model: Model) -> None:
    batch, _ = placed(model, POINT, True)
    a, b = (simulate(model, batch, engine=e, rtol=1e-9).values for e in ("rosenbrock", "cvode"))
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


# ---------------------------------------------------------------- inside compiled code, many runs, out of range


def test_compiled_code_may_call_it(model: Model) -> None:
    rows = DoseRows.create(model, [busy(), busy()[3:]], 5, start=[0.0, 0.0])
    arrays = rows.arrays
    X = np.array([POINT, 1.1 * POINT])
    dX = np.zeros((2, 5, 3))
    dX[:, LAG, 1] = 1.0

    @numba.njit(nogil=True)
    def inside(X: Any, dX: Any) -> Any:
        return place_events(arrays, X, dX)

    events = place(rows, X, dX)
    names = ("ev_t", "ev_state", "ev_amount", "ev_kind", "ev_dt", "ev_da", "ev_0", "rec_ev", "flag")
    for name, got in zip(names, inside(X, dX), strict=True):
        np.testing.assert_array_equal(got, getattr(events, name))


def test_chosen_runs(model: Model) -> None:
    runs = [busy(), [Row(1.0, 0)], busy()[2:9]]
    rows = DoseRows.create(model, runs, 5, initial=[{}, {}, {RESPONSE: R0}])
    X = np.array([POINT, 0.9 * POINT, 1.1 * POINT])
    whole, few = place(rows, X), place(rows.of([2, 1]), X[[2, 1]])
    assert listed(few, 0) == listed(whole, 2) and listed(few, 1) == listed(whole, 1) == []
    a = rows.arrays.rec_0
    assert few.rec_ev.tolist() == [*whole.rec_ev[a[2] : a[3]], *whole.rec_ev[a[1] : a[2]]]
    np.testing.assert_array_equal(rows.of([2, 1]).rec_time, [*rows.rec_time[a[2] : a[3]], 1.0])


@pytest.mark.parametrize(
    ("column", "value"),
    [(F, -0.1), (F, np.nan), (LAG, -1e-9), (LAG, np.inf), (D, 0.0), (D, -1.0), (R, 0.0), (R, np.nan), (R0, np.nan)],
)
def test_a_parameter_out_of_range_fails_its_run_and_no_other(model: Model, column: int, value: float) -> None:
    rows = DoseRows.create(model, [busy()] * 3, 5, initial=[{RESPONSE: R0}] * 3)
    X = np.array([POINT, POINT, POINT])
    X[1, column] = value
    events = place(rows, X, np.zeros((3, 5, 7)))
    assert events.flag.tolist() == [0, 1 + column, 0]
    times = rows.rec_time[: rows.arrays.rec_0[1]]
    P = [np.array([KA, CL, V, KIN, KOUT, *POINT])] * 3
    batch = batch_with(pack_events(model, P, [[]] * 3, [times] * 3), events)
    for solved in (simulate_with_sensitivities(model, batch), simulate(model, batch, engine="cvode")):
        assert solved.flag[1] != 0 and np.isnan(solved.of(1)).all()
        assert not solved.flag[[0, 2]].any() and np.isfinite(solved.of(0)).all()
        np.testing.assert_array_equal(solved.of(0), solved.of(2))


def test_no_dose_is_an_event_that_still_has_a_derivative(model: Model) -> None:
    """F = 0: nothing arrives, and the derivative with respect to F is the answer to the whole dose."""
    rows = DoseRows.create(model, [[Row(0.0, 1, DEPOT, 0.001, f=0), Row(2.0, 0)]], 1)
    base = pack_events(model, [np.array([KA, CL, V, KIN, KOUT, *POINT])], [[]], [rows.rec_time])
    dX = np.array([[[0, 0, 1.0, 0, 0, 0, 0]]])
    none, all_of_it = (batch_with(base, place(rows, np.array([[f]]), dX)) for f in (0.0, 1.0))
    solved = simulate_with_sensitivities(model, none, rtol=1e-10)
    assert solved.tangents is not None and solved.values[0, 0] == 0.0
    expected = simulate(model, all_of_it, engine="rosenbrock", rtol=1e-10).values[0, 0]  # so small that it is linear
    assert solved.tangents[0, 0, 2] == pytest.approx(expected, rel=1e-4)


# ---------------------------------------------------------------- what does not fit


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Row(0.5, 0), "time 0.5 h .* lies before 1 h"), (Row(np.nan, 0), "time nan"), (Row(2.0, 7), "EVID 7"),
        (Row(2.0, 0, CENTRAL), "gives no dose"), (Row(2.0, 3, amount=5.0), "gives no dose"),
        (Row(2.0, 1, 9, 5.0), "state 9"), (Row(2.0, 1, 3, 5.0), "state 3 takes no dose"), (Row(2.0, 1), "state -1"),
        (Row(2.0, 1, DEPOT, -5.0), "amount -5"), (Row(2.0, 1, DEPOT, np.inf), "amount inf"),
        (Row(2.0, 1, DEPOT, 5.0, 5), "kind 5"), (Row(2.0, 1, DEPOT, 5.0, dr.RATE), "rate or duration 0.0"),
        (Row(2.0, 1, DEPOT, 5.0, dr.DURATION, -1.0), "rate or duration -1.0"),
        (Row(2.0, 1, DEPOT, 5.0, dr.BOLUS, 1.0), "value 1.0 has no meaning"),
        (Row(2.0, 1, DEPOT, 5.0, dr.DURATION_PARAMETER), "length parameter -1"),
        (Row(2.0, 1, DEPOT, 5.0, length=1), "length parameter 1"), (Row(2.0, 1, DEPOT, 5.0, f=2), "parameter 2"),
        (Row(2.0, 1, DEPOT, 5.0, lag=-2), "no dose parameter -2"), (Row(2.0, 1, DEPOT, 5.0, addl=2), "ADDL 2"),
        (Row(2.0, 1, DEPOT, 5.0, ii=2.0), "ADDL 0 with II 2"), (Row(2.0, 1, DEPOT, 5.0, ii=2.0, addl=-1), "ADDL -1"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_are_refused(model: Model, row: Row, message: str) -> None:
    with pytest.raises(ValueError, match=f"run 1, row 2: .*{message}"):
        DoseRows.create(model, [[], [Row(1.0, 0), row]], 2)


def test_calls_that_do_not_fit_are_refused(model: Model) -> None:
    run = [Row(1.0, 1, DEPOT, 5.0, f=0), Row(2.0, 0)]
    with pytest.raises(ValueError, match="2 runs, 1 initial states and 2 starts"):
        DoseRows.create(model, [run, run], 1, initial=[{}])
    with pytest.raises(ValueError, match="one is not a number"):
        DoseRows.create(model, [run], 1, start=[np.nan])
    with pytest.raises(ValueError, match=r"run 0, row 1: time 1\.0 h .* lies before 3 h"):
        DoseRows.create(model, [run], 1, start=[3.0])
    for state, column in ((9, 0), (3, 0), (RESPONSE, 1)):
        with pytest.raises(ValueError, match=f"state {state} cannot start from parameter {column} of 1"):
            DoseRows.create(model, [run], 1, initial=[{state: column}])
    rows = DoseRows.create(model, [run], 1)
    for X, dX in ((np.ones((1, 2)), None), (np.ones(1), None), (np.ones((1, 1)), np.ones((1, 2, 3)))):
        with pytest.raises(ValueError, match=r"runs by parameters are \(1, 1\)"):
            place(rows, X, dX)
    events = place(rows, np.ones((1, 1)))
    p = np.array([KA, CL, V, KIN, KOUT, *POINT])
    other_start = pack_events(model, [p], [[]], [np.array([2.0])])
    other_times = pack_events(model, [p], [[]], [np.array([3.0])], segment_times=[np.array([1.0])])
    for batch in (other_start, other_times):
        with pytest.raises(ValueError, match="differ in their runs"):
            batch_with(batch, events)
    fits = pack_events(model, [p], [[]], [np.array([2.0])], segment_times=[np.array([1.0])])
    assert batch_with(fits, events).rec_ev.tolist() == [1]
