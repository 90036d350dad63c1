# One bucket of twins: genotype and activity (ancestry and outside calls chosen), physiology, priors.
TWIN_SETTINGS = ("genome.activity_map", "genome.phenotype_scheme", "drug")


rule twins:
    input:
        ancient(PATHS["twins"]),
        calls=lambda wc: calls_of(PLAN.bucket_vcfs(wc.bucket)),
        outside=PATHS["outside_files"],
    output:
        genotype=f"{OUT}/twins/{{bucket}}/genotype.parquet",
        sites=f"{OUT}/twins/{{bucket}}/sites.parquet",
        recommendations=f"{OUT}/twins/{{bucket}}/recommendations.parquet",
        body=f"{OUT}/twins/{{bucket}}/body.parquet",
        body_draws=f"{OUT}/twins/{{bucket}}/body_draws.parquet",
        priors=f"{OUT}/twins/{{bucket}}/priors.parquet",
        findings=f"{OUT}/twins/{{bucket}}/findings.tsv",
    log:
        f"{LOG}/twins/{{bucket}}.log",
    benchmark:
        f"{LOG}/twins/{{bucket}}.benchmark.tsv"
    conda:
        "../envs/body.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=30,
    params:
        rows=lambda wc: PLAN.bucket_digest(wc.bucket),
        settings=settings_digest(config, "pbpk.draws", "master_seed", *TWIN_SETTINGS),
        code=script_digest("twins"),
        facts=facts_digest("genes", "physiology"),
    script:
        "../scripts/twins.py"


# What is known of somebody of whom nothing is known: pooled genotype frequencies, reference bodies.
rule reference:
    output:
        body=f"{OUT}/reference/body.parquet",
        priors=f"{OUT}/reference/priors.parquet",
    log:
        f"{LOG}/reference.log",
    benchmark:
        f"{LOG}/reference.benchmark.tsv"
    conda:
        "../envs/body.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=30,
    params:
        settings=settings_digest(config, "genome.activity_map"),
        code=script_digest("reference"),
        facts=facts_digest("genes", "physiology"),
    script:
        "../scripts/reference.py"
