"""From genotypes at definition positions to the posterior over diplotypes, for every sample, gene and ancestry.

posterior(diplotype) is proportional to the sum, over phases that fit the file, of the products of the two
haplotypes' frequencies (see haplotypes.py); for CYP2D6 it is then spread over structures (structure.py).
Unphased genotypes and the panel prior: Stephens & Donnelly 2003, doi:10.1086/379378, with fixed frequencies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.genome.calling.declarations import believed
from pharmtwin.genome.calling.haplotypes import Float, Panel, gene_panel
from pharmtwin.genome.calling.phasing import PEDIGREE_BLOCK, Blocks, free_blocks, phases
from pharmtwin.genome.calling.site_table import GenotypeCall, sites_table
from pharmtwin.genome.definitions import ANCESTRIES, STRUCTURAL_GENES, UNKNOWN, Codes, diplotype
from pharmtwin.genome.outside.structure import Structures, condition_on_copies, gene_structures
from pharmtwin.genome.reading.vcf import SiteCalls, read_sites
from pharmtwin.tables import conform

T = TypeVar("T")
NEGLIGIBLE = 1e-4  # share of a phase below which it is left out
_pair = lru_cache(maxsize=1 << 16)(diplotype)  # the same pairs come back in every person


def call_vcf(
    path: Path,
    genes: Sequence[str],
    *,
    absent: str = "not_assayed",
    samples: Sequence[str] | None = None,
    min_probability: float = 1e-4,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables ``calls`` and ``sites`` of a VCF, BCF or gVCF; for other options: ``read_sites``, ``call_genes``.

    absent : what a position without a record means: ``not_assayed`` (default) or ``reference`` (declaration).
    samples : samples to call, in this order; default all.
    Raises VcfError (unreadable, build unclear, unknown samples) and ValueError (unknown option).
    """
    return call_genes(read_sites(path, genes, absent=absent, samples=samples), min_probability=min_probability)


