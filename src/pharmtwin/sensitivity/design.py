"""Designs in the unit cube: Morris trajectories by SALib, Sobol blocks from panels of scrambled Sobol points.

What is varied as one is a *unit*: an input, or a group of inputs. Both designs are cut into *blocks* that stand or fall
together: a trajectory, or one base point with its hybrids (A, AB_1 .. AB_g, with ``second`` BA_1 .. BA_g, then B:
SALib's order). Blocks are numbered; block k is the same whoever asks for it, and however many there are.

Sobol points come in panels of at most :data:`PANEL` base points, each panel with a scramble and an assignment of
Sobol dimensions to columns of its own. One long sequence would not do: some triples of its dimensions are badly
distributed at some lengths whatever the scramble, the same inputs would be hit every time, and bootstrap intervals of
small indices would miss the truth far too often (measured: 84 % instead of 95 %, docs/sensitivity.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from pharmtwin.core.seeds import generator
from pharmtwin.uncertainty.inputs import UNBOUNDED, Input

Floats = NDArray[np.float64]
STAGE = "sensitivity"
PANEL = 256
#: Morris walks over this range of probability where a distribution has no bounds
P_RANGE = (0.025, 0.975)


@dataclass(frozen=True)
class Units:
    """Names of what is varied as one, and the columns of each."""

    names: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.names)

    @property
    def n_inputs(self) -> int:
        """Number of inputs."""
        return sum(len(c) for c in self.columns)


def units_of(inputs: Sequence[Input]) -> Units:
    """Groups and lone inputs, in the order of their first member; a group of one has the name of the group."""
    found: dict[str, list[int]] = {}
    for k, item in enumerate(inputs):
        found.setdefault(item.group or item.name, []).append(k)
    return Units(tuple(found), tuple(tuple(c) for c in found.values()))


def morris_design(
    inputs: Sequence[Input], *, trajectories: int, candidates: int, levels: int, master: int
) -> tuple[Floats, float]:
    """Morris trajectories.

    Parameters
    ----------
    candidates : trajectories from which the ``trajectories`` that lie farthest apart are chosen (Ruano 2012's local
        search, SALib); not more than ``trajectories``: those drawn are taken. levels : of the grid, even.

    Returns
    -------
    Probabilities (trajectories, n_units + 1, n_inputs) and the step in units of the grid's range.
    """
    from SALib.sample import morris

    units = units_of(inputs)
    problem: dict[str, object] = {
        "num_vars": len(inputs),
        "names": [i.name for i in inputs],
        "bounds": [P_RANGE if i.law.family in UNBOUNDED else (0.0, 1.0) for i in inputs],
    }
    if units.n < len(inputs):
        problem["groups"] = [i.group or i.name for i in inputs]
    seed = int(generator(master, STAGE, "morris").integers(2**31))
    best = trajectories if 1 < trajectories < candidates else None
    points = morris.sample(problem, candidates if best else trajectories, num_levels=levels, optimal_trajectories=best,
                           local_optimization=True, seed=seed)  # fmt: skip
    return points.reshape(-1, units.n + 1, len(inputs)), levels / (2.0 * (levels - 1))


def sobol_width(units: Units, second: bool) -> int:
    """Runs of one block."""
    return (2 if second else 1) * units.n + 2


def sobol_base(first: int, last: int, n_inputs: int, panel: int, master: int) -> tuple[Floats, Floats]:
    """Base points ``first`` to ``last`` (not included): matrices A and B, each (last - first, n_inputs)."""
    parts = []
    for k in range(first // panel, -(-last // panel)):
        rng = generator(master, STAGE, f"sobol panel {k}")
        points = qmc.Sobol(d=2 * n_inputs, scramble=True, rng=int(rng.integers(2**31))).random(panel)
        points = points[:, rng.permutation(2 * n_inputs)]
        parts.append(points[max(first - k * panel, 0) : min(last - k * panel, panel)])
    both = np.concatenate(parts) if parts else np.zeros((0, 2 * n_inputs))
    return both[:, :n_inputs], both[:, n_inputs:]


def sobol_blocks(first: int, last: int, inputs: Sequence[Input], *, second: bool, panel: int, master: int) -> Floats:
    """Probabilities of blocks ``first`` to ``last`` (not included), (last - first, width, n_inputs)."""
    units = units_of(inputs)
    return cross(*sobol_base(first, last, len(inputs), panel, master), units, second)


def cross(A: Floats, B: Floats, units: Units, second: bool) -> Floats:
    """Blocks of base points: A, A with one unit of B after the other, (B with one of A,) B."""
    out = np.repeat(A[:, None, :], sobol_width(units, second), axis=1)
    if second:
        out[:, 1 + units.n :] = B[:, None, :]
    out[:, -1] = B
    for k, columns in enumerate(units.columns):
        for c in columns:
            out[:, 1 + k, c] = B[:, c]
            if second:
                out[:, 1 + units.n + k, c] = A[:, c]
    return out
