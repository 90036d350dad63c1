"""The fit: population parameters before and after, diagnostics, predictive checks, profiles of fitted twins."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import pandas as pd

from pharmtwin.core.unsolved import Unsolved
from pharmtwin.inference.criticism.limits import limits
from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.checks import named, samples_failed
from pharmtwin.report.figures import STYLE, axis, limits_of, observed_against_predicted, points
from pharmtwin.report.fit_chains import chain_blocks
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.profiles import BANDS, prediction_table, twin_panel
from pharmtwin.report.rows import records
from pharmtwin.report.soundness import GOOD, fit_verdict
from pharmtwin.report.words import count, interval, number, plain, plotly_text, plural

SD_BETWEEN_Q05_AND_Q95 = 2 * NormalDist().inv_cdf(0.95)
MAX_PROFILES = 24
#: figures of a parameter, and the limits that judge their worst
PARAMETER_LIMITS = {"rhat": "max_rhat", "ess_bulk": "min_ess_bulk", "ess_tail": "min_ess_tail"}
FIGURES = {"rhat": "R-hat", "ess_bulk": "bulk ESS", "ess_tail": "tail ESS"}
MAX_PAIRS = 1500
DRAWN = {"population": "Population", "covariates": "Covariates", "twin": "Twin"}


def _parameters(summary: pd.DataFrame) -> Chart:
    """Prior and posterior of every population parameter on one axis: distance from the prior median in prior sd."""
    scale = (summary["prior_q95"] - summary["prior_q05"]) / SD_BETWEEN_Q05_AND_Q95
    scale = scale.where(scale > 0)
    names = [plotly_text(p) for p in summary["parameter"]]
    data = []
    for prefix, name, key, shift in (("prior_", "prior", "population", 0.14), ("", "posterior", "twin", -0.14)):
        q = {k: (summary[f"{prefix}{k}"] - summary["prior_q50"]) / scale for k in ("q05", "q50", "q95")}
        y = [len(names) - 1 - i + shift for i in range(len(names))]
        style = STYLE[key]
        trace = points(q["q50"], y, name, style["colour"], style["symbol"], error_x=(q["q05"], q["q95"]), size=8)
        trace["text"] = [
            f"{p}: {interval(r[f'{prefix}q50'], r[f'{prefix}q05'], r[f'{prefix}q95'])} {plotly_text(r['unit'])}"
            for p, (_, r) in zip(names, summary.iterrows())
        ]
        trace["hovertemplate"] = "%{text}<extra>" + name + "</extra>"
        data.append(trace)
    layout = {
        "xaxis": axis("Distance from prior median (prior standard deviations)", zeroline=True, zerolinecolor="#9aa3ad"),
        "yaxis": axis(
            "",
            tickvals=list(range(len(names) - 1, -1, -1)),
            ticktext=names,
            range=[-0.6, len(names) - 0.4],
        ),
    }
    allowed = limits("sampler")

    def passes(figure: str, r: pd.Series) -> bool:
        return allowed[PARAMETER_LIMITS[figure]].passes(r[figure])

    rows = [
        [
            Cell(r["parameter"]),
            str(r["meaning"]),
            str(r["unit"]),
            interval(r["prior_q50"], r["prior_q05"], r["prior_q95"]),
            interval(r["q50"], r["q05"], r["q95"]),
            Cell(f"{r['rhat']:.3f}", badge="" if passes("rhat", r) else "bad"),
            Cell(
                f"{count(r['ess_bulk'])} / {count(r['ess_tail'])}",
                badge="" if passes("ess_bulk", r) and passes("ess_tail", r) else "bad",
            ),
        ]
        for _, r in summary.iterrows()
    ]
    header = ["Parameter", "Meaning", "Unit", "Prior (90 %)", "Posterior (90 %)", "R-hat", "ESS bulk / tail"]
    words = ", ".join(f"{name} not {allowed[PARAMETER_LIMITS[f]].words()}" for f, name in FIGURES.items())
    note = f"Median (5 % to 95 % quantile). Marked: {words}."
    return Chart(
        "population-parameters",
        "Population parameters, prior and posterior",
        f"Prior and posterior 90 % intervals of {plural(len(names), 'population parameter')}, in prior sd.",
        (Panel("", tuple(data), layout),),
        Table.create("Population parameters", header, rows, text=(0, 1, 2), note=note),
        caption="A posterior as wide as its prior was not informed by the data.",
        height=90 + 36 * len(names),
        table_open=True,
    )


def _diagnostics(table: pd.DataFrame) -> Table:
    rows = [
        [
            str(r.check).replace("_", " "),
            plain(r.value),
            str(r.limit),
            str(r.worst),
            Cell("pass" if r.passed else "FAIL", badge="good" if r.passed else "bad"),
        ]
        for r in records(table)
    ]
    header = ["Check", "Value", "Limit", "Worst at", "Result"]
    return Table.create("Diagnostics of the sampler", header, rows, text=(0, 2, 3, 4))


def check_chart(predictions: pd.DataFrame, failed: Sequence[Unsolved] = ()) -> Chart:
    """Observed against predicted, a panel a model, samples seen and kept aside with different symbols."""
    frame = predictions[(predictions["observed"] > 0) & (predictions["median"] > 0)]
    limits = limits_of(frame["observed"], frame["median"])
    frame = frame.assign(hover=frame["twin_id"] + ", " + frame["time_h"].map(number) + " h")
    panels, thinned = [], False
    for m, label in DRAWN.items():
        part = frame[frame["model"] == m].sort_values(["use", "twin_id", "time_h"])
        if part.empty:
            continue
        step = -(-len(part) // MAX_PAIRS)
        thinned |= step > 1
        colour = STYLE[m]["colour"]
        groups = [("fit", "used in the fit", colour, "circle"), ("test", "kept aside", "#1d2733", "diamond-open")]
        panels.append(observed_against_predicted(label, part.iloc[::step], groups, "use", limits))
    caption = (
        "Solid: identity; dashed: 1.25-fold; dotted: 2-fold. Points above the identity line are predicted too high."
    )
    if thinned:
        caption += f" At most {count(MAX_PAIRS)} points a panel are drawn, evenly picked; the accuracy figures use all."
    table = prediction_table(
        predictions,
        "Observed and predicted concentrations",
        twin_column=True,
        failed=failed,
        file="the predictions table",
    )
    alt = f"Predicted against observed concentration, log axes, {plural(len(panels), 'model')}, with fold lines."
    return Chart(
        "predictive-check", "Observed against predicted", alt, tuple(panels), table, caption, height=310, width=270
    )


def _profiles_chart(inputs: ReportInputs) -> Chart | None:
    scenario = inputs.observed_scenario
    twins = inputs.fitted_twins[:MAX_PROFILES]
    profiles = inputs.profiles[(inputs.profiles["scenario"] == scenario) & inputs.profiles["twin_id"].isin(twins)]
    panels = []
    for twin in twins:
        seen = inputs.predictions[inputs.predictions["twin_id"] == twin]
        own = profiles[profiles["twin_id"] == twin]
        if len(own) or len(seen):
            panels.append(twin_panel(twin, own, seen, ("covariates", "twin")))
    if not panels:
        return None
    hidden = len(inputs.fitted_twins) - len(twins)
    caption = f"{BANDS} Each twin has its own page." if inputs.paged_twins else BANDS
    if hidden:
        caption += f" {plural(hidden, 'further fitted twin')} not drawn here."
    shown = inputs.predictions[inputs.predictions["twin_id"].isin(twins)]
    failed = samples_failed(inputs)
    without = [c for c in failed if c.twin_id in twins]
    if without:
        caption += f" Not drawn, solver failed (see checks): {named(without)}."
    table = prediction_table(
        shown, "Samples of the twins drawn", twin_column=True, failed=failed, file="the predictions table"
    )
    alt = f"Concentration over time of {plural(len(panels), 'fitted twin')}: bands of two models and observed points."
    return Chart(
        "fitted-profiles", "Fitted twins one by one", alt, tuple(panels), table, caption, height=230, width=280
    )


def fit_section(inputs: ReportInputs) -> Section:
    """Everything about the fit; says so where it did not run."""
    blocks: list[Block] = []
    if inputs.fit_summary.empty:
        text = "The fit did not run: there is no posterior, and no twin knows its own concentrations."
        blocks.append(Paragraph(text, "missing"))
    else:
        blocks.append(_parameters(inputs.fit_summary))
    if len(inputs.fit_diagnostics):
        words = fit_verdict(inputs)
        if words == GOOD:
            blocks.append(Paragraph("The fit is good: every check of the sampler was made and passed."))
        else:
            blocks.append(Paragraph(f"The fit is not good ({words}): do not rely on its numbers.", "caution"))
        blocks.append(_diagnostics(inputs.fit_diagnostics))
    elif len(inputs.fit_summary):
        blocks.append(Paragraph("No sampler diagnostics were handed to the report: do not trust the fit.", "missing"))
    blocks += chain_blocks(inputs)
    if len(inputs.predictions):
        blocks.append(check_chart(inputs.predictions, samples_failed(inputs)))
    else:
        blocks.append(Paragraph("No predictions of observed concentrations: no predictive check.", "missing"))
    chart = _profiles_chart(inputs) if inputs.fitted_twins else None
    if chart is not None:
        blocks.append(chart)
    return Section("fit", "Fit and predictive check", tuple(blocks))
