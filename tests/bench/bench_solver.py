"""Patients per CPU-second on the whole-body model: Rodas5P, CVODE and, as named peer, scipy's LSODA.

Run by hand: ``python tests/bench/bench_solver.py [patients] [rounds]``, or ``make bench``. All solvers do the same
work in the same process, in turns: 7 daily oral doses, 7 days, hourly records, saturation and inactivation on,
restart at every dose, compiled right-hand side. LSODA is called through ``scipy.integrate.odeint`` with a numba
right-hand side and, in a second row, the analytic Jacobian too. Speed at a tolerance says little, so every row
shows the error it reached against CVODE at rtol 1e-11 (largest relative error above 1 % of the maximum).
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numba import njit
from numpy.typing import NDArray

from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.engine.compiled import compiled
from pharmtwin.engine.kernel_calls import JACOBIAN, OBSERVE, PREPARE, RHS, at, call2, call3
from pharmtwin.engine.run import Dose, absolute_tolerance, pack, simulate, simulate_with_sensitivities

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from conftest import DRUG_AND_ENZYME, FLOWS, KP, VOLUMES

Floats = NDArray[np.float64]
RTOL = 1e-6
DOSES = [Dose(24.0 * k, 20.0) for k in range(7)]
TIMES = np.arange(0.0, 169.0)
SPREAD = 0.3  # sd of the logarithm of the individual parameters


def patients(n: int) -> Floats:
    """Parameter vectors of ``n`` virtual patients."""
    values = {f"V_{k}": v for k, v in VOLUMES.items()} | {f"Q_{k}": v for k, v in FLOWS.items()}
    values |= {f"Kp_{k}": v for k, v in KP.items()} | DRUG_AND_ENZYME | {"Q_lung": sum(FLOWS.values())}
    names = whole_body().parameter_names
    P = np.tile([values[k] for k in names], (n, 1))
    columns = [names.index(k) for k in INDIVIDUAL]
    P[:, columns] *= np.exp(SPREAD * np.random.default_rng(1).standard_normal((n, len(columns))))
    return P


def lsoda(with_jacobian: bool) -> Callable[[Floats, float], Floats]:
    """A solver of all patients by ``scipy.integrate.odeint`` with compiled callbacks."""
    from scipy.integrate import odeint

    code = compiled(whole_body())
    g, table = code.generated, code.table
    rows = np.array([i for i, _ in g.lu.slot])
    columns = np.array([j for _, j in g.lu.slot])
    n, n_lu, slots = g.n, g.n_lu, np.array(list(g.lu.slot.values()))

    @njit(error_model="numpy")
    def f(y: Any, t: float, q: Any) -> Any:
        dy = np.empty(n)
        call3(table, RHS, at(y, 0), at(q, 0), at(dy, 0))
        return dy

    @njit(error_model="numpy")
    def df(y: Any, t: float, q: Any) -> Any:
        in_slots, J = np.empty(n_lu), np.zeros((n, n))
        call3(table, JACOBIAN, at(y, 0), at(q, 0), at(in_slots, 0))
        for k in range(n_lu):
            J[rows[k], columns[k]] = in_slots[slots[k]]
        return J

    @njit(error_model="numpy")
    def prepare(p: Any, q: Any) -> None:
        call2(table, PREPARE, at(p, 0), at(q, 0))

    @njit(error_model="numpy")
    def observe(y: Any, q: Any, o: Any) -> None:
        call3(table, OBSERVE, at(y, 0), at(q, 0), at(o, 0))

    initial = np.array([s.initial for s in whole_body().states])
    gut = whole_body().dose_state("oral")

    def solve(P: Floats, rtol: float) -> Floats:
        out = np.empty((len(P), len(TIMES), g.n_o))
        q, atol = np.empty(g.n_q), absolute_tolerance(whole_body(), rtol)
        for k, p in enumerate(P):
            prepare(p, q)
            y = initial.copy()
            observe(y, q, out[k, 0])
            for d, dose in enumerate(DOSES):
                y[gut] += dose.amount
                end = DOSES[d + 1].time if d + 1 < len(DOSES) else TIMES[-1]
                at = np.flatnonzero((dose.time < TIMES) & (end >= TIMES))
                grid = np.concatenate([[dose.time], TIMES[at]])
                jac = df if with_jacobian else None
                path = odeint(f, y, grid, args=(q,), Dfun=jac, rtol=rtol, atol=atol, mxstep=100_000)
                for i, row in zip(at, path[1:]):
                    observe(np.ascontiguousarray(row), q, out[k, i])
                y = path[-1].copy()
        return out

    return solve


def ours(engine: str) -> Callable[[Floats, float], Floats]:
    """A solver of all patients by one of the engines (``tangents``: Rodas5P with sensitivities)."""
    model = whole_body()

    def solve(P: Floats, rtol: float) -> Floats:
        batch = pack(model, P, [DOSES] * len(P), [TIMES] * len(P))
        if engine == "tangents":
            solved = simulate_with_sensitivities(model, batch, rtol=rtol)
        else:
            solved = simulate(model, batch, engine=engine, rtol=rtol)
        if solved.flag.any():
            raise RuntimeError(f"{engine}: {int((solved.flag != 0).sum())} runs failed")
        return solved.values.reshape(len(P), len(TIMES), -1)

    return solve


def error(got: Floats, exact: Floats) -> float:
    """Largest relative error of the plasma concentration above 1 % of each patient's maximum."""
    a, b = got[:, :, 0], exact[:, :, 0]
    return float(np.max(np.abs(a - b) / np.maximum(b, 0.01 * b.max(axis=1, keepdims=True))))


def main(n: int = 40, rounds: int = 5) -> None:
    """Print medians of patients per CPU-second, errors reached and ratios to LSODA."""
    solvers = {
        "Rodas5P": ours("rosenbrock"),
        "Rodas5P + 4 tangents": ours("tangents"),
        "CVODE": ours("cvode"),
        "LSODA (scipy odeint, numba rhs)": lsoda(False),
        "LSODA (the same + Jacobian)": lsoda(True),
    }
    P = patients(n)
    exact = ours("cvode")(P, 1e-11)
    errors = {name: error(solve(P, RTOL), exact) for name, solve in solvers.items()}  # and warms up
    speed: dict[str, list[float]] = {name: [] for name in solvers}
    for _ in range(rounds):
        for name, solve in solvers.items():
            start = time.process_time()
            solve(P, RTOL)
            speed[name].append(n / (time.process_time() - start))
    median = {name: statistics.median(v) for name, v in speed.items()}
    peer = max(v for name, v in median.items() if name.startswith("LSODA"))
    print(f"{len(whole_body().states)} states, {n} patients, {len(DOSES)} doses, {len(TIMES)} records, rtol {RTOL:g}")
    print(f"python {platform.python_version()}, scipy {scipy.__version__}; median (least to most) of {rounds} rounds\n")
    print(f"{'solver':34}{'patients/CPU-s':>22}{'error reached':>16}{'x best LSODA':>14}")
    for name, v in median.items():
        span = f"{v:.0f} ({min(speed[name]):.0f}-{max(speed[name]):.0f})"
        print(f"{name:34}{span:>22}{errors[name]:>16.1e}{v / peer:>14.1f}")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:3]))
