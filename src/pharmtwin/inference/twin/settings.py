"""Settings of the twin's posterior, from ``resources/inference/twin.tsv``."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

from pharmtwin.facts import fact_values
from pharmtwin.inference.twin.ladder import LadderOptions


@cache
def settings() -> dict[str, float]:
    """Setting -> value."""
    return fact_values("inference/twin.tsv", "setting")


def ladder_options() -> LadderOptions:
    """The ladder's options."""
    s = settings()
    whole = ("draws", "rounds", "keep", "nuts_tune", "nuts_draws")
    values: dict[str, Any] = {f.name: int(s[f.name]) if f.name in whole else s[f.name] for f in fields(LadderOptions)}
    return LadderOptions(**values)
