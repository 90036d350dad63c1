"""Individual ratios, and two one-sided tests on pairs: the same subject or twin under both treatments or releases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from pharmtwin.bioequivalence.study import Study
from pharmtwin.evaluation.metrics import Estimate, wilson

#: relative slack of inclusive limits
ROUNDING = 1e-12


@dataclass(frozen=True)
class PairedTost:
    """Two one-sided tests on the mean of ln(test/reference) of ``n`` pairs.

    ``ratio``, ``low``, ``high``: geometric mean ratio and its 1 - 2 alpha interval; ``p_low``, ``p_high``: of the
    hypotheses that the ratio lies at or below the lower, at or above the upper limit; ``equivalent``: both rejected.
    """

    n: int
    ratio: float
    low: float
    high: float
    p_low: float
    p_high: float
    limits: tuple[float, float]
    equivalent: bool


def paired_tost(
    test: ArrayLike, reference: ArrayLike, limits: tuple[float, float] = (0.8, 1.25), alpha: float = 0.05
) -> PairedTost:
    """TOST on pairs, shapes (n,) both (Schuirmann 1987, doi:10.1007/BF01068419).

    All ratios equal (a rerun on the same machine): the interval is that ratio and the p-values are 0 or 1.
    Raises ValueError on fewer than two pairs, values not above 0, or limits that do not enclose 1.
    """
    t, r = np.asarray(test, dtype=float), np.asarray(reference, dtype=float)
    if t.shape != r.shape or t.ndim != 1 or len(t) < 2:
        raise ValueError(f"pairs are two vectors of one length, at least 2: got {t.shape} and {r.shape}")
    if not (np.all(np.isfinite(t) & (t > 0)) and np.all(np.isfinite(r) & (r > 0))):
        raise ValueError("ratios need finite values above 0")
    if not 0 < limits[0] < 1 < limits[1]:
        raise ValueError(f"limits enclose 1, not {limits}")
    d = np.log(t) - np.log(r)
    mean, se, df = float(d.mean()), float(d.std(ddof=1) / np.sqrt(len(d))), len(d) - 1
    edges = np.log(limits)
    if se < 1e-15 * max(1.0, float(np.abs(d).max())):  # no spread beyond rounding
        p_low, p_high, half = float(mean <= edges[0]), float(mean >= edges[1]), 0.0
    else:
        p_low, p_high = float(stats.t.sf((mean - edges[0]) / se, df)), float(stats.t.cdf((mean - edges[1]) / se, df))
        half = float(stats.t.ppf(1 - alpha, df)) * se
    low, high = float(np.exp(mean - half)), float(np.exp(mean + half))
    return PairedTost(len(d), float(np.exp(mean)), low, high, p_low, p_high, limits, max(p_low, p_high) <= alpha)


def individual_ratios(study: Study) -> pd.DataFrame:
    """One row a subject: values under test and reference, their geometric means and ratio, or why there is none."""
    rows = []
    for subject in dict.fromkeys(study.subject):
        mine = study.subject == subject
        t, r = study.y[mine & study.is_test], study.y[mine & ~study.is_test]
        lacks = [name for name, values in ((study.test, t), (study.reference, r)) if not len(values)]
        means = [float(np.exp(v.mean())) if len(v) else np.nan for v in (t, r)]
        rows.append({
            "endpoint": study.endpoint, "subject": subject, "sequence": study.sequence[mine][0],
            "n_test": len(t), "n_reference": len(r), "test_geometric_mean": means[0],
            "reference_geometric_mean": means[1], "ratio": means[0] / means[1],
            "reason": f"no value under {' and '.join(lacks)}" if lacks else "",
        })  # fmt: skip
    return pd.DataFrame(rows)


def share_inside(ratios: ArrayLike, limits: tuple[float, float] = (0.8, 1.25)) -> Estimate:
    """Share of subjects whose ratio lies within limits, these included, with Wilson's 95 % interval; nan left out."""
    x = np.asarray(ratios, dtype=float)
    x = x[np.isfinite(x)]
    inside = (x >= limits[0] * (1 - ROUNDING)) & (x <= limits[1] * (1 + ROUNDING))
    return wilson(int(inside.sum()), len(x))
