# Star alleles, once a VCF: posteriors for every sample and every ancestry panel. Covariates never reach this stage.
rule genome:
    input:
        vcf=lambda wc: PLAN.vcf_of[wc.vcf],
    output:
        calls=f"{OUT}/genome/{{vcf}}/calls.parquet",
        sites=f"{OUT}/genome/{{vcf}}/sites.parquet",
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
        settings=settings_digest(
            config, "genome.genes", "genome.absent_positions", "genome.min_probability"
        ),
        code=script_digest("genome"),
        facts=facts_digest("genes"),
    script:
        "../scripts/genome.py"
