"""Summary of a run at its end: time and memory by rule, slowest jobs, failed attempts (standard library only)."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pharmtwin.files import write_text
from pharmtwin.workflow.attempts import LOGS, read_attempts, unhappy
from pharmtwin.workflow.failed import failed_solves

NAME = "logs/run_summary.txt"
MARK = ".benchmark.tsv"
SLOWEST = 5
SHOWN = 20


@dataclass(frozen=True)
class Job:
    """Last run of one job: rule and batch, wall and CPU time (s), largest memory (MB)."""

    rule: str
    batch: str
    wall: float
    cpu: float
    memory: float


def jobs_of(folder: str | Path) -> list[Job]:
    """Jobs that left a benchmark below ``<folder>/logs``, by path; one that Snakemake could not measure has zeros."""
    out = []
    logs = Path(folder) / LOGS
    for path in sorted(logs.rglob(f"*{MARK}")):
        with path.open(encoding="utf-8", newline="") as table:
            row = next(csv.DictReader(table, delimiter="\t"), None)
        if row is None:
            continue
        parts = [*path.relative_to(logs).parts[:-1], path.name.removesuffix(MARK)]
        rule, batch = (parts[0], "/".join(parts[1:])) if len(parts) > 1 else (parts[0], "")
        out.append(Job(rule, batch, _number(row["s"]), _number(row["cpu_time"]), _number(row["max_rss"])))
    return out


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # "-" or "NA": the job ended before it was looked at
        return 0.0


def summary_text(folder: str | Path, checks: Iterable[str | Path]) -> str:
    """The whole summary. ``checks``: tables ``solver_check`` of the plan."""
    jobs = jobs_of(folder)
    lines = ["Jobs (last run of each)", "rule\tjobs\twall_s\tcpu_s\tlargest_MB"]
    for rule in dict.fromkeys(j.rule for j in jobs):
        mine = [j for j in jobs if j.rule == rule]
        wall, cpu, memory = sum(j.wall for j in mine), sum(j.cpu for j in mine), max(j.memory for j in mine)
        lines.append(f"{rule}\t{len(mine)}\t{wall:.1f}\t{cpu:.1f}\t{memory:.0f}")
    total = (sum(j.wall for j in jobs), sum(j.cpu for j in jobs), max((j.memory for j in jobs), default=0.0))
    lines += ["all\t{}\t{:.1f}\t{:.1f}\t{:.0f}".format(len(jobs), *total), "", "Slowest jobs"]
    for j in sorted(jobs, key=lambda j: -j.wall)[:SLOWEST]:
        lines.append(f"{j.rule} {j.batch}".rstrip() + f"\t{j.wall:.1f} s")
    bad = unhappy(read_attempts(folder))
    lines += ["", f"Failed attempts: {len(bad)}"]
    lines += [f"{job}\t{outcome}\t{log.as_posix()}" for job, outcome, log in bad[:SHOWN]]
    failed = failed_solves(checks)
    lost = sum(not f.has_result for f in failed)
    lines += ["", f"Twins and scenarios with failed solves: {len(failed)}, {lost} of them without any result"]
    lines += [f.line for f in failed[:SHOWN]]
    for what, n in (("attempts", len(bad)), ("solves", len(failed))):
        if n > SHOWN:
            lines.append(f"({n - SHOWN} more failed {what} in logs/attempts and the tables solver_check)")
    return "\n".join(lines) + "\n"


def write_summary(folder: str | Path, checks: Iterable[str | Path]) -> None:
    """Print the summary to standard error and keep it as ``logs/run_summary.txt``; a disk that refuses it is said."""
    try:
        text = summary_text(folder, checks)
        print(f"RUN SUMMARY {folder}\n{text}", end="", file=sys.stderr)
        write_text(Path(folder) / NAME, text)
    except OSError as error:
        print(f"RUN SUMMARY could not be written: {error}", file=sys.stderr)
