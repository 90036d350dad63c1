"""How well would the model predict what it has not seen? Leave-one-out by Pareto smoothed importance sampling.

Vehtari, Gelman and Gabry 2017, doi:10.1007/s11222-016-9696-4. Leaving out single observations flatters a
hierarchical model, because the subject's other observations still tell its random effects: report ``by_subject``
too. There the log-likelihood of a subject should have its random effects integrated out; that matrix comes from
outside. With conditional log-likelihoods summed by subject the importance weights mostly fail, and k says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from pharmtwin.inference.criticism.arviz_door import relative_efficiency
from pharmtwin.inference.criticism.limits import limits
from pharmtwin.inference.criticism.psis import pareto_k_limit, psis
from pharmtwin.inference.criticism.weights import pseudo_bma_weights, stacking_weights

Floats = NDArray[np.float64]
K_CLASSES = ("good", "bad", "very bad")


@dataclass(frozen=True)
class Loo:
    """Expected log predictive density for new data, and what each unit (observation or subject) adds to it.

    elpd, se : sum over the units and its standard error; p_loo : effective number of parameters.
    k_limit : largest trustworthy k for this number of draws.
    pointwise : one row for each unit: unit, elpd, p_loo, pareto_k, trusted (k within the limit).
    """

    elpd: float
    se: float
    p_loo: float
    k_limit: float
    pointwise: pd.DataFrame

    @property
    def trusted(self) -> bool:
        """Whether every unit's k is within the limit; if not, elpd is too high more often than not."""
        return bool(self.pointwise["trusted"].all())


def loo(log_likelihood: ArrayLike, units: Sequence[object] | None = None) -> Loo:
    """PSIS-LOO from pointwise log-likelihoods.

    log_likelihood : (chains, draws, n), or (draws, n) for independent draws; units : n names (default 0, 1, ...).
    Raises ValueError for nan or +inf, for a unit of likelihood zero in every draw, and for names of another number.
    """
    chains = np.asarray(log_likelihood, dtype=float)
    if chains.ndim not in (2, 3) or 0 in chains.shape:
        raise ValueError(f"log-likelihoods must be (chains, draws, n) or (draws, n), not {chains.shape}")
    flat = chains.reshape(-1, chains.shape[-1])
    n_draws, n = flat.shape
    names = list(range(n)) if units is None else list(units)
    if len(names) != n:
        raise ValueError(f"{len(names)} names for {n} units")
    wrong = [names[i] for i in np.flatnonzero(np.isnan(flat).any(axis=0) | ~np.isfinite(flat.max(axis=0)))]
    if wrong:
        raise ValueError(f"log-likelihood is nan or infinite for {wrong[:5]} ({len(wrong)} units)")
    likelihood = np.exp(chains - flat.max(axis=0))
    efficiency = relative_efficiency(likelihood) if chains.ndim == 3 else np.ones(n)
    elpd, k = np.empty(n), np.empty(n)
    for i in range(n):
        if np.isneginf(flat[:, i]).any():  # the weight of such a draw is infinite: nothing can be said of this unit
            elpd[i], k[i] = -math.inf, math.inf
            continue
        weight, k[i] = psis(-flat[:, i], float(efficiency[i]))
        elpd[i] = logsumexp(weight + flat[:, i])
    p_loo = logsumexp(flat, axis=0) - math.log(n_draws) - elpd
    limit = pareto_k_limit(n_draws)
    pointwise = pd.DataFrame({"unit": names, "elpd": elpd, "p_loo": p_loo, "pareto_k": k, "trusted": k <= limit})
    return Loo(float(elpd.sum()), _se(elpd), float(p_loo.sum()), limit, pointwise)


