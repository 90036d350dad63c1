"""The event table: NONMEM's data items, read and checked row by row.

Columns (any case; a missing column or an empty cell, NaN or ``.`` takes the default):

=========  =======  =================================================================================================
TIME       --       h; must not decrease
EVID       --       0 observation, 1 dose, 2 other (a record as well), 3 reset, 4 reset and dose
AMT        0        amount of the dose
RATE       0        0 bolus; > 0 rate of an infusion; -1 rate in column R; -2 duration in column D
II, ADDL   0        interval (h) and number of further doses
SS         0        1 steady state in place of what was there, 2 added to it
CMT        --       state: its name or its 1-based number. Doses only; else the engines return all observables
ROUTE      --       or a route of the model. Neither is needed if the model has one route only
F          1        bioavailability: scales a bolus; the duration of an infusion of given rate (RATE > 0, -1); the rate
                    where the duration is given (RATE -2); not the steady-state constant infusion (AMT 0, II 0)
ALAG       0        lag (h) of this dose and all doses that its row implies
R, D       --       modelled rate and duration
=========  =======  =================================================================================================

F, ALAG, R and D are those of the dose's own row, also for its additional doses. Other columns are left alone, except
names that mean one of these elsewhere (DUR, ALAG1 ...), which are refused and not ignored.

Source: NONMEM Users Guide part VI (PREDPP), chapter V, and the help items EVID, RATE, SS, ADDL.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from pharmtwin.engine.schedule import dose_target
from pharmtwin.findings import Finding
from pharmtwin.model.description import TIME, Model, ModelError

DEFAULTS = {
    "TIME": None, "EVID": None, "AMT": 0.0, "RATE": 0.0, "II": 0.0, "ADDL": 0.0, "SS": 0.0, "F": 1.0, "ALAG": 0.0,
    "R": None, "D": None,
}  # fmt: skip
TARGETS = ("CMT", "ROUTE")
#: names of other programs for what this table calls otherwise
FOREIGN = {
    "DUR": "D with RATE -2", "TINF": "D with RATE -2", "D1": "D with RATE -2", "R1": "R with RATE -1", "LAG": "ALAG",
    "TLAG": "ALAG", "LAGT": "ALAG", "ALAG1": "ALAG", "BIOAV": "F", "F1": "F", "DATE": "TIME in hours",
}  # fmt: skip
DOSE_ITEMS = ("AMT", "RATE", "II", "ADDL", "SS")
#: what to do with a steady-state dose whose lag is longer than its interval (see ``events``)
LongLag = Literal["refuse", "periodic", "nonmem"]

Table = pd.DataFrame | Sequence[Mapping[str, Any]]


class EventTableError(ValueError):
    """The event table cannot be used; ``findings`` holds everything that is wrong, the message says it line by line."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(f.message() for f in self.findings))


@dataclass(frozen=True)
class Record:
    """One checked row.

    ``state`` is -1 where the row gives no dose; ``amount`` includes F; ``duration`` is 0 for a bolus; ``rate`` is used
    by the constant infusion only (``ii`` 0, ``ss`` > 0).
    """

    row: int
    time: float
    evid: int
    state: int = -1
    amount: float = 0.0
    duration: float = 0.0
    rate: float = 0.0
    ii: float = 0.0
    addl: int = 0
    ss: int = 0
    lag: float = 0.0


@dataclass
class _Notes:
    """Collects what is wrong with a table."""

    name: str
    found: list[Finding] = field(default_factory=list)

    def add(self, row: int, column: str, value: object, what: str, why: str, fix: str) -> None:
        rule = f"event_table.{column.lower() or 'table'}"
        self.found.append(Finding.create(rule, self.name, what, why, fix, row=row, column=column, value=value))


