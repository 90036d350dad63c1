"""Log-likelihood of a PEtab problem from a table of simulations: independent of how the simulations were made."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pharmtwin.exchange.evaluate import ExchangeError
from pharmtwin.exchange.petab import PetabProblem


def log_likelihood_of_table(problem: PetabProblem, table: pd.DataFrame) -> float:
    """Log-likelihood of the measurements, given columns ``simulation`` and ``noise`` of the same rows (see
    ``exchange.petab.simulate_problem``).

    Densities are those of the measurement itself: for log and log10 observables the Jacobian of the logarithm is in it
    (PEtab 1, doi 10.1371/journal.pcbi.1008646, S1 text). Raises ExchangeError for noise that is not normal.
    """
    spec = problem.observables.reindex(table["observableId"])
    kinds = _column(spec, "observableTransformation", "lin")
    if set(_column(spec, "noiseDistribution", "normal")) - {"normal"}:
        raise ExchangeError(f"{problem.name}: noise that is not normal")
    y = problem.measurements["measurement"].astype(float).to_numpy()
    f, sd = table["simulation"].to_numpy(dtype=float), table["noise"].to_numpy(dtype=float)
    total = np.zeros(len(y))
    for kind in ("lin", "log", "log10"):
        mine = kinds == kind
        a, b, jacobian = y[mine], f[mine], np.zeros(int(mine.sum()))
        if kind != "lin":
            base = 1.0 if kind == "log" else np.log(10.0)
            jacobian = np.log(base * a)
            a, b = np.log(a) / base, np.log(b) / base
        total[mine] = -0.5 * np.log(2.0 * np.pi) - np.log(sd[mine]) - 0.5 * ((a - b) / sd[mine]) ** 2 - jacobian
    return float(total.sum())


def _column(spec: pd.DataFrame, name: str, default: str) -> np.ndarray:
    if name not in spec:
        return np.full(len(spec), default)
    return np.array([str(v).strip() or default for v in spec[name]])
