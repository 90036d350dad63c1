"""Hypotheses as shifts of random effects: the same posterior as with the hypotheses in the likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.population_fit.build import PopulationFit, build
from pharmtwin.inference.population_fit.replay import Replay
from pharmtwin.inference.population_fit.shifts import Shift, Shifts
from pharmtwin.inference.problem.problem import Component
from pharmtwin.inference.problem.records import Columns, Subject, read_subjects

Floats = NDArray[np.float64]
ORAL: dict[str, Any] = {
    "schema": 1,
    "name": "oral_for_shifts",
    "constants": {"activity": 1},
    "fixed": {
        "TVCL": {"value": 4, "prior": {"lognormal": [4, 1]}},
        "TVV": {"value": 70, "prior": {"lognormal": [70, 1]}},
    },
    "random": {"eta_CL": {"variance": 0.1}, "eta_V": {"variance": 0.05}},
    "covariance": [["eta_CL", "eta_V", 0.03]],
    "residual": {"b": {"value": 0.4, "prior": {"halfnormal": 1}}},
    "parameters": {"CL": "TVCL * activity * exp(eta_CL)", "V": "TVV * exp(eta_V)"},
    "states": {"central": "-CL / V * central"},
    "observe": {"C": "central / V"},
    "routes": {"iv": "central"},
    "outputs": {"plasma": {"of": "C", "error": {"lognormal": ["b"]}}},
}
ACTIVITY, WEIGHT = np.array([0.6, 0.9, 1.3]), np.array([0.2, 0.35, 0.45])
REFERENCE = 2
BY = np.log(ACTIVITY / ACTIVITY[REFERENCE])
COMPONENTS = [Component(w, {"activity": a}, f"{a:g}") for w, a in zip(WEIGHT, ACTIVITY)]
SHIFTS = [Shift(w, {"eta_CL": d}, f"{a:g}") for w, d, a in zip(WEIGHT, BY, ACTIVITY)]
SOLVED = [Component(1.0, {"activity": ACTIVITY[REFERENCE]}, "reference")]


def _subjects(n: int, **changes: Any) -> tuple[Any, tuple[Subject, ...]]:
    model, _ = population_model({**ORAL, **changes})
    rows = []
    for i in range(1, n + 1):
        rows.append((i, 0.0, 100.0, 0.0, 1))
        rows += [(i, t, 0.0, c, 0) for t, c in ((1.0, 1.5), (8.0, 1.0), (24.0, 0.45 / i))]
    table = pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "DV", "EVID"])
    return model, read_subjects(model, table, Columns())[0]


class Grid:
    """A fit of one subject on a grid of its effects, population parameters at v; effects in non-centred form."""

    def __init__(self, fit: PopulationFit, v: Floats) -> None:
        self.fit, model = fit, fit.model
        steps = np.meshgrid(np.arange(-9.0, 8.01, 0.5), np.arange(-7.5, 7.51, 0.5))
        self.u = np.stack(steps, -1).reshape(-1, 1, 2)
        value = model.compile_logp(mode="FAST_COMPILE")
        self.logp = np.array([float(value({"v": v, "u": u})) for u in self.u])
        weight = np.exp(self.logp - self.logp.max())
        edge = (np.abs(self.u[:, 0] + [0.5, 0.0]) > [8.4, 7.4]).any(axis=1)
        assert weight[edge].max() < 1e-8, "the grid holds the posterior"
        self.evidence = float(logsumexp(self.logp))
        self.weight = weight / weight.sum()
        seen = model.replace_rvs_by_values([model["omega"], model["eta"]])
        at_first = model.compile_fn(seen, inputs=model.value_vars, mode="FAST_COMPILE")({"v": v, "u": self.u[0]})
        self.omega = at_first[0]
        self.eta = self.u @ np.linalg.cholesky(self.omega).T
        assert self.eta[0] == pytest.approx(at_first[1])


def _moments(weight: Floats, eta: Floats) -> Floats:
    """Mean and second moments; weight (n,), eta (n, 2)."""
    return np.concatenate([weight @ eta, np.ravel(np.einsum("n,ni,nj->ij", weight, eta, eta))])


def test_the_posterior_is_that_of_hypotheses_in_the_likelihood() -> None:
    """By quadrature over the effects: evidence of the population's parameters, hypotheses, moments of the effects."""
    model, subjects = _subjects(1)
    in_likelihood = build(model, subjects, components={"1": COMPONENTS}, rtol=1e-9)
    in_prior = build(model, subjects, components={"1": SOLVED}, shifts={"1": SHIFTS}, rtol=1e-9)
    assert (in_likelihood.problem.n_runs, in_prior.problem.n_runs) == (3, 1)
    (c, d), (a, b) = (
        (Grid(in_likelihood, v), Grid(in_prior, v)) for v in (np.array([0.3, -0.2, 0.4, -0.3, 0.2]), np.zeros(5))
    )
    assert (b.evidence, d.evidence) == pytest.approx((a.evidence, c.evidence), abs=1e-6)
    assert abs(a.evidence - c.evidence) > 0.1
    p = in_likelihood.problem
    theta, sigma = np.array([4.0, 70.0]), np.array([0.4])
    by_case = np.array([p.by_case(p.likelihood(p.rows(theta, e), sigma, derivatives=False).ll) for e in a.eta])
    terms = np.log(WEIGHT) + by_case
    expected = a.weight @ np.exp(terms - logsumexp(terms, axis=1, keepdims=True))
    assert np.abs(expected - WEIGHT).max() > 0.05, "the samples tell something"
    share = in_prior.shifts.probabilities(b.eta, np.tile(b.omega, (len(b.eta), 1, 1)))[:, 0]
    assert b.weight @ share == pytest.approx(expected, abs=1e-6)
    own = sum(_moments(b.weight * share[:, k], b.eta[:, 0] - [by, 0.0]) for k, by in enumerate(BY))
    assert own == pytest.approx(_moments(a.weight, a.eta[:, 0]), abs=1e-6)


