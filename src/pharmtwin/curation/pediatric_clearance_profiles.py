"""Clearance of adults from drawn concentration curves, where a paper prints none per kg: dose / AUC to infinity.

The rule (docs/pediatric-clearance.md, third search): linear up and logarithmic down; a dose given within 5 minutes is
extended back to time 0 along its first two samples, a longer infusion starts at 0; the terminal slope takes three or
more points. Profiles stand in ``observed/pediatric_clearance_profiles.tsv``, points in ``..._profile_points.tsv``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.facts import fact_table

Floats = NDArray[np.float64]

PROFILES = "observed/pediatric_clearance_profiles.tsv"
POINTS = "observed/pediatric_clearance_profile_points.tsv"
SHORT_MIN = 5.0  # an infusion up to this long is taken as a bolus
FEWEST_TERMINAL = 3
MOST_UNSEEN = 0.20  # share of the AUC before the first sample, and after the last, below which a profile counts
#: a printed clearance (mL/min) and the profile contradict each other if they make the volunteers lighter or heavier
LIGHTEST_KG, HEAVIEST_KG = 50.0, 100.0


@dataclass(frozen=True)
class Exposure:
    """Non-compartmental result: clearance (mL/min/kg), shares of the AUC before the first and after the last sample,
    terminal half-life (h), number of terminal points."""

    clearance: float
    before: float
    after: float
    half_life_h: float
    terminal_points: int

    @property
    def counts(self) -> bool:
        """Enough of the AUC was seen."""
        return self.before < MOST_UNSEEN and self.after < MOST_UNSEEN


def terminal_rate(time_h: Floats, conc: Floats) -> tuple[float, int]:
    """Terminal rate (1/h) and its number of points: the last three or more below the peak with the best adjusted R2.

    Raises ValueError if no such points fall.
    """
    best: tuple[float, float, int] | None = None
    for points in range(FEWEST_TERMINAL, len(time_h) - int(np.argmax(conc))):
        x, y = time_h[-points:], np.log(conc[-points:])
        slope, level = np.polyfit(x, y, 1)
        spread = float(((y - y.mean()) ** 2).sum())
        left = float(((y - level - slope * x) ** 2).sum()) / spread if spread > 0 else 1.0
        adjusted = 1.0 - left * (points - 1) / (points - 2)
        if slope < 0 and (best is None or adjusted > best[0] + 1e-12):
            best = (adjusted, -float(slope), points)
    if best is None:
        raise ValueError("fewer than three falling points after the peak")
    return best[1], best[2]


def exposure(time_h: Floats, conc_mg_l: Floats, dose_mg_kg: float, infusion_min: float) -> Exposure:
    """Clearance of one profile after one dose (``infusion_min`` 0: bolus); shapes (n,), times rising.

    Raises ValueError if times do not rise, a concentration is not positive or no terminal phase is there.
    """
    if (np.diff(time_h) <= 0).any() or (conc_mg_l <= 0).any():
        raise ValueError("times must rise and concentrations be positive")
    rate, points = terminal_rate(time_h, conc_mg_l)
    after = float(conc_mg_l[-1]) / rate
    t, c = time_h, conc_mg_l
    unseen = t[0] > 0
    if unseen:
        start = 0.0
        if infusion_min <= SHORT_MIN:
            fall = max(0.0, float(np.log(c[0] / c[1]) / (t[1] - t[0])))
            start = float(c[0]) * float(np.exp(fall * t[0]))
        t, c = np.concatenate([[0.0], t]), np.concatenate([[start], c])
    step, first, second = np.diff(t), c[:-1], c[1:]
    down = (second < first) & (second > 0)
    ratio = np.where(down, first / np.where(second > 0, second, 1.0), np.e)
    areas = np.where(down, step * (first - second) / np.log(ratio), step * (first + second) / 2.0)
    auc = float(areas.sum()) + after
    return Exposure(
        clearance=dose_mg_kg / auc * 1000.0 / 60.0,
        before=float(areas[0]) / auc if unseen else 0.0,
        after=after / auc,
        half_life_h=float(np.log(2.0)) / rate,
        terminal_points=points,
    )


def exposures() -> pd.DataFrame:
    """The table of profiles with the results of :class:`Exposure` as columns."""
    profiles, points = fact_table(PROFILES), fact_table(POINTS)
    found = []
    for name, dose, infusion in zip(profiles["profile"], profiles["dose_mg_kg"], profiles["infusion_min"]):
        mine = points[points["profile"] == name]
        found.append(
            exposure(mine["time_h"].to_numpy(float), mine["conc_mg_L"].to_numpy(float), float(dose), float(infusion))
        )
    for column in ("clearance", "before", "after", "half_life_h", "terminal_points", "counts"):
        profiles[column] = [getattr(one, column) for one in found]
    return profiles


def clearances() -> dict[tuple[str, str], float]:
    """(drug, study) -> clearance (mL/min/kg) of the studies that count by their profiles: the mean where several."""
    rows = exposures()
    rows = rows[rows["role"] == "reference"]
    return {(str(drug), str(study)): float(part["clearance"].mean()) for (drug, study), part in
            rows.groupby(["drug", "study"], sort=False)}  # fmt: skip
