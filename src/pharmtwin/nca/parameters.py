"""The parameters, in the order of the table. Formulas as in PKNCA 0.12.1.9000 (R/pk.calc.simple.R, R/auc.R), whose
names they bear with underscores; those of WinNonlin beside. CL and Vz after an extravascular dose are CL/F and Vz/F.
"""

from __future__ import annotations

import numpy as np

from pharmtwin.nca import areas
from pharmtwin.nca.curve import MEASURED
from pharmtwin.nca.registry import EVERYWHERE, OPEN, PART, TAU, Values, parameter
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
for _name, _unit, _meaning, _field, _cdisc, _winnonlin in TERMINAL:
    parameter(_name, _unit, _meaning, where=(OPEN, TAU), cdisc=_cdisc,
              winnonlin=_winnonlin)(lambda v, field=_field: float(getattr(_terminal(v), field)))  # fmt: skip


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


for _stem, _unit, _word, _moment in (("auc", "auc", "area", False), ("aumc", "aumc", "area of the moment", True)):
    _c = _stem.upper()
    parameter(f"{_stem}_last", _unit, f"{_word} to the last quantifiable concentration", cdisc=f"{_c}LST",
              winnonlin=f"{_c}last")(lambda v, m=_moment: _area(v, m, "last"))  # fmt: skip
    parameter(f"{_stem}_all", _unit, f"{_word} with the triangle to the next sample", cdisc=f"{_c}ALL",
              winnonlin=f"{_c}all")(lambda v, m=_moment: _area(v, m, "all"))  # fmt: skip
    for _by, _clast, _l in (("obs", "clast_obs", "O"), ("pred", "clast_pred", "P")):
        _inf = f"{_stem}_inf_{_by}"
        parameter(_inf, _unit, f"{_word} to infinity from Clast {_by}", ("lambda_z", _clast), where=(OPEN,),
                  cdisc=f"{_c}IF{_l}", winnonlin=f"{_c}INF_{_by}")(
            lambda v, m=_moment, k=_clast: _area(v, m, "inf", k))  # fmt: skip
        parameter(f"{_stem}_pext_{_by}", "%", f"share of {_inf} that is extrapolated", (f"{_stem}_last", _inf),
                  where=(OPEN,), cdisc=f"{_c}PE{_l}", winnonlin=f"{_c}_%Extrap_{_by}")(
            lambda v, a=f"{_stem}_last", b=_inf: 100 * (1 - v[a] / _positive(v[b], "the area to infinity is 0")))  # fmt: skip


def _positive(value: float, reason: str) -> float:
    if not value > 0:
        raise Missing(reason)
    return value


for _by, _l in (("obs", "O"), ("pred", "P")):

    @parameter(f"auc_pback_{_by}", "%", f"share of auc_inf_{_by} before the first sample after a bolus",
               (f"auc_inf_{_by}", "c0"), where=(OPEN,), cdisc=f"AUCPB{_l}", winnonlin=f"AUC_%Back_Ext_{_by}")  # fmt: skip
    def _(v: Values, inf: str = f"auc_inf_{_by}") -> float:
        v["c0"]
        if v.curve.origin.startswith(MEASURED):
            return 0.0
        t, c = v.curve.whole()
        total = _positive(v[inf], "the area to infinity is 0")
        return 100 * float(areas.segments(t[:2], c[:2], v.curve.settings.method)[0]) / total


def _to_end(v: Values, moment: bool, clast: str) -> float:
    """Area to the end of the interval: a sample there, between samples, or extrapolated with lambda_z."""
    if np.isinf(v.curve.length):
        raise Missing("the interval has no end")
    method, end = v.curve.settings.method, v.curve.length
    if any(d.time > 0 for d in v.curve.doses):
        if not np.any(np.isclose(v.curve.t, end, rtol=1e-9, atol=0)):
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


