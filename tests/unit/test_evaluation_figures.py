"""Figures of accuracy beyond the fold errors: known answers, intervals, groups and their gaps."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pharmtwin.core import distribution
from pharmtwin.evaluation import agreement, probability
from pharmtwin.evaluation.bootstrap import Resampler
from pharmtwin.evaluation.catalogue import EVENTS, RATIOS, VALUES
from pharmtwin.evaluation.fairness import by_group, cut, groups_of
from pharmtwin.evaluation.figures import figures, with_crps


def table(n_subjects: int = 60, each: int = 3, seed: int = 1) -> pd.DataFrame:
    """Predictions of made-up people; group b is predicted twice too high."""
    rng = np.random.default_rng(seed)
    n = n_subjects * each
    subject = np.repeat(np.arange(n_subjects), each)
    group = np.where(subject % 4 == 0, "b", "a")
    observed = np.exp(rng.normal(size=n))
    predicted = observed * np.exp(0.2 * rng.normal(size=n)) * np.where(group == "b", 2.0, 1.0)
    return pd.DataFrame({"subject": subject, "observed": observed, "predicted": predicted, "lo": predicted / 1.5,
                         "hi": predicted * 1.5, "observed_before": observed * np.exp(0.1 * rng.normal(size=n)),
                         "predicted_before": predicted * np.exp(0.1 * rng.normal(size=n)), "genotype": group,
                         "age_y": np.where(subject % 2 == 0, 10.0, 40.0), "egfr": 95.0})  # fmt: skip


# ---- known answers


def test_agreement_written_out() -> None:
    pred, obs = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 3.0])
    assert agreement.nmse(pred, obs) == pytest.approx((1 + 0 + 1) / 3 / (7 / 3 * 7 / 3))
    assert agreement.rmse(pred, obs) == pytest.approx(math.sqrt(2 / 3))
    assert agreement.mpe(pred, obs) == pytest.approx(100 * (-0.5 + 0 + 1 / 3) / 3)
    assert agreement.relative_rmse(pred, obs) == pytest.approx(100 * math.sqrt((0.25 + 1 / 9) / 3))
    assert agreement.mean_error(pred, obs) == pytest.approx(0)
    assert agreement.share_within_percent([0.8, 1.2, 1.21], [1, 1, 1], 20) == pytest.approx(2 / 3)
    assert agreement.calibration_line([1, 2, 3], [3, 5, 7]) == pytest.approx((2, 1))


def test_concordance_is_correlation_times_bias_correction() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=200)
    y = 0.5 + 0.8 * x + 0.3 * rng.normal(size=200)
    sx, sy = x.std(), y.std()
    correction = 2 / (sx / sy + sy / sx + (x.mean() - y.mean()) ** 2 / (sx * sy))  # Lin 1989
    assert agreement.ccc(x, y) == pytest.approx(stats.pearsonr(x, y).statistic * correction)
    assert agreement.ccc(x, x) == pytest.approx(1)


def test_levels_may_agree_where_changes_do_not() -> None:
    rng = np.random.default_rng(3)
    before = 10 * rng.normal(size=300)
    change = rng.normal(size=300)
    levels = agreement.ccc(before - change, before + change)
    changes = agreement.ccc_of_change(before - change, before + change, before, before)
    assert levels > 0.95 and changes == pytest.approx(-1, abs=0.02)


def test_crps_of_a_normal_distribution() -> None:
    y = np.array([-1.5, 0.0, 0.3, 2.0])
    draws = np.tile(stats.norm.ppf((np.arange(4000) + 0.5) / 4000), (4, 1))
    exact = (
        y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / math.sqrt(math.pi)
    )  # Gneiting and Raftery 2007
    assert distribution.crps(draws, y) == pytest.approx(exact, abs=1e-3)
    assert distribution.crps([[1.0, 3.0]], [2.0]) == pytest.approx([0.5])
    assert distribution.crps([[2.0]], [5.0]) == pytest.approx([3.0])  # one draw: the absolute error


def test_interval_score_and_pit() -> None:
    score = distribution.interval_score([1.0, 0.0, 4.0], [0.5, 0.5, 0.5], [2.0, 2.0, 2.0], 0.9)
    assert score == pytest.approx([1.5, 1.5 + 20 * 0.5, 1.5 + 20 * 2])
    assert distribution.pit([[1, 2, 3, 4], [1, 2, 2, 3]], [2.5, 2.0]) == pytest.approx([0.5, 0.5])


def test_brier_and_its_parts() -> None:
    p, y = np.array([0.1, 0.1, 0.8, 0.8, 0.8, 0.4]), np.array([0, 1, 1, 1, 0, 0])
    parts = probability.brier_parts(p, y)
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(probability.brier(p, y))
    assert parts.uncertainty == pytest.approx(0.25)


def test_c_statistic_is_the_rank_sum() -> None:
    rng = np.random.default_rng(4)
    p, y = rng.integers(0, 10, 80) / 10, rng.integers(0, 2, 80)
    u = stats.mannwhitneyu(p[y == 1], p[y == 0]).statistic
    assert probability.c_statistic(p, y) == pytest.approx(u / (y.sum() * (1 - y).sum()))
    assert math.isnan(probability.c_statistic([0.2, 0.3], [1, 1]))


def test_concordance_of_times_that_may_be_censored() -> None:
    # pairs that count: 1-2, 1-3, 1-4, 3-4 (subject 2 is censored before 3 and 4)
    assert probability.harrell_c([4, 2, 3, 3], [1, 2, 3, 4], [1, 0, 1, 1]) == pytest.approx(3.5 / 4)
    assert math.isnan(probability.harrell_c([1, 2], [1, 2], [0, 0]))


def test_calibration_of_probabilities() -> None:
    p = np.repeat([0.25, 0.75], 8)
    y = np.array([1] * 2 + [0] * 6 + [1] * 6 + [0] * 2)
    good = probability.calibration(p, y)
    assert (good.slope, good.intercept, good.in_the_large) == (pytest.approx(1), pytest.approx(0), pytest.approx(0))
    logit = np.log(p / (1 - p))
    bold = probability.calibration(1 / (1 + np.exp(-2 * logit)), y)
    assert bold.slope == pytest.approx(0.5)  # predictions twice too extreme
    high = probability.calibration(1 / (1 + np.exp(-(logit + 1))), y)
    assert high.slope == pytest.approx(1) and high.intercept == pytest.approx(-1)
    parted = probability.calibration([0.2, 0.3, 0.8], [0, 0, 1])
    assert math.isnan(parted.slope) and np.isfinite(parted.in_the_large)
    assert math.isnan(probability.calibration([0.0, 0.5, 0.8], [0, 0, 1]).slope)


@pytest.mark.parametrize("bad", [([0.5], [2]), ([1.5], [1]), ([], []), ([0.5, 0.5], [1])])
def test_events_refuse_what_is_none(bad: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError):
        probability.brier(*bad)


# ---- intervals


@pytest.mark.parametrize("figure", [*VALUES, *RATIOS, *EVENTS[:1]], ids=lambda f: f.name)
def test_a_figure_is_the_function_of_means_that_its_bootstrap_takes(figure) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(6)
    data = with_crps(table(), rng.normal(size=(180, 20)))
    data = data.assign(probability=rng.uniform(size=180), happened=rng.integers(0, 2, 180))
    columns = {c: data[c].to_numpy(float) for c in figure.needs}
    means = figure.moments.features(columns).mean(axis=0)
    assert float(figure.moments.combine(means)) == pytest.approx(figure.compute(columns), rel=1e-12)


def test_both_ways_of_drawing_agree() -> None:
    data = table()
    columns = {c: data[c].to_numpy(float) for c in ("predicted", "observed")}
    gmfe = VALUES[0]
    sampler = Resampler(data["subject"].to_numpy(str), 1, "x", 200)
    quick, slow = sampler.draws(gmfe.compute, columns, gmfe.moments), sampler.draws(gmfe.compute, columns)
    assert quick == pytest.approx(slow, rel=1e-12)


def test_intervals_draw_subjects_and_follow_the_name() -> None:
    data = table(40, 25)
    data["predicted"] = data["observed"] * np.repeat(np.exp(0.3 * np.random.default_rng(7).normal(size=40)), 25)
    row = figures(data, 1, "x").set_index("metric").loc["AFE"]
    spread = np.log(data["predicted"] / data["observed"]).groupby(data["subject"]).mean().std(ddof=0) / math.sqrt(40)
    assert (math.log(row["hi95"]) - math.log(row["lo95"])) / 3.92 == pytest.approx(spread, rel=0.12)
    pd.testing.assert_frame_equal(figures(data, 1, "x"), figures(data, 1, "x"))
    assert figures(data, 1, "x")["lo95"].iloc[0] != figures(data, 1, "y")["lo95"].iloc[0]


def test_every_row_left_out_is_counted_and_every_missing_figure_told() -> None:
    data = table()
    data.loc[0, "observed"], data.loc[1, "predicted"] = 0.0, np.nan
    rows = figures(data, 1, "x").set_index("metric")
    assert rows.loc["GMFE", ["n", "n_left_out"]].tolist() == [178, 2]
    assert rows.loc["RMSE", ["n", "n_left_out"]].tolist() == [179, 1]
    none = figures(data.assign(observed=0.0), 1, "x").set_index("metric")
    assert none.loc["GMFE", "reason"] == "no rows with all that the figure needs"
    assert none.loc["NMSE", "reason"] == "not defined for these rows"
    few = figures(data[data["subject"] < 4], 1, "x").set_index("metric")
    assert few.loc["GMFE", "interval"] == "none: too few subjects" and math.isnan(few.loc["GMFE", "lo95"])


def test_a_share_of_all_has_an_interval_with_width() -> None:
    data = table().assign(predicted=lambda d: d["observed"])
    row = figures(data, 1, "x").set_index("metric").loc["within_2_fold"]
    assert row["value"] == 1 and row["interval"] == "Wilson" and row["lo95"] == pytest.approx(0.979, abs=1e-3)


def test_events() -> None:
    rng = np.random.default_rng(8)
    p = rng.uniform(0.05, 0.95, 400)
    data = pd.DataFrame({"subject": np.arange(400), "probability": p, "happened": rng.uniform(size=400) < p})
    rows = figures(data, 1, "x", EVENTS, n_boot=200).set_index("metric")
    assert rows.loc["calibration_slope", "lo95"] < 1 < rows.loc["calibration_slope", "hi95"]
    assert rows.loc["C_statistic", "lo95"] > 0.7 and rows["n"].eq(400).all()


# ---- groups


def test_numbers_are_cut_at_the_stated_limits() -> None:
    age = cut(pd.Series([1.99, 2, 17.9, 18, 65, np.nan]), "age")
    assert list(age) == ["below 2 years", "2 to below 12 years", "12 to below 18 years", "18 to below 65 years",
                         "65 years and older", "unknown"]  # fmt: skip
    kidney = cut(pd.Series([120, 60, 59.9, 30, 15, 14.9]), "renal function")
    assert [k.split(":")[0] for k in kidney] == ["G1", "G2", "G3a", "G3b", "G4", "G5"]
    with pytest.raises(KeyError, match="no groups"):
        cut(age, "height")
    assert groups_of(table().assign(genotype=np.nan))["genotype"].eq("unknown").all()


def test_the_gap_of_a_group_that_is_predicted_worse() -> None:
    rows = by_group(table(), 1, "x", n_boot=500).set_index(["axis", "group", "metric"])
    bad = rows.loc[("genotype", "b", "AFE")]
    assert bad["gap_kind"] == "ratio" and bad["gap"] == pytest.approx(2, rel=0.1)
    assert 1.7 < bad["gap_lo95"] < bad["gap"] < bad["gap_hi95"] < 2.3
    assert bad["flag"] == "small group: 15 subject(s); differs from the others"
    assert rows.loc[("genotype", "a", "AFE"), "gap"] == pytest.approx(1 / bad["gap"])
    assert rows.loc[("genotype", "b", "coverage"), "gap_kind"] == "difference"
    alone = rows.loc[("renal function", "G1: eGFR 90 and above", "GMFE")]
    assert math.isnan(alone["gap"]) and alone["flag"] == ""  # nobody else to compare with
    assert rows.loc[("age", "2 to below 12 years", "GMFE"), "n_subjects"] == 30


def test_a_small_group_with_every_value_inside_does_not_seem_different() -> None:
    data = table(60, 1).assign(predicted=lambda d: d["observed"] * np.where(np.arange(60) % 10 == 0, 3.0, 1.0))
    data["genotype"] = np.where(np.arange(60) % 12 == 1, "rare", "other")
    row = by_group(data, 1, "x").set_index(["group", "metric"]).loc[("rare", "within_2_fold")]
    assert row["value"] == 1 and row["gap"] > 0 and row["gap_lo95"] < 0 and row["flag"] == "small group: 5 subject(s)"
