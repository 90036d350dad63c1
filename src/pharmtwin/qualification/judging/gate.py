"""The gate: figures of the criteria as they were when they were last written, below which none may fall.

``resources/qualification/gate.tsv`` is written by ``pharmtwin qualify --write-gate``; the reference tests run the
qualification and compare.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pharmtwin.facts import RESOURCES
from pharmtwin.files import write_text
from pharmtwin.qualification.judging.criteria import Line

GATE = RESOURCES / "qualification" / "gate.tsv"
#: by how much a figure may differ between machines: fold errors by this factor, shares by this amount
SLACK_FOLD, SLACK_SHARE = 1.01, 0.01
COLUMNS = ("figure", "value", "better", "slack", "met", "source")
SOURCE = "own run of pharmtwin qualify --draws 0"


@dataclass(frozen=True)
class Bar:
    """A figure that may not get worse than value and slack; met: its criterion was met and has to stay so."""

    figure: str
    value: float
    lower_is_better: bool
    slack: float
    met: bool

    @property
    def limit(self) -> float:
        """The worst that is let through."""
        return self.value * self.slack if self.lower_is_better else self.value - self.slack


def bars(lines: Sequence[Line]) -> list[Bar]:
    """The figures of the criteria that have one."""
    return [
        Bar(x.what, float(f"{x.value:.4g}"), x.lower_is_better, SLACK_FOLD if x.lower_is_better else SLACK_SHARE,
            bool(x.met))
        for x in lines if not math.isnan(x.value)
    ]  # fmt: skip


def write_gate(lines: Sequence[Line], path: Path = GATE) -> None:
    """Write the figures."""
    head = [
        "# Figures that the qualification must not fall below (tests/reference/test_qualification.py); written by",
        "# pharmtwin qualify --write-gate. slack: factor on a fold error (better: low), amount of a share (high).",
        "\t".join(COLUMNS),
    ]
    rows = [
        "\t".join(
            (
                b.figure,
                f"{b.value:g}",
                "low" if b.lower_is_better else "high",
                f"{b.slack:g}",
                "yes" if b.met else "no",
                SOURCE,
            )
        )
        for b in bars(lines)
    ]
    write_text(path, "\n".join([*head, *rows]) + "\n")


def read_gate(path: Path = GATE) -> list[Bar]:
    """The figures as written; raises FileNotFoundError without the file."""
    text = [x for x in path.read_text(encoding="utf-8").splitlines() if not x.startswith("#")]
    return [
        Bar(r["figure"], float(r["value"]), r["better"] == "low", float(r["slack"]), r["met"] == "yes")
        for r in csv.DictReader(text, delimiter="\t")
    ]


def fallen(lines: Sequence[Line], expected: Sequence[Bar]) -> list[str]:
    """What is worse than it was, in words: a figure beyond its slack, a criterion no longer met, a figure gone."""
    found: Mapping[str, Line] = {x.what: x for x in lines}
    out = []
    for bar in expected:
        line = found.get(bar.figure)
        if line is None or math.isnan(line.value):
            out.append(f"{bar.figure}: no figure (was {bar.value:g})")
        elif line.value > bar.limit if bar.lower_is_better else line.value < bar.limit:
            out.append(f"{bar.figure}: {line.value:.4g}, was {bar.value:g} (let through: {bar.limit:.4g})")
        elif bar.met and line.met is False:
            out.append(f"{bar.figure}: the criterion was met and is not: {line.found} (asked: {line.asked})")
    return out