def call_genes(
    found: Mapping[str, SiteCalls],
    *,
    copies: Mapping[tuple[str, str], int] | None = None,
    min_probability: float = 1e-4,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables ``calls`` and ``sites`` of all genes in ``found``.

    copies : (sample, gene) -> gene copies counted from structural records.
    min_probability : diplotypes below are cut and the rest renormalised (the most probable is always kept).
    Raises ValueError for min_probability outside [0, 1).
    """
    if not 0 <= min_probability < 1:
        raise ValueError(f"min_probability must be in [0, 1), not {min_probability}")
    frames = [
        call_gene(
            site_calls,
            copies={sample: n for (sample, g), n in (copies or {}).items() if g == gene},
            min_probability=min_probability,
        )
        for gene, site_calls in found.items()
    ]
    return (
        conform("calls", pd.concat([calls for calls, _ in frames], ignore_index=True)),
        conform("sites", pd.concat([sites for _, sites in frames], ignore_index=True)),
    )


def call_gene(
    site_calls: SiteCalls,
    *,
    panel: Panel | None = None,
    structures: Structures | None = None,
    copies: Mapping[str, int] | None = None,
    min_probability: float = 1e-4,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``calls`` and ``sites`` rows of one gene. ``panel`` and ``structures`` replace the shipped ones (validation).

    copies : sample -> counted gene copies; used for genes with known structures (CYP2D6).
    Samples with the same genotypes, phase and copies are called once. Positions declared in vain are not assayed.
    """
    gene = site_calls.definition.gene
    site_calls = believed(site_calls)
    used = panel or gene_panel(gene)
    structures = structures or gene_structures(gene)
    alleles, block = canonical(site_calls.alleles, site_calls.block)
    haploid = site_calls.ploidy == 1
    counted = {s: n for s, n in (copies or {}).items() if gene in STRUCTURAL_GENES}
    patterns: dict[tuple[bytes, bool, int | None], list[int]] = {}
    for i, sample in enumerate(site_calls.samples):
        key = alleles[i].tobytes() + block[i].tobytes(), bool(haploid[i]), counted.get(sample)
        patterns.setdefault(key, []).append(i)
    members = list(patterns.values())
    found: list[GenotypeCall] = []
    for mine in members:
        one = mine[0]
        if haploid[one]:
            found.append(call_haploid(used, alleles[one]))
        else:
            call = call_genotype(used, structures, alleles[one], block[one])
            n_copies = counted.get(site_calls.samples[one])
            if n_copies is not None:
                given = condition_on_copies(call.posterior, n_copies, copy_number_error(gene), gene=gene)
                call = replace(call, posterior=given)
            found.append(call)
    pattern = np.empty(len(alleles), dtype=np.intp)
    for k, mine in enumerate(members):
        pattern[mine] = k
    return (
        conform("calls", _calls_table(site_calls, pattern, [c.posterior for c in found], min_probability)),
        conform("sites", sites_table(site_calls, pattern, found, counted)),
    )


@cache
def copy_number_error(gene: str) -> float:
    """Chance that the copy number of a structural record is wrong (``calling_parameters.tsv``).

    Raises KeyError for a gene without a row.
    """
    table = fact_table("genes/calling_parameters.tsv").set_index(["gene", "parameter"])["value"]
    return float(table[gene, "copy_number_error"])


def canonical(alleles: npt.NDArray[np.int8], block: Blocks) -> tuple[npt.NDArray[np.int8], Blocks]:
    """The same genotypes in one writing: unphased pairs sorted, homozygous positions without a phase block."""
    plain = (block < 0)[:, :, None]
    ordered = np.where(plain, np.sort(alleles, axis=2), alleles).astype(np.int8)
    unneeded = ordered[:, :, 0] == ordered[:, :, 1]
    return ordered, np.where(unneeded, -1, block).astype(np.int32)


def call_genotype(
    panel: Panel, structures: Structures, alleles: Codes, block: Blocks, *, phase_for: str = "ALL"
) -> GenotypeCall:
    """Posterior of one genotype: ``alleles`` (n_sites, 2) codes, ``block`` (n_sites,) as in SiteCalls.

    ``phase_for``: the ancestry for which the most probable phase is given.
    """
    first, second, n_blocks = phases(panel, alleles, block)
    weight = panel.log_likelihood(first) + panel.log_likelihood(second)
    total = np.logaddexp.reduce(weight, axis=0)
    share = np.exp(weight - total)
    posterior: dict[str, Float] = {}
    hemizygous = np.zeros(len(ANCESTRIES))
    alone = _single_chromosome(alleles)
    if structures.deletion.any() and alone is not None:
        # one chromosome beside a deleted one against two; phases are listed once, each stands for two ordered pairs
        # unless the haplotypes coincide
        fit = np.exp(np.clip(panel.log_likelihood(alone[None])[0] - total, -700, 700))
        deleted = 2 * structures.deletion * (1 - structures.deletion) * fit
        hemizygous = deleted / (deleted + (1 - structures.deletion) ** 2 * (2 if n_blocks else 1))
        for star, p in panel.names(alone[None])[0][0].items():
            for full, q in structures.behind(star).items():
                _add(posterior, _pair(full, "*5"), hemizygous * p * q)
    chosen = ANCESTRIES.index(phase_for)
    plain: dict[tuple[str, str], Float] = {}
    best = int(np.argmax(share[:, chosen]))
    kept = np.flatnonzero(share.max(axis=1) > NEGLIGIBLE)
    named = panel.names(np.concatenate([first[kept], second[kept]]))
    for i, (names_one, _), (names_two, _) in zip(kept, named, named[len(kept) :]):
        for star_one, p in names_one.items():
            ahead = share[i] * p
            for star_two, q in names_two.items():
                both = (star_one, star_two) if star_one <= star_two else (star_two, star_one)
                _add(plain, both, ahead * q)
    for (star_one, star_two), p in plain.items():
        p = (1 - hemizygous) * p
        for full_one, q in structures.behind(star_one).items():
            ahead = p * q
            for full_two, r in structures.behind(star_two).items():
                _add(posterior, _pair(full_one, full_two), ahead * r)
    whole = np.sum(list(posterior.values()), axis=0)  # 1 but for the phases left out
    posterior = {pair: p / whole for pair, p in posterior.items()}
    unexplained = sum(n for _, n in panel.names(np.array([first[best], second[best]])))
    method = _phasing(alleles, block, n_blocks)
    shown = max(plain, key=lambda pair: float(plain[pair][chosen]))
    return GenotypeCall(
        posterior, _pair(*shown), first[best], second[best], float(share[best, chosen]), method, unexplained,
        free_blocks(alleles, block),
    )  # fmt: skip


def call_haploid(panel: Panel, alleles: Codes) -> GenotypeCall:
    """Posterior of a hemizygous genotype (chromosome X of a male): one allele, no slash."""
    alone = alleles[:, 0]
    names, unexplained = panel.names(alone[None])[0]
    shown = max(names, key=lambda star: float(names[star][-1]))
    return GenotypeCall(dict(names), shown, alone, alone, 1.0, "haploid", unexplained)


def _add(target: dict[T, Float], key: T, value: Float) -> None:
    target[key] = target.get(key, 0.0) + value


def _single_chromosome(alleles: Codes) -> Codes | None:
    """The one chromosome that could show these alleles alone, or None if any position shows two."""
    low, high = alleles.min(axis=1), alleles.max(axis=1)
    if ((low != high) & (low != UNKNOWN)).any():
        return None
    return high


def _phasing(alleles: Codes, block: Blocks, n_blocks: int) -> str:
    het = alleles[:, 0] != alleles[:, 1]
    if het.sum() <= 1:
        return "trivial"
    if n_blocks > 1:
        return "panel"
    if (block[het] == PEDIGREE_BLOCK).any():
        return "pedigree"
    return "ps" if (block[het] > 0).any() else "gt"


def _calls_table(
    site_calls: SiteCalls, pattern: npt.NDArray[np.intp], posteriors: list[dict[str, Float]], min_probability: float
) -> pd.DataFrame:
    """Rows sample by sample, ancestry by ancestry, most probable diplotype first."""
    blocks = []
    for posterior in posteriors:
        table = np.array(list(posterior.values()))  # (m, 6)
        order = np.argsort(-table, axis=0, kind="stable")
        ranked = np.take_along_axis(table, order, axis=0)
        keep = ranked >= min_probability
        keep[0] = True
        which = [order[keep[:, a], a] for a in range(len(ANCESTRIES))]
        shares = [ranked[keep[:, a], a] / ranked[keep[:, a], a].sum() for a in range(len(ANCESTRIES))]
        names = np.array(list(posterior), dtype=object)
        ancestry = np.repeat(np.arange(len(ANCESTRIES)), [len(w) for w in which])
        blocks.append((names[np.concatenate(which)], ancestry, np.concatenate(shares)))
    size = np.array([len(b[0]) for b in blocks])
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    rows = np.concatenate([np.arange(start[k], start[k] + size[k]) for k in pattern])
    labels, ancestry, probability = (np.concatenate([b[i] for b in blocks])[rows] for i in range(3))
    return pd.DataFrame(
        {
            "sample": np.repeat(np.array(site_calls.samples, dtype=object), size[pattern]),
            "gene": site_calls.definition.gene,
            "ancestry": np.array(ANCESTRIES, dtype=object)[ancestry.astype(int)],
            "diplotype": labels,
            "probability": probability.astype(float),
        }
    )
