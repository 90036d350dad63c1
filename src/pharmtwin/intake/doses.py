"""Doses that a sheet does not write as our rows: regimens in words, ADPC's reference doses, NM-TRAN without EVID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pharmtwin.intake.buckets import NUMBER
from pharmtwin.intake.cells import convert, number_text
from pharmtwin.intake.headings import known_columns
from pharmtwin.intake.regimen_text import Part, RegimenError, parse_regimen
from pharmtwin.intake.sheet import is_missing

if TYPE_CHECKING:
    from pharmtwin.intake.door import Passing

WHY = "doses are read from it"
#: ADPC's time from the reference dose
REFERENCE = "ARRLT"
#: rows that regimens in words may become, by row of the sheet
EVENT_CELLS = ("dose_mg", "ii_h", "addl", "duration_h", "route")


def expand_regimens(passing: Passing) -> None:
    """Rows with a regimen in words become rows of doses (events), or get their cells filled (scenarios)."""
    if not any(not is_missing(c.get("regimen", "")) for _, c in passing.rows):
        return
    out: list[tuple[int, dict[str, str]]] = []
    samples = passing.spec.table == "events" and "evid" not in passing.rows[0][1]
    for number, cells in passing.rows:
        text = cells.get("regimen", "")
        if is_missing(text):
            dosed = not is_missing(cells.get("dose_mg", ""))
            out.append((number, {**cells, "evid": "1" if dosed else "0"} if samples else cells))
            continue
        try:
            parts = parse_regimen(text)
        except RegimenError as error:
            passing.say("regimen.unreadable", f"cannot be read: {error}", WHY,
                        "write AMOUNT UNIT qINTERVALh x NUMBER, e.g. 20 mg q24h x 14", row=number, column="regimen",
                        value=text)  # fmt: skip
            out.append((number, {**cells, "evid": "1"} if samples else cells))
            continue
        rows = _events(parts, cells) if passing.spec.table == "events" else _scenario(passing, number, parts)
        for filled in rows:
            for column in filled.keys() & cells.keys():
                _conflict(passing, number, column, cells[column], filled[column])
            out.append((number, {**cells, **{c: t for c, t in filled.items() if t != "" or c not in cells}}))
    every = dict.fromkeys(c for _, cells in out for c in cells)
    passing.rows = [(n, {**dict.fromkeys(every, ""), **cells}) for n, cells in out]
    for column in every:
        passing.origin.setdefault(column, column)


def _events(parts: tuple[Part, ...], cells: dict[str, str]) -> list[dict[str, str]]:
    time = cells.get("time_h", "")
    start = float(time) if NUMBER.fullmatch(time) else 0.0
    out = []
    for part in parts:
        many = part.n > 1
        filled = {
            "evid": "1",
            "dose_mg": number_text(part.dose_mg),
            "ii_h": number_text(part.interval_h) if many else "",
            "addl": str(part.n - 1) if many else "",
            "route": part.route,
        }
        if part.duration_h:
            filled["duration_h"] = number_text(part.duration_h)
        if part.start_h:
            filled["time_h"] = number_text(start + part.start_h)
        out.append(filled)
    return out


def _scenario(passing: Passing, number: int, parts: tuple[Part, ...]) -> list[dict[str, str]]:
    part = parts[0]
    if len(parts) > 1 or part.duration_h:
        what = "has several parts" if len(parts) > 1 else "is an infusion"
        passing.say("regimen.scenario", f"{what}; a scenario is one dose at one interval, as a bolus", WHY,
                    "write one part; several parts and infusions stand in the events sheet", row=number,
                    column="regimen")  # fmt: skip
    return [
        {
            "dose_mg": number_text(part.dose_mg),
            "interval_h": number_text(part.interval_h or 24.0),
            "n_doses": str(part.n),
            "route": part.route,
        }
    ]


def _conflict(passing: Passing, number: int, column: str, cell: str, filled: str) -> None:
    """A cell that says something else than the regimen."""
    if column == "time_h" or is_missing(cell) or filled == "" or cell == filled:
        return
    if NUMBER.fullmatch(cell) and NUMBER.fullmatch(filled) and float(cell) == float(filled):
        return
    passing.say("regimen.conflict", f"the regimen of the row says {filled}", "one of the two is wrong",
                "clear the cell, or the regimen", row=number, column=column, value=cell)  # fmt: skip


def derived_doses(passing: Passing) -> None:
    """EVID where the sheet has none: NM-TRAN's rule, or ADPC's reference doses."""
    rows = passing.rows
    if not rows or "evid" in rows[0][1] or "dose_mg" not in rows[0][1]:
        return
    if passing.origin.get("dose_mg", "").upper() == "DOSEA":
        _reference_doses(passing)
        return
    if passing.origin.get("dose_mg", "").upper() not in ("AMT", "AMT [MG]") and not passing.reading.alone:
        return
    for _, cells in rows:
        amount, told = cells.get("dose_mg", ""), is_missing(cells.get("regimen", ""))
        dosed = not is_missing(amount) and not (NUMBER.fullmatch(amount) and float(amount) == 0)
        cells["evid"] = "1" if dosed or not told else "0"
    passing.origin["evid"] = "evid"
    passing.say("events.evid_derived", "there is no EVID: a row with an amount is a dose, any other an observation",
                "as NM-TRAN does", "add a column EVID to say it", "note", row=passing.sheet.header)  # fmt: skip


def _in_hours(passing: Passing, elapsed: str) -> None:
    """Times from the reference dose in hours: by their own column of units, else in that of the times."""
    beside = {c.upper(): c for c in passing.rows[0][1]}
    column = known_columns("events")["time_h"]
    own = next((beside[name] for name in (f"{REFERENCE}U", "AFRLTU") if name in beside), "")
    stated = {c.upper(): unit for c, unit in passing.reading.units.items()}
    said = stated.get(REFERENCE, stated.get("AFRLT", ""))
    for i, (number, cells) in enumerate(passing.rows if elapsed else ()):
        unit, text = said or (cells.get(own, "") if own else ""), cells.get(elapsed, "")
        if not NUMBER.fullmatch(text) or is_missing(unit) or unit == column.unit:
            continue
        value = convert(float(text), column, unit, None)
        if value is None:
            passing.say("units.unknown", f"{unit} is no unit of time", WHY, f"write {elapsed} in hours", row=number,
                        column=elapsed, value=text)  # fmt: skip
        passing.put(i, elapsed, "" if value is None else number_text(value))


def _reference_doses(passing: Passing) -> None:
    """ADPC: each sample tells its time from the first dose (AFRLT), from its own (ARRLT), and that dose's amount."""
    elapsed = next((c for c in passing.rows[0][1] if c.upper() == REFERENCE), "")
    _in_hours(passing, elapsed)
    seen: set[tuple[str, float]] = set()
    out: list[tuple[int, dict[str, str]]] = []
    for number, cells in passing.rows:
        amount, time, since = (
            cells.get("dose_mg", ""),
            cells.get("time_h", ""),
            cells.get(elapsed, "") if elapsed else "",
        )
        if NUMBER.fullmatch(time) and NUMBER.fullmatch(since) and NUMBER.fullmatch(amount) and float(amount) > 0:
            # a sample before its dose (ARRLT below 0) tells that dose as well
            key = cells.get("twin_id", ""), round(float(time) - float(since), 4)
            if key not in seen:
                seen.add(key)
                nothing = dict.fromkeys(("dv_ng_ml", "lloq_ng_ml", "blq", "use", "dvid"), "")
                dose = {**cells, **{c: "" for c in nothing if c in cells}, "evid": "1", "mdv": "1"}
                out.append((number, {**dose, "time_h": number_text(key[1]), "dose_mg": amount}))
        out.append((number, {**cells, "evid": "0", "dose_mg": "", "mdv": cells.get("mdv", "")}))
    passing.rows = out
    passing.origin |= {"evid": "evid", "mdv": passing.origin.get("mdv", "mdv")}
    if seen:
        passing.say("cdisc.doses_derived", f"{len(seen)} doses are read from the samples: DOSEA at AFRLT - ARRLT",
                    "ADPC has no rows of doses; doses that no sample refers to are not in it",
                    "give ADPPK, which has them, or add rows of doses", "warning",
                    row=passing.sheet.header)  # fmt: skip
