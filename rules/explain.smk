# What stands on a twin's own page: what each piece of knowledge changes, another genotype, other doses.


rule explain:
    input:
        f"{OUT}/compile/whole_body.json",
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
        steps=f"{OUT}/explain/{{bucket}}/steps.parquet",
        counterfactuals=f"{OUT}/explain/{{bucket}}/counterfactuals.parquet",
        courses=f"{OUT}/explain/{{bucket}}/counterfactual_courses.parquet",
        dose_options=f"{OUT}/explain/{{bucket}}/dose_options.parquet",
        checks=f"{OUT}/explain/{{bucket}}/solver_check.tsv",
    log:
        f"{LOG}/explain/{{bucket}}.log",
    benchmark:
        f"{LOG}/explain/{{bucket}}.benchmark.tsv"
    conda:
        "../envs/pbpk.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=120,
    params:
        settings=settings_digest(
            config, "pbpk", "explain", "drug", "master_seed", "report.twin_pages"
        ),
        code=script_digest("explain"),
        facts=facts_digest("physiology", "targets.tsv"),
    script:
        "../scripts/explain.py"
