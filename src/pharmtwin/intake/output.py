"""Findings and excluded rows as files: a table (TSV), JSON, and a page that opens without a network."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pharmtwin.files import write_text
from pharmtwin.findings import SEVERITIES, Finding, sort_findings, write_findings
from pharmtwin.intake.opening import Excluded

COLUMNS = ("severity", "file", "row", "column", "value", "what", "why", "fix", "rule")
WORDS = {"error": "Errors: a run stops", "warning": "Warnings: look at them", "note": "Notes"}
STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1a1a1a}
table{border-collapse:collapse;width:100%;margin:0 0 2rem}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;
border-bottom:1px solid #ddd}th{background:#f3f3f3}code{white-space:pre-wrap;overflow-wrap:anywhere}
.error{border-left:4px solid #b3261e}.warning{border-left:4px solid #b26a00}.note{border-left:4px solid #5f6b7a}"""


def as_json(findings: Sequence[Finding]) -> str:
    """Findings as JSON: counts by severity, then every finding with the columns of the table."""
    ordered = sort_findings(findings)
    counts = {s: sum(f.severity == s for f in ordered) for s in SEVERITIES}
    rows = [{c: asdict(f)[c] for c in COLUMNS} for f in ordered]
    return json.dumps({"counts": counts, "findings": rows}, ensure_ascii=False, indent=1) + "\n"


def as_tsv(findings: Sequence[Finding]) -> str:
    """Findings as a table: one a line; tabs and line ends inside a cell are blanks."""
    lines = ["\t".join(COLUMNS)]
    for f in sort_findings(findings):
        cells = asdict(f)
        lines.append("\t".join(_plain(str(cells[c])) for c in COLUMNS))
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """A cell of the table on one line, safe in a spreadsheet."""
    from pharmtwin.tables.spreadsheet import escaped  # heavy

    return escaped(" ".join(text.split()))


def as_page(findings: Sequence[Finding], title: str, excluded: Sequence[Excluded] = ()) -> str:
    """Findings as one HTML page; every text of the user is escaped."""
    ordered = sort_findings(findings)
    counts = ", ".join(f"{sum(f.severity == s for f in ordered)} {s}s" for s in SEVERITIES)
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1><p>{counts}. "
        "Not a medical device; for research use only.</p>"
    ]
    for severity in SEVERITIES:
        its = [f for f in ordered if f.severity == severity]
        if its:
            parts.append(f"<h2>{WORDS[severity]}</h2><table><tr><th>Where</th><th>Value</th><th>What</th>"
                         "<th>Why it matters</th><th>How to fix</th><th>Rule</th></tr>")  # fmt: skip
            parts += [_row(f) for f in its] + ["</table>"]
    if excluded:
        parts.append(
            "<h2>Rows that are not used</h2><table><tr><th>File</th><th>Row</th><th>Why</th><th>Cells</th></tr>"
        )
        for e in excluded:
            shown = " · ".join(t for t in e.cells.values() if t)
            parts.append(
                "<tr>" + "".join(f"<td>{html.escape(str(t))}</td>" for t in (e.file, e.row, e.reason, shown)) + "</tr>"
            )
        parts.append("</table>")
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _row(f: Finding) -> str:
    where = f"{f.file}{f':{f.row}' if f.row else ''} {f.column}".rstrip()
    cells = (where, f.value, f.what, f.why, f.fix)
    inside = "".join(
        f"<td><code>{html.escape(c)}</code></td>" if i < 2 else f"<td>{html.escape(c)}</td>"
        for i, c in enumerate(cells)
    )
    return f'<tr class="{f.severity}">{inside}<td>{html.escape(f.rule)}</td></tr>'


def excluded_tsv(excluded: Sequence[Excluded]) -> str:
    """Rows that are not used, as a table: file, row, reason and the cells that are filled."""
    lines = ["file\trow\treason\tcells"]
    for e in excluded:
        cells = "; ".join(f"{c}={t}" for c, t in e.cells.items() if t)
        lines.append("\t".join(_plain(t) for t in (e.file, str(e.row), e.reason, cells)))
    return "\n".join(lines) + "\n"


def write_all(findings: Sequence[Finding], excluded: Sequence[Excluded], folder: Path, title: str) -> list[Path]:
    """findings.tsv, findings.json, findings.html and excluded.tsv in a folder; the paths that were written."""
    write_findings(findings, folder / "findings.tsv")
    texts = {
        "findings.json": as_json(findings),
        "findings.html": as_page(findings, title, excluded),
        "excluded.tsv": excluded_tsv(excluded),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / "findings.tsv", *(folder / name for name in texts)]
