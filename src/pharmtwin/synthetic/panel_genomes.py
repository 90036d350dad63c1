"""Genomes of many virtual people: every gene's two haplotypes drawn from those that the 1000 Genomes panel shows.

Haplotypes come whole from ``resources/genes/panel_haplotypes.tsv`` (configurations and their counts by ancestry), rare
and unexplained ones included, so that a cohort has the shape of a real one: phased, with the panel's own variety. Each
gene is drawn by itself (Hardy-Weinberg; no linkage between genes). Structure of CYP2D6 is what short variants show of
it. A man has one X chromosome. Every person has random numbers of its own: person 17 is the same in any cohort.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.facts import fact_table
from pharmtwin.genome.calling.haplotypes import decode
from pharmtwin.genome.definitions import GENES, gene_definition, rows_of
from pharmtwin.synthetic.genomes import HEADER

STAGE = "panel genomes"
PANELS = ("AFR", "AMR", "EAS", "EUR", "SAS")
Codes = NDArray[np.int8]


@cache
def _haplotypes(gene: str) -> tuple[Codes, NDArray[np.float64]]:
    """Codes (n, n_sites) of the panel's haplotypes and their counts (n, 5) by :data:`PANELS`."""
    table = fact_table("genes/panel_haplotypes.tsv")
    rows = table[table["gene"] == gene]
    codes = [decode(gene_definition(gene), "" if pd.isna(h) else str(h)) for h in rows["haplotype"]]
    return np.array(codes, dtype=np.int8), rows[list(PANELS)].to_numpy(dtype=float)


def draw_haplotypes(people: pd.DataFrame, seed: int) -> dict[str, NDArray[np.int64]]:
    """Numbers of the two haplotypes (n, 2) of each person among the panel's, by gene.

    ``people`` has twin_id and ancestry. Raises KeyError for an ancestry that is no panel.
    """
    unknown = sorted(set(people["ancestry"].astype(str)) - set(PANELS))
    if unknown:
        raise KeyError(f"no panel of ancestry {unknown}; there are {', '.join(PANELS)}")
    twins = [str(t) for t in people["twin_id"]]
    numbers = np.array([generator(seed, STAGE, t).random((len(GENES), 2)) for t in twins]).reshape(-1, len(GENES), 2)
    ancestry = people["ancestry"].astype(str).to_numpy()
    out = {}
    for g, gene in enumerate(GENES):
        counts = _haplotypes(gene)[1]
        picked = np.zeros((len(twins), 2), dtype=np.int64)
        for k, panel in enumerate(PANELS):
            rows, share = ancestry == panel, np.cumsum(counts[:, k]) / counts[:, k].sum()
            picked[rows] = np.searchsorted(share, numbers[rows, g], side="right").clip(max=len(share) - 1)
        out[gene] = picked
    return out


def panel_vcf(people: pd.DataFrame, samples: Sequence[str], seed: int) -> str:
    """Phased VCF 4.2 of people (twin_id, ancestry, sex) with every definition position; equal input, equal text."""
    drawn = draw_haplotypes(people, seed)
    men = (people["sex"] == "M").to_numpy(dtype=bool)
    lengths = fact_table("genes/contig_lengths.tsv")
    length = {str(r.chrom): int(r.length) for r in rows_of(lengths[lengths["build"] == "GRCh38"])}
    rank = {c: i for i, c in enumerate([*map(str, range(1, 23)), "X"])}
    order = sorted(GENES, key=lambda g: (rank[gene_definition(g).chrom[3:]], gene_definition(g).sites[0].position))
    chroms = dict.fromkeys(gene_definition(g).chrom for g in order)
    told = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype (haplotypes of the panel, drawn anew, phased)">'
    lines = [*HEADER[:4], *(f"##contig=<ID={c},length={length[c]},assembly=GRCh38>" for c in chroms), told]
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    lines.append("\t".join([*columns, *samples]))
    for gene in order:
        definition, picked = gene_definition(gene), drawn[gene]
        codes = _haplotypes(gene)[0]
        one = men & (definition.chrom == "chrX")
        for i, site in enumerate(definition.sites):
            first, second = codes[picked[:, 0], i], codes[picked[:, 1], i]
            words = np.array([[f"{a}|{b}" for b in range(len(site.alts) + 1)] for a in range(len(site.alts) + 1)])
            calls = words[first, second]
            calls[one] = first[one].astype(str)
            fields = [definition.chrom, str(site.position), site.rsid or ".", site.ref, ",".join(site.alts)]
            lines.append("\t".join([*fields, ".", "PASS", ".", "GT", *calls.tolist()]))
    return "\n".join(lines) + "\n"
