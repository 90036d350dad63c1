PHASED_VCF = (
    [f"{OUT}/genome/{{vcf}}/phased.vcf.gz", f"{OUT}/genome/{{vcf}}/phased.vcf.gz.tbi"]
    if config["genome"]["phased_vcf"]
    else []
)
GENOME_SETTINGS = [
    f"genome.{name}"
    for name in (
        "genes",
        "build",
        "absent_positions",
        "filters",
        "min_depth",
        "min_quality",
        "min_probability",
        "phased_vcf",
    )
]


# Star alleles, once a VCF: posteriors for every sample and every ancestry panel. Covariates never reach this stage.
rule genome:
    input:
        vcf=lambda wc: CALLED_VCF[wc.vcf],
        callable=[PATHS["callable"]] if PATHS["callable"] else [],
        pedigree=[PATHS["pedigree"]] if PATHS["pedigree"] else [],
    output:
        calls=f"{OUT}/genome/{{vcf}}/calls.parquet",
        sites=f"{OUT}/genome/{{vcf}}/sites.parquet",
        findings=f"{OUT}/genome/{{vcf}}/findings.tsv",
        phased=PHASED_VCF,
    log:
        f"{LOG}/genome/{{vcf}}.log",
    benchmark:
        f"{LOG}/genome/{{vcf}}.benchmark.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=60,
    params:
        settings=settings_digest(config, *GENOME_SETTINGS),
        code=script_digest("genome"),
        facts=facts_digest("genes"),
    script:
        "../scripts/genome.py"


EXPORTS = (
    expand(f"{OUT}/twins/{{bucket}}/exports", bucket=PLAN.buckets)
    if config["genome"]["exports"]
    else []
)


# Files of each twin for other programs: PharmCAT outside calls and JSON, GA4GH Phenopacket.
rule exports:
    input:
        ancient(PATHS["twins"]),
        vcf=lambda wc: [CALLED_VCF[key] for key in PLAN.bucket_vcfs(wc.bucket)],
        callable=[PATHS["callable"]] if PATHS["callable"] else [],
        pedigree=[PATHS["pedigree"]] if PATHS["pedigree"] else [],
        calls=lambda wc: calls_of(PLAN.bucket_vcfs(wc.bucket)),
        genotype=f"{OUT}/twins/{{bucket}}/genotype.parquet",
    output:
        directory(f"{OUT}/twins/{{bucket}}/exports"),
    log:
        f"{LOG}/exports/{{bucket}}.log",
    benchmark:
        f"{LOG}/exports/{{bucket}}.benchmark.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=60,
    params:
        rows=lambda wc: PLAN.bucket_digest(wc.bucket),
        settings=settings_digest(config, *GENOME_SETTINGS, "genome.exports_time"),
        code=script_digest("exports"),
        facts=facts_digest("genes"),
    script:
        "../scripts/exports.py"
