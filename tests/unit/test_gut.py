"""Parameters of the absorption models: known solubilities and permeabilities, QGut, choice, and what they predict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from lumen_fixture import SEGMENTS, SITES, run, vessel

from pharmtwin.core.gut import (
    Gut,
    adam_parameters,
    cat_parameters,
    check_binding,
    choose_absorption,
    first_order_parameters,
    gut,
    intestine_parameters,
)
from pharmtwin.core.gut_drug import (
    OralDrug,
    absorption_rate,
    dissolution_constants,
    fraction_absorbed,
    gut_availability,
    gut_vmax,
    ionisation_gain,
    permeability_caco2,
    permeability_clearance,
    permeability_structure,
    qgut,
    solubility,
    weibull_release,
)
from pharmtwin.engine.run import Dose
from pharmtwin.facts import fact_table
from pharmtwin.model.description import Model, compose
from pharmtwin.model.library import (
    adam_absorption,
    cat_absorption,
    enzyme_turnover,
    first_order_absorption,
    intestine,
    molar_mass,
)

#: a weak base that only acid dissolves (of the kind of ketoconazole: pKa 6.5 and 2.9, neutral solubility some mg/L)
WEAK_BASE = OralDrug(MW=531.4, Peff=5.0, logP=4.3, bases=(6.5, 2.9), solubility=5.0, radius_um=10.0)
#: a soluble, permeable neutral
EASY = OralDrug(MW=250.0, Peff=6.0, solubility=50_000.0)


def build(drug: OralDrug, dose: float, of: Gut, model: str = "") -> tuple[Model, dict[str, float], str]:
    """Model, values and kind for a drug, as the choice makes them; what is absorbed is collected in A_body."""
    choice = choose_absorption(drug, dose, of, model)
    o = dict(choice.options)
    sites = (*o.get("enzymes", ()), *o.get("efflux", ()))
    parts = [vessel(), intestine(sites)]
    values = intestine_parameters(of, sites)
    if choice.model == "first_order":
        return (
            compose("m", [vessel(), first_order_absorption(into="A_body")], []),
            first_order_parameters(drug, of),
            "first_order",
        )
    if choice.model == "cat":
        return (
            compose("m", [*parts, cat_absorption(into="A_body", **o)], []),
            values | cat_parameters(drug, of, **o),
            "cat",
        )
    parts += [molar_mass(), vessel("flow", Q_gut="L/h"), *(enzyme_turnover(f"{s}_gut") for s in sites)]
    values |= {"MW": drug.MW, "Q_gut": 58.5} | adam_parameters(drug, of, **o)
    values |= {f"{x}_{s}_gut": v for s in sites for x, v in (("f", 1.0), ("kdeg", 0.03))}
    return compose("m", [*parts, adam_absorption(into="A_body", perfused=False, **o)], []), values, "adam"


def absorbed(drug: OralDrug, dose: float, of: Gut, model: str = "") -> dict[str, float]:
    """Final state after one dose, per mg of it."""
    made, values, _ = build(drug, dose, of, model)
    _, end = run(made, values, [Dose(0.0, dose)], [400.0])
    return {name: float(x) / dose for name, x in end.items()}


# ---------------------------------------------------------------- physicochemistry


def test_solubility_follows_henderson_and_hasselbalch() -> None:
    acid, base = {"acids": (4.4,)}, {"bases": (9.0,)}
    assert ionisation_gain(4.4, **acid) == pytest.approx(2.0)
    assert ionisation_gain(6.4, **acid) == pytest.approx(101.0)
    assert ionisation_gain(6.0, **base) == pytest.approx(1001.0)
    assert ionisation_gain(3.0, bases=(6.5, 2.9)) == pytest.approx((1 + 10**3.5) * (1 + 10**-0.1))
    assert ionisation_gain(7.0, acids=(4.0,), bases=(9.0,)) == pytest.approx(1 + (10**3 + 10**2) / (1 + 10**5))
    drug = OralDrug(MW=300.0, Peff=1.0, bases=(6.0,), solubility=101.0, solubility_pH=4.0, salt_limit=500.0)
    assert solubility(drug, 9.0) == pytest.approx(1.0 * 1.001)
    assert solubility(drug, 1.0) == pytest.approx(500.0)  # 1e5 by ionisation alone
    assert math.isinf(solubility(OralDrug(MW=300.0, Peff=1.0), 7.0))


def test_bile_salts_raise_solubility_as_mithani_says() -> None:
    """log SR = 2.234 + 0.606 logP is per mole of water: griseofulvin-like logP 2.2 in 15 mM gains a tenth."""
    drug = OralDrug(MW=352.8, Peff=5.0, logP=2.2, solubility=12.0)
    gain = 10 ** (2.234 + 0.606 * 2.2) * 15.0 / 55_500.0
    assert solubility(drug, 6.5, 15.0) == pytest.approx(12.0 * (1 + gain)) and 0.5 < gain < 1.5
    lipophilic = OralDrug(MW=352.8, Peff=5.0, logP=5.0, solubility=12.0)
    assert solubility(lipophilic, 6.5, 15.0) / 12.0 > 40
    assert solubility(OralDrug(MW=352.8, Peff=5.0, solubility=12.0), 6.5, 15.0) == 12.0


def test_permeability_regressions_lie_where_human_values_do() -> None:
    """Measured in man: atenolol 0.2, metoprolol 1.3, antipyrine 5.6 (1e-4 cm/s), in no other order."""
    atenolol, metoprolol = permeability_structure(84.6, 4), permeability_structure(50.7, 2)
    assert 0.1 < atenolol < 0.4 and 0.7 < metoprolol < 3.0
    assert permeability_structure(50.7, 2, 1.9) == pytest.approx(1.84, rel=0.01)
    assert permeability_caco2(1.0) == pytest.approx(10**-0.3036)
    assert permeability_caco2(100.0) / permeability_caco2(1.0) == pytest.approx(100**0.6532)
    assert permeability_caco2(10.0, "yang_2007") == pytest.approx(10 ** (0.4926 - 0.1454))
    for papp, regression in ((0.0, "sun_2002"), (1.0, "moon_2002")):
        with pytest.raises(ValueError, match=r"Papp.*regression"):
            permeability_caco2(papp, regression)


def test_absorption_rate_is_that_of_the_compartmental_model() -> None:
    """Yu and Amidon's 1 - (1 + 0.54 Peff)^-7 (Peff in cm/h) is ours at 1.75 cm and 199 min."""
    g = gut()
    for Peff in (0.2, 1.3, 5.6):
        theirs = 1 - (1 + 0.54 * Peff * 0.36) ** -7
        assert fraction_absorbed(absorption_rate(Peff, g.radius), g.k_transit) == pytest.approx(theirs, rel=5e-3)


