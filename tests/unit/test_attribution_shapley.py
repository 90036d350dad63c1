"""Shapley values against closed forms: additive, multiplicative, a dummy, a game in a textbook; and the axioms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.attribution.shapley import EXACT, SAMPLED, combinations, exact, sampled, shapley, spread

Floats = NDArray[np.float64]
FACTORS = np.array([2.0, 0.5, 3.0, 1.0])


def products(masks: NDArray[np.bool_]) -> Floats:
    """10 times the factors of the causes, and its logarithm."""
    v = 10.0 * np.where(masks, FACTORS, 1.0).prod(axis=1)
    return np.column_stack([v, np.log(v)])


def by_all_orders(value: Floats, n: int) -> Floats:
    """The definition itself: every order, written out. ``value`` by the number of the combination."""
    out = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        k = 0
        for cause in order:
            out[cause] += value[k + 2**cause] - value[k]
            k += 2**cause
    return out / len(orders)


def test_additive_causes_get_their_own_effect() -> None:
    effects = np.array([3.0, -1.0, 0.0, 7.5])
    found = exact(lambda m: (m @ effects + 4.0)[:, None], 4)
    assert found.value[:, 0] == pytest.approx(effects)
    assert (found.base[0], found.total[0], found.method, found.n_runs) == (4.0, 13.5, EXACT, 16)


def test_factors_of_a_product_are_the_exponentials_of_its_logarithm() -> None:
    found = exact(products, 4)
    assert np.exp(found.value[:, 1]) == pytest.approx(FACTORS)


def test_two_factors_share_their_interaction_equally() -> None:
    """a b - 1 = (a-1)(b+1)/2 + (b-1)(a+1)/2."""
    a, b = 4.0, 2.5
    found = exact(lambda m: np.where(m, [a, b], 1.0).prod(axis=1)[:, None], 2)
    assert found.value[:, 0] == pytest.approx([(a - 1) * (b + 1) / 2, (b - 1) * (a + 1) / 2])


def test_glove_game() -> None:
    """One left and two right gloves: 2/3, 1/6, 1/6 (Shapley's game of a pair of gloves)."""
    found = exact(lambda m: (m[:, 0] & (m[:, 1] | m[:, 2])).astype(float)[:, None], 3)
    assert found.value[:, 0] == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_exact_is_the_mean_over_all_orders() -> None:
    value = np.random.default_rng(4).normal(size=2**5)
    found = exact(lambda m: value[m @ (2 ** np.arange(5))][:, None], 5)
    assert found.value[:, 0] == pytest.approx(by_all_orders(value, 5))
    assert found.value.sum() == pytest.approx(value[-1] - value[0])  # efficiency
    assert combinations(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]


def test_sampled_orders_are_efficient_and_their_interval_holds_the_exact_values() -> None:
    weights = np.random.default_rng(1).normal(size=(12, 12)) / 4

    def value(m: NDArray[np.bool_]) -> Floats:
        x = m.astype(float)
        return np.asarray(np.exp(((x @ weights) * x).sum(axis=1) / 3) + x.sum(axis=1))[:, None]

    true = exact(value, 12)
    inside = []
    for seed in range(40):
        found = sampled(value, 12, 30, np.random.default_rng(seed))
        assert found.value.sum() == pytest.approx(float(true.total[0] - true.base[0]))
        inside.append((found.lo95 <= true.value) & (true.value <= found.hi95))
    assert found.method == SAMPLED and found.n_runs < 12 * 60
    assert 0.9 < np.mean(inside) < 0.99


def test_additive_values_have_no_sampling_error() -> None:
    found = sampled(lambda m: (m @ np.array([1.0, 2.0, 3.0]))[:, None], 3, 5, np.random.default_rng(0))
    assert found.value[:, 0] == pytest.approx([1, 2, 3]) and found.lo95 == pytest.approx(found.hi95)


def test_the_number_of_combinations_decides() -> None:
    rng = np.random.default_rng(0)
    assert shapley(products, 4, max_exact=16, pairs=10, rng=rng).method == EXACT
    assert shapley(products, 4, max_exact=15, pairs=10, rng=rng).method == SAMPLED
    with pytest.raises(ValueError, match="two pairs"):
        sampled(products, 4, 1, rng)


def test_a_combination_that_fails_leaves_no_value() -> None:
    found = exact(lambda m: np.where(m.all(axis=1), np.nan, 1.0)[:, None], 2)
    assert np.isnan(found.value).all()


def drawn_products(log_factors: Floats) -> Callable[[NDArray[np.bool_]], Floats]:
    """Products of factors, additive in the logarithm: the point (means of the logarithms) and then each draw."""
    rows = np.vstack([log_factors.mean(axis=0), log_factors])

    def values(masks: NDArray[np.bool_]) -> Floats:
        logs = np.array([masks @ row for row in rows])
        return np.stack([np.exp(logs), logs], axis=2)

    return values


@pytest.mark.parametrize("n", [3, 8])  # exact draws, and draws along orders
def test_normal_log_factors_give_their_own_quantiles(n: int) -> None:
    """The value of a cause in the logarithm is its own ln factor: the interval is that of its distribution."""
    mean, sd = np.linspace(-1.0, 1.0, n), np.linspace(0.0, 0.4, n)
    probability = (np.arange(400) + 0.5) / 400
    rng = np.random.default_rng(7)
    z = np.array([[NormalDist().inv_cdf(p) for p in rng.permutation(probability)] for _ in range(n)]).T
    values = drawn_products(mean + sd * z)
    found = exact(lambda masks: values(masks)[0], n)
    given = spread(values, found, n, 2, np.random.default_rng(1))
    assert (given.n_draws == 400).all()
    assert found.value[:, 1] == pytest.approx(mean)
    half = -NormalDist().inv_cdf((0.05 * 399 + 0.5) / 400) * sd  # where the 5 % quantile of 400 values lies
    assert given.lo90[:, 1] == pytest.approx(mean - half, abs=1e-4)
    assert given.hi90[:, 1] == pytest.approx(mean + half, abs=1e-4)
    assert given.lo90[0, 1] == pytest.approx(given.hi90[0, 1])  # a cause that is certain


def test_draws_along_few_orders_are_near_exact_draws() -> None:
    """With interactions (outcome not in the logarithm): as wide as from all combinations, within a tenth."""
    rng = np.random.default_rng(3)
    values = drawn_products(np.log([2.0, 0.5, 3.0, 1.5, 0.7, 1.2]) + 0.2 * rng.standard_normal((60, 6)))
    found = exact(lambda masks: values(masks)[0], 6)
    few = spread(values, found, 6, 2, np.random.default_rng(1))
    every = spread(values, found, 6, 60, np.random.default_rng(1))  # so many orders pass all combinations
    draws = [exact(lambda masks, k=k: values(masks)[k], 6).value for k in range(1, 61)]
    assert every.lo90 == pytest.approx(np.quantile(draws, 0.05, axis=0))
    assert few.hi90 - few.lo90 == pytest.approx(every.hi90 - every.lo90, rel=0.35)
    assert np.abs((few.lo90 - every.lo90)[:, 0]).max() < 0.1 * (every.hi90 - every.lo90)[:, 0].max()


def test_draws_that_fail_are_left_out_and_counted() -> None:
    whole = drawn_products(np.log(FACTORS) + np.array([[0.0], [0.1], [0.2]]))

    def values(masks: NDArray[np.bool_]) -> Floats:
        out = whole(masks)
        out[2:, masks.all(axis=1), 0] = np.nan
        return out

    found = exact(lambda masks: values(masks)[0], 4)
    given = spread(values, found, 4, 2, np.random.default_rng(0))
    assert given.n_draws.tolist() == [1, 3]
    assert np.isnan(given.lo90[:, 0]).all() and np.isfinite(given.lo90[:, 1]).all()
