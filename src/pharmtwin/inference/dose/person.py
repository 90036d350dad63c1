"""Whom a forecast is for: a model, draws of the person's effects, and what was given until now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.estimation.modes import root
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.occasions import effect_of, expand
from pharmtwin.inference.problem.problem import ALONE, Component
from pharmtwin.inference.problem.records import Dose, Subject
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.twin import Twin

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Person:
    """Draws of a person's effects, and the person's past.

    Attributes
    ----------
    model : as written, effects of the occasion not written out.
    effects : (n, n_effects) draws of fixed and random effects of the model with ``n_occasions`` occasions.
    case : (n,) hypothesis of each draw among ``components``.
    covariates : (n_covariates,) from ``now`` on; before they are those of the past's rows.
    past : rows until ``now``; None: nothing was given. doses : given after the past's last row and before ``now``.
    now : h on the past's clock; a regimen's first dose comes then.
    n_occasions : the last of them is that of the forecast.
    sigma : (n, n_residuals) residual parameters of the draws; empty: those of the model.
    covariate_at : see ``records.Columns``. rtol : of the solver.
    """

    model: PopulationModel
    effects: Floats
    case: Ints
    components: tuple[Component, ...] = ALONE
    covariates: Floats = field(default_factory=lambda: np.zeros(0))
    past: Subject | None = None
    doses: tuple[Dose, ...] = ()
    now: float = 0.0
    n_occasions: int = 1
    sigma: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    covariate_at: str = "end"
    rtol: float = 1e-6

    @property
    def n(self) -> int:
        """Draws."""
        return len(self.effects)

    @property
    def residuals(self) -> Floats:
        """Residual parameters of every draw: (n, n_residuals)."""
        return self.sigma if self.sigma.size else np.tile([r.value for r in self.model.residuals], (self.n, 1))

    @classmethod
    def of_twin(
        cls,
        twin: Twin,
        now: float,
        rng: np.random.Generator,
        *,
        covariates: Floats | None = None,
        doses: Sequence[Dose] = (),
        new_occasion: bool = True,
    ) -> Person:
        """The person after the fit, with the twin's draws.

        Parameters
        ----------
        now : h; doses of the twin's rows at ``now`` or later are planned ones, and left out (:func:`planned`).
        covariates : from now on; default those of the last row before.
        doses : given after the twin's last row.
        new_occasion : the forecast is an occasion of its own: its effects are drawn from their variance, since no
            sample tells of them. False: the last occasion of the rows goes on.

        Raises
        ------
        ValueError : ``now`` before the last sample.
        """
        model, subject = twin.model, twin.problem.data[0]
        if len(subject.obs_row) and subject.times[subject.obs_row].max() > now:
            raise ValueError(f"the forecast starts at {now:g} h, before the last sample that the twin knows of")
        n = subject.n_occasions if model.of_occasion else 1
        effects = twin.effects()
        if model.of_occasion and new_occasion:
            effects = np.hstack([effects, _new_occasion(model, twin.prior, len(effects), rng)])
            n += 1
        ahead = covariates_before(subject, now) if covariates is None else covariates
        return cls(
            model, effects, twin.posterior.case, twin.components, ahead, until(subject, now), tuple(doses), now, n,
            twin.posterior.sigma, twin.covariate_at, twin.problem.rtol,
        )  # fmt: skip

    @classmethod
    def of_prior(
        cls,
        model: PopulationModel,
        n: int,
        rng: np.random.Generator,
        *,
        prior: TwinPrior | None = None,
        subject: Subject | None = None,
        now: float = 0.0,
        components: Sequence[Component] = ALONE,
        covariates: Floats | None = None,
        covariate_at: str = "end",
        rtol: float = 1e-6,
    ) -> Person:
        """A person without samples: n draws of the prior of one occasion (default: the model's own variability).

        subject : its rows until ``now`` are what was given.
        """
        prior = TwinPrior.of_model(expand(model, 1)) if prior is None else prior
        v, sigma = prior.sample(n, rng)
        weight = np.array([c.weight for c in components])
        case = rng.choice(len(weight), size=n, p=weight / weight.sum())
        past, ahead = None, np.zeros(0) if covariates is None else covariates
        if subject is not None:
            past = until(replace(subject, occasions=np.zeros_like(subject.occasions)), now)
            ahead = covariates_before(subject, now) if covariates is None else covariates
        effects = np.hstack([np.tile(prior.centre, (n, 1)), v])
        return cls(model, effects, case, tuple(components), ahead, past, (), now, 1, sigma, covariate_at, rtol)


def _new_occasion(model: PopulationModel, prior: TwinPrior, n: int, rng: np.random.Generator) -> Floats:
    """Effects of an occasion without samples: (n, n_effects of an occasion), each from a draw of the population."""
    first = [prior.names.index(effect_of(e.name, 1)) for e in model.of_occasion]
    roots = [root(cov[np.ix_(first, first)]) for cov in prior.cov]
    which = rng.integers(prior.n_draws, size=n)
    return np.array([roots[s] @ rng.standard_normal(roots[s].shape[1]) for s in which])


def covariates_before(subject: Subject, now: float) -> Floats:
    """Covariates of the subject's last row before ``now`` (h), else of its first: (n_covariates,)."""
    past = until(subject, now)
    return np.asarray(subject.covariates[0] if past is None else past.covariates[-1])


def planned(subject: Subject, now: float) -> list[float]:
    """Times (h) of the subject's doses at ``now`` or later."""
    times = [d.time + k * d.ii for d in subject.doses for k in range(d.addl + 1)]
    return sorted(t for t in times if t >= now)


def until(subject: Subject, now: float) -> Subject | None:
    """The rows of a subject until ``now`` (h), without its samples' values and the doses from then on; None: no row."""
    of_dose = {d.row for d in subject.doses}
    rows = [k for k, t in enumerate(subject.times) if t < now or (t == now and k not in of_dose)]
    if not rows:
        return None
    where = {k: i for i, k in enumerate(rows)}
    doses = tuple(
        replace(d, row=where[d.row], addl=min(d.addl, math.ceil((now - d.time) / d.ii) - 1) if d.addl else 0)
        for d in subject.doses
        if d.row in where
    )
    resets = tuple(where[k] for k in subject.resets if k in where)
    floats, numbers = np.zeros(0), np.zeros(0, dtype=np.int64)
    return Subject(
        subject.id, subject.times[rows], subject.covariates[rows], subject.occasions[rows], resets, doses,
        numbers, numbers, floats, numbers, floats, numbers,
    )  # fmt: skip
