"""The dossier as DOCX, for writers to edit: headings are styles; pages of the contents and caption numbers are fields.

Built on python-docx; tables are written as XML in one piece, since cell by cell is slow for thousands of rows.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from pharmtwin.dossier.blocks import Cover
from pharmtwin.dossier.layout import FigureItem, HeadingItem, Item, TableItem, TextItem
from pharmtwin.dossier.pdf import cover_values
from pharmtwin.report.blocks import Bullets, Cell

TWIPS = 9639  # text width of A4 with margins of 2 cm
COLOURS = {"bad": "B3261E", "warn": "9A5B00", "good": "1B6E3C", "note": "0072B2"}
AUTHOR, GREY = "0072B2", "9AA3AD"
#: Word's own way of a watermark: a piece of word art behind the text, anchored in the header
WATERMARK = (
    '<w:pict {ns}><v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" adj="10800" '
    'path="m@7,l@8,m@5,21600l@6,21600e"><v:formulas><v:f eqn="sum #0 0 10800"/><v:f eqn="prod #0 2 1"/>'
    '<v:f eqn="sum 21600 0 @1"/><v:f eqn="sum 0 0 @2"/><v:f eqn="sum 21600 0 @3"/><v:f eqn="if @0 @3 0"/>'
    '<v:f eqn="if @0 21600 @1"/><v:f eqn="if @0 0 @2"/><v:f eqn="if @0 @4 21600"/></v:formulas>'
    '<v:path textpathok="t" o:connecttype="rect"/><v:textpath on="t" fitshape="t"/></v:shapetype>'
    '<v:shape id="mark" type="#_x0000_t136" alt="{mark}" style="position:absolute;margin-left:0;margin-top:0;'
    "width:440pt;height:160pt;rotation:315;z-index:-251658752;mso-position-horizontal:center;"
    "mso-position-horizontal-relative:margin;mso-position-vertical:center;"
    'mso-position-vertical-relative:margin" fillcolor="#e6e6e6" stroked="f"><v:textpath '
    'style="font-family:&quot;Arial&quot;;font-size:1pt" string="{mark}"/></v:shape></w:pict>'
)


def _xml(text: str) -> Any:
    from docx.oxml import parse_xml

    return parse_xml(text)


def _ns() -> str:
    from docx.oxml.ns import nsdecls

    return str(nsdecls("w"))


def _run(text: str, *, bold: bool = False, italic: bool = False, colour: str = "", size: float = 0) -> str:
    """A run of text as XML; line breaks are kept."""
    style = ("<w:b/>" if bold else "") + ("<w:i/>" if italic else "")
    style += f'<w:color w:val="{colour}"/>' if colour else ""
    style += f'<w:sz w:val="{round(2 * size)}"/>' if size else ""
    lines = '</w:t><w:br/><w:t xml:space="preserve">'.join(escape(part) for part in _clean(text).split("\n"))
    return f'<w:r><w:rPr>{style}</w:rPr><w:t xml:space="preserve">{lines}</w:t></w:r>'


def _clean(text: str) -> str:
    """Text without the control characters that XML cannot hold."""
    return "".join(c for c in text if c in "\n\t" or (ord(c) >= 32 and c not in "\ufffe\uffff"))


def _field(code: str, shown: str, *, bold: bool = False) -> str:
    """A field of Word with the text that it shows until it is updated."""
    style = "<w:rPr><w:b/></w:rPr>" if bold else ""
    return (
        f'<w:r>{style}<w:fldChar w:fldCharType="begin"/></w:r>'
        f'<w:r>{style}<w:instrText xml:space="preserve"> {code} </w:instrText></w:r>'
        f'<w:r>{style}<w:fldChar w:fldCharType="separate"/></w:r>'
        f'<w:r>{style}<w:t>{escape(shown)}</w:t></w:r><w:r>{style}<w:fldChar w:fldCharType="end"/></w:r>'
    )


def _table_xml(item: TableItem) -> str:
    """A table: header row repeated on each page, no row cut by a page's end, widths as in the flow."""
    size = item.size
    wide = [max(300, round(TWIPS * w)) for w in item.widths]

    def cell(j: int, runs: str, shade: str = "") -> str:
        align = '<w:jc w:val="right"/>' if item.numeric[j] else ""
        return (
            f'<w:tc><w:tcPr><w:tcW w:w="{wide[j]}" w:type="dxa"/>{shade}</w:tcPr><w:p><w:pPr><w:spacing w:before="20" '
            f'w:after="20" w:line="240" w:lineRule="auto"/>{align}</w:pPr>{runs}</w:p></w:tc>'
        )

    def content(c: Cell) -> str:
        colour = COLOURS.get(c.badge, "")
        runs = _run(c.text, bold=bool(colour), colour=colour, size=size)
        return runs + ("<w:r><w:br/></w:r>" + _run(c.sub, colour="5B6570", size=size - 1) if c.sub else "")

    shade = '<w:shd w:val="clear" w:color="auto" w:fill="F0F2F5"/>'
    head = "".join(cell(j, _run(h, bold=True, size=size), shade) for j, h in enumerate(item.header))
    rows = "".join(
        f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{''.join(cell(j, content(c)) for j, c in enumerate(row))}</w:tr>"
        for row in item.rows
    )
    grid = "".join(f'<w:gridCol w:w="{w}"/>' for w in wide)
    lines = "".join(f'<w:{s} w:val="single" w:sz="4" w:color="D5DBE1"/>' for s in ("top", "bottom", "insideH"))
    return (
        f'<w:tbl {_ns()}><w:tblPr><w:tblW w:w="{sum(wide)}" w:type="dxa"/><w:tblBorders>{lines}</w:tblBorders>'
        f'<w:tblLayout w:type="fixed"/><w:tblCellMar><w:left w:w="50" w:type="dxa"/><w:right w:w="50" w:type="dxa"/>'
        f"</w:tblCellMar></w:tblPr><w:tblGrid>{grid}</w:tblGrid>"
        f"<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{head}</w:tr>{rows}</w:tbl>"
    )


