"""Maximum marginal likelihood: estimates of the typical values, the variability and the residual error.

Quasi-Newton (BFGS) over the free parameters of ``scale``, started from the sum of the subjects' squared scores, with
backtracking; modes are started from those of the step before. Where it ends, the curvature (``uncertainty``) tells
whether it is a minimum, and a Newton step from there whether it was reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.estimation import objective as ob
from pharmtwin.inference.estimation.scale import Values, scale_of, with_values
from pharmtwin.inference.estimation.surface import Method, Place, Surface
from pharmtwin.inference.estimation.uncertainty import Uncertainty, estimates, shrinkage, uncertainty
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import Component
from pharmtwin.inference.problem.records import Subject

Floats = NDArray[np.float64]
#: done when one more step would lower the objective by less than this: by the search's curvature, by the exact one
DONE, REACHED = 1e-6, 1e-3
#: modes searched anew may change the objective by so much before the descent goes on from them
ANEW = 1e-2
#: longest step of a free parameter, shortest share of a step, share of the expected gain that a step must bring
LONGEST, SHORTEST, GAIN = 1.0, 1e-5, 1e-4


@dataclass(frozen=True)
class Estimate:
    """What an estimation found.

    Attributes
    ----------
    model : with the estimates as its values. objective : at them, with conditional modes (for FO: those of FOCE).
    table : a row a parameter: name, kind, value, se, rse_percent, fixed, unit (see ``uncertainty.estimates``).
    uncertainty : None where it was not asked for. shrinkage : a row an effect or output.
    subjects, effects : names of the rows and columns of the conditional modes.
    distance : expected fall of the objective by one more Newton step. messages : everything that is not as it should
        be.
    """

    model: PopulationModel
    method: Method
    objective: ob.Objective
    table: pd.DataFrame
    uncertainty: Uncertainty | None
    shrinkage: pd.DataFrame
    subjects: tuple[str, ...]
    effects: tuple[str, ...]
    distance: float
    iterations: int
    evaluations: int
    converged: bool
    messages: tuple[str, ...]


@dataclass
class _Path:
    """Where the descent is."""

    place: Place
    gradients: Floats
    inverse: Floats
    unit: Floats
    iterations: int = 0
    stalled: bool = False

    @property
    def distance(self) -> float:
        """Expected fall of the objective by the next step."""
        g = self.gradients.sum(axis=0)
        return 0.5 * float(g @ self.inverse @ g)


def maximise(
    model: PopulationModel,
    subjects: Sequence[Subject],
    method: Method | str = "focei",
    *,
    covariance: str = "sandwich",
    components: Mapping[str, Sequence[Component]] | None = None,
    covariate_at: str = "end",
    rtol: float = 1e-9,
    most: int = 200,
    threads: int = 1,
) -> Estimate:
    """Estimate what the model does not fix, starting from its values.

    Parameters
    ----------
    method : a name of ``approximations.METHODS``, or a :class:`Method` (with nodes and curvature).
    covariance : form of the standard errors: "sandwich" (R^-1 S R^-1, NONMEM's default), "R", "S", or "" (none).
    components : hypotheses of subjects. covariate_at : see ``records.Columns``.
    rtol : of the solver. most : iterations.

    Raises
    ------
    EstimationError : the method does not fit the data, there is nothing to estimate, or the start cannot be computed.
    """
    how = Method(method) if isinstance(method, str) else method
    if covariance not in ("sandwich", "R", "S", ""):
        raise ob.EstimationError(f"covariance is {covariance!r}, not sandwich, R, S or nothing")
    scale = scale_of(model)
    surface = Surface(
        scale, subjects, how, components=components, covariate_at=covariate_at, rtol=rtol, threads=threads
    )
    first = surface.at(scale.start, screen=24)
    if not np.isfinite(first.value):
        bad = [s for s, v in zip(surface.problem.subjects, first.by_subject, strict=True) if not np.isfinite(v)]
        raise ob.EstimationError(
            f"{model.name}: the objective cannot be computed at the start; subjects {', '.join(bad)}"
        )
    path = _descend(surface, _path(surface, first, np.full(len(first.x), 0.1)), most)
    again = surface.at(path.place.x, screen=24)
    if abs(again.value - path.place.value) > ANEW and path.iterations < most:  # modes that the warm starts missed
        path = _descend(surface, _path(surface, again, path.unit, path.iterations), most)
    found = None
    if covariance:
        found = uncertainty(surface, path.place, path.gradients, path.unit, covariance)
        if found.inverse_hessian is not None:  # the curvature that the search lacked
            path.inverse = found.inverse_hessian
            if path.distance > REACHED and path.iterations < most:
                path = _descend(surface, path, most)
                found = uncertainty(surface, path.place, path.gradients, path.unit, covariance)
                path.inverse = path.inverse if found.inverse_hessian is None else found.inverse_hessian
    return _estimate(surface, path, found, subjects, most)


def _path(surface: Surface, place: Place, unit: Floats, iterations: int = 0) -> _Path:
    """A fresh start of the descent: its metric is half the sum of the subjects' squared gradients."""
    G = surface.gradients(place, unit)
    M = 0.5 * G.T @ G
    M += np.diag(0.1 * np.diag(M) + 1e-3)
    return _Path(place, G, np.asarray(np.linalg.inv(M)), _unit(M), iterations)


def _unit(metric: Floats) -> Floats:
    return 1.0 / np.sqrt(np.diag(metric))


def _descend(surface: Surface, path: _Path, most: int) -> _Path:
    """BFGS until it is done, stalls, or ``most`` iterations are over; one new start where it stalls."""
    restarted = path.iterations
    while path.iterations < most and path.distance > DONE:
        g = path.gradients.sum(axis=0)
        direction = -path.inverse @ g
        direction *= min(1.0, LONGEST / float(np.abs(direction).max()))
        new = _line(surface, path.place, direction, float(g @ direction))
        path.iterations += 1
        if new is None:
            if restarted == path.iterations - 1:
                path.stalled = True
                break
            path = _path(surface, path.place, path.unit, path.iterations)
            restarted = path.iterations
            continue
        G = surface.gradients(new, path.unit)
        s, y = new.x - path.place.x, G.sum(axis=0) - g
        if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
            rho = 1.0 / (s @ y)
            V = np.eye(len(s)) - rho * np.outer(s, y)
            path.inverse = V @ path.inverse @ V.T + rho * np.outer(s, s)
            path.unit = np.sqrt(np.diag(path.inverse))
        path.place, path.gradients = new, G
    return path


def _line(surface: Surface, place: Place, direction: Floats, slope: float) -> Place | None:
    """The first of ever shorter steps that lowers the objective enough; None where none does."""
    step = 1.0
    while step > SHORTEST:
        new = surface.at(place.x + step * direction, place)
        if np.isfinite(new.value) and new.value <= place.value + GAIN * step * slope:
            return new
        step *= 0.4
    return None


def _estimate(
    surface: Surface, path: _Path, found: Uncertainty | None, subjects: Sequence[Subject], most: int
) -> Estimate:
    """The answer, with everything that is wrong about it."""
    scale, how = surface.scale, surface.method
    values: Values = scale.values(path.place.x)
    fixed, sigma, omega = surface.numbers(path.place.x)
    at_end = ob.objective(
        surface.problem,
        fixed,
        sigma,
        omega,
        how.name,
        nodes=how.nodes,
        curvature=how.curvature,
        threads=surface.threads,
    )
    posthoc = ob.objective(surface.problem, fixed, sigma, omega, "foce") if how.name == "fo" else at_end
    messages = [f"subject {s}: {why}" for s, why in {**at_end.failed, **posthoc.failed}.items()]
    reached = path.distance < REACHED
    if not reached:
        over = (
            f"after {path.iterations} iterations" if path.iterations >= most else "no shorter step lowers the objective"
        )
        messages.append(
            f"the minimum was not reached ({over}): one more step would lower the objective by {path.distance:.3g}"
        )
    if abs(at_end.value - path.place.value) > ANEW:
        messages.append(
            f"searched anew, the conditional modes give the objective {at_end.value:.4f}, not {path.place.value:.4f}: "
            "some subjects have several modes"
        )
    if found is not None:
        messages += list(found.messages)
    model = with_values(scale.model, values)
    whole = ob.Objective(
        at_end.method, at_end.value, at_end.by_subject, at_end.log_likelihood, posthoc.eta, posthoc.covariance,
        at_end.weight, posthoc.eta_of_case, at_end.failed,
    )  # fmt: skip
    shrunk = shrinkage(surface.problem, model, subjects, posthoc.eta, fixed, sigma)
    table = estimates(scale, path.place.x, found)
    problem = surface.problem
    return Estimate(
        model, how, whole, table, found, shrunk, problem.subjects, problem.effects[problem.n_fixed :], path.distance,
        path.iterations, surface.evaluations, reached and not at_end.failed, tuple(messages),
    )  # fmt: skip
