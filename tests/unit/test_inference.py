"""The population fit: density and gradient, marginalised genotypes, whitening, sampler, against independent sums.

The independent side is always CVODE (the other engine) with scipy's distributions, or central differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.special import logsumexp
from scipy.stats import norm

from pharmtwin.core.priors import OMEGA_SPREAD, PopulationPriors
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body, whole_body_for_fit
from pharmtwin.engine.run import Dose, pack, simulate, simulate_with_sensitivities
from pharmtwin.inference import laplace
from pharmtwin.inference.data import FitData, activity_mixture, fit_data
from pharmtwin.inference.laplace import LogPosterior, Whitening, unpack, whiten
from pharmtwin.inference.population import Draws, SamplerSettings, build_model, sample
from pharmtwin.inference.results import responsibilities, tabulate
from pharmtwin.inference.solve_op import SolveOp
from pharmtwin.tables import conform

Floats = NDArray[np.float64]
Vector = Callable[..., Floats]
PRIORS = PopulationPriors(
    np.array([1.0, 1.0, 1.3, 2.0]), np.array([0.4, 0.35, 0.3, 0.35]), np.array([0.35, 0.3, 0.25, 0.4]), 0.2
)
TIMES = {"amber": [2.0, 9.0, 30.0], "beryl": [3.0, 12.0, 26.0]}
NOISE = {"amber": [1.1, 0.85, 1.2], "beryl": [0.9, 1.15, 1.0]}
TRUTH = {"amber": dict(f_CYP2D6=0.5, f_other=1.2, Kp_scale=1.1, MTT=2.6), "beryl": dict(f_CYP2D6=0.0, MTT=1.5)}
DOSES = (Dose(0.0, 20.0), Dose(24.0, 20.0))
N_POP = 2 * len(INDIVIDUAL) + 1


def prior_rows(twin: str, **weights: tuple[float, float]) -> list[dict[str, Any]]:
    """Rows of table ``priors``: component = (activity, weight)."""
    return [
        {"twin_id": twin, "parameter": "activity.CYP2D6", "component": k, "location": a, "weight": w}
        for k, (a, w) in weights.items()
    ]


AMBER = {"AS=0.5": (0.2, 0.3), "AS=2": (1.0, 0.7)}
MIXTURES = pd.DataFrame([*prior_rows("amber", **AMBER), *prior_rows("beryl", **{"AS=0": (0.0, 1.0)})])


def cvode(body: Floats, times: list[float], doses: tuple[Dose, ...] = DOSES) -> Floats:
    """Concentrations (ng/mL) by the other engine."""
    solved = simulate(whole_body(), pack(whole_body(), [body], [doses], [np.array(times)]), engine="cvode", rtol=1e-9)
    assert not solved.flag.any()
    return solved.of(0)[:, 0] * 1000.0


def event_rows(twin: str, observed: Floats, use: str = "fit") -> list[dict[str, Any]]:
    dose = {"twin_id": twin, "evid": 1, "time_h": 0.0, "dose_mg": 20.0, "route": "oral", "addl": 1, "ii_h": 24.0}
    empty = {"evid": 0, "use": use, "addl": np.nan, "ii_h": np.nan}
    return [dose, *({**empty, "twin_id": twin, "time_h": t, "dv_ng_ml": c} for t, c in zip(TIMES[twin], observed))]


@pytest.fixture(scope="module")
def base(vector: Vector) -> dict[str, Floats]:
    return {"amber": vector(), "beryl": vector(GFR=4.0, V_muscle=22.0)}


@pytest.fixture(scope="module")
def events(vector: Vector) -> pd.DataFrame:
    """A synthetic twin of unsure genotype and one without CYP2D6, three samples each."""
    truth = {"amber": vector(**TRUTH["amber"]), "beryl": vector(GFR=4.0, V_muscle=22.0, **TRUTH["beryl"])}
    return pd.DataFrame([r for t in TIMES for r in event_rows(t, cvode(truth[t], TIMES[t]) * np.array(NOISE[t]))])


@pytest.fixture(scope="module")
def data(base: dict[str, Floats], events: pd.DataFrame) -> FitData:
    return fit_data(base, events, MIXTURES, 1e-3)


@pytest.fixture(scope="module")
def op(data: FitData) -> SolveOp:
    return SolveOp(whole_body_for_fit(), data.batch, "C_plasma", 1e-9)


def some(seed: int, n_twins: int = 2, size: float = 0.7) -> Floats:
    return size * np.random.default_rng(seed).standard_normal(N_POP + n_twins * len(INDIVIDUAL))


def mixed(seed: int) -> Floats:
    return np.random.default_rng(seed).random((2, len(INDIVIDUAL)))


CENTRINGS = {
    "non-centred": np.zeros((2, 4)),
    "centred": np.ones((2, 4)),
    "half": np.full((2, 4), 0.5),
    "each": mixed(1),
}
centrings = pytest.mark.parametrize("centring", CENTRINGS.values(), ids=CENTRINGS.keys())


# ---------------------------------------------------------------- the data as runs


def test_runs_are_twins_times_components(data: FitData) -> None:
    assert [t.twin_id for t in data.twins] == ["amber", "beryl"]
    assert data.twin_of_run.tolist() == [0, 0, 1] and data.activity.tolist() == [0.2, 1.0, 0.0]
    assert data.run_of_obs.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    np.testing.assert_allclose(np.exp(data.log_weight), [0.3, 0.7, 1.0])
    np.testing.assert_array_equal(data.log_observed[:3], data.log_observed[3:6])
    np.testing.assert_array_equal(data.batch.times, [*TIMES["amber"], *TIMES["amber"], *TIMES["beryl"]])
    assert data.cut_weight == {}


def test_only_samples_for_the_fit_are_used_and_nothing_after_the_last_is_solved(
    base: dict[str, Floats], events: pd.DataFrame
) -> None:
    late = events.assign(use=events.use.where(~((events.twin_id == "amber") & (events.time_h == 30.0)), "check"))
    got = fit_data(base, late.sample(frac=1.0, random_state=3), MIXTURES, 1e-3)
    amber, beryl = got.twins
    assert amber.times.tolist() == [2.0, 9.0] and [d.time for d in amber.doses] == [0.0]  # the dose at 24 h is later
    assert beryl.times.tolist() == TIMES["beryl"] and [d.time for d in beryl.doses] == [0.0, 24.0]
    assert np.diff(got.batch.ev_0).tolist() == [1, 1, 2]
    only = fit_data(base, late[(late.twin_id == "beryl") | (late.use != "fit")], MIXTURES, 1e-3)
    assert [t.twin_id for t in only.twins] == ["beryl"]  # a twin with doses but no sample for the fit


def test_doses_after_the_last_sample_change_nothing(base: dict[str, Floats], events: pd.DataFrame, op: SolveOp) -> None:
    longer = fit_data(base, events.assign(addl=events.addl.where(events.addl.isna(), 9)), MIXTURES, 1e-3)
    assert max(len(t.doses) for t in longer.twins) == 2
    np.testing.assert_array_equal(longer.batch.ev_t, [0.0, 24.0] * 3)


def test_components_below_the_cut_are_reported_with_their_weight() -> None:
    rows = prior_rows("amber", **{"AS=0": (0.0, 4e-4), "AS=1": (0.6, 0.2), "AS=2": (1.0, 0.7993), "AS=3": (1.4, 3e-4)})
    activity, weight, names, cut = activity_mixture(pd.DataFrame(rows), "amber", 1e-3)
    assert names == ("AS=1", "AS=2") and activity.tolist() == [0.6, 1.0]
    assert cut == pytest.approx(7e-4, rel=1e-9)
    np.testing.assert_allclose(weight, np.array([0.2, 0.7993]) / 0.9993)
    assert activity_mixture(pd.DataFrame(rows), "amber", 1e-6)[3] == pytest.approx(0.0, abs=1e-12)


def test_cut_weight_stands_beside_its_twin(base: dict[str, Floats], events: pd.DataFrame) -> None:
    more = prior_rows("amber", **{"AS=0.5": (0.2, 0.3), "AS=2": (1.0, 0.6995), "AS=3": (1.4, 5e-4)})
    rows = pd.DataFrame([*more, *prior_rows("beryl", **{"AS=0": (0.0, 1.0)})])
    assert fit_data(base, events, rows, 1e-3).cut_weight == pytest.approx({"amber": 5e-4}, rel=1e-9)


def test_equal_activities_are_one_hypothesis() -> None:
    """Of known or unknown function: the concentrations cannot tell them apart."""
    rows = prior_rows("amber", **{"AS=1": (0.6, 0.1), "AS=unknown:1": (0.6, 0.2), "AS=unknown:2": (1.0, 0.7)})
    activity, weight, names, cut = activity_mixture(pd.DataFrame(rows), "amber", 1e-3)
    assert names == ("AS=1", "AS=2") and activity.tolist() == [0.6, 1.0] and cut == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(weight, [0.3, 0.7])
    two_small = prior_rows("amber", **{"AS=1": (0.6, 8e-4), "AS=unknown:1": (0.6, 8e-4), "AS=2": (1.0, 0.9984)})
    assert activity_mixture(pd.DataFrame(two_small), "amber", 1e-3)[2] == ("AS=1", "AS=2")  # together above the cut


def test_a_twin_without_prior_is_named() -> None:
    with pytest.raises(KeyError, match="coral"):
        activity_mixture(MIXTURES, "coral", 1e-3)


# ---------------------------------------------------------------- the solver operation


def test_the_operation_is_the_engine(data: FitData, base: dict[str, Floats], op: SolveOp) -> None:
    model = whole_body_for_fit()
    at = [model.parameter_names.index(p) for p in INDIVIDUAL]
    x = np.array([[0.2, 1.1, 1.2, 2.2], [1.3, 0.8, 1.5, 1.6], [0.0, 1.0, 1.3, 2.0]])
    P = np.array([base["amber"], base["amber"], base["beryl"]])
    P[:, at] = x
    solved = simulate_with_sensitivities(model, replace(data.batch, P=P), rtol=1e-9)
    storage: list[list[Any]] = [[None], [None]]
    op.perform(None, [x], storage)
    values, jacobian = storage[0][0], storage[1][0]
    plasma = model.observable_names.index("C_plasma")
    assert solved.tangents is not None
    np.testing.assert_allclose(values, solved.values[:, plasma], rtol=1e-13)
    np.testing.assert_allclose(jacobian, solved.tangents[:, plasma], rtol=1e-10, atol=1e-16)
    exact = np.concatenate([cvode(p, TIMES[t]) for p, t in zip(P, ("amber", "amber", "beryl"))]) / 1000.0
    np.testing.assert_allclose(values, exact, rtol=1e-5)


def test_the_jacobian_is_that_of_the_other_engine(base: dict[str, Floats], op: SolveOp, vector: Vector) -> None:
    x = np.array([[0.2, 1.1, 1.2, 2.2]] * 2 + [[0.1, 1.0, 1.3, 2.0]])
    _, jacobian, failed = op.kernel(x)
    assert failed == 0
    values = dict(zip(INDIVIDUAL, x[0]))
    for c, p in enumerate(INDIVIDUAL):
        up, down = (cvode(vector(**values | {p: values[p] * (1 + s * 1e-2)}), TIMES["amber"]) for s in (1, -1))
        slope = (up - down) / (2e-2 * values[p]) / 1000.0
        np.testing.assert_allclose(jacobian[:3, c], slope, rtol=2e-3, atol=2e-4 * np.abs(slope).max())


def test_the_gradient_of_the_operation_sums_over_the_samples_of_a_run(op: SolveOp) -> None:
    import pytensor
    import pytensor.tensor as pt

    x = pt.dmatrix("x")
    weight = np.linspace(-1.0, 2.0, 9)
    cost = pt.dot(op(x)[0], weight)
    point = np.array([[0.2, 1.1, 1.2, 2.2], [1.3, 0.8, 1.5, 1.6], [0.1, 1.0, 1.3, 2.0]])
    got = pytensor.function([x], pytensor.grad(cost, x), mode="FAST_COMPILE")(point)
    jacobian = op.kernel(point)[1]
    for k in range(3):
        np.testing.assert_allclose(got[k], weight[3 * k : 3 * k + 3] @ jacobian[3 * k : 3 * k + 3], rtol=1e-12)


def test_a_failed_run_is_nan_and_counted(op: SolveOp) -> None:
    x = np.array([[0.2, 1.1, 1.2, 2.2], [np.nan, 0.8, 1.5, 1.6], [0.1, 1.0, 1.3, 2.0]])
    values, jacobian, failed = op.kernel(x)
    assert failed == 1 and np.isnan(values[3:6]).all() and np.isfinite(values[[0, 1, 2, 6, 7, 8]]).all()
    assert np.isfinite(jacobian).all()


# ---------------------------------------------------------------- density and gradient


def own_density(phi: Floats, data: FitData, base: dict[str, Floats], lam: Floats) -> float:
    """log p(theta, omega, sigma, phi_i | samples) + constant, in the random effects eta and then moved to phi."""
    n = len(INDIVIDUAL)
    omega = PRIORS.omega * np.exp(OMEGA_SPREAD * phi[n : 2 * n])
    sigma = PRIORS.sigma * np.exp(OMEGA_SPREAD * phi[2 * n])
    total = float(norm.logpdf(phi[:N_POP]).sum())
    for i, twin in enumerate(data.twins):
        own = phi[N_POP + n * i : N_POP + n * (i + 1)]
        eta = omega ** (1 - lam[i]) * own
        total += float(norm.logpdf(eta, scale=omega).sum() + ((1 - lam[i]) * np.log(omega)).sum())  # |d eta / d phi|
        x = PRIORS.typical * np.exp(PRIORS.uncertainty * phi[:n] + eta)
        terms = []
        for activity, weight in zip(twin.activity, twin.weight):
            body = base[twin.twin_id].copy()
            for p, v in zip(INDIVIDUAL, x * [activity, 1, 1, 1]):
                body[whole_body().parameter_names.index(p)] = v
            c = cvode(body, list(twin.times))
            terms.append(np.log(weight) + norm.logpdf(np.log(twin.observed), np.log(c), sigma).sum())
        total += float(logsumexp(terms))
    return total


@centrings
def test_the_density_is_the_models_whatever_the_centring(
    centring: Floats, data: FitData, base: dict[str, Floats], op: SolveOp
) -> None:
    """scipy's densities on CVODE's concentrations; ours leaves out the constants of the standard normal priors."""
    posterior = LogPosterior(data, PRIORS, op.kernel, centring)
    constant = 0.5 * np.log(2 * np.pi) * posterior.size
    for seed in range(3):
        phi = some(seed)
        assert posterior(phi)[0] == pytest.approx(own_density(phi, data, base, centring) + constant, abs=2e-4)


@centrings
def test_one_posterior_in_all_coordinates(centring: Floats, data: FitData, op: SolveOp) -> None:
    """log density - log |d phi_0 / d phi| is that of the non-centred form, at the same random effects."""
    plain, moved = LogPosterior(data, PRIORS, op.kernel), LogPosterior(data, PRIORS, op.kernel, centring)
    for seed in range(3):
        phi = some(seed)
        omega = PRIORS.omega * np.exp(OMEGA_SPREAD * phi[4:8])
        other = phi.copy()
        other[N_POP:] = (phi[N_POP:].reshape(2, 4) * omega**centring).ravel()
        jacobian = -np.sum(centring * np.log(omega))
        assert moved(other)[0] == pytest.approx(plain(phi)[0] + jacobian, abs=1e-8)


@centrings
def test_the_gradient_is_that_of_central_differences(centring: Floats, data: FitData, op: SolveOp) -> None:
    posterior = LogPosterior(data, PRIORS, op.kernel, centring)
    for seed in range(2):
        phi, h = some(seed), 1e-3
        value, gradient = posterior(phi)
        assert np.isfinite(value)
        steps = h * np.eye(posterior.size)
        # fourth order: the step may be large, so that the solver's own error does not matter
        numeric = [
            (
                8 * (posterior(phi + e)[0] - posterior(phi - e)[0])
                - posterior(phi + 2 * e)[0]
                + posterior(phi - 2 * e)[0]
            )
            / (12 * h)
            for e in steps
        ]
        np.testing.assert_allclose(gradient, numeric, rtol=2e-5, atol=2e-5 * np.abs(gradient).max())


def test_the_order_of_phi_is_theta_omega_sigma_effects() -> None:
    theta, log_omega, log_sigma, z = unpack(np.arange(17.0), 2)
    assert theta.tolist() == [0, 1, 2, 3] and log_omega.tolist() == [4, 5, 6, 7] and log_sigma == 8.0
    assert z.tolist() == [[9, 10, 11, 12], [13, 14, 15, 16]]


def solved_by(values: Floats, failed: int = 0) -> Callable[[Floats], tuple[Floats, Floats, int]]:
    return lambda x: (values, np.ones((9, 4)), failed)


@pytest.mark.parametrize(
    ("bad", "failed"), [(0.0, 0), (-1e-12, 0), (np.nan, 0), (np.nan, 1), (0.01, 1)],
)  # fmt: skip
def test_no_concentration_is_no_exception_but_no_density(data: FitData, bad: float, failed: int) -> None:
    values = np.full(9, 0.01)
    values[4] = bad
    value, gradient = LogPosterior(data, PRIORS, solved_by(values, failed))(some(1))
    assert value == -np.inf and gradient.tolist() == [0.0] * 17
    values[4] = 0.01
    assert np.isfinite(LogPosterior(data, PRIORS, solved_by(values))(some(1))[0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("far", [50.0, 4000.0, -4000.0])
@pytest.mark.parametrize("which", [0, 3, 5, 9, 12])
def test_far_away_is_a_number_or_minus_infinity(data: FitData, op: SolveOp, which: int, far: float) -> None:
    phi = np.full(17, 0.1)
    phi[which] = far
    value, gradient = LogPosterior(data, PRIORS, op.kernel)(phi)
    assert value < -1000 and np.isfinite(gradient).all()


# ---------------------------------------------------------------- the genotype


@pytest.fixture(scope="module")
def alone(base: dict[str, Floats], events: pd.DataFrame) -> tuple[FitData, Any]:
    """The twin of unsure genotype alone."""
    one = fit_data(base, events[events.twin_id == "amber"], MIXTURES, 1e-3)
    return one, SolveOp(whole_body_for_fit(), one.batch, "C_plasma", 1e-7).kernel


def test_genotype_probabilities_are_those_of_exact_enumeration(alone: tuple[FitData, Any], vector: Vector) -> None:
    """One random effect (on f_CYP2D6), everything else fixed: p(component | samples) by quadrature.

    p_k = w_k int prod_j N(log y_j; log C_k(t_j; eta), sigma) N(eta; 0, omega) d eta / sum, C by CVODE.
    Ours: the mean of the responsibilities over the density of eta.
    """
    data, kernel = alone
    observed, omega, sigma = data.twins[0].observed, PRIORS.omega[0], PRIORS.sigma
    wide = np.linspace(-7 * omega, 7 * omega, 41)
    evidence = []
    for activity, weight in AMBER.values():
        curves = [cvode(vector(f_CYP2D6=activity * np.exp(e), f_other=1.0), TIMES["amber"]) for e in wide]
        log_c = CubicSpline(wide, np.log(curves))

        def integrand(eta: float, log_c: CubicSpline = log_c) -> float:
            return float(np.prod(norm.pdf(np.log(observed), log_c(eta), sigma)) * norm.pdf(eta, scale=omega))

        evidence.append(weight * quad(integrand, wide[0], wide[-1], epsabs=0.0, epsrel=1e-10, limit=200)[0])
    exact = np.array(evidence) / sum(evidence)
    assert 0.05 < exact[0] < 0.95 and abs(exact[0] - 0.3) > 0.05  # unsure, but the samples moved it

    grid = np.linspace(-7.0, 7.0, 301)
    posterior = LogPosterior(data, PRIORS, kernel)
    log_density = np.array([posterior(np.eye(13)[9] * z)[0] for z in grid])
    share = np.exp(log_density - logsumexp(log_density))
    log_x = np.log(PRIORS.typical) + np.outer(grid * omega, [1.0, 0, 0, 0])
    draws = Draws(np.zeros((301, 4)), np.tile(PRIORS.omega, (301, 1)), np.full(301, sigma), log_x[:, None, :])
    by_draw, failures = responsibilities(data, draws, kernel)
    assert failures == 0
    np.testing.assert_allclose(by_draw.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(share @ by_draw, exact, rtol=1e-4)


def test_samples_that_say_nothing_leave_the_prior_weights(alone: tuple[FitData, Any]) -> None:
    data, kernel = alone
    draws = Draws(np.zeros((1, 4)), PRIORS.omega[None], np.array([1e6]), np.log(PRIORS.typical)[None, None])
    np.testing.assert_allclose(responsibilities(data, draws, kernel)[0], [[0.3, 0.7]], rtol=1e-6)


def test_a_failed_solve_of_a_kept_draw_is_named(data: FitData, op: SolveOp, caplog: pytest.LogCaptureFixture) -> None:
    """Twin, component and draw in the log; the others keep their probabilities."""
    log_x = np.tile(np.log(PRIORS.typical), (2, 2, 1))
    log_x[1, 0, INDIVIDUAL.index("f_other")] = np.nan  # amber, whose genotype is unsure, in the second draw
    draws = Draws(np.zeros((2, 4)), np.tile(PRIORS.omega, (2, 1)), np.full(2, 0.3), log_x)
    with caplog.at_level("WARNING"):
        by_draw, n_failed = responsibilities(data, draws, op.kernel, 1e-9)
    assert n_failed == 2 and np.isfinite(by_draw[0]).all() and by_draw[1, 2] == 1.0
    said = [r.getMessage() for r in caplog.records]
    assert [s.split(" - ")[0] for s in said] == ["amber/AS=0.5/draw1", "amber/AS=2/draw1"]
    assert all("parameter f_other is nan" in s for s in said)


# ---------------------------------------------------------------- whitening


@pytest.fixture(scope="module")
def affine(data: FitData, op: SolveOp) -> Whitening:
    return whiten(data, PRIORS, op.kernel)


def curvature(posterior: LogPosterior, at: Floats, h: float = 2e-3) -> Floats:
    """Minus the Hessian by fourth-order differences of the gradient."""
    g = [[posterior(at + k * h * e)[1] for k in (-2, -1, 1, 2)] for e in np.eye(len(at))]
    H = -np.array([(a - 8 * b + 8 * c - d) / (12 * h) for a, b, c, d in g])
    return 0.5 * (H + H.T)


def test_the_map_whitens_the_curvature_at_the_centre(data: FitData, op: SolveOp, affine: Whitening) -> None:
    """L' H L = 1 where the curvature is above the floor of 0.3, and H / 0.3 below; the other products vanish."""
    H = curvature(LogPosterior(data, PRIORS, op.kernel, affine.centring), affine.centre)
    values = np.linalg.eigvalsh(H)
    got = affine.L.T @ H @ affine.L
    np.testing.assert_allclose(got, np.diag(np.diagonal(got)), atol=2e-3)
    np.testing.assert_allclose(np.diagonal(got), values / np.maximum(values, 0.3), atol=2e-3)
    assert (values > 0.3).sum() >= len(values) - 4 and values.max() > 5.0  # the samples do say something
    strong = values > 0.3
    V = np.linalg.eigh(H)[1][:, strong]
    np.testing.assert_allclose(V.T @ (H @ affine.L @ affine.L.T) @ V, np.eye(strong.sum()), atol=5e-3)


