"""Marginal likelihoods with closed forms: linear models, lognormal errors, censored values, hypotheses, occasions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from marginal_fixture import LINE, at_values, mapping, prepared, table
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from pharmtwin.inference.estimation.objective import EstimationError, objective
from pharmtwin.inference.problem.problem import Component
from pharmtwin.inference.problem.records import Columns

TIMES = np.array([0.0, 1.0, 2.5])
LOG_2PI = np.log(2 * np.pi)
METHODS = ("fo", "foce", "focei", "laplace", "agq")


def line() -> np.ndarray:
    """Values of 6 subjects, from a fixed seed."""
    return 5.0 + np.random.default_rng(1).normal(size=(6, 3))


def line_density(values: np.ndarray) -> float:
    """Sum of the subjects' log densities under the model LINE."""
    Z = np.column_stack([np.ones(3), TIMES])
    V = Z @ np.array([[0.5, 0.1], [0.1, 0.3]]) @ Z.T + 0.64 * np.eye(3)
    return float(multivariate_normal(5.0 - TIMES, V).logpdf(values).sum())


@pytest.mark.parametrize("method", METHODS)
def test_all_methods_are_exact_where_the_model_is_linear(method: str) -> None:
    _, _, problem = prepared(mapping(**LINE), table(line(), TIMES))
    found = objective(problem, *at_values(problem), method, nodes=3)
    exact = line_density(line())
    assert found.log_likelihood == pytest.approx(exact, abs=1e-6)
    assert found.value == pytest.approx(-2 * exact - 18 * LOG_2PI, abs=2e-6)
    assert not found.failed


@pytest.mark.parametrize("method", METHODS)
def test_a_lognormal_error_is_linear_in_the_logarithm(method: str) -> None:
    raw = mapping("lognormal", observe={"Y": "exp(a + eta_a)"}, fixed={"a": 1.0})
    values = np.exp(1.0 + 0.7 * np.random.default_rng(2).normal(size=(5, 3)))
    _, _, problem = prepared(raw, table(values, TIMES))
    exact = multivariate_normal(np.ones(3), 0.5 + 0.64 * np.eye(3)).logpdf(np.log(values)).sum() - np.log(values).sum()
    assert objective(problem, *at_values(problem), method).log_likelihood == pytest.approx(exact, abs=1e-6)


def test_effects_without_variance_leave_the_plain_likelihood() -> None:
    _, _, problem = prepared(mapping(**LINE), table(line(), TIMES))
    exact = norm(5.0 - TIMES, 0.8).logpdf(line()).sum()
    fixed, sigma, _ = at_values(problem)
    for method in METHODS:
        found = objective(problem, fixed, sigma, np.zeros((2, 2)), method)
        assert found.log_likelihood == pytest.approx(exact, abs=1e-8)
        assert np.all(found.eta == 0)


def test_modes_and_their_covariance_are_those_of_the_linear_model() -> None:
    _, _, problem = prepared(mapping(**LINE), table(line(), TIMES))
    omega, Z = problem.model.omega, np.column_stack([np.ones(3), TIMES])
    V = Z @ omega @ Z.T + 0.64 * np.eye(3)
    gain = omega @ Z.T @ np.linalg.inv(V)
    found = objective(problem, *at_values(problem), "focei")
    assert found.eta == pytest.approx((line() - (5.0 - TIMES)) @ gain.T, abs=1e-5)
    assert found.covariance[0] == pytest.approx(omega - gain @ Z @ omega, abs=1e-8)


def test_quadrature_integrates_the_probability_of_censored_values() -> None:
    values = np.array([[5.3], [0.0], [4.6], [0.0]])  # limit 4.5: the second and fourth lie below
    _, _, problem = prepared(mapping(), table(values, TIMES[:1]), Columns(lloq={"y": 4.5}, blq="M3"))
    sd = np.sqrt(0.5 + 0.64)
    exact = norm(5.0, sd).logpdf([5.3, 4.6]).sum() + 2 * norm(5.0, sd).logcdf(4.5)
    found = objective(problem, *at_values(problem), "agq", nodes=30)
    assert found.log_likelihood == pytest.approx(exact, abs=1e-6)
    assert found.value == pytest.approx(-2 * exact - 2 * LOG_2PI, abs=2e-6)  # two values have a density
    laplace = objective(problem, *at_values(problem), "laplace")
    assert laplace.log_likelihood == pytest.approx(exact, abs=0.05)
    assert laplace.log_likelihood == pytest.approx(
        objective(problem, *at_values(problem), "agq", nodes=1).log_likelihood
    )
    for method in ("fo", "foce", "focei"):
        with pytest.raises(EstimationError, match="2 rows enter by a probability"):
            objective(problem, *at_values(problem), method)


