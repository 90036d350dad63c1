"""The answer first: what must not be overlooked, key figures, and how well concentrations are predicted."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from pharmtwin.report.blocks import Alert, Block, Cell, Chart, Panel, Paragraph, Section, Table, Tile, Tiles
from pharmtwin.report.checks import cases, named, samples_failed
from pharmtwin.report.figures import MUTED, STYLE, axis, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.soundness import GOOD, fit_alert, fit_verdict
from pharmtwin.report.verified import verification_alert
from pharmtwin.report.words import (
    METRICS,
    NONE,
    count,
    metric,
    model,
    model_use,
    number,
    percent,
    plural,
    short_model,
)

MODEL_ORDER = ("population", "covariates", "twin", "drug_file", "fitted")
INTERVALS = (
    "Second line: 95 % interval; bootstrap over whole twins or studies, none with fewer than 5; Wilson for 0 or 100 %. "
    "Fold figures: 1 is best."
)
SHARES = ("within_1.25", "within_2", "coverage_90")


def figure_cell(row: pd.Series) -> Cell:
    """An accuracy figure above its interval: shares in per cent, folds as numbers."""
    write = percent if row["metric"] in SHARES else number
    if pd.isna(row["lo95"]) or pd.isna(row["hi95"]):
        return Cell(write(row["value"]), sub="no interval")
    return Cell(write(row["value"]), sub=f"{write(row['lo95']).removesuffix(' %')} to {write(row['hi95'])}")


def data_sets(accuracy: pd.DataFrame) -> list[str]:
    """Data sets in the order of the report: predictions of the study first, then what was seen, then published."""
    first = accuracy.drop_duplicates("data_set")
    published = ~first["model"].isin(["population", "covariates", "twin"])
    order = first.assign(published=published).sort_values(["published", "seen_by_fit", "data_set"], kind="stable")
    return [str(name) for name in order["data_set"]]


def _models(part: pd.DataFrame) -> list[str]:
    return [m for m in MODEL_ORDER if (part["model"] == m).any()]


def _pairs_cell(n: int, missing: int) -> Cell:
    """Pairs behind a figure, and those of the data set that the model does not predict."""
    return Cell(count(n), sub=f"{count(missing)} not predicted" if missing else "")


def accuracy_table(part: pd.DataFrame, name: str) -> Table:
    """Models as rows, figures with intervals as columns, of one data set."""
    shown = [m for m in METRICS if (part["metric"] == m).any()]
    cells = {(r["model"], r["metric"]): figure_cell(r) for _, r in part.iterrows()}
    pairs = {r.model: _pairs_cell(r.n, r.n_missing) for r in records(part[part["metric"] == "GMFE"])}
    rows = [
        [Cell(short_model(m), sub=model_use(m)), pairs[m], *(cells.get((m, k), Cell(NONE)) for k in shown)]
        for m in _models(part)
    ]
    seen = bool(part["seen_by_fit"].iloc[0])
    note = INTERVALS
    if seen:
        note = "These data were seen when the model was made: goodness of fit, not prediction. " + note
    caption = name[0].upper() + name[1:]
    return Table.create(caption, ["Model", "n", *(metric(k) for k in shown)], rows, note=note)


def paired_table(accuracy: pd.DataFrame) -> Table:
    """GMFE of one model relative to another on the same samples, all data sets."""
    rows = []
    for name in data_sets(accuracy):
        part = accuracy[(accuracy["data_set"] == name) & accuracy["metric"].str.startswith("GMFE_ratio_to_")]
        for _, row in part.iterrows():
            other = str(row["metric"]).removeprefix("GMFE_ratio_to_")
            if pd.isna(row["hi95"]):
                word = "no interval"
            else:
                word = "closer" if row["hi95"] < 1 else "further off" if row["lo95"] > 1 else "not separated"
            rows.append([name, model(row["model"]), model(other), count(row["n"]), figure_cell(row), word])
    header = ["Data", "Model", "Beside", "n", "Ratio of GMFE", "Reading"]
    note = "Below 1 the model is closer to the observations than the one beside it."
    return Table.create("Models compared on the same samples", header, rows, text=(0, 1, 2, 5), note=note, folded=True)


def _forest(part: pd.DataFrame, name: str) -> Panel:
    """GMFE with interval, a line a model."""
    rows = part[part["metric"] == "GMFE"].set_index("model")
    data = []
    for m in reversed(_models(part)):
        row, style = rows.loc[m], STYLE[m]
        error = ([row["lo95"]], [row["hi95"]]) if pd.notna(row["lo95"]) else None
        label = model(m).replace(" (", "<br>(")
        data.append(
            points([row["value"]], [label], model(m), style["colour"], style["symbol"], size=12, error_x=error)
            | {"hovertemplate": "%{x:.3g}<extra></extra>"}
        )
    high = max(2.0, float(rows[["value", "hi95"]].max().max())) * 1.06
    layout = {
        "xaxis": axis("GMFE (fold; 1 is perfect)", range=[0.97, high]),
        "yaxis": axis("", type="category", showgrid=False),
        "showlegend": False,
        "shapes": [
            {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": MUTED, "dash": d}}
            for x, d in ((1, "solid"), (2, "dot"))
        ],
    }
    return Panel(name, tuple(data), layout)


def alerts(inputs: ReportInputs) -> Iterator[Alert]:
    """What a reader must know before any number: failed solves, failed diagnostics, input errors and warnings."""
    found = cases(inputs)
    if found:
        text = f"The solver failed in every draw of {named(found)}. The reasons stand under solver checks."
        yield Alert("bad", "Twins without a result", text)
    failed = inputs.exposure.drop_duplicates(["twin_id", "scenario", "model"])
    n_failed, n_draws = int(failed["n_failed"].sum()), int(failed["n_draws"].sum())
    if n_failed:
        twins = failed.loc[failed["n_failed"] > 0, "twin_id"].nunique()
        text = (
            f"{count(n_failed)} of {count(n_failed + n_draws)} solves failed, in {plural(twins, 'twin')}. They are "
            "left out of the quantiles, not filled in; see the exposure section."
        )
        yield Alert("bad", "Failed solves", text)
    unverified = verification_alert(inputs)
    if unverified is not None:
        yield unverified
    doubt = fit_alert(inputs)
    if doubt is not None:
        yield doubt
    severity = inputs.findings["severity"].value_counts()
    if severity.get("error", 0):
        yield Alert("bad", "Errors in the input", f"{plural(int(severity['error']), 'error')}: see the findings.")
    if severity.get("warning", 0):
        text = f"{plural(int(severity['warning']), 'warning')} about the input files: see the findings."
        yield Alert("warn", "Warnings in the input", text)


def key_figures(inputs: ReportInputs) -> Tiles:
    """Sizes of the study and the state of its computations."""
    test = inputs.predictions[inputs.predictions["use"] == "test"]
    pairs = len(test.drop_duplicates(["twin_id", "time_h"]))
    solved = inputs.exposure.drop_duplicates(["twin_id", "scenario", "model"])
    failed = int(solved["n_failed"].sum())
    tiles = [
        Tile(count(len(inputs.twins)), "twins in the cohort"),
        Tile(count(len(inputs.fitted_twins)), "with a fit of their own"),
        Tile(count(pairs), "concentrations kept aside"),
        Tile(count(failed), "failed solves", "bad" if failed else "good"),
    ]
    if len(inputs.fit_diagnostics):
        passed, total = int(inputs.fit_diagnostics["passed"].sum()), len(inputs.fit_diagnostics)
        style = "good" if fit_verdict(inputs) == GOOD else "bad"
        tiles.append(Tile(f"{passed} of {total}", "fit diagnostics passed", style))
    if len(inputs.verification):
        passed, total = int(inputs.verification["passed"].sum()), len(inputs.verification)
        tiles.append(Tile(f"{passed} of {total}", "verification checks passed", "good" if passed == total else "bad"))
    warnings = int((inputs.findings["severity"] != "note").sum())
    tiles.append(Tile(count(warnings), "input warnings", "warn" if warnings else "good"))
    return Tiles(tuple(tiles))


def answer(inputs: ReportInputs) -> tuple[Block, ...]:
    """Blocks above the chapters."""
    blocks: list[Block] = list(alerts(inputs))
    if inputs.verdict:
        first, _, rest = inputs.verdict.partition(". ")
        blocks.append(Paragraph(first.rstrip(".") + ".", "lead"))
        if rest:
            blocks.append(Paragraph(rest))
    if inputs.synthetic and len(inputs.predictions):
        text = (
            "The observed concentrations are simulated, so these figures show that the method recovers what was put "
            "in. They say nothing yet about real patients."
        )
        blocks.append(Paragraph(text, "caution"))
    accuracy = inputs.accuracy
    names = data_sets(accuracy) if len(accuracy) else []
    study = [n for n in names if accuracy.loc[accuracy["data_set"] == n, "model"].isin(MODEL_ORDER[:3]).any()]
    if study:
        part = accuracy[accuracy["data_set"] == study[0]]
        best = part[part["metric"] == "GMFE"].sort_values("value").iloc[0]
        alt = (
            f"GMFE with 95 % intervals of {plural(len(_models(part)), 'model')} on {study[0]}; "
            f"lowest: {best['model']} at {number(best['value'])}."
        )
        table = accuracy_table(part, study[0])
        chart = Chart(
            "answer-gmfe",
            f"Typical fold error: {study[0]}",
            alt,
            (_forest(part, study[0]),),
            table,
            height=230,
            table_open=True,
        )
        blocks.append(chart)
    else:
        text = "No accuracy is shown: the evaluation stage was switched off or there were no observed concentrations."
        blocks.append(Paragraph(text, "missing"))
    blocks.append(key_figures(inputs))
    return tuple(blocks)


def accuracy_section(inputs: ReportInputs) -> Section:
    """All accuracy figures, data set by data set."""
    accuracy = inputs.accuracy
    if accuracy.empty:
        return Section("accuracy", "Accuracy", (Paragraph("The evaluation stage did not run.", "missing"),))
    blocks: list[Block] = [
        Paragraph(
            "GMFE is the typical fold error, exp(mean |ln(predicted/observed)|); AFE the bias, exp(mean "
            "ln(predicted/observed)), above 1 where predictions are too high. Coverage should be near 90 %: lower "
            "means intervals too narrow, higher too wide."
        )
    ]
    for name in data_sets(accuracy):
        part = accuracy[accuracy["data_set"] == name]
        blocks.append(accuracy_table(part, name))
        if part["model"].isin(["drug_file", "fitted"]).any() and (part["metric"] == "coverage_90").any():
            text = "Published means vary less than single subjects: the between-subject interval should hold over 90 %."
            blocks.append(Paragraph(text, "small"))
    if missed := samples_failed(inputs):
        text = f"No prediction at the samples of {named(missed)}: solver failed, see checks. n does not count them."
        blocks.append(Paragraph(text, "caution"))
    blocks.append(paired_table(accuracy))
    left_out = int(((inputs.predictions["observed"] <= 0) & (inputs.predictions["model"] == "population")).sum())
    if left_out:
        text = f"{plural(left_out, 'observed value')} at or below 0 have no fold error and are left out."
        blocks.append(Paragraph(text, "small"))
    return Section("accuracy", "Accuracy in full", tuple(blocks))
