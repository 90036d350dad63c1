"""Reading of spreadsheets (xlsx) as sheets of text: what a cell shows, told apart from what a spreadsheet made of it.

An id stays what it is where the workbook kept it as text. A number is written as a number, with the leading zeros that
its format shows; a date is written in ISO 8601 and remembered as a date, so that it is refused in a column of ids or
numbers. Merged cells are refused: what lies under them is empty. Values of formulas are those that were saved last.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any

from pharmtwin.findings import Finding
from pharmtwin.intake.sheet import SAVE_AS, WHY_FORM, Sheet, workbook_and_sheet
from pharmtwin.untrusted import check_archive

#: bytes that a workbook may unpack to, rows, columns and cells of a page that are read
MAX_BYTES, MAX_ROWS, MAX_COLUMNS, MAX_CELLS = 200_000_000, 1_000_000, 2_000, 20_000_000
ZEROS = re.compile(r"0+")
ERRORS = re.compile(r"#(N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)")
WHY_MERGED = "only the first of merged cells holds the value; the others are empty, so rows and headings lose it"


def parse_xlsx(raw: bytes, path: str) -> tuple[Sheet | None, list[Finding]]:
    """A sheet of a workbook: the one that ``path`` names after ``#``, else the first that holds anything."""

    def refused(what: str, rule: str = "sheet.not_text") -> tuple[None, list[Finding]]:
        return None, [Finding.create(rule, path, what, WHY_FORM, SAVE_AS)]

    try:
        with zipfile.ZipFile(BytesIO(raw)) as parts:
            size = sum(part.file_size for part in parts.infolist())
            names = set(parts.namelist())
            if size <= MAX_BYTES:
                check_archive(parts, MAX_BYTES)
    # NotImplementedError: what zipfile says of a compression method that it does not know
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        return refused(f"cannot be unpacked ({type(error).__name__})")
    if size > MAX_BYTES:
        return refused(f"unpacks to {size / 1e6:.0f} MB, more than {MAX_BYTES / 1e6:.0f} MB", "sheet.too_large")
    if "[Content_Types].xml" not in names or not any(n.startswith("xl/") for n in names):
        return refused("is a zip archive, not a spreadsheet (xlsx)")
    try:
        book = _load(raw, values=False)
        large = [p for p in book.worksheets if p.max_row * p.max_column > MAX_CELLS]
        if large:  # one cell far out makes the page that large: it would be walked through cell by cell
            what = f"has a page of {large[0].max_row} rows and {large[0].max_column} columns"
            return refused(what, "sheet.too_large")
        formulas = any(cell.data_type == "f" for page in book.worksheets for row in page.iter_rows() for cell in row)
        saved = _load(raw, values=True) if formulas else book
        return _read(book, saved, path)
    except Exception as error:  # a library that raises whatever a broken workbook makes it meet
        return refused(f"is a damaged spreadsheet ({type(error).__name__})")


def _load(raw: bytes, values: bool) -> Any:
    import warnings

    import openpyxl  # heavy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return openpyxl.load_workbook(BytesIO(raw), data_only=values, keep_links=False)


def _read(book: Any, saved: Any, path: str) -> tuple[Sheet | None, list[Finding]]:
    findings: list[Finding] = []

    def say(rule: str, what: str, why: str, fix: str, row: int = 0, severity: str = "error", **place: str) -> None:
        findings.append(Finding.create(rule, path, what, why, fix, row=row, severity=severity, **place))

    wanted = workbook_and_sheet(path)[1]
    filled = [p.title for p in book.worksheets if any(_text(c)[0] for row in p.iter_rows() for c in row)]
    shown = [p.title for p in book.worksheets if p.sheet_state == "visible" and p.title in filled]
    if wanted and wanted not in book.sheetnames:
        say("sheet.no_such_page", f"the workbook has no sheet {wanted}", "nothing can be read",
            f"write one of: {', '.join(book.sheetnames)}")  # fmt: skip
        return None, findings
    if not (wanted or filled):
        say("sheet.empty", "holds no header and no rows", "nothing can be run", "write a header line and rows")
        return None, findings
    name = wanted or (shown or filled)[0]
    if not wanted and len(filled) > 1:
        others = ", ".join(n for n in filled if n != name)
        say("sheet.many_pages", f"sheet {name} is read; the workbook also holds {others}",
            "rows of the other sheets are not read", f"name the sheet in the path, e.g. {path}#{name}",
            severity="warning")  # fmt: skip
    page, values = book[name], saved[name]
    if values.max_row > MAX_ROWS or values.max_column > MAX_COLUMNS:
        say("sheet.too_large", f"has {values.max_row} rows and {values.max_column} columns",
            "formatting far below the table is the usual cause", SAVE_AS)  # fmt: skip
        return None, findings
    lines: list[tuple[int, list[str], set[int]]] = []
    struck = 0
    for number, row in enumerate(values.iter_rows(), start=1):
        cells = [_text(cell) for cell in row]
        unsaved = []
        for i, cell in enumerate(row):
            source = page.cell(number, i + 1)
            if source.data_type == "f" and cell.value is None and cell.data_type != "str":  # str: saved, and empty
                unsaved.append(source.coordinate)
            if not struck and cells[i][0] and source.has_style and source.font.strike:
                struck = number
                say("sheet.struck", "a cell is struck through, the first here; it is read", "what was crossed out is "
                    "not meant to be used", "clear the cell, write a reason into a column exclude, or take the line "
                    "off", number, "warning", value=source.coordinate)  # fmt: skip
        if unsaved:
            also = f" (and {len(unsaved) - 1} more in the row)" if len(unsaved) > 1 else ""
            say("sheet.formula", f"holds a formula whose value was not saved{also}", "the value is not in the file",
                "open and save the workbook in a spreadsheet program, or write the value",
                number, value=unsaved[0])  # fmt: skip
        if any(text for text, _ in cells):
            lines.append((number, [text for text, _ in cells], {i for i, (_, is_date) in enumerate(cells) if is_date}))
    if not lines:
        if not findings:
            say("sheet.empty", "holds no header and no rows", "nothing can be run", "write a header line and rows")
        return None, findings
    hidden = [n for n, _, _ in lines if page.row_dimensions[n].hidden]
    if hidden:
        say("sheet.hidden_rows", f"{len(hidden)} hidden row(s), the first here; they are read",
            "a filter may hide rows that were meant to be left out", "show all rows and look at them",
            hidden[0], "warning")  # fmt: skip
    return _table(lines, [str(r) for r in page.merged_cells.ranges], path, say), findings


