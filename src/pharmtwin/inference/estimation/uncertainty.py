"""Uncertainty of estimates: covariance from curvature and scores, standard errors, condition number, shrinkage.

R is the second derivative of -log likelihood, S the sum over subjects of products of their scores. Covariance: R^-1 S
R^-1 ("sandwich": holds where the model is wrong, too), R^-1, or S^-1; NONMEM's names and default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.estimation.approximations import residual_sd
from pharmtwin.inference.estimation.scale import Scale
from pharmtwin.inference.estimation.surface import Place, Surface
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import Problem
from pharmtwin.inference.problem.records import Subject
from pharmtwin.inference.problem.score import LOGNORMAL, OBSERVED

Floats = NDArray[np.float64]
#: a free parameter whose scores' squares add up to less, with less curvature of the objective, has no influence
IDLE, FLAT = 1e-5, 1e-3


@dataclass(frozen=True)
class Uncertainty:
    """Covariance of the estimated quantities, in the order of ``names``.

    Attributes
    ----------
    covariances : form ("sandwich", "R", "S") -> (n, n); a form that cannot be had is absent. form : the one asked for.
    se : (n,) by that form (NaN: none). correlation : (n, n). condition_number : largest by smallest eigenvalue of it.
    inverse_hessian : of the objective, in free parameters; None where the curvature is not that of a minimum.
    """

    names: tuple[str, ...]
    form: str
    covariances: dict[str, Floats]
    se: Floats
    correlation: Floats
    condition_number: float
    inverse_hessian: Floats | None
    messages: tuple[str, ...]


def uncertainty(surface: Surface, place: Place, gradients: Floats, unit: Floats, form: str) -> Uncertainty:
    """At a place, from the objective's gradients by subject (n_subjects, n_free)."""
    scale, S = surface.scale, 0.25 * gradients.T @ gradients
    H, J = surface.hessian(place, unit), scale.slope(place.x)
    idle = (np.diag(S) < IDLE) & (np.abs(np.diag(H)) < FLAT)
    messages = [
        f"{scale.free_names[k]} has no influence here (a variance that went to 0, or data that do not show it): it has "
        "no standard error, and those of the others take it as known"
        for k in np.flatnonzero(idle)
    ]
    active = np.flatnonzero(~idle)
    H, S, J = H[np.ix_(active, active)], S[np.ix_(active, active)], J[:, active]
    values, vectors = np.linalg.eigh(0.5 * (H + H.T))
    positive = bool(np.isfinite(H).all() and len(H) and values[0] > 1e-10 * values[-1])
    covariances: dict[str, Floats] = {}
    of_objective = None
    if positive:
        inverse = np.linalg.inv(0.5 * H)
        covariances = {"R": J @ inverse @ J.T, "sandwich": J @ inverse @ S @ inverse @ J.T}
        of_objective = np.zeros((len(place.x), len(place.x)))
        of_objective[np.ix_(active, active)] = 0.5 * inverse
    else:
        lost = scale.free_names[active[int(np.abs(vectors[:, 0]).argmax())]] if len(H) else "anything"
        messages.append(
            f"the curvature (R matrix) is not positive definite: the data do not tell {lost}, or this is no minimum"
        )
    if len(S) and np.linalg.matrix_rank(S) == len(S):
        covariances["S"] = J @ np.linalg.inv(S) @ J.T
    elif form == "S":
        messages.append(f"the S matrix is singular: {len(gradients)} subjects for {len(S)} parameters")
    names = surface.scale.names
    none = np.full((len(names), len(names)), np.nan)
    C = covariances.get(form, none)
    se = np.sqrt(np.where(np.diag(C) > 0, np.diag(C), np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = C / np.outer(se, se)
    condition = float("nan")
    known = np.flatnonzero(np.isfinite(se))
    if len(known):
        spectrum = np.linalg.eigvalsh(correlation[np.ix_(known, known)])
        condition = float(spectrum[-1] / spectrum[0]) if spectrum[0] > 0 else float("inf")
    return Uncertainty(names, form, covariances, se, correlation, condition, of_objective, tuple(messages))


def estimates(scale: Scale, x: Floats, found: Uncertainty | None) -> pd.DataFrame:
    """All parameters, estimated and fixed: name, kind, value, se, rse_percent, fixed, unit.

    ``kind``: fixed (typical values and coefficients), variance or covariance (of random effects), residual (standard
    deviations and exponents, as declared).
    """
    se = dict(zip(scale.names, found.se if found else np.full(len(x), np.nan), strict=True))
    v, model = scale.values(x), scale.model
    rows = [(f.name, "fixed", v.fixed[k], f.unit) for k, f in enumerate(model.fixed)]
    for i, a in enumerate(model.random):
        for j in range(i + 1):
            b = model.random[j]
            if i == j:
                rows.append((f"omega({a.name})", "variance", v.omega[i, i], ""))
            elif v.omega[i, j] != 0:
                rows.append((f"omega({a.name},{b.name})", "covariance", v.omega[i, j], ""))
    unit = {
        n: o.unit for o in model.outputs for n in o.residuals[:1] if o.error in ("additive", "combined", "combined_sd")
    }
    rows += [(r.name, "residual", v.sigma[k], unit.get(r.name, "")) for k, r in enumerate(model.residuals)]
    table = pd.DataFrame(rows, columns=["name", "kind", "value", "unit"])
    table["fixed"] = [n not in se for n in table.name]
    table["se"] = [se.get(n, np.nan) for n in table.name]
    table["rse_percent"] = 100.0 * table.se / table.value.abs().where(table.value != 0)
    return table[["name", "kind", "value", "se", "rse_percent", "fixed", "unit"]]


def shrinkage(
    problem: Problem, model: PopulationModel, subjects: Sequence[Subject], eta: Floats, fixed: Floats, sigma: Floats
) -> pd.DataFrame:
    """Shrinkage of conditional modes and of weighted residuals: columns of, kind (eta, epsilon), n, sd, shrinkage_sd,
    shrinkage_var.

    1 - sd(eta) / omega and 1 - var(eta) / omega^2 (Savic and Karlsson 2009, doi 10.1208/s12248-009-9133-0); of an
    effect of the occasion over all occasions that a subject has. Residuals: 1 - sd((y - f) / sd of y) over observations
    with a density.
    """
    rows = []
    n_subject = len(model.of_subject)
    for k, effect in enumerate(model.of_subject):
        rows.append((effect.name, "eta", eta[:, k], effect.variance))
    per_occasion = model.of_occasion
    for k, effect in enumerate(per_occasion):
        seen = [
            eta[i, n_subject + o * len(per_occasion) + k] for i, s in enumerate(subjects) for o in range(s.n_occasions)
        ]
        rows.append((effect.name, "eta", np.array(seen), effect.variance))
    f = problem.predict(problem.rows(fixed, eta), False).f
    sd = residual_sd(problem, f, sigma)
    log = problem.kind == LOGNORMAL
    with np.errstate(invalid="ignore", divide="ignore"):
        u = np.where(log, np.log(problem.y) - np.log(f), problem.y - f) / sd
    for number, output in enumerate(model.outputs):
        mine = (problem.output_of_obs == number) & (problem.code == OBSERVED) & np.isfinite(u)
        rows.append((output.name, "epsilon", u[mine], 1.0))
    out = []
    for name, kind, values, variance in rows:
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
        ratio = spread / np.sqrt(variance) if variance > 0 else float("nan")
        out.append((name, kind, len(values), spread, 1.0 - ratio, 1.0 - ratio**2))
    return pd.DataFrame(out, columns=["of", "kind", "n", "sd", "shrinkage_sd", "shrinkage_var"])
