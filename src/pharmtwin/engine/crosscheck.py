"""Two engines on the same runs: about one per cent is solved again with CVODE, and must agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pharmtwin.engine.run import Batch, Trajectories, simulate
from pharmtwin.model.description import Model
from pharmtwin.tables import schema

LEAST = 3  # runs solved twice at least, where there are so many
LOW = 0.01  # of the largest value: below it a difference is relative to it, and not to the value


class EnginesDisagree(RuntimeError):
    """The engines differ by more than the stated tolerance; the message names run and observable."""


def subset(batch: Batch, runs: Sequence[int]) -> Batch:
    """The chosen runs of a batch."""

    def take(flat: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        return np.concatenate([flat[offsets[k] : offsets[k + 1]] for k in runs])

    def offsets(old: np.ndarray) -> np.ndarray:
        return np.concatenate([[0], np.cumsum([old[k + 1] - old[k] for k in runs])]).astype(np.int64)

    return Batch(
        P=take(batch.P, batch.seg_0),
        seg_t=take(batch.seg_t, batch.seg_0),
        seg_0=offsets(batch.seg_0),
        ev_t=take(batch.ev_t, batch.ev_0),
        ev_state=take(batch.ev_state, batch.ev_0),
        ev_amount=take(batch.ev_amount, batch.ev_0),
        ev_kind=take(batch.ev_kind, batch.ev_0),
        ev_0=offsets(batch.ev_0),
        times=take(batch.times, batch.t_0),
        t_0=offsets(batch.t_0),
        y0=batch.y0[list(runs)],
        rec_ev=take(batch.rec_ev, batch.t_0),
        r0=batch.r0[list(runs)],
        differentiable=batch.differentiable,
        ev_dt=take(batch.ev_dt, batch.ev_0) if len(batch.ev_dt) else batch.ev_dt,
        ev_da=take(batch.ev_da, batch.ev_0) if len(batch.ev_da) else batch.ev_da,
    )


def relative_difference(found: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|found - reference| (n_t, n_observables) over the reference, or over 1 % of its largest where it is lower."""
    scale = np.maximum(np.abs(reference), LOW * np.abs(reference).max(axis=0, keepdims=True))
    return np.abs(found - reference) / np.where(scale > 0, scale, 1.0)


def crosscheck(
    model: Model,
    batch: Batch,
    solved: Trajectories,
    labels: Sequence[str],
    *,
    stage: str,
    fraction: float,
    limit: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Table ``solver_check`` for a random ``fraction`` of the runs (at least three).

    Raises
    ------
    EnginesDisagree : a run differs by more than ``limit``.
    """
    good = np.flatnonzero(solved.flag == 0)
    n = min(len(good), max(LEAST, round(fraction * batch.n)))
    chosen = [int(k) for k in np.sort(rng.choice(good, size=n, replace=False))] if n else []
    if not chosen:
        return pd.DataFrame(columns=schema("solver_check").names)
    small = subset(batch, chosen)
    reference = simulate(model, small, engine="cvode", rtol=1e-7)
    rows = []
    for i, k in enumerate(chosen):
        if reference.flag[i] != 0:
            raise EnginesDisagree(f"{stage}, {labels[k]}: CVODE failed where Rodas5P did not")
        a, b = solved.of(k), reference.of(i)
        difference = relative_difference(a, b)
        t, o = np.unravel_index(int(np.argmax(difference)), difference.shape)
        times = small.times[small.t_0[i] : small.t_0[i + 1]]
        where = f"{model.observable_names[int(o)]} at {times[t]:g} h"
        worst = float(difference.max())
        rows.append(
            {
                "stage": stage, "run": labels[k], "state": where,
                "max_relative_difference": worst, "limit": limit, "passed": worst <= limit, "failure": None,
            }
        )  # fmt: skip
        if not worst <= limit:  # NaN fails too
            raise EnginesDisagree(f"{stage}, {labels[k]}: {where} differs by {worst:.2g} (limit {limit:g})")
    return pd.DataFrame(rows)
