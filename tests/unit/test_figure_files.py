"""Figures as files: every chart of the cohort's pages is drawn, with a table beside it that no spreadsheet runs."""

from __future__ import annotations

from pathlib import Path

from report_fixture import make_inputs, make_tables

from pharmtwin.dossier.figures import charts_of, tsv, write_figures
from pharmtwin.report.blocks import Cell, Table
from pharmtwin.report.index import index_page, stage_pages


def test_every_chart_has_its_pictures_and_its_table(tmp_path: Path) -> None:
    inputs = make_inputs(make_tables(6, 1))
    made = write_figures(inputs, tmp_path / "figures")
    pages = {"index.html": index_page(inputs), **stage_pages(inputs)}
    wanted = {f"{Path(n).stem}_{c.id}" for n, p in pages.items() for c in charts_of(p)}
    assert {"inputs_timeline", "body_activity-map", "simulation_forest", "accuracy_residuals-test"} <= wanted
    assert {p.stem for p in made if p.suffix == ".tsv"} == wanted
    for stem in wanted:
        svg = [p for p in made if p.suffix == ".svg" and p.stem.startswith(stem)]
        assert svg and all(p.read_bytes().lstrip().startswith(b"<?xml") for p in svg), stem
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in made if p.suffix == ".png")


def test_a_cell_that_would_run_is_quoted_and_numbers_are_not() -> None:
    table = Table.create("t", ["a", "b"], [["=1+1", "-2.5"], [Cell("x", sub="1 to 2"), "@y"]], limit=2)
    assert tsv(table) == "a\tb\n'=1+1\t-2.5\nx (1 to 2)\t'@y\n"
