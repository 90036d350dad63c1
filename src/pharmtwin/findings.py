"""Findings: what is wrong (or remarkable) in the user's input, said once and completely.

Every finding reads ``file:row column [value] - what - why it matters - how to fix (rule id)``.
Checks never raise on the first problem; they return findings, and the intake stage
prints all of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, order=True)
class Finding:
    """One problem in one place.

    Attributes
    ----------
    rule : short stable identifier, e.g. ``"twins.sex_code"``.
    severity : ``error`` stops the run; ``warning`` and ``note`` travel to the report.
    file : path as the user wrote it (never absolute-ised).
    row : 1-based line number in the file (the header is line 1); 0 when the whole file is meant.
    column : column name, or ``""``.
    value : the offending value as written. Genotypes and free text are never put here.
    what, why, fix : one sentence each, no full stop at the end.
    """

    file: str
    row: int
    column: str
    rule: str
    severity: str
    value: str
    what: str
    why: str
    fix: str

    @classmethod
    def create(
        cls,
        rule: str,
        file: str,
        what: str,
        why: str,
        fix: str,
        *,
        row: int = 0,
        column: str = "",
        value: object = "",
        severity: str = "error",
    ) -> Finding:
        """Check and build a finding; raises ValueError on an unknown severity or an empty sentence."""
        if severity not in SEVERITIES:
            raise ValueError(f"unknown severity {severity!r}; use one of {SEVERITIES}")
        if not (rule and file and what and why and fix):
            raise ValueError("a finding needs a rule, a file, what, why and fix")
        return cls(str(file), int(row), column, rule, severity, str(value), what, why, fix)

    def message(self) -> str:
        """The line a user reads."""
        place = self.file + (f":{self.row}" if self.row else "")
        where = f"{place} {self.column}".rstrip()
        shown = f" [{self.value}]" if self.value != "" else ""
        return printable(f"{where}{shown} - {self.what} - {self.why} - {self.fix} ({self.rule})")


def printable(text: str) -> str:
    """Text on one line of a terminal or log: control characters and invisible ones as escapes, ``\\x1b`` or ``\\n``.

    A value may hold a terminal's commands, a line end that fakes another message, or marks that turn its direction.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def has_errors(findings: Iterable[Finding]) -> bool:
    """True if any finding stops the run."""
    return any(f.severity == "error" for f in findings)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, in the order file, row, column, rule."""
    return sorted(set(findings))


def write_findings(findings: Sequence[Finding], path: Path) -> None:
    """Write the table ``findings`` (TSV) in the stable order, whole or not at all."""
    import pandas as pd  # heavy

    from pharmtwin.tables import schema, write_table

    rows = [asdict(finding) for finding in sort_findings(findings)]
    write_table("findings", pd.DataFrame(rows, columns=schema("findings").names), Path(path))
