"""The samples of one interval made ready: BLQ and missing values settled, a concentration at the start."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.nca import areas
from pharmtwin.nca.profile import Dose, Interval, Profile
from pharmtwin.nca.settings import Blq, Settings
from pharmtwin.nca.terminal import Missing

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: times closer than this share of the largest are one time (3 * 0.1 is not 0.3)
SAME = 1e-9
DECIMALS = 10  # of times from the start of an interval: 145.12 - 144 is 1.12
MEASURED = "measured"


@dataclass(frozen=True)
class Curve:
    """One interval; times run from its start.

    Attributes
    ----------
    t, c : samples after cleaning, (n,); BLQ that was kept is 0. include, exclude : (n,) for lambda_z.
    later_t, later_c : samples after the end of the interval but not after the next dose, for values between samples.
    doses : doses in the interval, with times from its start. n_samples, n_above : values measured, and above the LLOQ.
    start, origin : concentration at the start (nan: none) and where it comes from, or why there is none.
    length : inf or end less start. after_others : whether doses were given before.
    """

    t: Floats
    c: Floats
    include: Mask
    exclude: Mask
    later_t: Floats
    later_c: Floats
    doses: tuple[Dose, ...]
    n_samples: int
    n_above: int
    start: float
    origin: str
    length: float
    after_others: bool
    settings: Settings

    @property
    def at_start(self) -> Dose | None:
        """The dose that begins the interval."""
        return next((d for d in self.doses if abs(d.time) <= SAME * max(1.0, abs(d.time))), None)

    @property
    def route(self) -> str:
        """Of the dose that begins the interval; empty without one."""
        return self.at_start.route if self.at_start else ""

    @property
    def duration(self) -> float:
        """Of the infusion that begins the interval, else 0."""
        return self.at_start.duration if self.at_start else 0.0

    @property
    def amount(self) -> float:
        """All doses of the interval; raises Missing where none is stated."""
        if not self.doses or any(not d.amount > 0 for d in self.doses):
            raise Missing("no dose is stated")
        return sum(d.amount for d in self.doses)

    def whole(self) -> tuple[Floats, Floats]:
        """Curve for areas: the samples, with the concentration at the start; raises Missing where there is none."""
        if not len(self.t):
            raise Missing("no concentration was measured in the interval")
        if np.isnan(self.start):
            raise Missing(self.origin)
        skip = 1 if len(self.t) and self.t[0] == 0 else 0
        t, c = np.array([0.0, *self.t[skip:]]), np.array([self.start, *self.c[skip:]])
        if len(t) < 2:
            raise Missing("one concentration only")
        return t, c

    def beyond(self) -> tuple[Floats, Floats]:
        """``whole`` with the later samples."""
        t, c = self.whole()
        return np.concatenate([t, self.later_t]), np.concatenate([c, self.later_c])


def settle_blq(t: Floats, c: Floats, settings: Settings) -> tuple[Mask, Floats]:
    """Rules for BLQ (c = 0) before the first, between and after the last value above 0; returns which to keep, and c.

    Where all are BLQ the rule for the first holds for all.
    """
    c = c.copy()
    keep = np.ones(len(c), dtype=bool)
    zero = c == 0
    if not zero.any():
        return keep, c
    above = np.flatnonzero(~zero)
    index = np.arange(len(c))
    first, last = (above[0], above[-1]) if len(above) else (len(c), len(c))
    parts: list[tuple[Mask, Blq]] = [
        (zero & (index < first), settings.blq_first),
        (zero & (index > first) & (index < last), settings.blq_middle),
        (zero & (index > last), settings.blq_last),
    ]
    for mask, rule in parts:
        if rule == "drop":
            keep &= ~mask
        elif rule != "keep":
            c[mask] = float(rule)
    return keep, c


def back_extrapolated(t: Floats, c: Floats) -> tuple[float, str]:
    """C0 of a bolus: log-linear through the first two samples if they fall, else the first one above 0."""
    if len(t) >= 2 and 0 < c[1] < c[0]:
        slope = np.log(c[1] / c[0]) / (t[1] - t[0])
        return float(c[0] * np.exp(-slope * t[0])), "back-extrapolated through the first two samples"
    above = c[c > 0]
    if len(above):
        return float(above[0]), "first quantifiable concentration (the first two do not fall)"
    return float("nan"), "no concentration is above the limit of quantification"


def curve_of(profile: Profile, interval: Interval, settings: Settings) -> Curve:
    """The samples of an interval, its doses, and the concentration at its start.

    At a start without a sample: a bolus has its back-extrapolated C0 (also where the sample is 0); the first dose by
    another route has 0; a later dose has the last sample before it if that is near, else the interval's minimum; an
    interval that begins at no dose has the value between its neighbours.
    """
    span = SAME * max(1.0, float(np.abs(profile.time).max(initial=0.0)))
    doses = tuple(d for d in profile.doses if interval.start - span <= d.time < interval.end - span)
    begins = [d for d in doses if abs(d.time - interval.start) <= span]
    measured = np.isfinite(profile.conc)
    inside = measured & (profile.time >= interval.start - span) & (profile.time <= interval.end + span)
    t, c = np.round(profile.time[inside] - interval.start, DECIMALS), profile.conc[inside]
    t[np.abs(t) <= span] = 0.0
    n_samples, n_above = len(t), int(np.sum(c > 0))
    keep, c = settle_blq(t, c, settings)
    t, c = t[keep], c[keep]
    next_dose = min((d.time for d in profile.doses if d.time >= interval.end - span), default=np.inf)
    if any(d.time > interval.start + span for d in doses):
        next_dose = -np.inf  # doses within: nothing between samples is known from one curve
    after = measured & (profile.time > interval.end + span) & (profile.time <= next_dose + span)
    start, origin = _start(profile, interval, settings, begins, t, c, span)
    moved = tuple(replace(d, time=d.time - interval.start) for d in doses)
    later_t, later_c = np.round(profile.time[after] - interval.start, DECIMALS), profile.conc[after]
    return Curve(t, c, profile.include[inside][keep], profile.exclude[inside][keep], later_t, later_c, moved, n_samples,
                 n_above, start, origin, interval.end - interval.start, _follows(profile, interval, begins, span),
                 settings)  # fmt: skip


def _start(
    profile: Profile, interval: Interval, settings: Settings, begins: list[Dose], t: Floats, c: Floats, span: float
) -> tuple[float, str]:
    observed = float(c[0]) if len(t) and t[0] == 0 else float("nan")
    bolus = any(d.route == "bolus" for d in begins)
    if np.isfinite(observed) and not (bolus and observed == 0 and settings.start == "impute"):
        if bolus and _follows(profile, interval, begins, span):
            return observed, "measured at the time of a later bolus (or just before it: then it is no C0)"
        return observed, MEASURED
    if settings.start == "none":
        return float("nan"), "no sample at the start of the interval"
    if bolus:
        later = t > 0
        return back_extrapolated(t[later], c[later])
    measured = np.isfinite(profile.conc)
    before = measured & (profile.time < interval.start - span)
    if not begins:
        return _between(profile, interval, settings, before)
    if not _follows(profile, interval, begins, span):
        return 0.0, "0 put in: first dose, no sample at its time"
    if before.any():
        length = interval.end - interval.start
        reach = length if np.isfinite(length) else float(profile.time[-1] - interval.start)
        shift = interval.start - profile.time[before][-1]
        if shift <= settings.max_shift * reach:
            return float(profile.conc[before][-1]), f"sample {shift:.4g} before the dose"
    if len(c):
        return float(c.min()), "minimum of the interval put in: later dose, no sample at its time"
    return float("nan"), "no concentration was measured in the interval"


def _follows(profile: Profile, interval: Interval, begins: list[Dose], span: float) -> bool:
    """Whether doses were given before the interval."""
    return any(d.time < interval.start - span for d in profile.doses) or any(d.steady for d in begins)


def _between(profile: Profile, interval: Interval, settings: Settings, before: Mask) -> tuple[float, str]:
    """Value at a start that is no dose, between the samples around it since the last dose."""
    last_dose = max((d.time for d in profile.doses if d.time <= interval.start), default=-np.inf)
    next_dose = min((d.time for d in profile.doses if d.time > interval.start), default=np.inf)
    measured = np.isfinite(profile.conc) & (profile.time >= last_dose) & (profile.time <= next_dose)
    t, c = profile.time[measured], profile.conc[measured]
    keep, c = settle_blq(t, c, settings)
    t, c = t[keep], c[keep]
    if not len(t) or not t[0] <= interval.start <= t[-1]:
        where = "before the first sample" if not before.any() else "not between samples of one dosing interval"
        return float("nan"), f"the interval starts {where}"
    return areas.value_at(t, c, interval.start, settings.method), "between the samples around it"
