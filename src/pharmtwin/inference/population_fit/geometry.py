"""Where the posterior lies and how wide it is: the maps that make a sampler's work easy (see ``build``).

Given population parameters, the conditional modes of the random effects and their expected information give the map of
the effects (``transport``). With u = 0 the log posterior of the population parameters is then close to the marginal one
(exactly it where a subject's likelihood is normal in its effects), so its mode and curvature give the map of the
population. Both in turn, until they settle. A poor map makes a slow sampler, not a wrong posterior.
"""

from __future__ import annotations

import ctypes
import logging
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, ndtri
from scipy.stats import qmc

from pharmtwin.inference.estimation.modes import conditional_modes
from pharmtwin.inference.population_fit.build import PopulationFit, copies
from pharmtwin.inference.population_fit.priors import Free

Floats = NDArray[np.float64]
MAX_ROUNDS = 6
#: settled when no population parameter moves by more than this share of its posterior sd
SETTLED = 0.2
#: evaluations of the gradient a round may take
EVALUATIONS = 60
#: points of the prior that are tried where there are no random effects, and searches from the best of them
SCREENED, SEARCHED = 256, 6
#: step of the differences of the gradient, and the smallest curvature, in units of the prior's spread
STEP, FLATTEST = 1e-3, 0.3
#: a standard deviation bends at no less than this share of its prior's scale
SHARPEST = 0.02
#: cost of a failed solve in a line search: finite, so that it steps back
FAILED = 1e10


@dataclass(frozen=True)
class Centre:
    """The population's mode on the unconstrained scale, its sds, the effects' modes, and how it was reached."""

    p: Floats
    sd: Floats
    eta: Floats
    rounds: int
    settled: bool


class Density:
    """Log posterior of the compiled model and its gradient at (v, u), as the sampler itself calls it.

    ``end``: time (``time.monotonic``) from which it raises TimeoutError.
    """

    def __init__(self, fit: PopulationFit, compiled: Any, end: float = math.inf) -> None:
        self.fit, self.compiled, self.end = fit, compiled, end
        self.n = int(compiled.n_dim)
        self.refresh()

    def refresh(self) -> None:
        """Take the maps as they are now."""
        maps = {m.name: m.get_value() for m in self.fit.maps.values() if m.name in self.compiled.shared_data}
        self.compiled = self.compiled.with_data(**maps)

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        """At a point (n_dim,); -inf where value or gradient are not finite."""
        if time.monotonic() > self.end:
            raise TimeoutError("the cap came before the posterior's centre was found: raise it, or simplify the model")
        x = np.ascontiguousarray(x, dtype=float)
        value, gradient = np.empty(()), np.empty(self.n)
        data = ctypes.c_void_p(self.compiled.user_data.ctypes.data)
        failed = self.compiled.compiled_logp_func.ctypes(self.n, _pointer(x), _pointer(gradient), _pointer(value), data)
        return (-np.inf, np.zeros(self.n)) if failed else (float(value), gradient)

    def population(self, v: Floats) -> tuple[float, Floats]:
        """At v with u = 0, and the gradient on v."""
        x = np.zeros(self.n)
        x[: len(v)] = v
        value, gradient = self(x)
        return value, gradient[: len(v)]

    def parameters(self, x: Floats) -> dict[str, Floats]:
        """Deterministics at a point (n_dim,), or at v with u = 0."""
        point = np.zeros(self.n)
        point[: len(x)] = x
        names, slices, shapes = self.compiled.shape_info
        flat = np.empty(int(self.compiled.n_expanded))
        data = ctypes.c_void_p(self.compiled.user_data.ctypes.data)
        expand = self.compiled.compiled_expand_func.ctypes
        if expand(self.n, len(flat), _pointer(point), _pointer(flat), data):
            raise ValueError("the parameters cannot be computed at this point")
        return {n: flat[s].reshape(shape) for n, s, shape in zip(names, slices, shapes, strict=True)}


def _pointer(array: Floats) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def settle(fit: PopulationFit, compiled: Any, end: float = math.inf) -> Centre:
    """Move the maps of the fit (its shared variables) to the posterior; see the module's docstring.

    Raises TimeoutError where it is not there at ``end`` (``time.monotonic``); looked at with every evaluation.
    """
    density = Density(fit, compiled, end)
    p, scale = fit.start(), fit.scales()
    sd, eta = scale.copy(), np.zeros((len(fit.problem.subjects), fit.n_random))
    settled, rounds = False, 0
    for rounds in range(1, MAX_ROUNDS + 1):
        place(density, p, np.diag(scale))
        if fit.n_random:
            eta = place_effects(density, eta if rounds > 1 else None)
        starts = [np.zeros(fit.n_free)] if fit.n_random or rounds > 1 else _starts(density, fit.n_free)
        found = min((_search(density, v) for v in starts), key=lambda r: float(r.fun))
        shift = scale * found.x if np.all(np.isfinite(found.x)) else np.zeros_like(p)
        map_, sd = curvature(density, found.x, scale)
        p = p + shift
        if rounds == 1 and any(f.soft for f in fit.free):
            p = bend(density, p, sd)
            continue
        if np.max(np.abs(shift) / sd, initial=0.0) < SETTLED:
            settled = True
            break
        if not fit.n_random and found.success:
            settled = True
            break
    if fit.n_random:
        place(density, p, np.diag(scale))
        eta = place_effects(density, eta)
    place(density, p, map_)
    if not settled:
        logging.getLogger(__name__).warning("the posterior's centre did not settle in %d rounds", MAX_ROUNDS)
    return Centre(p, sd, eta, rounds, settled)


