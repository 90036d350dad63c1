"""Reading of the user's sheets: text, a spreadsheet or a SAS transport file, as tolerant as can be without guessing.

A byte order mark, CRLF line ends, blank lines and comment lines (``#``) above the header do no harm. A comma- or
semicolon-separated file, or one that is not UTF-8, is still read as far as possible, so that its other problems are
found in the same run; each such deviation is a finding. Every reader is a function of bytes or text. Standard library
only, but for spreadsheets and SAS files: the Snakefile reads its sheets too.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pharmtwin.findings import Finding
from pharmtwin.intake.buckets import MISSING
from pharmtwin.untrusted import read_bytes

#: headings that tell a NM-TRAN data set, whose columns may be separated by blanks
NMTRAN = {"ID", "TIME"}
WHY_FORM = "a sheet must be read the same way everywhere"
SAVE_AS = "save it as tab-separated text (TSV) in UTF-8"


@dataclass(frozen=True)
class Sheet:
    """One sheet as text.

    Attributes
    ----------
    path : path as the user wrote it.
    header : line number of the header (1 unless blank lines or comments stand before it).
    columns : column names in file order.
    rows : (line number, {column: cell without surrounding blanks}) of every row that is not blank.
    kind : text, xlsx or xport.
    dates : (line number, column) of cells that the file itself holds as dates (spreadsheets).
    origin : our column -> heading in the file, where they differ (``intake.door``).
    written : (line number, our column) -> cell as written, where it was converted.
    undeclared : our columns whose unit the file does not tell; their numbers stand as written.
    """

    path: str
    header: int
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    kind: str = "text"
    dates: frozenset[tuple[int, str]] = frozenset()
    origin: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[tuple[int, str], str] = field(default_factory=dict)
    undeclared: frozenset[str] = frozenset()


def is_missing(cell: str) -> bool:
    """True for an empty cell and its usual spellings (NA, N/A, nan, a single point)."""
    return cell in MISSING


def _decode(raw: bytes, path: str) -> tuple[str | None, list[Finding]]:
    """Text of the file; None if it is no text at all."""
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if b"\0" in raw and encoding != "utf-16":
        what = "is neither a text file nor a spreadsheet (xlsx) nor a SAS transport file (xpt)"
        return None, [Finding.create("sheet.not_text", path, what, WHY_FORM, SAVE_AS)]
    try:
        text = raw.decode(encoding).replace("\0", "")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        what = "holds bytes that are not UTF-8 (read as Latin-1 for this check)"
        finding = Finding.create("sheet.encoding", path, what, "letters would be read wrongly", SAVE_AS, row=row)
        return raw.decode("latin-1"), [finding]
    if encoding == "utf-16":
        what = "is UTF-16 text, not UTF-8 (read as such for this check)"
        return text, [Finding.create("sheet.encoding", path, what, WHY_FORM, SAVE_AS)]
    return text, []


def _delimiter(header: str, path: str, row: int) -> tuple[str, list[Finding]]:
    if "\t" in header:
        return "\t", []
    marks = sorted(((",", "commas"), (";", "semicolons")), key=lambda m: -len(_cells(header, m[0])))
    for delimiter, name in marks:  # the one that makes more cells first: "DV, ng/mL";TIME
        if delimiter in header:
            what = f"columns are separated by {name}, not by tabs (read as such)"
            why = "a comma or semicolon inside a cell would shift all cells to its right"
            return delimiter, [Finding.create("sheet.delimiter", path, what, why, SAVE_AS, row=row, severity="warning")]
    if {name.upper() for name in header.replace("#", " ").split()} >= NMTRAN:
        return " ", []
    if len(header.split()) > 1:
        what = "columns are separated by blanks, not by tabs"
        why = "empty cells cannot be told from gaps, so the rows of this file were not checked"
        return "\t", [Finding.create("sheet.delimiter", path, what, why, SAVE_AS, row=row)]
    return "\t", []


def _is_comment(line: str) -> bool:
    """A line that begins with #; with tabs in it, or NM-TRAN's items, it is a header whose first name begins so."""
    names = {name.upper() for name in re.split(r"[\s,#]+", line)}
    return line.startswith("#") and "\t" not in line and not names >= NMTRAN


def _cells(line: str, delimiter: str) -> list[str]:
    """Cells of one line; of what the csv module refuses (a field of over 128 kB), the plain split."""
    if delimiter == " ":  # NM-TRAN: # before a row, with or without a blank, comments it out
        return ("#" + line[1:].lstrip() if line.startswith("#") else line).split()
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return line.split(delimiter)


def _is_unclosed(line: str, delimiter: str) -> bool:
    """A quote that opens a cell and is not closed on its line: it swallows the cells behind it."""
    if '"' not in line or delimiter == " ":
        return False
    try:
        next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _width(path: str, columns: int, widths: Sequence[tuple[int, int, bool]], delimiter: str) -> list[Finding]:
    """What is wrong with rows whose cells are fewer than the headings, or that a quote cuts short.

    A line of tabs may lack those at its end: editors take blanks at line ends away. widths : line, number of cells,
    whether a quote stays open.
    """
    blanks = delimiter == " "
    findings = [
        Finding.create("sheet.quote", path, "a quote opens a cell and is not closed on its line",
                       "the cells behind it are lost in this one", "remove the quote or close it, and write no line "
                       "break into a cell", row=row)
        for row, _, is_open in widths if is_open
    ]  # fmt: skip
    short = [(row, n) for row, n, is_open in widths if n < columns and not is_open]
    told = [] if delimiter == "\t" else short if blanks else short[:1]
    for row, n in told:
        also = "" if blanks or len(short) == 1 else f" ({len(short)} rows are so, the first here)"
        what = f"the row has {n} cells, the header names {columns} columns{also}; the last are read as empty"
        why = "where a separator was lost, or a cell is empty among blanks, cells stand under the wrong column"
        fix = "fill the cell with a point" if blanks else "write all separators, also those of empty cells at the end"
        severity = "error" if blanks else "warning"
        findings.append(Finding.create("sheet.row_short", path, what, why, fix, row=row, severity=severity))
    return findings


