"""Reading a VCF, BCF or gVCF of either build at the definition positions, and nothing else.

docs/vcf-input.md says what is read and how; vcf_file opens, vcf_scan checks every line, vcf_build finds the build,
vcf_alleles says what an allele means, vcf_sites keeps the states of the positions.
"""

from __future__ import annotations

import dataclasses
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pharmtwin.genome.definitions import GENES, gene_definition
from pharmtwin.genome.reading.alleles import REFERENCE_ONLY, is_sequence
from pharmtwin.genome.reading.bed import BedError, Intervals, covered, read_bed
from pharmtwin.genome.reading.build import Ballot, LocusIndex, Understood, other_build, understand
from pharmtwin.genome.reading.contigs import BUILDS
from pharmtwin.genome.reading.file import VcfError, VcfFile, open_file
from pharmtwin.genome.reading.records import Record, genotypes
from pharmtwin.genome.reading.repeats import is_repeat
from pharmtwin.genome.reading.rules import Problems
from pharmtwin.genome.reading.scan import Tally, find_build, scan
from pharmtwin.genome.reading.sites import (
    BLOCK,
    CALLABLE,
    CONTRADICTIONS,
    DECLARED,
    FILE_BLOCK,
    NOT_ASSAYED,
    OBSERVED,
    UNPHASED,
    GeneState,
    SiteCalls,
)

