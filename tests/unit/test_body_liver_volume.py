"""Liver volume: printed vectors, the blend of two equations, names that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from pharmtwin.body.anatomy.liver_volume import METHODS, adult_weight, johnson, liver_volume
from pharmtwin.body.equations import body_surface_area

ADULT = np.full(3, 40.0)
BSA = np.array([1.6, 1.9, 2.2])
WEIGHT = np.array([60.0, 75.0, 95.0])


def test_printed_vectors_of_vauthey_and_johnson() -> None:
    assert np.round(liver_volume(BSA, WEIGHT, ADULT) * 1000).tolist() == [1233, 1613, 1994]
    assert np.round(johnson(BSA) * 1000).tolist() == [1255, 1536, 1825]
    assert liver_volume(BSA, WEIGHT, ADULT, "johnson").tolist() == johnson(BSA).tolist()


def test_alternatives_by_hand() -> None:
    assert liver_volume(BSA, WEIGHT, ADULT, "chinese_johnson") == pytest.approx((758.259 * BSA - 124.272) / 1000)
    assert liver_volume(BSA, WEIGHT, ADULT, "korean_johnson") == pytest.approx((893.485 * BSA - 439.169) / 1000)
    assert liver_volume(BSA, WEIGHT, ADULT, "vauthey_weight_johnson") == pytest.approx((191.80 + 18.51 * WEIGHT) / 1000)


def test_the_printed_line_is_refused_with_its_reason() -> None:
    with pytest.raises(ValueError, match="without its intercept"):
        liver_volume(BSA, WEIGHT, ADULT, "printed_bw_bsa_age")
    with pytest.raises(ValueError, match="known are vauthey_johnson"):
        liver_volume(BSA, WEIGHT, ADULT, "vauthey")


def test_children_have_johnson_and_the_halves_meet_at_18() -> None:
    age = np.array([0.0, 16.0, 18.0, 20.0])
    bsa = np.full(4, 1.7)
    assert adult_weight(bsa, age) == pytest.approx([0.0, 0.0, 0.5, 1.0])
    vauthey = (-794.41 + 1267.28 * 1.7) / 1000
    want = [johnson(bsa)[0], johnson(bsa)[0], (vauthey + johnson(bsa)[0]) / 2, vauthey]
    assert liver_volume(bsa, bsa, age) == pytest.approx(want)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("age", [0.0, 10.0, 17.0, 18.0, 19.0, 40.0])
def test_volume_is_positive_smooth_and_rises_with_size(method: str, age: float) -> None:
    bsa = np.linspace(0.05, 4.2, 3500)
    weight = 40.0 * bsa**1.35  # a body of that surface
    volume = liver_volume(bsa, weight, np.full(len(bsa), age), method)
    step = np.diff(volume)
    assert (volume > 0).all() and (step > 0).all()
    assert step.max() < 0.005  # L per 0.0012 m2: no jump


def test_vauthey_holds_exactly_within_its_range_only() -> None:
    bsa = np.array([0.4, 1.2, 2.6, 4.0])
    assert adult_weight(bsa, np.full(4, 30.0)) == pytest.approx([0.0, 1.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("formula", "expected"), [("mosteller", 2.000), ("dubois", 1.996), ("haycock", 2.007), ("gehan_george", 2.009)]
)
def test_body_surface_area_of_80_kg_and_180_cm(formula: str, expected: float) -> None:
    """Values as printed in the tests of the R package clinPK."""
    got = body_surface_area(np.array([80.0]), np.array([180.0]), formula)
    assert got[0] == pytest.approx(expected, abs=5e-4)


def test_unknown_formula_of_surface_is_refused() -> None:
    with pytest.raises(ValueError, match="known are mosteller"):
        body_surface_area(np.array([80.0]), np.array([180.0]), "boyd")
