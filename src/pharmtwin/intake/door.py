"""The door: a sheet as the user has it becomes a sheet of our columns, in our units, on one clock.

Headings of NONMEM and CDISC are read, units from headings, a row of units or columns of units are converted, clock
times become hours, regimens in words become doses. What was written stays in ``Sheet.written`` and ``Sheet.origin``,
and findings name it. Nothing is guessed: a unit that nobody states is a finding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from pharmtwin.findings import Finding
from pharmtwin.intake.buckets import NUMBER
from pharmtwin.intake.cells import (
    REPAIRS,
    Done,
    Reading,
    convert,
    number_cell,
    number_text,
    text_cell,
    without_invisible,
)
from pharmtwin.intake.columns import ColumnSpec, SheetSpec
from pharmtwin.intake.headings import Meaning, is_unit, known_columns, meanings, rivals
from pharmtwin.intake.sheet import Sheet, is_missing

WHY_UNIT = "a number without its unit may be wrong by a factor of 1000 and look right"


@dataclass
class Passing:
    """A sheet on its way through the door."""

    sheet: Sheet
    spec: SheetSpec
    reading: Reading
    rows: list[tuple[int, dict[str, str]]]
    origin: dict[str, str] = field(default_factory=dict)
    written: dict[tuple[int, str], str] = field(default_factory=dict)
    undeclared: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def say(self, rule: str, what: str, why: str, fix: str, severity: str = "error", **place: Any) -> None:
        """One finding more; a column is given by our name and shown by the heading."""
        column = place.pop("column", "")
        self.findings.append(
            Finding.create(
                rule,
                self.sheet.path,
                what,
                why,
                fix,
                severity=severity,
                column=self.origin.get(column, column),
                **place,
            )
        )

    def put(self, i: int, column: str, text: str) -> None:
        """A cell with another text than was written."""
        number, cells = self.rows[i]
        self.written.setdefault((number, column), cells.get(column, ""))
        cells[column] = text


def through_door(sheet: Sheet, spec: SheetSpec, reading: Reading) -> tuple[Sheet, list[Finding]]:
    """The sheet in our columns and units, and what there is to say of it."""
    from pharmtwin.intake.clock import read_clock
    from pharmtwin.intake.doses import derived_doses, expand_regimens

    sheet, found = _visible(sheet, reading)
    meant = meanings(sheet.columns, spec, reading.units)
    passing = Passing(sheet, spec, reading, [])
    passing.findings += found
    _rename(passing, meant)
    units_row = _take_units_row(passing, meant)
    by_row = _row_units(passing, meant)
    known = known_columns(spec.table)
    for meaning in meant:
        column = known[meaning.column]
        if column.kind == "string":
            _texts(passing, column)
        else:
            _numbers(passing, meaning, column, units_row.get(meaning.column, ""), by_row.get(meaning.column, {}))
    _rivals(passing, meant)
    _assumed(passing, meant, units_row)
    _dates(passing)
    if spec.table == "events":
        _constants(passing)
        read_clock(passing)
        derived_doses(passing)
    if spec.table in ("events", "scenarios"):
        expand_regimens(passing)
    heading_of = {heading: column for column, heading in passing.origin.items()}
    named = [heading_of.get(c, c) for c in passing.sheet.columns]
    ours = tuple(dict.fromkeys([*named, *(c for _, cells in passing.rows[:1] for c in cells)]))
    passing.rows = [(n, {**dict.fromkeys(ours, ""), **cells}) for n, cells in passing.rows]
    out = replace(
        passing.sheet,
        columns=ours,
        rows=tuple(passing.rows),
        origin={k: v for k, v in passing.origin.items() if k != v},
        written=passing.written,
        undeclared=frozenset(passing.undeclared),
    )
    return out, passing.findings


def _visible(sheet: Sheet, reading: Reading) -> tuple[Sheet, list[Finding]]:
    """Characters without width are told, or taken out where that is asked for."""
    findings, rows = [], []
    for number, cells in sheet.rows:
        if "".join(cells.values()).isascii():
            rows.append((number, cells))
            continue
        changed = {c: clean for c, t in cells.items() if not t.isascii() and (clean := without_invisible(t)) != t}
        for column in changed:
            if "invisible_characters" in reading.repairs:
                findings.append(repaired(sheet.path, number, column, changed[column], "invisible_characters"))
            else:
                what = "holds characters that nobody sees"
                why, fix = "two ids or codes that look equal are not", "type the cell anew, or allow the repair"
                place = {"row": number, "column": column}
                findings.append(Finding.create("sheet.invisible", sheet.path, what, why, fix, **place))  # type: ignore[arg-type]
        keep = changed if "invisible_characters" in reading.repairs else {}
        rows.append((number, {**cells, **keep}))
    if not all(c.isascii() for c in sheet.columns):
        rows = [(n, {without_invisible(c): t for c, t in cells.items()}) for n, cells in rows]
    return replace(sheet, columns=tuple(without_invisible(c) for c in sheet.columns), rows=tuple(rows)), findings


def repaired(path: str, row: int, column: str, now: str, repair: str, written: str = "") -> Finding:
    """The note of a repair."""
    return Finding.create(
        f"repair.{repair}", path, f"repaired: read as {now}" if now else "repaired", REPAIRS[repair],
        "no action needed; take the repair out of intake.repairs to refuse it", row=row, column=column, value=written,
        severity="note",
    )  # fmt: skip


def _rename(passing: Passing, meant: Iterable[Meaning]) -> None:
    """Rows by our names; one note names the headings of another dialect."""
    ours = {m.heading: m.column for m in meant}
    passing.origin = {m.column: m.heading for m in meant}
    passing.rows = [(n, {ours.get(c, c): t for c, t in cells.items()}) for n, cells in passing.sheet.rows]
    foreign = [f"{m.heading} as {m.column}" for m in meant if m.by != "own" and m.heading != m.column]
    if foreign:
        passing.say("sheet.headings", f"headings are read under our names: {', '.join(foreign)}",
                    "they are those of NONMEM or CDISC, in other letters, or with a unit", "no action needed",
                    "note", row=passing.sheet.header)  # fmt: skip


def _take_units_row(passing: Passing, meant: list[Meaning]) -> dict[str, str]:
    """Units by column, if the first row below the header holds units and no number; the row is taken away."""
    if not passing.rows:
        return {}
    number, cells = passing.rows[0]
    known = known_columns(passing.spec.table)
    numeric = [known[m.column] for m in meant if known[m.column].kind != "string" and known[m.column].unit]
    filled = [c for c in numeric if not is_missing(cells.get(c.name, ""))]
    if not filled or any(NUMBER.fullmatch(cells[c.name].replace(",", ".")) for c in filled):
        return {}
    told = {c.name: _unit_text(c, cells[c.name]) for c in filled}
    units = {name: unit for name, unit in told.items() if is_unit(known[name], unit)}
    alone = is_missing(cells.get(meant[0].column, ""))  # no id stands in a row of units
    if len(units) < (1 if alone else 2) or 2 * len(units) < len(told):
        return {}
    passing.rows = passing.rows[1:]
    shown = ", ".join(f"{passing.origin[n]} in {u}" for n, u in told.items())
    passing.say("units.row", f"the row below the header is read as units: {shown}", WHY_UNIT, "no action needed",
                "note", row=number)  # fmt: skip
    for name in told.keys() - units.keys():
        _unknown_unit(passing, known[name], told[name], number)
    own = {m.column: m.unit for m in meant if m.unit and not m.assumed}
    for name in own.keys() & units.keys():
        if not _same_unit(known[name], own[name], units[name]):
            passing.say("units.contradiction", f"the heading says {own[name]}, the row of units says {units[name]}",
                        WHY_UNIT, "keep one of them", row=number, column=name, value=units[name])  # fmt: skip
    return told


def _unit_text(column: ColumnSpec, cell: str) -> str:
    """A cell of a row of units: as it is if that is a unit (UCUM has [lb_av]), else without brackets around it."""
    return cell if is_unit(column, cell) else cell.strip("[]() ")


def _same_unit(column: ColumnSpec, one: str, other: str) -> bool:
    """Whether two spellings are one unit, or units of the same size (ng/mL and ug/L)."""
    sizes = [convert(1.0, column, unit, 1.0) for unit in (one, other)]
    return one.lower().split() == other.lower().split() or (None not in sizes and sizes[0] == sizes[1])


def _row_units(passing: Passing, meant: list[Meaning]) -> dict[str, dict[int, str]]:
    """Units that a column of its own tells, by our column and index of the row; they must be what else is told."""
    out = {}
    for m in (m for m in meant if m.unit_column):
        told = {i: cells.get(m.unit_column, "") for i, (_, cells) in enumerate(passing.rows)}
        told = {i: "" if is_missing(unit) else unit for i, unit in told.items()}
        if not m.unit:
            out[m.column] = told
            continue
        column = known_columns(passing.spec.table)[m.column]
        for i, unit in told.items():
            number, cells = passing.rows[i]
            if unit and not is_missing(cells.get(m.column, "")) and not _same_unit(column, m.unit, unit):
                passing.say("units.contradiction", f"{m.unit} is stated, the column {m.unit_column} says {unit}",
                            WHY_UNIT, "keep the one that is right", row=number, column=m.column,
                            value=cells[m.column])  # fmt: skip
                break
    return out


def _unitless(passing: Passing, column: ColumnSpec, by_row: dict[int, str]) -> None:
    """Numbers beside an empty cell of their column of units: nobody knows what they are."""
    alone = [
        (number, cells[column.name])
        for i, (number, cells) in enumerate(passing.rows)
        if not by_row.get(i, "")
        and NUMBER.fullmatch(cells.get(column.name, ""))
        and float(cells[column.name])
        # a limit is repeated on rows of doses, where it says nothing
        and not (column.name == "lloq_ng_ml" and is_missing(cells.get("dv_ng_ml", "")))
    ]
    if alone:
        also = f" ({len(alone)} rows are so, the first here)" if len(alone) > 1 else ""
        passing.say("units.undeclared", f"the column of units is empty beside this number{also}", WHY_UNIT,
                    "write the unit into the row", row=alone[0][0], column=column.name, value=alone[0][1])  # fmt: skip


def _rivals(passing: Passing, meant: list[Meaning]) -> None:
    """Two headings that mean one column must tell the same numbers: WT and weight [lb], DV and CONC."""
    known = known_columns(passing.spec.table)
    chosen = {m.column: m for m in meant}
    for other in rivals(passing.sheet.columns, passing.spec, passing.reading.units, meant):
        mine, column = chosen[other.column], known[other.column]
        for number, cells in passing.rows:
            here, there = cells.get(column.name, ""), cells.get(other.heading, "")
            unit = other.unit or (cells.get(other.unit_column, "") if other.unit_column else "")
            if not (NUMBER.fullmatch(here) and NUMBER.fullmatch(there)):
                continue
            value = convert(float(there), column, unit, passing.reading.molar_mass) if unit else float(there)
            if value is not None and not math.isclose(value, float(here), rel_tol=0.01, abs_tol=1e-9):
                passing.say("sheet.column_twice", f"{mine.heading} and {other.heading} both mean {column.name}, and "
                            f"tell different values here ({here} and {number_text(value)}"
                            f"{f' {column.unit}' if column.unit else ''}); {mine.heading} was read",
                            "it is not clear which one is meant", "delete or rename one of them", row=number,
                            column=column.name, value=here)  # fmt: skip
                break


def _unknown_unit(passing: Passing, column: ColumnSpec, unit: str, row: int) -> None:
    from pharmtwin import units

    quantity = str(column.rule.get("x-quantity", ""))
    known = ", ".join(units.units_of(quantity)) or column.unit
    molar = quantity == "concentration" and is_unit(column, unit)
    what = "needs the molar mass of the drug" if molar else f"{unit} is no unit of {column.name}"
    fix = f"write numbers in {column.unit}" if molar else f"write one of {known}"
    passing.say("units.molar_mass" if molar else "units.unknown", what, WHY_UNIT, fix, row=row, column=column.name,
                value=unit)  # fmt: skip


def _numbers(passing: Passing, meaning: Meaning, column: ColumnSpec, unit: str, by_row: dict[int, str]) -> None:
    """Cells of a column of numbers, converted to our unit."""
    unit = unit or meaning.unit
    known = not (meaning.by in ("nonmem", "cdisc") and column.unit and not unit and not by_row)
    if not known:
        passing.undeclared.add(column.name)
        heading = meaning.heading
        passing.say("units.undeclared", f"the unit of {heading} is told nowhere", WHY_UNIT,
                    f"write it into the heading, e.g. {heading} [{column.unit}], or into intake.units: "
                    f"{{{heading}: {column.unit}}}", "warning" if passing.reading.alone else "error",
                    row=passing.sheet.header, column=column.name)  # fmt: skip
    if (unit and not is_unit(column, unit)) or (unit and _needs_molar_mass(column, unit, passing.reading)):
        _unknown_unit(passing, column, unit, passing.sheet.header)
        return
    if by_row:
        _unitless(passing, column, by_row)
    changed: list[tuple[int, str, Done]] = []
    bad: dict[str, int] = {}
    plain = not (passing.reading.repairs or by_row) and unit in ("", column.unit)
    for i, (number, cells) in enumerate(passing.rows) if not plain else ():
        text = cells.get(column.name, "")
        done = number_cell(text, column, by_row.get(i, unit), passing.reading)
        if done.unknown_unit:
            bad.setdefault(done.unknown_unit, number)
        if done.text != text:
            changed.append((number, text, done))
            passing.put(i, column.name, done.text)
        if done.repair:
            heading = passing.origin.get(column.name, column.name)
            passing.findings.append(repaired(passing.sheet.path, number, heading, done.text, done.repair, text))
    for its_unit, number in bad.items():
        _unknown_unit(passing, column, its_unit, number)
    moved = [(n, t, d) for n, t, d in changed if d.converted]
    if moved:
        number, text, done = moved[0]
        told = unit or "the units told"
        passing.say("units.converted", f"{len(moved)} cell(s) converted from {told} to {column.unit}; "
                    f"the first, {text}, is {done.text}", "the model works in one unit", "no action needed", "note",
                    row=number, column=column.name, value=text)  # fmt: skip


def _assumed(passing: Passing, meant: Iterable[Meaning], units_row: dict[str, str]) -> None:
    """Units that the file does not tell and that are taken to be the usual ones: one note."""
    taken = [m for m in meant if m.assumed and m.column not in units_row]
    if taken:
        words = ", ".join(f"{m.heading} in {m.unit}" for m in taken)
        fix = f"write {taken[0].heading} [{taken[0].unit}] to say so"
        passing.say("units.assumed", f"units that the file does not tell are taken to be the usual ones: {words}",
                    WHY_UNIT, fix, "note", row=passing.sheet.header)  # fmt: skip


def _needs_molar_mass(column: ColumnSpec, unit: str, reading: Reading) -> bool:
    from pharmtwin import units

    own = units.is_known(str(column.rule.get("x-quantity", "")), unit, column.unit)
    return not own and reading.molar_mass is None


def _texts(passing: Passing, column: ColumnSpec) -> None:
    if "codes" not in passing.reading.repairs or "enum" not in column.rule:
        return
    for i, (number, cells) in enumerate(passing.rows):
        text = cells.get(column.name, "")
        done = text_cell(text, column, passing.reading)
        if done.repair:
            passing.put(i, column.name, done.text)
            heading = passing.origin.get(column.name, column.name)
            passing.findings.append(repaired(passing.sheet.path, number, heading, done.text, done.repair, text))


def _dates(passing: Passing) -> None:
    """A cell that the workbook holds as a date, in a column of anything else than times."""
    for number, heading in sorted(passing.sheet.dates):
        column = next((c for c, h in passing.origin.items() if h == heading), heading)
        if column not in ("time_h", "DATE", "date"):
            passing.say("sheet.excel_date", "the workbook holds a date here", "spreadsheets make dates of 3-4 or MAR1",
                        "format the column as text and type the cell anew", row=number, column=column,
                        value=next((c.get(column, "") for n, c in passing.rows if n == number), ""))  # fmt: skip


def _constants(passing: Passing) -> None:
    """Columns that the sheet lacks and the configuration states."""
    known = known_columns("events")
    for column, text in passing.reading.constants.items():
        if column in known and column not in passing.origin and passing.rows:
            doses_only, samples_only = column == "route", column == "use"
            for i, (_, cells) in enumerate(passing.rows):
                dose = cells.get("evid", "") in ("1", "4")
                idle = (doses_only and not dose) or (samples_only and dose)
                passing.rows[i][1][column] = "" if idle else text
            passing.origin[column] = column
            passing.say("sheet.constant", f"the column {column} is {text} in every row, as intake.constants says",
                        "the sheet does not have it", "no action needed", "note", row=passing.sheet.header,
                        value=text)  # fmt: skip
