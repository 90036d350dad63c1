"""What makes a twin's exposure differ from the reference person's: Shapley values, a bar a cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import INK, axis, numbers, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import NONE, count, number, plotly_text, plural

TITLE = "What makes the exposure differ"
#: raises or lowers, each with its own colour and hatching
ENDS = (("raises", "#d55e00", "/"), ("lowers", "#0072b2", ""))
EXPLAINED = (
    "Shapley values: what each cause adds, averaged over all orders in which the causes may be put in, every "
    "combination solved with the model. They add up to the difference between twin and reference person."
)
#: the interval over draws of the parameters
GIVEN = "given the parameters' uncertainty, 90 %"
ALIKE = "Covariates that are those of the reference person cause nothing and are not listed."


def _signed(x: float) -> str:
    return NONE if x != x else f"{'+' if x > 0 else ''}{number(x)}"


def _given(row: Any, name: str, write: Any) -> Cell:
    """A value; below it its interval given the parameters' uncertainty, where there is one."""
    low, high = (float(getattr(row, f"{name}_{end}")) for end in ("lo90", "hi90"))
    return Cell(write(float(getattr(row, name))), sub=f"{write(low)} to {write(high)}" if low == low else "")


def _sampling(row: Any) -> str:
    """The sampling error of a value, of which an exact one has none."""
    if row.method == "exact" or row.value != row.value:
        return "none: exact" if row.method == "exact" else NONE
    return f"{_signed(row.value_lo95)} to {_signed(row.value_hi95)}"


