"""What a dossier is built of, beside the report's blocks: chapters, the author's texts, blanks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pharmtwin.dossier.about import About
from pharmtwin.report import blocks as report
from pharmtwin.report.blocks import Cell


@dataclass(frozen=True)
class Heading:
    """A heading inside a chapter."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Authored:
    """A text that the author wrote under ``key`` of dossier.yaml; empty: a blank, shown as one."""

    kind: ClassVar[str] = "authored"
    key: str
    text: str


Block = report.Block | Heading | Authored


@dataclass(frozen=True)
class Chapter:
    """A chapter: ``number`` 1 to 12 or A to D."""

    number: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Cover:
    """The first page: title, lines (name, value) of the tool, and the author's one-line context of use."""

    title: Authored
    context: Authored
    lines: tuple[tuple[str, str], ...]
    banner: str


@dataclass(frozen=True)
class Dossier:
    """The whole: ``mark`` is the mark on every page (DRAFT until released, then empty)."""

    cover: Cover
    chapters: tuple[Chapter, ...]
    mark: str
    footer: str


def authored(about: About, key: str) -> Authored:
    """The author's text under a key, or its blank."""
    return Authored(key, about.text(key))


def blank_words(key: str) -> str:
    """How a blank is shown."""
    return f"[blank: {key}]"


def authored_cell(about: About, key: str) -> Cell:
    """The author's text in a table."""
    text = about.text(key)
    return Cell(text) if text else Cell(blank_words(key), badge="warn")