def test_dissolution_constants_are_geometry() -> None:
    k, film = dissolution_constants(400.0, 30.0)
    D = 10 ** (-4.131 - 0.4531 * math.log10(400.0)) * 3600
    assert film == 1.0 and k == pytest.approx(3 * D / (1200.0 * 0.003**2) / 1000)
    assert dissolution_constants(400.0, 15.0)[0] == pytest.approx(4 * k)


@pytest.mark.parametrize(("shape", "stages"), [(0.4, 4), (0.7, 3), (0.9, 2), (1.0, 1), (1.3, 2), (2.0, 4)])
def test_release_stages_follow_weibull_curves(shape: float, stages: int) -> None:
    curve = weibull_release(3.0, shape)
    t = 3.0 * np.array([0.01, 0.1, 0.5, 1.0, 1.5])
    assert curve.stages == stages and curve.error <= 0.02
    np.testing.assert_allclose(curve.released(t), -np.expm1(-((t / 3.0) ** shape)), atol=0.05)
    assert all(0 <= e <= 1 for e in curve.early) and all(k > 0 for k in curve.rates)
    with pytest.raises(ValueError, match="Weibull"):
        weibull_release(0.0, 1.0)


def test_a_senseless_drug_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"Peff.*solubility.*fu_gut.*CYP3A4"):
        OralDrug(MW=300.0, Peff=0.0, solubility=-1.0, fu_gut=0.0, enzymes={"CYP3A4": (1.0, 0.0)})
    with pytest.raises(ValueError, match="needs its release"):
        OralDrug(MW=300.0, Peff=1.0, travels=True)


