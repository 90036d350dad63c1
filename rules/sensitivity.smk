# Morris, then Sobol on the survivors, for one person: independent of the fit. Runs are shared out over shards; the
# Sobol sample doubles from level to level, and a level that is not needed writes empty shards.
if SENSITIVITY:
    # level 0 solves sobol_base blocks, every further one as many as there are
    LEVELS = (
        config["sensitivity"]["max_base"] // config["sensitivity"]["sobol_base"]
    ).bit_length()
    SENSITIVITY_OUT = [
        "sobol",
        "sobol_convergence",
        "sobol_course",
        "sobol_second",
        "tornado",
        "sensitivity_inputs",
        "sensitivity_advice",
    ]
    RUN_SETTINGS = [
        "sensitivity.twin",
        "sensitivity.reference_sex",
        "sensitivity.reference_activity_score",
        "sensitivity.genotype",
        "sensitivity.scenario",
        "sensitivity.outputs",
        "sensitivity.leave_out",
        "drug",
        "master_seed",
        "genome.activity_map",
        "pbpk.crosscheck_fraction",
        "pbpk.crosscheck_rtol",
    ]
    MORRIS_SETTINGS = [
        "sensitivity.morris_trajectories",
        "sensitivity.morris_candidates",
        "sensitivity.morris_levels",
    ]
    SOBOL_SETTINGS = ["sensitivity.sobol_base", "sensitivity.second_order"]

    SENSITIVE_INPUT = {
        "compiled": f"{OUT}/compile/whole_body.json",
        "drug": DRUG_FILE,
        "scenarios": PATHS["scenarios"],
        **analysed_person_tables(),
    }
    SENSITIVE_FACTS = facts_digest(
        "sensitivity", "physiology", "genes", "qualification/plan.yaml"
    )

    rule sensitivity_morris:
        input:
            **SENSITIVE_INPUT,
        output:
            f"{OUT}/sensitivity/shards/morris_{{shard}}_of_{{shards}}.npz",
        log:
            f"{LOG}/sensitivity/morris_{{shard}}_of_{{shards}}.log",
        benchmark:
            f"{LOG}/sensitivity/morris_{{shard}}_of_{{shards}}.benchmark.tsv"
        wildcard_constraints:
            shard=r"\d+",
            shards=r"\d+",
        conda:
            "../envs/sensitivity.yaml"
        threads: 1
        resources:
            mem_mb=grows(1500),
            runtime=120,
        params:
            settings=settings_digest(config, *RUN_SETTINGS, *MORRIS_SETTINGS),
            code=script_digest("sensitivity"),
            facts=SENSITIVE_FACTS,
        script:
            "../scripts/sensitivity.py"

    rule sensitivity_screen:
        input:
            **SENSITIVE_INPUT,
            shards=morris_shards(),
        output:
            morris=f"{OUT}/sensitivity/morris.tsv",
        log:
            f"{LOG}/sensitivity/screen.log",
        benchmark:
            f"{LOG}/sensitivity/screen.benchmark.tsv"
        conda:
            "../envs/sensitivity.yaml"
        threads: 1
        resources:
            mem_mb=grows(1500),
            runtime=60,
        params:
            settings=settings_digest(config, *RUN_SETTINGS, *MORRIS_SETTINGS),
            code=script_digest("sensitivity"),
            facts=SENSITIVE_FACTS,
        script:
            "../scripts/sensitivity.py"

    rule sensitivity_sobol:
        input:
            **SENSITIVE_INPUT,
            morris=f"{OUT}/sensitivity/morris.tsv",
            before=lambda wc: sobol_shards(int(wc.level)),
        output:
            f"{OUT}/sensitivity/shards/sobol_{{level}}_{{shard}}_of_{{shards}}.npz",
        log:
            f"{LOG}/sensitivity/sobol_{{level}}_{{shard}}_of_{{shards}}.log",
        benchmark:
            f"{LOG}/sensitivity/sobol_{{level}}_{{shard}}_of_{{shards}}.benchmark.tsv"
        wildcard_constraints:
            level=r"\d+",
            shard=r"\d+",
            shards=r"\d+",
        conda:
            "../envs/sensitivity.yaml"
        threads: 1
        resources:
            mem_mb=grows(2000),
            runtime=720,
        params:
            # whether a later level is needed depends on the width asked for; a larger max_base only adds levels
            settings=lambda wc: settings_digest(
                config,
                *RUN_SETTINGS,
                *MORRIS_SETTINGS,
                *SOBOL_SETTINGS,
                *(["sensitivity.target_half_width"] if int(wc.level) else []),
            ),
            code=script_digest("sensitivity"),
            facts=SENSITIVE_FACTS,
        script:
            "../scripts/sensitivity.py"

    rule sensitivity:
        input:
            **SENSITIVE_INPUT,
            morris=f"{OUT}/sensitivity/morris.tsv",
            morris_shards=morris_shards(),
            shards=sobol_shards(LEVELS),
        output:
            **{t: f"{OUT}/sensitivity/{t}.tsv" for t in SENSITIVITY_OUT},
            checks=f"{OUT}/sensitivity/solver_check.tsv",
        log:
            f"{LOG}/sensitivity.log",
        benchmark:
            f"{LOG}/sensitivity.benchmark.tsv"
        conda:
            "../envs/sensitivity.yaml"
        threads: 1
        resources:
            mem_mb=grows(2000),
            runtime=60,
        params:
            settings=settings_digest(
                config,
                *RUN_SETTINGS,
                *MORRIS_SETTINGS,
                *SOBOL_SETTINGS,
                "sensitivity.max_base",
                "sensitivity.target_half_width",
            ),
            code=script_digest("sensitivity"),
            facts=SENSITIVE_FACTS,
        script:
            "../scripts/sensitivity.py"
