"""The dossier of a whole small run: plan before the fit, document and package after, results untouched."""

from __future__ import annotations

import json
import subprocess

import pandas as pd
import pytest

from pharmtwin.cli import main
from pharmtwin.report import budgets
from tests.workflow.conftest import Project

pytest.importorskip("typst")
ABOUT = "config/examples/dossier/demo.yaml"


def test_a_plan_is_an_input_of_the_fit_and_the_dossier_tells_its_hash(project: Project) -> None:
    plan = ["-m", "pharmtwin.cli", "plan", "--about", ABOUT, "--configfile", "config/small.yaml", "--out", "plan.json"]
    made = subprocess.run([project.command()[0], *plan], cwd=project.folder, env=project.environment(),
                          capture_output=True, text=True, check=True)  # fmt: skip
    sha = made.stdout.split()[0]
    settings = project.folder / "config/small.yaml"
    text = settings.read_text(encoding="utf-8")
    text = text.replace("paths: {", "paths: {plan: plan.json, ") + f"dossier: {{about: {ABOUT}}}\n"
    settings.write_text(text, encoding="utf-8")
    assert "fit" in project.planned()
    project.snakemake("--", "dossier")

    folder = project.folder / "results/small"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert sha in {e["sha256"] for e in manifest["inputs"]}
    page = (folder / "dossier/dossier.html").read_text(encoding="utf-8")
    assert sha in page and "do not deviate from the plan" in page and 'data-mark="DRAFT"' in page
    assert len(page.encode()) <= budgets.DOSSIER
    assert (folder / "dossier/dossier.pdf").read_bytes().startswith(b"%PDF")
    assert main(["verify", str(folder / "manifest.json")]) == 0

    events = project.sheet("events")
    package = folder / "dossier/package"
    assert len(pd.read_sas(package / "datasets/pc.xpt", format="xport", encoding="ascii")) == len(events) - 1
    code = {e["path"] for e in manifest["code"]}
    assert {p.relative_to(package / "programs").as_posix().removesuffix(".txt")
            for p in (package / "programs").rglob("*") if p.is_file()} == code  # fmt: skip
    done = subprocess.run(["sha256sum", "--quiet", "-c", "sha256.txt"], cwd=folder / "dossier", capture_output=True)
    assert done.returncode == 0, done.stdout
