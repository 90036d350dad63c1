"""A study that runs in well under a minute and has every kind of step: a synthetic population of 60 with one drug."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

from pharmtwin.exposures.regimens import Regimen
from pharmtwin.synthetic import population_study
from tests.workflow.conftest import Project, lay_out_demo

TWINS, BUCKETS, VCFS = 60, 3, 60
REGIMEN = Regimen("omeprazole_S", 20.0, 24.0, 2)
TARGET = "exposures"
RESULTS = "results/kill"


class KillProject(Project):
    """A project with that study, and what is done to its runs."""

    def command(self, *arguments: str) -> list[str]:
        """The command line; the target comes before the options."""
        base = super().command()
        return [*base[:3], TARGET, *base[3:], "--scheduler", "greedy", *arguments]

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a run in a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.environment(), text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def unlock(self) -> None:
        """The documented recovery, first step."""
        subprocess.run(
            [*Project.command(self), "--unlock"],
            cwd=self.folder,
            env=self.environment(),
            check=True,
            capture_output=True,
        )

    def recover(self) -> None:
        """The documented recovery: unlock, run again."""
        self.unlock()
        self.snakemake("--rerun-incomplete")

    def jobs(self) -> list[int]:
        """Processes of this project's jobs that are alive: those that run one of its scripts."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if Path(os.readlink(entry / "cwd")) != self.folder.resolve():
                    continue
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(w.endswith(b".py") and b"/.snakemake/scripts/" in w for w in words):
                found.append(int(entry.name))
        return sorted(found)

    def wait_for_no_job(self, seconds: float = 120) -> None:
        """Jobs of a killed main process go on: wait for their end."""
        limit = time.monotonic() + seconds
        while self.jobs() and time.monotonic() < limit:
            time.sleep(0.2)
        assert not self.jobs(), "jobs of the killed run are still there"

    def hashes(self) -> dict[str, str]:
        """sha256 of every result, logs left out; a file of a dot-name is unfinished and no result."""
        root = self.folder / RESULTS
        return {
            p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(root.rglob("*"))
            if p.is_file() and "logs" not in p.relative_to(root).parts and not p.name.startswith(".")
        }


def lay_out_population(folder: Path) -> KillProject:
    """The project with the population study in ``config/kill.yaml``."""
    lay_out_demo(folder)
    made = folder / "config/studies/kill"
    maker = population_study
    r = REGIMEN
    maker.REGIMENS = (
        f"\n    - {{drug: {r.drug}, dose_mg: {r.dose_mg:g}, interval_h: {r.interval_h:g}, n_doses: {r.n_doses}}}"
    )
    maker.make(TWINS, 7, made, name="kill", per_vcf=VCFS, buckets=BUCKETS)
    text = (made / "config.yaml").read_text(encoding="utf-8")
    text = text.replace(str(made), "config/studies/kill").replace("draws: 20", "draws: 5")
    (folder / "config/kill.yaml").write_text(text, encoding="utf-8")
    return KillProject(folder, "kill")


def kill_group(running: subprocess.Popen[str]) -> None:
    """kill -9 of the main process and of all its jobs."""
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
