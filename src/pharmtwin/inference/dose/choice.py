"""Which regimen: chance of reaching the target and of harm under the posterior, the smallest dose that does, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.dose.forecast import Exposure, Person, exposure
from pharmtwin.inference.dose.regimens import Regimen

Floats = NDArray[np.float64]
METRICS = ("AUC", "AUC24", "Cmax", "Ctrough", "Cavg", "time_above")


@dataclass(frozen=True)
class Goal:
    """What a regimen shall do.

    ``metric`` of one interval at the end of the regimen (:data:`METRICS`; AUC24 is the area of a day; time_above the share
    of the interval above ``level``) within ``low`` to ``high``; ``toxic_metric`` above ``toxic`` is harm. Accepted are
    regimens that reach at least ``low`` with probability ``efficacy`` and do harm with at most ``harm``.
    """

    metric: str
    low: float
    high: float = float("inf")
    output: str = ""
    level: float = 0.0
    toxic_metric: str = ""
    toxic: float = float("inf")
    efficacy: float = 0.9
    harm: float = 0.1


@dataclass(frozen=True)
class Choice:
    """The regimen, or None and why; ``table``: every regimen with its chances."""

    regimen: Regimen | None
    reason: str
    table: pd.DataFrame


def metric(e: Exposure, name: str, interval: float, level: float = 0.0) -> Floats:
    """A metric of an interval, a draw each; raises KeyError for an unknown one."""
    if name not in METRICS:
        raise KeyError(f"unknown metric {name!r}; use one of {', '.join(METRICS)}")
    if name == "AUC24":
        return e.AUC * 24.0 / interval
    if name == "time_above":
        above = (e.curve > level).astype(float)
        return np.asarray(np.trapezoid(above, e.times, axis=1) / interval)
    return np.asarray(getattr(e, name))


def evaluate(person: Person, regimens: Sequence[Regimen], goal: Goal, threads: int = 1) -> pd.DataFrame:
    """A row a regimen: median and 90 % interval of the metric, chances (below, within, above the window, reach, harm).

    A draw whose solve failed counts as neither success nor safety: as missed and as harmed.
    """
    output = goal.output or person.model.outputs[0].name
    rows = []
    for r in regimens:
        e = exposure(person, r, output, threads)
        m = metric(e, goal.metric, r.interval, goal.level)
        t = metric(e, goal.toxic_metric or goal.metric, r.interval, goal.level)
        solved = np.isfinite(m) & np.isfinite(t)
        limit = goal.toxic if np.isfinite(goal.toxic) else goal.high
        q = np.quantile(m[solved], (0.05, 0.5, 0.95)) if solved.any() else (np.nan,) * 3
        rows.append(
            {
                "regimen": r.name, "amount_mg": r.amount, "interval_h": r.interval, "daily_mg": r.daily,
                "metric": goal.metric, "q05": q[0], "q50": q[1], "q95": q[2],
                "p_below": float(np.mean(solved & (m < goal.low))), "p_reach": float(np.mean(solved & (m >= goal.low))),
                "p_within": float(np.mean(solved & (m >= goal.low) & (m <= goal.high))),
                "p_above": float(np.mean(solved & (m > goal.high))), "p_harm": float(np.mean(~solved | (t > limit))),
                "settled": e.settled, "failed": int((~solved).sum()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def choose(table: pd.DataFrame, regimens: Sequence[Regimen], goal: Goal, objections: Sequence[str] = ()) -> Choice:
    """The smallest adequate daily dose (then the longest interval), or a refusal that says why.

    ``objections``: reasons against dosing by this twin at all (a posterior not to trust, conflicting samples).
    """
    if objections:
        return Choice(None, "no dose is proposed: " + "; ".join(objections), table)
    good = (table.p_reach >= goal.efficacy) & (table.p_harm <= goal.harm)
    if not good.any():
        reach, safe = table.p_reach >= goal.efficacy, table.p_harm <= goal.harm
        if not reach.any():
            best = table.loc[table.p_reach.idxmax()]
            why = f"none reaches {goal.metric} {goal.low:g} with probability {goal.efficacy:g}; the nearest is {best.regimen} ({best.p_reach:.2f})"
        elif not safe.any():
            best = table.loc[table.p_harm.idxmin()]
            why = f"each does harm with a probability above {goal.harm:g}; the least harmful is {best.regimen} ({best.p_harm:.2f})"
        else:
            best = table.loc[(table.p_reach - table.p_harm).idxmax()]
            why = (
                f"what reaches the target does harm too often: {best.regimen} reaches it with probability {best.p_reach:.2f} "
                f"and does harm with {best.p_harm:.2f}"
            )
        return Choice(None, f"no regimen qualifies: {why}", table)
    k = int(np.flatnonzero(good)[0])  # regimens come by daily dose
    row = table.iloc[k]
    words = (
        f"{row.regimen}: {goal.metric} {row.q50:.4g} ({row.q05:.4g} to {row.q95:.4g}), reaches {goal.low:g} with probability "
        f"{row.p_reach:.2f}, harm {row.p_harm:.2f}"
    )
    if row.settled < 0.9:
        words += f"; not yet at steady state in {1 - row.settled:.0%} of the draws"
    return Choice(regimens[k], words, table)
