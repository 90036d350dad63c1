"""CYP2D6 structure that a VCF of small variants does not show: deletion, duplications, tandems, hybrids.

Given the star allele that a chromosome's small variants show, the full allele has the frequencies of
``structure_frequencies.tsv``. A deleted chromosome (``*5``) shows nothing, so its carrier looks homozygous.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from pharmtwin.facts import fact_table
from pharmtwin.genome.definitions import ANCESTRIES, STRUCTURAL_GENES
from pharmtwin.genome.haplotypes import Float


@dataclass(frozen=True)
class Structures:
    """Structural alleles of one gene, all arrays by ANCESTRIES (6,).

    deletion : frequency of the deletion among all chromosomes (0 for genes without).
    hidden : star shown -> {full allele: probability given the star shown}.
    duplication : chance of ``x2`` behind a star on which no structural call exists.
    """

    deletion: Float
    hidden: dict[str, dict[str, Float]] = field(repr=False)
    duplication: Float

    def behind(self, star: str) -> dict[str, Float]:
        """Full alleles behind a star, probabilities (6,) that sum to 1."""
        if star in self.hidden:
            return self.hidden[star]
        if not self.duplication.any():
            return {star: np.ones(len(ANCESTRIES))}
        return {star: 1 - self.duplication, f"{star}x2": self.duplication}


@cache
def gene_structures(gene: str, shrinkage: float = 2.0) -> Structures:
    """Structures of a gene. Each ancestry's counts are shrunk towards the pooled ones by ``shrinkage``
    chromosomes, the pooled ones towards "plain, or x2 as often as any star" by five times that."""
    n = len(ANCESTRIES)
    if gene not in STRUCTURAL_GENES:
        return Structures(np.zeros(n), {}, np.zeros(n))
    table = fact_table("genes/structure_frequencies.tsv")
    table = table[table["gene"] == gene]
    count = {
        str(star): rows.pivot_table(index="allele", columns="ancestry", values="count", aggfunc="sum")
        .reindex(columns=list(ANCESTRIES)).fillna(0).astype(float)
        for star, rows in table.groupby("snv_allele")
    }  # fmt: skip
    everything = sum(frame.to_numpy().sum(axis=0) for frame in count.values())
    deletion = count.pop("none").to_numpy().sum(axis=0) / everything
    doubled = sum(f.loc[f.index == f"{star}x2"].to_numpy().sum() for star, f in count.items()) / everything[-1]
    hidden = {}
    for star, frame in count.items():
        frame = frame.reindex(frame.index.union([star, f"{star}x2"], sort=False)).fillna(0.0)
        fallback = np.array([{star: 1 - doubled, f"{star}x2": doubled}.get(a, 0.0) for a in frame.index])
        values = frame.to_numpy()
        pooled = values[:, -1] + fallback * shrinkage * 5
        pooled /= pooled.sum()
        posterior = values + shrinkage * pooled[:, None]
        posterior[:, -1] = pooled
        posterior /= posterior.sum(axis=0)
        hidden[star] = {str(a): posterior[i] for i, a in enumerate(frame.index)}
    return Structures(deletion, hidden, np.full(n, doubled))
