"""Sensitivity: what to measure next and what may be fixed, screening, shares of variance, their course, a tornado."""

from __future__ import annotations

import pandas as pd

from pharmtwin.report.blocks import Alert, Block, Bullets, Cell, Paragraph, Section, Table
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.sensitivity_screen import morris_chart
from pharmtwin.report.sensitivity_shares import convergence_chart, course_chart, second_order_table, sobol_chart
from pharmtwin.report.sensitivity_tornado import tornado_chart
from pharmtwin.report.words import number, plural

TOPICS = (("measure", "What to measure next"), ("interaction", "What acts together"), ("fix", "What may be fixed"),
          ("precision", "How certain the shares are"))  # fmt: skip


def _words(advice: pd.DataFrame) -> list[Block]:
    """The sentences of the stage, by topic."""
    blocks: list[Block] = []
    for topic, title in TOPICS:
        mine = advice[advice["topic"] == topic].sort_values("rank")
        if len(mine):
            blocks += [Paragraph(f"{title}:", "lead"), Bullets(tuple(mine["text"].astype(str)))]
    failures = advice[advice["topic"] == "failures"]
    if len(failures):
        blocks.append(Alert("warn", "Failed runs", " ".join(failures["text"].astype(str))))
    return blocks


def _inputs(inputs: pd.DataFrame) -> Table:
    badge = {"analysed": "good"}
    rows = [
        [
            r.input,
            r.kind,
            r.distribution,
            f"{number(r.typical)} {r.unit}" if pd.notna(r.typical) else "",
            r.varied_as if r.varied_as != r.input else "",
            Cell(r.fate, badge=badge.get(r.fate, "")),
            r.source,
        ]
        for r in records(inputs)
    ]
    header = ["Input", "Kind", "Distribution", "Typical value", "Varied with its group", "Result", "Source"]
    return Table.create("Uncertain inputs", header, rows, text=(0, 1, 2, 3, 4, 5, 6), folded=True,
                        file="sensitivity/sensitivity_inputs.tsv")  # fmt: skip


def sensitivity_section(inputs: ReportInputs) -> Section:
    """Which uncertain inputs move exposure; says so where the stage did not run."""
    blocks: list[Block] = []
    if inputs.morris.empty and inputs.sobol.empty:
        blocks.append(Paragraph("The sensitivity stage did not run.", "missing"))
        return Section("sensitivity", "Sensitivity", tuple(blocks))
    if len(inputs.sensitivity_inputs):
        real = inputs.sensitivity_inputs[inputs.sensitivity_inputs["fate"] != "dummy"]
        analysed = real.loc[real["fate"] == "analysed", "varied_as"].nunique()
        text = (
            f"{plural(len(real), 'uncertain input')}, varied as {real['varied_as'].nunique()} (correlated or like ones "
            f"together): Morris screened them, {analysed} went on to Sobol. One person, one regimen; the dummy touches "
            "nothing and shows the noise."
        )
        blocks.append(Paragraph(text))
    blocks += _words(inputs.sensitivity_advice)
    if len(inputs.tornado):
        blocks.append(tornado_chart(inputs.tornado, inputs.sobol))
    blocks.append(sobol_chart(inputs.sobol) if len(inputs.sobol) else Paragraph("Sobol did not run.", "missing"))
    if len(inputs.sobol_course):
        blocks.append(course_chart(inputs.sobol_course))
    if inputs.sobol_convergence["n_base"].nunique() > 1:
        blocks.append(convergence_chart(inputs.sobol_convergence))
    if len(inputs.sobol_second):
        blocks.append(second_order_table(inputs.sobol_second))
    blocks.append(morris_chart(inputs.morris) if len(inputs.morris) else Paragraph("Morris did not run.", "missing"))
    if len(inputs.sensitivity_inputs):
        blocks.append(_inputs(inputs.sensitivity_inputs))
    return Section("sensitivity", "Sensitivity", tuple(blocks))
