"""Phase of one twin's genes: which heterozygous positions the input holds together, and the most probable phase."""

from __future__ import annotations

from typing import Any

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Table
from pharmtwin.report.figures import MUTED, axis
from pharmtwin.report.genome_calls import AMBIGUOUS, LEFT_OUT, PHASED_BY, GeneCall, phase_steps, site_name, text_of
from pharmtwin.report.words import count, percent, plotly_text, plural

#: colour and symbol of a gene's blocks in turn, and of positions that are in none
BLOCK = (("#0072b2", "circle"), ("#d55e00", "diamond"), ("#009e73", "square"), ("#8a4f9e", "triangle-up"))
ALONE = ("#6f7782", "circle-open")
ROW, FRAME = 24, 70  # px a gene; px of axis and margins


def blocks_of(phase_blocks: Any) -> list[list[int]]:
    """Positions of each block of a ``phase_blocks`` field, in the order of the field."""
    return [[int(p) for p in block.split(",")] for block in text_of(phase_blocks).split("|") if block]


def phase_track(calls: list[GeneCall]) -> list[Block]:
    """A line a gene with at least two heterozygous positions: those of one phase block are joined."""
    found, chance = {}, {}
    for c in calls:
        if c.site is not None and c.state != LEFT_OUT:
            blocks = blocks_of(c.site.phase_blocks)
            if sum(map(len, blocks)) > 1:
                found[c.gene] = (str(c.site.phasing), blocks)
                chance[c.gene] = float(c.site.phase_probability)
    if not found:
        return []
    traces: dict[str, dict[str, Any]] = {}
    likely = _likely({g: sum(map(len, blocks)) for g, (phasing, blocks) in found.items() if phasing == "panel"}, chance)
    rows = []
    for gene, (phasing, blocks) in found.items():
        order = {p: i + 1 for i, p in enumerate(sorted(p for b in blocks for p in b))}
        joined = [b for b in blocks if len(b) > 1]
        for block in blocks:
            alone = len(block) == 1
            k = 0 if alone else joined.index(block) % len(BLOCK)
            name = "no phase in the input" if alone else f"phase block {k + 1}"
            colour, symbol = ALONE if alone else BLOCK[k]
            trace = traces.setdefault(
                name,
                {"type": "scatter", "mode": "markers" if alone else "lines+markers", "x": [], "y": [], "text": [],
                 "name": name, "marker": {"color": colour, "symbol": symbol, "size": 9, "line": {"width": 1.2}},
                 **({} if alone else {"line": {"color": colour, "width": 3}}),
                 "hovertemplate": "%{text}<extra>" + name + "</extra>"},
            )  # fmt: skip
            for position in sorted(block):
                trace["x"].append(order[position])
                trace["y"].append(gene)
                trace["text"].append(plotly_text(f"{gene} {site_name(gene, position)}"))
            if not alone:  # a gap, so that the next block is not joined
                trace["x"].append(None)
                trace["y"].append(gene)
                trace["text"].append("")
        names = [" + ".join(site_name(gene, p) for p in sorted(b)) for b in joined]
        free = [site_name(gene, b[0]) for b in blocks if len(b) == 1]
        rows.append([gene, PHASED_BY.get(phasing, phasing), count(len(order)), "; ".join(names) or "none",
                     Cell(", ".join(free) or "none", badge="warn" if free else "")])  # fmt: skip
    most = max(len([p for b in blocks for p in b]) for _, blocks in found.values())
    genes = list(found)
    layout = {
        "xaxis": axis("Heterozygous position, in order along the gene", range=[0.4, most + 0.6], dtick=1),
        "yaxis": axis("", type="category", autorange="reversed", categoryarray=genes, categoryorder="array"),
        "margin": {"l": 80, "r": 14, "t": 4, "b": 44},
    }
    drawn = [*likely, *sorted(traces.values(), key=lambda t: (t["mode"] == "markers", t["name"]))]
    header = ["Gene", "Settled by", "Heterozygous", "Held together by the input", "Without phase"]
    return [
        Chart(
            "phase-blocks",
            "Phase blocks",
            f"Heterozygous positions of {plural(len(genes), 'gene')}, those of one phase block joined by a line.",
            (Panel("", tuple(drawn), layout),),
            Table.create("Phase blocks", header, rows, text=(0, 1, 3, 4), folded=True),
            "Phase block: the file, the reads or the pedigree say which alleles lie on one chromosome. Dotted: only "
            "haplotype frequencies tell, with the probability in the table of phases.",
            height=FRAME + ROW * len(genes),
        )
    ]


def _likely(genes: dict[str, int], chance: dict[str, float]) -> list[dict[str, Any]]:
    """A dashed line through all positions (gene -> how many) of each gene whose phase is the most probable one only."""
    x: list[float | None] = []
    y: list[str] = []
    text: list[str] = []
    for gene, n in genes.items():
        x += [1, n, None]
        y += [gene] * 3
        text += [f"{gene}: most probable phase, {percent(chance[gene])}"] * 3
    if not x:
        return []
    line = {"color": MUTED, "dash": "dot", "width": 1.4}
    return [{"type": "scatter", "mode": "lines", "x": x, "y": y, "name": "by haplotype frequencies", "line": line,
             "text": text, "hovertemplate": "%{text}<extra></extra>"}]  # fmt: skip


def phase_blocks(calls: list[GeneCall]) -> list[Block]:
    """The track, the most probable phase gene by gene, and genes without a phase to settle."""
    rows: list[list[Cell | str]] = []
    trivial = []
    for c in calls:
        if c.site is None or c.state == LEFT_OUT:
            continue
        steps = phase_steps(c.gene, c.site.phase)
        if str(c.site.phasing) in ("trivial", "haploid") or not steps:
            trivial.append(f"{c.gene} ({steps[0]})" if steps else c.gene)
            continue
        chance = float(c.site.phase_probability)
        cell = Cell(percent(chance), badge="warn" if chance < AMBIGUOUS else "")
        rows.append([c.gene, PHASED_BY.get(str(c.site.phasing), str(c.site.phasing)), cell, ", ".join(steps)])
    out = phase_track(calls)
    if rows:
        out.append(
            Table.create(
                "Phase",
                ["Gene", "Settled by", "Probability", "Heterozygous positions, first|second chromosome"],
                rows,
                text=(0, 1, 3),
                note="The most probable phase with all ancestry panels pooled; which chromosome comes first means "
                "nothing. ? is an alternate that no definition knows. Genotypes are never changed by phasing.",
            )
        )
    if trivial:
        out.append(Paragraph(f"No phase to settle (at most one heterozygous position): {', '.join(trivial)}.", "small"))
    return out
