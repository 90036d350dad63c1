"""Who is in the cohort: summary of covariates, genotypes and their gaps, list of twins."""

from __future__ import annotations

import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.checks import FAILED, cases
from pharmtwin.report.figures import axis, numbers
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.words import NONE, count, interval, number, page_name, percent, plain, plural

AMBIGUOUS = 0.9  # a diplotype whose probability is below this is called ambiguous in the report
# phenotype words -> (order, colour, hatching); the first word that fits decides
PHENOTYPES = (
    ("indeterminate", 9, "#c9ced4", "."),
    ("ultrarapid", 7, "#0b3c6f", ""),
    ("rapid", 6, "#0072b2", "x"),
    ("increased", 6, "#0072b2", "x"),
    ("poor", 1, "#d55e00", "/"),
    ("intermediate", 3, "#e69f00", "\\"),
    ("decreased", 3, "#e69f00", "\\"),
    ("normal", 5, "#56b4e9", ""),
)
COVARIATES = (("age", "Age"), ("weight", "Weight"), ("height", "Height"))
QUANTITIES = (("eGFR", "eGFR"), ("BMI", "BMI"), ("BSA", "Body surface"))


def phenotype_style(phenotype: str) -> tuple[int, str, str]:
    """Order, colour and hatching of a phenotype by its words."""
    for word, order, colour, pattern in PHENOTYPES:
        if word in phenotype.lower():
            return order, colour, pattern
    return 8, "#999999", "-"


def top_calls(genotype: pd.DataFrame, gene: str) -> pd.DataFrame:
    """One row a twin: most probable activity score (its total probability), and the top diplotype and phenotype.

    Columns: diplotype, probability, activity_score (nan: none), score_probability, phenotype; index twin_id.
    """
    rows = genotype[genotype["gene"] == gene]
    top = rows.sort_values(["probability", "diplotype"], ascending=[False, True], kind="stable").drop_duplicates(
        "twin_id"
    )
    scores = rows.groupby(["twin_id", "activity_score"], dropna=False)["probability"].sum().reset_index()
    scores = scores.sort_values(["probability", "activity_score"], ascending=[False, True], kind="stable")
    scores = scores.drop_duplicates("twin_id").set_index("twin_id")
    out = top.set_index("twin_id")[["diplotype", "probability", "phenotype"]].sort_index()
    out["activity_score"] = scores["activity_score"].reindex(out.index).astype(float)
    out["score_probability"] = scores["probability"].reindex(out.index).astype(float)
    return out


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
        rows.append([label, known[1] or NONE, count(len(values)), spread, extremes])
    return rows


def _category_rows(inputs: ReportInputs) -> list[list[str]]:
    rows = []
    for column, label in (("sex", "Sex"), ("ancestry", "Ancestry")):
        if column not in inputs.covariates.columns:
            continue
        values = inputs.covariates[column].astype("string").fillna("not stated")
        for name, n in sorted(values.value_counts().items(), key=lambda pair: (-pair[1], str(pair[0]))):
            rows.append([label, str(name), count(n), percent(n / len(values))])
    return rows


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
            badge = "warn" if call["probability"] < AMBIGUOUS else ""
            row += [Cell(f"{call['diplotype']} ({percent(call['probability'])})", badge=badge)]
            row += [plain(call["activity_score"]), str(call["phenotype"])]
        else:
            row += [NONE, NONE, NONE]
        rows.append(row)
    units = [f"{label} ({known[1]})" if known and known[1] else label for label, known in numeric]
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
        blocks.append(Table.create("Sex and ancestry", ["Covariate", "Value", "n", "Share"], shares, text=(0, 1)))
    if not rows and not shares:
        blocks.append(Paragraph("No covariates were handed to the report.", "missing"))
    if inputs.twins:
        blocks.append(_twin_list(inputs))
    return Section("cohort", "Cohort", tuple(blocks))


