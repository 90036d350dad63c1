"""Reading a VCF or BCF at the definition positions, and nothing else.

Three states of a position, never mixed: *observed*; *reference by declaration* (absent from the file, and the
config says ``absent: reference``); *not assayed*. Missing is never reference. Not assayed are also positions
whose records all fail FILTER, whose REF contradicts the definition, and genotypes ``./.``.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cyvcf2 import VCF

from pharmtwin.genome import records
from pharmtwin.genome.definitions import GENES, UNKNOWN, GeneDefinition, gene_definition

UNPHASED = -1
FILE_BLOCK = 0


class VcfError(ValueError):
    """A VCF that cannot be read as what it must be; the message says why and what to do."""


@dataclass(frozen=True)
class SiteCalls:
    """What a file says about one gene.

    alleles : (n_samples, n_sites, 2) codes; UNKNOWN where there is no evidence.
    block : (n_samples, n_sites) phase block: -1 unphased, 0 ``|`` without PS, otherwise the PS value.
    declared : (n_sites,) reference by declaration.
    filtered, contradicted : numbers of sites lost to FILTER and to a REF that is not the definition's.
    """

    definition: GeneDefinition
    samples: tuple[str, ...]
    alleles: npt.NDArray[np.int8]
    block: npt.NDArray[np.int32]
    declared: npt.NDArray[np.bool_]
    filtered: int
    contradicted: int

    @property
    def n_covered(self) -> int:
        """Sites with at least one allele seen in at least one sample."""
        return int((self.alleles[:, ~self.declared] != UNKNOWN).any(axis=(0, 2)).sum())


def read_sites(
    path: Path, genes: Sequence[str] = GENES, *, absent: str = "not_assayed", samples: Sequence[str] | None = None
) -> dict[str, SiteCalls]:
    """Genotypes at the definition positions of ``genes``, by index if there is one, else in one streaming pass.

    ``absent``: what a position without any record means: ``not_assayed`` or ``reference`` (declaration).
    Raises VcfError for an unreadable file, unknown samples, no samples.
    """
    if absent not in ("not_assayed", "reference"):
        raise ValueError(f"absent must be 'not_assayed' or 'reference', not {absent!r}")
    vcf = open_vcf(path)
    wanted = list(vcf.samples) if samples is None else list(samples)
    lacking = [s for s in wanted if s not in set(vcf.samples)]
    if lacking or not wanted:
        raise VcfError(f"{path}: samples not in the file: {lacking[:5]}" if lacking else f"{path}: no sample columns")
    rows = np.array([vcf.samples.index(s) for s in wanted])
    state = {gene: _GeneState(gene_definition(gene), len(wanted)) for gene in genes}
    spans = {g: (s.definition.chrom, s.definition.positions) for g, s in state.items()}
    for gene, site_index, variant in at_positions(vcf, path, spans):
        state[gene].add(site_index, variant, rows)
    return {gene: s.finish(tuple(wanted), absent) for gene, s in state.items()}


class _GeneState:
    """Accumulates the records of one gene while the file is read."""

    def __init__(self, definition: GeneDefinition, n_samples: int) -> None:
        n_sites = len(definition.sites)
        self.definition = definition
        self.alleles = np.full((n_samples, n_sites, 2), records.UNSEEN, dtype=np.int8)
        self.block = np.full((n_samples, n_sites), UNPHASED, dtype=np.int32)
        self.present = np.zeros(n_sites, dtype=bool)
        self.filtered: set[int] = set()
        self.contradicted: set[int] = set()

    def add(self, index: int, variant: Any, rows: npt.NDArray[np.int64]) -> None:
        site = self.definition.sites[index]
        if records.is_symbolic(variant.ALT):
            return
        block = records.is_reference_block(variant.ALT)
        if block and variant.POS <= site.position <= (variant.INFO.get("END") or variant.POS):
            codes: list[int] | None = [0, *(records.OTHER for _ in variant.ALT)]
            if site.position == variant.POS and variant.REF[0].upper() not in (site.ref[0], "N"):
                codes = None
                self.contradicted.add(index)
                self.present[index] = True
        else:
            try:
                codes = records.allele_codes(variant.POS, variant.REF, variant.ALT, site)
            except ValueError:
                self.contradicted.add(index)
                self.present[index] = True
                return
        if codes is None:
            return
        self.present[index] = True
        if variant.FILTER is not None:
            self.filtered.add(index)
            return
        genotypes = variant.genotype.array()[rows]
        self.alleles[:, index] = records.merge(self.alleles[:, index], records.genotype_codes(genotypes, codes))
        self.block[:, index] = np.where(genotypes[:, -1] == 1, _phase_sets(variant, rows), UNPHASED)

    def finish(self, samples: tuple[str, ...], absent: str) -> SiteCalls:
        alleles = self.alleles
        declared = ~self.present if absent == "reference" else np.zeros_like(self.present)
        alleles[:, declared] = 0
        alleles[alleles == records.UNSEEN] = UNKNOWN
        return SiteCalls(
            self.definition, samples, alleles, self.block, declared, len(self.filtered), len(self.contradicted)
        )


def _phase_sets(variant: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """PS of each sample; FILE_BLOCK where the field is absent or missing (then ``|`` holds across the file)."""
    values = variant.format("PS") if "PS" in variant.FORMAT else None
    if values is None or values.ndim != 2 or values.dtype.kind not in "iu":
        return np.full(len(rows), FILE_BLOCK, dtype=np.int32)
    picked = values[rows, 0].astype(np.int32)
    return np.where(picked > 0, picked, FILE_BLOCK).astype(np.int32)


def open_vcf(path: Path) -> Any:
    """A lazy cyvcf2 reader; raises VcfError if htslib cannot open the file."""
    if not Path(path).is_file():
        raise VcfError(f"{path}: no such file")
    try:
        return VCF(str(path), lazy=True)
    except Exception as error:  # cyvcf2 raises bare Exceptions and OSErrors alike
        raise VcfError(f"{path}: cannot be read as VCF or BCF ({error})") from error


def at_positions(
    vcf: Any, path: Path, spans: dict[str, tuple[str, npt.NDArray[np.int64]]]
) -> Iterator[tuple[str, int, Any]]:
    """(gene, index of a position, record) for every record that covers a position; positions ascend per gene."""
    contigs = {name.removeprefix("chr"): name for name in vcf.seqnames}
    indexed = any(Path(f"{path}{suffix}").exists() for suffix in (".tbi", ".csi"))
    if indexed:
        for gene, (chrom, positions) in spans.items():
            contig = contigs.get(chrom.removeprefix("chr"))
            if contig is not None:
                region = f"{contig}:{positions[0] - 1}-{positions[-1] + 1}"
                for variant in vcf(region):
                    for index in _covered(variant, positions):
                        yield gene, index, variant
        return
    by_contig: dict[str, list[tuple[str, npt.NDArray[np.int64]]]] = {}
    for gene, (chrom, positions) in spans.items():
        by_contig.setdefault(chrom.removeprefix("chr"), []).append((gene, positions))
    for variant in vcf:
        for gene, positions in by_contig.get(variant.CHROM.removeprefix("chr"), ()):
            if positions[-1] + 1 >= variant.POS:
                for index in _covered(variant, positions):
                    yield gene, index, variant


def _covered(variant: Any, positions: npt.NDArray[np.int64]) -> range:
    """Indices of the positions from one base left of the record to its end (REF or gVCF END)."""
    last = max(variant.POS + len(variant.REF) - 1, variant.end)
    return range(
        int(np.searchsorted(positions, variant.POS - 1)), int(np.searchsorted(positions, last + 1, side="right"))
    )


def header_lines(path: Path) -> list[str]:
    """Header of a text VCF (plain or bgzip) or BCF; raises VcfError if it has none."""
    try:
        with open(path, "rb") as raw:
            magic = raw.read(2)
        with gzip.open(path, "rb") if magic == b"\x1f\x8b" else open(path, "rb") as handle:
            if handle.read(3) == b"BCF":
                return str(open_vcf(path).raw_header).rstrip("\n\0").split("\n")
            handle.seek(0)
            lines = []
            for line in handle:
                if not line.startswith(b"#"):
                    break
                lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
    except (OSError, EOFError) as error:
        raise VcfError(f"{path}: cannot be read ({error})") from error
    if not lines or not lines[0].startswith("##fileformat=VCF") or not lines[-1].startswith("#CHROM"):
        raise VcfError(f"{path}: no VCF header")
    return lines
