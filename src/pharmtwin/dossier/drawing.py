"""The report's figures on paper: the same traces and layouts, drawn by matplotlib as SVG and PNG.

The report describes its figures in the words of plotly's basic bundle (scatter and bar). The dossier draws the same
descriptions, so that both show the same numbers. What is described in words not known here is refused by name.
"""

from __future__ import annotations

import html
import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pharmtwin.report.blocks import Chart, Panel

WIDTH = 6.3  # inches: 16 cm, the text width of a page
COLUMNS, ROWS = 2, 4  # panels of one picture
PIXELS = 110.0  # of the report's height, an inch
TALLEST = 8.4
TITLE = 38  # letters of a line above a panel
DASHES: dict[str, Any] = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3)),
                          "longdashdot": (0, (8, 3, 1, 3))}  # fmt: skip
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v",
           "triangle-left": "<", "triangle-right": ">"}  # fmt: skip
HATCHES = {"": "", "/": "///", "\\": "\\\\\\", "x": "xxx", "-": "---", ".": "..."}
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e8ec",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "pharmtwin",
    "svg.fonttype": "path",
}


#: what a description may hold: parts that are drawn, and parts that only a screen has
DRAWN = {
    "trace": {"type", "mode", "x", "y", "name", "showlegend", "line", "marker", "fill", "fillcolor", "opacity", "text",
              "textposition", "error_x", "error_y", "orientation", "base", "width"},
    "marker": {"color", "symbol", "size", "line", "pattern", "opacity", "colorscale", "cmin", "cmax", "showscale",
               "colorbar"},
    "layout": {"xaxis", "yaxis", "barmode", "shapes", "showlegend"},
}  # fmt: skip
SCREEN = {
    "trace": {"hoverinfo", "hovertemplate", "hovertext", "customdata", "legendgroup", "textfont", "cliponaxis"},
    "marker": set[str](),
    "layout": {"legend", "margin", "bargap", "hovermode", "height"},
}
BARMODES = ("group", "stack", "overlay", "relative")


class NotDrawn(ValueError):
    """A figure's description has a part that is not known on paper; the message names it."""


@dataclass(frozen=True)
class Picture:
    """One picture of a figure: SVG text, PNG bytes (200 dpi), width in cm, and which part of the figure it is."""

    svg: bytes
    png: bytes
    width_cm: float
    part: int
    parts: int


def words(text: object) -> str:
    """Text as plotly reads it, as plain text: line breaks kept, mark-up and entities gone; no TeX in a dollar sign."""
    plain = re.sub(r"<[^>]+>", "", str(text).replace("<br>", "\n"))
    return html.unescape(plain).replace("$", r"\$")


def _colour(value: str) -> Any:
    found = re.fullmatch(r"rgba\(([\d.]+),\s*([\d.]+),\s*([\d.]+),\s*([\d.]+)\)", value)
    if not found:
        return to_rgba(value)
    r, g, b, a = map(float, found.groups())
    return (r / 255, g / 255, b / 255, a)


class _Categories:
    """Names along an axis, in the order in which the traces bring them."""

    def __init__(self, values: Iterable[Iterable[Any]], first: Iterable[str] = ()) -> None:
        cells = [*first, *(v for part in values for v in part)]
        self.names = list(dict.fromkeys(str(v) for v in cells)) if any(isinstance(v, str) for v in cells) else []

    def __call__(self, values: Iterable[Any]) -> np.ndarray:
        if self.names:
            return np.array([self.names.index(str(v)) for v in values], dtype=float)
        return np.array([np.nan if v is None else float(v) for v in values])


def _errors(given: dict[str, Any] | None) -> np.ndarray | None:
    if given is None:
        return None
    sides = [[np.nan if v is None else float(v) for v in given[k]] for k in ("arrayminus", "array")]
    return np.maximum(np.array(sides), 0.0)


