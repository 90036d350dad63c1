# The population: fitted by NUTS to the twins with samples, or drawn from the drug file's priors.
if FIT:

    rule fit:
        input:
            f"{OUT}/compile/whole_body.json",
            ancient(PATHS["twins"]),
            ancient(PATHS["events"]),
            drug=DRUG_FILE,
            calls=calls_of(PLAN.sampled_vcfs()),
            outside=PATHS["outside_files"],
            plan=PLAN_FILE,
        output:
            population=f"{OUT}/fit/population_draws.parquet",
            twins=f"{OUT}/fit/twin_draws.parquet",
            summary=f"{OUT}/fit/summary.tsv",
            diagnostics=f"{OUT}/fit/diagnostics.tsv",
            individual=f"{OUT}/fit/twins.tsv",
            genotype=f"{OUT}/fit/genotype.tsv",
            diplotypes=f"{OUT}/fit/diplotypes.tsv",
            posterior=f"{OUT}/fit/posterior.nc",
        log:
            f"{LOG}/fit.log",
        benchmark:
            f"{LOG}/fit.benchmark.tsv"
        conda:
            "../envs/fit.yaml"
        threads: 2
        resources:
            mem_mb=grows(3000),
            runtime=240,
        params:
            rows=PLAN.sampled_digest(),
            settings=settings_digest(
                config, "fit", "drug", "master_seed", *TWIN_SETTINGS
            ),
            code=script_digest("fit"),
            facts=facts_digest("genes", "physiology", "inference/diagnostics.tsv"),
        script:
            "../scripts/fit.py"

else:

    rule prior_population:
        input:
            drug=DRUG_FILE,
            plan=PLAN_FILE,
        output:
            population=f"{OUT}/fit/population_draws.parquet",
            twins=f"{OUT}/fit/twin_draws.parquet",
        log:
            f"{LOG}/prior_population.log",
        benchmark:
            f"{LOG}/prior_population.benchmark.tsv"
        conda:
            "../envs/fit.yaml"
        threads: 1
        resources:
            mem_mb=grows(1000),
            runtime=30,
        params:
            settings=settings_digest(config, "drug", "master_seed"),
            code=script_digest("prior_population"),
        script:
            "../scripts/prior_population.py"
