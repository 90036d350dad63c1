"""Values beyond the limits of quantification: the named methods M1 to M7 (Beal 2001, doi 10.1023/A:1012299115260).

=======  ==========================================================================================================
M1       rows below the limit are left out
M2       the same, and the others' density is that of a value known to lie above the limit
M3       their likelihood is the probability of lying below the limit (default)
M4       as M3, given that the value is above 0, and so are all others
M5       they count as half the limit
M6       the first of a run of them counts as half the limit, the others are left out
M7       they count as 0
=======  ==========================================================================================================

What a method leaves out or replaces is said in a finding that names the rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.problem.score import ABOVE, BELOW, BETWEEN, OBSERVED, TRUNCATED

METHODS = ("M1", "M2", "M3", "M4", "M5", "M6", "M7")


class Read(NamedTuple):
    """An observation as read: row of the subject and of the table, output, value, limit (NaN: none), flag.

    ``flag`` is 1 (below the limit, whatever the value), -1 (above it) or 0.
    """

    row: int
    file_row: int
    output: int
    value: float
    limit: float
    flag: int


def apply(reader: Any, ident: str, values: Sequence[Read]) -> tuple[NDArray[Any], ...]:
    """Arrays row, output, value, code, limit, table row of a subject's observations after the method of the columns."""
    method, outputs = reader.columns.blq, reader.model.outputs
    rows: list[tuple[int, int, float, int, float, int]] = []
    dropped, replaced = [], []
    below_before: dict[int, bool] = {}
    n_below = 0
    for r in values:
        has = math.isfinite(r.limit) and r.limit > 0
        below = r.flag == 1 or (r.flag == 0 and has and r.value < r.limit)
        limit = r.limit if has else r.value  # a flagged value is its own limit
        floor = 0.0 if outputs[r.output].truncated else -math.inf
        first = below and not below_before.get(r.output, False)
        below_before[r.output] = below
        if r.flag == -1:
            rows.append((r.row, r.output, r.value, ABOVE, r.value, r.file_row))
            continue
        if not below:
            if method == "M2" and has:
                rows.append((r.row, r.output, r.value, TRUNCATED, limit, r.file_row))
            elif method == "M4" or floor == 0.0:
                rows.append((r.row, r.output, r.value, TRUNCATED, 0.0, r.file_row))
            else:
                rows.append((r.row, r.output, r.value, OBSERVED, 0.0, r.file_row))
            continue
        n_below += 1
        if method in ("M1", "M2") or (method == "M6" and not first):
            dropped.append(r.file_row)
        elif method in ("M5", "M6", "M7"):
            replaced.append(r.file_row)
            rows.append((r.row, r.output, 0.0 if method == "M7" else 0.5 * limit, OBSERVED, 0.0, r.file_row))
        else:
            between = method == "M4" or floor == 0.0
            rows.append((r.row, r.output, limit, BETWEEN if between else BELOW, limit, r.file_row))
    for done, what in (
        (dropped, "left out"),
        (replaced, "replaced by " + ("0" if method == "M7" else "half the limit")),
    ):
        if done:
            listed = ", ".join(map(str, done))
            reader.say("warning", "blq", done[0], "DV", "", 
                       f"{len(done)} value(s) below the limit are {what} (rows {listed}; method {method})",
                       "the fit is biased where many are", "use M3")  # fmt: skip
    if values and n_below == len(values):
        reader.say("warning", "all_blq", values[0].file_row, "DV", "",
                   f"all {n_below} samples of subject {ident} lie below the limit",
                   "they bound the exposure from above and say little else", "check dose, times and unit")  # fmt: skip
    columns = list(zip(*rows, strict=True)) or [()] * 6
    kinds: tuple[Any, ...] = (np.int64, np.int64, np.float64, np.int64, np.float64, np.int64)
    return tuple(np.array(c, dtype=k) for c, k in zip(columns, kinds, strict=True))
