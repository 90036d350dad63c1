"""The analysis step by step: Morris, survivors, Sobol in doublings, results. Each step is a pure function of shards.

Sobol blocks are solved in levels: level 0 holds ``base`` blocks, each further level as many as all before it. A level
is solved only if the intervals of the one before are too wide; what was solved is kept. Inputs that were screened out
stay at their median.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.sensitivity.design import (
    PANEL,
    Units,
    morris_design,
    sobol_blocks,
    sobol_width,
    units_of,
)
from pharmtwin.sensitivity.indices import Indices, indices
from pharmtwin.sensitivity.morris import SHARE, screen
from pharmtwin.sensitivity.runs import Solved, Solver, solve_blocks
from pharmtwin.sensitivity.shards import Joined, digest_of, join, share
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.uncertainty.inputs import DUMMY, Input

log = logging.getLogger(__name__)
Floats = NDArray[np.float64]
TYPICAL = 0.5


@dataclass(frozen=True)
class Settings:
    """Sizes and limits.

    trajectories, candidates, grid : of Morris (see ``design.morris_design``). keep : share of the largest mu* that lets
    a unit survive. base, max_base : first and largest number of Sobol blocks, powers of two. target : half-width of
    every interval that is narrow enough. second : second-order indices. solver : how runs are solved.
    """

    trajectories: int
    candidates: int
    grid: int
    base: int
    max_base: int
    target: float
    solver: Solver
    keep: float = SHARE
    second: bool = False

    @property
    def sizes(self) -> list[int]:
        """Numbers of blocks after each level."""
        out = [self.base]
        while 2 * out[-1] <= self.max_base:
            out.append(2 * out[-1])
        return out

    @property
    def panel(self) -> int:
        """Base points of one panel."""
        return min(PANEL, self.base)


def digest(subject: Subject, settings: Settings, survivors: Sequence[str] = ()) -> str:
    """What the runs of Morris (or, with survivors, of Sobol) depend on; the numbers of levels and doublings do not."""
    middle = np.full((1, len(subject.inputs)), TYPICAL)
    batch = subject.batch(middle)
    parts: dict[str, object] = {
        "model": subject.model.digest, "outputs": [asdict(o) for o in subject.outputs],
        "window": asdict(subject.window),
        "inputs": [(i.name, i.law.text(), i.group) for i in subject.inputs],
        "correlations": sorted(map(str, subject.correlations.items())),
        "typical": [batch.P.tolist(), batch.ev_t.tolist(), batch.ev_amount.tolist()], "solver": asdict(settings.solver),
    }  # fmt: skip
    if survivors:
        parts |= {"survivors": sorted(survivors), "second": settings.second, "panel": settings.panel}
    else:
        parts |= {"morris": [settings.trajectories, settings.candidates, settings.grid]}
    return digest_of(parts)


# ---- Morris


def solve_morris(subject: Subject, settings: Settings, shard: int = 0, shards: int = 1) -> Solved:
    """A share of the Morris trajectories."""
    points, _ = _trajectories(subject, settings)
    a, b = share(0, len(points), shard, shards)
    return solve_blocks(subject, points[a:b], a, "morris", settings.solver)


def _trajectories(subject: Subject, settings: Settings) -> tuple[Floats, float]:
    return morris_design(
        subject.inputs, trajectories=settings.trajectories, candidates=settings.candidates, levels=settings.grid,
        master=settings.solver.seed,
    )  # fmt: skip


def screening(subject: Subject, settings: Settings, parts: Sequence[Solved]) -> pd.DataFrame:
    """Table ``morris`` from all shares."""
    points, step = _trajectories(subject, settings)
    values = join(parts).values[:, :, : len(subject.outputs)]
    table = screen(points, values, units_of(subject.inputs), subject.outputs, step, settings.solver.seed, settings.keep)
    log.info("Morris: %d of %d units (%d inputs) go on", len(survivors_of(table)), table.input.nunique() - 1,
             len(subject.inputs) - 1)  # fmt: skip
    return table


def survivors_of(morris: pd.DataFrame) -> list[str]:
    """Units that go on, in the order of the table; raises RuntimeError if there is none."""
    alive = list(dict.fromkeys(morris.loc[morris["survives"].astype(bool), "input"].astype(str)))
    if not alive:
        raise RuntimeError("no input survives the Morris screening: no output varies with any of them")
    return alive


# ---- Sobol


@dataclass(frozen=True)
class Reduced:
    """A subject of which only the surviving units (and the dummy) vary."""

    subject: Subject
    columns: tuple[int, ...]
    inputs: tuple[Input, ...]

    @classmethod
    def of(cls, subject: Subject, survivors: Sequence[str]) -> Reduced:
        """Keep survivors and dummy."""
        chosen = [k for k, i in enumerate(subject.inputs) if (i.group or i.name) in survivors or i.name == DUMMY]
        return cls(subject, tuple(chosen), tuple(subject.inputs[k] for k in chosen))

    @property
    def units(self) -> Units:
        """What is varied as one."""
        return units_of(self.inputs)

    def points(self, reduced: Floats) -> Floats:
        """Points of the whole cube: what was screened out stays at its median."""
        out = np.full((*reduced.shape[:-1], len(self.subject.inputs)), TYPICAL)
        out[..., list(self.columns)] = reduced
        return out


def solve_sobol(
    subject: Subject, settings: Settings, survivors: Sequence[str], level: int, shard: int = 0, shards: int = 1
) -> Solved:
    """A share of the blocks of one level."""
    sizes, reduced = [0, *settings.sizes], Reduced.of(subject, survivors)
    a, b = share(sizes[level], sizes[level + 1], shard, shards)
    points = sobol_blocks(
        a, b, reduced.inputs, second=settings.second, panel=settings.panel, master=settings.solver.seed
    )
    return solve_blocks(subject, reduced.points(points), a, f"sobol/{level}", settings.solver)


def nothing(level_start: int) -> Solved:
    """The share of a level that is not needed."""
    empty = pd.DataFrame(columns=["stage", "run", "state", "max_relative_difference", "limit", "passed", "failure"])
    return Solved(level_start, np.zeros((0, 0, 0)), empty, 0)


@dataclass(frozen=True)
class Estimate:
    """Indices by output after some blocks; ``constant`` names outputs that do not vary."""

    n: int
    by_output: dict[str, Indices]
    constant: tuple[str, ...]

    @property
    def half_width(self) -> float:
        """Half of the widest interval of all outputs."""
        return max((i.half_width for i in self.by_output.values()), default=0.0)


def estimate(subject: Subject, settings: Settings, survivors: Sequence[str], values: Floats) -> Estimate:
    """Indices of all outputs from blocks 0 on, (n, width, ...)."""
    units = Reduced.of(subject, survivors).units
    found: dict[str, Indices] = {}
    constant = []
    for k, o in enumerate(subject.outputs):
        y = values[:, :, k]
        good = y[np.isfinite(y).all(axis=1)]
        if len(good) > 1 and np.ptp(good) <= 1e-12 * max(np.abs(good).max(), 1e-300):
            constant.append(o.name)
            continue
        found[o.name] = indices(y, units.n, second=settings.second, master=settings.solver.seed)
    return Estimate(len(values), found, tuple(constant))


def enough(subject: Subject, settings: Settings, survivors: Sequence[str], parts: Sequence[Solved], level: int) -> bool:
    """Whether the levels up to ``level`` give every interval the width that was asked for; so no further level is run.

    ``parts``: shards of those levels. A level without blocks was found needless before: then it is enough too.
    """
    joined = join(parts)
    if len(joined.values) < settings.sizes[level]:
        return True
    half = estimate(subject, settings, survivors, joined.values).half_width
    log.info(
        "Sobol: N = %d, half of the widest interval %.3f (asked for %g)", len(joined.values), half, settings.target
    )
    return half <= settings.target


def estimates(subject: Subject, settings: Settings, survivors: Sequence[str], joined: Joined) -> list[Estimate]:
    """Indices after each level that was solved."""
    expected = sobol_width(Reduced.of(subject, survivors).units, settings.second)
    if joined.values.shape[1] != expected:
        raise ValueError(f"blocks have {joined.values.shape[1]} runs, not {expected}")
    sizes = [n for n in settings.sizes if n <= len(joined.values)]
    return [estimate(subject, settings, survivors, joined.values[:n]) for n in sizes]
