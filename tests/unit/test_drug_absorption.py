"""Drugs absorbed in segments: availability in bowel, wall and liver against closed forms; doses and dosage forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drug_fixture import TRANSIT, auc, compound, drug_maker, hepatic_flow, man, path, quantity, segmented, solve

from pharmtwin.core.gut import gut
from pharmtwin.core.gut_drug import absorption_rate, fraction_absorbed, permeability_clearance, qgut
from pharmtwin.drugs.body import enzyme_amount
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_values, parameter_vector
from pharmtwin.drugs.system import build

EVEN = gut().evenly()
FA = fraction_absorbed(absorption_rate(4.0, EVEN.radius), EVEN.k_transit)
TABLET = {"release": "weibull", "t50": quantity(0.5, "h"), "shape": quantity(1.0, "1")}


@pytest.fixture
def drug(tmp_path: Path) -> Any:
    return drug_maker(tmp_path)


def walled(clearance: float, **more: Any) -> dict[str, Any]:
    return path(clearance, "CYP3A4", where=["liver", "gut"], **more)


def test_the_model_is_chosen_by_what_the_file_says(drug: Any) -> None:
    gut_path = compound(metabolism=[walled(0.1)])
    blocks = {"target": "CYP3A4", "mechanism": "competitive", "Ki": quantity(1.0, "umol/L")}
    blocker = drug("b", segmented(), blocker=compound(acts_on=[blocks]))
    plain = drug("p", segmented(), plain=compound(metabolism=[path(9.0)]))
    victim = drug("v", segmented(), v=gut_path)
    model = lambda *drugs: [p.absorption.model for p in build(drugs).parts]  # noqa: E731
    assert model(victim, blocker, plain) == ["adam", "adam", "cat"]
    assert model(blocker, plain) == ["cat", "cat"]  # nothing of the wall is there to be blocked
    assert model(drug("t", v=gut_path)) == ["transit"]
    assert model(drug("o", {"ka": quantity(1.0, "1/h"), "F_a": quantity(1.0, "1")}, v=gut_path)) == ["first_order"]
    silent = build([drug("s", {}, s=compound())])
    assert silent.parts[0].absorption.model == "" and dict(silent.model.dose_targets).keys() == {"iv"}


@pytest.mark.parametrize("clint", [0.05, 0.4])
def test_availability_is_the_product_of_bowel_wall_and_liver(drug: Any, clint: float) -> None:
    """F = Fa (Yu, Amidon) x Fg (QGut, even segments) x Fh (well-stirred), exactly, for a linear drug."""
    system = build([drug("v", segmented(), v=compound(metabolism=[walled(clint)]))])
    body = man()
    values = parameter_values(system, body, gut=EVEN)
    vector = parameter_vector(system, body, gut=EVEN)
    oral, iv = (auc(system, vector, dose_events(system, "v", r, [(0.0, 1.0, 0.0)])) for r in ("oral", "iv"))
    villous = EVEN.Q_villi * body["Q_gut"] / 58.5  # gut.tsv states it for that flow
    Q = qgut(villous, permeability_clearance(4.0, EVEN.area))
    wall = values["CLint_CYP3A4_gut"]
    assert wall == pytest.approx(clint * 60 * enzyme_amount("CYP3A4", "gut", body))
    flow = hepatic_flow(body)
    Fg, Fh = Q / (Q + wall), flow / (flow + 0.2 * values["CLint_CYP3A4"])
    assert 0.2 < Fg < 0.98 and oral / iv == pytest.approx(FA * Fg * Fh, rel=1e-5)


def test_without_wall_metabolism_a_knocked_out_path_gives_one_over_one_minus_fm(drug: Any) -> None:
    paths = [path(0.7, "CYP2D6"), path(30.0), path(1e-6, "CYP3A4", where=["gut"])]
    system = build([drug("v", segmented(), v=compound(metabolism=paths))])
    assert system.parts[0].absorption.model == "adam"
    body = man()
    values = parameter_values(system, body)
    fm = values["CLint_CYP2D6"] / (values["CLint_CYP2D6"] + values["CLint_rest"])
    doses = dose_events(system, "v", "oral", [(0.0, 100.0, 0.0)])
    full, none = (auc(system, parameter_vector(system, body, {"CYP2D6": f}), doses) for f in (1.0, 0.0))
    assert none / full == pytest.approx(1 / (1 - fm), rel=1e-4)


@pytest.mark.parametrize("absorption", [segmented(), TRANSIT])
def test_a_constant_inhibitor_acts_as_less_enzyme_in_liver_and_wall(drug: Any, absorption: Any) -> None:
    """Nothing eliminates the inhibitor: its unbound level is the same in plasma, liver, enterocytes or gut organ."""
    victim = drug("v", segmented(), v=compound(metabolism=[walled(0.3), path(10.0)]))
    action = {"target": "CYP3A4", "mechanism": "competitive", "Ki": quantity(0.05, "umol/L")}
    system = build([victim, drug("b", absorption, blocker=compound(acts_on=[action]))])
    body = man()
    before = dose_events(system, "b", "iv", [(0.0, 5.0, 0.0)])
    after = dose_events(system, "v", "oral", [(500.0, 3.0, 0.0)])
    vector = parameter_vector(system, body)
    blocked = solve(system, vector, before + after, [0.0, 499.0, 3000.0])
    unbound = 1000.0 * 0.2 * blocked["C_plasma_blocker"][1] / 300.0
    part = 1.0 / (1.0 + unbound / 0.05)
    assert 0.1 < part < 0.8
    slower = parameter_vector(system, body, {"CYP3A4": part})
    assert blocked["AUC"][-1] == pytest.approx(auc(system, slower, after), rel=2e-4)


def test_a_product_of_the_wall_passes_the_liver_first(drug: Any) -> None:
    """All that is absorbed is metabolised in the wall in the end: AUC_m = yield Fa D M_m/M / (fu CLint_m)."""
    heavier = compound(metabolism=[path(20.0, name="gone")])
    heavier["physicochemistry"] = {"MW": quantity(316.0, "g/mol"), "logP": quantity(1.0, "1")}
    formed = path(0.3, "CYP3A4", where=["gut"], product="m", fraction=quantity(0.75, "1"))
    system = build([drug("v", segmented(), v=compound(metabolism=[formed]), m=heavier)])
    body = man()
    values = parameter_values(system, body)
    doses = dose_events(system, "v", "oral", [(0.0, 1.0, 0.0)])
    area = solve(system, parameter_vector(system, body), doses, [0.0, 3000.0])["AUC_m"][-1]
    assert area == pytest.approx(0.75 * FA * 316 / 300 / (0.2 * values["CLint_gone_m"]), rel=1e-4)


def test_the_wall_saturates(drug: Any) -> None:
    kinetics = {"kcat": quantity(8.76, "1/min"), "Km": quantity(4.0, "umol/L")}
    saturable = {"path": "x", "enzyme": "CYP3A4", "where": ["liver", "gut"], **kinetics}
    system = build([drug("v", segmented(), v=compound(metabolism=[saturable]))])
    vector = parameter_vector(system, man())
    shares = [auc(system, vector, dose_events(system, "v", "oral", [(0.0, d, 0.0)])) / d for d in (0.01, 2.0, 200.0)]
    assert shares[0] < shares[1] < shares[2]
    assert auc(system, vector, dose_events(system, "v", "oral", [(0.0, 0.0, 0.0)])) == 0.0


def test_an_inducer_and_an_inactivator_reach_the_enzyme_of_the_wall(drug: Any) -> None:
    actions = [
        {"target": "CYP3A4", "mechanism": "induction", "Emax": quantity(4.0, "1"), "EC50": quantity(0.1, "umol/L")},
        {
            "target": "CYP3A4",
            "mechanism": "inactivation",
            "kinact": quantity(1.0, "1/h"),
            "KI": quantity(2.0, "umol/L"),
        },
    ]
    victim = drug("v", segmented(), v=compound(metabolism=[walled(0.3)]))
    system = build([victim, drug("b", segmented(), b=compound(acts_on=actions))], observe=["E_CYP3A4", "E_CYP3A4_gut"])
    doses = dose_events(system, "b", "iv", [(0.0, 5.0, 0.0)])  # stays: nothing eliminates it
    got = solve(system, parameter_vector(system, man()), doses, [0.0, 2000.0])
    unbound = 1000.0 * 0.2 * got["C_plasma_b"][-1] / 300.0
    for name, kdeg in (("E_CYP3A4", 0.01925), ("E_CYP3A4_gut", 0.03014)):
        level = kdeg * (1 + 4 * unbound / (0.1 + unbound)) / (kdeg + unbound / (2.0 + unbound))
        assert got[name][-1] == pytest.approx(level, rel=1e-4)


def test_forms_release_lag_and_relative_bioavailability(drug: Any) -> None:
    late = TABLET | {"lag": quantity(1.0, "h"), "F_rel": quantity(0.5, "1")}
    forms = {"solution": {"release": "solution"}, "tablet": TABLET, "late": late}
    file = drug("v", segmented(), forms, v=compound(metabolism=[path(9.0)]))
    vectors, areas, peaks = {}, {}, {}
    for form in forms:
        system = build([file], formulations={"v": form})
        vectors[form] = parameter_vector(system, man())
        times = np.linspace(0.0, 48.0, 961)
        got = solve(system, vectors[form], dose_events(system, "v", "oral", [(0.0, 10.0, 0.0)]), [*times, 3000.0])
        areas[form], peaks[form] = got["AUC"][-1], times[got["C_plasma"][:-1].argmax()]
    assert areas["tablet"] == pytest.approx(areas["solution"], rel=0.02)  # what leaves the stomach is absorbed alike
    assert areas["late"] == pytest.approx(0.5 * areas["tablet"], rel=1e-4)
    assert peaks["solution"] < peaks["tablet"] and peaks["late"] == pytest.approx(peaks["tablet"] + 1.0, abs=0.06)
    tablet = build([file], formulations={"v": "tablet"})
    assert parameter_values(tablet, man())["k_release_1"] == pytest.approx(np.log(2) / 0.5)
    (dissolved,) = dose_events(tablet, "v", "oral", [(2.0, 10.0, 0.0)], "solution")
    assert (dissolved.route, dissolved.time) == ("oral_solution", 2.0)
    assert auc(tablet, vectors["tablet"], [dissolved]) == pytest.approx(areas["solution"], rel=1e-5)
    with pytest.raises(ValueError, match="built with formulation 'tablet'"):
        dose_events(tablet, "v", "oral", [(0.0, 1.0, 0.0)], "late")
    with pytest.raises(KeyError, match="no formulation 'syrup'"):
        build([file], formulations={"v": "syrup"})
    with pytest.raises(KeyError, match="nobody"):
        build([file], formulations={"nobody": "tablet"})


def test_particles_follow_solubility_food_and_gastric_pH(drug: Any) -> None:
    base = compound(metabolism=[path(9.0)])
    base["physicochemistry"] |= {"kind": "base", "base_pKa": {"value": [6.5], "source": "test"}}
    forms = {"capsule": {"release": "particles", "particle_radius": quantity(10.0, "um")}}
    absorption = segmented(2.0, solubility=quantity(0.005, "mg/mL"))
    system = build([drug("v", absorption, forms, v=base)])
    doses = dose_events(system, "v", "oral", [(0.0, 200.0, 0.0)])
    areas = {
        name: auc(system, parameter_vector(system, man(), gut=state), doses)
        for name, state in {"fasted": gut(), "fed": gut("fed"), "suppressed": gut(gastric_pH=6.0)}.items()
    }
    assert areas["suppressed"] < 0.5 * areas["fasted"] < areas["fed"]


def test_doses_go_where_they_are_said(drug: Any, tmp_path: Path) -> None:
    victim = drug("v", segmented(colon_ratio=quantity(0.3, "1")), v=compound(metabolism=[path(9.0)]))
    other = drug("o", segmented(), other=compound(metabolism=[path(5.0)]))
    system = build([victim, other])
    routes = {d.route for d in dose_events(system, "o", "oral", [(0.0, 1.0, 0.0)])}
    assert routes == {"oral_other"}
    (infusion,) = dose_events(system, "v", "iv", [(3.0, 5.0, 0.5)])
    assert (infusion.route, infusion.time, infusion.amount, infusion.duration) == ("iv", 3.0, 5.0, 0.5)
    colon = dose_events(system, "v", "colon", [(0.0, 10.0, 0.0)])
    share = auc(system, parameter_vector(system, man()), colon) / auc(
        system, parameter_vector(system, man()), dose_events(system, "v", "iv", [(0.0, 10.0, 0.0)])
    )
    ka = absorption_rate(4.0 * 0.3, EVEN.radius_colon)
    values = parameter_values(system, man())
    flow = hepatic_flow(man())
    expected = ka / (ka + EVEN.k_colon) * flow / (flow + 0.2 * values["CLint_rest"])
    assert share == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="no 'sc' dose"):
        dose_events(system, "v", "sc", [(0.0, 1.0, 0.0)])
    with pytest.raises(KeyError, match="nobody"):
        dose_events(system, "nobody", "iv", [(0.0, 1.0, 0.0)])


def test_limits_hold_with_a_wall(drug: Any) -> None:
    """CLint to infinity gives hepatic flow; zero dose zero; a linear drug is dose-proportional, wall and all."""
    fast = build([drug("v", segmented(), v=compound(metabolism=[path(1e6), path(1e-6, "CYP3A4", where=["gut"])]))])
    assert fast.parts[0].absorption.wall
    body = man()
    iv = dose_events(fast, "v", "iv", [(0.0, 100.0, 0.0)])
    assert 100.0 / auc(fast, parameter_vector(fast, body), iv) == pytest.approx(hepatic_flow(body), rel=1e-3)
    linear = build([drug("w", segmented(), w=compound(metabolism=[walled(0.2)]))])
    vector = parameter_vector(linear, body)
    oral = lambda dose: auc(linear, vector, dose_events(linear, "w", "oral", [(0.0, dose, 0.0)]))  # noqa: E731
    assert oral(0.0) == 0.0 and oral(50.0) / oral(0.5) == pytest.approx(100.0, rel=1e-6)
