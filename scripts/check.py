"""All findings on what the user gave; stops the run if one is an error."""

import sys

from pharmtwin.findings import has_errors
from pharmtwin.intake.check import check_study, format_findings, write_findings
from pharmtwin.workflow.job import start

log = start(snakemake)
findings = check_study(snakemake.config)
text = format_findings(findings)
log.info(text)
print(text, file=sys.stderr)
if has_errors(findings):
    sys.exit(1)
write_findings(findings, snakemake.output.findings)
