"""From chapters to the flow of a document: headings, texts, numbered tables and figures, in the order of the pages.

One flow, three writers (HTML, DOCX, PDF): numbers and captions are set here, so that all three agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pharmtwin.dossier.blocks import Authored, Chapter, Heading, blank_words
from pharmtwin.dossier.drawing import NotDrawn, Picture, draw
from pharmtwin.report.blocks import Alert, Bullets, Cell, Chart, Paragraph, Table, Tiles

TEXT_WIDTH = 482.0  # points: A4 less margins of 2 cm
LETTER = 0.6  # width of a letter as a share of its size, generous
PADDING = 9.0  # points beside a cell's text
LONG = 400.0  # letters beyond which a text gets no wider column
BREAK = 18  # a longer word may be broken


@dataclass(frozen=True)
class HeadingItem:
    """A heading of level 1 (chapter) or 2; ``anchor`` names it."""

    kind: ClassVar[str] = "heading"
    level: int
    text: str
    anchor: str


@dataclass(frozen=True)
class TextItem:
    """A paragraph; ``tone`` as in the report, or ``authored``, ``blank``; ``key`` of an author's text."""

    kind: ClassVar[str] = "text"
    text: str
    tone: str = "plain"
    key: str = ""


@dataclass(frozen=True)
class TableItem:
    """A numbered table; ``numeric`` says which columns are aligned right, ``widths`` their shares of the width."""

    kind: ClassVar[str] = "table"
    number: int
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[bool, ...]
    widths: tuple[float, ...]
    note: str

    @property
    def label(self) -> str:
        """``Table 3``."""
        return f"Table {self.number}"

    @property
    def size(self) -> float:
        """Size of the letters in points."""
        return font_size(len(self.header))


@dataclass(frozen=True)
class FigureItem:
    """A numbered figure, one picture of it; a continued one keeps its number."""

    kind: ClassVar[str] = "figure"
    number: int
    caption: str
    alt: str
    picture: Picture
    note: str

    @property
    def label(self) -> str:
        """``Figure 3``."""
        return f"Figure {self.number}"


#: lists and alerts are those of the report
Item = HeadingItem | TextItem | Bullets | Alert | TableItem | FigureItem


def font_size(columns: int) -> float:
    """Size of a table's letters in points: smaller for many columns."""
    return 8.5 if columns <= 5 else 7.5 if columns <= 8 else 6.5


def widths(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> tuple[float, ...]:
    """Shares of the width by column: first what the longest word needs, the rest to texts that need more than that.

    In proportion to what each lacks to stand on one line, so that the long texts of a row are about equally high.
    """
    letter = LETTER * font_size(len(header))
    columns = [[name, *(t for r in rows for t in (r[j].text, r[j].sub) if t)] for j, name in enumerate(header)]
    typical = [min(max(sum(map(len, c)) / len(c), max(map(len, c)) / 3), LONG) for c in columns]
    words = [max((min(len(w), BREAK) for t in c for w in t.split()), default=1) for c in columns]
    least = [PADDING + letter * w for w in words]
    lack = [max(0.0, letter * (t - w)) for t, w in zip(typical, words)]
    rest = TEXT_WIDTH - sum(least)
    if rest <= 0:
        return tuple(w / sum(least) for w in least)
    if rest >= sum(lack):  # all stand on one line: what is left goes by the columns' own widths
        one_line = [w + x for w, x in zip(least, lack)]
        return tuple(w / sum(one_line) for w in one_line)
    return tuple((w + rest * x / sum(lack)) / TEXT_WIDTH for w, x in zip(least, lack))


def _end(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def gather_numbers(chapters: Sequence[Chapter]) -> list[Table]:
    """The folded tables of figures: they go to appendix A, so that the chapters can be read."""
    charts = [b for c in chapters for b in c.blocks if isinstance(b, Chart)]
    return [_titled(c) for c in charts if not c.table_open]


def _titled(chart: Chart) -> Table:
    """The table of a figure, with a caption that names the figure."""
    return replace(chart.table, caption=f"Numbers of the figure “{chart.title}”")


class Layout:
    """The flow of a document, and the number of each of its tables (a table is a value)."""

    def __init__(self, pictures: dict[str, list[Picture]] | None = None) -> None:
        self.items: list[Item] = []
        self.pictures = {} if pictures is None else pictures
        self._figures = 0
        self._tables: list[Table] = []

    def number_of(self, table: Table) -> int:
        """Number of a table of this flow; 0 if it is not in it."""
        return next((i for i, t in enumerate(self._tables, start=1) if t is table or t == table), 0)

    def number_of_caption(self, caption: str) -> int:
        """Number of the first table with a caption; 0 if there is none."""
        return next((i for i, t in enumerate(self._tables, start=1) if t.caption == caption), 0)

    def _table(self, table: Table) -> None:
        self._tables.append(table)
        note = " ".join(filter(None, (table.note, table.left_out)))
        numeric = tuple(i not in table.text for i in range(len(table.header)))
        header, rows = table.header, table.rows
        number = len(self._tables)
        self.items.append(TableItem(number, _end(table.caption), header, rows, numeric, widths(header, rows), note))

    def _chart(self, chart: Chart) -> None:
        self._figures += 1
        caption = _end(chart.title) + (f" {chart.caption}" if chart.caption else "")
        try:
            if chart.id not in self.pictures:
                self.pictures[chart.id] = draw(chart)
            for p in self.pictures[chart.id]:
                words = caption if p.part == 1 else f"{_end(chart.title)} (continued, {p.part} of {p.parts})"
                self.items.append(
                    FigureItem(self._figures, words, chart.alt, p, chart.note if p.part == p.parts else "")
                )
        except NotDrawn as error:
            text = f"Figure {self._figures}. {caption} Not drawn here ({error}); see the study's report."
            self.items.append(TextItem(text, "caution"))
        if chart.table_open:
            self._table(chart.table)

    def add(self, chapter: Chapter) -> None:
        """Append a chapter."""
        kind = "Appendix " if chapter.number.isalpha() else ""
        self.items.append(HeadingItem(1, f"{kind}{chapter.number} {chapter.title}", f"chapter-{chapter.number}"))
        headings = 0
        for block in chapter.blocks:
            if isinstance(block, Heading):
                headings += 1
                text = f"{chapter.number}.{headings} {block.text}"
                self.items.append(HeadingItem(2, text, f"section-{chapter.number}-{headings}"))
            elif isinstance(block, Authored):
                text = block.text or blank_words(block.key)
                self.items.append(TextItem(text, "authored" if block.text else "blank", block.key))
            elif isinstance(block, Paragraph):
                self.items.append(TextItem(block.text, block.tone))
            elif isinstance(block, Bullets | Alert):
                self.items.append(block)
            elif isinstance(block, Tiles):
                rows = [[t.label, t.value] for t in block.items]
                self._table(Table.create("Key figures", ["Figure", "Value"], rows))
            elif isinstance(block, Table):
                self._table(block)
            elif isinstance(block, Chart):
                self._chart(block)
            else:
                raise TypeError(f"a dossier has no place for a block of type {type(block).__name__}")


def lay_out(chapters: Sequence[Chapter], pictures: dict[str, list[Picture]] | None = None) -> Layout:
    """All chapters in one flow; ``pictures`` keeps what is drawn, for a second pass."""
    layout = Layout(pictures)
    for chapter in chapters:
        layout.add(chapter)
    return layout
