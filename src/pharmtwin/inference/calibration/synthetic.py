"""One synthetic twin: effects, genotype and residual error drawn from the prior, samples drawn from the model."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.seeds import seed_sequence
from pharmtwin.inference.calibration.cases import Case, Person
from pharmtwin.inference.problem.problem import make_problem
from pharmtwin.inference.twin.ladder import LadderOptions
from pharmtwin.inference.twin.residuals import log_likelihood, simulated
from pharmtwin.inference.twin.target import TwinTarget
from pharmtwin.inference.twin.twin import Twin, fit_twin

Floats = NDArray[np.float64]
#: tolerance of the solver, for data as for fits
RTOL = 1e-6
TRIES = 20


@dataclass(frozen=True)
class Synthetic:
    """A person with samples and their truth: effects v (k,), hypothesis, residual parameters, logarithm of the case's
    quantity, log-likelihood of the samples at the truth."""

    person: Person
    v: Floats
    case: int
    sigma: Floats
    value: float
    log_lik: float


def synthetic(case: Case, master: int, name: str) -> Synthetic:
    """The person of a name and master seed, with samples; the same whatever else is drawn.

    Where the solver fails on the drawn effects, effects are drawn again (a fit gives such effects no probability
    either); RuntimeError after many.
    """
    rng = np.random.default_rng(seed_sequence(master, f"calibration.{case.name}", name))
    person = case.person(rng, name)
    target = _target(person)
    for _ in range(TRIES):
        truth = target.predictive(1, rng)
        if np.isfinite(truth.f).all():
            break
    else:
        raise RuntimeError(f"{case.name} {name}: no effects of the prior could be solved")
    drawn = simulated(target, truth.f, truth.sigma, rng)[0]
    values = np.empty(target.n_obs)
    values[target.problem.subject_obs[target.obs]] = drawn
    subject = replace(person.subject, obs_value=values)
    sampled = replace(person, subject=subject)
    log_lik = float(log_likelihood(_target(sampled), truth.f, truth.sigma).sum())
    value = float(case.value(person, truth.v, truth.case)[0])
    return Synthetic(sampled, truth.v[0], int(truth.case[0]), truth.sigma[0], value, log_lik)


def _target(person: Person) -> TwinTarget:
    components = {person.subject.id: person.components}
    return TwinTarget(make_problem(person.model, [person.subject], components=components, rtol=RTOL), person.prior)


def fitted(made: Synthetic, master: int, options: LadderOptions | None = None) -> tuple[Twin, float, float]:
    """The twin, the seconds of processor time that it took on its one thread, and those on the clock."""
    p = made.person
    worked, started = time.process_time(), time.perf_counter()
    twin = fit_twin(p.model, p.subject, p.prior, p.components, master=master, options=options, rtol=RTOL,
                    say=lambda _: None)  # fmt: skip
    return twin, time.process_time() - worked, time.perf_counter() - started
