"""Settings of the twin's posterior, from ``resources/inference/twin.tsv``."""

from __future__ import annotations

from functools import cache

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
    whole = {n: int(s[n]) for n in ("draws", "rounds", "keep", "nuts_tune", "nuts_draws")}
    return LadderOptions(
        degrees_of_freedom=s["degrees_of_freedom"], highest_k=s["highest_k"], seconds=s["seconds"], **whole
    )
