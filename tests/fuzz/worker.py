"""One parser under atheris for some time: ``python -m tests.fuzz.worker NAME SECONDS FOLDER``.

Atheris (libFuzzer) watches which branches of pharmtwin an input takes and goes on from inputs that take new ones. New
inputs are kept in FOLDER/corpus, faults in FOLDER/faults: one input a place, with its traceback; the loop goes on. An
input that hangs or fills the memory ends the process and is left in FOLDER by libFuzzer.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import atheris

from tests.fuzz.one import fault, place, work_folder
from tests.fuzz.targets import CORPUS, ROOT, TARGETS

MEMORY_MB = 4000


def main(name: str, seconds: int, folder: Path) -> None:
    """Fuzz; never returns (libFuzzer ends the process)."""
    target = TARGETS[name]
    own, faults = folder / "corpus", folder / "faults"
    for path in (own, faults):
        path.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (own / f"seed_{number}").write_bytes((ROOT / seed).read_bytes())
    words = folder / "words"
    quoted = ["".join(f"\\x{b:02x}" for b in w.encode()) for w in target.words]
    words.write_text("".join(f'"{w}"\n' for w in quoted), encoding="ascii")
    known: set[str] = set()
    with work_folder() as place_of_input:
        with atheris.instrument_imports(include=["pharmtwin"], enable_loader_override=False):
            # parsers are imported where they are first used: so under the eyes of atheris
            for path in [*own.glob("seed_*"), *(CORPUS / name).glob("*")]:
                fault(target, path.read_bytes(), place_of_input, 0)

        def once(data: bytes) -> None:
            found = fault(target, data, place_of_input, 0)
            if found is None or place(found) in known:
                return
            known.add(place(found))
            stem = place(found).replace(" ", "_").replace(":", "_")
            (faults / f"{stem}.input").write_bytes(data)
            text = "".join(traceback.format_exception(found))
            (faults / f"{stem}.txt").write_text(text, encoding="utf-8", errors="replace")
            print(f"FAULT in {name}: {place(found)}", file=sys.stderr, flush=True)

        options = [
            f"-max_total_time={seconds}", f"-timeout={target.seconds}", f"-rss_limit_mb={MEMORY_MB}",
            f"-dict={words}", f"-artifact_prefix={folder}/", "-max_len=20000", "-print_final_stats=1", "-verbosity=0",
        ]  # fmt: skip
        shared = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
        atheris.Setup([sys.argv[0], *options, str(own), *shared], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
