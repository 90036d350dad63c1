"""Hostile files: each ends in one clear finding or in the right codes; never a traceback, never a genotype in words."""

from __future__ import annotations

import gzip
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest

from pharmtwin.findings import Finding
from pharmtwin.genome.definitions import OTHER, UNKNOWN
from pharmtwin.genome.reading.bed import bed_findings
from pharmtwin.genome.reading.checks import vcf_findings
from pharmtwin.genome.reading.rules import RULES
from pharmtwin.genome.reading.vcf import ReadOptions, SiteCalls, VcfError, read_sites

GENE = "CYP2C19"
GT = '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">'
META = ["##fileformat=VCFv4.2", "##contig=<ID=chr10,length=133797422>", GT]
META37 = ["##fileformat=VCFv4.2", "##contig=<ID=chr10,length=135534747>", GT]
FIXED = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
STAR2 = "chr10 94781859 . G A . PASS . GT 0/1"
STAR17 = "chr10 94761900 . C T . PASS . GT 0/1"
STAR38 = "chr10 94842866 . A G . PASS . GT 1/1"
STAR2_37 = "chr10 96541616 . G A . PASS . GT 0/1"
Build = Callable[[Path], Path]


def text(records: list[str], samples: str = "S1", meta: list[str] = META, end: str = "\n") -> str:
    """A VCF; records are blank separated and become tab separated."""
    rows = [*meta, "\t".join([*FIXED, *samples.split()]), *("\t".join(r.split()) for r in records)]
    return end.join(rows) + end


def plain(*records: str, samples: str = "S1", meta: list[str] = META, end: str = "\n") -> Build:
    def build(folder: Path) -> Path:
        path = folder / "a.vcf"
        path.write_bytes(text(list(records), samples, meta, end).encode())
        return path

    return build


def raw(content: bytes, name: str = "a.vcf") -> Build:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return build


def bgzip(folder: Path, records: list[str], *, index: bool = False) -> Path:
    path = folder / "a.vcf.gz"
    with pysam.BGZFile(str(path), "wb") as handle:
        handle.write(text(records).encode())
    if index:
        pysam.tabix_index(str(path), preset="vcf", force=True)
    return path


def bomb(folder: Path) -> Path:
    """Tens of KiB that unpack to a line of 40 MiB."""
    path = folder / "a.vcf.gz"
    with gzip.open(path, "wb", compresslevel=9) as handle:
        handle.write(text([STAR2]).encode())
        for _ in range(40):
            handle.write(bytes(2**20))
    return path


def bomb_in_header(folder: Path) -> Path:
    path = folder / "a.vcf.gz"
    with gzip.open(path, "wb", compresslevel=9) as handle:
        handle.write(b"##fileformat=VCFv4.2\n")
        handle.write(b"##\n" * 300_000)
    return path


def no_eof_block(folder: Path) -> Path:
    path = bgzip(folder, [STAR2])
    path.write_bytes(path.read_bytes()[:-28])
    return path


def cut_in_block(folder: Path) -> Path:
    path = bgzip(folder, [STAR2] * 50)
    path.write_bytes(path.read_bytes()[:120])
    return path


