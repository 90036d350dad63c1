"""Figures by genotype, ancestry, age and renal function, and the gap of each group to everybody else.

A model that is right on average may be wrong for a few. Groups are never pooled to look better: a group too small for
an interval keeps its row and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.evaluation.bootstrap import DRAWS, percentile_interval
from pharmtwin.evaluation.catalogue import VALUES, Figure
from pharmtwin.evaluation.figures import Result, evaluate
from pharmtwin.evaluation.metrics import MIN_CLUSTERS, wilson
from pharmtwin.facts import fact_table

#: fewer subjects than this and a group's figures are flagged (own choice)
SMALL = 20
UNKNOWN = "unknown"
RATIO = "ratio"
#: column of the table -> axis of resources/evaluation_groups.tsv by which its numbers are cut
CUT = {"age_y": "age", "egfr": "renal function"}
AXES = {"genotype": "genotype", "ancestry": "ancestry", "age_y": "age", "egfr": "renal function"}


def cut(values: pd.Series, axis: str) -> pd.Series:
    """Names of the groups of numbers by resources/evaluation_groups.tsv (from included, to not); unknown where missing.

    Raises KeyError for an axis without groups.
    """
    groups = fact_table("evaluation_groups.tsv")
    groups = groups[groups["axis"] == axis]
    if groups.empty:
        raise KeyError(f"no groups of {axis} in resources/evaluation_groups.tsv")
    out = pd.Series(UNKNOWN, index=values.index, dtype=object)
    number = pd.to_numeric(values, errors="coerce")
    lows = groups["from_included"].astype(float).fillna(-np.inf)
    highs = groups["to_excluded"].astype(float).fillna(np.inf)
    for label, low, high in zip(groups["group"], lows, highs, strict=True):
        out[(number >= low) & (number < high)] = str(label)
    return out


def groups_of(table: pd.DataFrame, axes: Mapping[str, str] = AXES) -> dict[str, pd.Series]:
    """Axis -> group of every row, for the columns that the table has; cells without a value are a group too."""
    out = {}
    for column, axis in axes.items():
        if column in table:
            plain = table[column]
            out[axis] = cut(plain, CUT[column]) if column in CUT else plain.astype(object).where(plain.notna(), UNKNOWN)
    return out


def by_group(
    table: pd.DataFrame, seed: int, name: str, chosen: tuple[Figure, ...] = VALUES, n_boot: int = DRAWS,
    axes: Mapping[str, str] = AXES, small: int = SMALL,
) -> pd.DataFrame:  # fmt: skip
    """Figures of every group (see ``figures``), and its gap to all others of the same axis, with 95 % intervals.

    ``table`` as for ``figures``, with columns of ``axes`` (default genotype, ancestry, age_y, egfr). ``gap``: value
    less that of the others, or divided by it for figures that are folds (``gap_kind``). Subjects of both are drawn;
    where a share is 0 or 1 the gap has Newcombe's interval; with fewer than 5 subjects on a side there is none.
    ``flag`` names groups of fewer than ``small`` subjects, and gaps whose interval leaves out no difference (there are
    many gaps: some do by chance).
    """
    rows = []
    for axis, group in groups_of(table, axes).items():
        for label in sorted(group.unique(), key=str):
            mine, at = np.asarray(group == label), f"{name}/{axis}/{label}"
            here = evaluate(table[mine], seed, at, chosen, n_boot)
            others = {r.figure.name: r for r in evaluate(table[~mine], seed, f"{at}/others", chosen, n_boot)}
            for result in here:
                row = {"axis": axis, "group": str(label), **result.row, **_gap(result, others[result.figure.name])}
                rows.append({**row, "flag": _flag(row, small)})
    return pd.DataFrame(rows)


def _gap(here: Result, others: Result) -> dict[str, object]:
    """Gap of a group to the others, and its interval."""
    kind = RATIO if here.figure.log else "difference"
    a, b = here.value, others.value
    value = a / b if kind == RATIO else a - b
    lo = hi = float("nan")
    if min(here.n_subjects, others.n_subjects) < MIN_CLUSTERS:
        pass  # Newcombe's interval would take the samples of a few subjects for independent people
    elif here.figure.share and {a, b} & {0.0, 1.0}:
        lo, hi = _newcombe(here, others)
    elif len(here.draws) and len(others.draws):
        lo, hi = percentile_interval(here.draws / others.draws if kind == RATIO else here.draws - others.draws)
    return {"gap": value, "gap_lo95": lo, "gap_hi95": hi, "gap_kind": kind}


def _newcombe(here: Result, others: Result) -> tuple[float, float]:
    """Interval of a difference of shares from Wilson's intervals (Newcombe 1998, Stat Med 17:873, method 10)."""
    a, b = (wilson(round(r.value * r.n), r.n) for r in (here, others))
    gap = a.value - b.value
    return (gap - float(np.hypot(a.value - a.lo95, b.hi95 - b.value)),
            gap + float(np.hypot(a.hi95 - a.value, b.value - b.lo95)))  # fmt: skip


def _flag(row: Mapping[str, Any], small: int) -> str:
    """What a reader must not overlook."""
    out = [f"small group: {row['n_subjects']} subject(s)"] if row["n_subjects"] < small else []
    equal = 1.0 if row["gap_kind"] == RATIO else 0.0
    if np.isfinite(row["gap_lo95"]) and not row["gap_lo95"] <= equal <= row["gap_hi95"]:
        out.append("differs from the others")
    return "; ".join(out)
