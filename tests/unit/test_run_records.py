"""Progress, kept logs of attempts, summary of a run."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pharmtwin.workflow.attempts import attempts_log, read_attempts, unhappy
from pharmtwin.workflow.calls import is_dry_run, is_single_page
from pharmtwin.workflow.job import Masked
from pharmtwin.workflow.progress import Progress, Stage, progress_line
from pharmtwin.workflow.summary import jobs_of, summary_text

JOB = """
import logging, sys, time
from pathlib import Path
from pharmtwin.workflow.attempts import keep
from pharmtwin.workflow.job import Masked
logging.basicConfig(level=logging.INFO)
keep(Path(sys.argv[1]))
for handler in logging.getLogger().handlers:
    handler.addFilter(Masked({masks}))
print("ready", flush=True)
{rest}
"""


def attempt(log: Path, rest: str, kill: bool = False, masks: str = "{}") -> None:
    command = [sys.executable, "-c", JOB.format(rest=rest, masks=masks), str(log)]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert job.stdout is not None and job.stdout.readline() == "ready\n"
    if kill:
        os.kill(job.pid, signal.SIGKILL)
    job.communicate()


def test_attempts_are_kept_with_how_they_ended(tmp_path: Path) -> None:
    log = tmp_path / "results/s/logs/exposures/b001.log"
    assert attempts_log(log) == tmp_path / "results/s/logs/attempts/exposures-b001.log"
    attempt(log, "time.sleep(60)", kill=True)
    attempt(log, "raise ValueError('too little')")
    attempt(log, "")
    (found,) = read_attempts(tmp_path / "results/s")
    assert found.job == "exposures-b001"
    assert found.outcomes == ("killed", "ValueError: too little", "ended")
    assert [outcome for _, outcome, _ in unhappy([found])] == ["killed", "ValueError: too little"]
    assert "Traceback" in found.log.read_text()


def test_progress_tells_twins_rate_time_left_and_failures(tmp_path: Path) -> None:
    files = {b: tmp_path / f"{b}.parquet" for b in ("b0", "b1", "b2")}
    stage, twins = Stage("exposures", files), {"b0": 100, "b1": 200, "b2": 300}
    now = time.time()
    files["b0"].touch()
    os.utime(files["b0"], (now - 500, now - 500))  # of an earlier run
    assert progress_line(stage, twins, now - 10, now, 0) == "exposures: 100 of 600 twins, 0 failed attempts"
    files["b1"].touch()
    assert (
        progress_line(stage, twins, now - 10, now, 1)
        == "exposures: 300 of 600 twins, 20 a second, about 15 s left, 1 failed attempt"
    )


def test_progress_is_said_once_and_written(tmp_path: Path, capsys) -> None:
    stage = Stage("exposures", {"b0": tmp_path / "b0"})
    told = Progress(tmp_path, [stage], {"b0": 10}, every=0.05).start()
    (tmp_path / "b0").touch()
    limit = time.monotonic() + 20
    while not (tmp_path / "logs/progress.txt").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    told.stop()
    said = capsys.readouterr().err
    assert said.count("exposures: 10 of 10 twins") == 1
    assert "10 of 10" in (tmp_path / "logs/progress.txt").read_text()


def test_summary_adds_up_by_rule_and_names_failures(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    head = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    for name, s, cpu, rss in (("exposures/b000", 10, 8, 300), ("exposures/b001", 30, 9, 200), ("fit", 5, 4, 900)):
        path = logs / f"{name}.benchmark.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{head}{s}\t-\t{rss}\t1\t1\t1\t0\t0\t50\t{cpu}\n")
    (logs / "odd.benchmark.tsv").write_text(head + "\t".join(["NA"] * 10) + "\n")
    attempt(logs / "fit.log", "time.sleep(60)", kill=True)
    check = tmp_path / "solver_check.tsv"
    check.write_text(
        "stage\trun\tstate\tmax_relative_difference\tlimit\tpassed\tfailure\n"
        "exposures/b000\tT1/r/covariates\tA\t\t\tFalse\tno result: all 5 solves failed; the first: too many steps\n"
    )
    assert [j.batch for j in jobs_of(tmp_path) if j.rule == "exposures"] == ["b000", "b001"]
    text = summary_text(tmp_path, [check])
    assert "exposures\t2\t40.0\t17.0\t300" in text and "all\t4\t45.0\t21.0\t900" in text
    assert "Slowest jobs\nexposures b001\t30.0 s" in text
    assert "Failed attempts: 1\nfit\tkilled\t" in text
    assert "1, 1 of them without any result" in text and "T1/r/covariates" in text


def test_a_large_cohort_is_masked_in_no_time_and_tracebacks_too(tmp_path: Path) -> None:
    """A name is looked up, not searched for: 100,000 of them cost nothing a message."""
    masked = Masked({f"P{k:06d}": f"row {k}" for k in range(100_000)} | {"odd name": "row 7"})

    def said(text: str) -> str:
        record = logging.LogRecord("x", logging.INFO, "", 0, text, None, None)
        masked.filter(record)
        return record.getMessage()

    began = time.process_time()
    assert said("P000017/r/draw3: P000018. and (odd name), XP000019, P000020-b") == (
        "row 17/r/draw3: row 18. and (row 7), XP000019, P000020-b"
    )
    for _ in range(1000):
        said("P000017 failed")
    assert time.process_time() - began < 1.0
    attempt(tmp_path / "logs/a.log", "raise ValueError('P000017 is wrong')", masks="{'P000017': 'row 17'}")
    text = (tmp_path / "logs/attempts/a.log").read_text()
    assert "ValueError: row 17 is wrong" in text and "Traceback" in text and "P000017" not in text


def test_dry_runs_are_told_by_the_call() -> None:
    assert is_dry_run(["-n"]) and is_dry_run(["all", "-np"]) and is_dry_run(["--dry-run"]) and is_dry_run(["-Fn"])
    assert not is_dry_run(["-jinf"]) and not is_dry_run(["--cores", "2"]) and not is_dry_run(["--nolock"])


def test_one_page_or_a_zip_of_snakemakes_report() -> None:
    assert (
        is_single_page(["--report"]) and is_single_page(["--report", "a.html"]) and is_single_page(["--report=a.html"])
    )
    assert not is_single_page(["--report", "a.zip"]) and not is_single_page(["--cores", "2"])
