"""Picture of docs/pediatric-clearance.md: predicted against observed clearance of children."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np
import pandas as pd

from pharmtwin.curation.pediatric_clearance import GROUPS
from pharmtwin.tables import records

SIDE, GAP, TOP = 330, 60, 64
LOWEST, HIGHEST = 0.5, 60.0
#: told apart by colour-blind readers too (Okabe & Ito 2008)
COLOURS = {"amikacin": "#0072B2", "vancomycin": "#E69F00", "gentamicin": "#56B4E9", "alfentanil": "#009E73",
           "sufentanil": "#CC79A7", "fentanyl": "#D55E00", "midazolam": "#000000"}  # fmt: skip


def _position(value: float) -> float:
    return float(SIDE * (np.log(value) - np.log(LOWEST)) / (np.log(HIGHEST) - np.log(LOWEST)))


def picture(rows: pd.DataFrame) -> str:
    """Predicted against observed on logarithmic axes, one panel a group, with the lines of 1 and of 2-fold."""
    width, height = len(GROUPS) * (SIDE + GAP) + GAP, TOP + SIDE + GAP
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{GAP}" y="18" font-size="14">Children\'s clearance, predicted against observed (mL/min/kg)</text>',
    ]
    for i, (drug, colour) in enumerate(COLOURS.items()):
        x = GAP + 110 * i
        out.append(f'<circle cx="{x}" cy="36" r="5" fill="{colour}"/><text x="{x + 9}" y="40">{drug}</text>')
    for i, group in enumerate(GROUPS):
        part = rows[rows["group"] == group]
        out.append(f'<g transform="translate({GAP + i * (SIDE + GAP)},{TOP})">{_panel(group, part)}</g>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _panel(group: str, rows: pd.DataFrame) -> str:
    out = [f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>']
    for fold, dash in ((0.5, "4 4"), (1.0, "none"), (2.0, "4 4")):
        low, high = max(LOWEST, LOWEST / fold), min(HIGHEST, HIGHEST / fold)
        ends = [f'{a}="{v:.1f}"' for a, v in zip(
            ("x1", "y1", "x2", "y2"),
            (_position(low), SIDE - _position(low * fold), _position(high), SIDE - _position(high * fold)),
        )]  # fmt: skip
        out.append(f'<line {" ".join(ends)} stroke="#777" stroke-dasharray="{dash}"/>')
    for tick in (0.5, 1, 2, 5, 10, 20, 50):
        at = _position(tick)
        out.append(f'<text x="{at:.1f}" y="{SIDE + 14}" text-anchor="middle">{tick:g}</text>')
        out.append(f'<text x="-5" y="{SIDE - at + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for r in records(rows):
        x, y = _position(float(r.CL_mL_min_kg)), SIDE - _position(float(r.predicted))
        label = escape(f"{r.drug}, {r.study}, {r.label}, {float(r.age_y):.2g} y")
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[str(r.drug)]}" fill-opacity="0.7">'
                   f"<title>{label}</title></circle>")  # fmt: skip
    out.append(f'<text x="{SIDE / 2:g}" y="{SIDE + 32}" text-anchor="middle">observed; {group} drugs</text>')
    out.append(f'<text transform="translate(-32,{SIDE / 2:g}) rotate(-90)" text-anchor="middle">predicted</text>')
    return "".join(out)
