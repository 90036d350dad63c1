"""A disk that is full, or read-only: the run fails and says so, and goes on to the right bytes when the disk is mended.

Needs root, to mount a small file system in memory at ``results``.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.kill.conftest import Undisturbed
from tests.kill.study import KillProject
from tests.kill.test_kills import moment, nothing_half_written_looks_whole

Fresh = Callable[[], KillProject]


@contextmanager
def disk(project: KillProject, size: str) -> Iterator[Callable[[str], None]]:
    """A file system in memory at ``results``; gives a function that mounts it again with other options."""
    place = project.folder / "results"
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True) and None
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


@pytest.mark.kill
@needs_root
@pytest.mark.parametrize("size", ["64k", "400k"])
def test_full_disk(size: str, undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    project = fresh_population()
    with disk(project, size) as remount:
        failed = project.snakemake("--keep-going", check=False)
        assert failed.returncode != 0
        assert "No space left on device" in failed.stdout + failed.stderr
        nothing_half_written_looks_whole(project)
        remount("size=200m")
        project.recover()
        assert project.hashes() == undisturbed.hashes


@pytest.mark.kill
@needs_root
def test_read_only_from_the_start(undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    project = fresh_population()
    with disk(project, "200m") as remount:
        remount("ro")
        failed = project.snakemake(check=False)
        assert failed.returncode != 0
        assert "Read-only file system" in failed.stdout + failed.stderr
        remount("rw")
        project.recover()
        assert project.hashes() == undisturbed.hashes


@pytest.mark.kill
@needs_root
def test_read_only_in_the_middle(undisturbed: Undisturbed, fresh_population: Fresh) -> None:
    project = fresh_population()
    with disk(project, "200m") as remount:
        running = project.begin("--keep-going")
        time.sleep(moment("read only", undisturbed))
        while running.poll() is None:
            try:
                remount("ro")
                break
            except subprocess.CalledProcessError:  # a file is open for writing: again
                time.sleep(0.02)
        running.communicate(timeout=30 * undisturbed.seconds + 300)
        remount("rw")
        assert running.returncode != 0, "the run ended before the disk could be made read-only"
        nothing_half_written_looks_whole(project)
        project.recover()
        assert project.hashes() == undisturbed.hashes
