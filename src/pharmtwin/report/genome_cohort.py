"""The genotypes of the cohort: phenotypes, what was seen, what stays open, diplotypes, recommendations."""

from __future__ import annotations

import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import axis, numbers
from pharmtwin.report.genome import definitions
from pharmtwin.report.genome_activity import activity_table
from pharmtwin.report.genome_advice import cohort_advice, outside_only
from pharmtwin.report.genome_calls import (
    AMBIGUOUS,
    CALLED,
    CANDIDATES,
    NO_CALL,
    NOT_CALLED,
    PHASED_BY,
    SHOWN,
    genes_without_scheme,
    phenotype_class,
    text_of,
    top_rows,
)
from pharmtwin.report.genome_frequencies import frequency_blocks
from pharmtwin.report.genome_strip import cohort_strip
from pharmtwin.report.genome_warnings import NO_ANCESTRY
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import NONE, count, number, percent, plural

SAID_NO_CALL = "no call"


def _phenotypes(genotype: pd.DataFrame, top: pd.DataFrame) -> Chart:
    """Expected share of phenotypes by gene; twins without a call are a share of their own."""
    twins = top.groupby("gene")["twin_id"].nunique()
    apart = top[top["state"] == NO_CALL]
    lacking = set(zip(apart["twin_id"], apart["gene"]))

    def said(table: pd.DataFrame) -> pd.DataFrame:
        people = zip(table["twin_id"], table["gene"], table["phenotype"].astype(str))
        return table.assign(phenotype=[SAID_NO_CALL if (t, g) in lacking else p for t, g, p in people])

    expected = said(genotype).groupby(["gene", "phenotype"], sort=True)["probability"].sum()
    by_top = said(top).groupby(["gene", "phenotype"]).size()
    kinds = {p: NOT_CALLED if p == SAID_NO_CALL else phenotype_class(p) for _, p in expected.index}
    names = sorted(kinds, key=lambda p: (kinds[p].order, p))
    genes = [g for g in sorted(twins.index) if g not in genes_without_scheme()]
    data = []
    for kind in sorted(set(kinds.values()), key=lambda k: k.order):
        mine = [p for p in names if kinds[p] == kind]
        shares = [100 * sum(float(expected.get((g, p), 0.0)) for p in mine) / int(twins[g]) for g in genes]
        if not any(shares):
            continue
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "y": genes,
                "x": numbers(shares),
                "name": kind.name,
                "marker": {
                    "color": kind.colour,
                    "pattern": {"shape": kind.pattern, "fgcolor": "#ffffff", "bgcolor": kind.colour, "size": 6},
                },
                "hovertemplate": "%{y}: %{x:.3g} %<extra>" + kind.name + "</extra>",
            }
        )
    rows = []
    for g in sorted(twins.index):
        for p in names:
            if (g, p) in expected.index:
                share = expected[(g, p)] / twins[g]
                rows.append([g, p, count(by_top.get((g, p), 0)), number(expected[(g, p)]), percent(share)])
    layout = {
        "barmode": "stack",
        "bargap": 0.3,
        "margin": {"l": 80, "r": 14, "t": 6, "b": 44},
        "xaxis": axis("Expected share of twins (%)", range=[0, 100]),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False, dtick=1, tickfont={"size": 11.5}),
    }
    caption = "Shares weigh every candidate diplotype by its probability; the names of the phenotypes are in the table."
    unnamed = [g for g in sorted(twins.index) if g in genes_without_scheme()]
    if unnamed:
        caption += f" Not drawn, because no scheme names a phenotype: {', '.join(unnamed)}."
    header = ["Gene", "Phenotype", "Twins by top diplotype", "Expected twins", "Expected share"]
    alt = f"Stacked bars: expected share of phenotypes in {plural(len(genes), 'gene')}; numbers in the table below."
    table = Table.create("Phenotypes", header, rows, text=(0, 1), folded=True, file="table genotype")
    panel = Panel("", tuple(data), layout)
    height = 76 + 21 * len(genes)
    return Chart("phenotypes", "Phenotypes by gene", alt, (panel,), table, caption=caption, height=height)


def _open(inputs: ReportInputs, top: pd.DataFrame) -> Table:
    """What the genotypes leave open, in number of twins."""
    seen = inputs.twin_sites.assign(strange=[bool(text_of(v)) for v in inputs.twin_sites["unknown_alternates"]])
    odd = {str(g): part for g, part in seen.groupby("gene")}
    rows = []
    for gene, part in top.groupby("gene", sort=True):
        n = len(part)
        site = odd.get(str(gene), seen.head(0))
        figures = [
            int((part["state"] == CANDIDATES).sum()),
            int((part["state"] == NO_CALL).sum()),
            int((part["structure"] == "not_assessed").sum()),
            int((part["n_not_assayed"] > 0).sum()),
            int(((site["unexplained"] > 0) | site["strange"]).sum()),
            int(part["phenotype"].str.contains("indeterminate", case=False).sum()),
        ]
        cells = [Cell(f"{count(k)} ({percent(k / n)})" if k else "0", badge="warn" if k else "") for k in figures]
        if str(gene) in genes_without_scheme():
            cells[-1] = Cell("no scheme")
        called = int((part["state"] == CALLED).sum())
        rows.append([str(gene), count(n), f"{count(called)} ({percent(called / n)})", *cells])
    header = [
        "Gene",
        "Twins",
        "Called",
        f"Ambiguous (top < {100 * AMBIGUOUS:.0f} %)",
        "No call",
        "Structure not assessed",
        "Positions not assayed",
        "Odd variants",
        "Indeterminate",
    ]
    note = (
        "Structure not assessed: copy number and hybrids are unknown, so a duplication or deletion would go unseen. "
        "Not assayed is never read as reference. Odd: variants that no named allele explains, or alternates that no "
        f"definition knows. Phenotype schemes: {', '.join(sorted(set(inputs.genotype['scheme'].astype(str))))}."
    )
    return Table.create("What the genotypes leave open (number of twins)", header, rows, note=note)


