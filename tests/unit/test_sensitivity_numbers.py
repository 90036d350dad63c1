"""Designs, elementary effects and Sobol indices on functions whose answers are known by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from SALib.sample import sobol as salib

from pharmtwin.sensitivity.design import (
    P_RANGE,
    cross,
    morris_design,
    sobol_base,
    sobol_blocks,
    sobol_width,
    units_of,
)
from pharmtwin.sensitivity.indices import Indices, indices
from pharmtwin.sensitivity.morris import screen
from pharmtwin.sensitivity.outputs import Output
from pharmtwin.tables import conform
from pharmtwin.uncertainty.inputs import DUMMY, Input, Law, dummy, factor, values

Floats = NDArray[np.float64]
SD = {"a": 0.5, "b": 0.3, "c": 0.2, "d": 0.8}
INPUTS = (*(Input(n, Law("normal", (0.0, sd)), "drug", n, "test") for n, sd in SD.items()), dummy())
GROUPED = tuple(replace(i, group="bc" if i.name in "bc" else "") for i in INPUTS)


def additive(x: Floats) -> Floats:
    return np.asarray(2.0 * x[..., 0] - 3.0 * x[..., 1] + x[..., 2])


def product(x: Floats) -> Floats:
    return np.asarray(x[..., 0] + x[..., 0] * x[..., 3])


# ---------------------------------------------------------------- designs


def test_units_are_groups_and_lone_inputs() -> None:
    units = units_of(GROUPED)
    assert units.names == ("a", "bc", "d", DUMMY) and units.columns == ((0,), (1, 2), (3,), (4,))
    assert units.n_inputs == 5 and sobol_width(units, False) == 6 and sobol_width(units, True) == 10


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("inputs", [INPUTS, GROUPED])
def test_hybrids_are_salibs(inputs: tuple[Input, ...], second: bool) -> None:
    problem: dict[str, object] = {"num_vars": 5, "names": [i.name for i in inputs], "bounds": [[0.0, 1.0]] * 5}
    if inputs is GROUPED:
        problem["groups"] = [i.group or i.name for i in inputs]
    theirs = salib.sample(problem, 8, calc_second_order=second, scramble=True, seed=5)
    width = sobol_width(units_of(inputs), second)
    ours = cross(theirs[::width], theirs[width - 1 :: width], units_of(inputs), second).reshape(-1, 5)
    np.testing.assert_array_equal(ours, theirs)


def test_a_block_is_the_same_whoever_asks_for_it() -> None:
    whole = sobol_blocks(0, 700, INPUTS, second=False, panel=256, master=3)
    for first, last in ((0, 1), (255, 257), (300, 700), (699, 700), (5, 5)):
        np.testing.assert_array_equal(
            sobol_blocks(first, last, INPUTS, second=False, panel=256, master=3), whole[first:last]
        )
    assert not np.array_equal(whole[:256, 0], whole[256:512, 0])
    assert not np.array_equal(sobol_blocks(0, 1, INPUTS, second=False, panel=256, master=4), whole[:1])


def test_a_panel_is_a_net_in_every_column() -> None:
    A, B = sobol_base(256, 512, 5, 256, 9)
    for column in np.hstack([A, B]).T:
        assert sorted(np.floor(column * 256)) == list(range(256))


def test_morris_moves_one_unit_at_a_time_within_the_range() -> None:
    points, step = morris_design(GROUPED, trajectories=10, candidates=0, levels=4, master=1)
    assert points.shape == (10, 5, 5) and step == pytest.approx(2 / 3)
    moved = np.diff(points, axis=1) != 0
    units = units_of(GROUPED)
    per_step = np.stack([moved[:, :, list(c)].any(axis=2) for c in units.columns], axis=2)
    assert (per_step.sum(axis=2) == 1).all() and (per_step.sum(axis=1) == 1).all()
    assert points[..., :4].min() == pytest.approx(P_RANGE[0]) and points[..., :4].max() == pytest.approx(P_RANGE[1])
    assert points[..., 4].min() == 0.0 and points[..., 4].max() == 1.0  # bounded: the whole range
    again, _ = morris_design(GROUPED, trajectories=10, candidates=0, levels=4, master=1)
    np.testing.assert_array_equal(points, again)


def test_chosen_trajectories_lie_farther_apart() -> None:
    def spread(points: Floats) -> float:
        flat = points[:, :, None, None, :] - points[None, None, :, :, :].transpose(0, 1, 3, 2, 4)
        return float(np.sqrt((flat**2).sum(axis=-1)).sum())

    best, _ = morris_design(INPUTS, trajectories=5, candidates=40, levels=4, master=2)
    some, _ = morris_design(INPUTS, trajectories=5, candidates=0, levels=4, master=2)
    assert len(best) == 5 and spread(best) > spread(some)


# ---------------------------------------------------------------- Morris


OUTPUT = Output("y", "end", "C", "1")


def screened(
    function: Callable[[Floats], Floats], inputs: tuple[Input, ...] = INPUTS, trajectories: int = 12
) -> pd.DataFrame:
    points, step = morris_design(inputs, trajectories=trajectories, candidates=0, levels=4, master=5)
    y = function(values(inputs, points.reshape(-1, 5)).reshape(points.shape))
    return conform("morris", screen(points, y[:, :, None], units_of(inputs), [OUTPUT], step, 5)).set_index("input")


def slope() -> float:
    """Change of a standard normal input per range of the grid, over the steps 0 to 2/3 and 1/3 to 1 (equal)."""
    low, high = Law("normal", (0.0, 1.0)).quantile(
        np.array([P_RANGE[0], P_RANGE[0] + (P_RANGE[1] - P_RANGE[0]) * 2 / 3])
    )
    return float((high - low) / (2 / 3))


def test_effects_of_an_additive_model_are_exact() -> None:
    got = screened(additive)
    wanted = np.array([2.0, -3.0, 1.0, 0.0, 0.0]) * np.array([*SD.values(), 0.0]) * slope()
    np.testing.assert_allclose(got.mu, wanted, rtol=1e-9, atol=1e-12)
    for column in ("mu_star", "mu_star_lo", "mu_star_hi"):
        np.testing.assert_allclose(got[column], np.abs(wanted), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(got.sigma, 0.0, atol=1e-9)


def test_an_interaction_shows_as_sigma_and_as_a_wider_interval() -> None:
    got = screened(lambda x: x[..., 0] * x[..., 3], trajectories=40)
    assert got.sigma["a"] > 0.5 * got.mu_star["a"] > 0 and got.mu_star["b"] == got.mu_star[DUMMY] == 0.0
    assert got.mu_star_lo["a"] < got.mu_star["a"] < got.mu_star_hi["a"]


def test_a_group_has_mu_star_but_no_mu() -> None:
    got = screened(additive, GROUPED, 60)
    assert np.isnan(got.mu["bc"]) and got.n_inputs["bc"] == 2
    low, high = (abs(0.9 - 0.2) * slope(), (0.9 + 0.2) * slope())  # members move together, or against each other
    assert low < got.mu_star["bc"] < high


@pytest.mark.parametrize(
    ("weight", "survivors"),
    [
        ({"a": 1.0, "b": 0.051, "c": 0.049}, {"a", "b"}),  # 5 % of the largest
        ({"a": 1.0, "b": 0.02}, {"a"}),
        ({"a": -1.0, "b": -0.2}, {"a", "b"}),  # the sign does not matter
    ],
)
def test_who_survives(weight: dict[str, float], survivors: set[str]) -> None:
    w = np.array([weight.get(n, 0.0) / SD[n] for n in SD])
    got = screened(lambda x: x[..., :4] @ w)
    assert set(got[got.survives].index) == survivors


def test_the_noise_of_the_dummy_is_the_floor_and_the_dummy_never_goes_on() -> None:
    got = screened(lambda x: x[..., 0] / SD["a"] + 0.2 * x[..., 1] / SD["b"] + 9.0 * x[..., 4])
    assert set(got[got.survives].index) == set()
    got = screened(lambda x: 3.0 * x[..., 0] / SD["a"] + 0.2 * x[..., 1] / SD["b"] + x[..., 4])
    assert set(got[got.survives].index) == {"a"}


def test_a_failed_run_takes_its_trajectory_out() -> None:
    points, step = morris_design(INPUTS, trajectories=12, candidates=0, levels=4, master=5)
    y = product(values(INPUTS, points.reshape(-1, 5)).reshape(points.shape))[:, :, None]
    y[4, 2] = np.nan
    lost = screen(points, y, units_of(INPUTS), [OUTPUT], step, 5)
    kept = np.delete(np.arange(12), 4)
    without = screen(points[kept], y[kept], units_of(INPUTS), [OUTPUT], step, 5)
    np.testing.assert_array_equal(lost.mu_star, without.mu_star)
    assert (lost.n_left_out == 1).all() and (lost.n_trajectories == 11).all()
    with pytest.raises(RuntimeError, match="y: every Morris trajectory"):
        screen(points, np.full_like(y, np.nan), units_of(INPUTS), [OUTPUT], step, 5)


# ---------------------------------------------------------------- Sobol


def sobol(function: Callable[[Floats], Floats], n: int = 1024, second: bool = False, master: int = 11) -> Indices:
    u = sobol_blocks(0, n, INPUTS, second=second, panel=256, master=master)
    y = function(values(INPUTS, u.reshape(-1, 5)).reshape(u.shape))
    return indices(y, 5, second=second, master=master)


NONE = dict.fromkeys([*SD, DUMMY], 0.0)
CASES = {
    "additive": (additive, NONE | {"a": 1.0 / 1.85, "b": 0.81 / 1.85, "c": 0.04 / 1.85}, None),
    "main effect and interaction": (product, NONE | {"a": 1 / 1.64}, NONE | {"a": 1.0, "d": 0.64 / 1.64}),
    "one input alone": (lambda x: np.exp(x[..., 0]), NONE | {"a": 1.0}, None),
    "pure interaction": (lambda x: x[..., 0] * x[..., 3], NONE, NONE | {"a": 1.0, "d": 1.0}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_exact_indices_lie_in_the_intervals(name: str, shift: float) -> None:
    function, first, total = CASES[name]
    got = sobol(lambda x: shift + function(x), 4096)
    for found, exact in ((got.first, first), (got.total, total or first)):
        wanted = np.array(list(exact.values()))
        assert np.all(found[1] - 1e-9 <= wanted) and np.all(wanted <= found[2] + 1e-9), (found, wanted)
        assert found[0] == pytest.approx(wanted, abs=0.05)


def test_what_does_nothing_is_exactly_nothing_and_what_does_everything_is_exactly_one() -> None:
    got = sobol(lambda x: np.exp(x[..., 0]))
    assert np.all(got.total[:, 1:] == 0.0) and np.all(np.abs(got.first[:, 1:]) < 1e-12)
    assert got.first[:, 0] == pytest.approx(1.0, abs=0.02)


def test_the_first_order_estimator_is_better_than_saltellis_where_that_is_poor() -> None:
    """Spread over 40 plain random samples: a half of it or less for an input that explains 96 % of the variance."""
    ours, saltelli = [], []
    for k in range(40):
        rng = np.random.default_rng([1, k])
        A, B = rng.standard_normal((2, 256, 2)) * [1.0, 0.2]
        y = cross(A, B, units_of([replace(INPUTS[0]), replace(INPUTS[1])]), False).sum(axis=2)
        ours.append(indices(y, 2, second=False, master=1).first[0, 0])
        z = y - y[:, [0, -1]].mean()
        saltelli.append(np.mean(z[:, -1] * (z[:, 1] - z[:, 0])) / np.var(z[:, [0, -1]]))
    assert np.std(ours) < 0.5 * np.std(saltelli) and np.mean(ours) == pytest.approx(1 / 1.04, abs=0.02)


def test_a_failed_run_takes_its_block_out_as_a_whole() -> None:
    u = sobol_blocks(0, 256, INPUTS, second=False, panel=256, master=2)
    y = product(values(INPUTS, u.reshape(-1, 5)).reshape(u.shape))
    broken = y.copy()
    broken[[0, 0, 9, 200], [0, 3, 6, 2]] = np.nan
    got = indices(broken, 5, second=False, master=2)
    kept = np.delete(y, [0, 9, 200], axis=0)
    without = indices(kept, 5, second=False, master=2)
    assert got.n_lost == 3 and got.n_blocks == 253 and without.n_lost == 0
    np.testing.assert_array_equal(got.total[0], without.total[0])
    np.testing.assert_array_equal(got.first[0], without.first[0])
    with pytest.raises(RuntimeError, match="fewer than two"):
        indices(np.full((9, 7), np.nan), 5, second=False, master=1)
    with pytest.raises(RuntimeError, match="does not vary"):
        indices(np.full((9, 7), 3.0), 5, second=False, master=1)


def test_pairs_that_interact_are_found() -> None:
    got = sobol(product, 4096, second=True)
    assert got.pairs is not None
    assert got.pairs[1, 0, 3] <= 0.64 / 1.64 <= got.pairs[2, 0, 3] and got.pairs[0, 3, 0] == got.pairs[0, 0, 3]
    assert got.pairs[1, 1, 2] <= 0.0 <= got.pairs[2, 1, 2] and np.isnan(got.pairs[0, 2, 2])
    plain = sobol(product, 4096)
    assert got.total[0] == pytest.approx(plain.total[0], rel=1e-12)  # the same base points


def test_intervals_narrow_with_the_root_of_the_sample_and_a_seed_is_a_result() -> None:
    small, large = sobol(product, 512), sobol(product, 8192)
    assert large.half_width == pytest.approx(small.half_width / 4.0, rel=0.3)
    np.testing.assert_array_equal(sobol(product, 512).total, small.total)
    assert not np.array_equal(sobol(product, 512, master=12).total, small.total)


def test_groups_are_one_factor() -> None:
    u = sobol_blocks(0, 4096, GROUPED, second=False, panel=256, master=2)
    y = additive(values(GROUPED, u.reshape(-1, 5), {("b", "c"): 0.5}).reshape(u.shape))
    together = 0.81 + 0.04 - 2 * 3 * 0.5 * 0.3 * 0.2  # variance of -3 b + c with correlation 0.5
    got = indices(y, 4, second=False, master=2)
    wanted = np.array([1.0, together, 0.0, 0.0]) / (1.0 + together)
    assert np.all(got.total[1] - 1e-9 <= wanted) and np.all(wanted <= got.total[2] + 1e-9)
    assert got.first[0] == pytest.approx(wanted, abs=0.03)


def test_a_factor_is_a_factor() -> None:
    assert factor("x", 0.0, "drug", "x", "t").law.quantile(np.array([0.1, 0.9])).tolist() == [1.0, 1.0]
