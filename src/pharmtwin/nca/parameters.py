"""Parameters of samples, terminal phase and areas, in the order of the table.

Formulas as in PKNCA 0.12.1.9000 (R/pk.calc.simple.R, R/auc.R), whose names they bear with underscores; names of
WinNonlin beside.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from pharmtwin.nca import areas
from pharmtwin.nca.curve import MEASURED
from pharmtwin.nca.registry import OPEN, PART, TAU, Values, parameter
from pharmtwin.nca.terminal import Missing, Terminal, terminal

# ---- what was measured


@parameter("count_conc", "count", "samples with a value in the interval", cdisc="", winnonlin="No_Samples")
def _(v: Values) -> float:
    return v.curve.n_samples


@parameter("count_conc_measured", "count", "samples above the limit of quantification")
def _(v: Values) -> float:
    return v.curve.n_above


@parameter("totdose", "dose", "all doses of the interval", cdisc="", winnonlin="Dose")
def _(v: Values) -> float:
    return v.curve.amount


@parameter("tau", "time", "length of the dosing interval", where=(TAU,), winnonlin="Tau")
def _(v: Values) -> float:
    if np.isinf(v.curve.length):
        raise Missing("the interval has no end")
    return v.curve.length


@parameter("cstart", "conc", "concentration at the start of the interval: measured, or put in (see flags)")
def _(v: Values) -> float:
    if np.isnan(v.curve.start):
        raise Missing(v.curve.origin)
    return v.curve.start


@parameter("c0", "conc", "concentration at the time of a bolus, back-extrapolated where not measured", cdisc="C0",
           winnonlin="C0")  # fmt: skip
def _(v: Values) -> float:
    if v.curve.route != "bolus":
        raise Missing("the interval does not begin with a bolus")
    if np.isnan(v.curve.start):
        raise Missing(v.curve.origin)
    return v.curve.start


def _samples(v: Values, above: bool = True) -> tuple[np.ndarray, np.ndarray]:
    t, c = v.curve.t, v.curve.c
    if not len(t):
        raise Missing("no concentration was measured in the interval")
    if above and not np.any(c > 0):
        raise Missing("no concentration is above the limit of quantification")
    return t, c


@parameter("cmax", "conc", "highest concentration measured", cdisc="CMAX", winnonlin="Cmax")
def _(v: Values) -> float:
    return float(_samples(v, above=False)[1].max())


@parameter("tmax", "time", "its time, the first if there are several", cdisc="TMAX", winnonlin="Tmax")
def _(v: Values) -> float:
    t, c = _samples(v)
    return float(t[np.argmax(c)])


@parameter("cmin", "conc", "lowest concentration measured", where=(TAU, PART), cdisc="CMIN", winnonlin="Cmin")
def _(v: Values) -> float:
    return float(_samples(v, above=False)[1].min())


@parameter("tmin", "time", "its time, the first if there are several", where=(TAU, PART), cdisc="TMIN",
           winnonlin="Tmin")  # fmt: skip
def _(v: Values) -> float:
    t, c = _samples(v, above=False)
    return float(t[np.argmin(c)])


@parameter("tfirst", "time", "time of the first quantifiable concentration", cdisc="TFIRST")
def _(v: Values) -> float:
    t, c = _samples(v)
    return float(t[np.flatnonzero(c > 0)[0]])


@parameter("tlast", "time", "time of the last quantifiable concentration", cdisc="TLST", winnonlin="Tlast")
def _(v: Values) -> float:
    t, c = _samples(v)
    return float(t[np.flatnonzero(c > 0)[-1]])


@parameter("clast_obs", "conc", "last quantifiable concentration", cdisc="CLST", winnonlin="Clast")
def _(v: Values) -> float:
    _, c = _samples(v)
    return float(c[np.flatnonzero(c > 0)[-1]])


@parameter("tlag", "time", "time before the first increase (PKNCA) or quantifiable value (WinNonlin)", cdisc="TLAG",
           winnonlin="Tlag")  # fmt: skip
def _(v: Values) -> float:
    if v.curve.route in ("bolus", "infusion"):
        raise Missing("the dose is intravenous")
    t, c = v.curve.whole() if np.isfinite(v.curve.start) else _samples(v)
    if v.curve.settings.lag == "quantifiable":
        above = np.flatnonzero(c > 0)
        if not len(above):
            raise Missing("no concentration is above the limit of quantification")
        return float(t[max(above[0] - 1, 0)])
    rising = np.flatnonzero(np.diff(c) > 0)
    if not len(rising):
        raise Missing("no concentration is above the one before it")
    return float(t[rising[0]])


@parameter("ceoi", "conc", "concentration at the end of the infusion", cdisc="CEOI")
def _(v: Values) -> float:
    if v.curve.route != "infusion":
        raise Missing("the interval does not begin with an infusion")
    at = np.flatnonzero(np.isclose(v.curve.t, v.curve.duration, rtol=1e-9, atol=0))
    if not len(at):
        raise Missing("no sample at the end of the infusion")
    return float(v.curve.c[at[0]])


@parameter("ctrough", "conc", "concentration at the end of the interval", where=(TAU,), cdisc="CTROUGH",
           winnonlin="Ctau")  # fmt: skip
def _(v: Values) -> float:
    at = np.flatnonzero(np.isclose(v.curve.t, v.curve.length, rtol=1e-9, atol=0))
    if not len(at):
        raise Missing("no sample at the end of the interval")
    return float(v.curve.c[at[0]])


@parameter("time_above", "time", "time at or above the threshold asked for, up to the last sample", where=(),
           cdisc="TAT")  # fmt: skip
def _(v: Values) -> float:
    if not np.isfinite(v.threshold):
        raise Missing("no threshold was given (--above)")
    t, c = v.curve.whole()
    return areas.time_above(t, c, v.threshold, v.curve.settings.method)


# ---- the terminal phase


def _terminal(v: Values) -> Terminal:
    def fit() -> Terminal:
        curve, rule = v.curve, v.curve.settings.tmax_in_lambda_z
        ends = max((d.time + d.duration for d in curve.doses), default=-np.inf)
        with_tmax = rule == "always" or (rule == "bolus" and curve.route == "bolus")
        return terminal(curve.t, curve.c, curve.settings, after=ends, with_tmax=with_tmax, include=curve.include,
                        exclude=curve.exclude)  # fmt: skip

    return v.terminal(fit)


TERMINAL = (
    ("lambda_z", "inverse_time", "terminal rate constant", "lambda_z", "LAMZ", "Lambda_z"),
    ("half_life", "time", "terminal half-life", "half_life", "LAMZHL", "HL_Lambda_z"),
    ("r_squared", "1", "R2 of its regression", "r2", "R2", "Rsq"),
    ("adj_r_squared", "1", "adjusted R2 of its regression", "adj_r2", "R2ADJ", "Rsq_adjusted"),
    ("lambda_z_corrxy", "1", "correlation of time and ln C", "correlation", "CORRXY", "Corr_XY"),
    ("lambda_z_n_points", "count", "points of lambda_z", "n", "LAMZNPT", "No_points_lambda_z"),
    ("lambda_z_time_first", "time", "first of them", "first", "LAMZLL", "Lambda_z_lower"),
    ("lambda_z_time_last", "time", "last of them", "last", "LAMZUL", "Lambda_z_upper"),
    ("lambda_z_intercept", "1", "ln C of the regression at the start of the interval", "intercept", "",
     "Lambda_z_intercept"),
    ("span_ratio", "1", "half-lives that they span", "span_ratio", "LAMZSPN", "Span"),
)  # fmt: skip


def _of_terminal(v: Values, field: str) -> float:
    return float(getattr(_terminal(v), field))


for _name, _unit, _meaning, _field, _cdisc, _winnonlin in TERMINAL:
    _register = parameter(_name, _unit, _meaning, where=(OPEN, TAU), cdisc=_cdisc, winnonlin=_winnonlin)
    _register(partial(_of_terminal, field=_field))


@parameter("clast_pred", "conc", "concentration of the regression at Tlast", ("tlast", "lambda_z"), where=(OPEN,),
           cdisc="CLSTP", winnonlin="Clast_pred")  # fmt: skip
def _(v: Values) -> float:
    v["lambda_z"]
    return _terminal(v).predicted(v["tlast"])


# ---- areas


def _area(v: Values, moment: bool, extent: str, clast: str = "") -> float:
    t, c = v.curve.whole()
    if extent != "inf" or not np.any(c > 0):
        return areas.area(t, c, v.curve.settings.method, "last" if extent == "inf" else extent, moment=moment)
    return areas.area(t, c, v.curve.settings.method, extent, moment=moment, lambda_z=v["lambda_z"], clast=v[clast])


def _extrapolated(v: Values, last: str, inf: str) -> float:
    """Share of an area to infinity beyond Tlast, %."""
    return 100 * (1 - v[last] / positive(v[inf], "the area to infinity is 0"))


def positive(value: float, reason: str) -> float:
    """The value; raises Missing with the reason unless it is above 0."""
    if not value > 0:
        raise Missing(reason)
    return value


STEMS = (("auc", "auc", "area", False), ("aumc", "aumc", "area of the moment", True))
for _stem, _unit, _word, _moment in STEMS:
    _code, _last = _stem.upper(), f"{_stem}_last"
    _register = parameter(_last, _unit, f"{_word} to the last quantifiable concentration", cdisc=f"{_code}LST",
                          winnonlin=f"{_code}last")  # fmt: skip
    _register(partial(_area, moment=_moment, extent="last"))
    _register = parameter(f"{_stem}_all", _unit, f"{_word} with the triangle to the next sample", cdisc=f"{_code}ALL",
                          winnonlin=f"{_code}all")  # fmt: skip
    _register(partial(_area, moment=_moment, extent="all"))
    for _by, _letter in (("obs", "O"), ("pred", "P")):
        _inf, _clast = f"{_stem}_inf_{_by}", f"clast_{_by}"
        _register = parameter(_inf, _unit, f"{_word} to infinity from Clast {_by}", ("lambda_z", _clast), where=(OPEN,),
                              cdisc=f"{_code}IF{_letter}", winnonlin=f"{_code}INF_{_by}")  # fmt: skip
        _register(partial(_area, moment=_moment, extent="inf", clast=_clast))
        _register = parameter(f"{_stem}_pext_{_by}", "%", f"share of {_inf} that is extrapolated", (_last, _inf),
                              where=(OPEN,), cdisc=f"{_code}PE{_letter}",
                              winnonlin=f"{_code}_%Extrap_{_by}")  # fmt: skip
        _register(partial(_extrapolated, last=_last, inf=_inf))


def _before_first(v: Values, inf: str) -> float:
    """Share of an area to infinity before the first sample after a bolus, %."""
    v["c0"]
    if v.curve.origin.startswith(MEASURED):
        return 0.0
    t, c = v.curve.whole()
    total = positive(v[inf], "the area to infinity is 0")
    return 100 * float(areas.segments(t[:2], c[:2], v.curve.settings.method)[0]) / total


for _by, _letter in (("obs", "O"), ("pred", "P")):
    _inf = f"auc_inf_{_by}"
    _register = parameter(f"auc_pback_{_by}", "%", f"share of {_inf} before the first sample after a bolus",
                          (_inf, "c0"), where=(OPEN,), cdisc=f"AUCPB{_letter}",
                          winnonlin=f"AUC_%Back_Ext_{_by}")  # fmt: skip
    _register(partial(_before_first, inf=_inf))


def _to_end(v: Values, moment: bool, clast: str) -> float:
    """Area to the end of the interval: a sample there, between samples, or extrapolated with lambda_z."""
    if np.isinf(v.curve.length):
        raise Missing("the interval has no end")
    method, end = v.curve.settings.method, v.curve.length
    if any(d.time > 0 for d in v.curve.doses) and not np.any(np.isclose(v.curve.t, end, rtol=1e-9, atol=0)):
        raise Missing("other doses lie in the interval and no sample at its end")
    t, c = v.curve.beyond()
    if not np.any(c > 0):
        return 0.0
    last = areas.last_index(c)
    assert last is not None
    if t[last] >= end * (1 - 1e-9):
        at_end = areas.value_at(t, c, min(end, float(t[-1])), method)
        inner = t < end * (1 - 1e-9)
        x, y = np.array([*t[inner], end]), np.array([*c[inner], at_end])
        return float(areas.segments(x, y, method, moment).sum())
    lz, top = v["lambda_z"], v[clast]
    total = areas.area(t, c, method, "last", moment=moment)
    a, b = float(t[last]), end
    fall = np.exp(-lz * (b - a))
    if not moment:
        return total + top / lz * (1 - fall)
    return total + top / lz * (a - b * fall) + top / lz**2 * (1 - fall)


for _stem, _unit, _word, _moment in STEMS:
    for _by in ("obs", "pred"):
        _clast, _code = f"clast_{_by}", _stem.upper() if _by == "obs" else ""
        _register = parameter(f"{_stem}_int_{_by}", _unit, f"{_word} of the interval to its end, beyond Tlast by {_by}",
                              ("lambda_z", _clast), where=(TAU, PART) if _by == "obs" else (PART,),
                              cdisc=_code and f"{_code}INT", winnonlin=_code and f"{_code}_TAU")  # fmt: skip
        _register(partial(_to_end, moment=_moment, clast=_clast))
