"""How two runs agree: by bytes, by tolerance, and by two one-sided tests on the exposures."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pharmtwin.provenance import compare as c
from pharmtwin.provenance.equivalence import LIMITS, exposures, tost_lines, tost_table
from pharmtwin.provenance.tolerance import Judged, judge_all
from pharmtwin.provenance.verify import Recorded


@dataclass(frozen=True)
class Agreement:
    """Two runs side by side.

    ``given``, ``outputs``: what differs, in words; ``same_names``: whether both have results of the same names;
    ``differing``: results with other bytes, crate and bill left out; ``classes``: differences of the machine classes;
    ``judged``: the differing results by their tolerances (empty if all bytes are equal); ``exposures``: table exposure
    of both; ``tost``: :func:`pharmtwin.provenance.equivalence.tost_table` of them, within ``limits``.
    """

    one: Recorded
    other: Recorded
    given: tuple[str, ...]
    outputs: tuple[str, ...]
    same_names: bool
    differing: tuple[str, ...]
    classes: tuple[str, ...]
    judged: tuple[Judged, ...]
    exposures: tuple[pd.DataFrame, pd.DataFrame]
    tost: pd.DataFrame
    limits: tuple[float, float]

    @property
    def byte_equal(self) -> bool:
        """Whether the runs were made of the same bytes and gave the same bytes."""
        return not self.given and not self.outputs

    @property
    def problems(self) -> tuple[str, ...]:
        """What lies outside of its tolerance."""
        return tuple(p for j in self.judged for p in j.problems)

    @property
    def within(self) -> bool:
        """Whether another machine class may count for the differences, and all of them lie within tolerance."""
        return bool(self.classes) and not self.given and self.same_names and not self.problems

    @property
    def agrees(self) -> bool:
        """Equal bytes are demanded on one machine class; of another, results within tolerance will do."""
        return self.byte_equal or self.within


def agreement(one: Recorded, other: Recorded, limits: tuple[float, float] = LIMITS) -> Agreement:
    """Compare two runs; ``limits`` of the ratios of AUC and Cmax. Raises OSError where a result is not there."""
    given, outputs = c.compare_given(one, other), c.compare_section(one, other, "outputs")
    differing = c.results_that_differ(one, other)
    tables = exposures(one.folder), exposures(other.folder)
    return Agreement(
        one, other, tuple(given), tuple(outputs), c.same_names(one, other), tuple(differing),
        tuple(c.class_differences(one, other)), tuple(judge_all(differing, one.folder, other.folder)), tables,
        tost_table(*tables, limits), limits,
    )  # fmt: skip


def agreement_lines(found: Agreement) -> list[str]:
    """What stands on the screen, TOST last."""
    lines = [*found.given, *found.outputs] or ["the two runs are byte-equal"]
    if not found.byte_equal:
        if found.same_names and not found.differing:
            lines.append("every result is byte-equal; what differs describes the run or was given to it")
        lines += [f"machine class: {d}" for d in found.classes] or ["machine class: the same: equal bytes are demanded"]
        lines += [f"not compared: {s}" for j in found.judged for s in j.skipped] or ["not compared: nothing"]
        lines += [f"outside tolerance: {p}" for p in found.problems] or [
            f"within tolerance: {len(found.judged)} files that differ"
        ]
        if found.agrees:
            lines.append("the two runs agree within tolerance (resources/rerun_tolerance.tsv)")
    return lines + tost_lines(found.tost, found.limits)
