"""Rerun: the recorded study again, from its kept code and its inputs, in another folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePath

import yaml

from pharmtwin.files import write_text
from pharmtwin.provenance.manifest import CODE, KEPT, MANIFEST
from pharmtwin.provenance.verify import Recorded, place_of

CONFIG, LOG = "config/rerun.yaml", "rerun.log"


class RerunError(RuntimeError):
    """The study could not be run again; the message says why."""


def _copy_code(source: Path, project: Path) -> None:
    for part in (*CODE, "resources"):
        if (source / part).is_dir():
            shutil.copytree(source / part, project / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif (source / part).is_file():
            (project / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, project / part)


def lay_out(run: Recorded, into: Path, code: Path | None = None, project: Path | None = None) -> Path:
    """The study ready to be run below ``into``: code, configuration, inputs (linked); its working directory.

    ``code``: checkout to run instead of the run's own kept code (another release).
    Raises RerunError if code or an input is not there.
    """
    source = code or run.folder / KEPT
    if not (source / "Snakefile").is_file():
        raise RerunError(f"no code at {source}: the run was made by an older version, or the copy is gone")
    given = [Path(i["given"]) for i in run.run["inputs_at"]]
    # names like ../data/x.vcf must stay below ``into``: as many folders above as the deepest climb
    climb = max((PurePath(os.path.normpath(g)).parts.count("..") for g in given if not g.is_absolute()), default=0)
    work = into.joinpath(*["up"] * climb, "project")
    _copy_code(source, work)
    for k, name in enumerate(given):
        place = place_of(run, k, project)
        if place is None:
            raise RerunError(f"the input {run.manifest['inputs'][k]['path']} is not there")
        if name.is_absolute() and place != name:
            raise RerunError(f"the input {name} has moved: the sheets name it by this place")
        if not name.is_absolute():
            target = Path(os.path.normpath(work / name))
            if code is None or not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)  # a file of the kept code under the same name: the input is what counts
                target.symlink_to(place.absolute())
    settings = {**run.manifest["config"], **run.run["settings_at"]}
    write_text(work / CONFIG, yaml.safe_dump(settings, sort_keys=True, allow_unicode=True))
    return work


def rerun(run: Recorded, into: Path, cores: int, code: Path | None = None, project: Path | None = None) -> Path:
    """Run the study afresh below ``into`` (compiled code included) and return the new folder of results.

    Raises RerunError if it does not come to its end; Snakemake's words are in ``rerun.log`` there.
    """
    work = lay_out(run, into, code, project)
    own = {
        "PYTHONPATH": str(work / "src"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
        "PHARMTWIN_CACHE": str(into / "cache"),
    }  # fmt: skip
    with open(into / LOG, "w", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", CONFIG],
            cwd=work, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    folder = work / "results" / run.manifest["study"]
    if not (folder / MANIFEST).is_file():  # failed solves end a run with exit code 1, though everything is written
        last = (into / LOG).read_text(encoding="utf-8").splitlines()[-12:]
        raise RerunError("the rerun did not come to its end:\n  " + "\n  ".join(last))
    return folder
