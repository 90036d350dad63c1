"""Legends as small drawings beside the words, made from the traces, so that they wrap on any screen and print."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from pharmtwin.report.blocks import Chart

DASHES = {"solid": "", "dash": "5 3", "dot": "1.5 2.5", "dashdot": "5 2 1.5 2", "longdash": "8 3"}
SHAPES = {
    "circle": '<circle cx="13" cy="7" r="4" {paint}/>',
    "square": '<rect x="9" y="3" width="8" height="8" {paint}/>',
    "diamond": '<path d="M13 2l5 5-5 5-5-5z" {paint}/>',
    "triangle-up": '<path d="M13 2.5l4.6 8.5H8.4z" {paint}/>',
}
HATCHES = {
    "/": "M2 13L14 1M10 13L22 1M18 13L26 5",
    "\\": "M2 1L14 13M10 1L22 13M18 1L26 9",
    "x": "M2 13L14 1M10 13L22 1M2 1L14 13M10 1L22 13",
    "-": "M1 5h24M1 9h24",
    ".": "M4 4h2M10 4h2M16 4h2M22 4h2M7 9h2M13 9h2M19 9h2",
}


def _swatch(trace: dict[str, Any]) -> str:
    if trace["type"] == "bar":
        marker = trace["marker"]
        hatch = HATCHES.get(marker.get("pattern", {}).get("shape", ""), "")
        lines = f'<path d="{hatch}" stroke="#fff" stroke-width="1.3"/>' if hatch else ""
        return f'<rect x="1" y="1" width="24" height="12" fill="{marker["color"]}"/>{lines}'
    if trace.get("fill"):
        return f'<rect x="1" y="1" width="24" height="12" fill="{trace["fillcolor"]}"/>'
    if trace["mode"] == "lines":
        colour, dash = trace["line"]["color"], DASHES[trace["line"].get("dash", "solid")]
        return f'<path d="M0 7h26" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}" fill="none"/>'
    colour, symbol = trace["marker"]["color"], trace["marker"]["symbol"]
    is_open = symbol.endswith("-open")
    paint = f'fill="{"none" if is_open else colour}" stroke="{colour}" stroke-width="1.2"'
    return SHAPES[symbol.removesuffix("-open")].format(paint=paint)


def _shown(chart: Chart) -> Iterable[dict[str, Any]]:
    for panel in chart.panels:
        if panel.layout.get("showlegend", True):
            yield from (t for t in panel.data if t.get("showlegend", True))


def legend(chart: Chart) -> list[tuple[Markup, Markup]]:
    """(drawing, name) of every different trace of a chart; the drawing is SVG made here, names are escaped."""
    seen: dict[tuple[str, str], None] = {}
    for trace in _shown(chart):
        seen.setdefault((_swatch(trace), str(trace["name"])), None)
    if len({name for _, name in seen}) < len(seen):  # one name, several colours: keep the first drawing of each
        first: dict[str, str] = {}
        for drawing, name in seen:
            first.setdefault(name, drawing)
        seen = {(drawing, name): None for name, drawing in first.items()}
    return [(Markup(drawing), Markup(html.escape(html.unescape(name)))) for drawing, name in seen]
