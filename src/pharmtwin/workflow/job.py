"""What every script of the workflow does first: one logging set-up, and a note of the job's files.

Logs name stages, buckets and counts, never a person, a genotype, a note or a measured value: what a library says of a
failed solve by name is masked (:class:`Masked`); the tables name it.
"""

from __future__ import annotations

import csv
import json
import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pharmtwin.files import write_text
from pharmtwin.workflow.attempts import keep

#: a diplotype or an activity score, as the names of failed runs hold them
GENOTYPE = re.compile(r"\*\d+\S*/\*\d+[^\s,;]*|(?<=AS=)[\d.]+")
#: what an id or sample name usually is, where it stands alone
WORD = re.compile(r"(?<![\w.-])[\w.-]+")
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
    masked = Masked(people(getattr(job, "config", None) or {}))
    for handler in logging.getLogger().handlers:
        handler.addFilter(masked)
    log = logging.getLogger(f"pharmtwin.{job.rule}")
    note(job, path.with_suffix(NOTE))
    log.info("start %s", dict(job.wildcards.items()) if job.wildcards else "")
    return log


class Masked(logging.Filter):
    """Rewrites log records: an id or sample as its row of the twins sheet, diplotypes and activity scores as dots."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names
        # a large cohort has too many names to look for one by one: those that are one word are looked up
        odd = sorted((n for n in names if not WORD.fullmatch(n)), key=len, reverse=True)
        self.odd = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, odd))})(?![\w-])") if odd else None

    def filter(self, record: logging.LogRecord) -> bool:
        """The record with message and traceback masked; none is dropped."""
        record.msg, record.args = self.mask(record.getMessage()), None
        if record.exc_info:
            record.exc_text = self.mask(logging.Formatter().formatException(record.exc_info))
        return True

    def mask(self, text: str) -> str:
        """A text without names and genotypes."""
        if self.odd is not None:
            text = self.odd.sub(lambda found: self.names[found[0]], text)
        if self.names:
            text = WORD.sub(self._word, text)
        return GENOTYPE.sub("...", text)

    def _word(self, found: re.Match[str]) -> str:
        """The word, or what stands for the name that it is or begins with, up to one of its dots."""
        word = found[0]
        for end in (len(word), *(i for i in range(len(word) - 1, 0, -1) if word[i] == ".")):
            if word[:end] in self.names:
                return self.names[word[:end]] + word[end:]
        return word


def people(config: Mapping[str, Any]) -> dict[str, str]:
    """Id or sample name -> ``row 5`` of the twins sheet, where that is plain text with a header.

    Read without the intake, whose changes must not rerun every job.
    """
    try:
        text = Path(config["paths"]["twins"]).read_text(encoding="utf-8-sig")
        separator = next(s for s in "\t,;" if s in text.splitlines()[0])
        rows = list(csv.reader(text.splitlines(), delimiter=separator))
        columns = [rows[0].index(c) for c in ("twin_id", "sample") if c in rows[0]]
        found = {r[c].strip(): f"row {n}" for n, r in enumerate(rows[1:], start=2) for c in columns if c < len(r)}
    except (KeyError, TypeError, OSError, UnicodeDecodeError, StopIteration, IndexError, csv.Error):
        return {}
    return {name: row for name, row in found.items() if name}


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
