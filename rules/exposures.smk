# Exposure of every twin to drugs of the library: `snakemake exposures` (needs exposures.regimens; docs/exposures.md).
REGIMENS = config["exposures"]["regimens"]
EXPOSURE_CHECKS = (
    expand(f"{OUT}/exposures/solver_check/{{bucket}}.tsv", bucket=PLAN.buckets)
    if REGIMENS
    else []
)

EMULATED = config["exposures"]["method"] == "emulator"

if REGIMENS and EMULATED:

    rule exposure_emulators:
        input:
            drugs=sorted({library_file(r["drug"]) for r in REGIMENS}),
        output:
            errors=f"{OUT}/exposures/emulators.tsv",
            weights=f"{OUT}/exposures/emulator_weights.parquet",
        log:
            f"{LOG}/exposure_emulators.log",
        benchmark:
            f"{LOG}/exposure_emulators.benchmark.tsv"
        conda:
            "../envs/pbpk.yaml"
        threads: 1
        resources:
            mem_mb=grows(2000),
            runtime=60,
        params:
            settings=settings_digest(
                config,
                "exposures.regimens",
                "master_seed",
                "genome.activity_map",
                "pbpk.rtol",
            ),
            code=script_digest("exposure_emulators"),
            facts=facts_digest("genes", "physiology", "qualification/plan.yaml"),
        script:
            "../scripts/exposure_emulators.py"


if REGIMENS:

    rule exposures_of_bucket:
        input:
            drugs=sorted({library_file(r["drug"]) for r in REGIMENS}),
            genotype=f"{OUT}/twins/{{bucket}}/genotype.parquet",
            body=f"{OUT}/twins/{{bucket}}/body.parquet",
            body_draws=f"{OUT}/twins/{{bucket}}/body_draws.parquet",
            priors=f"{OUT}/twins/{{bucket}}/priors.parquet",
            weights=[f"{OUT}/exposures/emulator_weights.parquet"] if EMULATED else [],
        output:
            exposures=f"{OUT}/exposures/twins/{{bucket}}.parquet",
            checks=f"{OUT}/exposures/solver_check/{{bucket}}.tsv",
        log:
            f"{LOG}/exposures/{{bucket}}.log",
        benchmark:
            f"{LOG}/exposures/{{bucket}}.benchmark.tsv"
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
                "exposures",
                "master_seed",
                "genome.activity_map",
                "pbpk.rtol",
                "pbpk.crosscheck_fraction",
                "pbpk.crosscheck_rtol",
            ),
            code=script_digest("exposures"),
            facts=facts_digest("genes", "physiology", "qualification/plan.yaml"),
        script:
            "../scripts/exposures.py"

    rule exposures:
        input:
            exposures=expand(
                f"{OUT}/exposures/twins/{{bucket}}.parquet", bucket=PLAN.buckets
            ),
            checks=EXPOSURE_CHECKS,
        output:
            summary=f"{OUT}/exposures/summary.tsv",
            parts=f"{OUT}/exposures/sha256.txt",
        log:
            f"{LOG}/exposure_summary.log",
        benchmark:
            f"{LOG}/exposure_summary.benchmark.tsv"
        conda:
            "../envs/pbpk.yaml"
        threads: 1
        resources:
            mem_mb=grows(3000),
            runtime=60,
        params:
            rows=rows_digest_of_twins(),
            code=script_digest("exposure_summary"),
        script:
            "../scripts/exposure_summary.py"
