"""What would be otherwise: the twin with another genotype, and with other doses; from tables the workflow computed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import INK, MUTED, STYLE, axis, line, numbers, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.profiles import BAND, BANDS, Clock, curves, windows
from pharmtwin.report.rows import records
from pharmtwin.report.words import interval, model, number, percent, plain, plotly_text, plural

#: share of draws below, inside and above the target: colour-safe, each with its own hatching
PARTS = (("p_below", "below the range", "#56b4e9", "\\"), ("p_inside", "inside the range", "#009e73", ""),
         ("p_above", "above the range", "#d55e00", "x"))  # fmt: skip


def _of(table: pd.DataFrame, twin: str) -> pd.DataFrame:
    return table[table["twin_id"] == twin]


def counterfactual_sentence(inputs: ReportInputs, twin: str) -> str:
    """``With CYP2D6 *1/*1 ... AUCtau would be ...``; empty where it was not computed."""
    rows = _of(inputs.counterfactuals, twin)
    found = [r for r in records(rows[rows["metric"] == "AUCtau"]) if r.ratio == r.ratio]
    if not found:
        return ""
    r = found[0]
    text = f"If {r.gene} were {r.diplotype} and everything else the same, {r.metric} would be "
    text += f"{interval(r.median, r.lo90, r.hi90)} {r.unit}: {number(r.ratio)} times ({number(r.ratio_lo90)} to "
    return text + f"{number(r.ratio_hi90)}) what is predicted."


def _both(rows: list[Any]) -> tuple[Panel, ...]:
    panels = []
    for r in rows:
        data = []
        for label, q, key in (
            ("as it is", (r.actual_median, r.actual_lo90, r.actual_hi90), "twin"),
            (f"{r.gene} {r.diplotype}", (r.median, r.lo90, r.hi90), "covariates"),
        ):
            style = STYLE[key]
            limits = [q[1]], [q[2]]
            trace = points([q[0]], [label], label, style["colour"], style["symbol"], error_x=limits, size=11)
            data.append(trace | {"hovertemplate": "%{x:.3g}<extra></extra>"})
        log = min(r.actual_lo90, r.lo90) > 0
        layout = {
            "xaxis": axis(f"{r.metric} ({r.unit})", log=log, **({} if log else {"rangemode": "tozero"})),
            "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
            "showlegend": False,
        }
        panels.append(Panel(r.metric, tuple(data), layout))
    return tuple(panels)


def _levels_said(rows: list[Any], prefix: str) -> str:
    """``AUCtau 100 (50 to 200) ng*h/mL; Cmax ...`` of the case whose columns begin with the prefix."""

    def one(row: Any) -> str:
        return f"{interval(*(getattr(row, f'{prefix}{c}') for c in ('median', 'lo90', 'hi90')))} {row.unit}"

    return "; ".join(f"{r.metric} {one(r)}" for r in rows)


def course_chart(inputs: ReportInputs, twin: str, rows: list[Any]) -> Chart | None:
    """The predicted course as the twin is, and by a button with the exchanged gene; None where there is no course.

    ``rows``: of table ``counterfactuals``, of one gene.
    """
    first = rows[0]
    mine = _of(inputs.counterfactual_courses, twin)
    mine = mine[(mine["gene"] == first.gene) & (mine["diplotype"] == first.diplotype)]
    actual, other = (mine[mine["case"] == case].sort_values("time_h") for case in ("actual", "exchanged"))
    if actual.empty or other.empty:
        return None
    tau = _interval_h(inputs, first.scenario)
    if tau:  # the interval that the metrics are of
        start = float(mine["time_h"].max()) - tau
        actual, other = (part[part["time_h"] >= start - 1e-9] for part in (actual, other))
    clock = Clock.create(actual["time_h"].to_list())
    name = f"with {first.gene} {first.diplotype}"
    top = 1.05 * float(max(actual["q95"].max(), other["q95"].max()))  # the same axes for every case
    layout = {
        "xaxis": clock.axis(),
        "yaxis": axis("Concentration (ng/mL)", range=numbers([0.0, top])),
    }
    ghost = [
        line(clock.place(part["time_h"]), part["q50"], "median as it is", MUTED, "dot")
        | {"showlegend": i == 0, "legendgroup": "ghost", "hoverinfo": "skip"}
        for i, (start, end) in enumerate(windows(actual["time_h"].to_list()))
        for part in (actual[actual["time_h"].between(start, end)],)
    ]
    cases = (("as it is", "as it is", "actual_", (*curves(actual, STYLE["twin"], "as it is", clock),)),
             (f"if {first.gene} were {first.diplotype}", name, "",
              (*ghost, *curves(other, STYLE["covariates"], name, clock))))  # fmt: skip
    panels = tuple(
        Panel(plotly_text(label), data, layout, f"{name[:1].upper()}{name[1:]}: {_levels_said(rows, prefix)}.")
        for label, name, prefix, data in cases
    )
    both = actual.merge(other, on="time_h", suffixes=("", "_other"))
    cells = [
        [plain(r.time_h), interval(r.q50, r.q05, r.q95), interval(r.q50_other, r.q05_other, r.q95_other)]
        for r in records(both)
    ]
    header = ["Time (h)", "As it is (90 %), ng/mL", f"{name[:1].upper()}{name[1:]} (90 %), ng/mL"]
    shown = "The last dosing interval" if tau else "All times"
    note = f"{shown}; the whole course: explain/*/counterfactual_courses.parquet."
    drawn = int(actual["n_draws"].iloc[0])
    return Chart(
        "counterfactual-course",
        f"Predicted course, {first.scenario}",
        f"Predicted concentrations with 90 % bands, {panels[0].said} {panels[1].said}",
        panels,
        Table.create("Course as it is and with the other genotype", header, cells, note=note, limit=len(cells)),
        caption=f"{shown}. {BAND if tau else BANDS} {plural(drawn, 'draw')}, the same both ways.",
        mode="toggle",
        height=340,
    )