# ---------------------------------------------------------------- physiology


def test_the_table_is_whole() -> None:
    table = fact_table("physiology/gut.tsv")
    assert not table.duplicated(["quantity", "segment", "state"]).any()
    for state in ("fasted", "fed"):
        g = gut(state)
        assert set(g.pH) == set(g.bile_salt) == set(g.fluid) == set(SITES)
        for site in ("CYP3A4", "Pgp"):
            assert sum(g.shares[site].values()) == pytest.approx(1.0, abs=1e-12)
        assert sum(g.villi.values()) == pytest.approx(18.0 / 58.5) and g.k_transit == pytest.approx(7 / 3.32)
    raw = table[table.quantity.str.startswith(("share_", "villous_share"))].groupby("quantity").value.sum()
    np.testing.assert_allclose(raw.to_numpy(float), 1.0, atol=5e-4)
    P = gut().shares["Pgp"]
    assert P["7"] / 75 > P["2"] / 100 > P["1"] / 25  # more of it per length further down
    assert gut().shares["CYP3A4"]["1"] > gut().shares["CYP3A4"]["7"]


def test_food_and_acid_suppression_change_what_they_should() -> None:
    fasted, fed, ppi = gut(), gut("fed"), gut(acid_suppressed=True)
    assert fed.k_empty < fasted.k_empty and fed.pH["stomach"] > fasted.pH["stomach"] and fed.pH["1"] < fasted.pH["1"]
    assert fed.bile_salt["1"] > fasted.bile_salt["1"] and fed.k_transit == fasted.k_transit
    assert ppi.pH["stomach"] > 4 and ppi.pH["1"] == fasted.pH["1"]
    assert gut("fed", acid_suppressed=True).pH["stomach"] == fed.pH["stomach"]  # already higher
    assert gut(gastric_pH=6.0).pH["stomach"] == 6.0
    with pytest.raises(ValueError, match="hungry"):
        gut("hungry")
    with pytest.raises(ValueError, match="gastric pH"):
        gut(gastric_pH=40.0)


def test_enzymes_without_their_own_distribution_take_that_of_cyp3a4() -> None:
    values = intestine_parameters(gut(), ("CYP3A4", "CYP2C9", "Pgp"))
    assert values["share_CYP2C9_2"] == values["share_CYP3A4_2"] != values["share_Pgp_2"]
    with pytest.raises(KeyError, match="XYZ1"):
        intestine_parameters(gut(), ("XYZ1",))


# ---------------------------------------------------------------- choice


@pytest.mark.parametrize(
    ("drug", "dose", "expected"),
    [
        (EASY, 10.0, ("first_order", "solution", 0)),
        (OralDrug(MW=266.0, Peff=0.2, solubility=20_000.0), 50.0, ("cat", "solution", 0)),  # poorly permeable
        (WEAK_BASE, 200.0, ("cat", "particles", 1)),
        (OralDrug(MW=250.0, Peff=6.0, solubility=5e4, release=(3.0, 1.0)), 10.0, ("cat", "released", 1)),
        (OralDrug(MW=326.0, Peff=5.0, enzymes={"CYP3A4": (900.0, 3.0)}), 5.0, ("adam", "solution", 0)),
        (OralDrug(MW=781.0, Peff=1.0, efflux={"Pgp": (300.0, 70.0)}), 0.5, ("adam", "solution", 0)),
    ],
)
def test_the_model_follows_solubility_permeability_release_and_wall(
    drug: OralDrug, dose: float, expected: tuple[str, str, int]
) -> None:
    choice = choose_absorption(drug, dose, gut())
    assert (choice.model, choice.options["form"], choice.options["stages"]) == expected
    assert choice.reasons and all(choice.reasons)


