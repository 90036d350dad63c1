"""What every script of the workflow does first: one logging set-up, and a note of the job's files.

Logs name stages, buckets and counts, never a genotype, a note or a measured value.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from pharmtwin.files import write_text
from pharmtwin.workflow.attempts import keep

#: ends the name of a job's note, which lies beside its log; the RO-Crate of the run is made from these
NOTE = ".job.json"


def start(job: Any) -> logging.Logger:
    """Log to the rule's log file and to the kept log of its attempts, and return the logger."""
    path = Path(str(job.log[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=path, filemode="a", level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", force=True
    )
    logging.captureWarnings(True)
    keep(path)
    log = logging.getLogger(f"pharmtwin.{job.rule}")
    note(job, path.with_suffix(NOTE))
    log.info("start %s", dict(job.wildcards.items()) if job.wildcards else "")
    return log


def note(job: Any, path: Path) -> None:
    """Write rule, batch, script, files in and out, so that the run can be described afterwards."""
    known = {
        "rule": job.rule,
        "batch": "-".join(str(v) for _, v in job.wildcards.items()) if job.wildcards else "",
        "script": f"scripts/{Path(sys.modules['__main__'].__file__ or job.rule).stem}.py",
        "input": [str(f) for f in job.input],
        "output": [str(f) for f in job.output],
    }
    write_text(path, json.dumps(known, indent=1, sort_keys=True) + "\n")
