"""What is wrong with the data of a population fit, before hours are spent on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.findings import Finding, has_errors
from pharmtwin.inference.estimation.modes import root
from pharmtwin.inference.models.description import FixedEffect
from pharmtwin.inference.population_fit.build import PopulationFit
from pharmtwin.inference.population_fit.replay import Replay, predictions
from pharmtwin.inference.problem.score import ABOVE, OBSERVED, TRUNCATED
from pharmtwin.inference.twin.flags import contradictions
from pharmtwin.inference.twin.residuals import Observed
from pharmtwin.inference.twin.settings import settings
from pharmtwin.inference.twin.surprise import impossible, log_ratio, surprise, unit_factor
from pharmtwin.inference.twin.target import Predictive

Floats = NDArray[np.float64]
#: draws of the prior that the data are compared with
DRAWS = 400
#: subjects and samples that one finding names
NAMED = 5


@dataclass(frozen=True, eq=False)
class _Screen:
    """Data, draws of the prior (effects v are not kept), and the findings so far."""

    fit: PopulationFit
    prior: Replay
    f: Floats
    name: str
    findings: list[Finding]

    def say(
        self, rule: str, what: str, why: str, fix: str, severity: str = "error", row: int = 0, value: object = ""
    ) -> None:
        """One finding more."""
        made = Finding.create(f"population.{rule}", self.name, what, why, fix, row=row, column="DV" if row else "",
                              value=value, severity=severity)  # fmt: skip
        self.findings.append(made)

    def of(self, i: int) -> tuple[Observed, Predictive]:
        """Samples and prior predictions of subject i, in the order of the file."""
        p = self.fit.random_problem
        mine = np.flatnonzero(self.prior.subject_of_obs == i)
        part = p.of([i])
        order = np.argsort(part.subject_obs, kind="stable")
        none = np.zeros((len(self.f), 0))
        case = np.zeros(len(self.f), dtype=np.int64)
        return Observed(part, order), Predictive(none, case, self.prior.sigma, self.f[:, mine[order]])

    def row(self, i: int, j: int) -> int:
        """Row of the file of sample j of subject i."""
        return int(self.fit.problem.data[i].file_row[j])


def screen(fit: PopulationFit, name: str, rng: np.random.Generator) -> list[Finding]:
    """Findings on the data of a fit, in words; errors mean that it should not be sampled.

    Compared with people drawn from the prior: typical values by their priors (at the model's value where the prior is
    flat or heavy-tailed), variances and residual errors at the model's values.
    """
    prior = _prior(fit, rng)
    s = _Screen(fit, prior, predictions(fit.random_problem, prior.fixed, prior.eta), name, [])
    _of_all(s)
    if not has_errors(s.findings):
        _impossible(s)
        _slips(s, rng)
        _contradictions(s)
    return s.findings


def _prior(fit: PopulationFit, rng: np.random.Generator) -> Replay:
    p = fit.random_problem
    fixed = np.column_stack([_typical(e, rng) for e in fit.source.fixed] or [np.zeros((DRAWS, 0))])
    L = root(p.model.omega)
    eta = rng.standard_normal((DRAWS, len(p.subjects), L.shape[1])) @ L.T
    return Replay(p, fixed, np.tile(p.sigma(), (DRAWS, 1)), eta, np.tile(p.model.omega, (DRAWS, 1, 1)), 1)


def _typical(effect: FixedEffect, rng: np.random.Generator) -> Floats:
    """Draws of a fixed effect's prior, those beyond its bounds at its value."""
    stay = np.full(DRAWS, effect.value)
    if effect.fixed or effect.prior is None or effect.prior.family not in ("lognormal", "normal"):
        return stay
    centre, sd = effect.prior.arguments
    z = sd * rng.standard_normal(DRAWS)
    drawn = centre * np.exp(z) if effect.prior.family == "lognormal" else centre + z
    low, high = effect.prior.support
    inside = (drawn > max(low, effect.lower)) & (drawn < min(high, effect.upper))
    return np.asarray(np.where(inside, drawn, stay))


def _named(words: Sequence[object]) -> str:
    shown = ", ".join(map(str, words[:NAMED]))
    return f"{shown} and {len(words) - NAMED} more" if len(words) > NAMED else shown


