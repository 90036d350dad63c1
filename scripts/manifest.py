"""Manifest: sha256 of every input, fact, module and output of this run."""

import json
from pathlib import Path

from pharmtwin.files import write_text
from pharmtwin.workflow.job import start
from pharmtwin.workflow.manifest import manifest, run_record

start(snakemake)
target = Path(snakemake.output.manifest)
made = manifest(snakemake.config, target.parent, list(snakemake.input))
write_text(target, json.dumps(made, indent=1, sort_keys=True) + "\n")
write_text(target.with_name("run.json"), json.dumps(run_record(), indent=1, sort_keys=True) + "\n")
