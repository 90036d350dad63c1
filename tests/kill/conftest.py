"""One undisturbed run a session, whose bytes every disturbed run must reach, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kill.study import KillProject, lay_out_population


@dataclass(frozen=True)
class Undisturbed:
    """hashes : of its results. seconds : wall time from start to end."""

    hashes: dict[str, str]
    seconds: float


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A run that nobody disturbs, the second of its kind: compiled code is in the cache."""
    project = lay_out_population(tmp_path_factory.mktemp("warm") / "project")
    project.snakemake()
    project = lay_out_population(tmp_path_factory.mktemp("undisturbed") / "project")
    began = time.monotonic()
    project.snakemake()
    return Undisturbed(project.hashes(), time.monotonic() - began)


@pytest.fixture
def fresh_population(tmp_path: Path) -> Callable[[], KillProject]:
    """Lays out a project that has not run."""
    return lambda: lay_out_population(tmp_path / "project")
