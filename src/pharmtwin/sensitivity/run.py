"""The whole analysis in one call, with its shards on disk: it goes on from whatever shards are there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from pharmtwin.sensitivity.results import tables
from pharmtwin.sensitivity.runs import Solved
from pharmtwin.sensitivity.shards import read_shard, write_shard
from pharmtwin.sensitivity.study import (
    Settings,
    digest,
    enough,
    screening,
    solve_morris,
    solve_sobol,
    survivors_of,
)
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.tables import write_table

log = logging.getLogger(__name__)
#: makes the subject and its settings anew in a worker: a module-level function and its argument
Make = tuple[Callable[[str], tuple[Subject, Settings]], str]


@dataclass(frozen=True)
class Task:
    """One share: ``level`` None is Morris."""

    level: int | None
    shard: int
    shards: int
    survivors: tuple[str, ...]
    out: Path
    key: str


def solve_task(make: Make, task: Task) -> Path:
    """Solve one share and write it."""
    function, argument = make
    subject, settings = function(argument)
    if task.level is None:
        solved = solve_morris(subject, settings, task.shard, task.shards)
    else:
        solved = solve_sobol(subject, settings, task.survivors, task.level, task.shard, task.shards)
    write_shard(task.out, solved, task.key)
    return task.out


def run(make: Make, folder: Path, *, shards: int = 1, workers: int = 1) -> dict[str, pd.DataFrame]:
    """Analyse, and write every table to ``folder`` (shards to ``folder/shards``).

    Parameters
    ----------
    make : see :data:`Make`. shards : files a step is cut into; neither they nor ``workers``, the processes, change any
        result. Shards that are there and belong to this analysis are not solved again.

    Raises
    ------
    ForeignShard : a shard of another analysis lies there. RuntimeError : no input survives, or too few runs succeed.
    """
    subject, settings = make[0](make[1])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # before a worker imports numpy
    key = digest(subject, settings)
    place = folder / "shards"
    morris_parts = _step(make, [Task(None, s, shards, (), place / f"morris_{s}_of_{shards}.npz", key)
                                for s in range(shards)], workers)  # fmt: skip
    morris = screening(subject, settings, morris_parts)
    survivors = tuple(survivors_of(morris))
    key = digest(subject, settings, survivors)
    parts: list[Solved] = []
    for level in range(len(settings.sizes)):
        tasks = [Task(level, s, shards, survivors, place / f"sobol_{level}_{s}_of_{shards}.npz", key)
                 for s in range(shards)]  # fmt: skip
        parts += _step(make, tasks, workers)
        if enough(subject, settings, survivors, parts, level):
            break
    found = tables(subject, settings, morris, morris_parts, parts)
    for name, table in found.items():
        write_table(name, table, folder / f"{name}.tsv")
    return found


def _step(make: Make, tasks: Sequence[Task], workers: int) -> list[Solved]:
    """Shares of one step: those that are not there yet are solved."""
    left = [t for t in tasks if not t.out.is_file()]
    for t in tasks:
        if t not in left:
            read_shard(t.out, t.key)
            log.info("%s is there", t.out.name)
    if workers > 1 and len(left) > 1:
        with ProcessPoolExecutor(min(workers, len(left)), mp_context=get_context("spawn")) as pool:
            list(pool.map(solve_task, [make] * len(left), left))
    else:
        for t in left:
            solve_task(make, t)
    return [read_shard(t.out, t.key) for t in tasks]
