"""The files that say what a run was, written in the order in which each holds the hashes of those before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pharmtwin.facts import sha256_file
from pharmtwin.files import write_text
from pharmtwin.provenance.crate import crate
from pharmtwin.provenance.hashes import text_of, write_sealed
from pharmtwin.provenance.jobs import read_jobs
from pharmtwin.provenance.manifest import CRATE, MANIFEST, RUN, SBOM, inputs_of, keep_code, manifest
from pharmtwin.provenance.run import run_record
from pharmtwin.provenance.sbom import sbom


def write_records(config: Mapping[str, Any], folder: Path, made: list[str]) -> None:
    """SBOM, copy of the code, RO-Crate, manifest, run.json of the results in ``folder``.

    ``made``: what the last rule waited for. Call it in the run's working directory.
    Raises RuntimeError if nothing was made, ValueError if no job left a note.
    """
    for name in (CRATE, MANIFEST, RUN):  # what is written again must not list its old self
        (folder / name).unlink(missing_ok=True)
    jobs = read_jobs(folder)
    write_text(folder / SBOM, text_of(sbom()))
    keep_code(folder)
    without_crate = manifest(config, folder, made, jobs)
    write_text(folder / CRATE, text_of(crate(without_crate, folder, inputs_of(config), jobs)))
    write_sealed(folder / MANIFEST, manifest(config, folder, made, jobs))
    write_sealed(folder / RUN, run_record(config, folder) | {"manifest_sha256": sha256_file(folder / MANIFEST)})
