"""Priors on the unconstrained scale: how a sampler's free numbers become parameters, and with what density.

A parameter's support is that of its prior's family, cut by the bounds of prior and effect; the transform follows from
the support alone. Densities leave constants out (so also the share of a truncated prior's mass within its bounds).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt

from pharmtwin.inference.models.description import SD, FixedEffect, Prior, RandomEffect, Residual

#: sd of a standard logistic variable: the spread of an unconstrained number whose parameter is uniform
LOGISTIC_SD = math.pi / math.sqrt(3.0)
#: families on positive numbers whose density at 0 is not 0
REACH_ZERO = ("halfnormal", "halfcauchy")
#: prior of the standard deviation of a random effect whose file states none
SD_PRIOR = Prior("halfnormal", (0.4,))
#: standard deviation to start from where a file states a variance of 0
SD_START = 0.2


@dataclass(frozen=True)
class Free:
    """A parameter that is estimated: name, prior, support (low, high) and a value to start from.

    ``soft``: the value is h softplus(p / h), for a standard deviation whose posterior may reach 0. Well above the
    length h the value is p itself, below it an exponential. (On the logarithm's scale the upper end of such a
    posterior, where the data decide, is many times narrower than the way down to 0.) h, ``bend``, is data of the model:
    see ``geometry``.
    """

    name: str
    prior: Prior
    low: float
    high: float
    start: float
    soft: bool = False

    @classmethod
    def create(
        cls,
        name: str,
        prior: Prior,
        start: float,
        lower: float = -math.inf,
        upper: float = math.inf,
        soft: bool = False,
    ) -> Free:
        """With the support of the prior within further bounds; raises ValueError where start or bounds do not fit."""
        low, high = prior.support
        low, high = max(low, lower), min(high, upper)
        if not low < start < high:
            raise ValueError(
                f"{name}: its value {start:g} lies outside of {low:g} to {high:g}, the support of its prior"
            )
        soft = soft and prior.family in REACH_ZERO and (low, high) == (0.0, math.inf)
        return cls(name, prior, low, high, start, soft)

    def free(self, value: float, bend: float = 1.0) -> float:
        """The unconstrained number of a value."""
        if self.soft:
            return value + bend * math.log(-math.expm1(-value / bend))
        if math.isfinite(self.low) and math.isfinite(self.high):
            return math.log((value - self.low) / (self.high - value))
        if math.isfinite(self.low):
            return math.log(value - self.low)
        return -math.log(self.high - value) if math.isfinite(self.high) else value

    def value(self, p: Any, bend: Any = 1.0) -> Any:
        """The value of an unconstrained number (a PyTensor expression)."""
        if self.soft:
            return bend * pt.softplus(p / bend)
        if math.isfinite(self.low) and math.isfinite(self.high):
            return self.low + (self.high - self.low) * pt.sigmoid(p)
        if math.isfinite(self.low):
            return self.low + pt.exp(p)
        return self.high - pt.exp(-p) if math.isfinite(self.high) else p

    def log_density(self, p: Any, bend: Any = 1.0) -> Any:
        """Log density of the unconstrained number p, its Jacobian included, without constants."""
        if self.soft:
            return log_prior(self.prior, self.value(p, bend)) - pt.softplus(-p / bend)
        if math.isfinite(self.low) and math.isfinite(self.high):
            jacobian = -pt.softplus(p) - pt.softplus(-p)
        elif math.isfinite(self.low):
            jacobian = p
        else:
            jacobian = -p if math.isfinite(self.high) else 0.0
        return log_prior(self.prior, self.value(p)) + jacobian

    @property
    def scale(self) -> float:
        """Rough spread of the unconstrained number under the prior."""
        if self.soft:
            return self.prior.arguments[0]
        if math.isfinite(self.low) and math.isfinite(self.high):
            return LOGISTIC_SD
        bounded = math.isfinite(self.low) or math.isfinite(self.high)
        if self.prior.family == "lognormal" or (self.prior.family == "normal" and not bounded):
            return self.prior.arguments[1]
        return 1.0


def log_prior(prior: Prior, x: Any) -> Any:
    """Log density of a family at x within its support, without constants."""
    a = prior.arguments
    if prior.family == "lognormal":
        return -0.5 * ((pt.log(x) - math.log(a[0])) / a[1]) ** 2 - pt.log(x)
    if prior.family == "normal":
        return -0.5 * ((x - a[0]) / a[1]) ** 2
    if prior.family == "halfnormal":
        return -0.5 * (x / a[0]) ** 2
    if prior.family == "halfcauchy":
        return -pt.log1p((x / a[0]) ** 2)
    if prior.family in ("uniform", "flat"):
        return pt.zeros_like(pt.as_tensor_variable(x))
    raise ValueError(f"unknown prior {prior.family!r}")


def n_correlations(n: int) -> int:
    """Free numbers of an n x n correlation matrix."""
    return n * (n - 1) // 2


def correlation_factor(y: Any, n: int) -> Any:
    """Cholesky factor (n, n) of the correlation matrix whose partial correlations are tanh(y).

    Partial correlations by row: (1,0), (2,0), (2,1), ...; (i, j) is that of i and j given 0 ... j - 1 (Lewandowski,
    Kurowicka, Joe 2009, doi 10.1016/j.jmva.2009.04.008: C-vine).
    """
    rows: list[Any] = []
    zero, at = pt.as_tensor_variable(0.0), 0
    for i in range(n):
        left = pt.as_tensor_variable(1.0)  # 1 - sum of squares of the row so far
        for _ in range(i):
            r = pt.tanh(y[at])
            rows.append(r * pt.sqrt(left))
            left = left * (1.0 - r**2)
            at += 1
        rows += [pt.sqrt(left), *[zero] * (n - 1 - i)]
    return pt.stack(rows).reshape((n, n))


def log_lkj(y: Any, n: int, eta: float) -> Any:
    """Log density of y (see :func:`correlation_factor`) under LKJ(eta), without constants.

    Under it the partial correlation of (i, j) is 2 Beta(a, a) - 1 with a = eta + (n - 2 - j) / 2, and they are
    independent; with the Jacobian of tanh the exponent of 1 - r^2 is a.
    """
    powers = [eta + (n - 2 - j) / 2.0 for i in range(1, n) for j in range(i)]
    # log(1 - tanh^2) without overflow
    log_rest = -2.0 * (pt.softplus(2.0 * y) - y - math.log(2.0))
    return pt.sum(pt.as_tensor_variable(powers) * log_rest)


def free_fixed(effect: FixedEffect, faults: list[str]) -> Free | float:
    """A fixed effect: what is estimated of it, or its number; what is wrong goes to ``faults``."""
    if effect.fixed:
        return float(effect.value)
    if effect.prior is None:
        faults.append(f"fixed effect {effect.name!r} is estimated and has no prior")
        return float(effect.value)
    return _free(effect.name, effect.prior, effect.value, faults, effect.lower, effect.upper)


def free_sd(effect: RandomEffect, faults: list[str]) -> Free | float:
    """The standard deviation of a random effect, as :func:`free_fixed`."""
    if effect.fixed:
        return math.sqrt(effect.variance)
    start = math.sqrt(effect.variance) if effect.variance > 0 else SD_START
    return _free(SD.format(effect.name), effect.prior or SD_PRIOR, start, faults, 0.0, soft=True)


def free_residual(residual: Residual, faults: list[str]) -> Free | float:
    """A residual parameter, as :func:`free_fixed`."""
    if residual.fixed:
        return float(residual.value)
    if residual.prior is None:
        faults.append(f"residual {residual.name!r} is estimated and has no prior")
        return float(residual.value)
    return _free(residual.name, residual.prior, residual.value, faults)


def _free(
    name: str,
    prior: Prior,
    start: float,
    faults: list[str],
    lower: float = -math.inf,
    upper: float = math.inf,
    soft: bool = False,
) -> Free | float:
    try:
        return Free.create(name, prior, start, lower, upper, soft)
    except ValueError as error:
        faults.append(str(error))
        return start
