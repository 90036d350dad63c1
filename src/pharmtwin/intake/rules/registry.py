"""The registry of rules, what a rule sees, and how what it says becomes a finding.

A rule is a generator: it gets :class:`Given` and yields :class:`Hit` for every place that breaks it. Level, reason and
the usual way to mend stand in the registry, so that every finding keeps the message contract and the page of rules
(docs/findings.md) is written from the same words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from pharmtwin.findings import SEVERITIES, Finding
from pharmtwin.intake.columns import Record, sheet_spec
from pharmtwin.intake.sheet import is_missing


@dataclass(frozen=True)
class Table:
    """A sheet that was read: path, line of its header, records, our columns, those whose unit nobody states.

    ``origin``: heading in the file by our column, where they differ.
    """

    path: str
    header: int
    records: Sequence[Record]
    columns: frozenset[str]
    undeclared: frozenset[str] = frozenset()
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """One row of the events with its numbers (None: empty or unreadable)."""

    record: Record
    twin: str
    time: float | None
    evid: int | None
    amount: float | None
    ii: float | None
    addl: float | None
    ss: float | None
    rate: float | None
    duration: float | None
    value: float | None
    drug: str
    quantity: str
    #: a positive concentration that was measured, None for all else
    measured: float | None

    @property
    def is_dose(self) -> bool:
        """EVID 1 or 4."""
        return self.evid in (1, 4)

    @property
    def is_sample(self) -> bool:
        """EVID 0."""
        return self.evid == 0

    @property
    def row(self) -> int:
        """Line of the file."""
        return self.record.row


@dataclass(frozen=True)
class Given:
    """What rules look at.

    Attributes
    ----------
    tables : events, twins, scenarios, structure_calls; those that could be read.
    drug : name of the configured drug, "" in a data set alone.
    alone : a data set alone: nothing is simulated from it here, and any NONMEM record may stand in it.
    drugs : names of drugs that have a file.
    """

    tables: Mapping[str, Table]
    drug: str = ""
    alone: bool = False
    drugs: Sequence[str] = ()

    @property
    def events(self) -> Table:
        """The events."""
        return self.tables["events"]

    @property
    def twins(self) -> Table:
        """The twins."""
        return self.tables["twins"]

    @cached_property
    def rows(self) -> list[Event]:
        """All rows of the events, in the order of the file."""
        return [_event(r) for r in self.events.records]

    @cached_property
    def people(self) -> dict[str, list[Event]]:
        """Rows of the events by twin, in the order of the file."""
        out: dict[str, list[Event]] = {}
        for e in self.rows:
            if e.twin:
                out.setdefault(e.twin, []).append(e)
        return out

    def limit(self, name: str, table: str = "events") -> Any:
        """A limit of the schema's x-limits."""
        return sheet_spec(table).limits[name]

    def known(self, *columns: str) -> bool:
        """True if the events have these columns, in units that somebody states."""
        return set(columns) <= self.events.columns and not set(columns) & self.events.undeclared


def _event(r: Record) -> Event:
    n, evid = r.number, r.number("evid")
    drug, quantity, value = r.text("drug"), r.text("dvid"), n("dv_ng_ml")
    seen = evid == 0 and value is not None and value > 0 and n("mdv") != 1 and n("blq") != 1
    return Event(
        r,
        r.text("twin_id") or r.raw.get("twin_id", ""),
        n("time_h"),
        None if evid is None else int(evid),
        n("dose_mg"),
        n("ii_h"),
        n("addl"),
        n("ss"),
        n("rate_mg_h"),
        n("duration_h"),
        value,
        drug,
        quantity,
        value if seen else None,
    )


@dataclass(frozen=True)
class Hit:
    """A place that breaks a rule.

    Attributes
    ----------
    table : of the place. record : its row; None: the header or the whole sheet. column : ours, or "".
    what : what is wrong, one sentence. fix : another way to mend than the rule's. value : another than the cell.
    level : another level than the rule's (lower it where a row is only doubtful).
    """

    table: Table
    record: Record | None
    column: str
    what: str
    fix: str = ""
    value: str | None = None
    level: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule: id, level, what it finds (a line of docs/findings.md), why that matters, how to mend it.

    ``needs``: tables that must be there. ``explains``: patterns of rules that it says better at the same cell.
    ``row``: it explains them in the whole row. ``private``: the cell is not shown (ids).
    ``alone``: also for a data set without a study around it; ``study``: for a study.
    """

    id: str
    level: str
    about: str
    why: str
    fix: str
    needs: tuple[str, ...]
    check: Callable[[Given], Iterator[Hit]] = field(repr=False)
    explains: tuple[str, ...] = ()
    alone: bool = True
    study: bool = True
    private: bool = False
    row: bool = False


RULES: dict[str, Rule] = {}


def rule(
    id: str,
    level: str,
    about: str,
    *,
    why: str,
    fix: str,
    needs: tuple[str, ...] = ("events",),
    explains: tuple[str, ...] = (),
    alone: bool = True,
    study: bool = True,
    private: bool = False,
    row: bool = False,
) -> Callable[[Callable[[Given], Iterator[Hit]]], Callable[[Given], Iterator[Hit]]]:
    """Register a rule; raises ValueError for a second rule of the same id or an unknown level."""

    def register(check: Callable[[Given], Iterator[Hit]]) -> Callable[[Given], Iterator[Hit]]:
        if id in RULES or level not in SEVERITIES:
            raise ValueError(f"rule {id}: it is there already, or its level {level!r} is none of {SEVERITIES}")
        RULES[id] = Rule(id, level, about, why, fix, needs, check, explains, alone, study, private, row)
        return check

    return register


def run_rules(given: Given, findings: Iterable[Finding] = ()) -> list[Finding]:
    """``findings`` and those of all rules; where a rule explains a plain finding, it takes its place."""
    found: list[Finding] = []
    explained: dict[tuple[str, int, str], list[Rule]] = {}
    for r in RULES.values():
        if not (r.alone if given.alone else r.study) or not set(r.needs) <= given.tables.keys():
            continue
        for hit in r.check(given):
            finding = _finding(r, hit)
            found.append(finding)
            if r.explains:
                explained.setdefault((finding.file, finding.row, "" if r.row else finding.column), []).append(r)

    def stays(f: Finding) -> bool:
        here = [*explained.get((f.file, f.row, f.column), ()), *explained.get((f.file, f.row, ""), ())]
        return not any(r.id != f.rule and fnmatchcase(f.rule, pattern) for r in here for pattern in r.explains)

    return [f for f in [*findings, *found] if stays(f)]


def _finding(r: Rule, hit: Hit) -> Finding:
    cell = hit.record.raw.get(hit.column, "") if hit.record is not None and hit.column else ""
    value = cell if hit.value is None else hit.value
    return Finding.create(
        r.id,
        hit.table.path,
        hit.what,
        r.why,
        hit.fix or r.fix,
        row=hit.record.row if hit.record is not None else 0,
        column=hit.column,
        value="" if r.private or is_missing(value) else value,
        severity=hit.level or r.level,
    )


def geometric_mean(values: Iterable[float]) -> float:
    """Geometric mean of positive numbers; nan of none."""
    logs = [math.log(v) for v in values if v > 0]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def median(values: Iterable[float]) -> float:
    """Median; nan of none."""
    ordered = sorted(values)
    n = len(ordered)
    return math.nan if not n else 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
