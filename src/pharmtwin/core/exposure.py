"""Exposure metrics of the last dosing interval, and their summaries over draws.

AUCtau comes from the integrated state, not from a trapezoid; Cmax and tmax are read on a fixed grid of
the interval (``GRID_POINTS`` points), Ctrough at its end, before the next dose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.metrics import METRICS
from pharmtwin.engine.run import Dose, Trajectories
from pharmtwin.tables import records

Floats = NDArray[np.float64]
NG_ML = 1000.0  # ng/mL in one mg/L
GRID_POINTS = 97
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True)
class Scenario:
    """One row of scenarios.tsv: n_doses of dose_mg every interval_h, by one route."""

    name: str
    dose_mg: float
    interval_h: float
    n_doses: int
    route: str

    def doses(self) -> tuple[Dose, ...]:
        """The regimen."""
        return tuple(Dose(k * self.interval_h, self.dose_mg, self.route) for k in range(self.n_doses))

    @property
    def last_start(self) -> float:
        """Start of the last dosing interval (h)."""
        return (self.n_doses - 1) * self.interval_h

    def times(self) -> Floats:
        """Output times (h): hourly in the first interval, the fine grid in the last, troughs between."""
        first = np.linspace(0.0, self.interval_h, 25)
        troughs = np.arange(1, self.n_doses) * self.interval_h
        last = self.last_start + np.linspace(0.0, self.interval_h, GRID_POINTS)
        return np.unique(np.concatenate([first, troughs, last]))


def scenarios_of(frame: pd.DataFrame) -> list[Scenario]:
    """Scenarios of the canonical table."""
    return [
        Scenario(str(r.scenario), float(r.dose_mg), float(r.interval_h), int(r.n_doses), str(r.route))
        for r in records(frame)
    ]


def interval_metrics(scenario: Scenario, times: Floats, values: Floats) -> dict[str, float]:
    """Metrics of one run. ``values`` (n_t, n_observables): C_plasma (mg/L) first, AUC (mg h/L) second."""
    mine = times >= scenario.last_start - 1e-9
    t, c, auc = times[mine], values[mine, 0] * NG_ML, values[mine, 1] * NG_ML
    top = int(np.argmax(c))
    return {
        "AUCtau": float(auc[-1] - auc[0]),
        "Cmax": float(c[top]),
        "Ctrough": float(c[-1]),
        "tmax": float(t[top] - scenario.last_start),
    }


def summarise(
    twin_id: str, scenario: Scenario, model: str, times: Floats, solved: Trajectories
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Rows of tables ``exposure`` and ``profiles`` from one twin's draws; failed draws are counted, not filled.

    Where every draw failed, the rows of ``exposure`` have ``n_draws`` 0 and no figures (NaN), and there are no
    rows of ``profiles``.
    """
    good = [k for k in range(len(solved.flag)) if solved.flag[k] == 0]
    n_failed = len(solved.flag) - len(good)
    metrics = pd.DataFrame([interval_metrics(scenario, times, solved.of(k)) for k in good], columns=list(METRICS))
    head = {"twin_id": twin_id, "scenario": scenario.name, "model": model}
    exposure = [
        {
            **head, "metric": m, "unit": unit, "median": metrics[m].median(), "lo90": metrics[m].quantile(0.05),
            "hi90": metrics[m].quantile(0.95), "n_draws": len(good), "n_failed": n_failed,
        }
        for m, unit in METRICS.items()
    ]  # fmt: skip
    if not good:
        return exposure, []
    curves = np.array([solved.of(k)[:, 0] for k in good]) * NG_ML
    bands = np.quantile(curves, list(QUANTILES.values()), axis=0)
    profiles = [
        {**head, "time_h": float(t), **{q: float(bands[i, j]) for i, q in enumerate(QUANTILES)}}
        for j, t in enumerate(times)
    ]
    return exposure, profiles


def log_quantiles(samples: Sequence[float] | Floats) -> tuple[float, float, float]:
    """Median and 90 % interval of samples: (median, lo90, hi90)."""
    lo, mid, hi = np.quantile(np.asarray(samples), [0.05, 0.5, 0.95])
    return float(mid), float(lo), float(hi)