def _panel(part: pd.DataFrame) -> Panel:
    part = part.assign(size=part["value"].abs()).sort_values(["size", "cause"], ascending=[False, True], kind="stable")
    names = [plotly_text(c) for c in part["cause"]]
    data = []
    for (name, colour, pattern), mine in zip(ENDS, (part["value"].clip(lower=0), part["value"].clip(upper=0))):
        factors = [number(f) for f in part["factor"]]
        data.append(
            {
                "type": "bar", "orientation": "h", "y": names, "x": numbers(mine), "name": name, "customdata": factors,
                "marker": {"color": colour, "pattern": {"shape": pattern, "fgcolor": "#ffffff", "bgcolor": colour,
                                                        "size": 6}},
                "hovertemplate": "%{y}: %{x:+.3g} (× %{customdata})<extra></extra>",
            }
        )  # fmt: skip
    if part["value_lo90"].notna().any():
        told = part[part["value_lo90"].notna()]
        limits = told["value_lo90"], told["value_hi90"]
        y = [plotly_text(c) for c in told["cause"]]
        data.append(points(told["value"], y, GIVEN, INK, "circle", error_x=limits, size=5) | {"hoverinfo": "skip"})
    metric, unit = str(part["metric"].iloc[0]), str(part["unit"].iloc[0])
    layout = {
        "barmode": "relative",
        "xaxis": axis(f"Change of {metric} ({unit})"),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
        "shapes": [{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": INK}}],
    }
    return Panel(metric, tuple(data), layout)


def _table(mine: pd.DataFrame, scenario: str) -> Table:
    rows = [
        [r.metric, r.cause, r.twin, r.reference, _given(r, "value", _signed), _given(r, "factor", number), r.unit,
         _sampling(r), "" if pd.isna(r.note) else r.note]
        for r in records(mine.sort_values(["metric", "cause"], kind="stable"))
    ]  # fmt: skip
    header = ["Metric", "Cause", "Twin", "Reference person", "Shapley value", "Factor", "Unit",
              "Sampling error (95 %)", "Note"]  # fmt: skip
    note = "Factors multiply to twin over reference person. Activity: of CYP2D6, relative to activity score 2."
    n = sorted({int(k) for k in mine["n_draws"]})
    if n[-1] > 1:
        drawn = count(n[-1]) if n[0] == n[-1] else f"{count(n[0])} to {count(n[-1])}"
        note += f" Second line: {GIVEN}, {drawn} draws. Sampling error: of the value, where orders were sampled."
    else:
        note += " No interval given the parameters' uncertainty was computed (attributions.draws)."
    return Table.create(f"Attribution of exposure, {scenario}", header, rows, text=(0, 1, 2, 3, 6, 7, 8), note=note,
                        folded=True, file="attributions/*/attributions.parquet")  # fmt: skip


def _whiskers(part: pd.DataFrame) -> str:
    told = part["value_lo90"].notna().any()
    return f" Whiskers: {GIVEN} (draws of the twin's, else of the study's parameters)." if told else ""


def _sentence(part: pd.DataFrame) -> str:
    """Exposure of both, and the strongest cause."""
    first = part.iloc[0]
    top = part.iloc[int(part["value"].abs().to_numpy().argmax())]
    return (
        f"{first['metric']} {number(first['total'])} {first['unit']} at the twin's typical parameters, "
        f"{number(first['base'])} of the reference person. The strongest cause is {top['cause']} "
        f"({_signed(float(top['value']))} {top['unit']}, × {number(top['factor'])})."
    )


def attribution_blocks(inputs: ReportInputs, twin: str) -> tuple[Block, ...]:
    """Sentence, bars and table of one twin; says so where nothing was attributed."""
    mine = inputs.attributions[inputs.attributions["twin_id"] == twin]
    if mine.empty:
        return (Paragraph("The exposure of this twin was not attributed (attributions.twins).", "missing"),)
    blocks: list[Block] = [Paragraph(EXPLAINED + " " + ALIKE, "small")]
    for scenario, all_rows in mine.groupby("scenario", sort=True):
        part = all_rows[all_rows["method"] != "failed"]
        lost = sorted(set(all_rows.loc[all_rows["method"] == "failed", "metric"]))
        if lost:
            blocks.append(Paragraph(f"{', '.join(lost)}: a combination could not be solved, see checks.", "caution"))
        if part.empty:
            continue
        panels = tuple(_panel(rows) for _, rows in part.groupby("metric", sort=True))
        largest = int(part.groupby("metric").size().max())
        blocks.append(Paragraph(_sentence(part[part["metric"] == part["metric"].iloc[0]])))
        every = "All " if (part["method"] == "exact").all() else ""
        runs = f"{every}{plural(int(part['n_runs'].max()), 'combination')}"
        alt = f"Shapley values of {plural(largest, 'cause')} for {plural(len(panels), 'exposure metric')} of {twin}."
        blocks.append(
            Chart(f"attribution-{scenario}", f"{TITLE}: {scenario}", alt, panels, _table(all_rows, str(scenario)),
                  caption=f"{runs} of causes solved.{_whiskers(part)}", width=320, height=130 + 34 * largest)
        )  # fmt: skip
    return tuple(blocks)


def attribution_section(inputs: ReportInputs, twin: str) -> Section:
    """For a twin's page."""
    return Section("attribution", TITLE, attribution_blocks(inputs, twin))


def cohort_section(inputs: ReportInputs) -> Section:
    """Over the twins: how much each cause matters, as the geometric mean of the factor's size."""
    good = inputs.attributions[inputs.attributions["factor"].notna()]
    if good.empty:
        return Section("causes", TITLE, (Paragraph("No exposure was attributed to its causes.", "missing"),))
    rows = []
    for (metric, cause), part in good.groupby(["metric", "cause"], sort=True):
        factor = part["factor"].to_numpy(float)
        size = float(np.exp(np.abs(np.log(factor)).mean()))
        rows.append((metric, cause, len(part), size, factor.min(), factor.max()))
    rows.sort(key=lambda r: (r[0], -r[3], r[1]))
    cells = [[m, c, count(n), number(size), number(lo), number(hi)] for m, c, n, size, lo, hi in rows]
    header = ["Metric", "Cause", "Twins", "Typical size (fold)", "Least factor", "Largest factor"]
    note = "Typical size: exp(mean |ln factor|), 1 is no effect; over the twins that differ from the reference person."
    table = Table.create("Causes over the twins", header, cells, text=(0, 1), note=note)
    return Section("causes", TITLE, (Paragraph(EXPLAINED), table))