def non_centred(affine: Whitening) -> Floats:
    """The centre in non-centred coordinates."""
    phi = affine.centre.copy()
    omega = PRIORS.omega * np.exp(OMEGA_SPREAD * phi[4:8])
    phi[N_POP:] = (phi[N_POP:].reshape(2, 4) / omega**affine.centring).ravel()
    return phi


def test_the_centre_is_the_mode_of_the_non_centred_form(data: FitData, op: SolveOp, affine: Whitening) -> None:
    phi = non_centred(affine)
    plain = LogPosterior(data, PRIORS, op.kernel)
    value, gradient = plain(phi)
    assert np.abs(gradient).max() < 5e-3
    for seed in range(20):
        assert plain(phi + some(seed, size=0.3))[0] < value


def test_an_effect_is_centred_as_far_as_the_samples_determine_it(data: FitData, op: SolveOp, affine: Whitening) -> None:
    """Between 0 and 1; exactly 0 for CYP2D6 in a twin without CYP2D6; more where the samples are exact."""
    lam = affine.centring
    assert ((lam >= 0.0) & (lam <= 1.0)).all() and lam[1, 0] == 0.0 and lam[0].max() > 0.3
    vague = whiten(data, replace(PRIORS, sigma=1000.0), op.kernel)
    assert vague.centring.max() < 1e-4
    np.testing.assert_allclose(vague.L @ vague.L.T, np.eye(17), atol=0.05)  # nothing but the standard priors
    sharp = whiten(data, replace(PRIORS, sigma=0.02), op.kernel)
    assert sharp.centring[0].max() > lam[0].max()


