"""Blood: proteins and haematocrit by age, measured values first, fu and blood:plasma ratio by hand-worked numbers."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pharmtwin.body.content.blood import agp, albumin, haematocrit, protein_ratios
from pharmtwin.core.binding import blood_to_plasma, fraction_unbound

DAYS = np.arange(0, 95 * 365 + 24) / 365.25


def test_albumin_grows_to_the_adult_and_falls_with_age() -> None:
    level = albumin([0.0, 1.0, 25.0, 75.0, 85.0]).value
    assert level[0] == pytest.approx(33.746) and level[2] == pytest.approx(44.0, abs=0.1)
    assert 0.75 <= level[0] / level[2] <= 0.80, "McNamara & Alcorn 2002: 75-80 % of the adult at birth"
    assert level[3] == pytest.approx(42.5, abs=2.6) and level[4] == pytest.approx(41.3, abs=2.9), "Campion 1988, +- sd"
    assert level[2] - level[3] == pytest.approx(0.54 * 5)
    pksim = albumin([0.0, 25.0], source="pksim").value
    assert pksim[0] / pksim[1] == pytest.approx(0.88, abs=0.01)


def test_agp_of_both_sources() -> None:
    level = agp([0.0, 14 / 365.25, 1.0, 30.0, 90.0]).value
    adult = level[3]
    assert adult == pytest.approx(0.827, abs=0.002) and level[4] == adult
    assert level[:3] / adult == pytest.approx([0.2546, 0.510, 0.955], abs=0.012), "points of PK-Sim's table"
    johnson = agp([1 / 12, 30.0], source="johnson_2006").value
    day = 365.25 / 12
    assert johnson[0] == pytest.approx(0.887 * day**0.38 / (8.89**0.38 + day**0.38)) and johnson[1] == adult


def test_haematocrit_by_age_and_sex() -> None:
    male = haematocrit([0.0, 2 / 12, 5.0, 34.7], False).value
    assert male == pytest.approx([0.51, 0.35, 0.371, 0.450], abs=0.001)
    female = haematocrit([0.0, 2 / 12, 5.0, 35.0], True).value
    assert female == pytest.approx([0.51, 0.35, 0.375, 0.394], abs=0.001)
    mixed = haematocrit([34.7, 35.0], np.array([False, True])).value
    assert mixed == pytest.approx([0.450, 0.394], abs=0.001)
    assert haematocrit(0.0, False, 30.0).value == pytest.approx(0.51 - 10 * 0.0064)
    assert haematocrit(0.3, False, 30.0).value == haematocrit(0.3, False, 40.0).value


@pytest.mark.parametrize("weeks", [26.0, 40.0])
def test_no_day_is_a_jump(weeks: float) -> None:
    for source in ("johnson_2006", "pksim"):
        assert np.abs(np.diff(albumin(DAYS, weeks, source=source).value)).max() < 0.8
        assert np.abs(np.diff(agp(DAYS, source=source).value)).max() < 0.04
    for female in (False, True):
        assert np.abs(np.diff(haematocrit(DAYS, female, weeks).value)).max() < 0.006
    grown = DAYS > 0.5
    assert np.abs(np.diff(albumin(DAYS, weeks).value[grown])).max() < 0.02
    assert np.abs(np.diff(haematocrit(DAYS, True, weeks).value[grown])).max() < 2e-4


def test_preterm_infants_have_less_albumin() -> None:
    early, term = albumin([0.0], 28.0).value, albumin([0.0], 40.0).value
    assert early[0] == pytest.approx(26.8, abs=0.1) and early[0] < term[0]
    assert albumin([10.0], 28.0).value == pytest.approx(albumin([10.0], 40.0).value, rel=1e-3)


def test_what_was_measured_is_used_and_said() -> None:
    found = albumin([1.0, 30.0, np.nan], measured=[np.nan, 30.0, 38.0])
    assert found.value.tolist() == [albumin(1.0).value, 30.0, 38.0]
    assert found.method.tolist() == ["johnson_2006", "measured", "measured"]
    assert found.cv[0] > 0 and (found.cv[1:] == 0).all()
    assert np.isnan(albumin([np.nan]).value).all() and np.isnan(haematocrit([np.nan], True).value).all()
    with pytest.raises(ValueError, match="unit"):
        albumin([30.0], measured=[4.2])  # g/dL
    with pytest.raises(ValueError, match="unit"):
        haematocrit([30.0], True, measured=[42.0])  # per cent
    with pytest.raises(KeyError, match="pksim"):
        albumin([30.0], source="nobody")


def test_unbound_fraction_by_hand() -> None:
    assert fraction_unbound(0.1, "albumin", 0.75) == pytest.approx(1 / (1 + 9 * 0.75))
    assert fraction_unbound(0.02, "AGP", 0.25) == pytest.approx(1 / (1 + 49 * 0.25))
    both = fraction_unbound(0.1, {"albumin": 0.4, "AGP": 0.6}, {"albumin": 0.8, "AGP": 0.5})
    assert both == pytest.approx(1 / (1 + 9 * (0.4 * 0.8 + 0.6 * 0.5)))
    assert fraction_unbound(0.1, "lipoproteins", 0.2) == pytest.approx(0.1)
    assert fraction_unbound(1.0, "albumin", 0.2) == 1.0
    adult = protein_ratios(albumin(25.0).value, agp(25.0).value)
    assert fraction_unbound(0.003, {"albumin": 0.5, "AGP": 0.5}, adult) == pytest.approx(0.003, rel=1e-12)


def test_blood_to_plasma_by_hand() -> None:
    # blood cells hold nothing: B:P is 1 - Hct
    assert blood_to_plasma(0.55, 0.1, 0.3, 0.30, 0.45) == pytest.approx(0.70)
    # Kbu = (1.2 - 0.55)/(0.45 x 0.1) = 14.444; 1 + 0.35 (0.15 x 14.444 - 1)
    assert blood_to_plasma(1.2, 0.1, 0.15, 0.35, 0.45) == pytest.approx(1 + 0.35 * (0.15 * 0.65 / 0.045 - 1))
    assert blood_to_plasma([0.6, 1.0, 2.0], 0.2, 0.2, 0.45, 0.45) == pytest.approx([0.6, 1.0, 2.0])
    with pytest.raises(ValueError, match="1 - haematocrit"):
        blood_to_plasma(0.5, 0.1, 0.1, 0.45, 0.45)
    with pytest.raises(ValueError, match="per cent"):
        blood_to_plasma(1.0, 0.1, 0.1, 45.0, 0.45)


def test_unbound_fraction_refuses_what_it_cannot_know() -> None:
    with pytest.raises(ValueError, match="outside"):
        fraction_unbound(0.0, "albumin", 1.0)
    with pytest.raises(ValueError, match="sum to 1"):
        fraction_unbound(0.1, {"albumin": 0.4}, 1.0)
    with pytest.raises(ValueError, match="sum to 1"):
        fraction_unbound(0.1, "globulin", 1.0)
    with pytest.raises(ValueError, match="each, by name"):
        fraction_unbound(0.1, {"albumin": 0.4, "AGP": 0.6}, 1.0)
    with pytest.raises(ValueError, match="no ratio of AGP"):
        fraction_unbound(0.1, "AGP", {"albumin": 1.0})


def test_ten_thousand_people_at_once() -> None:
    rng = np.random.default_rng(1)
    age, weeks, female = rng.uniform(0, 95, 10_000), rng.uniform(24, 42, 10_000), rng.random(10_000) < 0.5
    start = time.perf_counter()
    ratio = protein_ratios(albumin(age, weeks).value, agp(age).value)
    fu = fraction_unbound(0.05, {"albumin": 0.3, "AGP": 0.7}, ratio)
    bp = blood_to_plasma(0.9, 0.05, fu, haematocrit(age, female, weeks).value, 0.45)
    assert time.perf_counter() - start < 0.5
    assert fu.shape == bp.shape == (10_000,) and (fu > 0.04).all() and (fu < 0.25).all() and np.isfinite(bp).all()
