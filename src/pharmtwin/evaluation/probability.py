"""Predicted probabilities of events against what happened: Brier score, concordance, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
ITERATIONS = 100


def _events(probability: ArrayLike, happened: ArrayLike) -> tuple[Array, Array]:
    p, y = np.asarray(probability, dtype=float), np.asarray(happened, dtype=float)
    if p.shape != y.shape or p.ndim != 1 or not len(p):
        raise ValueError(f"probability {p.shape} and happened {y.shape} must be two vectors of one length, at least 1")
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("probabilities lie between 0 and 1")
    if not np.all((y == 0) | (y == 1)):
        raise ValueError("an event happened (1) or did not (0)")
    return p, y


def brier(probability: ArrayLike, happened: ArrayLike) -> float:
    """Mean square of probability less outcome (Brier 1950); 0 is perfect, 0.25 is a coin."""
    p, y = _events(probability, happened)
    return float(np.mean((p - y) ** 2))


@dataclass(frozen=True)
class BrierParts:
    """Brier score = reliability - resolution + uncertainty, exactly, over groups of equal probability."""

    reliability: float
    resolution: float
    uncertainty: float


def brier_parts(probability: ArrayLike, happened: ArrayLike) -> BrierParts:
    """Murphy's decomposition (Murphy 1973, doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2)."""
    p, y = _events(probability, happened)
    values, group = np.unique(p, return_inverse=True)
    n = np.bincount(group)
    rate, base = np.bincount(group, weights=y) / n, float(y.mean())
    share = n / len(p)
    return BrierParts(float(share @ (values - rate) ** 2), float(share @ (rate - base) ** 2), base * (1 - base))


def c_statistic(probability: ArrayLike, happened: ArrayLike) -> float:
    """Share of pairs, one with the event and one without, ordered rightly; ties half (area under the ROC curve).

    nan where all or none had the event.
    """
    p, y = _events(probability, happened)
    _, rank, count = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2  # mid-ranks
    n1 = int(y.sum())
    n0 = len(y) - n1
    if n1 == 0 or n0 == 0:
        return float("nan")
    return float((middle[rank][y == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def harrell_c(risk: ArrayLike, time: ArrayLike, event: ArrayLike) -> float:
    """Harrell's concordance of a risk with times that may be censored (``event`` 0); ties of the risk half.

    A pair counts where the shorter time ended in an event, or of equal times one did (Harrell 1996,
    doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4). nan without such pairs.
    """
    r, t, e = (np.asarray(x, dtype=float) for x in (risk, time, event))
    if not r.shape == t.shape == e.shape or r.ndim != 1:
        raise ValueError("risk, time and event must be three vectors of one length")
    right = total = 0.0
    for i in np.flatnonzero(e == 1):
        later = (t > t[i]) | ((t == t[i]) & (e == 0))
        total += float(later.sum())
        right += float((r[i] > r[later]).sum() + 0.5 * (r[i] == r[later]).sum())
    return right / total if total else float("nan")


@dataclass(frozen=True)
class Calibration:
    """Logistic recalibration: ``slope`` and ``intercept`` of outcome on logit(p) (1 and 0 are perfect), and
    ``in_the_large``: the intercept with the slope held at 1. nan where the data do not tell."""

    slope: float
    intercept: float
    in_the_large: float


def calibration(probability: ArrayLike, happened: ArrayLike) -> Calibration:
    """Calibration slope and intercept by maximum likelihood (Cox 1958, doi:10.2307/2333203).

    nan where all or none had the event, probabilities are all equal (slope), are 0 or 1, or part the outcomes
    completely.
    """
    p, y = _events(probability, happened)
    nan = float("nan")
    if not 0 < y.mean() < 1 or np.any((p == 0) | (p == 1)):
        return Calibration(nan, nan, nan)
    logit = np.log(p) - np.log1p(-p)
    large = _logistic(np.ones((len(p), 1)), y, logit)
    if np.ptp(logit) == 0:
        return Calibration(nan, nan, large[0])
    one, none = logit[y == 1], logit[y == 0]
    if one.min() >= none.max() or one.max() <= none.min():  # separated: the slope is infinite
        return Calibration(nan, nan, large[0])
    both = _logistic(np.column_stack([np.ones(len(p)), logit]), y, np.zeros(len(p)))
    return Calibration(both[1], both[0], large[0])


def _logistic(x: Array, y: Array, offset: Array) -> list[float]:
    """Coefficients by Newton's method with halved steps; nan where it does not converge."""
    beta = np.zeros(x.shape[1])

    def likelihood(b: Array) -> float:
        eta = x @ b + offset
        return float(y @ eta - np.logaddexp(0, eta).sum())

    now = likelihood(beta)
    for _ in range(ITERATIONS):
        mu = 1 / (1 + np.exp(-(x @ beta + offset)))
        information = x.T @ ((mu * (1 - mu))[:, None] * x)
        try:
            step = np.linalg.solve(information, x.T @ (y - mu))
        except np.linalg.LinAlgError:
            break
        while (ahead := likelihood(beta + step)) < now - 1e-12 * abs(now) and np.abs(step).max() > 1e-14:
            step = step / 2
        beta, now = beta + step, ahead
        if np.abs(step).max() < 1e-12 * max(1.0, float(np.abs(beta).max())):
            return [float(b) for b in beta]
    return [float("nan")] * x.shape[1]
