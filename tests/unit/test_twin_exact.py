"""A twin's posterior against answers that are exact: conjugate normals, quadrature, enumeration on a grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from twin_fixture import LINE, ORAL, SQUARE, concentration, model_of, person

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import Component
from pharmtwin.inference.problem.records import Columns
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.twin import Twin, fit_twin

TIMES, VALUES = [0.5, 2.0, 5.0], [13.1, 15.9, 23.2]
DESIGN = np.array([[1.0, t] for t in TIMES])


def conjugate(
    mean: np.ndarray, cov: np.ndarray, y: np.ndarray, X: np.ndarray, sd: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Posterior mean and covariance, and log evidence, of y ~ Normal(X v, sd), v ~ Normal(mean, cov)."""
    marginal = X @ cov @ X.T + sd**2 * np.eye(len(y))
    gain = cov @ X.T @ np.linalg.inv(marginal)
    evidence = multivariate_normal(X @ mean, marginal).logpdf(y)
    return mean + gain @ (y - X @ mean), cov - gain @ X @ cov, float(evidence)


def agrees(twin: Twin, mean: np.ndarray, cov: np.ndarray, evidence: float) -> None:
    """Within Monte-Carlo error; the draws as well as the weighted moments."""
    p = twin.posterior
    sd = np.sqrt(np.diag(cov))
    assert p.trusted and p.k < 0.5
    assert np.all(np.abs(p.mean - mean) < 4 * p.mcse) and np.all(p.mcse < 0.05 * sd)
    np.testing.assert_allclose(p.sd, sd, rtol=0.08)
    np.testing.assert_allclose(np.corrcoef(p.v.T)[0, 1], cov[0, 1] / sd.prod(), atol=0.1)
    assert np.all(np.abs(p.v.mean(axis=0) - mean) < 4 * sd * np.sqrt(1 / 400 + 1 / p.ess))
    assert p.evidence == pytest.approx(evidence, abs=0.1)


def test_a_straight_line_has_the_conjugate_posterior_and_evidence() -> None:
    model = model_of(LINE)
    twin = fit_twin(model, person(model, TIMES, VALUES))
    y = np.array(VALUES) - DESIGN @ [10.0, 2.0]
    mean, cov, evidence = conjugate(np.zeros(2), model.omega, y, DESIGN, 0.8)
    agrees(twin, mean, cov, evidence)
    left = twin.learned.set_index("effect")["variance_left"]
    np.testing.assert_allclose(left, np.diag(cov) / np.diag(model.omega), rtol=0.15)
    # shared area of two normals, by quadrature
    grid = np.linspace(-10, 10, 20001)
    for k, row in enumerate(twin.learned.itertuples()):
        shared = np.minimum(norm.pdf(grid, 0, np.sqrt(model.omega[k, k])), norm.pdf(grid, mean[k], np.sqrt(cov[k, k])))
        assert row.overlap == pytest.approx(np.trapezoid(shared, grid), abs=0.06)


def test_an_effect_without_variance_stays_and_costs_nothing() -> None:
    model = model_of(LINE, random={"eta_a": 4.0, "eta_b": 0.0}, covariance=[])
    twin = fit_twin(model, person(model, TIMES, VALUES))
    y = np.array(VALUES) - DESIGN @ [10.0, 2.0]
    mean, cov, evidence = conjugate(np.zeros(1), np.array([[4.0]]), y, DESIGN[:, :1], 0.8)
    p = twin.posterior
    assert abs(p.mean[0] - mean[0]) < 4 * p.mcse[0] and p.sd[0] == pytest.approx(np.sqrt(cov[0, 0]), rel=0.08)
    assert np.all(p.v[:, 1] == 0.0) and p.evidence == pytest.approx(evidence, abs=0.1)
    assert twin.learned["overlap"].iloc[1] == 1.0 and twin.learned["variance_left"].iloc[1] == 1.0


def population(model: PopulationModel) -> TwinPrior:
    """Draws of a population with far more uncertainty than one would publish."""
    rng = np.random.default_rng(3)
    S = 25
    mean = rng.normal(0, [1.5, 0.4], (S, 2))
    scale = np.exp(rng.normal(0, 0.5, (S, 1, 1)))
    return TwinPrior(
        ("eta_a", "eta_b"), np.array([10.0, 2.0]), mean, scale * model.omega, np.exp(rng.normal(-0.2, 0.5, (S, 1)))
    )


