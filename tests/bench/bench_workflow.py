"""Speed of planning: dry runs of studies of 10,000 and 100,000 twins, and the second run of a finished study.

    python tests/bench/bench_workflow.py

Writes into a temporary folder; prints wall and CPU seconds (medians of 3).
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RUNS = 3


def timed(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Wall seconds, CPU seconds of the children, and output of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout + done.stderr


def large_study(folder: Path, n: int, buckets: int = 100) -> Path:
    """A study of n synthetic twins: the demonstration rows repeated under new ids, with a sample each."""
    demo = REPOSITORY / "config/studies/demo"
    header, *rows = (demo / "twins.tsv").read_text(encoding="utf-8").splitlines()
    at, sample = (header.split("\t").index(c) for c in ("twin_id", "sample"))
    lines = [header]
    for k in range(n):
        cells = rows[k % len(rows)].split("\t")
        cells[at], cells[sample] = f"L{k:06d}", f"S{k:06d}"
        lines.append("\t".join(cells))
    (folder / "twins.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = folder / "large.yaml"
    config.write_text(
        f"study: large\nbuckets: {buckets}\npaths: {{twins: {folder}/twins.tsv, events: '', structure_calls: ''}}\n"
        "fit: {enabled: false}\n",
        encoding="utf-8",
    )
    return config


def main() -> None:
    """Measure and print."""
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2"]
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        for n, buckets in ((10_000, 100), (100_000, 200)):
            config = str(large_study(Path(name), n, buckets))
            dry = [timed([*snakemake, "-n", "-q", "all", "--configfile", config], REPOSITORY) for _ in range(RUNS)]
            wall, cpu = (statistics.median(r[k] for r in dry) for k in (0, 1))
            print(f"dry run, {n:,} twins in {buckets} buckets: wall {wall:.1f} s, CPU {cpu:.1f} s")
    if (REPOSITORY / "results/demo/manifest.json").exists():
        again = [timed(snakemake, REPOSITORY) for _ in range(RUNS)]
        said = all("Nothing to be done" in r[2] for r in again)
        wall = statistics.median(r[0] for r in again)
        print(f"second run of the demo: wall {wall:.1f} s, nothing to be done: {said}")


if __name__ == "__main__":
    main()
