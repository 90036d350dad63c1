"""The population fit of a study: sheets to runs, density, marginalised genotypes, tables, against independent sums.

The independent side is always CVODE (the other engine) with scipy's distributions, or central differences.
"""

from __future__ import annotations

import logging
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
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.inference.criticism.limits import limits, verdict
from pharmtwin.inference.data import activity_mixture
from pharmtwin.inference.population_fit.build import PopulationFit, build
from pharmtwin.inference.population_fit.geometry import Centre, settle
from pharmtwin.inference.population_fit.sample import Plan, Posterior, compile_fit, sample
from pharmtwin.inference.results import Draws, diagnostics, responsibilities, tabulate, with_own_effects
from pharmtwin.inference.study import EFFECT, StudyData, as_shifts, explained, study_data
from pharmtwin.inference.twin.whole_body import ACTIVITY, whole_body_structure
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
N = N_POP + 2 * len(INDIVIDUAL)


def prior_rows(twin: str, **weights: tuple[float, float]) -> list[dict[str, Any]]:
    """Rows of table ``priors``: component = (activity, weight)."""
    return [
        {"twin_id": twin, "parameter": "activity.CYP2D6", "component": k, "location": a, "weight": w}
        for k, (a, w) in weights.items()
    ]


AMBER = {"AS=0.5": (0.2, 0.3), "AS=2": (1.0, 0.7)}
#: amber's activity of 2 is that of two diplotypes
SHARES = pd.DataFrame(
    [("amber", "*1/*10", "AS=0.5", 0.3), ("amber", "*1/*1", "AS=2", 0.5), ("amber", "*1/*2", "AS=2", 0.2),
     ("beryl", "*4/*4", "AS=0", 1.0)], columns=["twin_id", "diplotype", "component", "weight"],
).assign(gene="CYP2D6")  # fmt: skip
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
    rows = [r for t in TIMES for r in event_rows(t, cvode(truth[t], TIMES[t]) * np.array(NOISE[t]))]
    return pd.DataFrame(rows).assign(row=lambda f: np.arange(2, 2 + len(f)))


@pytest.fixture(scope="module")
def data(base: dict[str, Floats], events: pd.DataFrame) -> StudyData:
    return study_data(PRIORS, base, events, MIXTURES, 1e-3, informed=0.0)


def built(data: StudyData, rtol: float) -> PopulationFit:
    """Every hypothesis solved."""
    return build(data.model, data.subjects, components=data.components, rtol=rtol)


def shifted(data: StudyData, rtol: float) -> PopulationFit:
    """As the stage does it: amber's two activities are shifts of the effect."""
    return build(data.model, data.subjects, components=data.solved, shifts=data.shifts, rtol=rtol)


@pytest.fixture(scope="module")
def fit(data: StudyData) -> PopulationFit:
    return built(data, 1e-9)


def some(seed: int, n: int = N, size: float = 0.7) -> Floats:
    return size * np.random.default_rng(seed).standard_normal(n)


# ---------------------------------------------------------------- the data as runs


def test_runs_are_twins_times_components(
    data: StudyData, fit: PopulationFit, base: dict[str, Floats], events: pd.DataFrame
) -> None:
    p = fit.problem
    assert p.subjects == ("amber", "beryl") and data.twins == ["amber", "beryl"] and data.cut_weight == {}
    assert p.subject_of_case.tolist() == [0, 0, 1] and p.names_of_case == ("AS=0.5", "AS=2", "AS=0")
    np.testing.assert_allclose(np.exp(p.log_weight), [0.3, 0.7, 1.0])
    assert p.run_of_obs.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    np.testing.assert_array_equal(p.y[:3], p.y[3:6])
    np.testing.assert_array_equal(p.times_of_obs, [*TIMES["amber"], *TIMES["amber"], *TIMES["beryl"]])
    assert p.effects == (*(f"TV_{n}" for n in INDIVIDUAL), *(f"eta_{n}" for n in INDIVIDUAL))
    seen = events[events.evid == 0]
    for s in data.subjects:
        np.testing.assert_array_equal(seen.set_index("row").dv_ng_ml[s.file_row], s.obs_value)


