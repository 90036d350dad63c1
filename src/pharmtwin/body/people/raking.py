"""Weights that make a cohort match stated marginals (a trial's table 1), as little changed as possible.

Of all weights that meet the targets, raking takes those nearest to the starting weights (Kullback-Leibler): each is
the starting weight times exp(sum of multipliers x features). For shares of categories alone this is what iterative
proportional fitting converges to (Deming and Stephan 1940); means and standard deviations are met in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pharmtwin.body.equations import Floats

STEPS = 200
TOLERANCE = 1e-9

#: category -> share, or (mean, sd or None) of a numeric column
Target = Mapping[str, float] | tuple[float, float | None]


@dataclass(frozen=True)
class Raked:
    """Weights (n,) of mean 1, and how good they are.

    table : column, statistic, start, target, reached. effective_n : (sum w)^2 / sum w^2. iterations : Newton steps.
    largest_deviation : over the targets, in sd of the column (shares: absolute). n_trimmed : rows at the cap.
    """

    weights: Floats
    table: pd.DataFrame
    effective_n: float
    iterations: int
    largest_deviation: float
    n_trimmed: int


def rake(
    rows: pd.DataFrame,
    targets: Mapping[str, Target],
    *,
    start: str = "weight",
    trim: float | None = None,
    least_effective: float = 0.01,
) -> Raked:
    """Weights of ``rows`` that meet ``targets``.

    Parameters
    ----------
    rows : one row a person. targets : column -> {category: share} (shares sum to 1; categories not named get none)
        or (mean, sd) of a numeric column, sd None: free.
    start : column of the starting weights; all 1 if there is none.
    trim : largest weight allowed, as a multiple of the mean weight; capped rows stay there, the others are raked again,
        and what the cap leaves unmet stands in ``largest_deviation``.
    least_effective : least effective sample size as a share of the rows that is still taken as an answer.

    Raises
    ------
    ValueError : missing values, unknown column or category, a mean or sd that no weights can reach, effective sample
        size below ``least_effective``.
    """
    base = rows[start].to_numpy(dtype=float) if start in rows else np.ones(len(rows))
    if not (np.isfinite(base) & (base >= 0)).all() or base.sum() <= 0:
        raise ValueError(f"starting weights in {start!r} must be numbers of at least 0, not all 0")
    features, goals, labels = _features(rows, targets)
    keep = base > 0
    for column, gone in _excluded(rows, targets):
        if not gone.any():
            continue
        keep &= ~gone
        if not keep.any():
            raise ValueError(f"nobody is left in the categories of {column} and those before")
    base = np.where(keep, base, 0.0)
    weights, steps, capped = _solve(features, goals, base, trim, labels)
    weights /= weights.mean()
    reached = features.T @ weights / weights.sum()
    deviation = float(np.abs(reached - goals).max())
    effective = float(weights.sum() ** 2 / (weights @ weights))
    if effective < least_effective * len(rows):
        raise ValueError(
            f"the targets leave an effective sample size of {effective:.1f} of {len(rows)} rows; they are out of reach "
            "of this cohort: draw it nearer to them or widen it"
        )
    return Raked(weights, _table(rows, targets, base, weights), effective, steps, deviation, capped)


def _excluded(rows: pd.DataFrame, targets: Mapping[str, Target]) -> list[tuple[str, np.ndarray]]:
    """Rows whose category has no share."""
    out = []
    for column, target in targets.items():
        if isinstance(target, Mapping):
            wanted = [c for c, s in target.items() if s > 0]
            out.append((column, ~rows[column].astype(str).isin(wanted).to_numpy()))
    return out


def _features(rows: pd.DataFrame, targets: Mapping[str, Target]) -> tuple[Floats, Floats, list[str]]:
    """Features (n, k) that are to average to the goals (k,), and their names."""
    parts: list[Floats] = []
    goals: list[float] = []
    labels: list[str] = []
    for column, target in targets.items():
        if column not in rows or rows[column].isna().any():
            raise ValueError(f"column {column!r} is missing, or misses values")
        if isinstance(target, Mapping):
            shares = np.array(list(target.values()), dtype=float)
            if (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
                raise ValueError(f"shares of {column} must be at least 0 and sum to 1, not {dict(target)}")
            text = rows[column].astype(str).to_numpy()
            for category, share in target.items():
                if share > 0 and not (text == str(category)).any():
                    raise ValueError(f"nobody has {column} = {category!r}, of which {share:g} are wanted")
                parts.append((text == str(category)).astype(float))
                goals.append(float(share))
                labels.append(f"share of {column} = {category}")
            continue
        x = rows[column].to_numpy(dtype=float)
        mean, sd = float(target[0]), target[1]
        if not x.min() < mean < x.max():
            raise ValueError(f"mean {mean:g} of {column} is out of reach: the rows go from {x.min():g} to {x.max():g}")
        scale = float(x.std()) or 1.0
        parts.append((x - mean) / scale)
        goals.append(0.0)
        labels.append(f"mean of {column}")
        if sd is not None:
            most = float(np.sqrt((x.max() - mean) * (mean - x.min())))
            if not 0 < sd < most:
                raise ValueError(f"sd {sd:g} of {column} is out of reach: with mean {mean:g} it is at most {most:g}")
            parts.append(((x - mean) / scale) ** 2 - (float(sd) / scale) ** 2)
            goals.append(0.0)
            labels.append(f"sd of {column}")
    if not parts:
        raise ValueError("no targets")
    return np.column_stack(parts), np.array(goals), labels


def _solve(
    features: Floats, goals: Floats, base: Floats, trim: float | None, labels: list[str]
) -> tuple[Floats, int, int]:
    """Weights that sum to 1, Newton steps, rows at the cap."""
    cap = np.inf if trim is None else trim / len(base)
    if cap * len(base) <= 1.0:
        raise ValueError("trim must be above 1: it is a multiple of the mean weight")
    fixed = np.zeros(len(base), dtype=bool)
    steps = 0
    while True:
        free, held = ~fixed, cap * fixed.sum() if fixed.any() else 0.0
        aim = (goals - cap * features[fixed].sum(axis=0)) / (1.0 - held) if fixed.any() else goals
        weights, more, met = _tilt(features[free], aim, base[free])
        steps += more
        if not met and trim is None:
            gap = features[free].T @ weights - aim
            worst = labels[int(np.argmax(np.abs(gap)))]
            raise ValueError(f"no weights meet the targets together; the nearest miss is the {worst}")
        out = np.full(len(base), cap if fixed.any() else 0.0)
        out[free] = weights * (1.0 - held)
        over = free & (out > cap * (1 + 1e-9))
        if not over.any():
            return out, steps, int(fixed.sum())
        fixed |= over
        if cap * fixed.sum() >= 1.0 or not (base[~fixed] > 0).any():
            raise ValueError(f"weights of at most {trim} times the mean cannot come near the targets: allow larger")


def _tilt(features: Floats, goals: Floats, base: Floats) -> tuple[Floats, int, bool]:
    """Exponential tilting by Newton's method with halved steps: weights (sum 1), steps, whether the goals are met."""
    centred = features - goals
    start = np.log(np.where(base > 0, base, 1e-300) / base.sum())

    def state(multipliers: Floats) -> tuple[float, Floats]:
        exponent = start + centred @ multipliers
        top = exponent.max()
        raw = np.exp(exponent - top) * (base > 0)
        return float(top + np.log(raw.sum())), raw / raw.sum()

    multipliers = np.zeros(features.shape[1])
    value, weights = state(multipliers)
    for step in range(1, STEPS + 1):
        gradient = centred.T @ weights
        if np.abs(gradient).max() < TOLERANCE:
            return weights, step - 1, True
        spread = (centred * weights[:, None]).T @ centred - np.outer(gradient, gradient)
        direction = -np.linalg.lstsq(spread + 1e-14 * np.eye(len(goals)), gradient, rcond=1e-12)[0]
        size = 1.0
        while size > 1e-8:
            trial, tilted = state(multipliers + size * direction)
            lower = trial <= value + 1e-4 * size * float(gradient @ direction)
            if lower or np.abs(centred.T @ tilted).max() < TOLERANCE:
                break
            size /= 2
        else:
            return weights, step, False
        multipliers, value, weights = multipliers + size * direction, trial, tilted
    return weights, STEPS, False


def _table(rows: pd.DataFrame, targets: Mapping[str, Target], base: Floats, weights: Floats) -> pd.DataFrame:
    out: list[list[object]] = []
    for column, target in targets.items():
        if isinstance(target, Mapping):
            text = rows[column].astype(str).to_numpy()
            for category, share in target.items():
                at = text == str(category)
                reached = weights[at].sum() / weights.sum()
                out.append([column, f"share of {category}", base[at].sum() / base.sum(), share, reached])
            continue
        x = rows[column].to_numpy(dtype=float)
        for statistic, wanted in (("mean", target[0]), ("sd", target[1])):
            if wanted is not None:
                before, after = (_statistic(x, w, statistic) for w in (base, weights))
                out.append([column, statistic, before, float(wanted), after])
    return pd.DataFrame(out, columns=["column", "statistic", "start", "target", "reached"])


def _statistic(x: Floats, w: Floats, statistic: str) -> float:
    mean = float(w @ x / w.sum())
    return mean if statistic == "mean" else float(np.sqrt(w @ (x - mean) ** 2 / w.sum()))
