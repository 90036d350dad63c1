"""The page of one twin: person, genome, what was observed and predicted, what its samples taught if there are any."""

from __future__ import annotations

import pandas as pd

from pharmtwin.report.answer import MODEL_ORDER
from pharmtwin.report.attributions import attribution_section
from pharmtwin.report.blocks import Alert, Block, Cell, Chart, Page, Panel, Paragraph, Section, Table
from pharmtwin.report.checks import FAILED, cases, exposure_cell, place, samples_failed
from pharmtwin.report.figures import STYLE, axis, points
from pharmtwin.report.genome import genome_section
from pharmtwin.report.genome_calls import NO_CALL, GeneCall, gene_calls, top_calls
from pharmtwin.report.genome_warnings import headline_warnings, warnings
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.person import person_section
from pharmtwin.report.profiles import BANDS, MODELS, prediction_table, twin_panel, windows
from pharmtwin.report.rows import records
from pharmtwin.report.soundness import fit_alert
from pharmtwin.report.words import (
    NONE,
    count,
    interval,
    model,
    number,
    percent,
    plain,
    plotly_text,
    plural,
    short_model,
)

LAST_H = 24  # hours of a predicted course that the table under its figure lists
LIMIT = "For research use only; not a medical device. Intervals hold given the model and its assumptions."


def _of(table: pd.DataFrame, twin: str) -> pd.DataFrame:
    return table[table["twin_id"] == twin]


def _headline(inputs: ReportInputs, twin: str) -> str:
    """One sentence: exposure beside the population model, with interval, and the leading phenotype."""
    rows = _of(inputs.exposure, twin)
    rows = rows[rows["metric"] == "AUCtau"]
    scenario = inputs.observed_scenario if (rows["scenario"] == inputs.observed_scenario).any() else ""
    if not scenario and len(rows):
        scenario = str(rows["scenario"].iloc[0])
    by_model = {r.model: r for r in records(rows[rows["scenario"] == scenario])}
    calls = top_calls(inputs.genotype, inputs.gene)
    is_called = twin in calls.index and calls["state"][twin] != NO_CALL
    phenotype = str(calls["phenotype"][twin]) if is_called else "not called"
    known = f"{inputs.gene}: {phenotype}"
    best = by_model.get("twin") or by_model.get("covariates")
    if best is None:
        return f"{known}. No exposure was computed for this twin."
    if best.n_draws == 0:
        return f"{known}. No AUCtau ({scenario}, {model(best.model)}): {FAILED}."
    text = f"Predicted AUCtau ({scenario}): {number(best.median)} {best.unit}"
    text += f", 90 % interval {number(best.lo90)} to {number(best.hi90)}"
    if "population" in by_model and by_model["population"].n_draws > 0:
        base = by_model["population"].median
        ratio, lo, hi = (number(v / base) for v in (best.median, best.lo90, best.hi90))
        text += f"; {ratio} times ({lo} to {hi}) the median of the population model"
    return f"{text}. {known}."


def _alerts(inputs: ReportInputs, twin: str, genes: list[GeneCall]) -> list[Block]:
    out: list[Block] = [Alert("bad", f"No result: {place(c)}", c.reason) for c in cases(inputs) if c.twin_id == twin]
    rows = _of(inputs.exposure, twin).drop_duplicates(["scenario", "model"])
    if int(rows["n_failed"].sum()):
        text = f"{plural(int(rows['n_failed'].sum()), 'failed solve')} left out of the quantiles, not filled in."
        out.append(Alert("bad", "Failed solves", text))
    doubt = fit_alert(inputs)
    out += [] if doubt is None else [doubt]
    out += headline_warnings(inputs, warnings(inputs, twin, genes), genes)
    return out


