"""Many runs of one regimen and one time grid, which differ in their parameters alone: packed without a loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import Batch

Floats = NDArray[np.float64]


def replicate(one: Batch, parameters: Floats) -> Batch:
    """A batch of ``len(parameters)`` runs with the events, times and start of a batch of one run.

    Parameters
    ----------
    one : of :func:`pharmtwin.engine.run.pack`, one run with one segment. parameters : (n, n_parameters).

    Raises
    ------
    ValueError : ``one`` is not a single run with a single segment, or has derivatives of its events.
    """
    if one.n != 1 or len(one.seg_t) != 1 or len(one.ev_dt) or len(one.ev_da):
        raise ValueError("only a single run with one segment, without derivatives of its events, can be replicated")
    n = len(parameters)

    def offsets(size: int) -> NDArray[np.int64]:
        return np.arange(n + 1, dtype=np.int64) * size

    return Batch(
        P=np.ascontiguousarray(parameters, dtype=float),
        seg_t=np.tile(one.seg_t, n),
        seg_0=offsets(1),
        ev_t=np.tile(one.ev_t, n),
        ev_state=np.tile(one.ev_state, n),
        ev_amount=np.tile(one.ev_amount, n),
        ev_kind=np.tile(one.ev_kind, n),
        ev_0=offsets(len(one.ev_t)),
        times=np.tile(one.times, n),
        t_0=offsets(len(one.times)),
        y0=np.tile(one.y0, (n, 1)),
        rec_ev=np.tile(one.rec_ev, n),
        r0=np.tile(one.r0, (n, 1)),
        differentiable=one.differentiable,
    )