def _phase(top: pd.DataFrame) -> Table:
    """How phase was settled, in number of twins."""
    counts = pd.crosstab(top["gene"].astype(str), top["phasing"].astype(str))
    methods = [m for m in PHASED_BY if m in counts] + sorted({str(m) for m in counts} - set(PHASED_BY))
    rows = [[str(g), *(count(n) for n in row)] for g, row in zip(counts.index, counts[methods].to_numpy())]
    header = ["Gene", *(PHASED_BY.get(m, m).capitalize() for m in methods)]
    return Table.create("Phase settled by (number of twins)", header, rows, folded=True)


def _reasons(inputs: ReportInputs, top: pd.DataFrame) -> list[Block]:
    """Why there is no call, by gene and reason."""
    lacking = top.loc[top["state"] == NO_CALL, ["twin_id", "gene"]]
    if lacking.empty:
        return []
    told = lacking.merge(inputs.twin_sites[["twin_id", "gene", "reason"]], on=["twin_id", "gene"], how="left")
    told = told.assign(why=[text_of(v) or "no file covers the gene for this twin" for v in told["reason"]])
    cells = [[str(gene), str(why), count(len(part))] for (gene, why), part in told.groupby(["gene", "why"], sort=True)]
    return [Table.create("No call: why", ["Gene", "Reason", "Twins"], cells, text=(0, 1), file="table twin_sites")]


def _structure(inputs: ReportInputs, top: pd.DataFrame) -> list[Block]:
    """Where nobody looked at the structure: how often people of each ancestry carry a structural variant."""
    apart = top[top["structure"] == "not_assessed"]
    if apart.empty or not inputs.structure_prior:
        return []
    people = inputs.covariates
    known = dict(zip(people["twin_id"], people["ancestry"])) if "ancestry" in people else {}
    panels = [text_of(known.get(t)) or NO_ANCESTRY for t in apart["twin_id"]]
    rows = []
    for (gene, panel), part in apart.assign(panel=panels).groupby(["gene", "panel"], sort=True):
        prior = inputs.structure_prior.get(str(gene), {}).get(str(panel))
        carriers = NONE if prior is None else number(prior * len(part))
        said = "no count with a source" if prior is None else percent(prior)
        rows.append([str(gene), str(panel), count(len(part)), said, carriers])
    header = ["Gene", "Ancestry", "Twins not assessed", "Carriers in that ancestry", "Carriers to expect"]
    note = "Carriers of a deletion, duplication or hybrid. A prior, no call. ALL: ancestry not stated, panels pooled."
    return [Table.create("Structure not assessed", header, rows, text=(0, 1), note=note, folded=True)]


def _diplotypes(genotype: pd.DataFrame, top: pd.DataFrame) -> Table:
    """Diplotypes by gene; those expected in less than 1 % of the twins are summed up."""
    twins = top.groupby("gene")["twin_id"].nunique()
    expected = genotype.groupby(["gene", "diplotype", "phenotype"], sort=True)["probability"].sum().reset_index()
    tops = top.groupby(["gene", "diplotype"]).size()
    rows = []
    for gene, part in expected.sort_values("probability", ascending=False, kind="stable").groupby("gene", sort=True):
        n = int(twins[gene])
        rare = part["probability"] < SHOWN * n
        for r in records(part[~rare]):
            shown = count(tops.get((gene, r.diplotype), 0))
            rows.append([r.gene, r.diplotype, r.phenotype, shown, number(r.probability), percent(r.probability / n)])
        if rare.any():
            total = float(part.loc[rare, "probability"].sum())
            k = sum(int(tops.get((gene, d), 0)) for d in part.loc[rare, "diplotype"])
            text = f"{plural(int(rare.sum()), 'further diplotype')}, each below {100 * SHOWN:.0f} %"
            rows.append([str(gene), text, NONE, count(k), number(total), percent(total / n)])
    header = ["Gene", "Diplotype", "Phenotype", "Twins by top diplotype", "Expected twins", "Expected share"]
    note = "Candidates of twins without a call are counted with their probability given the population."
    return Table.create(
        "Diplotypes by gene", header, rows, text=(0, 1, 2), note=note, folded=True, limit=600, file="table genotype"
    )


def genotype_section(inputs: ReportInputs) -> Section:
    """Phenotypes, evidence, gaps, diplotypes and recommendations of the cohort."""
    genotype = inputs.genotype
    if genotype.empty:
        missing = Paragraph("The genome stage did not run or no gene was called.", "missing")
        return Section("genotypes", "Genotypes", (missing,))
    top = top_rows(genotype)
    blocks: list[Block] = [
        _phenotypes(genotype, top),
        cohort_strip(inputs),
        _open(inputs, top),
        *_reasons(inputs, top),
        _phase(top),
        *_structure(inputs, top),
        _diplotypes(genotype, top),
        *frequency_blocks(inputs),
        *activity_table(inputs),
        cohort_advice(inputs),
        *outside_only(inputs),
        definitions(inputs),
    ]
    return Section("genotypes", "Genotypes", tuple(blocks))
