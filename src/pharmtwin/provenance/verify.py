"""Verification: is everything that a run's manifest lists still what it was, and is nothing there besides?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pharmtwin.facts import sha256_file
from pharmtwin.provenance.hashes import files_below, read_sealed
from pharmtwin.provenance.manifest import CODE, KEPT, MANIFEST, RUN, SUFFIXES, is_compared

SECTIONS = ("outputs", "inputs", "modules")
#: what a run without one of these lacks: it was made by an older version, or part of it is gone
NEEDED = {MANIFEST: ("outputs", "inputs", "code", "facts", "config"), RUN: ("inputs_at", "calls", "manifest_sha256")}


@dataclass(frozen=True)
class Recorded:
    """What a run says of itself: its folder, manifest and run.json (empty if it cannot be used), and what is wrong."""

    folder: Path
    manifest: dict[str, Any]
    run: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def folder_of(path: Path) -> Path:
    """Folder of the results, given as itself or by its manifest."""
    return path if path.is_dir() else path.parent


def read_run(path: Path) -> Recorded:
    """Read a run, given by its folder or its manifest.

    Raises
    ------
    FileNotFoundError : there is no manifest.
    ValueError : the manifest cannot be used at all.
    """
    folder, problems = folder_of(path), []
    name = path.name if path.is_file() else MANIFEST
    if not (folder / name).is_file():
        raise FileNotFoundError(f"no manifest at {folder / name}")
    parts = []
    for file, keys in ((name, NEEDED[MANIFEST]), (RUN, NEEDED[RUN])):
        document, wrong = read_sealed(folder / file) if (folder / file).is_file() else ({}, "missing")
        lacking = [k for k in keys if k not in document]
        if not wrong and lacking:
            wrong = f"has no {', '.join(lacking)}"
        problems += [f"{file}: {wrong}"] if wrong else []
        parts.append({} if wrong else document)
    if not parts[0]:  # nothing in it can be trusted
        raise ValueError(f"{folder / name} cannot be used: {'; '.join(problems)}")
    if parts[1] and parts[1]["manifest_sha256"] != sha256_file(folder / name):
        problems.append(f"{name}: is not the one that {RUN} names")
    return Recorded(folder, parts[0], parts[1], tuple(problems))


def _against(entries: Sequence[Mapping[str, Any]], root: Path, label: str = "") -> list[str]:
    """Entries whose file is missing or has other bytes."""
    problems = []
    for item in entries:
        file = root / item["path"]
        if not file.is_file():
            problems.append(f"{label}{item['path']}: missing")
        elif file.stat().st_size != item["bytes"] or sha256_file(file) != item["sha256"]:
            problems.append(f"{label}{item['path']}: changed since the manifest was written")
    return problems


def _surplus(found: Collection[Path], known: Collection[str], root: Path, label: str = "") -> list[str]:
    names = sorted({p.relative_to(root).as_posix() for p in found} - set(known))
    return [f"{label}{n}: not in the manifest" for n in names]


def check_outputs(run: Recorded) -> list[str]:
    """Results and the kept copy of the code: missing, changed and surplus files."""
    made, folder = run.manifest, run.folder
    problems = _against(made["outputs"], folder)
    problems += _surplus(
        [p for p in files_below(folder) if is_compared(p, folder)], [e["path"] for e in made["outputs"]], folder
    )
    kept = folder / KEPT
    entries = [*made["code"], *made["facts"]]
    problems += _against(entries, kept, f"{KEPT}/")
    return problems + _surplus(files_below(kept), [e["path"] for e in entries], kept, f"{KEPT}/")


def bases(run: Recorded, project: Path | None) -> list[Path]:
    """Where relative paths of the run may start, likeliest first: as told; above the results; where the run was."""
    if project:
        return [project]
    near = [run.folder.absolute().parents[1]] if run.folder.absolute().parent.name == "results" else []
    return [*near, *(Path(run.run[k]) for k in ("working_directory", "checkout") if k in run.run)]


def place_of(run: Recorded, index: int, project: Path | None = None) -> Path | None:
    """Where an input of the manifest is now: from the places a relative name may start at, else where it was."""
    if not run.run:
        name, at = str(run.manifest["inputs"][index]["path"]), ""
    else:
        name, at = run.run["inputs_at"][index]["given"], run.run["inputs_at"][index]["at"]
    tried = [b / name for b in bases(run, project)] + ([Path(at)] if at and not project else [])
    return next((p for p in tried if p.is_file()), None)


def check_inputs(run: Recorded, project: Path | None = None) -> list[str]:
    """The user's files and configuration files, wherever they are now."""
    problems = []
    for k, item in enumerate(run.manifest["inputs"]):
        place = place_of(run, k, project)
        if place is None:
            problems.append(f"inputs: {item['path']}: missing (name the folder that paths start from with --project)")
        else:
            problems += _against([{**item, "path": place.name}], place.parent, "inputs: ")
    for item in run.run["calls"][-1]["configfiles"] if run.run.get("calls") else []:
        path, started = Path(item["path"]), Path(run.run["working_directory"])
        tried = [b / path.relative_to(started) for b in bases(run, project)] if path.is_relative_to(started) else []
        place = next((p for p in [*tried, path] if p.is_file()), None)
        if place is None:
            problems.append(f"inputs: configuration {path.name}: missing")
        elif sha256_file(place) != item["sha256"]:
            problems.append(f"inputs: configuration {path.name}: changed since the run")
    return problems


def check_modules(run: Recorded, project: Path | None = None) -> list[str]:
    """Code and facts of the checkout that the run was made with."""
    root = next((b for b in bases(run, project) if (b / "Snakefile").is_file() and (b / "src").is_dir()), None)
    if root is None:
        return ["modules: no checkout found (name it with --project, or leave it out with --only outputs inputs)"]
    made = run.manifest
    problems = _against([*made["code"], *made["facts"]], root, "modules: ")
    code = [p for c in CODE for p in files_below(root / c) if p.suffix in SUFFIXES]
    known = [e["path"] for part in ("code", "facts") for e in made[part]]
    return problems + _surplus([*code, *files_below(root / "resources")], known, root, "modules: ")


def verify_run(run: Recorded, only: Collection[str] = SECTIONS, project: Path | None = None) -> list[str]:
    """Hash everything again; every difference from the manifest in words (empty: all as recorded).

    Parameters
    ----------
    only : sections to check: outputs (with the kept copy of the code), inputs, modules (of the checkout).
    project : folder that relative paths of inputs and modules start from (default: found by itself).
    """
    problems = list(run.problems)
    problems += check_outputs(run) if "outputs" in only else []
    problems += check_inputs(run, project) if "inputs" in only else []
    return problems + (check_modules(run, project) if "modules" in only else [])
