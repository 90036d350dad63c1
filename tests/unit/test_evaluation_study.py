"""The evaluation stage: prediction and fit apart, events, groups, evidence; and its page."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from evaluation_fixture import LIMIT, draws_tables, evaluation_tables, given, validation_of
from report_fixture import make_inputs, make_tables

from pharmtwin.core.distribution import crps
from pharmtwin.evaluation import metrics
from pharmtwin.evaluation.people import people, phenotypes
from pharmtwin.evaluation.study import accuracy_table, group_table, metric_table, with_before
from pharmtwin.pbpk.scores import exceedance_rows, score_rows
from pharmtwin.report.evaluation import evaluation_page, flagged
from pharmtwin.report.render import render, templates
from pharmtwin.tables import conform

ASIDE = "steady-state troughs kept aside (synthetic)"
SEEN = "concentrations the fit has seen (synthetic)"


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return make_tables(16, 10)


@pytest.fixture(scope="module")
def evaluated(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return evaluation_tables(tables)


def cell(table: pd.DataFrame, name: str, model: str, metric: str) -> pd.Series:
    rows = table[(table["data_set"] == name) & (table["model"] == model) & (table["metric"] == metric)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_scores_of_a_distribution_written_out() -> None:
    """Draws 1, 2, 3, observed 2: E|X - y| = 2/3, E|X - X'| = 8/9, so CRPS 2/9; half of the draw at 2 lies below."""
    samples = pd.DataFrame({"time_h": [1.0], "dv_ng_ml": [2.0]})
    (row,) = score_rows("T", "twin", samples, np.array([[1.0], [2.0], [3.0]]))
    assert row["crps"] == pytest.approx(2 / 9) and row["pit"] == pytest.approx(0.5) and row["n_draws"] == 3
    assert crps([[1.0, 2.0, 3.0]], [2.0]) == pytest.approx([2 / 9])


def test_a_probability_from_draws_is_never_sure() -> None:
    samples = pd.DataFrame({"time_h": [1.0, 2.0], "dv_ng_ml": [2.0, 9.0]})
    rows = exceedance_rows("T", "twin", samples, np.array([[1.0, 8.0], [1.5, 9.0]]), [5.0])
    assert [r["probability"] for r in rows] == pytest.approx([0.5 / 3, 2.5 / 3])
    conform("exceedance", pd.DataFrame(rows))


def test_prediction_and_goodness_of_fit_are_apart(evaluated: dict[str, pd.DataFrame]) -> None:
    table = evaluated["evaluation_metrics"]
    assert not table.loc[table["data_set"] == ASIDE, "seen_by_fit"].any()
    assert table.loc[table["data_set"] == SEEN, "seen_by_fit"].all()
    assert {
        "GMFE",
        "CCC",
        "CCC_of_change",
        "CRPS",
        "coverage",
        "within_1.5_fold",
        "NMSE",
        "MPE",
        "calibration_slope",
    } <= set(table.loc[table["data_set"] == ASIDE, "metric"])
    event = table[table["kind"] == "event"]
    assert set(event["data_set"]) == {f"{ASIDE}: above {LIMIT:g} ng/mL", f"{SEEN}: above {LIMIT:g} ng/mL"}
    assert set(event["metric"]) == {
        "Brier", "C_statistic", "calibration_slope", "calibration_intercept", "calibration_in_the_large"
    }  # fmt: skip


def test_figures_are_those_of_the_pairs(tables: dict[str, pd.DataFrame], evaluated: dict[str, pd.DataFrame]) -> None:
    mine = tables["predictions"]
    mine = mine[(mine["use"] == "test") & (mine["model"] == "twin")]
    row = cell(evaluated["evaluation_metrics"], ASIDE, "twin", "GMFE")
    assert row["value"] == pytest.approx(metrics.gmfe(mine["median"], mine["observed"]))
    assert (row["n"], row["n_subjects"]) == (len(mine), mine["twin_id"].nunique())
    same = cell(accuracy_table(given(tables)), ASIDE, "twin", "GMFE")
    assert tuple(row[["value", "lo95", "hi95"]]) == tuple(same[["value", "lo95", "hi95"]])  # one figure, one interval


def test_change_is_from_the_sample_before_of_the_same_twin_and_model() -> None:
    frame = pd.DataFrame({"twin_id": ["a", "b", "a"], "model": "twin", "time_h": [5.0, 1.0, 2.0],
                          "observed": [50.0, 7.0, 20.0], "median": [51.0, 8.0, 21.0]})  # fmt: skip
    out = with_before(frame).set_index(["twin_id", "time_h"])
    assert out.loc[("a", 5.0), ["observed_before", "predicted_before"]].tolist() == [20.0, 21.0]
    assert out.loc[[("a", 2.0), ("b", 1.0)], "observed_before"].isna().all()


