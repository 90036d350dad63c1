"""The ladder's rungs: gradients, proposal, resampling, NUTS, time caps, the same bytes for the same seed."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.stats import multivariate_t
from twin_fixture import LINE, ORAL, SQUARE, concentration, model_of, person, target_of

from pharmtwin.inference.problem.problem import Component, make_problem
from pharmtwin.inference.twin import laplace
from pharmtwin.inference.twin.ladder import TwinPosterior, resampled
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.proposal import Part, Proposal, around
from pharmtwin.inference.twin.settings import ladder_options
from pharmtwin.inference.twin.twin import fit_twin

GENOTYPES = (Component(0.6, {"activity": 1.0}, "normal"), Component(0.4, {"activity": 0.3}, "poor"))


def oral_person(n: int = 3, name: str = "p1"):  # type: ignore[no-untyped-def]
    times = [2.0, 12.0, 24.0][:n]
    noise = [1.1, 0.9, 1.05]
    return person(
        model_of(ORAL),
        times,
        [concentration(t, 100.0, 3.0, 45.0) * x for t, x in zip(times, noise)],
        ((0.0, 100.0),),
        name=name,
    )


def uncertain() -> TwinPrior:
    """A prior of three draws with different residual errors."""
    model = model_of(ORAL)
    mean = np.array([[0.1, 0.0], [-0.1, 0.05], [0.0, -0.05]])
    cov = np.array([model.omega, 1.5 * model.omega, 0.8 * model.omega + 0.01])
    return TwinPrior(("eta_CL", "eta_V"), np.array([4.0, 40.0, 1.0]), mean, cov, np.array([[0.2], [0.3], [0.2]]))


def test_the_marginal_density_is_the_sum_over_hypotheses_and_draws_and_its_gradient_is_exact() -> None:
    problem = make_problem(model_of(ORAL), [oral_person()], components={"p1": GENOTYPES}, rtol=1e-9)
    target = target_of(problem, uncertain())
    v = np.array([-0.3, 0.1])
    value, g = target.marginal(v)
    case = np.arange(2)
    e = target.evaluate(np.tile(v, (2, 1)), case)
    by_case = target.log_posterior(np.tile(v, (2, 1)), case, e.log_lik)
    assert value == pytest.approx(np.logaddexp(*by_case), abs=1e-9)
    h = 1e-4
    slope = [(target.marginal(v + d)[0] - target.marginal(v - d)[0]) / (2 * h) for d in h * np.eye(2)]
    np.testing.assert_allclose(g, slope, rtol=1e-5)
    # the residual error of each draw of the population counts: the same point by the closed form
    y, f = (
        target.problem.y[target.obs],
        [concentration(t, 100.0, 4 * np.exp(-0.3), 40 * np.exp(0.1)) for t in (2, 12, 24)],
    )
    for s, sigma in enumerate((0.2, 0.3, 0.2)):
        r = np.log(y / f) / sigma
        expected = np.sum(-0.5 * r**2 - np.log(sigma * np.sqrt(2 * np.pi)) - np.log(y))
        assert e.log_lik[0, s] == pytest.approx(expected, abs=1e-6)


def test_a_prior_density_is_normal_along_the_effects_that_vary() -> None:
    prior = uncertain()
    rng = np.random.default_rng(1)
    v = rng.normal(0, 0.3, (5, 2))
    from scipy.stats import multivariate_normal

    for s in range(3):
        expected = multivariate_normal(prior.mean[s], prior.cov[s]).logpdf(v)
        np.testing.assert_allclose(prior.log_density(v)[:, s], expected, rtol=1e-10)
    draws, sigma = prior.sample(40000, rng)
    mean, cov = prior.moments()
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=4 * np.sqrt(cov.max() / 40000))
    np.testing.assert_allclose(np.cov(draws.T), cov, rtol=0.05, atol=0.003)
    assert np.mean(sigma == 0.3) == pytest.approx(1 / 3, abs=0.01)
    flat = TwinPrior(("a", "b"), np.zeros(0), np.zeros((1, 2)), np.diag([0.25, 0.0])[None], np.zeros((1, 0)))
    expected = -0.5 * (0.3 / 0.5) ** 2 - np.log(0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(flat.log_density(np.array([[0.3, 0.0]])), [[expected]])


def test_a_proposal_has_the_density_that_it_draws_from() -> None:
    L = np.array([[0.5, 0.0], [0.2, 0.4]])
    parts = [Part(0, np.array([1.0, -1.0]), L, 0.7), Part(1, np.zeros(2), 2 * L, 0.3)]
    proposal = around(parts, np.log([0.8, 0.2]), 2, 0.2, 7.0)
    z, case, log_q = proposal.draw(5000, np.random.default_rng(2))
    assert len(z) == 5000 and np.all(np.diff(case) >= 0)
    share = np.array([p.share for p in proposal.parts])
    np.testing.assert_allclose(share, [0.56, 0.24, 0.16, 0.04])
    t = [multivariate_t(p.centre, p.L @ p.L.T, df=7) for p in proposal.parts]
    for c in (0, 1):
        mine = case == c
        assert mine.sum() == pytest.approx(5000 * (share[c] + share[2 + c]), abs=2)
        expected = np.log(share[c] * t[c].pdf(z[mine]) + share[2 + c] * t[2 + c].pdf(z[mine]))
        np.testing.assert_allclose(log_q[mine], expected, rtol=1e-6)
    # importance sampling with it integrates a density to 1
    log_p = np.where(case == 0, 0.3, 0.7) * multivariate_t(np.zeros(2), np.eye(2), df=20).pdf(z)
    assert np.mean(log_p / np.exp(log_q)) == pytest.approx(1.0, abs=0.05)


def test_a_hypothesis_of_next_to_no_weight_is_still_looked_at() -> None:
    parts = [Part(0, np.zeros(1), np.eye(1), 1.0), Part(1, np.zeros(1), np.eye(1), 1e-12)]
    proposal = around(parts, np.log([1 - 1e-9, 1e-9]), 1, 0.1, 7.0)
    _, case, _ = proposal.draw(1000, np.random.default_rng(0))
    assert np.sum(case == 1) >= 4 and len(case) <= 1004


def test_a_moved_proposal_fits_the_weighted_draws_and_keeps_the_prior() -> None:
    first = around([Part(0, np.zeros(2), np.eye(2), 1.0)], np.zeros(1), 2, 0.1, 7.0)
    z, case, log_q = first.draw(4000, np.random.default_rng(4))
    target = multivariate_t([1.0, 0.5], 0.1 * np.eye(2), df=50).logpdf(z)
    w = np.exp(target - log_q)
    w /= w.sum()
    moved = first.moved(z, case, w, first.counts(4000))
    assert [p.stays for p in moved.parts] == [False, True, False]
    np.testing.assert_allclose(moved.parts[0].centre, [1.0, 0.5], atol=0.1)
    np.testing.assert_allclose(moved.parts[0].L @ moved.parts[0].L.T, 1.3 * 0.104 * np.eye(2), atol=0.05)
    assert moved.parts[1].share == pytest.approx(0.1) and np.array_equal(moved.parts[1].L, np.eye(2))
    z, case, log_q = moved.draw(4000, np.random.default_rng(5))
    w = np.exp(multivariate_t([1.0, 0.5], 0.1 * np.eye(2), df=50).logpdf(z) - log_q)
    assert w.mean() == pytest.approx(1.0, abs=0.05) and w.sum() ** 2 / np.sum(w**2) > 2000


def test_resampling_keeps_every_weight_up_to_one_draw() -> None:
    w = np.array([0.0, 0.5, 0.001, 0.299, 0.2])
    counts = np.bincount(resampled(w, 400, np.random.default_rng(6)), minlength=5)
    assert counts.sum() == 400 and counts[0] == 0
    assert np.all(np.abs(counts - 400 * w) <= 1)


def test_modes_are_where_the_gradient_vanishes_and_curvature_is_the_posteriors() -> None:
    problem = make_problem(model_of(SQUARE), [person(model_of(SQUARE), [1.0], [2.5])])
    found = laplace.modes(target_of(problem), np.eye(1))
    assert len(found) == 2
    for mode in found:  # -a^2/2 - ((a + .2)^2 - 2.5)^2 / (2 .3^2)
        x = mode.z[0] + 0.2
        slope = -mode.z[0] - 2 * x * (x * x - 2.5) / 0.09
        assert abs(slope) < 0.3  # within DONE of the top: 1e-4 = slope^2 / (2 curvature)
        assert mode.H[0, 0] == pytest.approx(1 + (2 * (x * x - 2.5) + 4 * x * x) / 0.09, rel=1e-3)


def same(a: TwinPosterior, b: TwinPosterior) -> bool:
    return all(np.array_equal(np.asarray(getattr(a, f.name)), np.asarray(getattr(b, f.name))) for f in fields(a))


def test_the_same_seed_gives_the_same_bytes_and_another_person_other_draws() -> None:
    model = model_of(ORAL)
    a, b = (fit_twin(model, oral_person(), components=GENOTYPES, master=7) for _ in range(2))
    assert same(a.posterior, b.posterior) and a.learned.equals(b.learned) and a.findings == b.findings
    other = fit_twin(model, oral_person(name="p2"), components=GENOTYPES, master=7)
    assert not np.array_equal(a.posterior.v, other.posterior.v)
    assert not np.array_equal(a.posterior.v, fit_twin(model, oral_person(), components=GENOTYPES, master=8).posterior.v)


def test_samples_one_after_the_other_are_those_all_at_once() -> None:
    """Update by weighting the draws after two samples with the third one's likelihood: the same posterior."""
    model = model_of(ORAL)
    options = replace(ladder_options(), keep=2000)
    two = fit_twin(model, oral_person(2), components=GENOTYPES, options=options).posterior
    all_at_once = fit_twin(model, oral_person(3), components=GENOTYPES, options=options)
    y = all_at_once.problem.y[-1]
    f = np.array([
        concentration(24.0, 100.0, 4.0 * GENOTYPES[c].values["activity"] * np.exp(v[0]), 40.0 * np.exp(v[1]))
        for v, c in zip(two.v, two.case)
    ])  # fmt: skip
    w = np.exp(-0.5 * (np.log(y / f) / 0.2) ** 2)
    evidence = two.evidence + np.log(w.mean()) - np.log(y * 0.2 * np.sqrt(2 * np.pi))
    w /= w.sum()
    whole = all_at_once.posterior
    mean = w @ two.v
    error = np.sqrt((w**2) @ (two.v - mean) ** 2 + whole.mcse**2 + whole.sd**2 / two.ess)
    assert np.all(np.abs(mean - whole.mean) < 4 * error)
    assert whole.evidence == pytest.approx(evidence, abs=0.12)
    poor = w @ (two.case == 1)
    assert whole.probability[1] == pytest.approx(poor, abs=4 * np.sqrt(poor * (1 - poor) * (1 / 500 + 1 / whole.ess)))