@pytest.fixture(scope="module")
def three() -> PopulationFit:
    """Three, two and no shifts, correlations estimated, effects mapped."""
    model, subjects = _subjects(3)
    two = [Shift(0.5, {"eta_CL": 0.4, "eta_V": -0.2}), Shift(0.5, {})]
    fit = build(model, subjects, components={"1": SOLVED}, shifts={"1": SHIFTS, "3": two}, lkj=2.0, rtol=1e-9)
    rng = np.random.default_rng(2)
    root = rng.normal(size=(3, 2, 2))
    fit.maps["info"].set_value(4.0 * np.einsum("sij,skj->sik", root, root))
    fit.maps["pull"].set_value(rng.normal(size=(3, 2)))
    fit.maps["cross"].set_value(rng.normal(size=(3, 2, 2)))
    return fit


def test_the_gradient_is_that_of_differences(three: PopulationFit) -> None:
    value, slope = (f(mode="FAST_COMPILE") for f in (three.model.compile_logp, three.model.compile_dlogp))
    rng, h = np.random.default_rng(4), 1e-4
    x = 0.5 * rng.normal(size=three.n_free + 6)
    point = lambda x: {"v": x[: three.n_free], "u": x[three.n_free :].reshape(3, 2)}  # noqa: E731
    numeric = [(value(point(x + e)) - value(point(x - e))) / (2 * h) for e in h * np.eye(len(x))]
    assert slope(point(x)) == pytest.approx(np.array(numeric), rel=1e-5, abs=1e-5)


def _normal_mixture(shifts: Shifts, r: int, e: Floats, omega: Floats) -> Floats:
    """log w_k N(e - d_k; 0, omega) of the r-th subject with shifts, by scipy."""
    return np.array([
        w + multivariate_normal(d, omega).logpdf(e) for w, d in zip(shifts.log_weight[r], shifts.delta[r])
        if np.isfinite(w)
    ])  # fmt: skip


def test_prior_and_probabilities_are_those_of_normal_densities(three: PopulationFit) -> None:
    """An effect of an occasion stands behind the subject's, and does not move."""
    shifts, rng = three.shifts, np.random.default_rng(7)
    assert shifts.rows.tolist() == [0, 2]
    draws = rng.normal(size=(4, 3, 3))
    root = np.tril(rng.normal(size=(4, 2, 2))) + 1.5 * np.eye(2)
    omega = np.zeros((4, 3, 3))
    omega[:, :2, :2], omega[:, 2, 2] = root @ root.transpose(0, 2, 1), 0.3
    share = shifts.probabilities(draws, omega)
    e, C = pt.dmatrix(), pt.dmatrix()
    excess = pytensor.function([e, C], shifts.log_prior(e, C), mode="FAST_COMPILE")
    for s in range(4):
        total = 0.0
        for r, i in enumerate((0, 2)):
            terms = _normal_mixture(shifts, r, draws[s, i, :2], omega[s, :2, :2])
            assert share[s, r, : len(terms)] == pytest.approx(np.exp(terms - logsumexp(terms)))
            assert np.all(share[s, r, len(terms) :] == 0.0)
            total += logsumexp(terms) - multivariate_normal(np.zeros(2), omega[s, :2, :2]).logpdf(draws[s, i, :2])
        C_s = np.zeros((3, 3))
        C_s[:2, :2] = root[s]
        assert excess(draws[s], C_s) == pytest.approx(total)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_spread_is_no_density_and_no_exception(three: PopulationFit) -> None:
    e, C = pt.dmatrix(), pt.dmatrix()
    excess = pytensor.function([e, C], three.shifts.log_prior(e, C), mode="FAST_COMPILE")
    assert not np.isfinite(excess(np.ones((3, 2)), np.zeros((2, 2))))


def test_what_cannot_be_shifted_is_refused() -> None:
    model, subjects = _subjects(1)
    for shifts, said in (
        ({"9": SHIFTS}, "unknown subjects"),
        ({"1": [Shift(1.0, {"eta_X": 1.0})]}, "eta_X"),
        ({"1": SHIFTS[:2]}, "add up to 1"),
    ):
        with pytest.raises(ValueError, match=said):
            build(model, subjects, shifts=shifts)
    still = {"eta_CL": {"variance": 0.1}, "eta_V": {"variance": 0, "fixed": True}}
    model, subjects = _subjects(1, random=still, covariance=[])
    with pytest.raises(PopulationModelError, match="without variance"):
        build(model, subjects, shifts={"1": SHIFTS})


def test_criticism_of_shifts_is_refused(three: PopulationFit) -> None:
    with pytest.raises(ValueError, match="components"):
        Replay.of(three, {"eta": np.zeros((1, 1, 3, 2))}, 1)
