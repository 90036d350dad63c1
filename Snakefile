"""PharmTwin: patient-specific digital twins, from VCF to a defended dose. See README.md."""

import sys

from pharmtwin.workflow.failed import exit_code
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


# A twin whose solves all fail stops no job; the run says so at its end. Dry runs have no hooks, jobs are no run.
onsuccess:
    if workflow.is_main_process and exit_code(OUT):
        sys.exit(1)
