"""How far the tables of two runs lie apart: the largest relative difference of each, whatever tolerance holds."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.provenance.compare import differing_files
from pharmtwin.provenance.tolerance import read_result
from pharmtwin.provenance.verify import Recorded

TABLES = (".parquet", ".tsv")
COLUMNS = ["table", "files", "differ", "numbers", "largest", "file", "column", "row", "first", "second",
           "unmatched", "texts", "reason"]  # fmt: skip


def table_of(path: str, batch: str) -> str:
    """Name of the table that a file is a part of: ``*`` where the path names its batch."""
    return "/".join("*" if batch and part == batch else part for part in PurePosixPath(path).parts)


def relative_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """|second - first| over the larger absolute value, as in ``resources/rerun_tolerance.tsv``; 0 for two equal ones.

    NaN where only one of the two is a finite number. Shapes (n,).
    """
    both = np.isfinite(first) & np.isfinite(second)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.abs(second - first) / np.maximum(np.abs(first), np.abs(second))
    return np.where(same, 0.0, np.where(both, size, np.nan))


def _is_number(one: pd.DataFrame, other: pd.DataFrame, name: str) -> bool:
    numeric, flag = pd.api.types.is_numeric_dtype, pd.api.types.is_bool_dtype
    return all(numeric(f[name]) and not flag(f[name]) for f in (one, other))


def compare_file(file: str, one: Path, other: Path) -> dict[str, object]:
    """One table of two runs, row by row in file order: numbers compared, the furthest apart, texts that differ.

    ``unmatched``: numbers that are empty or infinite in one run only. ``reason`` says what could not be compared.
    """
    a, b = read_result(one / file), read_result(other / file)
    out: dict[str, object] = {"file": file, "numbers": 0, "largest": np.nan, "unmatched": 0, "texts": 0, "reason": ""}
    if len(a) != len(b):
        return out | {"reason": f"{file}: {len(a)} rows and {len(b)}"}
    common = [c for c in a.columns if c in b.columns]
    alone = [str(c) for c in (*a.columns, *b.columns) if c not in common]
    if alone:
        out["reason"] = f"{file}: in one run only: {', '.join(alone)}"
    numbers, unmatched, texts, largest = 0, 0, 0, -1.0
    for name in common:
        if not _is_number(a, b, name):
            same = (a[name] == b[name]).fillna(False).to_numpy(dtype=bool)
            texts += int((~(same | (a[name].isna() & b[name].isna()).to_numpy(dtype=bool))).sum())
            continue
        x, y = (f[name].to_numpy(dtype=float, na_value=np.nan) for f in (a, b))
        apart = relative_difference(x, y)
        numbers, unmatched = numbers + len(x), unmatched + int(np.isnan(apart).sum())
        if np.isfinite(apart).any() and np.nanmax(apart) > largest:
            k = int(np.nanargmax(apart))
            largest = float(apart[k])
            out |= {"largest": largest, "column": name, "row": k + 1, "first": float(x[k]), "second": float(y[k])}
    return out | {"numbers": numbers, "unmatched": unmatched, "texts": texts}


def largest_differences(one: Recorded, other: Recorded) -> pd.DataFrame:
    """A row a table that both runs have, the furthest apart first.

    Returns
    -------
    table (batches as ``*``), files, differ (files with other bytes), numbers (compared in those files), largest
    (relative difference; 0 where all bytes are equal, NaN where nothing could be compared), file, column, row (from 1),
    first and second of it, unmatched (numbers empty or infinite in one run only), texts (cells that are no number and
    differ), reason (what could not be compared).
    """
    batches = {e["path"]: str(e.get("batch", "")) for e in one.manifest["outputs"]}
    there = {e["path"] for e in other.manifest["outputs"]}
    differing = set(differing_files(one, other, "outputs"))
    groups: dict[str, list[str]] = {}
    for path in sorted(batches):
        if path.endswith(TABLES) and path in there:
            groups.setdefault(table_of(path, batches[path]), []).append(path)
    rows = []
    for table, files in groups.items():
        found = [compare_file(f, one.folder, other.folder) for f in files if f in differing]
        row: dict[str, object] = {"table": table, "files": len(files), "differ": len(found)}
        row |= {k: sum(int(str(f[k])) for f in found) for k in ("numbers", "unmatched", "texts")}
        row["reason"] = "; ".join(str(f["reason"]) for f in found if f["reason"])
        compared = [f for f in found if f["largest"] == f["largest"]]
        if compared:
            far = max(compared, key=lambda f: float(str(f["largest"])))
            row |= {k: far[k] for k in ("largest", "file", "column", "row", "first", "second")}
        elif not found:
            row["largest"] = 0.0
        rows.append(row)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sort_values(["largest", "table"], ascending=[False, True], na_position="first", ignore_index=True)
