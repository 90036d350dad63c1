"""The end of a run: twins without a result are named, and the exit code says that there are some."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from pharmtwin.core.unsolved import SAMPLES, Unsolved, unsolved


def failed_twins(folder: Path) -> list[str]:
    """A line for each twin without a result below ``folder`` (``results/<study>``), sorted by twin.

    Reads ``pbpk/*/solver_check.tsv`` only; draws that failed while others of the same twin were solved are in
    those tables and in the report, and do not make a failed twin.

    Raises
    ------
    KeyError : a file there is no table ``solver_check``.
    """
    csv.field_size_limit(sys.maxsize)
    found: dict[str, list[Unsolved]] = {}
    for path in sorted(Path(folder).glob("pbpk/*/solver_check.tsv")):
        with path.open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table, delimiter="\t"):
                if (one := unsolved(row["run"], row["failure"])) is not None:
                    found.setdefault(one.twin_id, []).append(one)
    return [f"{twin}: {_where(found[twin])}: {found[twin][0].reason}" for twin in sorted(found)]


def _where(cases: list[Unsolved]) -> str:
    """Scenarios with their models, in the order of the table."""
    models: dict[str, list[str]] = {}
    for c in cases:
        models.setdefault("its samples" if c.scenario == SAMPLES else c.scenario, []).append(c.model)
    return ", ".join(f"{scenario} ({', '.join(names)})" for scenario, names in models.items())


def exit_code(folder: Path) -> int:
    """Print the twins without a result to standard error; 1 if there are any, else 0."""
    lines = failed_twins(folder)
    for line in lines:
        print(f"FAILED TWINS: {line}", file=sys.stderr)
    if lines:
        said = "1 twin has" if len(lines) == 1 else f"{len(lines)} twins have"
        print(f"FAILED TWINS: {said} no result (see the report, section Solver checks); exit code 1", file=sys.stderr)
    return int(bool(lines))
