"""The catalogue of figures: what each needs, how it is computed, and as a function of means (for the bootstrap)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.evaluation import agreement, metrics, probability
from pharmtwin.evaluation.bootstrap import Columns, Moments

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """One metric: ``needs`` columns, all above 0 if ``positive``; ``share``: lies in 0 to 1 and counts rows.

    ``log``: a gap between groups is a ratio, not a difference. ``moments``: the same as a function of means, if it is.
    """

    name: str
    needs: tuple[str, ...]
    compute: Callable[[Columns], float]
    unit: str
    moments: Moments | None = None
    positive: bool = False
    share: bool = False
    log: bool = False


_PAIR = ("predicted", "observed")
_CHANGE = (*_PAIR, "predicted_before", "observed_before")
_EVENT = ("probability", "happened")


def _one(feature: Callable[[Columns], Array], combine: Callable[[Array], Array] = lambda m: m) -> Moments:
    """A figure that is a function of one mean."""
    return Moments(lambda d: np.asarray(feature(d), dtype=float)[:, None], lambda m: combine(m[..., 0]))


def _pair(name: str, f: Callable[[Array, Array], float], unit: str, moments: Moments, **more: bool) -> Figure:
    return Figure(name, _PAIR, lambda d: f(d["predicted"], d["observed"]), unit, moments, **more)


def _share(name: str, needs: tuple[str, ...], inside: Callable[[Columns], NDArray[np.bool_]], positive: bool) -> Figure:
    """A share of rows."""
    moments = _one(lambda d: inside(d).astype(float))
    return Figure(name, needs, lambda d: float(np.mean(inside(d))), "1", moments, positive=positive, share=True)


def _logs(d: Columns) -> Array:
    return metrics.log_ratio(d["predicted"], d["observed"])


def _relative(d: Columns) -> Array:
    return np.asarray((d["predicted"] - d["observed"]) / d["observed"])


def _centred(p: Array, o: Array) -> Array:
    """Features of second moments about the means of all rows, which come along as constants."""
    mp, mo = p.mean(), o.mean()
    x, y = p - mp, o - mo
    return np.column_stack([x, y, x * x, y * y, x * y, np.full(len(p), mp), np.full(len(p), mo)])


def _ccc(m: Array) -> Array:
    dx, dy, xx, yy, xy, mp, mo = np.moveaxis(m, -1, 0)
    return np.asarray(2 * (xy - dx * dy) / (xx - dx**2 + yy - dy**2 + (mp + dx - mo - dy) ** 2))


def _slope(m: Array) -> Array:
    dx, dy, xx, _, xy, *_ = np.moveaxis(m, -1, 0)
    return np.asarray((xy - dx * dy) / (xx - dx**2))


def _intercept(m: Array) -> Array:
    dx, dy, *_, mp, mo = np.moveaxis(m, -1, 0)
    return np.asarray(mo + dy - _slope(m) * (mp + dx))


_SECOND = lambda d: _centred(d["predicted"], d["observed"])  # noqa: E731
_OF_CHANGE = lambda d: _centred(d["predicted"] - d["predicted_before"], d["observed"] - d["observed_before"])  # noqa: E731
_NMSE = Moments(
    lambda d: np.column_stack([(d["observed"] - d["predicted"]) ** 2, d["observed"], d["predicted"]]),
    lambda m: m[..., 0] / (m[..., 1] * m[..., 2]),
)


def _fold(fold: float) -> Figure:
    return _share(
        f"within_{fold:g}_fold", _PAIR, lambda d: metrics.within_fold(d["predicted"], d["observed"], fold), True
    )


def _percent(name: str, percent: float) -> Figure:
    return _share(name, _PAIR, lambda d: 100 * np.abs(_relative(d)) <= percent * (1 + 1e-12), True)


def _guest(name: str, delta: float) -> Figure:
    return _share(name, _PAIR, lambda d: metrics.within_guest(d["predicted"], d["observed"], delta), True)


#: figures of predicted values
VALUES: tuple[Figure, ...] = (
    _pair("GMFE", metrics.gmfe, "fold", _one(lambda d: np.abs(_logs(d)), np.exp), positive=True, log=True),
    _pair("AFE", metrics.afe, "fold", _one(_logs, np.exp), positive=True, log=True),
    _fold(1.25), _fold(1.5), _fold(2.0),
    _pair("NMSE", agreement.nmse, "1", _NMSE),
    _pair("CCC", agreement.ccc, "1", Moments(_SECOND, _ccc)),
    Figure("CCC_of_change", _CHANGE, lambda d: agreement.ccc_of_change(*(d[c] for c in _CHANGE)), "1",
           Moments(_OF_CHANGE, _ccc)),
    _pair("mean_error", agreement.mean_error, "value", _one(lambda d: d["predicted"] - d["observed"])),
    _pair("RMSE", agreement.rmse, "value", _one(lambda d: (d["predicted"] - d["observed"]) ** 2, np.sqrt)),
    _pair("MPE", agreement.mpe, "%", _one(lambda d: 100 * _relative(d)), positive=True),
    _pair("relative_RMSE", agreement.relative_rmse, "%", _one(lambda d: _relative(d) ** 2, lambda m: 100 * np.sqrt(m)),
          positive=True),
    _percent("F20", 20), _percent("F30", 30),
    _pair("calibration_slope", lambda p, o: agreement.calibration_line(p, o)[0], "1", Moments(_SECOND, _slope)),
    _pair("calibration_intercept", lambda p, o: agreement.calibration_line(p, o)[1], "value",
          Moments(_SECOND, _intercept)),
    _share("coverage", ("observed", "lo", "hi"), lambda d: metrics.inside(d["observed"], d["lo"], d["hi"]), False),
    Figure("width", ("lo", "hi"), lambda d: metrics.interval_width(d["lo"], d["hi"]), "fold",
           _one(lambda d: metrics.log_ratio(d["hi"], d["lo"]), np.exp), positive=True, log=True),
    Figure("CRPS", ("crps",), lambda d: float(d["crps"].mean()), "value", _one(lambda d: d["crps"])),
)  # fmt: skip
#: of ratios of exposure with and without an interaction
RATIOS: tuple[Figure, ...] = (
    *VALUES[:5], _guest("within_Guest", 1.0), _guest("within_Guest_20_percent_variability", 1.25),
)  # fmt: skip


def _event(name: str, f: Callable[[Array, Array], float], moments: Moments | None = None) -> Figure:
    return Figure(name, _EVENT, lambda d: f(d["probability"], d["happened"]), "1", moments)


#: of predicted probabilities of an event
EVENTS: tuple[Figure, ...] = (
    _event("Brier", probability.brier, _one(lambda d: (d["probability"] - d["happened"]) ** 2)),
    _event("C_statistic", probability.c_statistic),
    _event("calibration_slope", lambda p, y: probability.calibration(p, y).slope),
    _event("calibration_intercept", lambda p, y: probability.calibration(p, y).intercept),
    _event("calibration_in_the_large", lambda p, y: probability.calibration(p, y).in_the_large),
)
