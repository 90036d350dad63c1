"""Blocks of runs solved: the fast engine, repair by CVODE, a few runs solved twice; outputs and time course of each.

A run that the fast engine fails on is solved again by CVODE. One that CVODE fails on too stays NaN, is named in the
table ``solver_check``, and takes its block out of the analysis. Which runs are solved twice as a check is decided by
block and seed, so nothing depends on how blocks are shared out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.engine.crosscheck import crosscheck, subset
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import Batch, Trajectories, simulate
from pharmtwin.model.description import Model
from pharmtwin.sensitivity.design import STAGE
from pharmtwin.sensitivity.outputs import read_outputs
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.tables import schema

Floats = NDArray[np.float64]
#: runs solved at a time: what bounds the memory
CHUNK = 1024
REPAIR_RTOL = 1e-6
#: relative tolerance of the fast engine; the runs that CVODE solves again show what error that makes (solver_check)
RTOL = 1e-4


@dataclass(frozen=True)
class Solver:
    """How to solve. rtol : of the fast engine. checked : share of the blocks of which one run is solved twice;
    limit : largest relative difference of the two. seed : master seed."""

    rtol: float
    checked: float
    limit: float
    seed: int


@dataclass(frozen=True)
class Solved:
    """Blocks ``first`` on: values (n_blocks, width, n_outputs + n_times), outputs then log time course; NaN failed.

    checks : table ``solver_check``. repaired : runs that CVODE saved.
    """

    first: int
    values: Floats
    checks: pd.DataFrame
    repaired: int


def solve_blocks(subject: Subject, points: Floats, first: int, stage: str, solver: Solver) -> Solved:
    """Solve blocks of points (n_blocks, width, n_inputs) of the unit cube; ``first`` is the number of the first."""
    n_blocks, width, n_inputs = points.shape
    flat = points.reshape(-1, n_inputs)
    courses = len(subject.window.course())
    out = np.full((len(flat), len(subject.outputs) + courses), np.nan)
    twice = _solved_twice(n_blocks, width, first, stage, solver)
    checks, repaired = [], 0
    for a in range(0, len(flat), CHUNK):
        batch = subject.batch(flat[a : a + CHUNK])
        solved = simulate(subject.model, batch, engine="rosenbrock", rtol=solver.rtol)
        labels = [f"block{first + r // width}/run{r % width}" for r in range(a, a + batch.n)]
        solved, saved = repair(subject.model, batch, solved)
        repaired += saved
        failed = note_failures(subject.model, batch, solved, labels, f"{STAGE}/{stage}")
        checks += [failed] if len(failed) else []
        mine = twice[(twice >= a) & (twice < a + batch.n)] - a
        mine = mine[solved.flag[mine] == 0]
        if len(mine):
            checks.append(_check(subject.model, batch, solved, labels, mine.tolist(), stage, solver))
        out[a : a + batch.n] = observed(subject, solved)
    return Solved(first, out.reshape(n_blocks, width, out.shape[1]), _concat(checks), repaired)


def observed(subject: Subject, solved: Trajectories) -> Floats:
    """Outputs, and the logarithm of the concentration at the times of the course, (n, n_outputs + n_times)."""
    times = subject.window.times()
    values = solved.values.reshape(len(solved.flag), len(times), -1)
    names = subject.model.observable_names
    outputs = read_outputs(subject.outputs, subject.window, names, values)
    at = np.searchsorted(times, subject.window.course() - 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        course = np.log(values[:, at, names.index(subject.concentration)] * subject.factor)
    return np.concatenate([outputs, np.where(np.isfinite(course), course, np.nan)], axis=1)


def repair(model: Model, batch: Batch, solved: Trajectories) -> tuple[Trajectories, int]:
    """Failed runs solved again by CVODE in place; how many that saved."""
    failed = np.flatnonzero(solved.flag).tolist()
    if not failed:
        return solved, 0
    again = simulate(model, subset(batch, failed), engine="cvode", rtol=REPAIR_RTOL)
    saved = 0
    for i, k in enumerate(failed):
        if again.flag[i] == 0:
            solved.values[solved.t_0[k] : solved.t_0[k + 1]] = again.of(i)
            solved.final_state[k] = again.final_state[i]
            solved.flag[k] = 0
            saved += 1
    return solved, saved


def _solved_twice(n_blocks: int, width: int, first: int, stage: str, solver: Solver) -> NDArray[np.int64]:
    """Rows that are solved twice."""
    rows = []
    for k in range(n_blocks):
        rng = generator(solver.seed, STAGE, f"crosscheck {stage} block {first + k}")
        if rng.random() < solver.checked:
            rows.append(k * width + int(rng.integers(width)))
    return np.array(rows, dtype=np.int64)


def _check(
    model: Model, batch: Batch, solved: Trajectories, labels: list[str], rows: list[int], stage: str, solver: Solver
) -> pd.DataFrame:
    """Rows of ``solver_check``; raises EnginesDisagree."""
    size = len(batch.times) // batch.n
    small = Trajectories(
        values=np.concatenate([solved.of(k) for k in rows]),
        t_0=np.arange(len(rows) + 1, dtype=np.int64) * size,
        final_state=solved.final_state[rows],
        final_rate=solved.final_rate[rows],
        flag=solved.flag[rows],
        stat=solved.stat[rows],
    )
    return crosscheck(
        model, subset(batch, rows), small, [labels[k] for k in rows], stage=f"{STAGE}/{stage}", fraction=1.0,
        limit=solver.limit, rng=np.random.default_rng(0),
    )  # fmt: skip


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One table ``solver_check``, in the order of blocks."""
    if not frames:
        return pd.DataFrame(columns=schema("solver_check").names)
    return pd.concat(frames, ignore_index=True)
