"""Engines against libroadrunner (CVODE on just-in-time compiled SBML), interleaved in one process.

    python tests/bench/bench_engines.py [--patients 16] [--repeats 5] [--problem "30 states"]

The peer runs our own exported SBML (``exchange.sbml_export``), segment by segment between doses. Absolute
tolerances are the same for all: 1e-2 of the relative one on every state (1e-8 at 1e-6). Errors are the worst relative
errors over patients of every record above 1 % of its patient's maximum, against a solve at 1e-11.
All times are CPU seconds of this process. Needs the peers (``make peers``).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import roadrunner
from numpy.typing import NDArray
from problems import PROBLEMS, TAU, Problem

from pharmtwin.engine.native import llvm_text, object_code
from pharmtwin.engine.run import simulate, simulate_with_sensitivities
from pharmtwin.exchange.sbml_export import to_sbml
from pharmtwin.model.codegen import generate

Floats = NDArray[np.float64]
RTOL, ATOL = 1e-6, 1e-2


class Peer:
    """The problem in libroadrunner: patients are parameter vectors, doses are set between simulations."""

    def __init__(self, problem: Problem, observable: str) -> None:
        model = problem.model()
        self.problem = problem
        values = dict(zip(model.parameter_names, problem.patients(1)[0], strict=True))
        self.runner = roadrunner.RoadRunner(to_sbml(model, parameter_values=values))
        self.runner.integrator.relative_tolerance = RTOL
        self.runner.integrator.absolute_tolerance = ATOL * RTOL
        self.runner.integrator.maximum_num_steps = 100_000
        self.runner.integrator.stiff = True
        self.runner.timeCourseSelections = [observable]
        known = list(self.runner.model.getGlobalParameterIds())
        self.parameters = [known.index(n) for n in model.parameter_names]
        self.doses = [(d.time, model.state_names[model.dose_state(d.route)], d.amount) for d in problem.doses()]

    def run(self, patients: Floats) -> Floats:
        """Records of the observable, (n_patients, n_times)."""
        times = self.problem.times()
        per = round(TAU / (times[1] - times[0]))
        out = np.empty((len(patients), len(times)))
        r = self.runner
        for k, p in enumerate(patients):
            r.reset()
            r.model.setGlobalParameterValues(self.parameters, p.tolist())
            for i, start in enumerate(np.arange(0.0, times[-1], TAU)):
                for t, state, amount in self.doses:
                    if t == start:
                        r[state] = r[state] + amount
                got = np.asarray(r.simulate(start, start + TAU, per + 1))[:, 0]
                first = i * per + (0 if i == 0 else 1)
                out[k, first : (i + 1) * per + 1] = got[first - i * per :]
        return out


def error(values: Floats, reference: Floats) -> float:
    """Worst relative error of records above 1 % of the patient's maximum."""
    seen = reference > 0.01 * reference.max(axis=1, keepdims=True)
    return float(np.max(np.abs(values[seen] / reference[seen] - 1.0)))


