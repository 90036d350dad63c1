"""Allele counts of a cohort beside the reference frequencies of its ancestries, and which of them are improbable.

The reference are the counts of ``allele_frequencies.tsv`` by ancestry. What they leave open is kept: given c of N
reference chromosomes, an allele's frequency has the posterior Beta(c + 1/2, N - c + 1/2) (Jeffreys), so the count in n
chromosomes of that ancestry is beta-binomial, and that of a mixed cohort a sum of independent ones.

Where nobody looked at a gene's structure in some twin, the gene is compared by the stars that the small variants show,
in cohort and reference: copies, hybrids and tandems count as the star that they show, and a deletion as nothing (its
carrier looks homozygous, so that his other star counts twice).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta, betabinom

from pharmtwin.facts import fact_table
from pharmtwin.genome.definitions import CALLED
from pharmtwin.genome.function.activity_intervals import PRIOR_COUNT, allele_counts
from pharmtwin.genome.function.phenotype import split_diplotype
from pharmtwin.genome.outside.structure import NOT_ASSESSED, OUTSIDE_CALL

Floats = NDArray[np.float64]
#: what ``structure_frequencies.tsv`` calls the star of a chromosome without the gene
DELETED = "none"
ALPHA = 0.05
LEVEL = 0.95
ALLELES = ["gene", "basis", "allele", "count", "chromosomes", "frequency", "low", "high", "reference", "expected", "p",
           "p_adjusted", "alarm"]  # fmt: skip
GENES = ["gene", "twins", "compared", "basis", "has_reference"]
FULL, SHOWN = "full", "shown"


def count_law(reference: Mapping[str, tuple[float, float]], chromosomes: Mapping[str, int]) -> Floats:
    """Probabilities (n + 1,) of the count of an allele among the n chromosomes of a cohort, 0 to n.

    reference : by ancestry, reference chromosomes with the allele, and in all. chromosomes : the cohort's, by ancestry.
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

    Only called genotypes count (probability of 0.9 or more, or an outside call). basis : ``full`` alleles, or the stars
    ``shown`` by the small variants. A twin does not count for an allele that its assay cannot call. low, high : 95 %
    limits of the frequency in the cohort (Jeffreys). p : two-sided, exact; p_adjusted : times the number of alleles
    compared in all genes (Bonferroni, at most 1); alarm : below 0.05. A gene without a reference is not compared.
    """
    lost = {
        (str(t), str(g)): set(str(text).split("|"))
        for t, g, text in zip(sites["twin_id"], sites["gene"], sites["not_callable"])
        if pd.notna(text) and text
    }
    rows: list[tuple[object, ...]] = []
    genes: list[tuple[object, ...]] = []
    for gene, mine in genotype.groupby("gene", sort=True):
        name = str(gene)
        basis = SHOWN if (mine["structure"] == NOT_ASSESSED).any() else FULL
        used = _called(name, mine, basis)
        known = bool(_reference(name, "ALL", basis))
        genes.append((name, mine["twin_id"].nunique(), len(used), basis, known))
        if known:
            rows += [(name, basis, *row) for row in _gene(name, basis, used, ancestry, lost)]
    table = pd.DataFrame(rows, columns=ALLELES[:-2])
    adjusted = (table["p"] * len(table)).clip(upper=1.0)
    return table.assign(p_adjusted=adjusted, alarm=adjusted < ALPHA), pd.DataFrame(genes, columns=GENES)


def _called(gene: str, rows: pd.DataFrame, basis: str) -> dict[str, tuple[str, ...]]:
    """Alleles of each twin whose genotype is called: as they are, or as the small variants show them."""
    trusted = rows[(rows["structure"] == OUTSIDE_CALL) | (rows["status"] != "no_call")]
    seen = [d if basis == FULL else shown(gene, d) for d in trusted["diplotype"].astype(str)]
    share = trusted.assign(seen=seen).groupby(["twin_id", "seen"], sort=True)["probability"].sum().reset_index()
    sure = share[share["probability"] >= CALLED]
    return {str(t): split_diplotype(str(d)) for t, d in zip(sure["twin_id"], sure["seen"]) if d}


def shown(gene: str, diplotype: str) -> str:
    """The diplotype of stars that small variants show of a full one; "" where both chromosomes lack the gene."""
    stars = [_star_of(gene).get(a, re.sub(r"x\d+$", "", a)) for a in split_diplotype(diplotype)]
    there = [s for s in stars if s != DELETED]
    return "/".join(sorted(there * 2 if len(there) < len(stars) else there))


@cache
def _star_of(gene: str) -> dict[str, str]:
    """The star that each full allele shows most often in the reference (``structure_frequencies.tsv``)."""
    table = fact_table("genes/structure_frequencies.tsv")
    counts = table[table["gene"] == gene].groupby(["allele", "snv_allele"])["count"].sum().reset_index()
    counts = counts.sort_values(["count", "snv_allele"], ascending=[False, True], kind="stable")
    top = counts.drop_duplicates("allele")
    return dict(zip(top["allele"].astype(str), top["snv_allele"].astype(str)))


def _reference(gene: str, ancestry: str, basis: str) -> dict[str, float]:
    """Reference chromosomes by allele or by star shown; none where the table has no such gene."""
    try:
        counts = allele_counts(gene, ancestry)
    except KeyError:
        return {}
    if basis == FULL:
        return dict(counts)
    out: dict[str, float] = {}
    for allele, n in counts.items():
        star = shown(gene, allele)
        if star:
            out[star] = out.get(star, 0.0) + n
    return out


def _gene(
    gene: str, basis: str, used: Mapping[str, tuple[str, ...]], ancestry: Mapping[str, str],
    lost: Mapping[tuple[str, str], set[str]],
) -> list[tuple[object, ...]]:  # fmt: skip
    """Rows of one gene: every allele that the cohort or the reference of its ancestries has."""
    people = [(ancestry.get(t) or "ALL", pair, lost.get((t, gene), set())) for t, pair in used.items()]
    panels = {a: _reference(gene, a, basis) for a in sorted({a for a, _, _ in people})}
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
        rows.append((allele, k, n, k / n, low, high, expected / n, expected, p))
    return rows


def jeffreys(k: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Limits of a share k of n by Jeffreys' prior; 0 or 1 where none or all are."""
    low, high = beta.ppf([(1 - level) / 2, (1 + level) / 2], k + PRIOR_COUNT, n - k + PRIOR_COUNT)
    return (0.0 if k == 0 else float(low)), (1.0 if k == n else float(high))
