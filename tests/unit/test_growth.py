"""Growth charts: published LMS examples and percentiles, the way back, continuity in age."""

from __future__ import annotations

import numpy as np
import pytest

from pharmtwin.body.people.growth import BLEND, EDGE, Measure, chart_value, chart_z, lms, lms_value, lms_z

BOYS, GIRLS = np.array([False]), np.array([True])
MONTH = 1 / 12


def _value(measure: Measure, z: float, age_y: float, female: bool) -> float:
    return float(chart_value(measure, np.array([z]), np.array([age_y]), np.array([female]))[0])


def test_the_worked_example_of_cdc() -> None:
    """CDC's page on its data files: boy of 9.5 months, 9.7 kg, L -0.1600954, M 9.476500305, S 0.11218624: z 0.207."""
    z = lms_z(np.array([9.7]), *(np.array([x]) for x in (-0.1600954, 9.476500305, 0.11218624)))
    assert z[0] == pytest.approx(0.207, abs=5e-4)


def test_no_skewness_is_the_logarithm() -> None:
    value = lms_value(np.array([1.0]), np.array([0.0]), np.array([10.0]), np.array([0.1]))
    assert value[0] == pytest.approx(10 * np.exp(0.1))
    assert lms_z(value, np.array([0.0]), np.array([10.0]), np.array([0.1]))[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("measure", "z", "months", "female", "published"),
    [  # WHO Child Growth Standards 2006, simplified field tables (3rd, 50th, 97th percentiles, one decimal)
        ("weight", 0.0, 0, False, 3.3),
        ("weight", 0.0, 0, True, 3.2),
        ("weight", -1.881, 12, False, 7.8),
        ("weight", 0.0, 12, False, 9.6),
        ("weight", 1.881, 12, False, 11.8),
        ("weight", 0.0, 12, True, 8.9),
        ("height", 0.0, 0, False, 49.9),
        ("height", 0.0, 0, True, 49.1),
        ("height", 0.0, 12, False, 75.7),
        ("height", 0.0, 12, True, 74.0),
        # CDC 2000, 50th and 5th percentile at 20 years
        ("height", 0.0, 240, False, 176.8),
        ("height", 0.0, 240, True, 163.3),
        ("weight", 0.0, 240, False, 70.6),
        ("weight", 0.0, 240, True, 58.2),
    ],
)
def test_published_percentiles(measure: Measure, z: float, months: int, female: bool, published: float) -> None:
    assert _value(measure, z, months * MONTH, female) == pytest.approx(published, abs=0.06)


def test_every_z_has_a_value_and_comes_back() -> None:
    z = np.linspace(-6, 6, 121)
    for measure in ("height", "weight"):
        for age in (0.0, 0.3, 2.4, 9.0, 15.0, 20.0, 60.0):
            for female in (False, True):
                at, sex = np.full(z.size, age), np.full(z.size, female)
                value = chart_value(measure, z, at, sex)
                assert (np.diff(value) > 0).all()
                np.testing.assert_allclose(chart_z(measure, value, at, sex), z, atol=1e-9)


def test_beyond_three_each_z_is_as_wide_as_the_last_one_within() -> None:
    two, three, four = (_value("weight", z, 10.0, True) for z in (2.0, EDGE, 4.0))
    assert four - three == pytest.approx(three - two)


@pytest.mark.parametrize("measure", ["height", "weight"])
def test_no_day_of_age_makes_a_jump(measure: Measure) -> None:
    days = np.arange(0, 21 * 365.25)
    for female in (False, True):
        for z in (-2.0, 0.0, 2.0):
            value = chart_value(measure, np.full(days.size, z), days / 365.25, np.full(days.size, female))
            step = np.abs(np.diff(np.log(value)))
            assert step[:60].max() < 0.014  # in the first weeks an infant gains about 1 % a day
            assert step[60:].max() < 0.007
            assert step[730:].max() < 8e-4  # the switch of charts and of lying to standing included


def test_the_blend_is_who_before_and_cdc_after() -> None:
    before, after = (lms("height", np.array([age]), BOYS) for age in BLEND)
    assert before[0][0] == 1.0  # WHO heights have L = 1 throughout
    assert after[1][0] == pytest.approx(94.95, abs=0.05)  # CDC: 95.3 at 36.5 months, growing


def test_missing_stays_missing() -> None:
    assert np.isnan(chart_z("weight", np.array([10.0]), np.array([np.nan]), GIRLS)[0])
    assert np.isnan(chart_value("weight", np.array([np.nan]), np.array([1.0]), GIRLS)[0])
