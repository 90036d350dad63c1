"""Warm-up: generate and compile one model's solver code."""

import json
from pathlib import Path

from pharmtwin.core.warmup import warm_up
from pharmtwin.files import write_text
from pharmtwin.workflow.job import start

start(snakemake)
stamp = warm_up(snakemake.wildcards.model)
stamp.pop("compiled")  # depends on the CPU: not part of the comparable outputs
write_text(Path(snakemake.output.stamp), json.dumps(stamp, indent=1, sort_keys=True) + "\n")
