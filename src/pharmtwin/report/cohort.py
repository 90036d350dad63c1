"""Who is in the cohort: summary of covariates, list of twins."""

from __future__ import annotations

import pandas as pd

from pharmtwin.core.pages import MAX_PAGES
from pharmtwin.report.blocks import Block, Cell, Paragraph, Section, Table
from pharmtwin.report.checks import FAILED, cases
from pharmtwin.report.genome_calls import AMBIGUOUS, NO_CALL, top_calls
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.people import conditions_of, in_order, stages
from pharmtwin.report.quantities import conditions, unit
from pharmtwin.report.words import NONE, count, interval, number, page_name, percent, plain

COVARIATES = (("age", "Age"), ("weight", "Weight"), ("height", "Height"))
QUANTITIES = (("eGFR", "eGFR"), ("BMI", "BMI"), ("BSA", "Body surface"))


def _numeric_rows(inputs: ReportInputs) -> list[list[str]]:
    found = [(label, inputs.numeric_covariate(prefix)) for prefix, label in COVARIATES]
    found += [(label, inputs.body_quantity(name)) for name, label in QUANTITIES]
    rows = []
    for label, known in found:
        if known is None or not (values := known[0].dropna()).size:
            continue
        q = values.quantile([0.05, 0.5, 0.95])
        spread = interval(q[0.5], q[0.05], q[0.95])
        extremes = f"{number(values.min())} to {number(values.max())}"
        rows.append([label, unit(known[1]) or NONE, count(len(values)), spread, extremes])
    return rows


def _category_rows(inputs: ReportInputs) -> list[list[str]]:
    rows = []
    for column, label in (("sex", "Sex"), ("ancestry", "Ancestry")):
        if column not in inputs.covariates.columns:
            continue
        values = inputs.covariates[column].astype("string").fillna("not stated")
        for name, n in sorted(values.value_counts().items(), key=lambda pair: (-pair[1], str(pair[0]))):
            rows.append([label, str(name), count(n), percent(n / len(values))])
    stage = stages(inputs)
    if "age" in {c.partition("_")[0] for c in inputs.covariates.columns}:
        counts = stage.value_counts()
        order = [name for name in in_order() if name in counts.index]
        rows += [["Stage of life", s, count(counts[s]), percent(counts[s] / len(stage))] for s in order]
    told = conditions_of(inputs)
    said = pd.Series(["; ".join(conditions(c)) for c in told.values()], dtype=str)
    rows += [["Conditions", c, count(n), percent(n / len(inputs.twins))] for c, n in _most(said)]
    return rows


def _most(values: pd.Series) -> list[tuple[str, int]]:
    """Values with their number, the most frequent first."""
    return sorted(((str(k), int(n)) for k, n in values.value_counts().items()), key=lambda pair: (-pair[1], pair[0]))


def _pages(inputs: ReportInputs) -> list[Block]:
    """Why twins have no page of their own, and what would give them one."""
    if len(inputs.paged_twins) == len(inputs.twins):
        return []
    asked = f"report.twin_pages is {inputs.twin_pages}"
    if inputs.twin_pages == "none":
        text = f"No twin has a page of its own: {asked}."
    elif inputs.twin_pages == "all":
        text = f"{asked}, but the study has {count(len(inputs.twins))} twins and pages are written up to {MAX_PAGES}: "
        text += "only fitted twins have one." if inputs.fitted_twins else "nobody has one, for no fit was made."
    elif inputs.fitted_twins:
        return []
    else:
        text = f"No twin has a page of its own: {asked}, and no fit was made. "
        text += f"With all each twin gets one, up to {MAX_PAGES} twins."
    return [Paragraph(f"{text} The exposure of every twin stands in a table under Exposure.", "small")]


def _twin_list(inputs: ReportInputs) -> Table:
    calls = top_calls(inputs.genotype, inputs.gene)
    numeric = [(label, inputs.numeric_covariate(prefix)) for prefix, label in COVARIATES[:2]]
    numeric.append(("eGFR", inputs.body_quantity("eGFR")))
    numeric = [(label, known) for label, known in numeric if known is not None]
    has_sex = "sex" in inputs.covariates.columns
    sex = inputs.covariates.set_index("twin_id")["sex"].astype(str) if has_sex else pd.Series(dtype=str)
    fitted, paged = set(inputs.fitted_twins), set(inputs.paged_twins)
    failed = {c.twin_id for c in cases(inputs)}
    rows: list[list[Cell | str]] = []
    for twin in sorted(inputs.twins, key=lambda t: (t not in failed, t not in fitted, t)):
        link = f"twins/{page_name(twin)}" if twin in paged else ""
        badge, sub = ("bad", FAILED) if twin in failed else ("", "")
        row: list[Cell | str] = [Cell(twin, link, badge, sub)]
        row.append(str(sex.get(twin, NONE)))
        row += [number(known[0].get(twin)) for _, known in numeric if known is not None]
        if twin in calls.index:
            call = calls.loc[twin]
            called = f"{call['diplotype']} ({percent(call['probability'])})"
            if call["state"] == NO_CALL:
                row += [Cell(NO_CALL, badge="bad", sub=f"likely {called}")]
            else:
                row += [Cell(called, badge="warn" if call["probability"] < AMBIGUOUS else "")]
            row += [plain(call["activity_score"]), str(call["phenotype"])]
        else:
            row += [NONE, NONE, NONE]
        rows.append(row)
    units = [f"{label} ({unit(known[1])})" if known and known[1] else label for label, known in numeric]
    header = ["Twin", "Sex", *units, f"{inputs.gene} (probability)", "Activity score", "Phenotype"]
    text = (0, 1, 2 + len(units), 4 + len(units))
    first = "Twins without a result come first, then fitted ones" if failed else "Fitted twins come first"
    note = f"{first}; a link leads to a twin's own page."
    return Table.create("Twins", header, rows, text=text, note=note, folded=True, file="genotype and body tables")


def cohort_section(inputs: ReportInputs) -> Section:
    """Sex, age, weight, eGFR, ancestry and the list of twins."""
    blocks: list[Block] = []
    rows = _numeric_rows(inputs)
    if rows:
        header = ["Quantity", "Unit", "n", "Median (5 % to 95 % of twins)", "Range"]
        blocks.append(Table.create("Age, body and kidney function", header, rows, text=(0, 1)))
    shares = _category_rows(inputs)
    if shares:
        blocks.append(
            Table.create("Sex, ancestry, age and conditions", ["Covariate", "Value", "n", "Share"], shares, text=(0, 1))
        )
    if not rows and not shares:
        blocks.append(Paragraph("No covariates were handed to the report.", "missing"))
    if inputs.twins:
        blocks += [_twin_list(inputs), *_pages(inputs)]
    return Section("cohort", "Cohort", tuple(blocks))
