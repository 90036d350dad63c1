"""Areas under a concentration curve and its first moment, by the trapezoids of a method; values between samples.

Concentrations are cleaned before (``curve``): a BLQ that was kept is exactly 0. Formulas as in Gabrielsson and Weiner,
Pharmacokinetic and Pharmacodynamic Data Analysis, and PKNCA (R/auc_integrate.R).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pharmtwin.nca.settings import METHODS

Floats = NDArray[np.float64]
EXTENTS = ("last", "all", "inf")


def last_index(c: Floats) -> int | None:
    """Index of the last value above 0, None if there is none."""
    above = np.flatnonzero(c > 0)
    return int(above[-1]) if len(above) else None


def logarithmic(t: Floats, c: Floats, method: str) -> NDArray[np.bool_]:
    """Which of the n - 1 segments are logarithmic; the others are linear."""
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}, not {method}")
    first, second = c[:-1], c[1:]
    defined = (first > 0) & (second > 0) & (first != second)
    if method == "linear":
        return np.zeros(len(first), dtype=bool)
    if method == "lin-up/log-down":
        return np.asarray(defined & (second < first))
    return np.asarray(defined & (t[1:] > t[int(np.argmax(c))]))


def segments(t: Floats, c: Floats, method: str, moment: bool = False) -> Floats:
    """Area of each segment, or of concentration times time, shape (n - 1,)."""
    logs = logarithmic(t, c, method)
    dt, c1, c2, t1, t2 = np.diff(t), c[:-1], c[1:], t[:-1], t[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.log(np.where(logs, c2, 1.0) / np.where(logs, c1, 1.0))
        if moment:
            out = np.where(logs, dt * (c2 * t2 - c1 * t1) / fall - dt**2 * (c2 - c1) / fall**2, 0.0)
            return np.asarray(np.where(logs, out, dt * (c1 * t1 + c2 * t2) / 2))
        return np.asarray(np.where(logs, dt * (c2 - c1) / fall, dt * (c1 + c2) / 2))


def area(
    t: Floats, c: Floats, method: str = "lin-up/log-down", extent: str = "last", *, moment: bool = False,
    lambda_z: float = float("nan"), clast: float = float("nan"),
) -> float:  # fmt: skip
    """AUC (or AUMC with ``moment``) of a curve that begins where the area does; shapes (n,), times ascending.

    ``extent`` "last": to the last value above 0; "all": and on to the next sample by a linear trapezoid; "inf": and
    extrapolated with ``lambda_z`` from ``clast`` (default: the last value above 0). 0 where all values are 0.
    Raises ValueError on an unknown extent or method.
    """
    if extent not in EXTENTS:
        raise ValueError(f"extent is one of {', '.join(EXTENTS)}, not {extent}")
    end = last_index(c)
    if end is None:
        return 0.0
    total = float(segments(t[: end + 1], c[: end + 1], method, moment).sum())
    if extent == "all" and end + 1 < len(t):
        total += float(segments(t[end : end + 2], c[end : end + 2], "linear", moment)[0])
    if extent == "inf":
        last = float(c[end]) if np.isnan(clast) else clast
        total += last / lambda_z if not moment else last * float(t[end]) / lambda_z + last / lambda_z**2
    return total


def value_at(t: Floats, c: Floats, at: float, method: str) -> float:
    """Concentration at a time within the samples, by the trapezoid of its segment; raises ValueError outside."""
    if not t[0] <= at <= t[-1]:
        raise ValueError(f"{at:g} lies outside the samples, {t[0]:g} to {t[-1]:g}")
    k = int(np.searchsorted(t, at))
    if t[k] == at:
        return float(c[k])
    share = (at - t[k - 1]) / (t[k] - t[k - 1])
    if logarithmic(t, c, method)[k - 1]:
        return float(c[k - 1] * (c[k] / c[k - 1]) ** share)
    return float(c[k - 1] + share * (c[k] - c[k - 1]))


def time_above(t: Floats, c: Floats, limit: float, method: str) -> float:
    """Time at or above a limit, up to the last sample, crossings by the trapezoid of their segment."""
    logs = logarithmic(t, c, method)
    total = 0.0
    for k, (c1, c2, dt) in enumerate(zip(c[:-1], c[1:], np.diff(t), strict=True)):
        if min(c1, c2) >= limit:
            total += dt
        elif max(c1, c2) >= limit:
            low, high = min(c1, c2), max(c1, c2)
            below = np.log(high / limit) / np.log(high / low) if logs[k] else (high - limit) / (high - low)
            total += dt * below
    return float(total)
