"""What stands in table ``solver_check`` for a twin without a result: every draw's solve failed.

Beside a row for each failed draw the table then has one row for the whole (run ``twin/scenario/model``), so that
a reader need not know how many draws there were. Only the standard library: the workflow reads this at its end.
"""

from __future__ import annotations

from dataclasses import dataclass

NO_RESULT = "no result: "  # how the text in column ``failure`` of such a row begins
SAMPLES = "samples"  # stands for the scenario in which a twin was sampled


@dataclass(frozen=True)
class Unsolved:
    """A twin (or ``population``) without a result in one scenario under one model, and why."""

    twin_id: str
    scenario: str
    model: str
    reason: str


def run_name(twin_id: str, scenario: str, model: str) -> str:
    """Entry of column ``run``; ids of twins and scenarios hold no slash (schemas of the sheets)."""
    return f"{twin_id}/{scenario}/{model}"


def reason_of(n: int, first: str) -> str:
    """Text of column ``failure``: ``n`` draws, all failed; ``first`` is the message of one of them."""
    return f"{NO_RESULT}all {n} solves failed; the first: {first}"


def unsolved(run: str, failure: str | None) -> Unsolved | None:
    """What a row of ``solver_check`` says; None if it is not that of a twin without a result.

    Raises
    ------
    ValueError : the row is marked so, but its run is not ``twin/scenario/model``.
    """
    if not isinstance(failure, str) or not failure.startswith(NO_RESULT):
        return None
    if run.count("/") < 2:
        raise ValueError(f"table solver_check: run {run!r} has no result, but is not twin/scenario/model")
    twin_id, scenario, model = run.rsplit("/", 2)
    return Unsolved(twin_id, scenario, model, failure.removeprefix(NO_RESULT))
