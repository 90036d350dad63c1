"""The ladder beside NUTS, and PBPK twins, on a slice; the whole runs are `make calibration`."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.core.assembly import assemble
from pharmtwin.core.drug import load_drug
from pharmtwin.inference.calibration.cases import cases
from pharmtwin.inference.calibration.coverage import agreement, agreement_passes, coverage, summary
from pharmtwin.inference.calibration.settings import settings

pytestmark = pytest.mark.reference


def test_means_of_three_twins_are_those_of_nuts() -> None:
    table = agreement(cases()["amikacin"], 3)
    assert len(table) == 12 and agreement_passes(table), table.to_string()


def test_twenty_whole_body_twins_are_covered_and_quick() -> None:
    drug = load_drug("paroxetine")
    table = coverage(cases(assemble(drug, physiology(reference_twins())), drug)["whole_body"], 20)
    found = summary(table)
    low, high = binom.interval(0.999, 20, settings("asked")["level"])
    assert low <= table["inside"].sum() <= high
    assert found["untrusted"] == 0 and found["median_seconds"] < settings("asked")["median_seconds"]
    assert found["most_seconds"] < 5.0  # processor time; issue 7: under 5 s on one core
