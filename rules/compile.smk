# Warm-up: the solver code of each model is generated and compiled once, before the jobs that use it.
rule compile:
    output:
        stamp=f"{OUT}/compile/{{model}}.json",
    log:
        f"{LOG}/compile/{{model}}.log",
    benchmark:
        f"{LOG}/compile/{{model}}.benchmark.tsv"
    conda:
        "../envs/pbpk.yaml"
    threads: 1
    resources:
        mem_mb=grows(1500),
        runtime=30,
    params:
        code=script_digest("compile"),
        facts=facts_digest("solver_rodas5p.yaml"),
    script:
        "../scripts/compile.py"
