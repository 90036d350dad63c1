"""The circulation as a diagram: every compartment with its volume, every vessel as wide as the blood it carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from pharmtwin.core.anatomy import BLOOD, COMPARTMENTS, PORTAL, SYSTEMIC
from pharmtwin.report.blocks import Chart, Panel, Table
from pharmtwin.report.body_charts import SEXES
from pharmtwin.report.figures import INK
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.quantities import ORGANS
from pharmtwin.report.words import number, percent, plain, plotly_text

ARTERIAL, VENOUS, PORTAL_VEIN = "arterial blood", "venous blood", "portal blood"
COLOURS = {ARTERIAL: "#d55e00", VENOUS: "#0072b2", PORTAL_VEIN: "#8c5b86"}
FILL = "#f4f6f8"
#: places on a canvas of 100 by one row an organ
LEFT, RIGHT, BOX, PORTAL_BOX, VEIN = 5.0, 95.0, (26.0, 75.0), (33.5, 75.0), 29.5
WIDEST, THINNEST = 11.0, 0.8  # of a vessel (px)
TOP, ABOVE_LIVER = 1.7, 0.5  # rows between the heart's row and the first organ, and above the liver

Body = Mapping[str, float]


def _order() -> list[str]:
    """Organs from top to bottom: those between artery and vein, the portal ones, the liver that they drain into."""
    return [*(o for o in SYSTEMIC if o != "liver"), *PORTAL, "liver"]


def _rows() -> dict[str, float]:
    """Height of each organ's row, downwards negative."""
    y = {organ: -TOP - i for i, organ in enumerate(_order())}
    y["liver"] -= ABOVE_LIVER
    return y


class _Canvas:
    """Traces of one diagram; a vessel's width is its share of cardiac output."""

    def __init__(self, output: float) -> None:
        self.traces: list[dict[str, Any]] = []
        self.output, self.named = output, set[str]()
        self.labels: list[tuple[float, float, str]] = []

    def vessel(self, kind: str, flow: float, *points: tuple[float, float], arrow: str = "") -> None:
        """A line through points; ``arrow`` (left, right, down, up) heads its end."""
        width = max(THINNEST, WIDEST * flow / self.output)
        drawn = {
            "type": "scatter", "mode": "lines", "x": [p[0] for p in points], "y": [p[1] for p in points], "name": kind,
            "line": {"color": COLOURS[kind], "width": round(width, 2)}, "hoverinfo": "skip",
            "showlegend": kind not in self.named,
        }  # fmt: skip
        if kind not in self.named:  # the legend's own width
            self.named.add(kind)
            self.traces.append(drawn | {"x": [], "y": [], "line": {"color": COLOURS[kind], "width": 3}})
        self.traces.append(drawn | {"showlegend": False})
        if arrow:
            self.traces.append(
                {
                    "type": "scatter", "mode": "markers", "x": [points[-1][0]], "y": [points[-1][1]], "name": kind,
                    "marker": {"color": COLOURS[kind], "symbol": f"triangle-{arrow}", "size": 9 + 0.5 * width},
                    "hoverinfo": "skip", "showlegend": False,
                }
            )  # fmt: skip

    def box(self, x0: float, x1: float, y: float, half: float, text: str) -> None:
        """A compartment with its text."""
        self.traces.append(
            {
                "type": "scatter", "mode": "lines", "fill": "toself", "fillcolor": FILL, "name": "compartment",
                "x": [x0, x1, x1, x0, x0], "y": [y - half, y - half, y + half, y + half, y - half],
                "line": {"color": "#9aa3ad", "width": 1}, "hoverinfo": "skip", "showlegend": False,
            }
        )  # fmt: skip
        self.labels.append(((x0 + x1) / 2, y, text))

    def words(self) -> dict[str, Any]:
        """All texts as one trace."""
        return {
            "type": "scatter", "mode": "text", "x": [p[0] for p in self.labels], "y": [p[1] for p in self.labels],
            "text": [p[2] for p in self.labels], "textposition": "middle center", "name": "names",
            "textfont": {"size": 11, "color": INK}, "hoverinfo": "skip", "showlegend": False, "cliponaxis": False,
        }  # fmt: skip


def _volume(body: Body, organ: str) -> str:
    return f"{number(body[f'V_{organ}'])} L"


