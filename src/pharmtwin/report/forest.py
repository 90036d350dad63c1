"""Every twin's exposure beside the typical patient's, and the population model's own course."""

from __future__ import annotations

import pandas as pd

from pharmtwin.report.blocks import Block, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import INK, MUTED, STYLE, axis, band, line, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.profiles import Clock, windows
from pharmtwin.report.rows import records
from pharmtwin.report.words import interval, model, plotly_text, plural

METRIC = "AUCtau"
MAX_TWINS = 80
EQUAL = (0.8, 1.25)  # the limits of bioequivalence, as a yardstick


def _ratios(inputs: ReportInputs, scenario: str) -> pd.DataFrame:
    """Rows twin_id, model, ratio, lo, hi: the best model of each twin over the population's median."""
    rows = inputs.exposure[(inputs.exposure["metric"] == METRIC) & (inputs.exposure["scenario"] == scenario)]
    rows = rows[rows["n_draws"] > 0]
    typical = rows[rows["model"] == "population"]["median"]
    own = rows[rows["model"].isin(["covariates", "twin"])].sort_values(["twin_id", "model"])
    own = own.drop_duplicates("twin_id", keep="last")  # the model twin comes after covariates
    if typical.empty or own.empty:
        return pd.DataFrame()
    base = float(typical.iloc[0])
    out = own.assign(ratio=own["median"] / base, lo=own["lo90"] / base, hi=own["hi90"] / base)
    return out.sort_values(["ratio", "twin_id"], ignore_index=True)


def forest_chart(inputs: ReportInputs) -> Chart | None:
    """Ratio of AUCtau to the population median, a line a twin, with the 0.8 to 1.25 band."""
    panels, rows = [], []
    for scenario in sorted(inputs.exposure["scenario"].unique()):
        table = _ratios(inputs, str(scenario))
        if table.empty:
            continue
        drawn = table if len(table) <= MAX_TWINS else table.iloc[:: -(-len(table) // MAX_TWINS)]
        data = []
        for m in ("covariates", "twin"):
            part = drawn[drawn["model"] == m]
            if len(part):
                style = STYLE[m]
                trace = points(part["ratio"], [plotly_text(t) for t in part["twin_id"]], model(m), style["colour"],
                               style["symbol"], size=7, error_x=(part["lo"], part["hi"]))  # fmt: skip
                data.append(trace | {"hovertemplate": "%{y}: %{x:.3g}<extra></extra>"})
        order = [plotly_text(t) for t in drawn["twin_id"]]
        layout = {
            "xaxis": axis(f"{METRIC} / population median", log=True),
            "yaxis": axis("", type="category", categoryorder="array", categoryarray=order, showgrid=False, dtick=1,
                          tickfont={"size": 10}),
            "shapes": [
                {"type": "rect", "x0": EQUAL[0], "x1": EQUAL[1], "yref": "paper", "y0": 0, "y1": 1,
                 "fillcolor": "rgba(111,119,130,.16)", "line": {"width": 0}, "layer": "below"},
                {"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": MUTED}},
            ],
        }  # fmt: skip
        panels.append(Panel(plotly_text(scenario), tuple(data), layout))
        rows += [[str(scenario), str(r.twin_id), model(r.model), interval(r.ratio, r.lo, r.hi)] for r in records(table)]
    if not panels:
        return None
    n = len({row[1] for row in rows})
    return Chart(
        "forest",
        "Every twin beside the typical patient",
        f"Ratios of {METRIC} to the population median with 90 % intervals of {plural(n, 'twin')}.",
        tuple(panels),
        Table.create("Ratios to the population median", ["Scenario", "Twin", "Model", "Ratio (90 %)"], rows,
                     text=(0, 1, 2), folded=True),
        caption="90 % interval of the twin over the population model's median. Shaded: 0.8 to 1.25.",
        mode="select" if len(panels) > 1 else "grid",
        height=140 + 15 * min(MAX_TWINS, max(len(p.data[0]["x"]) + (len(p.data[1]["x"]) if len(p.data) > 1 else 0)
                                             for p in panels)),
    )  # fmt: skip


def course_chart(inputs: ReportInputs) -> Chart | None:
    """Course of the population model with its 50 and 90 % bands, linear and logarithmic."""
    table = inputs.profiles[inputs.profiles["model"] == "population"]
    scenarios = [s for s in sorted(table["scenario"].unique()) if s != inputs.observed_scenario]
    panels, rows = [], []
    for scenario in scenarios:
        part = table[table["scenario"] == scenario]
        part = part[part["twin_id"] == part["twin_id"].iloc[0]].sort_values("time_h")
        clock = Clock.create(part["time_h"].to_list())
        for label, log in (("linear", False), ("logarithmic", True)):
            data = []
            for i, (start, end) in enumerate(windows(part["time_h"].to_list())):
                mine = part[part["time_h"].between(start, end)]
                if log:
                    mine = mine[mine["q05"] > 0]
                x = clock.place(mine["time_h"])
                data += [
                    band(x, mine["q05"], mine["q95"], "90 %", "rgba(111,119,130,.16)") | {"showlegend": False},
                    band(x, mine["q25"], mine["q75"], "50 %", "rgba(111,119,130,.34)") | {"showlegend": False},
                    line(x, mine["q50"], "median; dark: 50 %, light: 90 %", INK) | {"showlegend": i == 0},
                ]
            layout = {"xaxis": clock.axis(), "yaxis": axis("Concentration (ng/mL)", log=log)}
            panels.append(Panel(plotly_text(f"{scenario}, {label}"), tuple(data), layout))
        last = part[part["time_h"] >= part["time_h"].max() - 24]
        rows += [[str(scenario), f"{r.time_h:g}", interval(r.q50, r.q25, r.q75), interval(r.q50, r.q05, r.q95)]
                 for r in records(last)]  # fmt: skip
    if not panels:
        return None
    header = ["Scenario", "Time (h)", "Median (50 %), ng/mL", "Median (90 %), ng/mL"]
    return Chart(
        "population-course",
        "Course of the population model",
        f"Median with 50 and 90 % bands of the population model in {plural(len(scenarios), 'scenario')}.",
        tuple(panels),
        Table.create("Population model", header, rows, note="The last 24 h of each.", folded=True),
        caption="Plasma, without residual error: somebody of whom nothing is known.",
        height=320,
        width=340,
    )


def beside_section(inputs: ReportInputs) -> Section:
    """The population model and all twins beside it."""
    charts = [c for c in (forest_chart(inputs), course_chart(inputs)) if c is not None]
    none = Paragraph("No exposure of the population model and of twins was handed to the report.", "missing")
    blocks: tuple[Block, ...] = tuple(charts) or (none,)
    return Section("beside", "Twins beside the population model", blocks)
