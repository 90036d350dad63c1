"""Emulator of every regimen of ``exposures.regimens``, fitted to solves of drawn people, and its held-out error."""

from pathlib import Path

from pharmtwin.exposures.design import emulators_of
from pharmtwin.tables import write_table
from pharmtwin.workflow.job import start

log = start(snakemake)
told, weights = emulators_of(snakemake.config, log)
write_table("exposure_emulators", told, Path(snakemake.output.errors))
write_table("emulator_weights", weights, Path(snakemake.output.weights))
