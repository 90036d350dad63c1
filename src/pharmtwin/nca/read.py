"""A user's concentrations and doses as profiles: NM-TRAN rows (ID TIME AMT EVID DV ...), or plain columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pharmtwin.findings import Finding, has_errors
from pharmtwin.intake.sheet import is_missing
from pharmtwin.nca.cells import Cells, number, numbers, plain, read_cells
from pharmtwin.nca.doses import INFUSED, doses_of_rows, route_of
from pharmtwin.nca.profile import Dose, Profile, Units

#: names that people give the columns, best first
COLUMNS: dict[str, tuple[str, ...]] = {
    "subject": ("id", "subject", "subj", "usubjid", "subjid", "subjectid", "patient", "animal", "twin_id", "volunteer"),
    "time": ("time", "time_h", "afrlt", "tafd", "tad", "hours", "t", "nominal_time", "ntime"),
    "conc": ("dv", "conc", "concentration", "cp", "aval", "pcstresn", "dv_ng_ml", "cobs", "value", "conc_ng_ml", "c"),
    "amount": ("amt", "dose", "amount", "dose_mg", "amt_mg", "exdose"),
    "evid": ("evid",), "mdv": ("mdv",), "rate": ("rate",),
    "ii": ("ii", "tau", "ii_h"), "addl": ("addl",), "ss": ("ss",),
    "duration": ("dur", "duration", "tinf", "duration_h", "infusion_duration"),
    "route": ("route", "exroute", "adm", "administration"),
    "lloq": ("lloq", "loq", "pclloq", "alloq"),
    "blq": ("blq", "bql", "blqfl", "blqfn", "cens"),
    "include": ("include_half.life", "include_hl", "include_lambda_z"),
    "exclude": ("exclude_half.life", "exclude_hl", "exclude_lambda_z"),
    "time_unit": ("timeu", "time_unit", "rrltu"),
    "conc_unit": ("concu", "concentrationu", "pcstresu", "conc_unit", "unit"),
    "dose_unit": ("doseu", "amtu", "dose_unit", "doseunit"),
}  # fmt: skip
#: columns that part profiles of one subject, where the table has them; those of the sample do not part doses
BY_DOSE = ("period", "per", "treatment", "trt", "formulation", "form", "sequence", "seq", "occasion", "occ", "arm")
BY_SAMPLE = ("analyte", "pctestcd", "paramcd", "matrix", "pcspec", "dvid")
BELOW = ("blq", "bql", "blod", "lloq", "nd", "bloq", "belowlloq")
WHY = "the analysis would rest on a wrong table"


@dataclass
class Given:
    """What was read, and all that is wrong with it; ``names`` of the columns in the profiles' keys."""

    path: str
    names: tuple[str, ...] = ()
    profiles: list[Profile] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def say(
        self, rule: str, what: str, fix: str, severity: str = "error", why: str = WHY, path: str = "", **place: Any
    ) -> None:
        """One finding more."""
        finding = Finding.create(f"nca.{rule}", path or self.path, what, why, fix, severity=severity, **place)
        self.findings.append(finding)


@dataclass(frozen=True)
class Stated:
    """What the command line states beside the table; nan and "" where it does not."""

    dose: float = float("nan")
    dose_time: float = 0.0
    route: str = ""
    duration: float = float("nan")
    lloq: float = float("nan")
    units: Units = field(default_factory=Units)
    by: tuple[str, ...] | None = None


@dataclass
class Table:
    """A table with its columns found: ``role`` -> column; ``value(role)``: numbers (n,), nan where there is none."""

    cells: Cells
    role: dict[str, str | None]
    values: dict[str, np.ndarray] = field(default_factory=dict)

    def value(self, role: str) -> np.ndarray:
        """Numbers of a column that was read; nan everywhere without one."""
        return self.values.get(role, np.full(len(self.cells.lines), np.nan))

    def text(self, role: str, i: int) -> str:
        """A cell as text, empty where missing."""
        column = self.role[role]
        cell = self.cells.columns[column][i] if column else ""
        return "" if is_missing(cell) else cell


def find_columns(out: Given, cells: Cells, given: dict[str, str]) -> Table:
    """Columns by role; a column that was named and is not there is a finding."""
    for column in given.values():
        if cells.find((), column) is None:
            out.say("column", "is not in the table", f"columns are: {', '.join(cells.columns)}", column=column,
                    path=cells.path)  # fmt: skip
    return Table(cells, {role: cells.find(names, given.get(role)) for role, names in COLUMNS.items()})


