"""A dose found for one person, and the words and tables that tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.dose.choice import Choice, choose, evaluate, refusal
from pharmtwin.inference.dose.exposure import STEADY, exposure, intervals_of_a_day, metric
from pharmtwin.inference.dose.files import Asked
from pharmtwin.inference.dose.next_sample import next_sample
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.dose.regimens import Licence, Regimen, regimens

Floats = NDArray[np.float64]
#: sampling times tried, about so many, and h between them
CANDIDATES = 24
STEPS = (1.0, 2.0, 4.0, 8.0)
#: below this share of the variance a sample is not worth its while
LITTLE = 0.1
#: share of the draws at steady state below which the reader is told
SETTLED = 0.9
LEAST_DRAWS = 100


@dataclass(frozen=True)
class Answer:
    """What was found: ``table`` of all regimens, the choice, its exposure (``profile``), times of a next sample."""

    choice: Choice
    table: pd.DataFrame
    profile: pd.DataFrame
    samples: pd.DataFrame


def find_dose(
    person: Person, licence: Licence, asked: Asked, against: Sequence[str], rng: np.random.Generator, lloq: float = 0.0,
    threads: int = 1,
) -> Answer:  # fmt: skip
    """Look through a licence's regimens. ``against``: why no dose may rest on this person's draws at all.

    Raises ValueError where the licence allows no dose.
    """
    goal = asked.goal
    candidates = regimens(licence, asked.horizon)
    nothing = pd.DataFrame()
    if against:
        return Answer(refusal(against), nothing, nothing, nothing)
    table = evaluate(person, candidates, goal, threads)
    choice = choose(table, candidates, goal)
    about = choice.regimen or choice.nearest
    assert about is not None
    output = goal.output or person.model.outputs[0].name
    last = exposure(person, about, output, threads)
    rows = [{"metric": m, **_quantiles(metric(last, m))} for m in ("AUC24", "Cmax", "Ctrough")]
    wanted = metric(last, goal.metric, goal.level)
    wanted = np.log(wanted) if np.all(wanted[np.isfinite(wanted)] > 0) else wanted
    return Answer(choice, table, pd.DataFrame(rows), _samples(person, about, wanted, output, rng, lloq))


def _quantiles(values: Floats) -> dict[str, float]:
    good = values[np.isfinite(values)]
    q = np.quantile(good, (0.05, 0.5, 0.95)) if len(good) else (np.nan,) * 3
    return dict(zip(("q05", "q50", "q95"), map(float, q), strict=True))


def _samples(
    person: Person, regimen: Regimen, wanted: Floats, output: str, rng: np.random.Generator, lloq: float
) -> pd.DataFrame:
    """Times within a day or the first interval, not during an infusion; now only where something was given before."""
    window = max(regimen.interval, 24.0)
    step = next((s for s in STEPS if s * CANDIDATES >= window), window / CANDIDATES)
    grid = np.arange(0.0, window + 1e-9, step)
    since = grid % regimen.interval  # the last dose; 0: just before the next
    times = grid[(grid > 0) & ((since == 0) | (since > regimen.duration))]
    if person.past is not None and person.past.doses:
        times = np.array([0.0, *times])
    known = wanted[np.isfinite(wanted)]
    if not len(times) or len(known) < 2 or np.ptp(known) == 0:
        return pd.DataFrame({"time_h": [], "q50": [], "variance_removed": []})
    first = replace(regimen, n_doses=intervals_of_a_day(regimen.interval))
    return next_sample(person, first.doses(person.model), times, wanted, output, rng, lloq)


# ---- words


def words(answer: Answer, asked: Asked, unit: str) -> list[str]:
    """The answer as lines: goal, the regimens around the choice, the choice or the refusal, the next sample."""
    goal, choice = asked.goal, answer.choice
    harmful, limit = goal.harmful
    area = f"{unit} h" if unit else "concentration x h"
    told = {"AUC": area, "AUC24": area, "time_above": f"of the interval above {goal.level:g} {unit}"}
    window = f"at least {goal.low:g}" + (f" (window to {goal.high:g})" if np.isfinite(goal.high) else "")
    harm = f"{harmful} above {limit:g}" if np.isfinite(limit) else "not defined, so only solves that failed count"
    lines = [
        "goal",
        f"  {goal.metric} of {goal.output} {window} {told.get(goal.metric, unit)}, with probability {goal.efficacy:g}",
        f"  harm: {harm}, with probability {goal.harm:g} at most",
        f"  judged in the interval in which hour {asked.horizon:g} from the first dose falls (its last dose's)",
    ]
    if asked.source:
        lines.append(f"  source: {asked.source}")
    if len(answer.table):
        lines += ["", "regimens (by daily dose; those around the answer)", _around(answer)]
    lines += ["", "PROPOSAL" if choice.regimen else "NO PROPOSAL", f"  {choice.reason}"]
    about = choice.regimen or choice.nearest
    if about is None:
        return lines
    if choice.regimen and about.made_of:
        lines.append(f"  each dose: {about.made_of}")
    row = answer.table[answer.table.regimen == about.name].iloc[0]
    error = float(np.sqrt(row.p_reach * (1 - row.p_reach) / row.draws))
    lines.append(f"  chances are shares of {int(row.draws)} draws: that of reaching is known to +- {error:.3f}")
    if row.failed:
        lines.append(f"  {int(row.failed)} draws could not be solved; they count as missed and as harmed")
    if not row.settled >= SETTLED:
        said = "too few doses to tell" if np.isnan(row.settled) else f"{row.settled:.0%} of the draws"
        lines.append(f"  at steady state (within {STEADY:.0%}) then: {said}; later intervals differ from this one")
    lines += [f"  {r.metric}: {r.q50:.4g} ({r.q05:.4g} to {r.q95:.4g}, 90 %)" for r in answer.profile.itertuples()]
    return [*lines, "", *_next(answer.samples, asked, about, unit)]


def _around(answer: Answer, each: int = 4) -> str:
    about = answer.choice.regimen or answer.choice.nearest
    assert about is not None
    k = int(np.flatnonzero(answer.table.regimen == about.name)[0])
    part = answer.table.iloc[max(k - each, 0) : k + each + 1]
    shown = part[["regimen", "daily_mg", "q05", "q50", "q95", "p_below", "p_reach", "p_harm"]].copy()
    shown.insert(0, "", [">" if n == about.name else "" for n in shown.regimen])
    return shown.to_string(index=False, float_format=lambda v: f"{v:.4g}")


def _next(samples: pd.DataFrame, asked: Asked, regimen: Regimen, unit: str) -> list[str]:
    if not len(samples):
        return ["NEXT SAMPLE", "  nothing is left to learn about the goal from samples"]
    best = samples.iloc[0]
    when = f"{best.time_h:g} h after the first dose" if best.time_h else "now, before the first dose"
    lines = ["NEXT SAMPLE"]
    if best.variance_removed < LITTLE:
        lines.append(f"  no single sample of the first {samples.time_h.max():g} h tells much about {asked.goal.metric}")
    removed = f"expected to remove {best.variance_removed:.0%} of the variance of {asked.goal.metric}"
    lines.append(f"  {when} (about {best.q50:.3g} {unit}): {removed} under {regimen.name}")
    near = samples[samples.variance_removed >= best.variance_removed - 0.05].time_h
    return [*lines, f"  nearly as good: {', '.join(f'{t:g}' for t in sorted(near))} h"] if len(near) > 1 else lines
