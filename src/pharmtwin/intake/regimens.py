"""Rules of the two small sheets: scenarios (regimens to simulate) and outside calls of gene structure."""

from __future__ import annotations

from collections.abc import Sequence

from pharmtwin.findings import Finding
from pharmtwin.intake.columns import Record, sheet_spec
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


def check_doses_by_weight(path: str, scenarios: Sequence[Record], twins: Sequence[Record]) -> list[Finding]:
    """A warning for each scenario that gives children far more mg/kg than adults: all scenarios are simulated for all.

    The measure is the largest dose of the sheet in an adult of 70 kg; per kg, children need at most two to three
    times the dose of adults, newborns less (own limit ``child_dose`` of the schema). A child whose weight is not told
    counts with the weight typical of its age and sex.
    """
    limits, adult_from = sheet_spec("scenarios").limits, sheet_spec("twins").limits["adult_from"]
    doses = [d for r in scenarios if (d := r.number("dose_mg")) is not None and d > 0]
    weights = {r.row: _weight(r) for r in twins if (a := r.number("age_y")) is not None and 0 <= a < adult_from}
    if not doses:
        return []
    usual = max(doses) / limits["adult_kg"]
    findings = []
    for scenario in scenarios:
        dose = scenario.number("dose_mg") or 0.0
        over = {row: dose / kg / usual for row, kg in weights.items() if kg > 0}
        over = {row: times for row, times in over.items() if times > limits["child_dose"]}
        if not over:
            continue
        worst = max(over, key=lambda row: over[row])
        twin = next(r for r in twins if r.row == worst).text("twin_id") or f"row {worst}"
        more = f" (and {len(over) - 1} more children above {limits['child_dose']:g} times)" if len(over) > 1 else ""
        what = (
            f"scenario {scenario.text('scenario')} is {dose / weights[worst]:.3g} mg/kg in twin {twin}, "
            f"{over[worst]:.0f} times the {usual:.2g} mg/kg of {max(doses):g} mg in an adult of "
            f"{limits['adult_kg']:g} kg{more}"
        )
        findings.append(
            Finding.create(
                "scenarios.dose_per_kg",
                path,
                what,
                "every scenario is simulated for every twin, children too",
                "look at that twin's results of this scenario with care, or give children a study of their own",
                row=scenario.row,
                column="dose_mg",
                value=scenario.raw["dose_mg"],
                severity="warning",
            )
        )
    return findings


def _weight(record: Record) -> float:
    """Weight as written, kg, or the median at this age and sex; 0 if neither is known."""
    weight, age = record.number("weight_kg"), record.number("age_y")
    if weight is None and age is not None and record.text("sex"):
        from pharmtwin.body.people.sizes import typical_weight  # heavy

        return typical_weight(age, record.text("sex") == "F")
    return weight or 0.0


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
