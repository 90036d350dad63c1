"""The verification page's figures: error against tolerance, the model beside closed forms, sums of every body."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import INK, MUTED, STYLE, axis, line, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.inside import PLASMA, REFERENCE, last_dose, person
from pharmtwin.report.rows import records
from pharmtwin.report.verified import NOT_RUN, verdict_section
from pharmtwin.report.words import count, number, plural

__all__ = ["exact_section", "ladder_section", "sums_section", "verdict_section"]

#: engine -> name and style
ENGINES = {"rosenbrock": ("Rodas5P", "covariates"), "cvode": ("CVODE", "twin")}
ERRORS = {"curve": "Concentration over the regimen (worst time)", "AUCtau": "AUCtau", "Cmax": "Cmax"}
USES = {"predictions": ("what the predictions use", "diamond-open"), "fit": ("what the fit uses", "square-open")}
MAX_POINTS = 1000


def _difference(v: Any) -> str:
    return "none" if v != v or v is None else f"{float(v):.1e}" if v else "0"


def _limit(inputs: ReportInputs, kind: str) -> float | None:
    found = inputs.verification.loc[inputs.verification["kind"] == kind, "limit"]
    return float(found.iloc[0]) if len(found) else None


def ladder_chart(inputs: ReportInputs) -> Chart:
    """Error against relative tolerance, log-log, a panel a quantity, a line a solver: the worst of the people."""
    table = inputs.tolerance_ladder
    panels = []
    ends = [float(table["rtol"].min()), float(table["rtol"].max())]
    for what, title in ERRORS.items():
        data = [line(ends, ends, "error = tolerance", MUTED, "dot")]
        data[0]["line"]["width"] = 1.1
        limit = _limit(inputs, f"tolerance_{what}")
        if limit is not None:
            data.append(line(ends, [limit, limit], "limit at the study's tolerance", INK, "dash"))
            data[-1]["line"]["width"] = 1.2
        for engine, (name, style_of) in ENGINES.items():
            style = STYLE[style_of]
            worst = table[table["engine"] == engine].groupby("rtol")[f"{what}_error"].agg(lambda e: e.max(skipna=False))
            data.append(line(worst.index, worst, name, style["colour"], style["dash"]))
            data[-1] |= {"hovertemplate": "%{x:.1e}: %{y:.2g}"}
            data.append(points(worst.index, worst, name, style["colour"], style["symbol"], size=7, showlegend=False))
        for use, (words, symbol) in USES.items():
            own = table[table["used_for"] == use].groupby("rtol")[f"{what}_error"].agg(lambda e: e.max(skipna=False))
            if len(own):
                data.append(points(own.index, own, words, INK, symbol, size=15))
        layout = {
            "xaxis": axis("Relative tolerance", log=True, dtick=2, exponentformat="power") | {"tickformat": ""},
            "yaxis": axis("Relative error", log=True, dtick=2, exponentformat="power") | {"tickformat": ""},
        }
        panels.append(Panel(title, tuple(data), layout))
    n = table["twin_id"].nunique()
    scenario = str(table["scenario"].iloc[0])
    return Chart(
        "ladder",
        "Error against tolerance",
        "Relative error of the concentration, AUCtau and Cmax against the solver's relative tolerance on logarithmic "
        f"axes, for both solvers; largest of {plural(n, 'person', 'people')}.",
        tuple(panels),
        _ladder_table(table),
        caption=f"The study's own model and regimen ({scenario}), the largest error of {plural(n, 'person', 'people')} "
        "beside a reference solution of far tighter tolerance. Open symbols: what the study uses.",
        height=330,
        width=270,
    )


def _ladder_table(table: pd.DataFrame) -> Table:
    rows = []
    for r in records(table.sort_values(["role", "twin_id", "engine", "rtol"], ascending=[True, True, True, False])):
        use = "" if r.used_for == "nothing" else str(r.used_for)
        rows.append([person(r.twin_id, r.role), ENGINES[str(r.engine)][0], f"{r.rtol:g}",
                     Cell(use, badge="note" if use else ""), count(r.steps),
                     *(_difference(getattr(r, f"{e}_error")) for e in ERRORS)])  # fmt: skip
    header = ["Person", "Solver", "Relative tolerance", "Used for", "Steps", "Error of the curve", "Error of AUCtau",
              "Error of Cmax"]  # fmt: skip
    note = (
        "Curve: largest difference over the regimen, relative to the level, or to 1 % of its peak where it is lower. "
    )
    note += "The fit solves the same equations without the accounting states."
    return Table.create("Error against tolerance", header, rows, text=(0, 1, 3), note=note, limit=400,
                        file="verification/tolerance_ladder.tsv")  # fmt: skip


def ladder_section(inputs: ReportInputs) -> Section:
    """Is the solution independent of the solver and its tolerance."""
    if inputs.tolerance_ladder.empty:
        return Section("tolerance", "Error against tolerance", (Paragraph(NOT_RUN, "missing"),))
    return Section("tolerance", "Error against tolerance", (ladder_chart(inputs),))


def exact_chart(inputs: ReportInputs) -> Chart:
    """Plasma by matrix exponential and by the solvers; and the largest difference of all compartments over time."""
    table = inputs.exact_courses
    plasma = table[(table["compartment"] == PLASMA) & (table["time_h"] > 0)].sort_values("time_h")
    last = plasma[plasma["time_h"] > last_dose(inputs.mass_balance)]
    curves = [line(last["time_h"], last["exact_ng_ml"], "matrix exponential", MUTED)]
    apart = []
    at = table[table["time_h"] > 0].groupby("time_h")
    for engine, (name, style_of) in ENGINES.items():
        style = STYLE[style_of]
        some = last.iloc[(1 if engine == "cvode" else 0) :: 2]  # the solvers take turns, so that both can be seen
        curves.append(points(some["time_h"], some[f"{engine}_ng_ml"], name, style["colour"], style["symbol"], size=6))
        worst = at[f"{engine}_difference"].max()
        apart.append(line(worst.index, worst, name, style["colour"], style["dash"]))
        apart[-1]["line"]["width"] = 1.3
    limit = _limit(inputs, "matrix_exponential")
    if limit is not None:
        ends = [float(plasma["time_h"].min()), float(plasma["time_h"].max())]
        apart.append(line(ends, [limit, limit], "limit", INK, "dash"))
        apart[-1]["line"]["width"] = 1.2
    time = axis("Time after first dose (h)")
    panels = (
        Panel("Venous plasma, last dosing interval", tuple(curves), {
            "xaxis": time, "yaxis": axis("ng/mL", rangemode="tozero"),
        }),
        Panel("Largest difference of all compartments, whole regimen", tuple(apart), {
            "xaxis": time,
            "yaxis": axis("Relative difference", log=True, dtick=2, exponentformat="power") | {"tickformat": ""},
        }),
    )  # fmt: skip
    rows = [
        [f"{r.time_h:.4g}", number(r.exact_ng_ml), number(r.rosenbrock_ng_ml), number(r.cvode_ng_ml),
         _difference(at["rosenbrock_difference"].max()[r.time_h]), _difference(at["cvode_difference"].max()[r.time_h])]
        for r in records(plasma)
    ]  # fmt: skip
    header = ["Time (h)", "Exact (ng/mL)", "Rodas5P (ng/mL)", "CVODE (ng/mL)", "Rodas5P, largest difference",
              "CVODE, largest difference"]  # fmt: skip
    note = "Differences: the largest of all compartments, relative to the exact level, or to 1 % of its largest."
    return Chart(
        "exact",
        "The model beside the matrix exponential",
        "Venous plasma concentration of the linear reference man by matrix exponential and by both solvers, and the "
        "largest relative difference of all compartments over time.",
        panels,
        Table.create("The model beside the matrix exponential", header, rows, text=(), note=note, limit=400,
                     file="verification/exact_courses.parquet"),
        caption="The reference man with CYP2D6 made linear is dA/dt = M A: solved exactly by exp(M t), with M written "
        "from the flow diagram and not taken from the model. Solvers at the study's tolerance; points take turns.",
        height=320,
    )  # fmt: skip


def forms_table(forms: pd.DataFrame) -> Table:
    """Closed forms: exact and computed by both solvers."""
    rows = []
    for _, mine in forms.sort_values(["meaning", "engine"]).groupby("meaning"):
        first = mine.iloc[0]
        by = {str(r.engine): r for r in records(mine)}
        passed = bool(mine["passed"].all())
        rows.append([
            Cell(str(first["meaning"])), str(first["unit"]).replace("1", ""), number(first["exact"], 6),
            *(number(by[e].computed, 6) if e in by else "none" for e in ENGINES),
            *(_difference(by[e].relative_difference) if e in by else "none" for e in ENGINES), f"{first['limit']:g}",
            Cell("passed", badge="good") if passed else Cell("NOT PASSED", badge="bad"),
        ])  # fmt: skip
    names = [name for name, _ in ENGINES.values()]
    header = [
        "Quantity and closed form",
        "Unit",
        "Exact",
        *names,
        *(f"{n}, difference" for n in names),
        "Limit",
        "Verdict",
    ]
    note = "The linear reference man, solvers at the tightest tolerance of the ladder. Differences are relative."
    return Table.create("Closed forms", header, rows, text=(0, 1, 8), note=note, file="verification/closed_forms.tsv")


def exact_section(inputs: ReportInputs) -> Section:
    """The model against what is known exactly."""
    blocks: list[Block] = []
    if len(inputs.exact_courses):
        blocks.append(exact_chart(inputs))
    if len(inputs.closed_forms):
        blocks.append(forms_table(inputs.closed_forms))
    return Section("exact-solution", "Closed forms", tuple(blocks) or (Paragraph(NOT_RUN, "missing"),))


SUMS = {
    "arterial branches": ("Sum of all arterial branches", "Cardiac output"),
    "organ masses": ("Sum of organs, blood and rest", "Body weight"),
}


def sums_chart(table: pd.DataFrame) -> Chart:
    """Each person's sums against the whole, on the identity line; the furthest are drawn where there are too many."""
    panels = []
    drawn = 0
    for parts, (sum_words, whole_words) in SUMS.items():
        mine = table[table["parts"] == parts]
        some = mine.sort_values("relative_difference", ascending=False, kind="stable").head(MAX_POINTS)
        some = some.dropna(subset=["sum", "whole"])
        drawn = max(drawn, len(some))
        unit = str(mine["unit"].iloc[0]) if len(mine) else ""
        top = float(some[["sum", "whole"]].max().max()) * 1.05 if len(some) else 1.0
        data = [line([0.0, top], [0.0, top], "sum = whole", MUTED)]
        data[0]["line"]["width"] = 1.1
        for passed, name, style in ((True, "a person", STYLE["twin"]), (False, "NOT PASSED", STYLE["covariates"])):
            own = some[some["passed"] == passed]
            if len(own):
                data.append(points(own["whole"], own["sum"], name, style["colour"], style["symbol"], size=6,
                                   text=own["twin_id"], opacity=0.75))  # fmt: skip
        layout = {
            "xaxis": axis(f"{whole_words} ({unit})", range=[0, top]),
            "yaxis": axis(f"{sum_words} ({unit})", range=[0, top]),
        }
        panels.append(Panel(f"{sum_words} and {whole_words.lower()}", tuple(data), layout))
    people = table["twin_id"].nunique()
    caption = f"{plural(people, 'person', 'people')}: all twins and the reference man and woman."
    if drawn < people:
        caption += f" Drawn: the {count(drawn)} furthest from the line."
    return Chart(
        "body-sums",
        "Flows and volumes of every body",
        f"Sum of organ flows against cardiac output, and of organ masses against body weight, of {count(people)} "
        "people, with the line on which both are equal.",
        tuple(panels),
        _sums_table(table),
        caption=caption + " Masses: volume times density of 14 organs, blood and rest.",
        height=330,
    )