def _scatter(axes: Axes, trace: dict[str, Any], x: np.ndarray, y: np.ndarray, label: str) -> None:
    mode = trace.get("mode", "markers")
    if trace.get("fill") == "toself":
        edge = trace.get("line", {})
        if edge.get("width"):  # an area with an edge lies over what was drawn before it, as on screen
            axes.fill(x, y, facecolor=_colour(trace["fillcolor"]), edgecolor=_colour(edge["color"]), linewidth=0.7,
                      label=label, zorder=2)  # fmt: skip
            return
        axes.fill(x, y, color=_colour(trace["fillcolor"]), linewidth=0, label=label)
        return
    if trace.get("fill") or set(mode.split("+")) - {"lines", "markers", "text"}:
        raise NotDrawn(f"scatter with mode {mode!r}, fill {trace.get('fill')!r}")
    if "lines" in mode:
        line = trace.get("line", {})
        width = 0.7 * float(line.get("width", 2))
        colour = line.get("color", trace.get("marker", {}).get("color", "#1d2733"))
        axes.plot(x, y, linestyle=DASHES[line.get("dash", "solid")], color=colour, linewidth=width, label=label)
        label = "_nolegend_"
    if "markers" in mode:
        marker = trace["marker"]
        symbol, size = str(marker["symbol"]), marker.get("size", 8)
        painted = _colours(axes, marker) if "colorscale" in marker else marker["color"]
        face = "none" if symbol.endswith("-open") else painted
        for error, kind in ((_errors(trace.get("error_y")), "yerr"), (_errors(trace.get("error_x")), "xerr")):
            if error is not None:
                options: dict[str, Any] = {kind: error}
                axes.errorbar(x, y, fmt="none", ecolor=marker["color"], elinewidth=1, capsize=2, **options)
        size = float(size) if not isinstance(size, list) else np.array(size, dtype=float)
        shape, edge = MARKERS[symbol.removesuffix("-open")], painted
        alpha = trace.get("opacity")
        axes.scatter(x, y, s=(0.75 * size) ** 2, marker=shape, facecolors=face, edgecolors=edge, linewidths=0.8,
                     alpha=alpha, label=label, zorder=3)  # fmt: skip
    if "text" in mode:
        given = trace.get("textposition", "top center")
        places = given if isinstance(given, list) else [given] * len(x)
        for px, py, said, place in zip(x, y, trace["text"], places):
            level, _, side = str(place).partition(" ")
            across = {"left": "right", "right": "left"}.get(side, "center")
            up = {"top": (5, "bottom"), "bottom": (-5, "top"), "middle": (0, "center")}[level]
            axes.annotate(words(said), (px, py), (0, up[0]), textcoords="offset points", fontsize=9, ha=across,
                          va=up[1])  # fmt: skip


def _colours(axes: Axes, marker: dict[str, Any]) -> Any:
    """Colours of bars: names as they are, numbers by the marker's colour scale, with its scale beside the panel."""
    given = marker["color"]
    if "colorscale" not in marker:
        return given if isinstance(given, str) else [_colour(c) for c in given]
    scale = LinearSegmentedColormap.from_list("scale", [(float(at), _colour(c)) for at, c in marker["colorscale"]])
    shown = ScalarMappable(Normalize(marker["cmin"], marker["cmax"]), scale)
    if marker.get("showscale"):
        title = words(marker.get("colorbar", {}).get("title", {}).get("text", ""))
        axes.figure.colorbar(shown, ax=axes, label=title, shrink=0.9)
    return shown.to_rgba(np.array([np.nan if v is None else v for v in given], dtype=float))


