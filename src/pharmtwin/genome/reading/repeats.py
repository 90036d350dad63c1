"""Repeat alleles that callers write as a number of units instead of a sequence, such as UGT1A1 (TA)n.

Understood: ``<STRn>`` with INFO ``RU`` and ``REF`` (ExpansionHunter, DRAGEN) and ``<CNV:TR>`` with ``RUS`` and ``RUC``
or ``RB`` (VCF 4.4, section 5.7). Only the difference to the reference counts, so the caller's own way of counting
units (with or without the imperfect ends) does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pharmtwin.genome.reading.alleles import View
from pharmtwin.untrusted import is_whole


def is_repeat(alt: str) -> bool:
    """True for an ALT that stands for a number of repeat units."""
    return alt == "<CNV:TR>" or re.fullmatch(r"<STR\d+>", alt) is not None


def as_sequences(
    position: int, ref: str, alts: Sequence[str], info: Mapping[str, str], view: View
) -> tuple[str, tuple[str, ...]] | None:
    """(REF, ALTs) as sequences over the whole repeat, or None if INFO does not say enough or does not fit the context.

    ``position`` is the base before the repeat, as both notations have it. ALTs of another kind are kept.
    """
    unit, n_ref = info.get("RU", "").upper(), info.get("REF", "")
    if any(a == "<CNV:TR>" for a in alts):
        unit = info.get("RUS", "").split(",")[0].upper()
        length = info.get("SVLEN", "").split(",")[0] or str(int(info.get("END", "0")) - position)
        n_ref = str(abs(int(length)) // len(unit)) if unit and is_whole(length.lstrip("-")) else ""
    if not re.fullmatch("[ACGT]+", unit) or not is_whole(n_ref):
        return None
    here = position - view.start
    tract = view.context[here : here + 1 + int(n_ref) * len(unit)] if here >= 0 else ""
    if len(tract) != 1 + int(n_ref) * len(unit) or tract[1:] != unit * int(n_ref) or ref[:1].upper() != tract[:1]:
        return None
    out = []
    for k, alt in enumerate(alts):
        units = _units(alt, k, info, len(unit))
        out.append(alt if not is_repeat(alt) else tract[0] + unit * units if units is not None else "<UNKNOWN>")
    return tract, tuple(out)


def _units(alt: str, index: int, info: Mapping[str, str], length: int) -> int | None:
    """Number of units of an ALT; None if it is not a whole number or several motifs are mixed."""
    named = re.fullmatch(r"<STR(\d+)>", alt)
    if named:
        return int(named[1])
    if alt != "<CNV:TR>" or set(info.get("RN", "1").split(",")) != {"1"}:
        return None
    if len(set(info.get("RUS", "").upper().split(","))) != 1:
        return None
    for key, size in (("RUC", 1), ("RB", length)):
        values = info.get(key, "").split(",")
        if index < len(values) and re.fullmatch(r"\d+(\.0*)?", values[index]):
            n = int(float(values[index]))
            return n // size if n % size == 0 else None
    return None
