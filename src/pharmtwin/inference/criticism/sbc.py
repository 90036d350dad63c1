"""Simulation-based calibration: parameters drawn from the prior, data from them, and where the fit puts the truth.

Talts 2018, arXiv:1804.06788. If everything is right the rank of each true value among its posterior draws is
uniform. The log-likelihood has to be ranked as well: some faults, as that of a fit that ignores part of the data,
leave the ranks of all parameters uniform (Modrak 2023, doi:10.1214/23-BA1404).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pharmtwin.inference.criticism.limits import limits
from pharmtwin.inference.criticism.uniformity import counts_below, simultaneous_limits, uniformity_p

Floats = NDArray[np.float64]
LOG_LIKELIHOOD = "log_lik"
ECDF_COLUMNS = ["quantity", "z", "expected", "observed", "low", "high"]


def thin(draws: ArrayLike, n_keep: int) -> Floats:
    """``n_keep`` evenly spaced draws (..., n_keep) out of (..., n), so that those kept are about independent.

    Ranks need independent draws: keep at most as many as are effective. Raises ValueError if there are fewer.
    """
    values = np.asarray(draws, dtype=float)
    if not 1 <= n_keep <= values.shape[-1]:
        raise ValueError(f"cannot keep {n_keep} of {values.shape[-1]} draws")
    return values[..., np.floor((np.arange(n_keep) + 0.5) * values.shape[-1] / n_keep).astype(int)]


def rank(draws: ArrayLike, truth: float, rng: np.random.Generator) -> int:
    """How many of the draws (n,) are below the true value, 0 to n; draws equal to it are split by chance.

    -1 for a fit that failed: a draw or the truth is nan.
    """
    values = np.asarray(draws, dtype=float)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"draws must be a vector, not {values.shape}")
    if np.isnan(values).any() or np.isnan(truth):
        return -1
    ties = int((values == truth).sum())
    return int((values < truth).sum()) + (int(rng.integers(ties + 1)) if ties else 0)


def sbc_ranks(
    draws: Mapping[str, ArrayLike], truth: Mapping[str, ArrayLike], rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Ranks (replicates,) of each quantity; -1 where the fit failed (nan).

    draws : (replicates, draws) by name, thinned; truth : (replicates,) by name. Give the log-likelihood of the data
    as one more quantity named ``log_lik``: at each draw, and at the true parameters. Raises KeyError for a quantity
    that is not in both, ValueError for shapes that do not fit.
    """
    if set(draws) != set(truth):
        raise KeyError(f"draws and truth differ in {sorted(set(draws) ^ set(truth))}")
    out = {}
    for name, values in draws.items():
        d, t = np.asarray(values, dtype=float), np.asarray(truth[name], dtype=float)
        if d.ndim != 2 or t.shape != d.shape[:1]:
            raise ValueError(f"{name}: draws {d.shape} must be (replicates, draws), truth {t.shape} (replicates,)")
        out[name] = np.array([rank(row, value, rng) for row, value in zip(d, t, strict=True)], dtype=np.int64)
    return out


def sbc_table(ranks: Mapping[str, ArrayLike], n_draws: int) -> pd.DataFrame:
    """One row for each quantity: quantity, n, n_failed, mean_rank, spread, p, p_adjusted, passed.

    n_draws : draws that each rank was taken among, so that it may be 0 to n_draws. mean_rank : mean of
    rank / n_draws, 0.5 if calibrated, lower if the posterior sits too high. spread : sd of the ranks over that
    of uniform ones, above 1 if posteriors are too narrow. p : of the simultaneous test of ``uniformity``; p_adjusted
    : times the number of quantities, at most 1. passed : p_adjusted within ``sbc_p`` of diagnostics.tsv, and not
    more fits failed (rank -1; they are left out of the other figures) than ``sbc_failed`` allows.
    """
    asked = limits("sbc")
    rows = []
    for name, values in ranks.items():
        r = np.asarray(values, dtype=np.int64)
        good = r[r >= 0]
        failed = len(r) - len(good)
        p = uniformity_p(good, n_draws + 1) if len(good) else float("nan")
        adjusted = min(1.0, p * len(ranks)) if p == p else p
        uniform_sd = np.sqrt(((n_draws + 1) ** 2 - 1) / 12)
        mean, spread = (good.mean() / n_draws, good.std() / uniform_sd) if len(good) else (np.nan, np.nan)
        passed = asked["sbc_p"].passes(adjusted) and asked["sbc_failed"].passes(failed)
        rows.append((name, len(good), failed, float(mean), float(spread), p, adjusted, passed))
    columns = ["quantity", "n", "n_failed", "mean_rank", "spread", "p", "p_adjusted", "passed"]
    return pd.DataFrame(rows, columns=columns)


def sbc_verdict(table: pd.DataFrame) -> str:
    """``good`` if every quantity of ``sbc_table`` passed and the log-likelihood is one of them, else what is wrong."""
    wrong = []
    failed = int(table["n_failed"].max()) if len(table) else 0
    allowed = limits("sbc")["sbc_failed"]
    if not allowed.passes(failed):
        wrong.append(f"{failed} fits failed")
    skewed = table[~(table["p_adjusted"] >= limits("sbc")["sbc_p"].value)]
    if len(skewed):
        wrong.append("not uniform: " + ", ".join(f"{q} (p {p:.2g})" for q, p in zip(skewed["quantity"], skewed["p"])))
    if LOG_LIKELIHOOD not in set(table["quantity"]):
        wrong.append(f"not looked at: {LOG_LIKELIHOOD}")
    return "; ".join(wrong) or "good"


def sbc_ecdf(ranks: Mapping[str, ArrayLike], n_draws: int, level: float = 0.95) -> pd.DataFrame:
    """Distribution functions of the ranks with their simultaneous band, for a figure.

    One row for each quantity and point: quantity, z (share of possible ranks below the point), expected (z),
    observed, low, high. Uniform ranks are inside everywhere with probability ``level``, each quantity on its own.
    """
    frames = []
    for name, values in ranks.items():
        r = np.asarray(values, dtype=np.int64)
        r = r[r >= 0]
        points, low, high = simultaneous_limits(len(r), n_draws + 1, level)
        z = points / (n_draws + 1)
        observed = counts_below(r, points) / len(r)
        columns = (np.full(len(z), name, dtype=object), z, z, observed, low / len(r), high / len(r))
        frames.append(pd.DataFrame(dict(zip(ECDF_COLUMNS, columns, strict=True))))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=ECDF_COLUMNS)
