"""The report: one page for the study, one for each twin that gets one."""

from pathlib import Path

from pharmtwin.files import write_text
from pharmtwin.report import build_report
from pharmtwin.workflow.given import study
from pharmtwin.workflow.job import start
from pharmtwin.workflow.reporting import report_inputs

log = start(snakemake)
inputs = report_inputs(snakemake.input, snakemake.config, study(snakemake.config))
pages = build_report(inputs)
folder = Path(snakemake.output.pages)
for name, text in sorted(pages.items()):
    write_text(folder / name, text)
log.info("%d pages, %d bytes", len(pages), sum(len(t) for t in pages.values()))
