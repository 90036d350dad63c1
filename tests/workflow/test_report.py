"""Snakemake's own report of a finished study holds the pages and what the evaluation says."""

from __future__ import annotations

import posixpath
import re
import zipfile
from pathlib import Path, PurePosixPath

from tests.workflow.conftest import Project


def test_snakemakes_report_gathers_pages_and_verdict(project: Project, tmp_path: Path) -> None:
    project.snakemake("--report", str(tmp_path / "report.zip"))
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        names = {Path(n).name for n in archive.namelist()}
        page = next(n for n in archive.namelist() if n.endswith("/index.html"))
        assert archive.read(page) == (project.folder / "results/small/report/index.html").read_bytes()
        pages = {
            PurePosixPath(n): archive.read(n).decode() for n in archive.namelist() if "/data/" in n and n.endswith("l")
        }
    assert {"inputs.html", "simulation.html", "accuracy.tsv", "verdict.txt", "report.html"} <= names
    twins = {p.name for p in (project.folder / "results/small/report/twins").glob("*.html")}
    assert twins and twins <= names
    led = {page.name: linked(page, text) for page, text in pages.items()}
    assert {t for targets in led.values() for t in targets} <= {posixpath.normpath(p) for p in pages}
    assert all(posixpath.normpath(PurePosixPath(page).parent / "twins" / t) in led["index.html"] for t in twins)
    assert all(str(PurePosixPath(page)) in led[t] for t in twins)  # and back


def linked(page: PurePosixPath, text: str) -> set[str]:
    """Names in the archive of the pages that a page leads to."""
    targets = re.findall(r'<a href="([^"#:]+)(?:#[^"]*)?"', text)
    return {posixpath.normpath(page.parent / t) for t in targets}


def test_a_single_file_holds_every_page(project: Project) -> None:
    """Its pages cannot lead to each other, but each is there."""
    project.snakemake("--report", "report.html")
    text = (project.folder / "report.html").read_text(encoding="utf-8")
    pages = sorted((project.folder / "results/small/report").rglob("*.html"))
    assert len(pages) > 10
    assert [p.name for p in pages if p.name not in text] == []
