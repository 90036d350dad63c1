"""Star-allele posteriors of one VCF."""

from pathlib import Path

from pharmtwin.genome.stage import call_file
from pharmtwin.tables import write_table
from pharmtwin.workflow.job import start

log = start(snakemake)
calls, sites = call_file(Path(snakemake.input.vcf), snakemake.config["genome"])
log.info("%d samples, genes covered: %s", calls["sample"].nunique(), ", ".join(sorted(calls["gene"].unique())))
write_table("calls", calls, Path(snakemake.output.calls))
write_table("sites", sites, Path(snakemake.output.sites))