@pytest.mark.parametrize("method", METHODS)
def test_hypotheses_are_a_mixture(method: str) -> None:
    raw = mapping(observe={"Y": "a + shift + eta_a"}, constants={"shift": 0.0})
    components = {str(i): (Component(0.3, {"shift": -1.0}), Component(0.7, {"shift": 2.0})) for i in (1, 2, 3)}
    values = np.array([[4.1, 4.4, 3.6], [6.8, 7.7, 6.9], [5.5, 5.4, 5.9]])
    _, _, problem = prepared(raw, table(values, TIMES), components=components)
    density = [multivariate_normal(np.full(3, m), 0.5 + 0.64 * np.eye(3)).logpdf(values) for m in (4.0, 7.0)]
    parts = np.log([[0.3], [0.7]]) + np.array(density)
    found = objective(problem, *at_values(problem), method)
    log_likelihood = -0.5 * (found.by_subject + 3 * LOG_2PI)
    assert log_likelihood == pytest.approx(logsumexp(parts, axis=0), abs=1e-6)
    assert pytest.approx(np.exp(parts - logsumexp(parts, axis=0)), abs=1e-6) == found.weight.reshape(3, 2).T


def test_effects_of_the_occasion_are_shared_within_it_only() -> None:
    raw = mapping(
        observe={"Y": "a + eta_a + kappa"},
        random={"eta_a": {"variance": 0.5}, "kappa": {"variance": 0.4, "level": "occasion"}},
    )
    values = 5.0 + np.random.default_rng(3).normal(size=(4, 4))
    rows = table(values, np.arange(4.0)).assign(OCC=np.tile([1, 1, 2, 2], 4))
    _, _, problem = prepared(raw, rows, Columns(occasion="OCC"))
    V = 0.5 + 0.4 * np.kron(np.eye(2), np.ones((2, 2))) + 0.64 * np.eye(4)
    exact = multivariate_normal(np.full(4, 5.0), V).logpdf(values).sum()
    for method in METHODS:
        assert objective(problem, *at_values(problem), method, nodes=2).log_likelihood == pytest.approx(exact, abs=1e-6)


def test_foce_takes_the_residual_error_at_eta_0_and_focei_at_the_mode() -> None:
    _, _, problem = prepared(mapping("proportional", residual={"s": 0.2}), table(np.array([[9.0]]), TIMES[:1]))
    foce = objective(problem, *at_values(problem), "foce")
    # FOCE: residual sd 0.2 * 5 = 1, so the model is linear normal: exact
    assert foce.log_likelihood == pytest.approx(norm(5.0, np.sqrt(0.5 + 1.0)).logpdf(9.0), abs=1e-8)
    assert foce.eta[0, 0] == pytest.approx(4.0 * 0.5 / 1.5, abs=1e-6)
    focei = objective(problem, *at_values(problem), "focei")
    grid = np.linspace(-2, 4, 600_001)
    f = 5.0 + grid
    joint = -0.5 * ((9.0 - f) / (0.2 * f)) ** 2 - np.log(0.2 * f) - grid**2
    assert focei.eta[0, 0] == pytest.approx(grid[joint.argmax()], abs=1e-4)
    at = 5.0 + focei.eta[0, 0]
    curvature = 1 / (0.2 * at) ** 2 + 2 / at**2 + 2.0  # (dy)^2 / R + 1/2 (dR / R)^2 + 1 / omega^2
    value = -2 * joint.max() + np.log(0.5) + np.log(curvature)
    assert focei.value == pytest.approx(value, abs=1e-6)


def test_what_cannot_be_computed_is_said() -> None:
    _, _, problem = prepared(mapping(**LINE), table(line(), TIMES))
    with pytest.raises(EstimationError, match="'foo' is no method"):
        objective(problem, *at_values(problem), "foo")
    with pytest.raises(ValueError, match="80 nodes in 2 dimensions are 6400 points"):
        objective(problem, *at_values(problem), "agq", nodes=80)
    _, _, impossible = prepared(mapping("lognormal"), table(np.array([[5.0], [1.0]]), TIMES[:1]))
    impossible.y[1] = -1.0  # the reader of rows would refuse it
    for method in METHODS:
        found = objective(impossible, *at_values(impossible), method)
        assert np.isposinf(found.value) and list(found.failed) == ["2"], method


def test_a_table_of_one_sample_each_is_enough() -> None:
    rows = pd.DataFrame({"ID": [1, 2], "TIME": [0.0, 0.0], "AMT": 0.0, "DV": [4.0, 6.5]})
    _, _, problem = prepared(mapping(), rows)
    exact = norm(5.0, np.sqrt(1.14)).logpdf([4.0, 6.5]).sum()
    assert objective(problem, *at_values(problem), "focei").log_likelihood == pytest.approx(exact, abs=1e-8)
