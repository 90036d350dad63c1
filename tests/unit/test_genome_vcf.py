"""Reading VCFs: states of a position, writings of the same variant, findings. Tiny files written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pharmtwin.genome.checks import detect_build, vcf_findings
from pharmtwin.genome.definitions import OTHER, UNKNOWN, gene_definition
from pharmtwin.genome.records import UNSEEN, merge, trim
from pharmtwin.genome.vcf import VcfError, header_lines, read_sites

HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr7,length=159345973>
##contig=<ID=chr10,length=133797422>
##contig=<ID=chr22,length=50818468>
##contig=<ID=10>
##FILTER=<ID=q10,Description="low">
##INFO=<ID=END,Number=1,Type=Integer,Description="end">
##ALT=<ID=NON_REF,Description="any">
##FORMAT=<ID=GT,Number=1,Type=String,Description="genotype">
##FORMAT=<ID=PS,Number=1,Type=Integer,Description="phase set">
"""


def write(path: Path, records: list[str], samples: str = "S1", header: str = HEADER) -> Path:
    """Each record: 'chrom pos ref alt filter info format gt...', blank separated."""
    lines = ["\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples.split()])]
    for record in records:
        chrom, pos, ref, alt, flt, info, *rest = record.split()
        lines.append("\t".join([chrom, pos, ".", ref, alt, ".", flt, info, *rest]))
    path.write_text(header + "\n".join(lines) + "\n")
    return path


def codes(path: Path, gene: str, position: int, **options: str) -> list[int]:
    calls = read_sites(path, [gene], **options)[gene]
    index = calls.definition.positions.tolist().index(position)
    return calls.alleles[0, index].tolist()


def test_missing_is_never_reference(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.vcf",
        [
            "chr10 94761900 C T PASS . GT ./.",
            "chr10 94781859 G A PASS . GT ./1",
            "chr10 94842866 A G q10 . GT 1/1",
            "chr10 94775416 T C PASS . GT 0",
        ],
    )
    assert codes(path, "CYP2C19", 94761900) == [UNKNOWN, UNKNOWN]
    assert codes(path, "CYP2C19", 94781859) == [UNKNOWN, 1]
    assert codes(path, "CYP2C19", 94842866) == [UNKNOWN, UNKNOWN]  # FILTER
    assert codes(path, "CYP2C19", 94842866, absent="reference") == [UNKNOWN, UNKNOWN]  # present, so not declared
    assert codes(path, "CYP2C19", 94775416) == [0, UNKNOWN]  # haploid
    assert codes(path, "CYP2C19", 94775367) == [UNKNOWN, UNKNOWN]  # absent
    assert codes(path, "CYP2C19", 94775367, absent="reference") == [0, 0]


def test_prefix_indel_writing_multiallelic_and_split(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", ["7 99652770 TG TAG PASS . GT 0/1"], header=HEADER.replace("chr7", "7"))
    assert codes(path, "CYP3A5", 99652770) == [0, 1]
    gene = gene_definition("CYP2C9")
    site = next(s for s in gene.sites if len(s.alts) == 2)
    one, two = site.alts
    joined = write(tmp_path / "b.vcf", [f"chr10 {site.position} {site.ref} {one},{two} PASS . GT 1/2"])
    split = write(
        tmp_path / "c.vcf",
        [f"chr10 {site.position} {site.ref} {a} PASS . GT {g}" for a, g in ((one, "0/1"), (two, "0/1"))],
    )
    decomposed = write(
        tmp_path / "d.vcf",
        [f"chr10 {site.position} {site.ref} {a} PASS . GT {g}" for a, g in ((one, "1/."), (two, "./1"))],
    )
    for path in (joined, split, decomposed):
        assert sorted(codes(path, "CYP2C9", site.position)) == [1, 2]


def test_unknown_alternate_spanning_deletion_and_mnp(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.vcf",
        [
            "chr10 94761900 C G PASS . GT 0/1",
            "chr10 94775416 T C,* PASS . GT 1/2",
            "chr10 94781858 CG CA PASS . GT 0/1",
            "chr10 94842866 T G PASS . GT 0/1",
        ],
    )
    assert codes(path, "CYP2C19", 94761900) == [0, OTHER]
    assert codes(path, "CYP2C19", 94775416) == [1, UNKNOWN]
    assert codes(path, "CYP2C19", 94781859) == [0, 1]
    assert codes(path, "CYP2C19", 94842866) == [UNKNOWN, UNKNOWN]  # REF contradicts
    assert {f.rule for f in vcf_findings(str(path), None)} >= {"vcf.ref", "vcf.gene_uncovered"}


def test_snv_at_the_anchor_of_a_deletion_is_no_evidence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", ["chr22 42128241 C A PASS . GT 0/0"])
    assert codes(path, "CYP2D6", 42128241) == [UNKNOWN, UNKNOWN]
    path = write(tmp_path / "b.vcf", ["chr22 42128241 CT C PASS . GT 0/0"])
    assert codes(path, "CYP2D6", 42128241) == [0, 0]


def test_gvcf_blocks(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.vcf",
        [
            "chr7 99652000 A <NON_REF> . END=99670000 GT 0/0",
            "chr7 99672916 T C,<NON_REF> . . GT 0/1",
            "chr7 99676000 A <NON_REF> . END=99677000 GT ./.",
        ],
    )
    calls = read_sites(path, ["CYP3A5"])["CYP3A5"]
    assert calls.alleles[0].tolist() == [[0, 0], [0, 0], [0, 0], [0, 1], [UNKNOWN, UNKNOWN]]


def test_indexed_and_streamed_reading_agree(tmp_path: Path) -> None:
    pysam = pytest.importorskip("pysam")
    path = write(
        tmp_path / "a.vcf",
        ["chr7 99652000 A <NON_REF> . END=99670000 GT 0/0", "chr7 99672916 T C PASS . GT 1|0"],
    )
    zipped = pysam.tabix_index(str(path), preset="vcf", keep_original=True)
    streamed, indexed = (read_sites(Path(p), ["CYP3A5"])["CYP3A5"] for p in (path, zipped))
    assert np.array_equal(streamed.alleles, indexed.alleles)
    assert np.array_equal(streamed.block, indexed.block)


def test_trim_and_merge() -> None:
    assert trim(10, "CA", "CAA") == (11, "", "A")
    assert trim(10, "TG", "TAG") == trim(10, "T", "TA") == (11, "", "A")
    assert trim(10, "GC", "GT") == (11, "C", "T")
    old = np.array([[UNSEEN, UNSEEN], [0, 1], [0, 0], [1, 1]], dtype=np.int8)
    new = np.array([[0, 1], [0, 2], [UNKNOWN, 0], [2, 2]], dtype=np.int8)
    assert merge(old, new).tolist() == [[0, 1], [1, 2], [UNKNOWN, 0], [UNKNOWN, UNKNOWN]]


def rules(path: Path, *args: object, **more: object) -> dict[str, str]:
    return {f.rule: f.severity for f in vcf_findings(str(path), *args, **more)}  # type: ignore[arg-type]


def test_findings_of_files_that_cannot_be_used(tmp_path: Path) -> None:
    assert rules(tmp_path / "no.vcf", None) == {"vcf.absent": "error"}
    assert rules(tmp_path / "no.vcf", None, required=False) == {"vcf.absent": "warning"}
    text = tmp_path / "text.vcf"
    text.write_text("hello\n")
    assert rules(text, None) == {"vcf.unreadable": "error"}
    assert rules(write(tmp_path / "empty.vcf", []), None) == {"vcf.empty": "error"}
    assert rules(write(tmp_path / "twice.vcf", [], samples="A A"), None) == {"vcf.sample_duplicate": "error"}
    sites_only = tmp_path / "sites.vcf"
    sites_only.write_text(HEADER + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
    assert rules(sites_only, None) == {"vcf.no_samples": "error"}
    with pytest.raises(VcfError, match="samples not in the file"):
        read_sites(write(tmp_path / "b.vcf", []), ["CYP3A5"], samples=["X"])


def test_sample_findings_name_the_vcf_and_never_a_genotype(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", ["chr7 99672916 T C PASS . GT" + " 1/1" * 7], samples="A B C D E F G")
    found = vcf_findings(str(path), ["A", "Z"])
    by_rule = {f.rule: f for f in found}
    assert by_rule["vcf.sample_missing"].value == "Z" and by_rule["vcf.sample_missing"].severity == "error"
    assert by_rule["vcf.sample_extra"].value == "B, C, D, E, F, ..." and "6 samples" in by_rule["vcf.sample_extra"].what
    assert all(f.file == str(path) and "1/1" not in f.message() for f in found)
    assert rules(path, ["A"], extra_samples="warning")["vcf.sample_extra"] == "warning"
    assert "vcf.sample_extra" not in rules(path, None)


def test_build_detection(tmp_path: Path) -> None:
    bare = "##fileformat=VCFv4.2\n##contig=<ID=10>\n" + '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
    by_length = bare.replace("<ID=10>", "<ID=10,length=135534747>")
    by_text = bare + "##reference=file:///ref/hs37d5.fa\n"
    record = ["10 96541616 G A PASS . GT 0/1"]  # CYP2C19*2 on GRCh37
    for name, header in (("length", by_length), ("text", by_text), ("records", bare)):
        path = write(tmp_path / f"{name}.vcf", record, header=header)
        assert detect_build(path, header_lines(path)) == "GRCh37", name
        assert rules(path, None) == {"vcf.build": "error"}
    on_38 = write(tmp_path / "38.vcf", ["10 94781859 G A PASS . GT 0/1"], header=bare)
    assert detect_build(on_38, header_lines(on_38)) == "GRCh38"
    elsewhere = write(tmp_path / "none.vcf", ["10 5 G A PASS . GT 0/1"], header=bare)
    assert rules(elsewhere, None)["vcf.build_unknown"] == "warning"
