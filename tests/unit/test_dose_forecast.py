"""Forecasts and exposures against closed forms of one compartment: infusions, boluses, history, occasions, scaling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.unit.dose_fixture import CL, K, V, model, occasions, person, rows

from pharmtwin.inference.dose import exposure as module
from pharmtwin.inference.dose.exposure import Exposure, exposure, exposures, metric
from pharmtwin.inference.dose.forecast import affine_in_doses, forecast
from pharmtwin.inference.dose.person import Person, planned, until
from pharmtwin.inference.dose.regimens import Regimen
from pharmtwin.inference.problem.records import Dose, Subject, read_subjects

DOSE = 1000.0


def regimen(interval: float = 12.0, n: int = 1, duration: float = 0.0, **more: Any) -> Regimen:
    return Regimen(DOSE, interval, n, "central", duration, **more)


def one(e: Exposure, name: str, level: float = 0.0) -> float:
    return float(metric(e, name, level)[0])


def test_a_continuous_infusion_ends_at_rate_over_clearance() -> None:
    e = exposure(person(), regimen(24.0, 12, duration=24.0), "plasma")
    at_steady_state = DOSE / 24.0 / CL
    assert one(e, "Cavg") == pytest.approx(at_steady_state, rel=1e-6)
    assert one(e, "Cmax") == pytest.approx(at_steady_state, rel=1e-6)
    assert one(e, "Ctrough") == pytest.approx(at_steady_state, rel=1e-6)
    assert e.settled == 1.0


def test_the_area_of_one_dose_is_dose_over_clearance() -> None:
    assert one(exposure(person(), regimen(400.0), "plasma"), "AUC") == pytest.approx(DOSE / CL, rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 6])
def test_peak_and_trough_of_boluses(n: int) -> None:
    e = exposure(person(), regimen(12.0, n), "plasma")
    r = np.exp(-K * 12)
    peak = DOSE / V * (1 - r**n) / (1 - r)
    assert one(e, "Cmax") == pytest.approx(peak, rel=1e-6)
    assert e.curve[0, 0] == pytest.approx(peak, rel=1e-6)  # at the time of the dose: after it
    assert one(e, "Ctrough") == pytest.approx(peak * r, rel=1e-6)
    assert one(e, "AUC") == pytest.approx(peak * (1 - r) / K, rel=1e-6)


def test_peak_of_an_infusion_is_at_its_end() -> None:
    e = exposure(person(), regimen(12.0, 1, duration=1.7), "plasma")
    assert one(e, "Cmax") == pytest.approx(DOSE / 1.7 / CL * (1 - np.exp(-K * 1.7)), rel=1e-6)


@pytest.mark.parametrize("interval", [6.0, 8.0, 12.0, 18.0, 24.0, 36.0, 48.0])
def test_a_days_area_at_steady_state_whatever_the_interval(interval: float) -> None:
    e = exposure(person(), regimen(interval, int(480 / interval)), "plasma")
    assert one(e, "AUC24") == pytest.approx(DOSE * 24 / interval / CL, rel=1e-6)


def test_the_first_days_area_is_of_all_its_doses() -> None:
    e = exposure(person(), regimen(12.0, 2), "plasma")
    first, second = 1 - np.exp(-K * 24), 1 - np.exp(-K * 12)
    assert one(e, "AUC24") == pytest.approx(DOSE / CL * (first + second), rel=1e-6)


def test_time_above_a_level() -> None:
    e = exposure(person(), regimen(24.0), "plasma")
    above = np.log(DOSE / V / 5.0) / K
    assert one(e, "time_above", 5.0) == pytest.approx(above / 24.0, abs=1e-4)
    assert one(e, "time_above", 1e3) == 0.0
    assert one(e, "time_above", 1e-3) == 1.0


def test_steady_state_is_judged_by_what_is_still_to_come() -> None:
    slow = (-np.log(6.0), 0.0)  # accumulates at K / 6 a h: after n doses 1 - exp(-n K / 6 * 6) of the limit
    for n, there in ((20, False), (25, False), (35, True)):
        assert (1 - np.exp(-n * K) > 0.95) == there
        assert exposure(person(slow), regimen(6.0, n), "plasma").settled == float(there)
    assert np.isnan(exposure(person(slow), regimen(6.0, 2), "plasma").settled)


def test_unknown_metric_is_refused() -> None:
    with pytest.raises(KeyError, match="Cmin"):
        metric(exposure(person(), regimen(), "plasma"), "Cmin")


# ---- what was given before


def read(*records: dict[str, Any], own: Any = None, columns: Any = None, **more: Any) -> Subject:
    subjects, _ = read_subjects(own or model(), rows(*records, **more), columns)
    return subjects[0]


def decline(start: float, end: float, weights: list[tuple[float, float]]) -> float:
    """exp(-integral of CL / V) where weights are (until, kg) in order of time."""
    total, before = 0.0, start
    for until_, kg in weights:
        stop = min(max(until_, before), end)
        total += K * kg / 70 * (stop - before)
        before = stop
    return float(np.exp(-total))


@pytest.mark.parametrize("at", ["end", "start"])
def test_a_forecast_after_history_is_the_simulation_of_the_whole(at: str) -> None:
    subject = read(
        {"TIME": 0, "EVID": 1, "AMT": 800, "II": 12, "ADDL": 5, "WT": 70}, {"TIME": 10, "EVID": 0, "DV": 3, "WT": 90},
        {"TIME": 20, "EVID": 0, "DV": 3, "WT": 50}, {"TIME": 21, "EVID": 1, "AMT": 300, "WT": 50},
    )  # fmt: skip
    now = 30.0
    assert planned(subject, now) == [36.0, 48.0, 60.0]
    who = person(past=until(subject, now), now=now, covariates=np.array([140.0]), covariate_at=at)
    new = Regimen(500.0, 8.0, 2, "central")
    times = np.array([0.0, 3.0, 8.0, 11.0])
    seen = forecast(who, new.doses(who.model), times, "plasma").concentration[0]
    held = {"end": [(10, 90), (30, 50), (99, 140)], "start": [(10, 70), (20, 90), (30, 50), (99, 140)]}[at]
    given = [(0, 800), (12, 800), (24, 800), (21, 300), (30, 500), (38, 500)]
    for t, c in zip(times + now, seen, strict=True):  # a sample at the time of a dose is taken before it
        exact = sum(a / V * decline(d, t, held) for d, a in given if d < t)
        assert c == pytest.approx(exact, rel=1e-6)


def test_a_past_steady_state_goes_on() -> None:
    subject = read({"TIME": 0, "EVID": 1, "AMT": 800, "II": 12, "SS": 1}, {"TIME": 5, "EVID": 0, "DV": 9})
    who = person(past=until(subject, 12.0), now=12.0)
    new = Regimen(800.0, 12.0, 1, "central")
    seen = forecast(who, new.doses(who.model), np.array([0.0, 6.0]), "plasma").concentration[0]
    peak = 800 / V / (1 - np.exp(-K * 12))
    assert seen == pytest.approx([peak * np.exp(-K * 12), peak * np.exp(-K * 6)], rel=1e-5)


def test_doses_since_the_last_record() -> None:
    subject = read({"TIME": 0, "EVID": 1, "AMT": 800}, {"TIME": 5, "EVID": 0, "DV": 9})
    since = (Dose(7.0, 0, 200.0, 0.0, 0.0, 0, 0, 0),)
    who = person(past=until(subject, 12.0), doses=since, now=12.0)
    seen = forecast(who, (), np.array([0.0]), "plasma").concentration[0, 0]
    assert seen == pytest.approx(800 / V * np.exp(-K * 12) + 200 / V * np.exp(-K * 5), rel=1e-6)
    with pytest.raises(ValueError, match="between it and now"):
        forecast(person(past=until(subject, 6.0), doses=since, now=6.0), (), np.array([0.0]), "plasma")


def test_a_reset_forgets_what_was_before() -> None:
    subject = read({"TIME": 0, "EVID": 1, "AMT": 800}, {"TIME": 2, "EVID": 0, "DV": 9}, {"TIME": 5, "EVID": 3},
                   {"TIME": 6, "EVID": 1, "AMT": 300})  # fmt: skip
    seen = forecast(person(past=until(subject, 12.0), now=12.0), (), np.array([0.0]), "plasma").concentration[0, 0]
    assert seen == pytest.approx(300 / V * np.exp(-K * 6), rel=1e-6)


def test_nothing_is_left_of_a_subject_before_its_first_row() -> None:
    assert until(read({"TIME": 1, "EVID": 1, "AMT": 800}, {"TIME": 5, "EVID": 0, "DV": 9}), 1.0) is None


# ---- occasions


def test_each_occasion_has_its_effects_and_the_forecast_those_of_the_last() -> None:
    from pharmtwin.inference.problem.records import Columns

    own = occasions()
    subject = read({"TIME": 0, "EVID": 1, "AMT": 800, "OCC": 1}, {"TIME": 10, "EVID": 0, "DV": 3, "OCC": 2}, own=own,
                   columns=Columns(occasion="OCC"))  # fmt: skip
    kappas = (0.5, -0.4, 0.2)
    who = person([(0.1, 0.0, *kappas)], own, past=until(subject, 10.0), now=10.0, n_occasions=3, covariate_at="start")
    seen = forecast(who, regimen().doses(own), np.array([0.0, 6.0]), "plasma").concentration[0]
    k = [K * np.exp(0.1 + x) for x in kappas]
    before = 800 / V * np.exp(-10 * k[0])  # its own row begins the second, the forecast the third
    assert seen == pytest.approx([before, (before + DOSE / V) * np.exp(-6 * k[2])], rel=1e-6)
    with pytest.raises(ValueError, match="effects"):
        forecast(person([(0.1, 0.0)], own, n_occasions=3), (), np.array([0.0]), "plasma")


# ---- many regimens


def test_amounts_of_a_linear_model_are_scaled_and_that_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = read({"TIME": 0, "EVID": 1, "AMT": 800}, {"TIME": 5, "EVID": 0, "DV": 9})
    who = person([(0.1, 0.0), (-0.3, 0.2)], past=until(subject, 9.0), now=9.0)
    several = [Regimen(a, i, 4, "central", 1.0) for a in (100.0, 700.0, 2500.0) for i in (6.0, 12.0)]
    scaled = exposures(who, several, "plasma")
    monkeypatch.setattr(module, "affine_in_doses", lambda *_: False)
    for a, b in zip(scaled, exposures(who, several, "plasma"), strict=True):
        assert np.allclose(a.curve, b.curve, rtol=1e-7)
        assert np.allclose(a.areas, b.areas, rtol=1e-7)


def test_what_is_not_linear_is_not_scaled() -> None:
    assert affine_in_doses(model(), "plasma")
    assert not affine_in_doses(model(states={"central": "-CL * central / (V + central)"}), "plasma")
    assert not affine_in_doses(model(observe={"C": "central / (V + central)"}), "plasma")


def test_a_given_rate_makes_the_length_depend_on_the_amount() -> None:
    own = model(doses={"central": {"rate": 100.0}})
    who: Person = person(own=own)
    two = [Regimen(a, 24.0, 1, "central", modelled=-1) for a in (200.0, 400.0)]
    peaks = [one(e, "Cmax") for e in exposures(who, two, "plasma")]
    assert peaks == pytest.approx(
        [100 / CL * (1 - np.exp(-K * t)) for t in (2.0, 4.0)], rel=5e-3
    )  # a peak between two points


def test_hypotheses_of_draws_are_kept() -> None:
    from pharmtwin.inference.problem.problem import Component

    base = person([(0.0, 0.0), (0.0, 0.0)])
    two = (Component(0.5, {"ACT": 1.0}), Component(0.5, {"ACT": 2.0}))
    who = Person(base.model, base.effects, np.array([1, 0]), two, base.covariates, rtol=1e-9)
    assert pytest.approx([DOSE / CL / 2, DOSE / CL], rel=1e-6) == exposure(who, regimen(400.0), "plasma").AUC
