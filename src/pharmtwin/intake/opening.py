"""One sheet opened: read by what the file is, through the door, rows that are not used set aside.

Rows that are not used are flagged and kept: they come back as :class:`Excluded`, one a row, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pharmtwin.findings import Finding
from pharmtwin.intake.cells import Reading
from pharmtwin.intake.columns import SheetSpec, sheet_spec
from pharmtwin.intake.config import setting
from pharmtwin.intake.door import repaired, through_door
from pharmtwin.intake.sheet import Sheet, is_missing, read_sheet

#: first cell of a row that is commented out; not an error value such as #N/A
COMMENTED = re.compile(r"#(?![A-Z])|#[A-Z]?\d*$")
#: marks of a row that is used after all, in a column of exclusions
USED = frozenset({"0", "0.0", "N", "n", "no", "No", "NO", "false", "FALSE"})


@dataclass(frozen=True)
class Excluded:
    """A row that is not used: where it stands, why, and its cells as they were read."""

    file: str
    row: int
    reason: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Opened:
    """A sheet in our columns (None: unreadable), what there is to say of it, and the rows that are not used."""

    sheet: Sheet | None
    findings: list[Finding]
    excluded: list[Excluded]


def reading_of(config: Mapping[str, Any], base: Path = Path(".")) -> Reading:
    """How the configuration says that sheets are read."""
    return Reading(
        timezone=setting(config, "intake.timezone", ""),
        units={str(k): str(v) for k, v in setting(config, "intake.units", {}).items()},
        constants={str(k): str(v) for k, v in setting(config, "intake.constants", {}).items()},
        repairs=frozenset(str(r) for r in setting(config, "intake.repairs", [])),
        molar_mass=molar_mass(setting(config, "drug", ""), base),
    )


def molar_mass(drug: str, base: Path) -> float | None:
    """Molar mass (g/mol) of a drug file, None where there is none to read."""
    import yaml  # heavy

    from pharmtwin import facts
    from pharmtwin.untrusted import load_yaml

    own = drug.endswith((".yaml", ".yml"))
    path = base / drug if own else facts.RESOURCES / "drugs" / "twin" / f"{drug}.yaml"
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
        return float(content["physicochemistry"]["MW"]["value"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None


def open_sheet(
    path: str, table: str, reading: Reading, base: Path = Path("."), spec: SheetSpec | None = None
) -> Opened:
    """Read a sheet of a table (twins, events, scenarios, structure_calls), whatever file it is."""
    sheet, findings = read_sheet(path, base)
    if sheet is None:
        return Opened(None, findings, [])
    return admit(sheet, findings, spec or sheet_spec(table), reading)


def admit(sheet: Sheet, findings: Sequence[Finding], spec: SheetSpec, reading: Reading) -> Opened:
    """A sheet that was read, through the door."""
    through, found = through_door(sheet, spec, reading)
    used, excluded, more = _set_aside(through, reading)
    return Opened(used, [*findings, *found, *more], excluded)


def _set_aside(sheet: Sheet, reading: Reading) -> tuple[Sheet, list[Excluded], list[Finding]]:
    """Rows that the user excludes, that are comments, or that stand twice and may be dropped."""
    rows, out, findings = [], [], []
    seen: dict[tuple[str, ...], int] = {}
    first = sheet.columns[0] if sheet.columns else ""
    for number, cells in sheet.rows:
        reason = cells.get("exclude", "")
        comment = COMMENTED.match(cells.get(first, "")) is not None
        key = tuple(cells.get(c, "") for c in sheet.columns)
        if not (is_missing(reason) or reason in USED):
            out.append(Excluded(sheet.path, number, reason, cells))
            findings.append(_excluded(sheet, number, f"the row is not used: {reason}", "exclude"))
        elif comment:
            out.append(Excluded(sheet.path, number, "commented out", cells))
            findings.append(_excluded(sheet, number, "the row is commented out and not used", first))
        elif "duplicate_rows" in reading.repairs and seen.setdefault(key, number) != number:
            out.append(Excluded(sheet.path, number, f"equal to row {seen[key]}", cells))
            findings.append(repaired(sheet.path, number, "", f"row {seen[key]} again, not used", "duplicate_rows"))
        else:
            rows.append((number, cells))
    return (replace(sheet, rows=tuple(rows)) if out else sheet), out, findings


def _excluded(sheet: Sheet, row: int, what: str, column: str) -> Finding:
    why, fix = "results do not rest on it", "no action needed; the row is kept in excluded.tsv"
    place = {"row": row, "column": sheet.origin.get(column, column), "severity": "note"}
    return Finding.create("sheet.row_excluded", sheet.path, what, why, fix, **place)  # type: ignore[arg-type]


def as_written(findings: Sequence[Finding], sheets: Mapping[str, Sheet]) -> list[Finding]:
    """Findings in the file's own words: the heading for our column, the cell as it was written.

    sheets : by path.
    """
    out = []
    for f in findings:
        sheet = sheets.get(f.file)
        if sheet is None or not f.column:
            out.append(f)
            continue
        value = sheet.written.get((f.row, f.column), f.value) if f.value else f.value
        out.append(replace(f, column=sheet.origin.get(f.column, f.column), value=value))
    return out


def canonical_rows(config: Mapping[str, Any], table: str, base: Path = Path(".")) -> list[dict[str, str]]:
    """Rows of a configured sheet as they are used, in our columns; raises ValueError if it cannot be read."""
    path = str(setting(config, f"paths.{table}", ""))
    if not path:
        return []
    opened = open_sheet(path, table, reading_of(config, base), base)
    if opened.sheet is None:
        raise ValueError("\n".join(f.message() for f in opened.findings))
    return [cells for _, cells in opened.sheet.rows]