def read_table(model: Model, table: Table, name: str, long_lag: LongLag) -> tuple[list[Record], list[Finding]]:
    """Checked rows of one run's table, and everything that is wrong with it; rows count from 1, without the header."""
    rows, columns = _rows(table)
    notes = _Notes(name)
    for column in columns & FOREIGN.keys():
        notes.add(0, column, "", "is not a column of this table", "it would be ignored in silence",
                  f"call it {FOREIGN[column]}, or drop it")  # fmt: skip
    for column in ("TIME", "EVID"):
        if column not in columns:
            notes.add(0, column, "", "is missing", "no row can be read without it", "add the column")
    if len({str(r["ID"]) for r in rows if "ID" in r}) > 1:
        notes.add(0, "ID", "", "holds several subjects", "a table is one run", "give one table a subject (groupby ID)")
    if notes.found:
        return [], notes.found
    records: list[Record] = []
    before = -math.inf
    for k, cells in enumerate(rows, start=1):
        record = _record(model, k, cells, notes, long_lag)
        if record is None:
            continue
        if record.time < before:
            notes.add(k, "TIME", cells["TIME"], f"lies before the row above it ({before:g} h)",
                      "events are applied in the order of the rows",
                      "sort the rows; give an occasion whose clock starts anew a table of its own")  # fmt: skip
        before = max(before, record.time)
        records.append(record)
    return records, notes.found


def _rows(table: Table) -> tuple[list[dict[str, Any]], set[str]]:
    """Rows with upper-case column names."""
    raw = table.to_dict("records") if isinstance(table, pd.DataFrame) else table
    rows = [{str(c).upper(): v for c, v in r.items()} for r in raw]
    return rows, {c for r in rows for c in r} | (
        {str(c).upper() for c in table} if isinstance(table, pd.DataFrame) else set()
    )


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell)) or str(cell).strip() in ("", ".", "<NA>")


def _record(model: Model, row: int, cells: dict[str, Any], notes: _Notes, long_lag: LongLag) -> Record | None:
    """One checked row, or None if its numbers cannot be read."""
    before = len(notes.found)
    x: dict[str, float | None] = dict(DEFAULTS)
    for column in DEFAULTS:
        if not _is_empty(cells.get(column)):
            try:
                x[column] = float(cells[column])
                if not math.isfinite(float(cells[column])):
                    raise ValueError
            except (TypeError, ValueError):
                what = "is not a finite number"
                notes.add(row, column, cells[column], what, "the row cannot be read", "write a number")
        elif x[column] is None and column in ("TIME", "EVID"):
            notes.add(row, column, "", "is empty", "the row cannot be read", "fill the cell")
    if len(notes.found) > before:
        return None
    v = {c: 0.0 if n is None else n for c, n in x.items()}
    if v["EVID"] not in (0, 1, 2, 3, 4):
        notes.add(row, "EVID", cells["EVID"], "is no kind of event", "NONMEM knows 0 to 4", "write 0, 1, 2, 3 or 4")
        return None
    evid = int(v["EVID"])
    if evid not in (1, 4):
        _check_idle(row, evid, v, cells, notes)
        return Record(row, v["TIME"], evid)
    return _dose(model, row, evid, v, cells, notes, long_lag)


def _check_idle(row: int, evid: int, v: dict[str, float], cells: dict[str, Any], notes: _Notes) -> None:
    """A row without a dose must not look like one, nor switch a compartment off."""
    for column in DOSE_ITEMS:
        if v[column] != 0:
            notes.add(row, column, cells[column], f"stands on a row with EVID {evid}",
                      "only rows with EVID 1 or 4 give a dose", "write EVID 1 or 4, or clear the cell")  # fmt: skip
    if str(cells.get("CMT", "")).strip().startswith("-"):
        notes.add(row, "CMT", cells["CMT"], "would switch a compartment off", "compartments cannot be switched off",
                  "write EVID 3 to empty all, or give the model a parameter that stops the flux")  # fmt: skip


def _target(model: Model, row: int, cells: dict[str, Any], notes: _Notes) -> int:
    """Number of the state that takes the dose; -1 and a note if there is none."""
    given = {c: cells[c] for c in TARGETS if not _is_empty(cells.get(c))}
    routes = dict(model.dose_targets)
    column = next(iter(given), "CMT")
    known = f"states are {', '.join(model.state_names[:8])} ..., routes {', '.join(sorted(routes)) or 'none'}"
    found: set[int] = set()
    try:
        if not given and len(set(routes.values())) == 1:
            return dose_target(model, next(iter(routes.values())))
        for cell in given.values():
            number = _whole(cell)
            if number is None:
                found.add(dose_target(model, str(cell).strip()))
            elif 1 <= number <= len(model.states) and model.state_names[number - 1] != TIME:
                found.add(number - 1)
            else:
                raise ModelError(f"the model has no state number {number} that takes doses")
    except ModelError:
        found = set()
    if len(found) == 1:
        return found.pop()
    what = "name two different states" if found else "names no state or route of the model" if given else "is empty"
    notes.add(row, column, given.get(column, ""), what, "the dose would go nowhere", f"choose one: {known}")
    return -1


