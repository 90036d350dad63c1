"""From a VCF to the posterior over diplotypes, for every sample, gene and ancestry.

posterior(diplotype) is proportional to the sum, over phases that fit the file, of the products of the two
haplotypes' frequencies (see haplotypes.py); for CYP2D6 it is then spread over structures (structure.py).
Unphased genotypes and the panel prior: Stephens & Donnelly 2003, doi:10.1086/379378, with fixed frequencies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pharmtwin.genome.checks import detect_build
from pharmtwin.genome.definitions import ANCESTRIES, STRUCTURAL_GENES, UNKNOWN, Codes, diplotype
from pharmtwin.genome.haplotypes import Float, Panel, gene_panel, phases
from pharmtwin.genome.structure import Structures, gene_structures
from pharmtwin.genome.vcf import SiteCalls, VcfError, header_lines, read_sites
from pharmtwin.tables import conform


@dataclass(frozen=True)
class GenotypeCall:
    """Posterior of one genotype pattern: diplotype -> probability (6,) by ANCESTRIES; how phase was settled
    (trivial, gt, ps, panel); variants that the most probable haplotypes' names do not explain."""

    posterior: dict[str, Float]
    phasing: str
    unexplained: int


def call_vcf(
    path: Path,
    genes: Sequence[str],
    *,
    absent: str = "not_assayed",
    samples: Sequence[str] | None = None,
    min_probability: float = 1e-4,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables ``calls`` and ``sites`` of a GRCh38 VCF/BCF.

    absent : what a position without a record means: ``not_assayed`` (default) or ``reference`` (declaration).
    samples : samples to call, in this order; default all.
    min_probability : diplotypes below are cut and the rest renormalised (the most probable is always kept).
    Raises VcfError (unreadable, GRCh37, unknown samples) and ValueError (unknown option, min_probability >= 1).
    """
    if not 0 <= min_probability < 1:
        raise ValueError(f"min_probability must be in [0, 1), not {min_probability}")
    if detect_build(path, header_lines(path)) == "GRCh37":
        raise VcfError(f"{path}: the file is on GRCh37, the definitions are on GRCh38; lift it over first")
    frames = [
        call_gene(site_calls, min_probability=min_probability)
        for site_calls in read_sites(path, genes, absent=absent, samples=samples).values()
    ]
    return (
        conform("calls", pd.concat([calls for calls, _ in frames], ignore_index=True)),
        conform("sites", pd.concat([sites for _, sites in frames], ignore_index=True)),
    )


def covered_genes(path: Path, genes: Sequence[str], absent: str) -> list[str]:
    """Genes of which the file holds at least one definition position (all, if absence is declared reference)."""
    if absent == "reference":
        return list(genes)
    return [gene for gene, found in read_sites(path, genes, absent=absent).items() if found.n_covered]


def call_gene(
    site_calls: SiteCalls,
    *,
    panel: Panel | None = None,
    structures: Structures | None = None,
    min_probability: float = 1e-4,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``calls`` and ``sites`` rows of one gene. ``panel`` and ``structures`` replace the shipped ones (validation).

    Samples with the same genotypes and phase are called once.
    """
    gene = site_calls.definition.gene
    used = panel or gene_panel(gene)
    structures = structures or gene_structures(gene)
    alleles, block = canonical(site_calls.alleles, site_calls.block)
    patterns: dict[bytes, list[int]] = {}
    for i in range(len(alleles)):
        patterns.setdefault(alleles[i].tobytes() + block[i].tobytes(), []).append(i)
    call_parts, site_rows = [], []
    positions = site_calls.definition.positions
    for members in patterns.values():
        one = members[0]
        call = call_genotype(used, structures, alleles[one], block[one])
        names = [site_calls.samples[i] for i in members]
        call_parts.append(_call_rows(call.posterior, names, min_probability))
        complete = (alleles[one] != UNKNOWN).all(axis=1)
        observed = int((complete & ~site_calls.declared).sum())
        site_rows += [
            {
                "sample": name,
                "n_observed": observed,
                "not_assayed": ",".join(str(p) for p in positions[~complete]),
                "n_not_assayed": int((~complete).sum()),
                "phasing": call.phasing,
                "unexplained": call.unexplained,
            }
            for name in names
        ]
    order = {s: i for i, s in enumerate(site_calls.samples)}
    calls = pd.concat(call_parts, ignore_index=True)
    calls = calls.sort_values("sample", key=lambda s: s.map(order), kind="stable").assign(gene=gene)
    sites = pd.DataFrame(site_rows).sort_values("sample", key=lambda s: s.map(order), kind="stable")
    sites = sites.assign(
        gene=gene,
        n_sites=len(positions),
        n_reference_by_declaration=int(site_calls.declared.sum()),
        structure="not_assessed" if gene in STRUCTURAL_GENES else "not_applicable",
    )
    return conform("calls", calls), conform("sites", sites)


def canonical(
    alleles: npt.NDArray[np.int8], block: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """The same genotypes in one writing: unphased pairs sorted, homozygous positions without a phase block."""
    plain = (block < 0)[:, :, None]
    ordered = np.where(plain, np.sort(alleles, axis=2), alleles).astype(np.int8)
    unneeded = ordered[:, :, 0] == ordered[:, :, 1]
    return ordered, np.where(unneeded, -1, block).astype(np.int32)


def call_genotype(panel: Panel, structures: Structures, alleles: Codes, block: npt.NDArray[np.int32]) -> GenotypeCall:
    """Posterior of one genotype: ``alleles`` (n_sites, 2) codes, ``block`` (n_sites,) as in SiteCalls."""
    first, second, n_blocks = phases(panel, alleles, block)
    one, copying_one = panel.likelihood(first)
    two, copying_two = panel.likelihood(second)
    weight = one * two
    total = weight.sum(axis=0)
    posterior: dict[str, Float] = {}
    # phases are listed once, each stands for two ordered pairs unless the haplotypes coincide
    evidence = (1 - structures.deletion) ** 2 * total * (2 if n_blocks else 1)
    hemizygous = np.zeros(len(ANCESTRIES))
    alone = _single_chromosome(alleles)
    if structures.deletion.any() and alone is not None:
        likelihood, copying = panel.likelihood(alone[None, :])
        deleted = 2 * structures.deletion * (1 - structures.deletion) * likelihood[0]
        hemizygous = deleted / (deleted + evidence)
        for star, p in panel.names(alone, copying[0])[0].items():
            for full, q in structures.behind(star).items():
                _add(posterior, diplotype(full, "*5"), hemizygous * p * q)
    unexplained = 0
    for i in np.flatnonzero((weight / total).max(axis=1) > panel.options.negligible):
        names_one, left_one = panel.names(first[i], copying_one[i])
        names_two, left_two = panel.names(second[i], copying_two[i])
        share = (1 - hemizygous) * weight[i] / total
        if i == int(np.argmax(weight[:, -1])):
            unexplained = left_one + left_two
        full_one, full_two = _expand(names_one, structures), _expand(names_two, structures)
        for star_one, p in full_one.items():
            for star_two, q in full_two.items():
                _add(posterior, diplotype(star_one, star_two), share * p * q)
    return GenotypeCall(posterior, _phasing(alleles, block, n_blocks), unexplained)


def _expand(names: dict[str, Float], structures: Structures) -> dict[str, Float]:
    out: dict[str, Float] = {}
    for star, p in names.items():
        for full, q in structures.behind(star).items():
            _add(out, full, p * q)
    return out


def _add(target: dict[str, Float], key: str, value: Float) -> None:
    target[key] = target.get(key, 0.0) + value


def _single_chromosome(alleles: Codes) -> Codes | None:
    """The one chromosome that could show these alleles alone, or None if any position shows two."""
    low, high = alleles.min(axis=1), alleles.max(axis=1)
    if ((low != high) & (low != UNKNOWN)).any():
        return None
    return high


def _phasing(alleles: Codes, block: npt.NDArray[np.int32], n_blocks: int) -> str:
    het = alleles[:, 0] != alleles[:, 1]
    if het.sum() <= 1:
        return "trivial"
    if n_blocks > 1:
        return "panel"
    return "ps" if (block[het] > 0).any() else "gt"


def _call_rows(posterior: dict[str, Float], names: list[str], min_probability: float) -> pd.DataFrame:
    """Rows of one pattern for all its samples, most probable diplotype first."""
    diplotypes = np.array(list(posterior))
    table = np.array(list(posterior.values()))
    labels, ancestries, probabilities = [], [], []
    for a, ancestry in enumerate(ANCESTRIES):
        order = np.argsort(-table[:, a], kind="stable")
        keep = order[(table[order, a] >= min_probability) | (order == order[0])]
        labels.append(diplotypes[keep])
        ancestries += [ancestry] * len(keep)
        probabilities.append(table[keep, a] / table[keep, a].sum())
    n = len(ancestries)
    return pd.DataFrame(
        {
            "sample": np.repeat(np.array(names, dtype=object), n),
            "ancestry": ancestries * len(names),
            "diplotype": np.tile(np.concatenate(labels), len(names)),
            "probability": np.tile(np.concatenate(probabilities), len(names)),
        }
    )
