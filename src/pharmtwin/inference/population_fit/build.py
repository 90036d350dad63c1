"""A PyMC model of a population problem.

    theta, sd, correlations, residuals ~ their priors        eta_i ~ Normal(0, Omega)
    log p(y) = sum_i log sum_k w_ik p(y_i | theta, eta_i, k)

Hypotheses that only move effects can stand in the prior of eta_i instead (``shifts``).

All that is sampled is standardised: ``v`` for the population (an affine map of the unconstrained parameters) and ``u``
for the random effects (see ``transport``). Both maps are data of the compiled model, so ``geometry`` can move them
without compiling again; they change how fast a sampler moves, not what it samples. Parameters with their names are
Deterministics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

from pharmtwin.inference.models.description import CORRELATION, PopulationModel, PopulationModelError
from pharmtwin.inference.models.occasions import effect_of
from pharmtwin.inference.population_fit.likelihood_op import LikelihoodOp
from pharmtwin.inference.population_fit.priors import (
    Free,
    correlation_factor,
    free_fixed,
    free_residual,
    free_sd,
    log_lkj,
    n_correlations,
)
from pharmtwin.inference.population_fit.shifts import Shift, Shifts
from pharmtwin.inference.population_fit.transport import TransportOp
from pharmtwin.inference.problem.problem import Component, Problem, make_problem
from pharmtwin.inference.problem.records import Subject

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PopulationFit:
    """What :func:`build` makes.

    Attributes
    ----------
    source : the population model as given. problem : of all subjects, derivatives for all that is estimated;
        ``random_problem``: the same with derivatives for random effects only (conditional modes).
    free : estimated fixed effects, standard deviations and residuals, in the order of the unconstrained population
        vector; correlations stand between standard deviations and residuals (``n_free`` numbers in all).
    model : the PyMC model. op : its likelihood. maps : shared variables centre (n_free,), scale (n_free, n_free), bend
        (n_free,; see ``priors.Free``), pull (n_subjects, n_random), cross (n_subjects, n_random, n_estimated fixed),
        info (n_subjects, n_random, n_random).
    shifts : of subjects whose ``eta`` among the draws is e of ``shifts``, not theirs under one hypothesis.
    """

    source: PopulationModel
    problem: Problem
    random_problem: Problem
    fixed: tuple[Free | float, ...]
    sds: tuple[Free | float, ...]
    residuals: tuple[Free | float, ...]
    blocks: tuple[int, ...]
    lkj: float | None
    model: Any
    op: LikelihoodOp
    maps: Mapping[str, Any]
    shifts: Shifts

    @property
    def free(self) -> tuple[Free, ...]:
        """Estimated fixed effects, standard deviations and residuals."""
        return tuple(f for f in (*self.fixed, *self.sds, *self.residuals) if isinstance(f, Free))

    @property
    def n_correlations(self) -> int:
        """Estimated correlations."""
        return sum(map(n_correlations, self.blocks))

    @property
    def n_free(self) -> int:
        """Length of the unconstrained population vector."""
        return len(self.free) + self.n_correlations

    @property
    def n_random(self) -> int:
        """Random effects of a subject, occasions written out."""
        return len(self.problem.effects) - self.problem.n_fixed

    @property
    def parameters(self) -> list[str]:
        """Names of the population's parameters among the draws."""
        return [v.name for v in self.model.deterministics if v.name not in ("eta", "omega")]

    @property
    def places(self) -> list[int]:
        """Place of each of ``free`` in the unconstrained population vector."""
        n = sum(isinstance(f, Free) for f in (*self.fixed, *self.sds))
        return [k if k < n else k + self.n_correlations for k in range(len(self.free))]

    def bends(self) -> Floats:
        """Length at which each soft parameter starts to bend (n_free,) as far as its prior tells; 1 for others."""
        bend = np.ones(self.n_free)
        bend[self.places] = [f.scale if f.soft else 1.0 for f in self.free]
        return bend

    def start(self) -> Floats:
        """The unconstrained population vector at the model's values, correlations 0, for :meth:`bends`."""
        start, bend = np.zeros(self.n_free), self.bends()
        for f, k in zip(self.free, self.places, strict=True):
            start[k] = f.free(f.start, bend[k])
        return start

    def scales(self) -> Floats:
        """Rough spread of each unconstrained number under its prior."""
        scale = np.full(self.n_free, 0.5)
        scale[self.places] = [f.scale for f in self.free]
        return scale


