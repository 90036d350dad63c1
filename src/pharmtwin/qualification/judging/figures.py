"""Pictures of qualification as plain SVG: identity plots with fold and Guest limits, and profiles in a grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.evaluation.metrics import guest_limit
from pharmtwin.qualification.judging.score import Pair

Floats = NDArray[np.float64]
#: told apart by colour-blind readers too (Okabe & Ito 2008), each with its own shape
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = ("circle", "square", "triangle")
INK, MUTED, GRID = "#1d2733", "#6f7782", "#d5dae0"
SIDE, LEFT, TOP, BELOW, GAP = 330, 62, 34, 46, 24
FOLDS = {1.25: "2 3", 1.5: "5 3", 2.0: "9 4"}
SMALL_W, SMALL_H, COLUMNS = 205, 138, 5


def _mark(x: float, y: float, k: int, title: str, opacity: float = 0.75) -> str:
    colour, shape = COLOURS[k % len(COLOURS)], SHAPES[k // len(COLOURS) % len(SHAPES)]
    inside = f"<title>{escape(title)}</title>"
    style = f'fill="{colour}" fill-opacity="{opacity}" stroke="{colour}" stroke-opacity="0.75"'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" {style}>{inside}</circle>'
    if shape == "square":
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" {style}>{inside}</rect>'
    return f'<path d="M{x:.1f} {y - 4:.1f}l3.8 6.8h-7.6z" {style}>{inside}</path>'


def _ticks(low: float, high: float) -> list[float]:
    """Decades, and 2 and 5 of each where there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1.0, 2.0, 5.0) if math.log10(high / low) < 3 else (1.0,)
    return [float(f"{s}e{d}") for d in decades for s in steps if low <= float(f"{s}e{d}") <= high]