def read_numbers(out: Given, table: Table, roles: Sequence[str]) -> None:
    """Numbers of these roles; a finding for each cell that is none."""
    for role in roles:
        if column := table.role[role]:
            table.values[role], found = numbers(table.cells, column, "nca.number", WHY)
            out.findings += found


def read_profiles(
    path: str, doses: str = "", stated: Stated | None = None, given: dict[str, str] | None = None
) -> Given:
    """Read samples and doses. ``doses``: a table of its own for them; ``given``: role -> column, by name."""
    out, stated = Given(path), stated or Stated()
    cells, found = read_cells(path)
    out.findings += found
    if cells is None:
        return out
    table = find_columns(out, cells, given or {})
    for role in ("time", "conc"):
        if table.role[role] is None:
            fix = f"name it {COLUMNS[role][0]}, or give --column {role}=NAME"
            out.say("column", f"no column tells the {role}", fix, row=cells.header)
    by = _by(out, cells, stated.by)
    dose_table = _read_doses_table(out, doses, given or {}) if doses else None
    if has_errors(out.findings):
        return out
    read_numbers(out, table, ("time", "amount", "evid", "mdv", "rate", "ii", "addl", "ss", "duration", "lloq"))
    conc, blq = _concentrations(out, table, stated.lloq)
    if dose_table is not None:  # beside a table of doses the samples have none of their own
        table.values.pop("amount", None)
        table.role["amount"] = None
    subject = table.role["subject"]
    if subject is None:
        words = "no column tells the subject: all rows are of one"
        out.say("subject", words, "name it id if there are several", "warning", row=cells.header)
    out.names = ("subject", *by)
    keys = [(table.text("subject", i), *(cells.columns[c][i] for c in by)) for i in range(len(cells.lines))]
    is_dose, is_sample = _kinds(out, table, conc, blq)
    for i, (line, time) in enumerate(zip(cells.lines, table.value("time"), strict=True)):
        if (is_dose[i] or is_sample[i]) and np.isnan(time):
            out.say(
                "time", "the time is missing", "complete the row or remove it", row=line, column=str(table.role["time"])
            )
        if subject and not keys[i][0]:
            out.say("subject", "the subject is missing", "complete the row or remove it", row=line, column=subject)
    if has_errors(out.findings):
        return out
    given_doses = _all_doses(out, table, dose_table, keys, by, is_dose, stated)
    column = dose_table.role["dose_unit"] if dose_table else None
    units = {u for u in dose_table.cells.columns[column] if not is_missing(u)} if dose_table and column else set()
    if len(units) > 1:
        out.say("unit", f"several units of dose: {', '.join(sorted(units))}", "convert to one unit", path=doses)
    _build(out, table, keys, is_sample, conc, blq, given_doses, stated, units.pop() if units else "")
    return out


