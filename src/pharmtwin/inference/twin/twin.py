"""A twin: one person's model, prior, samples and posterior, made by one call and brought up to date by another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.seeds import seed_sequence
from pharmtwin.findings import Finding, has_errors
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import ALONE, Component, Problem, make_problem
from pharmtwin.inference.problem.records import Subject
from pharmtwin.inference.twin import flags
from pharmtwin.inference.twin.ladder import LadderOptions, TwinPosterior, climb, to_stderr, too_long, unfitted
from pharmtwin.inference.twin.learned import learned
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.settings import ladder_options, settings
from pharmtwin.inference.twin.target import TwinTarget


@dataclass(frozen=True)
class Twin:
    """One person after the fit.

    Attributes
    ----------
    model, components, covariate_at : as given to :func:`fit_twin`.
    posterior : draws. problem, prior : what they are of (impossible samples left out). learned : see ``learned``.
    hypotheses : name, prior and posterior probability of each component. findings : what is remarkable.
    """

    model: PopulationModel
    components: tuple[Component, ...]
    covariate_at: str
    problem: Problem
    prior: TwinPrior
    posterior: TwinPosterior
    learned: pd.DataFrame
    hypotheses: pd.DataFrame
    findings: tuple[Finding, ...]

    @property
    def id(self) -> str:
        """The person's id."""
        return self.problem.subjects[0]

    @property
    def usable(self) -> bool:
        """Whether forecasts and doses may be made from it: trusted, and no finding that is an error."""
        return self.posterior.trusted and not any(f.severity == "error" for f in self.findings)

    def effects(self) -> np.ndarray:
        """Effects of every draw, fixed and random: (n, n_effects)."""
        n = len(self.posterior.v)
        return np.hstack([np.tile(self.prior.centre, (n, 1)), self.posterior.v])


def fit_twin(
    model: PopulationModel,
    subject: Subject,
    prior: TwinPrior | None = None,
    components: Sequence[Component] = ALONE,
    *,
    master: int = 1,
    options: LadderOptions | None = None,
    covariate_at: str = "end",
    rtol: float = 1e-6,
    name: str = "samples",
    threads: int = 1,
    say: Callable[[str], None] = to_stderr,
) -> Twin:
    """The posterior of one person from prior and samples.

    Samples that come later: call again with all of them. The answer is that of all at once, because it is computed so.
    A sample that no effects can explain (a value before the first dose, say) is left out of the fit with a finding that
    is an error; the problem of the result is without it. If there is no other, the posterior is the prior, not trusted.

    Parameters
    ----------
    prior : default: the model's typical values and covariance as known (see ``TwinPrior``).
    components : the person's diplotypes as hypotheses about constants or covariates of the model.
    master : master seed; the person's own follows from it and the id. Same input and seed, same bytes.
    name : file that findings name. say : is told how long the fit will take, where it takes long.

    Raises
    ------
    ValueError : no samples, no random effects, components that are no probabilities, a prior of other effects.
    """
    options = options or ladder_options()
    make = lambda s: make_problem(model, [s], components={s.id: components}, covariate_at=covariate_at, rtol=rtol)  # noqa: E731
    problem = make(subject)
    own = TwinPrior.of_model(problem.model) if prior is None else prior
    if own.names != tuple(r.name for r in problem.model.random) or not own.names:
        raise ValueError(
            f"the prior is of the effects {own.names}, the model has {[r.name for r in problem.model.random]}"
        )
    # a stream for each purpose: what is looked at before or after does not change the draws
    streams = [np.random.default_rng(s) for s in seed_sequence(master, "twin", subject.id).spawn(3)]
    target = TwinTarget(problem, own, threads)
    n_prior = int(settings()["prior_draws"])
    found: list[Finding] = []
    if late := too_long(target, options, n_prior, say):
        posterior = unfitted(target, options, streams[1], (late,))
    else:
        before = target.predictive(n_prior, streams[0])
        found, wrong = flags.of_impossible(target, before, name)
        if wrong.any() and not wrong.all():
            target = TwinTarget(make(_without(subject, problem.subject_obs[target.obs[wrong]])), own, threads)
            before = replace(before, f=before.f[:, ~wrong])
        found += flags.of_prior(target, before, streams[0], name)
        if has_errors(found):  # the twin is of no use as it is: no long second opinion
            options = replace(options, nuts_seconds=0.0)
        posterior = climb(target, options, streams[1], say)
    found += flags.of_fit(target, posterior, name)
    hypotheses = pd.DataFrame(
        {
            "component": list(problem.names_of_case),
            "prior": np.exp(problem.log_weight),
            "posterior": posterior.probability,
        }
    )
    return Twin(
        model, tuple(components), covariate_at, target.problem, own, posterior,
        learned(own, posterior, streams[2]), hypotheses, tuple(found),
    )  # fmt: skip


def _without(subject: Subject, numbers: NDArray[np.int64]) -> Subject:
    """The subject without some of its observations."""
    kept = np.setdiff1d(np.arange(len(subject.obs_row)), numbers)
    columns = ("obs_row", "obs_output", "obs_value", "obs_code", "obs_limit", "file_row")
    return replace(subject, **{c: getattr(subject, c)[kept] for c in columns})
