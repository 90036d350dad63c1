"""Figures as files: every chart of the cohort's pages is drawn, with a table beside it that no spreadsheet runs."""

from __future__ import annotations

from pathlib import Path

from criticism_fixture import criticism_tables
from report_fixture import make_inputs, make_tables

from pharmtwin.dossier.figures import charts_of, tsv, write_figures
from pharmtwin.genome.cohort_frequencies import cohort_frequencies
from pharmtwin.report.blocks import Cell, Table
from pharmtwin.report.index import index_page, stage_pages


def test_every_chart_has_its_pictures_and_its_table(tmp_path: Path) -> None:
    tables = make_tables(6, 1)
    people = dict(zip(tables["covariates"]["twin_id"], tables["covariates"]["ancestry"]))
    alleles, genes = cohort_frequencies(tables["genotype"], tables["twin_sites"], people)
    more = {**criticism_tables(divergent=2, lloq=3.0), "allele_frequencies": alleles, "allele_genes": genes}
    inputs = make_inputs(tables, **more)
    made = write_figures(inputs, tmp_path / "figures")
    pages = {"index.html": index_page(inputs), **stage_pages(inputs)}
    wanted = {f"{Path(n).stem}_{c.id}" for n, p in pages.items() for c in charts_of(p)}
    assert {"inputs_timeline", "body_activity-map", "simulation_forest", "accuracy_residuals-test"} <= wanted
    assert {"fit_ranks", "fit_traces", "fit_energy", "fit_pairs", "accuracy_vpc", "accuracy_pcvpc"} <= wanted
    assert {"accuracy_vpc-blq", "genome_frequencies"} <= wanted
    assert {p.stem for p in made if p.suffix == ".tsv"} == wanted
    for stem in wanted:
        svg = [p for p in made if p.suffix == ".svg" and p.stem.startswith(stem)]
        assert svg and all(p.read_bytes().lstrip().startswith(b"<?xml") for p in svg), stem
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in made if p.suffix == ".png")


def test_a_cell_that_would_run_is_quoted_and_numbers_are_not() -> None:
    table = Table.create("t", ["a", "b"], [["=1+1", "-2.5"], [Cell("x", sub="1 to 2"), "@y"]], limit=2)
    assert tsv(table) == "a\tb\n'=1+1\t-2.5\nx (1 to 2)\t'@y\n"
