"""Maturation: published vectors, adult exactly 1, no jumps from birth to 95 years, early birth, refusals, speed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest

from pharmtwin.body.content.ontogeny import (
    TABLE,
    ontogeny,
    ontogeny_curve,
    ontogeny_names,
    ontogeny_published,
    ontogeny_sd,
    ontogeny_sources,
)
from pharmtwin.facts import fact_table

EVERY = [(name, source) for name in ontogeny_names() for source in ontogeny_sources(name)]
DAYS = np.arange(0, 95 * 365 + 24) / 365.25
DOCS = Path(__file__).resolve().parents[2] / "docs" / "maturation.md"


@pytest.mark.parametrize(
    ("name", "source", "ages", "expected"),
    [
        ("CYP3A4", "salem_2014", [1 / 12, 0.5, 1.0], [0.13, 0.48, 0.78]),  # science sheet, before renormalisation
        ("CYP1A2", "salem_2014", [0.0, 0.36, 3.0], [0.24, 0.975, 1.676]),
        ("CYP2D6", "salem_2013", [0.1, 1.0], [0.518, 0.912]),
        ("CYP2B6", "salem_2013", [1.0], [0.55]),
        # OSP's CYP2C8 package: 15 % at birth, peak 260 % about 14 months (after conception), adult by 5-6 years
        ("CYP2C8", "upreti_2016", [0.0, 0.15, 14 / 12 - 0.77, 5.5], [0.15, 1.425, 2.65, 1.0]),
        ("CYP3A4", "johnson_2006", [1.0], [1 / 1.31]),
        ("CYP1A2", "johnson_2006", [1.0], [1 / 2.13]),
        ("CYP2D6", "johnson_2006", [1.0], [1.01 / 1.101 + 0.036]),
        ("UGT2B7", "compiled_linear", [0.0, 10.0, 21.0], [0.113, 0.538, 1.0055]),
        ("UGT1A1", "miyagi_2011", [3.8 / 12], [0.9]),  # age at 90 % of plateau
        ("UGT1A6", "miyagi_2011", [14 / 12], [0.9]),
        ("P-gp_liver", "prasad_2016", [2.94], [0.15 + 0.41 / 2]),
    ],
)
def test_published_values(name: str, source: str, ages: list[float], expected: list[float]) -> None:
    assert ontogeny_published(name, ages, source=source) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("name", "points"),  # postmenstrual age (y) and factor as in PK-Sim's table
    [
        ("CYP3A4", [(0.77, 0.12), (1.39, 0.49), (2.08, 0.79), (3.81, 0.97)]),
        ("CYP1A2", [(0.77, 0.007), (1.14, 0.26), (1.55, 0.88)]),
        ("CYP2D6", [(0.58, 0.23), (0.96, 0.82)]),
        ("UGT2B7", [(0.77, 0.02), (1.24, 0.31), (1.89, 0.88)]),
        ("UGT1A9", [(1.47, 0.44), (3.14, 0.83)]),
    ],
)
def test_fitted_hill_functions_follow_the_table_they_were_fitted_to(
    name: str, points: list[tuple[float, float]]
) -> None:
    curve = ontogeny_curve(name, "pksim")
    age, factor = np.array(points).T
    assert curve.published(age) == pytest.approx(factor, abs=0.012)


@pytest.mark.parametrize(("name", "source"), EVERY)
@pytest.mark.parametrize("weeks", [24.0, 40.0])
def test_adults_are_exactly_one_and_no_day_is_a_jump(name: str, source: str, weeks: float) -> None:
    fraction = ontogeny(name, DAYS, weeks, source)
    assert (fraction[DAYS >= 25] == 1.0).all()
    assert (fraction >= 0).all() and fraction.max() < (2.7 if (name, source) == ("CYP2C8", "upreti_2016") else 2)
    # the fastest published rise is CYP2D6 by Upreti, 7 % to 100 % within three weeks
    assert np.abs(np.diff(fraction)).max() < 0.10
    assert np.abs(np.diff(fraction[DAYS >= 0.5])).max() < 0.02
    # no step hides in a day: a hundredth of a day moves a hundredth as far
    fine = ontogeny(name, np.arange(0, 150, 0.01) / 365.25, weeks, source)
    assert np.abs(np.diff(fine)).max() < 0.002


@pytest.mark.parametrize("name", ontogeny_names())
def test_no_default_moves_faster_than_a_whole_adult_in_the_first_fourteen_days(name: str) -> None:
    assert np.abs(np.diff(ontogeny(name, DAYS))).max() < 1 / 14


def test_every_curve_is_continuous_at_its_joints() -> None:
    for name, source in EVERY:
        curve = ontogeny_curve(name, source)
        for joint in (curve.cap, curve.adult, 18.0, 25.0):
            if np.isfinite(joint):
                around = ontogeny(name, joint + np.array([-1e-6, 0.0, 1e-6]), 40.0, source)
                assert np.ptp(around) < 1e-4, (name, source, joint)


def test_children_above_adults_come_back_to_one() -> None:
    fraction = ontogeny("CYP1A2", [1.0, 3.0, 10.0, 18.0, 25.0, 60.0])
    assert fraction[1] == pytest.approx(1.673, abs=0.002) and fraction[1] >= ontogeny("CYP1A2", DAYS).max()
    assert (np.diff(fraction[1:5]) < 0).all() and (fraction[4:] == 1.0).all()
    upreti = ontogeny("CYP3A4", [2.5, 12.5, 20.0], source="upreti_2016")
    assert upreti == pytest.approx([1.677, 1.0, 1.0], abs=0.001)
    upreti = ontogeny("CYP2C8", [0.5, 3.0, 6.0], source="upreti_2016")
    assert upreti[0] == pytest.approx(2.68, abs=0.01) and 1.5 < upreti[1] < 2.0 and upreti[2] == 1.0


def test_what_birth_drives_counts_from_birth_and_the_rest_from_term() -> None:
    days = np.array([0.0, 7.0, 30.0, 84.0]) / 365.25
    assert (ontogeny("CYP3A4", days, 28.0, "salem_2014") == ontogeny("CYP3A4", days, 40.0, "salem_2014")).all()
    assert ontogeny_curve("CYP1A2").clock == "term"
    early = ontogeny("CYP1A2", days, 28.0)
    assert early == pytest.approx(np.full(4, 0.24)), "twelve weeks early: the level of birth until term"
    for name in ("CYP3A4", "UGT2B7", "CYP2D6"):
        pma = ontogeny(name, [12 * 7 / 365.25, 0.0], [28.0, 40.0], "pksim")
        assert pma[0] == pytest.approx(pma[1], rel=1e-9), "28 weeks and 12 of life are 40 weeks"
        assert ontogeny(name, 0.0, 28.0, "pksim") < ontogeny(name, 0.0, 40.0, "pksim")
    assert ontogeny("CYP3A4", 30.0, 24.0, "pksim") == 1.0


def test_alternatives_are_there_and_differ() -> None:
    for name in ("CYP3A4", "CYP1A2", "CYP2D6", "UGT2B7"):
        sources = ontogeny_sources(name)
        half = [float(ontogeny(name, 0.25, source=s)) for s in sources]
        assert len(sources) >= 3 and len(set(half)) == len(sources)
    assert ontogeny("CYP3A4", 0.25) == ontogeny("CYP3A4", 0.25, source="pksim")


def test_cyp3a4_is_per_gram_of_liver_and_counts_from_conception() -> None:
    curve = ontogeny_curve("CYP3A4")
    assert (curve.choice, curve.basis, curve.clock) == ("pksim", "liver", "pma")
    # PK-Sim's points at 0.77, 1.39, 2.08 and 3.81 y after conception
    age = np.array([0.77, 1.39, 2.08, 3.81]) - 40 * 7 / 365.25
    assert ontogeny("CYP3A4", np.maximum(age, 0)) == pytest.approx([0.12, 0.49, 0.79, 0.97], abs=0.012)
    assert ontogeny("CYP3A4", 0.0, 28.0) < 0.5 * ontogeny("CYP3A4", 0.0)


def test_every_protein_has_a_tissue() -> None:
    tissue = {name: ontogeny_curve(name).tissue for name in ontogeny_names()}
    assert set(tissue.values()) == {"liver", "kidney", "gut", "all"} and tissue["P-gp"] == "all"
    assert all(
        where == name.rpartition("_")[2]
        for name, where in tissue.items()
        if name.endswith(("_gut", "_liver", "_kidney"))
    )
    assert {ontogeny_curve(name, source).tissue == tissue[name] for name, source in EVERY} == {True}
    assert ontogeny_curve("P-gp").basis == "membrane protein"


def test_sd_is_nothing_in_adults_and_grows_with_immaturity() -> None:
    sd = ontogeny_sd("CYP3A4", [0.0, 0.5, 5.0, 25.0, 70.0], source="pksim")
    assert (np.diff(sd[:4]) < 0).all() and (sd[3:] == 0).all()
    # PK-Sim's geometric sds 2.22 at term and 1.45 at 1.39 y after conception, less 1.18 of adults
    assert sd[0] == pytest.approx(np.sqrt(np.log(2.22) ** 2 - np.log(1.18) ** 2), rel=0.15)
    table = fact_table(TABLE)
    assert table["sd_source"].notna().all() and table["source"].notna().all()
    assert (table.groupby("name")["default"].sum() == 1).all()


def test_refusals() -> None:
    with pytest.raises(KeyError, match="CYP3A4"):
        ontogeny("CYP9Z9", 1.0)
    with pytest.raises(KeyError, match="salem_2014"):
        ontogeny("CYP3A4", 1.0, source="nobody")
    with pytest.raises(ValueError, match="below 0"):
        ontogeny("CYP3A4", [-0.1, 1.0])
    with pytest.raises(ValueError, match="22-44 weeks"):
        ontogeny("CYP3A4", 1.0, 280.0)
    assert np.isnan(ontogeny("CYP3A4", [np.nan, 1.0])).tolist() == [True, False]
    assert np.isnan(ontogeny("CYP3A4", 1.0, np.nan))
    assert np.isnan(ontogeny("CYP3A5", np.nan))


def test_ten_thousand_people_at_once() -> None:
    rng = np.random.default_rng(1)
    age, weeks = rng.uniform(0, 95, 10_000), rng.uniform(24, 42, 10_000)
    start = time.perf_counter()
    for name, source in EVERY:
        assert ontogeny(name, age, weeks, source).shape == (10_000,)
    assert time.perf_counter() - start < 2.0


def test_the_table_of_the_page_is_what_the_code_gives() -> None:
    rows = re.findall(r"^\| (\S+) \| (\S+) \|((?: [\d.]+ \|){12})$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert {(name, source) for name, source, _ in rows} == set(EVERY)
    ages = np.array([0, 7 / 365.25, 1 / 12, 0.25, 0.5, 1, 2, 5, 10, 15, 18, 25])
    for name, source, cells in rows:
        printed = [float(x) for x in cells.replace("|", " ").split()]
        assert printed == pytest.approx(ontogeny(name, ages, source=source), abs=0.0051), (name, source)
