"""Criticism of the fit: its chains, and the study simulated again and again beside what was observed."""

from pathlib import Path

from pharmtwin.inference.criticism.study import chain_tables, phenotype_of, read_chains, study_vpc
from pharmtwin.pbpk.replicates import replicates
from pharmtwin.pbpk.stage import read_inputs, settings_of
from pharmtwin.tables import read_tables, write_table
from pharmtwin.workflow.given import study
from pharmtwin.workflow.job import start

log = start(snakemake)
files, config = snakemake.input, snakemake.config
events = study(config).events
inputs = read_inputs(files, config, set(events.twin_id))
made = replicates(inputs, events, settings_of(config))
log.info("%d of %d studies simulated, %d samples", len(made.simulated), made.asked, len(made.samples))
phenotype = phenotype_of(read_tables("genotype", [Path(p) for p in files.genotype]), "CYP2D6")
tables = study_vpc(made.samples, made.simulated, made.asked, phenotype)
tables |= chain_tables(read_chains(Path(files.posterior[0])) if files.posterior else None)
for path in snakemake.output:
    name = Path(path).stem
    write_table(name, made.checks if name == "solver_check" else tables[name], Path(path))