def _whole(cell: object) -> int | None:
    try:
        number = float(str(cell))
    except ValueError:
        return None
    return int(number) if number.is_integer() else -1


def _dose(
    model: Model, row: int, evid: int, v: dict[str, float], cells: dict[str, Any], notes: _Notes, long_lag: LongLag
) -> Record:
    def wrong(column: str, what: str, why: str, fix: str) -> None:
        notes.add(row, column, cells.get(column, ""), what, why, fix)

    state = _target(model, row, cells, notes)
    amt, rate, ii, addl, ss = (v[c] for c in DOSE_ITEMS)
    constant = ss > 0 and amt == 0 and ii == 0 and (rate >= 0 or rate == -1)
    if ss not in (0, 1, 2):
        wrong("SS", "is not 0, 1 or 2", "no other kind of steady state is computed",
              "write 1 for what NONMEM calls 3 (it differs in the starting value of its search only)")  # fmt: skip
    if rate < 0 and rate not in (-1, -2):
        wrong("RATE", "is negative", "only -1 and -2 have a meaning", "write a rate, 0, -1 or -2")
    if not constant and amt <= 0:
        wrong("AMT", "is not greater than 0", "the row gives nothing",
              "write the amount (or EVID 3 for a reset, or SS 1 with II 0 for a constant infusion)")  # fmt: skip
    if ss > 0 and ii <= 0 and not constant:
        wrong("II", "is not greater than 0", "a steady state of doses needs their interval", "write the interval in h")
    if addl < 0 or not addl.is_integer():
        wrong("ADDL", "is not a whole number from 0", "doses are counted",
              "write the number of further doses (a negative ADDL, NONMEM 7.5, is not supported: use SS)")  # fmt: skip
    elif addl > 0 and constant:
        wrong("ADDL", "stands on a constant infusion", "nothing can be repeated", "clear it; start a new row")
    elif addl > 0 and ii <= 0:
        wrong("II", "is not greater than 0", "the further doses have no time", "write the interval in h, or clear ADDL")
    elif ii > 0 and addl == 0 and ss == 0:
        wrong("II", "has no effect", "one dose is given and none is repeated", "write ADDL or SS, or clear II")
    if ii < 0:
        wrong("II", "is negative", "an interval has a length", "write the interval in h")
    if v["F"] < 0:
        wrong("F", "is negative", "no dose can be negative", "write a fraction, or 1")
    if v["ALAG"] < 0:
        wrong("ALAG", "is negative", "a dose cannot arrive before it is given", "write the lag in h, or shift TIME")
    if rate == -1 and v["R"] <= 0:
        wrong("R", "is not greater than 0", "RATE -1 takes the rate from here", "write the rate, or RATE 0 for a bolus")
    if rate == -2 and v["D"] <= 0:
        wrong("D", "is not greater than 0", "RATE -2 takes the duration from here", "write it in h, or RATE 0")
    if ss > 0 and not constant and v["ALAG"] > ii > 0 and long_lag == "refuse":
        wrong("ALAG", f"is longer than II ({ii:g} h) on a steady-state row",
              "NONMEM extrapolates backwards over the doses in between and may give negative amounts; its help says "
              "that the lag should be less than the interval",
              'choose long_lag="periodic" (every dose arrives this late) or "nonmem", or mend the lag')  # fmt: skip
    amount = amt * v["F"]
    rate = v["R"] if rate == -1 else rate
    duration = v["D"] if rate == -2 else amount / rate if rate > 0 else 0.0
    return Record(
        row, v["TIME"], evid, state, amount, duration if amount > 0 else 0.0, max(rate, 0.0), ii, int(addl), int(ss),
        0.0 if constant else v["ALAG"],
    )  # fmt: skip
