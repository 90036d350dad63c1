"""Every parser (or those named) fuzzed for some time: ``python -m tests.fuzz.run --seconds 180 --at-once 2``.

Each runs in a process of its own (:mod:`tests.fuzz.worker`). Faults and new inputs are left in FOLDER/<name>; a summary
is printed. Exit code 1 if any parser crashed, hung or filled the memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.targets import CORPUS, ROOT, TARGETS

LIMIT = 4000  # bytes of an input that is kept in the repository
KEPT = 12  # inputs that a parser gains at most in the repository by one --keep


def fuzz(name: str, seconds: int, folder: Path) -> tuple[str, list[str]]:
    """Run one parser; the line of the summary, and what is wrong.

    An input at which the process ended is run again without the fuzzer, under the target's own limit of time: if it
    does no harm there, libFuzzer itself stumbled (seen now and then in its first second) or the machine stood still,
    which is said, and the rest of the time is used.
    """
    mine, env = folder / name, {**os.environ, "PYTHONHASHSEED": "0"}
    shutil.rmtree(mine / "faults", ignore_errors=True)
    mine.mkdir(parents=True, exist_ok=True)
    for old in artifacts(mine):
        old.unlink()
    inputs, stumbled, faults = 0, 0, []
    end = time.monotonic() + seconds
    with open(mine / "log.txt", "w", encoding="utf-8") as log:
        while (left := round(end - time.monotonic())) > 0:
            log.flush()
            command = [sys.executable, "-m", "tests.fuzz.worker", name, str(left), str(mine)]
            code = subprocess.run(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT).returncode
            ended = artifacts(mine)
            for path in ended:
                again = [sys.executable, "-m", "tests.fuzz.replay", name, str(path)]
                harmless = (
                    path.name.startswith(("crash-", "timeout-"))
                    and not subprocess.run(again, cwd=ROOT, env=env).returncode
                )
                stumbled += harmless
                faults += [] if harmless else [path.name]
                path.rename(path.with_name(f"{'harmless' if harmless else 'bad'}-{path.name}"))
            if not ended:
                faults += [f"ended with code {code}, see {mine / 'log.txt'}"] if code else []
                break
    text = (mine / "log.txt").read_text(encoding="utf-8", errors="replace")
    inputs = sum(map(int, re.findall(r"stat::number_of_executed_units:\s*(\d+)", text)))
    faults += [p.stem for p in sorted((mine / "faults").glob("*.txt"))]
    grown = len(list((mine / "corpus").glob("*"))) if (mine / "corpus").is_dir() else 0
    note = f", {stumbled} ends of libFuzzer that no input explains" if stumbled else ""
    return f"{name}: {inputs} inputs, {grown} kept, {len(faults)} faults{note}", faults


def artifacts(folder: Path) -> list[Path]:
    """Inputs at which libFuzzer ended: crashes, hangs, too much memory."""
    return [p for kind in ("crash-*", "timeout-*", "oom-*") for p in sorted(folder.glob(kind))]


def keep(name: str, folder: Path) -> int:
    """Copy some small new inputs to the repository's corpus: those that libFuzzer kept for their new branches."""
    there = {p.read_bytes() for p in (CORPUS / name).glob("*")}
    new = sorted((folder / name / "corpus").glob("*"), key=lambda p: (p.stat().st_size, p.name))
    new = [p for p in new if not p.name.startswith("seed_") and 0 < p.stat().st_size <= LIMIT]
    step = max(1, len(new) // KEPT)
    for path in new[::step][:KEPT]:
        if path.read_bytes() not in there:
            (CORPUS / name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, CORPUS / name / f"{path.name[:12]}.input")
    return len(list((CORPUS / name).glob("*")))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz the parsers.")
    parser.add_argument("names", nargs="*", help=f"default: all of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=180, help="a parser (default 180)")
    parser.add_argument("--at-once", type=int, default=2, help="parsers at once (default 2)")
    parser.add_argument("--folder", type=Path, default=ROOT / "results" / "fuzz")
    parser.add_argument("--keep", action="store_true", help="copy some new inputs to tests/fuzz/corpus")
    given = parser.parse_args()
    unknown = [n for n in given.names if n not in TARGETS]
    if unknown or importlib.util.find_spec("atheris") is None:
        print(f"unknown: {unknown}" if unknown else "no atheris here: `make fuzz` installs it", file=sys.stderr)
        return 2
    names, folder = given.names or list(TARGETS), given.folder.resolve()
    bad = 0
    with ThreadPoolExecutor(given.at_once) as pool:
        for line, faults in pool.map(lambda n: fuzz(n, given.seconds, folder), names):
            bad += len(faults)
            print(line, *(f"    {f}" for f in faults), sep="\n", flush=True)
    if given.keep:
        print("corpus:", sum(keep(n, folder) for n in names), "inputs")
    print(f"{len(names)} parsers, {given.seconds} s each, {bad} faults; details: {folder}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
