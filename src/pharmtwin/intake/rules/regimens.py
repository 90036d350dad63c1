"""Rules about scenarios: intervals in another unit, labels that say something else, doses unlike those given."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pharmtwin.intake.regimen_text import RegimenError, parse_regimen
from pharmtwin.intake.rules.quantities import slip
from pharmtwin.intake.rules.registry import Given, Hit, median, rule

DOSE_IN_WORDS = re.compile(r"(\d+(?:\.\d+)?)\s*(mg|g|ug|µg|mcg)\b", re.IGNORECASE)


@rule(
    "scenarios.interval_unit",
    "warning",
    "a dosing interval that is usual in days or minutes",
    why="exposure of an interval of an hour, or of a month, would be reported",
    fix="write the interval in hours (24 for a day)",
    needs=("scenarios",),
)
def _interval(given: Given) -> Iterator[Hit]:
    low, high = given.limit("usual_interval", "scenarios")
    for r in given.tables["scenarios"].records:
        value, n = r.number("interval_h"), r.number("n_doses")
        if value and n and n > 1 and not low <= value <= high:
            other = f"as days {24 * value:g} h" if value < low else f"as minutes {value / 60:g} h"
            yield Hit(given.tables["scenarios"], r, "interval_h", f"an interval of {value:g} h; {other}")


@rule(
    "scenarios.label_dose",
    "warning",
    "a label that names another dose than the row",
    why="figures would carry a wrong label",
    fix="make label and dose agree",
    needs=("scenarios",),
)
def _label(given: Given) -> Iterator[Hit]:
    for r in given.tables["scenarios"].records:
        dose = r.number("dose_mg")
        named = [_mg(m[1], m[2]) for m in DOSE_IN_WORDS.finditer(r.text("label"))]
        if dose and named and not any(abs(d - dose) <= 0.01 * dose for d in named):
            yield Hit(given.tables["scenarios"], r, "label", f"the label says {named[0]:g} mg, dose_mg is {dose:g}")


def _mg(number: str, unit: str) -> float:
    from pharmtwin import units

    return units.convert(float(number), "dose", unit, "mg")


@rule(
    "scenarios.label_regimen",
    "warning",
    "a label that names another interval or number of doses than the row",
    why="figures would carry a wrong label",
    fix="make label and regimen agree",
    needs=("scenarios",),
)
def _label_regimen(given: Given) -> Iterator[Hit]:
    for r in given.tables["scenarios"].records:
        try:
            (part,) = parse_regimen(r.text("label")) if r.text("label") else ()
        except (RegimenError, ValueError):
            continue  # words that are no regimen
        interval, n = r.number("interval_h"), r.number("n_doses")
        if interval and n and (part.n != n or (part.interval_h and abs(part.interval_h - interval) > 1e-6)):
            yield Hit(
                given.tables["scenarios"], r, "label", f"the label says {part.n} doses every {part.interval_h:g} h"
            )


@rule(
    "scenarios.slip_dose",
    "warning",
    "a scenario's dose about 1000 times, or a thousandth of, the doses that were given",
    why="one of the two sheets may stand in µg or g",
    fix="check the units of both sheets",
    needs=("scenarios", "events"),
)
def _slip(given: Given) -> Iterator[Hit]:
    usual = median(e.amount for e in given.rows if e.is_dose and e.amount)
    for r in given.tables["scenarios"].records:
        dose = r.number("dose_mg")
        if dose and slip(dose / usual, *given.limit("slip")):
            yield Hit(given.tables["scenarios"], r, "dose_mg", f"doses of the events are about {usual:g} mg")


@rule(
    "scenarios.same_regimen",
    "note",
    "two scenarios of the same regimen",
    why="the same simulation is run twice",
    fix="delete one, or leave both",
    needs=("scenarios",),
)
def _same(given: Given) -> Iterator[Hit]:
    seen: dict[tuple[str, ...], int] = {}
    for r in given.tables["scenarios"].records:
        key = tuple(r.raw.get(c, "") for c in ("drug", "dose_mg", "interval_h", "n_doses", "route"))
        first = seen.setdefault(key, r.row)
        if first != r.row and all(key):
            yield Hit(given.tables["scenarios"], r, "scenario", f"the regimen of row {first} again")


@rule(
    "scenarios.short",
    "note",
    "a regimen whose last interval is no steady state (fewer than three doses)",
    why="exposure is reported for the last interval",
    fix="raise n_doses for a steady state; nothing to do for a first dose",
    needs=("scenarios",),
)
def _short(given: Given) -> Iterator[Hit]:
    for r in given.tables["scenarios"].records:
        if r.number("n_doses") == 2:
            yield Hit(given.tables["scenarios"], r, "n_doses", "exposure is that after the second dose")
