"""Exposure of one bucket of twins to the drugs of ``exposures.regimens``, with intervals."""

from pathlib import Path

from pharmtwin.exposures.people import people_of
from pharmtwin.exposures.stage import exposures_of
from pharmtwin.tables import read_table, write_table
from pharmtwin.workflow.job import start
from pharmtwin.workflow.plan import bucket_ancestry

log = start(snakemake)
config, bucket, given, out = snakemake.config, snakemake.wildcards.bucket, snakemake.input, snakemake.output
people = people_of(
    read_table("body", Path(given.body)),
    read_table("body_draws", Path(given.body_draws)),
    read_table("priors", Path(given.priors)),
    bucket_ancestry(config, bucket),
)
table, checks = exposures_of(people, read_table("genotype", Path(given.genotype)), config, f"exposures/{bucket}", log)
write_table("exposures", table, Path(out.exposures))
write_table("solver_check", checks, Path(out.checks))
