"""Regimens written as text: ``S0-T24-R14`` is a start at 0 h, a dose every 24 h, 14 doses; lists are hours.

Known forms, as the tables of interaction studies write them: one or several courses (``S0-T12-R16, S192-T8-R3``,
joined by ``/``, ``,``, ``;``, ``-`` or ``+``, with or without brackets and dashes as in ``(S-0,T-24,R-4)``), lists
of hours (``0-24-48``, ``0;12``, ``48 + 72``), a pattern within a day repeated (``S0-(S0-T6-R3)-T24-R14``), and doses by
course, before (``200mg: 0-6; 400mg: 18``) or after it (``S0-T24-R18 (10 mg)``). Whatever is left unread is an error.
"""

from __future__ import annotations

import math
import re

from pharmtwin.qualification.study import Event

#: mg by unit
MG = {"mg": 1.0, "g": 1e3, "µg": 1e-3, "μg": 1e-3, "ug": 1e-3, "mcg": 1e-3}

#: doses of a course
MOST = 10_000

_N = r"(\d+(?:[.]\d+)?)"
#: interval and number of doses by their place: one source writes ``S384-R24-T4`` for four doses every 24 h
_STEP = rf"[TR]-?{_N}[-,]?[TR]?-?(\d+)"
_NESTED = re.compile(rf"S-?{_N}-\(S-?{_N}[-,]{_STEP}\)-{_STEP}")
_COURSE = re.compile(rf"S-?{_N}[-,]{_STEP}")
_ONCE = re.compile(rf"S-?{_N}(?:-R1)?(?![\d-]*T)")
_BEFORE = re.compile(r"\(?(\d+(?:[.,]\d+)?)(?:mg)?\)?:")
_DAYS = re.compile(r"Days?\d+(?:-\d+)?:")
_AFTER = re.compile(rf"\({_N}mg\)")
_HOUR = re.compile(r"\d+(?:[.,]\d+)?")
_BETWEEN = re.compile(r"[-+;,/()\s]+")


class Unreadable(ValueError):
    """Text that is not understood; the message says which part."""


def events(times: str, dose: str, unit: str = "mg", infusion_min: str = "") -> tuple[Event, ...]:
    """Doses (h, mg) in order of time, from the hours and the doses as written.

    One dose counts for all; several (``400/200``, ``first 10, then 75``) belong to the courses in order, unless the
    times carry doses themselves. A course that starts where the one before it starts follows it instead
    (``S0-T24-R2/S0-T12-R12`` would else be two doses at once). Raises :class:`Unreadable`, naming what was not read.
    """
    courses = _courses(times)
    amounts = _amounts(dose, len(courses), any(given is not None for _, given in courses))
    if unit not in MG:
        raise Unreadable(f"dose in {unit!r}")
    try:
        infusion = float(infusion_min) / 60.0 if infusion_min else 0.0
    except ValueError:
        raise Unreadable(f"an infusion of {infusion_min!r} min") from None
    out = []
    for (hours, own), amount in zip(courses, amounts):
        mg = own if own is not None else amount
        if mg is None:
            raise Unreadable(f"no dose for the course at {hours[0]:g} h in {times!r}")
        out += [Event(hour, mg * MG[unit], infusion) for hour in hours]
    return tuple(sorted(out, key=lambda e: e.time))


def window(start: str, end: str) -> tuple[float, float]:
    """Window in h; ``inf`` (one source writes ``nf``) is to infinity. Raises :class:`Unreadable`."""
    try:
        low, high = float(start), math.inf if end.strip() == "nf" else float(end)
    except ValueError as error:
        raise Unreadable(f"window {start!r} to {end!r}") from error
    if not high > low >= 0:
        raise Unreadable(f"window {start!r} to {end!r}")
    return low, high


def _courses(times: str) -> list[tuple[list[float], float | None]]:
    """Hours of each course and the dose written beside it (None: none)."""
    text, at = re.sub(r"\s+", "", re.sub(r",\s", ";", times)), 0  # "0, 200" is two things, "2,5" a decimal
    if not text:
        raise Unreadable("no times of administration")
    courses: list[tuple[list[float], float | None]] = []
    label: float | None = None
    listing = False  # hours of one list are one course
    while at < len(text):
        found: re.Match[str] | None
        if found := _DAYS.match(text, at):
            listing = False
        elif found := _BEFORE.match(text, at):
            label, listing = float(found[1].replace(",", ".")), False
        elif found := _AFTER.match(text, at):
            if not courses:
                raise Unreadable(f"a dose before any course in {times!r}")
            courses[-1] = (courses[-1][0], float(found[1]))
        elif found := _NESTED.match(text, at):
            start, inner, tau, n, day, days = (float(g) for g in found.groups())
            _counted(n * days, times)
            hours = [start + inner + day * d + tau * k for d in range(int(days)) for k in range(int(n))]
            courses.append((hours, label))
            listing = False
        elif found := _COURSE.match(text, at):
            start, tau, n = (float(g) for g in found.groups())
            _counted(n, times)
            if courses and len(courses[-1][0]) > 1 and courses[-1][0][0] == start:
                start = courses[-1][0][-1] + (courses[-1][0][1] - courses[-1][0][0])
            courses.append(([start + tau * k for k in range(int(n))], label))
            listing = False
        elif found := _ONCE.match(text, at):
            courses.append(([float(found[1])], label))
            listing = False
        elif found := _HOUR.match(text, at):
            hour = float(found[0].replace(",", "."))
            if listing and courses:
                courses[-1][0].append(hour)
            else:
                courses.append(([hour], label))
            listing = True
        elif found := _BETWEEN.match(text, at):
            listing = listing and "/" not in found[0]
        else:
            raise Unreadable(f"{text[at : at + 20]!r} in times {times!r}")
        at = found.end()
    return courses


def _counted(n: float, times: str) -> None:
    if not 1 <= n <= MOST:
        raise Unreadable(f"{n:g} doses in {times!r}, not 1 to {MOST}")


def _amounts(dose: str, courses: int, written: bool) -> list[float | None]:
    """Dose of each course; ``10/10/2010`` is a spreadsheet's date for 10/10/10."""
    parts = [p.replace(",", ".") for p in re.findall(r"\d+(?:\.\d+)?(?:,\d+(?!\d*\.))?", _undate(dose))]
    if written:
        return [None] * courses
    if len(parts) == 1:
        return [float(parts[0])] * courses
    if len(parts) == courses and courses > 1:
        return [float(p) for p in parts]
    if not parts:
        raise Unreadable(f"no dose in {dose!r}")
    raise Unreadable(f"{len(parts)} doses {dose!r} for {courses} courses")


def _undate(dose: str) -> str:
    found = re.fullmatch(r"(\d{1,2})/(\d{1,2})/20(\d\d)", dose.strip())
    return "/".join(found.groups()) if found else dose
