"""What the check may say where ids must not leave the room: findings and excluded rows under pseudonyms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pharmtwin.findings import Finding
from pharmtwin.intake.opening import Excluded
from pharmtwin.intake.pseudonyms import PseudonymError, masked_findings, pseudonyms_of, renamed
from pharmtwin.intake.study import ids_of, read_tables


def without_ids(
    findings: Sequence[Finding], excluded: Sequence[Excluded], config: Mapping[str, Any], base: Path = Path(".")
) -> tuple[list[Finding], list[Excluded]]:
    """Findings and rows that are not used as they may be printed and kept.

    With pseudonyms and without samples where the study asks for them; nothing but the lack of its key where there is
    none. Free text (a reason of exclusion) is searched for ids too.
    """
    try:
        names = pseudonyms_of(config, base)
    except PseudonymError:
        return [f for f in findings if f.rule == "privacy.key"], []  # nothing else may be said without a key
    if names is None:
        return list(findings), list(excluded)
    ids = {*ids_of(config, read_tables(config, base)[0])}
    ids |= {e.cells[c] for e in excluded for c in ("twin_id", "sample") if e.cells.get(c)}
    rows = renamed([{c: t for c, t in e.cells.items() if c != "sample"} for e in excluded], names)
    hidden = [
        replace(e, reason=names.masked(e.reason, ids), cells={c: names.masked(t, ids) for c, t in cells.items()})
        for e, cells in zip(excluded, rows, strict=True)
    ]
    return masked_findings(findings, names, ids), hidden
