"""The whole check: configuration, sheets and VCFs, all findings together in a stable order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pharmtwin.findings import SEVERITIES, Finding, has_errors, sort_findings
from pharmtwin.intake.columns import Record
from pharmtwin.intake.config import Places, named_files, setting
from pharmtwin.intake.events import closest
from pharmtwin.intake.opening import Excluded, as_written
from pharmtwin.intake.policy import apply_policy, idle_patterns
from pharmtwin.intake.study import frame, read_tables, twin_vcfs
from pharmtwin.intake.twins import SIZE_RULES, accept

SIZES = ("weight_kg", "height_cm")
#: rules whose finding stands at one cell and makes others doubtful too
TOGETHER = {
    "twins.age_unit": SIZES,
    "twins.bmi_range": SIZES,
    "twins.height_weight_swapped": SIZES,
}
#: what the body's checks say of a size that is unlikely: not again where the sheet's rules were accepted
LIKELY = ("body.extreme", "body.unlikely")
#: rows that are no data: nothing else is said of them
NO_DATA = ("sheet.header_again", "sheet.summary_row")
BESIDE = ("paths.callable", "paths.pedigree", "paths.outside_files", "paths.alignments")


def check_study(
    config: Mapping[str, Any], base: Path = Path("."), *, vcf: bool = True, places: Places | None = None
) -> list[Finding]:
    """Every finding on configuration, sheets and (``vcf``) the VCFs, sorted by file, row, column and rule.

    ``base`` is the directory that the configuration's paths start from; ``places`` (of
    ``load_config``) gives findings on the configuration their file and line.
    """
    return check_all(config, base, vcf=vcf, places=places)[0]


def check_all(
    config: Mapping[str, Any], base: Path = Path("."), *, vcf: bool = True, places: Places | None = None
) -> tuple[list[Finding], list[Excluded]]:
    """As :func:`check_study`, and the rows that are not used."""
    tables, findings = read_tables(config, base, places)
    sheet = str(setting(config, "paths.twins", ""))
    no_data = {f.row for f in findings if f.rule in NO_DATA and f.file == sheet}
    twins = [r for r in tables.records.get("twins", []) if r.row not in no_data]
    if any(f.rule == "sheet.no_column_known" and f.file == sheet for f in findings):
        twins = []  # rows of another file
    findings += _check_bodies(sheet, twins, findings)
    if vcf:
        findings += _check_vcfs(config, base, sheet, twins) + _check_genome_files(config, base, twins, places or {})
    stop_on = [str(p) for p in setting(config, "intake.stop_on", [])]
    findings = apply_policy(as_written(findings, tables.by_path), stop_on) + _policy_findings(stop_on, places or {})
    return sort_findings(findings), tables.excluded


def _policy_findings(stop_on: Sequence[str], places: Places) -> list[Finding]:
    """A pattern that no rule has would stop nothing."""
    if not stop_on:
        return []
    from pharmtwin.intake.catalogue import catalogue

    file, row = places.get("intake.stop_on", ("config", 0))
    what, why = "no rule has this id", "the warning would not stop a run"
    fix = "write an id of docs/findings.md, with * for any ending"
    return [
        Finding.create("config.stop_on", file, what, why, fix, row=row, column="intake.stop_on", value=pattern)
        for pattern in idle_patterns(stop_on, list(catalogue()))
    ]


def _check_bodies(sheet: str, twins: Sequence[Record], found: Sequence[Finding]) -> list[Finding]:
    """Findings on the bodies of all twins: sizes, kidney markers, conditions.

    A cell with an error counts as empty here, and what is said only because it is empty is left out: the other
    cells of its row are checked in the same run.
    """
    from pharmtwin.body.checks import body_findings  # heavy

    if not twins:
        return []
    errors = [f for f in found if f.file == sheet and f.severity == "error"]
    lacking = {f.column for f in errors if f.rule == "twins.column_missing"}
    bad = {record.row: set(lacking) for record in twins}
    for f in errors:
        if f.row in bad:
            bad[f.row] |= {f.column, *TOGETHER.get(f.rule, ())}
    good = [replace(r, values={c: v for c, v in r.values.items() if c not in bad[r.row]}) for r in twins]
    accepted = [f for f in found if f.file == sheet and f.severity == "note" and f.rule in SIZE_RULES]
    settled = {(f.row, c) for f in accepted for c in (f.column, *TOGETHER.get(f.rule, ()))}
    written = {record.row: record.raw for record in twins}
    out = []
    for f in body_findings(frame("twins", good), sheet):
        if _follows(f, bad.get(f.row, set())) or (f.rule in LIKELY and (f.row, f.column) in settled):
            continue
        as_written = written.get(f.row, {}).get(f.column, f.value)  # 121, where a number became 121.0
        out.append(replace(f, value=as_written) if f.value else f)
    return accept(twins, out)


def _follows(f: Finding, bad: set[str]) -> bool:
    """Whether a finding on a body may be said only because cells of its row, ``bad``, count as empty."""
    sizes, markers = {"weight_kg", "height_cm"}, {"creatinine_mg_dl", "cystatin_c_mg_l", "gfr_ml_min"}
    if f.column in bad or (f.rule == "body.gfr_typical" and bad & markers):
        return True
    if f.rule in ("body.lean", "conditions.bmi", "kidney.measured_gfr_doubt") and bad & sizes:
        return True
    if f.rule in ("conditions.stage", "conditions.low_gfr") and bad & (sizes | markers):
        return True
    return "gestational_age_wk" in bad and f.column in sizes  # it may be small because it was born early


def _check_vcfs(config: Mapping[str, Any], base: Path, sheet: str, twins: Sequence[Record]) -> list[Finding]:
    """Findings on every VCF that the twins sheet names, each file looked at once."""
    by_vcf: dict[str, list[Record]] = {}
    for record in twins:
        for path in twin_vcfs(config, record):
            by_vcf.setdefault(path, []).append(record)
    findings = []
    for path, records in by_vcf.items():
        if os.path.isfile(base / path):
            findings += _check_vcf(path, base, sheet, records, config)
            continue
        also = f" (named by {len(records) - 1} more rows)" if len(records) > 1 else ""
        folder = (base / path).parent
        beside = (
            sorted(p.name for p in folder.iterdir() if ".vcf" in p.name or ".bcf" in p.name) if folder.is_dir() else []
        )
        is_there = (base / path).exists()
        near = "" if is_there else closest(Path(path).name, beside)
        meant = f"write {near} if that is meant, or " if near else ""
        findings.append(
            Finding.create(
                "vcf.file_missing",
                sheet,
                f"the file {path} {'is no regular file' if is_there else 'does not exist'}{also}",
                "the twin's genotypes are read from it",
                f"{meant}correct the cell, or paths.vcf_dir in the config",
                row=records[0].row,
                column="vcf",
                value=records[0].text("vcf"),
            )
        )
    there = {path: records for path, records in by_vcf.items() if (base / path).is_file()}
    findings += _builds_differ(base, sheet, there)
    return _uncovered_everywhere(findings, [twin_vcfs(config, record) for record in twins])


def _builds_differ(base: Path, sheet: str, by_vcf: Mapping[str, Sequence[Record]]) -> list[Finding]:
    """A warning at the twins of the rarer build: each file is read by its own, but one of the two may be a mistake."""
    from pharmtwin.genome.reading.checks import detect_build  # heavy
    from pharmtwin.genome.reading.file import open_file
    from pharmtwin.genome.reading.rules import Problems

    builds: dict[str, list[str]] = {}
    for path in by_vcf if len(by_vcf) > 1 else ():
        file = open_file(base / path, Problems())
        build = detect_build(base / path, file.header) if file is not None else ""
        if build:
            builds.setdefault(build, []).append(path)
    if len(builds) < 2:
        return []
    rare = min(builds, key=lambda b: sum(len(by_vcf[p]) for p in builds[b]))
    usual = ", ".join(b for b in builds if b != rare)
    what, why = f"is on {rare}, other VCFs of the study are on {usual}", "one of the files may be the wrong one"
    fix = "check the file; each is read by its own build"
    return [
        Finding.create("vcf.builds_differ", sheet, what, why, fix, row=by_vcf[p][0].row, column="vcf",
                       value=by_vcf[p][0].text("vcf"), severity="warning")
        for p in builds[rare]
    ]  # fmt: skip


def _uncovered_everywhere(findings: list[Finding], sets: Sequence[tuple[str, ...]]) -> list[Finding]:
    """Leave out "gene not covered" where another file of the same twins covers the gene."""
    rule = "vcf.gene_uncovered"
    lacking = {(f.file, f.value) for f in findings if f.rule == rule}
    together: dict[str, list[tuple[str, ...]]] = {}
    for files in set(sets):
        for path in files:
            together.setdefault(path, []).append(files)

    def stays(f: Finding) -> bool:
        return f.rule != rule or any(all((p, f.value) in lacking for p in files) for files in together[f.file])

    return [f for f in findings if stays(f)]


def _check_vcf(
    path: str, base: Path, sheet: str, records: Sequence[Record], config: Mapping[str, Any]
) -> list[Finding]:
    """Findings on one VCF; a sample that the file lacks is reported at the rows of the sheet that name it."""
    from pharmtwin.genome.reading.checks import (  # heavy
        GENES,
        ReadOptions,
        callable_findings,
        options_of,
        vcf_findings,
    )

    samples = list(dict.fromkeys(r.text("sample") for r in records if r.text("sample")))
    extra = setting(config, "genome.extra_samples", "error")
    severity = extra if extra in SEVERITIES else "error"
    genes = [g for g in setting(config, "genome.genes", []) if g in GENES] or list(GENES)
    bed = str(setting(config, "paths.callable", ""))
    usable = (
        bed and os.path.isfile(base / bed) and not has_errors(callable_findings(str(base / bed)))
    )  # else: named once
    try:
        options = options_of(config["genome"], str(base / bed) if usable else "")
    except (KeyError, TypeError, ValueError):  # the configuration has findings of its own
        options = ReadOptions()
    findings = []
    for finding in vcf_findings(
        str(base / path), samples, extra_samples=severity, required=True, genes=genes, options=options
    ):
        if finding.rule == "vcf.sample_extra":
            or_else = (
                ", or set genome.extra_samples: warning" if finding.severity == "error" else " if one was forgotten"
            )
            finding = replace(finding, fix=f"add the twins{or_else}")
        if finding.rule != "vcf.sample_missing":
            findings.append(replace(finding, file=path))
            continue
        what = f"the VCF {path} has no such sample"
        near = closest(finding.value, names_in(base / path))
        fix = f"write {near} if that is meant; {finding.fix}" if near else finding.fix
        for record in (r for r in records if r.text("sample") == finding.value):
            findings.append(replace(finding, file=sheet, row=record.row, column="sample", what=what, fix=fix))
    return findings


def names_in(path: Path) -> list[str]:
    """Samples of a VCF, sorted."""
    from pharmtwin.genome.reading.file import open_file  # heavy
    from pharmtwin.genome.reading.rules import Problems

    file = open_file(path, Problems())
    return sorted(file.samples) if file is not None else []


def _check_genome_files(
    config: Mapping[str, Any], base: Path, twins: Sequence[Record], places: Places
) -> list[Finding]:
    """Findings on the files beside the VCFs: callable regions, pedigree, other callers, alignments, scores."""
    import pharmtwin.genome.reading.checks as checks  # heavy

    findings: list[Finding] = []
    named = {k: v for k, v in named_files(config).items() if k in BESIDE or k.startswith("scores.")}
    samples = [r.text("sample") for r in twins if r.text("sample")]
    for key, paths in named.items():
        for path in paths:
            if not os.path.isfile(base / path):
                file, row = places.get(key, ("config", 0))
                what, why, fix = "the file does not exist", "genotypes or scores are read with it", "correct the path"
                findings.append(
                    Finding.create("config.file_missing", file, what, why, fix, row=row, column=key, value=path)
                )
                continue
            where = str(base / path)
            found: list[Finding] = []
            if key == "paths.pedigree":
                found = checks.pedigree_findings(where)
            elif key == "paths.outside_files":
                found = checks.outside_findings(where, samples)
            elif key == "paths.callable":
                found = checks.callable_findings(where)
            elif key == "paths.alignments":
                found = checks.reads_findings(where, samples)
            findings += [replace(f, file=path) for f in found]
    return findings


def format_findings(findings: Sequence[Finding]) -> str:
    """The text a user reads: errors, warnings, notes, and a closing line with the counts."""
    lines = []
    ordered = sort_findings(findings)
    for severity in SEVERITIES:
        its = [finding.message() for finding in ordered if finding.severity == severity]
        if its:
            lines += [f"{severity}s:", *its, ""]
    counts = [sum(f.severity == severity for f in ordered) for severity in ("error", "warning")]
    files = len({f.file for f in ordered})
    lines.append(f"{_count(counts[0], 'error')}, {_count(counts[1], 'warning')} in {_count(files, 'file')}")
    return "\n".join(lines)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")
