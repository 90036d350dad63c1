"""Which twins get a page of their own: the report makes it, and stages before it compute what stands there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

MAX_PAGES = 200  # with more twins than this, `all` gives pages to the fitted ones only


def paged(wish: str, known: Iterable[str], fitted: Collection[str], n_twins: int) -> list[str]:
    """Twins of a batch with a page of their own, sorted.

    Parameters
    ----------
    wish : ``report.twin_pages`` of the configuration (fitted, all or none). known : the batch's twins. fitted : twins
    with a posterior of their own. n_twins : of the whole cohort.
    """
    if wish == "none":
        return []
    everyone = wish == "all" and n_twins <= MAX_PAGES
    return sorted(t for t in known if everyone or t in fitted)
