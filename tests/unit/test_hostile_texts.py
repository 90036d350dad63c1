"""Hostile ids, notes and labels in what people open: page in a browser, DOCX, PDF, JSON; text, never run."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dossier_fixture import about, make_run
from report_fixture import make_inputs, make_tables

from pharmtwin.dossier.blocks import Cover
from pharmtwin.dossier.build import PlanState, build
from pharmtwin.dossier.layout import FigureItem
from pharmtwin.dossier.package import FOLDERS
from pharmtwin.dossier.page import html_text
from pharmtwin.dossier.pdf import write_pdf
from pharmtwin.dossier.word import write_word
from pharmtwin.report import build_report
from pharmtwin.report.render import script_json

OWNED = "document.documentElement.setAttribute('data-owned','1')"
ATTACKS = (
    f"<script>{OWNED}</script>",
    f"</script><script>{OWNED}</script>",
    f"<img src=x onerror=\"{OWNED}\">",
    f"\"><svg/onload={OWNED}>",
    f"<a href=\"javascript:{OWNED}\">x</a>",
    "{{ 7*7 }}{% raw %}", "${7*7}", "<!--", "]]>", "#eval(\"1\")", "\\u003cscript>", "$x^2$", "&lt;b&gt;",
)  # fmt: skip
EVIL = " ".join(ATTACKS)


def hostile() -> dict[str, Any]:
    """The made-up study with an attack in every text that a user can write."""
    tables = make_tables(6, 2)
    renamed = {
        k: v.assign(twin_id=v["twin_id"].replace({"PT-0001": EVIL, "PT-0002": EVIL + "2"}))
        if isinstance(v, pd.DataFrame) and "twin_id" in v
        else v
        for k, v in tables.items()
    }
    for table, column in (("findings", "what"), ("findings", "value"), ("published", "group"), ("sobol", "input")):
        renamed[table] = renamed[table].assign(**{column: renamed[table][column].astype(str) + EVIL})
    return renamed


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return build_report(make_inputs(hostile(), study=EVIL, drug=EVIL, versions={EVIL: EVIL}, config={EVIL: EVIL}))


def test_only_the_page_s_own_scripts_may_run(pages: dict[str, str]) -> None:
    """The policy allows scripts by hash: an injected one could not run even where escaping failed."""
    for page in pages.values():
        policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])  # type: ignore[index]
        assert "script-src 'sha256-" in policy and "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
        scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
        assert len(scripts) == (2 if 'class="plot"' in page else 1)
        for text in scripts:
            assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy


def test_no_attack_stands_as_markup(pages: dict[str, str]) -> None:
    for page in pages.values():
        own = re.sub(r"/\* bundle begins.*?bundle ends \*/", "", page, flags=re.DOTALL)
        for word in ("<script>document", "<img src=x", "<svg/onload", 'href="javascript', "data-owned','1')\">"):
            assert word not in own, word
        assert "7*7" in own and "&lt;script&gt;" in own  # shown as it was written, not computed
        (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
        assert "<" not in figures and json.loads(figures)


def test_json_in_a_page_cannot_end_its_element() -> None:
    text = str(script_json({"a": "</script><!--&\u2028"}))
    assert "<" not in text and ">" not in text and "&" not in text
    assert json.loads(text) == {"a": "</script><!--&\u2028"}


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on the path")
def test_a_browser_shows_the_strings_as_text(pages: dict[str, str], tmp_path: Path) -> None:
    for i, (name, page) in enumerate(sorted(pages.items())):
        path = tmp_path / f"{i}.html"
        path.write_text(page, encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=15000", "--dump-dom"]
        command = ["chromium", *flags, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
        dom = subprocess.run(command, capture_output=True, text=True, timeout=240).stdout
        assert "data-owned=" not in dom and "<h1>" in dom, name
        assert "&lt;script&gt;document" in dom, name
        assert ("main-svg" in dom) == ('class="plot"' in page), f"{name}: the page's own scripts draw its figures"


WHEN = datetime(2026, 11, 22, tzinfo=UTC)
CONTROL = "\x01\x1b\ufffe"


def test_a_dossier_of_hostile_words(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    stated = about()
    evil = EVIL + CONTROL
    words = {k: evil for k in ("title", "question_of_interest") if k in stated.content}
    made = build(run, replace(stated, content={**stated.content, **words}), PlanState(), [], FOLDERS, pictures={})
    d, items = made.dossier, [i for i in made.layout.items if not isinstance(i, FigureItem)]
    assert isinstance(d.cover, Cover)
    page = html_text(d.cover, items, d.mark, d.footer)
    assert "<script>document" not in page and "<img src=x" not in page and "&lt;script&gt;document" in page
    write_word(tmp_path / "a.docx", d.cover, items, d.mark, d.footer, WHEN)
    with zipfile.ZipFile(tmp_path / "a.docx") as opened:
        assert opened.testzip() is None
        body = opened.read("word/document.xml").decode("utf-8")
        assert "&lt;script&gt;document" in body and "<script" not in body
        assert re.findall(r"<w:instrText[^>]*>([^<]*)<", body)
        assert all(
            re.match(r" (SEQ|PAGEREF|PAGE|NUMPAGES)\b", c) for c in re.findall(r"<w:instrText[^>]*>([^<]*)<", body)
        )
    write_pdf(tmp_path / "a.pdf", d.cover, items, d.mark, d.footer, WHEN)
    raw = (tmp_path / "a.pdf").read_bytes()
    assert raw.startswith(b"%PDF") and b"/JavaScript" not in raw and b"/Launch" not in raw
