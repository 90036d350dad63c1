"""Metrics against vectors computed outside this package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pharmtwin.evaluation import agreement, metrics, probability

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "bayes" / "metrics" / "vectors.json"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not VECTORS.exists(), reason="reference data not beside the checkout"),
]


def test_fold_figures_agree_with_the_reference_vectors() -> None:
    ref = json.loads(VECTORS.read_text(encoding="utf-8"))["pred_obs"]
    pred, obs = ref["pred"], ref["obs"]
    assert metrics.gmfe(pred, obs) == pytest.approx(ref["AAFE_GMFE"], rel=1e-12)
    assert metrics.afe(pred, obs) == pytest.approx(ref["AFE"], rel=1e-12)
    assert 100 * metrics.share_within(pred, obs, 2) == pytest.approx(ref["pct_within_2fold"])
    assert 100 * metrics.share_within(pred, obs, 1.25) == pytest.approx(ref["pct_within_1_25fold"])


def test_agreement_agrees_with_the_reference_vectors() -> None:
    ref = json.loads(VECTORS.read_text(encoding="utf-8"))
    pair = ref["pred_obs"]
    pred, obs = pair["pred"], pair["obs"]
    assert agreement.nmse(pred, obs) == pytest.approx(pair["NMSE"], rel=1e-14)
    assert agreement.rmse(pred, obs) == pytest.approx(pair["RMSE"], rel=1e-14)
    assert agreement.ccc(pred, obs) == pytest.approx(pair["CCC_population_var"], rel=1e-14)
    assert probability.brier(ref["brier"]["p"], ref["brier"]["y"]) == pytest.approx(ref["brier"]["value"], rel=1e-14)


def test_guest_limits_agree_with_the_reference_vectors() -> None:
    for row in json.loads(VECTORS.read_text(encoding="utf-8"))["guest"]:
        for delta, key in ((1.0, "no_var"), (row["delta"], "with_var")):
            limit = float(metrics.guest_limit(row["R"], delta))
            assert [row["R"] / limit, row["R"] * limit] == pytest.approx(row[key], rel=1e-14)
