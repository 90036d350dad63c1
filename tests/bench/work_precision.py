"""Work against precision of both engines on the 30-state problem: writes the picture for the documentation.

python tests/bench/work_precision.py docs/work_precision.png
"""

from __future__ import annotations

import statistics
import sys
import time
from itertools import pairwise

import matplotlib
import numpy as np
from bench_engines import error
from problems import PROBLEMS

from pharmtwin.engine.run import simulate

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PATIENTS, REPEATS = 16, 3
TOLERANCES = {
    "cvode": 10.0 ** -np.arange(3, 10, dtype=float),
    "rosenbrock": 10.0 ** -np.arange(3, 10, dtype=float),
}
LABELS = {"cvode": "CVODE (BDF, compiled driver)", "rosenbrock": "Rodas5P"}


def main() -> None:
    """Measure and draw."""
    problem = PROBLEMS["30 states"]
    model, batch = problem.model(), problem.batch(problem.patients(PATIENTS))
    shape = (PATIENTS, -1)
    reference = simulate(model, batch, engine="rosenbrock", rtol=1e-12).values[:, 0].reshape(shape)
    figure, axes = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
    for engine, marker in (("cvode", "s"), ("rosenbrock", "o")):
        errors, costs = [], []
        for rtol in TOLERANCES[engine]:
            taken = []
            for _ in range(REPEATS):
                start = time.process_time()
                values = simulate(model, batch, engine=engine, rtol=float(rtol)).values[:, 0].reshape(shape)
                taken.append((time.process_time() - start) / PATIENTS * 1000)
            errors.append(error(values, reference))
            costs.append(statistics.median(taken))
            print(f"{engine:10s} rtol {rtol:.0e}: error {errors[-1]:.1e}, {costs[-1]:.2f} ms a patient")
        axes.loglog(errors, costs, marker=marker, label=LABELS[engine])
        for rtol, x, y in zip(TOLERANCES[engine], errors, costs, strict=True):
            axes.annotate(f"{rtol:.0e}", (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7)
        if not all(a > b for a, b in pairwise(errors)):
            sys.exit(f"the error of {engine} does not fall with rtol: {errors}")
    axes.set_xlabel("worst relative error of the plasma concentration (above 1 % of its maximum)")
    axes.set_ylabel("CPU time (ms a patient, 7 days, 14 doses, 673 records)")
    axes.invert_xaxis()
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(title="labels: relative tolerance")
    figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "work_precision.png", dpi=130)


if __name__ == "__main__":
    main()
