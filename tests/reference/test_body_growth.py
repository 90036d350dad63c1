"""The reference people between the ages that ICRP 89 prints, against the medians of WHO (to 2 y) and CDC (after)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body.anatomy.reference import reference_body

GROWTH = Path(__file__).resolve().parents[3] / "shared" / "data" / "systems" / "growth"
AGES = np.array([0.04, 0.08, 0.25, 0.5, 0.75, 1.5, 2, 3, 4, 7, 12, 13, 14, 16, 17, 18, 19])
PRINTED = np.array([0.0, 1.0, 5.0, 10.0, 15.0, 19.9])


@pytest.mark.reference
@pytest.mark.parametrize(("female", "quantity", "rms", "worst"), [
    (False, "wt", 0.045, 0.125), (True, "wt", 0.035, 0.09), (False, "ht", 0.02, 0.04), (True, "ht", 0.012, 0.03),
])  # fmt: skip
def test_shape_of_growth_between_printed_ages(female: bool, quantity: str, rms: float, worst: float) -> None:
    """Relative to the medians at the printed ages, which differ from ICRP 89 themselves."""
    if not GROWTH.exists():
        pytest.skip("growth charts are not beside the checkout")
    who = pd.read_csv(GROWTH / "growthfile_who.csv.gz").set_index(["sex", "agedays"])[f"who_{quantity}_m"]
    cdc = pd.read_csv(GROWTH / "growthfile_cdc_ext.csv.gz").set_index(["sex", "agedays"])[f"cdc_{quantity}_m"]

    def median(ages: np.ndarray) -> np.ndarray:
        return np.array([float((who if a < 2 else cdc)[int(female), round(a * 365.25)]) for a in ages])

    def ours(ages: np.ndarray) -> np.ndarray:
        ref = reference_body(ages, np.full(len(ages), female))
        return ref.weight if quantity == "wt" else ref.height

    at_printed = np.interp(AGES, PRINTED, ours(PRINTED) / median(PRINTED))
    error = ours(AGES) / median(AGES) / at_printed - 1.0
    assert np.sqrt(np.mean(error**2)) < rms and np.abs(error).max() < worst