def test_every_run_has_the_body_of_its_twin_and_the_activity_of_its_component(
    fit: PopulationFit, base: dict[str, Floats]
) -> None:
    names = fit.problem.structure.parameter_names
    P = pd.DataFrame(fit.problem.batch.P, columns=names)
    for run, twin in enumerate(("amber", "amber", "beryl")):
        for name, value in zip(whole_body().parameter_names, base[twin]):
            if name not in INDIVIDUAL:
                assert P[name][run] == value, (twin, name)
    assert P[ACTIVITY].tolist() == [0.2, 1.0, 0.0]


def test_only_samples_for_the_fit_are_used_and_nothing_after_the_last_is_solved(
    base: dict[str, Floats], events: pd.DataFrame
) -> None:
    late = events.assign(use=events.use.where(~((events.twin_id == "amber") & (events.time_h == 30.0)), "check"))
    got = study_data(PRIORS, base, late.sample(frac=1.0, random_state=3), MIXTURES, 1e-3)
    amber, beryl = got.subjects
    assert amber.times[amber.obs_row].tolist() == [2.0, 9.0] and beryl.times[beryl.obs_row].tolist() == TIMES["beryl"]
    batch = built(got, 1e-6).problem.batch
    assert batch.ev_t.tolist() == [0.0, 0.0, 0.0, 24.0]  # amber's dose at 24 h comes after its last sample
    only = study_data(PRIORS, base, late[(late.twin_id == "beryl") | (late.use != "fit")], MIXTURES, 1e-3)
    assert only.twins == ["beryl"]  # a twin with doses but no sample for the fit
    with pytest.raises(ValueError, match="no twin has samples"):
        study_data(PRIORS, base, events.assign(use="check"), MIXTURES, 1e-3)


def test_a_sample_at_the_time_of_a_dose_is_a_trough(base: dict[str, Floats], events: pd.DataFrame) -> None:
    """Also where the dose is one of ADDL, and wherever the row stands in the sheet."""
    moved = events.assign(time_h=events.time_h.where(events.time_h != 26.0, 24.0)).iloc[::-1]
    data = study_data(PRIORS, base, moved, MIXTURES, 1e-3)
    problem = built(data, 1e-9).problem
    f = problem.predict(problem.rows(PRIORS.typical, np.zeros((2, 4))), derivatives=False).f
    body = dict(zip(INDIVIDUAL, PRIORS.typical * [0.0, 1, 1, 1]))
    beryl = base["beryl"].copy()
    for name, value in body.items():
        beryl[whole_body().parameter_names.index(name)] = value
    np.testing.assert_allclose(f[problem.subject_of_run[problem.run_of_obs] == 1], cvode(beryl, [3.0, 12.0, 24.0]),
                               rtol=1e-5)  # fmt: skip
    assert problem.batch.rec_ev.tolist()[-1] == 1  # the record comes after one event, the first dose


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
    got = study_data(PRIORS, base, events, rows, 1e-3)
    assert got.cut_weight == pytest.approx({"amber": 5e-4}, rel=1e-9)
    assert [c.name for c in got.components["amber"]] == ["AS=0.5", "AS=2"]


def test_equal_activities_are_one_hypothesis() -> None:
    """Of known or unknown function: the concentrations cannot tell them apart."""
    rows = prior_rows("amber", **{"AS=1": (0.6, 0.1), "AS=unknown:1": (0.6, 0.2), "AS=unknown:2": (1.0, 0.7)})
    activity, weight, names, cut = activity_mixture(pd.DataFrame(rows), "amber", 1e-3)
    assert names == ("AS=1", "AS=2") and activity.tolist() == [0.6, 1.0] and cut == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(weight, [0.3, 0.7])
    two_small = prior_rows("amber", **{"AS=1": (0.6, 8e-4), "AS=unknown:1": (0.6, 8e-4), "AS=2": (1.0, 0.9984)})
    assert activity_mixture(pd.DataFrame(two_small), "amber", 1e-3)[2] == ("AS=1", "AS=2")  # together above the cut


