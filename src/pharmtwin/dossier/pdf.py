"""The dossier as PDF, set by typst from the same flow; the template reads JSON, so no text is ever read as mark-up."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pharmtwin.dossier.blocks import Cover, blank_words
from pharmtwin.dossier.layout import BREAK, FigureItem, Item, TableItem

SPLIT = "\u200b"  # a place where a line may end
#: archival PDF with tags: ISO 19005-2, level A
#: signs that no font has: so many are spelled out, a compilation each
MOST_ODD = 50
STANDARD: Literal["a-2a"] = "a-2a"


def breakable(text: str) -> str:
    """Text whose long words (paths, hashes, expressions) may be broken, first after punctuation, then anywhere."""

    def split(found: re.Match[str]) -> str:
        word = re.sub(r"([/_.,;:=()*+|-])(?=.)", rf"\1{SPLIT}", found[0])
        return SPLIT.join(re.sub(rf"([^{SPLIT}]{{{BREAK}}})(?=.)", rf"\1{SPLIT}", part) for part in word.split(SPLIT))

    return re.sub(rf"\S{{{BREAK},}}", split, text)


def _item(item: Item, folder: Path, index: int) -> dict[str, Any]:
    """One item as JSON; a figure's picture goes to a file beside it."""
    if isinstance(item, FigureItem):
        name = f"figure-{index}.svg"
        (folder / name).write_bytes(item.picture.svg)
        kept = {k: v for k, v in asdict(item).items() if k != "picture"}
        return {"kind": item.kind, "label": item.label, "file": name, "width": item.picture.width_cm, **kept}
    out: dict[str, Any] = {"kind": item.kind, **asdict(item)}
    if isinstance(item, TableItem):
        out |= {"label": item.label, "size": item.size}
        out["header"] = [breakable(h) for h in out["header"]]
        out["rows"] = [[{k: breakable(c[k]) if k != "badge" else c[k] for k in ("text", "sub", "badge")} for c in row]
                       for row in out["rows"]]  # fmt: skip
    return out


def cover_values(cover: Cover) -> dict[str, Any]:
    """The cover's texts, blanks in words."""
    return {
        "title": cover.title.text or blank_words(cover.title.key),
        "title_blank": not cover.title.text,
        "context": cover.context.text or blank_words(cover.context.key),
        "context_blank": not cover.context.text,
        "lines": [[k, breakable(v)] for k, v in cover.lines],
        "banner": cover.banner,
    }


def write_pdf(path: Path, cover: Cover, items: Sequence[Item], mark: str, footer: str, when: datetime) -> None:
    """Write the PDF: fonts of the typesetter itself (no font of the machine), time stamp as given."""
    import typst

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = {
            "cover": cover_values(cover),
            "items": [_item(item, folder, i) for i, item in enumerate(items)],
            "mark": mark,
            "footer": footer,
            "date": [when.year, when.month, when.day],
        }
        text = json.dumps(document, ensure_ascii=False)
        template = (files("pharmtwin.dossier") / "templates" / "dossier.typ").read_text(encoding="utf-8")
        (folder / "dossier.typ").write_text(template, encoding="utf-8")
        for _ in range(MOST_ODD):
            (folder / "document.json").write_text(text, encoding="utf-8")
            try:
                made = typst.compile(
                    str(folder / "dossier.typ"),
                    root=str(folder),
                    format="pdf",
                    ignore_system_fonts=True,
                    pdf_standards=STANDARD,
                    timestamp=int(when.timestamp()),
                )
                break
            except typst.TypstError as error:
                odd = re.search(r'the text `"(.+?)"` could not be displayed', str(error))
                if odd is None:
                    raise
                text = spelled(text, odd[1])
        else:
            raise ValueError(f"more than {MOST_ODD} signs of the texts are in no font of the PDF")
    path.write_bytes(made)


def spelled(text: str, odd: str) -> str:
    """JSON text with signs that no font of the PDF has (as typst quotes them) by their code points: ``[U+6F22]``."""
    signs = re.sub(r"\\u\{([0-9a-f]+)\}", lambda found: chr(int(found[1], 16)), odd)
    signs = {"\\t": "\t", "\\r": "\r", "\\n": "\n", "\\0": "\0"}.get(signs, signs)
    for sign in dict.fromkeys(c for c in signs if not c.isascii() or not c.isprintable()):
        written = json.dumps(sign, ensure_ascii=False)[1:-1]
        text = text.replace(written, f"[U+{ord(sign):04X}]")
    return text