def cut_gzip(folder: Path) -> Path:
    path = folder / "a.vcf.gz"
    rows = [f"chr10 {1000 + i} . A C . PASS . GT 0/{i % 2}" for i in range(20000)]
    packed = gzip.compress(text([*rows, STAR2]).encode())
    path.write_bytes(packed[: len(packed) // 2])
    return path


def corrupt_block(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    rows = [f"chr10 {1000 + i} . A C . PASS X={rng.integers(1 << 40)} GT 0/1" for i in range(4000)]
    path = bgzip(folder, rows)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(bytes(content))
    return path


def gzip_with_index(folder: Path) -> Path:
    path = folder / "a.vcf.gz"
    path.write_bytes(gzip.compress(text([STAR2]).encode()))
    (folder / "a.vcf.gz.tbi").write_bytes(b"TBI\1")
    return path


def stale_index(folder: Path) -> Path:
    path = bgzip(folder, [STAR2], index=True)
    old = time.time() - 10_000
    os.utime(f"{path}.tbi", (old, old))
    return path


def broken_index(folder: Path) -> Path:
    path = bgzip(folder, [STAR2], index=True)
    Path(f"{path}.tbi").write_bytes(b"not an index")
    return path


def index_of_another_file(folder: Path) -> Path:
    other = folder / "b.vcf.gz"
    with pysam.BGZFile(str(other), "wb") as handle:
        handle.write(text([STAR2.replace("chr10", "chr1"), STAR2.replace("chr10", "chr3")]).encode())
    pysam.tabix_index(str(other), preset="vcf", force=True)
    path = bgzip(folder, [STAR2])
    (folder / "b.vcf.gz.tbi").rename(folder / "a.vcf.gz.tbi")
    return path


def bcf_named_vcf(folder: Path) -> Path:
    source = plain(STAR2)(folder)
    with pysam.VariantFile(str(source)) as vcf, pysam.VariantFile(folder / "b.bcf", "wb", header=vcf.header) as bcf:
        for record in vcf:
            bcf.write(record)
    return (folder / "b.bcf").rename(folder / "b.vcf.gz")


def cut_bcf(folder: Path) -> Path:
    path = bcf_named_vcf(folder).rename(folder / "c.bcf")
    path.write_bytes(path.read_bytes()[:-40])
    return path


def folder_instead(folder: Path) -> Path:
    (folder / "a.vcf").mkdir()
    return folder / "a.vcf"


def spreadsheet(folder: Path) -> Path:
    return raw(text([STAR2]).replace("\t", ",").encode())(folder)


NO_FORMAT = "\n".join([*META, "\t".join(FIXED[:8]), "\t".join(STAR2.split()[:8])]) + "\n"
MOVED = text([STAR2]).replace("REF\tALT", "ALT\tREF")
META37_CHR7 = "##contig=<ID=chr7,length=159138663>"
TWO_BUILDS = plain(STAR2, STAR38, STAR2_37, meta=["##fileformat=VCFv4.2", GT])
BLOCKS = "chr10 94700000 . A <NON_REF> . . END=94900000 GT:DP 0/0:0"

# name -> (how it is made, the one finding); the file is refused
REFUSED: dict[str, tuple[Build, str]] = {
    "absent": (lambda folder: folder / "no.vcf", "vcf.absent"),
    "directory": (folder_instead, "vcf.directory"),
    "0 bytes": (raw(b""), "vcf.empty_file"),
    "gzip bomb": (bomb, "vcf.unpacks"),
    "gzip bomb in the header": (bomb_in_header, "vcf.unpacks"),
    "gzip bomb of line ends": (
        raw(gzip.compress(text([STAR2]).encode() + b"\n" * 1_100_000), "a.vcf.gz"), "vcf.unpacks"
    ),
    "free text": (raw(b"hello\nworld\n"), "vcf.unreadable"),
    "zip archive": (raw(b"PK\3\4" + bytes(100)), "vcf.unreadable"),
    "UTF-16": (raw(text([STAR2]).encode("utf-16")), "vcf.unreadable"),
    "binary noise": (raw(bytes(range(256)) * 20), "vcf.unreadable"),
    "records without header": (raw("\t".join(STAR2.split()).encode() + b"\n"), "vcf.no_header"),
    "no #CHROM line": (raw(("\n".join(META) + "\n" + "\t".join(STAR2.split())).encode()), "vcf.no_header"),
    "VCF 3.3": (raw(text([STAR2]).replace("VCFv4.2", "VCFv3.3").encode()), "vcf.version"),
    "spaces for tabs": (raw(text([STAR2]).replace("\t", " ").encode()), "vcf.spaces"),
    "spaces in a record": (raw((text([STAR2]) + STAR17 + "\n").encode()), "vcf.spaces"),
    "commas for tabs": (spreadsheet, "vcf.header_columns"),
    "columns moved": (raw(MOVED.encode()), "vcf.header_columns"),
    "sites only": (raw(NO_FORMAT.encode()), "vcf.no_samples"),
    "FORMAT but no samples": (plain(STAR2.rsplit(" ", 1)[0], samples=""), "vcf.no_samples"),
    "sample twice": (plain(STAR2 + " 0/0", samples="A A"), "vcf.sample_duplicate"),
    "sample without a name": (raw(text([STAR2 + " 0/0"], "A B").replace("A\tB", "A\t").encode()), "vcf.sample_blank"),
    "sample name in Latin-1": (raw(text([STAR2], "José").encode("latin-1")), "vcf.encoding"),
    "header only": (plain(), "vcf.empty"),
    "bgzip without its last block": (no_eof_block, "vcf.truncated"),
    "bgzip cut in a block": (cut_in_block, "vcf.truncated"),
    "gzip cut": (cut_gzip, "vcf.truncated"),
    "bgzip block overwritten": (corrupt_block, "vcf.corrupt"),
    "BCF cut": (cut_bcf, "vcf.truncated"),
    "column missing": (plain(STAR17, STAR2.rsplit(" ", 1)[0]), "vcf.columns"),
    "column too many": (plain(STAR2 + " 0/1"), "vcf.columns"),
    "last line cut": (raw(text([STAR17, STAR2]).encode()[:-6]), "vcf.columns"),
    "second header": (raw((text([STAR17]) + text([STAR2])).encode()), "vcf.concatenated"),
    "POS is no number": (plain(STAR17, STAR2.replace("94781859", "9e7")), "vcf.position"),
    "POS with a superscript": (plain(STAR17, STAR2.replace("94781859", "\u00b94781859")), "vcf.position"),
    "POS negative": (plain(STAR17, STAR2.replace("94781859", "-5")), "vcf.position"),
    "POS beyond the chromosome": (plain(STAR17, STAR2.replace("94781859", "94781859000")), "vcf.position"),
    "unknown contigs": (plain(STAR2.replace("chr10", "scaffold_7")), "vcf.contig_unknown"),
    "no GT": (plain("chr10 94781859 . G A . PASS . DP 12"), "vcf.no_gt"),
    "genotype in letters": (plain(STAR2.replace("0/1", "G/A")), "vcf.gt_invalid"),
    "genotype names an ALT too many": (plain(STAR2.replace("0/1", "0/2")), "vcf.gt_invalid"),
    "build unknown": (plain("chr10 500 . G A . PASS . GT 0/1", meta=["##fileformat=VCFv4.2", GT]), "vcf.build_unknown"),
    "hg18 lengths": (plain(STAR2, meta=[META[0], "##contig=<ID=chr10,length=135374737>", GT]), "vcf.build_other"),
    "header GRCh37, records GRCh38": (plain(STAR17, STAR2, meta=META37), "vcf.build_conflict"),
    "header GRCh38, records GRCh37": (plain(STAR2_37), "vcf.build_conflict"),
    "lengths 38, reference 37": (plain(STAR2, meta=[*META, "##reference=hg19.fa"]), "vcf.build_conflict"),
    "contig lines of both builds": (plain(STAR2, meta=[*META, META37_CHR7]), "vcf.build_conflict"),
    "accession of the other build": (plain(STAR2.replace("chr10", "NC_000010.10")), "vcf.build_conflict"),
    "records of both builds": (TWO_BUILDS, "vcf.build_conflict"),
}  # fmt: skip

# name -> (how it is made, the one finding or "", codes at *17, *2 and *38); the file is read
U = UNKNOWN
NONE, HET, HOM = [U, U], [0, 1], [1, 1]
READ: dict[str, tuple[Build, str, list[list[int]]]] = {
    "CR LF": (plain(STAR17, STAR2, end="\r\n"), "vcf.crlf", [HET, HET, NONE]),
    "BOM": (raw(b"\xef\xbb\xbf" + text([STAR2]).encode()), "", [NONE, HET, NONE]),
    "no newline at the end": (raw(text([STAR2]).rstrip("\n").encode()), "vcf.no_newline", [NONE, HET, NONE]),
    "blank lines": (raw((text([STAR17]) + "\n\n" + "\t".join(STAR2.split()) + "\n\n").encode()), "", [HET, HET, NONE]),
    "plain gzip": (raw(gzip.compress(text([STAR2]).encode()), "a.vcf.gz"), "", [NONE, HET, NONE]),
    "gzip with an index": (gzip_with_index, "vcf.not_bgzip", [NONE, HET, NONE]),
    "index older than the file": (stale_index, "vcf.index_stale", [NONE, HET, NONE]),
    "index that is none": (broken_index, "vcf.index_broken", [NONE, HET, NONE]),
    "index of another file": (index_of_another_file, "vcf.index_broken", [NONE, HET, NONE]),
    "BCF named .vcf.gz": (bcf_named_vcf, "vcf.extension", [NONE, HET, NONE]),
    "gzip named .vcf": (raw(gzip.compress(text([STAR2]).encode())), "vcf.extension", [NONE, HET, NONE]),
    "text named .vcf.gz": (raw(text([STAR2]).encode(), "a.vcf.gz"), "vcf.extension", [NONE, HET, NONE]),
    "comment among the records": (plain(STAR17, "#" + STAR38, STAR2), "vcf.comment", [HET, HET, NONE]),
    "no contig lines": (plain(STAR17, STAR2, meta=["##fileformat=VCFv4.2", GT]), "", [HET, HET, NONE]),
    "GRCh37": (plain(STAR2_37, meta=META37), "", [NONE, HET, NONE]),
    "unsorted": (plain(STAR38, STAR17, STAR2), "vcf.unsorted", [HET, HET, HOM]),
    "record twice, the same": (plain(STAR2, STAR2), "vcf.duplicate", [NONE, HET, NONE]),
    "POS 0": (plain("chr10 0 . N A . PASS . GT 0/0", STAR2), "vcf.position_zero", [NONE, HET, NONE]),
    "lower case": (plain(STAR2.replace("G A", "g a")), "", [NONE, HET, NONE]),
    "REF of another base": (plain(STAR2.replace("G A", "T A"), STAR38), "vcf.ref", [NONE, NONE, HOM]),
    "REF and ALT swapped": (plain(STAR2.replace("G A", "A G"), STAR38), "vcf.swapped", [NONE, NONE, HOM]),
    "other strand": (plain(STAR17.replace("C T", "G A"), STAR38), "vcf.strand", [NONE, NONE, HOM]),
    "IUPAC code in ALT": (plain(STAR2.replace("G A", "G R"), STAR38), "vcf.alt_invalid", [NONE, [0, U], HOM]),
    "empty ALT among two": (plain("chr10 94781859 . G A, . PASS . GT 0/1"), "vcf.alt_invalid", [NONE, HET, NONE]),
    "unknown ALT": (plain(STAR2.replace("G A", "G T")), "vcf.other_alternate", [NONE, [0, OTHER], NONE]),
    "half call": (plain(STAR2.replace("0/1", "./1"), STAR38), "vcf.half_call", [NONE, [U, 1], HOM]),
    "haploid on an autosome": (plain(STAR2.replace("0/1", "1"), STAR38), "vcf.haploid", [NONE, [1, U], HOM]),
    "three alleles": (plain(STAR2.replace("0/1", "0/1/1"), STAR38), "vcf.ploidy", [NONE, NONE, HOM]),
    "ploidy changes": (plain(STAR17, STAR2.replace("0/1", "0/0/1/1")), "vcf.ploidy", [HET, NONE, NONE]),
    "GT not first": (plain("chr10 94781859 . G A . PASS . DP:GT 9:0/1"), "vcf.gt_not_first", [NONE, HET, NONE]),
    "trailing fields dropped": (plain("chr10 94781859 . G A . PASS . GT:DP:GQ 0/1"), "", [NONE, HET, NONE]),
    "all missing": (plain(STAR17.replace("0/1", "./."), STAR2.replace("0/1", ".")), "vcf.gene_uncovered", [NONE] * 3),
    "nothing at the gene": (plain("chr10 500 . G A . PASS . GT 0/1"), "vcf.gene_uncovered", [NONE] * 3),
    "spanning deletion star": (plain("chr10 94781859 . G A,* . PASS . GT 1/2"), "", [NONE, [1, U], NONE]),
    "PS of another chromosome": (plain("chr10 94781859 . G A . PASS . GT:PS 0|1:150000000"), "", [NONE, HET, NONE]),
    "PS in words": (plain("chr10 94781859 . G A . PASS . GT:PS 0|1:first"), "vcf.ps_invalid", [NONE, HET, NONE]),
    "very long line": (plain(STAR2.replace("PASS .", "PASS X=" + "y" * 2_000_000)), "", [NONE, HET, NONE]),
    "ALT contig beside": (plain(STAR2, STAR2.replace("chr10", "chr10_KI270825v1_alt")), "", [NONE, HET, NONE]),
    "VCF 4.4 phase prefix": (plain(STAR2.replace("0/1", "/0/1")), "", [NONE, HET, NONE]),
    "DeepVariant RefCall": (plain("chr10 94781859 . G A . RefCall . GT 0/0"), "", [NONE, [0, 0], NONE]),
}  # fmt: skip
SEVERAL: dict[str, tuple[Build, set[str]]] = {
    "depth 0 in a gVCF block": (plain(BLOCKS), {"vcf.low_evidence", "vcf.gene_uncovered"}),
    "all fail FILTER": (
        plain(STAR17.replace("PASS", "q10"), STAR2.replace("PASS", "q10;lowDP")),
        {"vcf.filtered", "vcf.gene_uncovered"},
    ),
    "symbolic only": (
        plain("chr10 94700000 . N <DEL> . PASS END=94900000;SVTYPE=DEL GT 0/1"),
        {"vcf.structural", "vcf.gene_uncovered"},
    ),
    "breakend at a site": (
        plain("chr10 94781859 . G G[chr2:5[ . PASS SVTYPE=BND GT 0/1"),
        {"vcf.structural", "vcf.gene_uncovered"},
    ),
    "record twice, different": (
        plain(STAR2, STAR2.replace("0/1", "1/1"), STAR38),
        {"vcf.duplicate", "vcf.contradictory"},
    ),
}  # fmt: skip
GENOTYPE = re.compile(r"(?<![\w.])[0-9.][/|][0-9.](?![\w.])")


def findings(path: Path, **more: object) -> list[Finding]:
    return vcf_findings(str(path), None, genes=[GENE], **more)  # type: ignore[arg-type]


def clean(found: list[Finding], capfd: pytest.CaptureFixture[str]) -> set[str]:
    """Rules found; every finding is whole, shows no genotype, and nothing was printed by a library."""
    for f in found:
        assert f.what and f.why and f.fix and f.rule in RULES
        assert not GENOTYPE.search(f.message().replace(f.file, "")), f.message()
    assert tuple(capfd.readouterr()) == ("", "")
    return {f.rule for f in found}


def codes(calls: SiteCalls, *positions: int) -> list[list[int]]:
    where = calls.definition.positions.tolist()
    return [calls.alleles[0, where.index(p)].tolist() for p in positions]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_one_finding(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build, rule = REFUSED[name]
    path = build(tmp_path)
    found = findings(path)
    assert clean(found, capfd) == {rule}
    assert [f.severity for f in found] == ["error"]
    with pytest.raises(VcfError, match=re.escape(f"({rule})")):
        read_sites(path, [GENE])


@pytest.mark.parametrize("name", READ)
def test_read_right_and_said(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build, rule, expected = READ[name]
    path = build(tmp_path)
    found = findings(path)
    assert clean(found, capfd) == ({rule} if rule else set())
    assert all(f.severity != "error" for f in found)
    assert codes(read_sites(path, [GENE])[GENE], 94761900, 94781859, 94842866) == expected
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.parametrize("name", SEVERAL)
def test_two_findings(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build, rules = SEVERAL[name]
    path = build(tmp_path)
    assert clean(findings(path), capfd) == rules
    calls = read_sites(path, [GENE], absent="reference")[GENE]
    if name not in ("symbolic only", "breakend at a site"):
        assert codes(calls, 94781859) == [NONE]  # seen, so not declared


def test_every_hostile_file_counts() -> None:
    assert len(REFUSED) + len(READ) + len(SEVERAL) >= 40
    tested = {rule for _, rule in REFUSED.values()} | {rule for _, rule, _ in READ.values()}
    tested |= {rule for _, rules in SEVERAL.values() for rule in rules}
    elsewhere = {"vcf.permission", "vcf.sample_missing", "vcf.sample_extra", "vcf.sample_empty", "vcf.contig_number",
                 "vcf.ploidy_mixed", "vcf.low_evidence", "vcf.callable", "vcf.no_lift"}  # fmt: skip
    assert (tested | elsewhere) - {""} == set(RULES), "every rule is met by a test"


def test_findings_name_line_column_and_place(tmp_path: Path) -> None:
    (found,) = findings(plain(STAR17, STAR2.replace("94781859", "94781859000"))(tmp_path))
    assert (found.row, found.column, found.value) == (6, "POS", "chr10:94781859000")
    (found,) = findings(plain(STAR17, STAR2.replace("G A", "A G"))(tmp_path))
    assert (found.row, found.column, found.value) == (6, "REF", "CYP2C19 94781859")
    (found,) = findings(plain(STAR17, STAR2 + " 0/0", samples="A")(tmp_path))
    assert (found.row, found.value) == (6, "11, not 10")


def test_all_is_said_at_once(tmp_path: Path) -> None:
    records = [STAR38, STAR2.replace("G A", "A G"), STAR17.replace("0/1", "./1"), "chr10 0 . N A . PASS . GT 0/0"]
    found = {f.rule for f in findings(plain(*records, samples="S1", end="\r\n")(tmp_path))}
    assert found == {"vcf.crlf", "vcf.unsorted", "vcf.swapped", "vcf.half_call", "vcf.position_zero"}


def test_stated_build_settles_a_silent_header_but_no_contradiction(tmp_path: Path) -> None:
    silent = plain("chr10 500 . G A . PASS . GT 0/1", meta=["##fileformat=VCFv4.2", GT])(tmp_path)
    assert read_sites(silent, [GENE], build="GRCh38")[GENE].build == "GRCh38"
    assert {f.rule for f in findings(silent, options=ReadOptions(build="GRCh37"))} == {"vcf.gene_uncovered"}
    clear = plain(STAR2)(tmp_path)
    with pytest.raises(VcfError, match="build_conflict"):
        read_sites(clear, [GENE], build="GRCh37")


def test_one_chance_hit_in_a_genome_is_no_other_build(tmp_path: Path) -> None:
    """A real GRCh38 genome has variants at GRCh37 coordinates too; one fits by chance, and the file is read."""
    rows = [f"chr10 {94_000_000 + 1000 * i} . A C . PASS . GT 0/1" for i in range(700)] + [STAR2_37]
    path = plain(*rows, "chr10 96700000 . C T . PASS . GT 0/1")(tmp_path)
    assert {f.rule for f in findings(path)} == {"vcf.gene_uncovered"}
    assert codes(read_sites(path, [GENE], absent="reference")[GENE], 94781859) == [[0, 0]]


def test_non_ascii_names_are_names(tmp_path: Path) -> None:
    path = plain(STAR2 + " 1/1", samples="Zoë 患者7")(tmp_path)
    calls = read_sites(path, [GENE], samples=["患者7"])[GENE]
    assert calls.samples == ("患者7",) and codes(calls, 94781859) == [[1, 1]]
    found = vcf_findings(str(path), ["Zoë", "患者7", "Zoe"], genes=[GENE])
    assert [(f.rule, f.value) for f in found] == [("vcf.sample_missing", "Zoe")]


def test_samples_without_any_genotype_are_named(tmp_path: Path) -> None:
    path = plain(STAR2 + " ./.", STAR38 + " .", samples="S1 S2")(tmp_path)
    assert [(f.rule, f.value) for f in findings(path)] == [("vcf.sample_empty", "S2")]


def test_x_as_23_is_x(tmp_path: Path) -> None:
    meta = ["##fileformat=VCFv4.2", "##reference=GRCh38", GT]
    path = plain("23 154535277 . T C . PASS . GT 1", meta=meta)(tmp_path)
    calls = read_sites(path, ["G6PD"])["G6PD"]
    assert codes(calls, 154535277) == [[1, 1]] and calls.ploidy.tolist() == [1]
    assert {f.rule for f in vcf_findings(str(path), None, genes=["G6PD"])} == {"vcf.contig_number"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_read_permission(tmp_path: Path) -> None:
    path = plain(STAR2)(tmp_path)
    path.chmod(0)
    assert {f.rule for f in findings(path)} == {"vcf.permission"}


@pytest.mark.parametrize("line", ["chr10\t5", "chr10\tx\t9", "chr10\t9\t5"])
def test_bad_bed_is_refused(tmp_path: Path, line: str) -> None:
    path, bed = plain(STAR2)(tmp_path), tmp_path / "a.bed"
    bed.write_text(f"chr10\t1\t2\n{line}\n")
    (found,) = findings(path, options=ReadOptions(callable=bed))
    assert found.rule == "vcf.callable" and "line 2" in str(found.value)
    assert [(f.rule, f.row) for f in bed_findings(bed)] == [("bed.interval", 2)]
    with pytest.raises(VcfError, match="callable"):
        read_sites(path, [GENE], callable=bed)
    with pytest.raises(VcfError, match="callable"):
        read_sites(path, [GENE], callable=tmp_path / "no.bed")


@pytest.mark.parametrize("option", [{"absent": "guess"}, {"build": "hg38"}, {"filters": "some"}])
def test_unknown_options(tmp_path: Path, option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        read_sites(plain(STAR2)(tmp_path), [GENE], **option)  # type: ignore[arg-type]


def test_cut_anywhere_never_ends_in_a_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A bgzip, a gzip and a text file cut at every byte: refused, or (text, at a line end) read."""
    whole = text([STAR17, STAR2, STAR38]).encode()
    source = bgzip(tmp_path, [STAR17, STAR2, STAR38])
    files = {"c.vcf.gz": source.read_bytes(), "d.vcf.gz": gzip.compress(whole), "e.vcf": whole}
    for name, content in files.items():
        for size in range(0, len(content), 5):
            path = tmp_path / name
            path.write_bytes(content[:size])
            rules = {f.rule for f in findings(path)} - {"vcf.gene_uncovered"}
            assert rules or (name == "e.vcf" and content[:size].endswith(b"\n")), (name, size)
    assert tuple(capfd.readouterr()) == ("", "")


def test_noise_never_ends_in_a_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Bytes changed at random in a text file and in a BCF: findings or genotypes, nothing else."""
    rng = np.random.default_rng(20261122)
    source = bcf_named_vcf(tmp_path)
    whole = text([STAR17, "chr10 94781859 . G A,* 9 PASS END=94781859 GT:DP:PS 0|1:9:5", STAR38]).encode()
    for name, content, n in (("f.vcf", whole, 400), ("f.bcf", source.read_bytes(), 60)):
        for _ in range(n):
            noisy = np.frombuffer(content, dtype=np.uint8).copy()
            where = rng.integers(0, len(noisy), size=3)
            noisy[where] = rng.choice(np.frombuffer(b"\t\n:;,./|0919AG<>=.\xff\0", dtype=np.uint8), size=3)
            path = tmp_path / name
            path.write_bytes(noisy.tobytes())
            for f in findings(path):
                assert f.rule in RULES
    assert tuple(capfd.readouterr()) == ("", "")
