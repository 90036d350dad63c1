# At the start of a run its progress is told, at its end what it cost and what failed.
import sys

from pharmtwin.workflow.failed import exit_code
from pharmtwin.workflow.progress import Progress, Stage
from pharmtwin.workflow.summary import write_summary

CHECKS = [*SOLVER_CHECKS, *EXPOSURE_CHECKS]
TWINS_OF = {b: len(rows) for b, rows in PLAN.twins.items()}
# files by which a twin counts as done in a stage
STAGE_FILES = {
    "genotype and body": "twins/{}/priors.parquet",
    "prediction": "pbpk/{}/exposure.parquet",
    "exposures": "exposures/twins/{}.parquet",
}
FOLLOWED = Progress(
    OUT,
    [
        Stage(name, {b: Path(f"{OUT}/{file.format(b)}") for b in PLAN.buckets})
        for name, file in STAGE_FILES.items()
    ],
    TWINS_OF,
)


# A failed solve stops no job; the run says so at its end. Dry runs have no hooks, jobs are no run.
onstart:
    if workflow.is_main_process:
        FOLLOWED.start()


onsuccess:
    if workflow.is_main_process:
        FOLLOWED.stop()
        write_summary(OUT, CHECKS)
        if exit_code(CHECKS):
            sys.exit(1)


onerror:
    if workflow.is_main_process:
        FOLLOWED.stop()
        write_summary(OUT, CHECKS)
