"""Designs and aims of the calibration, from ``resources/inference/calibration.tsv``."""

from __future__ import annotations

from functools import cache

from pharmtwin.facts import fact_table


@cache
def settings(group: str) -> dict[str, float]:
    """Setting -> value of a group (asked, design, or a case); raises KeyError for another group."""
    table = fact_table("inference/calibration.tsv")
    own = table[table["group"] == group]
    if own.empty:
        raise KeyError(f"calibration.tsv has no group {group!r}; it has {sorted(set(table['group']))}")
    return dict(zip(own["setting"].astype(str), own["value"].astype(float), strict=True))
