"""Regimens of a licence: amounts that units make, limits, order, doses."""

from __future__ import annotations

import pytest
from tests.unit.dose_fixture import model

from pharmtwin.inference.dose.regimens import Licence, Regimen, amounts, regimens


def licence(strengths: tuple[float, ...], **more: object) -> Licence:
    return Licence(strengths, (12.0, 24.0), "central", **more)  # type: ignore[arg-type]


def test_amounts_with_units_of_which_none_divides_the_other() -> None:
    assert list(amounts(licence((60.0, 80.0), units=2))) == [60, 80, 120, 140, 160]


def test_halves_count_as_half_a_unit() -> None:
    assert list(amounts(licence((100.0,), units=1, splits=2))) == [50, 100]
    assert amounts(licence((100.0,), units=2, splits=2))[150.0] == "1.5 x 100 mg"


def test_the_fewest_units_make_an_amount() -> None:
    made = amounts(licence((100.0, 250.0, 500.0), units=4))
    assert made[600.0] == "1 x 500 mg + 1 x 100 mg"
    assert made[500.0] == "1 x 500 mg"
    assert made[300.0] == "3 x 100 mg"
    assert 400.0 in made and 950.0 in made and 1150.0 not in made  # 950: 500 + 250 + 100 + 100


def test_amounts_in_tenths_are_not_blurred() -> None:
    assert list(amounts(licence((0.1,), units=3))) == [0.1, 0.2, 0.3]


def test_limits_hold_and_infusions_fit_their_interval() -> None:
    own = licence((250.0,), units=8, lowest_dose=500, highest_dose=1500, highest_daily=2000, durations=(2.0, 24.0))
    found = regimens(own, 48)
    assert {r.amount for r in found} == {500, 750, 1000, 1250, 1500}
    assert max(r.daily for r in found) == 2000
    assert all(r.duration <= r.interval for r in found)
    assert {(r.interval, r.n_doses) for r in found} == {(12, 4), (24, 2)}


def test_they_come_by_daily_amount_and_longer_intervals_first() -> None:
    found = regimens(licence((250.0,), units=2), 20)
    assert [(r.amount, r.interval) for r in found] == [(250, 24), (500, 24), (250, 12), (500, 12)]
    assert [r.n_doses for r in found] == [1, 1, 2, 2]  # each lasts at least the horizon


def test_a_licence_that_allows_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no dose"):
        regimens(licence((250.0,), highest_dose=100), 24)


def test_doses_are_written_out() -> None:
    given = Regimen(500, 12, 3, "central", 2.0).doses(model())
    assert [(d.time, d.amount, d.rate, d.state) for d in given] == [
        (0, 500, 250, 0),
        (12, 500, 250, 0),
        (24, 500, 250, 0),
    ]
    assert Regimen(500, 12, 3, "central", modelled=-2).doses(model())[0].rate == -2
    with pytest.raises(KeyError, match="depot"):
        Regimen(500, 12, 3, "depot").doses(model())


def test_a_name_as_a_prescription_says_it() -> None:
    assert Regimen(500, 12, 3, "central", 2.0).name == "500 mg over 2 h every 12 h"