def panel(body: Body, label: str) -> Panel:
    """The diagram of one body (quantities of table ``body`` by name)."""
    y, output = _rows(), body["CO"]
    canvas = _Canvas(output)
    flow = {o: body[f"Q_{o}"] for o in (*SYSTEMIC, *PORTAL)}
    through = flow["liver"] + sum(flow[o] for o in PORTAL)
    order = _order()
    # trunks: each stretch carries what the rows below it still need, or have brought
    for i, organ in enumerate(order):
        above = y[order[i - 1]] if i else 0.0
        below = sum(flow[o] for o in order[i:])
        canvas.vessel(ARTERIAL, below, (RIGHT, above), (RIGHT, y[organ]))
        drained = sum(flow[o] for o in order[i:] if o not in PORTAL and o != "liver") + through
        canvas.vessel(VENOUS, drained, (LEFT, y[organ]), (LEFT, above))
    for organ in order:
        x0, x1 = PORTAL_BOX if organ in PORTAL else BOX
        canvas.vessel(ARTERIAL, flow[organ], (RIGHT, y[organ]), (x1 + 1.5, y[organ]), arrow="left")
        if organ in PORTAL:
            canvas.vessel(PORTAL_VEIN, flow[organ], (x0, y[organ]), (VEIN, y[organ]))
        else:
            leaving = through if organ == "liver" else flow[organ]
            canvas.vessel(VENOUS, leaving, (x0, y[organ]), (LEFT + 2.5, y[organ]), arrow="left")
    for i, organ in enumerate(PORTAL):
        end = y[PORTAL[i + 1]] if i + 1 < len(PORTAL) else y["liver"] + 0.72
        arrow = "" if i + 1 < len(PORTAL) else "down"
        canvas.vessel(PORTAL_VEIN, sum(flow[o] for o in PORTAL[: i + 1]), (VEIN, y[organ]), (VEIN, end), arrow=arrow)
    canvas.vessel(VENOUS, output, (LEFT, 0.0), (37.0, 0.0), arrow="right")
    canvas.vessel(ARTERIAL, output, (60.0, 0.0), (67.0, 0.0), arrow="right")
    for organ in order:
        x0, x1 = PORTAL_BOX if organ in PORTAL else BOX
        name = "rest" if organ == "rest" else ORGANS.get(organ, organ)
        canvas.box(x0, x1, y[organ], 0.36, f"{name} {_volume(body, organ)}")
        canvas.labels.append(((x1 + RIGHT) / 2 + 1, y[organ] + 0.37, number(flow[organ])))
    canvas.labels.append(((BOX[0] + LEFT) / 2 + 1, y["liver"] + 0.42, number(through)))
    for organ, x0, x1 in (("venous", 0.0, 29.0), ("lung", 40.0, 60.0), ("arterial", 70.5, 100.0)):
        canvas.box(x0, x1, 0.0, 0.72, f"{organ if organ == 'lung' else f'{organ} blood'}<br>{_volume(body, organ)}")
    canvas.labels.append((50.0, 1.15, f"cardiac output {number(output)} L/h"))
    plain_axis = {"visible": False, "fixedrange": True}
    layout = {
        "xaxis": {**plain_axis, "range": [-2.0, 102.0]},
        "yaxis": {**plain_axis, "range": [y["liver"] - 0.8, 1.6]},
        "margin": {"l": 2, "r": 2, "t": 2, "b": 2},
    }
    return Panel(label, (*canvas.traces, canvas.words()), layout)


def balance_rows(body: Body, name: str) -> list[list[str]]:
    """Lines of the diagram's table: every compartment, then the sum of the branches beside cardiac output."""
    rows = []
    for organ in COMPARTMENTS:
        flow = body["CO"] if organ == "lung" else body.get(f"Q_{organ}")
        shown = [number(flow), percent(flow / body["CO"])] if flow is not None else [number(None)] * 2
        rows.append([name, ORGANS.get(organ, organ), number(body[f"V_{organ}"]), *shown])
    total = sum(body[f"Q_{o}"] for o in (*SYSTEMIC, *PORTAL))
    volume = sum(body[f"V_{o}"] for o in COMPARTMENTS)
    rows.append([name, "sum of the arterial branches", number(volume), number(total, 6), percent(total / body["CO"])])
    rows.append([name, "cardiac output", number(None), number(body["CO"], 6), "100 %"])
    apart = abs(total - body["CO"]) / body["CO"]
    rows.append([name, "difference, relative", number(None), plain(apart), number(None)])
    return rows


def _bodies(inputs: ReportInputs, wanted: Iterable[str]) -> dict[str, Body]:
    """Complete bodies of the wanted people, by id."""
    both = pd.concat([t for t in (inputs.reference_body, inputs.body) if len(t)] or [inputs.body], ignore_index=True)
    needed = {*(f"V_{c}" for c in COMPARTMENTS), *(f"Q_{o}" for o in (*SYSTEMIC, *PORTAL)), "CO"}
    out: dict[str, Body] = {}
    for name in wanted:
        mine = both[both["twin_id"].astype(str) == name]
        body = dict(zip(mine["quantity"].astype(str), mine["value"].astype(float)))
        if needed <= body.keys():
            out[name] = body
    return out


def flow_chart(inputs: ReportInputs, wanted: Mapping[str, str]) -> Chart | None:
    """Diagrams of the wanted people (id -> words), or of the reference man; None where no complete body is known."""
    names = dict(wanted) or {SEXES["M"]: "reference man"}
    bodies = _bodies(inputs, names)
    if not bodies:
        return None
    names = {twin: names[twin] for twin in bodies}
    table = Table.create(
        "Volumes and blood flows",
        ["Person", "Compartment", "Volume (L)", "Blood flow (L/h)", "Of cardiac output"],
        [row for twin, body in bodies.items() for row in balance_rows(body, names[twin])],
        text=(0, 1),
        note=f"Flow of an organ: its artery. The liver also takes the blood of {', '.join(PORTAL)}; the lung takes all "
        f"of cardiac output. {' and '.join(BLOOD)} blood: volumes of the two pools.",
    )
    return Chart(
        "flow-diagram",
        "Organs and blood flow",
        f"Diagram of the circulation of {', '.join(names.values())}: {len(COMPARTMENTS)} compartments with volumes in "
        "litres, joined by vessels with flows in litres an hour; the arterial branches add up to cardiac output.",
        tuple(panel(body, plotly_text(names[twin])) for twin, body in bodies.items()),
        table,
        caption="Boxes: volume (L). Numbers at the vessels: blood flow (L/h). Vessels are as wide as the blood they "
        "carry (the thinnest are drawn wider), so the trunks show that all branches add up to cardiac output.",
        height=430,
        width=300,
    )
