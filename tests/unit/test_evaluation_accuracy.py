"""The accuracy table and its verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pharmtwin.evaluation.accuracy import accuracy, published_auc
from pharmtwin.evaluation.verdict import verdict

KEPT = "steady-state troughs kept aside (synthetic)"


def predictions(errors: dict[str, float], n: int = 20) -> pd.DataFrame:
    """Every model off by its own factor, alternately too high and too low."""
    rows = []
    for i in range(n):
        for model, fold in errors.items():
            for use, time in (("fit", 2.0), ("test", 168.0)):
                observed = 10.0 + i
                median = observed * fold ** (1 if i % 2 else -1)
                rows.append((f"T{i:02d}", model, time, use, observed, median, median / 1.5, median * 1.5))
    names = ["twin_id", "model", "time_h", "use", "observed", "median", "lo90", "hi90"]
    return pd.DataFrame(rows, columns=names)


def published() -> pd.DataFrame:
    rows = []
    for study, role in (("A 2001", "building"), ("B 2002", "verification"), ("C 2003", "verification")):
        for model, fold in (("drug_file", 1.5), ("fitted", 1.2)):
            for time, observed in ((0.0, 0.0), (1.0, 10.0), (3.0, 10.0), (5.0, 0.0)):
                median = observed * fold
                rows.append(
                    (study, study, "AS=2", "40 mg", role, model, time, observed, median, median / 2, median * 2)
                )
    names = ["profile", "study", "group", "dose", "role", "model", "time_h", "observed", "median", "lo90", "hi90"]
    return pd.DataFrame(rows, columns=names)


def figure(table: pd.DataFrame, data_set: str, model: str, metric: str) -> pd.Series:
    rows = table[(table["data_set"] == data_set) & (table["model"] == model) & (table["metric"] == metric)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_models_stand_side_by_side_with_known_figures() -> None:
    table = accuracy(predictions({"population": 2.0, "covariates": 1.5, "twin": 1.2}), None, "synthetic", 1)
    assert figure(table, KEPT, "population", "GMFE")["value"] == pytest.approx(2)
    assert figure(table, KEPT, "twin", "GMFE")["value"] == pytest.approx(1.2)
    assert figure(table, KEPT, "twin", "AFE")["value"] == pytest.approx(1)
    assert figure(table, KEPT, "twin", "within_1.25")["value"] == 1
    assert figure(table, KEPT, "population", "coverage_90")["value"] == 0
    assert figure(table, KEPT, "twin", "width_90")["value"] == pytest.approx(2.25)
    assert figure(table, KEPT, "twin", "GMFE_ratio_to_population")["value"] == pytest.approx(0.6)
    seen = table[table["data_set"] == "concentrations the fit has seen (synthetic)"]
    assert seen["seen_by_fit"].all() and not table[table["data_set"] == KEPT]["seen_by_fit"].any()


def test_pairs_without_fold_error_are_left_out_and_not_counted() -> None:
    frame = predictions({"twin": 1.2})
    frame.loc[frame["twin_id"] == "T00", "observed"] = 0.0
    table = accuracy(frame, None, "synthetic", 1)
    assert figure(table, KEPT, "twin", "GMFE")["n"] == 19


def test_published_data_by_role_and_auc_by_trapezoid() -> None:
    areas = published_auc(published())
    assert areas["observed"].tolist() == pytest.approx([35.0] * 6)
    table = accuracy(None, published(), "synthetic", 1)
    points = "published mean profiles by CYP2D6 activity score (real, verification)"
    assert figure(table, points, "fitted", "GMFE")["value"] == pytest.approx(1.2)
    assert figure(table, points, "fitted", "GMFE")["n"] == 4
    assert np.isnan(figure(table, points, "fitted", "GMFE")["lo95"])  # two studies carry no interval
    auc = "published AUC over the sampled window by CYP2D6 activity score (real, verification)"
    assert figure(table, auc, "drug_file", "GMFE")["value"] == pytest.approx(1.5)
    assert "coverage_90" not in set(table.loc[table["data_set"] == auc, "metric"])
    assert table.loc[table["data_set"].str.contains("building"), "seen_by_fit"].all()


def test_same_seed_gives_the_same_table_whatever_the_row_order() -> None:
    frame = predictions({"population": 2.0, "twin": 1.2})
    shuffled = frame.sample(frac=1, random_state=4)
    pd.testing.assert_frame_equal(accuracy(frame, None, "synthetic", 5), accuracy(shuffled, None, "synthetic", 5))


def test_verdict_names_the_winner_with_intervals() -> None:
    text = verdict(accuracy(predictions({"population": 2.0, "twin": 1.2}), None, "synthetic", 1), "synthetic")
    assert "On 20 steady-state troughs kept aside (synthetic), the twin" in text
    assert "GMFE 1.20 (1.20 to 1.20)" in text and "the population model 2.00" in text and "no gain" not in text


def test_verdict_says_so_when_the_population_model_wins() -> None:
    text = verdict(accuracy(predictions({"population": 1.2, "twin": 1.9}), None, "synthetic", 1), "synthetic")
    assert "the population model (no patient data) has the lowest error" in text
    assert "brought no gain here" in text


def test_verdict_does_not_claim_an_unsettled_difference() -> None:
    frame = predictions({"population": 1.5, "twin": 1.5})
    rng = np.random.default_rng(0)
    frame["median"] *= np.exp(rng.normal(0, 0.2, len(frame)))
    assert "do not separate" in verdict(accuracy(frame, None, "synthetic", 1), "synthetic")


def test_verdict_without_data_claims_nothing() -> None:
    assert "does not show" in verdict(accuracy(None, None, "synthetic", 1), "synthetic")