def _interval_h(inputs: ReportInputs, scenario: str) -> float | None:
    """Hours between two doses of a scenario; None where its sheet was not handed over."""
    table = inputs.scenarios
    if "interval_h" not in table:
        return None
    rows = table.loc[table["scenario"] == scenario, "interval_h"]
    return float(rows.iloc[0]) if len(rows) else None


def counterfactual_section(inputs: ReportInputs, twin: str) -> Section:
    """The same person with a normal genotype, draw by draw."""
    title = "If the genotype were another"
    rows = [r for r in records(_of(inputs.counterfactuals, twin)) if r.n_draws > 0]
    if not rows:
        return Section(
            "counterfactual", title, (Paragraph("No other genotype was computed for this twin.", "missing"),)
        )
    first = rows[0]
    cells = [
        [
            f"{r.metric} ({r.unit})",
            interval(r.actual_median, r.actual_lo90, r.actual_hi90),
            interval(r.median, r.lo90, r.hi90),
            interval(r.ratio, r.ratio_lo90, r.ratio_hi90),
        ]
        for r in rows
    ]
    header = ["Metric", "As it is (90 %)", f"With {first.gene} {first.diplotype} (90 %)", "Ratio (90 %)"]
    kept = "what the twin's own concentrations taught is kept" if first.model == "twin" else "body and kidneys are kept"
    note = f"Model: {model(first.model)}; {kept}, draw by draw. {plural(int(first.n_draws), 'draw')}."
    failed = max(int(r.n_failed) for r in rows)
    if failed:
        note += f" {plural(failed, 'draw')} failed one way or the other and were left out."
    drawn = [r for r in rows if r.metric in ("AUCtau", "Ctrough")]
    chart = Chart(
        "counterfactual",
        f"As it is, and with {first.gene} {first.diplotype}, {first.scenario}",
        f"Medians and 90 % intervals of {plural(len(drawn), 'metric')} as the twin is and with {first.gene} "
        f"{first.diplotype}. {counterfactual_sentence(inputs, twin)}",
        _both(drawn),
        Table.create("Another genotype", header, cells, note=note),
        height=150,
        width=340,
        table_open=True,
    )
    course = course_chart(inputs, twin, rows)
    lost = Paragraph("No course with the other genotype was handed to the report.", "missing")
    return Section("counterfactual", title, (Paragraph(counterfactual_sentence(inputs, twin)), course or lost, chart))


def _shares(rows: list[Any], metric: str) -> Panel:
    doses = [f"{plain(r.dose_mg)} mg" for r in rows]
    data = []
    for column, name, colour, hatch in PARTS:
        trace = {
            "type": "bar",
            "orientation": "h",
            "y": doses,
            "x": numbers([100 * getattr(r, column) for r in rows]),
            "name": name,
            "marker": {
                "color": colour,
                "pattern": {"shape": hatch, "fgcolor": "#ffffff", "bgcolor": colour, "size": 6},
            },
            "hovertemplate": f"{name}: %{{x:.3g}} %<extra></extra>",
        }
        data.append(trace)
    layout = {
        "barmode": "stack",
        "bargap": 0.35,
        "xaxis": axis(f"Chance that {metric} lies there (%)", range=[0, 100]),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
    }
    return Panel("", tuple(data), layout)


