"""A small study run once a session; every test works on its own copy of the finished project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "rules", "scripts", "envs", "config", "resources", "src", "requirements.lock", "pyproject.toml")
KEPT = 8  # twins of the demonstration study that the small study keeps, two of them with samples
SETTINGS = """
study: small
buckets: 3
paths: {twins: config/studies/demo/twins.tsv, events: config/studies/demo/events.tsv,
        scenarios: config/studies/demo/scenarios.tsv, structure_calls: "", vcf_dir: config/studies/demo,
        published: resources/observed/paroxetine_profiles.tsv}
genome: {extra_samples: warning}
pbpk: {engine: rosenbrock, draws: 6}
explain: {draws: 10, doses: [20]}
fit: {chains: 2, tune: 50, draws: 50, target_accept: 0.8}
sensitivity: {morris_trajectories: 4, morris_candidates: 4, sobol_base: 16, max_base: 16, shards: 1}
"""


class Project:
    """One copy of the project on disk."""

    def __init__(self, folder: Path, study: str = "small") -> None:
        self.folder, self.study = folder, study

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run snakemake here, on this copy's library."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment(), capture_output=True, text=True
        )
        if check and done.returncode:
            raise AssertionError(done.stdout[-3000:] + done.stderr[-6000:])
        return done

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        own = [] if self.study == "demo" else ["--configfile", f"config/{self.study}.yaml"]
        return [sys.executable, "-m", "snakemake", "--cores", "2", *own, *arguments]

    def environment(self) -> dict[str, str]:
        """This copy's library first; one thread a process."""
        own = {"PYTHONPATH": str(self.folder / "src"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return {**os.environ, **own}

    def planned(self) -> set[str]:
        """Jobs that a dry run plans: rule names, with the bucket or VCF where there is one."""
        text = self.snakemake("-n").stdout
        jobs = set()
        for block in re.split(r"\n(?=(?:local)?rule )", text):
            head = re.match(r"(?:local)?rule (\w+):", block)
            if head:
                wildcard = re.search(r"wildcards: (?:bucket|vcf|model)=(\S+)", block)
                jobs.add(head[1] + (f"[{wildcard[1]}]" if wildcard else ""))
        return jobs - {"all"}

    def sheet(self, table: str) -> list[list[str]]:
        """Cells of a sheet, header first."""
        text = (self.folder / f"config/studies/demo/{table}.tsv").read_text(encoding="utf-8")
        return [line.split("\t") for line in text.splitlines()]

    def write_sheet(self, table: str, rows: list[list[str]]) -> None:
        """Replace a sheet."""
        text = "".join("\t".join(r) + "\n" for r in rows)
        (self.folder / f"config/studies/demo/{table}.tsv").write_text(text, encoding="utf-8")

    def set_cell(self, twin: str, column: str, value: str) -> None:
        """Change one cell of the twins sheet."""
        rows = self.sheet("twins")
        at = rows[0].index(column)
        for row in rows[1:]:
            if row[0] == twin:
                row[at] = value
        self.write_sheet("twins", rows)

    def bucket(self, twin: str) -> str:
        """Bucket of a twin in this study."""
        from pharmtwin.intake.buckets import bucket_name, bucket_of

        return bucket_name(bucket_of(twin, 3))


def lay_out_demo(folder: Path) -> Project:
    """Copy the project as it is, with the demonstration study."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, folder / part)
    return Project(folder, "demo")


def lay_out(folder: Path) -> Project:
    """Copy the project and cut the demonstration study down."""
    lay_out_demo(folder)
    project = Project(folder)
    (folder / "config/small.yaml").write_text(SETTINGS, encoding="utf-8")
    events = project.sheet("events")
    sampled = sorted({r[0] for r in events[1:]})[:2]
    twins = project.sheet("twins")
    others = [r for r in twins[1:] if r[0] not in {e[0] for e in events[1:]}][: KEPT - 2]
    project.write_sheet("twins", [twins[0], *[r for r in twins[1:] if r[0] in sampled], *others])
    project.write_sheet("events", [events[0], *[r for r in events[1:] if r[0] in sampled]])
    scenarios = project.sheet("scenarios")
    project.write_sheet("scenarios", scenarios[:2])
    return project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small study after one whole run (never changed by a test)."""
    project = lay_out(tmp_path_factory.mktemp("finished") / "project")
    project.snakemake()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A fresh copy of the finished project, times and Snakemake's records included."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Project]:
    """Lays out a project that has not run."""
    return lambda: lay_out(tmp_path / "fresh")
