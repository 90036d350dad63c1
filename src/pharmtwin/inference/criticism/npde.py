"""Normalised prediction distribution errors: where does each observation stand among its simulations?

Brendel 2006, Pharm Res 23:2036, doi:10.1007/s11095-006-9067-5; Comets 2008, Comput Methods Programs Biomed 90:154,
doi:10.1016/j.cmpb.2007.12.002; observations below the limit of quantification as by Nguyen 2012, J Pharmacokinet
Pharmacodyn 39:499 (method "cdf" of the R package npde 3). Under the true model npde are independent standard normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.linalg import solve_triangular

from pharmtwin.inference.criticism.limits import limits

Floats = NDArray[np.float64]
DECORRELATION = "cholesky"
SINGULAR = 1e-10  # of its variance: with less left, an observation repeats earlier ones up to rounding


def npde(
    y: ArrayLike,
    simulated: ArrayLike,
    subject: Sequence[object],
    *,
    below: ArrayLike | None = None,
    lloq: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    min_replicates: int | None = None,
) -> pd.DataFrame:
    """One row for each observation, in the order given: subject, y, pred, pd, npd, pde, npde, method, below.

    y : (n,) observations; simulated : (K, n), each row a whole simulated study; subject : n names.
    pred : mean of the simulations. pd : share of simulations below y; npd its normal quantile. pde and npde : the
    same after the subject's observations and simulations were decorrelated by the mean and the Cholesky factor of
    the simulations' covariance, in the order given (``method``; put each subject's observations in time order).
    Shares of 0 and 1 become 1/(2K) and 1 - 1/(2K).

    below : (n,) whether y is only known to be below lloq (a number, or (n,)). Such a pd is drawn uniformly from 0 to
    the share of simulations below the limit, and y (also in the table) is that quantile of the simulations;
    simulated values below the limit of an observation that has one are drawn again likewise. This needs ``rng``.
    min_replicates : default the limit ``npde_replicates`` of diagnostics.tsv.

    Raises ValueError for values that are not finite, too few replicates, a censored observation without limit or
    that no simulation puts below its limit, and for a subject whose covariance has no Cholesky factor (named).
    """
    obs, sims, censored, limit, names = _checked(y, simulated, subject, below, lloq, min_replicates)
    if censored.any():
        if rng is None:
            raise ValueError("observations below their limit of quantification are drawn: give rng")
        obs, sims = _imputed(obs, sims, censored, limit, rng)
    share = (sims < obs).mean(axis=0)
    decorrelated = np.empty(len(obs))
    for name in pd.unique(pd.Series(names)):
        mine = np.flatnonzero(names == name)
        decorrelated[mine] = _decorrelated_share(obs[mine], sims[:, mine], name)
    p, q = (_off_the_edge(v, len(sims)) for v in (share, decorrelated))
    return pd.DataFrame(
        {
            "subject": names, "y": obs, "pred": sims.mean(axis=0), "pd": p, "npd": stats.norm.ppf(p),
            "pde": q, "npde": stats.norm.ppf(q), "method": DECORRELATION, "below": censored,
        }
    )  # fmt: skip


def npde_tests(values: ArrayLike) -> pd.DataFrame:
    """Is a sample standard normal? One row for each test: test, statistic, p, p_adjusted, passed.

    Wilcoxon signed rank test of mean 0, Fisher's test of variance 1, Shapiro and Wilk's test of normality, and
    ``global``: three times the smallest p (Bonferroni), at most 1. p_adjusted : p times 3, at most 1. passed : the
    adjusted p is within ``npde_p`` of diagnostics.tsv. Observations of a subject are correlated where the
    decorrelation is not complete, so a small p with many observations is common; look at the figures as well.
    Raises ValueError for fewer than 4 values and for values that are not finite.
    """
    x = _sample(values)
    chi = float(np.var(x, ddof=1) * (len(x) - 1))
    below = float(stats.chi2.cdf(chi, len(x) - 1))
    # shares k/K and 1 - k/K must tie, but their normal quantiles differ in the last digit
    rank, normal = stats.wilcoxon(np.round(x, 10)), stats.shapiro(x)
    found = [
        ("wilcoxon", float(rank.statistic), float(rank.pvalue)),
        ("fisher", chi, 2 * min(below, float(stats.chi2.sf(chi, len(x) - 1)))),
        ("shapiro", float(normal.statistic), float(normal.pvalue)),
    ]
    smallest = min(found, key=lambda row: row[2])
    rows = [(name, statistic, p, min(1.0, 3 * p)) for name, statistic, p in found]
    rows.append(("global", math.nan, smallest[2], min(1.0, 3 * smallest[2])))
    table = pd.DataFrame(rows, columns=["test", "statistic", "p", "p_adjusted"])
    limit = limits("npde")["npde_p"]
    table["passed"] = [limit.passes(p) for p in table["p_adjusted"]]
    return table


def npde_moments(values: ArrayLike) -> dict[str, float]:
    """n, mean, se_mean, variance, se_variance, skewness and (excess) kurtosis of npde, and n_outliers.

    Under the true model they tend to 0 (mean, skewness, kurtosis) and 1 (variance); n_outliers counts values beyond
    ``npde_outlier`` of diagnostics.tsv.
    """
    x = _sample(values)
    variance = float(np.var(x, ddof=1))
    limit = limits("npde")["npde_outlier"]
    return {
        "n": len(x),
        "mean": float(x.mean()),
        "se_mean": math.sqrt(variance / len(x)),
        "variance": variance,
        "se_variance": variance * math.sqrt(2 / (len(x) - 1)),
        "skewness": float(stats.skew(x)),
        "kurtosis": float(stats.kurtosis(x)),
        "n_outliers": int(sum(not limit.passes(abs(v)) for v in x)),
    }


def _sample(values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or len(x) < 4 or not np.isfinite(x).all():
        raise ValueError("the tests need a finite vector of at least 4 values")
    return x


def _checked(
    y: ArrayLike,
    simulated: ArrayLike,
    subject: Sequence[object],
    below: ArrayLike | None,
    lloq: ArrayLike | None,
    min_replicates: int | None,
) -> tuple[Floats, Floats, NDArray[np.bool_], Floats, NDArray[np.object_]]:
    obs, sims = np.array(y, dtype=float), np.array(simulated, dtype=float)
    n = len(obs)
    names = np.empty(n, dtype=object)
    censored = np.zeros(n, dtype=bool) if below is None else np.asarray(below, dtype=bool)
    limit = np.broadcast_to(np.nan if lloq is None else np.asarray(lloq, dtype=float), (n,))
    if sims.ndim != 2 or sims.shape[1] != n or len(subject) != n or len(censored) != n:
        raise ValueError(f"{n} observations need replicates (K, {n}) and as many subjects and flags")
    names[:] = list(subject)
    if not (np.isfinite(sims).all() and np.isfinite(obs[~censored]).all()):
        raise ValueError("observations and replicates must be finite (censored observations aside)")
    least = limits("npde")["npde_replicates"].value if min_replicates is None else min_replicates
    if len(sims) < least:
        raise ValueError(f"{len(sims)} replicates; npde need at least {least:g}")
    if np.isnan(limit[censored]).any():
        raise ValueError("a censored observation has no limit of quantification")
    return obs, sims, censored, limit, names


def _imputed(
    obs: Floats, sims: Floats, censored: NDArray[np.bool_], limit: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Observations below their limit replaced by draws of the simulations below it, which are shuffled themselves.

    A uniform pd from 0 to the share below the limit is the same as one of the simulated values below it, each with
    the same chance. Shuffling among the replicates draws the simulated values in the same way (what lies below the
    limit is unrelated to the subject's other values, as it is for the observation) and keeps their distribution.
    """
    obs, sims = obs.copy(), sims.copy()
    for j in np.flatnonzero(~np.isnan(limit)):
        low = sims[sims[:, j] < limit[j], j]
        if censored[j]:
            if len(low) == 0:
                raise ValueError(f"observation {j} is below its limit {limit[j]:g}, but no simulation of it is")
            obs[j] = rng.choice(low)
        sims[sims[:, j] < limit[j], j] = rng.permutation(low)
    return obs, sims


def _decorrelated_share(obs: Floats, sims: Floats, name: object) -> Floats:
    """Share of decorrelated simulations (K, n) below the decorrelated observations (n,) of one subject."""
    centre = sims.mean(axis=0)
    covariance = np.atleast_2d(np.cov(sims, rowvar=False))
    try:
        factor = np.linalg.cholesky(covariance)
        new = np.diag(factor) ** 2 / np.diag(covariance)  # share of each variance that earlier observations leave
    except np.linalg.LinAlgError:
        new = np.zeros(1)
    if new.min() < SINGULAR:
        raise ValueError(f"subject {name}: the covariance of the simulations is not positive definite")
    residual = solve_triangular(factor, (obs - centre), lower=True)
    residuals = solve_triangular(factor, (sims - centre).T, lower=True)
    return np.asarray((residuals < residual[:, None]).mean(axis=1))


def _off_the_edge(share: Floats, n_replicates: int) -> Floats:
    return np.clip(share, 1 / (2 * n_replicates), 1 - 1 / (2 * n_replicates))