def _levels(rows: list[Any], metric: str, unit: str) -> Panel:
    y = [f"{plain(r.dose_mg)} mg" for r in rows]
    style = STYLE["twin"]
    limits = [r.lo90 for r in rows], [r.hi90 for r in rows]
    trace = points([r.median for r in rows], y, "median, 90 % interval", style["colour"], style["symbol"],
                   error_x=limits, size=9)  # fmt: skip
    shapes = []
    if rows[0].target_low == rows[0].target_low:
        shapes = [{"type": "rect", "x0": rows[0].target_low, "x1": rows[0].target_high, "yref": "paper", "y0": 0,
                   "y1": 1, "fillcolor": "rgba(0,158,115,.14)", "line": {"width": 0}, "layer": "below"}]  # fmt: skip
    layout = {
        "xaxis": axis(f"{metric} ({unit})", rangemode="tozero"),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
        "shapes": shapes,
        "showlegend": not shapes,
    }
    return Panel("", ({**trace, "marker": {**trace["marker"], "line": {"color": INK, "width": 0}}},), layout)


def dose_section(inputs: ReportInputs, twin: str) -> Section:
    """Doses side by side: exposure, and the chance of the target range where the drug has one."""
    title = "Dose table"
    table = _of(inputs.dose_options, twin)
    if table.empty:
        text = "No other doses were computed for this twin (explain.doses)."
        return Section("doses", title, (Paragraph(text, "missing"),))
    aimed = table[table["target_low"].notna()]
    metric = str(aimed["metric"].iloc[0]) if len(aimed) else "AUCtau"
    rows = [r for r in records(table[table["metric"] == metric].sort_values("dose_mg")) if r.n_draws > 0]
    if not rows:
        return Section("doses", title, (Paragraph("Every solve of every dose failed; see the checks.", "missing"),))
    first = rows[0]
    given = set(inputs.scenarios.loc[inputs.scenarios["scenario"] == first.scenario, "dose_mg"].astype(float)) if (
        "dose_mg" in inputs.scenarios
    ) else set()  # fmt: skip
    area = {r.dose_mg: r for r in records(table[table["metric"] == "AUCtau"])}
    header = ["Dose", f"{metric} ({first.unit}), 90 %"]
    if metric != "AUCtau":
        header.append(f"AUCtau ({area[first.dose_mg].unit}), 90 %")
    header += ["Below", "Inside", "Above"] if len(aimed) else []
    cells = []
    for r in rows:
        dose = Cell(f"{plain(r.dose_mg)} mg", sub="the study's dose" if r.dose_mg in given else "")
        row: list[Cell | str] = [dose, interval(r.median, r.lo90, r.hi90)]
        if metric != "AUCtau":
            a = area[r.dose_mg]
            row.append(interval(a.median, a.lo90, a.hi90))
        cells.append([*row, *([percent(r.p_below), percent(r.p_inside), percent(r.p_above)] if len(aimed) else [])])
    note = f"The regimen of {first.scenario} with another dose. Model: {model(first.model)}; "
    note += f"{plural(int(first.n_draws), 'draw')}, without residual error. No advice: see the recommendations of the "
    note += "guidelines and the label."
    blocks: list[Block] = []
    panel = _levels(rows, metric, first.unit)
    if len(aimed):
        best = max(rows, key=lambda r: r.p_inside)
        text = f"Target range of {metric}: {number(first.target_low)} to {number(first.target_high)} {first.unit}. "
        text += f"Of these doses {plain(best.dose_mg)} mg lies inside most often, in {percent(best.p_inside)} of the "
        text += f"draws: {percent(best.p_below)} are below, {percent(best.p_above)} above."
        blocks.append(Paragraph(text))
        panels: tuple[Panel, ...] = (_shares(rows, metric), panel)
    else:
        blocks.append(Paragraph(f"No target range of {inputs.drug} is known (paths.targets): no chances.", "small"))
        panels = (panel,)
    words = ", ".join(f"{plain(r.dose_mg)} mg {percent(r.p_inside) if len(aimed) else number(r.median)}" for r in rows)
    alt = f"Chance of the target range by dose: {words}." if len(aimed) else f"{metric} by dose: {words}."
    chart = Chart(
        "doses",
        f"{metric} by dose",
        alt,
        panels,
        Table.create("Doses", header, cells, note=note),
        caption="Shaded: the target range." if len(aimed) else "",
        height=90 + 42 * len(rows),
        width=340,
        table_open=True,
    )
    if len(aimed):
        blocks.append(Paragraph(f"Who set the range: {first.target_source}.", "small"))
    return Section("doses", title, (*blocks[:1], chart, *blocks[1:]))
