"""Predicted beside observed, as tables: profiles, ratios, and the figures by which they are judged.

A point of a profile counts if it lies after the first dose of the observed drug and both concentrations are above 0
(prediction: above 1e-9 mg/L); the others are counted. AUC of a profile is the trapezoid over the times of its points,
the same on both sides, and Cmax the largest at those times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.evaluation.metrics import afe, gmfe, share_within, within_guest
from pharmtwin.qualification.judging.interval_arms import base_name
from pharmtwin.qualification.judging.intervals import Interval, between_studies, interval, limits
from pharmtwin.qualification.simulation.questions import ProfileAnswer, RatioAnswer
from pharmtwin.qualification.study import Arm, Profile, Ratio
from pharmtwin.uncertainty.spread import Spread

Floats = NDArray[np.float64]
LEAST = 1e-9  # mg/L: a prediction below it has no fold error
FOLDS = (1.25, 1.5, 2.0)
DELTAS = (1.0, 1.25)
FEWEST = 10  # observations of the building set that tell a spread between studies


@dataclass(frozen=True)
class Pair:
    """A profile with its prediction, point by point. kept : points that count."""

    profile: Profile
    answer: ProfileAnswer
    kept: NDArray[np.bool_]

    @property
    def observed(self) -> Floats:
        """Concentrations (mg/L) of the points that count."""
        return self.profile.concentration[self.kept]

    @property
    def predicted(self) -> Floats:
        """Predicted concentrations (mg/L) of the points that count."""
        return self.answer.concentration[self.kept]


def pair(profile: Profile, answer: ProfileAnswer) -> Pair:
    """A profile beside its prediction."""
    first = min(e.time for e in profile.arm.dosings[0].events)
    with np.errstate(invalid="ignore"):
        kept = (profile.time > first) & (profile.concentration > 0) & (answer.concentration > LEAST)
    return Pair(profile, answer, kept)


def exposures(of: Pair, concentration: Floats) -> tuple[float, float]:
    """AUC (mg h/L) and Cmax (mg/L) over the points that count; nan with fewer than two."""
    if of.kept.sum() < 2:
        return math.nan, math.nan
    values = concentration[of.kept]
    return float(np.trapezoid(values, of.profile.time[of.kept])), float(values.max())


def names(arm: Arm) -> tuple[str, str]:
    """Names of the first drug of an arm and of the other ones; parts of a racemate (_R, _S) are one name."""
    own = [base_name(d.drug) for d in arm.dosings]
    return own[0], ", ".join(dict.fromkeys(x for x in own[1:] if x != own[0]))


def profile_table(
    pairs: Sequence[Pair], draws: Mapping[str, Sequence[ProfileAnswer]], roles: Mapping[str, str], spread: Spread
) -> tuple[pd.DataFrame, dict[str, float]]:
    """One row a profile, and the sd between studies of AUC and Cmax that its intervals hold (from building profiles).

    draws : answers of every draw by profile id (none: no intervals). roles : building, else verification.
    """
    rows = []
    for p in pairs:
        drug, others = names(p.profile.arm)
        row: dict[str, object] = {
            "id": p.profile.id, "drug": drug, "others": others, "analyte": " + ".join(p.profile.compounds),
            "study": p.profile.study, "route": p.profile.arm.dosings[0].route,
            "role": roles.get(p.profile.id, "verification"), "n": p.profile.n, "points": len(p.observed),
            "points_left_out": int(len(p.kept) - p.kept.sum()), "problem": p.answer.problem,
        }  # fmt: skip
        if len(p.observed):
            row |= {"GMFE": gmfe(p.predicted, p.observed), "AFE": afe(p.predicted, p.observed)}
        observed, predicted = exposures(p, p.profile.concentration), exposures(p, p.answer.concentration)
        drawn = np.array([exposures(p, d.concentration) for d in draws.get(p.profile.id, ())]).reshape(-1, 2)
        for k, q in enumerate(("AUC", "Cmax")):
            row |= {f"{q}_observed": observed[k], f"{q}_predicted": predicted[k]}
            row[f"{q}_sd_draws"] = interval(predicted[k], drawn[:, k], 0.0).sd_draws
        rows.append(row)
    table = pd.DataFrame(rows)
    between = {}
    for q in ("AUC", "Cmax"):
        if table.empty:
            break
        mine = table[(table["role"] == "building") & table[f"{q}_sd_draws"].notna() & (table[f"{q}_observed"] > 0)]
        logs = np.log(mine[f"{q}_predicted"].to_numpy(float) / mine[f"{q}_observed"].to_numpy(float))
        mine_sds = mine[f"{q}_sd_draws"].to_numpy(float)
        between[q] = between_studies(logs.tolist(), mine_sds.tolist()) if len(mine) >= FEWEST else spread.few
        values = table[[f"{q}_predicted", f"{q}_sd_draws"]].to_numpy(float)
        ends = [limits(v, sd, between[q]) for v, sd in values.tolist()]
        table[f"{q}_low"], table[f"{q}_high"] = zip(*ends)
    return table, between


def ratio_table(
    ratios: Sequence[Ratio],
    answers: Sequence[RatioAnswer],
    draws: Mapping[str, Sequence[RatioAnswer]],
    spread: Spread,
    building: Collection[str] = (),
) -> pd.DataFrame:
    """One row a ratio: observed, predicted, interval, PK-Sim's prediction.

    building : ids that something is fitted on.
    """
    rows = []
    for r, a in zip(ratios, answers, strict=True):
        victim, others = names(r.test)
        role = "building" if r.id in building else "verification"
        row: dict[str, object] = {
            "id": r.id, "use_case": r.use_case, "study": r.study, "analyte": r.analyte, "victim": victim,
            "others": others, "route": r.test.dosings[0].route, "n": r.n, "role": role,
            "flag": r.flag, "problem": a.problem,
        }  # fmt: skip
        values = (("AUC", r.auc, a.auc, r.peer_auc), ("Cmax", r.cmax, a.cmax, r.peer_cmax))
        for q, observed, predicted, peer in values:
            drawn = [getattr(d, q.lower()) for d in draws.get(r.id, ())]
            between = spread.ratio_studies if q == "AUC" else spread.ratio_studies_cmax
            found: Interval = interval(predicted, drawn, between)
            row |= {f"{q}_observed": observed, f"{q}_predicted": predicted, f"{q}_peer": peer,
                    f"{q}_sd_draws": found.sd_draws, f"{q}_low": found.low, f"{q}_high": found.high}  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Figures:
    """How n predictions fare: GMFE, AFE, shares within FOLDS and Guest's limits (DELTAS), coverage of the intervals."""

    n: int
    gmfe: float
    afe: float
    within: tuple[float, ...]
    guest: tuple[float, ...]
    coverage: float
    n_intervals: int


