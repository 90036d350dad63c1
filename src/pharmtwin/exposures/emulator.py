"""A smooth function through many solves: linear terms and one layer of tanh units, fitted by least squares.

Exposure of a saturable or self-inhibiting drug runs from one level to another as its inputs move, which polynomials
follow badly and a few sigmoids well (docs/exposures.md has the comparison). Cheap to evaluate: two matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
#: tanh units; penalty on their squared weights, a share of the mean squared error of standardised outputs; iterations
UNITS, PENALTY, ITERATIONS = 24, 1e-4, 800
#: rows of the optimiser's memory of the curvature
MEMORY = 20
CONSTANT = "1"


@dataclass(frozen=True)
class Emulator:
    """outputs = tanh(hidden) @ outer + straight, with (hidden, straight) = inputs @ weights + bias.

    inputs, outputs : names. weights : (inputs, units + outputs). bias : (units + outputs,). outer : (units, outputs).
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: Floats
    bias: Floats
    outer: Floats

    def __call__(self, x: Floats) -> Floats:
        """Outputs (n, outputs) at inputs ``x`` (n, inputs)."""
        return self.finish(x @ self.weights + self.bias)

    def finish(self, sums: Floats) -> Floats:
        """Outputs from the weighted sums (n, units + outputs), which a caller may add up input by input."""
        units = len(self.outer)
        return np.asarray(np.tanh(sums[:, :units]) @ self.outer + sums[:, units:])

    def only(self, outputs: Sequence[str]) -> Emulator:
        """The same function with some of the outputs."""
        kept = [self.outputs.index(o) for o in outputs]
        columns = [*range(len(self.outer)), *(len(self.outer) + k for k in kept)]
        return Emulator(self.inputs, tuple(outputs), self.weights[:, columns], self.bias[columns], self.outer[:, kept])

    def rows(self, names: Sequence[str]) -> Floats:
        """Weights of some inputs, (len(names), units + outputs)."""
        return self.weights[[self.inputs.index(n) for n in names]]


def fit(x: Floats, y: Floats, inputs: Sequence[str], outputs: Sequence[str], rng: np.random.Generator) -> Emulator:
    """Fit outputs ``y`` (n, outputs) at inputs ``x`` (n, inputs); ``rng`` draws where the optimiser starts.

    An input that never varies in ``x`` gets weight 0: nothing is known of what it does.
    """
    moves = x.std(axis=0) > 0
    centre, scale = x.mean(axis=0), np.where(moves, x.std(axis=0), 1.0)
    level, spread = y.mean(axis=0), np.where(y.std(axis=0) > 0, y.std(axis=0), 1.0)
    z, t = (x - centre) / scale, (y - level) / spread
    n, width, wide = len(x), x.shape[1], y.shape[1]
    start = np.concatenate([
        rng.standard_normal(width * UNITS) / np.sqrt(width), rng.standard_normal(UNITS) / 2,
        rng.standard_normal(UNITS * wide) / np.sqrt(UNITS) / 4, np.zeros((width + 1) * wide),
    ])  # fmt: skip
    cuts = np.cumsum([width * UNITS, UNITS, UNITS * wide, width * wide])

    def parts(theta: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        inner, shift, outer, straight, offset = np.split(theta, cuts)
        return inner.reshape(width, UNITS), shift, outer.reshape(UNITS, wide), straight.reshape(width, wide), offset

    def loss(theta: Floats) -> tuple[float, Floats]:
        inner, shift, outer, straight, offset = parts(theta)
        hidden = np.tanh(z @ inner + shift)
        error = hidden @ outer + z @ straight + offset - t
        value = (error**2).sum() / n + PENALTY * ((inner**2).sum() + (outer**2).sum())
        error = 2 * error / n
        back = (error @ outer.T) * (1 - hidden**2)
        slopes = (z.T @ back + 2 * PENALTY * inner, back.sum(axis=0), hidden.T @ error + 2 * PENALTY * outer,
                  z.T @ error, error.sum(axis=0))  # fmt: skip
        return float(value), np.concatenate([s.ravel() for s in slopes])

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS, "maxcor": MEMORY})
    inner, shift, outer, straight, offset = parts(found.x)
    weights = np.concatenate([inner, straight * spread], axis=1) * (moves / scale)[:, None]
    bias = np.concatenate([shift, offset * spread + level]) - centre @ weights
    return Emulator(tuple(inputs), tuple(outputs), weights, bias, outer * spread)


def to_frame(emulator: Emulator) -> pd.DataFrame:
    """Weights as a list of connections: source, target, weight (see :func:`from_frame`)."""
    units = [f"unit{k:02d}" for k in range(len(emulator.outer))]
    first = (np.vstack([emulator.weights, emulator.bias]), [*emulator.inputs, CONSTANT], [*units, *emulator.outputs])
    parts = []
    for values, sources, targets in (first, (emulator.outer, units, [*emulator.outputs])):
        source, target = np.repeat(sources, len(targets)), np.tile(targets, len(sources))
        parts.append(pd.DataFrame({"source": source, "target": target, "weight": values.ravel()}))
    return pd.concat(parts, ignore_index=True)


def from_frame(frame: pd.DataFrame) -> Emulator:
    """The emulator that :func:`to_frame` wrote; rows in that order (further columns are not read)."""
    table = frame.pivot(index="source", columns="target", values="weight")
    table = table.loc[frame["source"].unique(), frame["target"].unique()]
    sources, targets = [str(s) for s in table.index], [str(t) for t in table.columns]
    inputs = sources[: sources.index(CONSTANT)]
    units = sources[len(inputs) + 1 :]
    outputs = targets[len(units) :]
    values = table.to_numpy(dtype=float)
    return Emulator(
        tuple(inputs),
        tuple(outputs),
        values[: len(inputs)],
        values[len(inputs)],
        values[len(inputs) + 1 :, len(units) :],
    )
