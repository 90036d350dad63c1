"""Both engines against closed forms, against each other, and on runs that must fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.special import lambertw

from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.engine.crosscheck import LEAST, EnginesDisagree, crosscheck, subset
from pharmtwin.engine.run import (
    Batch,
    Dose,
    Trajectories,
    pack,
    pack_events,
    simulate,
    simulate_with_sensitivities,
)
from pharmtwin.model.description import Model

Floats = NDArray[np.float64]
ENGINES = ("rosenbrock", "cvode")
KA, CL, V = 0.9, 4.0, 25.0
LINEAR = np.array([KA, CL, V, 0.0, 1.0])
engines = pytest.mark.parametrize("engine", ENGINES)


def oral(t: Floats, doses: list[Dose], ka: float = KA, cl: float = CL, v: float = V) -> Floats:
    """Concentration after oral boluses by superposition (a dose counts strictly after its time)."""
    k, total = cl / v, np.zeros_like(t)
    for d in doses:
        s = np.where(t > d.time, t - d.time, 0.0)
        total += d.amount * ka / (v * (ka - k)) * (np.exp(-k * s) - np.exp(-ka * s))
    return total


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize(
    ("engine", "rtol", "bound"),
    [("rosenbrock", 1e-8, 1e-8), ("rosenbrock", 1e-10, 1e-10), ("cvode", 1e-8, 3e-6), ("cvode", 1e-10, 5e-8)],
)
def test_linear_model_is_the_matrix_exponential(one_compartment: Model, engine: str, rtol: float, bound: float) -> None:
    """Every state of an oral and intravenous regimen, doses as jumps, at seven times."""
    A = np.array([[-KA, 0, 0, 0], [KA, -CL / V, 0, 0], [0, CL / V, 0, 0], [0, 1 / V, 0, 0]])
    jumps = [(0.0, 0, 100.0), (7.5, 1, 40.0), (24.0, 0, 100.0), (24.0, 1, 5.0), (48.0, 0, 50.0)]
    doses = [Dose(t, amount, ("oral", "iv")[s]) for t, s, amount in jumps]
    ends = np.array([0.5, 3.0, 7.5, 10.0, 24.0, 30.0, 72.0])
    batch = pack(one_compartment, [LINEAR] * 7, [doses] * 7, [np.array([e]) for e in ends])
    solved = simulate(one_compartment, batch, engine=engine, rtol=rtol)
    assert not solved.flag.any()
    for k, end in enumerate(ends):
        y, t = np.zeros(4), 0.0
        for at, state, amount in jumps:
            if at >= end:
                break
            y = expm(A * (at - t)) @ y
            y[state] += amount
            t = at
        y = expm(A * (end - t)) @ y
        big = y > 1e-4
        np.testing.assert_allclose(solved.final_state[k][big], y[big], rtol=bound)
        np.testing.assert_allclose(solved.of(k)[0], [y[1] / V, y[3], y[0]], rtol=bound, atol=1e-4 * bound)


@engines
def test_infusion_is_the_one_compartment_formula(one_compartment: Model, engine: str) -> None:
    """R/CL (1 - exp(-k t)) while it runs, then decay; two infusions overlap; records between the breaks."""
    infusions = [Dose(1.0, 60.0, "iv", 3.0), Dose(2.5, 20.0, "iv", 10.0)]
    times = np.array([0.0, 0.5, 1.0, 2.0, 2.5, 3.9, 4.0, 7.0, 12.5, 20.0])
    expected, k = np.zeros_like(times), CL / V
    for d in infusions:
        during = np.clip(times - d.time, 0.0, d.duration)
        after = np.clip(times - d.time - d.duration, 0.0, None)
        expected += d.amount / d.duration / CL * (1 - np.exp(-k * during)) * np.exp(-k * after)
    batch = pack(one_compartment, [LINEAR], [infusions], [times])
    got = simulate(one_compartment, batch, engine=engine, rtol=1e-9).of(0)[:, 0]
    np.testing.assert_allclose(got, expected, rtol=2e-8, atol=1e-12)


@engines
@pytest.mark.parametrize(("dose", "vmax", "km"), [(100.0, 6.0, 0.3), (2.0, 6.0, 0.3), (100.0, 2.0, 40.0)])
def test_michaelis_menten_is_lambert_w(
    one_compartment: Model, engine: str, dose: float, vmax: float, km: float
) -> None:
    times = np.linspace(0.0, 24.0, 49)
    batch = pack(one_compartment, [np.array([KA, 0.0, V, vmax, km])], [[Dose(0.0, dose, "iv")]], [times])
    got = simulate(one_compartment, batch, engine=engine, rtol=1e-9).of(0)[1:, 0]
    c0 = dose / V
    exact = km * lambertw(c0 / km * np.exp((c0 - vmax / V * times[1:]) / km)).real
    bound = {"rosenbrock": 1e-7, "cvode": 1e-6}[engine]  # at Km the error of a saturated decline grows about tenfold
    np.testing.assert_allclose(got, exact, rtol=bound, atol=1e-12)


@engines
def test_error_falls_with_the_tolerance(one_compartment: Model, engine: str) -> None:
    doses = [Dose(12.0 * k, 100.0) for k in range(4)]
    times = np.linspace(0.0, 48.0, 97)
    batch = pack(one_compartment, [LINEAR], [doses], [times])
    exact = oral(times, doses)
    errors = []
    tolerances = (1e-4, 1e-6, 1e-8, 1e-10)
    for rtol in tolerances:
        got = simulate(one_compartment, batch, engine=engine, rtol=rtol).of(0)[:, 0]
        errors.append(float(np.max(np.abs(got - exact)) / exact.max()))
    assert all(b < a / 10 for a, b in pairwise(errors)), errors
    assert all(e < 50 * rtol for e, rtol in zip(errors, tolerances)), errors


def test_work_grows_as_a_fifth_order_method(one_compartment: Model) -> None:
    """Ten thousand times the accuracy may cost about 10^(4/5) = 6.3 times the steps."""
    batch = pack(one_compartment, [LINEAR], [[Dose(0.0, 100.0)]], [np.array([48.0])])
    few, many = (simulate(one_compartment, batch, engine="rosenbrock", rtol=r).steps[0] for r in (1e-5, 1e-9))
    assert few < many < 12 * few


# ---------------------------------------------------------------- events, records, segments, resumption


@engines
def test_records_at_the_time_of_a_dose_are_taken_before_it(one_compartment: Model, engine: str) -> None:
    doses = [Dose(0.0, 50.0, "iv"), Dose(6.0, 50.0, "iv"), Dose(6.0, 10.0, "iv"), Dose(12.0, 50.0, "iv")]
    times = np.array([0.0, 6.0, 6.0, 6.0 + 1e-9, 12.0])
    batch = pack(one_compartment, [LINEAR], [doses], [times])
    solved = simulate(one_compartment, batch, engine=engine, rtol=1e-9)
    c, k = solved.of(0)[:, 0], CL / V
    before = 2.0 * np.exp(-6 * k)
    last = (before + 60.0 / V) * np.exp(-6 * k)
    np.testing.assert_allclose(c, [0.0, before, before, before + 60.0 / V, last], rtol=1e-7)
    assert solved.final_state[0][1] == pytest.approx(last * V, rel=1e-7)  # the last dose is not in it


@engines
def test_order_of_doses_in_the_list_does_not_matter(one_compartment: Model, engine: str) -> None:
    doses = [Dose(12.0, 30.0, "iv", 2.0), Dose(0.0, 100.0), Dose(12.0, 20.0), Dose(3.0, 10.0, "iv")]
    times = [np.array([2.0, 12.0, 13.0, 24.0])] * 2
    batch = pack(one_compartment, [LINEAR] * 2, [doses, doses[::-1]], times)
    solved = simulate(one_compartment, batch, engine=engine)
    np.testing.assert_array_equal(solved.of(0), solved.of(1))


@engines
def test_resumed_run_equals_one_run(vector: Callable[..., Floats], engine: str) -> None:
    """Run to t1, start again from the final state: at a dose, and between doses."""
    model, p = whole_body(), vector()
    doses = [Dose(12.0 * k, 20.0) for k in range(6)]
    later = np.array([30.0, 36.0, 41.0, 60.0, 72.0])
    whole = simulate(model, pack(model, [p], [doses], [later]), engine=engine, rtol=1e-9)
    for t1 in (24.0, 29.3):
        head = simulate(model, pack(model, [p], [doses], [np.array([t1])]), engine=engine, rtol=1e-9)
        rest = [d for d in doses if d.time >= t1]
        batch = pack(model, [p], [rest], [later], state0=head.final_state, segment_times=[np.array([t1])])
        tail = simulate(model, batch, engine=engine, rtol=1e-9)
        np.testing.assert_allclose(tail.of(0), whole.of(0), rtol=2e-7)
        np.testing.assert_allclose(tail.final_state, whole.final_state, rtol=2e-7, atol=1e-9)


@engines
def test_infusion_is_resumed_by_its_rest(one_compartment: Model, engine: str) -> None:
    whole = pack(one_compartment, [LINEAR], [[Dose(0.0, 80.0, "iv", 8.0)]], [np.array([12.0])])
    head = pack(one_compartment, [LINEAR], [[Dose(0.0, 80.0, "iv", 8.0)]], [np.array([5.0])])
    state = simulate(one_compartment, head, engine=engine, rtol=1e-9).final_state
    rest = [Dose(5.0, 30.0, "iv", 3.0)]
    tail = pack(one_compartment, [LINEAR], [rest], [np.array([12.0])], state0=state, segment_times=[np.array([5.0])])
    a, b = (simulate(one_compartment, x, engine=engine, rtol=1e-9).of(0) for x in (whole, tail))
    np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-12)


@engines
def test_segments_equal_chained_runs_and_the_formula(one_compartment: Model, engine: str) -> None:
    """Clearance doubles at 5 h and volume changes at 9 h (a change of V keeps the amount, not the concentration)."""
    starts = np.array([0.0, 5.0, 9.0])
    P = np.array([[KA, 4.0, 25.0, 0, 1], [KA, 8.0, 25.0, 0, 1], [KA, 8.0, 50.0, 0, 1]])
    dose = Dose(0.0, 100.0, "iv")
    times = np.array([2.0, 5.0, 7.0, 9.0, 14.0])
    batch = pack(one_compartment, [P], [[dose, Dose(9.0, 30.0, "iv")]], [times], segment_times=[starts])
    one = simulate(one_compartment, batch, engine=engine, rtol=1e-9)
    k1, k2, k3 = 4 / 25, 8 / 25, 8 / 50
    at5 = 4.0 * np.exp(-5 * k1)
    at9 = at5 * np.exp(-4 * k2)
    after = (at9 * 25.0 + 30.0) / 50.0 * np.exp(-5 * k3)
    np.testing.assert_allclose(
        one.of(0)[:, 0], [4 * np.exp(-2 * k1), at5, at5 * np.exp(-2 * k2), at9, after], rtol=1e-7
    )
    state: Floats | None = None
    t = 0.0
    for k, end in enumerate((5.0, 9.0, 14.0)):
        given = [[dose], [], [Dose(9.0, 30.0, "iv")]][k]
        part = pack(one_compartment, [P[k]], [given], [np.array([end])], state0=state, segment_times=[np.array([t])])
        state, t = simulate(one_compartment, part, engine=engine, rtol=1e-9).final_state, end
    assert state is not None
    np.testing.assert_allclose(state, one.final_state, rtol=1e-7)


@engines
def test_ragged_batch_equals_single_runs(one_compartment: Model, engine: str) -> None:
    P = [LINEAR, np.array([LINEAR, LINEAR * 1.2]), np.array([1.0, 2.0, 30.0, 3.0, 0.5])]
    starts = [np.array([0.0]), np.array([0.0, 7.0]), np.array([4.0])]
    regimens = [[], [Dose(0.0, 10.0), Dose(5.0, 7.0, "iv", 2.0)], [Dose(4.0, 50.0)]]
    times = [np.array([0.0, 1.0]), np.linspace(0, 20, 11), np.array([30.0])]
    state0 = np.zeros((3, 4))
    state0[0, 1] = 8.0
    whole = simulate(one_compartment, pack(one_compartment, P, regimens, times, state0, starts), engine=engine)
    assert [len(whole.of(k)) for k in range(3)] == [2, 11, 1]
    np.testing.assert_allclose(whole.of(0)[:, 0], 8.0 / V * np.exp(-CL / V * times[0]), rtol=1e-5)
    for k in range(3):
        single = pack(
            one_compartment, P[k : k + 1], regimens[k : k + 1], times[k : k + 1], state0[k : k + 1], starts[k : k + 1]
        )
        alone = simulate(one_compartment, single, engine=engine)
        np.testing.assert_array_equal(alone.of(0), whole.of(k))
        np.testing.assert_array_equal(alone.final_state[0], whole.final_state[k])


def test_what_does_not_fit_into_a_batch_is_refused(one_compartment: Model) -> None:
    t = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match="2 parameter sets, 1 regimens and 1 time"):
        pack(one_compartment, [LINEAR] * 2, [[]], [t])
    with pytest.raises(ValueError, match=r"run 1: parameters have shape \(1, 4\)"):
        pack(one_compartment, [LINEAR, LINEAR[:4]], [[], []], [t, t])
    with pytest.raises(ValueError, match="run 0: output times, events or segments are not sorted"):
        pack(one_compartment, [LINEAR], [[]], [t[::-1]])
    with pytest.raises(ValueError, match="run 0: output times, events or segments are not sorted"):
        pack_events(one_compartment, [LINEAR], [[(3.0, 0, 1.0, 0), (2.0, 0, 1.0, 0)]], [t])
    with pytest.raises(ValueError, match="run 0: output times, events or segments are not sorted"):
        pack(one_compartment, [np.array([LINEAR] * 2)], [[]], [t], segment_times=[np.array([0.0, 0.0])])
    with pytest.raises(ValueError, match=r"run 0: event at -1\.0 h"):
        pack_events(one_compartment, [LINEAR], [[(-1.0, 0, 1.0, 0)]], [t])
    with pytest.raises(ValueError, match=r"run 0: output time 1\.0 h lies before"):
        pack(one_compartment, [LINEAR], [[]], [t], segment_times=[np.array([1.5])])
    with pytest.raises(ValueError, match="run 0: dose at -1"):
        pack(one_compartment, [LINEAR], [[Dose(-1.0, 5.0)]], [t])
    with pytest.raises(ValueError, match="'rectal'"):
        pack(one_compartment, [LINEAR], [[Dose(0.0, 5.0, "rectal")]], [t])
    batch = pack(one_compartment, [LINEAR], [[]], [t])
    with pytest.raises(ValueError, match="lsoda"):
        simulate(one_compartment, batch, engine="lsoda")
    with pytest.raises(ValueError, match="'gpu'"):
        simulate(one_compartment, batch, engine="rosenbrock", form="gpu")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["output time", "time of an event", "amount", "kind", "state", "duration"])
def test_what_is_not_a_number_never_reaches_a_solver(one_compartment: Model, what: str, bad: float) -> None:
    """A time that is not a number would keep a run waiting for ever, or make it forget a dose."""
    times = np.array([1.0, bad if what == "output time" else 2.0])
    time, amount = (bad if what == x else 0.5 for x in ("time of an event", "amount"))
    state, kind = (99 if what == x else 0 for x in ("state", "kind"))
    with pytest.raises(ValueError, match="run 0: "):
        if what == "duration":
            pack(one_compartment, [LINEAR], [[Dose(0.0, 5.0, "iv", -2.0 if bad > 0 else bad)]], [times])
        else:
            pack_events(one_compartment, [LINEAR], [[(time, state, amount, kind)]], [times])


# ---------------------------------------------------------------- tangents


def test_tangents_are_the_derivatives_of_the_formula(one_compartment: Model) -> None:
    """By complex steps of the closed forms of concentration and area: exact to rounding."""

    def closed(t: Floats, ka: complex, cl: complex, v: complex) -> list[NDArray[np.complex128]]:
        k = cl / v
        scale = 100.0 * ka / (v * (ka - k))
        area = (1 - np.exp(-k * t)) / k - (1 - np.exp(-ka * t)) / ka
        return [scale * (np.exp(-k * t) - np.exp(-ka * t)), scale * area]

    times = np.array([0.1, 1.0, 3.0, 8.0, 24.0, 47.0])
    batch = pack(one_compartment, [LINEAR], [[Dose(0.0, 100.0)]], [times])
    solved = simulate_with_sensitivities(one_compartment, batch, rtol=1e-9)
    assert solved.tangents is not None and solved.tangents.shape == (6, 3, 5)
    for j in range(3):
        step = np.array([KA, CL, V], dtype=complex)
        step[j] += 1e-30j
        for o, exact in enumerate(np.imag(closed(times, *step)) / 1e-30):
            np.testing.assert_allclose(solved.tangents[:, o, j], exact, rtol=1e-6, atol=1e-8 * np.abs(exact).max())
    same = simulate(one_compartment, batch, engine="rosenbrock", rtol=1e-9)
    np.testing.assert_allclose(same.values, solved.values, rtol=1e-12, atol=1e-15)


def test_tangents_of_whole_body_equal_central_differences(vector: Callable[..., Floats]) -> None:
    """Saturation and inactivation on, five doses, a change of parameters, records in and after the last interval."""
    model, p = whole_body(), vector()
    names = model.parameter_names
    at = [names.index(n) for n in INDIVIDUAL]
    doses = [Dose(24.0 * k, 20.0) for k in range(5)]
    times = np.array([1.0, 5.0, 24.0, 60.3, 97.0, 120.0, 200.0])

    def batch(point: Floats) -> Batch:
        second = point.copy()
        second[names.index("CLint_other")] *= 1.5
        starts = np.array([0.0, 50.0])
        return pack(model, [np.array([point, second])], [doses], [times], segment_times=[starts])

    solved = simulate_with_sensitivities(model, batch(p), rtol=1e-10)
    assert solved.tangents is not None
    worst = 0.0
    for j, k in enumerate(at):
        h = 1e-4 * p[k]
        up, down = p.copy(), p.copy()
        up[k] += h
        down[k] -= h
        a, b = (simulate(model, batch(x), engine="rosenbrock", rtol=1e-11).of(0) for x in (up, down))
        numeric = (a - b) / (2 * h)
        scale = np.maximum(np.abs(numeric), 1e-3 * np.abs(numeric).max(axis=0))
        worst = max(worst, float(np.max(np.abs(solved.tangents[:, :, j] - numeric) / scale)))
    assert worst < 1e-5, worst


# ---------------------------------------------------------------- failure


def spoilt(model: Model, bad: Floats, regimen: list[Dose]) -> tuple[Batch, Batch]:
    """Three runs, of which the middle one cannot be solved; and its two neighbours alone."""
    times = np.array([1.0, 4.0, 12.0])
    good = np.array([LINEAR, LINEAR * 1.1])
    whole = pack(model, [good[0], bad, good[1]], [[Dose(0.0, 50.0)], regimen, [Dose(0.0, 50.0)]], [times] * 3)
    return whole, pack(model, list(good), [[Dose(0.0, 50.0)]] * 2, [times] * 2)


@engines
@pytest.mark.parametrize("index", range(5))
def test_failed_run_is_flagged_and_leaves_its_neighbours_alone(one_compartment: Model, engine: str, index: int) -> None:
    bad = LINEAR.copy()
    bad[index] = np.nan
    whole, alone = spoilt(one_compartment, bad, [Dose(0.0, 50.0)])
    solved, quiet = (simulate(one_compartment, b, engine=engine) for b in (whole, alone))
    assert solved.flag[1] != 0 and not solved.flag[[0, 2]].any()
    assert np.isnan(solved.of(1)).all() and np.isnan(solved.final_state[1]).all()
    for mine, other in ((0, 0), (2, 1)):
        np.testing.assert_array_equal(solved.of(mine), quiet.of(other))
        np.testing.assert_array_equal(solved.final_state[mine], quiet.final_state[other])


@engines
def test_explosion_is_a_failure_not_a_number(one_compartment: Model, engine: str) -> None:
    """A negative clearance of 4000/h leaves the range of numbers within the first hour."""
    whole, _ = spoilt(one_compartment, np.array([KA, -1e5, V, 0.0, 1.0]), [Dose(0.0, 50.0)])
    solved = simulate(one_compartment, whole, engine=engine)
    assert solved.flag.tolist()[0] == 0 and solved.flag[1] != 0 and solved.flag.tolist()[2] == 0
    assert np.isnan(solved.of(1)).all() and np.isfinite(solved.of(2)).all()


@engines
def test_failure_in_the_middle_leaves_no_half_a_run(one_compartment: Model, engine: str) -> None:
    """Records before the failure are NaN too, also their tangents."""
    P = np.array([LINEAR, LINEAR])
    P[1, 1] = np.nan
    times = np.array([1.0, 4.0, 12.0])
    batch = pack(one_compartment, [P], [[Dose(0.0, 50.0)]], [times], segment_times=[np.array([0.0, 5.0])])
    solved = simulate(one_compartment, batch, engine=engine)
    assert solved.flag[0] != 0 and np.isnan(solved.of(0)).all() and np.isnan(solved.final_state).all()
    if engine == "rosenbrock":
        with_tangents = simulate_with_sensitivities(one_compartment, batch)
        assert with_tangents.flag[0] != 0 and np.isnan(with_tangents.values).all()
        assert with_tangents.tangents is not None and np.isnan(with_tangents.tangents).all()


# ---------------------------------------------------------------- cross-check


@pytest.fixture(scope="module")
def twenty(one_compartment: Model) -> tuple[Batch, Trajectories, list[str]]:
    rng = np.random.default_rng(1)
    P = [np.array([KA, CL, V, 5.0, 0.4]) * np.exp(0.2 * rng.standard_normal(5)) for _ in range(20)]
    times = [np.linspace(0.0, 48.0, 10 + k) for k in range(20)]
    batch = pack(one_compartment, P, [[Dose(0.0, 100.0), Dose(24.0, 100.0)]] * 20, times)
    return batch, simulate(one_compartment, batch, engine="rosenbrock", rtol=1e-6), [f"twin{k}" for k in range(20)]


def check(model: Model, batch: Batch, solved: Trajectories, labels: list[str], fraction: float = 1.0) -> object:
    rng = np.random.default_rng(3)
    return crosscheck(model, batch, solved, labels, stage="predict", fraction=fraction, limit=1e-3, rng=rng)


def test_crosscheck_passes_and_tells_what_it_saw(
    one_compartment: Model, twenty: tuple[Batch, Trajectories, list[str]]
) -> None:
    table = check(one_compartment, *twenty)
    assert len(table) == 20 and table.passed.all()  # type: ignore[arg-type, attr-defined]
    assert table.max_relative_difference.max() < 1e-4  # type: ignore[attr-defined]
    assert len(check(one_compartment, *twenty, fraction=0.15)) == 3  # type: ignore[arg-type]
    assert len(check(one_compartment, *twenty, fraction=1e-9)) == LEAST  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [1.01, 0.0, np.nan, np.inf])
def test_crosscheck_names_the_run_and_the_observable(
    one_compartment: Model, twenty: tuple[Batch, Trajectories, list[str]], wrong: float
) -> None:
    batch, solved, labels = twenty
    values = solved.values.copy()
    values[solved.t_0[7] + 1, 0] *= wrong  # 17 records in 48 h: the second is at 3 h
    with pytest.raises(EnginesDisagree, match=r"predict, twin7: C at 3 h"):
        check(one_compartment, batch, replace(solved, values=values), labels)


def test_subset_takes_the_runs_it_names(one_compartment: Model, twenty: tuple[Batch, Trajectories, list[str]]) -> None:
    batch, solved, _ = twenty
    small = simulate(one_compartment, subset(batch, [17, 3]), engine="rosenbrock", rtol=1e-6)
    np.testing.assert_array_equal(small.of(0), solved.of(17))
    np.testing.assert_array_equal(small.of(1), solved.of(3))
