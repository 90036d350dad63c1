"""What can be wrong with a VCF: one rule a problem, and the collector that a reader fills while it reads.

No rule shows a genotype: values are names, places and numbers of samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pharmtwin.findings import Finding

# rule: (severity, column, what, why, how to fix)
RULES: dict[str, tuple[str, str, str, str, str]] = {
    # the file
    "vcf.absent": (
        "error", "", "the file does not exist", "the twins' genotypes are read from it",
        "correct the path in the twins sheet"),
    "vcf.directory": (
        "error", "", "this is not a regular file", "a VCF is one file, read twice if need be",
        "name the VCF itself, not its folder or a pipe"),
    "vcf.permission": (
        "error", "", "the file may not be read by this user", "no genotype can be taken from it",
        "give read permission (chmod u+r)"),
    "vcf.empty_file": (
        "error", "", "the file has 0 bytes", "the export or the copy failed", "export or copy the file again"),
    "vcf.unreadable": (
        "error", "", "the file is not a readable VCF or BCF", "no genotype can be taken from it",
        "give a VCF 4.x (plain, gzip or bgzip) or BCF that bcftools view can read"),
    "vcf.truncated": (
        "error", "", "the file ends too early",
        "the records after the break are missing and would count as not assayed or, if declared, as reference",
        "copy or export the file again and compare checksums"),
    "vcf.corrupt": (
        "error", "", "a compressed block of the file is damaged", "the records in it are lost",
        "copy or export the file again and compare checksums"),
    "vcf.unpacks": (
        "error", "", "the file holds far more than a VCF of its size can",
        "it would fill the machine; the rest of it was not read",
        "unpack it yourself and look; a cohort this large is read by its index (bgzip, tabix)"),
    "vcf.extension": (
        "warning", "", "the name does not fit the content", "other tools may refuse or misread the file",
        "rename the file to what it is"),
    "vcf.index_stale": (
        "warning", "", "the index is older than the file", "it may point to the wrong places; it was not used",
        "index the file again (tabix -f or bcftools index -f)"),
    "vcf.index_broken": (
        "warning", "", "the index cannot be used", "the whole file was read instead, which takes longer",
        "index the file again (tabix -f or bcftools index -f)"),
    "vcf.not_bgzip": (
        "warning", "", "an index lies beside a file that is not bgzip",
        "the index cannot belong to it; it was not used",
        "compress with bgzip and index again"),
    # the header
    "vcf.no_header": (
        "error", "", "no VCF header", "columns and samples cannot be told",
        "export the file with ##fileformat=VCFv4.x as first line and the #CHROM line"),
    "vcf.version": (
        "error", "", "not VCF 4", "other versions write genotypes differently", "convert the file to VCF 4.2 or later"),
    "vcf.spaces": (
        "error", "", "columns are separated by spaces, not tabs", "columns cannot be told from text with blanks",
        "export again with tabs, not through an editor or a spreadsheet"),
    "vcf.header_columns": (
        "error", "", "the #CHROM line does not begin with the eight fixed columns and FORMAT",
        "genotypes would be read from the wrong column", "export the file again, not through a spreadsheet"),
    "vcf.crlf": (
        "note", "", "lines end in CR LF (Windows)", "the file was read, other tools may fail",
        "convert with dos2unix"),
    "vcf.encoding": (
        "error", "", "the sample names are not UTF-8", "they cannot be matched to the twins sheet",
        "rename the samples (bcftools reheader)"),
    "vcf.no_samples": (
        "error", "", "the file has no sample columns", "a sites-only VCF carries no genotypes",
        "export the VCF with its FORMAT and sample columns"),
    "vcf.sample_duplicate": (
        "error", "", "sample names occur more than once", "genotypes would go to the wrong twin",
        "rename the columns (bcftools reheader)"),
    "vcf.sample_blank": (
        "error", "", "{n} sample columns have no name or a name with blanks at its ends",
        "they cannot be matched to the twins sheet", "rename the columns (bcftools reheader)"),
    "vcf.sample_missing": (
        "error", "", "a twin's sample is not in the file", "the twin has no genotype",
        "correct the sample name in the twins sheet or add the sample"),
    "vcf.sample_extra": (
        "error", "", "{n} samples belong to no twin", "a forgotten or misspelt twin would go unnoticed",
        "add the twins, or set the check of extra samples to warning"),
    "vcf.empty": (
        "error", "", "the file has a header but no records", "no position is assayed",
        "check the export or the region filter"),
    # the build
    "vcf.build_conflict": (
        "error", "", "the evidence for the genome build contradicts itself",
        "positions would be read at the wrong place",
        "make header and records agree (lift over, reheader), one build a file"),
    "vcf.build_other": (
        "error", "", "the contig lengths fit neither GRCh38 nor GRCh37", "positions would be read at the wrong place",
        "lift the file over to GRCh38"),
    "vcf.build_unknown": (
        "error", "", "the genome build cannot be told from header or records",
        "positions would be read at the wrong place",
        "add ##contig lengths or ##reference to the header, or set genome.build in the config"),
    "vcf.no_lift": (
        "note", "", "{n} definition positions of the gene have no known GRCh37 position",
        "they count as not assayed in a GRCh37 file", "lift the file over to GRCh38 to use them"),
    "vcf.contig_unknown": (
        "error", "CHROM", "no contig is a chromosome under any known name", "no definition position can be found",
        "name contigs chr1 or 1, or by RefSeq or GenBank accession"),
    "vcf.contig_number": (
        "warning", "CHROM", "sex chromosomes are written as numbers", "23 was read as X, 24 as Y",
        "write X and Y (plink2 --output-chr)"),
    # the records
    "vcf.columns": (
        "error", "", "{n} records do not have as many columns as the header", "genotypes would go to the wrong sample",
        "export or copy the file again"),
    "vcf.concatenated": (
        "error", "", "a second header among the records", "its sample columns may be in another order",
        "join files with bcftools concat or merge"),
    "vcf.comment": (
        "warning", "", "{n} lines among the records begin with #", "they were left out as comments",
        "delete them, or the # if a record was meant"),
    "vcf.no_newline": (
        "warning", "", "the last line has no line end", "the file may be cut: its last column or later records",
        "export or copy the file again, or add the line end if the file is whole"),
    "vcf.position": (
        "error", "POS", "{n} records have a POS that is no position of the chromosome",
        "the build or the export is not what it seems", "correct POS, or the build of the header"),
    "vcf.position_zero": (
        "warning", "POS", "{n} records have POS 0", "0 is the telomere, before the first base; they were left out",
        "correct POS if a variant was meant (positions are 1-based)"),
    "vcf.unsorted": (
        "warning", "POS", "{n} records are out of order", "the file was read, but cannot be indexed",
        "sort the file (bcftools sort)"),
    "vcf.duplicate": (
        "warning", "", "{n} records at definition positions occur more than once",
        "samples whose records differ count as not assayed there", "remove the copies (bcftools norm -d exact)"),
    "vcf.contradictory": (
        "warning", "", "{n} definition positions of the gene have records that contradict each other",
        "the samples concerned count as not assayed there", "re-export these positions as one record each"),
    "vcf.ref": (
        "warning", "REF", "{n} definition positions of the gene have a REF that is not the base of the genome build",
        "they count as not assayed", "check the reference genome of the file"),
    "vcf.swapped": (
        "warning", "REF", "{n} definition positions of the gene have REF and ALT swapped",
        "they count as not assayed, since other records may be swapped unseen",
        "export with the reference allele fixed (plink2 --ref-from-fa, bcftools +fixref)"),
    "vcf.strand": (
        "warning", "REF", "{n} definition positions of the gene have REF and ALT of the other strand",
        "they count as not assayed", "export on the forward strand (bcftools +fixref)"),
    "vcf.alt_invalid": (
        "warning", "ALT", "{n} definition positions of the gene have an ALT that is no sequence of A, C, G, T",
        "that allele counts as unknown", "write one ALT for each base"),
    "vcf.no_gt": (
        "error", "FORMAT", "{n} records at definition positions have no GT", "no genotype can be read",
        "export the file with FORMAT/GT"),
    "vcf.gt_not_first": (
        "warning", "FORMAT", "GT is not the first field of FORMAT", "it was read, other tools may fail",
        "write GT first, as the VCF specification asks"),
    "vcf.gt_invalid": (
        "error", "", "{n} genotypes at definition positions are no VCF genotypes, or name an ALT that the record lacks",
        "a shifted column or a wrong export would give wrong genotypes", "export the file again with numeric GT"),
    "vcf.ps_invalid": (
        "warning", "", "{n} definition positions of the gene have a PS that is no positive number",
        "these genotypes count as unphased", "write PS as an integer (bcftools view drops other types)"),
    "vcf.half_call": (
        "note", "", "{n} definition positions of the gene have half calls",
        "one allele is used, the other counts as not assayed", "re-call these positions if the assay allows"),
    "vcf.haploid": (
        "note", "", "{n} definition positions of an autosomal gene have haploid genotypes",
        "the second allele counts as not assayed", "re-call as diploid, or see whether a deletion was meant"),
    "vcf.ploidy": (
        "warning", "", "{n} definition positions of the gene have genotypes with more than two alleles",
        "they count as not assayed", "call as diploid and give copy numbers as structure calls"),
    "vcf.ploidy_mixed": (
        "warning", "", "{n} samples have haploid and heterozygous genotypes in one gene of chromosome X",
        "the haploid ones count as one allele known of two", "call the gene with one ploidy a sample"),
    "vcf.structural": (
        "warning", "ALT", "structural records span {n} definition positions of the gene",
        "they say nothing about single bases, and deletions or copies were not used here",
        "give copy numbers and hybrids as structure calls"),
    "vcf.filtered": (
        "warning", "FILTER", "{n} definition positions of the gene fail FILTER", "they count as not assayed",
        "re-call or re-export these positions"),
    "vcf.low_evidence": (
        "warning", "", "{n} definition positions of the gene have genotypes below the asked depth or quality",
        "these genotypes count as not assayed", "sequence deeper, or lower genome.min_depth or genome.min_quality"),
    "vcf.other_alternate": (
        "note", "ALT", "{n} definition positions of the gene carry an alternate that no definition knows",
        "no star allele explains it", "look at the gene by hand"),
    "vcf.gene_uncovered": (
        "warning", "", "no definition position of the gene is covered",
        "its diplotype rests on population frequencies alone", "include the gene's positions in the export"),
    "vcf.sample_empty": (
        "warning", "", "{n} samples have no genotype at any definition position",
        "their diplotypes rest on population frequencies alone", "see whether the sample failed, and re-export it"),
    "vcf.callable": (
        "error", "", "the file of callable regions is not a BED", "no position can be taken as covered",
        "give chromosome, 0-based start and end, separated by tabs, start < end"),
}  # fmt: skip


@dataclass
class Problem:
    """A rule with the first place where it was met, an example, and how often it was met."""

    rule: str
    row: int
    value: str
    count: int

    def finding(self, file: str, severity: str = "") -> Finding:
        """The sentence for the user; ``severity`` replaces the rule's."""
        usual, column, what, why, fix = RULES[self.rule]
        what = what.format(n=self.count)
        return Finding.create(
            self.rule, file, what, why, fix, row=self.row, column=column, value=self.value, severity=severity or usual
        )


@dataclass
class Problems:
    """Collector: one entry a rule and subject (a gene, or ``""``), in the order they were met."""

    entries: dict[tuple[str, str], Problem] = field(default_factory=dict)

    def add(self, rule: str, *, row: int = 0, value: object = "", count: int = 1, subject: str = "") -> None:
        """Count a problem; row and value of the first are kept."""
        if rule not in RULES:
            raise KeyError(rule)
        entry = self.entries.setdefault((rule, subject), Problem(rule, row, str(value), 0))
        entry.count += count

    def errors(self) -> list[Problem]:
        """The problems that forbid using the file."""
        return [p for p in self.entries.values() if RULES[p.rule][0] == "error"]

    def __contains__(self, rule: str) -> bool:
        return any(name == rule for name, _ in self.entries)
