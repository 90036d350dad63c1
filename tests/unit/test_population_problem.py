"""Packed problems: predictions, likelihoods and derivatives against closed forms and central differences; modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import norm

from pharmtwin.inference.estimation.modes import conditional_modes
from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.problem import Component, Problem, make_problem
from pharmtwin.inference.problem.records import Columns, read_subjects

BOLUS = """
schema: 1
name: bolus
fixed: {TVCL: 4, TVV: 50, F0: 0.8}
random: {eta_CL: {variance: 0.09}, eta_V: {variance: 0.04}}
residual: {b: 0.2}
constants: {scale: 1}
parameters: {CL: TVCL * exp(eta_CL) * scale, V: TVV * exp(eta_V)}
states: {central: -CL / V * central}
observe: {C: central / V}
doses: {central: {F: F0}}
outputs: {plasma: {of: C, error: {proportional: [b]}}}
"""
FULL = """
schema: 1
name: full
covariates: [WT]
fixed: {TVCL: 4, TVV: 50, KA: 1.1, TVLAG: 0.4, F1: 0.7, D: 2, E0: 3, b_WT: 0.75}
random:
  {eta_CL: {variance: 0.09}, eta_V: {variance: 0.04}, eta_LAG: {variance: 0.1},
   kappa: {variance: 0.02, level: occasion}}
