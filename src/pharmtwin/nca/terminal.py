"""The terminal phase: which points, and the log-linear regression through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.nca.settings import Settings

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Missing(ValueError):
    """A value that cannot be given; the message is the reason."""


@dataclass(frozen=True)
class Terminal:
    """ln C = intercept - lambda_z t through ``n`` points from ``first`` to ``last``."""

    lambda_z: float
    intercept: float
    r2: float
    adj_r2: float
    correlation: float
    n: int
    first: float
    last: float

    @property
    def half_life(self) -> float:
        """ln 2 / lambda_z."""
        return float(np.log(2) / self.lambda_z)

    @property
    def span_ratio(self) -> float:
        """Half-lives between the first and the last point."""
        return (self.last - self.first) / self.half_life

    def predicted(self, t: float) -> float:
        """Concentration of the regression at a time."""
        return float(np.exp(self.intercept - self.lambda_z * t))


def regression(t: Floats, c: Floats) -> Terminal:
    """Regression of ln C on time, shapes (n,), n >= 2, all C above 0; with two points adjusted R2 is nan."""
    y = np.log(c)
    dt, dy = t - t.mean(), y - y.mean()
    stt, sty, syy = float(dt @ dt), float(dt @ dy), float(dy @ dy)
    if stt == 0:
        raise Missing("all points of lambda_z have one time")
    slope = sty / stt
    left = dy - slope * dt
    r2 = 1 - float(left @ left) / syy if syy > 0 else float("nan")
    n = len(t)
    adjusted = 1 - (1 - r2) * (n - 1) / (n - 2) if n > 2 else float("nan")
    corr = sty / np.sqrt(stt * syy) if syy > 0 else float("nan")
    return Terminal(-slope, float(y.mean() - slope * t.mean()), r2, adjusted, float(corr), n, float(t[0]), float(t[-1]))


def terminal(
    t: Floats, c: Floats, settings: Settings, *, after: float = -np.inf, with_tmax: bool = False,
    include: Mask | None = None, exclude: Mask | None = None,
) -> Terminal:  # fmt: skip
    """Terminal phase of samples sorted by time, shapes (n,); values of 0 never count.

    ``after``: points lie after this time (end of the dose). ``with_tmax``: Tmax may be a point. ``include``: exactly
    these points are taken (if any is true); ``exclude``: these never are. Else every run of points to the last one is
    tried, and of those within ``r2_tolerance`` of the best adjusted R2 the one with most points is taken.
    Raises Missing with the reason where there is none.
    """
    above = c > 0
    if not above.any():
        raise Missing("no concentration is above the limit of quantification")
    if include is not None and include.any():
        chosen = include & above
        if chosen.sum() < 2:
            raise Missing(f"{int(chosen.sum())} of the points chosen for lambda_z are quantifiable; 2 are needed")
        fit = regression(t[chosen], c[chosen])
        if not fit.lambda_z > 0:
            raise Missing("the concentration does not fall over the points chosen for lambda_z")
        return fit
    tmax = t[int(np.argmax(c))]
    usable = above & (t > after) & ((t >= tmax) if with_tmax else (t > tmax))
    if exclude is not None:
        usable &= ~exclude
    x, y = t[usable], c[usable]
    if len(x) < settings.min_points:
        where = "from Tmax on" if with_tmax else "after Tmax"
        raise Missing(f"{len(x)} quantifiable points {where}; lambda_z needs {settings.min_points}")
    if np.all(y == y[0]):
        raise Missing("the concentrations after Tmax are all equal")
    fits = [regression(x[-n:], y[-n:]) for n in range(settings.min_points, len(x) + 1)]
    fits = [f for f in fits if np.isfinite(f.adj_r2)]
    falling = [f for f in fits if f.lambda_z > 0]
    if not falling:
        raise Missing("no regression over terminal points falls")
    best = max(f.adj_r2 for f in (falling if settings.falling_only else fits))
    near = [f for f in falling if f.adj_r2 > best - settings.r2_tolerance or f.adj_r2 == best]
    if not near:
        raise Missing("the best regression over terminal points rises, and no falling one is within its tolerance")
    return max(near, key=lambda f: f.n)
