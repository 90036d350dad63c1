"""Progress of a run that a person can follow: twins done, rate, time left, failures (standard library only).

A twin is done in a stage when its batch's file is there. What an earlier run left counts as done until it is made
again; the rate counts what this run made.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pharmtwin.files import write_text
from pharmtwin.workflow.attempts import read_attempts, unhappy

EVERY = 30.0  # seconds between two looks
NAME = "logs/progress.txt"


@dataclass(frozen=True)
class Stage:
    """One file a batch; ``files``: path by batch."""

    name: str
    files: Mapping[str, Path]


def progress_line(stage: Stage, twins: Mapping[str, int], began: float, now: float, failures: int) -> str:
    """One line about a stage.

    Parameters
    ----------
    twins : their number by batch. began, now : times of the run's start and of this look (s since the epoch).
    failures : attempts that failed or were killed since the run's start.
    """
    times = {b: p.stat().st_mtime for b, p in stage.files.items() if p.is_file()}
    total, done = sum(twins[b] for b in stage.files), sum(twins[b] for b in times)
    made = sum(twins[b] for b, t in times.items() if t >= began)
    words = [f"{stage.name}: {done:,} of {total:,} twins"]
    if made and now > began:
        rate = made / (now - began)
        words.append(f"{rate:.3g} a second")
        if done < total:
            words.append(f"about {_span((total - done) / rate)} left")
    words.append(f"{failures} failed attempts" if failures != 1 else "1 failed attempt")
    return ", ".join(words)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Says the lines of the stages at work to standard error and into ``logs/progress.txt``, until stopped."""

    def __init__(self, folder: str | Path, stages: list[Stage], twins: Mapping[str, int], every: float = EVERY) -> None:
        self.folder, self.stages, self.twins, self.every = Path(folder), stages, twins, every
        self.began = 0.0
        self.last: list[str] = []
        self.before = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Progress:
        """Begin to look; returns itself."""
        self.began, self.before = time.time(), len(unhappy(read_attempts(self.folder)))
        self._thread.start()
        return self

    def stop(self) -> None:
        """Look a last time and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self.look()

    def look(self) -> list[str]:
        """The lines of the stages of which something is there; said if they changed."""
        failures = len(unhappy(read_attempts(self.folder))) - self.before
        now = time.time()
        at_work = [s for s in self.stages if any(p.is_file() for p in s.files.values())]
        lines = [progress_line(s, self.twins, self.began, now, failures) for s in at_work]
        counts = [line.partition(" twins")[0] for line in lines] + [str(failures)]
        if lines and counts != self.last:
            self.last = counts
            stamp = time.strftime("%H:%M:%S", time.localtime(now))
            text = "".join(f"PROGRESS {stamp} {line}\n" for line in lines)
            print(text, end="", file=sys.stderr, flush=True)
            write_text(self.folder / NAME, text)
        return lines

    def _run(self) -> None:
        while not self._stop.wait(self.every):
            try:
                self.look()
            except OSError as error:  # a full or read-only disk stops the run, not this thread
                print(f"PROGRESS cannot be told: {error}", file=sys.stderr, flush=True)