class _Writer:
    """A document under way."""

    def __init__(self) -> None:
        import docx
        from docx.shared import Cm, Pt

        self.document = docx.Document()
        section = self.document.sections[0]
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(2)
        self.document.styles["Normal"].font.size = Pt(10)
        self._bookmarks = 0

    def paragraph(self, runs: str, style: str = "", properties: str = "") -> None:
        """A paragraph from runs in XML."""
        name = f'<w:pStyle w:val="{style}"/>' if style else ""
        self._append(f"<w:p {_ns()}><w:pPr>{name}{properties}</w:pPr>{runs}</w:p>")

    def _append(self, text: str) -> None:
        body = self.document.element.body
        body.insert(len(body) - 1, _xml(text))  # the section's properties stay last

    def authored(self, text: str, blank: bool, size: float = 0) -> None:
        """An author's text, with a bar at its left."""
        colour = GREY if blank else AUTHOR
        bar = f'<w:pBdr><w:left w:val="single" w:sz="18" w:space="6" w:color="{colour}"/></w:pBdr>'
        for part in text.split("\n\n"):
            self.paragraph(_run(part, italic=blank, colour="5B6570" if blank else "", size=size), "", bar)

    def caption(self, word: str, number: int, text: str, *, first: bool = True, keep: bool = False) -> None:
        """``Table 3. Text``; the number is Word's sequence field, or plain where a figure continues."""
        count = _field(f"SEQ {word} \\* ARABIC", str(number), bold=True) if first else _run(str(number), bold=True)
        runs = _run(f"{word} ", bold=True) + count + _run(". ", bold=True) + _run(text)
        self.paragraph(runs, "Caption", "<w:keepNext/>" if keep else "")

    def heading(self, item: HeadingItem) -> None:
        """A heading with a bookmark for the contents."""
        self._bookmarks += 1
        n, name = self._bookmarks, _bookmark(item.anchor)
        breaking = "<w:pageBreakBefore/>" if item.level == 1 else ""
        marked = f'<w:bookmarkStart w:id="{n}" w:name="{name}"/>{_run(item.text)}<w:bookmarkEnd w:id="{n}"/>'
        self.paragraph(marked, f"Heading{item.level}", breaking)

    def contents(self, headings: Sequence[HeadingItem]) -> None:
        """Contents: links with page references, which LibreOffice fills in and Word when it updates fields on opening.

        Not Word's TOC field: a reader that does not update it would show contents without pages.
        """
        for h in headings:
            tab = '<w:tabs><w:tab w:val="right" w:leader="dot" w:pos="9600"/></w:tabs><w:spacing w:after="20"/>'
            indent = f'<w:ind w:left="{300 * (h.level - 1)}"/>'
            name = _bookmark(h.anchor)
            page = _field(f"PAGEREF {name} \\h", "")
            words = _run(h.text, bold=h.level == 1)
            link = f'<w:hyperlink w:anchor="{name}">{words}<w:r><w:tab/></w:r>{page}</w:hyperlink>'
            self.paragraph(link, "", tab + indent)
        self.document.settings.element.append(_xml(f'<w:updateFields {_ns()} w:val="true"/>'))

    def figure(self, item: FigureItem) -> None:
        """A picture with its alternative text, and the caption below it."""
        from docx.shared import Cm

        added = self.document.add_paragraph()
        added.paragraph_format.keep_with_next = True
        picture = added.add_run().add_picture(io.BytesIO(item.picture.png), width=Cm(item.picture.width_cm))
        about = picture._inline.docPr
        about.set("descr", _clean(item.alt))
        about.set("name", _clean(item.label))
        body = self.document.element.body
        body.insert(len(body) - 1, added._p)
        self.caption("Figure", item.number, item.caption, first=item.picture.part == 1)
        if item.note:
            self.paragraph(_run(item.note, colour="5B6570", size=8))

    def table(self, item: TableItem) -> None:
        """Caption above, table, note below."""
        self.caption("Table", item.number, item.caption, keep=True)
        self._append(_table_xml(item))
        self.paragraph(_run(item.note, colour="5B6570", size=8) if item.note else "")

    def text(self, item: TextItem) -> None:
        """A paragraph by its tone."""
        if item.tone in ("authored", "blank"):
            self.authored(item.text, item.tone == "blank")
        elif item.tone in ("caution", "missing"):
            self.paragraph(_run(item.text, colour=COLOURS["warn"]))
        else:
            size = {"small": 9.0, "lead": 11.5}.get(item.tone, 0)
            self.paragraph(_run(item.text, bold=item.tone == "lead", size=size))

    def frame(self, title: str, mark: str, footer: str) -> None:
        """Header with title and mark (and the watermark), footer with page numbers."""
        section = self.document.sections[0]
        ns = f'{_ns()} xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
        head = section.header.paragraphs[0]._p
        for runs in (_run(f"{title}   ", colour="5B6570", size=8), _run(mark, bold=True, colour="B3261E", size=8)):
            head.append(_xml(runs.replace("<w:r>", f"<w:r {_ns()}>", 1)))
        if mark:
            run = _xml(f"<w:r {_ns()}/>")
            run.append(_xml(WATERMARK.format(ns=ns, mark=escape(mark))))
            head.append(run)
        words = (
            _run(f"{footer}   ", colour="5B6570", size=8) + _field("PAGE", "1") + _run(" / ") + _field("NUMPAGES", "1")
        )
        wrapped = _xml(f"<w:p {_ns()}>{words}</w:p>")
        foot = section.footer.paragraphs[0]._p
        for child in list(wrapped):
            foot.append(child)