def build(
    model: PopulationModel,
    subjects: Sequence[Subject],
    *,
    components: Mapping[str, Sequence[Component]] | None = None,
    shifts: Mapping[str, Sequence[Shift]] | None = None,
    lkj: float | None = None,
    covariate_at: str = "end",
    rtol: float = 1e-6,
    operation: Callable[[Problem], Any] = LikelihoodOp,
) -> PopulationFit:
    """The PyMC model of subjects (``records.read_subjects``) and their hypotheses.

    Parameters
    ----------
    lkj : concentration of the LKJ prior of the correlations between random effects of one level. None: correlations are
        not estimated; they are those of the model's covariance (0 where it states none).
    covariate_at, components, rtol : see ``problem.make_problem``.
    shifts : by subject id, hypotheses that only move its random effects (see ``shifts``).
    operation : makes the PyTensor operation of the likelihood; another than the default serves comparisons.

    Raises
    ------
    PopulationModelError : an estimated parameter has no prior, a start lies outside of its support, correlations are to
        be estimated beside fixed variances. ValueError : see ``problem.make_problem`` and ``Shifts.of``.
    """
    faults: list[str] = []
    fixed = [free_fixed(f, faults) for f in model.fixed]
    sds = [free_sd(r, faults) for r in model.random]
    residuals = [free_residual(r, faults) for r in model.residuals]
    if lkj is not None and any(r.fixed for r in model.random):
        faults.append("correlations cannot be estimated beside fixed variances: free them, or leave lkj out")
    if shifts and any(sd == 0.0 for sd in sds):
        faults.append("effects without variance cannot stand beside shifts: leave them out")
    if faults:
        raise PopulationModelError("\n".join(f"{model.name}: {f}" for f in faults))
    options: dict[str, Any] = dict(components=components, covariate_at=covariate_at, rtol=rtol)
    by_name = make_problem(model, subjects, wrt="random", **options)
    estimated = [f.name for f, free in zip(model.fixed, fixed, strict=True) if isinstance(free, Free)]
    problem = make_problem(model, subjects, wrt=[*estimated, *by_name.effects[by_name.n_fixed :]], **options)
    sizes = (len(model.of_subject), len(model.of_occasion))
    blocks = () if lkj is None else sizes
    op = operation(problem)
    base = [r.name for r in (*model.of_subject, *model.of_occasion)]
    effects = list(problem.effects[problem.n_fixed :])
    coords = {"subject": list(problem.subjects), "effect": effects, "random": base, "random_": base}
    made = PopulationFit(
        model, problem, by_name, tuple(fixed), tuple(sds), tuple(residuals), blocks, lkj, pm.Model(coords=coords), op,
        _maps(len(problem.subjects), len(effects), len(estimated)),
        Shifts.of(shifts or {}, problem.subjects, [r.name for r in model.of_subject]),
    )  # fmt: skip
    made.maps["centre"].set_value(made.start())
    made.maps["scale"].set_value(np.diag(made.scales()))
    made.maps["bend"].set_value(made.bends())
    _declare(made)
    return made


def _maps(n_subjects: int, n_random: int, n_estimated: int) -> dict[str, Any]:
    """The shared variables, all zero: effects in their non-centred form."""
    shapes = {
        "centre": (0,), "scale": (0, 0), "bend": (0,), "pull": (n_subjects, n_random),
        "cross": (n_subjects, n_random, n_estimated), "info": (n_subjects, n_random, n_random),
    }  # fmt: skip
    return {name: pytensor.shared(np.zeros(shape), name=f"map_{name}") for name, shape in shapes.items()}


def _declare(fit: PopulationFit) -> None:
    """Write the model."""
    maps, n = fit.maps, len(fit.problem.subjects)
    with fit.model:
        v = pm.Flat("v", shape=fit.n_free, initval=np.zeros(fit.n_free))
        p = maps["centre"] + pt.dot(maps["scale"], v)
        log_prior: list[Any] = []
        place = iter(range(fit.n_free))
        theta = [_declared(f, p, maps["bend"], place, log_prior) for f in fit.fixed]
        sds = [_declared(f, p, maps["bend"], place, log_prior) for f in fit.sds]
        factor = _correlations(fit, p, place, log_prior)
        sigma = [_declared(f, p, maps["bend"], place, log_prior) for f in fit.residuals]
        if fit.n_random:
            u = pm.Flat("u", shape=(n, fit.n_random), initval=np.zeros((n, fit.n_random)))
            base = _base_spread(fit, sds, factor)
            pm.Deterministic("omega", pt.dot(base, base.T), dims=("random", "random_"))
            spread = _every_copy(fit, base)
            n_estimated = sum(isinstance(f, Free) for f in fit.fixed)
            shift = p[:n_estimated] - maps["centre"][:n_estimated]
            b = maps["pull"] - pt.tensordot(maps["cross"], shift, axes=[[2], [0]])
            moved: Any = TransportOp()(spread, b, u, maps["info"])
            eta = pm.Deterministic("eta", moved[0], dims=("subject", "effect"))
            log_prior.append(pt.sum(moved[1]))
            if len(fit.shifts):
                log_prior.append(fit.shifts.log_prior(eta, base))
        else:
            eta = pt.zeros((n, 0))
        vector = lambda items: pt.stack(items) if items else pt.zeros((0,))  # noqa: E731
        likelihood: Any = fit.op(vector(theta), eta, vector(sigma))
        pm.Potential("prior", sum(log_prior, pt.as_tensor_variable(0.0)))
        pm.Potential("log_likelihood", pt.sum(likelihood[0]))


