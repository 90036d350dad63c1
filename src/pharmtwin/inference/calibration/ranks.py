"""Simulation-based calibration of the ladder: ranks of the truth among posterior draws (``criticism.sbc``)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.inference.calibration.cases import Case
from pharmtwin.inference.calibration.settings import settings
from pharmtwin.inference.calibration.synthetic import fitted, synthetic
from pharmtwin.inference.criticism.sbc import LOG_LIKELIHOOD, sbc_ranks, thin
from pharmtwin.inference.twin.ladder import LadderOptions
from pharmtwin.inference.twin.residuals import log_likelihood
from pharmtwin.inference.twin.target import TwinTarget

Floats = NDArray[np.float64]


def ranks(
    case: Case,
    n: int,
    master: int = 1,
    tell: Callable[[str], None] | None = None,
    options: LadderOptions | None = None,
) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Ranks (n,) of every effect, residual parameters that vary, the case's quantity and the log-likelihood.

    Returns them and the number of draws that they are ranks among. -1 where no rung of the ladder was trusted.
    """
    kept = int(settings("design")["ranked_draws"])
    draws: dict[str, list[Floats]] = {}
    truth: dict[str, list[float]] = {}
    for i in range(n):
        made = synthetic(case, master, f"sbc{i}")
        twin = fitted(made, master, options)[0]
        p = twin.posterior
        target = TwinTarget(twin.problem, twin.prior)
        log_lik = log_likelihood(target, p.f, p.sigma).sum(axis=1)
        found = {name: (p.v[:, k], made.v[k]) for k, name in enumerate(p.names)}
        spread = np.flatnonzero(np.ptp(twin.prior.sigma, axis=0) > 0)
        found |= {twin.problem.model.residuals[k].name: (p.sigma[:, k], made.sigma[k]) for k in spread.tolist()}
        found[case.quantity] = (case.value(made.person, p.v, p.case), made.value)
        found[LOG_LIKELIHOOD] = (log_lik, made.log_lik)
        for name, (values, true) in found.items():
            draws.setdefault(name, []).append(thin(values, kept) if p.trusted else np.full(kept, np.nan))
            truth.setdefault(name, []).append(true)
        if tell and (i + 1) % 20 == 0:
            tell(f"{case.name}: {i + 1} of {n}")
    rng = generator(master, "calibration.ties", case.name)
    return sbc_ranks({k: np.array(v) for k, v in draws.items()}, {k: np.array(v) for k, v in truth.items()}, rng), kept
