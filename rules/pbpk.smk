# Exposure and profiles of every scenario, and predictions at the twins' own samples.
rule pbpk:
    input:
        f"{OUT}/compile/whole_body.json",
        ancient([PATHS["events"]] if PATHS["events"] else []),
        [PATHS["targets"]] if PATHS["targets"] else [],
        drug=DRUG_FILE,
        scenarios=PATHS["scenarios"],
        body=f"{OUT}/twins/{{bucket}}/body.parquet",
        body_draws=f"{OUT}/twins/{{bucket}}/body_draws.parquet",
        priors=f"{OUT}/twins/{{bucket}}/priors.parquet",
        reference_body=f"{OUT}/reference/body.parquet",
        reference_priors=f"{OUT}/reference/priors.parquet",
        population=f"{OUT}/fit/population_draws.parquet",
        twins=f"{OUT}/fit/twin_draws.parquet",
    output:
        exposure=f"{OUT}/pbpk/{{bucket}}/exposure.parquet",
        profiles=f"{OUT}/pbpk/{{bucket}}/profiles.parquet",
        predictions=f"{OUT}/pbpk/{{bucket}}/predictions.parquet",
        scores=f"{OUT}/pbpk/{{bucket}}/predictive_scores.parquet",
        exceedance=f"{OUT}/pbpk/{{bucket}}/exceedance.parquet",
        checks=f"{OUT}/pbpk/{{bucket}}/solver_check.tsv",
    log:
        f"{LOG}/pbpk/{{bucket}}.log",
    benchmark:
        f"{LOG}/pbpk/{{bucket}}.benchmark.tsv"
    conda:
        "../envs/pbpk.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=120,
    params:
        rows=lambda wc: PLAN.bucket_digest(wc.bucket),
        settings=settings_digest(
            config,
            "pbpk",
            "drug",
            "master_seed",
            "evaluation.limits_ng_ml",
            "explain.draws",
            "report.twin_pages",
        ),
        code=script_digest("pbpk"),
        facts=facts_digest("physiology", "targets.tsv"),
    script:
        "../scripts/pbpk.py"


rule population:
    input:
        f"{OUT}/compile/whole_body.json",
        drug=DRUG_FILE,
        scenarios=PATHS["scenarios"],
        reference_body=f"{OUT}/reference/body.parquet",
        reference_priors=f"{OUT}/reference/priors.parquet",
        population=f"{OUT}/fit/population_draws.parquet",
    output:
        exposure=f"{OUT}/pbpk/population/exposure.parquet",
        profiles=f"{OUT}/pbpk/population/profiles.parquet",
        checks=f"{OUT}/pbpk/population/solver_check.tsv",
    log:
        f"{LOG}/population.log",
    benchmark:
        f"{LOG}/population.benchmark.tsv"
    conda:
        "../envs/pbpk.yaml"
    threads: 1
    resources:
        mem_mb=grows(1500),
        runtime=60,
    params:
        settings=settings_digest(config, "pbpk", "drug", "master_seed", "explain.draws"),
        code=script_digest("population"),
        facts=facts_digest("physiology"),
    script:
        "../scripts/population.py"


if PUBLISHED:

    rule published:
        input:
            f"{OUT}/compile/whole_body.json",
            drug=DRUG_FILE,
            profiles=PUBLISHED,
            groups=PUBLISHED.replace("_profiles", "_groups"),
            population=f"{OUT}/fit/population_draws.parquet",
        output:
            published=f"{OUT}/published/published.tsv",
            checks=f"{OUT}/published/solver_check.tsv",
        log:
            f"{LOG}/published.log",
        benchmark:
            f"{LOG}/published.benchmark.tsv"
        conda:
            "../envs/pbpk.yaml"
        threads: 1
        resources:
            mem_mb=grows(1500),
            runtime=60,
        params:
            settings=settings_digest(
                config,
                "pbpk",
                "drug",
                "master_seed",
                "genome.activity_map",
                "fit.enabled",
            ),
            code=script_digest("published"),
            facts=facts_digest("physiology", "genes"),
        script:
            "../scripts/published.py"
