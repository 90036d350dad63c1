"""How large a page may be: a report is sent by e-mail and opened on a telephone."""

from __future__ import annotations

TWIN, COHORT = 1_600_000, 3_000_000  # bytes of a twin's page, and of a page of the cohort or a stage
DOSSIER = 10_000_000


def over_budget(name: str, size: int) -> list[str]:
    """What is wrong with the size of a page, named as within the report."""
    limit = TWIN if name.startswith("twins/") else COHORT
    return [f"{size} bytes, more than the budget of {limit}"] if size > limit else []
