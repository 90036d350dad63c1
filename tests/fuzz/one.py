"""One parser and one input: run it, and say what is wrong with the outcome (None: nothing)."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from tests.fuzz.targets import ROOT, Target


class Hang(BaseException):
    """A parser that takes too long; no Exception, so that no parser can swallow it."""


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise Hang inside once the time is up (wall clock); 0 seconds: no limit, for the fuzzer has its own."""
    if not seconds:
        yield
        return

    def late(number: int, frame: FrameType | None) -> None:
        raise Hang(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def place(error: BaseException) -> str:
    """Where a fault arose: the kind, and the last line of the library on its way."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/src/pharmtwin/" in f.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def fault(target: Target, data: bytes, folder: Path, seconds: int | None = None) -> BaseException | None:
    """The exception that a parser must not raise on these bytes, if it does."""
    path = folder / f"input{target.suffix}"
    path.write_bytes(data)
    quiet = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(quiet),
            limited(target.seconds if seconds is None else seconds),
        ):
            warnings.simplefilter("ignore")
            target.read(path)
    except target.errors():
        return None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and Hang are faults too
        return error
    return None


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for inputs, in memory where there is one; the repository is the working directory meanwhile."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    before = Path.cwd()
    with tempfile.TemporaryDirectory(dir=memory, prefix="pharmtwin_fuzz_") as name:
        os.chdir(ROOT)
        try:
            yield Path(name)
        finally:
            os.chdir(before)
