"""Jobs of a run: rule, batch, files in and out, as each job notes them beside its log when it starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pharmtwin.workflow.job import NOTE

BENCHMARK = ".benchmark.tsv"


@dataclass(frozen=True)
class Job:
    """One job: rule, batch (its wildcards, "" if none), script, files in and out as the rule names them."""

    rule: str
    batch: str
    script: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """Rule and batch in one word."""
        return f"{self.rule}-{self.batch}" if self.batch else self.rule


def read_jobs(folder: Path) -> list[Job]:
    """Jobs whose outputs are all there, sorted by name (a job that was cut off left its note only)."""
    found = []
    for path in sorted((folder / "logs").rglob(f"*{NOTE}")):
        note = json.loads(path.read_text(encoding="utf-8"))
        job = Job(note["rule"], note["batch"], note["script"], tuple(note["input"]), tuple(note["output"]))
        if all(Path(p).exists() for p in job.outputs):
            found.append(job)
    return sorted(found, key=lambda j: j.name)


def maker_of(folder: Path, jobs: Iterable[Job]) -> Callable[[Path], Job | None]:
    """Who made a file of ``folder``: the job that lists it, or a folder above it, among its outputs; else None."""
    listed = {Path(o).absolute(): job for job in jobs for o in job.outputs}

    def maker(path: Path) -> Job | None:
        place = path.absolute()
        return next((listed[p] for p in (place, *place.parents) if p in listed), None)

    return maker


def durations(folder: Path) -> dict[str, dict[str, float]]:
    """Wall and CPU seconds and memory (MB) of each job by its benchmark's name; "-" in a benchmark is left out."""
    out = {}
    for path in sorted((folder / "logs").rglob(f"*{BENCHMARK}")):
        header, *rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
        cells = dict(zip(header, rows[-1], strict=True)) if rows else {}
        wanted = {"seconds": "s", "cpu_seconds": "cpu_time", "max_rss_mb": "max_rss"}
        name = path.relative_to(folder / "logs").as_posix().removesuffix(BENCHMARK)
        out[name] = {k: float(cells[c]) for k, c in wanted.items() if cells.get(c, "-") not in ("-", "NA", "")}
    return out
