"""Morris screening, then Sobol indices of the survivors, for AUCtau and Cmax of the reference person.

Both run on the logarithm of the output, with inputs as normal deviates of the logarithm of each factor.
Morris 1991, Technometrics 33:161, doi 10.1080/00401706.1991.10484804; Campolongo 2007, Environ Model
Softw 22:1509, doi 10.1016/j.envsoft.2006.10.004; Saltelli 2010, Comput Phys Commun 181:259,
doi 10.1016/j.cpc.2009.09.018 (S1) and Jansen 1999 (ST), in SALib's implementation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from pharmtwin.sensitivity.inputs import DUMMY, Input

Floats = NDArray[np.float64]
Runner = Callable[[Floats], Floats]  # log factors (n, n_inputs) -> log outputs (n, n_outputs), NaN rows failed
OUTPUTS = ("AUCtau", "Cmax")
P_RANGE = (0.025, 0.975)  # Morris walks over this range of probability
SHARE = 0.05  # an input survives if its mu* may exceed this share of the largest


def morris(chosen: list[Input], run: Runner, *, trajectories: int, levels: int, seed: int) -> pd.DataFrame:
    """Table ``morris``. Trajectories with a failed run leave the analysis of that output.

    An input survives (goes on to Sobol) if the upper end of its mu* interval exceeds both the dummy's and
    5 % of the largest mu*, for any output.
    """
    from SALib.analyze import morris as analyze
    from SALib.sample import morris as sample

    problem = {"num_vars": len(chosen), "names": [i.name for i in chosen], "bounds": [P_RANGE] * len(chosen)}
    X = sample.sample(problem, trajectories, num_levels=levels, seed=seed)
    Y = run(norm.ppf(X) * np.array([i.sd_log for i in chosen]))
    width = len(chosen) + 1
    rows, alive = [], set()
    for k, output in enumerate(OUTPUTS):
        y = Y[:, k].reshape(-1, width)
        good = np.repeat(np.isfinite(y).all(axis=1), width)
        if not good.any():
            raise RuntimeError("every Morris trajectory holds a failed solve")
        r = analyze.analyze(problem, X[good], Y[good, k], num_levels=levels, conf_level=0.95, seed=seed)
        upper = np.asarray(r["mu_star"]) + np.asarray(r["mu_star_conf"])
        floor = upper[[i.name for i in chosen].index(DUMMY)]
        limit = max(floor, SHARE * float(np.max(r["mu_star"])))
        for j, item in enumerate(chosen):
            if item.name != DUMMY and upper[j] > limit:
                alive.add(item.name)
            rows.append(
                {
                    "output": output, "input": item.name, "mu": r["mu"][j], "mu_star": r["mu_star"][j],
                    "mu_star_conf": r["mu_star_conf"][j], "sigma": r["sigma"][j],
                    "rule": f"upper bound of mu* {upper[j]:.3g}, limit {limit:.3g}",
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    table["survives"] = table["input"].isin(alive)
    return table


def sobol(
    chosen: list[Input], run: Runner, *, base: int, max_base: int, target: float, seed: int, resamples: int = 500
) -> pd.DataFrame:
    """Table ``sobol`` of the surviving inputs and the dummy; N doubles until every total index is known well enough.

    Failed runs take their whole base block out. Intervals are 95 % percentile bootstraps over base blocks.
    """
    from SALib.sample import sobol as sample

    names = [i.name for i in chosen]
    problem = {
        "num_vars": len(chosen), "names": names, "bounds": [[0.0, i.sd_log] for i in chosen],
        "dists": ["norm"] * len(chosen),
    }  # fmt: skip
    n = base
    while True:
        X = sample.sample(problem, n, calc_second_order=False, scramble=True, seed=seed)
        table = _indices(names, run(X), n, seed, resamples)
        widest = float(((table.ST_hi - table.ST_lo) / 2).max())
        if widest <= target or 2 * n > max_base:
            return table
        n *= 2


def _indices(names: list[str], Y: Floats, n: int, seed: int, resamples: int) -> pd.DataFrame:
    d = len(names)
    rng = np.random.default_rng(seed)
    rows = []
    for k, output in enumerate(OUTPUTS):
        blocks = Y[:, k].reshape(n, d + 2)  # A, AB_1 .. AB_d, B
        good = np.isfinite(blocks).all(axis=1)
        y = blocks[good]
        if len(y) < 2:
            raise RuntimeError("fewer than two Sobol base blocks without a failed solve")
        first, total = _estimate(y)
        boot = np.array([_estimate(y[rng.integers(0, len(y), len(y))]) for _ in range(resamples)])
        lo, hi = np.quantile(boot, [0.025, 0.975], axis=0)
        for j, name in enumerate(names):
            rows.append(
                {
                    "output": output, "input": name, "S1": first[j], "S1_lo": lo[0, j], "S1_hi": hi[0, j],
                    "ST": total[j], "ST_lo": lo[1, j], "ST_hi": hi[1, j], "n_base": n, "n_runs": n * (d + 2),
                    "n_failed": int((~np.isfinite(blocks)).sum()),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _estimate(y: Floats) -> tuple[Floats, Floats]:
    """First-order (Saltelli 2010) and total (Jansen 1999) indices from blocks (n, d + 2)."""
    centred = y - y.mean()
    A, AB, B = centred[:, :1], centred[:, 1:-1], centred[:, -1:]
    variance = np.var(np.concatenate([A, B]))
    return (B * (AB - A)).mean(axis=0) / variance, 0.5 * ((A - AB) ** 2).mean(axis=0) / variance
