"""``pharmtwin import-nonmem RUN.mod``: a control stream as a population model file, and what was not understood."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pharmtwin.files import write_text
from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.models.read import population_model

MISSING = "import-nonmem needs pharmpy-core: `make nonmem` installs it"


def main(argv: Sequence[str] | None = None) -> int:
    """Translate, check that the result is a model, write it (or print it); notes go to stderr. 1 where it cannot be."""
    parser = argparse.ArgumentParser(prog="pharmtwin import-nonmem", description="NONMEM control stream to model file.")
    parser.add_argument("stream", help="control stream (.mod, .ctl)")
    parser.add_argument("--out", metavar="YAML", help="write here instead of to the screen")
    arguments = parser.parse_args(argv)
    if importlib.util.find_spec("pharmpy") is None:
        print(MISSING, file=sys.stderr)
        return 1
    try:
        sections, notes = imported(Path(arguments.stream))
    except (PopulationModelError, OSError) as error:
        print(f"import-nonmem: {error}", file=sys.stderr)
        return 1
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    text = as_yaml(sections, notes)
    if arguments.out:
        write_text(Path(arguments.out), text)
    else:
        print(text, end="")
    return 0


def imported(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Sections of the model file that a control stream gives, and notes.

    Raises PopulationModelError where something cannot be translated, or what was translated is no consistent model.
    """
    from pharmtwin.inference.nonmem.importing.stream import read_stream
    from pharmtwin.inference.nonmem.importing.translate import translate

    try:
        sections, notes = translate(read_stream(path))
    except (OSError, PopulationModelError):
        raise
    except Exception as error:  # pharmpy's objects may hold anything that a broken stream led to
        raise PopulationModelError(f"{path}: cannot be translated ({type(error).__name__}: {error})") from None
    population_model(sections, str(path))
    return sections, notes


def as_yaml(sections: dict[str, Any], notes: Sequence[str]) -> str:
    """The file; notes as comments at its top."""
    lines = [f"# {note}" for note in ("imported by pharmtwin import-nonmem", *notes)]
    for name, value in sections.items():
        if isinstance(value, dict):  # an entry a line
            lines += [f"{name}:", *(f"  {_flow(str(k))}: {_flow(v)}" for k, v in value.items())]
        elif isinstance(value, list) and value and isinstance(value[0], list):
            lines += [f"{name}:", *(f"  - {_flow(v)}" for v in value)]
        else:
            lines.append(f"{name}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value on one line."""
    return yaml.safe_dump(value, sort_keys=False, width=10_000, default_flow_style=True).removesuffix("\n...\n").strip()
