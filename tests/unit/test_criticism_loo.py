"""Leave-one-out: exact answers of conjugate models, ArviZ, and published weights of the R package loo."""

from __future__ import annotations

import math

import arviz as az
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtri
from scipy.stats import multivariate_normal, norm

from pharmtwin.inference.criticism.loo import Loo, by_subject, compare, loo, pareto_k_table
from pharmtwin.inference.criticism.psis import psis
from pharmtwin.inference.criticism.weights import mixture_elpd, pseudo_bma_weights, stacking_weights

Floats = NDArray[np.float64]


def r_normals(seed: int, n: int) -> Floats:
    """Normal numbers of R: ``set.seed(seed); rnorm(n)`` (Mersenne twister, inversion)."""
    states = []
    for _ in range(675):
        seed = (69069 * seed + 1) % 2**32
        states.append(seed)
    twister = np.random.RandomState()
    twister.set_state(("MT19937", np.array(states[51:], dtype=np.uint32), 624))
    u = twister.randint(0, 2**32, size=2 * n, dtype=np.uint64) * 2.3283064365386963e-10
    return np.asarray(ndtri((np.floor(2**27 * u[::2]) + u[1::2]) / 2**27))


def conjugate(y: Floats, prior_sd: float, n_draws: int, seed: int) -> tuple[Floats, Floats]:
    """y ~ N(mu, 1), mu ~ N(0, prior_sd): log-likelihoods (draws, n) at exact draws, and exact elpd of each y."""

    def posterior(data: Floats) -> tuple[float, float]:
        precision = len(data) + prior_sd**-2
        return data.sum() / precision, 1 / math.sqrt(precision)

    mu = np.random.default_rng(seed).normal(*posterior(y), n_draws)
    exact = []
    for i in range(len(y)):
        mean, sd = posterior(np.delete(y, i))
        exact.append(norm.logpdf(y[i], mean, math.hypot(sd, 1)))
    return norm.logpdf(y, mu[:, None], 1), np.array(exact)


def test_elpd_of_a_conjugate_normal_model_is_exact() -> None:
    y = np.random.default_rng(1).normal(1, 1, 20)
    log_likelihood, exact = conjugate(y, 10.0, 8000, 2)
    result = loo(log_likelihood)
    assert result.trusted
    assert result.pointwise["elpd"].to_numpy() == pytest.approx(exact, abs=0.02)
    assert result.elpd == pytest.approx(exact.sum(), abs=0.05)
    assert result.se == pytest.approx(math.sqrt(20) * exact.std(ddof=1), rel=0.02)
    mean, variance = y.sum() / (len(y) + 0.01), 1 / (len(y) + 0.01)
    seen = norm.logpdf(y, mean, math.sqrt(1 + variance)).sum()  # density of the same values, none left out
    assert result.p_loo == pytest.approx(seen - exact.sum(), rel=0.05)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")  # ArviZ's word on the one bad k of this example
def test_units_are_those_of_arviz() -> None:
    data = az.load_arviz_data("centered_eight")
    log_likelihood = data.log_likelihood["obs"].values
    expected = az.loo(data, pointwise=True, reff=1.0)
    found = loo(log_likelihood.reshape(-1, 8))
    assert found.pointwise["elpd"].to_numpy() == pytest.approx(expected.loo_i.values, abs=1e-10)
    assert found.pointwise["pareto_k"].to_numpy() == pytest.approx(expected.pareto_k.values, rel=1e-9)
    assert found.k_limit == pytest.approx(expected.good_k)
    chains = loo(log_likelihood)  # chains kept apart: the efficiency of each unit's own likelihood
    assert chains.elpd == pytest.approx(az.loo(data).elpd_loo, abs=0.02)  # ArviZ takes one efficiency for all units
    assert list(chains.pointwise["pareto_k"]) != list(found.pointwise["pareto_k"])