def test_activities_are_shifts_of_the_effect_unless_one_of_them_is_zero(data: StudyData) -> None:
    """a_k exp(eta) = a_ref exp(eta + shift), the most probable being the reference."""
    assert set(data.shifts) == {"amber"}  # beryl has one hypothesis
    low, reference = data.shifts["amber"]
    assert (low.name, low.weight, reference.name, reference.by[EFFECT]) == ("AS=0.5", 0.3, "AS=2", 0.0)
    assert 1.0 * np.exp(low.by[EFFECT]) == pytest.approx(0.2)
    (solved,) = data.solved["amber"]
    assert solved.weight == 1.0 and solved.values == data.components["amber"][1].values
    assert data.solved["beryl"] == data.components["beryl"]
    none = [replace(data.components["amber"][0], values={ACTIVITY: 0.0}), data.components["amber"][1]]
    assert as_shifts(none) == (tuple(none), ())


def test_hypotheses_are_shifts_where_the_samples_tell_the_effect(
    data: StudyData, base: dict[str, Floats], events: pd.DataFrame, vector: Vector
) -> None:
    """The share that they explain, 1 - V_kk / Omega_kk, V^-1 = Omega^-1 + J'J / sigma^2, J from the other engine."""
    x = dict(zip(INDIVIDUAL, PRIORS.typical))
    ends = [
        [np.log(cvode(vector(**x | {n: x[n] * np.exp(h)}), TIMES["amber"])) for h in (1e-2, -1e-2)] for n in INDIVIDUAL
    ]
    J = np.array([(up - down) / 2e-2 for up, down in ends]).T
    V = np.linalg.inv(np.diag(PRIORS.omega**-2) + J.T @ J / PRIORS.sigma**2)
    share = explained(data.model, data.subjects[0], data.solved["amber"])
    assert share == pytest.approx(1 - V[0, 0] / PRIORS.omega[0] ** 2, abs=1e-4) and 0.01 < share < 0.99
    for informed, shifts in ((share - 0.01, {"amber"}), (share + 0.01, set())):
        got = study_data(PRIORS, base, events, MIXTURES, 1e-3, informed=informed)
        assert set(got.shifts) == shifts and len(got.solved["amber"]) == 2 - len(shifts)


def test_a_twin_without_prior_is_named() -> None:
    with pytest.raises(KeyError, match="coral"):
        activity_mixture(MIXTURES, "coral", 1e-3)


# ---------------------------------------------------------------- predictions and their derivatives


def test_the_jacobian_is_that_of_the_other_engine(fit: PopulationFit, vector: Vector) -> None:
    """With respect to the effects: d/d eta = x d/dx, d/d typical = x / typical d/dx."""
    p = fit.problem
    typical, eta = PRIORS.typical * [1.2, 1.1, 0.9, 1.1], np.array([[0.1, 0.0, 0.05, -0.1], [0.0] * 4])
    solved = p.predict(p.rows(typical, eta))
    x = typical * np.exp(eta[0]) * [0.2, 1, 1, 1]  # amber's first component
    values = dict(zip(INDIVIDUAL, x))
    np.testing.assert_allclose(solved.f[:3], cvode(vector(**values), TIMES["amber"]), rtol=1e-5)
    for c, name in enumerate(INDIVIDUAL):
        up, down = (cvode(vector(**values | {name: values[name] * (1 + s * 1e-2)}), TIMES["amber"]) for s in (1, -1))
        slope = (up - down) / 2e-2
        size = np.abs(slope).max()
        np.testing.assert_allclose(solved.J[:3, 4 + c], slope, rtol=2e-3, atol=2e-4 * size)
        np.testing.assert_allclose(solved.J[:3, c] * typical[c], slope, rtol=2e-3, atol=2e-4 * size)


# ---------------------------------------------------------------- density and gradient


