"""Callable strip: how each gene's definition positions were seen, as one compact bar a gene."""

from __future__ import annotations

import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Table
from pharmtwin.report.figures import axis, numbers
from pharmtwin.report.genome_calls import GeneCall, site_names, text_of
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, percent, plural

# column of twin_sites, name, colour, hatching
EVIDENCE = (
    ("n_observed", "Observed", "#0072b2", ""),
    ("n_reference_by_evidence", "Reference by evidence", "#56b4e9", "\\"),
    ("n_reference_by_declaration", "Reference by declaration only", "#e69f00", "."),
    ("n_not_assayed", "Not assayed", "#d55e00", "x"),
)
COUNTS = [column for column, *_ in EVIDENCE]
BAR, FRAME = 13, 56  # px a gene; px of axis and margins
MEANING = (
    "By evidence: a gVCF block or a callable region. By declaration: the configuration says that an absent position is "
    "reference; nobody saw it. Not assayed is never read as reference."
)


def _chart(shares: pd.DataFrame, ident: str, title: str, alt: str, caption: str, table: Table) -> Chart:
    """``shares``: per cent of positions by COUNTS, index gene."""
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "y": list(shares.index),
            "x": numbers(shares[column]),
            "name": name,
            "marker": {
                "color": colour,
                "pattern": {"shape": pattern, "fgcolor": "#ffffff", "bgcolor": colour, "size": 5},
            },
            "hovertemplate": "%{y}: %{x:.3g} %<extra>" + name + "</extra>",
        }
        for column, name, colour, pattern in EVIDENCE
    ]
    layout = {
        "barmode": "stack",
        "bargap": 0.3,
        "margin": {"l": 80, "r": 14, "t": 4, "b": 40},
        "xaxis": axis("Definition positions (%)", range=[0, 100]),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False, dtick=1, tickfont={"size": 10.5}),
    }
    height = FRAME + BAR * len(shares)
    return Chart(ident, title, alt, (Panel("", tuple(data), layout),), table, caption=caption, height=height)


def _shares(rows: pd.DataFrame) -> pd.DataFrame:
    return 100 * rows[COUNTS].astype(float).div(rows["n_sites"].astype(float).clip(lower=1), axis=0)


def twin_strip(inputs: ReportInputs, twin: str) -> list[Block]:
    """The strip of one twin, and the alleles that its assay cannot call."""
    rows = inputs.twin_sites[inputs.twin_sites["twin_id"] == twin]
    if rows.empty:
        text = "No file with genotypes was read for this twin: its diplotypes are those of the population."
        return [Paragraph(text, "missing")]
    cells = []
    for r in records(rows):
        missing = Cell(count(r.n_not_assayed), badge="warn" if r.n_not_assayed else "")
        lost = len([a for a in text_of(r.not_callable).split("|") if a])
        known = [count(getattr(r, c)) for c in COUNTS[:3]]
        cells.append([r.gene, count(r.n_sites), *known, missing, Cell(count(lost), badge="warn" if lost else "")])
    header = ["Gene", "Positions", *(name for _, name, *_ in EVIDENCE), "Alleles not callable"]
    shares = _shares(rows).set_axis(rows["gene"].astype(str))
    alt = f"Bars: share of definition positions observed, reference and not assayed in {plural(len(rows), 'gene')}."
    table = Table.create("Definition positions", header, cells)
    return [_chart(shares, "callable", "What was seen of each gene", alt, MEANING, table)]


def not_callable(calls: list[GeneCall]) -> list[Block]:
    """Alleles that this assay cannot call, gene by gene, with the positions that lack."""
    cells, n = [], 0
    for c in calls:
        if c.site is None or not c.site.n_not_assayed:
            continue
        alleles = [a for a in text_of(c.site.not_callable).split("|") if a]
        n += len(alleles)
        where = ", ".join(site_names(c.gene, c.site.not_assayed))
        cells.append([c.gene, where, ", ".join(alleles) or "none is lost by these positions"])
    if not cells:
        read = any(c.site is not None for c in calls)
        text = "Every definition position has evidence: every named allele without structural change can be called."
        return [Paragraph(text, "small")] if read else []
    return [
        Table.create(
            f"Alleles that this assay cannot call: {count(n)} in {plural(len(cells), 'gene')}",
            ["Gene", "Positions not assayed", "Alleles with a defining position among them"],
            cells,
            text=(0, 1, 2),
            note="Neither found nor excluded; their frequency in the ancestry is in the probabilities.",
            folded=True,
        )
    ]


def cohort_strip(inputs: ReportInputs) -> Block:
    """The strip of the cohort: mean share of positions over the twins."""
    rows = inputs.twin_sites
    if rows.empty:
        return Paragraph("What was seen of each position was not handed to the report.", "missing")
    shares = _shares(rows).assign(gene=rows["gene"].astype(str)).groupby("gene", sort=True)[COUNTS].mean()
    cells = []
    for gene, part in rows.groupby("gene", sort=True):
        gaps = int((part["n_not_assayed"] > 0).sum())
        lost = {a for text in part["not_callable"].dropna() for a in str(text).split("|") if a}
        row = [str(gene), count(part["n_sites"].max()), count(len(part))]
        row += [percent(share / 100) for share in shares.loc[str(gene), COUNTS].to_numpy(dtype=float)]
        cells.append([*row, count(gaps), count(len(lost))])
    header = ["Gene", "Positions", "Twins", *(name for _, name, *_ in EVIDENCE), "Twins with a gap"]
    header.append("Alleles not callable in some twin")
    alt = f"Bars: mean share of definition positions seen, by evidence, in {plural(len(shares), 'gene')}."
    table = Table.create("Definition positions, mean over the twins", header, cells)
    return _chart(shares, "callable", "What was seen of each gene (mean over the twins)", alt, MEANING, table)