__all__ = [
    "BLOCK", "CALLABLE", "CONTRADICTIONS", "DECLARED", "FILE_BLOCK", "NOT_ASSAYED", "OBSERVED", "UNPHASED",
    "ReadOptions", "SiteCalls", "VcfError", "gather", "header_lines", "open_vcf", "read_sites",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """How a file is read; the parameters of :func:`read_sites`. Raises ValueError for an unknown choice."""

    absent: str = "not_assayed"
    build: str = "auto"
    filters: str = "pass"
    min_depth: int = 1
    min_quality: int = 0
    callable: Path | None = None

    def __post_init__(self) -> None:
        choices = {"absent": ("not_assayed", "reference"), "build": ("auto", *BUILDS), "filters": ("pass", "any")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")


def read_sites(
    path: Path | str,
    genes: Sequence[str] = GENES,
    *,
    absent: str = "not_assayed",
    samples: Sequence[str] | None = None,
    build: str = "auto",
    filters: str = "pass",
    min_depth: int = 1,
    min_quality: int = 0,
    callable: Path | None = None,
) -> dict[str, SiteCalls]:
    """Genotypes at the definition positions of ``genes``, by index if there is one, else in one streaming pass.

    Codes are those of GRCh38 on either build.

    absent : what a position without any record means: ``not_assayed`` or ``reference`` (declaration; on a GRCh37 file
        the base of GRCh37).
    samples : samples to read, in this order; default all.
    build : ``auto``, ``GRCh38`` or ``GRCh37``.
    filters : ``pass`` (FILTER and FT must be PASS or missing) or ``any``.
    min_depth, min_quality : least DP (MIN_DP of a block) and GQ, where stated; genotypes below are not assayed.
    callable : BED of callable regions in the file's build; a position inside without a record is reference.

    Raises VcfError for whatever :mod:`pharmtwin.genome.reading.checks` calls an error, and ValueError for an unknown
    option.
    """
    options = ReadOptions(absent, build, filters, min_depth, min_quality, callable)
    problems = Problems()
    file = open_file(Path(path), problems)
    lacking = [s for s in samples or () if file is not None and s not in file.samples]
    if lacking:
        raise VcfError(f"{path}: samples not in the file: {lacking[:5]}")
    found = gather(file, genes, options, problems, samples) if file is not None else None
    errors = problems.errors()
    if errors or found is None:
        more = f" (and {len(errors) - 1} more errors)" if len(errors) > 1 else ""
        raise VcfError(errors[0].finding(str(path)).message() + more if errors else f"{path}: cannot be read")
    return found


def gather(
    file: VcfFile, genes: Sequence[str], options: ReadOptions, problems: Problems, samples: Sequence[str] | None = None
) -> dict[str, SiteCalls] | None:
    """:func:`read_sites` of an opened file that adds what is wrong to ``problems``; None if no build can be told."""
    build = find_build(file, options.build, problems)
    if not build:
        if not any(line.strip() for _, line in file.records(Problems(), lambda *_: True, None)):
            problems.add("vcf.empty")
        return None
    names = tuple(file.samples if samples is None else samples)
    rows = None if samples is None else [file.samples.index(s) for s in names]
    own, other = LocusIndex(build, genes), LocusIndex(other_build(build), genes)
    states = {g: GeneState(gene_definition(g), len(names), found) for g, found in own.by_gene.items()}
    reading = _Reading(states, options, problems, rows)
    tally, ballot = Tally(), Ballot()
    for record in scan(file, (own, other), build, problems, tally):
        elsewhere = other.touching(record.chrom, record.position, record.last)
        if elsewhere:
            ballot.votes[other.build].add(record, understand(record, elsewhere))
        touched = own.touching(record.chrom, record.position, record.last)
        if touched:
            found = understand(record, touched)
            ballot.votes[build].add(record, found)
            reading.take(record, found, own)
    if not tally.lines and file.index is not None:  # nothing there, or the index of another file
        whole = gather(dataclasses.replace(file, index=None), genes, options, problems, samples)
        if whole is not None and any(calls.n_covered for calls in whole.values()):
            problems.add("vcf.index_broken", value=file.index.name)
        return whole
    _check_tally(tally, problems)
    against = ballot.against(build, tally.known)
    if against and "vcf.build_conflict" not in problems:
        problems.add("vcf.build_conflict", value=against)
    regions = _callable(options.callable, build, problems)
    return {
        gene: state.finish(
            names, build, absent=options.absent,
            callable_sites=covered(regions, state.definition.chrom, own.by_gene[gene], len(state.definition.sites)),
        )
        for gene, state in states.items()
    }  # fmt: skip


@dataclasses.dataclass
class _Reading:
    """Hands the genotypes of records on to the states of the genes."""

    states: dict[str, GeneState]
    options: ReadOptions
    problems: Problems
    rows: Sequence[int] | None

    def take(self, record: Record, found: Understood, own: LocusIndex) -> None:
        structural = own.touching(record.chrom, record.position, record.last) if record.is_structural else found.unclear
        for view in structural:
            if record.position <= view.position <= record.last:
                self.states[view.gene].count("structural", view.index, row=record.row)
        if record.is_structural:
            return
        for view, kind in found.contradictions.items():
            self.states[view.gene].lose(kind, view.index, record.row)
        if not found.meanings:
            return
        about = [view for view, m in found.meanings.items() if m.own]
        if not record.passes(self.options.filters):
            for view in about:
                self.states[view.gene].lose("filtered", view.index, record.row)
            return
        if "GT" not in record.format:
            if about:
                self.problems.add("vcf.no_gt", row=record.row, value=f"{record.chrom}:{record.position}")
            return
        if record.format[0] != "GT":
            self.problems.add("vcf.gt_not_first", row=record.row)
        o = self.options
        read = genotypes(record, self.rows, min_depth=o.min_depth, min_quality=o.min_quality, filters=o.filters)
        if read.invalid:
            self.problems.add("vcf.gt_invalid", row=record.row, count=read.invalid)
        odd = any(_is_odd(a) for a in record.alts)
        again = False
        for view, m in found.meanings.items():
            state = self.states[view.gene]
            again |= state.add(view, record, m, read)
            state.count("alt_invalid", view.index, int(odd and m.own), record.row)
        if again:
            self.problems.add("vcf.duplicate", row=record.row, value=f"{record.chrom}:{record.position}")


def _is_odd(alt: str) -> bool:
    """True for an ALT that is neither a sequence of A, C, G, T nor a symbol."""
    symbol = alt in (*REFERENCE_ONLY, "*") or is_repeat(alt) or alt.startswith("<") or "[" in alt or "]" in alt
    return not symbol and not is_sequence(alt.upper())


def _check_tally(tally: Tally, problems: Problems) -> None:
    broken = {"vcf.truncated", "vcf.corrupt", "vcf.columns", "vcf.spaces", "vcf.position"}
    if any(rule in problems for rule in broken):
        return
    if not tally.lines:
        problems.add("vcf.empty")
    elif not tally.known and tally.contigs:
        problems.add("vcf.contig_unknown", value=", ".join(tally.contigs))


def _callable(path: Path | None, build: str, problems: Problems) -> Intervals:
    if path is None:
        return {}
    try:
        regions, builds = read_bed(Path(path))
    except BedError as error:
        problems.add("vcf.callable", value=f"{Path(path).name}: {error}")
        return {}
    except (OSError, UnicodeDecodeError, EOFError, zlib.error):
        problems.add("vcf.callable", value=f"{Path(path).name}: cannot be read")
        return {}
    if builds - {build}:
        problems.add("vcf.build_conflict", value=f"{Path(path).name} is not on {build}")
    return regions


def header_lines(path: Path | str) -> list[str]:
    """Header of a text VCF (plain, gzip, bgzip) or BCF; raises VcfError if it has none."""
    problems = Problems()
    file = open_file(Path(path), problems)
    if file is None:
        raise VcfError(problems.errors()[0].finding(str(path)).message())
    return list(file.header)


def open_vcf(path: Path | str) -> Any:
    """A lazy cyvcf2 reader of any record, for the polygenic scores; raises VcfError if htslib cannot open the file."""
    from cyvcf2 import VCF  # heavy

    if not os.path.isfile(Path(path)):
        raise VcfError(f"{path}: no such file")
    try:
        return VCF(str(path), lazy=True)
    except Exception as error:  # cyvcf2 raises bare Exceptions and OSErrors alike
        raise VcfError(f"{path}: cannot be read as VCF or BCF ({error})") from error
