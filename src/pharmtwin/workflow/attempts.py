"""Logs of attempts, kept: Snakemake deletes the log of a failed job before it tries again (standard library only).

A second log of every job lies in ``logs/attempts``, with times, and each attempt adds to it. An attempt that neither
ended nor failed was killed from outside (memory, a lost node, ``kill -9``) or is still running.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

LOGS, FOLDER = "logs", "attempts"
FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"
STARTED, ENDED, FAILED = "attempt started", "attempt ended", "attempt failed"


def attempts_log(log: Path) -> Path:
    """Where the attempts of the job with this log are kept: ``.../logs/attempts/exposures-b003.log``."""
    at = max(i for i, part in enumerate(log.parts) if part == LOGS) if LOGS in log.parts else len(log.parts) - 2
    root = Path(*log.parts[: at + 1])
    return root / FOLDER / "-".join(log.relative_to(root).parts)


def keep(log: Path) -> None:
    """Write everything that is logged from now on to the attempts' log too, and how this attempt ends."""
    path = attempts_log(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    form = logging.Formatter(FORM, "%Y-%m-%dT%H:%M:%S+0000")
    form.converter = time.gmtime
    handler.setFormatter(form)
    logging.getLogger().addHandler(handler)
    own = logging.getLogger("pharmtwin.attempt")
    own.info("%s, process %d on %s", STARTED, os.getpid(), socket.gethostname())
    state = {"failed": False}

    def failed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        state["failed"] = True
        own.error("%s: %s: %s", FAILED, kind.__name__, error, exc_info=(kind, error, trace))
        sys.__excepthook__(kind, error, trace)

    def ended() -> None:
        if not state["failed"]:
            own.info(ENDED)

    sys.excepthook = failed
    atexit.register(ended)


@dataclass(frozen=True)
class Attempts:
    """What became of a job's attempts, oldest first: ``ended``, ``killed``, ``running``, or the error in one line."""

    job: str
    outcomes: tuple[str, ...]
    log: Path


def read_attempts(folder: str | Path) -> list[Attempts]:
    """Every job's attempts below ``<folder>/logs/attempts``, by name."""
    return [_read(path) for path in sorted((Path(folder) / LOGS / FOLDER).glob("*.log"))]


def _read(path: Path) -> Attempts:
    outcomes: list[str] = []
    host, process = "", 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if STARTED in line:
            outcomes.append("killed")
            process, host = _who(line)
        elif outcomes and outcomes[-1] == "killed":
            if line.endswith(ENDED):
                outcomes[-1] = "ended"
            elif FAILED in line:
                outcomes[-1] = line.partition(f"{FAILED}: ")[2]
    if outcomes and outcomes[-1] == "killed" and (host != socket.gethostname() or _alive(process)):
        outcomes[-1] = "running"  # on another machine: nobody here can tell
    return Attempts(path.stem, tuple(outcomes), path)


def _who(line: str) -> tuple[int, str]:
    words = line.partition("process ")[2].split()
    return int(words[0]), words[-1]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def unhappy(attempts: Iterable[Attempts]) -> list[tuple[str, str, Path]]:
    """(job, outcome, log) of every attempt that was killed or failed."""
    good = ("ended", "running")
    return [(a.job, outcome, a.log) for a in attempts for outcome in a.outcomes if outcome not in good]
