"""The dossier as one HTML page that makes no request: style and pictures inside, readable on screen and on paper."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pharmtwin.dossier.blocks import Cover
from pharmtwin.dossier.layout import Item
from pharmtwin.dossier.pdf import cover_values
from pharmtwin.files import write_text

LARGEST = 10_000_000  # bytes of the page


def _image(svg: bytes) -> Markup:
    """A picture as the address of an image; inside an image, names in the SVG cannot clash with those of others."""
    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pharmtwin.dossier"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["image"] = _image
    return environment


def html_text(cover: Cover, items: Sequence[Item], mark: str, footer: str) -> str:
    """The page as text."""
    css = Markup((files("pharmtwin.dossier") / "templates" / "dossier.css").read_text(encoding="utf-8"))
    values = cover_values(cover)
    return _environment().get_template("dossier.html.j2").render(
        cover=values, items=items, mark=mark, footer=footer, css=css
    )  # fmt: skip


def write_page(text: str, path: str) -> None:
    """Write the page; raises ValueError if it is larger than a mail or a reader's patience allows."""
    size = len(text.encode("utf-8"))
    if size > LARGEST:
        raise ValueError(f"the page has {size} bytes, more than {LARGEST}")
    from pathlib import Path

    write_text(Path(path), text)