for _stem, _unit, _word, _moment in (("auc", "auc", "area", False), ("aumc", "aumc", "area of the moment", True)):
    for _by, _clast in (("obs", "clast_obs"), ("pred", "clast_pred")):
        parameter(f"{_stem}_int_{_by}", _unit, f"{_word} of the interval, to its end (beyond Tlast by Clast {_by})",
                  ("lambda_z", _clast), where=(TAU, PART) if _by == "obs" else (PART,),
                  winnonlin=f"{_stem.upper()}_TAU" if _by == "obs" else "",
                  cdisc=f"{_stem.upper()}INT" if _by == "obs" else "")(
            lambda v, m=_moment, k=_clast: _to_end(v, m, k))  # fmt: skip

# ---- residence times, clearance, volumes

ROUTED = {"last": ("LST", "last"), "all": ("ALL", "all"), "inf_obs": ("O", "INF_obs"), "inf_pred": ("P", "INF_pred")}


def _mrt(v: Values, extent: str) -> float:
    area = _positive(v[f"auc_{extent}"], "the area is 0")
    return v[f"aumc_{extent}"] / area - v.curve.duration / 2


def _vss(v: Values, by: str) -> float:
    if v.curve.route not in ("bolus", "infusion"):
        raise Missing("Vss needs an intravenous dose (the residence time of another includes absorption)")
    return v[f"cl_{by}"] * v[f"mrt_{by}"]


for _extent, (_l, _w) in ROUTED.items():
    _by = _extent.removeprefix("inf_")
    _auc, _where = f"auc_{_extent}", (OPEN,)
    parameter(f"mrt_{_by}", "time", f"mean residence time from {_auc}, less half an infusion", (_auc, f"aumc_{_extent}"),
              where=_where, cdisc=f"MRT{_l}", winnonlin=f"MRT{_w}")(lambda v, e=_extent: _mrt(v, e))  # fmt: skip
    parameter(f"thalf_eff_{_by}", "time", f"effective half-life: ln 2 mrt_{_by}", (f"mrt_{_by}",), where=_where,
              cdisc=f"EFF{_l}HL")(lambda v, m=f"mrt_{_by}": np.log(2) * v[m])  # fmt: skip
    parameter(f"kel_{_by}", "inverse_time", f"elimination rate constant 1/mrt_{_by}", (f"mrt_{_by}",), where=_where,
              cdisc=f"KEL{_l}")(lambda v, m=f"mrt_{_by}": 1 / _positive(v[m], "the residence time is 0"))  # fmt: skip
    parameter(f"cl_{_by}", "clearance", f"dose over {_auc}", (_auc, "totdose"), where=_where, cdisc=f"CL{_l}",
              winnonlin=f"Cl_{_by}" if _by in ("obs", "pred") else "")(
        lambda v, a=_auc: v["totdose"] / _positive(v[a], "the area is 0"))  # fmt: skip
    parameter(f"vz_{_by}", "volume", f"cl_{_by} over lambda_z", (f"cl_{_by}", "lambda_z"), where=_where,
              cdisc=f"VZ{_l}", winnonlin=f"Vz_{_by}" if _by in ("obs", "pred") else "")(
        lambda v, k=f"cl_{_by}": v[k] / v["lambda_z"])  # fmt: skip
    parameter(f"vss_{_by}", "volume", f"cl_{_by} times mrt_{_by} (intravenous doses)", (f"cl_{_by}", f"mrt_{_by}"),
              where=_where, cdisc=f"VSS{_l}", winnonlin=f"Vss_{_by}" if _by in ("obs", "pred") else "")(
        lambda v, b=_by: _vss(v, b))  # fmt: skip

NORMED = (("cmax", "conc_dose", "CMAXD", "Cmax_D"), ("auc_last", "auc_dose", "AUCLSTD", "AUClast_D"),
          ("auc_all", "auc_dose", "AUCALLD", "AUCall_D"), ("auc_inf_obs", "auc_dose", "AUCIFOD", "AUCINF_D_obs"),
          ("auc_inf_pred", "auc_dose", "AUCIFPD", "AUCINF_D_pred"))  # fmt: skip
for _name, _unit, _cdisc, _winnonlin in NORMED:
    parameter(f"{_name}_dn", _unit, f"{_name} over dose", (_name, "totdose"),
              where=EVERYWHERE if "inf" not in _name else (OPEN,), cdisc=_cdisc,
              winnonlin=_winnonlin)(lambda v, n=_name: v[n] / v["totdose"])  # fmt: skip

