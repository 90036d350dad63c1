"""What the reader of a twin must know of its samples: impossible ones, slips of units, conflicts, outliers, the fit."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pharmtwin.findings import Finding
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.twin.ladder import TwinPosterior
from pharmtwin.inference.twin.residuals import Samples, quantified, residual_sd, standardised
from pharmtwin.inference.twin.settings import settings
from pharmtwin.inference.twin.surprise import impossible, slip, surprise
from pharmtwin.inference.twin.target import Predictive, TwinTarget

Floats = NDArray[np.float64]


class _Notes:
    """Collects findings on one person's samples."""

    def __init__(self, target: TwinTarget, name: str) -> None:
        self.target, self.name = target, name
        self.findings: list[Finding] = []

    def say(self, rule: str, j: int, what: str, why: str, fix: str, severity: str = "warning") -> None:
        """One finding more, on sample ``j`` (-1: on all)."""
        p = self.target.problem
        row, column, value = 0, "", ""
        if j >= 0:
            o = self.target.obs[j]
            row, column, value = int(p.data[0].file_row[p.subject_obs[o]]), "DV", f"{p.y[o]:g}"
        self.findings.append(
            Finding.create(
                f"twin.{rule}", self.name, what, why, fix, row=row, column=column, value=value, severity=severity
            )
        )


def of_impossible(target: TwinTarget, prior: Predictive, name: str) -> tuple[list[Finding], NDArray[np.bool_]]:
    """Findings on samples that the model cannot give, and which these are (n_obs,)."""
    notes, wrong = _Notes(target, name), impossible(target, prior)
    for j in np.flatnonzero(wrong):
        if np.nanmax(np.abs(prior.f[:, j])) == 0.0:
            what, fix = "the model predicts exactly 0 here", "check the doses before it, time and value"
        else:
            what, fix = "the model gives this value no probability", "check it, or declare the limit of quantification"
        notes.say("impossible", int(j), what, "no effects of the person explain it; the fit goes on without it", fix,
                  "error")  # fmt: skip
    return notes.findings, wrong


def of_prior(target: TwinTarget, prior: Predictive, rng: np.random.Generator, name: str) -> list[Finding]:
    """Findings before the fit: what the samples are, and how the population's prediction stands to them."""
    s, notes = settings(), _Notes(target, name)
    doses = target.problem.data[0].doses
    times = target.problem.times_of_obs[target.obs]
    if target.n_obs == 1:
        notes.say("one_sample", 0, "is the person's only sample",
                  "it cannot tell several effects apart; where they all act the prior decides",
                  "see the overlap of prior and posterior; take another sample if it matters", "note")  # fmt: skip
    given = {d.time + k * d.ii for d in doses for k in range(d.addl + 1)}
    late = sorted(t for t in given if t > times.max())
    if late:
        notes.say("dose_after_sample", -1, f"{len(late)} dose(s) from {late[0]:g} h on come after the last sample",
                  "no sample tells anything about them", "check times if samples should follow", "note")  # fmt: skip
    for j in [j for j, t in enumerate(times.tolist()) if t in given]:
        notes.say("at_dose", j, f"the sample has the time of a dose ({times[j]:g} h)",
                  "the order of the rows decides whether it was taken before or after",
                  "check the order, or write the minutes", "note")  # fmt: skip
    y = target.problem.y[target.obs]
    with np.errstate(invalid="ignore"):
        never = quantified(target) & (y <= 0) & ~(prior.f <= 0).any(axis=0)
    for j in np.flatnonzero(never).tolist():
        notes.say("not_positive", j, "is not greater than 0, and the model's prediction always is",
                  "only the residual error can explain it", "declare the limit of quantification")  # fmt: skip
    score = surprise(target, prior, rng)
    strange = np.flatnonzero(score > s["surprise"]).tolist()
    factor = slip(target, prior)
    if factor != 1.0 and strange:
        notes.say("unit", int(np.flatnonzero(quantified(target))[0]),
                  f"the samples are about {factor:g} times what the population's prediction is",
                  "that is what a slip of units looks like, and the twin would be wrong by as much",
                  "check the units of samples and doses", "error")  # fmt: skip
    for j in strange:
        notes.say("prior_conflict", j, f"the sample is improbable for such a person (|npde| {score[j]:.1f})",
                  "dose, time or identity of the sample may be wrong, or this person unlike the population",
                  "check the record; if it is right, treat the twin's forecast with caution")  # fmt: skip
    return notes.findings


def of_fit(target: TwinTarget, posterior: TwinPosterior, name: str) -> list[Finding]:
    """Findings after the fit: contradictions, outliers, a person far from the population, a posterior not to trust."""
    s, notes = settings(), _Notes(target, name)
    solved = np.isfinite(posterior.f).all(axis=1)
    if solved.any():
        f, sigma = posterior.f[solved], posterior.sigma[solved]
        for i, j, size in contradictions(target, f, sigma, s["same_time"]):
            if size > s["outlier"]:
                other = target.problem.y[target.obs[i]]
                notes.say("contradiction", j, f"and {other:g} are of one time, {size:.1f} standard deviations apart",
                          "one of them is wrong, and the twin lies between them", "find out which one")  # fmt: skip
        residual = standardised(target, f, sigma).mean(axis=0)
        for j in np.flatnonzero(np.abs(residual) > s["outlier"]).tolist():
            notes.say("outlier", j, f"lies {residual[j]:.1f} residual standard deviations from the fitted curve",
                      "one wrong sample pulls the whole twin",
                      "check time and value; samples contradict each other or the model")  # fmt: skip
    if posterior.distance < s["conflict"]:
        p = posterior.distance
        notes.say("far_from_prior", -1, f"the person's effects lie far from the population (p = {p:.1g})",
                  "either this person is rare, or data and model contradict each other",
                  "check dose history, comedication and samples before using the forecast")  # fmt: skip
    if not posterior.trusted:
        notes.say("not_trusted", -1, "no method passed its own checks: " + "; ".join(posterior.rungs),
                  "intervals and doses from it may be wrong", "look at the samples; do not dose by this twin",
                  "error")  # fmt: skip
    if posterior.failed:
        notes.say("solver", -1, f"{posterior.failed} of {posterior.solves} solves failed",
                  "such points count as impossible", "look at the effects' ranges")  # fmt: skip
    return notes.findings


def contradictions(target: Samples, f: Floats, sigma: Floats, near: float) -> list[tuple[int, int, float]]:
    """Pairs of values of one output and time, and their difference in standard deviations (of values or logarithms)."""
    p, obs = target.problem, target.obs
    sd, middle = np.mean(residual_sd(target, f, sigma), axis=0), np.mean(f, axis=0)
    seen, found = np.flatnonzero(quantified(target)).tolist(), []
    for i, j in combinations(seen, 2):
        a, b = obs[i], obs[j]
        if p.output_of_obs[a] != p.output_of_obs[b] or abs(p.times_of_obs[a] - p.times_of_obs[b]) > near:
            continue
        error = float(np.hypot(sd[i], sd[j]))
        if p.kind[a] == sc.ADDITIVE or min(p.y[a], p.y[b], middle[i]) <= 0:
            size = abs(p.y[b] - p.y[a]) / error
        else:
            size = abs(np.log(p.y[b] / p.y[a])) / (error if p.kind[a] == sc.LOGNORMAL else error / middle[i])
        found.append((i, j, float(size)))
    return found
