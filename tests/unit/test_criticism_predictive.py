"""Predictive checks, bins and VPC: percentiles by hand, censored ones by their bounds, and the true model's cover."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from pharmtwin.inference.criticism.bins import bins_by_count, bins_by_edges, bins_by_nominal
from pharmtwin.inference.criticism.predictive import interval_coverage, predictive_checks
from pharmtwin.inference.criticism.vpc import (
    VpcData,
    blq_table,
    out_of_band,
    prediction_corrected,
    vpc_data,
    vpc_table,
)

Floats = NDArray[np.float64]


def study(seed: int, n: int = 200, replicates: int = 500, shift: float = 0.0, spread: float = 1.0) -> VpcData:
    """Log-normal concentrations at four nominal times; the data differ from the simulations by shift and spread."""
    rng = np.random.default_rng(seed)
    time = np.repeat([1.0, 2.0, 4.0, 8.0], n // 4)
    centre = np.exp(-0.3 * time)
    simulated = centre * np.exp(0.4 * rng.normal(size=(replicates, n)))
    y = centre * np.exp(0.4 * spread * rng.normal(size=n) + shift)
    return vpc_data(y, simulated, time, bins_by_nominal(time))


def test_bins_of_equal_count_never_split_ties() -> None:
    x = np.array([1, 1, 1, 1, 2, 3, 4, 5, 6, 7])
    bins = bins_by_count(x, 5)
    assert len(set(bins[:4])) == 1 and (np.diff(bins) >= 0).all() and bins.max() == len(set(bins)) - 1
    assert np.bincount(bins_by_count(np.random.default_rng(0).random(100), 4)).tolist() == [25, 25, 25, 25]
    assert set(bins_by_count(np.ones(6), 3)) == {0}


def test_bins_by_edges_are_closed_on_the_left_and_the_last_on_both_sides() -> None:
    assert bins_by_edges([0, 0.9, 1, 2], [0, 1, 2]).tolist() == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="1 observations lie outside"):
        bins_by_edges([0, 3], [0, 1, 2])
    with pytest.raises(ValueError, match="rise"):
        bins_by_edges([0], [1, 1])
    with pytest.raises(ValueError, match="7 bins for 3"):
        bins_by_count([1, 2, 3], 7)


def test_percentiles_and_bands_are_those_of_numpy() -> None:
    data = study(1)
    table = vpc_table(data)
    mine = data.x == 4.0
    row = table[(table["bin"] == 2) & (table["percentile"] == 95)].iloc[0]
    assert row["observed"] == pytest.approx(np.quantile(data.y[mine], 0.95)) and row["n"] == 50
    simulated = np.quantile(data.simulated[:, mine], 0.95, axis=1)
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(simulated, [0.025, 0.975])))
    assert row["median"] == pytest.approx(np.median(simulated)) and len(table) == 12


def test_the_true_model_stays_in_the_band_and_wrong_ones_do_not() -> None:
    shares = [out_of_band(vpc_table(study(s)))["share"] for s in range(40)]
    assert 0.02 < np.mean(shares) < 0.09  # pointwise bands of 95 %: 480 rows
    shifted = vpc_table(study(1, shift=0.4))
    assert set(shifted[shifted["percentile"] == 50]["flag"]) == {"above"}
    wide = vpc_table(study(1, spread=2.0)).set_index(["bin", "percentile"])["flag"]
    assert all(wide[(b, 5.0)] == "below" and wide[(b, 95.0)] == "above" for b in range(4))


def test_strata_are_kept_apart() -> None:
    data = study(2)
    sex = np.where(np.arange(200) % 2 == 0, "F", "M")
    split = vpc_table(vpc_data(data.y, data.simulated, data.x, data.bins, list(sex)))
    only = vpc_table(
        vpc_data(data.y[sex == "M"], data.simulated[:, sex == "M"], data.x[sex == "M"], data.bins[sex == "M"])
    )
    columns = ["bin", "n", "observed", "low", "high", "flag"]
    pd.testing.assert_frame_equal(
        split[split["stratum"] == "M"][columns].reset_index(drop=True), only[columns].reset_index(drop=True)
    )


def test_prediction_correction_by_hand() -> None:
    y, pred = np.array([2.0, 6.0, 12.0]), np.array([1.0, 2.0, 4.0])
    simulated = np.random.default_rng(3).lognormal(size=(500, 3))
    data = vpc_data(y, simulated, [0, 0, 0], [0, 0, 0], lloq=0.5)
    corrected = prediction_corrected(data, pred)
    assert corrected.y == pytest.approx([4.0, 6.0, 6.0]) and corrected.lloq == pytest.approx([1.0, 0.5, 0.25])
    assert corrected.simulated == pytest.approx(simulated * [2.0, 1.0, 0.5])
    bounded = prediction_corrected(data, pred, lower=0.5)  # 0.5 + (Y - 0.5) * 1.5 / (PRED - 0.5)
    assert bounded.y == pytest.approx([0.5 + 1.5 * 3, 6.0, 0.5 + 11.5 * 1.5 / 3.5])
    logs = prediction_corrected(vpc_data(np.log(y), np.log(simulated), data.x, data.bins), np.log(pred), log_scale=True)
    assert np.exp(logs.y) == pytest.approx(corrected.y)


def test_variability_correction_gives_every_observation_the_same_spread() -> None:
    rng = np.random.default_rng(4)
    sd = np.repeat([0.5, 1.0, 3.0], 20)
    simulated = 10 + sd * rng.normal(size=(2000, 60))
    y = 10 + sd * rng.normal(size=60)
    data = vpc_data(y, simulated, np.zeros(60), np.zeros(60, dtype=int))
    corrected = prediction_corrected(data, np.full(60, 10.0), variability=True)
    assert corrected.simulated.std(axis=0) == pytest.approx(corrected.simulated.std(axis=0)[0], rel=1e-9)
    factor = (corrected.y - 10) / (y - 10)
    assert factor[:20] == pytest.approx(2.0, rel=0.1) and factor[40:] == pytest.approx(1 / 3, rel=0.1)


def test_predictions_and_replicates_that_cannot_be_used_are_refused() -> None:
    data = study(5)
    with pytest.raises(ValueError, match="above 0"):
        prediction_corrected(data, np.zeros(200))
    with pytest.raises(ValueError, match="do not vary"):
        flat = vpc_data(data.y, np.ones((500, 200)), data.x, data.bins)
        prediction_corrected(flat, np.ones(200), variability=True)
    with pytest.raises(ValueError, match="at least 500"):
        vpc_table(study(5, replicates=100))
    with pytest.raises(ValueError, match="no limit of quantification"):
        vpc_data(data.y, data.simulated, data.x, data.bins, below=np.ones(200))
    with pytest.raises(ValueError, match="finite"):
        vpc_data(np.full(200, math.nan), data.simulated, data.x, data.bins)
    with pytest.raises(ValueError, match="as many x, bins"):
        vpc_data(data.y, data.simulated[:, :5], data.x, data.bins)


def test_a_percentile_among_censored_values_is_only_bounded() -> None:
    simulated = np.exp(np.random.default_rng(6).normal(size=(500, 10)))
    y = np.array([np.nan, np.nan, np.nan, 2, 3, 4, 5, 6, 7, 8])
    data = vpc_data(y, simulated, np.zeros(10), np.zeros(10, dtype=int), below=np.isnan(y), lloq=1.0)
    table = vpc_table(data).set_index("percentile")
    assert math.isnan(table["observed"][5.0]) and table["observed_at_most"][5.0] == pytest.approx(1.0)
    assert table["observed"][50.0] == pytest.approx(3.5) and table["observed"][95.0] == pytest.approx(7.55)
    assert table["flag"][5.0] == "censored" and out_of_band(vpc_table(data))["n"] == 2
    high = vpc_data(y, simulated + 5, np.zeros(10), np.zeros(10, dtype=int), below=np.isnan(y), lloq=1.0)
    assert vpc_table(high).set_index("percentile")["flag"][5.0] == "below"  # the bound is enough to know it


def test_censored_percentiles_after_correction_hold_whatever_the_hidden_values_were() -> None:
    rng = np.random.default_rng(7)
    pred = rng.uniform(1, 3, 41)
    hidden = pred * np.exp(0.5 * rng.normal(size=41))
    below = hidden < 0.8
    data = vpc_data(
        np.where(below, np.nan, hidden), pred * np.exp(0.5 * rng.normal(size=(500, 41))), np.zeros(41),
        np.zeros(41, dtype=int), below=below, lloq=0.8,
    )  # fmt: skip
    q = list(range(5, 100, 5))
    table = vpc_table(prediction_corrected(data, pred), percentiles=q).set_index("percentile")
    truth = np.quantile(hidden * np.median(pred) / pred, np.array(q) / 100)
    known = table["observed"].notna().to_numpy()
    assert 5 < known.sum() < len(q)
    assert table["observed"].to_numpy()[known] == pytest.approx(truth[known])
    assert (truth <= table["observed_at_most"].to_numpy() + 1e-12).all()


def test_the_share_below_the_limit_is_compared_with_that_of_the_replicates() -> None:
    data = study(8)
    limited = vpc_data(data.y, data.simulated, data.x, data.bins, below=data.y < 0.2, lloq=0.2)
    table = blq_table(limited).set_index("bin")
    assert table["observed"][2] == pytest.approx((data.y[data.x == 4] < 0.2).mean())
    assert table["median"][2] == pytest.approx(np.median((data.simulated[:, data.x == 4] < 0.2).mean(axis=1)))
    assert set(table["flag"]) == {"inside"}
    none = vpc_data(data.y, data.simulated, data.x, data.bins, lloq=0.2)  # the values below it left standing
    assert blq_table(none).set_index("bin")["flag"][3] == "below"
    with pytest.raises(ValueError, match="not as corrected"):
        blq_table(prediction_corrected(limited, np.exp(-0.3 * data.x)))
    assert blq_table(data).empty


def test_predictive_checks_find_the_statistic_that_is_wrong() -> None:
    rng = np.random.default_rng(9)
    simulated = rng.normal(size=(1000, 100))
    right = predictive_checks(rng.normal(size=100), simulated)
    assert not right["flagged"].any() and set(right["statistic"]) >= {"median", "sd", "maximum"}
    wide = predictive_checks(2 * rng.normal(size=100), simulated).set_index("statistic")
    assert wide["flagged"]["sd"] and wide["p_above"]["sd"] == 0 and not wide["flagged"]["median"]
    observed = {"count above 0": lambda y: np.asarray((y > 0).sum(axis=-1), dtype=float)}
    one = predictive_checks(np.full(100, 1.0), simulated, observed).iloc[0]
    assert one["observed"] == 100 and one["p_above"] == 0 and one["flagged"]


def test_p_of_a_predictive_check_is_the_share_of_replicates_above_ties_counting_half() -> None:
    simulated = np.repeat(np.arange(500.0)[:, None], 2, axis=1)
    row = predictive_checks([100.0, 100.0], simulated, {"mean": lambda y: np.asarray(y.mean(axis=-1))}).iloc[0]
    assert row["p_above"] == pytest.approx((399 + 0.5) / 500) and row["tail"] == pytest.approx(100.5 / 500)


def test_p_values_of_the_true_prior_predictive_are_uniform() -> None:
    rng = np.random.default_rng(10)

    def data(size: tuple[int, int]) -> Floats:
        return np.asarray(rng.normal(size=(size[0], 1)) + rng.normal(size=size))  # a draw of the prior for each study

    mean = {"mean": lambda y: np.asarray(y.mean(axis=-1))}
    p = [predictive_checks(data((1, 10))[0], data((500, 10)), mean)["p_above"][0] for _ in range(300)]
    assert np.quantile(p, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.08)


def test_groups_are_checked_apart_and_few_replicates_refused() -> None:
    rng = np.random.default_rng(11)
    y = np.r_[rng.normal(size=50), rng.normal(3, 1, 50)]
    table = predictive_checks(y, rng.normal(size=(500, 100)), group=["a"] * 50 + ["b"] * 50)
    assert table.groupby("group")["flagged"].any().to_dict() == {"a": False, "b": True}
    with pytest.raises(ValueError, match="at least 500"):
        predictive_checks(y, rng.normal(size=(10, 100)))
    with pytest.raises(ValueError, match="2 groups named for 100"):
        predictive_checks(y, rng.normal(size=(500, 100)), group=["a", "b"])


def test_intervals_of_the_true_model_cover_their_share() -> None:
    rng = np.random.default_rng(12)
    table = interval_coverage(rng.normal(size=2000), rng.normal(size=(2000, 2000))).set_index("level")
    assert table["share"][0.9] == pytest.approx(0.9, abs=0.02)
    assert table["low"][0.5] < 0.5 < table["high"][0.5]
    narrow = interval_coverage(2 * rng.normal(size=500), rng.normal(size=(1000, 500))).set_index("level")
    assert narrow["high"][0.9] < 0.75  # P(|z| < 1.645 / 2) = 0.59