def test_the_choice_can_be_overridden_but_not_against_the_form() -> None:
    asked = choose_absorption(EASY, 10.0, gut(), "adam")
    assert asked.model == "adam" and "first_order" in asked.reasons[0]
    with pytest.raises(ValueError, match="cannot hold"):
        choose_absorption(WEAK_BASE, 200.0, gut(), "first_order")
    with pytest.raises(ValueError, match="acat"):
        choose_absorption(EASY, 10.0, gut(), "acat")
    with pytest.raises(ValueError, match="dose 0"):
        choose_absorption(EASY, 0.0, gut())


def test_vectors_hold_every_parameter_of_their_module() -> None:
    for compound in ("", "inh"):
        for form, drug, dose in (
            ("solution", EASY, 10.0),
            ("particles", OralDrug(**(vars(WEAK_BASE) | {"release": (0.5, 0.7), "travels": True})), 200.0),
        ):
            options = {**choose_absorption(drug, dose, gut(), "cat").options, "compound": compound}
            assert options["form"] == form
            declared = {p.name for p in cat_absorption(**options).parameters}
            assert set(cat_parameters(drug, gut(), **options)) == declared
        drug = OralDrug(MW=300.0, Peff=2.0, enzymes={"CYP3A4": (50.0, 2.0)}, efflux={"Pgp": (9.0, 4.0)})
        options = {**choose_absorption(drug, 10.0, gut(), "adam").options, "compound": compound}
        declared = {p.name for p in adam_absorption(**options).parameters}
        assert set(adam_parameters(drug, gut(), **options)) == declared
    assert set(intestine_parameters(gut(), ("Pgp",))) == {p.name for p in intestine(("Pgp",)).parameters}


def test_a_form_without_its_facts_is_refused() -> None:
    with pytest.raises(ValueError, match="solubility"):
        cat_parameters(OralDrug(MW=300.0, Peff=1.0), gut(), form="particles", stages=1)
    with pytest.raises(ValueError, match="takes 1 stages, not 3"):
        cat_parameters(EASY, gut(), form="released", stages=3)
    assert check_binding(0.2, 1.0, 0.5) == "" and "below" in check_binding(0.2, 0.6, 0.1)


# ---------------------------------------------------------------- what they predict

WALL_DRUG: dict[str, Any] = {"MW": 326.0, "Peff": 5.0, "enzymes": {"CYP3A4": (3e8, 1e7)}}  # linear, CLint_u 30 L/h


def test_the_wall_of_equal_segments_gives_qgut() -> None:
    drug = OralDrug(**WALL_DRUG)
    end = absorbed(drug, 5.0, gut().evenly())
    expected = gut_availability(qgut(18.0, permeability_clearance(5.0, 6600.0)), 30.0)
    assert end["A_body"] / (end["A_body"] + end["A_met_CYP3A4_gut"]) == pytest.approx(expected, rel=1e-6)
    assert choose_absorption(drug, 5.0, gut()).Fg == pytest.approx(expected, rel=1e-9)


def test_the_real_distribution_stays_near_qgut() -> None:
    """Villous flow and CYP3A4 are both proximal; QGut's one flow is still a fair summary for a linear drug."""
    for CLint in (3.0, 10.0, 30.0):
        drug = OralDrug(**(WALL_DRUG | {"enzymes": {"CYP3A4": (CLint * 1e7, 1e7)}}))
        end = absorbed(drug, 5.0, gut(), "adam")
        Fg = end["A_body"] / (end["A_body"] + end["A_met_CYP3A4_gut"])
        assert Fg == pytest.approx(choose_absorption(drug, 5.0, gut()).Fg, rel=0.15)


