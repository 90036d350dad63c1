"""Designs and aims of the calibration, from ``resources/inference/calibration.tsv``."""

from __future__ import annotations

from functools import cache

from pharmtwin.facts import fact_values


@cache
def settings(group: str) -> dict[str, float]:
    """Setting -> value of a group (asked, design, or a case); raises KeyError for another group."""
    return fact_values("inference/calibration.tsv", "setting", group=group)
