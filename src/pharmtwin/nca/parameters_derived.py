"""Parameters that rest on areas and doses: residence times, clearance, volumes, a dosing interval, accumulation.

Formulas as in PKNCA 0.12.1.9000 (R/pk.calc.simple.R). CL and Vz after an extravascular dose are CL/F and Vz/F.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from pharmtwin.nca.parameters import positive
from pharmtwin.nca.registry import EVERYWHERE, OPEN, PART, TAU, Values, parameter
from pharmtwin.nca.terminal import Missing

#: extent of the area -> letters of CDISC codes, WinNonlin's name
EXTENTS = {"last": ("LST", "last"), "all": ("ALL", "all"), "inf_obs": ("O", "INF_obs"), "inf_pred": ("P", "INF_pred")}


def _over(v: Values, above: str, below: str, reason: str = "the area is 0") -> float:
    return v[above] / positive(v[below], reason)


def _mrt(v: Values, extent: str) -> float:
    return _over(v, f"aumc_{extent}", f"auc_{extent}") - v.curve.duration / 2


def _thalf_eff(v: Values, mrt: str) -> float:
    return float(np.log(2)) * v[mrt]


def _kel(v: Values, mrt: str) -> float:
    return 1 / positive(v[mrt], "the residence time is 0")


def _vss(v: Values, cl: str, mrt: str) -> float:
    if v.curve.route not in ("bolus", "infusion"):
        raise Missing("Vss needs an intravenous dose (the residence time of another includes absorption)")
    return v[cl] * v[mrt]


for _extent, (_code, _winnonlin) in EXTENTS.items():
    _by = _extent.removeprefix("inf_")
    _auc, _mrt_by, _cl = f"auc_{_extent}", f"mrt_{_by}", f"cl_{_by}"
    _known = _by in ("obs", "pred")  # to WinNonlin
    _register = parameter(_mrt_by, "time", f"mean residence time from {_auc}, less half an infusion",
                          (_auc, f"aumc_{_extent}"), where=(OPEN,), cdisc=f"MRT{_code}",
                          winnonlin=f"MRT{_winnonlin}")  # fmt: skip
    _register(partial(_mrt, extent=_extent))
    _register = parameter(f"thalf_eff_{_by}", "time", f"effective half-life: ln 2 {_mrt_by}", (_mrt_by,), where=(OPEN,),
                          cdisc=f"EFF{_code}HL")  # fmt: skip
    _register(partial(_thalf_eff, mrt=_mrt_by))
    _register = parameter(f"kel_{_by}", "inverse_time", f"elimination rate constant 1/{_mrt_by}", (_mrt_by,),
                          where=(OPEN,), cdisc=f"KEL{_code}")  # fmt: skip
    _register(partial(_kel, mrt=_mrt_by))
    _register = parameter(_cl, "clearance", f"dose over {_auc}", (_auc, "totdose"), where=(OPEN,), cdisc=f"CL{_code}",
                          winnonlin=f"Cl_{_by}" if _known else "")  # fmt: skip
    _register(partial(_over, above="totdose", below=_auc))
    _register = parameter(f"vz_{_by}", "volume", f"{_cl} over lambda_z", (_cl, "lambda_z"), where=(OPEN,),
                          cdisc=f"VZ{_code}", winnonlin=f"Vz_{_by}" if _known else "")  # fmt: skip
    _register(partial(_over, above=_cl, below="lambda_z"))
    _register = parameter(f"vss_{_by}", "volume", f"{_cl} times {_mrt_by} (intravenous doses)", (_cl, _mrt_by),
                          where=(OPEN,), cdisc=f"VSS{_code}", winnonlin=f"Vss_{_by}" if _known else "")  # fmt: skip
    _register(partial(_vss, cl=_cl, mrt=_mrt_by))

NORMED = (("cmax", "conc_dose", "CMAXD", "Cmax_D"), ("auc_last", "auc_dose", "AUCLSTD", "AUClast_D"),
          ("auc_all", "auc_dose", "AUCALLD", "AUCall_D"), ("auc_inf_obs", "auc_dose", "AUCIFOD", "AUCINF_D_obs"),
          ("auc_inf_pred", "auc_dose", "AUCIFPD", "AUCINF_D_pred"))  # fmt: skip
for _name, _unit, _code, _winnonlin in NORMED:
    _register = parameter(f"{_name}_dn", _unit, f"{_name} over dose", (_name, "totdose"), cdisc=_code,
                          where=EVERYWHERE if "inf" not in _name else (OPEN,), winnonlin=_winnonlin)  # fmt: skip
    _register(partial(_over, above=_name, below="totdose"))

# ---- a dosing interval


@parameter("cav", "conc", "area of the interval over its length", ("auc_int_obs",), where=(TAU, PART), cdisc="CAVG",
           winnonlin="Cavg")  # fmt: skip
def _(v: Values) -> float:
    return v["auc_int_obs"] / v.curve.length


@parameter("deg_fluc", "%", "fluctuation: 100 (Cmax - Cmin)/Cav", ("cmax", "cmin", "cav"), where=(TAU,),
           cdisc="FLUCP", winnonlin="Fluctuation%")  # fmt: skip
def _(v: Values) -> float:
    return 100 * (v["cmax"] - v["cmin"]) / positive(v["cav"], "the mean concentration is 0")


@parameter("swing", "%", "100 (Cmax - Cmin)/Cmin", ("cmax", "cmin"), where=(TAU,), cdisc="SWING", winnonlin="Swing")
def _(v: Values) -> float:
    return 100 * (v["cmax"] - v["cmin"]) / positive(v["cmin"], "Cmin is 0")


@parameter("ptr", "1", "Cmax over Ctrough", ("cmax", "ctrough"), where=(TAU,), cdisc="PTROUGHR")
def _(v: Values) -> float:
    return v["cmax"] / positive(v["ctrough"], "Ctrough is 0")


@parameter("cl_ss", "clearance", "dose over the area of the dosing interval", ("totdose", "auc_int_obs"), where=(TAU,),
           cdisc="CLTAU", winnonlin="CLss")  # fmt: skip
def _(v: Values) -> float:
    return v["totdose"] / positive(v["auc_int_obs"], "the area is 0")


@parameter("vz_ss", "volume", "cl_ss over lambda_z", ("cl_ss", "lambda_z"), where=(TAU,), cdisc="VZTAU", winnonlin="Vz")
def _(v: Values) -> float:
    return v["cl_ss"] / v["lambda_z"]


@parameter("mrt_md", "time",
           "residence time at steady state: (AUMCtau + tau (AUCinf - AUCtau))/AUCtau, less half an infusion",
           ("auc_int_obs", "aumc_int_obs", "auc_inf_obs"), where=(TAU,), cdisc="MRTMD", winnonlin="MRTINF")  # fmt: skip
def _(v: Values) -> float:
    area = positive(v["auc_int_obs"], "the area is 0")
    rest = v.curve.length * (v["auc_inf_obs"] - area)
    return (v["aumc_int_obs"] + rest) / area - v.curve.duration / 2


@parameter("vss_md", "volume", "cl_ss times mrt_md (intravenous doses)", ("cl_ss", "mrt_md"), where=(TAU,),
           cdisc="VSSMD", winnonlin="Vss")  # fmt: skip
def _(v: Values) -> float:
    return _vss(v, "cl_ss", "mrt_md")


@parameter("accumulation_index", "1", "expected accumulation 1/(1 - exp(-lambda_z tau))", ("lambda_z",), where=(TAU,),
           winnonlin="Accumulation_Index")  # fmt: skip
def _(v: Values) -> float:
    if np.isinf(v.curve.length):
        raise Missing("the interval has no end")
    return float(-1 / np.expm1(-v["lambda_z"] * v.curve.length))


def _accumulation(v: Values, of: str) -> float:
    if v.first is None:
        raise Missing("the interval after the first dose was not measured, or is this one")
    if not np.isclose(v.first.curve.length, v.curve.length, rtol=0.01):
        raise Missing("the first dosing interval has another length")
    return v[of] / positive(v.first[of], "the first interval has 0")


for _name, _of, _code in (("accumulation_auc", "auc_int_obs", "ARAUC"), ("accumulation_cmax", "cmax", "ARCMAX")):
    _register = parameter(
        _name, "1", f"{_of} over that of the first dosing interval", (_of,), where=(TAU,), cdisc=_code
    )
    _register(partial(_accumulation, of=_of))
