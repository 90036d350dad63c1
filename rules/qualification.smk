# Qualification against published studies (docs/qualification.md): a target of its own, no part of a study.
#   snakemake qualification --config qualification='{data: ../shared/data/pbpk}'
QUALIFIED = "results/qualification"
REFERENCE = config["qualification"]["data"]

if REFERENCE:
    REFERENCE_TABLES = sorted(
        f"{REFERENCE}/{name}" for name in os.listdir(REFERENCE) if name.endswith(".csv")
    )
    QUALIFICATION_PARAMS = {
        "settings": settings_digest(config, "qualification.draws"),
        "code": script_digest("qualification"),
        "facts": facts_digest(
            "drugs", "genes", "observed", "physiology", "qualification"
        ),
    }

    # Some of the solves: whole structures, shared out by the library.
    rule qualification_shard:
        input:
            REFERENCE_TABLES,
        output:
            f"{QUALIFIED}/shards/{{shard}}_of_{{shards}}.npz",
        log:
            f"{QUALIFIED}/logs/shard_{{shard}}_of_{{shards}}.log",
        benchmark:
            f"{QUALIFIED}/logs/shard_{{shard}}_of_{{shards}}.benchmark.tsv"
        wildcard_constraints:
            shard=r"\d+",
            shards=r"\d+",
        conda:
            "../envs/pbpk.yaml"
        threads: 1
        resources:
            mem_mb=grows(2000),
            runtime=60,
        params:
            **QUALIFICATION_PARAMS,
        script:
            "../scripts/qualification.py"

    # Tables, pictures, criteria.
    rule qualification:
        input:
            REFERENCE_TABLES,
            shards=expand(
                f"{QUALIFIED}/shards/{{shard}}_of_{{shards}}.npz",
                shard=range(config["qualification"]["shards"]),
                shards=config["qualification"]["shards"],
            ),
        output:
            expand(
                f"{QUALIFIED}/{{table}}.tsv",
                table=[
                    "criteria",
                    "coverage",
                    "profiles",
                    "points",
                    "profiles_by_drug",
                    "ratios",
                    "ratios_by_use_case",
                    "ratios_by_pair",
                    "ratios_cmax_by_use_case",
                    "genotype_in_sample",
                    "own_exposures",
                    "left_out",
                    "cost",
                ],
            ),
            f"{QUALIFIED}/identity.svg",
            f"{QUALIFIED}/qualification.md",
            report=f"{QUALIFIED}/report.txt",
            pictures=directory(f"{QUALIFIED}/profiles"),
        log:
            f"{QUALIFIED}/logs/qualification.log",
        benchmark:
            f"{QUALIFIED}/logs/qualification.benchmark.tsv"
        conda:
            "../envs/pbpk.yaml"
        threads: 1
        resources:
            mem_mb=grows(3000),
            runtime=60,
        params:
            **QUALIFICATION_PARAMS,
        script:
            "../scripts/qualification.py"
