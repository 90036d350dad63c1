"""Allele counts of a cohort beside the reference frequencies of its ancestries, and which of them are improbable.

The reference are the counts of ``allele_frequencies.tsv`` by ancestry. What they leave open is kept: given c of N
reference chromosomes, an allele's frequency has the posterior Beta(c + 1/2, N - c + 1/2) (Jeffreys), so the count in n
chromosomes of that ancestry is beta-binomial, and that of a mixed cohort a sum of independent ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta, betabinom

from pharmtwin.genome.calling.site_table import CALLED
from pharmtwin.genome.function.activity_intervals import PRIOR_COUNT, allele_counts
from pharmtwin.genome.function.phenotype import split_diplotype
from pharmtwin.genome.outside.structure import NOT_ASSESSED, OUTSIDE_CALL

Floats = NDArray[np.float64]
ALPHA = 0.05
LEVEL = 0.95
ALLELES = ["gene", "allele", "count", "chromosomes", "frequency", "low", "high", "reference", "expected", "p",
           "p_adjusted", "alarm"]  # fmt: skip
GENES = ["gene", "twins", "compared", "not_called", "no_structure", "has_reference"]


def count_law(reference: Mapping[str, tuple[float, float]], chromosomes: Mapping[str, int]) -> Floats:
    """Probabilities (n + 1,) of the count of an allele among the n chromosomes of a cohort, 0 to n.

    reference : by ancestry, reference chromosomes with the allele, and in all. chromosomes : of the cohort, by ancestry.
    """
    law = np.ones(1)
    for ancestry, n in sorted(chromosomes.items()):
        if n:
            count, total = reference[ancestry]
            own = betabinom.pmf(np.arange(n + 1), n, count + PRIOR_COUNT, total - count + PRIOR_COUNT)
            law = np.convolve(law, own)
    return np.asarray(law / law.sum())


def two_sided(law: Floats, count: int) -> float:
    """Probability of a count no more probable than the one seen (as in the exact binomial test)."""
    return float(min(law[law <= law[count] * (1 + 1e-7)].sum(), 1.0))


def cohort_frequencies(
    genotype: pd.DataFrame, sites: pd.DataFrame, ancestry: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Columns ``ALLELES``, a row a gene and allele, and ``GENES``, a row a gene.

    genotype, sites : tables ``genotype`` and ``twin_sites``. ancestry : by twin; absent or empty: the panels pooled.

    Only called genotypes count (probability of 0.9 or more, or an outside call), and none whose gene structure nobody
    looked at, since a deletion or duplication would pass for another allele. A twin does not count for an allele that
    its assay cannot call. low, high : 95 % limits of the frequency in the cohort (Jeffreys). p : two-sided, exact;
    p_adjusted : times the number of alleles compared in all genes (Bonferroni, at most 1); alarm : below 0.05.
    """
    top = genotype.sort_values(["probability", "diplotype"], ascending=[False, True], kind="stable")
    top = top.drop_duplicates(["twin_id", "gene"])
    outside = top["structure"] == OUTSIDE_CALL
    called = outside | ((top["status"] != "no_call") & (top["probability"] >= CALLED))
    apart = top["structure"] == NOT_ASSESSED
    lost = {
        (str(t), str(g)): set(str(text).split("|"))
        for t, g, text in zip(sites["twin_id"], sites["gene"], sites["not_callable"])
        if pd.notna(text) and text
    }
    rows: list[tuple[object, ...]] = []
    genes: list[tuple[object, ...]] = []
    for gene in sorted(set(top["gene"].astype(str))):
        mine = top["gene"] == gene
        used = top[mine & called & ~apart]
        known = bool(allele_counts(gene, "ALL"))
        genes.append(
            (gene, int(mine.sum()), len(used), int((mine & ~called).sum()), int((mine & called & apart).sum()), known)
        )
        if known and len(used):
            rows += _gene(gene, used, ancestry, lost)
    table = pd.DataFrame(rows, columns=ALLELES[:-2])
    adjusted = (table["p"] * len(table)).clip(upper=1.0)
    return table.assign(p_adjusted=adjusted, alarm=adjusted < ALPHA), pd.DataFrame(genes, columns=GENES)


def _gene(
    gene: str, used: pd.DataFrame, ancestry: Mapping[str, str], lost: Mapping[tuple[str, str], set[str]]
) -> list[tuple[object, ...]]:
    """Rows of one gene: every allele that the cohort or the reference of its ancestries has."""
    people = [
        (ancestry.get(str(t)) or "ALL", split_diplotype(str(d)), lost.get((str(t), gene), set()))
        for t, d in zip(used["twin_id"], used["diplotype"])
    ]
    panels = {a: allele_counts(gene, a) for a in {a for a, _, _ in people}}
    alleles = {x for _, pair, _ in people for x in pair} | {x for counts in panels.values() for x in counts}
    rows: list[tuple[object, ...]] = []
    for allele in sorted(alleles):
        able = [(a, pair) for a, pair, cannot in people if allele not in cannot]
        chromosomes = {a: sum(len(pair) for b, pair in able if a == b) for a in panels}
        n, k = sum(chromosomes.values()), sum(pair.count(allele) for _, pair in able)
        if not n:
            continue
        reference = {a: (counts.get(allele, 0.0), sum(counts.values())) for a, counts in panels.items()}
        expected = sum(chromosomes[a] * count / total for a, (count, total) in reference.items())
        low, high = jeffreys(k, n)
        p = two_sided(count_law(reference, chromosomes), k)
        rows.append((gene, allele, k, n, k / n, low, high, expected / n, expected, p))
    return rows


def jeffreys(k: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Limits of a share k of n by Jeffreys' prior; 0 or 1 where none or all are."""
    low, high = beta.ppf([(1 - level) / 2, (1 + level) / 2], k + PRIOR_COUNT, n - k + PRIOR_COUNT)
    return (0.0 if k == 0 else float(low)), (1.0 if k == n else float(high))
