"""The tornado: each important input from low to high, in the units of the input and of the output."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pharmtwin.report.blocks import Chart, Panel, Table
from pharmtwin.report.figures import INK, axis, numbers
from pharmtwin.report.rows import records
from pharmtwin.report.words import number, plotly_text, plural

MAX_BARS = 12
ENDS = (("at_low", "low", "input at its 5 % quantile", "#56b4e9", ""),
        ("at_high", "high", "input at its 95 % quantile", "#d55e00", "/"))  # fmt: skip


def _swing(part: pd.DataFrame) -> pd.Series:
    ends = part[["base", "at_low", "at_high"]]
    return ends.max(axis=1) - ends.min(axis=1)


def _ranked(part: pd.DataFrame) -> pd.DataFrame:
    ranked = part.assign(swing=_swing(part)).sort_values(["swing", "input"], ascending=[False, True], kind="stable")
    return ranked.head(MAX_BARS)


def _value(x: Any, unit: str) -> str:
    shown = {"1": "", "x typical": " x typical"}.get(unit, f" {unit}")
    return f"{number(x)}{shown}"


def _panel(output: str, part: pd.DataFrame) -> Panel:
    part = _ranked(part)
    base, unit = float(part["base"].iloc[0]), str(part["unit"].iloc[0])
    data: list[dict[str, Any]] = []
    for column, end, name, colour, pattern in ENDS:
        said = [_value(v, u) for v, u in zip(part[end], part["input_unit"], strict=True)]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "y": [plotly_text(i) for i in part["input"]],
                "base": numbers([base] * len(part)),
                "x": numbers(part[column] - base),
                "name": name,
                "marker": {
                    "color": colour,
                    "pattern": {"shape": pattern, "fgcolor": "#ffffff", "bgcolor": colour, "size": 6},
                },
                "customdata": [[plotly_text(s), number(v)] for s, v in zip(said, part[column], strict=True)],
                "hovertemplate": "%{y} = %{customdata[0]}: %{customdata[1]} " + plotly_text(unit) + "<extra></extra>",
            }
        )
    layout = {
        "barmode": "overlay",
        "xaxis": axis(f"{plotly_text(output)} ({plotly_text(unit)})"),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
        "shapes": [{"type": "line", "x0": base, "x1": base, "yref": "paper", "y0": 0, "y1": 1,
                    "line": {"color": INK, "width": 1}}],
    }  # fmt: skip
    return Panel(plotly_text(output), tuple(data), layout)


def tornado_chart(tornado: pd.DataFrame, sobol: pd.DataFrame) -> Chart:
    """One input at a time at its 5 % and 95 % quantile, all others at their median."""
    order = [o for o in dict.fromkeys(sobol["output"])] or list(dict.fromkeys(tornado["output"]))
    parts = {str(o): part for o, part in tornado.groupby("output", sort=True)}
    names = [o for o in order if o in parts]
    panels = tuple(_panel(o, parts[o]) for o in names)
    rows = [
        [o, r.input, _value(r.low, r.input_unit), _value(r.high, r.input_unit), f"{number(r.at_low)} {r.unit}",
         f"{number(r.base)} {r.unit}", f"{number(r.at_high)} {r.unit}"]
        for o in names
        for r in records(_ranked(parts[o]))
    ]  # fmt: skip
    header = ["Output", "Input", "low (5 %)", "high (95 %)", "output at low", "typical", "output at high"]
    return Chart(
        "tornado",
        "What one input does",
        f"Tornado of {plural(len(panels), 'output')}: change when one input goes from its 5 % to its 95 % quantile.",
        panels,
        Table.create("Tornado", header, rows, text=(0, 1), folded=True, file="sensitivity/tornado.tsv"),
        caption="All other inputs stay at their median: what acts only together with others shows little here (ST).",
        width=340,
        height=110 + 30 * min(MAX_BARS, int(tornado.groupby("output").size().max())),
    )
