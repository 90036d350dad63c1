"""Rules about time: order, gaps, and times in another unit than hours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pharmtwin.intake.rules.registry import Event, Given, Hit, rule


@rule(
    "events.time_order",
    "warning",
    "a row of a twin that lies before the row above it",
    why="NONMEM and its kin read rows in order; an error in a data set alone",
    fix="sort the rows of the twin by time, or correct the time",
    explains=("events.time_negative",),
)
def _order(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        latest, at = None, 0
        for e in _lines(rows):
            if e.evid in (3, 4):
                latest = None  # a reset may start a new clock
            if e.time is None:
                continue
            if latest is not None and e.time < latest - given.limit("time_order"):
                what = f"lies before row {at} of the same twin ({latest:g} h)"
                level = "error" if given.alone else "warning"
                yield Hit(given.events, e.record, "time_h", what, level=level)
                continue
            latest, at = e.time, e.row


def _lines(rows: list[Event]) -> list[Event]:
    """One row a line of the file: of a line that was read as several (a regimen in words), the earliest."""
    first: dict[int, Event] = {}
    for e in rows:
        if e.row not in first or (e.time is not None and e.time < (first[e.row].time or 0.0)):
            first[e.row] = e
    return list(first.values())


@rule(
    "events.clock_restarts",
    "note",
    "a clock that starts anew after a reset (EVID 3 or 4)",
    why="times after it are counted from the reset",
    fix="no action needed",
)
def _restarts(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        for before, e in itertools.pairwise(rows):
            if e.evid in (3, 4) and None not in (e.time, before.time) and (e.time or 0.0) < (before.time or 0.0):
                yield Hit(
                    given.events, e.record, "time_h", f"the clock of the twin starts anew (before: {before.time:g} h)"
                )


@rule(
    "events.time_gap",
    "warning",
    "more than a year between two rows of a twin",
    why="a mistyped time or a wrong date leaves the body empty in between",
    fix="correct the time, or leave it",
)
def _gap(given: Given) -> Iterator[Hit]:
    if _serial(given) or any(_calendar(given)):
        return
    for rows in given.people.values():
        timed = sorted((e for e in rows if e.time is not None), key=lambda e: e.time or 0.0)
        for before, e in itertools.pairwise(timed):
            gap = (e.time or 0.0) - (before.time or 0.0)
            covered = (before.addl or 0.0) * (before.ii or 0.0)
            if gap > given.limit("gap_h") + covered:
                what = f"{gap:g} h ({gap / 24:.0f} days) after row {before.row} of the same twin"
                yield Hit(given.events, e.record, "time_h", what)


def _serial(given: Given) -> bool:
    """All twins begin at a number that is a spreadsheet's date."""
    low, high = given.limit("excel_serial")
    firsts = [min((e.time for e in rows if e.time is not None), default=0.0) for rows in given.people.values()]
    parts = [e.time % 1 for e in given.rows if e.time is not None]
    return bool(firsts) and all(low <= t <= high for t in firsts) and any(0 < p < 1 for p in parts)


@rule(
    "events.excel_serial",
    "error",
    "times that are a spreadsheet's dates (days since 1900), not hours",
    why="a day would count as an hour",
    fix="format the column as hours from the first dose, or write ISO 8601",
    explains=("events.time_gap", "events.before_first_dose"),
)
def _excel(given: Given) -> Iterator[Hit]:
    if _serial(given):
        first = next(e for e in given.rows if e.time is not None)
        yield Hit(
            given.events,
            first.record,
            "time_h",
            f"looks like a spreadsheet's date: all twins begin near {first.time:g}",
        )


@rule(
    "events.time_calendar",
    "error",
    "times that are numbers of a calendar (20260329, seconds since 1960 or 1970), not hours",
    why="a day or a second would count as an hour",
    fix="write hours from the first dose, or ISO 8601 with an offset",
    explains=("events.time_gap", "events.before_first_dose"),
)
def _calendar(given: Given) -> Iterator[Hit]:
    firsts = [min((e.time for e in rows if e.time is not None), default=0.0) for rows in given.people.values()]
    if firsts and min(firsts) > given.limit("calendar_h"):
        first = next(e for e in given.rows if e.time is not None)
        yield Hit(given.events, first.record, "time_h", f"no hour: all twins begin beyond {min(firsts):.15g}")


@rule(
    "events.ii_minutes",
    "warning",
    "dosing intervals that are usual in minutes (1440 for a day)",
    why="doses would be 60 times too far apart",
    fix="write the interval in hours (24 for a day)",
)
def _minutes(given: Given) -> Iterator[Hit]:
    for e in given.rows:
        if e.is_dose and e.ii is not None and e.ii in given.limit("ii_minutes"):
            what = f"an interval of {e.ii:g} h is {e.ii / 24:g} days; as minutes it is {e.ii / 60:g} h"
            yield Hit(given.events, e.record, "ii_h", what)


@rule(
    "events.ii_days",
    "warning",
    "dosing intervals and times that are usual in days (1 for a day)",
    why="doses would be 24 times too close",
    fix="write the interval in hours (24 for a day)",
)
def _days(given: Given) -> Iterator[Hit]:
    for e in given.rows:
        if e.is_dose and e.ii is not None and e.ii in given.limit("ii_days") and e.ii <= 2 and (e.addl or e.ss):
            yield Hit(given.events, e.record, "ii_h", f"an interval of {e.ii:g} h; as days it is {24 * e.ii:g} h")


@rule(
    "events.minutes_in_time",
    "warning",
    "times that look like minutes: samples of one dose over many hundred hours",
    why="a sample at 60 would be taken 60 hours after the dose",
    fix="write hours, or say the unit in the heading (time [min])",
)
def _time_minutes(given: Given) -> Iterator[Hit]:
    usual = {15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 240.0, 360.0, 480.0, 720.0, 1440.0}
    for rows in given.people.values():
        doses = [e for e in rows if e.is_dose]
        times = sorted({e.time for e in rows if e.is_sample and e.time})
        one = len(doses) == 1 and not doses[0].addl and not doses[0].ss
        long = len(times) >= 4 and times[-1] >= 480
        if one and long and sum(t in usual for t in times) >= 0.8 * len(times):
            first = next(e for e in rows if e.is_sample and e.time)
            what = f"samples of one dose at {', '.join(f'{t:g}' for t in times[:6])} ... h are usual in minutes"
            yield Hit(given.events, first.record, "time_h", what)


@rule(
    "events.occasion_order",
    "warning",
    "occasions that do not rise with time",
    why="what varies between occasions would be tied to the wrong samples",
    fix="number occasions in order of time",
)
def _occasions(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        timed = sorted(
            (e for e in rows if e.time is not None and e.record.number("occasion") is not None),
            key=lambda e: e.time or 0.0,
        )
        for before, e in itertools.pairwise(timed):
            now, then = e.record.number("occasion") or 0, before.record.number("occasion") or 0
            if now < then:
                yield Hit(
                    given.events, e.record, "occasion", f"occasion {now:g} after occasion {then:g} (row {before.row})"
                )
                break