def parse_sheet(text: str, path: str) -> tuple[Sheet | None, list[Finding]]:
    """Split text into a :class:`Sheet`; every physical line stands alone, so a stray quote spoils one row only."""
    findings: list[Finding] = []
    lines = list(enumerate(re.split(r"\r\n|\n|\r", text), start=1))
    filled = [(number, line) for number, line in lines if line.strip(" \t,;\f")]
    notes = 0
    while notes < len(filled) and _is_comment(filled[notes][1]):
        notes += 1
    if notes:
        what, why = f"{notes} comment line(s) above the header passed over", "nothing in them reaches the model"
        fix = "no action needed"
        findings.append(Finding.create("sheet.comment", path, what, why, fix, row=filled[0][0], severity="note"))
    comments, filled = filled[:notes], filled[notes:]
    if not filled:
        fix = "write a header line and at least one row, or name the right file in the config"
        return None, [Finding.create("sheet.empty", path, "holds no header and no rows", "nothing can be run", fix)]
    header_line, header = filled[0]
    filled_numbers = {number for number, _ in comments + filled}
    blank = [number for number, _ in lines[: filled[-1][0]] if number not in filled_numbers]
    if blank:
        what = f"{len(blank)} blank line(s) ignored, the first here"
        findings.append(
            Finding.create(
                "sheet.blank_line",
                path,
                what,
                "a blank line may be a lost row",
                "delete the line if no row is missing",
                row=blank[0],
                severity="note",
            )
        )
    delimiter, delimiter_findings = _delimiter(header, path, header_line)
    findings += delimiter_findings
    if any(f.severity == "error" for f in delimiter_findings):
        return None, findings
    columns = [cell.strip() for cell in _cells(header, delimiter)]
    if {c.lstrip("#").strip().upper() for c in columns} >= NMTRAN:  # the header may begin with # there: #ID, or # ID
        columns = [c.lstrip("#").strip() for c in columns]
    while columns and not columns[-1]:
        columns.pop()
    for name in dict.fromkeys(c for c in columns if columns.count(c) > 1):
        findings.append(
            Finding.create(
                "sheet.column_twice",
                path,
                f"the header names this column {columns.count(name)} times" if name else "columns without a name",
                "it is not clear which one is meant; the first was checked",
                "delete or rename the others",
                row=header_line,
                column=name,
            )
        )
    rows = []
    widths = []
    for number, line in filled[1:]:
        cells = [cell.strip() for cell in _cells(line, delimiter)]
        if not cells[0].startswith("#"):  # a row that is commented out may have any form
            widths.append((number, len(cells), _is_unclosed(line, delimiter)))
        if any(cells[len(columns) :]):
            findings.append(
                Finding.create(
                    "sheet.row_width",
                    path,
                    f"the row has {len(cells)} cells, the header names {len(columns)} columns",
                    "cells may stand under the wrong column",
                    "remove the surplus cells or quote a cell that contains the separator",
                    row=number,
                )
            )
        cells += [""] * (len(columns) - len(cells))
        rows.append((number, dict(reversed(list(zip(columns, cells))))))
    findings += _width(path, len(columns), widths, delimiter)
    return Sheet(path, header_line, tuple(dict.fromkeys(c for c in columns if c)), tuple(rows)), findings


def read_sheet(path: str, base: Path = Path(".")) -> tuple[Sheet | None, list[Finding]]:
    """Read a sheet (``path`` relative to ``base``); None if it cannot be read at all, with the reason as a finding."""
    file = base / workbook_and_sheet(path)[0]
    if not os.path.isfile(file):
        what = "is a folder, not a file" if os.path.isdir(file) else "does not exist"
        why = "the study is read from this sheet"
        fix = "correct the path in the config (paths are relative to the working directory)"
        return None, [Finding.create("sheet.file_missing", path, what, why, fix)]
    try:
        raw = read_bytes(file)
    except OSError as error:
        what = f"cannot be read ({error.strerror or error})"
        return None, [
            Finding.create("sheet.file_missing", path, what, "the study needs it", "allow reading of the file")
        ]
    return parse_bytes(raw, path)


def workbook_and_sheet(path: str) -> tuple[str, str]:
    """File and name of the sheet of a path like ``study.xlsx#events``; other paths have no sheet."""
    file, mark, name = path.rpartition("#")
    return (file, name) if mark and file.lower().endswith((".xlsx", ".xlsm")) else (path, "")


def parse_bytes(raw: bytes, path: str) -> tuple[Sheet | None, list[Finding]]:
    """A sheet from the bytes of a file, by what they are: a spreadsheet, a SAS transport file, or text."""
    if raw.startswith(b"PK\x03\x04"):
        from pharmtwin.intake.xlsx import parse_xlsx  # heavy

        return parse_xlsx(raw, path)
    if raw.startswith(b"HEADER RECORD*******"):
        from pharmtwin.intake.xport import parse_xport  # heavy

        return parse_xport(raw, path)
    text, findings = _decode(raw, path)
    if text is None:
        return None, findings
    sheet, more = parse_sheet(text, path)
    return sheet, findings + more


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Rows of a sheet as plain dictionaries of text; raises ValueError with the findings if it cannot be read."""
    sheet, findings = read_sheet(str(path))
    if sheet is None:
        raise ValueError("\n".join(f.message() for f in findings))
    return [cells for _, cells in sheet.rows]
