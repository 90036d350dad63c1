"""What a twin's samples taught, and whether they fit: shrinkage, overlap, outliers, conflict with the prior, unit slips."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import chi2

from pharmtwin.findings import Finding
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.twin.ladder import TwinPosterior
from pharmtwin.inference.twin.settings import settings
from pharmtwin.inference.twin.target import TwinTarget

Floats = NDArray[np.float64]
#: factors that a slip of units makes (mg for ug, ug/L for mg/L), and how near to one counts
SLIPS, NEAR = (1e-6, 1e-3, 1e3, 1e6), 3.0
N_PRIOR = 1000


def learned(target: TwinTarget, posterior: TwinPosterior, rng: np.random.Generator) -> pd.DataFrame:
    """By effect: mean and sd of prior and posterior, shrinkage (share of the prior's variance that is left, and of its
    sd), overlap of the two densities (1: nothing was learned).

    Shrinkage as for random effects in population fits: variance form of Savic & Karlsson 2009, doi 10.1208/s12248-009-9133-0,
    for one person: the share of the prior's variance that the data did not remove.
    """
    prior, _ = target.prior.sample(N_PRIOR * 4, rng)
    rows = []
    for k, name in enumerate(posterior.names):
        a, b = prior[:, k], posterior.v[:, k]
        before, after = float(a.std(ddof=1)), float(b.std(ddof=1))
        rows.append(
            {
                "effect": name, "prior_mean": float(a.mean()), "prior_sd": before, "mean": float(b.mean()), "sd": after,
                "variance_left": (after / before) ** 2 if before > 0 else 1.0,
                "sd_left": after / before if before > 0 else 1.0, "overlap": overlap(a, b),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def overlap(a: Floats, b: Floats) -> float:
    """Shared area of two densities, from draws (histogram of common bins, as wide as the broader one asks)."""
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    if not high > low:
        return 1.0
    bins = np.linspace(low, high, max(10, int(np.sqrt(len(b)))) + 1)
    p, q = (np.histogram(x, bins)[0] / len(x) for x in (a, b))
    return float(np.minimum(p, q).sum())


def residual_sd(target: TwinTarget, f: Floats, sigma: Floats) -> Floats:
    """Residual standard deviation of predictions f (n, n_obs) with residual parameters sigma (n, n_residuals)."""
    p = target.problem
    obs = target.obs_of_case[0]
    out = np.empty_like(f)
    for j, o in enumerate(obs):
        for i in range(len(f)):
            a = sigma[i, p.where[o, 0]]
            b = sigma[i, p.where[o, 1]] if p.where[o, 1] >= 0 else 0.0
            s = sc.spread(p.kind[o], f[i, j], a, b)[0]
            out[i, j] = s * f[i, j] if p.kind[o] == sc.LOGNORMAL else s
    return out


def prior_surprise(target: TwinTarget, rng: np.random.Generator) -> Floats:
    """|npde| of each quantified sample under the prior predictive: decorrelated in the order of the samples.

    (n_obs,), NaN for censored ones. Brendel 2006, doi 10.1007/s11095-005-9067-5.
    """
    p, obs = target.problem, target.obs_of_case[0]
    v, sigma = target.prior.sample(N_PRIOR, rng)
    case = rng.choice(p.n_cases, size=N_PRIOR, p=np.exp(p.log_weight) / np.exp(p.log_weight).sum())
    f = target.evaluate(v, case).f
    seen = np.flatnonzero(np.isin(p.code[obs], (sc.OBSERVED, sc.TRUNCATED)))
    log_scale = bool(np.all(p.y[obs[seen]] > 0) and np.all(np.isin(p.kind[obs[seen]], (sc.LOGNORMAL, sc.PROPORTIONAL))))
    sd = residual_sd(target, f, sigma)
    noise = rng.standard_normal(f.shape)
    if log_scale:  # concentrations that spread over decades are compared as logarithms
        sim = np.log(np.maximum(f, 1e-300)) + noise * sd / np.maximum(f, 1e-300)
        y = np.log(p.y[obs])
    else:
        sim, y = f + noise * sd, p.y[obs]
    out = np.full(len(obs), np.nan)
    good = np.isfinite(sim).all(axis=1)
    if not len(seen) or good.sum() < 50:
        return out
    sim = sim[good][:, seen]
    centre = sim.mean(axis=0)
    L = np.linalg.cholesky(np.cov(sim, rowvar=False).reshape(len(seen), -1) + 1e-12 * np.eye(len(seen)))
    z = np.linalg.solve(L, (sim - centre).T).T
    own = np.linalg.solve(L, y[seen] - centre)
    rank = (z < own).mean(axis=0)
    # beyond all simulated values the normal tail goes on
    edge = 0.5 / len(z)
    out[seen] = np.where((rank < edge) | (rank > 1 - edge), np.abs(own), np.abs(ndtri(np.clip(rank, edge, 1 - edge))))
    return out


def findings(target: TwinTarget, posterior: TwinPosterior, rng: np.random.Generator, name: str) -> list[Finding]:
    """What the reader of a twin must know of its samples: conflict, outliers, slips of unit, a posterior not to trust."""
    s, p, obs = settings(), target.problem, target.obs_of_case[0]
    subject = p.data[0]
    out: list[Finding] = []

    def say(rule: str, j: int, what: str, why: str, fix: str, severity: str = "warning") -> None:
        row = int(subject.file_row[p.subject_obs[obs[j]]]) if j >= 0 else 0
        value = f"{p.y[obs[j]]:g}" if j >= 0 else ""
        out.append(Finding.create(f"twin.{rule}", name, what, why, fix, row=row, column="DV" if j >= 0 else "",
                                  value=value, severity=severity))  # fmt: skip

    quantified = np.isin(p.code[obs], (sc.OBSERVED, sc.TRUNCATED))
    prior_v, _ = target.prior.sample(N_PRIOR, rng)
    prior_f = np.median(target.evaluate(prior_v, np.zeros(N_PRIOR, dtype=np.int64)).f, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(quantified & (prior_f > 0), p.y[obs] / prior_f, np.nan)
    if np.isfinite(factor).any():
        middle = float(np.exp(np.nanmean(np.log(factor[factor > 0])))) if (factor > 0).any() else float("nan")
        for slip in SLIPS:
            if np.isfinite(middle) and slip / NEAR < middle < slip * NEAR:
                say("unit", int(np.flatnonzero(quantified)[0]), f"the samples are about {slip:g} times what the model expects",
                    "that is what a slip of units looks like, and the twin would be wrong by as much",
                    "check the units of samples and doses", "error")  # fmt: skip
    surprise = prior_surprise(target, rng)
    for j in np.flatnonzero(surprise > s["surprise"]):
        say("prior_conflict", int(j), f"the sample is improbable for such a person (|npde| {surprise[j]:.1f})",
            "dose, time or identity of the sample may be wrong, or this person unlike the population",
            "check the record; if it is right, treat the twin's forecast with caution")  # fmt: skip
    L = np.linalg.pinv(target.cov)
    d = posterior.v.mean(axis=0) - target.mean
    p_value = float(chi2.sf(d @ L @ d, np.linalg.matrix_rank(target.cov)))
    if p_value < s["conflict"]:
        say("far_from_prior", -1, f"the person's effects lie far from the population (p = {p_value:.1g})",
            "either this person is rare, or data and model contradict each other",
            "check dose history, comedication and samples before using the forecast")  # fmt: skip
    f = posterior.f
    sd = residual_sd(target, f, posterior.sigma)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_error = np.isin(p.kind[obs], (sc.LOGNORMAL,))
        residual = np.where(log_error, (np.log(p.y[obs]) - np.log(f)) / (sd / f), (p.y[obs] - f) / sd).mean(axis=0)
    for j in np.flatnonzero(quantified & (np.abs(residual) > s["outlier"])):
        say("outlier", int(j), f"the sample lies {residual[j]:.1f} residual standard deviations from the fitted curve",
            "one wrong sample pulls the whole twin", "check time and value; samples contradict each other or the model")  # fmt: skip
    if not posterior.trusted:
        say("not_trusted", -1, "no method gave a posterior that passes its own checks: " + "; ".join(posterior.rungs),
            "intervals and doses from it may be wrong", "look at the samples; do not dose by this twin", "error")  # fmt: skip
    if posterior.failed:
        say("solver", -1, f"{posterior.failed} of {posterior.solves} solves failed", "such points count as impossible",
            "look at the effects' ranges")  # fmt: skip
    return out