def judge(table: pd.DataFrame, quantity: str = "AUC", column: str = "predicted") -> Figures:
    """Figures of the rows that have an observed value and a prediction above 0.

    column : ``predicted``, or ``peer`` for PK-Sim's (without coverage).
    """
    pair_ = table[[f"{quantity}_observed", f"{quantity}_{column}"]].to_numpy(float) if len(table) else np.zeros((0, 2))
    with np.errstate(invalid="ignore"):
        good = (pair_ > 0).all(axis=1) & np.isfinite(pair_).all(axis=1)
    obs, pred = pair_[good].T
    if not len(obs):
        nan = math.nan
        return Figures(0, nan, nan, (nan,) * len(FOLDS), (nan,) * len(DELTAS), nan, 0)
    covered, n_intervals = math.nan, 0
    if column == "predicted" and f"{quantity}_low" in table:
        low, high = (table[f"{quantity}_{x}"].to_numpy(float)[good] for x in ("low", "high"))
        known = np.isfinite(low)
        n_intervals = int(known.sum())
        inside = (obs >= low) & (obs <= high)
        covered = float(inside[known].mean()) if n_intervals else math.nan
    return Figures(
        len(obs), gmfe(pred, obs), afe(pred, obs), tuple(share_within(pred, obs, f) for f in FOLDS),
        tuple(float(within_guest(pred, obs, d).mean()) for d in DELTAS), covered, n_intervals,
    )  # fmt: skip


