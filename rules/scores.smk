# Polygenic scores (off without scores.files): a scoring file on all VCFs of a genome, then what each twin carries.
from pharmtwin.intake.buckets import vcf_key, vcf_paths

SCORE_FILES = {vcf_key(path): path for path in config["scores"]["files"]}
SCORE_PANEL = list(vcf_paths("", config["scores"]["panel"]))
# a genome: the files of one cell of column vcf
GENOME_OF = {
    row["twin_id"]: vcf_paths(PATHS["vcf_dir"], row.get("vcf", ""))
    for rows in PLAN.twins.values()
    for row in rows
}
GENOMES = {
    vcf_key(";".join(paths)): list(paths) for paths in GENOME_OF.values() if paths
}
MODIFIERS = gathered("scores", "modifiers.parquet") if SCORE_FILES else []
SCORE_FINDINGS = (
    [
        *expand(
            f"{OUT}/scores/{{vcf}}/{{score}}/findings.tsv",
            vcf=GENOMES,
            score=SCORE_FILES,
        ),
        *gathered("scores", "findings.tsv"),
    ]
    if SCORE_FILES
    else []
)

# genomes of a bucket's twins
BUCKET_GENOMES = {
    bucket: sorted(
        {
            vcf_key(";".join(GENOME_OF[row["twin_id"]]))
            for row in rows
            if GENOME_OF[row["twin_id"]]
        }
    )
    for bucket, rows in PLAN.twins.items()
}


rule scores:
    input:
        vcf=lambda wc: GENOMES[wc.vcf],
        score=lambda wc: SCORE_FILES[wc.score],
        panel=SCORE_PANEL,
        groups=[config["scores"]["panel_groups"]] if SCORE_PANEL else [],
    output:
        scores=f"{OUT}/scores/{{vcf}}/{{score}}/scores.parquet",
        z=f"{OUT}/scores/{{vcf}}/{{score}}/z.parquet",
        rows=f"{OUT}/scores/{{vcf}}/{{score}}/rows.parquet",
        findings=f"{OUT}/scores/{{vcf}}/{{score}}/findings.tsv",
    log:
        f"{LOG}/scores/{{vcf}}/{{score}}.log",
    benchmark:
        f"{LOG}/scores/{{vcf}}/{{score}}.benchmark.tsv"
    wildcard_constraints:
        score=r"[A-Za-z0-9_-]+",
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=120,
    params:
        settings=settings_digest(
            config,
            "scores.match_rate",
            "scores.imputation",
            "scores.panel_groups",
            "genome.build",
            "data_kind",
        ),
        code=script_digest("scores"),
        facts=facts_digest("genes"),
    script:
        "../scripts/scores.py"


rule modifiers:
    input:
        ancient(PATHS["twins"]),
        scores=lambda wc: expand(
            f"{OUT}/scores/{{vcf}}/{{score}}/scores.parquet",
            vcf=BUCKET_GENOMES[wc.bucket],
            score=SCORE_FILES,
        ),
        z=lambda wc: expand(
            f"{OUT}/scores/{{vcf}}/{{score}}/z.parquet",
            vcf=BUCKET_GENOMES[wc.bucket],
            score=SCORE_FILES,
        ),
    output:
        modifiers=f"{OUT}/scores/{{bucket}}/modifiers.parquet",
        findings=f"{OUT}/scores/{{bucket}}/findings.tsv",
    log:
        f"{LOG}/modifiers/{{bucket}}.log",
    benchmark:
        f"{LOG}/modifiers/{{bucket}}.benchmark.tsv"
    conda:
        "../envs/body.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=30,
    params:
        rows=lambda wc: PLAN.bucket_digest(wc.bucket),
        code=script_digest("modifiers"),
    script:
        "../scripts/modifiers.py"
