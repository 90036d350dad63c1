"""Figures of the evaluation: error by group, probability integral transform, and calibration of probabilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from pharmtwin.report.blocks import Chart, Panel, Table
from pharmtwin.report.figures import MUTED, STYLE, axis, fold_lines, line, points
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, interval, number, percent, plotly_text, plural, short_model

BINS = 10
MOST = 5  # groups of equal size of predicted probabilities


def _order(models: pd.Series, order: tuple[str, ...]) -> list[str]:
    return [m for m in order if (models == m).any()]


def _group_panel(part: pd.DataFrame, axis_name: str, order: tuple[str, ...]) -> Panel:
    names = sorted(set(part["group"].astype(str)), reverse=True)
    models = _order(part["model"], order)
    data = []
    for k, m in enumerate(models):
        rows, style = part[part["model"] == m], STYLE[m]
        shift = 0.5 * ((len(models) - 1) / 2 - k) / max(len(models), 2)
        at = [names.index(str(g)) + shift for g in rows["group"]]
        trace = points(rows["value"], at, short_model(m), style["colour"], style["symbol"], size=8,
                       error_x=(rows["lo95"].fillna(rows["value"]), rows["hi95"].fillna(rows["value"])))  # fmt: skip
        hover = [f"{g}, {count(n)} subjects" for g, n in zip(rows["group"], rows["n_subjects"], strict=True)]
        data.append(trace | {"hovertext": [plotly_text(h) for h in hover], "hovertemplate": "%{hovertext}: %{x:.3g}"
                             "<extra></extra>", "legendgroup": m})  # fmt: skip
    high = max(2.0, float(part[["value", "hi95"]].max().max())) * 1.05
    layout = {
        "xaxis": axis("GMFE (fold; 1 is perfect)", range=[0.95, high]),
        "yaxis": axis("", tickvals=list(range(len(names))), ticktext=[plotly_text(n) for n in names], showgrid=False,
                      range=[-0.6, len(names) - 0.4]),
        "shapes": [{"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1,
                    "line": {"color": MUTED, "dash": "solid"}}],
    }  # fmt: skip
    return Panel(plotly_text(axis_name), tuple(data), layout)


def group_chart(groups: pd.DataFrame, order: tuple[str, ...]) -> Chart:
    """Typical fold error of every group, a panel an axis, models beside each other; unseen data only."""
    part = groups[groups["metric"] == "GMFE"].dropna(subset=["value"])
    panels = tuple(_group_panel(mine, str(name), order) for name, mine in part.groupby("axis", sort=True))
    rows = [
        [r.axis, r.group, short_model(str(r.model)), count(r.n_subjects), interval(r.value, r.lo95, r.hi95),
         "" if pd.isna(r.flag) else r.flag]
        for r in records(part.sort_values(["axis", "group", "model"], kind="stable"))
    ]  # fmt: skip
    header = ["By", "Group", "Model", "Subjects", "GMFE (95 % interval)", "Flag"]
    return Chart(
        "evaluation-groups", "Error by group of people",
        f"GMFE with 95 % intervals by {plural(len(panels), 'way')} of grouping people, models beside each other.",
        panels, Table.create("GMFE by group", header, rows, text=(0, 1, 2, 5), folded=True),
        caption="No interval: fewer than 5 subjects. A group that looks better or worse may be small: see the flags.",
        width=380, height=360,
    )  # fmt: skip


def pit_chart(scores: pd.DataFrame, order: tuple[str, ...], data_set: str) -> Chart:
    """Where the observations fall in their predictive distributions: flat if the uncertainty is right."""
    panels, rows = [], []
    edges = np.linspace(0, 1, BINS + 1)
    for m in _order(scores["model"], order):
        values = scores.loc[scores["model"] == m, "pit"].to_numpy(float)
        found = np.histogram(values, edges)[0]
        middle = (edges[1:] + edges[:-1]) / 2
        style = STYLE[m]
        bar = {"type": "bar", "x": [round(float(x), 3) for x in middle], "y": [int(n) for n in found],
               "width": 0.09, "name": short_model(m), "showlegend": False, "marker": {"color": style["colour"]},
               "hovertemplate": "%{x:.2f}: %{y} observations<extra></extra>"}  # fmt: skip
        level = line([0, 1], [len(values) / BINS] * 2, "if all were right", MUTED, "dash")
        layout = {"xaxis": axis("Share of the predictive draws below the observation", range=[0, 1]),
                  "yaxis": axis("Observations", rangemode="tozero"), "bargap": 0.02}  # fmt: skip
        panels.append(Panel(short_model(m), (bar, level), layout))
        rows.append([short_model(m), count(len(values)), *(count(n) for n in found)])
    header = ["Model", "n", *(f"{lo:.1f} to {hi:.1f}" for lo, hi in pairwise(edges))]
    text = "Piled up in the middle: predicted too uncertain. At both ends: too certain. At one end: biased."
    alt = f"Histograms of the probability integral transform of {plural(len(panels), 'model')}: {data_set}."
    table = Table.create("Probability integral transform", header, rows, folded=True)
    return Chart("evaluation-pit", "Where observations fall in their predictive distribution", alt, tuple(panels),
                 table, caption=text, width=300, height=280)  # fmt: skip


def _reliability(part: pd.DataFrame) -> list[tuple[float, float, int]]:
    """Mean probability, share that happened, and number, of groups of equal size in order of the probability."""
    ordered = part.sort_values(["probability", "twin_id", "time_h"], kind="stable")
    groups = np.array_split(np.arange(len(ordered)), min(MOST, len(ordered)))
    p, y = ordered["probability"].to_numpy(float), (ordered["observed"] > ordered["limit"]).to_numpy(float)
    return [(float(p[g].mean()), float(y[g].mean()), len(g)) for g in groups]


def event_chart(events: pd.DataFrame, order: tuple[str, ...], data_set: str) -> Chart:
    """Predicted probability to lie above a limit against the share that did, a panel a limit."""
    panels, rows = [], []
    for limit, mine in events.groupby("limit", sort=True):
        diagonal = fold_lines(0.0, 1.0)[0] | {"name": "perfect"}
        data = [diagonal]
        for m in _order(mine["model"], order):
            found, style = _reliability(mine[mine["model"] == m]), STYLE[m]
            x, y = [f[0] for f in found], [f[1] for f in found]
            data.append(points(x, y, short_model(m), style["colour"], style["symbol"], size=9,
                               text=[f"{f[2]} observations" for f in found]))  # fmt: skip
            rows += [[f"{limit:g} ng/mL", short_model(m), percent(f[0]), percent(f[1]), count(f[2])] for f in found]
        layout = {"xaxis": axis("Mean predicted probability", range=[-0.03, 1.03]),
                  "yaxis": axis("Share observed above", range=[-0.03, 1.03])}  # fmt: skip
        panels.append(Panel(f"above {number(limit)} ng/mL", tuple(data), layout))
    header = ["Limit", "Model", "Mean predicted", "Observed above", "n"]
    alt = f"Observed share above a limit against predicted probability, {plural(len(panels), 'limit')}: {data_set}."
    table = Table.create("Predicted and observed shares above a limit", header, rows, text=(0, 1), folded=True)
    text = f"Observations in up to {MOST} groups of equal size, in order of the predicted probability."
    return Chart("evaluation-events", "Calibration of predicted probabilities", alt, tuple(panels), table,
                 caption=text, width=320, height=320)  # fmt: skip