def _of_all(s: _Screen) -> None:
    """How much there is to learn from."""
    p, names = s.fit.problem, s.fit.problem.subjects
    quantified = np.isin(p.code, (OBSERVED, TRUNCATED))
    if not quantified.any():
        where = "above" if np.all(p.code == ABOVE) else "below"
        s.say("all_blq", f"all {len(p.y)} samples lie {where} the limit of quantification",
              "they bound the exposure and tell no parameter", "check limit, dose, times and unit")  # fmt: skip
    n = [len(d.obs_row) for d in p.data]
    single = [i for i, k in zip(names, n, strict=True) if k == 1]
    if single:
        s.say("one_sample", f"subject(s) {_named(single)}: one sample each",
              "it cannot tell several effects apart; the others decide", "nothing, if that is all there is",
              "note")  # fmt: skip
    if len(names) == 1 and s.fit.n_random:
        s.say("one_subject", "there is one subject", "nothing tells how people differ: those are the priors",
              "use `pharmtwin twin`, or give more subjects", "warning")  # fmt: skip
    if len(p.y) <= s.fit.n_free:
        s.say("few_samples", f"there are {len(p.y)} samples for {s.fit.n_free} parameters of the population",
              "the priors decide", "fix parameters, or give more data", "warning")  # fmt: skip
    late = []
    for d in p.data:
        last = d.times[d.obs_row].max()
        if any(dose.time + k * dose.ii > last for dose in d.doses for k in range(dose.addl + 1)):
            late.append(d.id)
    if late:
        s.say("dose_after_sample", f"subject(s) {_named(late)}: doses after the last sample",
              "no sample tells anything about them", "check times if samples should follow", "note")  # fmt: skip
    if not np.isfinite(s.f).all(axis=1).any():
        s.say("solver", "the model could not be solved for any of the people drawn from its priors",
              "the fit could not start", "check priors, values and doses")  # fmt: skip


def _impossible(s: _Screen) -> None:
    """Samples that the model gives no probability: with one of them every likelihood is 0."""
    for i in range(len(s.fit.problem.subjects)):
        samples, prior = s.of(i)
        wrong = impossible(samples, prior)
        for j in np.flatnonzero(wrong).tolist():
            zero = np.nanmax(np.abs(prior.f[:, j])) == 0.0
            what = "the model predicts exactly 0 here" if zero else "the model gives this value no probability"
            s.say("impossible", what, "no parameters explain it, so no fit can begin",
                  "check the doses before it, time and value; declare the limit of quantification; leave the row out",
                  row=s.row(i, j), value=f"{samples.problem.y[samples.obs[j]]:g}")  # fmt: skip


def _slips(s: _Screen, rng: np.random.Generator) -> None:
    """Samples that are improbable under the prior, and slips of units: of all, and of a subject beside the others."""
    limit, n = settings()["surprise"], len(s.fit.problem.subjects)
    ratio, strange = np.full(n, np.nan), np.zeros(n, dtype=bool)
    rows: list[tuple[int, str]] = []
    for i in range(n):
        samples, prior = s.of(i)
        score = surprise(samples, prior, rng)
        ratio[i] = log_ratio(samples, prior)
        far = np.flatnonzero(score > limit).tolist()
        strange[i] = bool(far)
        rows += [(s.row(i, j), f"|npde| {score[j]:.1f}") for j in far]
    if np.isnan(ratio).all():
        return
    middle = float(np.nanmedian(ratio))
    factor = unit_factor(middle)
    most = 2 * strange.sum() >= n
    if factor != 1.0:
        s.say("unit", f"the samples are about {factor:g} times what the model predicts before the fit",
              "that is what a slip of units looks like, and clearances and volumes would be wrong by as much",
              "check the units of samples and doses, or the model's values",
              "error" if most else "warning")  # fmt: skip
    elif n > 2:
        for i in range(n):
            own = unit_factor(ratio[i] - middle)
            if own != 1.0:
                who = s.fit.problem.subjects[i]
                s.say("unit", f"the samples of subject {who} are about {own:g} times those of the others, as the model "
                      "sees them", "that is what a slip of units looks like, and one subject would spoil the variances",
                      "check the units of its samples and doses", "error" if strange[i] else "warning",
                      row=s.row(i, 0))  # fmt: skip
    if rows and not has_errors(s.findings):
        s.say("prior_conflict", f"{len(rows)} sample(s) are improbable before the fit "
              f"({_named([f'row {r}: {k}' for r, k in rows])})", "the priors or these rows may be wrong",
              "check them; if they stand, widen the priors", "warning")  # fmt: skip


def _contradictions(s: _Screen) -> None:
    """Values of one output and time that the residual error does not explain."""
    chosen = settings()
    p = s.fit.random_problem
    typical = np.array([[f.value for f in s.fit.source.fixed]])
    f = predictions(p, typical, np.zeros((1, *s.prior.eta.shape[1:])))
    for i in range(len(p.subjects)):
        samples, _ = s.of(i)
        mine = np.flatnonzero(s.prior.subject_of_obs == i)[samples.obs]
        for a, b, size in contradictions(samples, f[:, mine], s.prior.sigma[:1], chosen["same_time"]):
            if size > chosen["outlier"]:
                y = samples.problem.y[samples.obs]
                s.say("contradiction", f"and {y[a]:g} are of one time, {size:.1f} standard deviations apart",
                      "one of them is wrong, and the residual error would pay for it", "find out which one", "warning",
                      row=s.row(i, b), value=f"{y[b]:g}")  # fmt: skip
