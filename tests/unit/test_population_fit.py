"""Parts of a population fit against closed forms: likelihood and gradients, the map of the random effects, priors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
import scipy.stats as st
from numpy.typing import NDArray

from pharmtwin.inference.models.description import PopulationModelError, Prior
from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.population_fit import priors, transport
from pharmtwin.inference.population_fit.build import PopulationFit, build
from pharmtwin.inference.population_fit.compare import compare_moments
from pharmtwin.inference.population_fit.likelihood_op import LikelihoodOp
from pharmtwin.inference.problem.problem import Component, make_problem
from pharmtwin.inference.problem.records import Columns, read_subjects

Floats = NDArray[np.float64]
ORAL: dict[str, Any] = {
    "schema": 1,
    "name": "oral_for_fits",
    "constants": {"activity": 1},
    "fixed": {
        "TVCL": {"value": 4, "prior": {"lognormal": [4, 1]}},
        "TVV": {"value": 70, "prior": {"lognormal": [70, 1]}},
        "TVKA": {"value": 1, "fixed": True},
    },
    "random": {"eta_CL": {"variance": 0.1}, "eta_V": {"variance": 0.05}},
    "residual": {"b": {"value": 0.2, "prior": {"halfnormal": 1}}, "a": {"value": 0.01, "fixed": True}},
    "parameters": {"CL": "TVCL * activity * exp(eta_CL)", "V": "TVV * exp(eta_V)"},
    "states": {"depot": "-TVKA * depot", "central": "TVKA * depot - CL / V * central"},
    "observe": {"C": "central / V"},
    "routes": {"oral": "depot"},
    "outputs": {"plasma": {"of": "C", "error": {"combined": ["a", "b"]}}},
}
HYPOTHESES = {"2": [Component(0.3, {"activity": 0.4}), Component(0.7, {"activity": 1.3})]}


def _table() -> pd.DataFrame:
    rows = []
    for i in (1, 2, 3):
        rows.append((i, 0.0, 100.0, 0.0, 1))
        rows += [(i, t, 0.0, c, 0) for t, c in ((1.0, 0.9), (4.0, 1.1), (12.0, 0.7), (24.0, 0.02))]
    return pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "DV", "EVID"])


@pytest.fixture(scope="module")
def op() -> LikelihoodOp:
    model, _ = population_model(ORAL)
    subjects, _ = read_subjects(model, _table(), Columns(lloq={"plasma": 0.05}))
    wrt = ["TVCL", "TVV", "eta_CL", "eta_V"]
    return LikelihoodOp(make_problem(model, subjects, wrt=wrt, components=HYPOTHESES, rtol=1e-8))


def _point() -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(3)
    return np.array([4.4, 66.0, 1.0]), 0.3 * rng.normal(size=(3, 2)), np.array([0.25, 0.01])


def test_the_compiled_likelihood_is_that_of_the_problem(op: LikelihoodOp) -> None:
    theta, eta, sigma = _point()
    ll, _, _, _ = op.kernel(theta, eta, sigma)
    p = op.problem
    by_case = p.by_case(p.likelihood(p.rows(theta, eta), sigma).ll)
    assert ll[[0, 2]] == pytest.approx(by_case[[0, 3]], abs=1e-12)
    assert ll[1] == pytest.approx(np.log(0.3 * np.exp(by_case[1]) + 0.7 * np.exp(by_case[2])), abs=1e-12)


def test_gradients_are_those_of_differences(op: LikelihoodOp) -> None:
    point = _point()
    _, g_theta, g_eta, g_sigma = op.kernel(*point)
    assert np.all(g_theta[:, 2] == 0.0), "a constant has no derivative"
    for which, g in ((0, g_theta), (1, g_eta), (2, g_sigma)):
        for column in range(2):
            h = 1e-5 * max(1.0, abs(float(point[which][..., column].max())))
            ends = []
            for sign in (1.0, -1.0):
                moved = [v.copy() for v in point]
                moved[which][..., column] += sign * h
                ends.append(op.kernel(*moved)[0])
            assert g[:, column] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=2e-5, abs=2e-5)


def test_the_gradient_of_the_operation(op: LikelihoodOp) -> None:
    theta, eta, sigma = (pt.dvector(), pt.dmatrix(), pt.dvector())
    weights = np.array([1.0, -2.0, 0.5])
    total = pt.dot(weights, op(theta, eta, sigma)[0])  # type: ignore[index]
    found = pytensor.function([theta, eta, sigma], pt.grad(total, [theta, eta, sigma]), mode="FAST_COMPILE")(*_point())
    _, g_theta, g_eta, g_sigma = op.kernel(*_point())
    assert found[0] == pytest.approx(weights @ g_theta)
    assert found[1] == pytest.approx(weights[:, None] * g_eta)
    assert found[2] == pytest.approx(weights @ g_sigma)


def test_a_solve_that_fails_is_minus_infinity_and_counted(op: LikelihoodOp) -> None:
    theta, eta, sigma = _point()
    calls, failed = op.counter
    eta[0, 0] = np.nan
    ll, g_theta, _, _ = op.kernel(theta, eta, sigma)
    assert ll[0] == -np.inf and np.all(np.isfinite(ll[1:])) and np.all(g_theta[0] == 0.0)
    assert tuple(op.counter) == (calls + 1, failed + 1)


def _effects(n: int = 3, subjects: int = 4) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(5)
    root = rng.normal(size=(subjects, n, n))
    info = np.einsum("sij,skj->sik", root, root)
    info[0] = 0.0  # a subject without data
    return np.tril(rng.normal(size=(n, n))), rng.normal(size=(subjects, n)), rng.normal(size=(subjects, n)), info


def test_the_map_turns_a_normal_posterior_into_a_standard_one() -> None:
    C, b, u, info = _effects()
    b[0] = 0.0
    eta, lp = transport.forward(C, b, u, info)
    z = np.linalg.solve(C, eta.T).T
    likelihood = np.einsum("si,si->s", b, eta) - 0.5 * np.einsum("si,sij,sj->s", eta, info, eta)
    assert np.sum(eta[0]) == pytest.approx(np.sum(C @ u[0])), "without data: the non-centred form"
    origin, lp_0 = transport.forward(C, b, np.zeros_like(u), info)
    at_0 = np.einsum("si,si->s", b, origin) - 0.5 * np.einsum("si,sij,sj->s", origin, info, origin)
    assert likelihood + lp - at_0 - lp_0 == pytest.approx(-0.5 * np.sum(u**2, axis=1))
    for i in range(len(u)):  # lp is the density of z times the Jacobian of u -> z
        jacobian = np.empty((3, 3))
        for k in range(3):
            moved = u.copy()
            moved[i, k] += 1e-6
            jacobian[:, k] = np.linalg.solve(C, (transport.forward(C, b, moved, info)[0] - eta)[i]) / 1e-6
        assert lp[i] == pytest.approx(-0.5 * z[i] @ z[i] + np.log(np.linalg.det(jacobian)), abs=1e-5)


def test_the_derivatives_of_the_map() -> None:
    C, b, u, info = _effects()
    rng = np.random.default_rng(6)
    d_eta, d_lp = rng.normal(size=b.shape), rng.normal(size=len(b))

    def value(*point: Floats) -> float:
        eta, lp = transport.forward(*point, info)
        return float(np.sum(d_eta * eta) + d_lp @ lp)

    for which, g in enumerate(transport.adjoint(C, b, u, info, d_eta, d_lp)):
        for at in np.ndindex(g.shape):
            ends = []
            for sign in (1.0, -1.0):
                moved = [v.copy() for v in (C, b, u)]
                moved[which][at] += sign * 1e-6
                ends.append(value(*moved))
            assert g[at] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-6)


DISTRIBUTIONS = [
    (Prior("lognormal", (3.0, 0.4)), st.lognorm(0.4, scale=3.0)),
    (Prior("normal", (1.0, 2.0)), st.norm(1.0, 2.0)),
    (Prior("normal", (1.0, 2.0), lower=0.0), st.truncnorm(-0.5, np.inf, 1.0, 2.0)),
    (Prior("normal", (1.0, 2.0), lower=-1.0, upper=2.0), st.truncnorm(-1.0, 0.5, 1.0, 2.0)),
    (Prior("normal", (1.0, 2.0), upper=2.0), st.truncnorm(-np.inf, 0.5, 1.0, 2.0)),
    (Prior("halfnormal", (0.4,)), st.halfnorm(scale=0.4)),
    (Prior("halfcauchy", (0.5,)), st.halfcauchy(scale=0.5)),
    (Prior("uniform", (1.0, 4.0)), st.uniform(1.0, 3.0)),
]


@pytest.mark.parametrize(("prior", "distribution"), DISTRIBUTIONS, ids=lambda v: getattr(v, "family", ""))
def test_densities_on_the_free_scale(prior: Prior, distribution: Any) -> None:
    free = priors.Free.create("x", prior, 1.5)
    p = np.array([-1.1, -0.2, 0.4, 0.9])
    x = np.array([float(pytensor.function([], free.value(pt.constant(v)))()) for v in p])
    ours = np.array([float(pytensor.function([], pt.as_tensor(free.log_density(pt.constant(v))))()) for v in p])
    steps = [float(pytensor.function([], free.value(pt.constant(v + 1e-6)))()) for v in p]
    theirs = distribution.logpdf(x) + np.log((np.array(steps) - x) / 1e-6)
    assert ours - ours[0] == pytest.approx(theirs - theirs[0], abs=1e-5)
    assert [free.free(float(v)) for v in x] == pytest.approx(list(p))


@pytest.mark.parametrize(("family", "distribution"), [("halfnormal", st.halfnorm), ("halfcauchy", st.halfcauchy)])
def test_a_standard_deviation_bends_softly_towards_zero(family: str, distribution: Any) -> None:
    free, bend = priors.Free.create("sd", Prior(family, (0.4,)), 0.3, 0.0, soft=True), 0.1
    p = np.array([-0.8, -0.1, 0.05, 0.4, 2.0])
    q = pt.dvector()
    x, ours = pytensor.function([q], [free.value(q, bend), free.log_density(q, bend)])(p)
    # an exponential below, itself above
    assert x[0] == pytest.approx(bend * np.exp(p[0] / bend), rel=1e-3) and x[-1] == pytest.approx(p[-1], rel=1e-8)
    slope = 1.0 / (1.0 + np.exp(-p / bend))
    theirs = distribution(scale=0.4).logpdf(x) + np.log(slope)
    assert ours - ours[0] == pytest.approx(theirs - theirs[0])
    assert [free.free(float(v), bend) for v in x] == pytest.approx(list(p))
    truncated = Prior(family, (0.4,), upper=1.0)
    assert not priors.Free.create("sd", truncated, 0.3, 0.0, soft=True).soft


def test_correlations_follow_lkj() -> None:
    y = pt.dvector()
    made = pytensor.function([y], [priors.correlation_factor(y, 3), priors.log_lkj(y, 3, 2.0)])

    def off(v: Floats) -> Floats:
        L = made(v)[0]
        return (L @ L.T)[[1, 2, 2], [0, 0, 1]]

    found = []
    for v in (np.array([0.2, -0.4, 0.7]), np.array([-0.9, 0.1, 0.3]), np.zeros(3)):
        L, lp = made(v)
        assert np.diag(L @ L.T) == pytest.approx(np.ones(3))
        jacobian = np.column_stack([(off(v + e) - off(v - e)) / 2e-6 for e in 1e-6 * np.eye(3)])
        # the density of the matrix is det(R)^(eta - 1)
        found.append(lp - np.log(np.linalg.det(L @ L.T)) - np.log(abs(np.linalg.det(jacobian))))
    assert found == pytest.approx([found[2]] * 3, abs=1e-6)


def _at_zero(fit: PopulationFit, u: Floats, v: Floats | None = None) -> dict[str, Floats]:
    """Deterministics at v (default: the population's start), without any map of the effects."""
    values = fit.model.replace_rvs_by_values(list(fit.model.deterministics))
    inputs = fit.model.value_vars
    found = pytensor.function(inputs, values, mode="FAST_COMPILE")(np.zeros(fit.n_free) if v is None else v, u)
    return {d.name: v for d, v in zip(fit.model.deterministics, found, strict=True)}


@pytest.mark.parametrize("lkj", [None, 2.0])
def test_effects_of_occasions_share_one_covariance(lkj: float | None) -> None:
    random = {
        "eta_CL": {"variance": 0.1}, "kappa_CL": {"variance": 0.04, "level": "occasion"}, "eta_V": {"variance": 0.05},
        "kappa_V": {"variance": 0.09, "level": "occasion"},
    }  # fmt: skip
    parameters = {"CL": "TVCL * activity * exp(eta_CL + kappa_CL)", "V": "TVV * exp(eta_V + kappa_V)"}
    covariance = [["eta_CL", "eta_V", 0.03], ["kappa_CL", "kappa_V", 0.02]]
    model, _ = population_model(dict(ORAL, random=random, parameters=parameters, covariance=covariance))
    table = _table().assign(OCC=lambda d: 1 + (d["TIME"] > 4))
    subjects, _ = read_subjects(model, table, Columns(occasion="OCC"))
    fit = build(model, subjects, lkj=lkj)
    assert fit.problem.effects[3:] == ("eta_CL", "eta_V", *(f"kappa_{p}_occ{k}" for k in (1, 2) for p in ("CL", "V")))
    assert fit.n_free == 2 + 4 + (2 if lkj else 0) + 1
    eye = np.eye(6).reshape(2, 3, 6)
    C = np.vstack([_at_zero(fit, u)["eta"] for u in eye]).T  # eta = C u
    stated = np.array([[0.1, 0.03], [0.03, 0.05]]), np.array([[0.04, 0.02], [0.02, 0.09]])
    subject, occasion = (v * np.eye(2) if lkj else v for v in stated)
    zero = np.zeros((2, 2))
    wanted = np.block([[subject, zero, zero], [zero, occasion, zero], [zero, zero, occasion]])
    assert pytest.approx(wanted) == C @ C.T
    assert _at_zero(fit, eye[0])["omega"] == pytest.approx(np.block([[subject, zero], [zero, occasion]]))
    names = {"corr_eta_CL_eta_V", "corr_kappa_CL_kappa_V"}
    assert (names & set(fit.parameters)) == (names if lkj else set())


def test_correlations_are_those_of_the_effects() -> None:
    model, _ = population_model(ORAL)
    subjects, _ = read_subjects(model, _table())
    fit = build(model, subjects, lkj=2.0)
    v = np.zeros(fit.n_free)
    v[2:5] = -2.0, 0.4, 0.6  # sds: 2 times the prior's scale below the start, a little above; the correlation's number
    found = _at_zero(fit, np.zeros((3, 2)), v)
    sd, omega = np.array([found["sd_eta_CL"], found["sd_eta_V"]]), found["omega"]
    assert 0.0 < sd[0] < 0.1 < sd[1]
    assert np.sqrt(np.diag(omega)) == pytest.approx(sd)
    assert omega[0, 1] / np.prod(sd) == pytest.approx(float(found["corr_eta_CL_eta_V"])) == pytest.approx(np.tanh(0.3))
    C = np.vstack([_at_zero(fit, u, v)["eta"][0] for u in np.eye(2)[:, None] * np.ones((3, 1))]).T
    assert np.allclose(C @ C.T, omega)


def test_what_is_missing_is_named() -> None:
    raw = dict(
        ORAL, fixed={**ORAL["fixed"], "TVV": {"value": 70}, "TVCL": {"value": -4, "prior": {"lognormal": [4, 1]}}}
    )
    model, _ = population_model(raw)
    subjects, _ = read_subjects(model, _table())
    with pytest.raises(PopulationModelError) as error:
        build(model, subjects)
    assert "'TVV' is estimated and has no prior" in str(error.value)
    assert "TVCL: its value -4 lies outside" in str(error.value)


def test_a_comparison_can_disagree() -> None:
    error = 1.0 / np.sqrt(2500.0)
    ours = pd.DataFrame({"parameter": ["a", "b"], "mean": 1.0, "sd": 1.0, "mcse_mean": error, "mcse_sd": error})
    theirs = ours[["parameter", "sd"]].assign(mean=[1.1, 1.3], ess_bulk=2500.0)
    assert list(compare_moments(ours, theirs)["agrees"]) == [True, False]
    assert list(compare_moments(ours, theirs)["z"]) == pytest.approx([-0.1 / (error * 2**0.5), -0.3 / (error * 2**0.5)])
    wider = theirs.assign(sd=1.2, mean=1.0)
    assert (
        not compare_moments(ours, wider)["agrees"].any() and not compare_moments(ours, wider, "error")["agrees"].any()
    )
    # an sd of 57 effective draws is known to a tenth only
    assert compare_moments(ours, wider.assign(ess_bulk=57.0), "error")["agrees"].all()
