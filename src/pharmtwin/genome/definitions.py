"""Star-allele definitions: which variants, at which GRCh38 positions, make which named allele.

Allele codes used throughout the genome stage (int8): ``0`` reference base of the position, ``k`` the k-th
alternate of the position, :data:`OTHER` an alternate that no definition knows, :data:`UNKNOWN` no evidence.

Sources: CPIC allele definition tables (CC0) as distributed by PharmCAT (Sangkuhl 2020,
doi:10.1002/cpt.1568), data version in ``resources/genes/definitions.tsv``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pharmtwin.facts import fact_table

GENES = (
    "CYP2D6", "CYP2C19", "CYP2C9", "CYP3A5", "SLCO1B1", "CYP2B6", "CYP3A4", "CYP4F2", "UGT1A1", "ABCG2", "DPYD",
    "TPMT", "NUDT15", "NAT2", "VKORC1", "G6PD", "CYP2C8", "CYP1A2", "ABCB1",
)  # fmt: skip
CALLED = 0.9  # probability from which a diplotype counts as called
STRUCTURAL_GENES = ("CYP2D6",)
ANCESTRIES = ("AFR", "AMR", "EAS", "EUR", "SAS", "ALL")
OTHER = 99
UNKNOWN = -1

Codes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Site:
    """One definition position: 1-based GRCh38 ``position``, VCF ``ref`` and ``alts``.

    position_grch37 : its position on GRCh37, None if unknown. ref_grch37 : the sequence of GRCh37 there, one of
    ref and alts written in the same way; ``""`` stands for ``ref``.
    """

    position: int
    rsid: str
    ref: str
    alts: tuple[str, ...]
    position_grch37: int | None = None
    ref_grch37: str = ""

    def position_on(self, build: str) -> int | None:
        """Position on ``GRCh38`` or ``GRCh37``, None if unknown."""
        return self.position if build == "GRCh38" else self.position_grch37

    def ref_on(self, build: str) -> str:
        """Reference sequence of ``GRCh38`` or ``GRCh37`` at the position."""
        return self.ref if build == "GRCh38" else self.ref_grch37 or self.ref

    def code(self, alt: str) -> int:
        """Code of an alternate; raises ValueError if the site does not define it."""
        return self.alts.index(alt) + 1


@dataclass(frozen=True)
class GeneDefinition:
    """A gene's definition table.

    Attributes
    ----------
    gene, chrom : HGNC symbol; chromosome with ``chr`` prefix.
    reference : the allele that the GRCh38 reference sequence carries (CYP2C19: ``*38``, not ``*1``).
    sites : definition positions in ascending order (n_sites).
    alleles : named alleles (n_alleles).
    core : (n_alleles, n_sites) codes an allele must carry; 0 where it demands nothing.
    optional : (n_alleles, n_sites) code an allele may carry without contradiction (IUPAC entries); 0 none.
    """

    gene: str
    chrom: str
    reference: str
    sites: tuple[Site, ...]
    alleles: tuple[str, ...]
    core: Codes = field(repr=False)
    optional: Codes = field(repr=False)

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        """GRCh38 positions, ascending (n_sites)."""
        return np.array([s.position for s in self.sites], dtype=np.int64)

    def name(self, haplotype: Sequence[int] | Codes) -> tuple[str, int]:
        """Star name of a complete haplotype and the number of its variants the name does not explain.

        All core variants of an allele must be present. Among such alleles the one that leaves the fewest
        variants unexplained wins, then the one with most core variants (PharmCAT's score), then the lowest
        number. A haplotype that combines several alleles gets the best one and ``unexplained`` > 0.

        Parameters: ``haplotype``, codes of shape (n_sites,), none UNKNOWN (ValueError).
        """
        codes = np.asarray(haplotype, dtype=np.int8)
        if (codes == UNKNOWN).any():
            raise ValueError(f"{self.gene}: a haplotype with unknown positions has no single name")
        has_core = ((self.core == 0) | (self.core == codes)).all(axis=1)
        explained = (codes == 0) | (self.core == codes) | (self.optional == codes)
        unexplained = (~explained).sum(axis=1)
        score = (self.core > 0).sum(axis=1)
        best = min(np.flatnonzero(has_core), key=lambda i: (unexplained[i], -score[i], natural_key(self.alleles[i])))
        return self.alleles[best], int(unexplained[best])


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Rows of a fact table as named tuples (untyped: pandas cannot know the columns)."""
    return list(frame.itertuples(index=False))


def natural_key(allele: str) -> tuple[tuple[int, ...], str]:
    """Sorting key: by the numbers in the name, then the text (``*2`` before ``*10``)."""
    return tuple(int(n) for n in re.findall(r"\d+", allele)), allele


def diplotype(*alleles: str) -> str:
    """The alleles in natural order, joined by ``/``: ``diplotype("*36+*10", "*10") == "*10/*36+*10"``.

    One allele alone (an X chromosome of a man) stays as it is.
    """
    return "/".join(sorted(alleles, key=natural_key))


@cache
def gene_definition(gene: str) -> GeneDefinition:
    """Definition of one gene from ``resources/genes``; raises KeyError naming the genes there are."""
    positions = _rows("positions.tsv", gene)
    sites = tuple(
        Site(
            int(row.position),
            str(row.rsid) if pd.notna(row.rsid) else "",
            str(row.ref),
            tuple(str(row.alts).split(",")),
            int(row.position_grch37) if pd.notna(row.position_grch37) else None,
            _ref_grch37(row),
        )
        for row in rows_of(positions)
    )
    index = {site.position: i for i, site in enumerate(sites)}
    core_rows = _rows("definitions.tsv", gene)
    alleles = tuple(dict.fromkeys(core_rows["allele"].astype(str)))
    reference = str(core_rows.loc[core_rows["position"].isna(), "allele"].iloc[0])
    row_of = {a: i for i, a in enumerate(alleles)}
    core = np.zeros((len(alleles), len(sites)), dtype=np.int8)
    optional = np.zeros_like(core)
    for row in rows_of(core_rows[core_rows["position"].notna()]):
        column = index[int(row.position)]
        core[row_of[str(row.allele)], column] = sites[column].code(str(row.alt))
    for row in rows_of(_rows("optional_variants.tsv", gene, may_be_empty=True)):
        column = index[int(row.position)]
        code = sites[column].code(str(row.alt))
        # what the reference allele tolerates, every allele without an entry of its own tolerates too
        rows = range(len(alleles)) if row.allele == reference else [row_of[str(row.allele)]]
        for r in rows:
            if core[r, column] == 0:
                optional[r, column] = code
    core.setflags(write=False)
    optional.setflags(write=False)
    return GeneDefinition(gene, str(positions["chrom"].iloc[0]), reference, sites, alleles, core, optional)


def _ref_grch37(row: Any) -> str:
    """GRCh37's sequence at a position; ``""`` if the table has none; ValueError if it is no allele of the position."""
    found = getattr(row, "ref_grch37", None)
    if found is None or pd.isna(found):
        return ""
    if str(found) not in (str(row.ref), *str(row.alts).split(",")):
        raise ValueError(f"{row.gene} {row.position}: ref_grch37 {found} is neither ref nor alt")
    return str(found)


def _rows(table: str, gene: str, *, may_be_empty: bool = False) -> pd.DataFrame:
    frame = fact_table(f"genes/{table}")
    rows = frame[frame["gene"] == gene]
    if rows.empty and not may_be_empty:
        raise KeyError(f"gene {gene!r} is not in genes/{table}; known: {sorted(frame['gene'].unique())}")
    return rows
