"""A population posterior as a person's prior, held against importance sampling over all of its draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.dose_fixture import occasions
from tests.unit.twin_fixture import ORAL, concentration, model_of, person

from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.models.occasions import expand
from pharmtwin.inference.twin.population import EFFECT, PopulationDraws, person_prior
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.settings import ladder_options
from pharmtwin.inference.twin.twin import fit_twin

Floats = NDArray[np.float64]
TIMES, DOSE = [0.7, 2.0, 9.0], 100.0
Y = [1.1, 1.9, 1.4]
S = 300


def draws(ka_sd: float, seed: int = 1) -> PopulationDraws:
    """Typical values (correlated), variances and residual error of a small, uncertain population."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((S, 4))
    fixed = np.exp(np.log([4.0, 40.0, 1.0]) + z[:, :3] * [0.25, 0.2, ka_sd])
    fixed[:, 2] *= np.exp(0.5 * ka_sd * z[:, 0])  # that of absorption goes with clearance
    omega = np.zeros((S, 2, 2))
    omega[:, 0, 0], omega[:, 1, 1] = 0.09 * np.exp(0.6 * rng.standard_normal(S)), 0.06 * np.exp(0.6 * z[:, 3])
    omega[:, 0, 1] = omega[:, 1, 0] = 0.3 * np.sqrt(omega[:, 0, 0] * omega[:, 1, 1])
    return PopulationDraws(fixed, omega, 0.2 * np.exp(0.3 * rng.standard_normal((S, 1))))


def brute_force(population: PopulationDraws, n: int = 400) -> dict[str, tuple[float, float, float]]:
    """Posterior mean, sd and Monte-Carlo error of log CL, log V, log KA: every draw of the population with n people."""
    rng = np.random.default_rng(5)
    values, log_w = [], []
    for theta, omega, (sigma,) in zip(population.fixed, population.omega, population.sigma, strict=True):
        v = rng.standard_normal((n, 2)) @ np.linalg.cholesky(omega).T
        own = np.column_stack([np.log(theta[:2]) + v, np.full(n, np.log(theta[2]))])
        cl, volume, ka = np.exp(own).T
        f = np.log([concentration(t, DOSE, cl, volume, ka) for t in TIMES])
        r = (np.log(Y)[:, None] - f) / sigma
        log_w.append(-0.5 * (r**2).sum(axis=0) - len(Y) * np.log(sigma))
        values.append(own)
    x, lw = np.concatenate(values), np.concatenate(log_w)
    w = np.exp(lw - lw.max())
    w /= w.sum()
    mean = w @ x
    sd, error = np.sqrt(w @ (x - mean) ** 2), np.sqrt(w**2 @ (x - mean) ** 2)
    return dict(zip(("CL", "V", "KA"), zip(mean.tolist(), sd.tolist(), error.tolist(), strict=True), strict=True))


def fitted(population: PopulationDraws) -> dict[str, Floats]:
    """Draws of the same by the twin's ladder."""
    model, prior = person_prior(model_of(ORAL), population)
    twin = fit_twin(model, person(model, TIMES, Y, ((0.0, DOSE),)), prior, options=replace(ladder_options(), keep=4000))
    assert twin.usable
    at = {n: twin.posterior.v[:, k] for k, n in enumerate(twin.posterior.names)}
    typical = dict(zip([f.name for f in twin.problem.model.fixed], prior.centre, strict=True))
    ka = np.log(population.fixed[:, 2]).mean() + at.get(EFFECT.format("TVKA"), np.zeros(4000))
    return {"CL": np.log(typical["TVCL"]) + at["eta_CL"], "V": np.log(typical["TVV"]) + at["eta_V"], "KA": ka}


def test_draws_are_mixed_exactly_where_typical_values_stand_beside_effects() -> None:
    exact, found = brute_force(draws(0.0)), fitted(draws(0.0))
    plugged = TwinPrior.of_model(model_of(ORAL))
    one = fit_twin(model_of(ORAL), person(model_of(ORAL), TIMES, Y, ((0.0, DOSE),)), plugged).posterior
    for name in ("CL", "V"):
        mean, sd, error = exact[name]
        assert found[name].mean() == pytest.approx(mean, abs=4 * np.hypot(error, sd / np.sqrt(1000)))
        assert found[name].std() == pytest.approx(sd, rel=0.08)
    assert one.sd[0] < 0.9 * exact["CL"][1]  # plugged-in values lose the population's uncertainty