def hierarchical(seed: int) -> tuple[Floats, Floats, list[str], Floats]:
    """y_ij = mu + b_i + e_ij, b sd 1, e sd 0.5, mu ~ N(0, 5): marginal and conditional log-likelihoods, exact elpd."""
    rng = np.random.default_rng(seed)
    n_subjects, m, s, omega, prior_sd, n_draws = 12, 6, 0.5, 1.0, 5.0, 4000
    y = rng.normal(0, omega, (n_subjects, 1)) + rng.normal(2, s, (n_subjects, m))
    covariance = s**2 * np.eye(m) + omega**2
    ones = np.ones(m)
    weight = np.linalg.solve(covariance, ones)  # information of a subject about mu: weight @ y, weight @ 1

    def posterior(data: Floats) -> tuple[float, float]:
        precision = len(data) * weight @ ones + prior_sd**-2
        return float((data @ weight).sum() / precision), float(1 / precision)

    mean, variance = posterior(y)
    mu = rng.normal(mean, math.sqrt(variance), n_draws)
    marginal = np.stack([multivariate_normal.logpdf(y - v, np.zeros(m), covariance) for v in mu])
    exact = []
    for i in range(n_subjects):
        left_mean, left_variance = posterior(np.delete(y, i, axis=0))
        exact.append(multivariate_normal.logpdf(y[i], left_mean * ones, covariance + left_variance))
    precision = m / s**2 + omega**-2
    b = (y.sum(axis=1) - m * mu[:, None]) / s**2 / precision + rng.normal(0, precision**-0.5, (n_draws, n_subjects))
    conditional = norm.logpdf(y, (mu[:, None] + b)[..., None], s).reshape(n_draws, -1)
    names = [f"s{i}" for i in range(n_subjects) for _ in range(m)]
    return marginal, conditional, names, np.array(exact)


def test_leaving_out_subjects_with_their_effects_integrated_is_exact() -> None:
    marginal, conditional, names, exact = hierarchical(3)
    result = loo(marginal)
    assert result.trusted and result.pointwise["elpd"].to_numpy() == pytest.approx(exact, abs=0.03)
    # conditional on the effects: single observations flatter, and whole subjects fail and are flagged
    assert loo(conditional).elpd > exact.sum() + 10
    summed, subjects = by_subject(conditional, names)
    by_k = loo(summed, subjects)
    assert subjects == [f"s{i}" for i in range(12)] and not by_k.trusted
    assert summed[:, 0] == pytest.approx(conditional[:, :6].sum(axis=1))
    assert pareto_k_table(by_k)["n"].sum() == 12


def test_the_table_of_k_counts_every_unit_once() -> None:
    marginal, conditional, names, _ = hierarchical(4)
    table = pareto_k_table(loo(by_subject(conditional, names)[0])).set_index("class")
    result = loo(by_subject(conditional, names)[0])
    k = result.pointwise["pareto_k"]
    assert table["n"]["good"] == (k <= result.k_limit).sum() and table["n"]["very bad"] == (k > 1).sum()
    assert table["share"].sum() == pytest.approx(1) and table["n"].sum() == len(k)
    assert pareto_k_table(loo(marginal))["n"].tolist() == [12, 0, 0]


def test_weights_of_the_r_package_loo_are_reproduced() -> None:
    # loo df27ade95093, tests/testthat/test_model_weighting.R and its snapshot: three fixed normal models of 50 values
    x = r_normals(123, 1550)
    assert x[:3] == pytest.approx([-0.56047565, -0.23017749, 1.55870831], abs=1e-8)
    y, columns = x[:50], []
    for mean, sd in ((-1, 1.5 + 0.1 * x[50:550]), (0.7, 1.2 + 0.1 * x[550:1050]), (1, 1 + 0.05 * x[1050:])):
        log_likelihood = norm.logpdf(y, mean, np.abs(sd)[:, None])
        columns.append([logsumexp(psis(-c, 0.9)[0] + c) for c in log_likelihood.T])
    elpd = np.column_stack(columns)
    assert stacking_weights(elpd) == pytest.approx([0.20365833, 0.79634164, 0.0], abs=2e-4)
    # a bootstrap of 1000 there and here
    assert pseudo_bma_weights(elpd, np.random.default_rng(1)) == pytest.approx([0.0665, 0.9334, 0.0002], abs=0.02)


