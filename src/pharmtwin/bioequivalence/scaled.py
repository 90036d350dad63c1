"""Scaling by the reference's variability: variances within subjects, EMA's expanding limits, FDA's linearised bound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pharmtwin.bioequivalence.linear import Fit, NotEstimable, columns, cross, dummies, fit_contrast, last, residual
from pharmtwin.bioequivalence.study import Study
from pharmtwin.facts import fact_table, fact_values

Floats = NDArray[np.float64]
#: how contrasts within subjects are pooled, and periods enter the variance of an arm
BY = ("sequences", "subjects")


@dataclass(frozen=True)
class Within:
    """Variance of one treatment within subjects, log scale: ``variance`` on ``df`` from ``subjects`` seen twice."""

    variance: float
    df: int
    subjects: int

    @property
    def sw(self) -> float:
        """Standard deviation."""
        return float(np.sqrt(self.variance))

    @property
    def cv(self) -> float:
        """Coefficient of variation, %: 100 sqrt(exp(variance) - 1)."""
        return float(100 * np.sqrt(np.expm1(self.variance)))


@cache
def constants(framework: str) -> dict[str, float]:
    """Constants of a regulator's criterion (resources/bioequivalence.tsv); raises KeyError for an unknown framework."""
    return fact_values("bioequivalence.tsv", "quantity", framework=framework)


def frameworks() -> tuple[str, ...]:
    """Names of the frameworks in the order of the table."""
    return tuple(dict.fromkeys(fact_table("bioequivalence.tsv")["framework"]))


def within(study: Study, treatment: str, by: str = "subjects") -> Within:
    """Variance within subjects of one treatment.

    ``by`` "subjects": residual of subjects and periods (EMA's Q&A, replicateBE, PKNCA). "sequences": of subjects and
    periods in each sequence, which for two values a subject is half the variance of their difference within sequences
    (FDA's guidance on progesterone). Raises NotEstimable where nobody has two values or no degrees of freedom are left.
    """
    arm = study.arm(treatment)
    _, counts = np.unique(arm.subject, return_counts=True)
    if not np.any(counts > 1):
        raise NotEstimable(f"no subject has two values under {treatment}")
    period = cross(arm.sequence, arm.period) if by == "sequences" else arm.period
    x = columns(dummies(cross(arm.sequence, arm.subject), drop_first=False), dummies(period), n=len(arm.y))
    rss, df = residual(x, arm.y)
    if df < 1:
        raise NotEstimable(f"no degrees of freedom are left for the variance of {treatment}")
    return Within(rss / df, df, int(np.sum(counts > 1)))


def contrasts(study: Study, by: str = "sequences") -> Fit:
    """ln(T/R) from one contrast a subject: mean of its test less mean of its reference logarithms.

    ``by`` "sequences": least-squares mean over sequences of the subjects that have every value that anybody in their
    sequence has (FDA's guidance; df: subjects less sequences); "subjects": mean over subjects that have both treatments
    (PKNCA; df: subjects less 1). ``mse``: variance of the contrasts. Raises NotEstimable.
    """
    names = np.intersect1d(study.subject[study.is_test], study.subject[~study.is_test])
    if by == "sequences":
        names = _complete(study, names)
    if len(names) < 2:
        raise NotEstimable("fewer than two subjects have both treatments" + (" in full" if by == "sequences" else ""))
    mine = [study.subject == s for s in names]
    d = np.array([study.y[m & study.is_test].mean() - study.y[m & ~study.is_test].mean() for m in mine])
    if by == "subjects":
        x = np.ones((len(d), 1))
        return fit_contrast(x, d, last(1))
    x = dummies(np.array([study.sequence[m][0] for m in mine]), drop_first=False)
    return fit_contrast(x, d, np.full(x.shape[1], 1 / x.shape[1]))


def _complete(study: Study, names: NDArray[np.str_]) -> NDArray[np.str_]:
    """Those of the subjects that have all values of their sequence."""
    counts = {s: (int(np.sum(m & study.is_test)), int(np.sum(m & ~study.is_test)), study.sequence[m][0])
              for s in names if len(m := study.subject == s)}  # fmt: skip
    most: dict[str, tuple[int, int]] = {}
    for test, reference, sequence in counts.values():
        before = most.get(sequence, (0, 0))
        most[sequence] = (max(before[0], test), max(before[1], reference))
    return np.array([s for s, (t, r, sequence) in counts.items() if (t, r) == most[sequence]])


def expanded_limits(sw_reference: float, framework: str) -> tuple[float, float]:
    """Acceptance limits in % given the reference's standard deviation within subjects (log scale).

    EMA and HC widen as exp(-+ k sWR) above the switching CV up to the cap; GCC jumps to wide limits.
    """
    c = constants(framework)
    switch = np.sqrt(np.log1p((c.get("cv_switch", np.inf) / 100) ** 2))
    if not sw_reference > switch:
        return c["limit_low"], c["limit_high"]
    if "wide_low" in c:
        return c["wide_low"], c["wide_high"]
    sw = min(sw_reference, float(np.sqrt(np.log1p((c["cv_cap"] / 100) ** 2))))
    return float(100 * np.exp(-c["k"] * sw)), float(100 * np.exp(c["k"] * sw))


def scaled_bound(point: Fit, reference: Within, framework: str, alpha: float = 0.05) -> float:
    """Upper 1 - alpha bound of (mu_T - mu_R)^2 - theta sWR^2, by Howe's method (Hyslop, Hsuan and Holder
    2000, Statistics in Medicine 19:2885); at or below 0 the scaled criterion is met.

    theta = (ln delta / sigma_w0)^2 of the framework.
    """
    c = constants(framework)
    theta = (np.log(c["delta"]) / c["sigma_w0"]) ** 2
    mean_part = point.estimate**2 - point.se**2
    mean_bound = (abs(point.estimate) + stats.t.ppf(1 - alpha, point.df) * point.se) ** 2
    variance_part = theta * reference.variance
    variance_bound = variance_part * reference.df / stats.chi2.ppf(1 - alpha, reference.df)
    spread = np.hypot(mean_bound - mean_part, variance_bound - variance_part)
    return float(mean_part - variance_part + spread)


def ratio_upper(test: Within, reference: Within, alpha: float = 0.05) -> float:
    """Upper 1 - alpha bound of sWT/sWR from the F distribution (FDA's guidance on warfarin)."""
    return float(test.sw / reference.sw / np.sqrt(stats.f.ppf(alpha, test.df, reference.df)))
