"""What every script of the workflow does first: one logging set-up, and the study's tables.

Logs name stages, buckets and counts, never a genotype, a note or a measured value.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.intake.study import Study, load_study
from pharmtwin.tables import read_table


def start(job: Any) -> logging.Logger:
    """Log to the rule's log file (attempts append to a kept log) and return the logger."""
    path = Path(str(job.log[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=path, filemode="a", level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", force=True
    )
    logging.captureWarnings(True)
    log = logging.getLogger(f"pharmtwin.{job.rule}")
    log.info("start %s", dict(job.wildcards.items()) if job.wildcards else "")
    return log


def study(config: Mapping[str, Any]) -> Study:
    """The checked study; raises RuntimeError if it cannot be read (the check stage says why)."""
    loaded, _ = load_study(config)
    if loaded is None:
        raise RuntimeError("the study's sheets cannot be read; run `pharmtwin check`")
    return loaded


def in_bucket(frame: pd.DataFrame, bucket: str, n: int) -> pd.DataFrame:
    """Rows of the twins of one bucket."""
    from pharmtwin.intake.buckets import bucket_name, bucket_of

    mine = pd.Series([bucket_name(bucket_of(str(t), n)) == bucket for t in frame["twin_id"]], dtype=bool)
    return frame[mine.to_numpy()].reset_index(drop=True)


def genome_frames(files: list[str], vcf_of: Mapping[str, str]) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Tables ``calls`` and ``sites`` by the path of their VCF, from files <...>/<vcf key>/{calls,sites}.parquet."""
    out = {}
    for key in sorted({Path(f).parent.name for f in files}):
        mine = {Path(f).stem: Path(f) for f in files if Path(f).parent.name == key}
        out[vcf_of[key]] = (read_table("calls", mine["calls"]), read_table("sites", mine["sites"]))
    return out
