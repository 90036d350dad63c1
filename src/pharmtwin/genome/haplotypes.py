"""Which haplotypes exist, how common they are, and which phase of a genotype they make likely.

A haplotype is drawn from *templates* (configurations seen in the 1000 Genomes panel, and every named allele)
with the template's frequency in an ancestry, and copied with a small chance ``mutation`` per position of
differing from its template (the copying model of Li & Stephens 2003, doi:10.1093/genetics/165.4.2213, without
recombination). So a configuration the panel never showed, and the mate of one it did, stay possible.
Unobserved positions are summed over. Phase given by the file is kept; genotypes are never altered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.genome.definitions import ANCESTRIES, UNKNOWN, Codes, GeneDefinition, gene_definition

Float = npt.NDArray[np.float64]
N_CODES = 5  # codes that a template can carry; OTHER matches none


@dataclass(frozen=True)
class PhasingOptions:
    """Tuning of the posterior (statistical regularisation, not biology).

    shrinkage : haplotypes' worth of pooled frequencies added to each ancestry (the panel has 680 to 1,320 each).
    pseudo_count : count given to a named allele the panel does not show.
    mutation : chance that a haplotype differs from its template at one position.
    max_blocks : up to this many independent phase blocks every phase is listed; beyond, those near a template.
    negligible : relative weight below which a phase or template is dropped.
    """

    shrinkage: float = 50.0
    pseudo_count: float = 0.05
    mutation: float = 1e-4
    max_blocks: int = 7
    negligible: float = 1e-7


@dataclass(frozen=True)
class Panel:
    """Templates of one gene: ``templates`` (n_templates, n_sites) codes, ``prior`` (n_templates, 6) by ANCESTRIES."""

    definition: GeneDefinition
    templates: Codes
    prior: Float
    options: PhasingOptions
    _onehot: npt.NDArray[np.float32] = field(repr=False)
    _names: dict[bytes, tuple[str, int]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def create(cls, counts: pd.DataFrame, gene: str, options: PhasingOptions | None = None) -> Panel:
        """From rows of ``panel_haplotypes.tsv``: ``haplotype`` and one count column an ancestry."""
        options = options or PhasingOptions()
        definition = gene_definition(gene)
        rows = counts[counts["gene"] == gene]
        seen = [decode(definition, "" if pd.isna(h) else str(h)) for h in rows["haplotype"]]
        table = rows[list(ANCESTRIES[:-1])].to_numpy(dtype=float)
        known = {t.tobytes() for t in seen}
        named = [row for row in definition.core if row.tobytes() not in known]
        templates = np.array([*seen, *named], dtype=np.int8)
        table = np.vstack([table, np.zeros((len(named), table.shape[1]))])
        pooled = table.sum(axis=1) + options.pseudo_count
        pooled /= pooled.sum()
        by_ancestry = (table + options.shrinkage * pooled[:, None]) / (table.sum(axis=0) + options.shrinkage)
        return cls(definition, templates, np.column_stack([by_ancestry, pooled]), options, _one_hot(templates))

    def likelihood(self, haplotypes: Codes) -> tuple[Float, Float]:
        """P(observed part of a haplotype): (n, 6) by ancestry, and the copying term (n, n_templates)."""
        agree = _one_hot(haplotypes) @ self._onehot.T
        differing = (haplotypes != UNKNOWN).sum(axis=1)[:, None] - agree
        copying = self.options.mutation ** differing.astype(np.float64)
        return copying @ self.prior, copying

    def names(self, haplotype: Codes, copying: Float) -> tuple[dict[str, Float], int]:
        """Star names of one (partly observed) haplotype with probabilities (6,), and variants unexplained.

        Unobserved positions take the values of each template, weighted by its posterior.
        """
        if not (haplotype == UNKNOWN).any():
            star, unexplained = self._name(haplotype)
            return {star: np.ones(len(ANCESTRIES))}, unexplained
        weight = copying[:, None] * self.prior
        weight /= weight.sum(axis=0)
        used = np.flatnonzero(weight.max(axis=1) > self.options.negligible)
        out: dict[str, Float] = {}
        left_over = 0
        top = used[np.argmax(weight[used, -1])]
        for i in used:
            star, unexplained = self._name(np.where(haplotype == UNKNOWN, self.templates[i], haplotype))
            out[star] = out.get(star, 0.0) + weight[i]
            if i == top:
                left_over = unexplained
        return out, left_over

    def _name(self, haplotype: Codes) -> tuple[str, int]:
        key = np.ascontiguousarray(haplotype, dtype=np.int8).tobytes()
        if key not in self._names:
            self._names[key] = self.definition.name(haplotype)
        return self._names[key]


@cache
def gene_panel(gene: str) -> Panel:
    """The shipped 1000 Genomes panel of a gene (2,504 unrelated samples, GRCh38)."""
    return Panel.create(fact_table("genes/panel_haplotypes.tsv"), gene)


def phases(panel: Panel, alleles: Codes, block: npt.NDArray[np.int32]) -> tuple[Codes, Codes, int]:
    """All phases of one genotype that deserve a weight: (first, second, number of free blocks).

    ``alleles`` (n_sites, 2), ``block`` (n_sites,) as in SiteCalls. first and second are (n_phases, n_sites);
    position by position they always hold exactly the two observed alleles.
    """
    het = np.flatnonzero(alleles[:, 0] != alleles[:, 1])
    blocks: list[list[int]] = []
    by_id: dict[int, list[int]] = {}
    for site in map(int, het):
        identity = int(block[site])
        if identity < 0:
            blocks.append([site])
        elif identity in by_id:
            by_id[identity].append(site)
        else:
            by_id[identity] = [site]
            blocks.append(by_id[identity])
    n_blocks = len(blocks)
    if n_blocks <= panel.options.max_blocks:
        flips = ((np.arange(2 ** max(n_blocks - 1, 0))[:, None] >> np.arange(max(n_blocks - 1, 0))) & 1).astype(bool)
        flips = np.hstack([np.zeros((len(flips), min(n_blocks, 1)), dtype=bool), flips])
    else:
        flips = _template_flips(panel, alleles, blocks)
    flip_site = np.zeros((len(flips), len(alleles)), dtype=bool)
    for i, sites in enumerate(blocks):
        flip_site[:, sites] = flips[:, [i]]
    first = np.where(flip_site, alleles[:, 1], alleles[:, 0]).astype(np.int8)
    second = np.where(flip_site, alleles[:, 0], alleles[:, 1]).astype(np.int8)
    return first, second, n_blocks


def _template_flips(panel: Panel, alleles: Codes, blocks: Sequence[list[int]]) -> npt.NDArray[np.bool_]:
    """Orientations (n, n_blocks) that bring the first haplotype closest to some template; ties both ways."""
    columns = []
    for sites in blocks:
        part = panel.templates[:, sites]
        columns.append((part == alleles[sites, 1]).sum(axis=1) - (part == alleles[sites, 0]).sum(axis=1))
    lead = np.array(columns).T
    flips = np.vstack([lead > 0, lead >= 0])
    flips ^= flips[:, [0]]  # a phase and its mirror image are one
    return np.unique(flips, axis=0)


def _one_hot(haplotypes: Codes) -> npt.NDArray[np.float32]:
    return (haplotypes[:, :, None] == np.arange(N_CODES)).reshape(len(haplotypes), -1).astype(np.float32)


def encode(definition: GeneDefinition, haplotype: Codes) -> str:
    """Text form of a haplotype: ``pos:alt`` of its non-reference alleles, comma separated; empty = reference."""
    return ",".join(
        f"{s.position}:{s.alts[c - 1] if c <= len(s.alts) else '?'}" for s, c in zip(definition.sites, haplotype) if c
    )


def decode(definition: GeneDefinition, text: str) -> Codes:
    """Codes (n_sites,) from the text form; raises ValueError for an unknown position or alternate."""
    index = {site.position: i for i, site in enumerate(definition.sites)}
    out = np.zeros(len(definition.sites), dtype=np.int8)
    for part in filter(None, text.split(",")):
        position, alt = part.split(":")
        if int(position) not in index:
            raise ValueError(f"{definition.gene}: {position} is not a definition position")
        out[index[int(position)]] = definition.sites[index[int(position)]].code(alt)
    return out


def count_configurations(
    definition: GeneDefinition, haplotypes: Codes, ancestry: Sequence[str], *, complete: bool = True
) -> pd.DataFrame:
    """Counts of the configurations in phased haplotypes (n, n_sites), by ancestry (n,): rows of panel_haplotypes.tsv.

    Positions the panel lacks are UNKNOWN in ``haplotypes``. They are written as reference, except (``complete``)
    where only an allele with core variants at such positions explains the rest (CYP2D6 exon 9 conversions,
    ``*36``): then these are filled in and counted in column ``n_completed``. Haplotypes with an alternate
    outside the definitions keep the reference there.
    """
    lacking = (haplotypes == UNKNOWN).all(axis=0)
    base = np.where((haplotypes < 0) | (haplotypes >= N_CODES), 0, haplotypes).astype(np.int8)
    unique, inverse = np.unique(base, axis=0, return_inverse=True)
    ancestry_of = np.asarray(ancestry)
    rows = []
    for i, codes in enumerate(unique):
        filled = _completed(definition, codes, lacking) if complete else codes
        here = Counter(ancestry_of[inverse.ravel() == i].tolist())
        rows.append(
            {
                "gene": definition.gene,
                "haplotype": encode(definition, filled),
                **{a: int(here.get(a, 0)) for a in ANCESTRIES[:-1]},
                "allele": definition.name(filled)[0],
                "unexplained": definition.name(filled)[1],
                "n_completed": int((filled != codes).sum()),
            }
        )
    keys = ["gene", "haplotype", "allele", "unexplained", "n_completed"]
    return pd.DataFrame(rows).groupby(keys, as_index=False, dropna=False).sum().sort_values("haplotype")


def _completed(definition: GeneDefinition, codes: Codes, lacking: npt.NDArray[np.bool_]) -> Codes:
    if definition.name(codes)[1] == 0:
        return codes
    options = []
    for core in definition.core:
        candidate = np.where(lacking & (core > 0), core, codes).astype(np.int8)
        if (candidate != codes).any() and ((core == 0) | (core == candidate)).all() and (core > 0)[~lacking].sum() > 1:
            options.append((definition.name(candidate)[1], int((candidate != codes).sum()), candidate.tobytes()))
    if not options:
        return codes
    unexplained, _, best = min(options)
    return np.frombuffer(best, dtype=np.int8).copy() if unexplained == 0 else codes
