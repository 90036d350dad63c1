"""Rules of the twins sheet: identity, plausible body size in the units of the sheet, acceptance.

A weight in pounds or a height in metres is the classic silent error: every number is a number, and
the twin is wrong by a factor. These rules look at weight and height together; those that need the survey are in
:mod:`pharmtwin.intake.sizes`. A rule may be accepted for a row by the user (column ``accept``): it then becomes a
note, and the value is used as written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from pharmtwin import units
from pharmtwin.findings import Finding
from pharmtwin.intake.buckets import vcf_path
from pharmtwin.intake.columns import Record, SheetSpec, sheet_spec
from pharmtwin.intake.sheet import Sheet

ACCEPTABLE = (
    "body.extreme",
    "kidney.creatinine_unit",
    "twins.adult_size",
    "twins.age_unit",
    "twins.bmi_range",
    "twins.creatinine_umol",
    "twins.height_weight_swapped",
    "twins.weight_pounds",
    "twins.weight_pounds_sheet",
)
WHY_SIZE = "organ sizes and blood flows scale with weight and height"
#: a finding and the columns whose values it explains
Explained = tuple[Finding, tuple[str, ...]]
#: rules that a better explanation takes the place of
PLAIN = ("twins.out_of_range", "twins.adult_size")
#: rules that judge how likely a size is; what one of them says of a cell is not said again by the body's checks
SIZE_RULES = ("twins.adult_size", "twins.age_unit", "twins.bmi_range", "twins.weight_pounds")


def check_twins(sheet: Sheet, records: Sequence[Record], cells: Sequence[Finding]) -> list[Finding]:
    """All findings on the rows of the sheet: those on cells (``cells``) and those of the rules below.

    Where a rule explains an out-of-range cell (metres, pounds, swapped), its finding replaces the plain one.
    """
    from pharmtwin.intake.sizes import unit_findings  # heavy

    spec = sheet_spec("twins")
    cells = [*cells, *(f for record in records for f in _adult_size(sheet.path, spec, record))]
    units_wrong = unit_findings(sheet.path, spec, records)
    other_unit = {f.row for f, _ in units_wrong}
    said = [*units_wrong]
    for record in records:
        said += _body(sheet.path, spec, record, pounds=record.row in other_unit)
        said += _creatinine(sheet.path, spec, record)
    swapped = {f.row for f, _ in said if f.rule == "twins.height_weight_swapped"}
    said = [x for x in said if not (x[0].row in swapped and x[0].rule in ("twins.weight_pounds", "twins.age_unit"))]
    explained = {(f.row, column) for f, columns in said if f.severity == "error" for column in columns}
    # an explanation stands for the plain findings on its cells; a mere doubt (warning) does not
    plain = [f for f in cells if not (f.rule in PLAIN and (f.row, f.column) in explained)]
    findings = plain + [f for f, _ in said] + _vcf_and_sample(sheet.path, records) + _duplicates(sheet.path, records)
    findings = accept(records, findings) + _not_acceptable(sheet.path, records)
    return findings + _whole_sheet(sheet.path, spec, records)


def _bmi(weight_kg: float, height_cm: float) -> float:
    metres = height_cm / 100
    square = metres * metres  # 0 for a height of 1e-300, inf for one of 1e300: no exception
    return weight_kg / square if square > 0 else math.inf


def _within(value: float, limits: Sequence[float]) -> bool:
    return limits[0] <= value <= limits[1]


def _is_child(spec: SheetSpec, record: Record) -> bool:
    """True below the age from which the body mass index has adult limits; an age that is not known is an adult's."""
    age = record.number("age_y")
    return age is not None and age < spec.limits["adult_from"]


def _height(spec: SheetSpec, record: Record) -> tuple[float | None, bool]:
    """Height in cm, and whether it had been written in metres."""
    height = record.number("height_cm")
    low, high = spec.limits["height_metres"]
    if height is not None and low <= height <= high:
        return units.convert(height, "length", "m", "cm"), True
    return height, False


