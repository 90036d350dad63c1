"""Fast approximations of a posterior: a normal distribution in the standardised coordinates, from the curvature at the
centre or by full-rank variational inference, corrected by importance resampling. Pareto's k says how far the correction
can be trusted.

An approximation stands beside NUTS or it does not stand: until :func:`compare_with_nuts` has been asked, its verdict is
"not compared with NUTS".
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from pharmtwin.core.seeds import generator
from pharmtwin.inference.criticism.limits import COLUMNS
from pharmtwin.inference.criticism.psis import pareto_k_limit, psis
from pharmtwin.inference.netcdf import save_posterior
from pharmtwin.inference.population_fit.build import PopulationFit
from pharmtwin.inference.population_fit.geometry import Density
from pharmtwin.inference.population_fit.sample import RAW, Posterior, said_of

Floats = NDArray[np.float64]
NOT_COMPARED = "not compared with NUTS"
#: agreement with NUTS: difference of means in posterior sds, and ratio of sds
LARGEST_SHIFT, SD_RATIO = 0.25, (0.8, 1.25)
#: the normal proposal is this much wider than the approximation, so that its tails cover the posterior's
WIDER = 1.05


@dataclass(frozen=True, eq=False)
class FastPosterior:
    """Draws of an approximation.

    Attributes
    ----------
    method : "laplace" or "advi". draws : by parameter (n, ...), resampled by their weights.
    k, k_limit : Pareto's shape, and the largest that can be trusted (``criticism.psis``). effective : effective number
    of the weighted draws. comparison : table of :func:`compare_with_nuts`, or None.
    """

    method: str
    draws: dict[str, Floats]
    k: float
    k_limit: float
    effective: float
    seconds: float
    comparison: pd.DataFrame | None = None

    def table(self, fit: PopulationFit) -> pd.DataFrame:
        """Mean and sd of the population's parameters."""
        rows = [(n, float(self.draws[n].mean()), float(self.draws[n].std(ddof=1))) for n in fit.parameters]
        return pd.DataFrame(rows, columns=["parameter", "mean", "sd"])

    def checks(self) -> pd.DataFrame:
        """Rows of ``criticism.limits``: Pareto's k, and agreement with NUTS where it was compared."""
        rows: list[tuple[Any, ...]] = [("pareto_k", self.k, f"at most {self.k_limit:g}", self.k <= self.k_limit, "")]
        if self.comparison is None:
            rows.append(("differs_from_nuts", math.nan, "at most 0", False, NOT_COMPARED))
        else:
            wrong = self.comparison.loc[~self.comparison["agrees"], "parameter"].astype(str)
            rows.append(("differs_from_nuts", float(len(wrong)), "at most 0", not len(wrong), ", ".join(wrong)))
        return pd.DataFrame(rows, columns=COLUMNS)

    def save(self, path: str | Path, fit: PopulationFit) -> None:
        """The draws as NetCDF (one chain), with model and verdict."""
        import arviz as az

        coords = {k: list(v) for k, v in fit.model.coords.items() if v is not None}
        dims = {"eta": ["subject", "effect"], "omega": ["random", "random_"]}
        idata = az.from_dict({n: v[None] for n, v in self.draws.items()}, coords=coords, dims=dims)
        save_posterior(idata, Path(path), said_of(fit, self.method, self.verdict))

    @property
    def verdict(self) -> str:
        """May it be used alone?"""
        parts = [] if self.k <= self.k_limit else [f"Pareto k {self.k:.2f} is above {self.k_limit:.2f}"]
        if self.comparison is None:
            parts.append(NOT_COMPARED)
        elif not self.comparison["agrees"].all():
            wrong = self.comparison.loc[~self.comparison["agrees"], "parameter"]
            parts.append("differs from NUTS in " + ", ".join(map(str, wrong)))
        return "; ".join(parts) or "good"


