"""Model runs behind the sensitivity analysis: log AUCtau and log Cmax of the reference person."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.exposure import GRID_POINTS, Scenario, interval_metrics
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.crosscheck import crosscheck
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import pack, simulate
from pharmtwin.sensitivity.analysis import OUTPUTS
from pharmtwin.sensitivity.inputs import Input, parameter_matrix

Floats = NDArray[np.float64]
CHUNK = 2000
RTOL = 1e-5


class ModelRuns:
    """Callable ``log factors -> log outputs``; keeps the cross-checks that it made."""

    def __init__(
        self,
        reference: Floats,
        chosen: list[Input],
        scenario: Scenario,
        fraction: float,
        limit: float,
        rng: np.random.Generator,
    ) -> None:
        self.reference, self.chosen, self.scenario = reference, chosen, scenario
        self.fraction, self.limit, self.rng = fraction, limit, rng
        self.checks: list[pd.DataFrame] = []
        self.n_failed, self.n_chunks = 0, 0

    def __call__(self, log_factor: Floats) -> Floats:
        """(n, n_inputs) -> (n, 2); failed runs are NaN."""
        model = whole_body()
        start = self.scenario.last_start
        times = start + np.linspace(0.0, self.scenario.interval_h, GRID_POINTS)
        out = np.full((len(log_factor), len(OUTPUTS)), np.nan)
        for a in range(0, len(log_factor), CHUNK):
            P = parameter_matrix(self.reference, self.chosen, log_factor[a : a + CHUNK])
            batch = pack(model, P, [self.scenario.doses()] * len(P), [times] * len(P))
            solved = simulate(model, batch, engine="rosenbrock", rtol=RTOL)
            stage, labels = f"sensitivity/{self.n_chunks}", [f"run{a + k}" for k in range(len(P))]
            self.n_chunks += 1
            for k in np.flatnonzero(solved.flag == 0):
                metrics = interval_metrics(self.scenario, times, solved.of(int(k)))
                out[a + k] = [np.log(metrics[o]) for o in OUTPUTS]
            failed = note_failures(model, batch, solved, labels, stage)
            self.n_failed += len(failed)
            # a few runs a chunk: the solvers' agreement is a property of the model, not of the draw
            fraction = min(self.fraction, 3.0 / len(P))
            self.checks += [failed] if len(failed) else []
            self.checks.append(
                crosscheck(
                    model,
                    batch,
                    solved,
                    labels,
                    stage=stage,
                    fraction=fraction,
                    limit=self.limit,
                    rng=self.rng,
                )
            )
        return out
