# Gathering jobs: accuracy, report, manifest.
FIT_TABLES = (
    [f"{OUT}/fit/{t}.tsv" for t in ("summary", "diagnostics", "twins", "genotype")]
    if FIT
    else []
)
SENSITIVITY_TABLES = (
    [f"{OUT}/sensitivity/{t}.tsv" for t in ("morris", *SENSITIVITY_OUT)]
    if SENSITIVITY
    else []
)
PUBLISHED_TABLE = [f"{OUT}/published/published.tsv"] if PUBLISHED else []
SOLVER_CHECKS = [
    *([f"{OUT}/sensitivity/solver_check.tsv"] if SENSITIVITY else []),
    *([f"{OUT}/published/solver_check.tsv"] if PUBLISHED else []),
    *gathered("pbpk", "solver_check.tsv"),
    *gathered("explain", "solver_check.tsv"),
    f"{OUT}/pbpk/population/solver_check.tsv",
    f"{OUT}/verification/solver_check.tsv",
    *(gathered("attributions", "solver_check.tsv") if ATTRIBUTIONS else []),
    *([f"{OUT}/criticism/solver_check.tsv"] if CRITICISM_TABLES else []),
]
ATTRIBUTED = gathered("attributions", "attributions.parquet") if ATTRIBUTIONS else []


rule evaluate:
    input:
        ancient(PATHS["twins"]),
        predictions=gathered("pbpk", "predictions.parquet"),
        predictive_scores=gathered("pbpk", "predictive_scores.parquet"),
        exceedance=gathered("pbpk", "exceedance.parquet"),
        published=PUBLISHED_TABLE,
        genotype=gathered("twins", "genotype.parquet"),
        body=gathered("twins", "body.parquet"),
        fit=FIT_TABLES,
        sobol=[f"{OUT}/sensitivity/sobol.tsv"] if SENSITIVITY else [],
        verification=f"{OUT}/verification/verification.tsv",
        checks=SOLVER_CHECKS,
    output:
        accuracy=report(
            f"{OUT}/evaluate/accuracy.tsv",
            caption="captions/accuracy.rst",
            category="Evaluation",
        ),
        metrics=f"{OUT}/evaluate/evaluation_metrics.tsv",
        groups=f"{OUT}/evaluate/evaluation_groups.tsv",
        validation=f"{OUT}/evaluate/validation.tsv",
        verdict=report(
            f"{OUT}/evaluate/verdict.txt",
            caption="captions/verdict.rst",
            category="Evaluation",
        ),
    log:
        f"{LOG}/evaluate.log",
    benchmark:
        f"{LOG}/evaluate.benchmark.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=grows(1500),
        runtime=30,
    params:
        rows=rows_digest_of_twins(),
        settings=settings_digest(config, "data_kind", "master_seed"),
        code=script_digest("evaluate"),
        facts=facts_digest("evaluation_groups.tsv", "validation_tiers.tsv"),
    script:
        "../scripts/evaluate.py"


# In Snakemake's own report: one item of a zip, so that the links between the pages lead somewhere; items of their own
# in a single file, which cannot hold linked pages.
SHOWN = (
    {"patterns": ["{page}.html", "twins/{page}.html"]}
    if is_single_page(sys.argv[1:])
    else {"htmlindex": "index.html", "labels": {"pages": "study, stages and twins"}}
)


rule report:
    input:
        ancient(PATHS["twins"]),
        checked=[FINDINGS] if os.path.exists(FINDINGS) else [],
        scenarios=PATHS["scenarios"],
        findings=[
            *gathered("twins", "findings.tsv"),
            *expand(f"{OUT}/genome/{{vcf}}/findings.tsv", vcf=PLAN.vcf_of),
            *SCORE_FINDINGS,
        ],
        genotype=gathered("twins", "genotype.parquet"),
        sites=gathered("twins", "sites.parquet"),
        recommendations=gathered("twins", "recommendations.parquet"),
        body=gathered("twins", "body.parquet"),
        priors=gathered("twins", "priors.parquet"),
        reference=[f"{OUT}/reference/body.parquet"],
        drug=DRUG_FILE,
        exposure=[
            *gathered("pbpk", "exposure.parquet"),
            f"{OUT}/pbpk/population/exposure.parquet",
        ],
        profiles=[
            *gathered("pbpk", "profiles.parquet"),
            f"{OUT}/pbpk/population/profiles.parquet",
        ],
        predictions=gathered("pbpk", "predictions.parquet"),
        steps=gathered("explain", "steps.parquet"),
        counterfactuals=gathered("explain", "counterfactuals.parquet"),
        counterfactual_courses=gathered("explain", "counterfactual_courses.parquet"),
        dose_options=gathered("explain", "dose_options.parquet"),
        checks=SOLVER_CHECKS,
        fit=FIT_TABLES,
        criticism=CRITICISM_TABLES,
        sensitivity=SENSITIVITY_TABLES,
        published=PUBLISHED_TABLE,
        scores=gathered("pbpk", "predictive_scores.parquet"),
        exceedance=gathered("pbpk", "exceedance.parquet"),
        accuracy=f"{OUT}/evaluate/accuracy.tsv",
        evaluation=[
            f"{OUT}/evaluate/{t}.tsv"
            for t in ("evaluation_metrics", "evaluation_groups", "validation")
        ],
        verdict=f"{OUT}/evaluate/verdict.txt",
        attributions=ATTRIBUTED,
        verification=VERIFICATION_TABLES,
    output:
        pages=report(
            directory(f"{OUT}/report"),
            caption="captions/page.rst",
            category="Pages",
            **SHOWN,
        ),
    log:
        f"{LOG}/report.log",
    benchmark:
        f"{LOG}/report.benchmark.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=30,
    params:
        rows=rows_digest_of_twins(),
        settings=settings_digest(config, *sorted(config)),
        code=script_digest("report"),
        facts=facts_digest(
            "report",
            "versions.tsv",
            "genes",
            "physiology",
            "inference/diagnostics.tsv",
        ),
    script:
        "../scripts/report.py"


rule manifest:
    input:
        f"{OUT}/report",
        FIT_TABLES,
        SOLVER_CHECKS,
        MODIFIERS,
        EXPORTS,
        READ_PHASING,
    output:
        manifest=f"{OUT}/manifest.json",
        crate=f"{OUT}/ro-crate-metadata.json",
        sbom=f"{OUT}/sbom.cdx.json",
    log:
        f"{LOG}/manifest.log",
    benchmark:
        f"{LOG}/manifest.benchmark.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=30,
    params:
        settings=settings_digest(config, *sorted(config)),
        code=script_digest("manifest"),
    script:
        "../scripts/manifest.py"
