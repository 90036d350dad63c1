"""Callable regions: a BED file of what the assay covered well enough to call a reference genotype."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pharmtwin.findings import Finding
from pharmtwin.genome.reading.alleles import View
from pharmtwin.genome.reading.contigs import chromosome
from pharmtwin.untrusted import open_text

#: a place on a chromosome: ASCII digits, and few enough for an integer of 64 bits
POSITION = re.compile(r"[0-9]{1,12}")
Intervals = dict[str, npt.NDArray[np.int64]]


class BedError(ValueError):
    """A BED file that cannot be used; ``problems`` holds every wrong line as (line, what is wrong)."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(f"line {row}: {what}" for row, what in problems))
        self.problems = tuple(problems)


def read_bed(path: Path) -> tuple[Intervals, frozenset[str]]:
    """Merged intervals by chromosome (``chr`` prefix), (n, 2) 0-based half-open and ascending; builds named by contigs.

    Plain or gzip; comment, ``track`` and ``browser`` lines are left out. Raises BedError with all the lines that are no
    interval, OSError or UnicodeDecodeError for an unreadable file.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    builds: set[str] = set()
    problems: list[tuple[int, str]] = []
    with open_text(path) as handle:
        for row, line in enumerate(handle, 1):
            fields = line.split()
            if not fields or line.startswith(("#", "track", "browser")):
                continue
            if len(fields) < 3 or not (POSITION.fullmatch(fields[1]) and POSITION.fullmatch(fields[2])):
                problems.append((row, "not a BED interval"))
                continue
            start, end = int(fields[1]), int(fields[2])
            if start >= end:
                problems.append((row, "start is not below end"))
                continue
            chrom, build = chromosome(fields[0])
            builds |= {build} - {""}
            found.setdefault(chrom, []).append((start, end))
    if problems:
        raise BedError(problems)
    return {chrom: _merged(spans) for chrom, spans in found.items() if chrom}, frozenset(builds)


def bed_findings(path: Path) -> list[Finding]:
    """What is wrong with a file of callable regions: every wrong line, an unreadable file, or no region at all."""
    why = "an absent record inside a callable region counts as reference"
    fix = "give chromosome, 0-based start and end, separated by tabs, start < end"

    def said(rule: str, what: str, row: int = 0, severity: str = "error") -> Finding:
        return Finding.create(rule, str(path), what, why, fix, row=row, severity=severity)

    try:
        regions, _ = read_bed(path)
    except BedError as error:
        return [said("bed.interval", what, row) for row, what in error.problems]
    except (OSError, UnicodeDecodeError, EOFError, zlib.error):
        return [said("bed.unreadable", "the file cannot be read as text")]
    if not regions:
        return [said("bed.empty", "the file names no region of a known chromosome", severity="warning")]
    return []


def _merged(spans: list[tuple[int, int]]) -> npt.NDArray[np.int64]:
    out: list[list[int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1][1] = max(out[-1][1], end)
        else:
            out.append([start, end])
    return np.array(out, dtype=np.int64)


def covered(intervals: Intervals, chrom: str, found: Sequence[View], n_sites: int) -> npt.NDArray[np.bool_]:
    """(n_sites,) True where a position, with all the bases a writing of its alleles may touch, lies in one interval."""
    out = np.zeros(n_sites, dtype=bool)
    spans = intervals.get(chrom)
    if spans is not None:
        for view in found:
            at = int(np.searchsorted(spans[:, 0], view.low - 1, side="right")) - 1
            out[view.index] = at >= 0 and int(spans[at, 1]) >= view.high
    return out
