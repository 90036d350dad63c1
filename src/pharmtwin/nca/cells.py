"""A user's table of concentrations or of one value a period, as text: any separator, decimal comma, header variants.

The sheet reader of the intake does the reading; here its columns are found by the names that people give them, and
cells become numbers. Every cell that cannot be read is a finding with its line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pharmtwin.findings import Finding
from pharmtwin.intake.buckets import NUMBER
from pharmtwin.intake.sheet import is_missing, parse_sheet, read_sheet

Floats = NDArray[np.float64]
#: commas and semicolons are as good as tabs here, and comments above the header are usual
QUIET = {"sheet.delimiter", "sheet.comment", "sheet.blank_line"}
COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Cells:
    """A table as text: ``columns`` name -> cells in the order of the rows; ``lines``: their places in the file."""

    path: str
    header: int
    lines: tuple[int, ...]
    columns: Mapping[str, tuple[str, ...]]
    decimal_comma: bool

    def find(self, names: Sequence[str], given: str | None = None) -> str | None:
        """The column called by one of ``names``: the first that is there. Case, blanks, dots and underscores do not
        matter, nor does a unit in brackets after the name."""
        by_name = {plain(c.split("(")[0].split("[")[0]): c for c in reversed(list(self.columns))}
        by_name |= {plain(c): c for c in reversed(list(self.columns))}
        return next((by_name[plain(n)] for n in ([given] if given else names) if plain(n) in by_name), None)


def plain(name: str) -> str:
    """A column name without case, blanks, dots, hyphens, underscores and a leading comment sign."""
    return re.sub(r"[\s._#-]", "", name).lower()


def read_cells(path: str) -> tuple[Cells | None, list[Finding]]:
    """Read a table; None if it cannot be read at all, with the reason as a finding."""
    sheet, findings = read_sheet(path)
    findings = [f for f in findings if f.rule not in QUIET]
    if sheet is None and [f.rule for f in findings] == [] and os.path.isfile(Path(path)):  # separated by blanks
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        tabbed = "\n".join(line if line.startswith("#") else "\t".join(line.split()) for line in lines)
        sheet, found = parse_sheet(tabbed, path)
        findings += [f for f in found if f.rule not in QUIET]
    if sheet is None:
        return None, findings
    columns = {c: tuple(row.get(c, "") for _, row in sheet.rows) for c in sheet.columns}
    every = [cell for cells in columns.values() for cell in cells if cell]
    comma = any(COMMA_NUMBER.fullmatch(cell) for cell in every) and not any(re.fullmatch(r"\d+\.\d+", c) for c in every)
    return Cells(path, sheet.header, tuple(line for line, _ in sheet.rows), columns, comma), findings


def number(text: str, decimal_comma: bool = False) -> float | None:
    """A number, nan where the cell is empty or NA, None where it is neither."""
    if is_missing(text):
        return float("nan")
    text = text.replace(",", ".") if decimal_comma else text
    return float(text) if NUMBER.fullmatch(text) else None


def numbers(cells: Cells, column: str, rule: str, why: str) -> tuple[Floats, list[Finding]]:
    """Numbers of a column, shape (n_rows,), nan where missing; a finding for every cell that is no number."""
    out, findings = np.full(len(cells.lines), np.nan), []
    for i, text in enumerate(cells.columns[column]):
        value = number(text, cells.decimal_comma)
        if value is None:
            fix = "write a plain number, or NA where there is none"
            place = {"row": cells.lines[i], "column": column, "value": text}
            findings.append(Finding.create(rule, cells.path, "is not a number", why, fix, **place))  # type: ignore[arg-type]
        else:
            out[i] = value
    return out, findings
