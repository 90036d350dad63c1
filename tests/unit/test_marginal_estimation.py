"""Estimates with closed forms (balanced one-way layout), the free parameters, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from marginal_fixture import LINE, mapping, prepared, table
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm

from pharmtwin.inference.estimation import command
from pharmtwin.inference.estimation.lindstrom_bates import lindstrom_bates
from pharmtwin.inference.estimation.maximise import Estimate, maximise
from pharmtwin.inference.estimation.objective import EstimationError
from pharmtwin.inference.estimation.scale import Values, expanded_omega, scale_of
from pharmtwin.inference.estimation.surface import Method
from pharmtwin.inference.models.read import population_model
from pharmtwin.inference.problem.records import Columns

N, K = 12, 4
TIMES = np.arange(float(K))


def layout() -> np.ndarray:
    """12 subjects, 4 samples each, from a fixed seed."""
    rng = np.random.default_rng(5)
    return 5.0 + 0.9 * rng.normal(size=(N, 1)) + 0.6 * rng.normal(size=(N, K))


def one_way(method: str, values: np.ndarray | None = None) -> Estimate:
    """The linear model with a random intercept, estimated."""
    model, subjects, _ = prepared(mapping(), table(layout() if values is None else values, TIMES))
    return maximise(model, subjects, method, covariance="R")


@pytest.mark.parametrize("method", ["fo", "focei", "laplace"])
def test_a_balanced_layout_has_its_closed_form(method: str) -> None:
    y = layout()
    means = y.mean(axis=1)
    within = ((y - means[:, None]) ** 2).sum() / (N * (K - 1))  # maximum likelihood of the error's variance
    total = K * ((means - y.mean()) ** 2).sum() / N  # of sigma^2 + K omega^2
    between = (total - within) / K
    found = one_way(method)
    assert found.converged and not found.messages
    value = found.table.set_index("name").value
    assert value["a"] == pytest.approx(y.mean(), abs=1e-4)
    assert value["omega(eta_a)"] == pytest.approx(between, rel=1e-3)
    assert value["s"] == pytest.approx(np.sqrt(within), rel=1e-3)
    exact = N * (K - 1) * np.log(within) + N * np.log(total) + N * K
    assert found.objective.value == pytest.approx(exact, abs=1e-5)
    # at the maximum the information is diagonal in (a, sigma^2, sigma^2 + K omega^2)
    var_within, var_total = 2 * within**2 / (N * (K - 1)), 2 * total**2 / N
    se = found.table.set_index("name").se
    assert se["a"] == pytest.approx(np.sqrt(total / (N * K)), rel=1e-3)
    assert se["omega(eta_a)"] == pytest.approx(np.sqrt(var_total + var_within) / K, rel=1e-3)
    assert se["s"] == pytest.approx(np.sqrt(var_within) / (2 * np.sqrt(within)), rel=1e-3)
    # modes are the means drawn towards the middle: their spread is known, so is the shrinkage
    drawn = K * between / total
    spread = drawn * np.std(means, ddof=1)
    shrunk = found.shrinkage.set_index("of")
    assert shrunk.shrinkage_sd["eta_a"] == pytest.approx(1 - spread / np.sqrt(between), abs=1e-3)
    assert shrunk.n["y"] == N * K


def test_scores_of_subjects_give_s_and_the_sandwich() -> None:
    y = layout()
    model, subjects, _ = prepared(mapping(), table(y, TIMES))
    found = maximise(model, subjects, "focei")
    v = Values.of(found.model)

    def log_density(p: np.ndarray) -> np.ndarray:  # of each subject, at (a, omega^2, s)
        return multivariate_normal(np.full(K, p[0]), p[1] + p[2] ** 2 * np.eye(K)).logpdf(y)

    at, h = np.array([v.fixed[0], v.omega[0, 0], v.sigma[0]]), 1e-4
    scores = np.column_stack([(log_density(at + e) - log_density(at - e)) / (2 * h) for e in h * np.eye(3)])
    S = scores.T @ scores
    u = found.uncertainty
    assert u is not None and u.form == "sandwich"
    assert u.covariances["S"] == pytest.approx(np.linalg.inv(S), rel=1e-2)
    R = np.linalg.inv(u.covariances["R"])
    assert np.linalg.inv(u.covariances["sandwich"]) == pytest.approx(R @ np.linalg.inv(S) @ R, rel=2e-2)
    spectrum = np.linalg.eigvalsh(u.correlation)
    assert u.condition_number == pytest.approx(spectrum[-1] / spectrum[0])


def test_a_block_of_omega_is_estimated_with_its_covariance() -> None:
    rng = np.random.default_rng(11)
    Z = np.column_stack([np.ones(K), TIMES])
    effects = rng.multivariate_normal([5.0, -1.0], [[0.8, 0.3], [0.3, 0.4]], size=40)
    y = effects @ Z.T + 0.5 * rng.normal(size=(40, K))
    model, subjects, _ = prepared(mapping(**LINE), table(y, TIMES))
    found = maximise(model, subjects, "foce", covariance="")

    def minus_2ll(p: np.ndarray) -> float:
        L = np.array([[np.exp(p[2]), 0.0], [p[3], np.exp(p[4])]])
        V = Z @ L @ L.T @ Z.T + np.exp(2 * p[5]) * np.eye(K)
        return float(-2 * multivariate_normal(Z @ p[:2], V).logpdf(y).sum())

    best = minimize(minus_2ll, [5.0, -1.0, 0.0, 0.0, 0.0, 0.0], method="BFGS", options={"gtol": 1e-6})
    L = np.array([[np.exp(best.x[2]), 0.0], [best.x[3], np.exp(best.x[4])]])
    v = Values.of(found.model)
    assert found.converged
    assert -2 * found.objective.log_likelihood == pytest.approx(best.fun, abs=1e-5)
    assert v.fixed == pytest.approx(best.x[:2], abs=1e-3)
    assert v.omega == pytest.approx(L @ L.T, abs=2e-3)
    assert list(found.table.name) == ["a", "b", "omega(eta_a)", "omega(eta_b,eta_a)", "omega(eta_b)", "s"]


def test_censored_values_are_estimated_by_quadrature() -> None:
    y = 5.0 + np.random.default_rng(8).normal(size=(60, 1))
    raw = mapping(random={"eta_a": {"variance": 0.5, "fixed": True}})
    model, subjects, _ = prepared(raw, table(y, TIMES[:1]), Columns(lloq={"y": 4.6}))
    found = maximise(model, subjects, Method("agq", nodes=20), covariance="R")

    def minus_ll(p: np.ndarray) -> float:  # a normal sample, cut off at 4.6
        sample = norm(p[0], np.sqrt(0.5 + np.exp(2 * p[1])))
        return float(-sample.logpdf(y[y >= 4.6]).sum() - (y < 4.6).sum() * sample.logcdf(4.6))

    best = minimize(minus_ll, [5.0, 0.0], method="BFGS", options={"gtol": 1e-7})
    assert found.converged and 10 < (y < 4.6).sum() < 30
    assert found.objective.log_likelihood == pytest.approx(-best.fun, abs=1e-5)
    assert found.table.value[0] == pytest.approx(best.x[0], abs=1e-3)
    assert found.table.value[2] == pytest.approx(np.exp(best.x[1]), rel=1e-3)
    h, at = 1e-3 * np.eye(2), lambda *shift: minus_ll(best.x + sum(shift))
    curvature = [[(at(i, j) - at(i, -j) - at(-i, j) + at(-i, -j)) / 4e-6 for i in h] for j in h]
    assert found.table.se[0] == pytest.approx(np.sqrt(np.linalg.inv(curvature)[0, 0]), rel=1e-3)


def test_what_is_fixed_stays() -> None:
    raw = mapping(random={"eta_a": {"variance": 0.3, "fixed": True}}, fixed={"a": {"value": 4.0, "fixed": True}})
    model, subjects, _ = prepared(raw, table(layout(), TIMES))
    found = maximise(model, subjects, "focei")
    rows = found.table.set_index("name")
    assert rows.value["a"] == 4.0 and rows.value["omega(eta_a)"] == 0.3
    assert list(rows.fixed) == [True, True, False] and np.isnan(rows.se["a"]) and rows.se["s"] > 0


def test_lindstrom_and_bates_agree_where_the_model_is_linear() -> None:
    y = layout()
    model, subjects, _ = prepared(mapping(), table(y, TIMES))
    found, direct = lindstrom_bates(model, subjects), one_way("foce")
    assert found.converged
    assert found.log_likelihood == pytest.approx(direct.objective.log_likelihood, abs=1e-5)
    assert Values.of(found.model).omega == pytest.approx(Values.of(direct.model).omega, rel=2e-3)
    assert found.se[0] == pytest.approx(direct.table.se[0], rel=1e-2)
    proportional, subjects, _ = prepared(mapping("proportional"), table(y, TIMES))
    with pytest.raises(EstimationError, match="depends on the prediction"):
        lindstrom_bates(proportional, subjects)


def test_free_parameters_and_values_are_one_to_one() -> None:
    raw = mapping(
        fixed={
            "a": {"value": 5.0, "lower": 0}, "b": {"value": -1.0, "upper": 2},
            "c": {"value": 0.3, "lower": 0.1, "upper": 0.9}, "d": -2.5, "e": {"value": 7.0, "fixed": True},
        },
        random={"eta_a": {"variance": 0.5}, "eta_b": {"variance": 0.3}, "eta_c": {"variance": 2.0}},
        covariance=[["eta_a", "eta_c", -0.4]],
        observe={"Y": "a + b + c + d + e + eta_a + eta_b + eta_c"},
        residual={"s": 0.8, "exponent": -0.2},
        outputs={"y": {"of": "Y", "error": {"power": ["s", "exponent"]}}},
    )  # fmt: skip
    model, _ = population_model(raw)
    scale = scale_of(model)
    there, stated = scale.values(scale.start), Values.of(model)
    for got, wanted in zip(
        (there.fixed, there.omega, there.sigma), (stated.fixed, stated.omega, stated.sigma), strict=True
    ):
        assert got == pytest.approx(wanted, abs=1e-12)
    moved = scale.values(scale.start + np.random.default_rng(0).normal(size=len(scale.start)))
    assert moved.fixed[0] > 0 and moved.fixed[1] < 2 and 0.1 < moved.fixed[2] < 0.9 and moved.fixed[4] == 7.0
    assert np.linalg.eigvalsh(moved.omega)[0] > 0 and moved.omega[0, 1] == moved.omega[1, 2] == 0.0
    assert moved.omega[0, 2] != 0 and moved.sigma[0] > 0
    assert scale.names == (
        "a", "b", "c", "d", "omega(eta_a)", "omega(eta_c,eta_a)", "omega(eta_c)", "omega(eta_b)", "s", "exponent",
    )  # fmt: skip
    slope, h = scale.slope(scale.start), 1e-6
    step = scale.start + h * np.ones(len(scale.start))
    assert scale.natural(step) - scale.natural(scale.start) == pytest.approx(h * slope.sum(axis=1), rel=1e-4, abs=1e-11)


def test_omega_is_written_out_by_occasion() -> None:
    raw = mapping(
        observe={"Y": "a + eta_a + k1 + k2"},
        random={
            "k1": {"variance": 0.4, "level": "occasion"},
            "eta_a": {"variance": 0.5},
            "k2": {"variance": 0.2, "level": "occasion"},
        },
        covariance=[["k1", "k2", 0.1]],
    )
    model, _ = population_model(raw)
    wanted = np.zeros((5, 5))
    wanted[0, 0] = 0.5
    wanted[1:3, 1:3] = wanted[3:5, 3:5] = [[0.4, 0.1], [0.1, 0.2]]
    assert expanded_omega(model, model.omega, 2) == pytest.approx(wanted)


def test_a_start_that_cannot_be_estimated_from_is_refused_with_all_reasons() -> None:
    raw = mapping(
        fixed={"a": {"value": 5.0, "lower": 6}},
        random={"eta_a": {"variance": 0.0}, "eta_b": {"variance": 1.0, "fixed": True}, "eta_c": {"variance": 1.0}},
        covariance=[["eta_b", "eta_c", 0.1]],
        observe={"Y": "a + eta_a + eta_b + eta_c"},
        residual={"s": 0.0},
    )
    model, _ = population_model(raw)
    with pytest.raises(EstimationError) as caught:
        scale_of(model)
    text = str(caught.value)
    for part in ("a starts at 5, not between its bounds 6", "['eta_a'] is 0", "some are fixed", "s starts at 0"):
        assert part in text
    everything = mapping(
        fixed={"a": {"value": 5.0, "fixed": True}},
        random={"eta_a": {"variance": 0.5, "fixed": True}},
        residual={"s": {"value": 0.5, "fixed": True}},
    )
    with pytest.raises(EstimationError, match="nothing to estimate"):
        scale_of(population_model(everything)[0])


def test_what_the_data_do_not_tell_is_named() -> None:
    raw = mapping(observe={"Y": "a + b + eta_a"}, fixed={"a": 4.0, "b": 1.0})  # only a + b is seen
    model, subjects, _ = prepared(raw, table(layout(), TIMES))
    found = maximise(model, subjects, "fo")
    assert any("not positive definite" in m and ("tell a" in m or "tell b" in m) for m in found.messages)
    assert np.isnan(found.table.se).all()
    assert found.objective.value == pytest.approx(one_way("fo").objective.value, abs=1e-4)


def test_a_variance_that_the_data_do_not_show_goes_to_0_and_is_named() -> None:
    y = layout()
    y += 5.0 - y.mean(axis=1, keepdims=True)  # all subjects have the same mean
    found = one_way("focei", y)
    s = np.sqrt(((y - 5.0) ** 2).mean())
    rows = found.table.set_index("name")
    assert found.converged and any(m.startswith("omega(eta_a) has no influence") for m in found.messages)
    assert rows.value["omega(eta_a)"] < 1e-3 and np.isnan(rows.se["omega(eta_a)"])
    assert rows.value["s"] == pytest.approx(s, rel=1e-3)
    assert rows.se["a"] == pytest.approx(s / np.sqrt(N * K), rel=1e-2)
    assert rows.se["s"] == pytest.approx(s / np.sqrt(2 * N * K), rel=1e-2)


def test_a_search_that_is_cut_short_says_so() -> None:
    model, subjects, _ = prepared(mapping(fixed={"a": 1.0}), table(layout(), TIMES))
    found = maximise(model, subjects, Method("focei"), most=1)
    assert not found.converged and "the minimum was not reached (after 1 iterations)" in found.messages[0]


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(mapping()), encoding="utf-8")
    table(layout(), TIMES).to_csv(tmp_path / "data.csv", index=False)
    given = [str(tmp_path / "model.yaml"), str(tmp_path / "data.csv")]
    assert command.main([*given, "--method", "focei", "--out", str(tmp_path / "out")]) == 0
    assert "omega(eta_a)" in capsys.readouterr().out
    estimates = pd.read_csv(tmp_path / "out" / "estimates.tsv", sep="\t").set_index("name")
    assert estimates.value["a"] == pytest.approx(layout().mean(), abs=1e-4)
    random = pd.read_csv(tmp_path / "out" / "random_effects.tsv", sep="\t")
    assert list(random.columns) == ["subject", "eta_a", "objective"] and len(random) == N
    covariance = pd.read_csv(tmp_path / "out" / "covariance.tsv", sep="\t", index_col="name")
    assert np.sqrt(covariance.loc["a", "a"]) == pytest.approx(estimates.se["a"], rel=1e-6)
    assert {p.stem for p in (tmp_path / "out").iterdir()} == {
        "summary", "estimates", "shrinkage", "random_effects", "covariance",
    }  # fmt: skip


def test_the_command_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(mapping(data={"lloc": 3})), encoding="utf-8")
    table(layout(), TIMES).to_csv(tmp_path / "data.csv", index=False)
    assert command.main([str(tmp_path / "model.yaml"), str(tmp_path / "data.csv")]) == 1
    assert "section data has unknown keys ['lloc']" in capsys.readouterr().err
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(mapping()), encoding="utf-8")
    (tmp_path / "data.csv").write_text("ID,TIME\n1,0\n", encoding="utf-8")
    assert command.main([str(tmp_path / "model.yaml"), str(tmp_path / "data.csv")]) == 1
    assert "DV" in capsys.readouterr().err
    assert command.main([str(tmp_path / "none.yaml"), str(tmp_path / "data.csv")]) == 1
    assert "none.yaml" in capsys.readouterr().err