def _declared(item: Free | float, p: Any, bend: Any, place: Any, log_prior: list[Any]) -> Any:
    """A parameter's expression; an estimated one takes the next number of p."""
    if not isinstance(item, Free):
        return pt.as_tensor_variable(float(item))
    k = next(place)
    log_prior.append(item.log_density(p[k], bend[k]))
    return pm.Deterministic(item.name, item.value(p[k], bend[k]))


def _correlations(fit: PopulationFit, p: Any, place: Any, log_prior: list[Any]) -> list[Any]:
    """Cholesky factors of the correlation matrices of subject and occasion."""
    groups = (fit.source.of_subject, fit.source.of_occasion)
    if fit.lkj is None:
        return [_constant_factor(fit.source.omega_of(g)) for g in groups]
    factors = []
    for group in groups:
        n, m = len(group), n_correlations(len(group))
        first = next(place) if m else 0
        for _ in range(m - 1):
            next(place)
        y = p[first : first + m]
        L = correlation_factor(y, n) if n else pt.zeros((0, 0))
        if m:
            log_prior.append(log_lkj(y, n, fit.lkj))
            R = pt.dot(L, L.T)
            for i in range(1, n):
                for j in range(i):
                    pm.Deterministic(CORRELATION.format(group[j].name, group[i].name), R[i, j])
        factors.append(L)
    return factors


def _constant_factor(omega: Floats) -> Any:
    """Cholesky factor of the correlation matrix of a covariance; effects of variance 0 correlate with nothing."""
    sd = np.sqrt(np.diag(omega))
    R = np.where(np.eye(len(sd)) > 0, 1.0, omega / np.where(sd > 0, sd, 1.0) / np.where(sd > 0, sd, 1.0)[:, None])
    try:
        return pt.as_tensor_variable(np.linalg.cholesky(R) if len(sd) else np.zeros((0, 0)))
    except np.linalg.LinAlgError:
        raise PopulationModelError("correlations of 1 between random effects cannot be sampled") from None


def base_effects(fit: PopulationFit) -> list[str]:
    """Random effects in the order of the draws' ``omega``: those of the subject, then those of the occasion."""
    return [r.name for r in (*fit.source.of_subject, *fit.source.of_occasion)]


def copies(fit: PopulationFit) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Place of each of the problem's random effects in :func:`base_effects`, and which of them belong together.

    The second (n_random, n_random): both of the subject, or both of the same occasion; others are independent.
    """
    subject, occasion = fit.source.of_subject, fit.source.of_occasion
    n_occasions = (fit.n_random - len(subject)) // max(len(occasion), 1)
    names = [r.name for r in subject]
    names += [effect_of(r.name, k) for k in range(1, n_occasions + 1) for r in occasion]
    assert tuple(names) == fit.problem.effects[fit.problem.n_fixed :]
    base = np.array([*range(len(subject)), *[len(subject) + k for k in range(len(occasion))] * n_occasions], dtype=int)
    group = np.repeat(np.arange(n_occasions + 1), [len(subject), *[len(occasion)] * n_occasions])
    return base, group[:, None] == group


def _base_spread(fit: PopulationFit, sds: list[Any], factors: list[Any]) -> Any:
    """C with C C' the covariance of :func:`base_effects`."""
    number = {r.name: k for k, r in enumerate(fit.source.random)}
    rows = pt.stack([sds[number[name]] for name in base_effects(fit)])
    groups = (fit.source.of_subject, fit.source.of_occasion)
    parts = [f for f, group in zip(factors, groups, strict=True) if group]
    if len(parts) == 1:
        return rows[:, None] * parts[0]
    n, m = map(len, groups)
    above, below = pt.zeros((n, m)), pt.zeros((m, n))
    whole = pt.concatenate(
        [pt.concatenate([parts[0], above], axis=1), pt.concatenate([below, parts[1]], axis=1)], axis=0
    )
    return rows[:, None] * whole


def _every_copy(fit: PopulationFit, base: Any) -> Any:
    """C of the problem's random effects from that of :func:`base_effects`."""
    index, together = copies(fit)
    if len(index) == len(fit.source.random):
        return base
    choose = np.zeros((len(index), len(fit.source.random)))
    choose[np.arange(len(index)), index] = 1.0
    return pt.dot(pt.dot(choose, base), choose.T) * together
