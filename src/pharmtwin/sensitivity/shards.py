"""Shares of the blocks as files: written whole or not at all, with what they belong to, so that a run can resume.

A file holds the blocks of one shard of one step (Morris, or a doubling of the Sobol sample), the failures and checks of
its runs, and a digest of everything they depend on. Files of equal content have equal bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.files import replace_atomically
from pharmtwin.sensitivity.runs import Solved
from pharmtwin.tables import schema

Floats = NDArray[np.float64]
EPOCH = (1980, 1, 1, 0, 0, 0)


class ForeignShard(ValueError):
    """A shard that belongs to another analysis, or a gap between shards; the message says what to do."""


def share(first: int, last: int, shard: int, shards: int) -> tuple[int, int]:
    """Blocks of one of ``shards`` shares of ``first`` to ``last`` (not included)."""
    n = last - first
    return first + n * shard // shards, first + n * (shard + 1) // shards


def write_shard(path: Path, solved: Solved, digest: str) -> None:
    """Write one shard."""
    # plain objects: pandas' missing values of any kind become null
    checks = json.loads(solved.checks.to_json(orient="records", double_precision=15))
    about = {"digest": digest, "first": solved.first, "repaired": solved.repaired, "checks": checks}

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            memory = io.BytesIO()
            np.save(memory, solved.values, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo("values.npy", EPOCH), memory.getvalue())
            archive.writestr(zipfile.ZipInfo("about.json", EPOCH), json.dumps(about, sort_keys=True))

    replace_atomically(path, write)


def read_shard(path: Path, digest: str) -> Solved:
    """Read one shard; raises ForeignShard if it belongs to another analysis or is no shard."""
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("about.json"))
            values = np.load(io.BytesIO(archive.read("values.npy")), allow_pickle=False)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ForeignShard(f"{path}: is no shard of an analysis ({error}); delete it") from None
    if about["digest"] != digest:
        raise ForeignShard(f"{path}: was made with other settings or another model; delete it or write elsewhere")
    checks = pd.DataFrame(about["checks"], columns=schema("solver_check").names)
    return Solved(int(about["first"]), values, checks, int(about["repaired"]))


@dataclass(frozen=True)
class Joined:
    """All blocks from 0 on, with the checks and the number of repaired runs."""

    values: Floats
    checks: pd.DataFrame
    repaired: int


def join(parts: Sequence[Solved]) -> Joined:
    """Shards in the order of their blocks; empty ones do not count. Raises ForeignShard for a gap or an overlap."""
    kept = sorted((p for p in parts if len(p.values)), key=lambda p: p.first)
    if not kept:
        raise ForeignShard("no shard holds a block")
    at = 0
    for p in kept:
        if p.first != at:
            raise ForeignShard(f"blocks {min(at, p.first)} to {max(at, p.first)} are missing or there twice")
        at += len(p.values)
    checks = [p.checks for p in kept if len(p.checks)]
    table = pd.concat(checks, ignore_index=True) if checks else kept[0].checks
    return Joined(np.concatenate([p.values for p in kept]), table, sum(p.repaired for p in kept))


def digest_of(parts: Mapping[str, object]) -> str:
    """sha256 over what the runs depend on, written as text."""
    import hashlib

    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