def _bookmark(anchor: str) -> str:
    return "_" + anchor.replace("-", "_")


def _fixed_times(raw: bytes, when: datetime) -> bytes:
    """The same archive with every entry at one time."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda n: (n != "[Content_Types].xml", n)):
            info = zipfile.ZipInfo(name, (max(when.year, 1980), *when.timetuple()[1:6]))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return out.getvalue()


def write_word(path: Path, cover: Cover, items: Sequence[Item], mark: str, footer: str, when: datetime) -> None:
    """Write the DOCX. Equal flows and times give equal bytes."""
    writer = _Writer()
    values = cover_values(cover)
    if mark:
        writer.paragraph(_run(mark, bold=True, colour="B3261E", size=13))
    writer.authored(values["title"], values["title_blank"], 26)
    writer.authored(values["context"], values["context_blank"], 13)
    writer.paragraph(_run(cover.banner, bold=True))
    for name, value in cover.lines:
        writer.paragraph(_run(f"{name}: ", bold=True) + _run(value))
    said = (
        "Text with a blue bar at its left was written by the author (dossier.yaml). A grey bar marks a blank. All else "
    )
    writer.paragraph(_run(said + "was written by the program from the run's files.", colour="5B6570", size=9))
    writer.paragraph(_run("Contents", bold=True, size=17), "", "<w:pageBreakBefore/>")
    writer.contents([i for i in items if isinstance(i, HeadingItem)])
    for item in items:
        if isinstance(item, HeadingItem):
            writer.heading(item)
        elif isinstance(item, TableItem):
            writer.table(item)
        elif isinstance(item, FigureItem):
            writer.figure(item)
        elif isinstance(item, TextItem):
            writer.text(item)
        elif isinstance(item, Bullets):
            for one in item.items:
                writer.paragraph(_run(one), "ListBullet")
        else:
            colour = COLOURS[item.level]
            bar = f'<w:pBdr><w:left w:val="single" w:sz="24" w:space="6" w:color="{colour}"/></w:pBdr>'
            writer.paragraph(_run(f"{item.title}. ", bold=True) + _run(item.text), "", bar)
    writer.frame(values["title"], mark, footer)
    about = writer.document.core_properties
    about.title, about.author, about.comments = _clean(values["title"])[:255], "PharmTwin", ""
    about.created = about.modified = when.replace(tzinfo=None)
    about.last_modified_by, about.revision = "PharmTwin", 1
    raw = io.BytesIO()
    writer.document.save(raw)
    path.write_bytes(_fixed_times(raw.getvalue(), when))
