"""Free parameters of an estimation: unbounded numbers that stand for what is estimated, and the way back.

* fixed effect: its logarithm above a lower bound (below an upper one), logit between two, else itself in units of its
  start;
* Omega: blocks of effects that covary, each Omega = L L' with L = diag(d) U, U lower triangular with ones: log d and U;
* residual parameters: their logarithm; the exponent of a power itself.

What is declared ``fixed`` stays. A block of Omega is fixed as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.estimation.objective import EstimationError
from pharmtwin.inference.models.description import FixedEffect, PopulationModel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """Fixed effects (n_fixed,), Omega (n_random, n_random) of the model as written, residual parameters
    (n_residuals,)."""

    fixed: Floats
    omega: Floats
    sigma: Floats

    @classmethod
    def of(cls, model: PopulationModel) -> Values:
        """Those that the model states."""
        return cls(
            np.array([f.value for f in model.fixed]), model.omega.copy(), np.array([r.value for r in model.residuals])
        )


def with_values(model: PopulationModel, values: Values) -> PopulationModel:
    """The model with other values."""
    variance = np.diag(values.omega)
    return replace(
        model,
        fixed=tuple(replace(f, value=float(v)) for f, v in zip(model.fixed, values.fixed, strict=True)),
        random=tuple(replace(r, variance=float(v)) for r, v in zip(model.random, variance, strict=True)),
        omega=values.omega.copy(),
        residuals=tuple(replace(r, value=float(v)) for r, v in zip(model.residuals, values.sigma, strict=True)),
    )


def expanded_omega(model: PopulationModel, omega: Floats, n_occasions: int) -> Floats:
    """Omega of the model with effects of the occasion written out (see ``models.occasions.expand``)."""
    own = [k for k, r in enumerate(model.random) if r.level == "subject"]
    per_occasion = [k for k, r in enumerate(model.random) if r.level == "occasion"]
    copies = n_occasions if per_occasion else 0
    n, m = len(own), len(per_occasion)
    out = np.zeros((n + m * copies, n + m * copies))
    out[:n, :n] = omega[np.ix_(own, own)]
    for k in range(copies):
        at = n + k * m
        out[at : at + m, at : at + m] = omega[np.ix_(per_occasion, per_occasion)]
    return out


def blocks(model: PopulationModel) -> list[list[int]]:
    """Groups of random effects that covary (directly or through others), in the model's order."""
    left, found = list(range(len(model.random))), []
    while left:
        group, grown = [left[0]], True
        while grown:
            more = [k for k in left if k not in group and np.any(model.omega[k, group] != 0)]
            group, grown = sorted(group + more), bool(more)
        left = [k for k in left if k not in group]
        found.append(group)
    return found


