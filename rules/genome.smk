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
    log:
        f"{LOG}/genome/{{vcf}}.log",
    benchmark:
        f"{LOG}/genome/{{vcf}}.benchmark.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_digest(config, *GENOME_SETTINGS),
        code=script_digest("genome"),
        facts=facts_digest("genes"),
    script:
        "../scripts/genome.py"