def _by(out: Given, cells: Cells, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Columns that part profiles: those asked for, else the usual ones that are there."""
    if asked is None:
        return tuple(c for c in cells.columns if plain(c) in (*BY_DOSE, *BY_SAMPLE))
    for column in asked:
        if column not in cells.columns:
            out.say("column", "is not in the table", f"columns are: {', '.join(cells.columns)}", column=column)
    return asked


def _concentrations(out: Given, table: Table, lloq: float) -> tuple[np.ndarray, np.ndarray]:
    """Concentrations (nan: no value; BLQ: 0) and which are BLQ: written so or as 0, flagged, or below the limit."""
    column, n = str(table.role["conc"]), len(table.cells.lines)
    conc, blq = np.full(n, np.nan), np.zeros(n, dtype=bool)
    limit = np.where(np.isnan(table.value("lloq")), lloq, table.value("lloq"))
    for i, text in enumerate(table.cells.columns[column]):
        flag = table.text("blq", i).lower()
        if text.startswith("<") or plain(text) in BELOW or flag in ("1", "1.0", "y", "yes", "true"):
            blq[i], conc[i] = True, 0.0
            continue
        value = number(text, table.cells.decimal_comma)
        place: dict[str, Any] = {"row": table.cells.lines[i], "column": column, "value": text}
        if value is None:
            out.say(
                "conc",
                "is neither a number nor BLQ",
                "write a number, BLQ or <LIMIT, or NA where there is none",
                **place,
            )
        elif value < 0:
            out.say("conc", "is below 0", "write BLQ where it was below the limit of quantification", **place)
        else:
            blq[i] = value == 0 or value < limit[i]
            conc[i] = 0.0 if blq[i] else value
    return conc, blq


def _kinds(out: Given, table: Table, conc: np.ndarray, blq: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are doses, which are samples. Without EVID a row with an amount is a dose, unless all have one."""
    amount, mdv, n = table.value("amount"), table.value("mdv"), len(conc)
    dosed = amount > 0
    if table.role["evid"]:
        evid = np.nan_to_num(table.value("evid"))
        is_dose, is_sample = (evid == 1) | ((evid > 100) & (evid < 200)), evid == 0
        for i in np.flatnonzero(~is_dose & ~is_sample & (evid != 2)):
            out.say("evid", "a reset, or a code that is not known", "part profiles by a column period, EVID 0 and 1",
                    row=table.cells.lines[i], column=str(table.role["evid"]), value=f"{evid[i]:g}")  # fmt: skip
    elif dosed.any() and not np.all(dosed | np.isnan(conc)):
        is_dose = dosed
        is_sample = ~dosed
    else:  # the amount is a covariate of every sample, or there is none
        is_dose, is_sample = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
        if dosed.any() and np.all(np.isnan(conc[dosed]) & ~blq[dosed]):
            is_dose, is_sample = dosed, ~dosed
    return is_dose, is_sample & ~(mdv == 1)


def _read_doses_table(out: Given, path: str, given: dict[str, str]) -> Table | None:
    cells, found = read_cells(path)
    out.findings += found
    if cells is None:
        return None
    named = {r: c for r, c in given.items() if cells.find((), c)}
    table = Table(cells, {role: cells.find(names, named.get(role)) for role, names in COLUMNS.items()})
    for role in ("time", "amount"):
        if table.role[role] is None:
            fix = f"name it {COLUMNS[role][0]}, or give --column {role}=NAME"
            out.say("column", f"no column tells the {role}", fix, row=cells.header, path=path)
    read_numbers(out, table, ("time", "amount", "rate", "ii", "addl", "ss", "duration"))
    return table


def _all_doses(
    out: Given, table: Table, dose_table: Table | None, keys: list[tuple[str, ...]], by: tuple[str, ...],
    is_dose: np.ndarray, stated: Stated,
) -> dict[tuple[str, ...], tuple[Dose, ...]]:  # fmt: skip
    """Doses of every profile: from a table of their own, from dose rows, or stated."""
    source = dose_table or table
    rows = np.arange(len(source.cells.lines)) if dose_table else np.flatnonzero(is_dose)
    found = doses_of_rows(out, source, rows, stated)
    parted = [c for c in by if plain(c) in BY_DOSE and c in source.cells.columns]
    places = {c: 1 + by.index(c) for c in parted}
    out_doses: dict[tuple[str, ...], tuple[Dose, ...]] = {}
    for key in dict.fromkeys(keys):
        mine: list[Dose] = []
        for i, doses in found:
            cells = {c: source.cells.columns[c][i] for c in parted}
            same = source.text("subject", i) == key[0] or source.role["subject"] is None
            if same and all(is_missing(cell) or cell == key[places[c]] for c, cell in cells.items()):
                mine += doses
        out_doses[key] = tuple(sorted(mine, key=lambda d: d.time))
    return out_doses


def _build(
    out: Given, table: Table, keys: list[tuple[str, ...]], is_sample: np.ndarray, conc: np.ndarray, blq: np.ndarray,
    doses: dict[tuple[str, ...], tuple[Dose, ...]], stated: Stated, dose_unit: str,
) -> None:  # fmt: skip
    """Profiles in the order of their first samples."""
    time, amount = table.value("time"), table.value("amount")
    flags = {r: np.array([_flag(table.text(r, i)) for i in range(len(conc))]) for r in ("include", "exclude")}
    undosed = []
    for key in dict.fromkeys(k for k, s in zip(keys, is_sample, strict=True) if s):
        rows = np.array([i for i, k in enumerate(keys) if k == key and is_sample[i]])
        rows = rows[np.argsort(time[rows], kind="stable")]
        rows = _once(out, table, rows, time, conc)
        mine = doses.get(key, ())
        if not mine:
            mine = (_stated_dose(out, table, rows, amount, stated),)
            undosed += [key] if np.isnan(mine[0].amount) else []
        units = _units(out, table, rows, stated.units, dose_unit)
        profile = Profile(
            key, time[rows], conc[rows], blq[rows], flags["include"][rows], flags["exclude"][rows], mine, units
        )
        out.profiles.append(profile)
    if undosed:
        shown = ", ".join("/".join(k) for k in undosed[:5]) + (" ..." if len(undosed) > 5 else "")
        words = f"{len(undosed)} profile(s) have no dose: {shown}"
        out.say("dose", words, "add dose rows, a column dose, --doses FILE or --dose AMOUNT", "warning",
                "clearance and volumes are not given, and the dose time is taken as --dose-time")  # fmt: skip
    routes = {d.route for p in out.profiles for d in p.doses}
    if routes == {"extravascular"} and not stated.route and table.role["route"] is None:
        out.say("route", "the route is not stated; taken as extravascular", "give --route, or a column of it",
                "note", "an intravenous dose has a concentration at its time, and Vss")  # fmt: skip


def _once(out: Given, table: Table, rows: np.ndarray, time: np.ndarray, conc: np.ndarray) -> np.ndarray:
    """Each time once: of rows at one time the one with a value; two values are an error."""
    kept: list[int] = []
    for i in rows:
        if kept and time[kept[-1]] == time[i]:
            if np.isfinite(conc[i]) and np.isfinite(conc[kept[-1]]):
                first = table.cells.lines[kept[-1]]
                out.say("twice", f"a second value at the time of line {first}", "keep one, or part them by a column",
                        row=table.cells.lines[i], column=str(table.role["time"]), value=f"{time[i]:g}")  # fmt: skip
            elif np.isfinite(conc[i]):
                kept[-1] = int(i)
            continue
        kept.append(int(i))
    return np.array(kept, dtype=int)


def _stated_dose(out: Given, table: Table, rows: np.ndarray, amount: np.ndarray, stated: Stated) -> Dose:
    """The dose of a profile without dose rows: --dose, else the one amount that stands beside its samples."""
    beside = {float(a) for a in amount[rows] if a > 0}
    if len(beside) > 1 and np.isnan(stated.dose):
        words = f"the amount changes within a profile ({', '.join(f'{a:g}' for a in sorted(beside))})"
        out.say("amount", words, "use dose rows (AMT, EVID) for several doses, or give --dose",
                row=table.cells.lines[rows[0]], column=str(table.role["amount"]))  # fmt: skip
    value = stated.dose if np.isfinite(stated.dose) else (beside.pop() if beside else float("nan"))
    route = stated.route or route_of(table.text("route", int(rows[0])))
    lengths = table.value("duration")[rows]
    length = stated.duration if np.isfinite(stated.duration) else float(np.nanmax(lengths, initial=0.0))
    route = route or ("infusion" if length > 0 else "extravascular")
    if route == "infusion" and not length > 0:
        out.say("duration", INFUSED, "give --duration, or a column duration or rate", row=table.cells.lines[rows[0]])
        route = "extravascular"
    return Dose(stated.dose_time, value, route, length if route == "infusion" else 0.0)


def _flag(text: str) -> bool:
    return text.lower() in ("1", "1.0", "y", "yes", "true", "t", "x")


def _units(out: Given, table: Table, rows: np.ndarray, stated: Units, dose_unit: str) -> Units:
    """Units stated, else those of the columns of units, else those in brackets after the names."""
    found = {}
    for name, role, column in (("time", "time_unit", "time"), ("concentration", "conc_unit", "conc"),
                               ("dose", "dose_unit", "amount")):  # fmt: skip
        here = {t for i in rows if (t := table.text(role, int(i)))}
        if len(here) > 1:
            out.say("unit", f"two units in one profile: {', '.join(sorted(here))}", "convert to one unit",
                    row=table.cells.lines[rows[0]], column=str(table.role[role]))  # fmt: skip
        header = table.role[column] or ""
        bracket = header[header.find("(") + 1 : header.rfind(")")] if "(" in header else ""
        found[name] = getattr(stated, name) or (here.pop() if here else bracket)
    return Units(found["time"], found["concentration"], found["dose"] or dose_unit)
