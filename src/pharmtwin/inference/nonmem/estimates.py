"""Conditional modes of a case, what they predict, and the individual parameters there.

Two modes of every subject: the one that a search from eta = 0 ends in, where NONMEM starts, and the best that is found
when other points are tried as well. Where they differ the posterior has several modes; the second is the MAP estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.engine.run import pack_events, simulate
from pharmtwin.inference.estimation.modes import Modes, conditional_modes
from pharmtwin.inference.models.description import static_names
from pharmtwin.inference.problem.case import Case
from pharmtwin.inference.problem.problem import Problem, make_problem
from pharmtwin.model.description import State

Floats = NDArray[np.float64]
#: points of the prior that a second search starts from the best of
SCREEN = 24


@dataclass(frozen=True)
class Found:
    """Modes of all subjects and their predictions.

    Attributes
    ----------
    near, best : modes reached from eta = 0 (where that search fails: the best), and the best ones found.
    pred, ipred, best_ipred : (n_obs,) predictions at eta = 0, at ``near`` and at ``best``, subject by subject in the
        order of their rows; ``subject`` (number), ``row`` (of the table, header 1), ``output`` (number) of each.
    """

    problem: Problem
    near: Modes
    best: Modes
    subject: NDArray[np.int64]
    row: NDArray[np.int64]
    output: NDArray[np.int64]
    pred: Floats
    ipred: Floats
    best_ipred: Floats


def find(case: Case, rtol: float = 1e-8, screen: int = SCREEN) -> Found:
    """The modes at the model's values; ``rtol`` of the solver, ``screen`` as in ``conditional_modes`` (0: no best)."""
    problem = make_problem(case.model, case.subjects, covariate_at=case.columns.covariate_at, rtol=rtol)
    fixed = problem.typical()[: problem.n_fixed]
    sigma, omega = problem.sigma(), problem.model.omega
    near = conditional_modes(problem, fixed, sigma, omega, screen=0)
    best = conditional_modes(problem, fixed, sigma, omega, near.eta, screen=screen) if screen else near
    failed = ~near.converged & best.converged
    near = _where(failed, best, near)
    best = _where(best.objective <= near.objective, best, near)
    subject = problem.subject_of_run[problem.run_of_obs]
    order = np.lexsort((problem.subject_obs, subject))
    row = np.array([case.subjects[i].file_row[j] for i, j in zip(subject, problem.subject_obs, strict=True)])
    f = [
        problem.predict(problem.rows(fixed, eta), derivatives=False).f[order]
        for eta in (np.zeros_like(near.eta), near.eta, best.eta)
    ]
    return Found(problem, near, best, subject[order], row[order], problem.output_of_obs[order], *f)


def _where(choice: NDArray[np.bool_], a: Modes, b: Modes) -> Modes:
    """Modes of a where the choice is true, else of b."""
    return replace(
        b, eta=np.where(choice[:, None], a.eta, b.eta), objective=np.where(choice, a.objective, b.objective),
        information=np.where(choice[:, None, None], a.information, b.information),
        converged=np.where(choice, a.converged, b.converged),
    )  # fmt: skip


def individual_parameters(problem: Problem, eta: Floats) -> pd.DataFrame:
    """Definitions of the model that are free of states, at modes eta (n_subjects, n_random): a row a subject.

    With covariates (and occasion) of the subject's first record.
    """
    structure, batch = problem.structure, problem.batch
    known = static_names(structure)
    wanted = tuple(d for d in structure.definitions if d.name in known)
    static = replace(
        structure, name=f"{structure.name}_parameters", states=(State("nothing", "1", "a model needs a state"),),
        fluxes=(), definitions=wanted, observables=wanted, dose_targets=(), sensitivities=(),
    )  # fmt: skip
    x = problem.rows(problem.typical()[: problem.n_fixed], eta)
    first = [int(np.flatnonzero(problem.subject_of_run == i)[0]) for i in range(len(problem.subjects))]
    P = []
    for run in first:
        row = batch.P[batch.seg_0[run]].copy()
        row[problem.columns] = x[run]
        P.append(row)
    table = pd.DataFrame({"subject": list(problem.subjects)})
    if wanted:
        solved = simulate(static, pack_events(static, P, [[] for _ in P], [np.zeros(1)] * len(P)), engine="rosenbrock")
        for k, definition in enumerate(wanted):
            table[definition.name] = solved.values[:, k]
    return table
