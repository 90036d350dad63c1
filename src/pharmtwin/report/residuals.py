"""Goodness of fit in the residuals: over time, over the prediction, and against the normal distribution."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from pharmtwin.report.blocks import Block, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import MUTED, STYLE, axis, line, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.words import count, number, percent, plural, short_model

MODELS = ("population", "covariates", "twin")
TITLE = "ln(predicted median / observed)"


def residuals(inputs: ReportInputs) -> pd.DataFrame:
    """Predictions with residual ln(predicted median / observed), where both are above 0."""
    rows = inputs.predictions[(inputs.predictions["observed"] > 0) & (inputs.predictions["median"] > 0)]
    return rows.assign(residual=np.log(rows["median"] / rows["observed"]))


def _against(rows: pd.DataFrame, column: str, title: str, label: str, *, log: bool) -> Panel:
    data = []
    for m in MODELS:
        part = rows[rows["model"] == m]
        if len(part):
            style = STYLE[m]
            data.append(points(part[column], part["residual"], short_model(m), style["colour"], style["symbol"], size=6,
                               opacity=0.75, text=part["twin_id"].astype(str)))  # fmt: skip
    layout = {
        "xaxis": axis(title, log=log),
        "yaxis": axis(TITLE),
        "shapes": [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y,
                    "line": {"color": MUTED, "dash": dash}}
                   for y, dash in ((0.0, "solid"), (float(np.log(2)), "dot"), (-float(np.log(2)), "dot"))],
    }  # fmt: skip
    return Panel(label, tuple(data), layout)


def _quantiles(rows: pd.DataFrame) -> Panel:
    normal = NormalDist()
    data = []
    for m in MODELS:
        values = np.sort(rows.loc[rows["model"] == m, "residual"].to_numpy(dtype=float))
        if not len(values):
            continue
        z = [normal.inv_cdf((k + 0.5) / len(values)) for k in range(len(values))]
        style = STYLE[m]
        data.append(points(z, values, short_model(m), style["colour"], style["symbol"], size=6, opacity=0.75))
    lo, hi = -2.6, 2.6
    spread = float(rows["residual"].std())
    data.append(line([lo, hi], [lo * spread, hi * spread], "normal, spread of all", MUTED, "dot"))
    return Panel("Normal quantiles", tuple(data), {"xaxis": axis("Standard normal quantile"), "yaxis": axis(TITLE)})


def residual_chart(inputs: ReportInputs, use: str) -> Chart | None:
    """Residuals of one use (``fit`` or ``test``) over time, over the prediction, and as normal quantiles."""
    rows = residuals(inputs)
    rows = rows[rows["use"] == use]
    if rows.empty:
        return None
    panels = (
        _against(rows, "time_h", "Time after first dose (h)", "Over time", log=False),
        _against(rows, "median", "Predicted median (ng/mL)", "Over the prediction", log=True),
        _quantiles(rows),
    )
    words = {"fit": "samples used in the fit", "test": "samples kept aside"}[use]
    cells = []
    for m in MODELS:
        part = rows[rows["model"] == m]
        if len(part):
            inside = ((part["observed"] >= part["lo90"]) & (part["observed"] <= part["hi90"])).mean()
            cells.append([short_model(m), count(len(part)), number(part["residual"].mean()),
                          number(part["residual"].std()), percent(inside)])  # fmt: skip
    header = ["Model", "n", "Mean residual", "Standard deviation", "Inside the 90 % predictive interval"]
    return Chart(
        f"residuals-{use}",
        f"Residuals: {words}",
        f"Residuals of {plural(len(cells), 'model')} over time, over the prediction and as normal quantiles; {words}.",
        panels,
        Table.create("Residuals", header, cells),
        caption="Positive: predicted too high. Dotted lines: 2-fold.",
        height=300,
        width=290,
        table_open=True,
    )


def residual_section(inputs: ReportInputs) -> Section:
    """Residuals of what the fit has seen and of what it has not, apart."""
    charts = [c for c in (residual_chart(inputs, use) for use in ("test", "fit")) if c is not None]
    blocks: tuple[Block, ...] = tuple(charts) or (Paragraph("There are no predictions at samples.", "missing"),)
    return Section("residuals", "Residuals", blocks)