def by_subject(log_likelihood: ArrayLike, subject: Sequence[object]) -> tuple[Floats, list[object]]:
    """Log-likelihoods of observations (..., n) summed by subject (..., subjects), and the subjects' names.

    subject : n names; the order is that of first appearance.
    """
    ll = np.asarray(log_likelihood, dtype=float)
    if ll.shape[-1] != len(subject):
        raise ValueError(f"{len(subject)} subjects named for {ll.shape[-1]} observations")
    codes, names = pd.factorize(np.asarray(subject, dtype=object))
    if (codes < 0).any():
        raise ValueError("an observation has no subject")
    out = np.zeros((*ll.shape[:-1], len(names)))
    for i, code in enumerate(codes):
        out[..., code] += ll[..., i]
    return out, list(names)


def pareto_k_table(result: Loo) -> pd.DataFrame:
    """How many units have a good (within the limit), bad (up to 1) or very bad k: class, from, to, n, share, worst."""
    k = result.pointwise["pareto_k"].to_numpy(float)
    edges = [-math.inf, result.k_limit, 1.0, math.inf]
    rows = []
    for name, low, high in zip(K_CLASSES, edges[:-1], edges[1:], strict=True):
        mine = (k > low if math.isfinite(low) else np.full(len(k), True)) & (k <= high)
        worst = result.pointwise["unit"].iloc[int(np.argmax(np.where(mine, k, -math.inf)))] if mine.any() else None
        rows.append((name, low, high, int(mine.sum()), float(mine.mean()), worst))
    return pd.DataFrame(rows, columns=["class", "from", "to", "n", "share", "worst"])


def compare(results: Mapping[str, Loo], rng: np.random.Generator) -> pd.DataFrame:
    """Models side by side, the best first.

    Columns: model, elpd, se, p_loo, n_untrusted, elpd_diff (to the best) with se_diff, stacking and pseudo_bma
    weights, and ``clear``: the difference is at least that of ``elpd_sure`` in diagnostics.tsv and above twice its
    standard error, and no unit of either model is untrusted. rng drives the bootstrap of pseudo-BMA+.
    Raises ValueError for fewer than two models, or if the models were not judged on the same units in one order.
    """
    names = list(results)
    if len(names) < 2:
        raise ValueError("a comparison needs at least two models")
    units = list(results[names[0]].pointwise["unit"])
    differing = [m for m in names if list(results[m].pointwise["unit"]) != units]
    if differing:
        raise ValueError(f"{differing} were judged on other units, or in another order, than {names[0]}")
    elpd = np.column_stack([results[m].pointwise["elpd"].to_numpy(float) for m in names])
    table = pd.DataFrame(
        {
            "model": names,
            "elpd": [results[m].elpd for m in names],
            "se": [results[m].se for m in names],
            "p_loo": [results[m].p_loo for m in names],
            "n_untrusted": [int((~results[m].pointwise["trusted"]).sum()) for m in names],
            "stacking": stacking_weights(elpd),
            "pseudo_bma": pseudo_bma_weights(elpd, rng),
        }
    )
    best = int(np.argmax(table["elpd"]))
    difference = elpd - elpd[:, [best]]
    table["elpd_diff"] = difference.sum(axis=0)
    table["se_diff"] = [_se(d) for d in difference.T]
    sure = limits("loo")["elpd_sure"]
    trusted = (table["n_untrusted"] == 0) & (table["n_untrusted"].iloc[best] == 0)
    far = np.array([sure.passes(-d) for d in table["elpd_diff"]])
    table["clear"] = far & (-table["elpd_diff"] > 2 * table["se_diff"]) & trusted
    order = ["model", "elpd", "se", "p_loo", "n_untrusted", "elpd_diff", "se_diff", "clear", "stacking", "pseudo_bma"]
    return table.sort_values("elpd", ascending=False, kind="stable", ignore_index=True)[order]


def _se(values: Floats) -> float:
    """Standard error of a sum; nan for a single value, or where one is not finite."""
    if len(values) < 2 or not np.isfinite(values).all():
        return math.nan
    return float(math.sqrt(len(values)) * np.std(values, ddof=1))
