"""Manifest of a run: sha256 of every input, fact, piece of code and output; and its verification.

The comparable part holds no clock, host or absolute path: equal inputs on the same machine class give the
same manifest. Who, when and where stand apart in ``run.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from pharmtwin import __version__
from pharmtwin.facts import sha256_file
from pharmtwin.intake.config import named_files
from pharmtwin.intake.sheet import read_rows
from pharmtwin.workflow.plan import REPOSITORY, make_plan

PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow", "numba", "llvmlite", "scikit-sundae", "python-libsbml", "pymc", "pytensor",
    "arviz", "nutpie", "SALib", "cyvcf2", "pysam", "snakemake", "plotly",
)  # fmt: skip
CODE = ("Snakefile", "rules", "scripts", "src/pharmtwin", "requirements.lock", "pyproject.toml")
SUFFIXES = {".py", ".smk", ".yaml", ".lock", ".toml", ".j2", ".css", ".js", ".typ", ""}
NOT_COMPARED = {"manifest.json", "run.json"}
#: folders that are not part of the comparable results; the dossier, written after the manifest, has hashes of its own
APART = {"logs", "dossier"}


def _entry(path: Path, root: Path) -> dict[str, Any]:
    return {"path": path.relative_to(root).as_posix(), "bytes": path.stat().st_size, "sha256": sha256_file(path)}


def _compared(path: Path, folder: Path) -> bool:
    """Logs, benchmarks, run.json, the manifest itself and the dossier are not part of the comparable results."""
    first = path.relative_to(folder).parts[0]
    return path.name not in NOT_COMPARED and not path.name.startswith(".") and first not in APART


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    return sorted(
        p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts and ".egg-info" not in str(p)
    )


def _shown(path: Path) -> str:
    """A path as the manifest shows it: no place outside the working directory."""
    return path.name if path.is_absolute() or ".." in path.parts else path.as_posix()


def _hashes(section: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Shown path -> hashes (two inputs from different places may share a name)."""
    out: dict[str, list[str]] = {}
    for entry in section:
        out.setdefault(entry["path"], []).append(entry["sha256"])
    return {k: sorted(v) for k, v in out.items()}


def inputs_of(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The user's files by the path written in the config (an absolute path by its name only)."""
    plan = make_plan(config)
    named = [f for files in named_files(config).values() for f in files] + sorted(plan.vcf_of.values())
    alignments = config["paths"]["alignments"]
    named += sorted({row["bam"] for row in read_rows(Path(alignments))}) if alignments else []
    drug = str(config["drug"])
    named += [drug] if drug.endswith((".yaml", ".yml")) else []
    out = []
    for name in dict.fromkeys(named):
        path = Path(name)
        out.append({"path": _shown(path), "bytes": path.stat().st_size, "sha256": sha256_file(path)})
    return out


def manifest(config: Mapping[str, Any], folder: Path, made: list[str]) -> dict[str, Any]:
    """The comparable manifest of the results in ``folder`` (``made``: what the last rule waited for)."""
    outputs = [_entry(p, folder) for p in _files(folder) if _compared(p, folder)]
    if not made or not outputs:
        raise RuntimeError("nothing was made: there is no manifest to write")
    code = [_entry(p, REPOSITORY) for c in CODE for p in _files(REPOSITORY / c) if p.suffix in SUFFIXES]
    shown = {k: v for k, v in config.items() if k != "paths"} | {"drug": _shown(Path(str(config["drug"])))}
    return {
        "schema": "pharmtwin-manifest-1",
        "study": config["study"],
        "data_kind": config["data_kind"],
        "config": json.loads(json.dumps(shown, default=str)),
        "inputs": inputs_of(config),
        "facts": [_entry(p, REPOSITORY) for p in _files(REPOSITORY / "resources")],
        "code": code,
        "outputs": outputs,
        "solver": {p.stem: json.loads(p.read_text(encoding="utf-8"))["cvode"] for p in _files(folder / "compile")},
        "software": {"pharmtwin": __version__, **{p: metadata.version(p) for p in PACKAGES}},
        "seed_rule": "numpy SeedSequence([master_seed, sha256(stage)[:8], sha256(name)[:8]])",
    }


def run_record() -> dict[str, Any]:
    """Who, when and where: not comparable."""
    import getpass
    import platform
    from datetime import UTC, datetime

    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "user": getpass.getuser(),
    }


def verify(path: Path) -> list[str]:
    """Hash the outputs again; every difference from the manifest in words (empty: all as recorded)."""
    recorded = json.loads(path.read_text(encoding="utf-8"))
    problems = []
    for entry in recorded["outputs"]:
        file = path.parent / entry["path"]
        if not file.exists():
            problems.append(f"{entry['path']}: missing")
        elif sha256_file(file) != entry["sha256"]:
            problems.append(f"{entry['path']}: changed since the manifest was written")
    known = {e["path"] for e in recorded["outputs"]} | NOT_COMPARED
    extra = [p for p in _files(path.parent) if p.relative_to(path.parent).as_posix() not in known]
    problems += [
        f"{p.relative_to(path.parent).as_posix()}: not in the manifest" for p in extra if _compared(p, path.parent)
    ]
    return problems


def compare(one: Path, other: Path) -> list[str]:
    """Differences between two manifests, section by section (empty: byte-equal results)."""
    a, b = (json.loads(p.read_text(encoding="utf-8")) for p in (one, other))
    problems = []
    for section in ("inputs", "facts", "code", "outputs"):
        first, second = (_hashes(m[section]) for m in (a, b))
        problems += [f"{section}: {k} only in {one}" for k in sorted(first.keys() - second.keys())]
        problems += [f"{section}: {k} only in {other}" for k in sorted(second.keys() - first.keys())]
        problems += [f"{section}: {k} differs" for k in sorted(first.keys() & second.keys()) if first[k] != second[k]]
    for key in ("config", "software", "study", "data_kind", "solver"):
        if a[key] != b[key]:
            problems.append(f"{key} differs")
    return problems