def _adult_size(path: str, spec: SheetSpec, record: Record) -> list[Finding]:
    """Weight and height that no adult has, although a child may."""
    if _is_child(spec, record):
        return []
    found = []
    for column in (c for c in spec.columns if c.name in ("weight_kg", "height_cm")):
        value = record.number(column.name)
        low, high = spec.limits["adult_" + column.name.split("_")[0]]
        possible = value is not None and column.rule["minimum"] <= value <= column.rule["maximum"]  # else said already
        if value is not None and possible and not _within(value, (low, high)):
            what = f"is outside of the range of adults, {low:g} to {high:g} {column.unit}"
            found.append(
                Finding.create(
                    "twins.adult_size", path, what, WHY_SIZE,
                    f"{column.rule['x-fix']}, check the age, or put twins.adult_size into the column accept",
                    row=record.row, column=column.name, value=record.raw[column.name],
                )
            )  # fmt: skip
    return found


def _body(path: str, spec: SheetSpec, record: Record, pounds: bool) -> list[Explained]:
    """Findings on weight and height together; ``pounds``: another unit explains the weight already."""

    def finding(rule: str, column: str, what: str, fix: str) -> Finding:
        return Finding.create(rule, path, what, WHY_SIZE, fix, row=record.row, column=column, value=record.raw[column])

    found: list[Explained] = []
    limits = spec.limits
    weight = record.number("weight_kg")
    height, in_metres = _height(spec, record)
    if in_metres and height is not None:
        fix = f"write the height in cm: {height:.4g}"
        found.append((finding("twins.height_metres", "height_cm", "looks like metres, not cm", fix), ("height_cm",)))
    if weight is None or height is None or weight <= 0 or height <= 0 or _is_child(spec, record):
        return found  # children are held against growth charts (body.checks)
    bounds = {"weight_kg": limits["adult_weight"], "height_cm": limits["adult_height"]}
    low, high = limits["bmi_swapped"]
    tall = _within(weight, limits["height_swapped"])
    heavy = _within(height, bounds["weight_kg"])
    if height < weight and tall and heavy and low <= _bmi(height, weight) <= high:
        what = f"looks swapped with weight_kg ({weight:g})"
        fix = f"write {weight:g} as height_cm and {height:g} as weight_kg"
        swapped = finding("twins.height_weight_swapped", "height_cm", what, fix)
        return [*found, (swapped, ("height_cm", "weight_kg"))]
    bmi = _bmi(weight, height)
    usual = _within(height, bounds["height_cm"]) and _within(weight, bounds["weight_kg"])
    if usual and not pounds and not _within(bmi, limits["bmi_range"]):
        what = f"weight and height give a body mass index of {bmi:.1f} kg/m2"
        fix = "correct weight or height, or put twins.bmi_range into the column accept"
        found.append((finding("twins.bmi_range", "weight_kg", what, fix), ()))
    return found


def _creatinine(path: str, spec: SheetSpec, record: Record) -> list[Explained]:
    value = record.number("creatinine_mg_dl")
    if value is None or value <= spec.limits["creatinine_umol"]:
        return []
    converted = units.convert(value, "creatinine", "umol/L", "mg/dL")
    finding = Finding.create(
        "twins.creatinine_umol",
        path,
        "looks like µmol/L, not mg/dL",
        "the glomerular filtration rate is estimated from it",
        f"write {converted:.3g} if it is in µmol/L, or put twins.creatinine_umol into the column accept",
        row=record.row,
        column="creatinine_mg_dl",
        value=record.raw["creatinine_mg_dl"],
    )
    return [(finding, ("creatinine_mg_dl",))]


def _duplicates(path: str, records: Sequence[Record]) -> list[Finding]:
    findings = []
    ids: dict[str, int] = {}
    samples: dict[tuple[str, str], int] = {}
    for record in records:
        twin = record.text("twin_id")
        if twin and ids.setdefault(twin, record.row) != record.row:
            findings.append(
                Finding.create(
                    "twins.duplicate_id",
                    path,
                    f"the twin_id of row {ids[twin]} again",
                    f"doses and samples could belong to row {ids[twin]} or to row {record.row}",
                    "give every twin its own id, or delete one of the two rows",
                    row=record.row,
                    column="twin_id",
                    value=twin,
                )
            )
        key = (vcf_path("", record.text("vcf")), record.text("sample"))
        if all(record.text(c) for c in ("vcf", "sample")) and samples.setdefault(key, record.row) != record.row:
            findings.append(
                Finding.create(
                    "twins.sample_twice",
                    path,
                    f"row {samples[key]} has the same VCF and sample",
                    "two twins would share one genome",
                    "correct the sample, unless both rows are the same person or identical twins",
                    row=record.row,
                    column="sample",
                    value=record.text("sample"),
                    severity="warning",
                )
            )
    return findings