def _bars(axes: Axes, traces: Sequence[tuple[dict[str, Any], np.ndarray, np.ndarray]], mode: str) -> None:
    """Bars, grouped, stacked or overlaid; each trace with its positions along the axis of names and its lengths."""
    if mode not in BARMODES:
        raise NotDrawn(f"bars in mode {mode!r}")
    total: dict[float, float] = {}
    for i, (trace, at, length) in enumerate(traces):
        marker, lying = trace["marker"], trace.get("orientation") == "h"
        grouped, stacked = mode == "group", mode in ("stack", "relative")
        width = np.asarray(trace.get("width", 0.8 / len(traces) if grouped else 0.8), dtype=float)
        shift = (i - (len(traces) - 1) / 2) * width if grouped else 0.0
        start = np.array([total.get(p, 0.0) if stacked else 0.0 for p in at])
        if "base" in trace:
            start = np.broadcast_to(np.asarray(trace["base"], dtype=float), at.shape)
        pattern = marker.get("pattern", {})
        paint: dict[str, Any] = {
            "color": _colours(axes, marker),
            "edgecolor": "white",
            "linewidth": 0.4 if marker.get("line", {}).get("width", 1) else 0.0,
            "hatch": HATCHES[pattern.get("shape", "")],
            "label": words(trace.get("name", "")) if _named(trace) else "_nolegend_",
        }
        draw = axes.barh if lying else axes.bar
        draw(at + shift, length, width, start, **paint)
        for p, v in zip(at, length):
            total[p] = total.get(p, 0.0) + (0.0 if np.isnan(v) else v)
        for key in ("error_x", "error_y"):
            if (error := _errors(trace.get(key))) is not None:
                ends = (start + length, at + shift) if lying else (at + shift, start + length)
                options: dict[str, Any] = {"xerr" if lying else "yerr": error}
                axes.errorbar(ends[0], ends[1], fmt="none", ecolor="#1d2733", elinewidth=1, capsize=2, **options)
        inside = trace.get("text")
        if inside is not None and trace.get("textposition", "none") != "none":
            texts = [inside] * len(at) if isinstance(inside, str) else inside
            for p, b, v, said in zip(at + shift, start, length, texts):
                axes.annotate(words(said), (b + v / 2, p) if lying else (p, b + v / 2), ha="center", va="center")


def _scale(axes: Axes, which: str, layout: dict[str, Any], names: list[str]) -> None:
    """Title, kind, limits and ticks of one axis; an axis that is not visible has its limits only."""
    about = layout.get(f"{which}axis", {})
    axis = getattr(axes, f"{which}axis")
    if about.get("visible") is False:
        axis.set_visible(False)
        axes.spines["bottom" if which == "x" else "left"].set_visible(False)
    title = words(about.get("title", {}).get("text", ""))
    getattr(axes, f"set_{which}label")(title)
    limits = about.get("range")
    if about.get("type") == "log":
        getattr(axes, f"set_{which}scale")("log")
        limits = [10.0**v for v in limits] if limits else getattr(axes, f"get_{which}lim")()
        narrow = np.log10(limits[1] / limits[0]) < 2.2
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,)))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_formatter(NullFormatter())
    if limits:
        getattr(axes, f"set_{which}lim")(*limits)
    elif about.get("rangemode") == "tozero":
        getattr(axes, f"set_{which}lim")(**{"bottom" if which == "y" else "left": 0})
    if names:
        axis.set_ticks(range(len(names)), labels=[words(n) for n in names])
    elif "tickvals" in about:
        labels = [words(t) for t in about.get("ticktext", about["tickvals"])]
        axis.set_ticks(about["tickvals"], labels=labels)
    if "%" in str(about.get("tickformat", "")):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:g} %"))
    if about.get("autorange") == "reversed":
        axis.set_inverted(True)
    if about.get("showgrid") is False:
        axis.grid(False)


def _named(trace: dict[str, Any]) -> bool:
    """Whether a trace has a place in the legend."""
    return bool(trace.get("showlegend", True) and trace.get("name"))


