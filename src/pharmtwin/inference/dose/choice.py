"""Which regimen: chances of reaching the target and of harm, the smallest adequate dose, or a refusal."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.dose.exposure import METRICS, exposures, metric
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.dose.regimens import Regimen
from pharmtwin.inference.twin.twin import Twin

Floats = NDArray[np.float64]
#: findings about samples that do not fit the person: no dose rests on them until the record has been checked
CONFLICTS = ("twin.prior_conflict", "twin.far_from_prior", "twin.outlier", "twin.contradiction")


@dataclass(frozen=True)
class Goal:
    """What a regimen shall do.

    ``metric`` of the interval at the end of the regimen (``exposure.METRICS``; time_above: share of the interval above
    ``level``) within ``low`` to ``high``. Harm: ``toxic_metric`` above ``toxic``; without these, ``metric`` above
    ``high``. Accepted are regimens that reach at least ``low`` with probability ``efficacy`` or more and do harm with
    ``harm`` or less.

    Raises ValueError with every fault, a line each.
    """

    metric: str
    low: float
    high: float = math.inf
    output: str = ""
    level: float = 0.0
    toxic_metric: str = ""
    toxic: float = math.inf
    efficacy: float = 0.9
    harm: float = 0.1

    def __post_init__(self) -> None:
        known = f"not one of {', '.join(METRICS)}"
        faults = [f"metric: {m!r} is {known}" for m in (self.metric,) if m not in METRICS]
        if self.toxic_metric and self.toxic_metric not in METRICS:
            faults.append(f"toxic_metric: {self.toxic_metric!r} is {known}")
        if bool(self.toxic_metric) != math.isfinite(self.toxic):
            faults.append("toxic_metric: and toxic belong together: what is harmful, and above which value")
        if not 0 <= self.low < self.high:
            faults.append(f"low: {self.low:g} and high: {self.high:g} are no window")
        if "time_above" in (self.metric, self.toxic_metric) and not self.level > 0:
            faults.append("level: time_above needs a concentration above 0")
        if self.metric == "time_above" and not self.low <= 1:
            faults.append(f"low: {self.low:g} is more than the whole interval, which is 1")
        if not 0 < self.efficacy <= 1:
            faults.append(f"efficacy: {self.efficacy:g} is no probability above 0")
        if not 0 <= self.harm <= 1:
            faults.append(f"harm: {self.harm:g} is no probability")
        if faults:
            raise ValueError("\n".join(faults))

    @property
    def harmful(self) -> tuple[str, float]:
        """What does harm, and above which value (infinity: nothing does)."""
        return (self.toxic_metric, self.toxic) if self.toxic_metric else (self.metric, self.high)


@dataclass(frozen=True)
class Choice:
    """The regimen, or None and why. ``nearest``: what comes nearest to the goal where there is none."""

    regimen: Regimen | None
    reason: str
    nearest: Regimen | None = None


def evaluate(person: Person, regimens: Sequence[Regimen], goal: Goal, threads: int = 1) -> pd.DataFrame:
    """A row a regimen: median and 90 % interval of the metric, chances (below, within, above the window, reach, harm).

    A draw whose solve failed counts as missed and as harmed. ``settled``: see ``exposure.Exposure``.
    """
    output = goal.output or person.model.outputs[0].name
    harmful, limit = goal.harmful
    rows = []
    for r, e in zip(regimens, exposures(person, regimens, output, threads), strict=True):
        m, t = metric(e, goal.metric, goal.level), metric(e, harmful, goal.level)
        solved = np.isfinite(m) & np.isfinite(t)
        q = np.quantile(m[solved], (0.05, 0.5, 0.95)) if solved.any() else (math.nan,) * 3
        rows.append(
            {
                "regimen": r.name, "made_of": r.made_of, "amount_mg": r.amount, "interval_h": r.interval,
                "daily_mg": r.daily, "metric": goal.metric, "q05": q[0], "q50": q[1], "q95": q[2],
                "p_below": float(np.mean(solved & (m < goal.low))), "p_reach": float(np.mean(solved & (m >= goal.low))),
                "p_within": float(np.mean(solved & (m >= goal.low) & (m <= goal.high))),
                "p_above": float(np.mean(solved & (m > goal.high))), "p_harm": float(np.mean(~solved | (t > limit))),
                "settled": e.settled, "failed": int((~solved).sum()), "draws": len(m),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def objections(twin: Twin, accepted: Collection[str] = ()) -> list[str]:
    """Why no dose should rest on this twin: what makes it unusable, and samples that do not fit the person.

    accepted : rules of :data:`CONFLICTS` whose records have been checked and stand. The others cannot be waved through.
    """
    waved = set(accepted) & set(CONFLICTS)
    against = [f for f in twin.findings if f.severity == "error" or (f.rule in CONFLICTS and f.rule not in waved)]
    out = [f"{f.what} ({f.rule})" for f in against]
    if not twin.posterior.trusted and not any(f.rule == "twin.not_trusted" for f in against):
        out.append("the posterior passes no check of its own")
    return out


def refusal(against: Sequence[str]) -> Choice:
    """No dose, whatever the regimens would do; see :func:`objections`."""
    return Choice(None, "no dose is proposed: " + "; ".join(against))


def choose(table: pd.DataFrame, regimens: Sequence[Regimen], goal: Goal) -> Choice:
    """The smallest adequate daily dose (then the longest interval), or a refusal that says why.

    table : of :func:`evaluate`. regimens : in the same order, by daily amount.
    """
    reach, harm = table.p_reach.to_numpy(), table.p_harm.to_numpy()
    enough, safe = reach >= goal.efficacy, harm <= goal.harm
    good = np.flatnonzero(enough & safe)
    if len(good):
        k, why = int(good[0]), ""
    elif not enough.any():
        k, why = int(reach.argmax()), f"none reaches {goal.metric} {goal.low:g} with probability {goal.efficacy:g}"
    elif not safe.any():
        k, why = int(harm.argmin()), f"each does harm with a probability above {goal.harm:g}"
    else:
        k, why = int((reach - harm).argmax()), "what reaches the target does harm too often"
    chances = (
        f"{regimens[k].name} reaches {goal.low:g} with probability {reach[k]:.2f} and does harm with {harm[k]:.2f}"
    )
    if not why:
        return Choice(regimens[k], chances)
    return Choice(None, f"no regimen qualifies: {why}; the nearest: {chances}", regimens[k])
