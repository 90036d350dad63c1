"""Sampler diagnostics: definitions written out again, chains whose answer is known, and a verdict that is not easy."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from pharmtwin.inference.criticism.diagnostics import SamplerRun, diagnostic_rows, parameter_table
from pharmtwin.inference.criticism.limits import judged, limits, verdict

Floats = NDArray[np.float64]


def autoregressive(phi: float, chains: int, draws: int, seed: int) -> Floats:
    """Stationary AR(1) chains of variance 1."""
    rng = np.random.default_rng(seed)
    x = np.empty((chains, draws))
    x[:, 0] = rng.normal(size=chains)
    for i in range(1, draws):
        x[:, i] = phi * x[:, i - 1] + math.sqrt(1 - phi**2) * rng.normal(size=chains)
    return x


def good_run(**changed: object) -> SamplerRun:
    rng = np.random.default_rng(0)
    given = {
        "diverging": np.zeros((4, 500), dtype=bool), "energy": rng.normal(size=(4, 500)),
        "depth": np.full((4, 500), 3), "max_depth": 10, "solver_failures": 0,
    }  # fmt: skip
    return SamplerRun(**(given | changed))  # type: ignore[arg-type]


def rank_normalised_split_rhat(x: Floats) -> float:
    """Vehtari 2021, equations 3-4 and 14: the larger of the values for location and for scale, written out again."""

    def rhat(z: Floats) -> float:
        n = z.shape[1]
        within, between = z.var(axis=1, ddof=1).mean(), n * z.mean(axis=1).var(ddof=1)
        return math.sqrt(((n - 1) / n * within + between / n) / within)

    def scores(z: Floats) -> Floats:
        return np.asarray(norm.ppf((rankdata(z).reshape(z.shape) - 0.375) / (z.size + 0.25)))

    half = np.concatenate(np.split(x, 2, axis=1))
    return max(rhat(scores(half)), rhat(scores(np.abs(half - np.median(half)))))


def test_rhat_is_that_of_the_definition() -> None:
    x = autoregressive(0.5, 4, 400, 1) + np.array([0.0, 0.1, 0.0, 0.3])[:, None]
    table = parameter_table({"a": x})
    assert table["rhat"][0] == pytest.approx(rank_normalised_split_rhat(x), rel=1e-10)
    scaled = autoregressive(0.0, 4, 400, 2) * np.array([1, 1, 1, 3.0])[:, None]  # same place, another spread
    assert parameter_table({"a": scaled})["rhat"][0] == pytest.approx(rank_normalised_split_rhat(scaled), rel=1e-10)


def test_an_autoregressive_chain_has_the_known_effective_size_and_errors() -> None:
    x = autoregressive(0.6, 4, 20_000, 3)
    row = parameter_table({"a": x}).iloc[0]
    effective = 80_000 * (1 - 0.6) / (1 + 0.6)
    assert row["ess_bulk"] == pytest.approx(effective, rel=0.05)
    assert row["mcse_mean"] == pytest.approx(1 / math.sqrt(effective), rel=0.05)
    # squares of a normal AR(1) have autocorrelation phi^2, and var(x^2) is 2
    assert row["mcse_sd"] == pytest.approx(math.sqrt(2 / (80_000 * (1 - 0.36) / (1 + 0.36))) / 2, rel=0.05)


def test_vectors_are_spread_over_rows_and_uneven_draws_are_refused() -> None:
    rng = np.random.default_rng(4)
    table = parameter_table({"a": rng.normal(size=(2, 50)), "b": rng.normal(size=(2, 50, 2))})
    assert list(table["parameter"]) == ["a", "b[0]", "b[1]"]
    with pytest.raises(ValueError, match="same numbers"):
        parameter_table({"a": rng.normal(size=(2, 50)), "b": rng.normal(size=(2, 51))})
    with pytest.raises(ValueError, match="same numbers"):
        parameter_table({})


def test_independent_draws_of_four_chains_are_good() -> None:
    table = parameter_table({"a": np.random.default_rng(5).normal(size=(4, 500))})
    rows = diagnostic_rows(table, good_run(), 4)
    assert verdict(rows) == "good"
    assert list(rows["check"]) == list(limits("sampler"))
    assert rows.set_index("check")["limit"]["min_ess_bulk"] == "at least 400"


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"diverging": np.eye(4, 500, dtype=bool)}, "divergences"),
        ({"energy": autoregressive(0.9, 4, 500, 6)}, "min_e_bfmi"),  # E-BFMI of AR(1) energies is 2 (1 - phi) = 0.2
        ({"depth": np.full((4, 500), 10)}, "max_treedepth_hits"),
        ({"solver_failures": 1}, "solver_failures"),
    ],
)
def test_each_fault_of_the_run_is_named(changed: dict[str, object], check: str) -> None:
    table = parameter_table({"a": np.random.default_rng(7).normal(size=(4, 500))})
    assert verdict(diagnostic_rows(table, good_run(**changed), 4)) == f"failed: {check}"


def test_energy_fraction_of_an_autoregressive_energy() -> None:
    run = good_run(energy=autoregressive(0.8, 1, 50_000, 8))
    table = parameter_table({"a": np.random.default_rng(9).normal(size=(4, 500))})
    rows = diagnostic_rows(table, run, 4).set_index("check")
    assert rows["value"]["min_e_bfmi"] == pytest.approx(2 * (1 - 0.8), rel=0.05)


def test_one_bad_parameter_among_good_ones_is_named() -> None:
    rng = np.random.default_rng(10)
    draws = {"good": rng.normal(size=(4, 1000)), "slow": autoregressive(0.97, 4, 1000, 11)}
    rows = diagnostic_rows(parameter_table(draws), good_run(), 4).set_index("check")
    assert not rows["passed"]["min_ess_bulk"] and rows["worst"]["min_ess_bulk"] == "slow"


def test_a_parameter_that_never_moves_is_not_good() -> None:
    draws = {"a": np.random.default_rng(12).normal(size=(4, 500)), "stuck": np.ones((4, 500))}
    rows = diagnostic_rows(parameter_table(draws), good_run(), 4)
    assert rows.set_index("check")["worst"]["max_rhat"] == "stuck"
    assert "max_rhat (no value)" in verdict(rows)


def test_what_was_not_looked_at_is_not_good() -> None:
    table = parameter_table({"a": np.random.default_rng(13).normal(size=(4, 500))})
    assert "divergences (no value)" in verdict(diagnostic_rows(table, good_run(diverging=None), 4))
    rows = diagnostic_rows(table, good_run(), 4)
    assert verdict(rows[rows["check"] != "divergences"]) == "not looked at: divergences"
    assert verdict(rows.iloc[:0]).startswith("not looked at: chains")


def test_a_row_beyond_the_table_counts_and_two_chains_are_too_few() -> None:
    table = parameter_table({"a": np.random.default_rng(14).normal(size=(4, 500))})
    extra = pd.DataFrame([{"check": "own", "value": 1.0, "limit": "none", "passed": False, "worst": ""}])
    assert verdict(pd.concat([diagnostic_rows(table, good_run(), 4), extra])) == "failed: own"
    assert verdict(diagnostic_rows(table, good_run(), 2)) == "failed: chains"


def test_limits_have_their_side() -> None:
    asked = limits("sampler")
    assert not asked["max_rhat"].passes(1.01) and asked["max_rhat"].passes(1.0099)
    assert asked["min_ess_bulk"].passes(400) and not asked["min_ess_bulk"].passes(399.9)
    assert not asked["min_e_bfmi"].passes(0.3) and not asked["max_rhat"].passes(math.nan)
    with pytest.raises(KeyError, match="no group"):
        limits("nothing")
    with pytest.raises(KeyError, match="no limit for"):
        judged("sampler", {"colour": (1.0, "")})
