"""Rules of the events sheet: doses and observations of the twins, NONMEM semantics."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pharmtwin.findings import Finding
from pharmtwin.intake.columns import Record, sheet_spec
from pharmtwin.intake.sheet import Sheet, is_missing

WHY_DOSE = "without it no concentration can be predicted"
# The place to open when the fit of the workflow takes censored values: rows with blq 1, a value below lloq_ng_ml or a
# text such as <0.5 are refused in check_events (_observation, _blq); a data set alone takes blq and its limit already.
WHY_BLQ = "a value below the limit is no measurement, and this version has no likelihood for censored values"
FIX_BLQ = "leave the row out (column exclude: the row is flagged and kept)"


def check_events(
    sheet: Sheet, records: Sequence[Record], cells: Sequence[Finding], twins: set[str] | None, drug: str
) -> list[Finding]:
    """All findings on the rows of the sheet.

    ``cells`` are the findings on single cells, ``twins`` the ids of the twins sheet (None: that sheet
    could not be read, so ids are not compared), ``drug`` the name of the configured drug.
    """
    findings = [f for f in cells if not is_blq_text(f)]
    findings += [_blq(sheet.path, f.row, f.value) for f in cells if is_blq_text(f)]
    for record in records:
        findings += _drug(sheet.path, record, drug)
        if record.values.get("evid") in (1, 4):
            findings += _dose(sheet.path, record) + _simulated_dose(sheet.path, record)
        elif record.values.get("evid") == 0:
            findings += _observation(sheet.path, record)
    findings += unknown_twins(sheet.path, records, twins, "events.unknown_twin")
    findings += _duplicates(sheet.path, records)
    return findings + _before_dose(sheet, records)


def check_data(path: str, records: Sequence[Record], cells: Sequence[Finding]) -> list[Finding]:
    """Findings on the rows of a data set alone: any NONMEM record may stand in it, and nothing is simulated here."""
    findings = [f for f in cells if not is_blq_text(f)]
    for f in (f for f in cells if is_blq_text(f)):
        what, why = "a value below the limit of quantification, in words", "NM-TRAN reads numbers only"
        fix = "write BLQ 1 and the limit into LLOQ, and leave DV empty"
        findings.append(
            Finding.create("events.blq_text", path, what, why, fix, row=f.row, column=f.column, value=f.value)
        )
    for record in records:
        if record.values.get("evid") in (1, 4):
            findings += _dose(path, record)
        elif record.values.get("evid") == 0:
            findings += _no_dose_here(path, record)
    return findings + _duplicates(path, records)


def _at(
    path: str, record: Record, column: str, rule: str, what: str, why: str, fix: str, severity: str = "error"
) -> Finding:
    value = "" if is_missing(record.raw.get(column, "")) else record.raw[column]
    return Finding.create(rule, path, what, why, fix, row=record.row, column=column, value=value, severity=severity)


def is_blq_text(finding: Finding) -> bool:
    """True for a concentration written as ``<0.5``, ``BLQ`` or the like."""
    value = finding.value.lower().replace(" ", "")
    return (
        finding.rule == "events.not_a_number"
        and finding.column == "dv_ng_ml"
        and (value.startswith("<") or value in {"blq", "bql", "blod", "bloq", "lloq", "nd", "nq"})
    )


def _blq(path: str, row: int, value: str, limit: str = "") -> Finding:
    what = f"is below the lower limit of quantification{limit}"
    return Finding.create("events.below_lloq", path, what, WHY_BLQ, FIX_BLQ, row=row, column="dv_ng_ml", value=value)


def _drug(path: str, record: Record, drug: str) -> list[Finding]:
    written = record.text("drug")
    if not drug or not written or written == drug:
        return []
    what = "is not the configured drug"
    why = "doses of another drug would be simulated with this drug's properties"
    near = f"write {drug} if that is meant" if closest(written, [drug]) else f"write {drug}"
    fix = f"{near}, or set drug in the config"
    return [_at(path, record, "drug", "events.drug_unknown", what, why, fix)]


def _dose(path: str, record: Record) -> list[Finding]:
    """A dose has an amount and, if it is repeated, an interval, and no concentration."""
    findings = []
    dose, ii, addl, ss, rate = (record.number(c) for c in ("dose_mg", "ii_h", "addl", "ss", "rate_mg_h"))
    constant = bool(ss and not ii and rate and rate > 0)  # a steady-state infusion has a rate and no amount
    if not constant and (record.is_empty("dose_mg") or (dose is not None and dose <= 0)):
        what = "a dose row without an amount" if dose is None else "a dose must be greater than 0"
        fix = "write the amount in mg, or evid 0 if the row is an observation"
        findings.append(_at(path, record, "dose_mg", "events.dose_missing", what, WHY_DOSE, fix))
    if addl and (ii is None or ii <= 0) and "ii_h" not in _unreadable(record):
        what, why = "repeated doses (addl) without an interval", "the further doses have no time"
        column = "ii_h" if "ii_h" in record.raw else "addl"
        fix = "write the interval in hours into ii_h, or clear addl"
        findings.append(_at(path, record, column, "events.addl_without_ii", what, why, fix))
    if ii and not addl and not ss and "addl" not in _unreadable(record):
        what, why = "an interval without further doses (addl)", "the interval has no effect: one dose is given"
        fix = "write the number of further doses into addl, or clear ii_h"
        findings.append(_at(path, record, "ii_h", "events.ii_without_addl", what, why, fix, "warning"))
    if record.number("dv_ng_ml"):
        what, why = "a dose row with a concentration", "a row is either a dose or an observation"
        fix = "put the observation into a row of its own with evid 0"
        findings.append(_at(path, record, "dv_ng_ml", "events.dose_and_observation", what, why, fix))
    return findings


def _simulated_dose(path: str, record: Record) -> list[Finding]:
    """What the simulation needs of a dose besides: a time from 0 on, a route, an amount in mg."""
    findings = []
    dose, time = record.number("dose_mg"), record.number("time_h")
    low, high = sheet_spec("events").limits["dose_mg"]
    if dose is not None and dose > 0 and not low <= dose <= high:
        what = f"a dose outside of {low:g} to {high:g} mg"
        fix = "check the unit: µg are divided by 1000, g are multiplied by 1000"
        why = "the amount may stand in µg or g"
        findings.append(_at(path, record, "dose_mg", "events.dose_unit", what, why, fix, "warning"))
    if record.is_empty("route"):
        what = "a dose row without a route"
        findings.append(
            _at(path, record, "route", "events.route_missing", what, "absorption depends on it", "write oral or iv")
        )
    if time is not None and time < 0:
        what, why = "a dose before time zero", "the simulation starts at time zero with an empty body"
        fix = "shift all times of this twin so that its first dose is at 0"
        findings.append(_at(path, record, "time_h", "events.time_negative", what, why, fix))
    return findings


def _unreadable(record: Record) -> set[str]:
    """Columns whose cell holds something that is no number (they have their own finding)."""
    return {c for c, cell in record.raw.items() if not is_missing(cell) and c not in record.values}


def _observation(path: str, record: Record) -> list[Finding]:
    findings = []
    value, lloq = record.number("dv_ng_ml"), record.number("lloq_ng_ml")
    if record.is_empty("dv_ng_ml"):
        what, why = "an observation row without a concentration", "there is nothing to compare the prediction with"
        fix = "write the concentration in ng/mL, or leave the row out"
        findings.append(_at(path, record, "dv_ng_ml", "events.observation_missing", what, why, fix))
    elif value == 0 or (value is not None and lloq is not None and 0 <= value < lloq):
        limit = f" ({lloq:g} ng/mL)" if lloq else ", whatever it was"
        findings.append(_blq(path, record.row, record.raw["dv_ng_ml"], limit))
    if record.is_empty("use"):
        what, why = "an observation row without its use", "a value cannot both teach and judge"
        fix = "write fit (the twin learns from it) or test (kept aside to judge the prediction)"
        findings.append(_at(path, record, "use", "events.use_missing", what, why, fix))
    return findings + _no_dose_here(path, record)


def _no_dose_here(path: str, record: Record) -> list[Finding]:
    findings = []
    for column in ("dose_mg", "addl"):
        if record.number(column):
            what, why = "an observation row with a dose", "a row is either a dose or an observation"
            fix = "put the dose into a row of its own with evid 1"
            findings.append(_at(path, record, column, "events.dose_and_observation", what, why, fix))
    return findings


def closest(name: str, known: Sequence[str]) -> str:
    """The known name that another one means, or ""; names that differ in case, marks and zeros only come first."""
    from difflib import get_close_matches

    same = [k for k in known if bare(k) == bare(name)]
    return (same or get_close_matches(name, known, n=1) or [""])[0]


def bare(name: str) -> str:
    """An id without case, blanks, punctuation and leading zeros: ids that differ in nothing else are near misses."""
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", re.sub(r"[\s_.-]", "", name.lower()))


def unknown_twins(path: str, records: Sequence[Record], twins: set[str] | None, rule: str) -> list[Finding]:
    """One finding for each twin of this sheet that the twins sheet does not have."""
    rows: dict[str, list[Record]] = {}
    for record in records:
        twin = record.text("twin_id")
        if twin and twins is not None and twin not in twins:
            rows.setdefault(twin, []).append(record)
    findings = []
    for twin, its in rows.items():
        near = [n for n in (closest(twin, sorted(twins or ())),) if n]
        also = f" (and {len(its) - 1} more rows of it)" if len(its) > 1 else ""
        what = f"the twins sheet has no such twin{also}"
        fix = f"write {near[0]} if that is meant, " if near else ""
        fix += "or add the twin to the twins sheet" if near else "correct the id or add the twin to the twins sheet"
        findings.append(_at(path, its[0], "twin_id", rule, what, "the row belongs to nobody and would be lost", fix))
    return findings


def _duplicates(path: str, records: Sequence[Record]) -> list[Finding]:
    seen: dict[tuple[object, ...], int] = {}
    resets: dict[str, int] = {}
    findings = []
    for record in records:
        if record.values.get("evid") in (3, 4):  # a reset may start a new clock
            resets[record.text("twin_id")] = resets.get(record.text("twin_id"), 0) + 1
        twin, time, evid = record.text("twin_id"), record.number("time_h"), record.values.get("evid")
        if not twin or time is None or evid is None:
            continue
        what_of = tuple(record.text(c) for c in ("drug", "cmt", "dvid"))
        first = seen.setdefault((twin, resets.get(twin, 0), time, evid, *what_of), record.row)
        if first != record.row:
            what = f"row {first} has the same twin, time and evid"
            why = "the dose would be given twice" if evid else "the sample would count twice"
            fix = "delete one of the two rows, or correct the time"
            findings.append(_at(path, record, "time_h", "events.duplicate_row", what, why, fix))
    return findings


def _before_dose(sheet: Sheet, records: Sequence[Record]) -> list[Finding]:
    """Observations that no dose of their twin precedes.

    A twin with a dose at an unreadable time, or with a row of unreadable evid, is left out: its first dose
    is not known.
    """
    if not {"twin_id", "time_h", "evid"} <= set(sheet.columns):
        return []
    first: dict[str, float] = {}
    unsure = set()
    for record in records:
        twin, time, evid = record.text("twin_id"), record.number("time_h"), record.values.get("evid")
        if evid is None or (evid in (1, 4) and time is None):
            unsure.add(twin)
        elif evid in (1, 4) and time is not None:
            first[twin] = min(time, first.get(twin, time))
    findings = []
    for record in records:
        twin, time = record.text("twin_id"), record.number("time_h")
        if record.values.get("evid") != 0 or not twin or twin in unsure or time is None:
            continue
        if twin not in first or time <= first[twin]:
            what = "an observation before the first dose" if twin in first else "an observation of a twin without doses"
            if twin in first:
                what += f" of its twin ({first[twin]:g} h)"
            why = "the drug cannot be in the body yet, so the model predicts zero"
            fix = "add the earlier doses, correct the time, or leave the row out"
            findings.append(_at(sheet.path, record, "time_h", "events.before_first_dose", what, why, fix))
    return findings
