"""A twin: one person's model, prior, samples and posterior, made by one call and brought up to date by another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pharmtwin.core.seeds import seed_sequence
from pharmtwin.findings import Finding
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import ALONE, Component, Problem, make_problem
from pharmtwin.inference.problem.records import Subject
from pharmtwin.inference.twin import flags
from pharmtwin.inference.twin.ladder import LadderOptions, TwinPosterior, climb
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.settings import ladder_options
from pharmtwin.inference.twin.target import TwinTarget


@dataclass(frozen=True)
class Twin:
    """One person after the fit.

    Attributes
    ----------
    posterior : draws. problem, prior : what they are of. learned : see ``flags.learned``. hypotheses : name, prior and
        posterior probability of each component. findings : what is remarkable about the samples.
    """

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
) -> Twin:
    """The posterior of one person from prior and samples.

    Samples that come later: call again with all of them. The answer is that of all at once, because it is computed so.

    Parameters
    ----------
    prior : default: the model's typical values and covariance as known (see ``TwinPrior``).
    components : the person's diplotypes as hypotheses about constants or covariates of the model.
    master : master seed; the person's own follows from it and the id.
    """
    problem = make_problem(model, [subject], components={subject.id: components}, covariate_at=covariate_at, rtol=rtol)
    own = TwinPrior.of_model(problem.model) if prior is None else prior
    target = TwinTarget(problem, own, threads)
    rng = np.random.default_rng(seed_sequence(master, "twin", subject.id))
    posterior = climb(target, own, options or ladder_options(), rng)
    hypotheses = pd.DataFrame(
        {
            "component": list(problem.names_of_case),
            "prior": np.exp(problem.log_weight),
            "posterior": posterior.probability,
        }
    )
    return Twin(
        problem, own, posterior, flags.learned(target, posterior, rng), hypotheses,
        tuple(flags.findings(target, posterior, rng, name)),
    )  # fmt: skip