def laplace(fit: PopulationFit, compiled: Any, *, master: int, name: str, n: int = 2000) -> FastPosterior:
    """Normal approximation at the centre (``geometry.settle`` comes first), importance resampling; ``n`` draws."""
    begun = time.perf_counter()
    density = Density(fit, compiled)
    rng = generator(master, "fast laplace", name)
    x = WIDER * rng.normal(size=(n, density.n))
    return _resampled(fit, density, "laplace", x, -0.5 * np.sum((x / WIDER) ** 2, axis=1), rng, begun)


def advi(
    fit: PopulationFit, compiled: Any, *, master: int, name: str, n: int = 2000, steps: int = 5000, rate: float = 0.01
) -> FastPosterior:
    """Full-rank ADVI (PyMC, Adam, ``steps`` steps) from the Laplace approximation on, then importance resampling."""
    import pymc as pm

    begun = time.perf_counter()
    density = Density(fit, compiled)
    rng = generator(master, "fast advi", name)
    with fit.model:
        found = pm.fit(
            steps, method="fullrank_advi", obj_optimizer=pm.adam(learning_rate=rate), progressbar=False,
            random_seed=int(rng.integers(2**31)), fn_kwargs={"mode": "NUMBA"},
        )  # fmt: skip
    order = [found.ordering[v][1] for v in RAW if v in found.ordering]
    index = np.concatenate([np.arange(density.n)[s] for s in order])
    mean = np.asarray(found.mean.eval())[index]
    L = np.linalg.cholesky(np.asarray(found.cov.eval())[np.ix_(index, index)])
    z = WIDER * rng.normal(size=(n, density.n))
    return _resampled(fit, density, "advi", mean + z @ L.T, -0.5 * np.sum((z / WIDER) ** 2, axis=1), rng, begun)


def _resampled(
    fit: PopulationFit, density: Density, method: str, x: Floats, log_proposal: Floats, rng: np.random.Generator,
    begun: float,
) -> FastPosterior:  # fmt: skip
    """Draws x (n, n_dim) of a proposal (its log density without constants) resampled to the posterior."""
    log_posterior = np.array([density(row)[0] for row in x])
    log_ratio = np.where(np.isfinite(log_posterior), log_posterior - log_proposal, -np.inf)
    if not np.isfinite(log_ratio).any():
        raise ValueError(f"{method}: the density is 0 at every draw of the approximation")
    log_weight, k = psis(log_ratio)
    n = len(x)
    # systematic resampling: one uniform number
    ends = np.cumsum(np.exp(log_weight - logsumexp(log_weight)))
    chosen = np.minimum(np.searchsorted(ends, (rng.random() + np.arange(n)) / n), n - 1)
    draws: dict[str, list[Floats]] = {}
    for row in x[chosen]:
        for key, value in density.parameters(row).items():
            if key not in RAW:
                draws.setdefault(key, []).append(value)
    return FastPosterior(
        method, {key: np.array(v) for key, v in draws.items()}, k, pareto_k_limit(n),
        math.exp(-float(logsumexp(2 * log_weight))), time.perf_counter() - begun,
    )  # fmt: skip


def compare_with_nuts(fast: FastPosterior, nuts: Posterior, fit: PopulationFit) -> FastPosterior:
    """The approximation with its comparison: parameter, mean, nuts_mean, shift (in sds of NUTS), sd, nuts_sd, sd_ratio,
    agrees.

    Raises ValueError where the verdict of NUTS is not good: there is nothing to compare with.
    """
    if nuts.verdict != "good":
        raise ValueError(f"NUTS is no standard to compare with: {nuts.verdict}")
    rows = []
    for name in fit.parameters:
        mean, sd = float(fast.draws[name].mean()), float(fast.draws[name].std(ddof=1))
        theirs, their_sd = float(nuts.draws(name).mean()), float(nuts.draws(name).std(ddof=1))
        shift, ratio = (mean - theirs) / their_sd, sd / their_sd
        agrees = abs(shift) < LARGEST_SHIFT and SD_RATIO[0] < ratio < SD_RATIO[1]
        rows.append((name, mean, theirs, shift, sd, their_sd, ratio, agrees))
    columns = ["parameter", "mean", "nuts_mean", "shift", "sd", "nuts_sd", "sd_ratio", "agrees"]
    return replace(fast, comparison=pd.DataFrame(rows, columns=columns))
