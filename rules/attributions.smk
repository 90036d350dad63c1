# What makes a twin's exposure differ from the reference person's: Shapley values on the model itself.
ATTRIBUTIONS = config["attributions"]["twins"] != "none"

if ATTRIBUTIONS:

    rule attributions:
        input:
            ancient(PATHS["twins"]),
            f"{OUT}/compile/whole_body.json",
            drug=DRUG_FILE,
            scenarios=PATHS["scenarios"],
            priors=f"{OUT}/twins/{{bucket}}/priors.parquet",
            population=f"{OUT}/fit/population_draws.parquet",
            twins=f"{OUT}/fit/twin_draws.parquet",
        output:
            attributions=f"{OUT}/attributions/{{bucket}}/attributions.parquet",
            checks=f"{OUT}/attributions/{{bucket}}/solver_check.tsv",
        log:
            f"{LOG}/attributions/{{bucket}}.log",
        benchmark:
            f"{LOG}/attributions/{{bucket}}.benchmark.tsv"
        conda:
            "../envs/pbpk.yaml"
        threads: 1
        resources:
            mem_mb=grows(2000),
            runtime=240,
        params:
            rows=lambda wc: PLAN.bucket_digest(wc.bucket),
            settings=settings_digest(
                config,
                "attributions",
                "drug",
                "master_seed",
                "pbpk.engine",
                "pbpk.rtol",
                "pbpk.crosscheck_fraction",
                "pbpk.crosscheck_rtol",
                "sensitivity.reference_sex",
                "sensitivity.reference_activity_score",
                "genome.activity_map",
            ),
            code=script_digest("attributions"),
            facts=facts_digest("physiology", "genes"),
        script:
            "../scripts/attributions.py"
