"""The document: three forms with the same numbers, a summary that says what its tables say, blanks, DRAFT mark."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from dossier_fixture import BLANK, about, make_run

from pharmtwin.dossier.build import Built, PlanState, build
from pharmtwin.dossier.datasets import data_sets
from pharmtwin.dossier.drawing import NotDrawn, Picture, draw, draw_panel
from pharmtwin.dossier.layout import FigureItem, HeadingItem, TableItem, lay_out, widths
from pharmtwin.dossier.package import FOLDERS
from pharmtwin.dossier.page import LARGEST, html_text, write_page
from pharmtwin.dossier.pdf import breakable, write_pdf
from pharmtwin.dossier.plan import Deviation
from pharmtwin.dossier.run import Run
from pharmtwin.dossier.word import write_word
from pharmtwin.report.blocks import Cell, Chart, Panel, Table
from pharmtwin.report.words import metric, model, number, percent, short_model

pytest.importorskip("docx")
pytest.importorskip("typst")
WHEN = datetime.fromisoformat("2026-11-22T13:48:17+00:00")
#: drawing takes seconds: the tests share what does not depend on what they change
PICTURES: dict[str, list[Picture]] = {}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def built(run: Run) -> Built:
    return build(run, about(), PlanState(), data_sets(run), FOLDERS, pictures=PICTURES)


@pytest.fixture(scope="module")
def page(built: Built) -> str:
    d = built.dossier
    return html_text(d.cover, built.layout.items, d.mark, d.footer)


class Reader(HTMLParser):
    """Tables of a page by number: rows of cell texts, header first; and its links to elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[int, list[list[str]]] = {}
        self.requests: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self._cell: list[str] | None = None
        self._number = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "figure" and given.get("class") == "table":
            self._number = int(str(given["id"]).removeprefix("table-"))
            self.tables[self._number] = []
        elif tag == "tr":
            self.tables[self._number].append([])
        elif tag in ("td", "th"):
            self._cell = []
        elif tag == "small" and self._cell is not None:
            self._cell.append(" (")
        elif tag == "img":
            self.images.append(given)
        self.requests += [v for k in ("src", "href") if (v := given.get(k)) and not v.startswith(("#", "data:"))]

    def handle_endtag(self, tag: str) -> None:
        if tag == "small" and self._cell is not None:
            self._cell.append(")")
        elif tag in ("td", "th") and self._cell is not None:
            self.tables[self._number][-1].append("".join(self._cell))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def summary(reader: Reader) -> Iterator[tuple[str, str, int, list[str], str]]:
    """(result, value, table, names of the row, column) of every line of the summary."""
    for words, value, place in reader.tables[1][1:]:
        found = re.fullmatch(r"Table (\d+), row (.*); column (.*)", place)
        assert found, place
        yield words, value, int(found[1]), found[2].split(", "), found[3]


def test_every_number_of_the_summary_is_in_the_table_that_it_cites(page: str) -> None:
    reader = Reader(page)
    lines = list(summary(reader))
    assert len(lines) > 15
    for words, value, table, names, column in lines:
        header, *rows = reader.tables[table]
        j = header.index(column)
        of_row = [r for r in rows if all(n in ", ".join(r[:j]) for n in names)]
        assert any(r[j] == value for r in of_row), (words, value, table, names, column, of_row)


def test_the_summary_agrees_with_the_table_of_accuracy_itself(run: Run, page: str) -> None:
    """From the figures, not from the dossier's own tables: written here again by the rules of the report."""
    said = {words: value for words, value, *_ in summary(Reader(page))}
    accuracy = run.inputs.accuracy
    rows = accuracy[~accuracy["seen_by_fit"] & accuracy["model"].isin(["population", "covariates", "twin"])]
    checked = 0
    for row in rows.itertuples():
        if row.metric.startswith("GMFE_ratio_to_"):
            other = model(row.metric.removeprefix("GMFE_ratio_to_")).split(" (")[0]
            words, write = f"Ratio of GMFE, {short_model(row.model)} to {other}: {row.data_set}", number
        elif row.metric in ("GMFE", "within_2", "coverage_90"):
            words = f"{metric(row.metric)}, {short_model(row.model)}: {row.data_set}"
            write = number if row.metric == "GMFE" else percent
        else:
            continue
        value = said[words].split(" (")[0]
        assert value == write(row.value), (words, value, row.value)
        checked += 1
    assert checked >= 9


def test_a_changed_figure_changes_summary_and_table_alike(run: Run) -> None:
    accuracy = run.inputs.accuracy.copy()
    chosen = (accuracy["model"] == "twin") & (accuracy["metric"] == "GMFE") & ~accuracy["seen_by_fit"]
    accuracy.loc[chosen, ["value", "lo95", "hi95"]] = [7.77, 6.66, 8.88]
    other = replace(run, inputs=replace(run.inputs, accuracy=accuracy))
    made = build(other, about(), PlanState(), [], FOLDERS, pictures=PICTURES)
    assert [c.value for c in made.cited].count("7.77 (6.66 to 8.88)") == int(chosen.sum())