def test_nuts_agrees_with_importance_sampling() -> None:
    """NUTS is asked because no importance sampling can have so many effective draws."""
    model = model_of(ORAL)
    near = (Component(0.6, {"activity": 1.0}, "normal"), Component(0.4, {"activity": 0.8}, "intermediate"))
    sampled = fit_twin(model, oral_person(), components=near).posterior
    told: list[str] = []
    options = replace(ladder_options(), least_ess=1e9, rounds=1, nuts_tune=200, nuts_draws=300)
    nuts = fit_twin(model, oral_person(), components=near, options=options, say=told.append).posterior
    assert nuts.method == "NUTS" and "good" in nuts.rungs[-1] and len(told) == 1 and "s expected" in told[0]
    assert nuts.trusted and not np.isfinite(nuts.k) and nuts.ess >= 400
    error = np.hypot(sampled.mcse, nuts.mcse)
    assert np.all(np.abs(nuts.mean - sampled.mean) < 4 * error)
    np.testing.assert_allclose(nuts.sd, sampled.sd, rtol=0.15)
    np.testing.assert_allclose(nuts.probability, sampled.probability, atol=0.1)
    assert set(np.unique(nuts.case)) <= {0, 1} and nuts.f.shape == (400, 3)


def test_chains_that_stay_with_one_genotype_are_not_believed() -> None:
    options = replace(ladder_options(), least_ess=1e9, rounds=1, nuts_tune=100, nuts_draws=100)
    far = (Component(0.5, {"activity": 1.0}), Component(0.5, {"activity": 0.15}))
    twin = fit_twin(model_of(ORAL), oral_person(1), components=far, options=options, say=lambda _: None)
    assert twin.posterior.probability.min() > 0.02  # both are possible
    assert "NOT GOOD" in twin.posterior.rungs[-1] and not twin.usable


