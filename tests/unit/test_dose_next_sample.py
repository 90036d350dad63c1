"""The expected variance after a sample, where it is exact, and the best time where it is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtri
from scipy.stats import norm
from tests.unit.dose_fixture import K, model, person

from pharmtwin.inference.dose.next_sample import expected_variance, next_sample
from pharmtwin.inference.dose.regimens import Regimen


def normal_draws(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(ndtri((np.arange(n) + 0.5) / n))


def test_a_linear_prediction_with_normal_error_is_exact() -> None:
    rng = np.random.default_rng(1)
    theta, slopes, sd = 2.0 * normal_draws(2000, 2), np.array([0.0, 0.1, 0.5, 2.0]), 0.5
    left = expected_variance(theta, theta[:, None] * slopes, np.full((2000, 4), sd), rng)
    assert left == pytest.approx(1 / (1 / 4.0 + slopes**2 / sd**2), rel=0.03)


def test_what_matters_may_be_another_quantity_than_what_is_seen() -> None:
    rng = np.random.default_rng(1)
    a, b = normal_draws(2000, 2), normal_draws(2000, 3)
    b -= a * (a @ b) / (a @ a)
    left = expected_variance(a + b, a[:, None], np.full((2000, 1), 0.1), rng)
    assert left[0] == pytest.approx(1 / (1 + 1 / 0.01) + np.var(b), rel=0.03)  # b stays unknown


def test_a_sample_below_the_limit_tells_only_that() -> None:
    """Against numerical integration: theta ~ N(0, 1), y ~ N(theta, 0.5), known to lie below 0 or read."""
    rng, sd, limit = np.random.default_rng(1), 0.5, 0.0
    theta = normal_draws(2000, 2)
    left = expected_variance(theta, theta[:, None], np.full((2000, 1), sd), rng, limit)
    grid = np.linspace(-6, 6, 4001)
    prior = norm.pdf(grid)
    below = prior * np.exp(log_ndtr((limit - grid) / sd))
    p_below = np.trapezoid(below, grid)
    mean = np.trapezoid(below * grid, grid) / p_below
    variance = np.trapezoid(below * (grid - mean) ** 2, grid) / p_below
    exact = p_below * variance + (1 - p_below) / (1 + 1 / sd**2)
    assert left[0] == pytest.approx(exact, rel=0.03)
    assert left[0] > expected_variance(theta, theta[:, None], np.full((2000, 1), sd), rng)[0]


def test_clearance_is_seen_best_after_one_mean_residence_time() -> None:
    """Bolus, known volume, constant error: dC/dCL is largest where t exp(-K t) is, at 1 / K."""
    own = model(residual={"a": 0.3},
                outputs={"plasma": {"of": "C", "error": {"additive": ["a"]}, "unit": "mg/L"}})  # fmt: skip
    n = 300
    who = person(np.column_stack([0.05 * normal_draws(n, 1), np.zeros(n)]), own)
    times = np.arange(1.0, 31.0)
    table = next_sample(who, Regimen(1000.0, 48.0, 1, "central").doses(own), times, who.effects[:, 2], "plasma",
                        np.random.default_rng(1))  # fmt: skip
    assert table.time_h.iloc[0] == pytest.approx(1 / K, abs=1.0)
    assert table.variance_removed.is_monotonic_decreasing
    slope = 1000 / 50 * K * times * np.exp(-K * times)  # dC / d(log CL)
    exact = 1 - 1 / (1 + 0.05**2 * slope**2 / 0.3**2)
    found = table.sort_values("time_h").variance_removed.to_numpy()
    assert found == pytest.approx(exact, abs=0.03)


def test_what_lies_below_the_limit_of_quantification_is_no_good_time() -> None:
    n = 300
    who = person(np.column_stack([0.3 * normal_draws(n, 1), np.zeros(n)]))
    times = np.array([10.0, 60.0])
    doses = Regimen(1000.0, 100.0, 1, "central").doses(who.model)
    free, limited = (
        next_sample(who, doses, times, who.effects[:, 2], "plasma", np.random.default_rng(1), lloq).set_index("time_h")
        for lloq in (0.0, 1.0)
    )
    assert free.variance_removed[60.0] > free.variance_removed[10.0]  # a proportional error tells most late
    assert limited.variance_removed[60.0] < free.variance_removed[60.0] - 0.1
    assert limited.variance_removed[10.0] == pytest.approx(free.variance_removed[10.0], abs=0.01)


def test_residual_error_is_that_of_each_draw() -> None:
    who = person([(0.1, 0.0), (-0.1, 0.0)], sigma=np.array([[1e-6], [1e-6]]))
    doses = Regimen(1000.0, 24.0, 1, "central").doses(who.model)
    rng = np.random.default_rng(1)
    exact = next_sample(who, doses, np.array([10.0]), who.effects[:, 2], "plasma", rng)
    vague = next_sample(person([(0.1, 0.0), (-0.1, 0.0)], sigma=np.array([[50.0], [50.0]])), doses, np.array([10.0]),
                        who.effects[:, 2], "plasma", rng)  # fmt: skip
    assert exact.variance_removed[0] == pytest.approx(1.0)
    assert vague.variance_removed[0] == pytest.approx(0.0, abs=0.05)
