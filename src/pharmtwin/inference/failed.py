"""Failed solves of a population problem by name: twin, hypothesis and draw."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.crosscheck import subset
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import simulate
from pharmtwin.inference.problem.problem import Problem

log = logging.getLogger(__name__)


def log_failed_runs(problem: Problem, x: NDArray[np.float64], runs: NDArray[np.int64], draw: int) -> None:
    """Name runs whose solve failed at effects x (n_runs, n_effects); solved again for time, state and step size.

    runs : numbers of the failed ones. The problem's doses have no parameters of their own.
    """
    batch = subset(problem.batch, runs.tolist())
    P = batch.P.copy()
    P[:, problem.columns] = np.repeat(x[runs], np.diff(batch.seg_0), axis=0)
    batch = replace(batch, P=P)
    cases = problem.case_of_run[runs]
    labels = [
        f"{problem.subjects[problem.subject_of_case[c]]}/{problem.names_of_case[c]}/draw{draw}" for c in cases.tolist()
    ]
    again = simulate(problem.structure, batch, engine="rosenbrock", rtol=problem.rtol)
    note_failures(problem.structure, batch, again, labels, "fit")
    for label, flag in zip(labels, again.flag, strict=True):
        if flag == 0:
            log.warning("%s - solve failed in the fit, but not when it was repeated", label)
