# Read-backed phase (off without paths.alignments): the genome stage then reads the phased copy of a VCF's gene regions.
from pharmtwin.intake.buckets import rows_digest, vcf_paths
from pharmtwin.intake.sheet import read_rows

ALIGNMENTS = read_rows(PATHS["alignments"]) if PATHS["alignments"] else []

SAMPLES_OF = {
    vcf: {
        row.get("sample", "")
        for rows in PLAN.twins.values()
        for row in rows
        if path in vcf_paths(PATHS["vcf_dir"], row.get("vcf", ""))
    }
    for vcf, path in PLAN.vcf_of.items()
}
# rows of the alignments sheet by VCF, for the samples that twins use
ALIGNED = {
    vcf: rows
    for vcf, samples in SAMPLES_OF.items()
    if (rows := [r for r in ALIGNMENTS if r.get("sample", "") in samples])
}
READ_PHASING = [f"{OUT}/reads/{vcf}/phasing.tsv" for vcf in ALIGNED]
# the file that the genome stage reads: the user's, or its copy with read-backed phase
CALLED_VCF = {
    vcf: f"{OUT}/reads/{vcf}/phased.vcf.gz" if vcf in ALIGNED else path
    for vcf, path in PLAN.vcf_of.items()
}


if READ_PHASING:

    rule phase_reads:
        input:
            alignments=ancient(PATHS["alignments"]),
            vcf=lambda wc: PLAN.vcf_of[wc.vcf],
            bam=lambda wc: sorted({row["bam"] for row in ALIGNED[wc.vcf]}),
            reference=lambda wc: sorted(
                {r for row in ALIGNED[wc.vcf] if (r := row.get("reference", ""))}
            ),
        output:
            vcf=f"{OUT}/reads/{{vcf}}/phased.vcf.gz",
            index=f"{OUT}/reads/{{vcf}}/phased.vcf.gz.tbi",
            table=f"{OUT}/reads/{{vcf}}/phasing.tsv",
        log:
            f"{LOG}/reads/{{vcf}}.log",
        benchmark:
            f"{LOG}/reads/{{vcf}}.benchmark.tsv"
        conda:
            "../envs/genome.yaml"
        threads: 1
        resources:
            mem_mb=grows(4000),
            runtime=240,
        params:
            rows=lambda wc: rows_digest(ALIGNED[wc.vcf]),
            settings=settings_digest(config, "genome.genes", "genome.build"),
            code=script_digest("phase_reads"),
            facts=facts_digest("genes"),
        script:
            "../scripts/phase_reads.py"