def _learnt(inputs: ReportInputs, twin: str) -> list[Block]:
    """What the concentrations say about the activity of the twin's genes."""
    learnt = _of(inputs.fit_genotype, twin)
    if learnt.empty:
        return []
    rows = [
        [r.gene, r.component, percent(r.prior_probability), percent(r.posterior_probability)] for r in records(learnt)
    ]
    header = ["Gene", "Activity", "Before the concentrations", "After the concentrations"]
    return [Table.create("Genotype in the light of the concentrations", header, rows, text=(0, 1))]


def _observed(inputs: ReportInputs, twin: str) -> Section:
    title = "Observed and predicted concentrations"
    seen = _of(inputs.predictions, twin)
    profile = _of(inputs.profiles, twin)
    profile = profile[profile["scenario"] == inputs.observed_scenario]
    failed = [c for c in samples_failed(inputs) if c.twin_id == twin]
    if seen.empty and failed:
        text = "The observed concentrations were predicted by no model: " + FAILED + "."
        return Section("observed", title, (Paragraph(text, "missing"),))
    if seen.empty:
        return Section("observed", title, (Paragraph("No concentrations of this twin.", "missing"),))
    panels = [
        twin_panel("Whole course", profile, seen, MODELS),
        twin_panel("Whole course, logarithmic", profile, seen[seen["observed"] > 0], MODELS, log=True),
    ]
    stretches = windows(profile["time_h"].to_list())
    for start, end in stretches if len(stretches) > 1 else []:
        label = f"Only {plain(start)} to {plain(end)} h"
        own, samples = (part[part["time_h"].between(start, end)] for part in (profile, seen))
        panels.append(twin_panel(label, own, samples, MODELS))
    shown = [m for m in MODELS if (seen["model"] == m).any()]
    chart = Chart(
        "profile",
        "Concentration over time",
        f"Observed concentrations of the twin with medians and 90 % bands of {plural(len(shown), 'model')}.",
        tuple(panels),
        prediction_table(seen, "Observed beside predicted", twin_column=False, failed=failed),
        caption=BANDS
        if len(profile)
        else "No profile of the sampled regimen was computed; the table below has the predictions.",
        mode="select",
        height=400,
        table_open=True,
    )
    return Section("observed", title, (chart,))


def _course(inputs: ReportInputs, twin: str) -> Section:
    """Predicted course of a twin without concentrations, scenario by scenario."""
    title = "Predicted concentrations"
    profile = _of(inputs.profiles, twin)
    none = Paragraph("No concentrations of this twin: predicted from genotype and body alone.", "small")
    if profile.empty:
        missing = Paragraph("No profile of this twin was handed to the report.", "missing")
        return Section("observed", title, (none, missing))
    panels, rows = [], []
    for scenario, part in profile.groupby("scenario", sort=True):
        panels.append(twin_panel(str(scenario), part, inputs.predictions.head(0), MODELS))
        last = part[part["time_h"] >= part["time_h"].max() - LAST_H]
        for r in records(last.sort_values(["model", "time_h"])):
            rows.append([str(scenario), short_model(r.model), plain(r.time_h), interval(r.q50, r.q05, r.q95)])
    header = ["Scenario", "Model", "Time (h)", "Median (90 % interval), ng/mL"]
    table = Table.create("Predicted concentrations", header, rows, text=(0, 1), note=f"The last {LAST_H} h of each.")
    chart = Chart(
        "profile",
        "Concentration over time",
        f"Predicted concentrations with 90 % bands in {plural(len(panels), 'scenario')}; numbers in the table below.",
        tuple(panels),
        table,
        caption=BANDS,
        mode="select",
        height=400,
    )
    return Section("observed", title, (none, chart))


