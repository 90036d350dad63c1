"""Clock times: offsets, zones and the nights in which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pharmtwin.intake.regimen_text import RegimenError, parse_regimen
from pharmtwin.intake.times import Problem, instant, is_clock, is_other_date


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2026-03-29T08:00+02:00", "", (2026, 3, 29, 6)), ("2026-03-29 08:00Z", "", (2026, 3, 29, 8)),
        ("2026-03-29T08:00-0330", "", (2026, 3, 29, 11, 30)), ("2026-03-29T24:00+00", "", (2026, 3, 30, 0)),
        ("2026-03-29T01:59", "Europe/Berlin", (2026, 3, 29, 0, 59)),
        ("2026-03-29T03:00", "Europe/Berlin", (2026, 3, 29, 1)),
        ("2026-10-25T03:00", "Europe/Berlin", (2026, 10, 25, 2)),
        ("2026-07-01T12:00", "Asia/Kolkata", (2026, 7, 1, 6, 30)),
        ("2026-10-25T02:30+01:00", "Europe/Berlin", (2026, 10, 25, 1, 30)),
    ],
)  # fmt: skip
def test_instants(text, zone, utc):
    assert instant(text, zone) == datetime(*utc, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "rule"),
    [
        ("2026-03-29T08:00", "", "no_offset"), ("2026-03-29T02:30", "Europe/Berlin", "nonexistent"),
        ("2026-10-25T02:30", "Europe/Berlin", "ambiguous"), ("2026-03-08T02:30", "America/New_York", "nonexistent"),
        ("2026-02-29T08:00Z", "", "unreadable"), ("2026-03-29T25:00Z", "", "unreadable"),
        ("2026-03-29", "", "date_only"), ("2026-03-29T08:00", "Europe/Nowhere", "zone_unknown"),
        ("2026-03-29T08:00+19:00", "", "unreadable"), ("0001-01-01T00:00+05:00", "", "unreadable"),
        ("2026-03-29T08:00", "../../etc/passwd", "zone_unknown"),
    ],
)  # fmt: skip
def test_refusals(text, zone, rule):
    found = instant(text, zone)
    assert isinstance(found, Problem) and found.rule == rule


def test_what_is_a_clock_time():
    assert is_clock("2026-03-29T08:00") and not is_clock("46109.5") and not is_clock("08:00")
    assert all(is_other_date(t) for t in ("03/04/2026", "29.03.2026 08:00", "3-Apr-2026", "2026/04/03"))
    assert not any(is_other_date(t) for t in ("2026-03-29", "24", "1.5", "T-1"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("20 mg q24h x 14", [(20, 24, 14, 0, "", 0)]), ("500 ug po qd for 7 d", [(0.5, 24, 7, 0, "oral", 0)]),
        ("1 g iv over 30 min q8h x 3", [(1000, 8, 3, 0.5, "iv", 0)]), ("20 mg once", [(20, 0, 1, 0, "", 0)]),
        ("100 mg over 2h q 24 x 7 then 50 mg q 12 x 20", [(100, 24, 7, 2, "", 0), (50, 12, 20, 0, "", 168)]),
        ("10 mg twice daily × 4", [(10, 12, 4, 0, "", 0)]), ("5 mg q2d x 3", [(5, 48, 3, 0, "", 0)]),
    ],
)  # fmt: skip
def test_regimens(text, parts):
    assert [tuple(vars(p).values()) for p in parse_regimen(text)] == parts


@pytest.mark.parametrize(
    "text",
    ["20 q24h x 14", "20 mg q24h", "20 mg x 3", "20 lb qd x 2", "", "mg", "0 mg qd x 2", "20 mg qd x 0",
     "20 mg q0h x 2",
     "100 mg over 12h q8h x 3", "20 mg po iv qd x 2", "20 mg then 5 mg qd x 2", "20 mg qd x 99999", "1 mg" * 200],
)  # fmt: skip
def test_regimens_that_cannot_be_read_without_guessing(text):
    with pytest.raises(RegimenError):
        parse_regimen(text)