def _table(lines: list[tuple[int, list[str], set[int]]], merged: list[str], path: str, say: Any) -> Sheet | None:
    """Header and rows; titles above the header are passed over."""
    over = {number: at for at in merged for number in _rows_of(at)}
    while len(lines) > 1 and _is_title(lines[0][1], lines[1][1], lines[0][0] in over):
        number = lines[0][0]
        if number in over and len([t for t in lines[0][1] if t]) > 1:
            say("sheet.merged_header", f"the heading is merged ({over[number]}); the row below is taken for the header",
                WHY_MERGED, "write one heading into each cell of one row, and nothing above it", number,
                value=next(t for t in lines[0][1] if t))  # fmt: skip
        else:
            say("sheet.comment", "a title above the header passed over", "nothing in it reaches the model",
                "no action needed", number, "note")  # fmt: skip
        lines = lines[1:]
    header, names, _ = lines[0]
    if header in over:
        say("sheet.merged_header", f"the heading is merged ({over[header]})", WHY_MERGED,
            "write one heading into each cell of one row", header, value=next(t for t in names if t))  # fmt: skip
    for at in merged:
        below = [n for n in _rows_of(at) if n > header]
        if below:
            say("sheet.merged_cells", f"cells are merged ({at})", WHY_MERGED, "unmerge them and fill every cell",
                below[0], value=at)  # fmt: skip
    blank = sorted(set(range(header, lines[-1][0])) - {n for n, _, _ in lines})
    if blank:
        say("sheet.blank_line", f"{len(blank)} blank line(s) ignored, the first here", "a blank line may be a lost row",
            "delete the line if no row is missing", blank[0], "note")  # fmt: skip
    for twice in dict.fromkeys(n for n in names if n and names.count(n) > 1):
        say("sheet.column_twice", f"the header names this column {names.count(twice)} times",
            "it is not clear which one is meant; the first was checked", "delete or rename the others",
            header, column=twice)  # fmt: skip
    rows: list[tuple[int, dict[str, str]]] = []
    dates: set[tuple[int, str]] = set()
    for number, cells, dated in lines[1:]:
        stray = [i for i, t in enumerate(cells) if t and (i >= len(names) or not names[i])]
        if stray:
            say("sheet.row_width", f"{len(stray)} cell(s) stand under no heading",
                "cells may stand under the wrong column", "give the column a heading, or clear the cells",
                number)  # fmt: skip
        rows.append((number, dict(reversed([(n, t) for n, t in zip(names, cells) if n]))))
        dates |= {(number, names[i]) for i in dated if i < len(names)}
    return Sheet(path, header, tuple(dict.fromkeys(n for n in names if n)), tuple(rows), "xlsx", frozenset(dates))


def _is_title(cells: list[str], below: list[str], merged: bool) -> bool:
    """A line with a few cells above one with many is no header; a merged one even with several."""
    here, there = sum(bool(t) for t in cells), sum(bool(t) for t in below)
    return there > here and (here <= 1 or merged)


def _rows_of(at: str) -> Iterator[int]:
    """Rows of a range like B1:D2."""
    numbers = [int(n) for n in re.findall(r"\d+", at)]
    yield from range(numbers[0], numbers[-1] + 1)


def _text(cell: Any) -> tuple[str, bool]:
    """A cell as text, and whether the workbook holds it as a date."""
    value = cell.value
    if value is None:
        return "", False
    if isinstance(value, bool):
        return str(value).upper(), False
    if isinstance(value, (datetime, date, time)):
        return value.isoformat(), True
    if isinstance(value, timedelta):
        return str(value), True
    if isinstance(value, (int, float)):
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < 1e15)
        text = str(int(value)) if whole else repr(value)
        zeros = ZEROS.fullmatch(str(cell.number_format))
        return (text.zfill(len(zeros[0])) if zeros and whole else text), False
    return " ".join(str(value).split()), False
