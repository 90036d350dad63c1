"""Known answers of the accuracy figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pharmtwin.evaluation import metrics


def test_fold_figures_of_one_pair_too_high_and_one_too_low() -> None:
    pred, obs = [2.0, 5.0], [1.0, 10.0]
    assert metrics.gmfe(pred, obs) == pytest.approx(2)
    assert metrics.afe(pred, obs) == pytest.approx(1)
    assert metrics.afe([2.0, 2.0], [1.0, 1.0]) == pytest.approx(2)


def test_fold_limits_are_inclusive_on_both_sides() -> None:
    pred, obs = [1.25, 0.8, 2.0, 0.5, 2.01], [1.0] * 5
    assert metrics.share_within(pred, obs, 1.25) == pytest.approx(0.4)
    assert metrics.share_within(pred, obs, 2) == pytest.approx(0.8)


def test_coverage_and_width() -> None:
    assert metrics.coverage([1, 2, 3, 4], [1, 0, 4, 0], [2, 1, 5, 9]) == pytest.approx(0.5)
    assert metrics.interval_width([1.0, 2.0], [4.0, 2.0]) == pytest.approx(2)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_fold_figures_refuse_values_that_are_not_above_zero(bad: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        metrics.gmfe([1.0, bad], [1.0, 1.0])
    with pytest.raises(ValueError, match="above 0"):
        metrics.gmfe([1.0, 1.0], [1.0, bad])


def test_vectors_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        metrics.afe([1.0, 2.0], [1.0])


def test_wilson_known_answer_and_ends() -> None:
    got = metrics.wilson(81, 263)  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
    assert (got.lo95, got.hi95) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    none, every = metrics.wilson(0, 20), metrics.wilson(20, 20)
    assert none.lo95 == 0 and every.hi95 == pytest.approx(1)
    assert none.hi95 == pytest.approx(0.1611, abs=5e-5)
    with pytest.raises(ValueError, match="not a share"):
        metrics.wilson(3, 2)


def test_cluster_bootstrap_draws_whole_clusters() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(40), 25)
    values = np.repeat(rng.normal(size=40), 25)  # within a cluster all equal: 40 pieces of information, not 1000
    draws = metrics.cluster_bootstrap_mean(values, clusters, np.random.default_rng(2), 4000)
    expected = np.std(values[::25]) / math.sqrt(40)
    assert np.std(draws) == pytest.approx(expected, rel=0.06)
    assert np.mean(draws) == pytest.approx(np.mean(values), abs=0.02)


def test_bootstrap_is_seeded_and_needs_enough_clusters() -> None:
    x, c = np.linspace(0, 1, 12), np.repeat(np.arange(6), 2)
    one = metrics.exp_mean(x, c, np.random.default_rng(3))
    two = metrics.exp_mean(x, c, np.random.default_rng(3))
    assert one == two and one.lo95 < one.value < one.hi95
    few = metrics.exp_mean(x[:8], c[:8], np.random.default_rng(3))
    assert few.value == pytest.approx(math.exp(x[:8].mean())) and math.isnan(few.lo95)
