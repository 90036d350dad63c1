"""Sensitivity analysis: a share of the Morris or Sobol runs, the screening, or all tables; by rule."""

from pathlib import Path

from pharmtwin.sensitivity.stage import morris_job, results_job, screen_job, sobol_job, study_subject
from pharmtwin.tables import write_table
from pharmtwin.workflow.job import start
from pharmtwin.workflow.reference import reference_activity
from pharmtwin.workflow.subject import analysed_person, analysed_scenario

log = start(snakemake)
files, wanted, config = snakemake.input, snakemake.wildcards, snakemake.config
person = analysed_person(config, Path(files.body), Path(files.priors))
subject, settings = study_subject(config, person, analysed_scenario(config), reference_activity(config))
if snakemake.rule == "sensitivity_morris":
    morris_job(subject, settings, int(wanted.shard), int(wanted.shards), Path(snakemake.output[0]))
elif snakemake.rule == "sensitivity_screen":
    write_table("morris", screen_job(subject, settings, [Path(p) for p in files.shards]), Path(snakemake.output.morris))
elif snakemake.rule == "sensitivity_sobol":
    before = [Path(p) for p in files.before]
    place = int(wanted.level), int(wanted.shard), int(wanted.shards)
    sobol_job(subject, settings, Path(files.morris), *place, before, Path(snakemake.output[0]))
else:
    shards = [Path(p) for p in files.morris_shards], [Path(p) for p in files.shards]
    found = results_job(subject, settings, Path(files.morris), *shards)
    for path in map(Path, snakemake.output):
        write_table(path.stem, found[path.stem], path)