def own_density(phi: Floats, data: StudyData, base: dict[str, Floats], shifts: bool) -> float:
    """log p(theta, log omega, log sigma, eta | samples) + constant by scipy's densities on CVODE's concentrations.

    phi : log(typical / drug file), log(omega), log(sigma), and eta, twin by twin; with ``shifts`` that of amber is
    relative to activity 1, and its two activities, 1 and 0.2, stand in its prior.
    """
    n = len(INDIVIDUAL)
    theta, omega, sigma = phi[:n], np.exp(phi[n : 2 * n]), np.exp(phi[2 * n])
    total = norm.logpdf(theta, scale=PRIORS.uncertainty).sum()
    total += norm.logpdf(phi[n : 2 * n], np.log(PRIORS.omega), OMEGA_SPREAD).sum()
    total += norm.logpdf(phi[2 * n], np.log(PRIORS.sigma), OMEGA_SPREAD)
    for i, twin in enumerate(data.subjects):
        eta = phi[N_POP + n * i : N_POP + n * (i + 1)]
        moved = [(0.3, np.log(0.2)), (0.7, 0.0)] if shifts and twin.id == "amber" else [(1.0, 0.0)]
        total += logsumexp([np.log(w) + norm.logpdf(eta - [d, 0, 0, 0], scale=omega).sum() for w, d in moved])
        x = PRIORS.typical * np.exp(theta + eta)
        terms = []
        for component in (data.solved if shifts else data.components)[twin.id]:
            body = base[twin.id].copy()
            for p, v in zip(INDIVIDUAL, x * [component.values[ACTIVITY], 1, 1, 1]):
                body[whole_body().parameter_names.index(p)] = v
            c = cvode(body, TIMES[twin.id])
            terms.append(np.log(component.weight) + norm.logpdf(np.log(twin.obs_value), np.log(c), sigma).sum())
        total += logsumexp(terms)
    return float(total)


class Sampled:
    """The sampler's model as functions of its coordinates (v, u) laid end to end."""

    def __init__(self, fit: PopulationFit) -> None:
        model = fit.model
        named = [model[f"TV_{p}"] for p in INDIVIDUAL] + [model[f"sd_eta_{p}"] for p in INDIVIDUAL] + [model["sigma"]]
        self.value = model.compile_logp(mode="FAST_COMPILE")
        self.slope = model.compile_dlogp(mode="FAST_COMPILE")
        seen = model.replace_rvs_by_values([*named, model["eta"]])
        self.seen = model.compile_fn(seen, inputs=model.value_vars, mode="FAST_COMPILE")

    @staticmethod
    def point(x: Floats) -> dict[str, Floats]:
        return {"v": x[:N_POP], "u": x[N_POP:].reshape(2, 4)}

    def logp(self, x: Floats) -> float:
        return float(self.value(self.point(x)))

    def natural(self, x: Floats) -> Floats:
        """phi of :func:`own_density`."""
        *numbers, eta = self.seen(self.point(x))
        population = np.log(np.array(numbers, dtype=float)) - [*np.log(PRIORS.typical), *[0.0] * 5]
        return np.concatenate([population, np.ravel(eta)])

    def log_jacobian(self, x: Floats, h: float = 1e-5) -> float:
        """log |d phi / d x| by central differences."""
        columns = [(self.natural(x + h * e) - self.natural(x - h * e)) / (2 * h) for e in np.eye(N)]
        sign, value = np.linalg.slogdet(np.array(columns).T)
        assert sign != 0
        return float(value)


@pytest.fixture(scope="module")
def sampled(fit: PopulationFit) -> Sampled:
    """The model with its maps as built: effects in their non-centred form."""
    return Sampled(fit)


@pytest.fixture(scope="module")
def settled(data: StudyData) -> tuple[PopulationFit, Any, Centre]:
    """The stage's fit, its maps moved to the posterior, its compiled density, and where it was centred."""
    moved = shifted(data, 1e-9)
    compiled = compile_fit(moved)
    return moved, compiled, settle(moved, compiled)


@pytest.mark.parametrize("which", ["as built", "settled"])
def test_the_density_is_the_models_whatever_the_map(
    which: str, data: StudyData, base: dict[str, Floats], sampled: Sampled, settled: tuple[PopulationFit, Any, Centre]
) -> None:
    """Up to one constant, log p(x) = log p(phi) + log |d phi / d x|: the maps are coordinates, not another model."""
    if which == "settled":
        sampled = Sampled(settled[0])
    differences, sizes = [], []
    for seed in range(4):
        x = some(seed)
        own = own_density(sampled.natural(x), data, base, shifts=which == "settled")
        differences.append(sampled.logp(x) - own - sampled.log_jacobian(x))
        sizes.append(own)
    assert np.ptp(sizes) > 1.0  # the points differ
    np.testing.assert_allclose(differences, differences[0], atol=3e-4)


