"""The end of a run: every failed solve is named, and the exit code says that there are some (standard library only)."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pharmtwin.core.unsolved import unsolved

SHOWN = 5  # draws that a line names; the table names them all


@dataclass(frozen=True)
class Failed:
    """Failed solves of one twin (or published group, or sensitivity run), scenario and model in one table.

    ``who``: stage and run without the draw; ``draws``: as the table names them; ``reason``: of the first of them, or
    of the whole where there is no result at all (``has_result`` False).
    """

    table: str
    who: str
    draws: tuple[str, ...]
    reason: str
    has_result: bool

    @property
    def line(self) -> str:
        """File, twin, draws, reason in one line."""
        if not self.has_result:
            return f"{self.table}: {self.who}: no result: {self.reason}"
        more = f" and {len(self.draws) - SHOWN} more" if len(self.draws) > SHOWN else ""
        first = "the first: " if len(self.draws) > 1 else ""
        return f"{self.table}: {self.who}: {', '.join(self.draws[:SHOWN])}{more}: {first}{self.reason}"


def failed_solves(tables: Iterable[str | Path]) -> list[Failed]:
    """What failed, in the order of the tables and of their rows; empty if nothing did.

    Parameters
    ----------
    tables : files ``solver_check.tsv`` of the plan; one that is not there (yet) is left out.

    Raises
    ------
    KeyError : a file there is no table ``solver_check``.
    """
    return [f for path in tables if Path(path).is_file() for f in _of_table(Path(path))]


def _of_table(path: Path) -> list[Failed]:
    csv.field_size_limit(sys.maxsize)  # a reason may be long
    draws: dict[str, list[tuple[str, str]]] = {}
    nothing: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            run, failure = row["run"], row["failure"]
            if not failure and row["passed"] == "True":
                continue
            if (whole := unsolved(run, failure)) is not None:
                nothing[f"{row['stage']}, {run}"] = whole.reason
                continue
            who, _, draw = run.rpartition("/")
            reason = failure or f"{row['state']}: not within the limit of the second solver"
            mine = draws.setdefault(f"{row['stage']}, {who}" if who else row["stage"], [])
            mine.append((draw, reason.removeprefix(f"{run} - ")))
    return [
        Failed(
            path.as_posix(),
            who,
            tuple(d for d, _ in draws.get(who, [])),
            nothing[who] if who in nothing else draws[who][0][1],
            who not in nothing,
        )
        for who in {**draws, **nothing}
    ]


def exit_code(tables: Iterable[str | Path]) -> int:
    """Print what failed to standard error, a line each and a last one in sum; 1 if there is anything, else 0."""
    found = failed_solves(tables)
    for one in found:
        print(f"FAILED SOLVES: {one.line}", file=sys.stderr)
    if found:
        lost = sum(not f.has_result for f in found)
        print(
            f"FAILED SOLVES: {len(found)} in all, {lost} without any result (see the report, section Solver checks); "
            "exit code 1",
            file=sys.stderr,
        )
    return int(bool(found))
