"""Tables of the evaluation: every figure with n and interval, groups with gaps, validation in four tiers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.report.blocks import Cell, Table
from pharmtwin.report.rows import records
from pharmtwin.report.words import NONE, count, interval, number, percent, plural, short_model

#: figure of the catalogue -> how it is read
LABELS = {
    "GMFE": "GMFE (typical fold error)",
    "AFE": "AFE (bias, fold)",
    "within_1.25_fold": "Within 1.25\u2011fold",
    "within_1.5_fold": "Within 1.5\u2011fold",
    "within_2_fold": "Within 2\u2011fold",
    "NMSE": "NMSE",
    "CCC": "CCC of levels",
    "CCC_of_change": "CCC of changes since the sample before",
    "mean_error": "Mean error",
    "RMSE": "RMSE",
    "MPE": "MPE (relative bias)",
    "relative_RMSE": "Relative RMSE",
    "F20": "Within 20 %",
    "F30": "Within 30 %",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "calibration_in_the_large": "Calibration in the large",
    "coverage": "Coverage of 90 % interval",
    "width": "Width of 90 % interval (hi/lo)",
    "CRPS": "CRPS",
    "Brier": "Brier score",
    "C_statistic": "C\u2011statistic",
}
#: value of a perfect prediction
PERFECT = {
    "GMFE": "1", "AFE": "1", "NMSE": "0", "CCC": "1", "CCC_of_change": "1", "mean_error": "0", "RMSE": "0",
    "MPE": "0 %", "relative_RMSE": "0 %", "calibration_slope": "1", "calibration_intercept": "0",
    "calibration_in_the_large": "0", "coverage": "90 %", "width": "narrow", "CRPS": "0", "Brier": "0",
    "C_statistic": "1",
}  # fmt: skip
SHARES = ("within_1.25_fold", "within_1.5_fold", "within_2_fold", "F20", "F30", "coverage")
INTERVALS = "Second line: 95 % interval, bootstrap over whole twins or studies; Wilson where a share is 0 or 100 %."


def label(metric: str) -> str:
    """A figure's name as people read it."""
    return LABELS.get(metric, metric.replace("_", " "))


def _write(metric: str, value: Any, unit: str) -> str:
    if metric in SHARES:
        return percent(value)
    return f"{number(value)} %" if unit == "%" and value == value else number(value)


def figure_cell(row: Any) -> Cell:
    """A figure above its interval, or why there is none."""
    if pd.isna(row.value):
        return Cell(NONE, sub=str(row.reason) if pd.notna(row.reason) else "")
    text = _write(str(row.metric), row.value, str(row.unit))
    if pd.isna(row.lo95) or pd.isna(row.hi95):
        return Cell(text, sub="too few subjects for an interval" if "few" in str(row.interval) else "no interval")
    low, high = (_write(str(row.metric), v, str(row.unit)) for v in (row.lo95, row.hi95))
    return Cell(text, sub=f"{low.removesuffix(' %') if high.endswith(' %') else low} to {high}")


def metric_table(part: pd.DataFrame, name: str, order: tuple[str, ...]) -> Table:
    """Figures as rows, models as columns, of one data set; pairs and subjects behind each model in the heading."""
    models = [m for m in order if (part["model"] == m).any()]
    cells = {(str(r.metric), str(r.model)): figure_cell(r) for r in records(part)}
    rows = []
    for metric in sorted(set(part["metric"].astype(str)), key=lambda m: [*LABELS, m].index(m)):
        unit = str(part.loc[part["metric"] == metric, "unit"].iloc[0])
        perfect = PERFECT.get(metric, "100 %" if metric in SHARES else NONE)
        shown = "" if unit in ("1", "fold", "%") else f" ({unit})"
        used = sorted({int(n) for n in part.loc[part["metric"] == metric, "n"]})
        n = count(used[0]) if len(used) == 1 else f"{count(used[0])} to {count(used[-1])}"
        rows.append([label(metric) + shown, n, *(cells.get((metric, m), Cell(NONE)) for m in models), perfect])
    subjects = int(part["n_subjects"].max())
    note = f"From {plural(subjects, 'subject')} (twins; studies of published data). {INTERVALS}"
    left = int(part["n_left_out"].max())
    if left:
        note += f" Up to {plural(left, 'pair')} left out where a figure cannot use it (n counts the rest)."
    caption = f"All figures: {name}"
    header = ["Figure", "n", *(short_model(m) for m in models), "Perfect"]
    return Table.create(caption, header, rows, text=(0,), note=note, file="evaluate/evaluation_metrics.tsv")


def gap_words(row: Any) -> str:
    """A gap with its interval: a factor (×), per cent points, or a difference."""
    if pd.isna(row.gap):
        return NONE
    sign = "×" if row.gap_kind == "ratio" else ""
    if str(row.metric) in SHARES:
        figures = [100 * float(v) for v in (row.gap, row.gap_lo95, row.gap_hi95)]
        return f"{interval(*figures)} points"
    return f"{sign}{interval(row.gap, row.gap_lo95, row.gap_hi95)}"


def group_rows(part: pd.DataFrame) -> Table:
    """Every group, model and figure of one data set, with the gap to all other people and its flag."""
    rows = []
    for r in records(part.sort_values(["axis", "group", "metric", "model"], kind="stable")):
        flag = "" if pd.isna(r.flag) else str(r.flag)
        rows.append([r.axis, r.group, label(str(r.metric)), short_model(str(r.model)), count(r.n_subjects), count(r.n),
                     figure_cell(r), gap_words(r), Cell(flag, badge="warn" if flag else "")])  # fmt: skip
    header = ["By", "Group", "Figure", "Model", "Subjects", "n", "Value", "Gap to the others (95 %)", "Flag"]
    note = (
        "Gap: the group's figure divided by that of all other people (×), or less it. Many gaps are looked at: some "
        "leave out no difference by chance. Subjects of a group and of the others are drawn apart."
    )
    return Table.create("Figures by group", header, rows, text=(0, 1, 2, 3, 8), note=note, folded=True, limit=400,
                        file="evaluate/evaluation_groups.tsv")  # fmt: skip


def tier_table(validation: pd.DataFrame, tier: str) -> Table:
    """Activities of one tier: done with its evidence, or not done with the reason."""
    rows = []
    place = {str(a): k for k, a in enumerate(fact_table("validation_tiers.tsv")["activity"])}
    mine = validation[validation["tier"] == tier].sort_values("activity", key=lambda a: a.map(place), kind="stable")
    for r in records(mine):
        done = r.status == "done"
        said = r.result if done else r.why_not
        where = "" if pd.isna(r.where) else str(r.where)
        rows.append([str(r.question), str(r.factor), Cell(str(r.status), badge="good" if done else "warn"), str(said),
                     where])  # fmt: skip
    header = ["Question", "Credibility factor", "Status", "Result, or why not done", "Where"]
    return Table.create(tier[0].upper() + tier[1:], header, rows, text=range(5))