def test_draws_of_a_population_are_integrated_over() -> None:
    model = model_of(LINE)
    prior = population(model)
    twin = fit_twin(model, person(model, TIMES, VALUES), prior)
    y = np.array(VALUES) - DESIGN @ [10.0, 2.0]
    each = [conjugate(m, c, y, DESIGN, s) for m, c, s in zip(prior.mean, prior.cov, prior.sigma[:, 0], strict=True)]
    logs = np.array([e for _, _, e in each])
    w = np.exp(logs - logsumexp(logs))
    mean = sum(x * m for x, (m, _, _) in zip(w, each))
    cov = sum(x * (c + np.outer(m - mean, m - mean)) for x, (m, c, _) in zip(w, each))
    agrees(twin, mean, cov, logsumexp(logs) - np.log(len(logs)))
    # residual errors are those of the draws that the samples make probable
    sigma = twin.posterior.sigma[:, 0]
    expected = w @ prior.sigma[:, 0]
    spread = np.sqrt(w @ (prior.sigma[:, 0] - expected) ** 2)
    assert abs(sigma.mean() - expected) < 4 * spread * np.sqrt(1 / 400 + 1 / twin.posterior.ess)


def test_a_censored_sample_counts_as_the_probability_of_lying_below() -> None:
    model = model_of(LINE, random={"eta_a": 4.0, "eta_b": 0.0}, covariance=[])
    columns = Columns(lloq={"plasma": 12.0})
    twin = fit_twin(model, person(model, [1.0, 3.0], [5.0, 15.0], columns=columns))
    a = np.linspace(-14, 14, 200001)
    log_p = norm.logpdf(a, 0, 2) + norm.logcdf((12.0 - 10 - 2 - a) / 0.8) + norm.logpdf(15.0, 10 + 6 + a, 0.8)
    p = np.exp(log_p - log_p.max())
    total = np.trapezoid(p, a)
    mean = np.trapezoid(p * a, a) / total
    sd = np.sqrt(np.trapezoid(p * (a - mean) ** 2, a) / total)
    got = twin.posterior
    assert abs(got.mean[0] - mean) < 4 * got.mcse[0] and got.sd[0] == pytest.approx(sd, rel=0.06)
    assert got.evidence == pytest.approx(np.log(total) + log_p.max(), abs=0.06)


def test_both_modes_of_a_posterior_with_two_are_found() -> None:
    model = model_of(SQUARE)
    twin = fit_twin(model, person(model, [1.0], [2.5]))
    a = np.linspace(-8, 8, 400001)
    log_p = norm.logpdf(a) + norm.logpdf(2.5, (0.2 + a) ** 2, 0.3)
    p = np.exp(log_p)
    total = np.trapezoid(p, a)
    right = np.trapezoid(np.where(a > -0.2, p, 0.0), a) / total
    got = twin.posterior
    assert got.trusted and "2 mode" in got.rungs[0] and 0.2 < right < 0.8
    share = float(np.mean(got.v[:, 0] > -0.2))
    assert share == pytest.approx(right, abs=4 * np.sqrt(right * (1 - right) * (1 / 400 + 1 / got.ess)))
    assert got.mean[0] == pytest.approx(np.trapezoid(p * a, a) / total, abs=4 * got.mcse[0])
    assert got.evidence == pytest.approx(np.log(total), abs=0.06)


