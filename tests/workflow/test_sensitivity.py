"""The sensitivity analysis as jobs over shards: any number of them gives the same bytes, and so does a killed run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.workflow.conftest import Project

OUT = "results/small/sensitivity"
TARGET = f"{OUT}/sobol.tsv"
SETTINGS = "morris_trajectories: 4, morris_candidates: 4, sobol_base: 16, max_base: 32, target_half_width: 0.01"


def shard(project: Project, n: int, settings: str = SETTINGS) -> None:
    """Set the number of shards."""
    config = project.folder / "config/small.yaml"
    text = config.read_text(encoding="utf-8")
    begin = text.index("sensitivity:")
    config.write_text(f"{text[:begin]}sensitivity: {{{settings}, shards: {n}}}\n", encoding="utf-8")


def tables(project: Project) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((project.folder / OUT).glob("*.tsv"))}


def test_shards_and_a_kill_change_no_byte(fresh: Callable[[], Project], tmp_path: Path) -> None:
    """1, 2 and 7 shards; then 7 shards killed when some of the Sobol runs are done, and resumed."""
    project = fresh()
    found = {}
    for n in (1, 2, 7):
        shard(project, n)
        project.snakemake("--", TARGET)
        found[n] = tables(project)
        shards = {p.name for p in (project.folder / OUT / "shards").iterdir()}
        assert {f"sobol_1_{s}_of_{n}.npz" for s in range(n)} <= shards
        shutil.rmtree(project.folder / OUT)
    assert len(found[1]) == 9 and found[1] == found[2] == found[7]

    running = subprocess.Popen(
        project.command("--", TARGET), cwd=project.folder, env=project.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        limit = time.monotonic() + 600
        while len(list((project.folder / OUT).glob("shards/sobol_0_*.npz"))) < 3:
            assert running.poll() is None and time.monotonic() < limit, "the run ended before it could be killed"
            time.sleep(0.1)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert not (project.folder / TARGET).exists()
    kept = {p: p.stat().st_mtime_ns for p in (project.folder / OUT / "shards").glob("sobol_0_*.npz")}
    project.snakemake("--unlock")
    project.snakemake("--rerun-incomplete", "--", TARGET)
    assert tables(project) == found[1]
    assert sum(p.stat().st_mtime_ns == t for p, t in kept.items()) >= 2  # at most the one being written is done again


def test_a_larger_budget_solves_only_what_is_new(fresh: Callable[[], Project]) -> None:
    project = fresh()
    shard(project, 2, SETTINGS.replace("max_base: 32", "max_base: 16"))
    project.snakemake("--", TARGET)
    before = tables(project)
    shard(project, 2)
    text = project.snakemake("-n", "--", TARGET).stdout
    assert text.count("rule sensitivity_sobol:") == 2 and "rule sensitivity_morris:" not in text
    project.snakemake("--", TARGET)
    assert tables(project)["morris.tsv"] == before["morris.tsv"] and tables(project)["sobol.tsv"] != before["sobol.tsv"]
