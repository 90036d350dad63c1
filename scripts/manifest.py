"""Manifest, RO-Crate, SBOM and record of this run; a copy of the code and the facts it was made with."""

from pathlib import Path

from pharmtwin.provenance.write import write_records
from pharmtwin.workflow.job import start

start(snakemake)
write_records(snakemake.config, Path(snakemake.output.manifest).parent, list(snakemake.input))
