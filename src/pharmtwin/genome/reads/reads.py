"""Phase from sequencing reads: WhatsHap joins heterozygous calls that lie on the same reads.

WhatsHap (Martin et al. 2016, doi:10.1101/085050; MIT licence) is a separate program, run once a sample on a small VCF
of that sample's unphased heterozygous calls. Only what it says of their order is taken over, as ``|`` and PS, into a
copy of the gene regions: no allele, no other phase and no other field changes, and the finished file is compared with
the original before it is used.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pharmtwin.files import replace_atomically
from pharmtwin.genome.definitions import GENES, gene_definition
from pharmtwin.genome.outside.structural_records import REACH, gene_spans
from pharmtwin.genome.reading.alleles import REFERENCE_ONLY
from pharmtwin.genome.reading.checks import detect_build
from pharmtwin.genome.reading.contigs import chromosome
from pharmtwin.genome.reading.file import Region, VcfFile, open_file
from pharmtwin.genome.reading.records import PASSING
from pharmtwin.genome.reading.rules import Problems
from pharmtwin.genome.reads.sheet import Alignment, Reads, ReadsError, open_reads
from pharmtwin.untrusted import is_whole

#: bases beside a gene whose heterozygous calls may join two inside it
FLANK = 1_000
BASES = re.compile(r"[ACGTN]+", re.IGNORECASE)
HETEROZYGOUS = re.compile(r"(\d+)([/|])(\d+)")
PS_LINE = '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set">'
INSTALL = "WhatsHap is not installed; run `make reads`, or leave paths.alignments empty"


class Site(NamedTuple):
    """A heterozygous call of one sample.

    number : of its record among those kept, from 0. first, second : allele indices as written. alt : the one
    alternate besides REF. why_not : why WhatsHap is not asked ("" if it is).
    """

    number: int
    chrom: str
    position: int
    ref: str
    alt: str
    first: int
    second: int
    why_not: str


class Phase(NamedTuple):
    """Order of the alleles of a call (indices into REF and ALTs) and the phase set that it belongs to."""

    first: int
    second: int
    block: int


def whatshap_program() -> str:
    """Path of the program ``whatshap``; raises ReadsError with the way to install it."""
    beside = Path(sys.executable).parent / "whatshap"  # the environment's, also where that is not on the path
    found = shutil.which("whatshap") or (str(beside) if beside.exists() else "")
    if not found:
        raise ReadsError(INSTALL)
    return found


def gene_regions(build: str, genes: Sequence[str] = GENES) -> dict[str, Region]:
    """(chromosome, first, last) a gene: its transcript, its pseudogene, its definition positions and FLANK bases."""
    out = {}
    for gene, span in gene_spans(build).items():
        if gene not in genes:
            continue
        ends = [span.start, span.end, *(p for p in span.paralog if p)]
        ends += [p for s in gene_definition(gene).sites if (p := s.position_on(build)) is not None]
        out[gene] = (span.chrom, max(1, min(ends) - FLANK), max(ends) + FLANK)
    return out


def phase_file(
    path: Path, target: Path, alignments: Sequence[Alignment], genes: Sequence[str] = GENES, *, build: str = "auto"
) -> pd.DataFrame:
    """Write the gene regions of a VCF or BCF with read-backed phase as bgzip VCF with index; table ``read_phasing``.

    alignments : those of samples that the file lacks are left out; several of one sample are used together.
    build : ``auto``, GRCh38 or GRCh37.
    Calls that the file has phased already are kept as they are. Raises ReadsError for an unreadable file, unknown
    build, alignments that do not fit, a failing WhatsHap, or a genotype that is not what it was.
    """
    program, problems = whatshap_program(), Problems()
    file = open_file(path, problems)
    if build == "auto":
        build = detect_build(path, file.header) if file is not None else ""
    if file is None or problems.errors():
        raise ReadsError(problems.errors()[0].finding(str(path)).message())
    if not build:
        raise ReadsError(f"{path}: the genome build cannot be told; add ##contig lengths to the header")
    regions = gene_regions(build, genes)
    by_sample: dict[str, list[Alignment]] = defaultdict(list)
    for alignment in alignments:
        if alignment.sample in file.samples:
            by_sample[alignment.sample].append(alignment)
    heterozygous, blocks = _heterozygous(file, regions, list(by_sample))
    phases: dict[str, dict[int, Phase]] = {}
    rows: list[dict[str, object]] = []
    for sample, mine in by_sample.items():
        reads = open_reads(sample, mine, build)
        sites = _asked(heterozygous[sample], reads)
        phases[sample] = _run(program, sample, reads, sites, blocks[sample])
        rows += _account(sample, sites, phases[sample], regions)
    _write(file, regions, phases, target, _version(program))
    compare(file, regions, target)
    return pd.DataFrame(
        rows, columns=["sample", "gene", "n_unphased", "n_phased", "n_blocks", "n_not_asked", "why_not"]
    )


def _kept(file: VcfFile, regions: Mapping[str, Region]) -> Iterator[list[str]]:
    """Cells of the records that reach into a gene region; structural ones also from afar, as the caller reads them.

    Of a file without any of these the first record is kept: without records a VCF counts as broken.
    """
    wide: dict[str, tuple[int, int]] = {}
    for chrom, first, last in regions.values():
        low, high = wide.get(chrom, (first, last))
        wide[chrom] = min(low, first), max(high, last)
    ask = [(chrom, max(1, low - REACH), high) for chrom, (low, high) in sorted(wide.items())]
    problems, found = Problems(), False
    for _, line in file.records(problems, lambda name, first, last: chromosome(name)[0] in wide, ask):
        if not line.strip():
            continue
        cells = line.rstrip("\r\n").split("\t", 8)
        chrom, position = chromosome(cells[0])[0], int(cells[1])
        structural = re.search(r"[\[\]]|<(?!NON_REF>|\*>|X>)", cells[4]) is not None
        stated = re.search(r"(?:^|;)END=(\d+)", cells[7])
        last = max(position + len(cells[3]) - 1, int(stated[1]) if stated else 0)
        here = any(c == chrom and position <= high and last >= low for c, low, high in regions.values())
        if here or (structural and chrom in wide):
            found = True
            yield [*cells[:8], *cells[8].split("\t")]
    if not found:
        first_line = next((line for _, line in file.records(problems, lambda *_: True, None)), "")
        yield from [first_line.rstrip("\r\n").split("\t")] if first_line else []
    if problems.errors():
        raise ReadsError(problems.errors()[0].finding(str(file.path)).message())


def _heterozygous(
    file: VcfFile, regions: Mapping[str, Region], samples: Sequence[str]
) -> tuple[dict[str, list[Site]], dict[str, set[int]]]:
    """Unphased heterozygous calls by sample, and the phase sets that the file has already given to each."""
    column = {s: 9 + file.samples.index(s) for s in samples}
    found: dict[str, list[Site]] = {s: [] for s in samples}
    blocks: dict[str, set[int]] = {s: set() for s in samples}
    for number, cells in enumerate(_kept(file, regions)):
        keys = cells[8].split(":")
        alleles = [cells[3], *cells[4].split(",")]
        for sample, at in column.items():
            field = cells[at].split(":")
            call = HETEROZYGOUS.fullmatch(field[keys.index("GT")]) if "GT" in keys else None
            if call is None or call[1] == call[3]:
                continue
            first, second = int(call[1]), int(call[3])
            if call[2] == "|":
                ps = field[keys.index("PS")] if "PS" in keys and keys.index("PS") < len(field) else ""
                blocks[sample] |= {int(ps)} if is_whole(ps) else set()
                continue
            alt = alleles[max(first, second)]
            why = ""
            if min(first, second) > 0:
                why = "two alternates"
            elif not BASES.fullmatch(alt) or alt in REFERENCE_ONLY:
                why = "no sequence"
            elif cells[6] not in PASSING:
                why = "FILTER"
            found[sample].append(Site(number, cells[0], int(cells[1]), cells[3], alt, first, second, why))
    return found, blocks


def _asked(sites: Sequence[Site], reads: Reads) -> list[Site]:
    """The calls with ``why_not`` where several share a position or the alignments lack the chromosome."""
    many = Counter((s.chrom, s.position) for s in sites if not s.why_not)
    out = []
    for site in sites:
        why = site.why_not
        if not why and many[site.chrom, site.position] > 1:
            why = "several records"
        if not why and chromosome(site.chrom)[0] not in reads.contigs:
            why = "chromosome not in the alignments"
        out.append(site._replace(why_not=why))
    return out


def _run(program: str, sample: str, reads: Reads, sites: Sequence[Site], taken: set[int]) -> dict[int, Phase]:
    """Phase by record number. ``taken`` : phase sets of the file, whose numbers are not used a second time."""
    asked = sorted((s for s in sites if not s.why_not), key=lambda s: (reads.order(s.chrom), s.position))
    if len(asked) < 2:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.vcf", Path(folder) / "made.vcf"
        head = ["##fileformat=VCFv4.2", *(f"##contig=<ID={name}>" for name in reads.contigs.values())]
        head += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
        head += ["\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", sample])]
        lines = [f"{reads.contig(s.chrom)}\t{s.position}\t.\t{s.ref}\t{s.alt}\t.\tPASS\t.\tGT\t0/1" for s in asked]
        given.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
        files = [str(Path(f).absolute()) for f in reads.files]  # a name that begins with - is no option
        command = [program, "phase", "--output", str(made), *reads.options, str(given), *files]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not made.is_file():
            why = " ".join(done.stderr.strip().splitlines()[-3:])
            raise ReadsError(f"WhatsHap failed on the alignments of line {reads.row}: {why}")
        answers = [x.split("\t") for x in made.read_text(encoding="utf-8").splitlines() if not x.startswith("#")]
    if [(a[0], int(a[1]), a[3], a[4]) for a in answers] != [
        (reads.contig(s.chrom), s.position, s.ref, s.alt) for s in asked
    ]:
        raise ReadsError("WhatsHap gave back other records than it was given")
    out = {}
    for site, cells in zip(asked, answers):
        field = dict(zip(cells[8].split(":"), cells[9].split(":")))
        if sorted(field["GT"].replace("|", "/").split("/")) != ["0", "1"]:
            raise ReadsError("WhatsHap changed a genotype")
        if "|" not in field["GT"]:
            continue
        block = int(field["PS"])
        while block in taken:
            block += 1
        low, high = sorted((site.first, site.second))
        out[site.number] = Phase(*((low, high) if field["GT"] == "0|1" else (high, low)), block)
    return out


def _account(
    sample: str, sites: Sequence[Site], phases: Mapping[int, Phase], regions: Mapping[str, Region]
) -> list[dict[str, object]]:
    """Rows of table ``read_phasing``: a gene each."""
    rows: list[dict[str, object]] = []
    for gene, (chrom, first, last) in regions.items():
        here = [s for s in sites if chromosome(s.chrom)[0] == chrom and first <= s.position <= last]
        phased = [phases[s.number] for s in here if s.number in phases]
        left = Counter(s.why_not for s in here if s.why_not)
        rows.append(
            {
                "sample": sample,
                "gene": gene,
                "n_unphased": len(here),
                "n_phased": len(phased),
                "n_blocks": len({p.block for p in phased}),
                "n_not_asked": sum(left.values()),
                "why_not": "; ".join(f"{why} {n}" for why, n in sorted(left.items())),
            }
        )
    return rows


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    return done.stdout.strip()


def _write(
    file: VcfFile, regions: Mapping[str, Region], phases: Mapping[str, Mapping[int, Phase]], target: Path, version: str
) -> None:
    """The kept records with the new phases, bgzip and tabix index."""
    import pysam  # heavy

    head = list(file.header)
    if not any(line.startswith("##FORMAT=<ID=PS,") for line in head):
        head.insert(-1, PS_LINE)
    head.insert(-1, f"##pharmtwin_read_phasing=WhatsHap {version}, {sum(map(bool, phases.values()))} samples")
    column = {s: 9 + file.samples.index(s) for s in phases}

    def write(temporary: Path) -> None:
        with pysam.BGZFile(str(temporary), "wb", index=None) as out:
            out.write(("\n".join(head) + "\n").encode())
            for number, cells in enumerate(_kept(file, regions)):
                here = {column[s]: p[number] for s, p in phases.items() if number in p}
                out.write(("\t".join(_with_phase(cells, here) if here else cells) + "\n").encode("latin-1"))

    replace_atomically(target, write)
    pysam.tabix_index(str(target), preset="vcf", force=True)


def _with_phase(cells: Sequence[str], phases: Mapping[int, Phase]) -> list[str]:
    """The cells of a record with the phases of some columns; PS is added to FORMAT if need be."""
    keys, out = cells[8].split(":"), list(cells)
    added = "PS" not in keys
    out[8] = cells[8] + ":PS" if added else cells[8]
    gt, ps = keys.index("GT"), len(keys) if added else keys.index("PS")
    for at in range(9, len(cells)):
        field = cells[at].split(":")
        if at in phases:
            field += ["."] * (ps + 1 - len(field))  # trailing fields may be left out
            field[gt], field[ps] = f"{phases[at].first}|{phases[at].second}", str(phases[at].block)
            out[at] = ":".join(field)
    return out


def compare(file: VcfFile, regions: Mapping[str, Region], target: Path) -> None:
    """Raise ReadsError unless ``target`` holds the same records, genotypes (order aside) and phases of ``file``."""
    made = open_file(target, Problems())
    if made is None or made.samples != file.samples:
        raise ReadsError(f"{target}: the phased file does not hold the samples of the original")
    for before, after in zip(_kept(file, regions), _kept(made, regions), strict=True):
        if before[:8] != after[:8] or not _same_calls(before, after):
            raise ReadsError(
                f"{before[0]}:{before[1]}: the phased file is not what the original says (a fault of ours)"
            )


def _same_calls(before: Sequence[str], after: Sequence[str]) -> bool:
    """Same alleles and other fields in every sample; what was phased is untouched."""
    old_keys, new_keys = before[8].split(":"), after[8].split(":")
    for one, two in zip(before[9:], after[9:], strict=True):
        if one == two:
            continue
        old, new = dict(zip(old_keys, one.split(":"))), dict(zip(new_keys, two.split(":")))
        if "|" in old["GT"] or sorted(old["GT"].split("/")) != sorted(new["GT"].split("|")):
            return False
        if any(new.get(key) != value for key, value in old.items() if key not in ("GT", "PS")):
            return False
    return True
