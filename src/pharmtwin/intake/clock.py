"""The time column of the events at the door: clock times become hours from each twin's first dose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pharmtwin.intake.buckets import NUMBER
from pharmtwin.intake.cells import number_text
from pharmtwin.intake.sheet import is_missing
from pharmtwin.intake.times import Problem, hours_since, instant, is_clock, is_other_date, zero_times

if TYPE_CHECKING:
    from pharmtwin.intake.door import Passing

#: NM-TRAN's columns of dates; those but DATE have an order of day, month and year of their own
DATES = ("DATE", "DAT1", "DAT2", "DAT3")
OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
WHY = "doses and samples are placed on one clock, in hours"
FIX: Mapping[str, str] = {
    "no_offset": "write the offset (2026-03-29T08:00+02:00), or name the place's zone in intake.timezone",
    "zone_unknown": "write an IANA name into intake.timezone, e.g. Europe/Berlin",
    "ambiguous": "write the offset: it tells the first 02:30 from the second",
    "nonexistent": "correct the time, or write it with its offset",
    "date_only": "write the time of day too",
    "unreadable": "write YYYY-MM-DDThh:mm and the offset, e.g. 2026-03-29T08:00+02:00",
    "date_form": "write YYYY-MM-DD: 03/04/2026 is in March or in April",
    "mixed": "write all times of the sheet as hours, or all as clock times",
}


def read_clock(passing: Passing) -> None:
    """Replace clock times by hours; a time that cannot be placed is a finding, and its cell is empty for the checks."""
    rows = passing.rows
    if not rows or "time_h" not in rows[0][1]:
        return
    dated = next((name for c in DATES for name in rows[0][1] if name.upper() == c), "")
    if dated:
        _with_dates(passing, dated)
        _beside_hours(passing, dated)
    cells = [c.get("time_h", "") for _, c in rows]
    if not any(is_clock(t) or is_other_date(t) for t in cells):
        return
    instants: list[datetime | Problem | None] = []
    offsets = set()
    for i, text in enumerate(cells):
        then: datetime | Problem | None = None
        if is_other_date(text):
            then = Problem("date_form", "is a date whose day and month cannot be told apart")
        elif is_clock(text):
            then = instant(text, passing.reading.timezone)
            offsets.add(text[16:].lstrip("0123456789:.,"))
        elif NUMBER.fullmatch(text):
            then = Problem("mixed", "is a number of hours among clock times")
        instants.append(then)
        if isinstance(then, Problem):
            passing.say(
                f"time.{then.rule}", then.what, WHY, FIX[then.rule], row=rows[i][0], column="time_h", value=text
            )
    twins = [c.get("twin_id", "") for _, c in rows]
    doses = [_is_dose(c) for _, c in rows]
    zero = zero_times(twins, instants, doses)
    for i, then in enumerate(instants):
        if isinstance(then, datetime):
            passing.put(i, "time_h", number_text(round(hours_since(zero[twins[i]], then), 9)))
        elif isinstance(then, Problem):
            passing.put(i, "time_h", "")
    n = sum(isinstance(t, datetime) for t in instants)
    if n:
        changes = f"; offsets {', '.join(sorted(offsets))}" if len(offsets) > 1 else ""
        passing.say("time.clock", f"{n} clock times are read as hours from each twin's first dose{changes}", WHY,
                    "no action needed", "note", row=passing.sheet.header, column="time_h")  # fmt: skip


def _with_dates(passing: Passing, dates: str) -> None:
    """NM-TRAN's DATE and TIME: a calendar date in ISO 8601 or a number of days, and a time of day."""
    for i, (number, cells) in enumerate(passing.rows):
        date, time = cells.get(dates, ""), cells.get("time_h", "")
        clock = OF_DAY.fullmatch(time)
        if is_missing(date) or is_missing(time):
            continue
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", date) and clock:
            passing.put(i, "time_h", f"{date}T{int(clock[1]):02d}:{clock[2]}:{clock[3] or '00'}")
        elif is_clock(date) and date[10:].strip("T :0") == "" and clock:  # a spreadsheet's date, at midnight
            passing.put(i, "time_h", f"{date[:10]}T{int(clock[1]):02d}:{clock[2]}:{clock[3] or '00'}")
        elif NUMBER.fullmatch(date) and clock and not _of_a_day(clock):
            passing.put(i, "time_h", "")
            fix = "write hours 0 to 24 and minutes 0 to 59, as 08:30"
            passing.say("time.unreadable", "is no time of day", WHY, fix, row=number, column="time_h", value=time)
        elif NUMBER.fullmatch(date) and clock:
            hours = int(clock[1]) + int(clock[2]) / 60.0 + int(clock[3] or 0) / 3600.0
            passing.put(i, "time_h", number_text(24.0 * float(date) + hours))
        elif is_other_date(date):
            passing.put(i, "time_h", "")
            passing.say("time.date_form", "is a date whose day and month cannot be told apart", WHY, FIX["date_form"],
                        row=number, column=dates, value=date)  # fmt: skip


def _of_a_day(clock: re.Match[str]) -> bool:
    minutes = 60 * int(clock[1]) + int(clock[2]) + int(clock[3] or 0) / 60.0
    return minutes <= 24 * 60 and int(clock[2]) < 60 and int(clock[3] or 0) < 60


def _is_dose(cells: Mapping[str, str]) -> bool:
    """EVID 1 or 4, or an amount above 0 (NM-TRAN's AMT is 0 on samples)."""
    evid, amount = cells.get("evid", ""), cells.get("dose_mg", "")
    if NUMBER.fullmatch(evid):
        return float(evid) in (1.0, 4.0)
    return not is_missing(amount) and not (NUMBER.fullmatch(amount) and float(amount) == 0)


def _beside_hours(passing: Passing, dates: str) -> None:
    """A date beside hours: NM-TRAN counts such hours from midnight of the date, many data sets from the first dose."""
    days: dict[str, set[str]] = {}
    hours: list[float] = []
    first = 0
    for number, cells in passing.rows:
        time, date, twin = cells.get("time_h", ""), cells.get(dates, ""), cells.get("twin_id", "")
        if is_missing(date) or not NUMBER.fullmatch(time) or (number, "time_h") in passing.written:
            continue
        hours.append(float(time))
        days.setdefault(twin, set()).add(date)
        first = first or (number if len(days[twin]) > 1 else 0)
    if not first:
        return
    of_day = min(hours) >= 0 and max(hours) <= 24
    if of_day:
        what = f"{dates} changes within a twin and every time lies within 24 h: they may be hours of that day"
        passing.say("time.date_beside_hours", what, "NM-TRAN counts from midnight of the date, this check from the "
                    "first dose: times would be days off", f"write the time of day as 08:30, or drop {dates}",
                    row=first, column="time_h")  # fmt: skip
    else:
        passing.say("time.date_beside_hours", f"{dates} is not used: times are read as hours that go on from day to "
                    "day", WHY, f"no action needed; write the time of day as 08:30 to have {dates} counted", "note",
                    row=first, column="time_h")  # fmt: skip
