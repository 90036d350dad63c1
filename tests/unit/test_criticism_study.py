"""Criticism of a study's fit: ranks and energies by hand, the true model's cover, correction by hand, small groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from criticism_fixture import PARAMETERS, make_chains, make_study

from pharmtwin.inference.criticism.bins import bins_for_percentiles
from pharmtwin.inference.criticism.chains import chain_table, energy_table, rank_table, trace_table
from pharmtwin.inference.criticism.study import chain_tables, phenotype_of, study_vpc
from pharmtwin.inference.criticism.vpc import out_of_band
from pharmtwin.tables import conform


def test_identical_chains_have_uniform_ranks() -> None:
    one = np.random.default_rng(1).normal(size=400)
    table = rank_table({"x": np.array([one] * 4)})
    assert set(table["count"]) == {20} and set(table["expected"]) == {20.0} and len(table) == 4 * 20


def test_ranks_of_two_chains_by_hand() -> None:
    low, high = np.arange(20.0), np.arange(20.0, 40.0)
    table = rank_table({"x": np.array([low, high])})
    assert table.groupby("chain")["count"].apply(list).to_list() == [[20, 0], [0, 20]]
    assert table["rank_low"].to_list() == [0.0, 0.5] * 2 and table["rank_high"].to_list() == [0.5, 1.0] * 2


def test_band_holds_chains_that_mix_and_not_one_that_is_off() -> None:
    rng = np.random.default_rng(2)
    outside = 0
    for _ in range(100):
        table = rank_table({"x": rng.normal(size=(4, 200))})
        outside += bool(((table["count"] < table["low"]) | (table["count"] > table["high"])).any())
    assert outside <= 11  # 5 expected; 11 or more in 100 have probability 0.01
    off = rng.normal(size=(4, 200)) + np.array([0, 0, 0, 1.0])[:, None]
    table = rank_table({"x": off})
    assert ((table["count"] < table["low"]) | (table["count"] > table["high"]))[table["chain"] == 3].sum() >= 2


def test_band_is_wider_for_draws_that_resemble_each_other() -> None:
    rng = np.random.default_rng(3)
    free, bound = rng.normal(size=(2, 4, 400))
    for t in range(1, 400):
        bound[:, t] = 0.9 * bound[:, t - 1] + np.sqrt(1 - 0.81) * bound[:, t]
    width = [float((t["high"] - t["low"]).iloc[0]) for t in (rank_table({"x": free}), rank_table({"x": bound}))]
    assert width[1] > 2 * width[0]


def test_a_parameter_that_never_moves_has_no_band() -> None:
    assert rank_table({"x": np.ones((2, 40))})[["low", "high"]].isna().all(axis=None)


def test_traces_are_thinned_and_keep_every_divergent_draw() -> None:
    chains = make_chains(n=400, divergent=3)
    table = trace_table(chains, shown=11)
    one = table[(table["parameter"] == PARAMETERS[0]) & (table["chain"] == 0)]
    assert {7, 8, 9, 0, 399} <= set(one["draw"]) and one["diverging"].sum() == 3 and len(one) <= 14
    row = one[one["draw"] == 8].iloc[0]
    assert row["value"] == chains.draws[PARAMETERS[0]][0, 8]


def test_energy_of_a_known_sequence() -> None:
    energy = np.array([[0.0, 2.0, 0.0, 2.0], [5.0, 5.0, 5.0, 6.0]])
    table = energy_table(energy)
    assert table.groupby(["chain", "kind"])["share"].sum().to_numpy() == pytest.approx(1.0)
    first = table[(table["chain"] == 0) & (table["share"] > 0)]
    # energies are 1 from their mean, changes 2: the outermost bars
    assert first[first["kind"] == "transition"]["high"].max() == 2.0
    assert first[first["kind"] == "transition"]["share"].to_list() == pytest.approx([1 / 3, 2 / 3])
    chains = make_chains(divergent=2)
    assert chain_table(chains)["divergences"].to_list() == [2, 0, 0, 0]
    e = chains.energy[0]
    by_hand = np.square(np.diff(e)).mean() / np.var(e)
    assert chain_table(chains)["e_bfmi"].iloc[0] == pytest.approx(by_hand, rel=0.01)


def test_without_a_fit_the_tables_are_empty_and_keep_their_schema() -> None:
    for name, table in chain_tables(None).items():
        assert len(conform(name, table)) == 0


def test_tables_keep_their_schemas() -> None:
    samples, simulated, phenotype = make_study(lloq=1.0)
    tables = {**chain_tables(make_chains()), **study_vpc(samples, simulated, 500, phenotype)}
    for name, table in tables.items():
        assert len(conform(name, table)) == len(table) > 0, name


def test_data_of_the_model_itself_stay_inside_the_bands() -> None:
    share = []
    for seed in range(6):
        samples, simulated, _ = make_study(seed=seed)
        share.append(out_of_band(study_vpc(samples, simulated, 500, {})["vpc"])["share"])
    assert np.mean(share) < 0.1


def test_data_of_another_model_leave_the_bands() -> None:
    samples, simulated, _ = make_study(shift=0.6)
    tables = study_vpc(samples, simulated, 500, {})
    medians = tables["vpc"].query("percentile == 50")
    assert (medians["flag"] == "above").mean() > 0.8


def test_prediction_correction_by_hand() -> None:
    """Two doses at one time: corrected values are y * median(typical) / typical, whatever the dose."""
    samples = pd.DataFrame(
        {"twin_id": [f"T{i}" for i in range(10)], "time_h": 1.0, "use": "fit", "lloq": np.nan,
         "typical": [1.0] * 5 + [3.0] * 5, "observed": [1.0, 1.1, 1.2, 1.3, 1.4, 3.0, 3.3, 3.6, 3.9, 4.2]}
    )  # fmt: skip
    simulated = np.tile(samples["observed"].to_numpy(), (500, 1))
    table = study_vpc(samples, simulated, 500, {})["vpc"].set_index(["corrected", "percentile"])
    corrected = [2.0, 2.2, 2.4, 2.6, 2.8] * 2  # the median of 1 and 3 is 2
    assert table.loc[(True, 50.0), "observed"] == pytest.approx(np.median(corrected)) == pytest.approx(2.4)
    assert table.loc[(True, 95.0), "observed"] == pytest.approx(np.quantile(corrected, 0.95))
    assert table.loc[(False, 50.0), "observed"] == pytest.approx(np.median(samples["observed"]))


def test_small_groups_have_no_check_and_say_why() -> None:
    samples, simulated, phenotype = make_study()
    tables = study_vpc(samples, simulated, 512, phenotype)
    state = tables["vpc_groups"].set_index(["use", "group"])["state"]
    assert state["fit", "all"] == state["fit", "Normal Metabolizer"] == "drawn"
    assert state["fit", "Poor Metabolizer"] == "2 twins, fewer than 5"
    assert state["test", "Poor Metabolizer"] == "2 samples, fewer than 10"
    assert "Poor Metabolizer" not in set(tables["vpc"]["group"])
    assert set(tables["vpc_groups"]["asked"]) == {512} and set(tables["vpc_groups"]["studies"]) == {500}


def test_too_few_studies_are_said_and_not_drawn() -> None:
    samples, simulated, _ = make_study(studies=40)
    tables = study_vpc(samples, simulated, 40, {})
    assert tables["vpc"].empty and "a band needs at least 500" in tables["vpc_groups"]["state"].iloc[0]


def test_no_sample_no_row() -> None:
    samples, _, _ = make_study(people=1)
    tables = study_vpc(samples.head(0), np.empty((0, 0)), 520, {})
    assert all(conform(name, t).empty for name, t in tables.items())


def test_values_below_the_limit_are_counted_and_ranked_lowest() -> None:
    samples, simulated, _ = make_study(lloq=3.0)
    tables = study_vpc(samples, simulated, 500, {})
    below = samples["observed"] < 3.0
    row = tables["vpc_groups"].iloc[0]
    assert row["below"] == below[samples["use"] == "fit"].sum() > 0
    fit = (samples["use"] == "fit").to_numpy()
    assert row["simulated_below"] == pytest.approx((simulated[:, fit] < 3.0).mean())
    shares = tables["vpc_blq"].query("use == 'fit'")
    assert (shares["observed"] * shares["n"]).sum() == pytest.approx(below[fit].sum())
    low = tables["vpc"].query("use == 'fit' and not corrected and percentile == 5")
    assert low["observed"].isna().any() and (low.loc[low["observed"].isna(), "observed_at_most"] >= 3.0).all()


def test_bins_follow_the_number_of_observations() -> None:
    assert bins_for_percentiles(np.arange(9.0)).max() == 0
    assert bins_for_percentiles(np.arange(35.0)).max() == 2
    assert bins_for_percentiles(np.arange(800.0)).max() == 7


def test_phenotype_is_the_most_probable_over_diplotypes() -> None:
    rows = pd.DataFrame(
        [("A", "CYP2D6", "Poor", 0.4), ("A", "CYP2D6", "Normal", 0.3), ("A", "CYP2D6", "Normal", 0.3),
         ("B", "CYP2C19", "Rapid", 1.0)], columns=["twin_id", "gene", "phenotype", "probability"]
    )  # fmt: skip
    assert phenotype_of(rows, "CYP2D6") == {"A": "Normal"}