def test_the_gradient_is_that_of_central_differences(settled: tuple[PopulationFit, Any, Centre]) -> None:
    sampled = Sampled(settled[0])
    x, h = some(5), 1e-3
    gradient = sampled.slope(Sampled.point(x))
    # fourth order: the step may be large, so that the solver's own error does not matter
    numeric = [
        (8 * (sampled.logp(x + e) - sampled.logp(x - e)) - sampled.logp(x + 2 * e) + sampled.logp(x - 2 * e)) / (12 * h)
        for e in h * np.eye(N)
    ]
    np.testing.assert_allclose(gradient, numeric, rtol=2e-5, atol=2e-5 * np.abs(gradient).max())


def test_the_samplers_coordinates_are_nearly_standard_at_the_centre(
    settled: tuple[PopulationFit, Any, Centre],
) -> None:
    """Gradient near 0 and curvature near 1 in the population's coordinates: what makes trajectories short."""
    sampled, h = Sampled(settled[0]), 1e-2
    slope = lambda x: np.asarray(sampled.slope(Sampled.point(x)))  # noqa: E731
    assert np.abs(slope(np.zeros(N))[:N_POP]).max() < 0.3
    H = -np.array([(slope(h * e) - slope(-h * e)) / (2 * h) for e in np.eye(N)[:N_POP]])[:, :N_POP]
    curvature = np.linalg.eigvalsh(0.5 * (H + H.T))
    assert curvature.min() > 0.3 and curvature.max() < 3.0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("far", [50.0, 4000.0, -4000.0])
@pytest.mark.parametrize("which", [0, 3, 5, 9, 12])
def test_far_away_is_no_density_and_no_exception(sampled: Sampled, which: int, far: float) -> None:
    x = np.full(N, 0.1)
    x[which] = far
    assert not sampled.logp(x) >= -1000.0


# ---------------------------------------------------------------- the genotype


@pytest.fixture(scope="module")
def alone(base: dict[str, Floats], events: pd.DataFrame) -> PopulationFit:
    """The twin of unsure genotype alone."""
    return built(study_data(PRIORS, base, events[events.twin_id == "amber"], MIXTURES, 1e-3), 1e-7)