def both(table: pd.DataFrame, quantity: str = "AUC") -> tuple[Figures, Figures]:
    """Ours and PK-Sim's on the rows that both predict and somebody observed."""
    if table.empty:
        return judge(table, quantity), judge(table, quantity, "peer")
    columns = [f"{quantity}_{x}" for x in ("observed", "predicted", "peer")]
    rows = np.flatnonzero((table[columns].to_numpy(float) > 0).all(axis=1))
    common = table.iloc[rows]
    return judge(common, quantity), judge(common, quantity, "peer")


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Rows without a flag: what is flagged is shown, never judged."""
    return table[table["flag"] == ""] if len(table) else table


def outside_guest(table: pd.DataFrame, delta: float = 1.25) -> pd.DataFrame:
    """Rows whose AUC ratio (Cmax where no AUC was observed) lies outside Guest's limits, or has no prediction."""
    if table.empty:
        return table

    def out(row: pd.Series) -> bool:
        q = "AUC" if row["AUC_observed"] > 0 else "Cmax"
        if not row[f"{q}_predicted"] > 0:
            return True
        return not bool(within_guest([row[f"{q}_predicted"]], [row[f"{q}_observed"]], delta)[0])

    return table[[out(row) for _, row in table.iterrows()]]


def points(pairs: Iterable[Pair]) -> pd.DataFrame:
    """Every point that counts: drug, profile, time, observed, predicted (mg/L)."""
    frames = [
        pd.DataFrame(
            {
                "drug": names(p.profile.arm)[0],
                "id": p.profile.id,
                "time_h": p.profile.time[p.kept],
                "observed": p.observed,
                "predicted": p.predicted,
            }
        )
        for p in pairs
    ]
    empty = pd.DataFrame(columns=["drug", "id", "time_h", "observed", "predicted"])
    return pd.concat(frames, ignore_index=True) if frames else empty


def by_drug(table: pd.DataFrame, all_points: pd.DataFrame) -> pd.DataFrame:
    """Drug and role: profiles, points, GMFE of points and of AUC, share of AUC in 2-fold, coverage."""
    rows = []
    for (drug, role), part in table.groupby(["drug", "role"]) if len(table) else ():
        mine = all_points[all_points["id"].isin(part["id"])]
        area, top = judge(part, "AUC"), judge(part, "Cmax")
        rows.append(
            {
                "drug": drug, "role": role, "profiles": len(part), "points": len(mine),
                "GMFE": gmfe(mine["predicted"], mine["observed"]) if len(mine) else math.nan,
                "AFE": afe(mine["predicted"], mine["observed"]) if len(mine) else math.nan,
                "AUC_GMFE": area.gmfe, "AUC_within_2": area.within[2], "Cmax_GMFE": top.gmfe,
                "AUC_coverage": area.coverage, "Cmax_coverage": top.coverage,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def by(table: pd.DataFrame, keys: Sequence[str], quantity: str = "AUC") -> pd.DataFrame:
    """Figures of ratios by columns, PK-Sim's beside on the rows that it predicts."""
    rows = []
    judge_of: Callable[[pd.DataFrame], Figures] = lambda t: judge(t, quantity)  # noqa: E731
    for key, part in judged(table).groupby(list(keys)) if len(table) else ():
        own, (ours, peer) = judge_of(part), both(part, quantity)
        rows.append(
            {
                **dict(zip(keys, key if isinstance(key, tuple) else (key,))), "n": own.n, "GMFE": own.gmfe,
                "AFE": own.afe, "within_1.25": own.within[0], "within_1.5": own.within[1], "within_2": own.within[2],
                "Guest_1": own.guest[0], "Guest_1.25": own.guest[1], "coverage": own.coverage, "n_peer": peer.n,
                "GMFE_same_rows": ours.gmfe, "GMFE_peer": peer.gmfe, "within_2_peer": peer.within[2],
                "Guest_1_peer": peer.guest[0], "Guest_1.25_peer": peer.guest[1],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
