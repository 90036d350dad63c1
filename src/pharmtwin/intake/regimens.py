"""Rules of the two small sheets: scenarios (regimens to simulate) and outside calls of gene structure."""

from __future__ import annotations

from collections.abc import Sequence

from pharmtwin.findings import Finding
from pharmtwin.intake.columns import Record
from pharmtwin.intake.events import unknown_twins
from pharmtwin.intake.sheet import Sheet


def check_scenarios(
    sheet: Sheet, records: Sequence[Record], cells: Sequence[Finding], drug: str, available: Sequence[str]
) -> list[Finding]:
    """All findings on the rows; ``drug`` is the configured drug, ``available`` are the drugs that have a file."""
    findings = list(cells)
    first: dict[str, int] = {}
    for record in records:
        name = record.text("scenario")
        if name and first.setdefault(name, record.row) != record.row:
            findings.append(
                Finding.create(
                    "scenarios.duplicate_name",
                    sheet.path,
                    f"the scenario of row {first[name]} again",
                    "results are named by scenario",
                    "give every scenario its own name",
                    row=record.row,
                    column="scenario",
                    value=name,
                )
            )
        written = record.text("drug")
        if not written or not drug or written == drug:
            continue
        known = written in available
        listed = ", ".join(available) or "none"
        findings.append(
            Finding.create(
                "scenarios.drug_not_configured" if known else "scenarios.drug_unknown",
                sheet.path,
                f"the study is configured for {drug}" if known else "there is no drug file of this name",
                "a study simulates one drug" if known else "the regimen cannot be simulated",
                f"write {drug}, or set drug in the config" if known else f"available drugs: {listed}",
                row=record.row,
                column="drug",
                value=written,
            )
        )
    return findings


def check_structure_calls(
    sheet: Sheet, records: Sequence[Record], cells: Sequence[Finding], twins: set[str] | None, genes: Sequence[str]
) -> list[Finding]:
    """All findings on the rows; ``twins`` as in check_events, ``genes`` are the configured genes."""
    findings = list(cells) + unknown_twins(sheet.path, records, twins, "structure_calls.unknown_twin")
    first: dict[tuple[str, str], int] = {}
    for record in records:
        twin, gene = record.text("twin_id"), record.text("gene")
        if gene and genes and gene not in genes:
            findings.append(
                Finding.create(
                    "structure_calls.gene_unknown",
                    sheet.path,
                    "is not among the configured genes",
                    "the call would have no effect",
                    f"write one of {', '.join(genes)}, or add the gene to genome.genes",
                    row=record.row,
                    column="gene",
                    value=gene,
                )
            )
        if twin and gene and first.setdefault((twin, gene), record.row) != record.row:
            findings.append(
                Finding.create(
                    "structure_calls.duplicate_row",
                    sheet.path,
                    f"row {first[(twin, gene)]} has a call of the same twin and gene",
                    "it is not clear which call holds",
                    "delete one of the two rows",
                    row=record.row,
                    column="gene",
                    value=gene,
                )
            )
    return findings
