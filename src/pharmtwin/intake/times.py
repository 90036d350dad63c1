"""Clock times of a sheet as hours: ISO 8601 with an offset, converted once, in UTC.

A time without an offset is refused, unless the user names its time zone: the night in which clocks change has an hour
that does not exist and one that exists twice, and a dose interval across it is an hour longer or shorter. Where the
zone is named, an hour that exists twice is refused, because nothing tells which one is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

#: 2026-03-29T08:00, with seconds and fractions, with Z or an offset; a blank for the T
CLOCK = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
#: dates whose day and month cannot be told apart, or whose year has two digits
OTHER_DATE = re.compile(
    r"\d{1,2}([/.-])\d{1,2}\1(\d{2}|\d{4})(\s.*)?|\d{4}/\d{1,2}/\d{1,2}(\s.*)?|\d{1,2}-?[A-Za-z]{3}-?\d{2,4}([\s:].*)?"
)
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Problem:
    """Why a clock time cannot be used: the end of a rule's id, and what is wrong, in words."""

    rule: str
    what: str


def is_clock(text: str) -> bool:
    """True for a date or a date and time in ISO 8601, whether or not it exists."""
    return CLOCK.fullmatch(text) is not None


def is_other_date(text: str) -> bool:
    """True for a date in another form, as 03/04/2026 or 3-Apr-26."""
    return OTHER_DATE.fullmatch(text) is not None


@lru_cache(maxsize=8)
def zone(name: str) -> tzinfo | None:
    """A time zone by its IANA name; None if there is none of that name (or no time zone data on this machine)."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return None


@lru_cache(maxsize=65536)
def instant(text: str, timezone: str = "") -> datetime | Problem:
    """The instant (UTC) of a clock time; ``timezone``: IANA name that holds where the text has no offset.

    A date alone is a Problem: hours cannot be told from it.
    """
    match = CLOCK.fullmatch(text.strip())
    if match is None:
        return Problem("unreadable", "is not a time in ISO 8601")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    if hour is None:
        return Problem("date_only", "is a date without a time of day")
    try:
        shift = timedelta(days=1) if (hour, minute, second or "00") == ("24", "00", "00") else timedelta()
        hours = 0 if shift else int(hour)
        micro = int(((fraction or "") + "000000")[:6])
        local = datetime(int(year), int(month), int(day), hours, int(minute), int(second or 0), micro) + shift
    except (ValueError, OverflowError):
        return Problem("unreadable", "is no time of the calendar")
    if offset:
        return _with_offset(local, offset)
    if not timezone:
        return Problem("no_offset", "is a clock time without an offset from UTC")
    return _in_zone(local, timezone)


def _with_offset(local: datetime, offset: str) -> datetime | Problem:
    digits = "" if offset.upper() == "Z" else offset[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0) if digits else 0
    if minutes > 14 * 60 or int(digits[2:] or 0) > 59:
        return Problem("unreadable", "has an offset that no place on earth has")
    try:
        return (local - timedelta(minutes=-minutes if offset[0] == "-" else minutes)).replace(tzinfo=UTC)
    except OverflowError:
        return Problem("unreadable", "is no time of the calendar")


def _in_zone(local: datetime, name: str) -> datetime | Problem:
    where = zone(name)
    if where is None:
        return Problem("zone_unknown", f"has no offset, and there is no time zone {name}")
    try:
        first, second = (local.replace(tzinfo=where, fold=fold).astimezone(UTC) for fold in (0, 1))
    except OverflowError:
        return Problem("unreadable", "is no time of the calendar")
    if first.astimezone(where).replace(tzinfo=None) != local:
        return Problem("nonexistent", f"does not exist in {name}: clocks were put forward over it")
    if first != second:
        return Problem("ambiguous", f"exists twice in {name}: clocks were put back over it")
    return first


def hours_since(zero: datetime, then: datetime) -> float:
    """Hours from ``zero`` to ``then``."""
    return (then - zero).total_seconds() / SECONDS_PER_HOUR


def zero_times(
    twins: Sequence[str], instants: Sequence[datetime | Problem | None], is_dose: Sequence[bool]
) -> Mapping[str, datetime]:
    """Time zero of every twin: its first dose, or its first row where it has none."""
    first: dict[str, datetime] = {}
    dosed: dict[str, datetime] = {}
    for twin, then, dose in zip(twins, instants, is_dose, strict=True):
        if isinstance(then, datetime):
            first[twin] = min(then, first.get(twin, then))
            if dose:
                dosed[twin] = min(then, dosed.get(twin, then))
    return {**first, **dosed}
