"""Whole profiles: known answers of one-compartment curves, intervals, and a reason for every missing value."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pharmtwin.nca import urine
from pharmtwin.nca.analysis import analyse, wide
from pharmtwin.nca.profile import Dose, Interval, Profile, Units, intervals_of
from pharmtwin.nca.registry import REGISTRY, Values, parameter
from pharmtwin.nca.settings import METHODS, Settings
from pharmtwin.nca.terminal import Missing
from pharmtwin.nca.units import unit_of

K, V, DOSE = 0.2, 10.0, 100.0
UNITS = Units("h", "mg/L", "mg")
TIMES = np.array([0.5, 1, 2, 4, 6, 8, 12, 16, 24])


def values(table: pd.DataFrame) -> dict[str, float]:
    return dict(zip(table["parameter"], table["value"], strict=True))


def bolus(times: np.ndarray, doses: tuple[float, ...] = (0.0,)) -> np.ndarray:
    after = times[:, None] - np.array(doses)[None, :]
    return np.where(after >= 0, DOSE / V * np.exp(-K * np.maximum(after, 0)), 0.0).sum(axis=1)


def test_a_bolus_gives_back_its_clearance_and_volume() -> None:
    profile = Profile.of(TIMES, bolus(TIMES), (Dose(0, DOSE, "bolus"),), UNITS)
    got = values(analyse(profile))
    assert got["c0"] == pytest.approx(DOSE / V)
    assert got["cl_obs"] == pytest.approx(K * V) and got["cl_pred"] == pytest.approx(K * V)
    assert got["vz_obs"] == pytest.approx(V) and got["vss_obs"] == pytest.approx(V)
    assert got["mrt_obs"] == pytest.approx(1 / K)
    assert got["auc_pback_obs"] == pytest.approx(100 * (1 - math.exp(-K * 0.5)))
    assert got["auc_pext_obs"] == pytest.approx(100 * math.exp(-K * 24))
    assert got["kel_obs"] == pytest.approx(K) and got["thalf_eff_obs"] == pytest.approx(math.log(2) / K)


def test_a_measured_zero_at_the_time_of_a_bolus_is_no_c0() -> None:
    times = np.array([0.0, *TIMES])
    conc = np.array([0.0, *bolus(TIMES)])
    got = values(analyse(Profile.of(times, conc, (Dose(0, DOSE, "bolus"),), UNITS)))
    assert got["c0"] == pytest.approx(10) and got["cl_obs"] == pytest.approx(2)


def test_an_infusion_gives_back_its_clearance_and_volume() -> None:
    length, rate = 2.0, DOSE / 2.0
    times = np.concatenate([np.linspace(0, 2, 201), np.linspace(2, 40, 77)[1:]])
    conc = np.where(times <= length, rate / (K * V) * (1 - np.exp(-K * times)),
                    rate / (K * V) * (1 - math.exp(-K * length)) * np.exp(-K * (times - length)))  # fmt: skip
    got = values(analyse(Profile.of(times, conc, (Dose(0, DOSE, "infusion", length),), UNITS)))
    assert got["cl_obs"] == pytest.approx(2, rel=1e-5)
    assert got["mrt_obs"] == pytest.approx(1 / K, rel=1e-4)  # half the infusion is taken off
    assert got["vss_obs"] == pytest.approx(V, rel=1e-4)
    assert got["ceoi"] == pytest.approx(conc[200])


def test_steady_state_of_repeated_boluses() -> None:
    doses = tuple(12.0 * k for k in range(20))
    times = np.concatenate([d + np.array([1e-9, 1, 2, 4, 8, 11.999999]) for d in (0.0, 228.0)])
    profile = Profile.of(times, bolus(times, doses), tuple(Dose(d, DOSE, "bolus") for d in doses), UNITS)
    chosen = intervals_of(profile)
    assert [(i.start, i.end, i.tau) for i in chosen] == [(0, 12, True), (228, 240, True), (228, math.inf, False)]
    table = analyse(profile)
    last = values(table[table["interval"] == "228-240"])
    assert last["auc_int_obs"] == pytest.approx(DOSE / (K * V), rel=1e-5)  # one dose's area to infinity
    assert last["cl_ss"] == pytest.approx(2, rel=1e-5) and last["cav"] == pytest.approx(DOSE / 2 / 12, rel=1e-5)
    accumulation = 1 / (1 - math.exp(-K * 12))
    assert last["accumulation_index"] == pytest.approx(accumulation, rel=1e-5)
    assert last["accumulation_auc"] == pytest.approx(accumulation, rel=1e-4)
    assert last["accumulation_cmax"] == pytest.approx(accumulation, rel=1e-4)
    assert last["swing"] == pytest.approx(100 * (math.exp(K * 12) - 1), rel=1e-4)
    assert last["vz_ss"] == pytest.approx(V, rel=1e-4) and last["mrt_md"] == pytest.approx(1 / K, rel=1e-4)
    assert last["deg_fluc"] == pytest.approx(100 * (last["cmax"] - last["cmin"]) / last["cav"])
    open_ended = table[(table["interval"] == "228-inf") & (table["parameter"] == "cl_obs")].iloc[0]
    assert "earlier doses" in open_ended["flags"]


def test_an_interval_ends_between_samples_or_beyond_them() -> None:
    profile = Profile.of(TIMES, bolus(TIMES), (Dose(0, DOSE, "bolus"),), UNITS)
    part = analyse(profile, intervals=[Interval(0, 10), Interval(0, 30), Interval(3, 10)])
    area = {i: values(t)["auc_int_obs"] for i, t in part.groupby("interval")}
    assert area["0-10"] == pytest.approx(DOSE / (K * V) * (1 - math.exp(-2)))
    assert area["0-30"] == pytest.approx(DOSE / (K * V) * (1 - math.exp(-6)))
    assert area["3-10"] == pytest.approx(DOSE / (K * V) * (math.exp(-0.6) - math.exp(-2)))
    moment = values(part[part["interval"] == "0-30"])["aumc_int_obs"]
    assert moment == pytest.approx(DOSE / (K**2 * V) * (1 - math.exp(-6) * 7))


def test_every_missing_value_has_a_reason_and_no_other() -> None:
    short = Profile.of([0, 1, 2], [0, 3, 1], (Dose(0, float("nan")),))
    table = analyse(short)
    assert ((table["reason"] != "") == table["value"].isna()).all()
    reason = dict(zip(table["parameter"], table["reason"], strict=True))
    assert reason["auc_inf_obs"] == "lambda_z: 1 quantifiable points after Tmax; lambda_z needs 3"
    assert reason["aumc_pext_obs"] == reason["auc_inf_obs"]  # the first cause, however far away
    assert reason["cl_last"] == "totdose: no dose is stated"
    assert "intravenous" in reason["vss_obs"]
    blank = analyse(Profile.of([0, 1, 2], [np.nan] * 3, (Dose(0, 5),)))
    assert (blank[blank["parameter"] == "cmax"]["reason"] == "no concentration was measured in the interval").all()


def test_random_profiles_give_finite_values_or_reasons() -> None:
    rng = np.random.default_rng(0)
    for _ in range(120):
        n = int(rng.integers(0, 12))
        times = np.sort(rng.choice(np.arange(-2, 60, 0.5), n, replace=False))
        conc = np.exp(rng.normal(size=n) - 0.1 * np.abs(times)) * (rng.uniform(size=n) > 0.2)
        conc[rng.uniform(size=n) < 0.1] = np.nan
        route = str(rng.choice(["extravascular", "bolus", "infusion"]))
        doses = tuple(Dose(12.0 * k, 10.0, route, float(route == "infusion")) for k in range(rng.integers(0, 4)))
        start = float(rng.integers(-1, 20))
        for chosen in ((), (Interval(start, start + float(rng.integers(1, 50))), Interval(0, 12, tau=True))):
            table = analyse(
                Profile.of(times, conc, doses), Settings(method=str(rng.choice(METHODS))), chosen, threshold=0.3
            )
            assert ((table["reason"] != "") == table["value"].isna()).all()
            assert np.isfinite(table["value"].dropna()).all()


def test_an_interval_that_starts_between_samples_with_blq_among_them() -> None:
    profile = Profile.of([0, 2, 4, 6, 8], [8, 0, 4, 3, 2], (Dose(0, 10, "bolus"),))
    part = analyse(profile, Settings(method="linear"), [Interval(3, 8)])
    assert values(part)["cstart"] == pytest.approx(5)  # the BLQ at 2 is dropped


def test_all_blq_is_an_area_of_zero_and_no_half_life() -> None:
    got = analyse(Profile.of([0, 1, 2, 3], [0, 0, 0, 0], (Dose(0, 5),)))
    found = values(got)
    assert (
        found["auc_last"] == 0 and found["cmax"] == 0 and math.isnan(found["half_life"]) and math.isnan(found["tmax"])
    )


def test_the_start_without_a_sample() -> None:
    times, conc = [1, 2, 4, 8], [4, 2, 1, 0.25]
    dose = (Dose(0, 10),)
    strict = analyse(Profile.of(times, conc, dose), Settings(start="none"))
    assert strict[strict["parameter"] == "auc_last"]["reason"].item() == "no sample at the start of the interval"
    put_in = analyse(Profile.of(times, conc, dose), Settings(method="linear"))
    assert values(put_in)["auc_last"] == pytest.approx(2 + 3 + 3 + 2.5)
    assert "0 put in" in put_in[put_in["parameter"] == "cstart"]["flags"].item()
    later = Profile.of([23, 25, 26, 28], [1, 4, 2, 1], (Dose(0, 10), Dose(24, 10)))
    at_24 = analyse(later, Settings(method="linear"), [Interval(24, 48, tau=True)])
    assert (
        values(at_24)["cstart"] == 1
        and "sample 1 before the dose" in at_24[at_24.parameter == "cstart"]["flags"].item()
    )
    far = analyse(replace_times(later, 10), Settings(method="linear"), [Interval(24, 48, tau=True)])
    assert "minimum of the interval" in far[far.parameter == "cstart"]["flags"].item()


def replace_times(profile: Profile, first: float) -> Profile:
    """The profile with its first sample at another time."""
    return replace(profile, time=np.array([first, *profile.time[1:]]))


def test_flags_do_not_remove_values() -> None:
    profile = Profile.of([0, 1, 2, 3, 4], [0, 10, 9, 8.5, 7.5], (Dose(0, 10),), UNITS)
    table = analyse(profile)
    half = table[table["parameter"] == "half_life"].iloc[0]
    assert half["value"] > 0 and "half-lives (below 2)" in half["flags"]
    assert "extrapolated" in table[table["parameter"] == "cl_obs"]["flags"].item()
    assert table[table["parameter"] == "auc_last"]["flags"].item() == ""


def test_units_follow_from_those_of_the_data() -> None:
    assert unit_of("clearance", UNITS) == ("L/h", 1.0)
    assert unit_of("volume", Units("h", "ng/mL", "mg")) == ("L", 1000.0)
    assert unit_of("clearance", Units("h", "ug/mL", "mg/kg")) == ("mg/kg/(ug/mL)/h", 1.0)
    assert unit_of("aumc", Units()) == ("conc*time^2", 1.0)
    low = analyse(Profile.of(TIMES, 1000 * bolus(TIMES), (Dose(0, DOSE, "bolus"),), Units("h", "ng/mL", "mg")))
    assert values(low)["cl_obs"] == pytest.approx(2)


def test_the_registry_knows_what_is_needed() -> None:
    assert set(REGISTRY["cl_obs"].needs) == {"auc_inf_obs", "totdose"}
    with pytest.raises(ValueError, match="registered twice"):
        parameter("cmax", "conc", "again")(lambda v: 0.0)
    with pytest.raises(KeyError, match="unknown parameters"):
        analyse(Profile.of([0, 1], [1, 2]), wanted=["cmaxx"])


def test_a_parameter_gets_only_what_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    from pharmtwin.nca.curve import curve_of

    monkeypatch.setitem(REGISTRY, "sly", replace(REGISTRY["cmax"], name="sly", compute=lambda v: v["tmax"]))
    curve = curve_of(Profile.of([0, 1], [1, 2]), Interval(0), Settings())
    with pytest.raises(KeyError, match="without declaring"):
        Values(curve)["sly"]


def test_wide_table_by_other_programs_names() -> None:
    profile = Profile.of(TIMES, bolus(TIMES), (Dose(0, DOSE, "bolus"),), UNITS)
    assert {"AUCINF_obs", "AUC_%Back_Ext_obs", "Vss_obs"} <= set(wide(analyse(profile), [], "winnonlin").columns)
    assert {"AUCIFO", "CMAX", "LAMZHL"} <= set(wide(analyse(profile), [], "cdisc").columns)
    names = [p.winnonlin for p in REGISTRY.values() if p.winnonlin and set(p.where) & {"open"}]
    assert len(names) == len(set(names))


def test_urine_as_pknca() -> None:
    got = urine.excretion([0, 2, 1, 0], [1, 2, 3, 1], [0, 2, 4, 8], [2, 2, 4, 4])
    assert (got.ae, got.volume, got.rate_max, got.time_max, got.time_last) == (7, 7, 2, 3, 6)
    assert urine.renal_clearance(7, 14) == 0.5 and urine.fraction_excreted(7, 70) == pytest.approx(0.1)
    with pytest.raises(Missing, match="1 of 2 volumes"):
        urine.excretion([1, 2], [1, float("nan")], [0, 1], [1, 1])
    with pytest.raises(ValueError, match="longer than 0"):
        urine.excretion([1], [1], [0], [0])
