"""What the commands of inference have in common: how findings and tables are shown, and how a refusal ends."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pharmtwin.files import write_text
from pharmtwin.findings import Finding, write_findings
from pharmtwin.tables.spreadsheet import tsv


def shown(table: pd.DataFrame) -> str:
    """A table for the screen, numbers to four digits."""
    return table.to_string(index=False, float_format=lambda v: f"{v:.4g}", na_rep="-")


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """A heading and a line a finding."""
    return ["findings", *(f"  {f.severity}: {f.message()}" for f in findings)] if findings else ["findings: none"]


def refused(findings: Sequence[Finding], out: str | None) -> int:
    """Say all that is wrong; nothing is written; the exit code 1."""
    for finding in findings:
        print(f"{finding.severity}: {finding.message()}", file=sys.stderr)
    if out:
        older = "; what is there is of an earlier run" if Path(out).exists() else ""
        print(f"nothing was written to {out}{older}", file=sys.stderr)
    return 1


def write_folder(
    folder: Path, name: str, lines: Sequence[str], findings: Sequence[Finding], tables: Mapping[str, pd.DataFrame],
    more: Sequence[str] = (),
) -> None:  # fmt: skip
    """Tables first, the text ``name`` last: with it the folder is complete. ``more``: files that are there already."""
    for table, frame in tables.items():
        write_text(folder / f"{table}.tsv", tsv(frame))
    write_findings(findings, folder / "findings.tsv")
    write_text(folder / name, "\n".join(lines) + "\n")
    print(f"written to {folder}: {', '.join([name, *more, *(f'{t}.tsv' for t in tables), 'findings.tsv'])}")
