"""Log-likelihood of observations given their predictions, with derivatives; compiled once, for every model.

Residual errors are those of ``models.description.ERRORS``. An observation may be censored (``code``):

=====  ==============================================================================================================
0      observed: density
1      below ``limit`` (M3): probability of Y < limit
2      above ``limit``: probability of Y > limit
3      observed, and known to lie above ``limit`` (M2: the LLOQ; a distribution cut off at 0: limit 0): density divided
       by the probability of Y > limit
4      below ``limit`` and above 0 (M4): probability of 0 < Y < limit, given Y > 0
=====  ==============================================================================================================

Beal 2001, J Pharmacokinet Pharmacodyn 28:481, doi 10.1023/A:1012299115260 (M1 to M7).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from pharmtwin.inference.models.description import ERRORS

OBSERVED, BELOW, ABOVE, TRUNCATED, BETWEEN = range(5)
KINDS = {name: k for k, name in enumerate(ERRORS)}
ADDITIVE, PROPORTIONAL, COMBINED, COMBINED_SD, POWER, LOGNORMAL = (
    KINDS[k] for k in ("additive", "proportional", "combined", "combined_sd", "power", "lognormal")
)
N_RESIDUALS = max(ERRORS.values())
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
SQRT_HALF = math.sqrt(0.5)
FAR = -37.0  # below, Phi is computed by its asymptotic series


@njit(cache=True, nogil=True)
def log_phi(z: float) -> tuple[float, float]:
    """log Phi(z) and its derivative, also far out in the tail."""
    if z > FAR:
        p = 0.5 * math.erfc(-z * SQRT_HALF)
        return math.log(p), math.exp(-0.5 * z * z - HALF_LOG_2PI) / p
    w = 1.0 / (z * z)  # Abramowitz & Stegun 26.2.12
    series = 1.0 - w * (1.0 - 3.0 * w * (1.0 - 5.0 * w))
    log_p = -0.5 * z * z - HALF_LOG_2PI - math.log(-z) + math.log(series)
    return log_p, -z / series


@njit(cache=True, nogil=True)
def log_difference(a: float, b: float) -> tuple[float, float, float]:
    """log(Phi(b) - Phi(a)) for a < b, and its derivatives with respect to a and b."""
    if a > 0.0:  # by symmetry, so that the difference is of small numbers
        value, d_a, d_b = _log_difference(-b, -a)
        return value, -d_b, -d_a
    return _log_difference(a, b)


@njit(cache=True, nogil=True)
def _log_difference(a: float, b: float) -> tuple[float, float, float]:
    upper, _ = log_phi(b)
    lower, _ = log_phi(a)
    value = upper + math.log1p(-math.exp(lower - upper)) if lower < upper else -np.inf
    d_a = -math.exp(-0.5 * a * a - HALF_LOG_2PI - value)
    d_b = math.exp(-0.5 * b * b - HALF_LOG_2PI - value)
    return value, d_a, d_b


@njit(cache=True, nogil=True)
def normal(y: float, code: int, limit: float, f: float, s: float) -> tuple[float, float, float]:
    """Log-likelihood of y ~ Normal(f, s), censored as ``code`` says; derivatives with respect to f and s."""
    if code in (BELOW, ABOVE):
        sign = 1.0 if code == BELOW else -1.0
        z = (limit - f) / s
        value, slope = log_phi(sign * z)
        return value, -sign * slope / s, -sign * slope * z / s
    if code == BETWEEN:
        a, b = -f / s, (limit - f) / s
        value, d_a, d_b = log_difference(a, b)
        above, slope = log_phi(-a)
        d_f = -(d_a + d_b) / s - slope / s
        d_s = -(d_a * a + d_b * b) / s - slope * a / s
        return value - above, d_f, d_s
    u = (y - f) / s
    value = -0.5 * u * u - math.log(s) - HALF_LOG_2PI
    d_f, d_s = u / s, (u * u - 1.0) / s
    if code == TRUNCATED:
        z = (limit - f) / s
        above, slope = log_phi(-z)
        value -= above
        d_f -= slope / s
        d_s -= slope * z / s
    return value, d_f, d_s


@njit(cache=True, nogil=True)
def spread(kind: int, f: float, a: float, b: float) -> tuple[float, float, float, float]:
    """Standard deviation of an observation of prediction f, and its derivatives with respect to f, a and b."""
    if kind in (ADDITIVE, LOGNORMAL):
        return a, 0.0, 1.0, 0.0
    if kind == PROPORTIONAL:
        size = abs(f)
        return a * size, a * (1.0 if f >= 0.0 else -1.0), size, 0.0
    if kind == COMBINED:
        s = math.sqrt(a * a + b * b * f * f)
        return s, b * b * f / s, a / s, b * f * f / s
    if kind == COMBINED_SD:
        size = abs(f)
        return a + b * size, b * (1.0 if f >= 0.0 else -1.0), 1.0, size
    size = abs(f)  # POWER
    grown = size**b
    return a * grown, a * b * grown / f, grown, a * grown * math.log(size)


@njit(cache=True, nogil=True)
def score(
    f: Any, y: Any, code: Any, limit: Any, kind: Any, where: Any, zero: Any, sigma: Any,
    value: Any, d_f: Any, d_sigma: Any, information: Any,
) -> None:  # fmt: skip
    """Log-likelihood of every observation, and its derivatives.

    Parameters
    ----------
    f, y, limit (n,) predictions, data, limits; code, kind (n,) as above; where (n, 2) positions of the residuals'
    parameters in ``sigma`` (-1: none); zero (n,) what stands for a prediction of exactly 0 in the error.
    value, d_f, information (n,), d_sigma (n, 2) : filled. ``information`` is the expected information on f of a plain
    observation, and the squared slope of a censored one. Impossible observations get -inf and derivatives of 0.
    """
    for i in range(f.shape[0]):
        a = sigma[where[i, 0]]
        b = sigma[where[i, 1]] if where[i, 1] >= 0 else 0.0
        g = f[i]
        value[i] = -np.inf
        d_f[i] = 0.0
        d_sigma[i, 0] = 0.0
        d_sigma[i, 1] = 0.0
        information[i] = 0.0
        if not math.isfinite(g):
            continue
        own_scale = kind[i] == ADDITIVE or kind[i] == COMBINED or kind[i] == COMBINED_SD
        if g == 0.0 and not own_scale and not math.isfinite(zero[i]):
            if code[i] == BELOW or code[i] == BETWEEN:
                value[i] = 0.0  # nothing there, and the error has no scale: below every limit for sure
            continue
        if kind[i] == LOGNORMAL:
            if g <= 0.0 or a <= 0.0 or (code[i] == OBSERVED and y[i] <= 0.0):
                continue
            kept, at = code[i], 0.0
            if kept == BETWEEN:  # a lognormal is never below 0
                kept = BELOW
            elif kept == TRUNCATED and limit[i] <= 0.0:
                kept = OBSERVED
            if kept != OBSERVED:
                at = math.log(limit[i])
            known = kept in (OBSERVED, TRUNCATED)
            ll, slope, slope_s = normal(math.log(y[i]) if known else 0.0, kept, at, math.log(g), a)
            value[i] = ll - (math.log(y[i]) if known else 0.0)
            d_f[i] = slope / g
            d_sigma[i, 0] = slope_s
            information[i] = 1.0 / (a * g) ** 2 if known else d_f[i] ** 2
            continue
        size = g
        if g == 0.0 and kind[i] != ADDITIVE and math.isfinite(zero[i]):
            size = zero[i]
        if kind[i] == POWER and size == 0.0:
            continue
        s, s_f, s_a, s_b = spread(kind[i], size, a, b)
        if g == 0.0 and kind[i] != ADDITIVE:
            s_f = 0.0
        if not s > 0.0:
            continue
        ll, slope, slope_s = normal(y[i], code[i], limit[i], g, s)
        value[i] = ll
        d_f[i] = slope + slope_s * s_f
        d_sigma[i, 0] = slope_s * s_a
        d_sigma[i, 1] = slope_s * s_b
        plain = code[i] == OBSERVED or code[i] == TRUNCATED
        information[i] = (1.0 + 2.0 * s_f * s_f) / (s * s) if plain else d_f[i] ** 2


@njit(cache=True, nogil=True)
def sums(run_of: Any, jacobian: Any, value: Any, d_f: Any, total: Any, gradient: Any) -> None:
    """Sums over the observations of a run: total (n_runs,) and its gradient (n_runs, n_columns), filled."""
    total[:] = 0.0
    gradient[:] = 0.0
    for i in range(run_of.shape[0]):
        k = run_of[i]
        total[k] += value[i]
        for m in range(jacobian.shape[1]):
            gradient[k, m] += d_f[i] * jacobian[i, m]
