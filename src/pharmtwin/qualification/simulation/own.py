"""Our own collection of published exposures and profiles beside what the library predicts of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pharmtwin.qualification.fitting.exposures import (
    ObservedExposure,
    exposure_jobs,
    exposure_value,
    read_exposures,
    read_own_profiles,
)
from pharmtwin.qualification.judging.score import by_drug, names, pair, points, profile_table
from pharmtwin.qualification.plan import Plan
from pharmtwin.qualification.simulation.everything import taken
from pharmtwin.qualification.simulation.questions import ProfileAnswer, Question, World, answer
from pharmtwin.qualification.simulation.runs import run_jobs
from pharmtwin.qualification.study import LeftOut


@dataclass(frozen=True)
class Own:
    """exposures : observed and predicted, a row each. profiles_by_drug : as ``score.by_drug``."""

    exposures: pd.DataFrame
    profiles_by_drug: pd.DataFrame
    left_out: tuple[LeftOut, ...]


def own_tables(world: World, plan: Plan, drugs: Sequence[str] = (), workers: int = 1) -> Own:
    """Predict the tables ``observed/exposures.tsv`` and ``observed/own_profiles.tsv`` (drugs empty: of all drugs)."""
    rows, left = read_exposures(world.library)
    own, more = read_own_profiles(world.library)
    rows = [r for r in rows if taken(r.arm, drugs)]
    own = [(p, role) for p, role in own if taken(p.arm, drugs)]
    values, unsolved = predict_exposures(rows, world, workers)
    table = pd.DataFrame(
        [
            {"drug": names(r.arm)[0], "analyte": " + ".join(r.compounds), "study": r.study, "role": r.role,
             "route": r.arm.dosings[0].route, "dose_mg": r.dose, "quantity": r.quantity, "observed": r.value,
             "predicted": v, "ratio": v / r.value}
            for r, v in zip(rows, values, strict=True)
        ]
    )  # fmt: skip
    found, _ = answer([Question(p, world) for p, _ in own], workers=workers)
    pairs = [pair(p, a) for (p, _), a in zip(own, found, strict=True) if isinstance(a, ProfileAnswer)]
    profiles, _ = profile_table(pairs, {}, {p.id: role for p, role in own}, plan.spread)
    return Own(table, by_drug(profiles, points(pairs)), (*left, *more, *unsolved))


def predict_exposures(
    rows: Sequence[ObservedExposure], world: World, workers: int = 1
) -> tuple[list[float], list[LeftOut]]:
    """Predicted values in the order of the rows (nan where there is none), and why there is none."""
    asked, problems = [], {}
    for row in rows:
        try:
            asked.append(exposure_jobs(row, world))
        except (KeyError, ValueError) as error:
            asked.append(())
            problems[row.id] = str(error.args[0])
    curves, _ = run_jobs([j for jobs in asked for j in jobs], workers=workers)
    left = iter(curves)
    values = []
    for row, jobs in zip(rows, asked, strict=True):
        mine = [next(left) for _ in jobs]
        value = exposure_value(row, jobs, mine) if jobs else math.nan
        if math.isnan(value) and row.id not in problems:
            problems[row.id] = next((c.problem for c in mine if c.problem), "cannot be told from the curve")
        values.append(value)
    by_id = {r.id: r for r in rows}
    return values, [
        LeftOut(i, "exposures.tsv", f"{by_id[i].study} {by_id[i].quantity}", p) for i, p in problems.items()
    ]


def exposure_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Median ratio of predicted over observed and number of rows, by drug, analyte, role, route and quantity."""
    if table.empty:
        return table
    keys = ["drug", "analyte", "role", "route", "quantity"]
    return table.groupby(keys)["ratio"].agg(n="count", median="median", low="min", high="max").reset_index()