def test_a_region_where_solves_fail_does_not_stop_the_search(data: FitData, op: SolveOp, affine: Whitening) -> None:
    """The search may step into it on its way, as the sampler may."""
    plain = LogPosterior(data, PRIORS, op.kernel)
    start = plain(np.zeros(17))[1]
    # a half space just behind the mode, in the first direction of search
    limit = 1.02 * float(non_centred(affine) @ start)
    tries = {"in": 0}

    class Fenced(LogPosterior):
        def __call__(self, phi: Floats) -> tuple[float, Floats]:
            if phi @ start > limit:
                tries["in"] += 1
                return -np.inf, np.zeros(self.size)
            return super().__call__(phi)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laplace, "LogPosterior", Fenced)
        fenced = laplace.whiten(data, PRIORS, op.kernel)
    assert tries["in"] > 0, "the fence was never touched: the test says nothing"
    assert fenced.centre.any(), "the search stopped where it started"
    np.testing.assert_allclose(fenced.centre[:N_POP], affine.centre[:N_POP], atol=0.1)


# ---------------------------------------------------------------- the sampler's model


@pytest.fixture(scope="module")
def built(data: FitData) -> tuple[Any, SolveOp, Whitening]:
    return build_model(data, PRIORS, 1e-6)


def test_the_pymc_model_is_the_density(data: FitData, built: tuple[Any, SolveOp, Whitening]) -> None:
    """Value up to one constant, gradient by the chain rule of the affine map."""
    model, op, affine = built
    posterior = LogPosterior(data, PRIORS, op.kernel, affine.centring)
    value = model.compile_logp(mode="FAST_COMPILE")
    slope = model.compile_dlogp(mode="FAST_COMPILE")
    differences = []
    for seed in range(4):
        u = some(seed, size=1.0)
        ours, gradient = posterior(affine.centre + affine.L @ u)
        differences.append(float(value({"u": u})) - ours)
        np.testing.assert_allclose(slope({"u": u}), affine.L.T @ gradient, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(differences, differences[0], atol=1e-8)


def test_a_failed_solve_is_no_finite_density_in_the_sampler(built: tuple[Any, SolveOp, Whitening]) -> None:
    model, _, _ = built
    value = model.compile_logp(mode="FAST_COMPILE")
    with np.errstate(all="ignore"):
        assert not np.isfinite(value({"u": np.full(17, np.nan)}))


@pytest.mark.slow
def test_a_small_run_is_finite_and_the_same_on_one_core_or_two(
    data: FitData, built: tuple[Any, SolveOp, Whitening]
) -> None:
    """Two chains of 60: no claim of convergence, but every table can be made and the seed decides every number."""
    model, op, _ = built
    settings = SamplerSettings(chains=2, tune=60, draws=60, target_accept=0.9, cores=1, seed=20)
    one, two, other = (sample(model, replace(settings, **c)) for c in ({}, {"cores": 2}, {"seed": 21}))
    for name in ("theta", "omega", "sigma", "eta"):
        values = one.posterior[name].values
        assert values.shape[:2] == (2, 60) and np.isfinite(values).all()
        np.testing.assert_array_equal(values, two.posterior[name].values)
        assert not np.array_equal(values, other.posterior[name].values)
        assert not np.array_equal(values[0], values[1])  # chains have their own random numbers
    tables = tabulate(one, data, PRIORS, op.kernel, n_keep=40, master=5)
    for name, table in {
        "fit_summary": tables.summary, "fit_diagnostics": tables.diagnostics, "fit_twins": tables.twins,
        "fit_genotype": tables.genotype, "population_draws": tables.population_draws, "twin_draws": tables.twin_draws,
    }.items():  # fmt: skip
        assert len(conform(name, table)), name
    checks = tables.diagnostics.set_index("check")
    assert not checks.passed["chains"] and checks.value["solver_failures"] == 0.0
    shares = tables.genotype.groupby("twin_id").posterior_probability.sum()
    np.testing.assert_allclose(shares, 1.0, rtol=1e-9)
    draws = tables.twin_draws
    assert (draws[draws.twin_id == "beryl"].f_CYP2D6 == 0.0).all()
    amber = draws[draws.twin_id == "amber"]
    assert len(amber) == 40 and set(amber.component) <= {"AS=0.5", "AS=2"}
    again = tabulate(two, data, PRIORS, op.kernel, n_keep=40, master=5)
    pd.testing.assert_frame_equal(again.twin_draws, draws)
