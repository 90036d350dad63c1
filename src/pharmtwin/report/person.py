"""A twin's person and body: every covariate with its unit and how it is known, and what was said about it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.core.anatomy import PORTAL
from pharmtwin.report.blocks import Block, Cell, Paragraph, Section, Table
from pharmtwin.report.genome_calls import text_of
from pharmtwin.report.genome_warnings import SAID
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.limits import BADGES, SEVERITIES
from pharmtwin.report.people import conditions_of
from pharmtwin.report.quantities import (
    COVARIATES,
    QUANTITIES,
    UNUSED,
    conditions,
    covariate,
    differs,
    named_columns,
    protein,
    quantity,
    unit,
)
from pharmtwin.report.rows import records
from pharmtwin.report.words import NONE, number, plain, plural

NOT_SHOWN = ("twin_id", "vcf", "sample", "accept", "label")  # where the data lie says nothing about the person
ALWAYS = ("sex", "ancestry", "weight_kg", "height_cm", "creatinine_mg_dl")  # told even where empty
#: column of the sheet -> quantity of the body that stands in where nobody measured
TYPICAL = {"albumin_g_l": "albumin", "agp_g_l": "AGP", "haematocrit": "haematocrit"}
GIVEN = "as given in the sheet"
KIDNEY = ("GFR", "eGFR")
STAGED = "conditions.gfr_from_stage"
TYPICAL_GFR = "body.gfr_typical"
#: findings that say what a value was taken for, or that it was not used
HOW = ("body.imputed", TYPICAL_GFR, "kidney.", "conditions.gfr", "conditions.creatinine")
NAMED = 5
IMPUTED = re.compile(r"imputed as ([\d.e+-]+) ")
ML_MIN = 1000 / 60  # mL/min per L/h
YOUNG = 2.0  # years below which weeks of gestation count


def own_findings(inputs: ReportInputs, twin: str) -> pd.DataFrame:
    """Findings about the twin's row of the twins sheet, the gravest first, without those of the genome section."""
    row, table = inputs.twin_rows.get(twin), inputs.findings
    if row is None:
        return table.head(0)
    mine = table[(table["row"] == row) & (table["file"] == inputs.twins_file) & ~table["rule"].isin(SAID)]
    order = mine["severity"].map({s: i for i, s in enumerate(SEVERITIES)})
    return mine.assign(order=order).sort_values(["order", "rule", "column"], kind="stable").drop(columns="order")


def _body(inputs: ReportInputs, twin: str) -> dict[str, Any]:
    return {str(r.quantity): r for r in records(inputs.body[inputs.body["twin_id"] == twin])}


def _said(found: pd.DataFrame, column: str, given: bool) -> str:
    """What the findings say of how a column's value is known; that GFR is typical stands beside the GFR."""
    rows = [r for r in records(found) if text_of(r.column) == column and str(r.rule).startswith(HOW)]
    rows = [r for r in rows if not (given and r.rule == TYPICAL_GFR)]
    return named_columns("; ".join(dict.fromkeys(str(r.what).removeprefix("missing; ") for r in rows)))


def _value(value: Any) -> str:
    if isinstance(value, int | float | np.number):
        return plain(value)
    return text_of(value).strip()


def _covariates(inputs: ReportInputs, twin: str, found: pd.DataFrame) -> list[list[Cell | str]]:
    """Rows of covariate, value, unit, how it is known."""
    own = inputs.covariates[inputs.covariates["twin_id"] == twin]
    if own.empty:
        return []
    person, body = own.iloc[0], _body(inputs, twin)
    rows: list[list[Cell | str]] = []
    given = [str(c) for c in inputs.covariates.columns if c not in NOT_SHOWN]
    for column in [c for c in COVARIATES if c in given] + [c for c in given if c not in COVARIATES]:
        name, units = covariate(column)
        text = "" if pd.isna(person[column]) else _value(person[column])
        said = _said(found, column, bool(text))
        if column == "conditions":
            rows.append([name, "; ".join(conditions(text)) or "none stated", "", GIVEN if text else NONE])
        elif text:
            rows.append([name, text, units, f"{GIVEN}; {said}" if said else GIVEN])
        elif column in TYPICAL and TYPICAL[column] in body:
            rows.append([name, number(body[TYPICAL[column]].value), units, "typical of age, sex and conditions"])
        elif column == "ancestry":
            rows.append([name, "not stated", "", "all ancestry panels pooled"])
        elif column == "gestational_age_wk" and _age(person) < YOUNG:
            rows.append([name, "not stated", "", "born at term (40 weeks) assumed"])
        elif said or column in ALWAYS:
            stands_in = IMPUTED.search(said)
            shown = Cell(stands_in[1], badge="warn") if stands_in else "not stated"
            if column == "creatinine_mg_dl" and not said and (found["rule"] == STAGED).any():
                said = "kidney function from the stage of kidney disease"
            rows.append([name, shown, units, said or NONE])
    rows += _proteins(given, body)
    return rows


