"""Stable names for the workflow graph: buckets of twins, digests of their rows, keys of VCF files.

Everything here is cheap (standard library only): the Snakefile calls it for every twin.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

MISSING = frozenset({"", "NA", "N/A", "na", "n/a", "NaN", "nan", "."})
# Columns whose cells are names: "7", "007" and "7.0" are three different twins there, one number elsewhere.
NAMES = frozenset({"twin_id", "vcf", "sample", "scenario", "drug", "label", "accept", "gene", "diplotype", "method"})
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")  # no digits of other scripts


def bucket_of(twin_id: str, n: int) -> int:
    """Bucket of a twin: sha256 of its id modulo ``n``; raises ValueError unless ``n`` >= 1."""
    if n < 1:
        raise ValueError(f"the number of buckets must be at least 1, not {n}")
    return int.from_bytes(hashlib.sha256(twin_id.encode()).digest(), "big") % n


def bucket_name(i: int) -> str:
    """File-name part of a bucket, e.g. ``b003``."""
    return f"b{i:03d}"


def _canonical(column: str, value: object) -> str:
    text = "" if value is None else str(value).strip()
    if text in MISSING:
        return ""
    if column not in NAMES and NUMBER.fullmatch(text):
        return repr(float(text) + 0.0)
    return text


def rows_digest(rows: Iterable[Mapping[str, object]]) -> str:
    """sha256 (hex) of canonical rows.

    The order of columns does not matter, 70 and 70.0 are equal, and an empty cell equals an absent
    column. The order of rows does matter, because outputs keep it.
    """
    digest = hashlib.sha256()
    for row in rows:
        cells = sorted((key, text) for key, value in row.items() if (text := _canonical(key, value)) != "")
        digest.update(json.dumps(cells, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()


@lru_cache(maxsize=4096)  # a cohort names few files, many times
def vcf_path(vcf_dir: str, cell: str) -> str:
    """Path of one VCF: relative to ``vcf_dir`` unless absolute."""
    return Path(os.path.normpath(Path(vcf_dir) / cell)).as_posix()


@lru_cache(maxsize=4096)
def vcf_paths(vcf_dir: str, cell: str) -> tuple[str, ...]:
    """Paths of a cell of column ``vcf``: one file, or several joined by ``;`` (genes in one file each)."""
    return tuple(vcf_path(vcf_dir, part.strip()) for part in cell.split(";") if part.strip())


@lru_cache(maxsize=4096)
def vcf_key(path: str) -> str:
    """File-name part for one VCF: its cleaned stem and 8 hex digits of the sha256 of the path string."""
    stem = re.sub(r"\.(vcf|bcf)(\.b?gz)?$", "", Path(path).name, flags=re.IGNORECASE)
    clean = re.sub(r"[^A-Za-z0-9_-]+", "_", stem)[:60]
    return f"{clean}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
