"""A population posterior as the prior of a person: hyperparameter draws mixed, not plugged in.

Where a typical value stands beside a random effect (``TVCL * exp(eta_CL)``) its draws move the mean of that effect.
Any other fixed effect that varies over the draws becomes an effect of the person itself, ``pop_NAME``: its deviation
from the population's mean, on the logarithm (or logit) within the bounds of NAME. Within a draw it has no variance, so
the mixture over S draws of d such effects would have no density. It gets one by a kernel that keeps mean and
covariance of the draws (West 1993, J R Stat Soc B 55:409): with U the deviations of all typical values and V their
covariance,

    mean_s = sqrt(1 - h^2) U_s        cov_s = Omega_s + h^2 V        h = (4 / ((d + 2) S))^(1 / (d + 4))

so no variance is lost and none enters twice. Without such effects the mixture is exact (h = 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.models.description import FixedEffect, PopulationModel, RandomEffect
from pharmtwin.inference.models.occasions import effect_of, expand
from pharmtwin.inference.problem.aliases import aliases
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.model.description import Definition, Parameter

Floats = NDArray[np.float64]
#: name of the person's effect that carries the uncertainty of a fixed effect
EFFECT = "pop_{}"
#: draws that differ by less than this share are of a constant
EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class PopulationDraws:
    """Joint draws of a population's parameters.

    fixed (S, n_fixed), omega (S, n_random, n_random), sigma (S, n_residuals) : in the order of the model, effects of
    the occasion not written out.
    """

    fixed: Floats
    omega: Floats
    sigma: Floats

    def __len__(self) -> int:
        """Draws."""
        return len(self.fixed)


@dataclass(frozen=True)
class _Scale:
    """An unbounded scale of a fixed effect between bounds."""

    low: float
    high: float

    @classmethod
    def of(cls, effect: FixedEffect, draws: Floats) -> _Scale:
        """That of its prior and bounds; where neither is stated, positive draws are on the logarithm."""
        low, high = bounds(effect)
        if effect.prior is None and np.isinf(low) and np.isinf(high) and np.all(draws > 0):
            low = 0.0
        return cls(low, high)

    def free(self, x: Floats) -> Floats:
        if np.isfinite(self.low) and np.isfinite(self.high):
            return np.asarray(np.log((x - self.low) / (self.high - x)))
        if np.isfinite(self.low):
            return np.asarray(np.log(x - self.low))
        return np.asarray(-np.log(self.high - x) if np.isfinite(self.high) else x)

    def expression(self, centre: float, effect: str) -> str:
        """The value of a number ``centre + effect`` on this scale."""
        number = f"({centre!r}) + {effect}"
        if np.isfinite(self.low) and np.isfinite(self.high):
            return f"({self.low!r}) + ({self.high - self.low!r}) / (1 + exp(-({number})))"
        if np.isfinite(self.low):
            return f"({self.low!r}) + exp({number})"
        return f"({self.high!r}) - exp(-({number}))" if np.isfinite(self.high) else number


def bounds(effect: FixedEffect) -> tuple[float, float]:
    """Lowest and highest value of a fixed effect, by its prior and its own bounds."""
    low, high = effect.prior.support if effect.prior is not None else (-np.inf, np.inf)
    return max(float(low), effect.lower), min(float(high), effect.upper)


def person_prior(
    model: PopulationModel, draws: PopulationDraws, n_occasions: int = 1
) -> tuple[PopulationModel, TwinPrior]:
    """The model of a person under a population posterior, and the prior of its effects (see the module's docstring).

    model : as read. n_occasions : of the person's rows. The model that comes back has the effects ``pop_...``
    besides its own, and not the fixed effects that they stand for.
    """
    beside = {a: b for a, b in aliases(expand(model, 1)).items() if b in {r.name for r in model.of_subject}}
    where = {r.name: k for k, r in enumerate(model.random)}
    shifted: dict[str, str] = {}
    uncertain: list[str] = []
    for k, effect in enumerate(model.fixed):
        values = draws.fixed[:, k]
        if np.ptp(values) <= EQUAL * abs(float(values.mean())):
            continue
        other = beside.get(effect.name, "")
        own_variance = other in where and bool(np.all(draws.omega[:, where[other], where[other]] > 0))
        if own_variance and np.all(values > 0):
            shifted[effect.name] = other
        else:
            uncertain.append(effect.name)
    number = {f.name: k for k, f in enumerate(model.fixed)}
    scales = {n: _Scale.of(model.fixed[number[n]], draws.fixed[:, number[n]]) for n in uncertain}
    deviations = {EFFECT.format(n): scales[n].free(draws.fixed[:, number[n]]) for n in uncertain}
    texts = {n: scales[n].expression(float(deviations[EFFECT.format(n)].mean()), EFFECT.format(n)) for n in uncertain}
    deviations |= {b: np.zeros(len(draws)) for b in shifted.values()}
    for name, other in shifted.items():
        deviations[other] = deviations[other] + np.log(draws.fixed[:, number[name]])
    own = _with_effects(model, texts)
    full = expand(own, n_occasions)
    names = [r.name for r in full.random]
    mean = np.zeros((len(draws), len(names)))
    for name, values in deviations.items():
        mean[:, names.index(name)] = values - values.mean()
    cov = _covariances(model, draws.omega, names, n_occasions)
    if uncertain:
        h2 = (4.0 / ((len(uncertain) + 2) * len(draws))) ** (2.0 / (len(uncertain) + 4))
        cov = cov + h2 * mean.T @ mean / len(draws)
        mean = np.sqrt(1.0 - h2) * mean
    typical = [draws.fixed[:, number[f.name]] for f in full.fixed]
    centre = [
        np.exp(np.log(v).mean()) if f.name in shifted else v.mean() for f, v in zip(full.fixed, typical, strict=True)
    ]
    return own, TwinPrior(tuple(names), np.array(centre, dtype=float), mean, cov, draws.sigma)


def _with_effects(model: PopulationModel, texts: dict[str, str]) -> PopulationModel:
    """The model in which fixed effects are definitions of effects of the person (``texts`` by fixed effect)."""
    if not texts:
        return model
    structure, meaning = model.structure, {f.name: f for f in model.fixed}
    new = tuple(Parameter(EFFECT.format(n), "1", f"deviation of the population's {n}") for n in texts)
    defined = tuple(
        Definition(n, text, meaning[n].unit or "1", meaning[n].meaning or f"{n} of the population")
        for n, text in texts.items()
    )
    changed = replace(
        structure, name=f"{structure.name}_population",
        parameters=(*(p for p in structure.parameters if p.name not in texts), *new),
        definitions=(*defined, *structure.definitions),
    )  # fmt: skip
    # variances are the prior's; a number is asked for here only
    random = (*model.random, *(RandomEffect(EFFECT.format(n), 1.0, fixed=True) for n in texts))
    omega = np.zeros((len(random), len(random)))
    omega[: len(model.random), : len(model.random)] = model.omega
    omega[len(model.random) :, len(model.random) :] = np.eye(len(texts))
    fixed = tuple(f for f in model.fixed if f.name not in texts)
    return replace(model, structure=changed, fixed=fixed, random=random, omega=omega)


def _covariances(model: PopulationModel, omega: Floats, names: Sequence[str], n_occasions: int) -> Floats:
    """Covariances of the effects ``names`` from those of the model's: copies of an occasion's block by block."""
    cov = np.zeros((len(omega), len(names), len(names)))
    base = [r.name for r in model.random]
    groups = [{r.name: r.name for r in model.of_subject}]
    if model.of_occasion:
        groups += [{effect_of(r.name, k): r.name for r in model.of_occasion} for k in range(1, n_occasions + 1)]
    for group in groups:
        to, source = [names.index(n) for n in group], [base.index(n) for n in group.values()]
        cov[np.ix_(range(len(omega)), to, to)] = omega[np.ix_(range(len(omega)), source, source)]
    return cov