def test_genotype_groups_are_the_most_probable_phenotype() -> None:
    rows = [("a", "CYP2D6", "*1/*4", 0.4, "IM"), ("a", "CYP2D6", "*1/*1", 0.3, "NM"),
            ("a", "CYP2D6", "*1/*2", 0.3, "NM"), ("a", "CYP2C9", "*1/*1", 1.0, "NM"),
            ("b", "CYP2D6", "*4/*4", 1.0, "PM")]  # fmt: skip
    genotype = pd.DataFrame(rows, columns=["twin_id", "gene", "diplotype", "probability", "phenotype"])
    assert phenotypes(genotype, "CYP2D6").to_dict() == {"a": "NM", "b": "PM"}
    body = pd.DataFrame({"twin_id": ["a"], "quantity": ["eGFR"], "value": [80.0]})
    who = people(pd.DataFrame({"twin_id": ["a", "c"], "ancestry": ["EUR", ""], "age_y": [40, None]}), genotype, body)
    assert who["genotype"].tolist() == ["NM", "unknown"] and who["ancestry"].tolist() == ["EUR", "unknown"]
    assert who["egfr"].tolist()[0] == 80.0 and np.isnan(who["egfr"].tolist()[1])


def test_every_twin_is_in_one_group_of_each_axis(evaluated: dict[str, pd.DataFrame]) -> None:
    groups = evaluated["evaluation_groups"]
    mine = groups[(groups["data_set"] == ASIDE) & (groups["model"] == "twin") & (groups["metric"] == "GMFE")]
    assert set(mine["axis"]) == {"genotype", "ancestry", "age", "renal function"}
    assert mine.groupby("axis")["n_subjects"].sum().unique().tolist() == [10]
    assert mine["flag"].str.contains("small group").all()  # ten twins
    few = mine[mine["n_subjects"] < 5]
    assert len(few) and few["gap_lo95"].isna().all()


def test_a_worse_group_is_flagged_and_named(tables: dict[str, pd.DataFrame]) -> None:
    worse = {k: v.copy() for k, v in tables.items() if isinstance(v, pd.DataFrame)}
    old = sorted(worse["predictions"]["twin_id"].unique())[:5]
    worse["covariates"] = worse["covariates"].assign(age=np.where(worse["covariates"]["twin_id"].isin(old), 70.0, 30.0))
    off = worse["predictions"]["twin_id"].isin(old) & (worse["predictions"]["model"] == "twin")
    worse["predictions"].loc[off, ["median", "lo90", "hi90"]] *= 5.0
    groups = group_table(given(worse))
    assert any("GMFE" in s and "twin model in age 65 years and older" in s for s in flagged(groups))


def test_evidence_is_what_the_tables_show(tables: dict[str, pd.DataFrame], evaluated: dict[str, pd.DataFrame]) -> None:
    shown = validation_of({**tables, **evaluated, "accuracy": accuracy_table(given(tables))})
    by = shown.set_index("activity")
    assert by.loc["held_out", "status"] == "done" and "GMFE: population" in by.loc["held_out", "result"]
    assert by.loc["subgroups", "status"] == "done" and "flagged as small" in by.loc["subgroups", "result"]
    assert by.loc["rerun", "status"] == "not done" and "verify" in by.loc["rerun", "why_not"]
    nothing = validation_of({})
    assert (nothing["status"] == "not done").all() and nothing["why_not"].notna().all()


def test_the_page_shows_both_uses_all_tiers_and_all_figures(
    tables: dict[str, pd.DataFrame], evaluated: dict[str, pd.DataFrame]
) -> None:
    page = evaluation_page(make_inputs(tables, **evaluated))
    text = re.sub(r"/\* bundle begins.*?bundle ends \*/", "", render(page, templates()), flags=re.S)
    words = ("Only these show prediction", "never a proof of prediction", "CRPS", "C\u2011statistic", "Verification",
             "Clinical utility", "needs a trial", "Where observations fall", "Error by group of people")  # fmt: skip
    assert [w for w in words if w not in text] == []
    bare = render(evaluation_page(make_inputs(tables, predictions=None, validation=None)), templates())
    assert "No observations were kept aside" in bare and "The evaluation stage did not run" in bare


def test_scores_have_a_row_a_prediction(tables: dict[str, pd.DataFrame]) -> None:
    drawn = draws_tables(tables["predictions"])
    assert len(conform("predictive_scores", drawn["predictive_scores"])) == len(tables["predictions"])
    assert metric_table(given(tables)).equals(metric_table(given(tables)))
