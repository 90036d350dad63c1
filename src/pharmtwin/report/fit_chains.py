"""The sampler's chains: ranks, traces, energies, and pairs of population parameters with divergences marked."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from pharmtwin.inference.criticism.limits import limits
from pharmtwin.report.blocks import Block, Cell, Chart, Panel, Paragraph, Table
from pharmtwin.report.figures import MUTED, axis, band, line, points, steps
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import NONE, count, interval, number, plotly_text, plural

#: colour and dash of a chain; further chains begin again
CHAIN = (("#0072b2", "solid"), ("#d55e00", "dash"), ("#009e73", "dot"), ("#8a4f9e", "dashdot"))
BAND = "rgba(111,119,130,.20)"
DIVERGENT = {"colour": "#d55e00", "symbol": "diamond"}
SMALL = {"size": 10}
PAIRS = 60  # draws of a panel of pairs, divergent ones aside
KINDS = {"marginal": ("energy less its mean", "#0072b2", "solid"),
         "transition": ("change from draw to draw", "#d55e00", "dash")}  # fmt: skip


def _chain_style(chain: int) -> tuple[str, str]:
    return CHAIN[chain % len(CHAIN)]


def _parameters(inputs: ReportInputs, table: pd.DataFrame) -> list[str]:
    """Parameters of a table in the order of the summary, others after them."""
    known = list(dict.fromkeys(table["parameter"].astype(str)))
    first = [p for p in inputs.fit_summary["parameter"].astype(str) if p in known]
    return [*first, *(p for p in known if p not in first)]


def _unit(inputs: ReportInputs, parameter: str) -> str:
    units = dict(zip(inputs.fit_summary["parameter"].astype(str), inputs.fit_summary["unit"].astype(str)))
    return f"{parameter} ({units[parameter]})" if parameter in units else parameter


def rank_chart(inputs: ReportInputs) -> Chart:
    """Rank histograms: a panel a parameter, a line a chain, and the band of chains that mix."""
    table = inputs.fit_ranks
    names = _parameters(inputs, table)
    panels, rows = [], []
    outside: dict[str, int] = {}
    for name in names:
        mine = table[table["parameter"] == name]
        data = []
        first = mine.iloc[0]
        if pd.notna(first["low"]):
            data.append(band([0, 1], [first["low"]] * 2, [first["high"]] * 2, "band of chains that mix", BAND))
        data.append(line([0, 1], [first["expected"]] * 2, "expected", MUTED, "dot"))
        for chain, own in mine.groupby("chain", sort=True):
            colour, dash = _chain_style(int(str(chain)))
            edges = [*own["rank_low"], own["rank_high"].iloc[-1]]
            data.append(line(*steps(edges, own["count"]), f"chain {chain}", colour, dash))
            out = int(((own["count"] < own["low"]) | (own["count"] > own["high"])).sum())
            outside[name] = outside.get(name, 0) + out
            shown = " ".join(count(n) for n in own["count"])
            rows.append(
                [name, str(chain), number(first["expected"]), f"{number(first['low'])} to {number(first['high'])}",
                 Cell(count(out), badge="warn" if out else ""), shown]
            )  # fmt: skip
        layout = {"xaxis": axis("Rank (share of all draws)", range=[0, 1]),
                  "yaxis": axis("Draws of the chain", rangemode="tozero")}  # fmt: skip
        panels.append(Panel(plotly_text(name), tuple(data), layout))
    bad = [f"{n} ({plural(k, 'bar')})" for n, k in outside.items() if k]
    words = f"Outside of the band: {', '.join(bad)}." if bad else "Every bar is inside the band."
    if table["chain"].nunique() < 2:
        words = "There is one chain only: its ranks are always uniform and say nothing."
    caption = (
        f"{words} Chains that explore the same distribution have flat lines. Band: all bars of a parameter stay inside "
        "with probability 95 % (Bonferroni), widened for draws that resemble each other (bulk ESS within a chain)."
    )
    header = ["Parameter", "Chain", "Expected", "Band", "Bars outside", "Draws by bar, lowest ranks first"]
    return Chart(
        "ranks",
        "Ranks by chain",
        f"Rank histograms of {plural(len(names), 'population parameter')}, a line a chain, with the band expected.",
        tuple(panels),
        Table.create("Ranks by chain", header, rows, text=(0, 5), file="table fit_ranks", folded=True),
        caption,
        height=210,
        width=250,
    )


def trace_chart(inputs: ReportInputs) -> Chart:
    """Traces: a panel a parameter, a line a chain; divergent draws marked."""
    table = inputs.fit_traces
    names = _parameters(inputs, table)
    panels, rows = [], []
    for name in names:
        mine = table[table["parameter"] == name]
        data = []
        for chain, own in mine.groupby("chain", sort=True):
            colour, dash = _chain_style(int(str(chain)))
            trace = line(own["draw"], own["value"], f"chain {chain}", colour, dash)
            trace["line"] = {"color": colour, "dash": dash, "width": 1}
            data.append(trace | {"opacity": 0.8})
            lo, mid, hi = own["value"].quantile([0.05, 0.5, 0.95])
            rows.append([_unit(inputs, name), str(chain), count(len(own)), interval(mid, lo, hi)])
        bad = mine[mine["diverging"]]
        if len(bad):
            data.append(points(bad["draw"], bad["value"], "divergent", DIVERGENT["colour"], DIVERGENT["symbol"]))
        layout = {"xaxis": axis("Kept draw"), "yaxis": axis(plotly_text(_unit(inputs, name)))}
        panels.append(Panel(plotly_text(name), tuple(data), layout))
    drawn = table.groupby(["parameter", "chain"]).size().max()
    header = ["Parameter", "Chain", "Draws shown", "Median (5 % to 95 %) of them"]
    return Chart(
        "traces",
        "Traces",
        f"Traces of {plural(len(names), 'population parameter')}, a line a chain, over the kept draws.",
        tuple(panels),
        Table.create("Traces", header, rows, folded=True, note="All draws: fit/posterior.nc.", file="table fit_traces"),
        f"About {count(drawn)} evenly picked draws of each chain. Chains should overlap, without trend or standstill.",
        height=210,
        width=250,
    )


def energy_chart(inputs: ReportInputs) -> Chart:
    """Energy: a panel a chain, the marginal energy beside its change from draw to draw, with E-BFMI."""
    limit = limits("sampler")["min_e_bfmi"]
    panels, rows = [], []
    for r in records(inputs.fit_chains):
        own = inputs.fit_energy[inputs.fit_energy["chain"] == r.chain]
        data = []
        for kind, (name, colour, dash) in KINDS.items():
            part = own[own["kind"] == kind].sort_values("low")
            if len(part):
                edges = [*part["low"], part["high"].iloc[-1]]
                data.append(line(*steps(edges, part["share"]), name, colour, dash))
        layout = {"xaxis": axis("Energy (−log density)"), "yaxis": axis("Share of the draws", rangemode="tozero")}
        panels.append(Panel(f"Chain {r.chain}: E-BFMI {number(r.e_bfmi)}", tuple(data), layout))
        good = limit.passes(r.e_bfmi)
        rows.append([str(r.chain), count(r.draws), count(r.divergences),
                     Cell(number(r.e_bfmi), badge="" if good else "bad")])  # fmt: skip
    caption = (
        "Where the change is much narrower than the energy itself, the sampler moves slowly into the tails. "
        f"E-BFMI should be {limit.words()}."
    )
    return Chart(
        "energy",
        "Energy",
        f"Histograms of energy and of its change between draws, {plural(len(panels), 'chain')}, with E-BFMI.",
        tuple(panels),
        Table.create("Chains", ["Chain", "Draws", "Divergences", "E-BFMI"], rows, file="table fit_chains"),
        caption,
        height=220,
        width=185,
        table_open=True,
    )


def pair_chart(inputs: ReportInputs) -> Chart:
    """Pairs of population parameters, the most correlated first; divergent draws on top."""
    table = inputs.fit_traces
    names = _parameters(inputs, table)
    wide = table.pivot(index=["chain", "draw"], columns="parameter", values="value")[names].dropna()
    bad = table[table["diverging"]].set_index(["chain", "draw"]).index.unique()
    divergent = wide.index.isin(bad)
    correlation = wide[~divergent].corr(method="spearman").to_numpy(dtype=float)
    at = {name: i for i, name in enumerate(names)}
    strength = {(a, b): float(correlation[at[a], at[b]]) for a, b in combinations(names, 2)}
    order = sorted(strength, key=lambda p: (-abs(np.nan_to_num(strength[p])), at[p[0]], at[p[1]]))
    thin = wide[~divergent]
    thin = thin.iloc[:: max(1, -(-len(thin) // PAIRS))]
    panels = []
    for a, b in order:
        cloud = points(thin[a], thin[b], "draw", "#0072b2", "circle", size=3, opacity=0.55)
        cloud["hoverinfo"] = "skip"
        data = [cloud]
        if divergent.any():
            out = wide[divergent]
            data.append(points(out[a], out[b], "divergent draw", DIVERGENT["colour"], DIVERGENT["symbol"], size=6))
        layout = {
            "xaxis": _small(plotly_text(a)),
            "yaxis": _small(plotly_text(b)),
            "margin": {"l": 40, "r": 6, "t": 4, "b": 38},
        }
        panels.append(Panel(f"ρ {_rho(strength[(a, b)])}", tuple(data), layout))
    n = int(inputs.fit_chains["divergences"].sum())
    said = f"{plural(n, 'divergent draw')}, all marked." if n else "No divergences: no draw is marked."
    rows = [[a, b, _rho(strength[(a, b)])] for a, b in order]
    return Chart(
        "pairs",
        "Pairs of population parameters",
        f"Scatter of {plural(len(order), 'pair')} of population parameters, most correlated first. {said}",
        tuple(panels),
        Table.create("Rank correlation of the draws", ["Parameter", "And", "Spearman's ρ"], rows, text=(0, 1),
                     note=f"Of {count(int((~divergent).sum()))} draws without divergence.", folded=True),
        f"{said} The most correlated pairs come first (Spearman's ρ above each). "
        f"{count(len(thin))} evenly picked draws; divergences that gather in one place show where the sampler fails.",
        height=170,
        width=160,
    )  # fmt: skip


def _rho(value: float) -> str:
    """A correlation to two decimals; a parameter that never moves has none."""
    return NONE if value != value else f"{value + 0.0:.2f}".replace("-0.00", "0.00")


def _small(title: str) -> dict[str, object]:
    """An axis of a small panel: small letters, few ticks."""
    made = axis(title, nticks=4, tickfont=SMALL)
    made["title"] = {"text": title, "standoff": 3, "font": SMALL}
    return made


def chain_blocks(inputs: ReportInputs) -> list[Block]:
    """Ranks, traces, energies and pairs; or why there are none."""
    if inputs.fit_ranks.empty:
        why = "the fit did not run" if inputs.fit_summary.empty else "the draws by chain were not handed to the report"
        return [Paragraph(f"No rank, trace, energy and pair plots: {why}.", "missing")]
    return [rank_chart(inputs), trace_chart(inputs), energy_chart(inputs), pair_chart(inputs)]
