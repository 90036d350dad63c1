"""Samples of an observed data set: its clock, its concentrations, and which of them are measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pharmtwin.qualification.study import Floats

Row = Mapping[str, str]
#: coefficient of variation between people that a column of errors is about, to tell its unit
USUAL_CV = 0.4
#: less than this part of a set's largest concentration is a figure's axis, not a measurement (assays span 4 decades)
AXIS = 1e-4
#: times may miss the clock of the doses by this much (h): digitised figures
SLACK = 0.05
MINUTE = 1.0 / 60.0
#: readings of several people at one time that make a mean; values of a set that tell whether it was typed from a table
FEWEST, TYPED = 3, 5
#: part of the largest concentration below which a tail that stands still (within STILL) is the end of the assay
TAIL, STILL = 0.1, 1.1
#: concentrations that fall by this part do so after an infusion, not within it
FALL = 0.1
#: factor by which the time of a tail grows, at least: doubles, read from figures
DOUBLED = 1.95


def samples(points: Sequence[Row], doses: Sequence[Row], error_type: str) -> tuple[Floats, Floats, Floats]:
    """Times after the first dose (h), concentrations and their sd (mg/L), ordered by time.

    What is no measurement is 0: a figure read below its axis or below 1e-4 of the largest concentration, one unit in
    the last place of a typed table (:func:`last_place`), a tail that stands still (:func:`still`).

    The column of errors is in one unit or another, a power of 1000 apart: taken is the one whose median coefficient of
    variation is nearest to 0.4. Geometric errors have no certain scale and are left unknown (nan).
    """
    start = min(float(d["time_h"]) for d in doses)
    rows = [
        (
            float(p["time_h"]) - start,
            max(0.0, float(p["conc_ug_per_L"]) / 1e3),
            float(p["error"]) if p["error"] else math.nan,
            float(p.get("value") or p["conc_ug_per_L"]),
        )
        for p in points
        if p["conc_ug_per_L"]
    ]
    table = np.array(sorted(rows, key=lambda r: r[0]), dtype=np.float64).reshape(-1, 4)
    time, level, error, typed = table.T
    hours = np.array(sorted({float(d["time_h"]) - start for d in doses}))
    if len(level):
        time = time + _clock_from_end(time, level, doses)
        level = np.where((level < AXIS * level.max()) | last_place(typed), 0.0, level)
        level = np.where(still(time - hours[-1], level), 0.0, level)
    if (joined := _joined(time, level, hours)) is not None:
        return joined[0], joined[1], np.full(len(joined[0]), math.nan)
    known = (level > 0) & (error > 0)
    if error_type.startswith("Geometric") or not known.any():
        return time, level, np.full(len(time), math.nan)
    variation = float(np.median(error[known] / level[known]))
    return time, level, error / 1e3 ** round(math.log(variation / USUAL_CV, 1e3))


def _clock_from_end(time: Floats, level: Floats, doses: Sequence[Row]) -> float:
    """What the clock of the samples is behind that of a single infusion (h): its length, or 0.

    A largest concentration at the very start of an infusion is that of its end, where the samples' clock begins.
    """
    if len({d["time_h"] for d in doses}) > 1:
        return 0.0
    length = max(float(d["infusion_min"] or 0) for d in doses) / 60.0
    top = int(np.argmax(level))
    return length if length > SLACK and level[top] > 0 and abs(time[top]) <= SLACK else 0.0


def last_place(values: Floats) -> NDArray[np.bool_]:
    """Which values are one unit in the last place of a typed table: rounded by up to a half, or the mark of nothing.

    A table is typed if its least value is a power of ten of which all are multiples, the largest of ten or more, and
    there are 5 at least.
    """
    found = values[values > 0]
    none = np.zeros(len(values), dtype=bool)
    if len(found) < TYPED:
        return none
    unit = 10.0 ** round(math.log10(found.min()))
    units = found / unit
    whole = bool((abs(units - np.round(units)) < 0.01).all())
    typed = whole and abs(units.min() - 1) < 1e-6 and units.max() >= 10
    return np.isclose(values, unit, rtol=1e-6) if typed else none


def still(time: Floats, level: Floats) -> NDArray[np.bool_]:
    """Which samples are a tail that stands still: the limit of an assay or a figure, not a drug that is eliminated.

    The last three at least within 10 % of each other and below a tenth of the largest, while the time since the last
    dose (time : h) doubles.
    """
    tail = np.zeros(len(level), dtype=bool)
    found = np.flatnonzero((level > 0) & (time > 0))
    for count in range(FEWEST, len(found) + 1):
        last = found[-count:]
        if level[last].max() > STILL * level[last].min() or level[last].max() > TAIL * level.max():
            break
        if time[last[-1]] >= DOUBLED * time[last[0]]:
            tail[last] = True
    return tail


def _joined(time: Floats, level: Floats, doses: Floats) -> tuple[Floats, Floats] | None:
    """Readings of several people as geometric means; None if they are one curve (no three within a minute).

    Together are those within a tenth of the time since the last dose (doses : their hours), at least ``SLACK``: people
    are sampled about, not at, the hours of a protocol. Readings of 0 are left out, and times of fewer than three.
    """
    if len(time) < FEWEST or not (time[2:] - time[:-2] < MINUTE).any():
        return None
    time, level = time[level > 0], level[level > 0]
    groups: list[list[int]] = []
    for i, hour in enumerate(time):
        begun = time[groups[-1][0]] if groups else -math.inf
        last = doses[doses <= begun].max(initial=0.0)
        if hour - begun < max(SLACK, 0.1 * (begun - last)) and not ((doses > begun) & (doses <= hour)).any():
            groups[-1].append(i)
        else:
            groups.append([i])
    means = [(time[g].mean(), math.exp(np.log(level[g]).mean())) for g in groups if len(g) >= FEWEST]
    table: Floats = np.array(means, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def end_seen(curves: Sequence[Sequence[Row]], length: float) -> float:
    """End (min) of a single infusion that is said to be so long (min), by the samples of what was measured.

    Concentrations, of a drug or of what is formed from it, do not fall before its end. Where a curve does, the end is
    its largest sample, of several curves the first.
    """
    ends = [length]
    for rows in curves:
        told = sorted((float(p["time_h"]), float(p["conc_ug_per_L"])) for p in rows if p["conc_ug_per_L"])
        if not told:
            continue
        top = max(range(len(told)), key=lambda i: told[i][1])
        after = [c for t, c in told[top + 1 :] if 60.0 * t < length]
        if told[top][0] > 0 and any(c < (1 - FALL) * told[top][1] for c in after):
            ends.append(60.0 * told[top][0])
    return min(ends)
