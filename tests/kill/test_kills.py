"""Runs killed at random moments: after the documented recovery the bytes are those of an undisturbed run.

``make kill-tests``. The moments are drawn from the seed below, anew for each test, over the time that an undisturbed
run takes here. What is left after a kill must not look whole: every table below its final name can be read.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pharmtwin.tables import read_table
from pharmtwin.workflow.attempts import read_attempts, unhappy
from tests.kill.conftest import Undisturbed
from tests.kill.study import RESULTS, KillProject, kill_group

SEED = 20261122
Fresh = Callable[[], KillProject]
NAMES = {"priors": "priors", "body": "body", "genotype": "genotype", "calls": "calls"}


def moment(test: str, undisturbed: Undisturbed) -> float:
    """Seconds after the start, between the start of the first jobs and the end."""
    return random.Random(f"{SEED} {test}").uniform(0.1, 0.95) * undisturbed.seconds


def nothing_half_written_looks_whole(project: KillProject) -> None:
    """Every parquet file below its own name can be read, and known tables keep their schema."""
    for path in (project.folder / RESULTS).rglob("*.parquet"):
        if path.name.startswith("."):
            continue
        if path.parent.name == "twins" and path.parent.parent.name == "exposures":
            read_table("exposures", path)
        elif path.stem in NAMES:
            read_table(NAMES[path.stem], path)
        else:
            pd.read_parquet(path)


@pytest.mark.kill
@pytest.mark.parametrize("k", range(5))
def test_main_process_and_jobs_killed(k: int, undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    project = fresh_population()
    running = project.begin()
    time.sleep(moment(f"group {k}", undisturbed))
    kill_group(running)
    project.wait_for_no_job()
    nothing_half_written_looks_whole(project)
    project.recover()
    assert project.hashes() == undisturbed.hashes


@pytest.mark.kill
@pytest.mark.parametrize("k", range(4))
def test_main_process_alone_killed(k: int, undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    project = fresh_population()
    running = project.begin()
    time.sleep(moment(f"main {k}", undisturbed))
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    project.wait_for_no_job()
    nothing_half_written_looks_whole(project)
    project.recover()
    assert project.hashes() == undisturbed.hashes


def kill_a_job(project: KillProject, after: float, limit: float) -> int:
    """kill -9 of a job that is alive at a moment or, if there is none, the next one; its process."""
    time.sleep(after)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if jobs := project.jobs():
            victim = random.Random(f"{SEED} {after}").choice(jobs)
            os.kill(victim, signal.SIGKILL)
            return victim
        time.sleep(0.05)
    raise AssertionError("no job was alive")


@pytest.mark.kill
@pytest.mark.parametrize("k", range(4))
def test_a_job_killed_and_tried_again(k: int, undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    project = fresh_population()
    running = project.begin("--retries", "2")
    victim = kill_a_job(project, 0.7 * moment(f"retry {k}", undisturbed), undisturbed.seconds)
    said = running.communicate(timeout=30 * undisturbed.seconds + 300)[0]
    assert running.returncode == 0, said[-4000:]
    assert project.hashes() == undisturbed.hashes
    lost = unhappy(read_attempts(project.folder / RESULTS))
    logs = [log.read_text(encoding="utf-8") for _, outcome, log in lost if outcome == "killed"]
    # a job killed before it opened its log leaves none
    assert not lost or any(f"process {victim} " in text for text in logs), (victim, lost)


@pytest.mark.kill
@pytest.mark.parametrize("k", range(2))
def test_a_job_killed_without_retries(k: int, undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    project = fresh_population()
    running = project.begin("--keep-going")
    kill_a_job(project, 0.7 * moment(f"job {k}", undisturbed), undisturbed.seconds)
    running.communicate(timeout=30 * undisturbed.seconds + 300)
    assert running.returncode != 0
    nothing_half_written_looks_whole(project)
    project.snakemake()
    assert project.hashes() == undisturbed.hashes


@pytest.mark.kill
def test_a_second_run_beside_the_first_is_refused(undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    project = fresh_population()
    first = project.begin()
    end = time.monotonic() + undisturbed.seconds
    while not list((project.folder / ".snakemake/locks").glob("*")) and time.monotonic() < end:
        time.sleep(0.1)
    # without --rerun-incomplete the unfinished files of the first are the reason, and the lock is not reached
    second = project.snakemake("--rerun-incomplete", check=False)
    assert second.returncode != 0
    assert "LockException" in second.stdout + second.stderr, (second.stdout + second.stderr)[-2000:]
    said = first.communicate(timeout=30 * undisturbed.seconds + 300)[0]
    assert first.returncode == 0, said[-4000:]
    assert project.hashes() == undisturbed.hashes


@pytest.mark.kill
def test_two_runs_started_together(undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    """Whatever the race gives, one run of the documented recovery ends with the right bytes."""
    project = fresh_population()
    both = [project.begin(), project.begin()]
    for running in both:
        running.communicate(timeout=30 * undisturbed.seconds + 300)
    assert any(running.returncode == 0 for running in both)
    nothing_half_written_looks_whole(project)
    project.recover()
    assert project.hashes() == undisturbed.hashes


def test_the_moments_are_spread(tmp_path: Path) -> None:
    """Twenty moments lie in every third of a run."""
    whole = Undisturbed({}, 90.0)
    thirds = {int(moment(f"{what} {k}", whole) // 30) for what in ("group", "main", "retry", "job") for k in range(5)}
    assert thirds == {0, 1, 2}
