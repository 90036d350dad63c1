"""Content of liver: MPPGL vectors, abundances and turnover, enzyme per gram, continuity, refusals."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pharmtwin.body.content.liver import abundance, cppgl, enzyme_per_gram, mppgl, protein_cv, turnover
from pharmtwin.facts import fact_table

DAYS = np.arange(0, 95 * 365 + 24) / 365.25


def test_mppgl_gives_the_printed_vectors() -> None:
    assert mppgl([0, 5, 18, 30, 60, 80]) == pytest.approx([25.5, 30.0, 38.2, 40.2, 32.0, 29.4], abs=0.05)
    peak = DAYS[mppgl(DAYS).argmax()]
    assert peak == pytest.approx(28.4, abs=0.1) and mppgl(peak) == pytest.approx(40.2, abs=0.05)
    assert (mppgl([80, 90, 95]) == mppgl(80)).all(), "held, or the cubic would rise again"
    assert (mppgl([0, 10, 50], "leeder_2022") == 30.4).all()


def test_cppgl_is_twice_the_microsomal_protein() -> None:
    assert cppgl([30.0]) == pytest.approx([81.03], abs=0.05)
    assert (cppgl([1, 15], "leeder_2023") == 44.4).all()
    assert protein_cv("CPPGL") == pytest.approx(0.39) and protein_cv("MPPGL") == pytest.approx(0.20)


def test_no_day_is_a_jump() -> None:
    for quantity in (mppgl(DAYS), cppgl(DAYS), enzyme_per_gram("CYP3A4", DAYS), enzyme_per_gram("UGT2B7", DAYS)):
        assert np.abs(np.diff(quantity)).max() < 0.006 * quantity.max()


def test_abundance_and_turnover() -> None:
    assert abundance("CYP2D6").value == 10 and abundance("CYP2D6", choice="rowland_yeo_2004").value == 8
    assert abundance("CYP3A4", "gut").value == 70 and abundance("CYP3A4", "gut").unit == "nmol"
    assert np.log(2) / turnover("CYP3A4").value == pytest.approx(36, rel=1e-3)
    assert np.log(2) / turnover("CYP3A4", "gut").value == pytest.approx(23, rel=1e-3)
    assert np.log(2) / turnover("CYP2D6").value == pytest.approx(51, rel=1e-3)
    assert np.isnan(abundance("CYP2A6").cv), "no variability known is not variability zero"
    table = fact_table("physiology/abundance.tsv")
    assert table["unit"].notna().all() and table["source"].notna().all()
    assert (table.groupby(["molecule", "tissue", "quantity"])["default"].sum() <= 1).all()


def test_enzyme_per_gram_counts_age_once() -> None:
    adult = 108 * mppgl(25.0)
    by_microsomes = enzyme_per_gram("CYP3A4", [0.5, 25.0], source="salem_2014")
    assert by_microsomes == pytest.approx([108 * mppgl(0.5) * 0.47504759 / 1.05909, adult], rel=1e-3)
    by_liver = enzyme_per_gram("CYP3A4", [0.0, 25.0, 60.0], source="pksim")
    assert by_liver == pytest.approx([adult * 0.118, adult, 108 * mppgl(60.0)], rel=5e-3)


def test_refusals() -> None:
    with pytest.raises(KeyError, match="0 rows"):
        abundance("CYP9Z9")
    with pytest.raises(KeyError, match="rodrigues_1999"):
        abundance("CYP2D6", choice="nobody")
    with pytest.raises(KeyError):
        mppgl(1.0, "nobody")
    with pytest.raises(ValueError, match="size-scaled"):
        enzyme_per_gram("UGT2B7", 1.0, source="anand_2008")
    with pytest.raises(ValueError, match="below 0"):
        mppgl([-1.0])
    assert np.isnan(mppgl([np.nan])).all() and np.isnan(mppgl([np.nan], "leeder_2022")).all()


def test_ten_thousand_people_at_once() -> None:
    age = np.random.default_rng(1).uniform(0, 95, 10_000)
    start = time.perf_counter()
    for enzyme in ("CYP1A2", "CYP2C9", "CYP2C19", "CYP2D6", "CYP3A4", "UGT2B7"):
        assert enzyme_per_gram(enzyme, age).shape == age.shape
    assert time.perf_counter() - start < 1.0
