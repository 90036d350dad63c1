"""The study: all sheets read and checked, as canonical tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmtwin.findings import Finding
from pharmtwin.intake.buckets import vcf_paths
from pharmtwin.intake.columns import Record, check_cells, check_columns, sheet_spec
from pharmtwin.intake.config import (
    Places,
    available_drugs,
    check_config,
    drug_name,
    library_drugs,
    named_files,
    setting,
)
from pharmtwin.intake.events import check_events, is_blq_text
from pharmtwin.intake.opening import Excluded, as_written, open_sheet, reading_of
from pharmtwin.intake.pseudonyms import PseudonymError, Pseudonyms, privacy_findings, pseudonyms_of
from pharmtwin.intake.regimens import check_doses_by_weight, check_scenarios, check_structure_calls
from pharmtwin.intake.rules import Given, Table, run_rules
from pharmtwin.intake.sheet import Sheet
from pharmtwin.intake.twins import check_twins

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("twins", "events", "scenarios", "structure_calls")
OPTIONAL = ("events", "structure_calls")


@dataclass(frozen=True)
class Study:
    """Everything the user gave, canonical.

    The tables have the columns of their schemas in ``config/schemas`` (optional ones always present)
    and ``row``, the line in the sheet. Text is ``string`` (empty: ``""``), numbers are ``float64``
    (empty: NaN), whole numbers ``Int64`` (empty: NA). ``twins.vcf`` is the path from the working
    directory (several joined by ``;``), an empty ``twins.ancestry`` is ``ALL``; a twin without a VCF has the
    ``sample`` no_vcf:<twin_id>. An unreadable cell is empty: use a
    study only if its findings have no errors. Rows in ``excluded`` are in none of the tables.
    """

    name: str
    data_kind: str
    config: dict[str, Any]
    twins: pd.DataFrame
    events: pd.DataFrame
    scenarios: pd.DataFrame
    structure_calls: pd.DataFrame
    vcfs: tuple[str, ...]
    excluded: tuple[Excluded, ...] = ()


@dataclass
class Tables:
    """Sheets of a study after reading: sheet and records by table (None: unreadable, absent: not configured)."""

    sheets: dict[str, Sheet | None] = field(default_factory=dict)
    records: dict[str, list[Record]] = field(default_factory=dict)
    excluded: list[Excluded] = field(default_factory=list)

    @property
    def by_path(self) -> dict[str, Sheet]:
        """The sheets that could be read, by path."""
        return {s.path: s for s in self.sheets.values() if s is not None}


def read_tables(
    config: Mapping[str, Any], base: Path = Path("."), places: Places | None = None
) -> tuple[Tables, list[Finding]]:
    """Read and check configuration and sheets (not the VCFs); every finding of all of them, in our columns' names."""
    findings = check_config(config, base, places)
    tables = Tables()
    cells: dict[str, list[Finding]] = {}
    reading = reading_of(config, base)
    for table in TABLES:
        path = setting(config, f"paths.{table}", "")
        if not path:
            continue
        opened = open_sheet(path, table, reading, base)
        tables.sheets[table] = sheet = opened.sheet
        tables.excluded += opened.excluded
        findings += opened.findings
        if sheet is None:
            continue
        findings += check_columns(sheet, sheet_spec(table))
        tables.records[table], cells[table] = check_cells(sheet, sheet_spec(table))
        cells[table] = not_said_at_the_door(cells[table], opened.findings, sheet)
        if table == "events" and "exclude_bad_rows" in reading.repairs:
            _exclude_bad_rows(tables, cells)
        if not sheet.rows and table not in OPTIONAL:
            fix = "add a row, or name the right file in the config"
            findings.append(
                Finding.create("sheet.empty", path, "holds a header but no rows", "nothing can be run", fix)
            )
    findings += _privacy(config, base, tables, places or {})
    return tables, findings + _rules(config, base, tables, cells, places or {})


def ids_of(config: Mapping[str, Any], tables: Tables) -> list[str]:
    """Every id and sample name that the sheets name, as written."""
    rows = [r for records in tables.records.values() for r in records]
    return sorted({r.raw[c] for r in rows for c in ("twin_id", "sample") if r.raw.get(c)})


def _privacy(config: Mapping[str, Any], base: Path, tables: Tables, places: Places) -> list[Finding]:
    files = [f for listed in named_files(config).values() for f in listed]
    files += [vcf for record in tables.records.get("twins", []) for vcf in twin_vcfs(config, record)]
    file, row = places.get("privacy.pseudonyms", ("config", 0))
    return privacy_findings(config, base, ids_of(config, tables), files, file, row)


