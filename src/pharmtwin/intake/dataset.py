"""A data set alone, without a study around it: NM-TRAN, CDISC ADPPK or ADPC, a spreadsheet of doses and samples.

The rules are those of a study's events and twins, as far as the data set has the columns. Nothing is simulated, so that
resets, steady states, infusions, several drugs and several quantities may stand in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from pharmtwin.findings import Finding, sort_findings
from pharmtwin.intake.cells import Reading
from pharmtwin.intake.clock import DATES
from pharmtwin.intake.columns import ColumnSpec, Record, SheetSpec, check_cells, check_columns, sheet_spec
from pharmtwin.intake.config import library_drugs
from pharmtwin.intake.doses import REFERENCE
from pharmtwin.intake.events import check_data
from pharmtwin.intake.headings import DIALECTS, dialects
from pharmtwin.intake.opening import Excluded, Opened, admit, as_written
from pharmtwin.intake.rules import Given, Table, run_rules
from pharmtwin.intake.sheet import Sheet, is_missing, read_sheet
from pharmtwin.intake.study import frame, not_said_at_the_door
from pharmtwin.intake.twins import check_twins

NEEDED = ("twin_id", "time_h", "evid")
COVARIATES = ("sex", "age_y", "weight_kg", "height_cm", "creatinine_mg_dl", "albumin_g_l", "haematocrit")
#: what a row of a data set may leave empty
MAY_BE_EMPTY = ("drug", "dose_mg", "route", "dv_ng_ml", "use")
#: not said of a data set: what separates its columns, and each unread column by itself (``_unread`` names them at once)
QUIET = {"sheet.delimiter", "events.column_unknown"}


@cache
def data_spec() -> SheetSpec:
    """Columns of a data set: those of the events, and the covariates that may stand beside them."""
    events, twins = sheet_spec("events"), {c.name: c for c in sheet_spec("twins").columns}
    columns = [
        replace(
            c, required=c.name in NEEDED, rule={**c.rule, "x-empty": c.rule.get("x-empty") or c.name in MAY_BE_EMPTY}
        )
        for c in events.columns
    ]
    for name in COVARIATES:
        rule = {k: v for k, v in twins[name].rule.items() if name != "sex" or k != "enum"}  # codes of sex vary
        columns.append(ColumnSpec(name, False, {**rule, "x-empty": True}))
    return SheetSpec("events", tuple(columns), events.limits)


def check_data_set(
    path: str, base: Path = Path("."), reading: Reading | None = None
) -> tuple[Sheet | None, list[Finding], list[Excluded]]:
    """All findings on a data set, and the rows that are not used; the sheet is None if it cannot be read."""
    sheet, findings = read_sheet(path, base)
    if sheet is None:
        return None, findings, []
    opened = admit(sheet, findings, data_spec(), replace(reading or Reading(), alone=True))
    return opened.sheet, check_opened(opened), opened.excluded


def check_opened(opened: Opened) -> list[Finding]:
    """All findings on a data set that was opened."""
    sheet, spec = opened.sheet, data_spec()
    if sheet is None:
        return opened.findings
    findings = opened.findings + check_columns(sheet, spec)
    records, cells = check_cells(sheet, spec)
    cells = not_said_at_the_door(cells, opened.findings, sheet)
    found = check_data(sheet.path, records, cells)
    people = _people(records)
    given = Given(_tables(sheet, records, people), alone=True, drugs=library_drugs())
    wrong = {f.row for f in cells if f.severity == "error"}
    found = run_rules(given, [*found, *_bodies(sheet, [r for r in people if r.row not in wrong])])
    if not sheet.rows:
        what, fix = "holds a header but no rows", "name the right file"
        found.append(Finding.create("sheet.empty", sheet.path, what, "there is nothing to check", fix))
    kept = [f for f in [*findings, *found] if f.rule not in QUIET] + _unread(sheet)
    return sort_findings(as_written(kept, {sheet.path: sheet}))


def _unread(sheet: Sheet) -> list[Finding]:
    """One note with the columns that nothing reads: a flag of exclusion among them would have no effect."""
    units_of = {u for name in DIALECTS for u in dialects()[name].get("unit_columns", {}).values()}
    known = {c.name for c in data_spec().columns}
    names = [c for c in sheet.columns if c not in known and c.upper() not in units_of | {*DATES, REFERENCE}]
    if not names or not known & set(sheet.columns):
        return []
    what = f"columns that are not read: {', '.join(names)}"
    why, fix = "no flag, date or comment in them has an effect", "no action needed; a reason in a column EXCLUDE counts"
    note = {"row": sheet.header, "severity": "note"}
    return [Finding.create("sheet.columns_unread", sheet.path, what, why, fix, **note)]  # type: ignore[arg-type]


def _tables(sheet: Sheet, records: Sequence[Record], people: Sequence[Record]) -> dict[str, Table]:
    columns = frozenset(sheet.columns)
    tables = {"events": Table(sheet.path, sheet.header, records, columns, sheet.undeclared, sheet.origin)}
    if set(COVARIATES) & columns:
        tables["twins"] = Table(sheet.path, sheet.header, people, columns, sheet.undeclared, sheet.origin)
    return tables


def _people(records: Sequence[Record]) -> list[Record]:
    """The first row of every twin, with the covariates that stand in it."""
    first: dict[str, Record] = {}
    for r in records:
        first.setdefault(r.raw.get("twin_id", ""), r)
    return [r for twin, r in first.items() if not is_missing(twin)]


def _bodies(sheet: Sheet, people: Sequence[Record]) -> list[Finding]:
    """Sizes and kidney markers of the people, against age and sex, where both are told as we write them."""
    told = [
        Record(r.row, r.raw, {c: v for c, v in r.values.items() if c in (*COVARIATES, "twin_id")})
        for r in people
        if r.number("age_y") is not None and r.text("sex") in ("M", "F")
    ]
    if not told or "weight_kg" not in sheet.columns:
        return []
    from pharmtwin.body.checks import body_findings  # heavy

    found = [f for f in check_twins(sheet, told, []) if f.rule != "twins.no_vcf"]
    bad = {f.row for f in found if f.severity == "error"}
    good = [r for r in told if r.row not in bad]
    if good:
        bodies = frame("twins", good)
        found += [f for f in body_findings(bodies, sheet.path) if f.severity != "note" and f.column in sheet.columns]
    return found
