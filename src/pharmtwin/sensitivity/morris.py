"""Elementary effects: mu, mu* and sigma of every unit, percentile bootstrap intervals of mu*, and who goes on.

Morris 1991, Technometrics 33:161, doi 10.1080/00401706.1991.10484804; mu* and groups: Campolongo 2007, Environ Model
Softw 22:1509, doi 10.1016/j.envsoft.2006.10.004. Trajectories are resampled whole, so the intervals of all units rest
on the same ones. The members of a group move in different directions, so its mu has no meaning (NaN) and its sigma is
that of the absolute effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.sensitivity.design import STAGE, Units
from pharmtwin.sensitivity.outputs import Output
from pharmtwin.uncertainty.inputs import DUMMY

Floats = NDArray[np.float64]
RESAMPLES = 1000
LEVEL = (0.025, 0.975)
SHARE = 0.05  # a unit survives if its mu* may exceed this share of the largest


@dataclass(frozen=True)
class Effects:
    """Elementary effects (n_trajectories, n_units): signed for a single input, absolute for a group."""

    values: Floats
    signed: tuple[bool, ...]


def effects(points: Floats, y: Floats, units: Units, step: float) -> Effects:
    """Elementary effects, per full range of the grid.

    Parameters
    ----------
    points : (n, n_units + 1, n_inputs) probabilities of the trajectories. y : (n, n_units + 1), finite.
    step : of the grid, as a share of its range.
    """
    n, g = len(points), units.n
    out = np.empty((n, g))
    moved = np.diff(points, axis=1)
    change = np.diff(y, axis=1)
    rows = np.arange(n)
    for k, columns in enumerate(units.columns):
        at = np.abs(moved[:, :, columns]).sum(axis=2).argmax(axis=1)
        effect = change[rows, at] / step
        out[:, k] = effect * np.sign(moved[rows, at, columns[0]]) if len(columns) == 1 else np.abs(effect)
    return Effects(out, tuple(len(c) == 1 for c in units.columns))


def weights(rng: np.random.Generator, n: int, resamples: int) -> Floats:
    """Bootstrap weights (resamples, n): how often each block is drawn, over n."""
    return rng.multinomial(n, np.full(n, 1.0 / n), size=resamples) / n


def screen(
    points: Floats, Y: Floats, units: Units, outputs: Sequence[Output], step: float, master: int, share: float = SHARE
) -> pd.DataFrame:
    """Table ``morris``; trajectories with a failed run leave the analysis of that output.

    Rule: a unit survives if, for any output, the upper end of its mu* interval exceeds both that of the dummy and
    ``share`` of the largest mu*. The dummy itself never does.

    Parameters
    ----------
    Y : (n, n_units + 1, n_outputs), NaN where a run failed.

    Raises
    ------
    RuntimeError : no trajectory is left for an output.
    """
    rows, alive = [], set()
    for o, output in enumerate(outputs):
        good = np.isfinite(Y[:, :, o]).all(axis=1)
        if not good.any():
            raise RuntimeError(f"{output.name}: every Morris trajectory holds a failed solve")
        found = effects(points[good], Y[good, :, o], units, step)
        size = np.abs(found.values)
        star = size.mean(axis=0)
        sigma = found.values.std(axis=0, ddof=1) if len(size) > 1 else np.zeros(units.n)
        rng = generator(master, STAGE, f"morris bootstrap {output.name}")
        lo, hi = np.quantile(weights(rng, len(size), RESAMPLES) @ size, LEVEL, axis=0)
        floor = hi[units.names.index(DUMMY)] if DUMMY in units.names else 0.0
        limit = max(float(floor), share * float(star.max()))
        for k, name in enumerate(units.names):
            if name != DUMMY and hi[k] > limit:
                alive.add(name)
            single = found.signed[k]
            rows.append(
                {
                    "output": output.name, "scale": "ln" if output.log else "linear", "input": name,
                    "n_inputs": len(units.columns[k]),
                    "mu": found.values[:, k].mean() if single else np.nan, "mu_star": star[k],
                    "mu_star_lo": lo[k], "mu_star_hi": hi[k], "sigma": sigma[k],
                    "n_trajectories": len(size), "n_left_out": int((~good).sum()),
                    "rule": f"upper end of mu* {hi[k]:.3g}, limit {limit:.3g} "
                    f"(dummy {floor:.3g}, {share:.0%} of the largest {share * star.max():.3g})",
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    table["survives"] = table["input"].isin(alive)
    return table