def _age(person: pd.Series) -> float:
    return float(pd.to_numeric(pd.Series([person.get("age_y")]), errors="coerce").iloc[0])


def _proteins(given: list[str], body: dict[str, Any]) -> list[list[Cell | str]]:
    """Proteins and haematocrit for which the sheet has no column at all."""
    known = [(c, q) for c, q in TYPICAL.items() if c not in given and q in body]
    return [[*_named(c, body[q]), "typical of age, sex and conditions"] for c, q in known]


def _named(column: str, row: Any) -> list[str]:
    name, units = covariate(column)
    return [name, number(row.value), units]


def _kidney(inputs: ReportInputs, twin: str, found: pd.DataFrame) -> str:
    """How the twin's GFR is known, with the sd of its logarithm."""
    prior = inputs.priors[(inputs.priors["twin_id"] == twin) & (inputs.priors["parameter"] == "GFR")]
    staged = [str(r.what) for r in records(found) if r.rule == STAGED]
    if prior.empty:
        return "; ".join(staged) or "not handed to the report"
    first = records(prior)[0]
    how = "; ".join(staged) or str(first.source).split("; docs/")[0]
    return f"{how} (sd of the logarithm {number(first.scale, 2)})"


def _derived(inputs: ReportInputs, twin: str, found: pd.DataFrame) -> list[list[Cell | str]]:
    """Rows of the quantities that follow from the covariates; enzymes, organs and what stands above are apart."""
    rows: list[list[Cell | str]] = []
    body = _body(inputs, twin)
    names = [q for q in QUANTITIES if q in body] + [q for q in body if q not in QUANTITIES]
    for name, r in ((q, body[q]) for q in names):
        if name.startswith(("V_", "Q_", "enzyme_")) or name in TYPICAL.values():
            continue
        how = _kidney(inputs, twin, found) if name in KIDNEY else ""
        if name in UNUSED:
            how = "reaches no prediction yet"
        minute = (
            f"{number(float(r.value) * ML_MIN)} mL/min" if r.unit == "L/h" and name in ("GFR", "GFR_healthy") else ""
        )
        rows.append([quantity(name), Cell(number(r.value), sub=minute), unit(r.unit), how])
    return rows


def _changed(inputs: ReportInputs, twin: str) -> list[Block]:
    """What the conditions change: the same covariates with and without them."""
    told = conditions_of(inputs).get(twin, "")
    if not told:
        return []
    words = "; ".join(conditions(told))
    without = inputs.body_without[inputs.body_without["twin_id"] == twin]
    if without.empty:
        return [Paragraph(f"Conditions: {words}. The body without them was not handed to the report.", "missing")]
    body, rows = _body(inputs, twin), []
    for r in records(without):
        own = body.get(str(r.quantity))
        if own is None or str(r.quantity) == "GFR_healthy" or not (r.value > 0 and own.value > 0):
            continue
        ratio = float(own.value) / float(r.value)
        if differs(ratio):
            rows.append((abs(np.log(ratio)), quantity(str(r.quantity)), unit(r.unit), r.value, own.value, ratio))
    if not rows:
        return [Paragraph(f"Conditions: {words}. They change nothing in this body.")]
    rows.sort(key=lambda row: (-row[0], row[1]))
    named = [row for row in rows if not row[1].endswith(quantity("V_rest").removeprefix("volume"))]
    most = ", ".join(f"{row[1]} × {number(row[5], 2)}" for row in named[:NAMED])
    text = f"Conditions: {words}. They change {plural(len(rows), 'quantity', 'quantities')} of the body; most: {most}."
    cells = [[row[1], row[2], number(row[3]), number(row[4]), number(row[5])] for row in rows]
    header = ["Quantity", "Unit", "Without", "With", "With / without"]
    note = "Without: a body of the same covariates without the conditions (the same weight, markers and proteins)."
    table = Table.create("What the conditions change", header, cells, text=(0, 1), note=note, folded=True)
    return [Paragraph(text), table]


