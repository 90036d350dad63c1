"""The event table and steady states against closed forms of one compartment, and bad tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from pharmtwin.engine.event_table import EventTableError
from pharmtwin.engine.events import expand, pack_tables
from pharmtwin.engine.run import simulate, simulate_with_sensitivities
from pharmtwin.engine.schedule import Schedule
from pharmtwin.engine.steady_state import SteadyStateError, steady_state
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose

Floats = NDArray[np.float64]
KA, CL, V = 1.1, 2.0, 20.0
K = CL / V
P = np.array([KA, CL, V])
PAST = 400  # intervals of the past that a sum over an endless regimen needs here: exp(-K * 400 * 6) is nothing
ENGINES = pytest.mark.parametrize("engine", ["rosenbrock", "cvode"])


def _model(name: str, *extra: Flux, states: tuple[State, ...] = (), parameters: tuple[str, ...] = ()) -> Model:
    """Depot and central compartment, linear, with an area; ``extra`` fluxes, states and parameters on request."""
    module = Module(
        name="body",
        states=(State("depot", "mg", "gut"), State("central", "mg", "body"), State("AUC", "mg*h/L", "area"), *states),
        parameters=tuple(Parameter(n, "1", n) for n in ("ka", "cl", "v", *parameters)),
        definitions=(Definition("C", "central/v", "mg/L", "concentration"),),
        fluxes=(
            Flux("absorption", "ka*depot", "mg/h", "depot", "central"),
            Flux("elimination", "cl*C", "mg/h", "central", None),
            Flux("area", "C", "mg/L", None, "AUC"),
            *extra,
        ),
        dose_targets=(("oral", "depot"), ("iv", "central")),
    )
    return compose(name, [module], ["C", "AUC", "depot"])


@pytest.fixture(scope="module")
def model() -> Model:
    return _model("events_linear")


@pytest.fixture(scope="module")
def turnover() -> Model:
    """A response R with production kin and loss kout R beside the drug."""
    fluxes = (Flux("production", "kin", "1", None, "R"), Flux("loss", "kout*R*(1 + C)", "1", "R", None))
    state = State("R", "1", "response", initial=3.0)
    return _model("events_turnover", *fluxes, states=(state,), parameters=("kin", "kout"))


def conc(times: Any, *doses: tuple[float, str, float, float]) -> Floats:
    """Concentration by superposition of (time, cmt, amount, duration); a dose counts from its time on."""
    total = np.zeros(len(times))
    for at, cmt, amount, duration in doses:
        t = np.asarray(times, dtype=float) - at
        on = t >= -1e-9
        t = np.where(on, np.maximum(t, 0.0), 0.0)
        if cmt == "depot":
            total += on * amount * KA / (V * (KA - K)) * (np.exp(-K * t) - np.exp(-KA * t))
        elif duration == 0:
            total += on * amount / V * np.exp(-K * t)
        else:
            during, after = np.minimum(t, duration), np.maximum(t - duration, 0.0)
            total += on * amount / duration / CL * (1 - np.exp(-K * during)) * np.exp(-K * after)
    return total


def table(*rows: dict[str, Any], obs: Any = ()) -> pd.DataFrame:
    """Event rows (EVID 1 into central unless they say otherwise), then records, in order of time (rows first)."""
    doses = [{"EVID": 1, "CMT": "central", **r} for r in rows]
    return pd.DataFrame([*doses, *({"TIME": t, "EVID": 0} for t in obs)]).sort_values("TIME", kind="stable")


def run(model: Model, events: Any, p: Floats = P, engine: str = "rosenbrock", **options: Any) -> Floats:
    """First observable at the records of one table."""
    solved = simulate(model, pack_tables(model, [p], [events], **options), engine=engine, rtol=1e-10)
    assert not solved.flag.any()
    return solved.of(0)[:, 0]


def check(model: Model, events: Any, expected: Floats, **options: Any) -> None:
    np.testing.assert_allclose(run(model, events, **options), expected, rtol=2e-7, atol=1e-9)


GRID = np.arange(0.0, 73.0, 1.5)

# ---------------------------------------------------------------- order, F, lag, ADDL


def test_records_see_the_doses_of_the_rows_above_them(model: Model) -> None:
    rows: list[dict[str, Any]] = [
        {"TIME": 0, "EVID": 0}, {"TIME": 0, "EVID": 1, "AMT": 100, "ROUTE": "iv"}, {"TIME": 0, "EVID": 0},
        {"TIME": 5, "EVID": 2}, {"TIME": 5, "EVID": 1, "AMT": 40, "ROUTE": "iv"}, {"TIME": 5, "EVID": 0},
    ]  # fmt: skip
    left = 100 / V * np.exp(-5 * K)
    check(model, rows, np.array([0.0, 100 / V, left, left + 40 / V]))
    assert list(expand(model, rows).rows) == [0, 2, 3, 5]


@ENGINES
def test_bioavailability_rate_and_duration(model: Model, engine: str) -> None:
    """F scales a bolus, the duration of an infusion of given rate, the rate of one of given duration."""
    rows = [
        ({"AMT": 100, "F": 0.4}, (0.0, "central", 40.0, 0.0)),
        ({"AMT": 100, "F": 0.4, "CMT": 1}, (0.0, "depot", 40.0, 0.0)),
        ({"AMT": 100, "RATE": 10, "F": 0.4}, (0.0, "central", 40.0, 4.0)),
        ({"AMT": 100, "RATE": -1, "R": 20, "F": 0.4}, (0.0, "central", 40.0, 2.0)),
        ({"AMT": 100, "RATE": -2, "D": 9, "F": 0.4}, (0.0, "central", 40.0, 9.0)),
        ({"AMT": 100, "RATE": 10, "F": 0.0}, (0.0, "central", 0.0, 0.0)),
    ]
    tables = [table({"TIME": 0, **row}, obs=GRID) for row, _ in rows]
    solved = simulate(model, pack_tables(model, [P] * len(rows), tables), engine=engine, rtol=1e-10)
    for k, (_, dose) in enumerate(rows):
        np.testing.assert_allclose(solved.of(k)[:, 0], conc(GRID, dose), rtol=2e-7, atol=1e-8)


def test_lag_and_additional_doses(model: Model) -> None:
    """The lag delays every dose of its row; what arrives at the time of a record arrives before it."""
    events = table({"TIME": 0, "AMT": 100, "II": 12, "ADDL": 2, "ALAG": 3}, obs=[0, 3, 3.5, 14, 15, 27, 40])
    doses = [(3.0 + 12 * k, "central", 100.0, 0.0) for k in range(3)]
    check(model, events, conc([0, 3, 3.5, 14, 15, 27, 40], *doses))
    # 0.1 + 0.2 is a rounding error later than 0.3
    check(model, table({"TIME": 0.1, "AMT": 100, "ALAG": 0.2}, obs=[0.3]), np.array([100 / V]))


def test_overlapping_infusions(model: Model) -> None:
    events = table({"TIME": 2, "AMT": 100, "RATE": 4, "II": 6, "ADDL": 3}, {"TIME": 5, "AMT": 7, "RATE": 1}, obs=GRID)
    doses = [(2.0 + 6 * k, "central", 100.0, 25.0) for k in range(4)]
    check(model, events, conc(GRID, *doses, (5.0, "central", 7.0, 7.0)))


# ---------------------------------------------------------------- resets


def test_reset_empties_stops_and_cancels(model: Model) -> None:
    """EVID 3 at 10 h: infusion, additional doses and a lagged dose under way end; EVID 4 at 20 h doses anew."""
    rows = table(
        {"TIME": 0, "AMT": 100, "RATE": 5, "II": 8, "ADDL": 5},
        {"TIME": 9, "AMT": 50, "CMT": "depot", "ALAG": 4},
        {"TIME": 10, "EVID": 3, "CMT": None},
        {"TIME": 20, "EVID": 4, "AMT": 30},
        obs=[9, 10, 13, 19, 20, 30],
    )
    before = conc([9], *[(8.0 * k, "central", 100.0, 20.0) for k in range(2)])
    check(model, rows, np.concatenate([before, [0, 0, 0], conc([20, 30], (20.0, "central", 30.0, 0.0))]))
    area = simulate(model, pack_tables(model, [P], [rows]), engine="rosenbrock", rtol=1e-9).of(0)[:, 1]
    assert area[0] > 1 and area[1] == 0
    np.testing.assert_allclose(area[-1], 30 / CL * (1 - np.exp(-10 * K)), rtol=1e-6)


def test_reset_goes_to_the_initial_values(turnover: Model) -> None:
    p = np.array([*P, 1.0, 0.5])
    rows = table({"TIME": 0, "AMT": 100}, {"TIME": 6, "EVID": 3}, obs=[6])
    batch = pack_tables(turnover, [p], [rows], state0=np.array([[0.0, 50.0, 0.0, 1.0]]))
    final = simulate(turnover, batch, engine="rosenbrock", rtol=1e-9).final_state[0]
    np.testing.assert_allclose(final, [0, 0, 0, 3.0])


# ---------------------------------------------------------------- steady state in the table


def endless(phase: float, cmt: str, amount: float, duration: float, interval: float, last: int = 0) -> list[Any]:
    """A regimen without a beginning: doses at phase + k interval for k up to ``last``."""
    return [(phase + k * interval, cmt, amount, duration) for k in range(-PAST, last + 1)]


@ENGINES
@pytest.mark.parametrize("lag", [0.0, 4.5])
@pytest.mark.parametrize(("cmt", "duration"), [("central", 0.0), ("depot", 0.0), ("central", 5.0), ("central", 27.0)])
def test_steady_state_row(model: Model, cmt: str, duration: float, lag: float, engine: str) -> None:
    """Bolus, oral, infusion, infusion longer than two intervals; with two further doses, then decline."""
    rate = 60 / duration if duration else 0
    row = {"TIME": 0, "AMT": 60, "RATE": rate, "II": 12, "SS": 1, "ADDL": 2, "CMT": cmt, "ALAG": lag}
    expected = conc(GRID, *endless(lag, cmt, 60.0, duration, 12.0, 2))
    check(model, table(row, obs=GRID), expected, engine=engine)


def test_steady_state_bolus_formula(model: Model) -> None:
    got = run(model, table({"TIME": 0, "AMT": 60, "II": 12, "SS": 1}, obs=[0]))
    np.testing.assert_allclose(got, 60 / V / (1 - np.exp(-12 * K)), rtol=1e-8)


def test_first_steady_state_replaces_the_second_adds(model: Model) -> None:
    """SS 1 cancels what was running and under way; SS 2 adds a second regimen; accounts are left as they are."""
    rows = table(
        {"TIME": 0, "AMT": 500, "RATE": 5, "II": 10, "ADDL": 9},
        {"TIME": 3, "AMT": 70, "ALAG": 8},
        {"TIME": 6, "AMT": 60, "II": 24, "SS": 1, "ADDL": 3},
        {"TIME": 15, "AMT": 40, "RATE": 10, "II": 24, "SS": 2, "ADDL": 3},
        obs=[5, 6, 14, 15, 40, 70],
    )
    both = endless(6.0, "central", 60.0, 0.0, 24.0, 3) + endless(15.0, "central", 40.0, 4.0, 24.0, 3)
    expected = np.concatenate(
        [conc([5], (0.0, "central", 500.0, 100.0)), conc([6, 14], *both[: PAST + 4]), conc([15, 40, 70], *both)]
    )
    check(model, rows, expected)
    area = simulate(model, pack_tables(model, [P], [rows]), engine="rosenbrock", rtol=1e-9).of(0)[:, 1]
    np.testing.assert_allclose(area[1], 5 / CL * (6 - (1 - np.exp(-6 * K)) / K), rtol=1e-6)


def test_constant_infusion_ends_at_its_row(model: Model) -> None:
    row = {"TIME": 2, "AMT": 0, "RATE": 8, "SS": 1, "II": 0, "ALAG": 3, "F": 0.5}
    check(model, table(row, obs=[2, 12]), 8 / CL * np.exp(-K * np.array([0.0, 10.0])))


def test_rest_of_a_turnover(turnover: Model) -> None:
    """AMT 0, RATE 0, SS 1 is the model at rest; adding steady states of a turnover is refused."""
    p = np.array([*P, 1.0, 0.4])
    rest, info = steady_state(turnover, p, [], 24.0)
    np.testing.assert_allclose(rest, [0, 0, 0, 1.0 / 0.4], rtol=1e-7)
    assert info.converged and info.accounts == ("AUC",)
    rows = table({"TIME": 0, "AMT": 0, "SS": 1}, {"TIME": 1, "AMT": 5, "II": 12, "SS": 2}, obs=[2])
    with pytest.raises(SteadyStateError, match=r"event table:2 SS \[2\].*R would count twice"):
        expand(turnover, rows, p)


def test_lag_longer_than_the_interval(model: Model) -> None:
    row = {"TIME": 0, "AMT": 60, "RATE": 12, "II": 12, "SS": 1, "ADDL": 1, "ALAG": 29}
    rows = table(row, obs=GRID)
    with pytest.raises(EventTableError, match="longer than II"):
        expand(model, rows, P)
    check(model, rows, conc(GRID, *endless(29.0, "central", 60.0, 5.0, 12.0, 1)), long_lag="periodic")
    backwards = run(model, rows, long_lag="nonmem")
    late = GRID >= 17  # from the latest arrival that the row implies on, NONMEM's reading is the same
    np.testing.assert_allclose(backwards[late], conc(GRID, *endless(29.0, "central", 60.0, 5.0, 12.0, 1))[late], 1e-6)
    at_17, k0 = backwards[late][0] * np.exp(0.0), 12 / CL
    np.testing.assert_allclose(backwards[0], (conc([17.0], *endless(17.0, "central", 60.0, 5.0, 12.0))[0] - k0)
                               * np.exp(17 * K) + k0, rtol=1e-6)  # fmt: skip
    assert at_17 > 0 > backwards[0]


def test_steady_state_of_the_segment_of_the_row(model: Model) -> None:
    p = np.array([P, [KA, 2 * CL, V]])
    rows = table({"TIME": 20, "AMT": 60, "II": 12, "SS": 1}, obs=[0, 20])
    got = run(model, rows, p=p, segment_times=[np.array([0.0, 10.0])])
    np.testing.assert_allclose(got, [0, 60 / V / (1 - np.exp(-24 * K))], rtol=1e-8)


def test_events_mean_what_the_matrix_exponential_says(model: Model) -> None:
    """All kinds of events at once; an interpreter of its own, one step an event."""
    rows = table(
        {"TIME": 0, "AMT": 80, "II": 6, "ADDL": 7, "CMT": "depot", "ALAG": 1},
        {"TIME": 4, "AMT": 90, "RATE": 3, "II": 8, "SS": 1, "ADDL": 1},
        {"TIME": 13, "AMT": 20, "II": 9, "SS": 2, "CMT": "depot"},
        {"TIME": 30, "EVID": 3},
        {"TIME": 33, "AMT": 10, "RATE": 5},
        obs=GRID,
    )
    schedule = expand(model, rows, P)
    assert {e.kind for e in schedule.events} == {0, 1, 2, 3}
    np.testing.assert_allclose(run(model, rows), interpret(schedule), rtol=1e-7, atol=1e-9)


def interpret(schedule: Schedule) -> Floats:
    """Concentrations at the records by matrix exponentials of (depot, central, AUC, rates)."""
    A = np.array([[-KA, 0, 0], [KA, -K, 0], [0, 1 / V, 0]])
    z, t, seen, out = np.zeros(6), schedule.start, 0, []
    step = lambda h: expm(np.block([[A, np.eye(3)], [np.zeros((3, 6))]]) * h)  # noqa: E731
    for time, after in zip(schedule.times, schedule.rec_ev):
        while seen < after:
            e = schedule.events[seen]
            z, t, seen = step(e.time - t) @ z, e.time, seen + 1
            place = e.state + (3 if e.kind in (1, 3) else 0)
            z[place] = e.amount + (z[place] if e.kind in (0, 1) else 0)
        z, t = step(time - t) @ z, time
        out.append(z[1] / V)
    return np.array(out)


# ---------------------------------------------------------------- bad tables


def test_everything_wrong_is_said_at_once(model: Model) -> None:
    rows = pd.DataFrame(
        [
            {"TIME": 0, "EVID": 1, "AMT": -5, "CMT": "liver"},
            {"TIME": 1, "EVID": 0, "AMT": 3, "CMT": -1},
            {"TIME": 0.5, "EVID": 1, "AMT": 5, "RATE": -3, "CMT": 9, "F": -1, "ALAG": -2},
            {"TIME": 2, "EVID": 7},
            {"TIME": 3, "EVID": 1, "AMT": 5, "CMT": 1, "ROUTE": "iv", "ADDL": 2},
            {"TIME": "x", "EVID": 0},
            {"TIME": 4, "EVID": 1, "AMT": 5, "CMT": 2, "SS": 3, "II": 12},
            {"TIME": 4, "EVID": 1, "AMT": 5, "CMT": 2, "SS": 1, "RATE": -1},
            {"TIME": 4, "EVID": 1, "AMT": 5, "RATE": -2, "ADDL": -3, "II": 12},
        ]
    )
    with pytest.raises(EventTableError) as caught:
        pack_tables(model, [P, P], [rows, table({"TIME": 0, "AMT": 1})], names=["Ann", "Bob"])
    found = {(f.file, f.row, f.column) for f in caught.value.findings}
    assert found == {
        ("Ann", 1, "CMT"), ("Ann", 1, "AMT"), ("Ann", 2, "AMT"), ("Ann", 2, "CMT"), ("Ann", 3, "TIME"),
        ("Ann", 3, "RATE"), ("Ann", 3, "CMT"), ("Ann", 3, "F"), ("Ann", 3, "ALAG"), ("Ann", 4, "EVID"),
        ("Ann", 5, "CMT"), ("Ann", 5, "II"), ("Ann", 6, "TIME"), ("Ann", 7, "SS"), ("Ann", 8, "II"), ("Ann", 8, "R"),
        ("Ann", 9, "D"), ("Ann", 9, "ADDL"), ("Ann", 9, "CMT"), ("Bob", 0, ""),
    }  # fmt: skip
    assert "Ann:1 AMT [-5.0] - is not greater than 0" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "column"),
    [({"DUR": 2}, "DUR"), ({"ALAG1": 1}, "ALAG1"), ({"ID": 2}, "ID"), ({"II": 12}, "II"),
     ({"SS": 1, "AMT": 0, "ADDL": 1, "RATE": 2}, "ADDL"), ({"SS": 1, "AMT": 0, "RATE": -2, "D": 1}, "AMT")],
)  # fmt: skip
def test_what_would_be_ignored_is_refused(model: Model, row: dict[str, Any], column: str) -> None:
    rows = [{"ID": 1, "TIME": 0, "EVID": 0}, {"ID": 1, "TIME": 0, "EVID": 1, "AMT": 5, "CMT": 2, **row}]
    with pytest.raises(EventTableError) as caught:
        expand(model, rows, P)
    assert column in {f.column for f in caught.value.findings}


def test_calls_that_do_not_fit(model: Model) -> None:
    rows = table({"TIME": 0, "AMT": 5, "SS": 1, "II": 12}, obs=[1])
    with pytest.raises(EventTableError, match="no parameters were given"):
        expand(model, rows)
    with pytest.raises(ValueError, match="before the start at 1 h"):
        expand(model, rows, P, segment_times=np.array([1.0]))
    with pytest.raises(ValueError, match="do not fit"):
        pack_tables(model, [P, P], [rows])
    with pytest.raises(ValueError, match="use refuse, periodic or nonmem"):
        expand(model, rows, P, long_lag="maybe")  # type: ignore[arg-type]


def test_tangents_are_refused_where_they_would_lack_the_steady_state(model: Model) -> None:
    steady = pack_tables(model, [P], [table({"TIME": 0, "AMT": 1, "SS": 1, "II": 24}, {"TIME": 5, "EVID": 0})])
    with pytest.raises(ValueError, match="steady-state rows"):
        simulate_with_sensitivities(model, steady)
    plain = pack_tables(model, [P], [table({"TIME": 0, "AMT": 1}, {"TIME": 5, "EVID": 0})])
    assert simulate_with_sensitivities(model, plain).flag[0] == 0
