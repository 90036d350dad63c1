"""Reading of SAS transport files (version 5), as CDISC data sets come: records as a sheet of text."""

from __future__ import annotations

import math
import warnings
from io import BytesIO

from pharmtwin.findings import Finding
from pharmtwin.intake.sheet import Sheet

WHY = "the data set is read from it"
#: what pandas 3.1 makes of a stored zero: the smallest number of the format, 16 to the power of -65
ZERO = 16.0**-65
#: what begins each data set of a file
MEMBER = b"HEADER RECORD*******MEMBER  HEADER RECORD"
#: cells that are read at most
MAX_CELLS = 50_000_000


def parse_xport(raw: bytes, path: str) -> tuple[Sheet | None, list[Finding]]:
    """The data set of a transport file. Rows count from 2, as if the names stood in line 1: record n is row n + 1."""
    import pandas as pd  # heavy

    def refused(what: str, fix: str) -> tuple[None, list[Finding]]:
        return None, [Finding.create("sheet.not_transport", path, what, WHY, fix)]

    if raw[:80].find(b"LIBV8") > 0:
        return refused("is a SAS transport file of version 8", "write version 5 (the one that agencies take), or CSV")
    if raw.count(MEMBER) > 1:
        return refused("holds more than one data set", "write each data set into a file of its own")
    frame = None
    for encoding in ("utf-8", "latin-1"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                frame = pd.read_sas(BytesIO(raw), format="xport", encoding=encoding)
            break
        except UserWarning:  # its records do not fill whole lines of 80 bytes
            return refused("is cut off: its last records are lost", "export it again, and copy it whole")
        except UnicodeDecodeError:
            continue
        except Exception as error:  # a library that raises whatever a broken file makes it meet
            return refused(f"cannot be read as a SAS transport file ({type(error).__name__})", "export it again")
    if frame is None or frame.size > MAX_CELLS:
        return refused("holds text or sizes that cannot be read", "export it again, or write CSV")
    columns = [str(c).strip() for c in frame.columns]
    if not columns or frame.empty:
        fix = "name the right file"
        return None, [Finding.create("sheet.empty", path, "holds no records", "nothing can be run", fix)]
    texts = [[_text(v) for v in frame[c]] for c in frame.columns]
    rows = tuple((i + 2, dict(zip(columns, cells, strict=True))) for i, cells in enumerate(zip(*texts, strict=True)))
    return Sheet(path, 1, tuple(dict.fromkeys(columns)), rows, "xport"), []


def _text(value: object) -> str:
    """A cell as text: whole numbers without a point, missing ones empty."""
    if value is None:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        value = 0.0 if abs(value) <= ZERO else value
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value).strip()
