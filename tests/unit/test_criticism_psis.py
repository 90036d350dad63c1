"""Pareto smoothing: against ArviZ's own implementation and against distributions whose tail is known."""

from __future__ import annotations

import math

import arviz as az
import numpy as np
import pytest

from pharmtwin.inference.criticism.psis import generalised_pareto, pareto_k_limit, pareto_quantile, psis


@pytest.mark.parametrize("n", [50, 1000, 4000])
@pytest.mark.parametrize("degrees", [3, 10, 50])
def test_smoothed_weights_and_k_are_those_of_arviz(n: int, degrees: int) -> None:
    x = np.random.default_rng(n + degrees).standard_t(degrees, n)
    expected, k = az.psislw(0.25 * x * x)
    found, found_k = psis(0.25 * x * x)
    assert found == pytest.approx(expected, abs=1e-9)
    assert found_k == pytest.approx(float(k), rel=1e-9)


def test_relative_efficiency_lengthens_the_tail_as_in_arviz() -> None:
    lw = np.random.default_rng(1).normal(size=2000)
    expected, k = az.psislw(lw.copy(), reff=0.3)
    found, found_k = psis(lw, relative_efficiency=0.3)
    assert found == pytest.approx(expected, abs=1e-9) and found_k == pytest.approx(float(k), rel=1e-9)
    assert found_k != psis(lw)[1]


@pytest.mark.parametrize("k", [-0.3, 0.0, 0.4, 1.2])
def test_the_fit_finds_the_shape_and_scale_of_a_generalised_pareto_sample(k: float) -> None:
    excess = np.sort(pareto_quantile(np.random.default_rng(2).random(50_000), k, 3.0))
    found_k, scale = generalised_pareto(excess)
    assert found_k == pytest.approx(k, abs=0.03) and scale == pytest.approx(3.0, rel=0.03)


def test_k_is_the_inverse_of_the_number_of_moments() -> None:
    # weights with density tail w^-(1/k + 1) have k: here powers of a uniform number
    u = np.random.default_rng(3).random(40_000)
    for k in (0.3, 0.9):
        assert psis(-k * np.log(u))[1] == pytest.approx(k, abs=0.1)


def test_a_narrow_proposal_is_flagged_and_a_wide_one_is_not() -> None:
    rng = np.random.default_rng(4)
    for sd, trusted in ((0.5, False), (1.5, True)):
        x = rng.normal(0, sd, 4000)
        lw = -0.5 * x**2 + 0.5 * (x / sd) ** 2
        weights, k = psis(lw)
        assert (k <= pareto_k_limit(4000)) is trusted
        if trusted:
            assert np.exp(weights) @ x**2 == pytest.approx(1.0, abs=0.08)


def test_weights_add_up_to_one_and_keep_their_order() -> None:
    lw = np.random.default_rng(5).normal(0, 2, 1000)
    weights, _ = psis(lw)
    assert np.exp(weights).sum() == pytest.approx(1)
    assert (np.diff(weights[np.argsort(lw)]) >= -1e-12).all()


def test_equal_weights_need_nothing_and_few_distinct_ones_allow_nothing() -> None:
    weights, k = psis(np.full(100, 7.0))
    assert k == -math.inf and weights == pytest.approx(-math.log(100))
    weights, k = psis([0.0] * 99 + [5.0])
    assert k == math.inf
    assert np.exp(weights[-1]) == pytest.approx(math.exp(5) / (99 + math.exp(5)))


def test_draws_of_weight_zero_stay_at_zero() -> None:
    lw = np.r_[np.random.default_rng(6).normal(size=500), np.full(500, -np.inf)]
    weights, k = psis(lw)
    assert np.isneginf(weights[500:]).all() and np.exp(weights).sum() == pytest.approx(1) and math.isfinite(k)


def test_the_caller_keeps_its_weights() -> None:
    lw = np.random.default_rng(7).normal(size=200)
    before = lw.copy()
    psis(lw)
    assert (lw == before).all()


@pytest.mark.parametrize("bad", [[0.0, math.nan], [0.0, math.inf], [-math.inf, -math.inf], [], [[0.0, 1.0]]])
def test_weights_that_are_none_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="vector without nan"):
        psis(bad)


def test_the_limit_of_k_by_the_number_of_draws() -> None:
    assert pareto_k_limit(100) == pytest.approx(0.5)
    assert pareto_k_limit(1000) == pytest.approx(2 / 3)
    assert pareto_k_limit(10_000) == 0.7