def not_said_at_the_door(cells: Sequence[Finding], door: Sequence[Finding], sheet: Sheet) -> list[Finding]:
    """Findings on cells without those on a cell that the door refused: it said why."""
    refused = {(f.row, f.column) for f in door if f.severity == "error" and f.row != sheet.header}
    times = sheet.origin.get("time_h", "time_h")
    refused |= {(f.row, times) for f in door if f.rule.startswith("time.") and f.severity == "error"}
    return [f for f in cells if (f.row, sheet.origin.get(f.column, f.column)) not in refused]


def _exclude_bad_rows(tables: Tables, cells: dict[str, list[Finding]]) -> None:
    """Rows of the events sheet with an unreadable cell are flagged, kept and not used (a repair that was asked for)."""
    sheet = tables.sheets["events"]
    bad = {f.row: f for f in cells["events"] if f.severity == "error" and not is_blq_text(f)}
    for r in tables.records["events"]:
        if r.row in bad and sheet is not None:
            tables.excluded.append(Excluded(sheet.path, r.row, bad[r.row].what, r.raw))
    tables.records["events"] = [r for r in tables.records["events"] if r.row not in bad]
    notes = [
        replace(f, rule="repair.exclude_bad_rows", severity="note", what=f"the row is not used: {f.what}",
                fix="correct the cell; the row is kept in excluded.tsv")
        for f in bad.values()
    ]  # fmt: skip
    cells["events"] = [f for f in cells["events"] if f.row not in bad] + notes


def _rules(
    config: Mapping[str, Any], base: Path, tables: Tables, cells: Mapping[str, Sequence[Finding]], places: Places
) -> list[Finding]:
    """The rules that look at whole rows, sheets, and from one sheet into another."""
    findings: list[Finding] = []
    records, drug = tables.records, drug_name(config)
    sheets = {table: sheet for table, sheet in tables.sheets.items() if sheet is not None}
    twins: set[str] | None = None
    if "twins" in sheets:
        findings += check_twins(sheets["twins"], records["twins"], cells["twins"])
        if "twin_id" in sheets["twins"].columns:
            # as written, so that an id with a finding of its own is not also unknown elsewhere
            twins = {record.raw["twin_id"] for record in records["twins"]}
    if "events" in sheets:
        findings += check_events(sheets["events"], records["events"], cells["events"], twins, drug)
    if "scenarios" in sheets:
        found = check_scenarios(sheets["scenarios"], records["scenarios"], cells["scenarios"], drug, available_drugs())
        findings += found
        if "twins" in sheets:
            findings += check_doses_by_weight(sheets["scenarios"].path, records["scenarios"], records["twins"])
    if "structure_calls" in sheets:
        genes = [g for g in setting(config, "genome.genes", []) if isinstance(g, str)]
        sheet = sheets["structure_calls"]
        findings += check_structure_calls(sheet, records["structure_calls"], cells["structure_calls"], twins, genes)
    findings = run_rules(given_of(tables, drug), findings)
    return findings + _config_against_sheets(config, base, tables, places)


def given_of(tables: Tables, drug: str) -> Given:
    """What the registered rules look at."""
    there = {
        name: Table(s.path, s.header, tables.records[name], frozenset(s.columns), s.undeclared, s.origin)
        for name, s in tables.sheets.items()
        if s is not None
    }
    return Given(there, drug, drugs=library_drugs())


def _config_against_sheets(config: Mapping[str, Any], base: Path, tables: Tables, places: Places) -> list[Finding]:
    """Settings that contradict the sheets."""
    findings = []
    kind = setting(config, "data_kind", "")
    for table in ("twins", "structure_calls"):
        for record in tables.records.get(table, []) if kind in ("synthetic", "real") else []:
            if record.text("label") and record.text("label") != kind:
                what = f"data_kind of the config is {kind}"
                why = "every page would carry a wrong statement about its data"
                fix = (
                    f"correct the label, or set data_kind to {'mixed' if kind == 'synthetic' else 'mixed or synthetic'}"
                )
                path = str(setting(config, f"paths.{table}", ""))
                finding = Finding.create(f"{table}.label_kind", path, what, why, fix, row=record.row, column="label")
                findings.append(replace(finding, value=record.text("label")))

    def at(key: str) -> dict[str, Any]:
        file, row = places.get(key, ("config", 0))
        return {"file": file, "row": row, "column": key}

    scenarios = tables.sheets.get("scenarios")
    names = [r.text("scenario") for r in tables.records.get("scenarios", []) if r.text("scenario")]
    asked = {
        "attributions.scenario": "exposure under this regimen is attributed to its causes",
        "explain.scenario": "this regimen is explained on the twins' pages",
    }
    if setting(config, "sensitivity.enabled", False):
        asked["sensitivity.scenario"] = "this regimen is analysed"
    for key, why in asked.items():
        scenario = setting(config, key, "")
        if scenario and scenarios is not None and "scenario" in scenarios.columns and scenario not in names:
            what, fix = "the scenarios sheet has no such scenario", f"write one of: {', '.join(names) or 'none'}"
            findings.append(
                Finding.create("config.scenario_unknown", what=what, why=why, fix=fix, value=scenario, **at(key=key))
            )
    twin, twins = setting(config, "sensitivity.twin", ""), tables.records.get("twins", [])
    known = {r.text("twin_id") for r in twins}
    try:
        pseudonyms = pseudonyms_of(config, base)
    except PseudonymError:
        pseudonyms = None  # said by the findings on privacy
    known |= {pseudonyms.of(n) for n in known} if pseudonyms is not None else set()
    if setting(config, "sensitivity.enabled", False) and twin and twin not in known:
        what, why = "the twins sheet has no such twin", "the sensitivity analysis is about this twin"
        fix = 'write a twin_id of the twins sheet, or "" for the reference person'
        findings.append(
            Finding.create("config.twin_unknown", what=what, why=why, fix=fix, value=twin, **at(key="sensitivity.twin"))
        )
    if setting(config, "fit.enabled", False) and not _may_have_fit_rows(config, tables):
        what = "there is no observation with use 'fit' to calibrate to"
        fix = "add observations to the events sheet, or set fit.enabled to false"
        findings.append(
            Finding.create(
                "config.nothing_to_fit",
                what=what,
                why="the fit has no data",
                fix=fix,
                value="true",
                **at("fit.enabled"),
            )
        )
    return findings


