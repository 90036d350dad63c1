"""Bodies beside the reference adults, and the map from activity score to clearance with what it was made from."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.report.blocks import Block, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import INK, MUTED, STYLE, axis, band, line, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.quantities import quantity
from pharmtwin.report.rows import records
from pharmtwin.report.words import interval, number, plain, plural

SEXES = {"M": "population_M", "F": "population_F"}
Z90 = NormalDist().inv_cdf(0.95)
SYMBOLS = ("circle", "diamond", "triangle-up")
COLOURS = ("#d55e00", "#009e73", "#cc79a7")


def ratios(inputs: ReportInputs) -> pd.DataFrame:
    """Volumes and flows of each twin over those of the reference adult of its sex: twin_id, quantity, ratio."""
    body, reference = inputs.body, inputs.reference_body
    if body.empty or reference.empty or "sex" not in inputs.covariates:
        return pd.DataFrame({"twin_id": [], "quantity": [], "ratio": []})
    sex = inputs.covariates.set_index("twin_id")["sex"].astype(str).map(SEXES)
    mine = body[body["quantity"].str.startswith(("V_", "Q_"))].assign(person=body["twin_id"].map(sex))
    both = mine.merge(
        reference.rename(columns={"twin_id": "person", "value": "typical"})[["person", "quantity", "typical"]],
        on=["person", "quantity"],
    )
    both = both[both["typical"] > 0]
    return both.assign(ratio=both["value"] / both["typical"])[["twin_id", "quantity", "ratio"]]


def body_chart(inputs: ReportInputs) -> Chart | None:
    """Organ volumes and blood flows over the reference adult's: median and 5 to 95 % of the twins."""
    table = ratios(inputs)
    if table.empty:
        return None
    panels, rows = [], []
    for prefix, title in (("V_", "Volumes"), ("Q_", "Blood flows")):
        part = table[table["quantity"].str.startswith(prefix)]
        spread = part.groupby("quantity")["ratio"].quantile(np.array([0.05, 0.5, 0.95])).unstack()
        spread = spread.loc[spread[0.5].sort_values().index]
        names = [quantity(str(q)).split(": ")[-1] for q in spread.index]
        style = STYLE["twin"]
        trace = points(spread[0.5], names, "median, 5 % to 95 % of the twins", style["colour"], style["symbol"], size=8,
                       error_x=(spread[0.05], spread[0.95]))  # fmt: skip
        layout = {
            "xaxis": axis("Twin / reference adult of its sex"),
            "yaxis": axis("", type="category", showgrid=False),
            "shapes": [{"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1,
                        "line": {"color": MUTED, "dash": "dot"}}],
        }  # fmt: skip
        panels.append(Panel(title, (trace | {"hovertemplate": "%{y}: %{x:.3g}<extra></extra>"},), layout))
        for name, (_, q) in zip(names, spread.iterrows()):
            rows.append([title, name, interval(q[0.5], q[0.05], q[0.95])])
    header = ["Kind", "Organ", "Median (5 % to 95 % of the twins)"]
    n = table["twin_id"].nunique()
    return Chart(
        "body",
        "Organs beside the reference adult's",
        f"Ratios of organ volumes and blood flows of {plural(n, 'twin')} to those of the reference adult of their sex.",
        tuple(panels),
        Table.create("Organs beside the reference adult's", header, rows, text=(0, 1), folded=True),
        height=410,
        width=340,
    )


def activity_chart(inputs: ReportInputs) -> Chart | None:
    """The study's map from activity score to clearance, its band, and the points of published models."""
    curve = inputs.activity_curve
    if curve.empty:
        return None
    style = STYLE["twin"]
    lo = curve["factor"] * np.exp(-Z90 * curve["sd"])
    hi = curve["factor"] * np.exp(Z90 * curve["sd"])
    name = str(curve["map_name"].iloc[0])
    data = [
        band(curve["activity_score"], lo, hi, f"map {name}, 90 %", style["fill"]),
        line(curve["activity_score"], curve["factor"], f"map {name}", style["colour"]),
    ]
    data[0]["showlegend"] = False
    published = fact_table("genes/activity_to_clearance.tsv")
    published = published[published["gene"] == inputs.gene]
    rows = [[f"map {name}", plain(r.activity_score), interval(r.factor, a, b), ""] for r, a, b in
            zip(records(curve[curve["activity_score"] % 0.5 == 0]), lo[curve["activity_score"] % 0.5 == 0],
                hi[curve["activity_score"] % 0.5 == 0])]  # fmt: skip
    for i, (source, part) in enumerate(published.groupby("map_name", sort=True)):
        data.append(points(part["activity_score"], part["relative_clearance"], str(source).replace("_", " "),
                           COLOURS[i % 3], SYMBOLS[i % 3], size=8))  # fmt: skip
        rows += [[str(source), plain(r.activity_score), number(r.relative_clearance), str(r.source)]
                 for r in records(part)]  # fmt: skip
    scores = inputs.genotype[inputs.genotype["gene"] == inputs.gene]["activity_score"].dropna()
    if len(scores):
        seen = scores.value_counts()
        data.append(points(seen.index, [0.0] * len(seen), "scores of this cohort", INK, "square", size=6))
    layout = {
        "xaxis": axis(f"{inputs.gene} activity score"),
        "yaxis": axis("Clearance by the enzyme, relative to score 2", rangemode="tozero"),
    }
    note = "Band: how well the typical value of a score is known, not the spread between people of one score. The "
    note += "published points are averages of models fitted to real people; see the documentation of the maps."
    return Chart(
        "activity-map",
        "From activity score to clearance",
        f"Clearance by {inputs.gene} relative to activity score 2, map {name}, with 90 % band and published points.",
        (Panel("", tuple(data), layout),),
        Table.create("From activity score to clearance", ["What", "Score", "Relative clearance", "Source"], rows,
                     text=(0, 3), note=note, folded=True),
        caption="Line and band: the map this study uses. Symbols: published models by activity score.",
        height=360,
    )  # fmt: skip


def body_section(inputs: ReportInputs) -> Section:
    """Scaling from covariates and genotype to the model's parameters."""
    charts = [c for c in (body_chart(inputs), activity_chart(inputs)) if c is not None]
    blocks: list[Block] = list(charts)
    if not blocks:
        blocks.append(Paragraph("No bodies were handed to the report.", "missing"))
    return Section("scaling", "From person to parameters", tuple(blocks))
