"""Cost of the exposures against the number of twins: exponent and picture.

    python tests/bench/bench_population.py [--sizes 100 1000 10000] [--draws 2] [--method emulator]
        [--svg docs/population_cost.svg]

Simulation stage alone (no files): synthetic people without genomes, the three drugs of the population study, batches of
500 twins as in the workflow. CPU seconds of this process, compiled code loaded before. The exponent is the slope of
the logarithm of the cost against that of the size; what does not grow with it (reading drug files) is part of the cost.
``--method emulator``: limits from the emulators, whose fit, once a study, is told apart.
``--runs FILE`` adds measured runs of the whole workflow: lines of size and CPU seconds.
"""

from __future__ import annotations

import argparse
import logging
import resource
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pharmtwin.body.people.cohort import cohort
from pharmtwin.body.physiology import body_of
from pharmtwin.exposures.design import emulators_of
from pharmtwin.exposures.emulator import Emulator, from_frame
from pharmtwin.exposures.people import people_of
from pharmtwin.exposures.stage import exposures_of
from pharmtwin.files import replace_atomically

DRUGS = ("paroxetine", "omeprazole_S", "rosuvastatin")
ANCESTRY = {"AFR": 0.2, "AMR": 0.15, "EAS": 0.15, "EUR": 0.35, "SAS": 0.15}
BATCH = 500


def settings(draws: int) -> dict[str, object]:
    """What the stage reads of a configuration."""
    regimens = [{"drug": d, "dose_mg": 20, "interval_h": 24, "n_doses": 7, "formulation": ""} for d in DRUGS]
    return {
        "master_seed": 1,
        "genome": {"activity_map": "power"},
        "pbpk": {"rtol": 1e-4, "crosscheck_fraction": 0.01, "crosscheck_rtol": 1e-3},
        "exposures": {"draws": draws, "regimens": regimens},
    }


def simulate(n: int, draws: int, emulators: Mapping[str, Emulator] | None = None) -> float:
    """CPU seconds of the exposures of n twins."""
    log = logging.getLogger("bench")
    nobody = pd.DataFrame({"twin_id": [], "gene": [], "diplotype": [], "probability": []})
    fixed = pd.DataFrame({c: [] for c in ("twin_id", "draw", "quantity", "value", "unit")})
    drawn = cohort(n, 1, ancestry=ANCESTRY).people
    spent = 0.0
    for first in range(0, n, BATCH):
        twins = drawn.iloc[first : first + BATCH]
        body = body_of(twins)
        who = dict(zip(twins["twin_id"].astype(str), twins["ancestry"].astype(str), strict=True))
        people = people_of(body.table(), fixed, body.priors(), who)
        start = time.process_time()
        exposures_of(people, nobody, settings(draws), f"bench/{first}", log, emulators)
        spent += time.process_time() - start
    return spent


def fitted() -> dict[str, Emulator]:
    """Emulators of the three regimens; says what they cost."""
    start = time.process_time()
    _, weights = emulators_of(settings(2), logging.getLogger("bench"))
    print(f"emulators: {time.process_time() - start:.1f} CPU s")
    return {str(regimen): from_frame(mine) for regimen, mine in weights.groupby("regimen")}


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Slope of log cost against log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def draw(curves: dict[str, tuple[list[int], list[float]]], path: Path) -> None:
    """The picture, without a clock in it."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams["svg.hashsalt"] = "population cost"
    figure, axes = plt.subplots(figsize=(6.0, 4.0))
    for name, (sizes, seconds) in curves.items():
        axes.loglog(sizes, seconds, marker="o", label=f"{name}: exponent {exponent(sizes, seconds):.2f}")
    axes.set_xlabel("twins (three drugs, one week)")
    axes.set_ylabel("CPU seconds")
    axes.grid(True, which="major", alpha=0.4)
    axes.legend()
    figure.tight_layout()
    replace_atomically(path, lambda p: figure.savefig(p, format="svg", metadata={"Date": None}))


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--runs", type=Path, help="lines of size and CPU seconds of runs of the whole workflow")
    parser.add_argument("--method", choices=("draws", "emulator"), default="draws")
    args = parser.parse_args()
    simulate(20, args.draws)
    emulators = fitted() if args.method == "emulator" else None
    seconds = []
    for n in args.sizes:
        seconds.append(simulate(n, args.draws, emulators))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        per = 1e3 * seconds[-1] / (n * args.draws * len(DRUGS))
        print(f"{n:>7,} twins x {args.draws} draws: {seconds[-1]:.1f} CPU s, {per:.2f} ms a run, peak {peak:.0f} MiB")
    curves = {f"simulation, {args.draws} draws": (args.sizes, seconds)}
    if args.runs:
        rows = [line.split() for line in args.runs.read_text(encoding="utf-8").splitlines() if line.strip()]
        curves["VCF to tables, 20 draws"] = ([int(r[0]) for r in rows], [float(r[1]) for r in rows])
    for name, (sizes, spent) in curves.items():
        print(f"{name}: exponent {exponent(sizes, spent):.3f} from {sizes[0]:,} to {sizes[-1]:,} twins")
    if args.svg:
        draw(curves, args.svg)


if __name__ == "__main__":
    main()
