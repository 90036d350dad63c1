"""Inside the body: the model's own states of a few people, organ by organ, and where the dose is over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.core.anatomy import COMPARTMENTS
from pharmtwin.report.blocks import Block, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.body_charts import SEXES
from pharmtwin.report.figures import STYLE, axis, line, numbers
from pharmtwin.report.flow_diagram import flow_chart
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.quantities import ORGANS
from pharmtwin.report.rows import records
from pharmtwin.report.words import number, percent, plain, plotly_text

#: role of table organ_courses -> style and words
ROLES = {
    "reference adult": ("population", ""),
    "lowest activity": ("covariates", "lowest CYP2D6 activity"),
    "highest activity": ("twin", "highest CYP2D6 activity"),
    "twin": ("twin", ""),
}
PLASMA = "plasma"
#: ids of the reference people in the tables -> words
REFERENCE = {SEXES["M"]: "reference man", SEXES["F"]: "reference woman"}
DECADES = 5.0  # of the common axis of all organs at most
#: pools of table mass_balance from the bottom of the stack to its top: name, colour
POOLS = {
    "metabolised_CYP2D6_mg": ("metabolised by CYP2D6", "#0072b2"),
    "metabolised_other_mg": ("metabolised otherwise", "#56b4e9"),
    "urine_mg": ("in urine", "#f0e442"),
    "not_absorbed_mg": ("not absorbed, in faeces", "#8c6d3f"),
    "tissues_mg": ("in organs", "#d55e00"),
    "blood_mg": ("in blood", "#cc79a7"),
    "lumen_mg": ("in the gut lumen", "#009e73"),
}
ROUTES = {"oral": "lumen_mg", "iv": "blood_mg"}


def person(name: object, role: object) -> str:
    """Somebody of the tables in words: a reference person, or a twin and why it was chosen."""
    who, why = REFERENCE.get(str(name), str(name)), ROLES[str(role)][1]
    return f"{who} ({why})" if why else who


def people(table: pd.DataFrame) -> list[tuple[str, str]]:
    """(twin_id, role) of a table, in the order of the roles."""
    known = table[["twin_id", "role"]].drop_duplicates()
    order = {r: i for i, r in enumerate(ROLES)}
    return sorted(((str(t), str(r)) for t, r in known.itertuples(index=False)), key=lambda p: (order[p[1]], p[0]))


def last_dose(balance: pd.DataFrame) -> float:
    """Time (h) of the last dose: the latest record that precedes one; the first time where there is none."""
    before = balance.loc[balance["given_mg"] < balance["given_mg"].max(), "time_h"]
    return float(before.max()) if len(before) else float("-inf")


def organ_chart(courses: pd.DataFrame, since: float) -> Chart:
    """Small multiples of the last dosing interval: every compartment, with venous plasma beside it.

    since : time of the last dose (h).
    """
    last = courses[courses["time_h"] >= since].sort_values("time_h")
    levels = last.loc[last["concentration_ng_ml"] > 0, "concentration_ng_ml"]
    top = float(np.log10(levels.max())) + 0.15
    span = [max(float(np.log10(levels.min())) - 0.15, top - DECADES), top]
    shown = people(last)
    panels = []
    for organ in COMPARTMENTS:
        data = []
        for twin, role in shown:
            style, name = STYLE[ROLES[role][0]], plotly_text(REFERENCE.get(twin, twin))
            mine = last[last["twin_id"] == twin]
            for compartment, width, words in (
                (organ, 2.0, name),
                (PLASMA, 1.2, f"plasma, {name}"),
            ):
                part = mine[mine["compartment"] == compartment]
                dash = "dot" if compartment == PLASMA else "solid"
                at = part["time_h"] - part["time_h"].min()
                drawn = line(at, part["concentration_ng_ml"], words, style["colour"], dash)
                drawn["line"]["width"] = width
                data.append(drawn | {"hovertemplate": "%{x:.4g} h: %{y:.3g} ng/mL"})
        layout = {"xaxis": axis("Time (h)", nticks=5),
                  "yaxis": axis("ng/mL", log=True, range=span, dtick=1)}  # fmt: skip
        panels.append(Panel(ORGANS.get(organ, organ), tuple(data), layout))
    who = ", ".join(person(t, r) for t, r in shown)
    return Chart(
        "organs",
        "Concentration in every compartment",
        f"Drug concentration over the last dosing interval in the model's {len(COMPARTMENTS)} compartments for {who}, "
        "each beside venous plasma, on one log axis.",
        tuple(panels),
        _organ_table(last, shown),
        caption=f"Last dosing interval of {courses['scenario'].iloc[0]}: {who}. Thick: the compartment's own "
        "concentration (tissue with its water, or whole blood), a state of the model. Dotted: venous plasma of the "
        "same person. All panels have the same axes; time counts from the last dose.",
        height=205,
        width=173,
    )


def _organ_table(last: pd.DataFrame, shown: Sequence[tuple[str, str]]) -> Table:
    """Every number drawn: a line a person and time, a column a compartment."""
    rows = []
    columns = [PLASMA, *COMPARTMENTS]
    for twin, role in shown:
        mine = last[last["twin_id"] == twin]
        wide = mine.pivot(index="time_h", columns="compartment", values="concentration_ng_ml").reindex(columns=columns)
        rows += [[person(twin, role), plain(t), *(number(v) for v in values)]
                 for t, values in zip(wide.index, wide.to_numpy(float))]  # fmt: skip
    header = ["Person", "Time after first dose (h)", *(f"{ORGANS.get(c, c)} (ng/mL)" for c in columns)]
    note = "The whole regimen, with amounts: verification/organ_courses.parquet."
    return Table.create("Concentration in every compartment", header, rows, limit=1000, note=note,
                        file="verification/organ_courses.parquet")  # fmt: skip


def distribution_table(inputs: ReportInputs) -> Table:
    """Where the drug is at the end: highest and last concentration, ratio to plasma, amount."""
    courses = inputs.organ_courses
    rows = []
    for (twin, role), organ in product(people(courses), [PLASMA, *COMPARTMENTS]):
        mine = courses[courses["twin_id"] == twin]
        own = mine[mine["compartment"] == organ].sort_values("time_h")
        plasma = mine[mine["compartment"] == PLASMA].sort_values("time_h")
        last, level = own.iloc[-1], float(plasma["concentration_ng_ml"].iloc[-1])
        amount = float(last["amount_mg"])
        held = float(mine.loc[mine["time_h"] == last["time_h"], "amount_mg"].sum())
        rows.append([
            person(twin, role), ORGANS.get(organ, organ), number(own["concentration_ng_ml"].max()),
            number(last["concentration_ng_ml"]), number(float(last["concentration_ng_ml"]) / level if level else None),
            number(amount), percent(amount / held) if held else number(None),
        ])  # fmt: skip
    header = ["Person", "Compartment", "Highest (ng/mL)", "At the end (ng/mL)", "Over plasma", "Amount (mg)",
              "Of what the body holds"]  # fmt: skip
    note = "Highest: of the whole regimen. All else at the end of the last dosing interval. Plasma is a part of venous "
    note += "blood and has no amount of its own."
    return Table.create("Distribution at the end of the regimen", header, rows, text=(0, 1), note=note, folded=True)


def _with_jumps(part: pd.DataFrame, pool: str | None) -> pd.DataFrame:
    """Rows of one person with a second row at every dose: just after it, where the dose is given into ``pool``.

    Records at a dose precede it, and everything but that pool is continuous. None: the route is not known, no rows.
    """
    part = part.sort_values("time_h", ignore_index=True)
    if pool is None:
        return part
    dose = -part["given_mg"].diff(-1).fillna(0.0)
    after = part[dose > 0].copy()
    after["given_mg"] += dose[dose > 0]
    after[pool] += dose[dose > 0]
    return pd.concat([part.assign(after=0), after.assign(after=1)]).sort_values(["time_h", "after"], kind="stable")


def _area(x: pd.Series, top: pd.Series, name: str, colour: str) -> dict[str, Any]:
    """Everything below a line, down to zero, as one closed trace."""
    ends = [float(x.iloc[-1]), float(x.iloc[0])]
    shape = {"x": numbers([*x, *ends]), "y": numbers([*top, 0.0, 0.0])}
    return line([], [], name, colour) | shape | {"fill": "toself", "fillcolor": colour, "hoverinfo": "skip",
                                                 "line": {"width": 0, "color": colour}}  # fmt: skip


def balance_chart(inputs: ReportInputs) -> Chart:
    """Stacked amounts that add up to what was given."""
    table = inputs.mass_balance
    scenario = str(table["scenario"].iloc[0])
    sheet = inputs.scenarios
    known = {"scenario", "route"} <= set(sheet.columns)
    routes = dict(zip(sheet["scenario"].astype(str), sheet["route"].astype(str))) if known else {}
    panels = []
    for twin, role in people(table):
        part = _with_jumps(table[table["twin_id"] == twin], ROUTES.get(routes.get(scenario, "")))
        data: list[dict[str, Any]] = []
        top = part[list(POOLS)].clip(lower=0.0).cumsum(axis=1)
        for pool, (name, colour) in reversed(POOLS.items()):  # the highest first, the others are drawn over it
            if part[pool].max() > 0:
                data.append(_area(part["time_h"], top[pool], name, colour))
        data.append(line(part["time_h"], part["given_mg"], "given so far", "#1d2733", "dash"))
        data[-1]["line"]["width"] = 1.4
        layout = {"xaxis": axis("Time after first dose (h)"), "yaxis": axis("Amount (mg)", rangemode="tozero")}
        panels.append(Panel(plotly_text(person(twin, role)), tuple(data), layout))
    return Chart(
        "mass-balance",
        "Where the dose is",
        "Stacked amounts of drug over time: metabolised, excreted, not absorbed, in organs, blood and gut lumen; the "
        "top of the stack is what was given so far.",
        tuple(panels),
        _balance_table(table),
        caption=f"Scenario {scenario}. From top to bottom in the order of the legend; the stack reaches the dashed "
        "line where nothing is lost. What is too little to be seen stands in the table.",
        height=340,
    )


def _balance_table(table: pd.DataFrame) -> Table:
    rows = []
    for twin, role in people(table):
        part = table[table["twin_id"] == twin].sort_values("time_h", ignore_index=True)
        jump = part["given_mg"].diff(-1).fillna(-1.0) < 0  # before each dose, and at the end
        for r in records(part[jump & (part["time_h"] > 0)]):
            amounts = [getattr(r, pool) for pool in POOLS]
            absorbed = r.given_mg - r.lumen_mg - r.not_absorbed_mg
            shown = [number(max(a, 0.0)) for a in amounts]
            rows.append([person(twin, role), plain(r.time_h), plain(r.given_mg), number(absorbed), *shown,
                         number(sum(amounts), 6), f"{r.imbalance:.1e}"])  # fmt: skip
    header = ["Person", "Time (h)", "Given (mg)", "Absorbed (mg)", *(f"{n[0].upper()}{n[1:]} (mg)" for n, _ in
              POOLS.values()), "Sum (mg)", "Imbalance"]  # fmt: skip
    note = "Before each dose and at the end. Absorbed: given less lumen and faeces. Imbalance: |sum - given| / given, "
    note += "before numbers are rounded."
    return Table.create("Where the dose is", header, rows, note=note, file="verification/mass_balance.parquet")


def balance_words(inputs: ReportInputs) -> Paragraph:
    """The largest imbalance as a number with its limit; what failed is said as such."""
    mine = inputs.verification[inputs.verification["kind"] == "mass_balance"]
    if mine.empty:
        return Paragraph("Whether masses close was not checked.", "missing")
    bad = mine[~mine["passed"]]
    if mine["value"].isna().all():
        return Paragraph("Whether masses close could not be computed: the solver failed.", "caution")
    worst = mine.iloc[int(mine["value"].fillna(-1.0).to_numpy(float).argmax())]
    who = REFERENCE.get(str(worst["subject"]), str(worst["subject"]))
    text = f"Largest imbalance at any time: {worst['value']:.1e} of what was given ({who}, {worst['place']}); "
    text += f"limit {worst['limit']:.0e}."
    if len(bad):
        return Paragraph(f"NOT PASSED. {text}", "caution")
    return Paragraph(text)


def inside_section(inputs: ReportInputs) -> Section:
    """Blood flow, concentration in every organ and mass balance of the reference adult and chosen twins."""
    blocks: list[Block] = []
    diagram = flow_chart(inputs, {t: person(t, r) for t, r in people(inputs.organ_courses)})
    if diagram is not None:
        blocks.append(diagram)
    if len(inputs.organ_courses):
        text = "The reference man, and the twins of lowest and highest expected CYP2D6 activity (of those with "
        text += "concentrations, if any), each with one set of parameters: typical values, or medians of its own."
        blocks += [
            Paragraph(text),
            organ_chart(inputs.organ_courses, last_dose(inputs.mass_balance)),
            distribution_table(inputs),
        ]
    if len(inputs.mass_balance):
        blocks += [balance_chart(inputs), balance_words(inputs)]
    if inputs.organ_courses.empty or inputs.mass_balance.empty:
        text = "The verification stage did not run, or its solves failed: the model's states cannot all be shown."
        blocks.append(Paragraph(text, "missing"))
    return Section("inside", "Inside the body", tuple(blocks))
