"""Which alignments belong to which sample: the sheet ``paths.alignments``, and a first look into the files."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pharmtwin.findings import Finding
from pharmtwin.genome.reading.contigs import chromosome, chromosome_length

COLUMNS = ("sample", "bam", "reference")


class ReadsError(ValueError):
    """Reads that cannot be used; the message says why and what to do, ``problems`` each line of a sheet apart."""

    def __init__(self, message: str, problems: Sequence[tuple[int, str]] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Alignment:
    """One row of the sheet. reference : FASTA with .fai, None where the cell is empty. row : line in the sheet."""

    sample: str
    bam: Path
    reference: Path | None
    row: int


@dataclass(frozen=True)
class Reads:
    """What WhatsHap is told of one sample's alignments.

    contigs : ``chr22`` -> name in the alignments, in their order. options : of ``whatshap phase``. row : of the sheet.
    """

    files: tuple[Path, ...]
    contigs: Mapping[str, str]
    options: tuple[str, ...]
    row: int

    def contig(self, name: str) -> str:
        """Name in the alignments of a contig of the VCF."""
        return self.contigs[chromosome(name)[0]]

    def order(self, name: str) -> int:
        """Place of a contig of the VCF among those of the alignments."""
        return list(self.contigs).index(chromosome(name)[0])


def read_alignments(path: Path) -> list[Alignment]:
    """Rows of the sheet (tab separated: sample, bam, reference; paths from the working directory).

    Raises ReadsError that lists every wrong line.
    """
    with open(path, encoding="utf-8-sig", newline="") as handle:
        table = list(csv.reader(handle, delimiter="\t"))
    if not table or tuple(cell.strip() for cell in table[0]) != COLUMNS:
        raise _sheet_error(path, [(1, f"the columns must be {', '.join(COLUMNS)}, separated by tabs")])
    rows, wrong, seen = [], [], set()
    for number, cells in enumerate(table[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        sample, bam, reference = [cell.strip() for cell in (*cells, "", "", "")[:3]]
        named = [Path(p) for p in (bam, reference) if p]
        if len(cells) > len(COLUMNS) or not sample or not bam:
            wrong.append((number, "a row needs sample, bam and perhaps reference"))
        wrong += [(number, f"the file {p} does not exist") for p in named if not os.path.isfile(p)]
        if reference and not os.path.isfile(Path(f"{reference}.fai")):
            wrong.append((number, f"the reference has no index; run `samtools faidx {reference}`"))
        if (sample, bam) in seen:
            wrong.append((number, "the row stands there twice"))
        seen.add((sample, bam))
        rows.append(Alignment(sample, Path(bam), Path(reference) if reference else None, number))
    if wrong:
        raise _sheet_error(path, wrong)
    return rows


def _sheet_error(path: Path, wrong: Sequence[tuple[int, str]]) -> ReadsError:
    return ReadsError("\n".join(f"{path}:{row}: {what}" for row, what in wrong), wrong)


def alignment_findings(path: Path, samples: Sequence[str]) -> list[Finding]:
    """What is wrong with the sheet of alignments; a sample that no twin uses (``samples``) is a warning."""
    why, fix = "reads settle the phase of these samples", "correct the row; columns: " + ", ".join(COLUMNS)
    try:
        rows = read_alignments(path)
    except ReadsError as error:
        return [Finding.create("reads.sheet", str(path), what, why, fix, row=row) for row, what in error.problems]
    except (OSError, UnicodeDecodeError):
        return [Finding.create("reads.unreadable", str(path), "the file cannot be read as text", why, fix)]
    known = set(samples)
    return [
        Finding.create(
            "reads.sample", str(path), "no twin has this sample", why, "correct the sample, or leave the row out",
            row=row.row, column="sample", value=row.sample, severity="warning",
        )
        for row in rows if row.sample not in known
    ]  # fmt: skip


def open_reads(sample: str, alignments: Sequence[Alignment], build: str) -> Reads:
    """Check the headers of one sample's files: same contigs, the VCF's build, an index, this sample's read groups.

    Raises ReadsError. Files without any read group are taken to hold this sample only; files whose read groups name
    others are refused, for that is how samples are mixed up.
    """
    import pysam  # heavy

    pysam.set_verbosity(0)
    row = alignments[0].row
    references = {a.reference for a in alignments}
    if len(references) > 1:
        raise ReadsError(f"line {row}: the alignments of one sample name different references")
    reference = references.pop()
    named: set[str] = set()
    bare = 0
    lengths: list[dict[str, int]] = []
    for a in alignments:
        if reference is None and a.bam.suffix == ".cram":
            raise ReadsError(f"line {a.row}: a CRAM file needs its reference")
        try:
            with pysam.AlignmentFile(str(a.bam), reference_filename=str(reference) if reference else None) as file:
                groups = [str(g.get("SM", "")) for g in file.header.to_dict().get("RG", [])]
                lengths.append(dict(zip(file.references, file.lengths)))
                indexed = file.has_index()
        except (OSError, ValueError) as error:
            raise ReadsError(f"line {a.row}: {a.bam} cannot be read as BAM or CRAM ({error})") from None
        if not indexed:
            raise ReadsError(f"line {a.row}: the alignments have no index; run `samtools index {a.bam}`")
        if groups and sample not in groups:
            raise ReadsError(f"line {a.row}: no read group of {a.bam} has SM:{sample}; the alignments are of another")
        named |= set(groups)
        bare += not groups
    if bare and named:
        raise ReadsError(f"line {row}: some alignments of the sample have read groups and some have none")
    if any(one != lengths[0] for one in lengths):
        raise ReadsError(f"line {row}: the alignments of one sample have different contigs")
    contigs = {chromosome(name)[0]: name for name in lengths[0] if chromosome(name)[0]}
    for chrom, name in contigs.items():
        if lengths[0][name] != chromosome_length(build, chrom):
            raise ReadsError(f"line {row}: {name} of the alignments has not the length of {build}, the VCF's build")
    options = ("--reference", str(reference)) if reference else ("--no-reference",)
    return Reads(
        tuple(a.bam for a in alignments), contigs, (*options, *(("--ignore-read-groups",) if bare else ())), row
    )
