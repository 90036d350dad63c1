"""The waterfall of a twin's page: what each piece of knowledge did to the prediction, from the table ``steps``."""

from __future__ import annotations

from math import log10
from typing import Any

import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.checks import FAILED
from pharmtwin.report.figures import INK, MUTED, STYLE, axis, numbers, points
from pharmtwin.report.genome_calls import NO_CALL, top_calls
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.people import conditions_of
from pharmtwin.report.quantities import conditions, unit
from pharmtwin.report.rows import records
from pharmtwin.report.words import NONE, interval, number, percent, plain, plural

METRIC = "AUCtau"
#: name of each step on the axis; what is known there is told in the table
LABELS = {
    "population": "Population model", "genotype": "Genotype", "body": "Age, sex, body", "kidney": "Kidney function",
    "comedication": "Comedication", "samples": "Own samples",
}  # fmt: skip
UP, DOWN = {"color": "#d55e00", "shape": "/"}, {"color": "#0072b2", "shape": ""}
LAST = "This twin"


def steps_of(inputs: ReportInputs, twin: str, metric: str = METRIC) -> pd.DataFrame:
    """Rows of table ``steps`` of one twin and metric, in the order of the chain."""
    rows = inputs.steps[(inputs.steps["twin_id"] == twin) & (inputs.steps["metric"] == metric)]
    return rows.sort_values("order", kind="stable")


def comedication_of(inputs: ReportInputs, twin: str) -> str:
    """What the twins sheet says of the twin's comedication; empty where it says nothing."""
    people = inputs.covariates
    if "comedication" not in people:
        return ""
    told = people.loc[people["twin_id"] == twin, "comedication"].astype("string").fillna("")
    return str(told.iloc[0]).strip() if len(told) else ""


def known(inputs: ReportInputs, twin: str) -> dict[str, str]:
    """What is known of a twin at each step, in words."""
    calls = top_calls(inputs.genotype, inputs.gene)
    gene = "not called: prior of the ancestry"
    if twin in calls.index and calls["state"][twin] != NO_CALL:
        call = calls.loc[twin]
        gene = f"{inputs.gene} {call['diplotype']} ({percent(call['probability'])}), {call['phenotype']}"
    person = inputs.covariates[inputs.covariates["twin_id"] == twin]
    words = []
    for column, in_unit in (("sex", ""), ("age_y", " y"), ("weight_kg", " kg"), ("height_cm", " cm")):
        if len(person) and column in person and pd.notna(person[column].iloc[0]):
            value = person[column].iloc[0]
            words.append(f"{value if column == 'sex' else plain(value)}{in_unit}")
    words += conditions(conditions_of(inputs).get(twin, ""))
    gfr = inputs.body[(inputs.body["twin_id"] == twin) & (inputs.body["quantity"] == "eGFR")]
    kidney = f"eGFR {number(gfr['value'].iloc[0])} {unit(gfr['unit'].iloc[0])}" if len(gfr) else "GFR as assembled"
    seen = inputs.predictions[(inputs.predictions["twin_id"] == twin) & (inputs.predictions["use"] == "fit")]
    told = comedication_of(inputs, twin)
    return {
        "population": "nothing of this person: pooled genotype frequencies, reference man and woman",
        "genotype": gene,
        "body": ", ".join(words) or "body as assembled",
        "kidney": kidney,
        "comedication": f"not in the simulation ({told or 'none stated'})",
        "samples": plural(seen["time_h"].nunique(), "concentration") if len(seen) else "no concentrations of this twin",
    }


def _bar(label: str, before: float, after: float, factor: float) -> dict[str, Any]:
    style = UP if after >= before else DOWN
    return {
        "type": "bar",
        "orientation": "h",
        "y": [label],
        "x": numbers([after - before]),
        "base": numbers([before]),
        "name": "raises the prediction" if after >= before else "lowers the prediction",
        "marker": {
            "color": style["color"],
            "pattern": {"shape": style["shape"], "fgcolor": "#ffffff", "bgcolor": style["color"], "size": 6},
            "line": {"color": style["color"], "width": 1.5},
        },
        "width": 0.5,
        "hovertemplate": f"{label}: × {number(factor)}<extra></extra>",
    }


def _level(label: str, row: Any, start: float, key: str, name: str) -> dict[str, Any]:
    style = STYLE[key]
    limits = [row.lo90 / start], [row.hi90 / start]
    trace = points([row.median / start], [label], name, style["colour"], style["symbol"], error_x=limits, size=11)
    return trace | {"hovertemplate": "%{x:.3g}<extra></extra>"}


def _words(label: str, at: float, text: str, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "text", "x": numbers([at]), "y": [label], "text": [f"  {text}"], "name": "",
        "textposition": "middle right", "textfont": {"color": colour, "size": 12.5}, "hoverinfo": "skip",
        "showlegend": False, "cliponaxis": False,
    }  # fmt: skip