@dataclass(frozen=True)
class Scale:
    """The free parameters of a model; made by :func:`scale_of`.

    Attributes
    ----------
    start : (n_free,) where the model's values lie. names : of the estimated quantities (n_free,), in the order of
        :meth:`natural`: fixed effects, elements of Omega, residual parameters.
    """

    model: PopulationModel
    start: Floats
    names: tuple[str, ...]
    free_fixed: tuple[int, ...]
    free_blocks: tuple[tuple[int, ...], ...]
    free_residuals: tuple[int, ...]

    def values(self, x: Floats) -> Values:
        """What free parameters x (n_free,) stand for."""
        base, at = Values.of(self.model), 0
        for k in self.free_fixed:
            base.fixed[k] = _back(self.model.fixed[k])(x[at])
            at += 1
        for block in self.free_blocks:
            m = len(block)
            d = np.exp(x[at : at + m])
            L = np.eye(m)
            L[np.tril_indices(m, -1)] = x[at + m : at + m * (m + 1) // 2]
            L *= d[:, None]
            base.omega[np.ix_(block, block)] = L @ L.T
            at += m * (m + 1) // 2
        for k in self.free_residuals:
            base.sigma[k] = x[at] if k in _exponents(self.model) else np.exp(x[at])
            at += 1
        return base

    @property
    def free_names(self) -> tuple[str, ...]:
        """What each free parameter stands for: of a block of Omega first the variances, then the covariances."""
        fixed = [self.model.fixed[k].name for k in self.free_fixed]
        omega: list[str] = []
        for block in self.free_blocks:
            n = [self.model.random[k].name for k in block]
            omega += [f"omega({a})" for a in n]
            omega += [f"omega({n[i]},{n[j]})" for i, j in zip(*np.tril_indices(len(n), -1), strict=True)]
        return (*fixed, *omega, *(self.model.residuals[k].name for k in self.free_residuals))

    def natural(self, x: Floats) -> Floats:
        """The estimated quantities (n_free,): fixed effects, lower triangles of the blocks of Omega, residual
        parameters."""
        v = self.values(x)
        parts = [v.fixed[list(self.free_fixed)]]
        parts += [v.omega[np.ix_(b, b)][np.tril_indices(len(b))] for b in self.free_blocks]
        return np.concatenate([*parts, v.sigma[list(self.free_residuals)]])

    def slope(self, x: Floats) -> Floats:
        """d natural / d x (n_free, n_free), by central differences of the closed form."""
        J, h = np.empty((len(x), len(x))), 1e-5
        for k in range(len(x)):
            shift = np.zeros(len(x))
            shift[k] = h
            J[:, k] = (self.natural(x + shift) - self.natural(x - shift)) / (2 * h)
        return J


def scale_of(model: PopulationModel) -> Scale:
    """The free parameters of a model.

    Raises EstimationError where a value is outside its bounds, a variance or residual to be estimated starts at 0, a
    block is fixed in part, or nothing is left to estimate.
    """
    faults: list[str] = []
    x: list[float] = []
    names: list[str] = []
    free_fixed = [k for k, f in enumerate(model.fixed) if not f.fixed]
    for k in free_fixed:
        f = model.fixed[k]
        if not f.lower < f.value < f.upper:
            faults.append(
                f"fixed effect {f.name} starts at {f.value:g}, not between its bounds {f.lower:g} and {f.upper:g}"
            )
            continue
        x.append(_there(f))
        names.append(f.name)
    free_blocks = []
    for block in blocks(model):
        effects = [model.random[k] for k in block]
        if all(e.fixed for e in effects):
            continue
        if any(e.fixed for e in effects):
            faults.append(f"the random effects {[e.name for e in effects]} covary, and some are fixed: fix all or none")
            continue
        omega = model.omega[np.ix_(block, block)]
        if not omega.diagonal().min() > 0 or np.linalg.eigvalsh(omega)[0] <= 0:
            faults.append(f"the variance of {[e.name for e in effects]} is 0 or singular: start above it, or fix it")
            continue
        L = np.linalg.cholesky(omega)
        d = np.diag(L)
        x += [*np.log(d), *(L / d[:, None])[np.tril_indices(len(block), -1)]]
        for i, j in zip(*np.tril_indices(len(block)), strict=True):
            names.append(f"omega({effects[i].name})" if i == j else f"omega({effects[i].name},{effects[j].name})")
        free_blocks.append(tuple(block))
    free_residuals = [k for k, r in enumerate(model.residuals) if not r.fixed]
    for k in free_residuals:
        r = model.residuals[k]
        if k in _exponents(model):
            x.append(r.value)
        elif r.value > 0:
            x.append(float(np.log(r.value)))
        else:
            faults.append(f"the residual parameter {r.name} starts at {r.value:g}: start above 0, or fix it")
            continue
        names.append(r.name)
    if not x and not faults:
        faults.append("everything is fixed: there is nothing to estimate")
    if faults:
        raise EstimationError("\n".join(f"{model.name}: {f}" for f in faults))
    return Scale(model, np.array(x), tuple(names), tuple(free_fixed), tuple(free_blocks), tuple(free_residuals))


def _exponents(model: PopulationModel) -> set[int]:
    """Residual parameters that are exponents: any number, not positive ones only."""
    where = {r.name: k for k, r in enumerate(model.residuals)}
    return {where[o.residuals[1]] for o in model.outputs if o.error == "power"}


def _there(f: FixedEffect) -> float:
    low, high = np.isfinite(f.lower), np.isfinite(f.upper)
    if low and high:
        share = (f.value - f.lower) / (f.upper - f.lower)
        return float(np.log(share / (1.0 - share)))
    if low or high:
        return float(np.log(f.value - f.lower if low else f.upper - f.value))
    return f.value / (abs(f.value) or 1.0)


def _back(f: FixedEffect) -> Callable[[float], float]:
    low, high = np.isfinite(f.lower), np.isfinite(f.upper)
    if low and high:
        return lambda x: float(f.lower + (f.upper - f.lower) / (1.0 + np.exp(-x)))
    if low or high:
        return lambda x: float(f.lower + np.exp(x) if low else f.upper - np.exp(x))
    return lambda x: float(x * (abs(f.value) or 1.0))
