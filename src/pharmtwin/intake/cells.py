"""One cell at the door: units converted, and the repairs of cells that the user has asked for.

A repair is made only where ``intake.repairs`` of the configuration names it, and every one that is made is a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pharmtwin import units
from pharmtwin.intake.buckets import NUMBER
from pharmtwin.intake.columns import ColumnSpec, sheet_spec
from pharmtwin.intake.headings import MOLAR
from pharmtwin.intake.sheet import is_missing

#: what may be repaired -> what is then done
REPAIRS = {
    "decimal_comma": "a decimal comma is read as a point (70,5 as 70.5)",
    "unit_in_cell": "a unit beside the number is converted (165 lb in a column of kg)",
    "codes": "a usual spelling of a code is read as the code (male as M)",
    "height_metres": "a height that is in metres by its size is converted to cm",
    "creatinine_umol": "a creatinine that is in µmol/L by its size is converted to mg/dL",
    "invisible_characters": "characters without width, and blanks that do not break, are taken out of a cell",
    "duplicate_rows": "of rows that are equal in every cell the first is used, the others are flagged and kept",
    "exclude_bad_rows": "rows of the events sheet with an unreadable cell are flagged, kept, and not used",
}
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]|(?<=.)\u00a0(?=.)")
COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
BESIDE = re.compile(rf"({NUMBER.pattern})\s*([^\d\s.,].*)")


@dataclass(frozen=True)
class Reading:
    """How sheets are read: ``intake`` of the configuration, and the molar mass (g/mol) of its drug if it is known."""

    timezone: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    repairs: frozenset[str] = frozenset()
    molar_mass: float | None = None
    #: a data set alone, without a study around it: units that nobody states are warned of, not refused
    alone: bool = False


@dataclass
class Done:
    """What happened to a cell: the repair that was made (or ""), the text that it has now, the unit that fails."""

    text: str
    repair: str = ""
    converted: bool = False
    unknown_unit: str = ""


def number_text(value: float) -> str:
    """A number as text, to twelve digits: what conversion adds in the last place is no digit of the user's."""
    return f"{value:.12g}"


def convert(value: float, column: ColumnSpec, unit: str, molar_mass: float | None) -> float | None:
    """``value`` in the column's unit; None if the unit is none of its quantity, or the molar mass is lacking."""
    quantity = str(column.rule.get("x-quantity", ""))
    if units.is_known(quantity, unit, column.unit):
        return units.convert(value, quantity, unit, column.unit)
    if quantity == "concentration" and units.is_known(MOLAR, unit, "umol/L") and molar_mass:
        return units.convert(value, MOLAR, unit, "umol/L") * molar_mass  # µmol/L g/mol = µg/L = ng/mL
    return None


def number_cell(text: str, column: ColumnSpec, unit: str, reading: Reading) -> Done:
    """A cell of numbers in ``unit`` ("": the column's own); what is no number stays as it is, for the checks."""
    done = Done(text)
    if is_missing(text):
        return done
    if "decimal_comma" in reading.repairs and COMMA.fullmatch(text):
        done.text, done.repair = text.replace(",", "."), "decimal_comma"
    beside = BESIDE.fullmatch(done.text)
    if "unit_in_cell" in reading.repairs and beside:
        value = convert(float(beside[1]), column, beside[4], reading.molar_mass)
        if value is not None:
            return Done(number_text(value), "unit_in_cell")
    if unit and unit != column.unit and NUMBER.fullmatch(done.text):
        value = convert(float(done.text), column, unit, reading.molar_mass)
        if value is None:
            done.unknown_unit = unit
            return done
        converted = number_text(value)
        done.converted = float(converted) != float(done.text)
        done.text = converted if done.converted else done.text
    return _by_size(done, column, reading)


def _by_size(done: Done, column: ColumnSpec, reading: Reading) -> Done:
    """Heights in metres and creatinine in µmol/L, which their size tells."""
    if not NUMBER.fullmatch(done.text):
        return done
    value, limits = float(done.text), sheet_spec("twins").limits
    low, high = limits["height_metres"]
    if column.name == "height_cm" and "height_metres" in reading.repairs and low <= value <= high:
        return Done(number_text(units.convert(value, "length", "m", "cm")), "height_metres")
    above = column.name == "creatinine_mg_dl" and value > limits["creatinine_umol"]
    if above and "creatinine_umol" in reading.repairs:
        return Done(number_text(units.convert(value, "creatinine", "umol/L", "mg/dL")), "creatinine_umol")
    return done


def text_cell(text: str, column: ColumnSpec, reading: Reading) -> Done:
    """A cell of text or a code."""
    codes: dict[str, Any] = column.rule.get("x-codes", {})
    allowed = [str(v) for v in column.rule.get("enum", ())]
    if "codes" not in reading.repairs or not allowed or text in allowed or is_missing(text):
        return Done(text)
    spelt = [a for a in allowed if a.lower() == text.lower()]
    meant = spelt[0] if spelt else codes.get(text.lower())
    return Done(str(meant), "codes") if meant else Done(text)


def without_invisible(text: str) -> str:
    """The text without characters that nobody sees."""
    return INVISIBLE.sub(lambda m: " " if m[0] == "\u00a0" else "", text)
