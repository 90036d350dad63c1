"""Morris and Sobol on functions whose effects and indices are known exactly under normal inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from pharmtwin.sensitivity.analysis import morris, sobol
from pharmtwin.sensitivity.inputs import DUMMY, Input, inputs, parameter_matrix, reference_parameters
from scipy.stats import norm

from pharmtwin.core.anatomy import TISSUES
from pharmtwin.core.drug import Drug, load_drug
from pharmtwin.core.exposure import Scenario, interval_metrics
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.engine.run import pack, simulate
from pharmtwin.sensitivity.runs import ModelRuns
from pharmtwin.tables import conform

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]
SD = {"a": 0.5, "b": 0.3, "c": 0.2, "d": 0.8, DUMMY: 1.0}
CHOSEN = [Input(name, sd, ()) for name, sd in SD.items()]
COLUMN = {name: k for k, name in enumerate(SD)}


def two(first: Function, second: Function | None = None) -> Function:
    """A Runner: the two outputs."""
    return lambda X: np.column_stack([first(X), (second or first)(X)])


def additive(X: Floats) -> Floats:
    return 2.0 * X[:, 0] - 3.0 * X[:, 1] + X[:, 2]


def product(X: Floats) -> Floats:
    """Logarithm of a product of lognormal factors (a and d, d as a root)."""
    return np.log(np.exp(X[:, 0]) * np.exp(X[:, 3]) ** 0.5)


def interaction(X: Floats) -> Floats:
    return X[:, 0] * X[:, 3]


def main_and_interaction(X: Floats) -> Floats:
    return X[:, 0] + X[:, 0] * X[:, 3]


def shares(**variance: float) -> tuple[dict[str, float], dict[str, float]]:
    total = sum(variance.values())
    exact = {k: variance.get(k, 0.0) / total for k in SD}
    return exact, exact


def indices(
    run: Function, chosen: list[Input] = CHOSEN, base: int = 1024, top: int = 1024, target: float = 1e-9, seed: int = 11
) -> pd.DataFrame:
    return sobol(chosen, run, base=base, max_base=top, target=target, seed=seed, resamples=200)


def of(table: pd.DataFrame, output: str) -> pd.DataFrame:
    return table[table.output == output].set_index("input")


# ---------------------------------------------------------------- Sobol: exact indices

NONE = dict.fromkeys(SD, 0.0)
CASES = {
    "additive": (additive, *shares(a=4 * 0.25, b=9 * 0.09, c=0.04)),
    "lognormal product": (product, *shares(a=0.25, d=0.25 * 0.64)),
    "pure interaction": (interaction, NONE, NONE | {"a": 1.0, "d": 1.0}),
    "main effect and interaction": (
        main_and_interaction, NONE | {"a": 1 / 1.64}, NONE | {"a": 1.0, "d": 0.64 / 1.64},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_exact_indices_lie_in_the_intervals(name: str) -> None:
    """S1 = V_i/V and ST by hand; with b shifted by a constant, as log outputs are."""
    function, first, total = CASES[name]
    table = conform("sobol", indices(two(function, lambda X: 5.0 + function(X)), base=4096, top=4096))
    for output in ("AUCtau", "Cmax"):
        got = of(table, output)
        for item in SD:
            row = got.loc[item]
            assert row.S1_lo - 1e-12 <= first[item] <= row.S1_hi + 1e-12, (item, row.S1_lo, first[item], row.S1_hi)
            assert row.ST_lo - 1e-12 <= total[item] <= row.ST_hi + 1e-12, (item, row.ST_lo, total[item], row.ST_hi)
            assert pytest.approx(first[item], abs=0.05) == row.S1 and pytest.approx(total[item], abs=0.05) == row.ST
    np.testing.assert_allclose(of(table, "AUCtau").ST, of(table, "Cmax").ST, rtol=1e-9)


def test_the_dummy_is_exactly_nothing() -> None:
    row = of(indices(two(main_and_interaction)), "Cmax").loc[DUMMY]
    assert row.ST == row.ST_lo == row.ST_hi == 0.0 and row.S1 == row.S1_hi == 0.0


def test_outputs_are_not_confused() -> None:
    table = indices(two(additive, product))
    assert of(table, "AUCtau").loc["d", "ST"] == 0.0 and of(table, "AUCtau").loc["b", "ST"] > 0.3
    assert of(table, "Cmax").loc["b", "ST"] == 0.0 and of(table, "Cmax").loc["d", "ST"] > 0.3


def test_the_order_of_inputs_does_not_matter() -> None:
    """Another order is another sample, but the same answer, each index beside its own name."""
    order = ["c", DUMMY, "a", "d", "b"]
    mixed = [CHOSEN[COLUMN[n]] for n in order]
    back = [order.index(n) for n in SD]
    one = of(indices(two(additive), base=4096, top=4096), "AUCtau")
    other = of(indices(lambda X: two(additive)(X[:, back]), mixed, base=4096, top=4096), "AUCtau")
    assert other.index.tolist() == order
    assert other.ST[list(SD)].to_numpy() == pytest.approx(one.ST.to_numpy(), abs=0.01)
    assert other.S1[list(SD)].to_numpy() == pytest.approx(one.S1.to_numpy(), abs=0.03)


def test_the_sample_is_normal_and_its_blocks_are_saltellis() -> None:
    """A, then A with one column of B after the other, then B; each column normal with the input's sd."""
    seen: list[Floats] = []

    def run(X: Floats) -> Floats:
        seen.append(X)
        return two(additive)(X)

    indices(run)
    blocks = seen[0].reshape(1024, len(SD) + 2, len(SD))
    for j in range(len(SD)):
        hybrid = blocks[:, 0].copy()
        hybrid[:, j] = blocks[:, -1, j]
        np.testing.assert_array_equal(blocks[:, 1 + j], hybrid)
    for matrix in (blocks[:, 0], blocks[:, -1]):
        np.testing.assert_allclose(matrix.mean(axis=0), 0.0, atol=0.01)
        np.testing.assert_allclose(matrix.std(axis=0), list(SD.values()), rtol=0.02)