def _vcf_and_sample(path: str, records: Sequence[Record]) -> list[Finding]:
    """VCF and sample stand together; twins with neither have no genotype of their own, which is said once."""
    findings = []
    without = []
    for record in records:
        empty = [c for c in ("vcf", "sample") if record.is_empty(c)]
        if len(empty) == 2:
            without.append(record)
        elif empty:
            other = "sample" if empty == ["vcf"] else "vcf"
            what, why = f"the cell is empty, and {other} is not", "a genotype is read from a sample of a VCF"
            fix = f"fill it, or empty {other} too: the genotype is then unknown"
            findings.append(Finding.create("twins.empty_cell", path, what, why, fix, row=record.row, column=empty[0]))
    if without:
        some = f"{len(without)} of {len(records)} twins have no VCF, the first in row {without[0].row}"
        findings.append(
            Finding.create(
                "twins.no_vcf",
                path,
                f"{some}: their genotypes are unknown",
                "every gene is what the ancestry's population has, which widens them",
                "write vcf and sample where there is a VCF; nothing to do for virtual people",
                column="vcf",
                severity="warning",
            )
        )
    return findings


def _accepted(record: Record) -> list[str]:
    return [rule.strip() for rule in record.text("accept").split(",") if rule.strip()]


def accept(records: Sequence[Record], findings: Sequence[Finding]) -> list[Finding]:
    """The findings with the accepted rules of each row turned into notes; an error that may be accepted says so."""
    accepted = {record.row: set(_accepted(record)) & set(ACCEPTABLE) for record in records}

    def judged(f: Finding) -> Finding:
        if f.rule not in ACCEPTABLE or f.severity == "note":
            return f
        if f.rule in accepted.get(f.row, ()):
            return replace(f, severity="note", fix="accepted in the sheet; the value is used as written")
        if f.severity == "error" and "column accept" not in f.fix:
            return replace(f, fix=f"{f.fix}; if it is right, put {f.rule} into the column accept")
        return f

    return [judged(f) for f in findings]


def _not_acceptable(path: str, records: Sequence[Record]) -> list[Finding]:
    """Acceptance of any other rule is an error."""
    return [
        Finding.create(
            "twins.accept_rule",
            path,
            "this rule cannot be accepted, or there is no such rule",
            "a value the model cannot use stays unusable",
            f"correct the value itself; rules that can be accepted: {', '.join(ACCEPTABLE)}",
            row=record.row,
            column="accept",
            value=rule,
        )
        for record in records
        for rule in _accepted(record)
        if rule not in ACCEPTABLE
    ]


def _whole_sheet(path: str, spec: SheetSpec, records: Sequence[Record]) -> list[Finding]:
    """The median body mass index tells a whole column in pounds, which no single row may betray."""
    values = []
    for record in records:
        weight, height = record.number("weight_kg"), _height(spec, record)[0]
        if (
            weight
            and height
            and height > 0
            and not _is_child(spec, record)
            and "twins.weight_pounds_sheet" not in _accepted(record)
        ):
            values.append(_bmi(weight, height))
    if len(values) < spec.limits["bmi_median_rows"] or median(values) <= spec.limits["bmi_median"]:
        return []
    return [
        Finding.create(
            "twins.weight_pounds_sheet",
            path,
            f"the median body mass index of the sheet is {median(values):.1f} kg/m2",
            "the whole column may be in pounds",
            "convert the column to kg, or put twins.weight_pounds_sheet into the column accept of rows that are right",
            column="weight_kg",
        )
    ]
