"""Sampling a model whose posterior is known: y_ij ~ Normal(mu + eta_i, a), eta_i ~ Normal(0, s), a and s known."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.population_fit.build import PopulationFit, build
from pharmtwin.inference.population_fit.fast import NOT_COMPARED, compare_with_nuts, laplace
from pharmtwin.inference.population_fit.geometry import Centre, Density, settle
from pharmtwin.inference.population_fit.sample import Plan, Posterior, compile_fit, expected_steps, sample
from pharmtwin.inference.problem.records import read_subjects

Floats = NDArray[np.float64]
A, S, PRIOR_MEAN, PRIOR_SD = 0.5, 0.8, 1.0, 2.0
Y = {"a": [3.1, 2.7, 3.4], "b": [1.2], "c": [2.2, 2.9], "d": [4.0, 3.1, 3.8, 3.3]}
RAW: dict[str, Any] = {
    "schema": 1,
    "name": "normal_means",
    "fixed": {"mu": {"value": 0, "prior": {"normal": [PRIOR_MEAN, PRIOR_SD]}}},
    "random": {"eta": {"variance": S**2, "fixed": True}},
    "residual": {"a": {"value": A, "fixed": True}},
    "states": {"x": "-x"},
    "observe": {"level": "mu + eta"},
    "outputs": {"seen": {"of": "level", "error": {"additive": ["a"]}}},
}
PLAN = Plan(chains=4, tune=200, draws=500, cores=1, cap=120.0)
Made = tuple[PopulationFit, Any, Centre]


@pytest.fixture(scope="module")
def made() -> Made:
    model, _ = population_model(RAW)
    rows = [(i, float(t), y) for i, own in Y.items() for t, y in enumerate(own)]
    subjects, _ = read_subjects(model, pd.DataFrame(rows, columns=["ID", "TIME", "DV"]).assign(EVID=0))
    fit = build(model, subjects)
    compiled = compile_fit(fit)
    return fit, compiled, settle(fit, compiled)


@pytest.fixture(scope="module")
def posterior(made: Made) -> Posterior:
    fit, compiled, centre = made
    return sample(fit, PLAN, master=7, name="normal", compiled=compiled, centre=centre)


def test_compiled_code_does_not_depend_on_what_was_inlined(made: Made) -> None:
    """Nothing may be fused or reordered: else code from a cache and code compiled now differ in the last digit."""
    _, compiled, _ = made
    for function in (compiled.compiled_logp_func, compiled.compiled_expand_func):
        text = function.inspect_llvm()
        assert re.search(r"= (fmul|fadd|fsub|fdiv) ", text)
        assert not re.search(r"= (fmul|fadd|fsub|fdiv) [^,]*\b(fast|contract|reassoc|arcp|afn)\b", text)


def exact() -> tuple[Floats, Floats]:
    """Posterior means and sds of mu and the etas, by the formula of the normal linear model."""
    subject = np.repeat(np.arange(len(Y)), [len(v) for v in Y.values()])
    y = np.concatenate([np.array(v) for v in Y.values()])
    X = np.column_stack([np.ones(len(y)), np.eye(len(Y))[subject]])
    prior = np.diag([PRIOR_SD**-2.0, *[S**-2.0] * len(Y)])
    covariance = np.linalg.inv(X.T @ X / A**2 + prior)
    return covariance @ (X.T @ y / A**2 + prior @ np.array([PRIOR_MEAN, *[0.0] * len(Y)])), np.sqrt(np.diag(covariance))


def test_the_maps_make_a_normal_posterior_standard(made: Made) -> None:
    fit, compiled, centre = made
    assert centre.settled and centre.p == pytest.approx([exact()[0][0]], abs=1e-4)
    density = Density(fit, compiled)
    origin, _ = density(np.zeros(density.n))
    for x in 2.0 * np.random.default_rng(1).normal(size=(5, density.n)):
        value, gradient = density(x)
        assert value - origin == pytest.approx(-0.5 * x @ x, abs=1e-3)
        assert gradient == pytest.approx(-x, abs=1e-3)


def test_the_draws_are_those_of_the_posterior(made: Made, posterior: Posterior) -> None:
    mean, sd = exact()
    assert posterior.verdict == "good" and posterior.failed_solves == 0
    assert list(posterior.table["parameter"]) == ["mu", *(f"eta[{s},eta]" for s in Y)]
    z = (posterior.table["mean"].to_numpy(float) - mean) / posterior.table["mcse_mean"].to_numpy(float)
    assert np.abs(z).max() < 4.5
    assert posterior.table["sd"].to_numpy(float) == pytest.approx(sd, rel=0.1)
    table = posterior.draws_table(made[0])
    assert list(table.columns)[:3] == ["chain", "draw", "mu"] and len(table) == 2000


def test_equal_seeds_give_equal_files(made: Made, posterior: Posterior, tmp_path: Path) -> None:
    fit, compiled, centre = made
    again = sample(fit, PLAN, master=7, name="normal", compiled=compiled, centre=centre)
    other = sample(fit, PLAN, master=8, name="normal", compiled=compiled, centre=centre)
    for name, p in (("a", posterior), ("b", again), ("c", other)):
        p.save(tmp_path / f"{name}.nc", fit)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes() != (tmp_path / "c.nc").read_bytes()


def test_a_higher_target_takes_more_steps() -> None:
    """Phi(-0.0627) = 0.475 and Phi(-0.2533) = 0.4: at 0.95 half the step of 0.8, so twice the tree."""
    assert [expected_steps(57, a) for a in (0.8, 0.95, 0.99)] == [7, 15, 31]
    assert [expected_steps(16 * 57, a) for a in (0.8, 0.95)] == [15, 31]  # steps shrink with the fourth root


def test_a_cap_ends_sampling_and_is_no_good_fit(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    fit, compiled, centre = made
    endless = Plan(chains=2, tune=50, draws=50_000_000, cores=1, cap=1.0)
    with caplog.at_level(logging.INFO):
        stopped = sample(fit, endless, master=1, name="cap", compiled=compiled, centre=centre)
    assert "ms a gradient" in caplog.messages[0] and "cap 1 s" in caplog.messages[0]
    assert stopped.seconds < 30 and stopped.verdict.startswith("sampling was stopped at its cap of 1 s")
    assert np.isfinite(stopped.draws("mu")).all()
    with pytest.raises(TimeoutError, match="before any chain had kept draws"):
        warming = Plan(chains=2, tune=50_000_000, draws=10, cores=1, cap=0.5)
        sample(fit, warming, master=1, name="cap", compiled=compiled, centre=centre)


def test_a_fast_approximation_waits_for_its_comparison(made: Made, posterior: Posterior) -> None:
    fit, compiled, _ = made
    fast = laplace(fit, compiled, master=7, name="normal")
    assert fast.verdict == NOT_COMPARED and fast.k < 0.5
    mean, sd = exact()
    assert fast.draws["mu"].mean() == pytest.approx(mean[0], abs=4.5 * sd[0] / np.sqrt(fast.effective))
    compared = compare_with_nuts(fast, posterior, fit)
    assert compared.verdict == "good" and compared.comparison is not None
    with pytest.raises(ValueError, match="no standard"):
        compare_with_nuts(fast, sample(fit, Plan(chains=1, tune=50, draws=50), master=1, name="x", compiled=compiled,
                                       centre=made[2]), fit)  # fmt: skip