def _panel(rows: list[Any]) -> Panel:
    """Levels at both ends with 90 % intervals, between them a bar a step; what is not known has its place, in grey."""
    first, last = rows[0], [r for r in rows if r.state == "computed"][-1]
    start, level = first.median, 1.0
    data = [_level(LABELS["population"], first, start, "population", "population model, 90 % interval")]
    ends = [first.lo90 / start, first.hi90 / start, last.lo90 / start, last.hi90 / start]
    for r in rows[1:]:
        label = LABELS[r.step]
        if r.state != "computed":
            words = {"not_simulated": "not simulated", "absent": "none", "failed": "failed"}[r.state]
            data.append(_words(label, level, words, MUTED))
            continue
        after = r.median / start
        data += [_bar(label, level, after, r.factor), _words(label, max(level, after), f"× {number(r.factor)}", INK)]
        level = after
        ends.append(after)
    key = "twin" if last.step == "samples" else "covariates"
    data.append(_level(LAST, last, start, key, "this twin, 90 % interval"))
    seen: set[str] = set()
    for trace in data:
        trace["showlegend"] = bool(trace["name"]) and trace["name"] not in seen
        seen.add(str(trace["name"]))
    low, high = min(ends) / 1.15, max(ends) * 1.5
    layout = {
        "xaxis": axis(f"{METRIC} / population median", log=True, range=[_log10(low), _log10(high)]),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
        "barmode": "overlay",
        "shapes": [{"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1,
                    "layer": "below", "line": {"color": MUTED, "width": 1}}],
    }  # fmt: skip
    return Panel("", tuple(data), layout)


def _log10(value: float) -> float:
    return float(f"{log10(value):.4g}")


def _table(rows: list[Any], told: dict[str, str], in_unit: str) -> Table:
    start = rows[0].median
    words = {"not_simulated": "not simulated", "absent": "no data", "failed": FAILED}
    cells: list[list[Cell | str]] = []
    for r in rows:
        if r.state != "computed":
            state = Cell(words[r.state], badge="bad" if r.state == "failed" else "note")
            cells.append([LABELS[r.step], told[r.step], state, NONE, NONE])
            continue
        moved: Cell | str = NONE
        if r.factor == r.factor:
            moved = Cell(f"× {number(r.factor)}", sub=f"{number(r.factor_lo95)} to {number(r.factor_hi95)}")
        level = Cell(number(r.median), sub=f"{number(r.lo90)} to {number(r.hi90)}")
        cells.append([LABELS[r.step], told[r.step], moved, level, number(r.median / start)])
    header = ["Step", "What is known from here on", "Factor", f"{METRIC} ({in_unit})", "× population"]
    note = f"Every row is a prediction by the whole model, {plural(int(rows[0].n_draws), 'draw')}. Second line: of the "
    note += "factor, what the finite number of draws leaves open (95 %); of the exposure, 90 % of the draws. The order "
    note += "of the steps is fixed; in another order the factors would differ."
    failed = sum(int(r.n_failed) for r in rows)
    if failed:
        note += f" {plural(failed, 'solve')} failed and were left out."
    return Table.create("What moved the prediction", header, cells, text=(0, 1), note=note)


def waterfall_section(inputs: ReportInputs, twin: str) -> Section:
    """Waterfall of genotype, body, kidney function, comedication and own samples, with its table."""
    title = "What moved the prediction"
    rows = list(records(steps_of(inputs, twin)))
    if not rows or rows[0].state != "computed":
        text = "The steps of knowledge were not computed for this twin."
        if rows:
            text = f"The steps of knowledge could not be computed: {FAILED}."
        return Section("steps", title, (Paragraph(text, "missing"),))
    moved = [r for r in rows[1:] if r.state == "computed"]
    factors = ", ".join(f"{LABELS[r.step].lower()} × {number(r.factor)}" for r in moved)
    last = moved[-1] if moved else rows[0]
    total = interval(last.median / rows[0].median, last.lo90 / rows[0].median, last.hi90 / rows[0].median)
    sentence = f"{factors[:1].upper()}{factors[1:]}; in all × {total} the population model's median."
    chart = Chart(
        "waterfall",
        f"{METRIC} step by step, {rows[0].scenario}",
        f"Waterfall of {METRIC} in multiples of the population median: {factors}; in all {total}.",
        (_panel(rows),),
        _table(rows, known(inputs, twin), rows[0].unit),
        caption="Each bar leads from the prediction before to the prediction that knows one thing more.",
        height=330,
        table_open=True,
    )
    blocks: tuple[Block, ...] = (Paragraph(sentence), chart)
    return Section("steps", title, blocks)
