# Criticism of the fit: tables behind the figures of its chains, and visual predictive checks from replicates of the study.
CRITICISM_TABLES = (
    [
        f"{OUT}/criticism/{t}"
        for t in (
            "vpc_groups.tsv",
            "vpc.tsv",
            "vpc_blq.tsv",
            "fit_ranks.tsv",
            "fit_traces.parquet",
            "fit_energy.tsv",
            "fit_chains.tsv",
        )
    ]
    if PATHS["events"]
    else []
)


if CRITICISM_TABLES:

    rule criticism:
        input:
            f"{OUT}/compile/whole_body.json",
            ancient(PATHS["events"]),
            drug=DRUG_FILE,
            posterior=[f"{OUT}/fit/posterior.nc"] if FIT else [],
            genotype=gathered("twins", "genotype.parquet"),
            body=gathered("twins", "body.parquet"),
            body_draws=gathered("twins", "body_draws.parquet"),
            priors=gathered("twins", "priors.parquet"),
            reference_body=f"{OUT}/reference/body.parquet",
            reference_priors=f"{OUT}/reference/priors.parquet",
            population=f"{OUT}/fit/population_draws.parquet",
            twins=f"{OUT}/fit/twin_draws.parquet",
        output:
            CRITICISM_TABLES,
            checks=f"{OUT}/criticism/solver_check.tsv",
        log:
            f"{LOG}/criticism.log",
        benchmark:
            f"{LOG}/criticism.benchmark.tsv"
        conda:
            "../envs/fit.yaml"
        threads: 1
        resources:
            mem_mb=grows(2000),
            runtime=60,
        params:
            rows=rows_digest_of_events(),
            settings=settings_digest(config, "pbpk", "drug", "master_seed"),
            code=script_digest("criticism"),
            facts=facts_digest("physiology", "inference/diagnostics.tsv"),
        script:
            "../scripts/criticism.py"