def test_what_would_take_too_long_is_told_and_not_begun() -> None:
    model, subject = model_of(ORAL), oral_person()
    told: list[str] = []
    options = replace(ladder_options(), least_ess=1e9, rounds=1, nuts_draws=10**8)
    twin = fit_twin(model, subject, options=options, say=told.append)
    assert len(told) == 1 and "s expected" in told[0]
    assert "not run" in twin.posterior.rungs[-1] and twin.posterior.method == "importance sampling"
    assert not twin.posterior.trusted and not twin.usable and "twin.not_trusted" in {f.rule for f in twin.findings}

    told.clear()
    twin = fit_twin(model, subject, options=replace(ladder_options(), draws=10**10), say=told.append)
    assert len(told) == 1 and "importance sampling: about" in told[0]
    assert twin.posterior.method == "none" and not twin.usable and "allowed: not run" in twin.posterior.rungs[0]
    assert twin.posterior.v.shape == (400, 2)
    np.testing.assert_allclose(twin.posterior.v.std(axis=0), np.sqrt([0.09, 0.06]), rtol=0.15)


def test_nuts_ends_at_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimate is far too low here, so that the clock has to stop it."""
    import time

    from pharmtwin.inference.twin import nuts

    monkeypatch.setattr(nuts, "GRADIENTS", 1e-6)
    options = replace(ladder_options(), least_ess=1e9, rounds=1, nuts_draws=200_000, nuts_seconds=1.0)
    started = time.monotonic()
    twin = fit_twin(model_of(LINE), person(model_of(LINE), [1.0], [13.0]), options=options, say=lambda _: None)
    assert time.monotonic() - started < 20
    assert "stopped after the 1 s allowed" in twin.posterior.rungs[-1] and not twin.usable


def test_a_person_far_from_the_population_gets_a_second_opinion() -> None:
    model = model_of(LINE)
    told: list[str] = []
    options = replace(ladder_options(), nuts_tune=200, nuts_draws=250)
    twin = fit_twin(model, person(model, [1.0, 2.0, 4.0], [22.0, 24.0, 28.0]), options=options, say=told.append)
    p = twin.posterior
    assert p.distance < 0.001 and told and p.method == "NUTS" and p.trusted
    assert {"twin.far_from_prior", "twin.prior_conflict"} <= {f.rule for f in twin.findings}
    assert twin.usable  # warnings, no errors: the posterior is exact


def test_proposals_of_unknown_effects_are_refused() -> None:
    with pytest.raises(ValueError, match="the model has"):
        fit_twin(model_of(LINE), person(model_of(LINE), [1.0], [13.0]), uncertain())
    with pytest.raises(ValueError, match="no observations"):
        fit_twin(model_of(LINE), person(model_of(LINE), [], []))


def test_proposal_counts_add_up() -> None:
    parts = tuple(Part(0, np.zeros(1), np.eye(1), s) for s in (0.31, 0.31, 0.38))
    assert Proposal(parts, 7.0).counts(100).sum() == 100
