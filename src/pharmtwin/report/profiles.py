"""Concentration-time figures of single twins: bands of the models with the observed points on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.core.unsolved import Unsolved
from pharmtwin.report.blocks import Cell, Panel, Table
from pharmtwin.report.checks import FAILED
from pharmtwin.report.figures import INK, STYLE, axis, band, line, numbers, points
from pharmtwin.report.rows import records
from pharmtwin.report.words import interval, model, number, plotly_text, short_model

MODELS = ("population", "covariates", "twin")
GAP = 8.0  # steps this many times the median step are pauses of the time grid, not drawn across
PAUSE = 0.2
APART = 0.09  # share of the axis that two labels keep apart
BAND = "Bands: 90 % of the predicted plasma concentration, without residual error."
BANDS = f"{BAND} Where the time axis has a gap, the time between is not drawn."
USES = (("fit", "observed, used in the fit", "circle"), ("test", "observed, kept aside", "diamond-open"))


def windows(times: Sequence[float]) -> list[tuple[float, float]]:
    """Stretches of time without a pause: a step longer than ``GAP`` times the median step ends one."""
    t = np.unique(np.asarray(times, dtype=float))
    if len(t) < 3:
        return [(float(t[0]), float(t[-1]))] if len(t) else []
    steps = np.diff(t)
    cuts = np.flatnonzero(steps > GAP * np.median(steps))
    starts, ends = [0, *(cuts + 1)], [*cuts, len(t) - 1]
    return [(float(t[a]), float(t[b])) for a, b in zip(starts, ends)]


@dataclass(frozen=True)
class Clock:
    """Where times are drawn: pauses of the time grid are shortened to ``PAUSE`` of the time shown."""

    times: tuple[float, ...]
    places: tuple[float, ...]

    @classmethod
    def create(cls, times: Sequence[float]) -> Clock:
        """Clock of a profile's times; without pauses time is drawn as it is."""
        stretches = windows(times)
        if len(stretches) < 2:
            return cls((), ())
        pause = PAUSE * sum(end - start for start, end in stretches)
        known, places, place = [], [], stretches[0][0]
        for start, end in stretches:
            known += [start, end]
            places += [place, place + end - start]
            place = places[-1] + pause
        return cls(tuple(known), tuple(places))

    def place(self, times: Iterable[float]) -> list[float]:
        """Places of times on the axis."""
        t = np.asarray(list(times), dtype=float)
        if self.times:
            inside = np.interp(t, self.times, self.places)
            t = inside + np.minimum(t - self.times[0], 0) + np.maximum(t - self.times[-1], 0)
        return [float(v) for v in t]

    def axis(self) -> dict[str, Any]:
        """The time axis."""
        if not self.times:
            return axis("Time after first dose (h)")
        labels = [f"{t:.4g}" for t in self.times]
        width, last = self.places[-1] - self.places[0], self.places[0]
        for k in range(1, len(labels) - 1):  # labels that would touch are left out, the ends stay
            if min(self.places[k] - last, self.places[-1] - self.places[k]) < APART * width:
                labels[k] = ""
            else:
                last = self.places[k]
        return axis("Time after first dose (h)", tickvals=numbers(self.places), ticktext=labels, tickangle=0)


def curves(part: pd.DataFrame, style: Mapping[str, str], name: str, clock: Clock) -> list[dict[str, Any]]:
    """Band (q05 to q95) and median (q50) over time_h, by name; nothing is drawn across pauses of the time grid."""
    out = []
    for i, (start, end) in enumerate(windows(part["time_h"].to_list())):
        rows = part[part["time_h"].between(start, end)]
        x = clock.place(rows["time_h"])
        shade = band(x, rows["q05"], rows["q95"], f"{name}, 90 %", style["fill"])
        out.append(shade | {"legendgroup": name, "showlegend": False})
        drawn = line(x, rows["q50"], name, style["colour"], style["dash"])
        out.append(drawn | {"legendgroup": name, "showlegend": i == 0} | _hover(rows["time_h"]))
    return out


def _hover(times: Iterable[float]) -> dict[str, Any]:
    return {"text": [f"{t:.4g} h" for t in times], "hovertemplate": "%{text}: %{y:.3g} ng/mL"}


def observed_points(rows: pd.DataFrame, clock: Clock) -> list[dict[str, Any]]:
    """Observed concentrations of a twin: filled circles were fitted, open diamonds were kept aside."""
    once = rows.drop_duplicates("time_h").sort_values("time_h")
    out = []
    for use, name, symbol in USES:
        part = once[once["use"] == use]
        if len(part):
            drawn = points(clock.place(part["time_h"]), part["observed"], name, INK, symbol, size=8)
            out.append(drawn | _hover(part["time_h"]))
    return out


def twin_panel(
    label: str, profile: pd.DataFrame, predictions: pd.DataFrame, models: Sequence[str], *, log: bool = False
) -> Panel:
    """90 % bands and medians of the given models, with observed points."""
    clock = Clock.create(profile["time_h"].to_list())
    data: list[dict[str, Any]] = []
    for m in models:
        part = profile[profile["model"] == m].sort_values("time_h")
        if part.empty:
            continue
        data += curves(part, STYLE[m], short_model(m), clock)
    data += observed_points(predictions, clock)
    layout = {
        "xaxis": clock.axis(),
        "yaxis": axis("Concentration (ng/mL)", log=True) if log else axis("Concentration (ng/mL)", rangemode="tozero"),
    }
    return Panel(plotly_text(label), tuple(data), layout)


def prediction_table(
    rows: pd.DataFrame, caption: str, *, twin_column: bool, failed: Collection[Unsolved] = (), file: str = ""
) -> Table:
    """Observed beside predicted of every model, a line a sample; ``failed`` says where there is no prediction."""
    missing = {(c.twin_id, c.model): Cell(FAILED, badge="bad") for c in failed}
    twins = set(rows["twin_id"].astype(str))
    wide: dict[tuple[str, float], dict[str, Any]] = {}
    for r in records(rows.sort_values(["twin_id", "time_h"])):
        cell = wide.setdefault((str(r.twin_id), float(r.time_h)), {"use": r.use, "observed": r.observed})
        cell[str(r.model)] = interval(r.median, r.lo90, r.hi90)
    lost = {m for twin, m in missing if twin in twins}
    shown = [m for m in MODELS if m in lost or (rows["model"] == m).any()]
    lines = [
        [
            *([twin] if twin_column else []),
            number(time),
            "kept aside" if cell["use"] == "test" else "fitted",
            number(cell["observed"]),
            *(cell.get(m, missing.get((twin, m), "–")) for m in shown),
        ]
        for (twin, time), cell in wide.items()
    ]
    header = [*(["Twin"] if twin_column else []), "Time (h)", "Use", "Observed (ng/mL)", *(model(m) for m in shown)]
    note = "Predicted: median (90 % predictive interval, with residual error), ng/mL."
    text = (0, 2) if twin_column else (1,)
    return Table.create(caption, header, lines, text=text, note=note, folded=twin_column, file=file)