def test_a_midazolam_like_drug_loses_about_half_in_the_wall() -> None:
    """CYP3A4 70 nmol in the wall (Paine 1997); midazolam's Fg in man is 0.4 to 0.6."""
    kcat, Km, amount = 8.76, 4.0, 70.0  # the first two fitted to plasma by the OSP midazolam model
    drug = OralDrug(MW=325.8, Peff=5.0, enzymes={"CYP3A4": (gut_vmax(kcat, amount), Km)})
    end = absorbed(drug, 2.0, gut())
    Fg = end["A_body"] / (end["A_body"] + end["A_met_CYP3A4_gut"])
    assert 0.4 < Fg < 0.6
    high = absorbed(drug, 200.0, gut())
    assert high["A_body"] > end["A_body"]


def test_efflux_limits_a_poorly_permeable_drug_most() -> None:
    def loss(Peff: float) -> float:
        free = OralDrug(MW=781.0, Peff=Peff)
        pumped = OralDrug(MW=781.0, Peff=Peff, efflux={"Pgp": (20.0 * 1e7, 1e7)})
        return absorbed(pumped, 0.5, gut())["A_body"] / absorbed(free, 0.5, gut(), "adam")["A_body"]

    assert loss(0.5) < loss(2.0) < loss(10.0) < 1


def test_raised_gastric_pH_spoils_a_weak_base_and_food_helps_it() -> None:
    """Omeprazole lowers ketoconazole's exposure by about 80 %, itraconazole capsules' by 65 %; a meal's bile helps."""
    normal = absorbed(WEAK_BASE, 200.0, gut())["A_body"]
    suppressed = absorbed(WEAK_BASE, 200.0, gut(acid_suppressed=True))["A_body"]
    neutralised = absorbed(WEAK_BASE, 200.0, gut(gastric_pH=6.0))["A_body"]
    assert neutralised < 0.35 * normal and neutralised < suppressed < 0.95 * normal
    assert absorbed(WEAK_BASE, 200.0, gut("fed"))["A_body"] > normal
    assert absorbed(WEAK_BASE, 200.0, gut("fed", gastric_pH=6.0))["A_body"] > 2 * neutralised
    slowly = absorbed(OralDrug(**(vars(WEAK_BASE) | {"k_precipitation": 0.4})), 200.0, gut())["A_body"]
    assert slowly > normal  # it stays supersaturated


def test_a_weak_acid_gains_where_a_base_loses_and_a_neutral_does_not_care() -> None:
    acid = OralDrug(MW=300.0, Peff=5.0, acids=(4.0,), solubility=3.0, radius_um=10.0)
    neutral = OralDrug(MW=300.0, Peff=5.0, solubility=3.0, radius_um=10.0)
    for drug, low, high in ((acid, 1.001, 1.2), (neutral, 0.999, 1.001)):
        ratio = absorbed(drug, 100.0, gut(gastric_pH=6.0))["A_body"] / absorbed(drug, 100.0, gut())["A_body"]
        assert low < ratio < high


def test_finer_particles_are_absorbed_better() -> None:
    fine, coarse = (OralDrug(MW=350.0, Peff=5.0, solubility=20.0, radius_um=r) for r in (2.0, 50.0))
    assert absorbed(fine, 50.0, gut())["A_body"] > 1.5 * absorbed(coarse, 50.0, gut())["A_body"]


def test_the_simple_model_is_the_mean_of_the_long_one() -> None:
    """For a soluble, permeable drug the first-order model has the same mean absorption time as CAT, to the transit."""
    cat, first = absorbed(EASY, 10.0, gut(), "cat"), absorbed(EASY, 10.0, gut())
    assert cat["A_body"] == pytest.approx(first["A_body"], abs=0.02) and first["A_body"] == pytest.approx(1.0, abs=1e-6)
    assert all(f"A_lumen_{i}" in cat for i in SEGMENTS)
