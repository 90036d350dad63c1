"""Average bioequivalence: the ratio of geometric means with its confidence interval, by the model of each design."""

from __future__ import annotations

import numpy as np

from pharmtwin.bioequivalence.linear import Fit, NotEstimable, columns, cross, dummies, fit_contrast, independent, last
from pharmtwin.bioequivalence.mixed import RandomIntercept, contrast_of
from pharmtwin.bioequivalence.study import Study


def method_a(study: Study) -> Fit:
    """ln(T/R) with subjects, periods and treatment fixed (EMA's method A; sequences are among the subjects).

    Any crossover, whatever is missing. Model as in EMA's Q&A EMA/582648/2016 and R's replicateBE. Raises NotEstimable.
    """
    n = len(study.y)
    subjects = dummies(cross(study.sequence, study.subject), drop_first=False)
    x = columns(subjects, dummies(study.period), study.is_test.astype(float), n=n)
    return fit_contrast(x, study.y, last(x.shape[1]))


def method_b(study: Study, df: str = "containment") -> Fit:
    """ln(T/R) with subjects random, sequences, periods and treatment fixed (EMA's method B), by REML.

    ``df``: "containment" (as R's nlme, SAS's DDFM=CONTAIN) or "satterthwaite". Raises NotEstimable.
    """
    n = len(study.y)
    if df not in ("containment", "satterthwaite"):
        raise ValueError(f"df is containment or satterthwaite, not {df}")
    outer = independent(columns(np.ones(n), dummies(study.sequence), n=n))
    x = independent(columns(outer, dummies(study.period), n=n))
    x = columns(x, study.is_test.astype(float), n=n)
    model = RandomIntercept(x, study.y, cross(study.sequence, study.subject))
    return contrast_of(model, last(x.shape[1]), df, varying=x.shape[1] - outer.shape[1])


def parallel(study: Study, equal_variances: bool = False) -> Fit:
    """ln(T/R) of two groups: Welch's interval (Welch 1947, doi:10.2307/2332510), or the pooled one.

    ``mse``: variance of the groups pooled by their degrees of freedom. Raises NotEstimable.
    """
    t, r = study.y[study.is_test], study.y[~study.is_test]
    if min(len(t), len(r)) < 2:
        raise NotEstimable("each group needs two subjects")
    vt, vr = float(np.var(t, ddof=1)), float(np.var(r, ddof=1))
    pooled = ((len(t) - 1) * vt + (len(r) - 1) * vr) / (len(t) + len(r) - 2)
    estimate = float(t.mean() - r.mean())
    if equal_variances:
        return Fit(estimate, float(np.sqrt(pooled * (1 / len(t) + 1 / len(r)))), float(len(t) + len(r) - 2), pooled)
    a, b = vt / len(t), vr / len(r)
    if a + b == 0:
        raise NotEstimable("the values of each group are all equal")
    return Fit(estimate, float(np.sqrt(a + b)), (a + b) ** 2 / (a**2 / (len(t) - 1) + b**2 / (len(r) - 1)), pooled)
