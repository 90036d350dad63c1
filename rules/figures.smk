# The figures of the cohort's pages as files (SVG, PNG, TSV), for papers and for Snakemake's own report. No study needs it.
rule figures:
    input:
        report=f"{OUT}/report",
    output:
        figures=report(
            directory(f"{OUT}/figures"),
            patterns=["{page}_{figure}.svg"],
            caption="captions/figure.rst",
            category="Figures",
            subcategory="{page}",
        ),
    log:
        f"{LOG}/figures.log",
    benchmark:
        f"{LOG}/figures.benchmark.tsv"
    conda:
        "../envs/dossier.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=30,
    params:
        code=script_digest("figures"),
    script:
        "../scripts/figures.py"
