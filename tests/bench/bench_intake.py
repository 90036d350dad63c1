"""Time of ``pharmtwin check`` on 10,000 rows: a data set alone, and a study of 1,000 twins.

    python tests/bench/bench_intake.py [--rows 10000] [--repeats 3]

Each repeat is a new process, start and imports included. Wall time and CPU seconds of the process; on a busy machine
the CPU seconds say more.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLES = 9


def data_set(rows: int) -> str:
    """NM-TRAN rows: one dose and nine samples a person, with covariates."""
    lines = ["ID,TIME,AMT [mg],RATE [mg/h],II,ADDL,SS,EVID,CMT,DV [ng/mL],MDV,WT,AGE,SEX"]
    for i in range(rows // (SAMPLES + 1)):
        person = f"{random.gauss(75, 10):.1f},{random.randint(20, 70)},{random.choice('MF')}"
        lines.append(f"{i},0,100,0,0,0,0,1,1,.,1,{person}")
        for k in range(SAMPLES):
            t = 2.5 * (k + 1)
            value = 1000 * math.exp(-0.1 * t) * random.lognormvariate(0, 0.2)
            lines.append(f"{i},{t},.,.,.,.,.,0,2,{value:.4g},0,{person}")
    return "\n".join(lines) + "\n"


def study(folder: Path, rows: int) -> None:
    """A study without VCFs: sheets of twins, events and one scenario."""
    twins = ["twin_id\tvcf\tsample\tancestry\tsex\tage_y\tweight_kg\theight_cm\tcreatinine_mg_dl\tlabel"]
    events = ["twin_id\ttime_h\tevid\tdrug\tdose_mg\troute\tii_h\taddl\tdv_ng_ml\tlloq_ng_ml\tuse"]
    for i in range(rows // (SAMPLES + 1)):
        sex = random.choice("MF")
        height = random.gauss(176 if sex == "M" else 163, 6)
        weight = (height / 100) ** 2 * random.gauss(25, 2.5)
        creatinine = random.gauss(0.95 if sex == "M" else 0.75, 0.1)
        twins.append(
            f"T{i}\t\t\tEUR\t{sex}\t{random.randint(20, 70)}\t{weight:.1f}\t{height:.1f}\t{creatinine:.2f}\tsynthetic"
        )
        events.append(f"T{i}\t0\t1\tparoxetine\t20\toral\t24\t6\t\t\t")
        for k in range(SAMPLES):
            use = "fit" if k < 7 else "test"
            events.append(
                f"T{i}\t{1.5 + 20 * k}\t0\tparoxetine\t\t\t\t\t{random.lognormvariate(1.5, 0.3):.3f}\t0.1\t{use}"
            )
    (folder / "twins.tsv").write_text("\n".join(twins) + "\n")
    (folder / "events.tsv").write_text("\n".join(events) + "\n")
    (folder / "scenarios.tsv").write_text(
        "scenario\tdrug\tdose_mg\tinterval_h\tn_doses\troute\tlabel\nqd\tparoxetine\t20\t24\t21\toral\tdaily\n"
    )
    (folder / "study.yaml").write_text(
        "study: bench\npaths: {twins: twins.tsv, events: events.tsv, scenarios: scenarios.tsv, structure_calls: '', "
        "vcf_dir: '.', published: ''}\nsensitivity: {scenario: qd}\n"
    )


def measure(*words: str) -> tuple[float, float]:
    """Wall and CPU seconds of one check; it must find no error."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "pharmtwin.cli", "check", *words]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    random.seed(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "data" / "data.csv").write_text(data_set(arguments.rows))
        (folder / "study").mkdir()
        study(folder / "study", arguments.rows)
        for what in ("data/data.csv", "study"):
            times = [measure(str(folder / what)) for _ in range(arguments.repeats)]
            wall, cpu = min(t[0] for t in times), min(t[1] for t in times)
            print(f"{what}: {arguments.rows} rows, best of {arguments.repeats}: {wall:.2f} s wall, {cpu:.2f} s CPU")


if __name__ == "__main__":
    main()
