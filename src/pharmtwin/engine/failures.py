"""Failed solves by name: which run, when, at which state and step size, and what probably was the cause.

The engines give codes (:data:`pharmtwin.engine.run.REASONS`) and counters; here they become sentences for
log and tables. What an engine does not tell is None, never a guess. CVODE's codes: SUNDIALS user guide of
CVODE 7.x, section "CVODE output constants".
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pharmtwin.engine.run import REASONS, Batch, Trajectories
from pharmtwin.model.description import Model
from pharmtwin.tables import schema

log = logging.getLogger(__name__)

GROWTH = "states grow without bound, or a rate jumps or divides by zero near this state"
NOT_A_NUMBER = "a rate overflows, divides by zero, or takes a log, root or power of a negative number"
WORK = "the solution changes fast all the time (oscillation, growth), or the run is too long for its tolerance"
CAUSES = {1: WORK, 2: GROWTH, 3: NOT_A_NUMBER, 4: GROWTH}
CVODE_FAILED, BAD_INPUT = 4, 5
PUBLIC = "public API"  # in the path of results of CVODE's Python interface
#: CVODE's own code: what it says, what probably is the cause
CVODE_CODES = {
    -1: ("too many steps", f"{WORK}; or {GROWTH}"),
    -2: ("more accuracy asked for than the machine has", "the relative tolerance is too small"),
    -3: ("the error test failed repeatedly or at the smallest step", GROWTH),
    -4: ("Newton's iteration failed repeatedly or at the smallest step", GROWTH),
    -8: ("the right-hand side is not finite", NOT_A_NUMBER),
    -9: ("the right-hand side is not finite at the start of a step sequence", NOT_A_NUMBER),
    -10: ("the right-hand side is not finite, again and again", NOT_A_NUMBER),
}


@dataclass(frozen=True)
class Failure:
    """One failed solve.

    Attributes
    ----------
    run : label of the run (twin, scenario, draw). time : reached (h). state : with the largest error, or the
    parameter for a parameter that is not finite. step : last step size (h). reason : what the engine says.
    cause : a likely cause. None where the engine does not tell.
    """

    run: str
    time: float | None
    state: str | None
    step: float | None
    reason: str
    cause: str


def failures(model: Model, batch: Batch, trajectories: Trajectories, labels: Sequence[str]) -> list[Failure]:
    """The failed runs of a solved batch in its order; ``labels`` names each run.

    Raises
    ------
    ValueError : labels, batch and trajectories differ in the number of runs.
    """
    if not len(labels) == batch.n == len(trajectories.flag):
        raise ValueError(f"{len(labels)} labels, {batch.n} runs and {len(trajectories.flag)} results do not fit")
    failed = np.flatnonzero(trajectories.flag).tolist()
    return [_failure(model, batch, trajectories, k, labels[k]) for k in failed]


def _failure(model: Model, batch: Batch, solved: Trajectories, k: int, label: str) -> Failure:
    flag = int(solved.flag[k])
    _, _, time, step, worst, code = (float(v) for v in solved.stat[k])
    if flag == BAD_INPUT:
        return _bad_parameter(model, batch, k, label, int(worst))
    reason, cause = REASONS[flag], CAUSES[flag]
    if flag == CVODE_FAILED and int(code) in CVODE_CODES:
        words, cause = CVODE_CODES[int(code)]
        reason = f"CVODE: {words}"
    cause = _bad_input(model, batch, k) or cause
    if PUBLIC in solved.path:
        return Failure(label, None, None, None, f"{reason} (its Python API tells neither time nor state)", cause)
    if step <= 0.0:  # not even a first step: no state was ever compared with its tolerance
        return Failure(label, time, None, None, reason, cause)
    return Failure(label, time, model.state_names[int(worst)], step, reason, cause)


def _bad_parameter(model: Model, batch: Batch, k: int, label: str, index: int) -> Failure:
    """A parameter that is not finite; its time is the start of the segment where it first is."""
    first, last = batch.seg_0[k], batch.seg_0[k + 1]
    bad = np.flatnonzero(~np.isfinite(batch.P[first:last, index]))
    time = float(batch.seg_t[first + bad[0]]) if len(bad) else None
    name = model.parameter_names[index]
    value = batch.P[first + bad[0], index] if len(bad) else np.nan
    return Failure(
        label, time, None, None, f"parameter {name} is {value}", f"parameter {name} was computed from bad input"
    )


def _bad_input(model: Model, batch: Batch, k: int) -> str | None:
    """An initial state, input rate or event of the run that is not finite."""
    start = ~np.isfinite(batch.y0[k]) | ~np.isfinite(batch.r0[k])
    if start.any():
        return f"the initial value or input rate of state {model.state_names[int(np.argmax(start))]} is not finite"
    mine = slice(batch.ev_0[k], batch.ev_0[k + 1])
    bad = ~np.isfinite(batch.ev_amount[mine])
    if bad.any():
        return f"the dose at {batch.ev_t[mine][bad][0]:g} h is not finite"
    return None


def message(failure: Failure) -> str:
    """The line a user reads."""
    parts = [f"solve failed: {failure.reason}"]
    parts += [] if failure.time is None else [f"at {failure.time:.6g} h"]
    parts += [] if failure.state is None else [f"state {failure.state}"]
    parts += [] if failure.step is None else [f"step size {failure.step:.3g} h"]
    return f"{failure.run} - {', '.join(parts)} - likely cause: {failure.cause}"


def note_failures(
    model: Model, batch: Batch, trajectories: Trajectories, labels: Sequence[str], stage: str
) -> pd.DataFrame:
    """Log every failed run, and give it a row of table ``solver_check`` (empty if there are none)."""
    found = failures(model, batch, trajectories, labels)
    for f in found:
        log.warning("%s", message(f))
    rows = [
        {
            "stage": stage, "run": f.run, "state": f.state or "not known", "max_relative_difference": np.nan,
            "limit": np.nan, "passed": False, "failure": message(f),
        }
        for f in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=schema("solver_check").names)


def require_some(checks: pd.DataFrame, n: int, what: str) -> None:
    """Raise RuntimeError, with the first failure, if all ``n`` runs are among the failed ones of ``checks``."""
    if n and len(checks) == n:
        raise RuntimeError(f"all {n} solves of {what} failed; the first: {checks.failure.iloc[0]}")
