"""Exposure and profiles of the population model: nothing is known of the patient."""

from pathlib import Path

from pharmtwin.core.exposure import scenarios_of
from pharmtwin.pbpk.predict import predict_scenarios
from pharmtwin.pbpk.stage import read_inputs, settings_of
from pharmtwin.tables import write_table
from pharmtwin.workflow.given import study
from pharmtwin.workflow.job import start

start(snakemake)
config = snakemake.config
scenarios = scenarios_of(study(config).scenarios)
inputs = read_inputs(snakemake.input, config)
settings = settings_of(config, page=True)  # it stands beside every twin of which a page is made
exposure, profiles, checks = predict_scenarios(inputs, ["population"], scenarios, settings, "population")
write_table("exposure", exposure, Path(snakemake.output.exposure))
write_table("profiles", profiles, Path(snakemake.output.profiles))
write_table("solver_check", checks, Path(snakemake.output.checks))
