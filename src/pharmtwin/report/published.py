"""Published mean profiles (real data) beside predictions for their genotype groups."""

from __future__ import annotations

import pandas as pd

from pharmtwin.report.blocks import Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import INK, STYLE, axis, band, limits_of, line, observed_against_predicted, points
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, interval, number, plotly_text, plural

MODELS = {"drug_file": "Drug file", "fitted": "Fitted"}
MAX_PROFILES = 24


def _panel(part: pd.DataFrame) -> Panel:
    first = part.iloc[0]
    data = []
    for m in MODELS:
        rows = part[part["model"] == m].sort_values("time_h")
        if rows.empty:
            continue
        style = STYLE[m]
        trace = band(rows["time_h"], rows["lo90"], rows["hi90"], f"{MODELS[m]}, 90 % of subjects", style["fill"])
        data.append(trace | {"legendgroup": m, "showlegend": False})
        data.append(
            line(rows["time_h"], rows["median"], MODELS[m], style["colour"], style["dash"]) | {"legendgroup": m}
        )
    once = part.drop_duplicates("time_h").sort_values("time_h")
    data.append(points(once["time_h"], once["observed"], "published mean", INK, "circle", size=7))
    layout = {"xaxis": axis("Time after first dose (h)"), "yaxis": axis("Concentration (ng/mL)", rangemode="tozero")}
    label = f"{first['study']}, {first['group']}, {first['dose']} ({first['role']})"
    return Panel(plotly_text(label), tuple(data), layout)


def _profiles(published: pd.DataFrame) -> Chart:
    ids = sorted(set(published["profile"]), key=lambda p: _order(published, p))
    panels = tuple(_panel(published[published["profile"] == p]) for p in ids[:MAX_PROFILES])
    rows = [
        [
            r.study,
            r.group,
            r.dose,
            r.role,
            MODELS.get(str(r.model), r.model),
            number(r.time_h),
            number(r.observed),
            interval(r.median, r.lo90, r.hi90),
        ]
        for r in records(published.sort_values(["role", "profile", "model", "time_h"]))
    ]
    header = [
        "Study",
        "Group",
        "Dose",
        "Role",
        "Model",
        "Time (h)",
        "Published mean (ng/mL)",
        "Predicted (90 % of subjects)",
    ]
    table = Table.create(
        "Published and predicted profiles",
        header,
        rows,
        text=range(5),
        folded=True,
        limit=400,
        file="the published table",
    )
    caption = "Bands: 90 % of predicted subjects of the group; the points are means, which vary less."
    if len(ids) > MAX_PROFILES:
        caption += f" {count(len(ids) - MAX_PROFILES)} further profiles are not drawn."
    alt = f"Concentration over time: {plural(len(panels), 'published mean profile')} with predicted bands."
    return Chart(
        "published-profiles",
        "Published mean profiles by genotype group",
        alt,
        panels,
        table,
        caption,
        height=240,
        width=300,
    )


def _order(published: pd.DataFrame, profile: str) -> tuple[str, str, str]:
    first = published[published["profile"] == profile].iloc[0]
    return "" if first["role"] == "verification" else "z", str(first["group"]), profile


def _against(published: pd.DataFrame) -> Chart:
    frame = published[(published["observed"] > 0) & (published["median"] > 0)]
    limits = limits_of(frame["observed"], frame["median"])
    frame = frame.assign(
        hover=frame["study"] + ", " + frame["group"] + ", " + frame["time_h"].map(number) + " h", key=frame["role"]
    )
    panels = []
    for m, label in MODELS.items():
        part = frame[frame["model"] == m]
        if part.empty:
            continue
        colour = STYLE[m]["colour"]
        groups = [
            ("verification", "verification", colour, "circle"),
            ("building", "model building", "#1d2733", "diamond-open"),
        ]
        panels.append(observed_against_predicted(label, part, groups, "key", limits))
    ratio = frame.assign(ratio=frame["median"] / frame["observed"])
    rows = []
    for (profile, which), part in ratio.groupby(["profile", "model"], sort=True):
        first, q = part.iloc[0], part["ratio"].quantile([0, 0.5, 1])
        spread = interval(q[0.5], q[0], q[1])
        rows.append(
            [str(profile), first["group"], first["role"], MODELS.get(str(which), str(which)), count(len(part)), spread]
        )
    header = ["Profile", "Group", "Role", "Model", "Points", "Predicted / published: median (range)"]
    return Chart(
        "published-check",
        "Predicted against published concentrations",
        f"Predicted median against published mean, log axes, {plural(len(panels), 'model')}, with fold lines.",
        tuple(panels),
        Table.create("Predicted over published, profile by profile", header, rows, text=(0, 1, 2, 3), folded=True),
        caption="Filled: not used to build the model. Solid: identity; dashed: 1.25-fold; dotted: 2-fold.",
    )


def published_section(inputs: ReportInputs) -> Section:
    """Real published data; says so where there is none."""
    title = "Published profiles (real data)"
    if inputs.published.empty:
        text = (
            "No published profiles were compared: nothing in this report has been checked against real concentrations."
        )
        return Section("published", title, (Paragraph(text, "missing"),))
    intro = Paragraph(
        "Mean profiles digitised from the literature, by genotype group. Profiles marked building were used to set a "
        "value of the drug file; only verification profiles test it."
    )
    return Section("published", title, (intro, _profiles(inputs.published), _against(inputs.published)))
