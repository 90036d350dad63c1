"""Figures of the cohort's pages as files: SVG and PNG by matplotlib and the table of each, from the same charts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pharmtwin.dossier.drawing import draw
from pharmtwin.files import write_bytes, write_text
from pharmtwin.report.blocks import Cell, Chart, Page, Table
from pharmtwin.report.index import index_page, stage_pages
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.tables.spreadsheet import escaped


def charts_of(page: Page) -> Iterator[Chart]:
    """Charts of a page, from top to bottom."""
    for block in (*page.top, *(b for s in page.sections for b in s.blocks)):
        if isinstance(block, Chart):
            yield block


def tsv(table: Table) -> str:
    """A table as tab-separated text; a cell that a spreadsheet would run as a formula begins with an apostrophe."""

    def text(cell: Cell) -> str:
        return escaped(" ".join((f"{cell.text} ({cell.sub})" if cell.sub else cell.text).split()))

    rows = ["\t".join(table.header), *("\t".join(text(c) for c in row) for row in table.rows)]
    return "\n".join([*rows, *([f"# {table.left_out}"] if table.left_out else [])]) + "\n"


def write_figures(inputs: ReportInputs, folder: Path) -> list[Path]:
    """Write every figure of the cohort's pages to ``folder`` as <page>_<figure>.svg, .png and .tsv; their paths."""
    made = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in {"index.html": index_page(inputs), **stage_pages(inputs)}.items():
        for chart in charts_of(page):
            stem = f"{Path(name).stem}_{chart.id}"
            for picture in draw(chart):
                part = f"{stem}_{picture.part}" if picture.parts > 1 else stem
                for suffix, data in (("svg", picture.svg), ("png", picture.png)):
                    made.append(folder / f"{part}.{suffix}")
                    write_bytes(made[-1], data)
            made.append(folder / f"{stem}.tsv")
            write_text(made[-1], tsv(chart.table))
    return made
