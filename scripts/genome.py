"""Star-allele posteriors of one VCF."""

from pathlib import Path

from pharmtwin.genome.caller import call_vcf
from pharmtwin.tables import write_table
from pharmtwin.workflow.job import start

log = start(snakemake)
option = snakemake.config["genome"]
calls, sites = call_vcf(
    Path(snakemake.input.vcf),
    option["genes"],
    absent=option["absent_positions"],
    min_probability=float(option["min_probability"]),
)
log.info("%d samples, %d genes", calls["sample"].nunique(), calls["gene"].nunique())
write_table("calls", calls, Path(snakemake.output.calls))
write_table("sites", sites, Path(snakemake.output.sites))
