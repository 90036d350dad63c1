"""Plotly traces and layouts: one palette, one shared layout, lists of four significant digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.report.blocks import Panel
from pharmtwin.report.words import plotly_text

# Okabe and Ito's colour-blind-safe set (jfly.uni-koeln.de/color), each colour with its own symbol, dash and hatching
STYLE: dict[str, dict[str, str]] = {
    "population": {"colour": "#6f7782", "symbol": "square", "dash": "dot", "fill": "rgba(111,119,130,.16)"},
    "covariates": {"colour": "#d55e00", "symbol": "triangle-up", "dash": "dash", "fill": "rgba(213,94,0,.16)"},
    "twin": {"colour": "#0072b2", "symbol": "circle", "dash": "solid", "fill": "rgba(0,114,178,.18)"},
    "drug_file": {"colour": "#6f7782", "symbol": "square", "dash": "dash", "fill": "rgba(111,119,130,.18)"},
    "fitted": {"colour": "#0072b2", "symbol": "circle", "dash": "solid", "fill": "rgba(0,114,178,.18)"},
}
INK, MUTED, GRID = "#1d2733", "#6f7782", "#e4e8ec"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
AXIS: dict[str, Any] = {
    "automargin": True,
    "gridcolor": GRID,
    "linecolor": "#9aa3ad",
    "showline": True,
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": "#9aa3ad",
    "zeroline": False,
}
LAYOUT: dict[str, Any] = {
    "font": {"family": FONT, "size": 12.5, "color": INK},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "#ffffff",
    "margin": {"l": 56, "r": 14, "t": 12, "b": 48},
    "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
    "hovermode": "closest",
    "hoverlabel": {"font": {"family": FONT, "size": 12}},
    "showlegend": True,
}


def numbers(values: Iterable[Any]) -> list[float | None]:
    """Numbers for a figure: four significant digits, None where there is none."""
    return [float(f"{float(v):.4g}") if pd.notna(v) and np.isfinite(v) else None for v in values]


def axis(title: str, *, log: bool = False, **more: Any) -> dict[str, Any]:
    """An axis with its title (quantity and unit) and kind of scale."""
    out: dict[str, Any] = {"title": {"text": title, "standoff": 8, "font": {"size": 12}}, **more}
    if log:
        out |= {"type": "log", "dtick": more.get("dtick", "D2"), "tickformat": "~g"}
    return out


def band(x: Iterable[Any], lo: Iterable[Any], hi: Iterable[Any], name: str, fill: str) -> dict[str, Any]:
    """A filled interval as one closed trace."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers([*x, *list(x)[::-1]]),
        "y": numbers([*hi, *list(lo)[::-1]]),
        "fill": "toself",
        "fillcolor": fill,
        "line": {"width": 0},
        "name": name,
        "hoverinfo": "skip",
    }


def line(x: Iterable[Any], y: Iterable[Any], name: str, colour: str, dash: str = "solid") -> dict[str, Any]:
    """A line."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(x),
        "y": numbers(y),
        "name": name,
        "line": {"color": colour, "dash": dash, "width": 2},
    }


def steps(edges: Iterable[Any], values: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Corners (x, y) of a histogram's outline: ``values`` between neighbouring ``edges`` (one more than values)."""
    at, level = list(edges), list(values)
    return [x for pair in pairwise(at) for x in pair], [y for y in level for _ in (0, 1)]


def points(x: Iterable[Any], y: Iterable[Any], name: str, colour: str, symbol: str, **more: Any) -> dict[str, Any]:
    """Markers; ``error`` gives (lower, upper) limits of y, ``error_x`` the same of x, ``text`` the hover text."""
    x, y = list(x), list(y)
    error, error_x, text = more.pop("error", None), more.pop("error_x", None), more.pop("text", None)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": x if any(isinstance(v, str) for v in x) else numbers(x),
        "y": y if any(isinstance(v, str) for v in y) else numbers(y),
        "name": name,
        "marker": {"color": colour, "symbol": symbol, "size": more.pop("size", 8), "line": {"width": 1.2}},
    }
    if not symbol.endswith("-open"):
        trace["marker"]["line"] = {"width": 0.8, "color": "#ffffff"}
    if error is not None:
        trace["error_y"] = _error(y, error, colour)
    if error_x is not None:
        trace["error_x"] = _error(x, error_x, colour)
    if text is not None:
        trace["text"] = [plotly_text(t) for t in text]
        trace["hovertemplate"] = "%{text}<br>x %{x:.3g}, y %{y:.3g}<extra></extra>"
    return trace | more


def _error(mid: Iterable[Any], limits: tuple[Iterable[Any], Iterable[Any]], colour: str) -> dict[str, Any]:
    centre, lo, hi = (np.asarray(list(v), dtype=float) for v in (mid, *limits))
    return {
        "type": "data",
        "symmetric": False,
        "array": numbers(hi - centre),
        "arrayminus": numbers(centre - lo),
        "color": colour,
        "thickness": 1.3,
        "width": 3,
    }


def fold_lines(lo: float, hi: float) -> list[dict[str, Any]]:
    """Identity, 1.25-fold and 2-fold lines between two values of the observed axis."""
    out = []
    for fold, dash, name in ((1.0, "solid", "identity"), (1.25, "dash", "1.25-fold"), (2.0, "dot", "2-fold")):
        for sign in (1, -1) if fold > 1 else (1,):
            y = [lo * fold**sign, hi * fold**sign]
            trace = line([lo, hi], y, name, MUTED, dash)
            trace |= {"showlegend": sign == 1, "legendgroup": name, "hoverinfo": "skip"}
            trace["line"] = {"color": MUTED, "dash": dash, "width": 1.1}
            out.append(trace)
    return out


def observed_against_predicted(
    label: str,
    frame: pd.DataFrame,
    groups: Sequence[tuple[str, str, str, str]],
    column: str,
    limits: tuple[float, float],
) -> Panel:
    """Predicted median against observed, log-log, with fold lines.

    ``groups`` gives (value of ``column``, name, colour, symbol); ``frame`` has observed, median and ``hover``.
    """
    data = fold_lines(*limits)
    for value, name, colour, symbol in groups:
        part = frame[frame[column] == value]
        if len(part):
            data.append(
                points(part["observed"], part["median"], name, colour, symbol, text=part["hover"], size=7, opacity=0.85)
            )
    span = [float(np.log10(limits[0])), float(np.log10(limits[1]))]
    layout = {
        "xaxis": axis("Observed (ng/mL)", log=True, range=span),
        "yaxis": axis("Predicted median (ng/mL)", log=True, range=span),
    }
    return Panel(label, tuple(data), layout)


def limits_of(*columns: Iterable[float]) -> tuple[float, float]:
    """Common limits of log axes with a margin; (0.1, 10) where nothing is above 0."""
    values = np.concatenate([np.asarray(list(c), dtype=float) for c in columns])
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return 0.1, 10.0
    return float(values.min()) / 1.4, float(values.max()) * 1.4