def test_stacking_finds_the_best_mixture_of_two_models_on_a_grid() -> None:
    rng = np.random.default_rng(5)
    elpd = rng.normal(-1, 0.7, (80, 2))
    grid = np.linspace(0, 1, 1001)
    best = grid[np.argmax([mixture_elpd(elpd, [w, 1 - w]) for w in grid])]
    assert stacking_weights(elpd)[0] == pytest.approx(best, abs=2e-3)


def test_stacking_of_many_models_meets_the_conditions_of_the_optimum() -> None:
    elpd = np.random.default_rng(6).normal(-3, 1, (150, 6)) + np.array([0, 0.2, -1, 0, -4, 0.1])
    w = stacking_weights(elpd)
    gain = (np.exp(elpd) / (np.exp(elpd) @ w)[:, None]).mean(axis=0)
    assert w.sum() == pytest.approx(1) and (w >= 0).all()
    assert gain[w > 1e-6] == pytest.approx(1, abs=1e-4) and (gain <= 1 + 1e-5).all()


def test_a_repeated_model_takes_nothing_from_the_others_in_stacking() -> None:
    elpd = np.random.default_rng(7).normal(-1, 0.5, (100, 2))
    twice = stacking_weights(elpd[:, [0, 0, 1]])
    assert twice[2] == pytest.approx(stacking_weights(elpd)[1], abs=1e-3)


def test_the_true_model_is_preferred_and_the_difference_has_its_error() -> None:
    y = np.random.default_rng(8).normal(3, 1, 40)
    wide, exact_wide = conjugate(y, 10.0, 4000, 9)
    tight, exact_tight = conjugate(y, 0.1, 4000, 10)  # a prior far from the data
    table = compare({"tight": loo(tight), "wide": loo(wide)}, np.random.default_rng(11))
    assert list(table["model"]) == ["wide", "tight"] and bool(table["clear"][1]) and not table["clear"][0]
    difference = exact_tight - exact_wide
    assert table["elpd_diff"][1] == pytest.approx(difference.sum(), rel=0.02)
    assert table["se_diff"][1] == pytest.approx(math.sqrt(40) * difference.std(ddof=1), rel=0.03)
    assert table["stacking"][0] > 0.9 and table["pseudo_bma"][0] > 0.9


def test_models_that_are_alike_are_not_called_different() -> None:
    y = np.random.default_rng(12).normal(0, 1, 30)
    results: dict[str, Loo] = {f"{sd}": loo(conjugate(y, sd, 4000, 13)[0]) for sd in (5.0, 6.0)}
    assert not compare(results, np.random.default_rng(14))["clear"].any()


def test_what_cannot_be_judged_is_refused() -> None:
    ll = np.random.default_rng(15).normal(size=(200, 3))
    with pytest.raises(ValueError, match=r"nan or infinite for \['b'\]"):
        loo(np.where(np.arange(3) == 1, np.nan, ll), ["a", "b", "c"])
    with pytest.raises(ValueError, match="2 names for 3"):
        loo(ll, ["a", "b"])
    with pytest.raises(ValueError, match="other units"):
        compare({"x": loo(ll), "y": loo(ll, ["a", "b", "c"])}, np.random.default_rng(0))
    with pytest.raises(ValueError, match="two models"):
        compare({"x": loo(ll)}, np.random.default_rng(0))
    with pytest.raises(ValueError, match="2 subjects named for 3"):
        by_subject(ll, ["a", "b"])
    with pytest.raises(ValueError, match="finite"):
        stacking_weights([[0.0, -math.inf]])


def test_a_draw_of_likelihood_zero_makes_its_unit_untrusted() -> None:
    ll = np.random.default_rng(16).normal(size=(200, 2))
    ll[3, 1] = -math.inf
    result = loo(ll)
    assert list(result.pointwise["trusted"]) == [True, False] and result.elpd == -math.inf
