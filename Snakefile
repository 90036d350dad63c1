"""PharmTwin: patient-specific digital twins, from VCF to a defended dose. See README.md."""

from pharmtwin.workflow.failed import failed_solves
from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/compile.smk"
include: "rules/reads.smk"
include: "rules/genome.smk"
include: "rules/scores.smk"
include: "rules/twins.smk"
include: "rules/fit.smk"
include: "rules/pbpk.smk"
include: "rules/criticism.smk"
include: "rules/attributions.smk"
include: "rules/explain.smk"
include: "rules/exposures.smk"
include: "rules/sensitivity.smk"
include: "rules/qualification.smk"
include: "rules/verification.smk"
include: "rules/report.smk"
include: "rules/figures.smk"
include: "rules/dossier.smk"
include: "rules/hooks.smk"


# With nothing to do Snakemake calls no handler. A rule without output that acts is always to be done: so a study
# whose solves failed in an earlier call says so in every call.
if workflow.is_main_process and failed_solves(SOLVER_CHECKS):

    rule all:
        default_target: True
        input:
            f"{OUT}/manifest.json",
        log:
            f"{LOG}/all.log",
        localrule: True
        conda:
            "envs/report.yaml"
        shell:
            "true > {log:q}"

else:

    rule all:
        default_target: True
        input:
            f"{OUT}/manifest.json",
        localrule: True
