"""Exposure, profiles and predictions of one bucket of twins."""

from pathlib import Path

from pharmtwin.core.exposure import scenarios_of
from pharmtwin.pbpk.stage import predict_bucket, read_inputs
from pharmtwin.tables import write_table
from pharmtwin.workflow.given import in_bucket, study
from pharmtwin.workflow.job import start

log = start(snakemake)
config, bucket = snakemake.config, snakemake.wildcards.bucket
given = study(config)
events = in_bucket(given.events, bucket, config["buckets"])
tables = predict_bucket(
    read_inputs(snakemake.input, config), events, scenarios_of(given.scenarios), config, f"pbpk/{bucket}", log
)
for name, path in (
    ("exposure", snakemake.output.exposure),
    ("profiles", snakemake.output.profiles),
    ("predictions", snakemake.output.predictions),
    ("predictive_scores", snakemake.output.scores),
    ("exceedance", snakemake.output.exceedance),
    ("solver_check", snakemake.output.checks),
):
    write_table(name, tables[name], Path(path))
