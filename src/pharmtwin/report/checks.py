"""Solver checks: which twins have no result and why, which draws failed, how well the two solvers agree."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pharmtwin.core.unsolved import NO_RESULT, SAMPLES, Unsolved, unsolved
from pharmtwin.report.blocks import Block, Cell, Paragraph, Section, Table
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, interval, number, plural, short_model

FAILED = "solver failed, see checks"
MAX_FAILED = 50
MAX_NAMED = 10


def cases(inputs: ReportInputs) -> list[Unsolved]:
    """Twins without a result, by twin, scenario and model, with the reason.

    From ``solver_check``; what ``exposure`` shows and the checks do not (they were not handed over) is added.
    """
    table = inputs.solver_check
    marked = table[_marked(table)]
    found = [c for r in records(marked) if (c := unsolved(str(r.run), str(r.failure))) is not None]
    known = {(c.twin_id, c.scenario, c.model) for c in found}
    empty = inputs.exposure[inputs.exposure["n_draws"] == 0].drop_duplicates(["twin_id", "scenario", "model"])
    for r in records(empty):
        asked = ("population" if r.model == "population" else r.twin_id, r.scenario, r.model)
        if asked not in known and (r.twin_id, r.scenario, r.model) not in known:
            reason = f"all {r.n_failed} solves failed; the reason was not handed to the report"
            found.append(Unsolved(str(r.twin_id), str(r.scenario), str(r.model), reason))
    return sorted(found, key=lambda c: (c.twin_id, c.scenario, c.model))


def _marked(checks: pd.DataFrame) -> pd.Series:
    """Which rows of ``solver_check`` stand for a twin without a result."""
    return checks["failure"].astype("string").str.startswith(NO_RESULT).fillna(False).astype(bool)


def samples_failed(inputs: ReportInputs) -> list[Unsolved]:
    """Those at whose samples nothing could be predicted."""
    return [c for c in cases(inputs) if c.scenario == SAMPLES]


def place(case: Unsolved) -> str:
    """Scenario and model in words."""
    scenario = "at its samples" if case.scenario == SAMPLES else f"scenario {case.scenario}"
    return f"{scenario}, {short_model(case.model).lower()}"


def named(found: list[Unsolved]) -> str:
    """Twins by id with scenario and model; beyond ``MAX_NAMED`` they are counted."""
    twins: dict[str, list[str]] = {}
    for c in found:
        twins.setdefault(c.twin_id, []).append(place(c))
    said = [f"{twin} ({'; '.join(where)})" for twin, where in list(twins.items())[:MAX_NAMED]]
    more = len(twins) - len(said)
    return ", ".join(said) + (f" and {plural(more, 'further twin')}" if more else "")


def exposure_cell(row: Any) -> Cell:
    """Median with interval of a row of ``exposure`` (named tuple), or that there is none."""
    return Cell(interval(row.median, row.lo90, row.hi90)) if row.n_draws else Cell(FAILED, badge="bad")


def _agreement(table: pd.DataFrame) -> Paragraph:
    """How far the runs that both engines solved differ."""
    twice = table[table["max_relative_difference"].notna()]
    if twice.empty:
        return Paragraph("No run was solved by a second engine.", "small")
    text = f"{plural(len(twice), 'run')} solved again by the second engine: largest relative difference "
    text += f"{number(twice['max_relative_difference'].max())} (limit {number(twice['limit'].min())})."
    return Paragraph(text)


def checks_section(inputs: ReportInputs) -> Section:
    """Twins without a result, failed draws, agreement of the engines."""
    blocks: list[Block] = []
    found = cases(inputs)
    if found:
        rows = [
            [Cell(c.twin_id, badge="bad"), "own samples" if c.scenario == SAMPLES else c.scenario,
             short_model(c.model), c.reason]
            for c in found
        ]  # fmt: skip
        note = "Every draw of these failed: they have no exposure, no profile and no prediction, and count nowhere."
        header = ["Twin", "Scenario", "Model", "Why"]
        caption = "Twins without a result: the solver failed"
        table = Table.create(caption, header, rows, text=range(4), note=note, limit=500, file="solver_check.tsv")
        blocks.append(table)
    checks = inputs.solver_check
    if checks.empty:
        blocks.append(Paragraph("No solver checks were handed to the report.", "missing"))
        return Section("checks", "Solver checks", tuple(blocks))
    blocks.append(_agreement(checks))
    draws = records(checks[~checks["passed"] & ~_marked(checks)])
    if draws:
        rows = [[r.stage, r.run, r.failure if isinstance(r.failure, str) else f"differs at {r.state}"] for r in draws]
        caption = f"Failed draws ({count(len(rows))})"
        table = Table.create(
            caption, ["Stage", "Run", "What"], rows, text=range(3), folded=True, limit=MAX_FAILED,
            file="solver_check.tsv",
        )  # fmt: skip
        blocks.append(table)
    else:
        blocks.append(Paragraph("No other solve failed." if found else "No solve failed.", "small"))
    return Section("checks", "Solver checks", tuple(blocks))