def test_tables_and_figures_are_numbered_in_order_once(built: Built) -> None:
    tables = [i.number for i in built.layout.items if isinstance(i, TableItem)]
    assert tables == list(range(1, len(tables) + 1))
    first = [i.number for i in built.layout.items if isinstance(i, FigureItem) and i.picture.part == 1]
    assert first == list(range(1, len(first) + 1)) and len(first) >= 8
    chapters = [i.text.split()[0] for i in built.layout.items if isinstance(i, HeadingItem) and i.level == 1]
    assert chapters == [*map(str, range(1, 13)), *["Appendix"] * 4]


def test_the_page_makes_no_request_and_is_small(page: str, tmp_path: Path) -> None:
    reader = Reader(page)
    assert reader.requests == []
    assert all(i.get("alt") for i in reader.images) and len(reader.images) >= 8
    assert len(page.encode()) < LARGEST == 10_000_000
    with pytest.raises(ValueError, match="more than"):
        write_page(page + "x" * LARGEST, str(tmp_path / "x.html"))


def test_blanks_show_as_blanks_and_nothing_is_filled_in(run: Run) -> None:
    made = build(run, about(BLANK), PlanState(), [], FOLDERS, pictures=PICTURES)
    d = made.dossier
    text = html_text(d.cover, made.layout.items, d.mark, d.footer)
    for key in ("title", "question_of_interest", "introduction.drug", "discussion.conclusion", "criteria"):
        assert f"[blank: {key}]" in text
    assert "not known: influence or consequence is blank" in text
    assert "neither met nor not met" in text
    assert " criteria met" not in text


def test_the_author_s_words_are_marked_and_escaped(run: Run) -> None:
    stated = about()
    changed = replace(stated, content={**stated.content, "question_of_interest": "<b>#x</b> $y$ *z* _w_ @k"})
    made = build(run, changed, PlanState(), [], FOLDERS, pictures=PICTURES)
    d = made.dossier
    text = html_text(d.cover, made.layout.items, d.mark, d.footer)
    assert '<p class="authored" data-key="question_of_interest">&lt;b&gt;#x&lt;/b&gt; $y$ *z* _w_ @k</p>' in text


def test_draft_until_released(run: Run, page: str) -> None:
    assert 'data-mark="DRAFT"' in page and "no: DRAFT" in page
    made = build(run, about(), PlanState(), [], FOLDERS, release="A. Reviewer", pictures=PICTURES)
    d = made.dossier
    text = html_text(d.cover, made.layout.items, d.mark, d.footer)
    assert "DRAFT" not in text and "by A. Reviewer" in text


def test_deviations_and_the_plan_s_hash_are_listed(run: Run) -> None:
    state = PlanState("plan.json", "a" * 64, True, (Deviation("settings.fit.draws", "3000", "10", ""),))
    made = build(run, about(), state, [], FOLDERS, pictures=PICTURES)
    d = made.dossier
    text = html_text(d.cover, made.layout.items, d.mark, d.footer)
    assert "a" * 64 in text and "an input of the fit" in text
    assert "settings.fit.draws" in text and "[blank: deviations.settings.fit.draws]" in text
    without = build(run, about(), PlanState(), [], FOLDERS, pictures=PICTURES)
    text = html_text(d.cover, without.layout.items, d.mark, d.footer)
    assert "No analysis plan" in text


def test_word_opens_with_fields_for_numbers_and_the_same_tables(built: Built, tmp_path: Path) -> None:
    import docx

    d, items = built.dossier, built.layout.items
    for name in ("a", "b"):
        write_word(tmp_path / f"{name}.docx", d.cover, items, d.mark, d.footer, WHEN)
    assert (tmp_path / "a.docx").read_bytes() == (tmp_path / "b.docx").read_bytes()
    opened = docx.Document(str(tmp_path / "a.docx"))
    tables = [i for i in items if isinstance(i, TableItem)]
    assert len(opened.tables) == len(tables)
    for made, wanted in zip(opened.tables, tables):
        assert len(made._tbl.tr_lst) == len(wanted.rows) + 1, wanted.label
        assert sum(int(c.get(c.nsmap["w"].join("{}") + "w")) for c in made._tbl.tblGrid) <= 9700, wanted.label
    xml = zipfile.ZipFile(tmp_path / "a.docx").read("word/document.xml").decode()
    assert len(re.findall("SEQ Table", xml)) == len(tables)
    assert len(re.findall("PAGEREF", xml)) == len([i for i in items if isinstance(i, HeadingItem)])
    assert xml.count("<w:tblHeader/>") == len(tables)
    assert "DRAFT" in zipfile.ZipFile(tmp_path / "a.docx").read("word/header1.xml").decode()
    pictures = [i for i in items if isinstance(i, FigureItem)]
    assert len(opened.inline_shapes) == len(pictures)
    assert re.findall(r'<wp:docPr[^>]* descr="([^"]+)"', xml)


