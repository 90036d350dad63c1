"""The dossier of the finished run, a draft: document and electronic package."""

import sys
from pathlib import Path

from pharmtwin.dossier.command import make
from pharmtwin.findings import has_errors, sort_findings
from pharmtwin.workflow.job import start

log = start(snakemake)
config = snakemake.config
results = Path(snakemake.input.manifest).parent
findings = make(results, config, snakemake.input.about, Path(snakemake.output.folder), plan=config["paths"]["plan"])
for finding in sort_findings(findings):
    log.warning("%s: %s", finding.severity, finding.message())
    print(f"{finding.severity}: {finding.message()}", file=sys.stderr)
if has_errors(findings):
    sys.exit(1)
