"""Sobol indices as figures: bars with intervals, their course over the dosing interval, and how they settled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.report.blocks import Cell, Chart, Panel, Table
from pharmtwin.report.figures import axis, band, line, numbers
from pharmtwin.report.rows import records
from pharmtwin.report.sensitivity_screen import of_output
from pharmtwin.report.words import count, interval, number, plotly_text, plural

MAX_BARS = 15
MAX_TILES = 12
BARS = (("S1", "S1, alone", "#0072b2", ""), ("ST", "ST, with interactions", "#e69f00", "/"))
#: colour-blind-safe lines (Okabe and Ito), each with its own dash
LINES = (("#0072b2", "solid"), ("#d55e00", "dash"), ("#009e73", "dot"), ("#cc79a7", "dashdot"), ("#56b4e9", "longdash"),
         ("#e69f00", "solid"))  # fmt: skip
#: from white to blue, readable in grey
TILES = [[0.0, "#f4f6f8"], [0.25, "#c6dbef"], [0.5, "#6baed6"], [0.75, "#2171b5"], [1.0, "#08306b"]]


def _top(part: pd.DataFrame, n: int) -> pd.DataFrame:
    return part.sort_values(["ST", "input"], ascending=[False, True], kind="stable").head(n)


def _bars(output: str, part: pd.DataFrame) -> Panel:
    of = of_output(output, str(part["scale"].iloc[0]))
    part = _top(part, MAX_BARS)
    data: list[dict[str, Any]] = []
    for column, name, colour, pattern in BARS:
        data.append(
            {
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
        )
    high = float(part[["S1_hi", "ST_hi"]].max().max()) * 1.05
    low = min(0.0, float(part[["S1_lo", "ST_lo"]].min().min()) * 1.1)
    layout = {
        "barmode": "group",
        "xaxis": axis(f"Share of variance, {plotly_text(of)}", range=[low, high]),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    }
    return Panel(plotly_text(output), tuple(data), layout)


def sobol_chart(sobol: pd.DataFrame) -> Chart:
    """First-order and total indices with intervals, a panel an output."""
    panels = tuple(_bars(str(o), part) for o, part in sobol.groupby("output", sort=True))
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
            Cell(count(r.n_left_out), badge="bad" if r.n_left_out else ""),
        ]
        for r in records(order)
    ]
    header = ["Output", "Input", "S1 (95 % interval)", "ST (95 % interval)", "N", "Runs", "Failed", "Blocks left out"]
    by_output = sobol.groupby("output")[["n_failed", "n_left_out"]].max().sum()
    caption = (
        f"S1: variance explained by the input alone; ST: together with its interactions. At most {MAX_BARS} shown."
    )
    if by_output["n_left_out"]:
        caption += (
            f" {plural(int(by_output['n_failed']), 'run')} failed; "
            f"{plural(int(by_output['n_left_out']), 'base block')} left out for it."
        )
    bars = min(MAX_BARS, int(sobol.groupby("output").size().max()))
    return Chart(
        "sobol",
        "Sobol indices",
        f"First-order and total Sobol indices with 95 % intervals for {plural(len(panels), 'output')}.",
        panels,
        Table.create("Sobol indices", header, rows, text=(0, 1), folded=True, file="sensitivity/sobol.tsv"),
        caption=caption,
        width=340,
        height=110 + 40 * bars,
    )


def course_chart(course: pd.DataFrame) -> Chart:
    """Total indices of the concentration over time as tiles: one row an input, darker for a larger share."""
    order = course.groupby("input")["ST"].max().sort_values(ascending=False).head(MAX_TILES)
    times = sorted(course["time_h"].unique())
    step = float(times[1] - times[0]) if len(times) > 1 else 1.0
    kept = course[course["input"].isin(order.index)].copy()
    kept["place"] = kept["input"].map({n: k for k, n in enumerate(order.index)})
    kept = kept.sort_values(["place", "time_h"], kind="stable")
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [plotly_text(i) for i in kept["input"]],
        "base": numbers(kept["time_h"] - step / 2),
        "x": numbers([step] * len(kept)),
        "width": 0.94,
        "marker": {
            "color": numbers(kept["ST"]),
            "colorscale": TILES,
            "cmin": 0,
            "cmax": float(f"{max(0.1, kept['ST'].max()):.2g}"),
            "showscale": True,
            "colorbar": {"title": {"text": "ST"}, "thickness": 12, "len": 0.9},
            "line": {"width": 0},
        },
        "customdata": [[float(f"{t:.4g}"), interval(s, lo, hi)] for t, s, lo, hi in
                       zip(kept["time_h"], kept["ST"], kept["ST_lo"], kept["ST_hi"], strict=True)],
        "hovertemplate": "%{y}, %{customdata[0]} h: ST %{customdata[1]}<extra></extra>",
        "showlegend": False,
    }  # fmt: skip
    layout = {
        "barmode": "overlay",
        "bargap": 0,
        "xaxis": axis(
            "Time since the dose of the observed interval (h)", range=[-step / 2, float(times[-1]) + step / 2]
        ),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
    }
    some = course[course["time_h"].isin(times[:: max(1, len(times) // 6)])]
    rows = [
        [number(r.time_h), r.input, interval(r.S1, r.S1_lo, r.S1_hi), interval(r.ST, r.ST_lo, r.ST_hi)]
        for r in records(some[some["input"].isin(order.index)].sort_values(["time_h", "ST"], ascending=[True, False]))
    ]
    header = ["Time (h)", "Input", "S1 (95 % interval)", "ST (95 % interval)"]
    return Chart(
        "sobol-course",
        "Which input matters when",
        f"Total Sobol indices of the logarithm of the concentration at {len(times)} times for {len(order)} inputs.",
        (Panel("ln(concentration)", (trace,), layout),),
        Table.create("Indices over time", header, rows, text=(1,), folded=True, file="sensitivity/sobol_course.tsv"),
        caption="Darker: a larger part of the variance of ln C(t), interactions included.",
        width=520,
        height=120 + 28 * len(order),
    )


def _settling(output: str, part: pd.DataFrame, names: list[str]) -> Panel:
    data: list[dict[str, Any]] = []
    for (colour, dash), name in zip(LINES, names, strict=False):
        mine = part[part["input"] == name].sort_values("n_base")
        fill = f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:7], 16)},.15)"
        data.append(band(mine["n_base"], mine["ST_lo"], mine["ST_hi"], "", fill) | {"showlegend": False})
        data.append(line(mine["n_base"], mine["ST"], plotly_text(name), colour, dash))
    sizes = sorted(part["n_base"].unique())
    size = axis("Base blocks N", tickvals=[int(n) for n in sizes], ticktext=[count(n) for n in sizes])
    size |= {"type": "log", "range": numbers([np.log10(sizes[0]) - 0.03, np.log10(sizes[-1]) + 0.05])}
    layout = {"xaxis": size, "yaxis": axis("Total index ST", rangemode="tozero")}
    return Panel(plotly_text(output), tuple(data), layout)


def convergence_chart(table: pd.DataFrame) -> Chart:
    """Total indices after each doubling, with intervals, of the inputs that are largest in any output."""
    last = table[table["n_base"] == table["n_base"].max()]
    order = last.groupby("input")["ST"].max().reset_index()
    names = [str(n) for n in _top(order, len(LINES))["input"]]
    panels = tuple(_settling(str(o), part, names) for o, part in table.groupby("output", sort=True))
    rows = [
        [r.output, r.input, count(r.n_base), interval(r.S1, r.S1_lo, r.S1_hi), interval(r.ST, r.ST_lo, r.ST_hi)]
        for _, part in table.groupby("output", sort=True)
        for name in names
        for r in records(part[part["input"] == name].sort_values("n_base"))
    ]
    header = ["Output", "Input", "N", "S1 (95 % interval)", "ST (95 % interval)"]
    return Chart(
        "sobol-convergence",
        "How the indices settled",
        f"Total Sobol indices with 95 % intervals against the sample size for {plural(len(panels), 'output')}.",
        panels,
        Table.create("Convergence", header, rows, text=(0, 1), folded=True, file="sensitivity/sobol_convergence.tsv"),
        caption=f"The sample doubles until every interval is narrow enough; the {len(names)} largest inputs are drawn.",
        width=340,
        height=340,
    )


def second_order_table(second: pd.DataFrame) -> Table:
    """Pairs of inputs, the strongest first."""
    order = second.sort_values(["output", "S2"], ascending=[True, False], kind="stable")
    rows = [[r.output, r.input_a, r.input_b, interval(r.S2, r.S2_lo, r.S2_hi)] for r in records(order)]
    return Table.create(
        "Second-order indices", ["Output", "Input", "with", "S2 (95 % interval)"], rows, text=(0, 1, 2), folded=True,
        limit=60, file="sensitivity/sobol_second.tsv",
    )  # fmt: skip
