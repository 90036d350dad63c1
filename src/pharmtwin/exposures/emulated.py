"""Limits of twins from an emulator, each twin's put right by its own solves.

The emulator is evaluated at many points of a twin's inputs. Offset and slope of its logarithm are those of the
regression of the twin's own solves on the emulator at the same inputs (a regression estimator with control variates);
what the regression leaves is added as normal scatter. Where it leaves too much, the emulator misses the twin, and the
limits are the quantiles of the solves alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.drugs.schema import Drug
from pharmtwin.exposures.activity import Activity
from pharmtwin.exposures.draws import derived
from pharmtwin.exposures.emulator import Emulator
from pharmtwin.exposures.features import features_of, points_of
from pharmtwin.exposures.inputs import Inputs
from pharmtwin.exposures.metrics import limits
from pharmtwin.exposures.people import People

Floats = NDArray[np.float64]
#: points of a twin at which the emulator is evaluated
POINTS = 2048
#: residual sd over sd of the solves up to which the emulator is used: with it, scatter that was no scatter at all
#: would widen a normal distribution by sqrt(1 + 0.3^2), 4 %, which moves its 5 % limit by what 1,000 draws scatter
LARGEST_MISFIT = 0.3
#: solves of a twin that a regression takes at least
FEWEST = 5
DRAWS, EMULATOR, FALLBACK = "draws", "emulator", "fallback"


@dataclass(frozen=True)
class Bands:
    """5 %, 50 % and 95 % limits (twins, outputs, 3), how they were found and the emulator's misfit (twins, outputs)."""

    limits: Floats
    method: NDArray[np.object_]
    misfit: Floats

    def of(self, outputs: slice) -> Bands:
        """Those of some outputs."""
        return Bands(self.limits[:, outputs], self.method[:, outputs], self.misfit[:, outputs])


def bands_of(
    solved: Floats,
    outputs: Sequence[str],
    emulator: Emulator | None,
    drug: Drug,
    people: People,
    activity: Mapping[str, Mapping[str, Activity]],
    inputs: Inputs,
    master: int,
) -> Bands:
    """Limits of every twin and output from the solves ``solved`` (twins, draws, outputs), and the emulator if there."""
    shape = (people.n, len(outputs))
    own = limits(np.moveaxis(solved, 1, 2))
    found = Bands(own, np.full(shape, DRAWS, dtype=object), np.full(shape, np.nan))
    if emulator is None:
        return found
    columns = [list(outputs).index(o) for o in emulator.outputs]
    values, misfit = emulated(emulator, drug, people, activity, inputs, solved[:, :, columns], master)
    good = misfit <= LARGEST_MISFIT  # no number is no good
    found.misfit[:, columns] = misfit
    found.method[:, columns] = np.where(good, EMULATOR, FALLBACK)
    found.limits[:, columns] = np.where(good[:, :, None], limits(values), own[:, columns])
    return found


def corrected(own: Floats, there: Floats, points: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Values at the points by regression of the solves on the emulator, (n, outputs), and the misfit (outputs,).

    Parameters
    ----------
    own : logarithms of the solved metrics, (draws, outputs). there : the emulator at the same inputs. points : the
        emulator at the points, (n, outputs). noise : standard normal numbers, (n, outputs).

    The misfit is the residual sd over the sd of ``own``; NaN where there are fewer than :data:`FEWEST` solves, and
    where the emulator falls as the solves rise, which is no fit however close.
    """
    draws = len(own)
    if draws < FEWEST:
        return np.full(points.shape, np.nan), np.full(points.shape[1], np.nan)
    centre, level = there.mean(axis=0), own.mean(axis=0)
    slope = ((there - centre) * (own - level)).sum(axis=0) / ((there - centre) ** 2).sum(axis=0)
    residual = own - level - slope * (there - centre)
    scatter = np.sqrt((residual**2).sum(axis=0) / (draws - 2))
    misfit = np.where(slope > 0, scatter / own.std(axis=0, ddof=1), np.nan)
    return level + slope * (points - centre) + scatter * noise, misfit


def emulated(
    emulator: Emulator,
    drug: Drug,
    people: People,
    activity: Mapping[str, Mapping[str, Activity]],
    inputs: Inputs,
    solved: Floats,
    master: int,
) -> tuple[Floats, Floats]:
    """Values of all twins at the points, (twins, outputs, points), and misfits (twins, outputs).

    ``solved`` : metrics of the solves in the order of the emulator's outputs, (twins, draws, outputs); NaN: failed.
    Twins are taken one by one, so that none depends on its company to the last bit.
    """
    points = points_of(emulator, drug, activity, POINTS, derived(master, "points"))
    values = np.empty((people.n, len(emulator.outputs), POINTS))
    misfit = np.empty((people.n, len(emulator.outputs)))
    for row in range(people.n):
        whole = ~np.isnan(solved[row]).any(axis=1)
        named = features_of(inputs, people, row)
        there = emulator(np.stack([named[i] for i in emulator.inputs], axis=1))[whole]
        with np.errstate(divide="ignore", invalid="ignore"):  # a metric that is 0 has no logarithm: no number, a misfit
            own = np.log(solved[row][whole])
            found, misfit[row] = corrected(own, there, points.of(people, activity, row), points.noise)
        values[row] = np.exp(found).T
    return values, misfit
