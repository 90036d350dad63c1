"""Steps of knowledge, another genotype and other doses, of the bucket's twins that get a page of their own."""

from pathlib import Path

from pharmtwin.core.exposure import scenarios_of
from pharmtwin.core.pages import paged
from pharmtwin.pbpk.explain import TABLES, explain_bucket, explained_scenario
from pharmtwin.pbpk.stage import read_inputs
from pharmtwin.tables import write_table
from pharmtwin.workflow.given import study
from pharmtwin.workflow.job import start

log = start(snakemake)
config, bucket = snakemake.config, snakemake.wildcards.bucket
inputs = read_inputs(snakemake.input, config)
given = study(config)
scenario = explained_scenario(config, scenarios_of(given.scenarios))
twins = paged(config["report"]["twin_pages"], inputs.twins, inputs.fitted, len(given.twins))
tables = explain_bucket(inputs, twins, scenario, config, f"explain/{bucket}", log)
for name, path in zip(TABLES, snakemake.output, strict=True):
    write_table(name, tables[name], Path(path))