def test_pdf_is_tagged_archival_and_repeats_its_bytes(built: Built, tmp_path: Path) -> None:
    d, items = built.dossier, built.layout.items
    for name in ("a", "b"):
        write_pdf(tmp_path / f"{name}.pdf", d.cover, items, d.mark, d.footer, WHEN)
    raw = (tmp_path / "a.pdf").read_bytes()
    assert raw == (tmp_path / "b.pdf").read_bytes()
    assert raw.startswith(b"%PDF-1.7") and b"/StructTreeRoot" in raw and b"pdfaid" in raw


def test_long_words_can_be_broken_and_keep_their_letters() -> None:
    word = "physiology/tissue_composition_originals.tsv:" + "0123456789abcdef" * 4
    broken = breakable(word)
    assert broken.replace("\u200b", "") == word
    assert max(map(len, broken.split("\u200b"))) <= 18
    assert breakable("a short text") == "a short text"


def test_widths_leave_room_for_the_longest_word() -> None:
    rows = [[Cell("x"), Cell("many words " * 30), Cell("abcdefghijkl")]] * 3
    shares = widths(["Id", "Text", "Word"], rows)
    assert sum(shares) == pytest.approx(1)
    assert shares[1] > shares[2] > shares[0]
    assert shares[2] * 482 >= 12 * 0.6 * 8.5


def test_long_texts_get_the_room_that_short_ones_do_not_need() -> None:
    """Texts of 300 and 600 letters beside short ones: the rest of the width goes to them, one part and two."""
    rows = [[Cell("ab cd"), Cell("word " * 60), Cell("word " * 120), Cell("1.23")]] * 4
    narrow, one, two, number = (482 * w for w in widths(["Id", "A", "B", "N"], rows))
    assert narrow < 40 and number < 40
    assert 1.2 < two / one < 2.0 and one + two > 0.85 * 482


def _chart(trace: dict[str, object]) -> Chart:
    panel = Panel("", (trace,), {"xaxis": {}, "yaxis": {}})
    table = Table.create("t", ["a"], [["1"]])
    return Chart("c", "Title", "alt", (panel,), table)


def test_a_figure_that_is_not_known_is_named_and_not_lost() -> None:
    pie = _chart({"type": "pie", "x": [1], "y": [1]})
    with pytest.raises(NotDrawn, match="pie"):
        draw(pie)
    from pharmtwin.dossier.blocks import Chapter

    items = lay_out([Chapter("1", "One", (pie,))]).items
    assert any("Not drawn here" in getattr(i, "text", "") and "pie" in getattr(i, "text", "") for i in items)


def test_a_part_of_a_figure_that_is_not_known_is_refused() -> None:
    trace = {"type": "scatter", "mode": "lines", "x": [1], "y": [1], "name": "a", "stackgroup": "one"}
    with pytest.raises(NotDrawn, match="stackgroup"):
        draw(_chart(trace))


def test_bars_begin_at_their_base() -> None:
    """As in a tornado: both bars of an input begin at the base, not at 0 and not on top of each other."""
    from matplotlib.figure import Figure

    bar = {"type": "bar", "orientation": "h", "y": ["a", "b"], "base": [5, 5], "marker": {"color": "#000000"}}
    data = ({**bar, "x": [-2, -1], "name": "low"}, {**bar, "x": [3, 4], "name": "high"})
    axes = Figure().subplots()
    draw_panel(axes, Panel("", data, {"barmode": "overlay", "xaxis": {}, "yaxis": {}}))
    spans = sorted((p.get_x(), p.get_x() + p.get_width()) for p in axes.patches)
    assert {tuple(sorted(s)) for s in spans} == {(3, 5), (4, 5), (5, 8), (5, 9)}


def test_every_figure_of_the_report_is_drawn(built: Built) -> None:
    assert not [i for i in built.layout.items if "Not drawn here" in getattr(i, "text", "")]


def test_equal_figures_give_equal_bytes_and_parts_hold_all_panels() -> None:
    trace = {"type": "scatter", "mode": "lines", "x": [1, 2], "y": [1, 4], "name": "a"}
    one = _chart(trace)
    assert draw(one)[0] == draw(one)[0]
    many = replace(one, panels=one.panels * 19)
    assert [(p.part, p.parts) for p in draw(many)] == [(1, 3), (2, 3), (3, 3)]


def test_a_twin_no_better_than_the_population_is_said(run: Run) -> None:
    accuracy: pd.DataFrame = run.inputs.accuracy.copy()
    chosen = (accuracy["model"] == "twin") & (accuracy["metric"] == "GMFE_ratio_to_population")
    accuracy.loc[chosen, ["value", "lo95", "hi95"]] = [1.4, 1.2, 1.7]
    made = build(
        replace(run, inputs=replace(run.inputs, accuracy=accuracy)),
        about(),
        PlanState(),
        [],
        FOLDERS,
        pictures=PICTURES,
    )
    alerts = [i.text for i in made.layout.items if i.kind == "alert"]
    assert any("twin model is further off than the population model" in t for t in alerts)
