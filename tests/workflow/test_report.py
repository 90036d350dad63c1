"""Snakemake's own report of a finished study holds the pages and what the evaluation says."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.workflow.conftest import Project


def test_snakemakes_report_gathers_pages_and_verdict(project: Project, tmp_path: Path) -> None:
    project.snakemake("--report", str(tmp_path / "report.zip"))
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        names = {Path(n).name for n in archive.namelist()}
        page = next(n for n in archive.namelist() if n.endswith("/index.html"))
        assert archive.read(page) == (project.folder / "results/small/report/index.html").read_bytes()
    assert {"inputs.html", "simulation.html", "accuracy.tsv", "verdict.txt", "report.html"} <= names
    twins = {p.name for p in (project.folder / "results/small/report/twins").glob("*.html")}
    assert twins and twins <= names
