"""Checks of a VCF for the intake stage, and the genome build. Genotypes never appear in a finding."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pharmtwin.facts import fact_table
from pharmtwin.findings import Finding
from pharmtwin.genome.definitions import GENES, gene_definition, rows_of
from pharmtwin.genome.vcf import VcfError, at_positions, header_lines, open_vcf, read_sites

# rule: (what, why, how to fix)
RULES = {
    "vcf.absent": (
        "the file does not exist",
        "the twins' genotypes are read from it",
        "correct the path in the twins sheet",
    ),
    "vcf.unreadable": (
        "the file is not a readable VCF or BCF",
        "no genotype can be taken from it",
        "give a VCF 4.x (plain or bgzip) or BCF that bcftools view can read",
    ),
    "vcf.no_samples": (
        "the file has no sample columns",
        "a sites-only VCF carries no genotypes",
        "export the VCF with its FORMAT and sample columns",
    ),
    "vcf.sample_duplicate": (
        "sample names occur more than once",
        "genotypes would go to the wrong twin",
        "rename the columns (bcftools reheader)",
    ),
    "vcf.empty": (
        "the file has a header but no records",
        "no position is assayed",
        "check the export or the region filter",
    ),
    "vcf.build": (
        "the file is on GRCh37, the definitions are on GRCh38",
        "every position would be read at the wrong place",
        "lift the file over to GRCh38",
    ),
    "vcf.build_unknown": (
        "the genome build cannot be told from header or records",
        "a GRCh37 file would be read as not assayed",
        "add ##contig lengths or ##reference to the header",
    ),
    "vcf.sample_missing": (
        "a twin's sample is not in the file",
        "the twin has no genotype",
        "correct the sample name in the twins sheet or add the sample",
    ),
    "vcf.sample_extra": (
        "{n} samples belong to no twin",
        "a forgotten or misspelt twin would go unnoticed",
        "add the twins, or set the check of extra samples to warning",
    ),
    "vcf.gene_uncovered": (
        "no definition position of the gene is covered",
        "its diplotype rests on population frequencies alone",
        "include the gene's positions in the export",
    ),
    "vcf.filtered": (
        "{n} definition positions of the gene fail FILTER",
        "they count as not assayed",
        "re-call or re-export these positions",
    ),
    "vcf.ref": (
        "{n} definition positions of the gene have a REF that is not the GRCh38 base",
        "they count as not assayed",
        "check the reference genome of the file",
    ),
}


def vcf_findings(
    path: str, expected_samples: list[str] | None, *, extra_samples: str = "error", required: bool = True
) -> list[Finding]:
    """All that is wrong with a VCF.

    expected_samples : samples that twins use, or None to leave sample checks out.
    extra_samples : severity (``error`` or ``warning``) of samples that no twin uses.
    required : whether an absent file is an error (else a warning).
    """

    def finding(rule: str, *, n: int = 0, row: int = 0, value: str = "", severity: str = "error") -> Finding:
        what, why, fix = RULES[rule]
        return Finding.create(rule, path, what.format(n=n), why, fix, row=row, value=value, severity=severity)

    file = Path(path)
    if not file.is_file():
        return [finding("vcf.absent", severity="error" if required else "warning")]
    try:
        header = header_lines(file)
    except VcfError:
        return [finding("vcf.unreadable")]
    names = header[-1].split("\t")[9:]
    duplicates = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if not names:
        return [finding("vcf.no_samples", row=len(header))]
    if duplicates:
        return [finding("vcf.sample_duplicate", row=len(header), value=", ".join(duplicates[:5]))]
    out = []
    if expected_samples is not None:
        for sample in dict.fromkeys(expected_samples):
            if sample not in set(names):
                out.append(finding("vcf.sample_missing", row=len(header), value=sample))
        extra = [n for n in names if n not in set(expected_samples)]
        if extra:
            shown = ", ".join(extra[:5]) + (", ..." if len(extra) > 5 else "")
            out.append(finding("vcf.sample_extra", n=len(extra), row=len(header), value=shown, severity=extra_samples))
    try:
        if next(iter(open_vcf(file)), None) is None:
            return [*out, finding("vcf.empty")]
        build = detect_build(file, header)
        calls = read_sites(file, GENES)
    except Exception:  # htslib reports broken records with bare exceptions of several kinds
        return [*out, finding("vcf.unreadable")]
    if build == "GRCh37":
        return [*out, finding("vcf.build", value=build)]
    if not build:
        out.append(finding("vcf.build_unknown", severity="warning"))
    for gene, found in calls.items():
        if found.n_covered == 0:
            out.append(finding("vcf.gene_uncovered", value=gene, severity="warning"))
        if found.filtered:
            out.append(finding("vcf.filtered", n=found.filtered, value=gene, severity="warning"))
        if found.contradicted:
            out.append(finding("vcf.ref", n=found.contradicted, value=gene, severity="warning"))
    return out


def detect_build(path: Path, header: Iterable[str]) -> str:
    """``GRCh38``, ``GRCh37`` or ``""``: by contig lengths, then by header text, then by the records themselves."""
    lengths = {
        (str(r.build), str(r.chrom).removeprefix("chr")): int(r.length)
        for r in rows_of(fact_table("genes/contig_lengths.tsv"))
    }
    text = ""
    for line in header:
        contig = re.match(r"##contig=<ID=(?:chr)?([^,>]+).*?length=(\d+)", line)
        if contig:
            for build in ("GRCh38", "GRCh37"):
                if lengths.get((build, contig[1])) == int(contig[2]):
                    return build
        if line.startswith(("##reference", "##contig", "##assembly")):
            text += line.lower()
    words = {"GRCh38": r"grch38|hg38|hs38|b38", "GRCh37": r"grch37|hg19|hs37|b37"}
    found = [build for build, pattern in words.items() if re.search(pattern, text)]
    return found[0] if len(found) == 1 else _build_by_records(path)


def _build_by_records(path: Path) -> str:
    """The build whose definition positions more records hit with the definition's REF and ALT; ``""`` if equal."""
    votes = {"GRCh38": 0, "GRCh37": 0}
    for build in votes:
        spans, known = {}, {}
        for gene in GENES:
            definition = gene_definition(gene)
            lifted = [(s.position if build == "GRCh38" else s.position_grch37, s) for s in definition.sites]
            here = sorted(((p, s) for p, s in lifted if p is not None), key=lambda pair: pair[0])
            known[gene] = here
            spans[gene] = (definition.chrom, np.array([p for p, _ in here], dtype=np.int64))
        for gene, index, variant in at_positions(open_vcf(path), path, spans):
            position, site = known[gene][index]
            if position == variant.POS and site.ref == variant.REF and set(site.alts) & set(variant.ALT):
                votes[build] += 1
    if votes["GRCh38"] == votes["GRCh37"]:
        return ""
    return max(votes, key=lambda b: votes[b])