def _gaps(genotype: pd.DataFrame) -> Table:
    rows = []
    for gene, part in genotype.groupby("gene", sort=True):
        twins = part.sort_values("probability", ascending=False, kind="stable").drop_duplicates("twin_id")
        n = len(twins)
        unknown = int((twins["structure"] == "not_assessed").sum())
        gaps = int((twins["n_not_assayed"] > 0).sum())
        ambiguous = int((twins["probability"] < AMBIGUOUS).sum())
        indeterminate = int(twins["phenotype"].str.contains("indeterminate", case=False).sum())
        cells = [
            Cell(f"{count(k)} ({percent(k / n)})", badge="warn" if k else "")
            for k in (unknown, gaps, ambiguous, indeterminate)
        ]
        schemes = ", ".join(sorted(set(part["scheme"].astype(str))))
        phasing = ", ".join(f"{p} {count(k)}" for p, k in sorted(twins["phasing"].value_counts().items()))
        rows.append([str(gene), count(n), *cells, phasing, schemes])
    header = [
        "Gene",
        "Twins",
        "Structure not assessed",
        "Positions not assayed",
        f"Ambiguous (top < {percent(AMBIGUOUS)})",
        "Indeterminate",
        "Phase settled by",
        "Scheme",
    ]
    note = (
        "Structure not assessed: copy number and hybrids are unknown, so a duplication or deletion would go unseen. "
        "Not assayed is never read as reference."
    )
    return Table.create("What the genotypes leave open (number of twins)", header, rows, text=(0, 6, 7), note=note)


def genotype_section(inputs: ReportInputs) -> Section:
    """Phenotype distribution per gene and what is not known."""
    genotype = inputs.genotype
    if genotype.empty:
        missing = Paragraph("The genome stage did not run or no gene was called.", "missing")
        return Section("genotypes", "Genotypes", (missing,))
    twins = genotype.groupby("gene")["twin_id"].nunique()
    expected = genotype.groupby(["gene", "phenotype"])["probability"].sum()
    top = genotype.sort_values(["probability", "diplotype"], ascending=[False, True], kind="stable")
    by_top = top.drop_duplicates(["twin_id", "gene"]).groupby(["gene", "phenotype"]).size()
    genes = sorted(twins.index)
    names = sorted(set(genotype["phenotype"].astype(str)), key=lambda p: (phenotype_style(p)[0], p))
    data, rows = [], []
    for name in names:
        _, colour, pattern = phenotype_style(name)
        shares = [100 * float(expected.get((g, name), 0.0)) / int(twins[g]) for g in genes]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "y": genes,
                "x": numbers(shares),
                "name": name,
                "marker": {
                    "color": colour,
                    "pattern": {"shape": pattern, "fgcolor": "#ffffff", "bgcolor": colour, "size": 6},
                },
                "hovertemplate": "%{y}: %{x:.3g} %<extra>" + name.replace("<", "&lt;") + "</extra>",
            }
        )
    for g in genes:
        for name in names:
            if (g, name) in expected.index:
                share = expected[(g, name)] / twins[g]
                rows.append([g, name, count(by_top.get((g, name), 0)), number(expected[(g, name)]), percent(share)])
    layout = {
        "barmode": "stack",
        "bargap": 0.35,
        "xaxis": axis("Expected share of twins (%)", range=[0, 100]),
        "yaxis": axis("", type="category", autorange="reversed", showgrid=False),
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    }
    header = ["Gene", "Phenotype", "Twins by top diplotype", "Expected twins", "Expected share"]
    alt = f"Stacked bars: expected share of phenotypes in {plural(len(genes), 'gene')}; numbers in the table below."
    chart = Chart(
        "phenotypes",
        "Phenotypes by gene",
        alt,
        (Panel("", tuple(data), layout),),
        Table.create("Phenotypes", header, rows, text=(0, 1), folded=True),
        caption="Shares weigh every candidate diplotype by its probability.",
        height=150 + 44 * len(genes),
    )
    return Section("genotypes", "Genotypes", (chart, _gaps(genotype)))
