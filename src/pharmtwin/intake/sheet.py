"""Reading of the user's sheets: tab-separated text, as tolerant as can be without guessing.

A byte order mark, CRLF line ends, blank lines and comment lines (``#``) above the header do no harm. A comma- or
semicolon-separated file, or one that is not UTF-8, is still read as far as possible, so that its other problems are
found in the same run; each such deviation is a finding. Standard library only: the Snakefile reads its sheets through
:func:`read_rows`.
"""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pharmtwin.findings import Finding
from pharmtwin.intake.buckets import MISSING
from pharmtwin.untrusted import read_bytes

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
    """

    path: str
    header: int
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def is_missing(cell: str) -> bool:
    """True for an empty cell and its usual spellings (NA, N/A, nan, a single point)."""
    return cell in MISSING


def _decode(raw: bytes, path: str) -> tuple[str | None, list[Finding]]:
    """Text of the file; None if it is no text at all."""
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if raw.startswith(b"PK\x03\x04") or (b"\0" in raw and encoding != "utf-16"):
        what = "is not a text file (a spreadsheet workbook or another binary file)"
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
    for delimiter, name in ((",", "commas"), (";", "semicolons")):
        if delimiter in header:
            what = f"columns are separated by {name}, not by tabs (read as such)"
            why = "a comma or semicolon inside a cell would shift all cells to its right"
            return delimiter, [Finding.create("sheet.delimiter", path, what, why, SAVE_AS, row=row, severity="warning")]
    if len(header.split()) > 1:
        what = "columns are separated by blanks, not by tabs"
        why = "empty cells cannot be told from gaps, so the rows of this file were not checked"
        return "\t", [Finding.create("sheet.delimiter", path, what, why, SAVE_AS, row=row)]
    return "\t", []


def _is_comment(line: str) -> bool:
    """A line that begins with #; with a separator of cells in it, it is a header whose first name begins so."""
    return line.startswith("#") and "\t" not in line


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
    columns = [cell.strip() for cell in next(csv.reader([header], delimiter=delimiter))]
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
    for number, line in filled[1:]:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
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
    return Sheet(path, header_line, tuple(dict.fromkeys(c for c in columns if c)), tuple(rows)), findings


def read_sheet(path: str, base: Path = Path(".")) -> tuple[Sheet | None, list[Finding]]:
    """Read a sheet (``path`` relative to ``base``); None if it cannot be read at all, with the reason as a finding."""
    file = base / path
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
