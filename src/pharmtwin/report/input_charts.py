"""What was put in: doses and samples of each subject, observed concentrations, covariates and how they go together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.report.blocks import Block, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import INK, MUTED, STYLE, axis, numbers, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.quantities import unit
from pharmtwin.report.rows import records
from pharmtwin.report.words import NONE, count, number, percent, plain, plotly_text, plural

MAX_SUBJECTS = 40
BINS = 12
COVARIATES = (("age", "Age"), ("weight", "Weight"), ("height", "Height"), ("creatinine", "Creatinine"))
QUANTITIES = (("eGFR", "eGFR"), ("BMI", "BMI"))
FEW = 3  # twins that a correlation needs


def _dose_times(rows: pd.DataFrame) -> list[float]:
    """Times of all doses of a subject, repeated ones (ADDL, II) written out."""
    times: list[float] = []
    for r in records(rows[rows["evid"].isin([1, 4])]):
        more = int(r.addl) if pd.notna(r.addl) else 0
        every = float(r.ii_h) if pd.notna(r.ii_h) else 0.0
        times += [float(r.time_h) + k * every for k in range(more + 1)]
    return sorted(times)


def timeline_chart(inputs: ReportInputs) -> Chart | None:
    """Doses and samples of every subject with events."""
    events = inputs.events
    if events.empty:
        return None
    twins = sorted(events["twin_id"].astype(str).unique())
    shown = twins[:MAX_SUBJECTS]
    kinds: dict[str, tuple[list[float], list[str]]] = {k: ([], []) for k in ("dose", "fit", "test")}
    rows = []
    for twin in shown:
        mine = events[events["twin_id"] == twin]
        given, samples = _dose_times(mine), mine[mine["evid"] == 0]
        label = plotly_text(twin)
        kinds["dose"][0].extend(given)
        kinds["dose"][1].extend([label] * len(given))
        for use in ("fit", "test"):
            part = samples[samples["use"] == use]["time_h"]
            kinds[use][0].extend(float(t) for t in part)
            kinds[use][1].extend([label] * len(part))
        amounts = sorted({float(d) for d in mine["dose_mg"].dropna()})
        n = {use: int((samples["use"] == use).sum()) for use in ("fit", "test")}
        last = max([*given, *samples["time_h"]], default=float("nan"))
        rows.append([twin, count(len(given)), ", ".join(plain(a) for a in amounts) or NONE, count(n["fit"]),
                     count(n["test"]), number(last)])  # fmt: skip
    drawn = (("dose", "dose", MUTED, "square", 4), ("fit", "sample, used in the fit", INK, "circle", 7),
             ("test", "sample, kept aside", "#0072b2", "diamond-open", 7))  # fmt: skip
    data = [
        points(*kinds[key], name, colour, symbol, size=size) | {"hovertemplate": "%{y}: %{x:.4g} h<extra></extra>"}
        for key, name, colour, symbol, size in drawn
        if kinds[key][0]
    ]
    layout = {
        "xaxis": axis("Time after first dose (h)"),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
    }
    hidden = len(twins) - len(shown)
    caption = f"{plural(hidden, 'further subject')} not drawn." if hidden else ""
    header = ["Subject", "Doses", "Amounts (mg)", "Samples, fit", "Samples, kept aside", "Last event (h)"]
    return Chart(
        "timeline",
        "Doses and samples of each subject",
        f"Times of {plural(len(kinds['dose'][0]), 'dose')} and of the samples of {plural(len(shown), 'subject')}.",
        (Panel("", tuple(data), layout),),
        Table.create("Doses and samples", header, rows, folded=True),
        caption=caption,
        height=120 + 17 * len(shown),
    )


def _observed(inputs: ReportInputs) -> pd.DataFrame:
    seen = inputs.events[(inputs.events["evid"] == 0)] if len(inputs.events) else inputs.events
    return seen[seen["dv_ng_ml"].notna()] if len(seen) else seen


def observed_chart(inputs: ReportInputs) -> Chart | None:
    """Observed concentrations over time, linear and logarithmic, a line a subject."""
    seen = _observed(inputs)
    if seen.empty:
        return None
    panels = []
    for label, log in (("Linear", False), ("Logarithmic", True)):
        rows = seen[seen["dv_ng_ml"] > 0] if log else seen
        x: list[float | None] = []
        y: list[float | None] = []
        for _, mine in rows.sort_values("time_h").groupby("twin_id"):
            x += [*numbers(mine["time_h"]), None]
            y += [*numbers(mine["dv_ng_ml"]), None]
        line = {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": "a subject", "hoverinfo": "skip",
                "line": {"color": MUTED, "dash": "solid", "width": 0.8}, "opacity": 0.6}  # fmt: skip
        data: list[dict[str, Any]] = [line]
        for use, name, colour, symbol in (("fit", "used in the fit", INK, "circle"),
                                          ("test", "kept aside", "#0072b2", "diamond-open")):  # fmt: skip
            part = rows[rows["use"] == use]
            if len(part):
                data.append(points(part["time_h"], part["dv_ng_ml"], name, colour, symbol, size=6,
                                   text=part["twin_id"].astype(str)))  # fmt: skip
        layout = {"xaxis": axis("Time after first dose (h)"), "yaxis": axis("Observed concentration (ng/mL)", log=log)}
        panels.append(Panel(label, tuple(data), layout))
    cells = [
        [str(r.twin_id), number(r.time_h), number(r.dv_ng_ml), str(r.use)]
        for r in records(seen.sort_values(["twin_id", "time_h"]))
    ]
    header = ["Subject", "Time (h)", "Observed (ng/mL)", "Use"]
    return Chart(
        "observed",
        "Observed concentrations",
        f"{plural(len(seen), 'observed concentration')} of {plural(seen['twin_id'].nunique(), 'subject')} over time.",
        tuple(panels),
        Table.create("Observed concentrations", header, cells, text=(0, 3), folded=True, file="the events sheet"),
        height=320,
    )


def below_limit_table(inputs: ReportInputs) -> Block:
    """Samples below the limit of quantification by time of sampling."""
    seen = inputs.events[inputs.events["evid"] == 0] if len(inputs.events) else inputs.events
    if seen.empty:
        return Paragraph("No samples, so none below a limit of quantification.", "small")
    limit = (
        pd.to_numeric(seen["lloq_ng_ml"], errors="coerce") if "lloq_ng_ml" in seen else pd.Series(np.nan, seen.index)
    )
    below = (seen["dv_ng_ml"] < limit) | (seen["dv_ng_ml"].isna() & limit.notna())
    known = limit.notna()
    edges = [-np.inf, 0, 2, 6, 12, 24, 72, 168, np.inf]
    names = ["before the first dose", "0 to 2 h", "2 to 6 h", "6 to 12 h", "12 to 24 h", "24 to 72 h", "72 to 168 h",
             "after 168 h"]  # fmt: skip
    times = pd.cut(seen["time_h"], edges, labels=names)
    rows = []
    for name in names:
        mine = (times == name).to_numpy(dtype=bool)
        n, n_known, n_below = int(mine.sum()), int((known & mine).sum()), int((below & mine).sum())
        if n:
            rows.append(
                [name, count(n), count(n_known), count(n_below), percent(n_below / n_known) if n_known else NONE]
            )
    header = ["Time after the first dose", "Samples", "With a limit", "Below it", "Share"]
    return Table.create("Samples below the limit of quantification", header, rows)


def _known(inputs: ReportInputs) -> list[tuple[str, pd.Series, str]]:
    found = [(label, inputs.numeric_covariate(prefix)) for prefix, label in COVARIATES]
    found += [(label, inputs.body_quantity(name)) for name, label in QUANTITIES]
    return [
        (label, f[0].reindex(inputs.twins), unit(f[1])) for label, f in found if f is not None and f[0].notna().any()
    ]


def covariate_chart(inputs: ReportInputs) -> Chart | None:
    """How the covariates are distributed over the twins."""
    panels, rows = [], []
    for label, values, units in _known(inputs):
        kept = values.dropna().to_numpy(dtype=float)
        if kept.min() == kept.max():
            continue
        heights, edges = np.histogram(kept, bins=min(BINS, max(3, len(kept) // 3)))
        trace = {
            "type": "bar", "x": numbers((edges[1:] + edges[:-1]) / 2), "y": [int(h) for h in heights], "name": "twins",
            "width": numbers(0.96 * np.diff(edges)), "marker": {"color": STYLE["twin"]["colour"]},
            "hovertemplate": "%{y} twins near %{x:.3g}<extra></extra>",
        }  # fmt: skip
        title = f"{label} ({units})" if units else label
        layout = {"xaxis": axis(title), "yaxis": axis("Twins"), "showlegend": False}
        panels.append(Panel(label, (trace,), layout))
        for h, lo, hi in zip(heights, edges[:-1], edges[1:]):
            rows.append([title, f"{number(lo)} to {number(hi)}", count(h)])
    if not panels:
        return None
    return Chart(
        "covariates",
        "Covariates of the twins",
        f"Histograms of {plural(len(panels), 'covariate')} over {plural(len(inputs.twins), 'twin')}.",
        tuple(panels),
        Table.create("Covariates", ["Covariate", "From, to", "Twins"], rows, text=(0, 1), folded=True),
        height=220,
        width=260,
    )


def correlation_chart(inputs: ReportInputs) -> Chart | None:
    """Rank correlations between covariates as squares: colour and number say the same."""
    known = _known(inputs)
    if len(known) < 2 or len(inputs.twins) < FEW:
        return None
    table = pd.DataFrame({label: values for label, values, _ in known}).astype(float)
    table = table.loc[:, table.nunique() > 1]
    r = table.rank().corr()
    names = [str(c) for c in r.columns]
    matrix = r.to_numpy(dtype=float)
    x = [plotly_text(b) for a in names for b in names]
    y = [plotly_text(a) for a in names for b in names]
    values = [float(v) for v in matrix.ravel()]
    trace = {
        "type": "scatter", "mode": "markers+text", "x": x, "y": y, "name": "rank correlation",
        "text": [f"{v:.2f}" for v in values], "textposition": "middle center", "textfont": {"size": 11},
        "marker": {"symbol": "square", "size": 38, "color": numbers(values), "cmin": -1, "cmax": 1,
                   "colorscale": [[0, "#d55e00"], [0.5, "#f5f7f9"], [1, "#56b4e9"]], "showscale": False},
        "hovertemplate": "%{y} and %{x}: %{text}<extra></extra>",
    }  # fmt: skip
    layout = {
        "xaxis": axis("", type="category", showgrid=False),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
        "showlegend": False,
    }
    cells = [[a, *(f"{v:.2f}" for v in row)] for a, row in zip(names, matrix)]
    return Chart(
        "correlation",
        "How the covariates go together",
        f"Rank correlations between {', '.join(names)}.",
        (Panel("", (trace,), layout),),
        Table.create("Rank correlations", ["", *names], cells, folded=True),
        caption="Spearman's rank correlation. Blue: together; orange: against each other.",
        height=70 + 46 * len(names),
    )


def inputs_section(inputs: ReportInputs) -> Section:
    """Subjects, their events and covariates in figures."""
    charts = [timeline_chart(inputs), observed_chart(inputs), covariate_chart(inputs), correlation_chart(inputs)]
    blocks: list[Block] = [c for c in charts[:2] if c is not None]
    if not blocks:
        blocks.append(Paragraph("No doses and no concentrations were given: the study predicts only.", "missing"))
    blocks.append(below_limit_table(inputs))
    blocks += [c for c in charts[2:] if c is not None]
    return Section("events", "Doses, samples, covariates", tuple(blocks))
