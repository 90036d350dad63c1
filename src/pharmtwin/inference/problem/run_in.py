"""How many doses lead to a steady state: as many as it takes, with a margin for subjects slower than the typical one.

A steady state that is set as numbers would hide its dependence on the parameters from the derivatives, so the doses
that lead to it are given, all of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import Dose as Single
from pharmtwin.engine.run import pack, simulate
from pharmtwin.engine.structure import accounts
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.records import Dose, Subject
from pharmtwin.model.description import Model

Floats = NDArray[np.float64]
#: the state before a dose changes by less than this share from one dose to the next
STEADY = 1e-7
#: times as many doses as the typical subject needs
MARGIN = 3
MOST = 3000


def run_in_doses(
    model: PopulationModel, structure: Model, base: Floats, subject: Subject, covariates: Floats, columns: list[int],
    rtol: float,
) -> int:  # fmt: skip
    """Doses before a steady-state row of the subject (0 without such rows); the largest number over its rows.

    Raises ValueError where the typical subject is not steady after :data:`MOST` doses.
    """
    steady = [d for d in subject.doses if d.ss]
    return max((_needed(structure, base, d, covariates[d.row], columns, rtol) for d in steady), default=0)


def _needed(structure: Model, base: Floats, dose: Dose, covariates: Floats, columns: list[int], rtol: float) -> int:
    plain = replace(structure, sensitivities=())
    row = base.copy()
    row[columns] = covariates
    target = replace(plain, dose_targets=((*plain.dose_targets, ("run_in", plain.state_names[dose.state]))))
    duration = dose.amount / dose.rate if dose.rate > 0 else 0.0
    moving = [k for k, n in enumerate(plain.state_names) if n not in accounts(plain)]  # areas grow for ever
    number = 8
    while number <= MOST:
        times = [k * dose.ii for k in range(number + 1)]
        doses = [Single(t, dose.amount, "run_in", duration) for t in times]
        ends = [np.array([times[-2]]), np.array([times[-1]])]
        solved = simulate(
            target, pack(target, [row, row], [doses[:-2], doses[:-1]], ends), engine="rosenbrock", rtol=rtol
        )
        a, b = solved.final_state[:, moving]
        scale = np.maximum(np.abs(b), 1e-9 * max(dose.amount, 1e-12))
        if not solved.flag.any() and np.max(np.abs(a - b) / scale) < max(STEADY, 10 * rtol):
            return MARGIN * number
        number *= 2
    raise ValueError(f"a dose every {dose.ii:g} h leads to no steady state within {MOST} doses of the typical subject")
