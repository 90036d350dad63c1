"""SAS transport files, version 5: writing with the dossier's own time stamp, so that equal data give equal bytes.

The file is written by pyreadstat. It stamps the clock at four places of the header, which the layout fixes (SAS
Institute, TS-140, record layout of a version 5 or 6 data set: records of 80 bytes, created and modified, of library and
member); they are set to the time that the caller gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pandas as pd

MAX_NAME, MAX_LABEL, MAX_TEXT = 8, 40, 200
#: first bytes of the time stamps in a file with one data set, for records of 80 bytes
RECORD = 80
STAMPS = (1 * RECORD + 64, 2 * RECORD, 5 * RECORD + 64, 6 * RECORD)
STAMP = re.compile(rb"\d\d[A-Z]{3}\d\d:\d\d:\d\d:\d\d")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


class NotTransportable(ValueError):
    """Names, labels or texts break the limits of the format; the message lists all of them."""


def stamp(when: datetime) -> bytes:
    """A time as the format has it: ``22NOV26:14:47:11``."""
    return f"{when:%d}{MONTHS[when.month - 1]}{when:%y:%H:%M:%S}".encode("ascii")


def problems(frame: pd.DataFrame, name: str, label: str, labels: Mapping[str, str]) -> list[str]:
    """What breaks the limits of version 5, in words."""
    out = []
    for what in (name, *frame.columns):
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,7}", str(what)):
            out.append(f"name {what!r}: 1 to {MAX_NAME} capitals, digits or _, beginning with no digit")
    for what in (label, *labels.values()):
        if len(what) > MAX_LABEL or not what.isascii():
            out.append(f"label {what!r}: at most {MAX_LABEL} ASCII characters")
    for column in frame.columns:
        if pd.api.types.is_numeric_dtype(frame[column]):
            continue
        for value in frame[column].dropna():
            if len(str(value)) > MAX_TEXT or not str(value).isascii():
                out.append(f"{column} {str(value)[:40]!r}: at most {MAX_TEXT} ASCII characters")
                break
    return out


def _lengthen(frame: pd.DataFrame) -> None:
    """Widen the first text column, by blanks in its first cell, until an observation is longer than a record.

    The format pads the end of a file with blanks up to a whole record. Readers guess where the data end if observations
    are shorter than that; pandas 3.1 loses last rows that end with blanks. Trailing blanks mean nothing in SAS.
    """
    texts = [c for c in frame.columns if not pd.api.types.is_numeric_dtype(frame[c])]
    lengths = {c: max([1, *(len(v) for v in frame[c] if v is not None)]) for c in texts}
    short = RECORD + 1 - sum(lengths.values()) - 8 * (len(frame.columns) - len(texts))
    if texts and len(frame) and short > 0:
        first = texts[0]
        frame.loc[0, first] = str(frame.loc[0, first] or "").ljust(lengths[first] + short)


def write_xport(
    path: Path, frame: pd.DataFrame, name: str, label: str, labels: Mapping[str, str], when: datetime
) -> None:
    """Write one data set; text columns as text (None: empty), all others as numbers (nan: missing).

    Raises
    ------
    NotTransportable : everything that breaks the limits of the format, at once.
    """
    import pyreadstat

    if wrong := problems(frame, name, label, labels):
        raise NotTransportable(f"data set {name}: " + "; ".join(wrong))
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = pd.DataFrame(
        {
            c: frame[c].astype(float)
            if pd.api.types.is_numeric_dtype(frame[c])
            else pd.Series([None if pd.isna(v) else str(v) for v in frame[c]], dtype=object)
            for c in frame.columns
        }
    )
    _lengthen(plain)
    pyreadstat.write_xport(
        plain, str(path), table_name=name, file_label=label, column_labels=dict(labels), file_format_version=5
    )
    raw = bytearray(path.read_bytes())
    for start in STAMPS:
        if not STAMP.fullmatch(raw[start : start + 16]):
            raise RuntimeError(f"{path.name}: no time stamp at byte {start}; the writer's layout is not that of TS-140")
        raw[start : start + 16] = stamp(when)
    path.write_bytes(bytes(raw))
