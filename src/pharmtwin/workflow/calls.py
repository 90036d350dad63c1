"""Calls of Snakemake for a study: when, with how many cores and which configuration files (standard library only)."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pharmtwin.files import write_text

NAME = "logs/calls.json"


def is_dry_run(arguments: Sequence[str]) -> bool:
    """Whether Snakemake was called for a dry run (``-n``, ``-np``, ``--dry-run``).

    ``workflow.dryrun`` says no while the Snakefile is read, whatever the call (Snakemake 9.27): the executor is not
    chosen yet.
    """
    return any(a in ("--dry-run", "--dryrun") or re.fullmatch(r"-[Ffkpqrt]*n[Ffkpqrt]*", a) for a in arguments)


def is_single_page(arguments: Sequence[str]) -> bool:
    """Whether Snakemake was asked for its own report as one file (``--report``, ``--report name.html``).

    One file can hold our pages, but not their links to each other; a zip (``--report name.zip``) holds both.
    """
    after = zip(arguments, [*arguments[1:], ""], strict=True)
    names = [b for a, b in after if a == "--report"] + [a[9:] for a in arguments if a.startswith("--report=")]
    return any(not n.lower().endswith(".zip") for n in names)


def note_call(folder: str | Path, cores: int | None, configfiles: Sequence[str]) -> None:
    """Add this call to the study's list; a resumed study has several.

    ``cores`` is None where Snakemake was given none (a cluster). Configuration files are noted with their hash,
    since the manifest holds their content by value only.
    """
    path = Path(folder) / NAME
    files = [Path(f).absolute() for f in dict.fromkeys(configfiles)]
    call = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        "cores": cores,
        "configfiles": [{"path": str(f), "sha256": hashlib.sha256(f.read_bytes()).hexdigest()} for f in files],
    }
    write_text(path, json.dumps([*read_calls(Path(folder)), call], indent=1, sort_keys=True) + "\n")


def read_calls(folder: Path) -> list[dict[str, Any]]:
    """Calls noted so far, oldest first."""
    path = folder / NAME
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []
