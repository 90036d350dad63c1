# Everything the user gave, validated before anything runs: all findings at once.
rule check:
    input:
        sheets=[p for p in sheets() if os.path.exists(p)],
        vcfs=[p for p in PLAN.vcf_of.values() if os.path.exists(p)],
        drug=[DRUG_FILE] if os.path.exists(DRUG_FILE) else [],
    output:
        findings=FINDINGS,
    params:
        settings=settings_digest(config, *sorted(config)),
        code=code_digest("pharmtwin.intake.check"),
        facts=facts_digest("genes", "units.tsv"),
    log:
        f"{LOG}/check.log",
    benchmark:
        f"{LOG}/check.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../envs/check.yaml"
    script:
        "../scripts/check.py"
