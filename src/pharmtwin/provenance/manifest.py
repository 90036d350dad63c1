"""Manifest of a run: sha256 of every input, fact, piece of code and output.

It holds no clock, host or absolute path: equal inputs on the same machine class give the same manifest.
Who, when and where stand apart in ``run.json`` (:mod:`pharmtwin.provenance.run`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pharmtwin import __version__
from pharmtwin.facts import sha256_file
from pharmtwin.intake.config import named_files
from pharmtwin.intake.sheet import read_rows
from pharmtwin.provenance.hashes import entry, files_below
from pharmtwin.provenance.jobs import Job, maker_of
from pharmtwin.workflow.plan import REPOSITORY, make_plan

PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow", "numba", "llvmlite", "scikit-sundae", "python-libsbml", "pymc", "pytensor",
    "arviz", "nutpie", "SALib", "cyvcf2", "pysam", "snakemake", "plotly",
)  # fmt: skip
CODE = (
    "Snakefile", "rules", "scripts", "src/pharmtwin", "envs", "config/config.yaml", "config/schemas",
    "requirements.lock", "pyproject.toml",
)  # fmt: skip
SUFFIXES = {".py", ".smk", ".yaml", ".json", ".lock", ".toml", ".j2", ".css", ".js", ".typ", ""}
#: names of the files that say what the run was; the first two are never compared
MANIFEST, RUN, CRATE, SBOM = "manifest.json", "run.json", "ro-crate-metadata.json", "sbom.cdx.json"
NOT_COMPARED = {MANIFEST, RUN}
#: folder of the results that keeps a copy of the code and of the facts
KEPT = "code"
#: folder of the results in which `verify` writes the page of this run and another
COMPARED = "compared"
#: folders that are not part of the comparable results; the dossier, written after the manifest, has hashes of its own
APART = {"logs", "dossier", "figures", COMPARED, KEPT}
#: blocks of the configuration that change no result: paths (files are listed by hash) and the later dossier's own
BESIDE = ("paths", "dossier")
#: index files that readers of genomes look for beside another file
COMPANIONS = (".tbi", ".csi", ".bai", ".crai", ".fai", ".gzi")


@dataclass(frozen=True)
class Input:
    """A file of the user: as the config or a sheet names it, and as the manifest shows it."""

    given: str
    shown: str

    @property
    def path(self) -> Path:
        """Where it is, seen from the working directory."""
        return Path(self.given)


def is_compared(path: Path, folder: Path) -> bool:
    """Whether a file is a result: not a log, a benchmark, run.json, the manifest itself, the dossier, the kept code."""
    first = path.relative_to(folder).parts[0]
    return path.name not in NOT_COMPARED and not path.name.startswith(".") and first not in APART


def shown(path: Path) -> str:
    """A path as the manifest shows it: no place outside the working directory."""
    return path.name if path.is_absolute() or ".." in path.parts else path.as_posix()


def inputs_of(config: Mapping[str, Any]) -> list[Input]:
    """The user's files in the order of the config, each once, then the index files that lie beside them.

    An absolute path is shown by its name only.
    """
    plan = make_plan(config)
    named = [f for files in named_files(config).values() for f in files] + sorted(plan.vcf_of.values())
    alignments = config["paths"]["alignments"]
    rows = read_rows(Path(alignments)) if alignments else []
    named += sorted({row[k] for row in rows for k in ("bam", "reference") if row.get(k)})
    drug = str(config["drug"])
    named += [drug] if drug.endswith((".yaml", ".yml")) else []
    beside = [name + end for name in named for end in COMPANIONS if Path(name + end).is_file()]
    return [Input(name, shown(Path(name))) for name in dict.fromkeys([*named, *beside])]


def input_entries(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """:func:`inputs_of` as entries of the manifest; raises OSError for a file that is not there."""
    return [{"path": i.shown, "bytes": i.path.stat().st_size, "sha256": sha256_file(i.path)} for i in inputs_of(config)]


def code_and_facts(root: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Entries of the code and of ``resources/`` below a checkout, or below the copy that a run keeps."""
    code = [entry(p, root) for c in CODE for p in files_below(root / c) if p.suffix in SUFFIXES]
    return code, [entry(p, root) for p in files_below(root / "resources")]


def keep_code(folder: Path) -> None:
    """Copy code and facts to ``folder/code``: what a rerun needs beside the inputs and the locked packages."""
    target = folder / KEPT
    shutil.rmtree(target, ignore_errors=True)
    for item in (e for part in code_and_facts(REPOSITORY) for e in part):
        place = target / item["path"]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / item["path"], place)


def outputs_of(folder: Path, jobs: Iterable[Job] = ()) -> list[dict[str, Any]]:
    """Entries of the results, each with the rule and the batch that made it (rule "" where no job did)."""
    maker = maker_of(folder, jobs)
    entries = []
    for path in (p for p in files_below(folder) if is_compared(p, folder)):
        made_by = maker(path)
        entries.append(entry(path, folder) | ({"rule": made_by.rule, "batch": made_by.batch} if made_by else {}))
    return entries


def manifest(config: Mapping[str, Any], folder: Path, made: list[str], jobs: Iterable[Job] = ()) -> dict[str, Any]:
    """The comparable manifest of the results in ``folder``.

    Parameters
    ----------
    made : what the last rule waited for.
    jobs : the jobs that made the results (:func:`pharmtwin.provenance.jobs.read_jobs`).

    Raises
    ------
    RuntimeError : nothing was made.
    """
    outputs = outputs_of(folder, jobs)
    if not made or not outputs:
        raise RuntimeError("nothing was made: there is no manifest to write")
    code, facts = code_and_facts(REPOSITORY)
    settings = {k: v for k, v in config.items() if k not in BESIDE} | {"drug": shown(Path(str(config["drug"])))}
    return {
        "schema": "pharmtwin-manifest-2",
        "study": config["study"],
        "data_kind": config["data_kind"],
        "config": json.loads(json.dumps(settings, default=str)),
        "inputs": input_entries(config),
        "facts": facts,
        "code": code,
        "outputs": outputs,
        "solver": {p.stem: json.loads(p.read_text(encoding="utf-8"))["cvode"] for p in files_below(folder / "compile")},
        "software": {"pharmtwin": __version__, **{p: metadata.version(p) for p in PACKAGES}},
        "seed_rule": "numpy SeedSequence([master_seed, sha256(stage)[:8], sha256(name)[:8]])",
    }
