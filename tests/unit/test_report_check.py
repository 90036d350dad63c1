"""The browser check finds what it is there to find. Skipped where no Chromium is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pharmtwin.curation.report_check import main
from pharmtwin.report.blocks import Chart, Page, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import axis, points
from pharmtwin.report.render import render, templates

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium on the path")


def page(data: tuple[dict[str, object], ...], text: str = "fine") -> str:
    layout = {"xaxis": axis("x"), "yaxis": axis("y")}
    table = Table.create("Numbers", ["a", "b"], [["", "1"]])
    chart = Chart("one", "One", "A figure of one point or none.", (Panel("", data, layout),), table)
    section = Section("s", "Section", (Paragraph(text), chart))
    made = Page("t", "t", "t", "synthetic", (), (section,), links=(("Cohort", "index.html"),), here="index.html")
    return render(made, templates())


def test_a_sound_page_passes_and_a_broken_one_is_told_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = page((points([1, 2], [1, 2], "p", "#000000", "circle"),))
    report = tmp_path / "report"
    report.mkdir()
    (report / "index.html").write_text(good, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["check", str(report), str(tmp_path / "pictures")])
    assert main() == 0 and "0 faults" in capsys.readouterr().out
    assert (tmp_path / "pictures" / "index-390.png").stat().st_size > 1000

    bad = page((points([], [], "p", "#000000", "circle"),))
    bad = bad.replace("<p class=\"plain\">fine</p>", "<p style='width:2000px'><a href='gone.html'>x</a>"
                      "<a href='#nowhere'>y</a><img src='https://example.org/a.png'></p>")  # fmt: skip
    (report / "index.html").write_text(bad, encoding="utf-8")
    (report / "alone.html").write_text(good, encoding="utf-8")
    assert main() == 1
    said = capsys.readouterr().out
    for fault in ("empty figure one-0", "wider than the screen", "link to gone.html", "link to #nowhere",
                  "image ? is empty", "alone.html: no link leads there", "Content Security Policy"):  # fmt: skip
        assert fault in said, (fault, said)