def test_an_ambiguous_genotype_is_that_of_enumeration() -> None:
    """Hypotheses times effects on a grid, by the closed form: the genotype's variance enters once."""
    model = model_of(ORAL)
    components = [Component(0.5, {"activity": 1.0}, "normal"), Component(0.35, {"activity": 0.4}, "intermediate"),
                  Component(0.15, {"activity": 0.05}, "poor")]  # fmt: skip
    times, values = [2.0, 12.0, 24.0], [1.62, 1.05, 0.52]
    twin = fit_twin(model, person(model, times, values, ((0.0, 100.0),)), components=components)
    grid_cl, grid_v = np.linspace(-2.4, 2.4, 481), np.linspace(-1.5, 1.5, 301)
    x, z = np.meshgrid(grid_cl, grid_v, indexing="ij")
    prior = norm.logpdf(x, 0, 0.3) + norm.logpdf(z, 0, np.sqrt(0.06))
    joint = []
    for c in components:
        f = [concentration(t, 100.0, 4.0 * c.values["activity"] * np.exp(x), 40.0 * np.exp(z)) for t in times]
        log_lik = sum(norm.logpdf(np.log(y), np.log(g), 0.2) - np.log(y) for y, g in zip(values, f, strict=True))
        joint.append(np.log(c.weight) + prior + log_lik)
    cell = np.log((grid_cl[1] - grid_cl[0]) * (grid_v[1] - grid_v[0]))
    logs = np.array(joint) + cell
    evidence = logsumexp(logs)
    p = np.exp(logs - evidence)
    got = twin.posterior
    exact = p.sum(axis=(1, 2))
    assert 0.03 < exact[0] < 0.97 and exact[1] > 0.03  # the case is ambiguous
    np.testing.assert_allclose(got.probability, exact, atol=4 * 0.5 / np.sqrt(got.ess))
    np.testing.assert_allclose(twin.hypotheses["posterior"], got.probability)
    assert got.evidence == pytest.approx(evidence, abs=0.08)
    for k, axis in enumerate((x, z)):
        mean = float((p.sum(axis=0) * axis).sum())
        sd = float(np.sqrt((p.sum(axis=0) * (axis - mean) ** 2).sum()))
        assert abs(got.mean[k] - mean) < 4 * got.mcse[k] and got.sd[k] == pytest.approx(sd, rel=0.08)
    # what a forecast needs: log clearance, genotype and effect together
    log_cl = sum(q * (np.log(4.0 * c.values["activity"]) + x) for q, c in zip(p, components)).sum()
    drawn = np.log(4.0 * np.array([c.values["activity"] for c in components])[got.case]) + got.v[:, 0]
    assert drawn.mean() == pytest.approx(log_cl, abs=4 * drawn.std() * np.sqrt(1 / 400 + 1 / got.ess))


def test_typical_values_of_draws_become_deviations_from_their_centre() -> None:
    model = model_of(ORAL)
    fixed = np.array([[4.0, 40.0, 1.0], [5.0, 36.0, 1.0], [3.2, 44.0, 1.0]])
    omega = np.repeat(model.omega[None], 3, axis=0)
    prior = TwinPrior.of_draws(model, {"TVCL": "eta_CL", "TVV": "eta_V"}, fixed, omega, np.full((3, 1), 0.2))
    np.testing.assert_allclose(prior.centre[:2], np.exp(np.log(fixed[:, :2]).mean(axis=0)))
    np.testing.assert_allclose(prior.centre[:2] * np.exp(prior.mean), fixed[:, :2])
    assert prior.centre[2] == 1.0


def test_a_prior_without_a_density_is_refused() -> None:
    model = model_of(ORAL)
    alias = {"TVCL": "eta_CL", "TVV": "eta_V"}
    omega, sigma = np.repeat(model.omega[None], 2, axis=0), np.full((2, 1), 0.2)
    with pytest.raises(ValueError, match="TVKA varies"):
        TwinPrior.of_draws(model, alias, np.array([[4.0, 40.0, 1.0], [4.0, 40.0, 1.2]]), omega, sigma)
    with pytest.raises(ValueError, match="TVCL is not greater than 0"):
        TwinPrior.of_draws(model, alias, np.array([[4.0, 40.0, 1.0], [0.0, 40.0, 1.0]]), omega, sigma)
    omega[:, 0, 0] = 0.0  # clearance varies between draws, but not between people
    with pytest.raises(ValueError, match="variance"):
        TwinPrior.of_draws(model, alias, np.array([[4.0, 40.0, 1.0], [5.0, 40.0, 1.0]]), omega, sigma)
    with pytest.raises(ValueError, match="do not fit"):
        TwinPrior(("a",), np.zeros(1), np.zeros((2, 1)), np.ones((1, 1, 1)), np.ones((2, 1)))