def _starts(density: Density, n: int) -> list[Floats]:
    """The model's values, and the best of some points of the prior: there may be several modes."""
    points = ndtri(qmc.Sobol(n, scramble=True, rng=np.random.default_rng(0)).random(SCREENED))
    cost = np.array([_cost(v, density)[0] for v in points])
    return [np.zeros(n), *points[np.argsort(cost)[:SEARCHED]]]


def _search(density: Density, start: Floats) -> Any:
    return minimize(
        _cost, start, args=(density,), jac=True, method="BFGS", options={"maxiter": EVALUATIONS, "gtol": 1e-2}
    )


def place(density: Density, p: Floats, scale: Floats) -> None:
    """Set centre and scale of the population's map."""
    density.fit.maps["centre"].set_value(p)
    density.fit.maps["scale"].set_value(np.ascontiguousarray(scale))
    density.refresh()


def bend(density: Density, p: Floats, sd: Floats) -> Floats:
    """Let soft parameters bend at their posterior sd; p and its sds are those of now. Returns p of the same values."""
    fit = density.fit
    bends, p = fit.maps["bend"].get_value(), p.copy()
    for f, k in zip(fit.free, fit.places, strict=True):
        if f.soft:
            value = bends[k] * float(np.logaddexp(0.0, p[k] / bends[k]))
            # d value / d p
            bends[k] = np.clip(sd[k] * float(expit(p[k] / bends[k])), SHARPEST * f.scale, f.scale)
            p[k] = f.free(value, float(bends[k]))
    fit.maps["bend"].set_value(bends)
    density.refresh()
    return p


def _cost(v: Floats, density: Density) -> tuple[float, Floats]:
    value, gradient = density.population(v)
    return (-value, -gradient) if np.isfinite(value) else (FAILED, np.zeros_like(v))


def curvature(density: Density, v: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """Map L with L L' the inverse of the negative Hessian at v (units of ``scale``), and the sds; on the scale of p."""
    n = len(v)
    hessian = np.empty((n, n))
    for k in range(n):
        e = np.zeros(n)
        e[k] = STEP
        hessian[k] = (density.population(v - e)[1] - density.population(v + e)[1]) / (2 * STEP)
    hessian = 0.5 * (hessian + hessian.T)
    if not np.isfinite(hessian).all():
        return np.diag(scale), scale
    values, vectors = np.linalg.eigh(hessian)
    half = scale[:, None] * (vectors / np.sqrt(np.maximum(values, FLATTEST)))
    return half, np.sqrt(np.sum(half**2, axis=1))


def place_effects(density: Density, start: Floats | None) -> Floats:
    """Set the map of the random effects for the population parameters at the centre; returns the conditional modes."""
    fit, problem = density.fit, density.fit.problem
    values = density.parameters(np.zeros(fit.n_free))
    theta = np.array([_value(f, values) for f in fit.fixed])
    sigma = np.array([_value(f, values) for f in fit.residuals])
    index, together = copies(fit)
    omega = values["omega"][np.ix_(index, index)] * together
    modes = conditional_modes(fit.random_problem, theta, sigma, omega, start, screen=24 if start is None else 0)
    like = problem.likelihood(problem.rows(theta, modes.eta), sigma, True, information=True)
    assert like.information is not None
    weight = modes.weight
    n, n_random = modes.eta.shape
    n_estimated = len(problem.wrt) - n_random
    info, g = np.zeros((n, len(problem.wrt), len(problem.wrt))), np.zeros((n, len(problem.wrt)))
    case_info, case_g = problem.by_case(like.information), problem.by_case(like.g)
    usable = np.isfinite(case_info).all(axis=(1, 2)) & np.isfinite(case_g).all(axis=1)
    for c in np.flatnonzero(usable):
        info[problem.subject_of_case[c]] += weight[c] * case_info[c]
        g[problem.subject_of_case[c]] += weight[c] * case_g[c]
    own = info[:, n_estimated:, n_estimated:]
    slope = np.array([_slope(f, t) for f, t in zip(fit.fixed, theta, strict=True) if isinstance(f, Free)])
    fit.maps["info"].set_value(np.ascontiguousarray(own))
    fit.maps["pull"].set_value(np.einsum("nij,nj->ni", own, modes.eta) + g[:, n_estimated:])
    fit.maps["cross"].set_value(info[:, n_estimated:, :n_estimated] * slope)
    density.refresh()
    return modes.eta


def _value(item: Free | float, values: dict[str, Floats]) -> float:
    return float(values[item.name]) if isinstance(item, Free) else float(item)


def _slope(free: Free, value: float) -> float:
    """d value / d p of a parameter."""
    if np.isfinite(free.low) and np.isfinite(free.high):
        return (value - free.low) * (free.high - value) / (free.high - free.low)
    if np.isfinite(free.low):
        return value - free.low
    return free.high - value if np.isfinite(free.high) else 1.0
