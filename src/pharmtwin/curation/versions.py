"""``resources/versions.tsv``: every file below ``resources/`` with version, rows, sha256, source and licence.

``rows`` and ``sha256`` are computed; ``version``, ``what``, ``source`` and ``licence`` are written by people and
kept. A new file gets empty cells, which the tests refuse.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pharmtwin.facts import RESOURCES, sha256_file
from pharmtwin.files import write_text

VERSIONS = "versions.tsv"
COMPUTED = ("rows", "sha256")
COLUMNS = ("table", "version", *COMPUTED, "what", "source", "licence")


def listed_files(folder: Path) -> list[Path]:
    """Every file below ``folder`` but the list itself (and lists that await folding in), sorted by name."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith((".", "versions")))
    return sorted(files, key=lambda p: p.relative_to(folder).as_posix())


def data_rows(path: Path) -> str:
    """Rows of a TSV without header and comments; empty for other files."""
    if path.suffix != ".tsv":
        return ""
    with open(path, encoding="utf-8", newline="") as handle:
        lines = [line for line in handle if line.strip() and not line.startswith("#")]
    return str(len(lines) - 1)


def read_versions(folder: Path = RESOURCES) -> dict[str, dict[str, str]]:
    """Rows of versions.tsv by table; empty if there is none yet."""
    path = folder / VERSIONS
    if not path.exists():
        return {}
    with open(path, encoding="utf-8", newline="") as handle:
        return {row["table"]: row for row in csv.DictReader(handle, delimiter="\t")}


def current(folder: Path = RESOURCES) -> dict[str, dict[str, str]]:
    """What versions.tsv should hold: the written cells kept, the computed ones computed."""
    old = read_versions(folder)
    out = {}
    for path in listed_files(folder):
        table = path.relative_to(folder).as_posix()
        row = {name: old.get(table, {}).get(name, "") for name in COLUMNS}
        out[table] = {**row, "table": table, "rows": data_rows(path), "sha256": sha256_file(path)}
    return out


def differences(folder: Path = RESOURCES) -> list[str]:
    """What is out of step, a sentence each; empty if nothing is."""
    old, new = read_versions(folder), current(folder)
    said = [f"resources/{t}: listed in {VERSIONS} but not there" for t in old if t not in new]
    said += [f"resources/{t}: not listed in {VERSIONS}" for t in new if t not in old]
    for table in sorted(set(old) & set(new)):
        if any(old[table][c] != new[table][c] for c in COMPUTED):
            rows = f"{old[table]['rows']} -> {new[table]['rows']} rows" if new[table]["rows"] else "changed bytes"
            said.append(f"resources/{table}: changed since version {old[table]['version'] or '(none)'} ({rows})")
    return said


def write_versions(folder: Path = RESOURCES) -> None:
    """Write versions.tsv of ``folder`` anew, whole or not at all; what people wrote stays."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(current(folder).values())
    write_text(folder / VERSIONS, text.getvalue())
