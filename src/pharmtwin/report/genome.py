"""The genome page of one twin: warnings, diplotypes, recommendations, what was seen, how phase was settled."""

from __future__ import annotations

from typing import Any

from pharmtwin.report.blocks import Block, Cell, Paragraph, Section, Table
from pharmtwin.report.genome_advice import outside_only, twin_advice
from pharmtwin.report.genome_calls import (
    AMBIGUOUS,
    CALLED,
    CANDIDATES,
    LEFT_OUT,
    NO_CALL,
    SHOWN,
    STRUCTURES,
    SURE,
    GeneCall,
    genes_without_scheme,
)
from pharmtwin.report.genome_phase import phase_blocks
from pharmtwin.report.genome_strip import not_callable, twin_strip
from pharmtwin.report.genome_warnings import grouped, warnings
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.words import NONE, count, percent, plain, plural

RESEARCH = "For research use only."
ONE_X = "one X chromosome"
LIKELY = "likely, not called"


def definitions(inputs: ReportInputs) -> Paragraph:
    """Release and hash of the definition tables."""
    version = inputs.definitions or "release not handed to the report; the tables' hashes stand in Methods"
    return Paragraph(f"Allele definitions: {version}. {RESEARCH}", "small")


def _summary(calls: list[GeneCall]) -> Paragraph:
    named = {s: [c.gene for c in calls if c.state == s] for s in (CALLED, CANDIDATES, NO_CALL, LEFT_OUT)}
    text = f"{count(len(named[CALLED]))} of {plural(len(calls), 'gene')} called"
    for state, said in ((CANDIDATES, "several candidates"), (NO_CALL, "no call"), (LEFT_OUT, "left out")):
        if named[state]:
            text += f"; {said}: {', '.join(named[state])}"
    sites = [c.site for c in calls if c.site is not None]
    if sites:
        known = sum(int(s.n_sites) - int(s.n_not_assayed) for s in sites)
        text += f". {count(known)} of {count(sum(int(s.n_sites) for s in sites))} definition positions with evidence"
        declared = sum(int(s.n_reference_by_declaration) for s in sites)
        text += f" ({count(declared)} of them by declaration only)" if declared else ""
    return Paragraph(f"{text}. {RESEARCH}")


def _folded(inputs: ReportInputs, call: GeneCall) -> str:
    """Which line takes a gene that needs no rows: ``normal``, ``no scheme``, or "" for a gene of the table."""
    if call.gene == inputs.gene or not call.is_sure:
        return ""
    if str(call.rows[0].phenotype).startswith("Normal"):
        return "normal"
    return "no scheme" if call.gene in genes_without_scheme() else ""


def _lines(folded: dict[str, list[GeneCall]]) -> list[Block]:
    said = {
        "normal": f"Normal function, called with at least {100 * SURE:.0f} %",
        "no scheme": "Called, but no scheme names a phenotype (not the same as normal)",
    }
    out: list[Block] = []
    for key, words in said.items():
        if folded.get(key):
            genes = ", ".join(f"{c.gene} {_alleles(c.rows[0])}" for c in folded[key])
            out.append(Paragraph(f"{words}: {genes}."))
    return out


def _alleles(r: Any) -> str:
    return str(r.diplotype) if "/" in str(r.diplotype) else f"{r.diplotype} ({ONE_X})"


def _phenotype(r: Any) -> str:
    return f"{r.phenotype} (no scheme)" if str(r.gene) in genes_without_scheme() else str(r.phenotype)


def _call_cell(call: GeneCall) -> Cell:
    if call.state == NO_CALL:
        return Cell("no\u00a0call", badge="bad")
    n = sum(float(r.probability) >= SHOWN for r in call.rows)
    return Cell("called") if call.state == CALLED else Cell(plural(n, "candidate").replace(" ", "\u00a0"), badge="warn")


def _rows(call: GeneCall) -> list[list[Cell | str]]:
    """Rows of one gene: every candidate of at least 1 %; the others summed below the last."""
    if not call.rows:
        return [[call.gene, Cell("left\u00a0out", badge="bad"), "a finding says why", NONE, NONE, NONE, NONE]]
    shown = [r for r in call.rows if float(r.probability) >= SHOWN] or list(call.rows[:1])
    rest = [float(r.probability) for r in call.rows[len(shown) :]]
    out: list[list[Cell | str]] = []
    for k, r in enumerate(shown):
        notes = [LIKELY] if call.state == NO_CALL else []
        notes += [ONE_X] if "/" not in str(r.diplotype) else []
        if rest and k == len(shown) - 1:
            notes.append(f"and {count(len(rest))} more below {100 * SHOWN:.0f} %, together {percent(sum(rest))}")
        chance = float(r.probability)
        badge = "warn" if str(r.structure) == "not_assessed" and k == 0 else ""
        out.append(
            [
                call.gene if k == 0 else "",
                _call_cell(call) if k == 0 else "",
                Cell(str(r.diplotype), sub="; ".join(notes)),
                Cell(percent(chance), badge="warn" if 1 - AMBIGUOUS < chance < AMBIGUOUS else ""),
                plain(r.activity_score),
                _phenotype(r),
                Cell(STRUCTURES[str(r.structure)], badge=badge),
            ]
        )
    return out


def _diplotypes(inputs: ReportInputs, calls: list[GeneCall]) -> list[Block]:
    folded: dict[str, list[GeneCall]] = {}
    for c in calls:
        folded.setdefault(_folded(inputs, c), []).append(c)
    rows = [row for c in folded.get("", []) for row in _rows(c)]
    schemes = sorted({str(r.scheme) for c in calls for r in c.rows})
    note = f"Probability in the twin's ancestry. Phenotype scheme: {', '.join(schemes)}."
    if any(c.state == NO_CALL for c in calls):
        note += " Without a call the rows hold what is likely given the population and what was seen."
    header = ["Gene", "Call", "Diplotype", "Probability", "Activity score", "Phenotype", "Structure"]
    out: list[Block] = []
    if rows:
        out.append(Table.create("Diplotypes", header, rows, text=(0, 1, 2, 5, 6), note=note, limit=500))
    return [*out, *_lines(folded)]


def genome_section(inputs: ReportInputs, twin: str, calls: list[GeneCall]) -> Section:
    """All that is known of a twin's genes, on one printed page."""
    title = "Genome"
    if not calls:
        return Section("genome", title, (Paragraph("No gene was called.", "missing"),))
    blocks: list[Block] = [
        _summary(calls),
        *grouped(warnings(inputs, twin, calls)),
        *_diplotypes(inputs, calls),
        twin_advice(inputs, twin, calls),
        *outside_only(inputs, twin),
        *twin_strip(inputs, twin),
        *not_callable(calls),
        *phase_blocks(calls),
        definitions(inputs),
    ]
    return Section("genome", title, tuple(blocks))
