# Warm-up: the solver code of each model is generated and compiled once, before the jobs that use it.
rule compile:
    output:
        stamp=f"{OUT}/compile/{{model}}.json",
    params:
        code=script_digest("compile"),
        facts=facts_digest("solver_rodas5p.yaml"),
    log:
        f"{LOG}/compile/{{model}}.log",
    benchmark:
        f"{LOG}/compile/{{model}}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=30,
    conda:
        "../envs/pbpk.yaml"
    script:
        "../scripts/compile.py"
