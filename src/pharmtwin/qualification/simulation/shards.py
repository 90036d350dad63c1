"""The solves of a qualification shared out: each shard solves whole structures and leaves its curves in a file.

Which structure falls to which shard depends on nothing but the jobs; every solve stands alone, so the results do not
depend on the number of shards.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pharmtwin.qualification.simulation.runs import Cost, Curve, Job, by_structure, run_jobs

Floats = NDArray[np.float64]
Solver = Callable[[Sequence[Job]], tuple[list[Curve], list[Cost]]]
#: structures of two drugs have about twice the states, and their solves cost about this much more
DEARER = 3.0


class ShardError(ValueError):
    """Files that are not the shards of these jobs."""


def locally(workers: int) -> Solver:
    """Solves all jobs here, in so many processes."""
    return lambda jobs: run_jobs(jobs, workers=workers)


def shares(jobs: Sequence[Job], n: int) -> list[list[int]]:
    """Numbers of the jobs of each of n shards: dear structures first, each to the shard with least to do.

    A job that cannot be set up falls to the first shard, which says why.
    """
    groups, wrong = by_structure(jobs)
    cost = [len(g) * DEARER ** (len(jobs[g[0]].drugs) - 1) for g in groups]
    out: list[list[int]] = [[] for _ in range(n)]
    load = [0.0] * n
    for i in sorted(range(len(groups)), key=lambda i: (-cost[i], groups[i][0])):
        k = load.index(min(load))
        out[k] += groups[i]
        load[k] += cost[i]
    out[0] += list(wrong)
    return [sorted(x) for x in out]


def stamp(jobs: Sequence[Job]) -> str:
    """Digest of labels and times of all jobs: what a file's curves must be of."""
    digest = hashlib.sha256()
    for job in jobs:
        digest.update(job.label.encode() + job.times.tobytes())
    return digest.hexdigest()


def solve_shard(jobs: Sequence[Job], shard: int, n: int, path: Path) -> list[Cost]:
    """Solve one shard (0 to n - 1) and write its curves."""
    mine = shares(jobs, n)[shard]
    curves, costs = run_jobs([jobs[i] for i in mine])
    about = {
        "stamp": stamp(jobs),
        "problems": [c.problem for c in curves],
        "costs": list(map(dataclasses.asdict, costs)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        np.savez_compressed(
            handle,
            jobs=np.array(mine, dtype=np.int64),
            about=np.array(json.dumps(about)),
            concentration=_joined([c.concentration for c in curves]),
            area=_joined([c.area for c in curves]),
            urine=_joined([c.urine for c in curves]),
        )
    return costs


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.zeros(0), *parts])


def from_files(paths: Sequence[Path]) -> Solver:
    """Takes the curves from the files of all shards; raises ShardError if one is missing, or of other jobs."""

    def solve(jobs: Sequence[Job]) -> tuple[list[Curve], list[Cost]]:
        curves: list[Curve | None] = [None] * len(jobs)
        costs: list[Cost] = []
        expected = stamp(jobs)
        for path in paths:
            with np.load(path, allow_pickle=False) as held:
                about = json.loads(str(held["about"]))
                if about["stamp"] != expected:
                    raise ShardError(f"{path} holds the curves of other jobs: run the shards again")
                mine, concentration, area, urine = (held[k] for k in ("jobs", "concentration", "area", "urine"))
            costs += [Cost(**c) for c in about["costs"]]
            ends = np.cumsum([len(jobs[i].times) for i in mine])
            for i, problem, end in zip(mine, about["problems"], ends, strict=True):
                own = slice(end - len(jobs[i].times), end)
                curves[i] = Curve(concentration[own], area[own], urine[own], problem)
        if missing := sum(c is None for c in curves):
            raise ShardError(f"no curve of {missing} of {len(jobs)} jobs: a shard is missing")
        return [c for c in curves if c is not None], costs

    return solve