def _molecules(body: dict[str, Any]) -> list[Block]:
    """Enzymes and transporters that differ from the healthy adult's, and how many do not."""
    content = {name: float(r.value) for name, r in body.items() if name.startswith("enzyme_")}
    if not content:
        return []
    rows = [[*protein(name), number(v)] for name, v in content.items() if differs(v)]
    alike = len(content) - len(rows)
    if not rows:
        return [Paragraph(f"Enzymes and transporters: all {alike} as in the healthy adult of 25 years.", "small")]
    header = ["Name", "Kind", "Where", "Content / that of the adult"]
    note = (
        "Per gram of tissue, by age and conditions; genotype not included. Only those that the drug file names enter "
    )
    note += f"a prediction. {alike} more are as in the healthy adult (1.00)."
    caption = "Enzymes and transporters that differ from the healthy adult's"
    return [Table.create(caption, header, rows, text=(0, 1, 2), note=note, folded=True)]


def _organs(body: dict[str, Any]) -> list[Block]:
    names = [n[2:] for n in body if n.startswith("V_")]
    names += [n[2:] for n in body if n.startswith("Q_") and n[2:] not in names]
    if not names:
        return []
    rows: list[list[Cell | str]] = []
    for name in names:
        volume, flow = body.get(f"V_{name}"), body.get(f"Q_{name}")
        sub = (
            "flow: hepatic artery only" if name == "liver" else "flow: all of cardiac output" if name == "lung" else ""
        )
        label = Cell(quantity(f"V_{name}").removeprefix("volume: "), sub=sub)
        rows.append([label, *(NONE if r is None else number(r.value) for r in (volume, flow))])
    note = "Volumes in L, arterial blood flows in L/h."
    parts = [body.get(f"Q_{organ}") for organ in ("liver", *PORTAL)]
    if all(p is not None for p in parts):
        whole = number(sum(float(p.value) for p in parts if p is not None))
        note += f" The liver also gets what leaves {', '.join(PORTAL[:-1])} and {PORTAL[-1]}: {whole} L/h in all."
    return [Table.create("Organs", ["Organ", "Volume (L)", "Blood flow (L/h)"], rows, note=note, folded=True)]


def _findings(found: pd.DataFrame) -> list[Block]:
    rows = [
        [
            Cell(r.severity, badge=BADGES[str(r.severity)]),
            covariate(text_of(r.column))[0] if text_of(r.column) else "",
            named_columns(str(r.what)),
            r.why,
            r.fix,
        ]
        for r in records(found)
    ]
    if not rows:
        return [Paragraph("The checks of the input found nothing to say of this twin's covariates.", "small")]
    header = ["Severity", "Covariate", "What", "Why it matters", "What to do"]
    return [Table.create("Findings about this twin", header, rows, text=range(5))]


def person_section(inputs: ReportInputs, twin: str) -> Section:
    """Covariates with unit and source, conditions and their effects, findings, body, enzymes, organs."""
    found, body = own_findings(inputs, twin), _body(inputs, twin)
    people, derived = _covariates(inputs, twin, found), _derived(inputs, twin, found)
    blocks: list[Block] = []
    if people:
        header = ["Covariate", "Value", "Unit", "How it is known"]
        blocks.append(Table.create("Covariates", header, people, text=range(4)))
    else:
        blocks.append(Paragraph("No covariates were handed to the report.", "missing"))
    blocks += _changed(inputs, twin)
    if inputs.twin_rows:
        blocks += _findings(found)
    if derived:
        header = ["Quantity", "Value", "Unit", "How it is known"]
        blocks.append(Table.create("What follows for the body", header, derived, text=(0, 2, 3)))
    blocks += [*_molecules(body), *_organs(body)]
    return Section("known", "Person and body", tuple(blocks))