def _may_have_fit_rows(config: Mapping[str, Any], tables: Tables) -> bool:
    """False only if it is certain that no row is for the fit (an unreadable sheet or column is not)."""
    if "events" not in tables.sheets:
        paths = config.get("paths")
        return not (isinstance(paths, Mapping) and paths.get("events") == "")
    sheet = tables.sheets["events"]
    if sheet is None or not {"use", "evid"} <= set(sheet.columns):
        return True
    return any(
        ("use" not in r.values and not r.is_empty("use")) or r.text("use") == "fit" for r in tables.records["events"]
    )


def twin_vcfs(config: Mapping[str, Any], record: Record) -> tuple[str, ...]:
    """Paths (from the working directory) of a twin's VCFs; empty if the sheet names none."""
    return vcf_paths(setting(config, "paths.vcf_dir", ""), record.text("vcf"))


def frame(table: str, records: Sequence[Record]) -> pd.DataFrame:
    """Canonical DataFrame of the records."""
    import pandas as pd

    columns: dict[str, pd.Series] = {"row": pd.Series([r.row for r in records], dtype="int64")}
    for column in sheet_spec(table).columns:
        values = [r.values.get(column.name) for r in records]
        if column.kind == "string":
            columns[column.name] = pd.Series([v or "" for v in values], dtype="string")
        else:
            columns[column.name] = pd.Series(values, dtype="float64" if column.kind == "number" else "Int64")
    return pd.DataFrame(columns)


def named(records: Sequence[Record], names: Pseudonyms | None) -> list[Record]:
    """Records with the pseudonym as twin_id, where the study asks for it."""
    if names is None:
        return list(records)
    own = [(r, names.of(r.text("twin_id"))) for r in records]
    return [replace(r, values={**r.values, "twin_id": n}) if n else r for r, n in own]


def build_study(config: Mapping[str, Any], tables: Tables, base: Path = Path(".")) -> Study | None:
    """Canonical tables; None if a configured sheet could not be read at all."""
    required = [t for t in TABLES if t not in OPTIONAL]
    if any(sheet is None for sheet in tables.sheets.values()) or any(t not in tables.sheets for t in required):
        return None
    twins = named(tables.records["twins"], pseudonyms_of(config, base))
    names = pseudonyms_of(config, base)
    frames = {table: frame(table, named(tables.records.get(table, []), names)) for table in TABLES}
    vcfs = [twin_vcfs(config, record) for record in twins]
    frames["twins"] = (
        frames["twins"]
        .assign(
            vcf=[";".join(v) for v in vcfs],
            sample=[r.text("sample") if v else f"no_vcf:{r.text('twin_id')}" for r, v in zip(twins, vcfs)],
            ancestry=frames["twins"]["ancestry"].replace("", "ALL"),
        )
        .astype({"vcf": "string", "sample": "string", "ancestry": "string"})
    )
    return Study(
        name=setting(config, "study", ""),
        data_kind=setting(config, "data_kind", ""),
        config=dict(config),
        vcfs=tuple(dict.fromkeys(p for v in vcfs for p in v)),
        excluded=tuple(tables.excluded),
        **frames,
    )


def load_study(
    config: Mapping[str, Any], base: Path = Path("."), places: Places | None = None
) -> tuple[Study | None, list[Finding]]:
    """Read everything the user gave except the VCFs (``check_study`` looks into those too).

    Returns the study (None if a sheet could not be read at all) and all findings. ``base`` is the
    directory that the configuration's paths start from.
    """
    tables, findings = read_tables(config, base, places)
    return build_study(config, tables, base), as_written(findings, tables.by_path)