def measure(problem: Problem, n: int, repeats: int) -> None:
    """Print rates, ratios to the peer and errors."""
    model = problem.model()
    patients = problem.patients(n)
    observable = model.observable_names[0]
    few, batch = patients[: max(2, n // 8)], problem.batch(patients)
    shape = (n, len(problem.times()))
    first = lambda r: r.values[:, 0].reshape(shape)  # noqa: E731
    reference = first(simulate(model, batch, engine="rosenbrock", rtol=1e-11))
    peer = Peer(problem, observable)

    def ours(engine: str, rtol: float) -> Callable[[], Floats]:
        atol = np.full(len(model.states), ATOL * rtol)
        return lambda: first(simulate(model, batch, engine=engine, rtol=rtol, atol=atol))

    contenders: dict[str, tuple[int, Callable[[], Floats]]] = {
        "libroadrunner 1e-6": (len(few), lambda: peer.run(few)),
        "cvode 1e-6": (n, ours("cvode", 1e-6)),
        "cvode 3e-7": (n, ours("cvode", 3e-7)),
        "rosenbrock 1e-6": (n, ours("rosenbrock", 1e-6)),
        "rosenbrock 1e-5": (n, ours("rosenbrock", 1e-5)),
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    errors: dict[str, float] = {}
    for name, (m, run) in contenders.items():  # first calls compile and load
        errors[name] = error(run(), reference[:m])
    for _ in range(repeats):
        for name, (m, run) in contenders.items():
            start = time.process_time()
            run()
            rates[name].append(m / (time.process_time() - start))
    print(f"{problem.name}: {len(model.states)} states, {len(problem.doses())} doses, {shape[1]} records")
    start = time.process_time()
    text = llvm_text(generate(problem.build()))
    generated = time.process_time() - start
    object_code(text)
    print(f"  code generation {generated:.2f} CPU s, machine code {time.process_time() - start - generated:.2f} CPU s")
    base = rates["libroadrunner 1e-6"]
    for name in contenders:
        ratio = statistics.median(a / b for a, b in zip(rates[name], base, strict=True))
        rate = statistics.median(rates[name])
        print(f"  {name:20s} {rate:8.1f} patients/s/core  {ratio:6.2f} x  error {errors[name]:.1e}")
    small = problem.batch(patients[: max(2, n // 4)])
    for rtol in (1e-4, 1e-6):
        taken = []
        for _ in range(repeats):
            start = time.process_time()
            simulate_with_sensitivities(model, small, rtol=rtol)
            taken.append(small.n / (time.process_time() - start))
        what = f"{len(model.sensitivities)} parameters, rtol {rtol:g}"
        print(f"  gradients, {what}: {statistics.median(taken):.1f}/s/core")


def cohort(problem: Problem, n: int) -> None:
    """Wall time and peak memory of n patients on two threads, after the code is loaded."""
    batch = problem.batch(problem.patients(n))
    for engine, rtol in (("cvode", 1e-6), ("rosenbrock", 1e-5)):
        simulate(problem.model(), problem.batch(problem.patients(2)), engine=engine)
        wall, cpu = time.perf_counter(), time.process_time()
        atol = np.full(len(problem.model().states), ATOL * rtol)
        solved = simulate(problem.model(), batch, engine=engine, rtol=rtol, atol=atol, threads=2)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        failed = int(np.count_nonzero(solved.flag))
        print(
            f"{problem.name}, {n} patients, {engine} {rtol:g}, 2 threads: wall {wall:.1f} s, CPU {cpu:.1f} s "
            f"(half {cpu / 2:.1f}), {failed} failed, peak {peak:.0f} MiB"
        )


JOB = """
import numpy as np
from pharmtwin.pbpk import stage
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.native import llvm_text, object_code
from pharmtwin.engine.run import Dose, pack, simulate
m = whole_body()
b = pack(m, [np.ones(len(m.parameters))], [[Dose(0.0, 20.0)]], [np.array([1.0, 24.0])])
for engine in ("cvode", "rosenbrock"):
    assert not simulate(m, b, engine=engine).flag.any()
"""


def start_up(repeats: int) -> None:
    """CPU seconds of a warm simulating job in a new process: imports, code from the cache, a solve by each engine."""
    taken = []
    for _ in range(repeats + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", JOB], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"start-up of a warm job: {statistics.median(taken[1:]):.2f} CPU s (median of {repeats})")


def main() -> None:
    """Measure the problems asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--problem", choices=list(PROBLEMS), action="append")
    parser.add_argument("--cohort", type=int, default=0, help="patients of the cohort run on two threads")
    args = parser.parse_args()
    start_up(args.repeats)
    for name in args.problem or PROBLEMS:
        if args.cohort:
            cohort(PROBLEMS[name], args.cohort)
        else:
            measure(PROBLEMS[name], args.patients, args.repeats)


if __name__ == "__main__":
    main()
