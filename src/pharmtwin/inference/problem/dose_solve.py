"""Doses of all runs as events of the solver; where F, lag, duration or rate are the model's, with their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import Batch
from pharmtwin.engine.schedule import ADD_AMOUNT, ADD_RATE
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.pieces import Piece
from pharmtwin.model.description import Model

Floats = NDArray[np.float64]


def fixed_events(piece: Piece) -> tuple[list[tuple[float, int, float, int]], list[int]]:
    """Events (time, state, amount, kind) of doses without parameters, in order, and how many precede each sample.

    A dose that comes by itself (ADDL, the end of an infusion) at the time of a row comes before that row.
    """
    keyed: list[tuple[float, int, int, tuple[float, int, float, int]]] = []
    for number, (d, own) in enumerate(zip(piece.doses, piece.by_itself, strict=True)):
        row = -1 if own else d.row
        if d.rate > 0:
            end = d.time + d.amount / d.rate
            keyed.append((d.time, row, number, (d.time, d.state, d.rate, ADD_RATE)))
            keyed.append((end, -1, number, (end, d.state, -d.rate, ADD_RATE)))
        else:
            keyed.append((d.time, row, number, (d.time, d.state, d.amount, ADD_AMOUNT)))
    keyed.sort(key=lambda e: e[:3])
    before = [
        sum(1 for t, row, _, _ in keyed if t < time or (t == time and row < at))
        for time, at in zip(piece.obs_times.tolist(), piece.obs_rows.tolist(), strict=True)
    ]
    return [e for _, _, _, e in keyed], before


@dataclass(frozen=True, eq=False)
class DoseSolve:
    """Places events whose time or amount depends on effects."""

    def place(self, batch: Batch, x: Floats, derivatives: bool) -> Batch:
        """The batch with the events of the point x."""
        raise NotImplementedError


def dose_solver(*arguments: Any) -> tuple[Batch, DoseSolve]:
    """To come."""
    raise NotImplementedError
