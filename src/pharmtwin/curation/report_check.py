"""The report in headless Chromium: ``python check_report.py results/demo/report results/browser``.

Every page is opened offline at desk and telephone width: no request may leave it and none may fail, no script may
throw, every figure must show marks, by every entry of its selector and every button, nothing may be wider than the
screen, every link must lead to a page or a place that is there, every download must have rows. Sizes are held against
the budgets.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pharmtwin.curation.chromium import Chromium
from pharmtwin.report.budgets import over_budget

WIDTHS = (1200, 390)
#: figures without a mark, after every entry of its selector was chosen; a mark is a path with an extent
EMPTY = """(async () => {
  const bad = [];
  const wait = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 30)));
  const kinds = '.trace path, .trace .point, .points path, .bars path, .js-line, .js-fill, .textpoint';
  const seen = m => { const b = m.getBoundingClientRect(); return b.width + b.height > 0.5; };
  const marks = node => [...node.querySelectorAll(kinds)].filter(seen).length;
  for (const node of document.querySelectorAll('.plot')) {
    const chart = node.id.replace(/-\\d+$/, '');
    const select = document.querySelector(`select[data-chart="${chart}"]`);
    const radios = [...document.querySelectorAll(`input[data-chart="${chart}"]`)];
    for (const option of select ? [...select.options] : radios.length ? radios : [null]) {
      if (select) { select.value = option.value; select.dispatchEvent(new Event('change')); await wait(); }
      else if (option) {
        option.click(); await wait();
        if (!document.getElementById(`${chart}-said`).textContent) bad.push(node.id + ': nothing said of a case');
      }
      if (!marks(node)) bad.push(node.id + (option ? ': ' + (option.label || option.value) : ''));
    }
    if (select) { select.value = '0'; select.dispatchEvent(new Event('change')); await wait(); }
    if (radios.length) { radios[0].click(); await wait(); }
    if (!node.getAttribute('aria-label')) bad.push(node.id + ': no alternative text');
  }
  for (const image of document.querySelectorAll('img')) {
    if (!image.complete || !image.naturalWidth) bad.push('image ' + (image.alt || '?') + ' is empty');
    if (!image.alt) bad.push('image without alternative text');
  }
  return bad;
})()"""
WIDE = """(() => {
  const screen = document.documentElement.clientWidth, bad = [];
  if (document.documentElement.scrollWidth > screen + 1) bad.push(`page ${document.documentElement.scrollWidth} px`);
  for (const node of document.querySelectorAll('.plot')) {
    const drawn = node.querySelector('.main-svg');
    if (drawn && drawn.getBoundingClientRect().right > screen + 1) bad.push(node.id);
  }
  return bad;
})()"""
LINKS = "[...document.querySelectorAll('a[href]')].map(a => a.href)"
PLACES = "[...document.querySelectorAll('[id]')].map(n => n.id)"
DOWNLOADS = """(() => {
  const bad = [];
  for (const b of document.querySelectorAll('button[data-tsv]')) {
    const rows = window.pharmtwinTsv(b).replace(/\\n$/, '').split('\\n');
    const columns = rows[0].split('\\t').length, even = rows.every(r => r.split('\\t').length === columns);
    if (rows.length < 2 || !even) bad.push(b.dataset.tsv + ': table is uneven or empty');
  }
  return [bad, document.querySelectorAll('button[data-tsv]').length];
})()"""
COUNTS = "[document.querySelectorAll('.plot, img').length, document.querySelectorAll('table').length]"


def linked(chromium: Chromium, page: Path) -> tuple[list[Path], list[str]]:
    """Pages that a page leads to, and links that lead nowhere."""
    here, pages, bad = page.resolve().as_uri(), [], []
    places = set(chromium.run(PLACES))
    for link in dict.fromkeys(chromium.run(LINKS)):
        target, _, place = str(link).partition("#")
        if target == here:
            if place and place not in places:
                bad.append(f"link to #{place}, which is not there")
        elif target.startswith("file:"):
            path = Path(target.removeprefix("file://"))
            pages.append(path)
            if not path.is_file():
                bad.append(f"link to {path.name}, which is not there")
        elif not target.startswith(("https:", "blob:", "data:")):
            bad.append(f"link to {link}")
    return pages, bad


def clicked(chromium: Chromium, page: Path) -> list[str]:
    """Follow the first link to each other page by a click, as a reader does."""
    bad = []
    names = chromium.run("[...new Set([...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href')))]"
                         ".filter(h => /\\.html/.test(h))")  # fmt: skip
    for name in names:
        chromium.open(page)
        arrived = chromium.click(f'a[href="{name}"]')
        if not arrived.split("#")[0].endswith(str(name).split("#")[0].split("/")[-1]):
            bad.append(f"a click on {name} led to {arrived}")
    return bad


def look(chromium: Chromium, page: Path, name: str, out: Path) -> tuple[list[Path], list[str], list[Any]]:
    """One page at both widths: pages it leads to, faults, and its numbers of figures, tables and downloads."""
    bad: list[str] = []
    pages: list[Path] = []
    counts: list[Any] = []
    for width in WIDTHS:
        chromium.width(width)
        bad += [f"{width} px: {fault}" for fault in chromium.open(page)]
        bad += [f"{width} px: empty figure {figure}" for figure in chromium.run(EMPTY)]
        bad += [f"{width} px: wider than the screen: {what}" for what in chromium.run(WIDE)]
        bad += [f"{width} px: {fault}" for fault in chromium.faults() if "request" in fault]
        chromium.picture(out / f"{name}-{width}.png")
        if width == WIDTHS[0]:
            pages, lost = linked(chromium, page)
            uneven, n = chromium.run(DOWNLOADS)
            bad += [*lost, *uneven]
            counts = [*chromium.run(COUNTS), n]
    return pages, bad, counts


def main() -> int:
    """Check all pages that can be reached from ``index.html``, and those that cannot; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("pictures", type=Path)
    args = parser.parse_args()
    args.pictures.mkdir(parents=True, exist_ok=True)
    root, wrong = args.report.resolve(), 0
    todo, seen = [root / "index.html"], set[Path]()
    with Chromium() as chromium:
        while todo:
            page = todo.pop(0)
            if page in seen:
                continue
            seen.add(page)
            name = page.relative_to(root).as_posix()
            pages, bad, counts = look(chromium, page, name.removesuffix(".html").replace("/", "_"), args.pictures)
            if page.name == "index.html":
                bad += clicked(chromium, page)
            size = page.stat().st_size
            bad += over_budget(name, size)
            todo += [p for p in pages if p.suffix == ".html" and root in p.parents and p.is_file() and p not in todo]
            print(f"{name}: {size} bytes, {counts[0]} figures, {counts[1]} tables, {counts[2]} downloads; "
                  f"{'fine' if not bad else 'WRONG'}")  # fmt: skip
            bad = list(dict.fromkeys(bad))
            for fault in bad:
                print(f"  {fault}")
            wrong += len(bad)
    for page in sorted(set(root.rglob("*.html")) - seen):
        print(f"{page.relative_to(root)}: no link leads there")
        wrong += 1
    print(f"{len(seen)} pages, {wrong} faults; pictures: {args.pictures}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
