"""The objective of a population model: -2 log marginal likelihood by FO, FOCE, FOCEI, Laplace or quadrature.

As NONMEM reports it, without n log 2 pi (n uncensored observations), so that figures compare;
``Objective.log_likelihood`` has the constant. A subject with several hypotheses (diplotypes) has the weighted sum of
their marginal likelihoods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.estimation import approximations as ap
from pharmtwin.inference.estimation.modes import LogJoint, conditional_modes
from pharmtwin.inference.problem.problem import Problem
from pharmtwin.inference.problem.score import OBSERVED, TRUNCATED

Floats = NDArray[np.float64]


class EstimationError(ValueError):
    """What was asked cannot be computed; the message says why."""


@dataclass(frozen=True)
class Objective:
    """The objective at one point.

    Attributes
    ----------
    value, by_subject : sum and parts (n_subjects,); +inf where a subject's part cannot be computed.
    log_likelihood : with all constants.
    eta : (n_subjects, n_random) conditional modes, of the most probable hypothesis; 0 for FO.
    covariance : (n_subjects, n_random, n_random) inverse curvature at the mode (NONMEM's ETC); Omega for FO.
    weight : (n_cases,) posterior probability of each hypothesis.
    eta_of_case : (n_cases, n_random), to start a later search from.
    failed : subject: why its part cannot be trusted.
    """

    method: str
    value: float
    by_subject: Floats
    log_likelihood: float
    eta: Floats
    covariance: Floats
    weight: Floats
    eta_of_case: Floats
    failed: dict[str, str]


def objective(
    problem: Problem, fixed: Floats, sigma: Floats, omega: Floats, method: str = "focei", *, nodes: int = 5,
    curvature: str = "exact", start: Floats | None = None, screen: int = 24, threads: int = 1,
) -> Objective:  # fmt: skip
    """The objective at fixed effects (n_fixed,), residual parameters and Omega (n_random, n_random).

    Parameters
    ----------
    problem : made with ``wrt="random"``.
    method : of ``approximations.METHODS``. nodes : of quadrature, an effect. curvature : of Laplace and quadrature,
        "exact" or "expected".
    start : (n_cases, n_random) where to look for modes first. screen : see ``modes.conditional_modes``.

    Raises
    ------
    EstimationError : an unknown method, or one that cannot hold the data's censored rows.
    """
    check(problem, method)
    cases = separated(problem)
    if method == "fo":
        n, m = cases.n_cases, len(cases.effects) - cases.n_fixed
        parts = ap.first_order(cases, fixed, sigma, omega)
        eta, covariance = np.zeros((n, m)), np.tile(omega, (n, 1, 1))
        failed = np.where(np.isfinite(parts), "", "the prediction at eta = 0 cannot be computed")
        return _whole(problem, method, parts, eta, covariance, failed)
    if method == "foce":
        cases, sigma = ap.frozen(cases, fixed, sigma)
    modes = conditional_modes(cases, fixed, sigma, omega, start, screen=screen, threads=threads)
    joint = LogJoint(cases, fixed, sigma, omega, threads)
    z = modes.eta @ np.linalg.pinv(joint.L).T
    parts, H = ap.at_mode(joint, z, method, nodes, curvature)
    parts = parts - plain_counts(cases) * np.log(2.0 * np.pi)
    roots, _ = ap.cholesky(H)
    inverse = joint.L @ np.linalg.inv(roots).transpose(0, 2, 1)
    failed = np.where(np.isfinite(parts), "", "it has no curvature that a maximum has, or the solve fails")
    failed = np.where(modes.converged, failed, "the search for the conditional mode ended before it was there")
    return _whole(problem, method, parts, modes.eta, inverse @ inverse.transpose(0, 2, 1), failed)


def check(problem: Problem, method: str) -> None:
    """Raises EstimationError where the method is unknown or does not fit the data."""
    if method not in ap.METHODS:
        raise EstimationError(f"{method!r} is no method; use one of {', '.join(ap.METHODS)}")
    censored = int(np.sum(problem.code != OBSERVED))
    if censored and method in ("fo", "foce", "focei"):
        raise EstimationError(
            f"{censored} rows enter by a probability (values below the limit, or a density cut off at one): {method} "
            "linearises plain observations only; use laplace or agq"
        )


def separated(problem: Problem) -> Problem:
    """The problem with every hypothesis a subject of its own: each has its own mode and its own marginal likelihood."""
    if problem.n_cases == len(problem.subjects):
        return problem
    of = problem.subject_of_case.tolist()
    return replace(
        problem, subjects=tuple(problem.subjects[i] for i in of), data=tuple(problem.data[i] for i in of),
        subject_of_case=np.arange(problem.n_cases), log_weight=np.zeros(problem.n_cases),
    )  # fmt: skip


def plain_counts(problem: Problem) -> Floats:
    """Observations of each case that have a density (n_cases,): those whose log 2 pi is left out."""
    plain = np.isin(problem.code, (OBSERVED, TRUNCATED))
    return np.bincount(problem.case_of_run[problem.run_of_obs[plain]], minlength=problem.n_cases).astype(float)


def joined(problem: Problem, parts: Floats) -> tuple[Floats, Floats]:
    """Objective of every subject (n_subjects,) from those of its cases, and the posterior weight of each case."""
    n = len(problem.subjects)
    log_part = problem.log_weight - 0.5 * parts
    top = np.full(n, -np.inf)
    np.maximum.at(top, problem.subject_of_case, log_part)
    with np.errstate(invalid="ignore"):
        share = np.exp(log_part - top[problem.subject_of_case])
    share[~np.isfinite(share)] = 0.0
    total = np.bincount(problem.subject_of_case, share, minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -2.0 * (top + np.log(total)), share / total[problem.subject_of_case]


def _whole(
    problem: Problem, method: str, parts: Floats, eta: Floats, covariance: Floats, failed: NDArray[np.str_]
) -> Objective:
    """The objective of the subjects from that of the cases; a hypothesis that fails spoils its subject, unless it has
    no weight."""
    by_subject, weight = joined(problem, parts)
    reasons: dict[str, str] = {}
    for case, why in enumerate(failed.tolist()):
        if why and np.exp(problem.log_weight[case]) > 0:
            reasons.setdefault(problem.subjects[problem.subject_of_case[case]], why)
            by_subject[problem.subject_of_case[case]] += 0.0 if np.isfinite(parts[case]) else np.inf
    best = [int(np.flatnonzero(problem.subject_of_case == i)[np.argmax(weight[problem.subject_of_case == i])])
            for i in range(len(problem.subjects))]  # fmt: skip
    by_subject = np.where(np.isnan(by_subject), np.inf, by_subject)
    value = float(by_subject.sum())
    # observations are counted once a subject, whatever its hypotheses
    first = np.array([int(np.flatnonzero(problem.subject_of_case == i)[0]) for i in range(len(problem.subjects))])
    n_obs = plain_counts(problem)[first].sum()
    return Objective(method, value, by_subject, -0.5 * (value + float(n_obs) * np.log(2.0 * np.pi)), eta[best],
                     covariance[best], weight, eta, reasons)  # fmt: skip