def _parameters(inputs: ReportInputs, twin: str) -> Section:
    rows = _of(inputs.fit_twins, twin)
    names = [plotly_text(p) for p in rows["parameter"]]
    data = []
    for prefix, name, key, shift in (
        ("prior_", "genotype and body only", "covariates", 0.14),
        ("", "with own concentrations", "twin", -0.14),
    ):
        q = {k: rows[f"{prefix}{k}"] / rows["prior_q50"] for k in ("q05", "q50", "q95")}
        y = [len(names) - 1 - i + shift for i in range(len(names))]
        style = STYLE[key]
        trace = points(q["q50"], y, name, style["colour"], style["symbol"], error_x=(q["q05"], q["q95"]), size=9)
        data.append(trace | {"hovertemplate": "%{x:.3g}<extra></extra>"})
    layout = {
        "xaxis": axis("Relative to the median from genotype and body", log=True),
        "yaxis": axis("", tickvals=list(range(len(names) - 1, -1, -1)), ticktext=names, range=[-0.6, len(names) - 0.4]),
    }
    cells = [
        [
            r.parameter,
            r.unit,
            interval(r.prior_q50, r.prior_q05, r.prior_q95),
            interval(r.q50, r.q05, r.q95),
            number((r.q95 / r.q05) / (r.prior_q95 / r.prior_q05)) if r.q05 > 0 and r.prior_q05 > 0 else NONE,
        ]
        for r in records(rows)
    ]
    header = [
        "Parameter",
        "Unit",
        "Genotype and body (90 %)",
        "With own concentrations (90 %)",
        "Width, after / before",
    ]
    chart = Chart(
        "twin-parameters",
        "Individual parameters before and after the samples",
        f"90 % intervals of {plural(len(names), 'individual parameter')} before and after the twin's own samples.",
        (Panel("", tuple(data), layout),),
        Table.create("Individual parameters", header, cells, text=(0, 1)),
        height=110 + 44 * len(names),
        table_open=True,
    )
    return Section("parameters", "What the samples taught", (chart, *_learnt(inputs, twin)))


def _exposure(inputs: ReportInputs, twin: str) -> Section:
    rows = _of(inputs.exposure, twin)
    if rows.empty:
        missing = Paragraph("No exposure was computed for this twin.", "missing")
        return Section("exposure", "Exposure by scenario", (missing,))
    shown = [m for m in MODEL_ORDER[:3] if (rows["model"] == m).any()]
    cells = []
    for (scenario, metric), part in rows.groupby(["scenario", "metric"], sort=True):
        by_model = {r.model: r for r in records(part)}
        row: list[Cell | str] = [str(scenario), str(metric), str(part["unit"].iloc[0])]
        for m in shown:
            row.append(exposure_cell(by_model[m]) if m in by_model else NONE)
        failed = int(part["n_failed"].sum())
        row.append(
            Cell(f"{count(failed)} of {count(failed + int(part['n_draws'].sum()))}", badge="bad" if failed else "")
        )
        cells.append(row)
    header = ["Scenario", "Metric", "Unit", *(model(m) for m in shown), "Failed solves"]
    note = "Median (90 % interval) of the last dosing interval, without residual error."
    table = Table.create("Exposure by scenario", header, cells, text=(0, 1, 2), note=note)
    return Section("exposure", "Exposure by scenario", (table,))


def twin_page(inputs: ReportInputs, twin: str) -> Page:
    """The page of one twin. Without concentrations of its own: the predicted course in place of what they taught."""
    genes = gene_calls(inputs, twin)
    top = [*_alerts(inputs, twin, genes), Paragraph(_headline(inputs, twin), "lead")]
    fitted = twin in inputs.fitted_twins
    seen = (_observed(inputs, twin), _parameters(inputs, twin)) if fitted else (_course(inputs, twin),)
    sections = (
        person_section(inputs, twin),
        genome_section(inputs, twin, genes),
        *seen,
        _exposure(inputs, twin),
        *((attribution_section(inputs, twin),) if len(inputs.attributions) else ()),
    )
    return Page(
        title=f"Twin {twin}, {inputs.study}",
        heading=f"Twin {twin}",
        subheading=f"{inputs.drug}, study {inputs.study}",
        data_kind=inputs.data_kind,
        top=tuple(top),
        sections=sections,
        home="../index.html",
        footer=LIMIT,
    )