# ---------------------------------------------------------------- Sobol: failures, convergence, seeds


def test_a_failed_run_takes_its_block_out_and_is_counted() -> None:
    width = len(SD) + 2
    failed = np.array([0, 3, 4, 7 * width + 2, 900 * width + width - 1])  # three runs of one block, two of others
    lost = np.unique(failed // width)
    kept: list[Floats] = []

    def some_fail(X: Floats) -> Floats:
        Y = two(main_and_interaction)(X)
        kept.append(np.delete(Y.reshape(-1, width, 2), lost, axis=0).reshape(-1, 2))
        Y[failed] = np.nan
        return Y

    table = indices(some_fail)
    assert (table.n_failed == 5).all() and (table.n_base == 1024).all() and (table.n_runs == 1024 * width).all()
    y = kept[0][:, 0].reshape(-1, width) - kept[0][:, 0].mean()
    assert len(y) == 1024 - len(lost)
    variance = np.var(y[:, [0, -1]])
    total = [np.mean((y[:, 0] - y[:, 1 + j]) ** 2) / (2 * variance) for j in range(len(SD))]
    first = [np.mean(y[:, -1] * (y[:, 1 + j] - y[:, 0])) / variance for j in range(len(SD))]
    np.testing.assert_allclose(of(table, "AUCtau").ST, total, rtol=1e-12)
    np.testing.assert_allclose(of(table, "AUCtau").S1, first, rtol=1e-9, atol=1e-12)


def test_minus_infinity_is_a_failed_run_too() -> None:
    def zero_exposure(X: Floats) -> Floats:
        Y = two(additive)(X)
        Y[5, 0] = -np.inf
        return Y

    table = indices(zero_exposure)
    assert of(table, "AUCtau").n_failed.eq(1).all() and of(table, "Cmax").n_failed.eq(0).all()
    assert np.isfinite(table.ST).all()


def test_no_index_is_made_of_failures() -> None:
    with pytest.raises(RuntimeError, match="base blocks"):
        indices(lambda X: np.full((len(X), 2), np.nan), base=8, top=8)


@pytest.mark.parametrize(
    ("top", "target", "sizes"),
    [
        (1024, 1e-9, [64, 128, 256, 512, 1024]), (200, 1e-9, [64, 128]), (64, 1e-9, [64]), (32, 1e-9, [64]),
        (1024, 10.0, [64]),
    ],
)  # fmt: skip
def test_the_base_sample_doubles_until_target_or_limit(top: int, target: float, sizes: list[int]) -> None:
    asked: list[int] = []

    def run(X: Floats) -> Floats:
        asked.append(len(X) // (len(SD) + 2))
        return two(main_and_interaction)(X)

    table = indices(run, base=64, top=top, target=target)
    assert asked == sizes and (table.n_base == sizes[-1]).all()


def test_doubling_stops_at_the_first_size_that_is_good_enough() -> None:
    def half_width(table: pd.DataFrame) -> float:
        return float(((table.ST_hi - table.ST_lo) / 2).max())

    widths = {n: half_width(indices(two(main_and_interaction), base=n, top=n)) for n in (128, 256, 512, 1024, 2048)}
    target = 1.2 * widths[1024]
    first = next(n for n, w in widths.items() if w <= target)
    table = indices(two(main_and_interaction), base=128, top=2**14, target=target)
    assert int(table.n_base.iloc[0]) == first <= 1024 and half_width(table) <= target
    assert widths[2048] < 0.6 * widths[256]  # about the root of the number of blocks


def test_a_seed_is_a_result() -> None:
    pd.testing.assert_frame_equal(indices(two(additive)), indices(two(additive)))
    assert not indices(two(additive), seed=12).ST.equals(indices(two(additive)).ST)


# ---------------------------------------------------------------- Morris

#: slope over the steps 0 -> 2/3 and 1/3 -> 1 of the range 0.025..0.975 of probability (equal, by symmetry)
STEP = (norm.ppf(0.025 + 0.95 * 2 / 3) - norm.ppf(0.025)) / (2 / 3)


def screened(run: Function, trajectories: int = 10, seed: int = 5) -> pd.DataFrame:
    return conform("morris", morris(CHOSEN, run, trajectories=trajectories, levels=4, seed=seed))


def test_effects_of_an_additive_model_are_exact() -> None:
    got = of(screened(two(additive)), "AUCtau")
    slope = np.array([2.0, -3.0, 1.0, 0.0, 0.0]) * np.array(list(SD.values())) * STEP
    np.testing.assert_allclose(got.mu, slope, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got.mu_star, np.abs(slope), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got.sigma, 0.0, atol=1e-10)
    np.testing.assert_allclose(got.mu_star_conf, 0.0, atol=1e-10)


def test_an_interaction_shows_as_sigma() -> None:
    got = of(screened(two(interaction), trajectories=40), "Cmax")
    assert got.sigma["a"] > 0.5 * got.mu_star["a"] > 0 and got.sigma["d"] > 0.5 * got.mu_star["d"] > 0
    assert got.mu_star["b"] == got.mu_star[DUMMY] == 0.0


def alive(table: pd.DataFrame) -> set[str]:
    return set(table[table.survives]["input"])


@pytest.mark.parametrize(
    ("weight", "survivors"),
    [
        ({"a": 1.0, "b": 0.051, "c": 0.049}, {"a", "b"}),  # 5 % of the largest
        ({"a": 1.0, "b": 0.21, "c": 0.19, DUMMY: 0.2}, {"a", "b"}),  # the noise floor
        ({"a": 1.0, "b": 0.02, DUMMY: 0.01}, {"a"}),  # above the noise, below 5 %
        ({"a": 0.3, DUMMY: 1.0}, set()),  # the dummy never goes on
        ({"a": -1.0, "b": -0.2}, {"a", "b"}),  # the sign does not matter
    ],
)
def test_who_survives(weight: dict[str, float], survivors: set[str]) -> None:
    slope = np.array([weight.get(n, 0.0) / SD[n] for n in SD])
    table = screened(two(lambda X: X @ slope))
    assert alive(table) == survivors
    assert (table.groupby("input").survives.nunique() == 1).all()  # one verdict an input, over both outputs


def test_one_output_is_enough_to_survive() -> None:
    assert alive(screened(two(lambda X: X[:, 0], lambda X: X[:, 3]))) == {"a", "d"}


def test_a_failed_run_takes_its_trajectory_out() -> None:
    width = len(SD) + 1

    def run(X: Floats) -> Floats:
        Y = two(interaction, additive)(X)
        Y[4 * width + 2, 0] = np.nan
        return Y

    def without(X: Floats) -> Floats:  # the fifth trajectory crosses nothing but zeros
        Y = two(interaction, additive)(X)
        Y[4 * width : 5 * width, 0] = 0.0
        return Y

    failed, zero = screened(run), screened(without)
    np.testing.assert_allclose(of(failed, "AUCtau").mu_star * 9, of(zero, "AUCtau").mu_star * 10, rtol=1e-10)
    pd.testing.assert_series_equal(of(failed, "Cmax").mu_star, of(screened(two(additive)), "Cmax").mu_star)
    with pytest.raises(RuntimeError, match="every Morris trajectory"):
        screened(lambda X: np.full((len(X), 2), np.nan))


def test_morris_walks_within_the_stated_range_one_input_at_a_time() -> None:
    seen: list[Floats] = []

    def run(X: Floats) -> Floats:
        seen.append(X)
        return two(additive)(X)

    table = screened(run)
    pd.testing.assert_frame_equal(table, screened(run))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert np.abs(seen[0] / np.array(list(SD.values()))).max() == pytest.approx(norm.ppf(0.975))
    steps = np.diff(seen[0].reshape(10, len(SD) + 1, len(SD)), axis=1)
    assert ((steps != 0).sum(axis=2) == 1).all() and ((steps != 0).sum(axis=1) == 1).all()


# ---------------------------------------------------------------- inputs and model runs


@pytest.fixture
def drug(drug_file: dict[str, Any], tmp_path: Path) -> Drug:
    (tmp_path / "drug.yaml").write_text(yaml.safe_dump(drug_file))
    return load_drug("drug.yaml", tmp_path)


def test_inputs_of_a_drug(drug: Drug) -> None:
    every = {i.name: i for i in inputs(drug)}
    assert len(every) == len(inputs(drug)) and list(every)[-1] == DUMMY and every[DUMMY].scales == ()
    assert every["Kp_scale"].sd_log == pytest.approx(np.hypot(0.3, 0.2), rel=1e-12)  # uncertainty and between subjects
    assert every["MTT"].sd_log == pytest.approx(np.hypot(0.3, 0.4), rel=1e-12)
    assert every["CLint_CYP2D6"].scales == ("f_CYP2D6",) and every["CLint_other"].scales == ("f_other",)
    assert every["fu_p"].sd_log == pytest.approx(np.sqrt(np.log(1 + 0.3**2)), rel=1e-12)
    assert set(every["blood_flows"].scales) == {f"Q_{t}" for t in TISSUES}
    known = set(whole_body().parameter_names)
    assert all(set(i.scales) <= known for i in every.values())


def test_reference_person_has_typical_values_and_the_asked_activity(drug: Drug, vector: Callable[..., Floats]) -> None:
    before = vector()
    got = dict(zip(whole_body().parameter_names, reference_parameters(before, drug, 0.4)))
    assert [got[p] for p in INDIVIDUAL] == [0.4, 1.0, 1.1, 2.5]
    same = dict(zip(whole_body().parameter_names, vector()))
    assert all(got[n] == same[n] for n in same if n not in INDIVIDUAL)
    np.testing.assert_array_equal(before, vector())  # the twin's own vector is untouched


def test_each_input_scales_its_parameters_only(drug: Drug, vector: Callable[..., Floats]) -> None:
    chosen = inputs(drug)
    names = whole_body().parameter_names
    rng = np.random.default_rng(2)
    factor = 0.3 * rng.standard_normal((5, len(chosen)))
    P = parameter_matrix(vector(), chosen, factor)
    expected = np.tile(vector(), (5, 1))
    for k, item in enumerate(chosen):
        one = np.zeros_like(factor)
        one[:, k] = factor[:, k]
        ratio = parameter_matrix(vector(), chosen, one) / vector()
        moved = {names[c] for c in np.flatnonzero(np.any(ratio != 1.0, axis=0))}
        assert moved == set(item.scales)
        expected *= ratio
    np.testing.assert_allclose(P, expected, rtol=1e-12)
    np.testing.assert_array_equal(parameter_matrix(vector(), chosen, np.zeros((1, len(chosen))))[0], vector())


def test_blood_flows_move_together_so_that_cardiac_output_stays_closed(
    drug: Drug, vector: Callable[..., Floats]
) -> None:
    chosen = inputs(drug)
    factor = np.random.default_rng(3).standard_normal((20, len(chosen)))
    P = parameter_matrix(vector(), chosen, factor)
    at = {n: k for k, n in enumerate(whole_body().parameter_names)}
    branches = [at[f"Q_{t}"] for t in TISSUES if t != "lung"]
    np.testing.assert_allclose(P[:, branches].sum(axis=1), P[:, at["Q_lung"]], rtol=1e-12)
    assert np.ptp(P[:, at["Q_lung"]]) > 1.0


def test_model_runs_are_the_log_metrics_and_a_failed_one_is_nan(drug: Drug, vector: Callable[..., Floats]) -> None:
    chosen = [i for i in inputs(drug) if i.name in ("CLint_other", "blood_flows", DUMMY)]
    scenario = Scenario("twice", 20.0, 12.0, 2, "oral")
    runs = ModelRuns(vector(), chosen, scenario, 0.01, 1e-3, np.random.default_rng(1))
    factor = np.array([[0.0, 0.0, 0.0], [0.5, -0.2, 0.0], [0.5, -0.2, 3.0], [np.nan, 0.0, 0.0]])
    Y = runs(factor)
    times = 12.0 + np.linspace(0.0, 12.0, 97)
    for k, scale in enumerate((0.0, 0.5)):
        flows = {f"Q_{t}": vector()[whole_body().parameter_names.index(f"Q_{t}")] for t in TISSUES}
        changed = {q: v * np.exp(-0.2 * (k == 1)) for q, v in flows.items()}
        body = vector(f_other=0.9 * np.exp(scale), **changed)
        batch = pack(whole_body(), [body], [scenario.doses()], [times])
        metrics = interval_metrics(scenario, times, simulate(whole_body(), batch, engine="cvode", rtol=1e-8).of(0))
        np.testing.assert_allclose(Y[k], [np.log(metrics["AUCtau"]), np.log(metrics["Cmax"])], atol=2e-4)
    np.testing.assert_array_equal(Y[1], Y[2])  # the dummy touches nothing
    assert np.isnan(Y[3]).all() and runs.n_failed == 1
    failed, checked = runs.checks
    assert failed.run.tolist() == ["run3"] and "parameter f_other is nan" in failed.failure.iloc[0]
    assert checked.passed.all() and "run3" not in set(checked.run)
