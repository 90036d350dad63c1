"""Sensitivity: screening by Morris, shares of variance by Sobol, both with bootstrap intervals."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import MUTED, axis, line, numbers, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, interval, number, plotly_text, plural

KINDS = ((True, "goes on to Sobol", "#0072b2", "circle"), (False, "screened out", "#6f7782", "square-open"))
LABELLED = 6
MAX_BARS = 20


def _morris_panel(output: str, part: pd.DataFrame) -> Panel:
    part = part.sort_values(["mu_star", "input"], ascending=[False, True], kind="stable")
    labelled = list(part.loc[part["survives"], "input"])[:LABELLED]
    high = float((part["mu_star"] + part["mu_star_conf"]).max()) * 1.12 or 1.0
    top = max(float(part["sigma"].max()) * 1.25, 1e-9)
    data: list[dict[str, Any]] = [line([0, min(high, top)], [0, min(high, top)], "sigma = mu*", MUTED, "dot")]
    for survives, name, colour, symbol in KINDS:
        rows = part[part["survives"] == survives]
        if rows.empty:
            continue
        error = (rows["mu_star"] - rows["mu_star_conf"], rows["mu_star"] + rows["mu_star_conf"])
        trace = points(rows["mu_star"], rows["sigma"], name, colour, symbol, error_x=error)
        trace["mode"] = "markers+text"
        trace["text"] = [plotly_text(i) if i in labelled else "" for i in rows["input"]]
        trace["customdata"] = [plotly_text(i) for i in rows["input"]]
        trace["textposition"] = ["top left" if x > 0.6 * high else "top right" for x in rows["mu_star"]]
        trace["textfont"] = {"size": 11}
        trace["hovertemplate"] = "%{customdata}: mu* %{x:.3g}, sigma %{y:.3g}<extra></extra>"
        data.append(trace)
    layout = {
        "xaxis": axis("mu*, mean absolute effect on ln(output)", range=[0, high]),
        "yaxis": axis("sigma, sd of the effects", range=[0, top]),
    }
    return Panel(plotly_text(output), tuple(data), layout)


def _morris(morris: pd.DataFrame) -> Chart:
    panels = tuple(_morris_panel(str(o), part) for o, part in morris.groupby("output", sort=True))
    order = morris.sort_values(["output", "mu_star", "input"], ascending=[True, False, True], kind="stable")
    rows = [
        [
            r.output,
            r.input,
            number(r.mu),
            interval(r.mu_star, r.mu_star - r.mu_star_conf, r.mu_star + r.mu_star_conf),
            number(r.sigma),
            Cell("kept" if r.survives else "screened out", badge="good" if r.survives else ""),
            r.rule,
        ]
        for r in records(order)
    ]
    header = ["Output", "Input", "mu", "mu* (95 % interval)", "sigma", "Result", "Why"]
    return Chart(
        "morris",
        "Morris screening",
        f"mu* against sigma with 95 % intervals for {plural(len(panels), 'output')}; filled symbols go on to Sobol.",
        panels,
        Table.create("Morris screening", header, rows, text=(0, 1, 5, 6), folded=True),
        caption=f"Far right: matters. Above the dotted line: non-linear or interacting. At most {LABELLED} are named.",
        width=340,
        height=380,
    )


def _sobol_panel(output: str, part: pd.DataFrame) -> Panel:
    part = part.sort_values(["ST", "input"], ascending=[False, True], kind="stable").head(MAX_BARS)
    data = []
    for column, name, colour, pattern in (
        ("S1", "S1, alone", "#0072b2", ""),
        ("ST", "ST, with interactions", "#e69f00", "/"),
    ):
        trace = {
            "type": "bar",
            "orientation": "h",
            "y": [plotly_text(i) for i in part["input"]],
            "x": numbers(part[column]),
            "name": name,
            "marker": {
                "color": colour,
                "pattern": {"shape": pattern, "fgcolor": "#ffffff", "bgcolor": colour, "size": 6},
            },
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": numbers(part[f"{column}_hi"] - part[column]),
                "arrayminus": numbers(part[column] - part[f"{column}_lo"]),
                "color": "#1d2733",
                "thickness": 1.2,
                "width": 3,
            },
            "hovertemplate": "%{y}: %{x:.3g}<extra></extra>",
        }
        data.append(trace)
    high = max(1.0, float(part["ST_hi"].max()) * 1.03)
    low = min(0.0, float(part[["S1_lo", "ST_lo"]].min().min()) * 1.1)
    layout = {
        "barmode": "group",
        "xaxis": axis("Share of the variance of ln(output)", range=[low, high]),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    }
    return Panel(plotly_text(output), tuple(data), layout)


def _sobol(sobol: pd.DataFrame) -> Chart:
    panels = tuple(_sobol_panel(str(o), part) for o, part in sobol.groupby("output", sort=True))
    order = sobol.sort_values(["output", "ST", "input"], ascending=[True, False, True], kind="stable")
    rows = [
        [
            r.output,
            r.input,
            interval(r.S1, r.S1_lo, r.S1_hi),
            interval(r.ST, r.ST_lo, r.ST_hi),
            count(r.n_base),
            count(r.n_runs),
            Cell(count(r.n_failed), badge="bad" if r.n_failed else ""),
        ]
        for r in records(order)
    ]
    header = ["Output", "Input", "S1 (95 % interval)", "ST (95 % interval)", "N", "Runs", "Failed"]
    failed = sobol.groupby("output")["n_failed"].max().sum()
    caption = "S1: variance explained by the input alone; ST: together with its interactions."
    if failed:
        caption += f" {plural(int(failed), 'run')} failed; their base blocks are left out."
    inputs_per_panel = min(MAX_BARS, int(sobol.groupby("output").size().max()))
    return Chart(
        "sobol",
        "Sobol indices",
        f"First-order and total Sobol indices with 95 % intervals for {plural(len(panels), 'output')}.",
        panels,
        Table.create("Sobol indices", header, rows, text=(0, 1), folded=True),
        caption=caption,
        width=340,
        height=110 + 40 * inputs_per_panel,
    )


def sensitivity_section(inputs: ReportInputs) -> Section:
    """Which uncertain inputs move exposure; says so where the stage did not run."""
    blocks: list[Block] = []
    if inputs.morris.empty and inputs.sobol.empty:
        blocks.append(Paragraph("The sensitivity stage did not run.", "missing"))
    else:
        blocks.append(_morris(inputs.morris) if len(inputs.morris) else Paragraph("Morris did not run.", "missing"))
        blocks.append(_sobol(inputs.sobol) if len(inputs.sobol) else Paragraph("Sobol did not run.", "missing"))
    return Section("sensitivity", "Sensitivity", tuple(blocks))
