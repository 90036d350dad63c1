"""What every cell of a sheet must be, and the checks that need no other cell.

The sheets are described in ``config/schemas/<sheet>.schema.json`` (JSON Schema of one row, with the
words of the findings beside it). A missing or unreadable cell never stops the check of the others.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pharmtwin import units
from pharmtwin.findings import Finding
from pharmtwin.intake.buckets import MISSING, NUMBER
from pharmtwin.intake.sheet import Sheet, is_missing

SCHEMAS = Path(__file__).resolve().parents[3] / "config" / "schemas"
IDENTIFYING = re.compile(
    r"(first|last|sur|family|given|patient|full)?_?name|dob|birth.*|mrn|ssn|address|e?mail|phone.*"
)


@dataclass(frozen=True)
class ColumnSpec:
    """One column of a sheet; ``rule`` holds the JSON Schema of a cell, with the ``x-`` words."""

    name: str
    required: bool
    rule: dict[str, Any]

    @property
    def kind(self) -> str:
        """string, number or integer."""
        return str(self.rule["type"])

    @property
    def unit(self) -> str:
        """Unit of a number, or empty."""
        return str(self.rule.get("x-unit", ""))

    @property
    def unit_shown(self) -> str:
        """The unit with a blank before it, for a message; nothing for a plain fraction."""
        return f" {self.unit}" if self.unit not in ("", "1") else ""


@dataclass(frozen=True)
class SheetSpec:
    """One kind of sheet: its columns and the limits of its plausibility rules."""

    table: str
    columns: tuple[ColumnSpec, ...]
    limits: dict[str, Any]

    @property
    def names(self) -> list[str]:
        """Column names in the order of the manual."""
        return [c.name for c in self.columns]


@dataclass(frozen=True)
class Record:
    """One row: line number, cells as written, and the values that could be read (str, float or int)."""

    row: int
    raw: dict[str, str]
    values: dict[str, Any]

    def number(self, column: str) -> float | None:
        """The number of a cell, None if it is empty, unreadable or has no column."""
        value = self.values.get(column)
        return None if value is None or isinstance(value, str) else float(value)

    def text(self, column: str) -> str:
        """The text of a cell; empty if it is empty, not allowed or has no column."""
        return str(self.values.get(column, ""))

    def is_empty(self, column: str) -> bool:
        """True if the column is there and this cell of it is empty."""
        return column in self.raw and is_missing(self.raw[column])


@cache
def sheet_spec(table: str) -> SheetSpec:
    """Description of a sheet: twins, events, scenarios or structure_calls."""
    raw = json.loads((SCHEMAS / f"{table}.schema.json").read_text(encoding="utf-8"))
    columns = tuple(ColumnSpec(name, name in raw["required"], rule) for name, rule in raw["properties"].items())
    return SheetSpec(table, columns, {name: limit["value"] for name, limit in raw.get("x-limits", {}).items()})


def check_columns(sheet: Sheet, spec: SheetSpec) -> list[Finding]:
    """Findings on the header: columns that are missing, unknown or look like a person's identity."""
    findings: list[Finding] = []
    unknown = [c for c in sheet.columns if c not in spec.names]
    if len(unknown) == len(sheet.columns) and not any(_meant(c, unknown) for c in spec.columns):
        # another file than meant: its first line is nothing to print, and no list of what it lacks helps
        what = f"none of the {len(unknown)} headings of its first line is a column of {spec.table}"
        why, fix = "it is another file, or its header is lost", "correct the path, or write the header line"
        return [Finding.create("sheet.no_column_known", sheet.path, what, why, fix, row=sheet.header)]
    taken = set()
    for column in spec.columns:
        if column.name in sheet.columns:
            continue
        near = _meant(column, unknown)
        taken.update(near)
        if not column.required and not near:
            continue
        hint = f"is the column {near[0]} meant? " if near else ""
        unit = f" in{column.unit_shown}" if column.unit_shown else ""
        what = "the column is missing" if column.required else "this optional column is not there, a similar one is"
        findings.append(
            Finding.create(
                f"{spec.table}.column_missing" if column.required else f"{spec.table}.column_unknown",
                sheet.path,
                what,
                f"it holds the {column.rule['description']}",
                f"{hint}name it {column.name}{unit}" if near else f"add the column {column.name}{unit}",
                row=sheet.header,
                column=column.name,
                severity="error" if column.required else "warning",
            )
        )
    for name in unknown:
        if IDENTIFYING.fullmatch(name.lower()):
            findings.append(
                Finding.create(
                    "sheet.identifying_column",
                    sheet.path,
                    "the column looks like a person's identity",
                    "sheets must hold pseudonyms only",
                    "delete the column from the sheet and keep the key elsewhere",
                    row=sheet.header,
                    column=name,
                    severity="warning",
                )
            )
        elif name not in taken:
            findings.append(
                Finding.create(
                    f"{spec.table}.column_unknown",
                    sheet.path,
                    "the column is not known and is ignored",
                    "nothing in it reaches the model",
                    f"no action needed, or use one of: {', '.join(spec.names)}",
                    row=sheet.header,
                    column=name,
                    severity="note",
                )
            )
    return findings


def _meant(column: ColumnSpec, unknown: list[str]) -> list[str]:
    """Unknown headings that probably mean this column, best first."""
    wanted = [n.lower() for n in (*column.rule.get("x-names", ()), column.name)]
    exact = [name for name in unknown if name.lower().replace(" ", "_") in wanted]
    return exact or get_close_matches(column.name, unknown, n=1, cutoff=0.8)


