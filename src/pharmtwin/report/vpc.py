"""Visual predictive checks: percentiles of the observations beside those of the study simulated again and again."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Section, Table
from pharmtwin.report.figures import axis, band, line, points, steps
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, number, percent, plotly_text, plural

USES = {"fit": "samples used in the fit", "test": "samples kept aside"}
DRAWN = "drawn"
OUTER, MIDDLE = "rgba(111,119,130,.26)", "rgba(0,114,178,.24)"
#: percentile -> colour of its band, dash of the observed line
PERCENTILES = {95.0: (OUTER, "dash"), 50.0: (MIDDLE, "solid"), 5.0: (OUTER, "dot")}
SEEN, OUT = "#1d2733", "#d55e00"
HOURS = "Time after first dose (h)"


def _edges(rows: pd.DataFrame) -> list[float]:
    """Edges of bins (sorted by time): halfway between neighbours; the outermost as far out as their samples."""
    low, high = rows["x_low"].to_list(), rows["x_high"].to_list()
    inner = [(a + b) / 2 for a, b in zip(high, low[1:])]
    first, last = low[0], high[-1]
    if first == high[0]:  # a bin at one time is still drawn
        first -= inner[0] - first if inner else 1.0
    if last == low[-1]:
        last += last - inner[-1] if inner else 1.0
    return [max(first, 0.0), *inner, last]


def _where(use: str, group: str) -> str:
    said = f"{USES[use]}: {'all twins' if group == 'all' else group}"
    return said[:1].upper() + said[1:]


def _ordered(groups: pd.DataFrame) -> pd.DataFrame:
    """Rows by use, all twins before the groups."""
    return groups.assign(part=groups["group"] != "all").sort_values(["use", "part", "group"], kind="stable")


def _panel(rows: pd.DataFrame, use: str, group: str, seen: pd.DataFrame, title: str) -> Panel:
    """One use and group: bands and medians of the simulated percentiles, and the observed ones."""
    data = []
    for percentile, (fill, _) in PERCENTILES.items():
        mine = rows[rows["percentile"] == percentile].sort_values("bin")
        edges = _edges(mine)
        x, low = steps(edges, mine["low"])
        name = "95 % band, median" if percentile == 50 else "95 % bands, 5th and 95th percentile"
        data.append(band(x, low, steps(edges, mine["high"])[1], f"simulated: {name}", fill))
    if len(seen):
        data.append(points(seen["time_h"], seen["observed"], "sample", "#5b6670", "circle", size=5, opacity=0.7))
    for percentile, (_, dash) in PERCENTILES.items():
        mine = rows[rows["percentile"] == percentile].sort_values("bin")
        data.append(line(mine["x_median"], mine["observed"], f"observed, {percentile:g} %", SEEN, dash))
    for flags, name, colour, symbol in (
        (("inside", "censored"), "observed inside its band", SEEN, "square"),
        (("above", "below"), "observed outside of its band", OUT, "diamond"),
    ):
        part = rows[rows["flag"].isin(flags) & rows["observed"].notna()]
        if len(part):
            data.append(points(part["x_median"], part["observed"], name, colour, symbol, size=7))
    return Panel(plotly_text(_where(use, group)), tuple(data), {"xaxis": axis(HOURS), "yaxis": axis(title, log=True)})


def _vpc_chart(inputs: ReportInputs, corrected: bool) -> Chart | None:
    table = inputs.vpc[inputs.vpc["corrected"] == corrected]
    if table.empty:
        return None
    what = "Prediction-corrected concentration (ng/mL)" if corrected else "Concentration (ng/mL)"
    panels, cells = [], []
    for g in records(_ordered(inputs.vpc_groups[inputs.vpc_groups["state"] == DRAWN])):
        mine = table[(table["use"] == g.use) & (table["group"] == g.group)]
        seen = inputs.predictions[(inputs.predictions["use"] == g.use) & (inputs.predictions["model"] == "covariates")]
        shown = seen if g.group == "all" and not corrected else seen.head(0)
        panels.append(_panel(mine, g.use, g.group, shown, what))
        for r in records(mine.sort_values(["bin", "percentile"])):
            observed = number(r.observed) if pd.notna(r.observed) else f"at most {number(r.observed_at_most)}"
            cells.append(
                [_where(g.use, g.group), f"{number(r.x_low)} to {number(r.x_high)}", count(r.n), f"{r.percentile:g} %",
                 observed, number(r.median), f"{number(r.low)} to {number(r.high)}",
                 Cell(r.flag, badge="warn" if r.flag in ("above", "below") else "")]
            )  # fmt: skip
    judged = table[table["flag"] != "censored"]
    out = int((judged["flag"] != "inside").sum())
    caption = (
        f"{count(out)} of {plural(len(judged), 'observed percentile')} outside of their 95 % band (about one in twenty "
        "by chance). Bins hold about equal numbers of samples."
    )
    if corrected:
        caption += (
            " Each value is scaled by the median typical prediction of its bin over its own typical prediction, so "
            "that doses, genotypes and bodies within a bin no longer differ (Bergstrand 2011)."
        )
    title = "Prediction-corrected visual predictive check" if corrected else "Visual predictive check"
    header = ["Samples", "Time (h)", "n", "Percentile", "Observed", "Simulated median", "95 % band", "Result"]
    return Chart(
        "pcvpc" if corrected else "vpc",
        title,
        f"{title}: observed 5th, 50th and 95th percentile over simulated bands, {plural(len(panels), 'panel')}.",
        tuple(panels),
        Table.create(f"{title} (ng/mL)", header, cells, text=(0, 7), file="table vpc", folded=True, limit=400),
        caption,
        height=340,
        width=360,
    )


def _blq(inputs: ReportInputs) -> list[Block]:
    """Shares below the limit of quantification: a figure where there are any, else words."""
    groups = inputs.vpc_groups
    whole = groups[groups["group"] == "all"]
    if not int(whole["with_limit"].sum()):
        return [Paragraph("No limit of quantification is stated: no panel of values below it.", "missing")]
    if not int(whole["below"].sum()):
        said = "; ".join(
            f"{percent(r.simulated_below)} of the simulated {USES[r.use]}" for r in records(whole) if r.with_limit
        )
        text = (
            "No sample of the study lies below its limit of quantification, so there is no panel of such samples. "
            f"Below the limit lie {said}. Rows that were left out for lying below it are not seen here."
        )
        return [Paragraph(text)]
    panels, cells = [], []
    for g in records(_ordered(groups[groups["state"] == DRAWN])):
        use, group = str(g.use), str(g.group)
        mine = inputs.vpc_blq[(inputs.vpc_blq["use"] == use) & (inputs.vpc_blq["group"] == group)].sort_values("bin")
        if mine.empty:
            continue
        edges = _edges(mine)
        x, low = steps(edges, 100 * mine["low"])
        data = [
            band(x, low, steps(edges, 100 * mine["high"])[1], "simulated: 95 % band", MIDDLE),
            points(mine["x_median"], 100 * mine["observed"], "observed", SEEN, "square"),
        ]
        layout = {"xaxis": axis(HOURS), "yaxis": axis("Samples below the limit (%)", rangemode="tozero")}
        panels.append(Panel(plotly_text(_where(use, group)), tuple(data), layout))
        cells += [
            [_where(use, group), f"{number(r.x_low)} to {number(r.x_high)}", count(r.n), percent(r.observed),
             percent(r.median), f"{percent(r.low)} to {percent(r.high)}", r.flag]
            for r in records(mine)
        ]  # fmt: skip
    if not panels:
        return [Paragraph("Too few samples for a panel of those below the limit of quantification.", "missing")]
    header = ["Samples", "Time (h)", "n", "Observed", "Simulated median", "95 % band", "Result"]
    return [
        Chart(
            "vpc-blq",
            "Below the limit of quantification",
            f"Share of samples below the limit of quantification over time, {plural(len(panels), 'panel')}.",
            tuple(panels),
            Table.create("Share below the limit", header, cells, text=(0, 6), file="table vpc_blq", folded=True),
            "The percentiles above rank these samples below all others.",
            height=240,
            width=360,
        )
    ]


def _small_groups(groups: Sequence[object]) -> list[Block]:
    said = [f"{USES[g.use]}: {g.group} ({g.state})" for g in groups]  # type: ignore[attr-defined]
    return [Paragraph(f"No check of their own: {'; '.join(said)}.", "small")] if said else []


def vpc_section(inputs: ReportInputs) -> Section:
    """How the replicates were made, the checks by use and genotype group, and what has none."""
    groups = inputs.vpc_groups
    if groups.empty:
        text = "No visual predictive check: no samples, or the study's replicates were not handed to the report."
        return Section("vpc", "Visual predictive checks", (Paragraph(text, "missing"),))
    first = groups.iloc[0]
    fitted = len(inputs.fit_summary) > 0
    source = "the posterior of the population parameters" if fitted else "the drug file's priors, for there was no fit"
    text = (
        f"{count(first['studies'])} replicates of the study, each with a draw from {source} "
        f"({'posterior' if fitted else 'prior'} predictive). The twins' genotypes (drawn by their probabilities), "
        "bodies, doses and sampling times are kept; random effects and residual errors are new, so that each replicate "
        "has new people, and none knows a twin's own samples."
    )
    lost = int(first["asked"] - first["studies"])
    if lost:
        text += f" {plural(lost, 'further replicate')} could not be solved and are left out."
    if fitted:
        text += " The posterior has seen the samples used in the fit: there the check is lenient."
    if inputs.synthetic:
        text += " The concentrations are synthetic."
    blocks: list[Block] = [Paragraph(text)]
    blocks += [c for c in (_vpc_chart(inputs, corrected) for corrected in (False, True)) if c is not None]
    blocks += _small_groups([g for g in records(_ordered(groups)) if g.state != DRAWN])
    return Section("vpc", "Visual predictive checks", (*blocks, *_blq(inputs)))
