"""A checkout and a study of a few small files, and a run of it as the last job would have written it down."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pharmtwin.provenance import manifest as m
from pharmtwin.provenance import run as r
from pharmtwin.provenance import sbom as b
from pharmtwin.provenance import write as w
from pharmtwin.workflow.calls import note_call

REPOSITORY = {
    "Snakefile": "rule all:\n",
    "rules/common.smk": "X = 1\n",
    "scripts/pbpk.py": "import json\n",
    "scripts/report.py": "import json\n",
    "scripts/__pycache__/stage.pyc": "bytecode",
    "src/pharmtwin/core.py": "VALUE = 1\n",
    "src/pharmtwin/tables/t.yaml": "name: t\n",
    "src/pharmtwin/picture.png": "not code",
    "src/pharmtwin.egg-info/SOURCES.txt": "not code",
    "requirements.lock": "numpy==2.0\n",
    "pyproject.toml": "[project]\n",
    "resources/genes/a.tsv": "allele\n*1\n",
}
STUDY = {
    "sheets/twins.tsv": "twin_id\tvcf\tsample\na\tone.vcf\ts1\nb\ttwo.vcf\ts2\n",
    "sheets/events.tsv": "twin_id\tevid\tuse\na\t0\tfit\n",
    "vcf/one.vcf": "##one\n",
    "vcf/two.vcf": "##two\n",
    "results/s/exposure.tsv": "twin_id\tmedian\na\t1.5\n",
    "results/s/report/index.html": "<p>made</p>\n",
    "results/s/logs/pbpk.log": "start\n",
    "results/s/logs/deep/x.benchmark.tsv": "s\n1.0\n",
    "results/s/run.json": "{}\n",
    "results/s/.hidden.tmp": "half\n",
}


bill = cache(b.sbom)


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def config(**more: Any) -> dict[str, Any]:
    paths = {"twins": "sheets/twins.tsv", "events": "sheets/events.tsv", "structure_calls": "", "vcf_dir": "vcf",
             "outside_files": [], "alignments": ""}  # fmt: skip
    return {"study": "s", "data_kind": "synthetic", "paths": paths, "drug": "paroxetine", "master_seed": 3,
            "buckets": 2, "fit": {"enabled": True}} | more  # fmt: skip


def place(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout and a study under ``root``, made the working directory; the folder of results."""
    lay(root / "checkout", REPOSITORY)
    lay(root / "study", STUDY)
    for module in (m, r):
        monkeypatch.setattr(module, "REPOSITORY", root / "checkout")
    monkeypatch.setattr(w, "sbom", bill)  # of this environment, read once for all tests
    monkeypatch.chdir(root / "study")
    return Path("results/s")


def note(folder: Path, rule: str, inputs: list[str], outputs: list[str], batch: str = "") -> None:
    """What a job notes beside its log."""
    text = {"rule": rule, "batch": batch, "script": f"scripts/{rule}.py", "input": inputs, "output": outputs}
    lay(folder, {f"logs/{rule}{batch}.job.json": json.dumps(text)})


def run(folder: Path, **more: Any) -> Path:
    """Two jobs, then everything that the last job writes; the folder again."""
    made, page = f"{folder}/exposure.tsv", f"{folder}/report"
    note(folder, "pbpk", ["sheets/events.tsv", "vcf/one.vcf", "resources/genes/a.tsv"], [made], batch="b000")
    note(folder, "report", [made], [page])
    note(folder, "manifest", [page], [f"{folder}/manifest.json"])
    lay(Path(), {"own.yaml": "study: s\n"})
    note_call(folder, 2, ["own.yaml"])
    w.write_records(config(**more), folder, ["something"])
    return folder


def paths(section: list[dict[str, Any]]) -> list[str]:
    return [e["path"] for e in section]
