"""Cost of the sensitivity analysis on the shipped paroxetine study, and SALib's own loop over scikit-sundae beside it.

    python tests/bench/bench_sensitivity.py [--runs 1000000] [--slice 40]

The study: the reference man of config/config.yaml under 20 mg once daily for three weeks, every input that is declared,
Morris and then Sobol at N = 4,096 whatever the intervals. ``--runs`` measures so many Sobol runs instead. The peer is
``SALib.ProblemSpec.evaluate`` over a function that solves one row after the other with ``sksundae.cvode.CVODE``: the
public API, with our compiled right-hand side and Jacobian as callbacks, a restart at every dose, the same relative
tolerance, the same assembly of parameters; both sides do the same rows and return the same outputs. CPU seconds of this
process and its largest memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from SALib import ProblemSpec

from pharmtwin.body.physiology import body_of, reference_twins
from pharmtwin.core.exposure import Scenario
from pharmtwin.engine.run import simulate
from pharmtwin.genome.stage import population_priors
from pharmtwin.intake.config import load_config
from pharmtwin.sensitivity.design import sobol_blocks
from pharmtwin.sensitivity.results import tables
from pharmtwin.sensitivity.runs import observed, solve_blocks
from pharmtwin.sensitivity.shards import join
from pharmtwin.sensitivity.stage import person_of, study_subject
from pharmtwin.sensitivity.study import (
    Reduced,
    Settings,
    estimate,
    screening,
    solve_morris,
    solve_sobol,
    survivors_of,
)
from pharmtwin.sensitivity.subject import Subject

Floats = NDArray[np.float64]
PART = 1024  # blocks that one shard of the large run holds


def study() -> tuple[Subject, Settings]:
    """Subject and settings of the shipped study, N = 4,096 in one level after the other whatever the intervals."""
    config, _, _ = load_config([])
    assert config is not None
    config["sensitivity"] |= {"max_base": 4096, "target_half_width": 1e-9}
    twins = reference_twins()
    priors = population_priors(list(twins.twin_id), config["genome"]["activity_map"])
    body = body_of(twins)
    table = pd.concat([priors, body.priors()], ignore_index=True)
    person = person_of("population_M", "M", 35.0, body.table(), table)
    sheet = pd.read_csv(Path(str(config["paths"]["scenarios"])), sep="\t")
    row = sheet[sheet["scenario"] == config["sensitivity"]["scenario"]].iloc[0]
    scenario = Scenario(str(row.scenario), float(row.dose_mg), float(row.interval_h), int(row.n_doses), str(row.route))
    return study_subject(config, person, scenario, 1.0)


def megabytes() -> float:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def whole(subject: Subject, settings: Settings) -> list[str]:
    """Morris, Sobol and all tables; the survivors."""
    simulate(subject.model, subject.batch(np.full((1, len(subject.inputs)), 0.5)), engine="rosenbrock")  # compiles
    start = time.process_time()
    screened = solve_morris(subject, settings)
    morris = screening(subject, settings, [screened])
    survivors = survivors_of(morris)
    done = time.process_time()
    runs = int(np.prod(screened.values.shape[:2]))
    print(f"{len(subject.inputs) - 1} inputs in {morris.input.nunique() - 1} units screened by {runs} runs: "
          f"{done - start:.1f} CPU s; {len(survivors)} units survive")  # fmt: skip
    parts = [solve_sobol(subject, settings, survivors, level) for level in range(len(settings.sizes))]
    solved = time.process_time()
    found = tables(subject, settings, morris, [screened], parts)
    end = time.process_time()
    n = int(found["sobol"].n_runs.iloc[0])
    each = 1e3 * (solved - done) / n
    print(f"Sobol at N = {settings.sizes[-1]}, {n} runs: {solved - done:.1f} CPU s ({each:.2f} ms a run), "
          f"indices and tables {end - solved:.1f} CPU s")  # fmt: skip
    print(f"all: {end - start:.1f} CPU s, {(end - start) / 120:.2f} minutes on 2 cores; {megabytes():.0f} MB at most")
    return survivors


def many(subject: Subject, settings: Settings, survivors: list[str], runs: int) -> None:
    """So many Sobol runs, and their indices."""
    reduced = Reduced.of(subject, survivors)
    width = reduced.units.n + 2
    blocks = -(-runs // width)
    start, parts = time.process_time(), []
    for first in range(0, blocks, PART):
        last = min(first + PART, blocks)
        points = sobol_blocks(
            first, last, reduced.inputs, second=False, panel=settings.panel, master=settings.solver.seed
        )
        parts.append(solve_blocks(subject, reduced.points(points), first, "sobol", settings.solver))
    solved = time.process_time() - start
    found = estimate(subject, settings, survivors, join(parts).values)
    total = time.process_time() - start
    minutes = total / 120.0
    print(
        f"{blocks * width} runs: {solved:.0f} CPU s, with indices {total:.0f} CPU s, {minutes:.1f} minutes on 2 cores"
    )
    print(f"half of the widest interval {found.half_width:.4f}; {megabytes():.0f} MB at most")


def peer(subject: Subject, settings: Settings, survivors: list[str], rows: int) -> None:
    """SALib's loop over scikit-sundae and ours, on the same rows."""
    reduced = Reduced.of(subject, survivors)
    d = len(reduced.inputs)
    problem = ProblemSpec({"names": [i.name for i in reduced.inputs], "num_vars": d, "bounds": [[0.0, 1.0]] * d,
                           "outputs": [o.name for o in subject.outputs]})  # fmt: skip
    problem.sample_sobol(4, calc_second_order=False, seed=1)
    samples = np.asarray(problem.samples)[:rows]
    problem.set_samples(samples)

    def one_after_the_other(X: Floats) -> Floats:
        found = []
        for x in X:
            batch = subject.batch(reduced.points(x[None, :]))
            solved = simulate(subject.model, batch, engine="cvode_public", rtol=settings.solver.rtol)
            found.append(observed(subject, solved)[0, : len(subject.outputs)])
        return np.array(found)

    one_after_the_other(samples[:1])
    start = time.process_time()
    problem.evaluate(one_after_the_other)
    theirs = (time.process_time() - start) / len(samples)
    again = np.tile(samples, (10, 1))
    start = time.process_time()
    solved = solve_blocks(subject, reduced.points(again[:, None, :]), 0, "bench", settings.solver)
    ours = (time.process_time() - start) / len(again)
    difference = np.abs(solved.values[: len(samples), 0, : len(subject.outputs)] - problem.results).max()
    each, mine = 1e3 * theirs, 1e3 * ours
    print(f"{len(samples)} rows: SALib's evaluation loop over scikit-sundae {each:.1f} ms a run, here {mine:.2f} ms")
    print(f"{theirs / ours:.0f} times as fast; outputs differ by at most {difference:.1e}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=0, help="measure so many Sobol runs too")
    parser.add_argument("--slice", type=int, default=40, help="rows that the peer does")
    arguments = parser.parse_args()
    subject, settings = study()
    survivors = whole(subject, settings)
    peer(subject, settings, survivors, arguments.slice)
    if arguments.runs:
        many(subject, settings, survivors, arguments.runs)


if __name__ == "__main__":
    main()