residual: {a: 0.05, b: 0.15}
parameters: {CL: TVCL * (WT / 70)**b_WT * exp(eta_CL + kappa), V: TVV * exp(eta_V), LAG: TVLAG * exp(eta_LAG)}
states: {depot: -KA * depot, central: KA * depot - CL / V * central, effect: 0.3 * (E0 + central / V - effect)}
observe: {C: central / V, E: effect}
initial: {effect: E0}
doses: {depot: {F: F1, lag: LAG}, central: {duration: D}}
outputs: {plasma: {of: C, error: {combined: [a, b]}}, effect: {of: E, error: {lognormal: [b]}}}
"""


def bolus(**components: Any) -> Problem:
    """Two subjects, one dose each."""
    model, _ = population_model(yaml.safe_load(BOLUS))
    rows = [{"ID": i, "TIME": 0, "EVID": 1, "AMT": 100 * i, "DV": 0} for i in (1, 2)]
    rows += [{"ID": i, "TIME": t, "EVID": 0, "AMT": 0, "DV": y * i} for i in (1, 2) for t, y in ((1, 1.4), (8, 0.9))]
    subjects, _ = read_subjects(model, pd.DataFrame(rows).sort_values(["ID", "TIME"], kind="stable"))
    return make_problem(model, subjects, rtol=1e-10, **components)


def full(wrt: str = "all") -> Problem:
    """One subject with a lagged dose, a zero-order input of modelled length, two outputs, two occasions."""
    model, _ = population_model(yaml.safe_load(FULL))
    usual = {"ID": "a", "EVID": 0, "AMT": 0, "RATE": 0, "CMT": 1, "DVID": "C", "WT": 60, "OCC": 1}
    rows = [
        usual | {"TIME": 0, "EVID": 1, "AMT": 100, "II": 12, "ADDL": 2, "DV": 0},
        usual | {"TIME": 2, "DV": 1.2}, usual | {"TIME": 2, "DV": 3.4, "DVID": "E"}, usual | {"TIME": 11, "DV": 0.6},
        usual | {"TIME": 30, "EVID": 1, "AMT": 50, "CMT": 2, "RATE": -2, "DV": 0, "OCC": 2, "WT": 65},
        usual | {"TIME": 31, "DV": 1.5, "OCC": 2, "WT": 65}, usual | {"TIME": 36, "DV": 0.8, "OCC": 2, "WT": 65},
        usual | {"TIME": 40, "DV": 3.2, "DVID": "E", "OCC": 2, "WT": 65},
    ]  # fmt: skip
    columns = Columns(output="DVID", outputs={"C": "plasma", "E": "effect"}, occasion="OCC")
    subjects, _ = read_subjects(model, pd.DataFrame(rows), columns)
    return make_problem(model, subjects, wrt=wrt, rtol=1e-11)


def test_predictions_and_likelihood_in_closed_form() -> None:
    p = bolus()
    eta = np.array([[0.2, -0.1], [-0.3, 0.05]])
    x = p.rows(np.array([4.0, 50.0, 0.8]), eta)
    like = p.likelihood(x, np.array([0.2]))
    for i in (0, 1):
        CL, V = 4 * np.exp(eta[i, 0]), 50 * np.exp(eta[i, 1])
        f = 80 * (i + 1) / V * np.exp(-CL / V * np.array([1, 8]))
        assert np.allclose(p.predict(x).f[2 * i : 2 * i + 2], f, rtol=1e-8)
        y = np.array([1.4, 0.9]) * (i + 1)
        assert like.ll[i] == pytest.approx(norm.logpdf(y, f, 0.2 * f).sum(), rel=1e-8)


def test_gradients_are_exact() -> None:
    p = full()
    rng = np.random.default_rng(3)
    x = p.rows(p.typical()[: p.n_fixed], 0.2 * rng.standard_normal((1, len(p.effects) - p.n_fixed)))
    sigma = np.array([0.05, 0.15])
    like = p.likelihood(x, sigma)
    assert p.n_runs == 1 and len(p.wrt) == len(p.effects)
    for k, name in enumerate(p.effects):
        h = 1e-5 * max(1.0, abs(x[0, k]))
        up, down = x.copy(), x.copy()
        up[0, k] += h
        down[0, k] -= h
        slope = (p.likelihood(up, sigma, False).ll[0] - p.likelihood(down, sigma, False).ll[0]) / (2 * h)
        assert like.g[0, k] == pytest.approx(slope, rel=2e-5, abs=1e-5), name
    for k in range(2):
        step = np.eye(2)[k] * 1e-6
        slope = (p.likelihood(x, sigma + step, False).ll[0] - p.likelihood(x, sigma - step, False).ll[0]) / 2e-6
        assert like.g_sigma[0, k] == pytest.approx(slope, rel=1e-5)


def test_some_effects_some_subjects_and_repeated_cases_are_parts_of_the_whole() -> None:
    whole, part = full(), full("random")
    x = whole.rows(whole.typical()[: whole.n_fixed], np.full((1, len(whole.effects) - whole.n_fixed), 0.1))
    a, b = whole.likelihood(x, whole.sigma()), part.likelihood(x, whole.sigma())
    assert np.allclose(a.g[:, whole.n_fixed :], b.g, rtol=1e-7)
    p = bolus()
    x = p.rows(p.typical()[:3], np.array([[0.1, 0.2], [0.3, -0.2]]))
    both = p.likelihood(x, p.sigma())
    second = p.of([1]).likelihood(x[1:], p.sigma())
    assert np.array_equal(both.ll[1:], second.ll) and np.array_equal(both.g[1:], second.g)
    many = p.repeat_cases(np.array([1, 0, 1]))
    again = many.likelihood(x[[1, 0, 1]], p.sigma())
    assert np.array_equal(again.ll, both.ll[[1, 0, 1]])


def test_components_are_hypotheses_about_one_subject() -> None:
    p = bolus(components={"1": (Component(0.7, {"scale": 1.0}, "a"), Component(0.3, {"scale": 3.0}, "b"))})
    assert p.n_cases == 3 and p.n_runs == 3 and np.allclose(np.exp(p.log_weight), [0.7, 0.3, 1.0])
    eta = np.zeros((2, 2))
    ll = p.by_case(p.likelihood(p.rows(p.typical()[:3], eta), p.sigma()).ll)
    plain = bolus()
    x = plain.rows(plain.typical()[:3], np.array([[np.log(3.0), 0.0], [0.0, 0.0]]))
    assert ll[1] == pytest.approx(plain.likelihood(x, plain.sigma()).ll[0], rel=1e-9)
    modes = conditional_modes(p, p.typical()[:3], p.sigma(), p.model.omega)
    assert modes.weight[:2].sum() == pytest.approx(1.0) and modes.weight[2] == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"add up to 0.9"):
        bolus(components={"1": (Component(0.9, {}),)})


def test_modes_are_where_the_gradient_vanishes_and_starts_do_not_matter() -> None:
    p = bolus()
    fixed, omega = p.typical()[:3], p.model.omega
    modes = conditional_modes(p, fixed, p.sigma(), omega)
    assert modes.converged.all()
    g = p.likelihood(p.rows(fixed, modes.eta), p.sigma()).g - modes.eta / np.diag(omega)
    assert np.abs(g).max() < 1e-4
    far = conditional_modes(p, fixed, p.sigma(), omega, start=np.full((2, 2), 0.6))
    assert np.allclose(far.eta, modes.eta, atol=1e-6)
    ll = p.likelihood(p.rows(fixed, modes.eta), p.sigma()).ll
    own = -2 * ll - 2 * np.log(2 * np.pi) + np.sum(modes.eta**2 / np.diag(omega), axis=1)
    assert np.allclose(modes.objective, own, atol=1e-9)


def test_an_effect_without_variance_stays_where_it_is() -> None:
    p = bolus()
    modes = conditional_modes(p, p.typical()[:3], p.sigma(), np.diag([0.09, 0.0]))
    assert np.all(modes.eta[:, 1] == 0) and modes.converged.all()


def test_a_solve_that_fails_is_impossible_and_flagged() -> None:
    p = bolus()
    x = p.rows(np.array([4.0, 50.0, 0.8]), np.zeros((2, 2)))
    x[0, 0] = np.nan
    like = p.likelihood(x, p.sigma())
    assert like.ll[0] == -np.inf and like.flag[0] != 0 and np.isfinite(like.ll[1]) and np.all(like.g[0] == 0)


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize("code", [sc.OBSERVED, sc.BELOW, sc.ABOVE, sc.TRUNCATED, sc.BETWEEN])
def test_scores_and_their_slopes(kind: int, code: int) -> None:
    f, y, limit, sigma = 1.3, 1.9, 1.1, np.array([0.3, 0.6])

    def at(f: float, sigma: np.ndarray) -> tuple[float, float, np.ndarray]:
        v, d, s, i = np.zeros(1), np.zeros(1), np.zeros((1, 2)), np.zeros(1)
        slots = np.array([[0, 1 if kind in (sc.COMBINED, sc.COMBINED_SD, sc.POWER) else -1]])
        whole = [np.array([k]) for k in (code, kind)]
        sc.score(
            np.array([f]),
            np.array([y]),
            whole[0],
            np.array([limit]),
            whole[1],
            slots,
            np.array([1.0]),
            sigma,
            v,
            d,
            s,
            i,
        )
        return v[0], d[0], s[0]

    a, b = sigma
    sd = [a, a * f, np.hypot(a, b * f), a + b * f, a * f**b, a][kind]
    location, value, low = (np.log(f), np.log(y), np.log(limit)) if kind == sc.LOGNORMAL else (f, y, limit)
    zero = -np.inf if kind == sc.LOGNORMAL else 0.0
    density = norm.logpdf(value, location, sd) - (value if kind == sc.LOGNORMAL else 0.0)
    below = norm.cdf(low, location, sd)
    known = {
        sc.OBSERVED: density, sc.BELOW: np.log(below), sc.ABOVE: np.log1p(-below), 
        sc.TRUNCATED: density - np.log1p(-below),
        sc.BETWEEN: np.log((below - norm.cdf(zero, location, sd)) / (1 - norm.cdf(zero, location, sd))),
    }  # fmt: skip
    got, slope, slopes = at(f, sigma)
    assert got == pytest.approx(known[code], rel=1e-9)
    assert slope == pytest.approx((at(f + 1e-6, sigma)[0] - at(f - 1e-6, sigma)[0]) / 2e-6, rel=1e-5, abs=1e-7)
    for k in range(2):
        step = np.eye(2)[k] * 1e-6
        assert slopes[k] == pytest.approx((at(f, sigma + step)[0] - at(f, sigma - step)[0]) / 2e-6, rel=1e-5, abs=1e-7)


def test_far_tails_stay_finite() -> None:
    for z in (-5.0, -36.9, -37.1, -200.0):
        assert sc.log_phi(z)[0] == pytest.approx(norm.logcdf(z), rel=1e-9)


def test_a_prediction_of_zero_counts_as_the_output_says() -> None:
    v, d, s, i = np.zeros(2), np.zeros(2), np.zeros((2, 2)), np.zeros(2)
    whole = lambda k: np.full(2, k)  # noqa: E731
    sc.score(np.zeros(2), np.array([0.1, 0.1]), whole(0), np.zeros(2), whole(sc.PROPORTIONAL), np.array([[0, -1]] * 2),
             np.array([1.0, np.nan]), np.array([0.2]), v, d, s, i)  # fmt: skip
    assert v[0] == pytest.approx(norm.logpdf(0.1, 0.0, 0.2)) and v[1] == -np.inf


def test_occasions_without_effects_of_the_occasion_change_nothing() -> None:
    model, _ = population_model(yaml.safe_load(BOLUS))
    rows = [
        {"ID": 1, "TIME": 0, "EVID": 1, "AMT": 100, "DV": 0, "OCC": 1},
        {"ID": 1, "TIME": 1, "EVID": 0, "AMT": 0, "DV": 1, "OCC": 2},
    ]
    subjects, _ = read_subjects(model, pd.DataFrame(rows), Columns(occasion="OCC"))
    p = make_problem(model, subjects, rtol=1e-10)
    assert p.effects == ("TVCL", "TVV", "F0", "eta_CL", "eta_V")
    assert p.predict(p.rows(p.typical()[:3], np.zeros((1, 2)))).f[0] == pytest.approx(80 / 50 * np.exp(-0.08), rel=1e-8)
