# Plan of the run, digests and small helpers. Jobs parse this file too: keep it cheap (standard library only).
import os
import sys
from pathlib import Path

from pharmtwin.intake.pseudonyms import in_config
from pharmtwin.intake.sheet import workbook_and_sheet
from pharmtwin.workflow.calls import is_dry_run, is_single_page, note_call
from pharmtwin.workflow.gate import gate
from pharmtwin.workflow.code import script_digest
from pharmtwin.workflow.plan import facts_digest, make_plan, settings_digest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

DRY_RUN = is_dry_run(sys.argv[1:])

if workflow.is_main_process:
    gate(config, [str(f) for f in workflow.configfiles], dry_run=DRY_RUN)

# privacy.pseudonyms: from here on ids are keyed hashes
in_config(config)
PLAN = make_plan(config)
OUT = f"results/{config['study']}"
LOG = f"{OUT}/logs"
FINDINGS = f"{OUT}/intake/findings.tsv"

if workflow.is_main_process and not DRY_RUN:
    note_call(
        OUT,
        workflow.resource_settings.cores,
        [str(f) for f in workflow.configfiles],
    )


# a sheet of a workbook is named after #: the file is what the rules wait for
PATHS = {
    k: workbook_and_sheet(v)[0] if isinstance(v, str) else v
    for k, v in config["paths"].items()
}
DRUG = str(config["drug"])
DRUG_FILE = (
    DRUG if DRUG.endswith((".yaml", ".yml")) else f"resources/drugs/twin/{DRUG}.yaml"
)
FIT = bool(config["fit"]["enabled"]) and bool(PLAN.sampled)
SENSITIVITY = bool(config["sensitivity"]["enabled"])
PUBLISHED = PATHS["published"]
# the analysis plan: the fit waits for it and does not read it
PLAN_FILE = [PATHS["plan"]] if PATHS["plan"] else []


wildcard_constraints:
    bucket=r"b\d+",
    vcf=r"[A-Za-z0-9_-]+",
    model=r"[a-z_]+",


def grows(mb):
    """Memory of a job (MB): twice as much at every attempt."""
    return lambda wildcards, attempt: mb * 2 ** (attempt - 1)


def library_file(drug):
    """Drug file of the library by its name, or the user's own .yaml."""
    return drug if drug.endswith((".yaml", ".yml")) else f"resources/drugs/{drug}.yaml"


def rows_digest_of_twins():
    """Digest of all rows of the twins sheet (the report shows covariates)."""
    from pharmtwin.intake.buckets import rows_digest

    return rows_digest([r for b in PLAN.buckets for r in PLAN.twins[b]])


def rows_digest_of_events():
    """Digest of all rows of the events sheet."""
    from pharmtwin.intake.buckets import rows_digest

    return rows_digest([r for b in PLAN.buckets for r in PLAN.events.get(b, [])])


def calls_of(keys):
    return expand(
        f"{OUT}/genome/{{vcf}}/{{part}}.parquet", vcf=keys, part=["calls", "sites"]
    )


def gathered(stage, name):
    return expand(f"{OUT}/{stage}/{{bucket}}/{name}", bucket=PLAN.buckets)


def analysed_person_tables():
    """Tables body and priors of the person whom the sensitivity analysis is about."""
    twin = str(config["sensitivity"]["twin"])
    home = [
        b
        for b in PLAN.buckets
        for r in PLAN.twins[b]
        if twin and r.get("twin_id", "").strip() == twin
    ]
    folder = f"twins/{home[0]}" if home else "reference"
    return {k: f"{OUT}/{folder}/{k}.parquet" for k in ("body", "priors")}


def morris_shards():
    n = config["sensitivity"]["shards"]
    return [f"{OUT}/sensitivity/shards/morris_{s}_of_{n}.npz" for s in range(n)]


def sobol_shards(levels):
    n = config["sensitivity"]["shards"]
    return [
        f"{OUT}/sensitivity/shards/sobol_{level}_{s}_of_{n}.npz"
        for level in range(levels)
        for s in range(n)
    ]