def _sums_table(table: pd.DataFrame) -> Table:
    order = table.assign(size=table["relative_difference"].fillna(np.inf))
    rows = [
        [REFERENCE.get(str(r.twin_id), str(r.twin_id)), str(r.parts), number(r.sum, 6), number(r.whole, 6), str(r.unit),
         _difference(r.relative_difference), f"{r.limit:g}",
         Cell("passed", badge="good") if r.passed else Cell("NOT PASSED", badge="bad")]
        for r in records(order.sort_values("size", ascending=False, kind="stable"))
    ]  # fmt: skip
    header = ["Person", "Parts", "Sum", "Whole", "Unit", "Difference", "Limit", "Verdict"]
    return Table.create("Flows and volumes of every body", header, rows, text=(0, 1, 4, 7), note="Furthest first.",
                        file="verification/body_sums.parquet")  # fmt: skip


def _sums_words(table: pd.DataFrame) -> Paragraph:
    bad = table[~table["passed"]]
    if len(bad):
        names = ", ".join(sorted(set(bad["twin_id"].astype(str)))[:10])
        text = f"NOT PASSED: {plural(len(bad), 'sum')} of {plural(bad['twin_id'].nunique(), 'person', 'people')} "
        return Paragraph(text + f"outside the limit or without a value ({names}).", "caution")
    worst = table.iloc[int(table["relative_difference"].to_numpy(float).argmax())]
    who = REFERENCE.get(str(worst["twin_id"]), str(worst["twin_id"]))
    text = f"Largest deviation: {_difference(worst['relative_difference'])} ({who}, {worst['parts']}); "
    return Paragraph(text + f"limit {worst['limit']:g}.")


def sums_section(inputs: ReportInputs) -> Section:
    """Do flows, masses and volumes of every body close."""
    table = inputs.body_sums
    if table.empty:
        return Section("sums", "Sums of every body", (Paragraph(NOT_RUN, "missing"),))
    return Section("sums", "Sums of every body", (_sums_words(table), sums_chart(table)))
