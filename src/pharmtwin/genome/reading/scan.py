"""The one pass over a file: every line checked for its form, the records at definition positions handed on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pharmtwin.genome.reading.build import Ballot, LocusIndex, all_loci, build_of_header, understand
from pharmtwin.genome.reading.contigs import BUILDS, chromosome, chromosome_length, header_build, is_plink_number
from pharmtwin.genome.reading.file import Region, VcfFile
from pharmtwin.genome.reading.records import Record
from pharmtwin.genome.reading.rules import Problems
from pharmtwin.untrusted import is_whole


@dataclass
class Tally:
    """Lines seen: ``lines`` of any kind, ``known`` on chromosomes with a known name; ``contigs`` of other names (the
    first five); ``builds`` that contig accessions name."""

    lines: int = 0
    known: int = 0
    contigs: tuple[str, ...] = ()
    builds: frozenset[str] = frozenset()


def merged_regions(indices: Sequence[LocusIndex]) -> list[Region]:
    """Regions of several indices, ascending, without overlap."""
    out: list[Region] = []
    for chrom, first, last in sorted(region for index in indices for region in index.regions()):
        if out and out[-1][0] == chrom and first <= out[-1][2] + 1:
            out[-1] = (chrom, out[-1][1], max(last, out[-1][2]))
        else:
            out.append((chrom, first, last))
    return out


def scan(
    file: VcfFile, indices: Sequence[LocusIndex], build: str, problems: Problems, tally: Tally
) -> Iterator[Record]:
    """Records that touch a position of one of the indices, in the order of the file.

    ``build`` ("" if unknown) sets the lengths that POS may not pass. What is wrong with a line goes to ``problems``.
    """

    def wanted(name: str, first: int, last: int) -> bool:
        tally.lines += 1
        chrom = chromosome(name)[0]
        return any(index.touching(chrom, first, last) for index in indices)

    width = 9 + len(file.samples)
    order = _Order()
    for row, line in file.records(problems, wanted, merged_regions(indices)):
        if not line.strip():
            continue
        tally.lines += file.kind != "bcf"
        record = _parse(row, line, width, problems)
        if record is None:
            continue
        chrom, named = chromosome(record.chrom)
        if not chrom:
            if len(tally.contigs) < 5 and record.chrom not in tally.contigs:
                tally.contigs += (record.chrom,)
            continue
        tally.known += 1
        if named and named not in tally.builds:
            tally.builds |= {named}
        place = f"{record.chrom}:{record.position}"
        if is_plink_number(record.chrom):
            problems.add("vcf.contig_number", row=row, value=record.chrom)
        if named and build and named != build:
            problems.add("vcf.build_conflict", row=row, value=f"{build} by the header, {record.chrom} is {named}")
        if record.position > (chromosome_length(build, chrom) or 2**62):
            problems.add("vcf.position", row=row, value=place)
            continue
        if row and not order.fits(chrom, record.position):
            problems.add("vcf.unsorted", row=row, value=place)
        if any(index.touching(chrom, record.position, record.last) for index in indices):
            yield Record(
                row, chrom, record.position, record.ref, record.alts, record.filter, record.info_text, record.format,
                record.samples_text,
            )  # fmt: skip


class _Order:
    """Whether records ascend within a chromosome, and chromosomes do not come back."""

    def __init__(self) -> None:
        self.chrom, self.position, self.done = "", 0, set[str]()

    def fits(self, chrom: str, position: int) -> bool:
        if chrom != self.chrom:
            self.done.add(self.chrom)
            fits = chrom not in self.done
        else:
            fits = position >= self.position
        self.chrom, self.position = chrom, position
        return fits


def _parse(row: int, line: str, width: int, problems: Problems) -> Record | None:
    """The record of a line with the contig name as written, or None if it cannot be one."""
    if line.startswith("#"):
        problems.add("vcf.concatenated" if line.startswith(("##", "#CHROM")) else "vcf.comment", row=row)
        return None
    columns = line.count("\t") + 1
    if columns != width:
        spaced = columns == 1 and len(line.split()) > 1
        problems.add(
            "vcf.spaces" if spaced else "vcf.columns", row=row, value="" if spaced else f"{columns}, not {width}"
        )
        return None
    if line.endswith("\r\n"):
        problems.add("vcf.crlf", row=row)
    chrom, pos, _, ref, alt, _, flt, info, form, samples = line.split("\t", 9)
    if not is_whole(pos):
        problems.add("vcf.position", row=row, value=f"{chrom}:{pos[:20]}")
        return None
    if int(pos) == 0:
        problems.add("vcf.position_zero", row=row, value=chrom)
        return None
    return Record(row, chrom, int(pos), ref, tuple(alt.split(",")), flt, info, tuple(form.split(":")), samples)


def find_build(file: VcfFile, stated: str, problems: Problems) -> str:
    """The build of a file by config, header, or else by its records; ``""`` if it cannot be told (a problem)."""
    build = build_of_header(header_build(file.header), stated, problems)
    if build:
        return build
    ballot, tally = vote(file)
    if len(tally.builds) == 1:
        return next(iter(tally.builds))
    build = "" if tally.builds else ballot.winner()
    if not build and not problems.errors():
        if tally.builds or all(v.hits for v in ballot.votes.values()):
            problems.add("vcf.build_conflict", value="records of both builds")
        elif tally.lines:
            problems.add("vcf.build_unknown")
    return build


def vote(file: VcfFile) -> tuple[Ballot, Tally]:
    """Let the records of a whole file vote for a build (genotypes are not read)."""
    ballot, tally = Ballot(), Tally()
    indices = [all_loci(build) for build in BUILDS]
    for record in scan(file, indices, "", Problems(), tally):
        for index in indices:
            touched = index.touching(record.chrom, record.position, record.last)
            ballot.votes[index.build].add(record, understand(record, touched))
    return ballot, tally
