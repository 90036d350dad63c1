# The dossier of a finished run: `snakemake dossier` (needs dossier.about; docs/dossier.md).
if config["dossier"]["about"]:

    rule dossier:
        input:
            PLAN_FILE,
            manifest=f"{OUT}/manifest.json",
            about=config["dossier"]["about"],
        output:
            folder=directory(f"{OUT}/dossier"),
        log:
            f"{LOG}/dossier.log",
        benchmark:
            f"{LOG}/dossier.benchmark.tsv"
        conda:
            "../envs/dossier.yaml"
        threads: 1
        resources:
            mem_mb=grows(2000),
            runtime=30,
        params:
            code=script_digest("dossier"),
        script:
            "../scripts/dossier.py"
