"""What is known of one twin's genes, put together for the files that other software reads.

A twin's genes may come from several VCF files: each gene is taken from the file that assays most of its positions, as
in :mod:`pharmtwin.genome.merge`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pharmtwin.genome.definitions import CALLED, GENES, OTHER, UNKNOWN, GeneDefinition, gene_definition
from pharmtwin.genome.exports.phased_vcf import PhasedGene, phased_genes
from pharmtwin.genome.function.phenotype import split_diplotype
from pharmtwin.genome.merge import Frames
from pharmtwin.genome.reading.vcf import SiteCalls
from pharmtwin.tables import records

SHOWN = 0.01  # candidates below this probability are summed up


@dataclass(frozen=True)
class Candidate:
    """One diplotype of the posterior; ``score``: activity score, None where there is none."""

    diplotype: str
    probability: float
    phenotype: str
    score: float | None

    @property
    def alleles(self) -> tuple[str, ...]:
        """Its one or two alleles."""
        return split_diplotype(self.diplotype)


@dataclass(frozen=True)
class Assay:
    """What a file says about one gene of one sample: row ``row`` of ``phased``; the others from table ``sites``."""

    phased: PhasedGene
    row: int
    not_callable: tuple[str, ...]
    reason: str

    def hets(self) -> int:
        """Number of positions with two different alleles, both known."""
        pair = self.phased.alleles[self.row]
        return int(((pair[:, 0] != pair[:, 1]) & (pair != UNKNOWN).all(axis=1)).sum())

    def is_phased(self) -> bool:
        """Whether the order of all heterozygous genotypes is known, as one block."""
        pair = self.phased.alleles[self.row]
        het = pair[:, 0] != pair[:, 1]
        sets = set(self.phased.phase_set[self.row, het].tolist())
        return bool(self.phased.phased[self.row, het].all()) and len(sets) <= 1

    def missing(self) -> list[int]:
        """GRCh38 positions without evidence for both alleles."""
        return self._where((self.phased.alleles[self.row] == UNKNOWN).any(axis=1))

    def unknown_alternates(self) -> list[int]:
        """GRCh38 positions with an alternate that no definition knows."""
        return self._where((self.phased.alleles[self.row] == OTHER).any(axis=1))

    def _where(self, chosen: npt.NDArray[np.bool_]) -> list[int]:
        return [self.phased.definition.sites[i].position for i in np.flatnonzero(chosen)]


@dataclass(frozen=True)
class GeneResult:
    """One gene of one twin.

    candidates : by falling probability, those of at least 1 % and always the first. phenotypes : phenotype ->
    probability over the whole posterior. status : called, candidates or no_call. assay : None if no file covers the
    gene for this twin.
    """

    gene: str
    candidates: tuple[Candidate, ...]
    phenotypes: Mapping[str, float]
    status: str
    scheme: str
    phasing: str
    structure: str
    assay: Assay | None

    @property
    def definition(self) -> GeneDefinition | None:
        """Definition of the gene, None for genes that are only called outside (HLA)."""
        return gene_definition(self.gene) if self.gene in GENES else None

    @property
    def is_outside(self) -> bool:
        """Whether another tool made the call."""
        return self.structure == "outside_call"

    @property
    def result(self) -> tuple[Candidate, ...]:
        """What counts as the result: the called diplotype, all candidates, or nothing (no_call)."""
        return {"called": self.candidates[:1], "candidates": self.candidates}.get(self.status, ())

    @property
    def reason(self) -> str:
        """Why there is no call, empty if there is one."""
        if self.status != "no_call":
            return ""
        return (self.assay.reason if self.assay else "") or "no file covers the gene for this sample"


def twin_results(
    twins: pd.DataFrame, genotype: pd.DataFrame, files: Mapping[str, Mapping[str, SiteCalls]], frames: Frames
) -> Iterator[tuple[str, list[GeneResult]]]:
    """(twin, its genes in the order of GENES) for each row of ``twins`` that has a genotype.

    twins : twin_id, vcf (paths joined by ``;``, may be empty), sample. genotype : table ``genotype``.
    files : VCF path -> gene -> SiteCalls. frames : VCF path -> (calls, sites), as the calling stage made them.

    Raises KeyError if a twin names a file or sample that is not there; ValueError as
    :func:`pharmtwin.genome.exports.phased_vcf.phased_genes`.
    """
    phased = {path: phased_genes(calls, frames[path][1]) for path, calls in files.items()}
    rows = {path: _site_rows(frames[path][1]) for path in files}
    index = {path: _row_of(calls) for path, calls in files.items()}
    by_twin = _candidates(genotype)
    shares = _phenotypes(genotype)
    rank = {g: i for i, g in enumerate(GENES)}
    for twin in records(twins):
        name = str(twin.twin_id)
        genes = by_twin.get(name, {})
        paths = [p for p in ("" if pd.isna(twin.vcf) else str(twin.vcf)).split(";") if p]
        sample = str(twin.sample)
        lacking = [p for p in paths if p not in files or sample not in index[p]]
        if lacking:
            raise KeyError(f"twin {twin.twin_id}: no genotypes of its sample in {lacking}")
        found = []
        for gene in sorted(genes, key=lambda g: (rank.get(g, len(rank)), g)):
            best = max(
                (p for p in paths if (sample, gene) in rows[p] and gene in phased[p]),
                key=lambda p: (rows[p][sample, gene][0], p),
                default=None,
            )
            assay = None
            if best is not None:
                _, not_callable, reason = rows[best][sample, gene]
                assay = Assay(phased[best][gene], index[best][sample], _words(not_callable), reason)
            found.append(_result(gene, genes[gene], shares[name, gene], assay))
        if found:
            yield name, found


def _candidates(genotype: pd.DataFrame) -> dict[str, dict[str, list[Any]]]:
    """twin -> gene -> rows of at least 1 % by falling probability, the first one always."""
    order = genotype.sort_values(["twin_id", "gene", "probability", "diplotype"], ascending=[True, True, False, True])
    first = ~order.duplicated(["twin_id", "gene"])
    out: dict[str, dict[str, list[Any]]] = {}
    for r in records(order[first | (order["probability"] >= SHOWN)]):
        out.setdefault(str(r.twin_id), {}).setdefault(str(r.gene), []).append(r)
    return out


def _phenotypes(genotype: pd.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    """(twin, gene) -> phenotype -> probability, by falling probability."""
    sums = genotype.groupby(["twin_id", "gene", "phenotype"], sort=True)["probability"].sum().reset_index()
    sums = sums.sort_values(["twin_id", "gene", "probability"], ascending=[True, True, False], kind="stable")
    out: dict[tuple[str, str], dict[str, float]] = {}
    for r in records(sums):
        out.setdefault((str(r.twin_id), str(r.gene)), {})[str(r.phenotype)] = float(r.probability)
    return out


def _result(gene: str, rows: list[Any], phenotypes: Mapping[str, float], assay: Assay | None) -> GeneResult:
    candidates = tuple(
        Candidate(
            str(r.diplotype), float(r.probability), str(r.phenotype),
            None if pd.isna(r.activity_score) else float(r.activity_score),
        )
        for r in rows
    )  # fmt: skip
    first = rows[0]
    status = str(first.status)
    if status != "no_call" or str(first.structure) == "outside_call":
        status = "called" if candidates[0].probability >= CALLED else "candidates"
    return GeneResult(
        gene, candidates, phenotypes, status, str(first.scheme), str(first.phasing), str(first.structure), assay
    )


def _row_of(calls: Mapping[str, SiteCalls]) -> dict[str, int]:
    samples = next(iter(calls.values())).samples if calls else ()
    return {s: i for i, s in enumerate(samples)}


def _site_rows(sites: pd.DataFrame) -> dict[tuple[str, str], tuple[int, str, str]]:
    """(sample, gene) -> n_observed, not_callable, reason."""
    texts = [sites[c].fillna("").astype(str).tolist() for c in ("sample", "gene", "not_callable", "reason")]
    return {(s, g): (int(n), lost, why) for s, g, lost, why, n in zip(*texts, sites["n_observed"].tolist())}


@cache
def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|")) if text else ()


def carries(assay: Assay) -> list[int]:
    """Indices of the positions where the sample carries an alternate allele, known to a definition or not."""
    return [int(i) for i in np.flatnonzero((assay.phased.alleles[assay.row] > 0).any(axis=1))]