def _known(panel: Panel) -> None:
    """Refuse what would be passed over in silence."""
    layout = set(panel.layout) - DRAWN["layout"] - SCREEN["layout"]
    traces = {k for t in panel.data for k in t} - DRAWN["trace"] - SCREEN["trace"]
    markers = {k for t in panel.data for k in t.get("marker", {})} - DRAWN["marker"] - SCREEN["marker"]
    if unknown := sorted(layout | traces | markers):
        raise NotDrawn(f"unknown: {', '.join(unknown)}")


def draw_panel(axes: Axes, panel: Panel) -> None:
    """One panel on the given axes; raises NotDrawn where a part of it is not known."""
    _known(panel)
    layout = panel.layout
    first = {k: layout.get(f"{k}axis", {}).get("categoryarray", ()) for k in ("x", "y")}
    at = {k: _Categories((t[k] for t in panel.data), first[k]) for k in ("x", "y")}
    kinds = {t["type"] for t in panel.data}
    if kinds - {"scatter", "bar"}:
        raise NotDrawn(f"traces of type {sorted(kinds - {'scatter', 'bar'})}")
    bars = []
    for trace in panel.data:
        x, y = at["x"](trace["x"]), at["y"](trace["y"])
        label = words(trace["name"]) if _named(trace) else "_nolegend_"
        if trace["type"] == "bar":
            bars.append((trace, y, x) if trace.get("orientation") == "h" else (trace, x, y))
        else:
            _scatter(axes, trace, x, y, label)
    _bars(axes, bars, str(layout.get("barmode", "group")))
    for which in ("x", "y"):
        _scale(axes, which, layout, at[which].names)
    for shape in layout.get("shapes", ()):
        if shape["type"] == "rect" and shape.get("yref") == "paper":
            axes.axvspan(shape["x0"], shape["x1"], color=_colour(shape["fillcolor"]), linewidth=0, zorder=0)
            continue
        if shape["type"] != "line":
            raise NotDrawn(f"shape {shape['type']}")
        line = shape.get("line", {})
        style: dict[str, Any] = {
            "color": line.get("color"),
            "linestyle": DASHES[line.get("dash", "solid")],
            "linewidth": 1,
        }
        if shape.get("yref") == "paper":
            axes.axvline(shape["x0"], **style)
        elif shape.get("xref") == "paper":
            axes.axhline(shape["y0"], **style)
        else:
            axes.plot([shape["x0"], shape["x1"]], [shape["y0"], shape["y1"]], **style)


def _legend(figure: Figure, panels: Sequence[Panel], axes: Sequence[Axes]) -> None:
    """One legend for all panels, above them; each name once."""
    known: dict[str, Any] = {}
    for panel, one in zip(panels, axes):
        if panel.layout.get("showlegend", True):
            for handle, label in zip(*one.get_legend_handles_labels()):
                known.setdefault(label, handle)
    if known:
        figure.legend(list(known.values()), list(known), loc="outside upper left", ncols=3 if len(known) > 4 else 2,
                      fontsize=9)  # fmt: skip


def _picture(panels: Sequence[Panel], height: float, part: int, parts: int) -> Picture:
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    inches = min(height / PIXELS, TALLEST / rows)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, inches * rows + 0.5), layout="constrained")
        grid: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for one, panel in zip(grid, panels):
            draw_panel(one, panel)
            if len(panels) > 1 or parts > 1:
                one.set_title(textwrap.fill(words(panel.label), TITLE), loc="left", fontweight="bold")
        for one in grid[len(panels) :]:
            one.set_axis_off()
        _legend(figure, panels, grid)
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=200, metadata={"Software": None})
    return Picture(svg.getvalue(), png.getvalue(), WIDTH * 2.54, part, parts)


def draw(chart: Chart) -> list[Picture]:
    """All panels of a figure, at most eight a picture. Equal figures give equal bytes. Raises NotDrawn."""
    step = COLUMNS * ROWS
    parts = [chart.panels[i : i + step] for i in range(0, len(chart.panels), step)]
    return [_picture(p, float(chart.height), i + 1, len(parts)) for i, p in enumerate(parts)]
