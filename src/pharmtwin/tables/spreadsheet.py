"""Tables as text that a spreadsheet may open: a text that it would take for a formula begins with an apostrophe.

Excel, LibreOffice and Google Sheets compute a cell that begins with ``=``, ``+``, ``-`` or ``@`` (also their full-width
forms, and behind a tab or a line end): an id or a note could so read other cells, call a program or fetch an address.
Such a text is written with ``'`` before it, which they show as plain text. Numbers are untouched, in columns of numbers
and of text. :func:`unescaped` takes the apostrophe away again: each text comes back as it was.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any, cast

import pandas as pd

_TRIGGER = r"[=+\-@\t\r\n＝＋－＠]"
#: what is left alone although it begins with a sign: a number, or signs alone (a strand, a dash for nothing)
_HARMLESS = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?|[+-]?(inf|nan)|[-+]+", re.IGNORECASE)
_BARE, _QUOTED = re.compile(rf"'*{_TRIGGER}"), re.compile(rf"'+{_TRIGGER}")


def escaped(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would compute it."""
    return f"'{text}" if _BARE.match(text) and not _HARMLESS.fullmatch(text.lstrip("'")) else text


def unescaped(text: str) -> str:
    """The text that :func:`escaped` was given."""
    return text[1:] if _QUOTED.match(text) and not _HARMLESS.fullmatch(text.lstrip("'")) else text


def _each(frame: pd.DataFrame, change: Any) -> pd.DataFrame:
    """The frame with ``change`` on every text of it; columns of numbers are not looked at."""
    out = frame.copy()
    for i, dtype in enumerate(out.dtypes):
        if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
            continue
        column = out.iloc[:, i]
        if isinstance(dtype, pd.CategoricalDtype):
            column = column.astype(object)
        texts = [change(v) if isinstance(v, str) else v for v in column]
        out.isetitem(i, cast(Any, pd.Series(texts, index=out.index, dtype=column.dtype)))
    return out


def safe_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy whose texts and column names are escaped."""
    out = _each(frame, escaped)
    out.columns = pd.Index([escaped(c) if isinstance(c, str) else c for c in out.columns])
    return out


def read_back(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy whose texts are as they were before :func:`safe_frame`."""
    return _each(frame, unescaped)


def tsv(frame: pd.DataFrame, float_format: str | None = None) -> str:
    """Tab-separated text of a table, safe to open in a spreadsheet; floats in full precision unless told."""
    safe = safe_frame(frame)
    text = str(safe.to_csv(sep="\t", index=False, lineterminator="\n", float_format=float_format))
    if "\r" not in text:
        return text
    # Python before 3.13 quotes a cell for the line ends of the file only: a bare CR would begin a row
    text = str(safe.to_csv(sep="\t", index=False, lineterminator="\r\n", float_format=float_format))
    return "".join(_row(cells) for cells in csv.reader(io.StringIO(text, newline=""), delimiter="\t"))


def _row(cells: list[str]) -> str:
    """One row with both kinds of line end quoted."""
    line = io.StringIO()
    csv.writer(line, delimiter="\t", lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"
