"""Metrics against vectors computed outside this package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pharmtwin.evaluation import metrics

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
