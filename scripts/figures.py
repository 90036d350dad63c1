"""Every figure of the cohort's pages as SVG, PNG and TSV, from the tables of the finished report."""

from pathlib import Path

from pharmtwin.dossier.figures import write_figures
from pharmtwin.dossier.run import files_of
from pharmtwin.workflow.given import study
from pharmtwin.workflow.job import start
from pharmtwin.workflow.reporting import report_inputs

log = start(snakemake)
results = Path(snakemake.input.report).parent
inputs = report_inputs(files_of(results), snakemake.config, study(snakemake.config), results)
log.info("%d files", len(write_figures(inputs, Path(snakemake.output.figures))))