# ---- a dosing interval


@parameter("cav", "conc", "area of the interval over its length", ("auc_int_obs",), where=(TAU, PART), cdisc="CAVG",
           winnonlin="Cavg")  # fmt: skip
def _(v: Values) -> float:
    return v["auc_int_obs"] / v.curve.length


@parameter("deg_fluc", "%", "fluctuation: 100 (Cmax - Cmin)/Cav", ("cmax", "cmin", "cav"), where=(TAU,),
           cdisc="FLUCP", winnonlin="Fluctuation%")  # fmt: skip
def _(v: Values) -> float:
    return 100 * (v["cmax"] - v["cmin"]) / _positive(v["cav"], "the mean concentration is 0")


@parameter("swing", "%", "100 (Cmax - Cmin)/Cmin", ("cmax", "cmin"), where=(TAU,), cdisc="SWING", winnonlin="Swing")
def _(v: Values) -> float:
    return 100 * (v["cmax"] - v["cmin"]) / _positive(v["cmin"], "Cmin is 0")


@parameter("ptr", "1", "Cmax over Ctrough", ("cmax", "ctrough"), where=(TAU,), cdisc="PTROUGHR")
def _(v: Values) -> float:
    return v["cmax"] / _positive(v["ctrough"], "Ctrough is 0")


@parameter("cl_ss", "clearance", "dose over the area of the dosing interval", ("totdose", "auc_int_obs"), where=(TAU,),
           cdisc="CLTAU", winnonlin="CLss")  # fmt: skip
def _(v: Values) -> float:
    return v["totdose"] / _positive(v["auc_int_obs"], "the area is 0")


@parameter("vz_ss", "volume", "cl_ss over lambda_z", ("cl_ss", "lambda_z"), where=(TAU,), cdisc="VZTAU", winnonlin="Vz")
def _(v: Values) -> float:
    return v["cl_ss"] / v["lambda_z"]


@parameter("mrt_md", "time", "residence time at steady state: (AUMCtau + tau (AUCinf - AUCtau))/AUCtau, less half an infusion",
           ("auc_int_obs", "aumc_int_obs", "auc_inf_obs"), where=(TAU,), cdisc="MRTMD", winnonlin="MRTINF")  # fmt: skip
def _(v: Values) -> float:
    area = _positive(v["auc_int_obs"], "the area is 0")
    rest = v.curve.length * (v["auc_inf_obs"] - area)
    return (v["aumc_int_obs"] + rest) / area - v.curve.duration / 2


@parameter("vss_md", "volume", "cl_ss times mrt_md (intravenous doses)", ("cl_ss", "mrt_md"), where=(TAU,),
           cdisc="VSSMD", winnonlin="Vss")  # fmt: skip
def _(v: Values) -> float:
    if v.curve.route not in ("bolus", "infusion"):
        raise Missing("Vss needs an intravenous dose (the residence time of another includes absorption)")
    return v["cl_ss"] * v["mrt_md"]


@parameter("accumulation_index", "1", "expected accumulation 1/(1 - exp(-lambda_z tau))", ("lambda_z",), where=(TAU,),
           winnonlin="Accumulation_Index")  # fmt: skip
def _(v: Values) -> float:
    if np.isinf(v.curve.length):
        raise Missing("the interval has no end")
    return float(-1 / np.expm1(-v["lambda_z"] * v.curve.length))


for _name, _of, _cdisc in (("accumulation_auc", "auc_int_obs", "ARAUC"), ("accumulation_cmax", "cmax", "ARCMAX")):

    @parameter(_name, "1", f"{_of} over that of the first dosing interval", (_of,), where=(TAU,), cdisc=_cdisc)
    def _(v: Values, of: str = _of) -> float:
        if v.first is None:
            raise Missing("the interval after the first dose was not measured, or is this one")
        if not np.isclose(v.first.curve.length, v.curve.length, rtol=0.01):
            raise Missing("the first dosing interval has another length")
        return v[of] / _positive(v.first[of], "the first interval has 0")
