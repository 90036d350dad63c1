"""Allele frequencies of the cohort beside the reference of its ancestries, and the frequency alarm."""

from __future__ import annotations

import math

import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Table
from pharmtwin.report.figures import MUTED, axis, limits_of, line, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, number, percent, percent_interval, plotly_text, plural

NAMED = 12  # alleles that a sentence names
LIMITS = (
    "Chromosomes are taken as independent draws from the stated ancestries: relatives, people chosen by their "
    "genotype, and ancestries that the panels do not stand for raise alarms too. In a small cohort only large "
    "differences are improbable. The reference counts have errors of their own, which the test allows for."
)


def _name(r: object) -> str:
    return f"{r.gene} {r.allele}"  # type: ignore[attr-defined]


def _alarm(inputs: ReportInputs, table: pd.DataFrame) -> list[Block]:
    """Alleles whose count is improbable, or that there are none; for whom it was not asked."""
    found = records(table[table["alarm"]].sort_values(["p_adjusted", "gene", "allele"], kind="stable"))
    m = plural(len(table), "allele")
    asked = f"exact two-sided test, p below 0.05 after Bonferroni's correction for {m}"
    if found:
        said = [
            f"{_name(r)} ({count(r.count)} of {count(r.chromosomes)}, expected {number(r.expected)}, "
            f"p {number(r.p_adjusted, 2)})"
            for r in found[:NAMED]
        ]
        more = f" and {plural(len(found) - NAMED, 'further allele')}" if len(found) > NAMED else ""
        text = f"Frequency alarm: {', '.join(said)}{more} ({asked}). Check assay, build, calls and stated ancestry."
        blocks: list[Block] = [Paragraph(text, "caution")]
    else:
        blocks = [Paragraph(f"No frequency alarm: no count is improbable given the reference ({asked}).")]
    text = LIMITS
    if inputs.synthetic and inputs.data_kind != "mixed":
        text = f"The cohort is synthetic: this checks the chain from genome to call and says nothing of people. {text}"
    return [*blocks, Paragraph(text, "small")]


def _left_out(genes: pd.DataFrame) -> list[Block]:
    """What is compared of genes whose structure nobody looked at, and what is not compared at all."""
    out: list[Block] = []
    stars = genes.loc[(genes["basis"] == "shown") & genes["has_reference"], "gene"].astype(str)
    if len(stars):
        text = (
            f"By the stars that small variants show, since not every twin's structure is known: {', '.join(stars)}. "
            "There copies and hybrids count as the star they show, and a deletion makes its carrier look homozygous."
        )
        out.append(Paragraph(text, "small"))
    said = []
    for r in records(genes):
        if not r.has_reference:
            said.append(f"{r.gene} (no reference frequency)")
        elif r.compared < r.twins:
            said.append(f"{r.gene} ({plural(r.twins - r.compared, 'twin')} without a call)")
    if said:
        out.append(Paragraph(f"Left out of the comparison: {'; '.join(said)}.", "small"))
    return out


def _chart(table: pd.DataFrame) -> Chart:
    """Cohort against reference, log axes, with intervals; what one of both lacks is drawn at the edge."""
    seen = table[(table["count"] > 0) | (table["reference"] > 0)]
    both = seen[(seen["count"] > 0) & (seen["reference"] > 0)]
    lo, hi = limits_of(both["reference"], both["frequency"], [1.0])
    hi = 1.15
    edge = lo / 1.6
    data = [line([edge, 1.0], [edge, 1.0], "identity", MUTED)]
    hover = {r.Index: f"{_name(r)}: {r.count} of {r.chromosomes}, expected {number(r.expected)}"
             for r in seen.itertuples()}  # fmt: skip
    groups = (
        (both[~both["alarm"]], "as expected", "#0072b2", "circle"),
        (both[both["alarm"]], "frequency alarm", "#d55e00", "diamond"),
        (seen[(seen["reference"] == 0)], "in the cohort only (left edge)", "#009e73", "square"),
    )
    for part, name, colour, symbol in groups:
        if len(part):
            low = part["low"].clip(lower=edge)
            trace = points(
                part["reference"].clip(lower=edge), part["frequency"], name, colour, symbol, size=7,
                error=(low, part["high"]), text=[hover[i] for i in part.index],
            )  # fmt: skip
            trace["error_y"] |= {"thickness": 0.9, "width": 0}
            data.append(trace)
    alarmed = seen[seen["alarm"] & (seen["count"] > 0)]
    if len(alarmed):
        data.append(
            {
                "type": "scatter", "mode": "text", "x": [float(v) for v in alarmed["reference"].clip(lower=edge)],
                "y": [float(v) for v in alarmed["frequency"]],
                "text": [plotly_text(_name(r)) for r in records(alarmed)],
                "textposition": "top center", "name": "", "showlegend": False, "hoverinfo": "skip",
            }
        )  # fmt: skip
    none = seen[seen["count"] == 0]
    if len(none):
        data.append(
            points(none["reference"].clip(lower=edge), none["high"], "none in the cohort (upper limit)", "#6f7782",
                   "triangle-up-open", size=6, text=[hover[i] for i in none.index])
        )  # fmt: skip
    span = [math.log10(edge / 1.3), math.log10(hi)]
    layout = {
        "xaxis": axis("Reference frequency in the twins' ancestries", log=True, range=span, dtick=1),
        "yaxis": axis("Frequency in the cohort", log=True, range=span, dtick=1),
    }
    rows = [
        [
            r.gene, r.allele, count(r.count), count(r.chromosomes), percent_interval(r.frequency, r.low, r.high),
            percent(r.reference), number(r.expected),
            Cell(number(r.p_adjusted, 2), badge="warn" if r.alarm else ""),
        ]
        for r in records(seen)
    ]  # fmt: skip
    header = ["Gene", "Allele", "Count", "Chromosomes", "Cohort (95 %)", "Reference", "Expected count", "Adjusted p"]
    note = (
        "Cohort: called genotypes only, Jeffreys interval. Reference: 1000 Genomes by the twins' ancestries, pooled "
        "where none is stated (resources/genes/allele_frequencies.tsv). p: exact, two-sided, Bonferroni."
    )
    return Chart(
        "frequencies",
        "Allele frequencies, cohort against reference",
        f"Frequency in the cohort against the reference, {plural(len(seen), 'allele')}, log axes, identity line.",
        (Panel("", tuple(data), layout),),
        Table.create("Allele frequencies", header, rows, text=(0, 1), note=note, folded=True, limit=800),
        "Bars: 95 % interval of the cohort's frequency. Hover a point for its gene and allele.",
        height=440,
    )


def frequency_blocks(inputs: ReportInputs) -> list[Block]:
    """The alarm, the figure and what was left out; or why there is no comparison."""
    genes, table = inputs.allele_genes, inputs.allele_frequencies
    if genes.empty:
        return [Paragraph("The cohort's allele frequencies were not handed to the report.", "missing")]
    if table.empty:
        text = "No allele frequency is compared: no gene has both called genotypes and a reference frequency."
        return [Paragraph(text, "missing"), *_left_out(genes)]
    return [*_alarm(inputs, table), _chart(table), *_left_out(genes)]
