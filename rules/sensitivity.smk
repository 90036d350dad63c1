# Morris, then Sobol on the survivors, for a reference person: independent of the twins and of the fit.
if SENSITIVITY:

    rule sensitivity:
        input:
            f"{OUT}/compile/whole_body.json",
            drug=DRUG_FILE,
            scenarios=PATHS["scenarios"],
            reference_body=f"{OUT}/reference/body.parquet",
        output:
            morris=f"{OUT}/sensitivity/morris.tsv",
            sobol=f"{OUT}/sensitivity/sobol.tsv",
            checks=f"{OUT}/sensitivity/solver_check.tsv",
        log:
            f"{LOG}/sensitivity.log",
        benchmark:
            f"{LOG}/sensitivity.benchmark.tsv"
        conda:
            "../envs/sensitivity.yaml"
        threads: 1
        resources:
            mem_mb=1500,
            runtime=120,
        params:
            settings=settings_digest(
                config, "sensitivity", "drug", "master_seed", "genome.activity_map"
            ),
            code=script_digest("sensitivity"),
            facts=facts_digest("sensitivity", "physiology", "genes"),
        script:
            "../scripts/sensitivity.py"
