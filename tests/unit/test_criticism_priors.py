"""Influence of priors: the conjugate normal model scaled exactly, overlaps of normals, published shrinkage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from pharmtwin.inference.criticism.priors import (
    ALPHAS,
    CONFLICT,
    NEITHER,
    STRONG,
    cumulative_js,
    epsilon_shrinkage,
    eta_shrinkage,
    overlap,
    power_scaling,
    power_weights,
    prior_posterior_overlap,
)

Floats = NDArray[np.float64]


def conjugate(prior_mean: float, prior_sd: float, n: int, prior_power: float = 1.0, data_power: float = 1.0):
    """Posterior of mu ~ N(prior_mean, prior_sd) after n values of mean 0 and sd 1: mean and sd."""
    precision = n * data_power + prior_power / prior_sd**2
    return prior_power * prior_mean / prior_sd**2 / precision, precision**-0.5


def scaled(prior_mean: float, prior_sd: float, n: int, n_draws: int = 8000, seed: int = 1):
    """Draws of that posterior with the logarithms of prior and likelihood."""
    mu = np.random.default_rng(seed).normal(*conjugate(prior_mean, prior_sd, n), n_draws)
    return mu, norm.logpdf(mu, prior_mean, prior_sd), -0.5 * n * mu**2


def exact_distance(p: tuple[float, float], q: tuple[float, float], low: float, high: float) -> float:
    """Cumulative Jensen-Shannon distance of two normals over a range, by quadrature on a fine grid."""
    x = np.linspace(low, high, 200_001)
    found = []
    for side in (1, -1):
        a, b = (norm.cdf(side * x, side * m, s) for m, s in (p, q))
        middle = (a + b) / 2
        terms = [np.where(v > 0, v * np.log2(np.where(v > 0, v / middle, 1)), 0) for v in (a, b)]
        found.append(np.sum(terms[0] + terms[1]) / np.sum(a + b))
    return math.sqrt(max(found))


@pytest.mark.parametrize("prior_mean", [0.5, 5.0, 10.0])
def test_sensitivity_is_that_of_the_exactly_scaled_posterior(prior_mean: float) -> None:
    mu, log_prior, log_likelihood = scaled(prior_mean, 1.0, 50)
    row = power_scaling({"mu": mu}, log_prior, log_likelihood).iloc[0]
    base = conjugate(prior_mean, 1.0, 50)
    for component, name in (("prior", "prior_power"), ("likelihood", "data_power")):
        powers = [conjugate(prior_mean, 1.0, 50, **{name: a}) for a in ALPHAS]
        exact = np.mean(
            [exact_distance(base, p, mu.min(), mu.max()) / abs(math.log2(a)) for p, a in zip(powers, ALPHAS)]
        )
        assert row[component] == pytest.approx(exact, rel=0.1, abs=0.002)
    assert row["trusted"]


def test_power_weights_reach_the_scaled_posterior() -> None:
    mu, log_prior, log_likelihood = scaled(3.0, 1.0, 5, n_draws=40_000)
    for alpha in ALPHAS:
        weights, k = power_weights(log_prior, alpha)
        mean, sd = conjugate(3.0, 1.0, 5, prior_power=alpha)
        assert weights @ mu == pytest.approx(mean, abs=0.01) and k < 0.5
        assert math.sqrt(weights @ (mu - weights @ mu) ** 2) == pytest.approx(sd, rel=0.02)
        weights, _ = power_weights(log_likelihood, alpha)
        assert weights @ mu == pytest.approx(conjugate(3.0, 1.0, 5, data_power=alpha)[0], abs=0.01)


def test_diagnoses_of_the_conjugate_model() -> None:
    # as in the tests of priorsense: 50 values of mean 0, priors N(0, 1), N(5, 1), N(10, 1)
    tables = [power_scaling({"mu": d[0]}, *d[1:]).iloc[0] for d in (scaled(m, 1.0, 50) for m in (0.0, 5.0, 10.0))]
    assert [t["diagnosis"] for t in tables] == [NEITHER, CONFLICT, CONFLICT]
    assert tables[0]["prior"] < tables[1]["prior"] < tables[2]["prior"]
    weak = scaled(0.0, 0.05, 2)  # two values against a prior worth 400
    assert power_scaling({"mu": weak[0]}, *weak[1:])["diagnosis"][0] == STRONG


def test_only_the_parameter_concerned_is_named() -> None:
    mu, log_prior, log_likelihood = scaled(10.0, 1.0, 50)
    other = np.random.default_rng(2).normal(size=len(mu))
    table = power_scaling({"mu": mu, "other": other}, log_prior, log_likelihood).set_index("parameter")
    assert table["diagnosis"].to_dict() == {"mu": CONFLICT, "other": NEITHER}


def test_a_scaling_out_of_reach_of_the_draws_is_not_trusted() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_cauchy(2000)
    assert not power_scaling({"x": x}, 20 * np.log1p(np.abs(x)), np.zeros(2000))["trusted"][0]
    with pytest.raises(ValueError, match="between 0 and 1"):
        power_scaling({"x": x}, x, x, alphas=(1.1, 1.25))
    with pytest.raises(ValueError, match="same 2000 draws"):
        power_scaling({"x": x}, x[:100], x)
    with pytest.raises(ValueError, match="one length"):
        power_scaling({"x": x, "y": x[:5]}, x, x)


def test_distance_has_its_ends_and_its_symmetries() -> None:
    x = np.random.default_rng(4).normal(size=500)
    even = np.full(500, 1 / 500)
    tilted = np.exp(0.5 * x) / np.exp(0.5 * x).sum()
    assert cumulative_js(x, even, even) == 0 and cumulative_js(np.ones(500), even, tilted) == 0
    distance = cumulative_js(x, even, tilted)
    assert 0 < distance < 1
    assert cumulative_js(x, tilted, even) == pytest.approx(distance)
    assert cumulative_js(-x, even, tilted) == pytest.approx(distance)
    assert cumulative_js(10 + 3 * x, even, tilted) == pytest.approx(distance)
    # all weight at one end against all weight at the other: as far apart as can be
    assert cumulative_js([0.0, 1.0], [1.0, 0.0], [0.0, 1.0]) == pytest.approx(1.0)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (1.0, 1.0), (0.0, 0.5), (0.0, 0.1), (2.0, 0.3), (-3.0, 0.5)])
def test_overlap_of_two_normals(mean: float, sd: float) -> None:
    rng = np.random.default_rng(5)
    prior, posterior = rng.normal(size=8000), rng.normal(mean, sd, 8000)
    x = np.linspace(-10, 10, 20_001)
    exact = np.minimum(norm.pdf(x), norm.pdf(x, mean, sd)).sum() * 0.001
    assert overlap(prior, posterior) == pytest.approx(exact, abs=0.025)
    assert overlap(np.exp(3 * prior), np.exp(3 * posterior)) == pytest.approx(overlap(prior, posterior), abs=1e-3)


def test_overlap_names_what_the_data_have_not_told() -> None:
    rng = np.random.default_rng(6)
    prior = {"told": rng.normal(size=2000), "untold": rng.normal(size=2000), "unused": rng.normal(size=2000)}
    posterior = {"told": rng.normal(1, 0.1, 1000), "untold": rng.normal(0, 0.95, 1000)}
    table = prior_posterior_overlap(prior, posterior).set_index("parameter")
    assert table["flagged"].to_dict() == {"told": False, "untold": True}
    with pytest.raises(KeyError, match="no prior draws of"):
        prior_posterior_overlap({}, posterior)
    with pytest.raises(ValueError, match="100 finite draws"):
        overlap(prior["told"][:50], posterior["told"])


def test_shrinkage_of_the_balanced_normal_model_is_known() -> None:
    # posterior mean of b ~ N(0, 1) from m values with error sd 2: variance shrinkage is 1 / (1 + m / 4)
    rng = np.random.default_rng(7)
    b, m = rng.normal(size=20_000), 4
    estimate = (b + 2 / math.sqrt(m) * rng.normal(size=20_000)) * (m / 4) / (1 + m / 4)
    row = eta_shrinkage(estimate[:, None], [1.0], ["CL"]).iloc[0]
    assert row["effect"] == "CL" and row["shrinkage_variance"] == pytest.approx(0.5, abs=0.02)
    assert row["shrinkage_sd"] == pytest.approx(1 - math.sqrt(0.5), abs=0.02) and not row["flagged"]
    assert eta_shrinkage(0.1 * b[:, None], [1.0])["flagged"][0]


def test_shrinkage_of_residuals_and_refusals() -> None:
    found = epsilon_shrinkage([-0.5, 0.5] * 50)
    assert found["shrinkage_sd"] == pytest.approx(0.5, abs=0.01)
    assert found["shrinkage_variance"] == pytest.approx(0.75, abs=0.01)
    with pytest.raises(ValueError, match="above 0"):
        eta_shrinkage(np.ones((5, 2)), [1.0, 0.0])
    with pytest.raises(ValueError, match="1 names for 2"):
        eta_shrinkage(np.ones((5, 2)), [1.0, 1.0], ["CL"])
    with pytest.raises(ValueError, match="at least 2"):
        epsilon_shrinkage([math.nan, 1.0])
