"""The pieces a page is built of. A chart cannot be made without its table and its alternative text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

MAX_ROWS = 200


@dataclass(frozen=True)
class Cell:
    """A table cell: text, a second smaller line, a link to a page of the report, a badge (good, bad, warn, note)."""

    text: str
    link: str = ""
    badge: str = ""
    sub: str = ""


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``tone`` is plain, small, lead, caution or missing (a stage that did not run)."""

    kind: ClassVar[str] = "paragraph"
    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Alert:
    """A message nobody may overlook; ``level`` is bad, warn or good."""

    kind: ClassVar[str] = "alert"
    level: str
    title: str
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Tile:
    """One key figure."""

    value: str
    label: str
    badge: str = ""


@dataclass(frozen=True)
class Tiles:
    """Key figures in a row."""

    kind: ClassVar[str] = "tiles"
    items: tuple[Tile, ...]


@dataclass(frozen=True)
class Table:
    """A table: header texts, rows of cells; columns listed in ``text`` are aligned left, others as numbers.

    ``left_out`` says how many rows are not listed, and where they are; ``folded`` closes it until asked for.
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    text: frozenset[int]
    note: str = ""
    left_out: str = ""
    folded: bool = False

    @classmethod
    def create(
        cls,
        caption: str,
        header: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        text: Sequence[int] = (0,),
        note: str = "",
        folded: bool = False,
        limit: int = MAX_ROWS,
        file: str = "",
    ) -> Table:
        """Build a table; rows beyond ``limit`` are left out and counted (``file`` says where they stand)."""
        cells = tuple(tuple(c if isinstance(c, Cell) else Cell(str(c)) for c in row) for row in rows[:limit])
        if any(len(row) != len(header) for row in cells):
            raise ValueError(f"table {caption!r}: a row does not have {len(header)} cells")
        hidden = len(rows) - len(cells)
        where = f"; see {file}" if file else ""
        left_out = f"{hidden} further rows are not listed here{where}." if hidden else ""
        return cls(caption, tuple(header), cells, frozenset(text), note, left_out, folded)


@dataclass(frozen=True)
class Panel:
    """One drawing: plotly traces and its own layout, laid over the shared one; ``said``: its result in words."""

    label: str
    data: tuple[dict[str, Any], ...]
    layout: dict[str, Any]
    said: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure: panels side by side (``grid``) or one at a time, by a selector (``select``) or by radio buttons
    (``toggle``: the first panel is the case that counts, the one that prints), with text and table.

    ``alt`` is what a reader hears who cannot see it; ``table`` holds the numbers drawn; ``height`` in pixels;
    ``width`` is the least width of a panel in a grid (px); ``table_open`` shows the table without asking.
    """

    kind: ClassVar[str] = "chart"
    id: str
    title: str
    alt: str
    panels: tuple[Panel, ...]
    table: Table
    caption: str = ""
    mode: str = "grid"
    height: int = 340
    width: int = 300
    note: str = ""
    table_open: bool = False


Block = Paragraph | Alert | Bullets | Tiles | Table | Chart


@dataclass(frozen=True)
class Section:
    """A chapter of a page."""

    id: str
    title: str
    blocks: tuple[Block, ...]


#: below the pages about the study
FOOTER = "For research use only; not a medical device. Figures and tables come from the same files."


@dataclass(frozen=True)
class Page:
    """A page: headings, blocks above the chapters (the answer), chapters, and links up.

    links : (name, file) of the pages beside it; here : the file of this one among them.
    """

    title: str
    heading: str
    subheading: str
    data_kind: str
    top: tuple[Block, ...]
    sections: tuple[Section, ...]
    home: str = ""
    footer: str = ""
    links: tuple[tuple[str, str], ...] = ()
    here: str = ""