def test_a_fixed_effect_without_a_random_one_keeps_its_uncertainty() -> None:
    exact, found = brute_force(draws(0.5)), fitted(draws(0.5))
    for name, (mean, sd, error) in exact.items():
        # the kernel smooths: a tenth of a posterior sd beside the Monte-Carlo errors
        assert found[name].mean() == pytest.approx(mean, abs=4 * np.hypot(error, sd / np.sqrt(1000)) + 0.1 * sd), name
        assert found[name].std() == pytest.approx(sd, rel=0.12), name


@pytest.mark.parametrize("ka_sd", [0.0, 0.5])
def test_no_variance_is_lost_or_counted_twice(ka_sd: float) -> None:
    population = draws(ka_sd)
    model, prior = person_prior(model_of(ORAL), population)
    logs = np.log(population.fixed)
    wanted = np.cov(logs[:, : len(prior.names)], rowvar=False, bias=True)
    wanted[:2, :2] += population.omega.mean(axis=0)
    mean, cov = prior.moments()
    assert prior.names == ("eta_CL", "eta_V", "pop_TVKA")[: 3 if ka_sd else 2]
    assert mean == pytest.approx(0.0, abs=1e-12) and cov == pytest.approx(wanted, rel=1e-10)
    assert [f.name for f in model.fixed] == ["TVCL", "TVV", "TVKA"][: 2 if ka_sd else 3]
    # what is drawn is so distributed too
    v, sigma = prior.sample(40_000, np.random.default_rng(2))
    assert np.cov(v, rowvar=False) == pytest.approx(wanted, rel=0.06, abs=0.003)
    assert sigma.mean() == pytest.approx(population.sigma.mean(), rel=0.01)


def test_a_bounded_effect_stays_within_its_bounds() -> None:
    raw: dict[str, Any] = {**ORAL, "fixed": {**ORAL["fixed"], "TVKA": {"value": 0.9, "lower": 0.0, "upper": 1.0}}}
    population = draws(0.0)
    population.fixed[:, 2] = 1 / (1 + np.exp(-2.0 - np.random.default_rng(3).standard_normal(S)))
    model, prior = person_prior(model_of(raw), population)
    v, _ = prior.sample(1000, np.random.default_rng(1))
    own = next(d.expression for d in model.structure.definitions if d.name == "TVKA")
    ka = eval(own, {"exp": np.exp, "pop_TVKA": v[:, -1]})  # the model's own text
    assert ka.min() > 0 and ka.max() < 1 and np.median(ka) == pytest.approx(np.median(population.fixed[:, 2]), abs=0.03)


def test_effects_of_occasions_are_copied_with_the_draws() -> None:
    own = occasions()
    rng = np.random.default_rng(4)
    fixed = np.exp(np.log([5.0, 50.0]) + 0.1 * rng.standard_normal((S, 2)))
    omega = np.einsum("si,ij->sij", [0.09, 0.04, 0.16] * np.exp(0.2 * rng.standard_normal((S, 3))), np.eye(3))
    model, prior = person_prior(own, PopulationDraws(fixed, omega, np.full((S, 1), 0.1)), 2)
    assert model is own and prior.names == tuple(r.name for r in expand(own, 2).random)
    assert np.array_equal(prior.cov[:, 2, 2], omega[:, 2, 2]) and np.array_equal(prior.cov[:, 3, 3], omega[:, 2, 2])
    assert prior.mean[:, 0] == pytest.approx(np.log(fixed[:, 0]) - np.log(fixed[:, 0]).mean())
    _, first = person_prior(own, PopulationDraws(fixed, omega, np.full((S, 1), 0.1)))
    who = Person.of_prior(own, 4000, rng, prior=first, covariates=np.array([70.0]))
    spread = np.var(who.effects[:, 2] + who.effects[:, 4])
    assert spread == pytest.approx(omega[:, [0, 2], [0, 2]].sum(axis=1).mean() + np.log(fixed[:, 0]).var(), rel=0.1)
