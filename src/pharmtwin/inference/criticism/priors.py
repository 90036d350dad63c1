"""How much do the priors decide? Power-scaling sensitivity, shrinkage, overlap of prior and posterior."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from pharmtwin.inference.criticism.limits import limits
from pharmtwin.inference.criticism.psis import pareto_k_limit, psis

Floats = NDArray[np.float64]
ALPHAS = (0.8, 1.25)  # Kallioinen 2023: one step down and one up, alike on a log scale
CONFLICT = "prior-data conflict"
STRONG = "strong prior or weak likelihood"
NEITHER = "-"


def power_scaling(
    draws: Mapping[str, ArrayLike],
    log_prior: ArrayLike,
    log_likelihood: ArrayLike,
    alphas: tuple[float, float] = ALPHAS,
    relative_efficiency: float = 1.0,
) -> pd.DataFrame:
    """Sensitivity of each posterior to raising prior or likelihood to a power (Kallioinen 2023,
    doi:10.1007/s11222-023-10366-5), without a new fit.

    draws : (S,) by name; log_prior, log_likelihood : (S,) of the same draws. In a hierarchical model log_prior holds
    the priors of population parameters only: the distribution of random effects is a part of the model.

    Columns: parameter, prior, likelihood (each psense: mean over both alphas of the cumulative Jensen-Shannon
    distance to the posterior, per doubling of alpha), k_prior, k_likelihood (the larger Pareto k of both alphas),
    trusted (both k within the limit), diagnosis. Both above the threshold ``psense`` of diagnostics.tsv reads
    ``prior-data conflict``, the prior alone ``strong prior or weak likelihood``.
    Raises ValueError for alphas that are not on either side of 1, and for lengths that differ.
    """
    lower, upper = alphas
    if not 0 < lower < 1 < upper:
        raise ValueError(f"one alpha must be between 0 and 1 and the other above 1, not {alphas}")
    values = _draws(draws)
    equal = np.full(_length(values), 1 / _length(values))
    sensitivity: dict[str, list[float]] = {}
    worst_k: dict[str, float] = {}
    for component, log_density in (("prior", log_prior), ("likelihood", log_likelihood)):
        scaled = [power_weights(log_density, alpha, relative_efficiency) for alpha in alphas]
        if any(len(w) != len(equal) for w, _ in scaled):
            raise ValueError(f"the log {component} must be of the same {len(equal)} draws")
        worst_k[component] = max(k for _, k in scaled)
        sensitivity[component] = [
            sum(cumulative_js(x, equal, w) / abs(math.log2(a)) for (w, _), a in zip(scaled, alphas, strict=True)) / 2
            for x in values.values()
        ]
    table = pd.DataFrame({"parameter": list(values), **sensitivity})
    table["k_prior"], table["k_likelihood"] = worst_k["prior"], worst_k["likelihood"]
    table["trusted"] = max(worst_k.values()) <= pareto_k_limit(len(equal))
    limit = limits("prior")["psense"]
    table["diagnosis"] = [
        NEITHER if limit.passes(p) else STRONG if limit.passes(q) else CONFLICT
        for p, q in zip(table["prior"], table["likelihood"], strict=True)
    ]
    return table


def power_weights(log_density: ArrayLike, alpha: float, relative_efficiency: float = 1.0) -> tuple[Floats, float]:
    """Weights (S,), adding up to 1, that turn draws of the posterior into draws of it with one component raised to
    the power alpha; and their Pareto k. log_density : (S,) of the component, up to a constant."""
    log_weights, k = psis((alpha - 1) * np.asarray(log_density, dtype=float), relative_efficiency)
    return np.exp(log_weights), k


def cumulative_js(x: ArrayLike, p: ArrayLike, q: ArrayLike) -> float:
    """Cumulative Jensen-Shannon distance, 0 to 1, between two weightings p and q (n,) of one sample x (n,).

    Distribution functions take the place of densities in the Jensen-Shannon divergence; its square root, divided by
    that of its bound, is a distance (Nguyen and Vreeken 2015, doi:10.1007/978-3-319-23525-7_11). The larger of the
    values for x and -x, so that the direction of the axis does not matter. 0 for a sample that does not vary.
    """
    values = np.asarray(x, dtype=float)
    order = np.argsort(values, kind="stable")
    width = np.diff(values[order])
    below_p, below_q = (np.cumsum(np.asarray(w, dtype=float)[order])[:-1] for w in (p, q))
    if not (width > 0).any():
        return 0.0
    total_p, total_q = float(np.sum(p)), float(np.sum(q))
    left = _js(below_p / total_p, below_q / total_q, width)
    right = _js(1 - below_p / total_p, 1 - below_q / total_q, width)
    return math.sqrt(max(left, right))


def _js(p: Floats, q: Floats, width: Floats) -> float:
    """Divergence of two distribution functions (steps of these widths) divided by its bound."""
    p, q = np.clip(p, 0, 1), np.clip(q, 0, 1)
    middle = (p + q) / 2
    bound = float(width @ (p + q))
    if bound <= 0:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(v > 0, v * np.log2(v / middle), 0.0) for v in (p, q)]
    return max(float(width @ (terms[0] + terms[1])) / bound, 0.0)


def eta_shrinkage(eta: ArrayLike, omega: ArrayLike, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Shrinkage of individual estimates of random effects: effect, n, omega, sd, shrinkage_sd, shrinkage_variance,
    flagged.

    eta : (subjects, effects) individual estimates (posterior means or modes); omega : (effects,) their population
    SDs. shrinkage_sd = 1 - sd / omega, shrinkage_variance = 1 - (sd / omega)^2; near 0 the samples tell each
    subject's effect, near 1 they tell nothing. flagged : shrinkage_sd above ``eta_shrinkage`` of diagnostics.tsv.
    Raises ValueError for fewer than two subjects, shapes that differ, and an omega that is not above 0.
    """
    values, spread = np.asarray(eta, dtype=float), np.asarray(omega, dtype=float)
    if values.ndim != 2 or len(values) < 2 or spread.shape != values.shape[1:] or not np.isfinite(values).all():
        raise ValueError(f"eta must be a finite (subjects, effects) table, and omega (effects,): {values.shape}")
    if not (np.isfinite(spread) & (spread > 0)).all():
        raise ValueError("every omega must be above 0: leave out effects that are fixed to 0")
    effects = [f"eta{i + 1}" for i in range(len(spread))] if names is None else list(names)
    if len(effects) != len(spread):
        raise ValueError(f"{len(effects)} names for {len(spread)} random effects")
    ratio = values.std(axis=0, ddof=1) / spread
    limit = limits("prior")["eta_shrinkage"]
    return pd.DataFrame(
        {
            "effect": effects, "n": len(values), "omega": spread, "sd": ratio * spread, "shrinkage_sd": 1 - ratio,
            "shrinkage_variance": 1 - ratio**2, "flagged": [not limit.passes(1 - r) for r in ratio],
        }
    )  # fmt: skip


