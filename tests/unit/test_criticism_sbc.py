"""Simulation-based calibration: the exact test keeps its level, faults fail, and the verdict asks for log_lik."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from arviz.stats.ecdf_utils import ecdf_confidence_band
from arviz.utils import Numba
from numpy.typing import NDArray
from scipy.stats import binom, norm

from pharmtwin.inference.criticism.sbc import LOG_LIKELIHOOD, rank, sbc_ecdf, sbc_ranks, sbc_table, sbc_verdict, thin
from pharmtwin.inference.criticism.uniformity import (
    counts_below,
    evaluation_points,
    inside_probability,
    simultaneous_limits,
    uniformity_p,
)

Ints = NDArray[np.int64]


def test_the_recursion_is_the_sum_over_all_samples() -> None:
    low, high = np.array([0, 1, 2]), np.array([2, 3, 4])
    inside = 0
    for ranks in product(range(4), repeat=4):
        counts = [sum(r < v for r in ranks) for v in (1, 2, 3)]
        inside += all(a <= c <= b for a, c, b in zip(low, counts, high))
    assert inside_probability(4, np.array([0.25, 0.5, 0.75]), low, high) == pytest.approx(inside / 4**4, rel=1e-12)
    one = inside_probability(10, np.array([0.3]), np.array([2]), np.array([5]))
    assert one == pytest.approx(binom.cdf(5, 10, 0.3) - binom.cdf(1, 10, 0.3))


def test_p_values_are_exact_for_small_samples() -> None:
    every = [np.array(r) for r in product(range(3), repeat=5)]
    p = np.array([uniformity_p(r, 3) for r in every])
    # under uniformity every sample has the same chance, and P(p value <= x) is x at each value taken
    for x in np.unique(p):
        assert (p <= x * (1 + 1e-9)).mean() == pytest.approx(x, rel=1e-6)


@pytest.mark.parametrize(("n", "values"), [(50, 100), (200, 100), (200, 20)])
def test_the_band_keeps_its_level_and_is_that_of_arviz(n: int, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    points, low, high = simultaneous_limits(n, values)
    rng = np.random.default_rng(n)
    counts = np.stack([counts_below(r, points) for r in rng.integers(0, values, (4000, n))])
    assert ((counts >= low) & (counts <= high)).all(axis=1).mean() == pytest.approx(0.95, abs=0.012)
    assert inside_probability(n, points / values, low, high) >= 0.95
    z = points / values
    monkeypatch.setattr(Numba, "numba_flag", False)  # compiling would take seconds
    theirs = ecdf_confidence_band(n, z, z, prob=0.95, method="optimized")
    assert np.abs(np.stack(theirs) * n - np.stack([low, high])).max() <= 1 + 1e-9  # counts; theirs may miss its level


def test_band_and_p_value_agree() -> None:
    points, low, high = simultaneous_limits(100, 50)
    rng = np.random.default_rng(3)
    samples = [rng.integers(0, 50, 100) for _ in range(60)] + [rng.binomial(49, 0.5, 100) for _ in range(5)]
    for ranks in samples:
        counts = counts_below(ranks, points)
        assert (uniformity_p(ranks, 50) >= 0.05) == bool(((counts >= low) & (counts <= high)).all())


def test_uniform_ranks_pass_in_about_95_of_100_studies_of_200_replicates() -> None:
    rng = np.random.default_rng(4)
    p = np.array([uniformity_p(rng.integers(0, 100, 200), 100) for _ in range(200)])
    assert (p >= 0.05).sum() >= 190 - 3 * 3.1  # binomial of 200 and 0.95: sd 3.1
    assert np.quantile(p, [0.25, 0.75]) == pytest.approx([0.25, 0.75], abs=0.12)
    shifted = [np.floor(100 * rng.beta(1, 2, 200)) for _ in range(10)]
    wide = [np.floor(100 * rng.beta(0.5, 0.5, 200)) for _ in range(10)]
    assert all(uniformity_p(r, 100) < 0.05 for r in [*shifted, *wide])


def posteriors(
    n: int, shift: float = 0.0, narrow: float = 1.0, half: bool = False, n_draws: int = 99
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """n fits of y1, y2 ~ N(mu, 1), mu ~ N(0, 1): draws and truth of mu and of the log-likelihood.

    shift, narrow : faults of the fit, in posterior SDs. half : the fit looks at the prior only.
    """
    rng = np.random.default_rng(5)
    mu = rng.normal(size=n)
    y = mu[:, None] + rng.normal(size=(n, 2))
    mean, sd = (y.sum(axis=1) / 3, 1 / math.sqrt(3)) if not half else (np.zeros(n), 1.0)
    draws = mean[:, None] + sd * (shift + narrow * rng.normal(size=(n, n_draws)))
    log_lik = norm.logpdf(y[:, None, :], draws[..., None]).sum(axis=-1)
    return {"mu": draws, "log_lik": log_lik}, {"mu": mu, "log_lik": norm.logpdf(y, mu[:, None]).sum(axis=1)}


def verdict_of(**fault: float | bool) -> tuple[str, dict[str, bool]]:
    draws, truth = posteriors(200, **fault)  # type: ignore[arg-type]
    table = sbc_table(sbc_ranks(draws, truth, np.random.default_rng(6)), 99)
    return sbc_verdict(table), dict(zip(table["quantity"], table["passed"]))


def test_a_right_fit_is_good_and_shifted_or_narrow_ones_are_not() -> None:
    assert verdict_of()[0] == "good"
    shifted, _ = verdict_of(shift=0.5)
    assert shifted.startswith("not uniform: mu")
    assert "mu" in verdict_of(narrow=0.6)[0]
    draws, truth = posteriors(200, narrow=0.6)
    table = sbc_table(sbc_ranks(draws, truth, np.random.default_rng(6)), 99).set_index("quantity")
    assert table["spread"]["mu"] > 1.1 and table["mean_rank"]["mu"] == pytest.approx(0.5, abs=0.06)
    draws, truth = posteriors(200, shift=0.5)
    table = sbc_table(sbc_ranks(draws, truth, np.random.default_rng(6)), 99).set_index("quantity")
    assert table["mean_rank"]["mu"] < 0.45


def test_a_fit_that_ignores_the_data_is_found_by_the_log_likelihood_only() -> None:
    said, passed = verdict_of(half=True)
    assert passed == {"mu": True, LOG_LIKELIHOOD: False} and "log_lik" in said


def test_the_verdict_asks_for_the_log_likelihood_and_for_every_fit() -> None:
    draws, truth = posteriors(200)
    only = {"mu": draws["mu"]}, {"mu": truth["mu"]}
    rng = np.random.default_rng(7)
    assert sbc_verdict(sbc_table(sbc_ranks(*only, rng), 99)) == "not looked at: log_lik"
    draws["mu"][3] = np.nan
    draws["log_lik"][3] = np.nan
    table = sbc_table(sbc_ranks(draws, truth, rng), 99)
    assert table["n_failed"].tolist() == [1, 1] and table["n"].tolist() == [199, 199]
    assert sbc_verdict(table) == "1 fits failed" and not table["passed"].any()
    nothing = sbc_table({"log_lik": np.full(20, -1)}, 99)
    assert "20 fits failed" in sbc_verdict(nothing)


def test_ranks_count_the_draws_below_and_split_ties() -> None:
    rng = np.random.default_rng(8)
    assert rank([1.0, 2.0, 3.0], 2.5, rng) == 2 and rank([1.0, 2.0], 0.0, rng) == 0
    found = [rank([1.0, 1.0, 1.0], 1.0, rng) for _ in range(400)]
    assert np.bincount(found) / 400 == pytest.approx(0.25, abs=0.07)
    assert rank([1.0, math.nan], 1.0, rng) == -1 and rank([1.0], math.nan, rng) == -1


def test_thinning_is_even_and_keeps_what_was_asked() -> None:
    assert thin(np.arange(100.0), 4).tolist() == [12, 37, 62, 87]
    assert thin(np.arange(6.0).reshape(2, 3), 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="cannot keep 5 of 3"):
        thin(np.arange(3.0), 5)


def test_the_curve_for_a_figure_is_the_distribution_function_of_the_ranks() -> None:
    ranks = {"mu": np.random.default_rng(9).integers(0, 100, 200)}
    table = sbc_ecdf(ranks, 99)
    at = table[np.isclose(table["z"], 0.5)].iloc[0]
    assert at["observed"] == (ranks["mu"] < 50).mean() and at["low"] < 0.5 < at["high"]
    assert len(table) == 99 and ((table["low"] <= table["observed"]) & (table["observed"] <= table["high"])).all()


def test_evaluation_points_are_at_most_as_many_as_ranks() -> None:
    assert evaluation_points(200, 20).tolist() == list(range(1, 20))
    many = evaluation_points(50, 1000)
    assert len(many) == 50 and many.min() > 0 and many.max() < 1000


def test_ranks_that_are_none_are_refused() -> None:
    for bad in ([], [0.5], [-1], [10]):
        with pytest.raises(ValueError, match="whole numbers from 0 to 9"):
            uniformity_p(bad, 10)
    with pytest.raises(KeyError, match="differ in"):
        sbc_ranks({"a": np.zeros((2, 3))}, {"b": np.zeros(2)}, np.random.default_rng(0))
    with pytest.raises(ValueError, match="replicates, draws"):
        sbc_ranks({"a": np.zeros((2, 3))}, {"a": np.zeros(3)}, np.random.default_rng(0))