def _few(ticks: list[float]) -> list[float]:
    """At most about six of them: every second or third."""
    return ticks[:: -(-len(ticks) // 6)] if ticks else ticks


def identity(panels: Mapping[str, pd.DataFrame], quantity: str = "AUC", colour_by: str = "victim") -> str:
    """SVG of identity plots, one panel a table of ratios or profiles.

    Parameters
    ----------
    panels : title -> table with ``<quantity>_observed`` and ``<quantity>_predicted``. Lines: identity, 1.25-, 1.5- and
    2-fold (dotted to dashed); for ratios (tables with ``use_case``) Guest's limits with delta 1.25 (solid grey).
    """
    drawn = [
        _panel(title, table, quantity, colour_by, LEFT + i % 2 * (SIDE + LEFT + GAP), TOP + i // 2 * (SIDE + TOP + 120))
        for i, (title, table) in enumerate(panels.items())
    ]
    width = min(2, len(drawn)) * (SIDE + LEFT + GAP) + GAP
    height = -(-len(drawn) // 2) * (SIDE + TOP + 120) + 40
    words = "Lines: identity; 1.25-, 1.5- and 2-fold (dotted to dashed); Guest's limits of ratios, delta 1.25 (grey)."
    below = f'<text x="{LEFT}" y="{height - 34:.0f}" fill="{MUTED}">{words}</text>'
    below += f'<text x="{LEFT}" y="{height - 18:.0f}" fill="{MUTED}">Open marks: building set.</text>'
    return _page(width, height, [*drawn, below])


def _page(width: float, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="sans-serif" font-size="11" fill="{INK}">'
    )
    return "\n".join([head, f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>', *parts, "</svg>"]) + "\n"


def _panel(title: str, table: pd.DataFrame, quantity: str, colour_by: str, x0: float, y0: float) -> str:
    columns = [f"{quantity}_observed", f"{quantity}_predicted"]
    usable = table[(table[columns].to_numpy(float) > 0).all(axis=1)] if len(table) else table
    head = f'<g transform="translate({x0:.0f},{y0:.0f})"><text y="-10" font-size="13">{escape(title)}</text>'
    if usable.empty:
        return head + '<text y="14">no predictions</text></g>'
    pairs = usable[columns].to_numpy(float)
    low, high = float(pairs.min()) / 1.4, float(pairs.max()) * 1.4
    span = math.log(high / low)

    def x(v: float) -> float:
        return SIDE * math.log(v / low) / span

    def y(v: float) -> float:
        return SIDE - x(v)

    out = [head, f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="{MUTED}"/>', f'<clipPath id="{_id(title)}">'
           f'<rect width="{SIDE}" height="{SIDE}"/></clipPath>']  # fmt: skip
    for tick in _few(_ticks(low, high)):
        out.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="0" y2="{SIDE}" stroke="{GRID}" stroke-width=".6"/>'
        )
        out.append(
            f'<line y1="{y(tick):.1f}" y2="{y(tick):.1f}" x1="0" x2="{SIDE}" stroke="{GRID}" stroke-width=".6"/>'
        )
        out.append(f'<text x="{x(tick):.1f}" y="{SIDE + 14}" text-anchor="middle">{tick:g}</text>')
        out.append(f'<text x="-5" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    out.append(f'<g clip-path="url(#{_id(title)})">')
    grid = np.geomspace(low, high, 61)
    out.append(_line(grid, grid, x, y, f'stroke="{INK}"'))
    for fold, dash in FOLDS.items():
        for factor in (fold, 1 / fold):
            out.append(
                _line(grid, grid * factor, x, y, f'stroke="{MUTED}" stroke-dasharray="{dash}" stroke-width=".8"')
            )
    if "use_case" in table:
        limit = guest_limit(grid, 1.25)
        for edge in (grid * limit, grid / limit):
            out.append(_line(grid, edge, x, y, f'stroke="{MUTED}" stroke-width="1.3"'))
    groups = sorted(usable[colour_by].astype(str).unique())
    for _, row in usable.iterrows():
        words = ", ".join(str(row[c]) for c in ("study", colour_by, "others", "analyte") if str(row.get(c, "")))
        opacity = 0.1 if row.get("role") == "building" else 0.75
        out.append(_mark(x(row[columns[0]]), y(row[columns[1]]), groups.index(str(row[colour_by])), words, opacity))
    out.append("</g>")
    what = f"{quantity} ratio" if "use_case" in table else quantity + (" (mg h/L)" if quantity == "AUC" else " (mg/L)")
    out.append(f'<text x="{SIDE / 2:.0f}" y="{SIDE + 30}" text-anchor="middle">observed {what}</text>')
    out.append(f'<text transform="translate(-44,{SIDE / 2:.0f}) rotate(-90)" text-anchor="middle">predicted</text>')
    for k, name in enumerate(groups[:12]):
        px, py = k % 3 * 124.0, SIDE + 48.0 + k // 3 * 15.0
        out.append(_mark(px, py - 4, k, name, 1.0) + f'<text x="{px + 8:.0f}" y="{py:.0f}">{escape(name[:16])}</text>')
    if len(groups) > 12:
        out.append(f'<text x="0" y="{SIDE + 108}">and {len(groups) - 12} more</text>')
    return "".join([*out, "</g>"])


def _id(title: str) -> str:
    return "clip" + "".join(c for c in title if c.isalnum())


def _line(xs: Floats, ys: Floats, x: Callable[[float], float], y: Callable[[float], float], style: str) -> str:
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs.tolist(), ys.tolist()))
    return f'<polyline points="{points}" fill="none" {style}/>'


def profiles(pairs: Sequence[Pair], roles: Mapping[str, str]) -> str:
    """SVG grid of profiles of one drug, logarithmic: observed (circles; open: building set) and predicted (line).

    The line joins the predictions at the observed times.
    """
    shown = [p for p in pairs if len(p.observed)]
    parts = [
        _small(
            p,
            roles.get(p.profile.id) == "building",
            52 + i % COLUMNS * (SMALL_W + 46),
            26 + i // COLUMNS * (SMALL_H + 52),
        )
        for i, p in enumerate(shown)
    ]
    width = min(COLUMNS, max(1, len(shown))) * (SMALL_W + 46) + 20
    return _page(width, -(-len(shown) // COLUMNS) * (SMALL_H + 52) + 16, parts)


def _small(p: Pair, building: bool, x0: float, y0: float) -> str:
    t, both = p.profile.time[p.kept], np.concatenate([p.observed, p.predicted]) * 1000.0
    low, high = float(both.min()) / 1.3, float(both.max()) * 1.3
    first, end = float(t[0]), float(t[-1])
    start = min(0.0, first) if first < end / 2 else first - 0.05 * (end - first)  # a late window fills the frame

    def x(v: float) -> float:
        return SMALL_W * (v - start) / max(end - start, 1e-9)

    def y(v: float) -> float:
        return SMALL_H * (1 - math.log(v / low) / math.log(high / low))

    fill = "white" if building else COLOURS[0]
    title = f"{p.profile.id}, {p.profile.study}: {' + '.join(p.profile.compounds)}"
    out = [
        f'<g transform="translate({x0:.0f},{y0:.0f})" font-size="9"><text y="-6">{escape(title[:46])}</text>',
        f'<rect width="{SMALL_W}" height="{SMALL_H}" fill="none" stroke="{MUTED}"/>',
        _line(t, p.predicted * 1000.0, x, y, f'stroke="{COLOURS[1]}" stroke-width="1.6"'),
    ]
    out += [
        f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.6" fill="{fill}" stroke="{COLOURS[0]}"/>'
        for a, b in zip(t.tolist(), (p.observed * 1000.0).tolist())
    ]
    out += [f'<text x="-4" y="{y(v) + 3:.1f}" text-anchor="end">{v:g}</text>' for v in _few(_ticks(low, high))]
    out.append(f'<text y="{SMALL_H + 11}">{start:.4g}</text>')
    out.append(f'<text x="{SMALL_W}" y="{SMALL_H + 11}" text-anchor="end">{end:.5g} h</text>')
    out.append(f'<text x="{SMALL_W / 2}" y="{SMALL_H + 11}" text-anchor="middle" fill="{MUTED}">ug/L over time</text>')
    return "".join([*out, "</g>"])