def check_cells(sheet: Sheet, spec: SheetSpec) -> tuple[list[Record], list[Finding]]:
    """Read every known cell; the records keep what could be read, the findings say what could not."""
    columns = [(c, *_plain_limits(c)) for c in spec.columns if c.name in sheet.columns]
    records, findings = [], []
    for row, raw in sheet.rows:
        values: dict[str, Any] = {}
        for column, may_be_empty, low, high in columns:
            cell = raw.get(column.name, "")
            if may_be_empty and cell in MISSING:
                continue
            if low < high and NUMBER.fullmatch(cell) and low <= float(cell) <= high:
                values[column.name] = float(cell)  # the usual cell, read without ceremony
                continue
            value, finding = _read(sheet.path, spec.table, row, column, raw.get(column.name, ""))
            if value is not None:
                values[column.name] = value
            if finding is not None:
                findings.append(finding)
        records.append(Record(row, raw, values))
    return records, findings


def _plain_limits(column: ColumnSpec) -> tuple[bool, float, float]:
    """Whether the cell may be empty, and the range of a plain number; an empty range where more is to be checked."""
    rule = column.rule
    if column.kind != "number" or "enum" in rule or "exclusiveMinimum" in rule:
        return bool(rule.get("x-empty")), 1.0, 0.0
    largest = sys.float_info.max
    return bool(rule.get("x-empty")), float(rule.get("minimum", -largest)), float(rule.get("maximum", largest))


def _read(path: str, table: str, row: int, column: ColumnSpec, cell: str) -> tuple[Any, Finding | None]:
    """Value of a cell (None: there is none) and what is wrong with it."""

    def wrong(rule: str, what: str, fix: str = "") -> Finding:
        shown = "" if column.rule.get("x-private") else cell
        why, advice = column.rule["x-why"], fix or column.rule["x-fix"]
        return Finding.create(f"{table}.{rule}", path, what, why, advice, row=row, column=column.name, value=shown)

    if is_missing(cell):
        return None, None if column.rule.get("x-empty") else wrong("empty_cell", "the cell is empty")
    if column.kind == "string":
        return _read_text(column, cell, wrong)
    value, problem = _read_number(column, cell, wrong)
    if problem is not None or value is None:
        return value, problem
    if column.kind == "integer":
        if value != int(value):
            return None, wrong("not_whole", "is not a whole number")
        value = int(value)
    if "enum" in column.rule and value not in column.rule["enum"]:
        return None, wrong(f"{column.name}_code", f"is not one of {_listed(column.rule['enum'])}")
    low, high = column.rule.get("minimum"), column.rule.get("maximum")
    unit = column.unit_shown
    if "exclusiveMinimum" in column.rule and value <= column.rule["exclusiveMinimum"]:
        return value, wrong("out_of_range", f"must be greater than {column.rule['exclusiveMinimum']:g}{unit}")
    if (low is not None and value < low) or (high is not None and value > high):
        limits = " to ".join(f"{limit:g}" for limit in (low, high) if limit is not None) + unit
        limits = limits if None not in (low, high) else f"{'at most' if low is None else 'at least'} {limits}"
        return value, wrong("out_of_range", f"is outside of the allowed range, {limits}")
    return value, None


def _listed(codes: list[Any]) -> str:
    return ", ".join(str(code) for code in codes)


def _read_text(column: ColumnSpec, cell: str, wrong: Any) -> tuple[str | None, Finding | None]:
    rule = column.rule
    if "enum" in rule and cell not in rule["enum"]:
        meant = rule.get("x-codes", {}).get(cell.lower(), cell.upper() if cell.upper() in rule["enum"] else None)
        if meant is None and cell.lower() in rule["enum"]:
            meant = cell.lower()
        fix = f"write {meant} if that is meant" if meant else "leave the cell empty" if meant == "" else ""
        return None, wrong(f"{column.name}_code", f"is not one of the codes {_listed(rule['enum'])}", fix)
    if "pattern" in rule and not re.fullmatch(rule["pattern"], cell):
        return None, wrong(f"{column.name}_form", "is not written in the form that is needed")
    return cell, None


def _read_number(column: ColumnSpec, cell: str, wrong: Any) -> tuple[float | None, Finding | None]:
    """A number; with a unit beside it or a comma in it, the probable number and an error."""
    if NUMBER.fullmatch(cell) and math.isfinite(float(cell)):
        return float(cell), None
    if re.fullmatch(r"[+-]?\d+(,\d+)+(\.\d+)?", cell):
        point = cell.replace(",", ".")
        example = f", e.g. {point}" if cell.count(",") == 1 and "." not in cell else ""
        fix = f"write it with a decimal point and without thousands separators{example}"
        return (float(point) if example else None), wrong("decimal_comma", "there is a comma in the number", fix)
    code = column.rule.get("x-codes", {}).get(cell.lower())
    if code is not None:
        return float(code), wrong(f"{column.name}_code", "is a word, not a code", f"write {code} if that is meant")
    beside = re.fullmatch(rf"({NUMBER.pattern})\s*([^\d\s.,].*)", cell)
    quantity = column.rule.get("x-quantity", "")
    if beside and units.is_known(quantity, beside[4], column.unit):
        number = units.convert(float(beside[1]), quantity, beside[4], column.unit)
        same = number == float(beside[1])
        fix = f"write {number:.4g}" + ("" if same else f" ({beside[1]} {beside[4].strip()} in {column.unit})")
        return number, wrong("unit_in_cell", f"there is a unit in the cell; the column is in {column.unit}", fix)
    return None, wrong("not_a_number", "is not a number")