def test_genotype_probabilities_are_those_of_exact_enumeration(alone: PopulationFit, vector: Vector) -> None:
    """One random effect (on f_CYP2D6), everything else fixed: p(component | samples) by quadrature.

    p_k = w_k int prod_j N(log y_j; log C_k(t_j; eta), sigma) N(eta; 0, omega) d eta / sum, C by CVODE.
    Ours: the mean of the responsibilities over the density of eta.
    """
    observed, omega, sigma = alone.problem.data[0].obs_value, PRIORS.omega[0], PRIORS.sigma
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
    eta = np.zeros((301, 1, 4))
    eta[:, 0, 0] = grid * omega
    log_lik = [alone.op.kernel(PRIORS.typical, e, np.array([sigma]))[0][0] for e in eta]
    log_density = np.array(log_lik) - 0.5 * grid**2
    share = np.exp(log_density - logsumexp(log_density))
    draws = Draws(np.tile(PRIORS.typical, (301, 1)), np.tile(PRIORS.omega, (301, 1)), np.full(301, sigma), eta)
    by_draw, failures = responsibilities(alone.problem, draws)
    assert failures == 0
    np.testing.assert_allclose(by_draw.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(share @ by_draw, exact, rtol=1e-4)


def test_samples_that_say_nothing_leave_the_prior_weights(alone: PopulationFit) -> None:
    draws = Draws(PRIORS.typical[None], PRIORS.omega[None], np.array([1e6]), np.zeros((1, 1, 4)))
    np.testing.assert_allclose(responsibilities(alone.problem, draws)[0], [[0.3, 0.7]], rtol=1e-6)


def test_a_failed_solve_of_a_kept_draw_is_named(fit: PopulationFit, caplog: pytest.LogCaptureFixture) -> None:
    """Twin, component and draw in the log; the others keep their probabilities."""
    eta = np.zeros((2, 2, 4))
    eta[1, 0, INDIVIDUAL.index("f_other")] = np.nan  # amber, whose genotype is unsure, in the second draw
    draws = Draws(np.tile(PRIORS.typical, (2, 1)), np.tile(PRIORS.omega, (2, 1)), np.full(2, 0.3), eta)
    with caplog.at_level("WARNING"):
        by_draw, n_failed = responsibilities(fit.problem, draws)
    assert n_failed == 2 and np.isfinite(by_draw[0]).all() and by_draw[1, 2] == 1.0
    assert np.isnan(by_draw[1, :2]).all()
    said = [r.getMessage() for r in caplog.records]
    assert [s.split(" - ")[0] for s in said] == ["amber/AS=0.5/draw1", "amber/AS=2/draw1"]
    assert all("parameter eta_f_other is nan" in s for s in said)


# ---------------------------------------------------------------- the sampler, and its tables


@pytest.fixture(scope="module")
def runs(settled: tuple[PopulationFit, Any, Centre]) -> list[Posterior]:
    """Two chains of 60, on one core, on two, and with another seed."""
    moved, compiled, centre = settled
    plan = Plan(chains=2, tune=60, draws=60, target_accept=0.9, cores=1)
    again = dict(compiled=compiled, centre=centre, name="test", log=logging.getLogger("quiet"))
    return [
        sample(moved, plan, master=20, **again), sample(moved, replace(plan, cores=2), master=20, **again),
        sample(moved, plan, master=21, **again),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_small_run_is_finite_and_the_same_on_one_core_or_two(runs: list[Posterior]) -> None:
    one, two, other = (r.idata.posterior for r in runs)
    for name in ("TV_MTT", "sd_eta_f_CYP2D6", "sigma", "eta"):
        values = one[name].values
        assert values.shape[:2] == (2, 60) and np.isfinite(values).all()
        np.testing.assert_array_equal(values, two[name].values)
        assert not np.array_equal(values, other[name].values)
        assert not np.array_equal(values[0], values[1])  # chains have their own random numbers


@pytest.mark.slow
def test_tables_of_a_small_run(
    runs: list[Posterior], data: StudyData, settled: tuple[PopulationFit, Any, Centre]
) -> None:
    """No claim of convergence, and the tables say so."""
    fit = settled[0]
    tables = tabulate(runs[0], fit, data, SHARES, PRIORS, n_keep=40, master=5)
    for name, table in {
        "fit_summary": tables.summary, "fit_diagnostics": tables.diagnostics, "fit_twins": tables.twins,
        "fit_genotype": tables.genotype, "fit_diplotypes": tables.diplotypes,
        "population_draws": tables.population_draws, "twin_draws": tables.twin_draws,
    }.items():  # fmt: skip
        assert len(conform(name, table)), name
    checks = tables.diagnostics.set_index("check")
    assert set(limits("sampler")) <= set(checks.index) and not checks.passed["chains"]
    assert checks.value["solver_failures"] == 0.0 and checks.passed["stopped"] and checks.value["draws"] == 60.0
    assert verdict(tables.diagnostics).startswith("failed: chains")
    idata = runs[0].idata.posterior
    rows = tables.summary.set_index("parameter")
    assert rows["mean"]["MTT"] == pytest.approx(float(idata["TV_MTT"].mean()))
    assert rows["mean"]["omega_Kp_scale"] == pytest.approx(float(idata["sd_eta_Kp_scale"].mean()))
    np.testing.assert_allclose(rows.loc["MTT", ["prior_q05", "prior_q50"]].astype(float),
                               [2.0 * np.exp(-1.6448536 * 0.35), 2.0])  # fmt: skip
    last = tables.population_draws.iloc[-1]
    assert 2.0 * np.exp(last["theta_MTT"]) == pytest.approx(float(idata["TV_MTT"].values[-1, -1]))
    shares = tables.genotype.groupby("twin_id").posterior_probability.sum()
    np.testing.assert_allclose(shares, 1.0, rtol=1e-9)
    after = tables.diplotypes.set_index("diplotype").posterior_probability
    of = tables.genotype.set_index(["twin_id", "component"]).posterior_probability
    assert after["*1/*10"] == pytest.approx(of["amber", "AS=0.5"]) and after["*4/*4"] == pytest.approx(1.0)
    assert after["*1/*1"] / after["*1/*2"] == pytest.approx(2.5)
    draws = tables.twin_draws
    assert (draws[draws.twin_id == "beryl"].f_CYP2D6 == 0.0).all()
    beryl = draws[draws.twin_id == "beryl"].iloc[-1]
    eta = float(idata["eta"].sel(subject="beryl", effect="eta_MTT").values[-1, -1])
    assert beryl["MTT"] == pytest.approx(2.0 * np.exp(last["theta_MTT"] + eta))
    amber = draws[draws.twin_id == "amber"]
    assert len(amber) == 40 and set(amber.component) == {"AS=0.5", "AS=2"}
    # the effect that is stored is the one under the component that stands beside it
    own = with_own_effects(runs[0], fit, 5).posterior
    eta = own["eta"].sel(subject="amber", effect="eta_f_CYP2D6").values.ravel()
    typical = own["TV_f_CYP2D6"].values.ravel()
    keep = np.linspace(0, 119, 40).round().astype(int)
    activity = amber.component.map({"AS=0.5": 0.2, "AS=2": 1.0}).to_numpy()
    np.testing.assert_allclose(amber.f_CYP2D6, activity * (typical * np.exp(eta))[keep])
    np.testing.assert_array_equal(own["eta"].sel(subject="beryl"), idata["eta"].sel(subject="beryl"))
    # p(component | effect) by normal densities
    e, sd = (v.values.ravel() for v in (idata["eta"].sel(subject="amber", effect="eta_f_CYP2D6"),
                                        idata["sd_eta_f_CYP2D6"]))  # fmt: skip
    low, high = 0.3 * norm.pdf(e - np.log(0.2), scale=sd), 0.7 * norm.pdf(e, scale=sd)
    assert of["amber", "AS=0.5"] == pytest.approx(np.mean(low / (low + high)))
    again = tabulate(runs[1], fit, data, SHARES, PRIORS, n_keep=40, master=5)
    pd.testing.assert_frame_equal(again.twin_draws, draws)


@pytest.mark.slow
def test_what_went_wrong_stands_in_the_diagnostics(runs: list[Posterior]) -> None:
    """Failed solves count, a run that was stopped is not good, and a figure that is not a number can be written."""
    table = diagnostics(runs[0], 3, {"amber": 0.01, "coral": 0.02}).set_index("check")
    assert table.value["solver_failures"] == 3.0 and not table.passed["solver_failures"]
    assert table.value["twins_with_cut_components"] == 2.0 and table.worst["twins_with_cut_components"] == "coral"
    stopped = diagnostics(replace(runs[0], stopped="sampling was stopped at its cap of 1 s"), 0, {})
    assert "stopped" in verdict(stopped) and not stopped.set_index("check").passed["stopped"]
    checks = runs[0].checks
    odd = checks.assign(value=checks.value.where(checks.check != "max_rhat"), passed=checks.check != "max_rhat")
    written = conform("fit_diagnostics", diagnostics(replace(runs[0], checks=odd), 0, {}))
    assert "max_rhat (no value)" in verdict(written)


def test_the_structure_is_the_whole_body_and_nothing_else(vector: Vector) -> None:
    """Every parameter but the individual ones is kept; those are typical value, effect and activity."""
    own = set(whole_body_structure().parameter_names)
    theirs = set(whole_body().parameter_names)
    added = {ACTIVITY, *(f"TV_{p}" for p in INDIVIDUAL), *(f"eta_{p}" for p in INDIVIDUAL)}
    assert own - theirs == added and not own & set(INDIVIDUAL)
    assert theirs - own == set(INDIVIDUAL)
