"""How numbers are written, and the time axis with shortened pauses."""

from __future__ import annotations

import pytest

from pharmtwin.report.blocks import Table
from pharmtwin.report.profiles import Clock, windows
from pharmtwin.report.words import count, interval, number, percent, plain, without_folders


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.0, "1.00"),
        (0.9996, "1.00"),
        (12.345, "12.3"),
        (99.96, "100"),
        (1234.5, "1230"),
        (0.00123456, "0.00123"),
        (1.5e-7, "1.50e-07"),
        (2.5e7, "2.50e+07"),
        (-3.14159, "-3.14"),
        (float("nan"), "–"),
        (None, "–"),
        (float("inf"), "∞"),
    ],
)
def test_three_significant_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_intervals_shares_and_counts() -> None:
    assert interval(1.234, 1, 2) == "1.23 (1.00 to 2.00)"
    assert interval(1.234, float("nan"), 2) == "1.23"
    assert [percent(x) for x in (0, 0.05, 0.5, 0.944, 0.99999, 1)] == [
        "0 %",
        "5.0 %",
        "50 %",
        "94.4 %",
        "100 %",
        "100 %",
    ]
    assert count(1234567) == "1\u202f234\u202f567"
    assert [plain(x) for x in (40.0, 1.25, 0.1234567)] == ["40", "1.25", "0.1235"]


def test_folders_are_not_shown() -> None:
    assert without_folders("/data/x/cohort.vcf") == "…/cohort.vcf"
    assert without_folders("C:\\data\\cohort.vcf") == "…/cohort.vcf"
    assert without_folders("data/cohort.vcf") == "data/cohort.vcf"


def test_a_capped_table_says_how_many_rows_are_not_listed() -> None:
    table = Table.create("t", ["a"], [[str(i)] for i in range(7)], limit=5, file="t.tsv")
    assert len(table.rows) == 5 and table.left_out == "2 further rows are not listed here; see t.tsv."
    with pytest.raises(ValueError, match="does not have 1 cells"):
        Table.create("t", ["a"], [["1", "2"]])


def test_pauses_are_found_and_shortened() -> None:
    times = [0.0, 1, 2, 3, 4, 100, 101, 102, 103, 104]
    assert windows(times) == [(0, 4), (100, 104)]
    clock = Clock.create(times)
    places = clock.place([0, 4, 100, 104, 110])
    assert (
        places[:2] == [0, 4] and places[3] - places[2] == pytest.approx(4) and places[4] - places[3] == pytest.approx(6)
    )
    assert 0 < places[2] - places[1] < 4
    assert Clock.create([0.0, 1, 2, 3]).place([2, 7]) == [2, 7]
