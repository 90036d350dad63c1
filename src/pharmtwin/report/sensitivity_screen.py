"""The Morris screening as a figure: mu* with its interval against sigma."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pharmtwin.report.blocks import Cell, Chart, Panel, Table
from pharmtwin.report.figures import MUTED, axis, line, points
from pharmtwin.report.rows import records
from pharmtwin.report.words import interval, number, plotly_text, plural

KINDS = ((True, "goes on to Sobol", "#0072b2", "circle"), (False, "screened out", "#6f7782", "square-open"))
LABELLED = 6


def of_output(output: str, scale: str) -> str:
    """What is analysed: the logarithm of an output, or the output."""
    return f"ln({output})" if scale == "ln" else output


def _panel(output: str, part: pd.DataFrame) -> Panel:
    part = part.sort_values(["mu_star", "input"], ascending=[False, True], kind="stable")
    labelled = list(part.loc[part["survives"], "input"])[:LABELLED]
    high = float(part["mu_star_hi"].max()) * 1.12 or 1.0
    top = max(float(part["sigma"].max()) * 1.25, 1e-9)
    data: list[dict[str, Any]] = [line([0, min(high, top)], [0, min(high, top)], "sigma = mu*", MUTED, "dot")]
    for survives, name, colour, symbol in KINDS:
        rows = part[part["survives"] == survives]
        if rows.empty:
            continue
        error = (rows["mu_star_lo"], rows["mu_star_hi"])
        trace = points(rows["mu_star"], rows["sigma"], name, colour, symbol, error_x=error)
        trace["mode"] = "markers+text"
        trace["text"] = [plotly_text(i) if i in labelled else "" for i in rows["input"]]
        trace["customdata"] = [plotly_text(i) for i in rows["input"]]
        trace["textposition"] = ["top left" if x > 0.6 * high else "top right" for x in rows["mu_star"]]
        trace["textfont"] = {"size": 11}
        trace["hovertemplate"] = "%{customdata}: mu* %{x:.3g}, sigma %{y:.3g}<extra></extra>"
        data.append(trace)
    of = plotly_text(of_output(output, str(part["scale"].iloc[0])))
    layout = {
        "xaxis": axis(f"mu*, mean absolute effect on {of}", range=[0, high]),
        "yaxis": axis("sigma, sd of the effects", range=[0, top]),
    }
    return Panel(plotly_text(output), tuple(data), layout)


def morris_chart(morris: pd.DataFrame) -> Chart:
    """mu* against sigma, a panel an output."""
    panels = tuple(_panel(str(o), part) for o, part in morris.groupby("output", sort=True))
    order = morris.sort_values(["output", "mu_star", "input"], ascending=[True, False, True], kind="stable")
    rows = [
        [
            r.output,
            r.input,
            number(r.mu),
            interval(r.mu_star, r.mu_star_lo, r.mu_star_hi),
            number(r.sigma),
            Cell("kept" if r.survives else "screened out", badge="good" if r.survives else ""),
            r.rule,
        ]
        for r in records(order)
    ]
    header = ["Output", "Input", "mu", "mu* (95 % interval)", "sigma", "Result", "Why"]
    caption = f"Far right: matters. Above the dotted line: non-linear or interacting. At most {LABELLED} are named."
    lost = int(morris.groupby("output")["n_left_out"].max().sum())
    if lost:
        caption += f" {plural(lost, 'trajectory', 'trajectories')} with a run without a value left out."
    return Chart(
        "morris",
        "Morris screening",
        f"mu* against sigma with 95 % intervals for {plural(len(panels), 'output')}; filled symbols go on to Sobol.",
        panels,
        Table.create("Morris screening", header, rows, text=(0, 1, 5, 6), folded=True, file="sensitivity/morris.tsv"),
        caption=caption,
        width=340,
        height=380,
    )
