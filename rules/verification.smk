# The study verifies itself: mass balance, tolerance ladder, closed forms, sums of every body; and the model's states.
VERIFIED = {
    "verification": "tsv",
    "organ_courses": "parquet",
    "mass_balance": "parquet",
    "tolerance_ladder": "tsv",
    "exact_courses": "parquet",
    "closed_forms": "tsv",
    "body_sums": "parquet",
}
VERIFICATION_TABLES = [f"{OUT}/verification/{t}.{end}" for t, end in VERIFIED.items()]


rule verification:
    input:
        f"{OUT}/compile/whole_body.json",
        ancient(PATHS["twins"]),
        drug=DRUG_FILE,
        scenarios=PATHS["scenarios"],
        body=gathered("twins", "body.parquet"),
        priors=gathered("twins", "priors.parquet"),
        reference_body=f"{OUT}/reference/body.parquet",
        reference_priors=f"{OUT}/reference/priors.parquet",
        population=f"{OUT}/fit/population_draws.parquet",
        twins=f"{OUT}/fit/twin_draws.parquet",
    output:
        VERIFICATION_TABLES,
        checks=f"{OUT}/verification/solver_check.tsv",
    log:
        f"{LOG}/verification.log",
    benchmark:
        f"{LOG}/verification.benchmark.tsv"
    conda:
        "../envs/pbpk.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=30,
    params:
        rows=rows_digest_of_twins(),
        settings=settings_digest(
            config, "pbpk", "fit", "drug", "master_seed", "explain.scenario"
        ),
        code=script_digest("verification"),
        facts=facts_digest("physiology", "verification.tsv"),
    script:
        "../scripts/verification.py"
