"""Whole runs: equal bytes in another folder, kill and resume, bad input."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pharmtwin.cli import main
from tests.workflow.conftest import Project

MANIFEST = "results/small/manifest.json"


def test_results_verify_and_show_a_changed_file(project: Project, capsys) -> None:
    assert main(["verify", str(project.folder / MANIFEST)]) == 0
    assert "every file as recorded" in capsys.readouterr().out
    table = project.folder / "results/small/evaluate/accuracy.tsv"
    table.write_text(table.read_text(encoding="utf-8").replace("GMFE", "GMFe", 1), encoding="utf-8")
    assert main(["verify", str(project.folder / MANIFEST)]) == 1
    assert "evaluate/accuracy.tsv: changed" in capsys.readouterr().out


def test_a_killed_run_resumes_to_the_same_bytes(finished: Project, fresh: Callable[[], Project], capsys) -> None:
    """A second run in another folder, killed in the middle and resumed, gives the bytes of the first."""
    again = fresh()
    running = subprocess.Popen(
        again.command(), cwd=again.folder, env=again.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        limit = time.monotonic() + 300
        while not list((again.folder / "results").glob("small/twins/*/priors.parquet")):
            assert running.poll() is None and time.monotonic() < limit, "the run ended before it could be killed"
            time.sleep(0.2)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert not (again.folder / MANIFEST).exists()
    again.snakemake("--unlock")
    again.snakemake("--rerun-incomplete")
    assert main(["verify", str(finished.folder / MANIFEST), str(again.folder / MANIFEST)]) == 0
    assert "byte-equal" in capsys.readouterr().out


def test_bad_input_stops_before_anything_runs(fresh: Callable[[], Project]) -> None:
    project = fresh()
    rows = project.sheet("twins")
    rows[1][rows[0].index("sex")] = "male"
    rows[2][rows[0].index("weight_kg")] = "heavy"
    project.write_sheet("twins", rows)
    done = project.snakemake(check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "config/studies/demo/twins.tsv:2 sex [male]" in said
    assert "config/studies/demo/twins.tsv:3 weight_kg [heavy]" in said
    made = [p for p in (project.folder / "results").rglob("*") if p.is_file() and "logs" not in p.parts]
    assert made == [], made


def test_an_unreadable_sheet_is_a_finding_not_a_traceback(fresh: Callable[[], Project]) -> None:
    project = fresh()
    (project.folder / "config/studies/demo/twins.tsv").write_text("", encoding="utf-8")
    done = project.snakemake(check=False)
    assert done.returncode == 1
    assert "config/studies/demo/twins.tsv" in done.stderr and "Traceback" not in done.stderr


def test_logs_hold_no_genotype(finished: Project) -> None:
    for log in Path(finished.folder / "results/small/logs").rglob("*.log"):
        assert "/*" not in log.read_text(encoding="utf-8"), log
