"""Exposure of one bucket of twins to the drugs of ``exposures.regimens``, with intervals."""

from pathlib import Path

from pharmtwin.exposures.emulator import from_frame
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
weights = [read_table("emulator_weights", Path(f)) for f in given.weights]  # none with exposures.method: draws
emulators = {str(regimen): from_frame(mine) for table in weights for regimen, mine in table.groupby("regimen")}
genotype = read_table("genotype", Path(given.genotype))
table, checks = exposures_of(people, genotype, config, f"exposures/{bucket}", log, emulators)
write_table("exposures", table, Path(out.exposures))
write_table("solver_check", checks, Path(out.checks))
