"""What every rule of a draft uses: quantities with their source, and entries that a process becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pharmtwin.drugs.draft_tables import Process, choice

Entry = dict[str, Any]


class NoRuleError(ValueError):
    """A process that no rule turns into an entry; the message says why."""


@dataclass
class Made:
    """Entries that a process became: (section, entry); renal unbound clearances (L/h); notes for the findings."""

    entries: list[tuple[str, Entry]] = field(default_factory=list)
    filtration: list[tuple[float, str]] = field(default_factory=list)
    renal: list[tuple[float, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def quantity(value: float, unit: str, source: str, kind: str = "") -> Entry:
    """A quantity of a drug file; ``kind`` names its uncertainty (``cv:`` in ``draft_choices.tsv``)."""
    out: Entry = {"value": value, "unit": unit, "source": source}
    return out | ({"cv": choice(f"cv:{kind}")} if kind else {})


def said_by(process: Process, said: str, parameter: str, how: str = "") -> str:
    """Where a number comes from, and what was done to it."""
    row = process.rows[parameter]
    text = f"{said}, {parameter} {row['value']} {row['unit']}".rstrip() + f": {row.origin()}"
    return f"{text}; {how}" if how else text


def not_zero(value: float | None, what: str) -> float:
    """The value; raises NoRuleError where it is 0 (nothing to write) or missing."""
    if value is None:
        raise NoRuleError(f"no {what} is given")
    if value == 0:
        raise NoRuleError(f"{what} is 0: the path does nothing")
    return value


def number_paths(paths: list[Entry]) -> None:
    """Makes the names of paths unique: ``CYP3A4``, ``CYP3A4_2``."""
    seen: dict[str, int] = {}
    for path in paths:
        name = path["path"]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            path["path"] = f"{name}_{seen[name]}"
