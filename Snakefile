"""PharmTwin: patient-specific digital twins, from VCF to a defended dose. See README.md."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/compile.smk"
include: "rules/genome.smk"
include: "rules/twins.smk"
include: "rules/fit.smk"
include: "rules/pbpk.smk"
include: "rules/sensitivity.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        f"{OUT}/manifest.json",
    localrule: True
