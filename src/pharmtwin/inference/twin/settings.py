"""Settings of the twin's posterior, from ``resources/inference/twin.tsv``."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

from pharmtwin.facts import fact_table
from pharmtwin.inference.twin.ladder import LadderOptions


@cache
def settings() -> dict[str, float]:
    """Setting -> value."""
    table = fact_table("inference/twin.tsv")
    return dict(zip(table["setting"].astype(str), table["value"].astype(float), strict=True))


def ladder_options() -> LadderOptions:
    """The ladder's options."""
    s = settings()
    whole = ("draws", "rounds", "keep", "nuts_tune", "nuts_draws")
    values: dict[str, Any] = {f.name: int(s[f.name]) if f.name in whole else s[f.name] for f in fields(LadderOptions)}
    return LadderOptions(**values)
