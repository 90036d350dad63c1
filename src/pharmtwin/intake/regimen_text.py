"""Regimens in words, as prescriptions have them: ``20 mg q24h x 14``, ``100 mg over 2h q8h x 3 then 50 mg bid x 20``.

    AMOUNT UNIT [po|iv|oral] [over DURATION] [INTERVAL x NUMBER | INTERVAL for LENGTH] [then ...]

INTERVAL is q24h, q 12, qd, bid, tid, qid, qod, once, or the like. Without an interval it is one dose. Units of the
amount are those of ``resources/units.tsv``, and one must be there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pharmtwin import units

#: dosing intervals of Latin abbreviations and their kin, hours
EVERY = {
    "qd": 24.0, "od": 24.0, "sid": 24.0, "daily": 24.0, "once daily": 24.0, "qam": 24.0, "qpm": 24.0, "qhs": 24.0,
    "bid": 12.0, "bd": 12.0, "twice daily": 12.0, "tid": 8.0, "tds": 8.0, "qid": 6.0, "qds": 6.0, "qod": 48.0,
    "weekly": 168.0, "qw": 168.0,
}  # fmt: skip
ROUTES = {"po": "oral", "oral": "oral", "orally": "oral", "p.o.": "oral", "iv": "iv", "i.v.": "iv"}
NUMBER = r"(\d+(?:\.\d+)?)"
PART = re.compile(
    rf"{NUMBER}\s*(?P<unit>[a-zµμ]+)?"
    rf"(?:\s+(?P<route>po|p\.o\.|oral|orally|iv|i\.v\.))?"
    rf"(?:\s+over\s+(?P<over>\d+(?:\.\d+)?)\s*(?P<over_unit>h|hr|hrs|hours?|min|mins|minutes?))?"
    rf"(?:\s+(?P<route2>po|p\.o\.|oral|orally|iv|i\.v\.))?"
    rf"(?:\s+(?:q\s*(?P<every>\d+(?:\.\d+)?)\s*(?P<every_unit>h|hr|hrs|hours?|d|days?|w|wk|weeks?)?"
    rf"|(?P<word>{'|'.join(sorted(EVERY, key=len, reverse=True))})))?"
    rf"(?:\s+(?P<route3>po|p\.o\.|oral|orally|iv|i\.v\.))?"
    rf"(?:\s*[x×*]\s*(?P<times>\d+)(?:\s*doses?)?|\s+for\s+(?P<length>\d+(?:\.\d+)?)\s*(?P<length_unit>d|days?|w|wk|weeks?|h|hours?))?"
    rf"(?:\s+once)?",
    re.IGNORECASE,
)  # fmt: skip
#: doses that one part may have
MOST = 10_000


class RegimenError(ValueError):
    """A regimen cannot be read; the message says which part, and why."""


@dataclass(frozen=True)
class Part:
    """Equal doses at equal intervals: ``n`` doses of ``dose_mg``, ``interval_h`` apart (0: one dose), from ``start_h``.

    ``duration_h``: of an infusion, 0 for none. ``route``: oral, iv or "" where the text does not say.
    """

    dose_mg: float
    interval_h: float
    n: int
    duration_h: float
    route: str
    start_h: float

    @property
    def end_h(self) -> float:
        """When the next part begins: one interval after the last dose."""
        return self.start_h + self.n * self.interval_h


def parse_regimen(text: str) -> tuple[Part, ...]:
    """Parts of a regimen in order; raises :class:`RegimenError` for what cannot be read without guessing."""
    parts: list[Part] = []
    start = 0.0
    if len(text) > 500:
        raise RegimenError("is longer than 500 characters")
    for words in re.split(r"\s*(?:,?\s*\bthen\b|;)\s*", " ".join(text.split()), flags=re.IGNORECASE):
        if parts and parts[-1].interval_h == 0:
            raise RegimenError(
                "a single dose without an interval cannot be followed by 'then': say when, e.g. q24h x 1"
            )
        part = _part(words, start)
        parts.append(part)
        start = part.end_h
    return tuple(parts)


def _part(words: str, start: float) -> Part:
    match = PART.fullmatch(words)
    if match is None:
        raise RegimenError(f"{words!r} is not of the form AMOUNT UNIT qINTERVALh x NUMBER")
    unit = match["unit"] or ""
    if not unit:
        raise RegimenError(f"{words!r} does not tell the unit of the amount")
    if not units.is_known("dose", unit, "mg"):
        raise RegimenError(f"{unit!r} is no unit of an amount; known: {', '.join(units.units_of('dose'))}")
    dose = units.convert(float(match[1]), "dose", unit, "mg")
    if dose <= 0:
        raise RegimenError("the amount is 0")
    interval = _hours(match["every"], match["every_unit"] or "h")
    if match["word"]:
        interval = EVERY[match["word"].lower()]
    n = int(match["times"]) if match["times"] else 1
    if match["length"]:
        if interval <= 0:
            raise RegimenError(f"{words!r} tells how long, but not how often")
        n = round(many := _hours(match["length"], match["length_unit"]) / interval)
        if abs(many - n) > 1e-6:
            raise RegimenError(f"{words!r} is no whole number of intervals; write x NUMBER")
    if match["every"] and interval <= 0:
        raise RegimenError("the interval is 0")
    if interval and not (match["times"] or match["length"]):
        raise RegimenError(f"{words!r} does not tell how many doses; write x NUMBER, or x 1 for one")
    if not interval and n > 1:
        raise RegimenError(f"{words!r} tells {n} doses without an interval")
    if not 1 <= n <= MOST:
        raise RegimenError(f"{n} doses; write 1 to {MOST}")
    duration = _hours(match["over"], match["over_unit"] or "h")
    routes = {ROUTES[r.lower()] for r in (match["route"], match["route2"], match["route3"]) if r}
    if len(routes) > 1:
        raise RegimenError(f"{words!r} names two routes")
    if duration and interval and duration > interval:
        raise RegimenError(f"the infusion of {duration:g} h is longer than the interval of {interval:g} h")
    return Part(dose, interval, n, duration, routes.pop() if routes else "", start)


def _hours(number: str | None, unit: str) -> float:
    """Hours of a number with one of the units of PART; 0 where there is none."""
    if not number:
        return 0.0
    letter = unit.lower()
    known = "min" if letter.startswith("min") else {"h": "h", "d": "d", "w": "wk"}[letter[0]]
    return units.convert(float(number), "time", known, "h")