def epsilon_shrinkage(iwres: ArrayLike) -> dict[str, float]:
    """Shrinkage of residuals from individual weighted residuals (n,): n, shrinkage_sd = 1 - sd, shrinkage_variance.

    Near 1 the individual fits follow every observation, and plots of residuals tell nothing. Residuals of
    observations below the limit of quantification are left out before. Raises ValueError for fewer than two values.
    """
    x = np.asarray(iwres, dtype=float)
    if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all():
        raise ValueError("individual weighted residuals must be a finite vector of at least 2 values")
    sd = float(x.std(ddof=1))
    return {"n": len(x), "shrinkage_sd": 1 - sd, "shrinkage_variance": 1 - sd**2}


def prior_posterior_overlap(prior: Mapping[str, ArrayLike], posterior: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Area under both densities, 0 to 1, of each parameter: parameter, overlap, flagged.

    prior, posterior : draws (n,) by name, of numbers of draws that may differ; only parameters of both are compared,
    and it raises KeyError for a posterior without a prior. flagged : above ``overlap`` of diagnostics.tsv, the
    samples have told little of this parameter. The same on any scale of the parameter.
    """
    missing = sorted(set(posterior) - set(prior))
    if missing:
        raise KeyError(f"no prior draws of {missing}")
    limit = limits("prior")["overlap"]
    rows = []
    for name, draws in posterior.items():
        area = overlap(prior[name], draws)
        rows.append((name, area, not limit.passes(area)))
    return pd.DataFrame(rows, columns=["parameter", "overlap", "flagged"])


def overlap(prior: ArrayLike, posterior: ArrayLike) -> float:
    """Area under the lower of two densities, from draws (n,) and (m,) of each.

    On the scale on which the prior is standard normal, reached through its sorted draws: there only the posterior's
    density has to be estimated (Gaussian kernel, Silverman's width). Draws beyond all of the prior's share a place
    at its edge.
    """
    before, after = (np.asarray(v, dtype=float) for v in (prior, posterior))
    if min(before.size, after.size) < 100 or not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("overlap needs at least 100 finite draws of each")
    before = np.sort(before.ravel())
    z = norm.ppf(np.interp(after.ravel(), before, (np.arange(before.size) + 0.5) / before.size))
    low, high = np.quantile(z, [0.25, 0.75])
    spread = min(float(z.std()), (high - low) / 1.349) or float(z.std())
    grid_step = 0.01
    width = max(0.9 * spread * z.size**-0.2, grid_step)
    grid = np.arange(-6, 6, grid_step)
    # counts on the grid first: a kernel sum over every draw would take draws x grid points
    counts = np.bincount(np.rint((z + 6) / grid_step).astype(int), minlength=grid.size)[: grid.size]
    kernel = norm.pdf(np.arange(-4 * width, 4 * width + grid_step / 2, grid_step), scale=width)
    density = np.convolve(counts / z.size, kernel / (kernel.sum() * grid_step), mode="same")
    return float(np.minimum(density, norm.pdf(grid)).sum() * grid_step)


def _draws(draws: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    values = {name: np.asarray(v, dtype=float) for name, v in draws.items()}
    if not values or len({v.shape for v in values.values()}) != 1 or next(iter(values.values())).ndim != 1:
        raise ValueError("draws must be vectors of one length, by name")
    bad = [name for name, v in values.items() if not np.isfinite(v).all()]
    if bad:
        raise ValueError(f"draws are not finite: {bad}")
    return values


def _length(values: dict[str, Floats]) -> int:
    return len(next(iter(values.values())))
