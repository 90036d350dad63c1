"""A subject's records cut into runs of the solver: at every reset and at every steady state, which forget what was
before.

Between cuts covariates are constant by segment, doses follow each other, and samples are taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.problem.records import Dose, Subject

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """One run.

    Attributes
    ----------
    start : time at which the run starts (h). segment_times, segments : (n_segments,), (n_segments, n_covariates).
    doses : in the order of their rows; ``dose_covariates`` (n_doses, n_covariates): those in force where a dose's
        parameters (F, lag ...) are evaluated. ``first_covariates``: those at the start.
    obs : numbers of the subject's observations that belong here; ``obs_times`` and the row each stands in.
    """

    start: float
    segment_times: Floats
    segments: Floats
    doses: tuple[Dose, ...]
    dose_covariates: Floats
    first_covariates: Floats
    obs: NDArray[np.int64]
    obs_times: Floats
    obs_rows: NDArray[np.int64]


def pieces(subject: Subject, covariates: Floats, at_end: bool, run_in: int) -> list[Piece]:
    """The runs of a subject that hold observations.

    covariates (n_rows, n) : of the subject's rows, occasions' indicators included. at_end : see
    ``Columns.covariate_at``.
    run_in : doses that lead to a steady state.
    """
    n = len(subject.times)
    steady = {d.row: d for d in subject.doses if d.ss}
    cuts = sorted({0, *subject.resets, *steady})
    found = []
    for a, b in zip(cuts, [*cuts[1:], n], strict=True):
        mine = np.flatnonzero((subject.obs_row >= a) & (subject.obs_row < b))
        if len(mine):
            found.append(_piece(subject, covariates, at_end, run_in, a, b, mine, steady.get(a)))
    return found


def _piece(
    subject: Subject, covariates: Floats, at_end: bool, run_in: int, a: int, b: int, mine: NDArray[np.int64],
    steady: Dose | None,
) -> Piece:  # fmt: skip
    times = subject.times[a:b]
    last = float(subject.times[subject.obs_row[mine]].max())
    start = float(times[0])
    doses: list[Dose] = []
    if steady is not None:
        start -= run_in * steady.ii
        doses.append(replace(steady, time=start, addl=run_in - 1, ss=0))
    for d in subject.doses:
        if a <= d.row < b and d.time <= last:  # nothing after the last sample is solved
            single = replace(d, ss=0, ii=d.ii if d.addl else 0.0)
            doses.append(replace(single, addl=min(d.addl, int((last - d.time) // d.ii)) if d.addl else 0))
    doses = [d if d.addl else replace(d, ii=0.0) for d in doses]
    seg_t, seg = _segments(times, covariates[a:b], start, at_end)
    return Piece(
        start, seg_t, seg, tuple(doses), covariates[[d.row for d in doses]], covariates[a], mine,
        subject.times[subject.obs_row[mine]], subject.obs_row[mine],
    )  # fmt: skip


def _segments(times: Floats, rows: Floats, start: float, at_end: bool) -> tuple[Floats, Floats]:
    """Starts and values of the segments of constant covariates."""
    begins = [start]
    values = [rows[0]]
    for k in range(1, len(times)):
        begin = float(times[k - 1] if at_end else times[k])
        if begin <= begins[-1]:
            values[-1] = rows[k]  # the segment before has no length
        elif not np.array_equal(rows[k], values[-1]):
            begins.append(begin)
            values.append(rows[k])
    return np.array(begins), np.array(values).reshape(len(begins), rows.shape[1])
