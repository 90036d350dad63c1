"""Static interaction models: answers by hand, limits, and published worked numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pharmtwin.curation.static_ddi import _dose_mg, _score
from pharmtwin.ddi import static_basic as basic
from pharmtwin.ddi.decision import NO, OPEN, YES, decision_table
from pharmtwin.ddi.static_basic import FDA_2020, Perpetrator
from pharmtwin.ddi.static_inputs import (
    Draws,
    absorption_rate,
    perpetrator_names,
    perpetrators,
    regimens,
    rows,
    victim,
    victim_names,
)
from pharmtwin.ddi.static_mechanistic import (
    Activity,
    Physiology,
    Victim,
    auc_ratio,
    ceiling,
    enzyme_activity,
    fm_genotype,
    genotype_ratio,
    physiology,
)
from pharmtwin.evaluation.metrics import guest_limit, within_guest

BODY = Physiology(97.0, 18.0, {"CYP3A4": 0.0193, "CYP2D6": 0.0099}, {"CYP3A4": 0.03})
ITS_BODY = replace(BODY, hepatic_blood_flow_l_per_h=1.616 * 60)  # ddir writes the liver's flow as 1.616 L/min
MIDAZOLAM = Victim("midazolam", {"CYP3A4": 0.96}, 0.57)

# The fictional drug of the R package ddir @ 81cd3824 (inst/extdata, output in docs/reference): an independent
# implementation of the same guideline.
EXAMPLINIB = Perpetrator(
    "examplinib", 3.530 / 492.6 * 1000, 0.023, 450 / 492.6 * 1000, 0.00267 * 60, 0.81,
    ki_umol_per_l={"CYP3A4": 12.5}, induction={"CYP3A4": (7.35, 1.64)},
)  # fmt: skip
EXAMPLINIB_TDI = replace(EXAMPLINIB, tdi={"CYP3A4": (0.04, 0.17)})


def inhibitor(ki: float, cmax: float = 1.0) -> Perpetrator:
    return Perpetrator("i", cmax, 1.0, ki_umol_per_l={"CYP2D6": ki, "CYP3A4": ki})


def test_concentrations_of_the_independent_implementation() -> None:
    assert basic.gut_lumen_concentration(EXAMPLINIB.dose_umol) == pytest.approx(3654.0803898)
    assert EXAMPLINIB.cmax_unbound == pytest.approx(0.1648193, rel=1e-6)
    assert basic.inlet_concentration(EXAMPLINIB, 1.616 * 60) == pytest.approx(0.1929384, rel=1e-6)
    assert basic.enterocyte_concentration(EXAMPLINIB, 18) == pytest.approx(6.5855664, rel=1e-7)


def test_basic_ratios_of_the_independent_implementation() -> None:
    table = {(r.model, r.target): r for r in decision_table([EXAMPLINIB_TDI], BODY)}
    assert table["reversible, gut", "CYP3A4"].ratio == pytest.approx(293.3 - 1, rel=2e-4)  # its R1,gut is one more
    assert table["inactivation", "CYP3A4"].ratio == pytest.approx(2.718115, rel=1e-6)
    assert table["induction, kinetic", "CYP3A4"].ratio == pytest.approx(0.2134856, rel=1e-6)
    assert [table[k].verdict for k in (("reversible, liver", "CYP3A4"), ("inactivation", "CYP3A4"))] == [NO, YES]


def test_mechanistic_ratio_of_the_independent_implementation() -> None:
    both = auc_ratio(MIDAZOLAM, [EXAMPLINIB], ITS_BODY)
    assert both.liver_activity["CYP3A4"].reversible == pytest.approx(0.9847995, rel=1e-6)
    assert both.liver_activity["CYP3A4"].induction == pytest.approx(1.773674, rel=1e-6)
    assert both.gut_activity.reversible == pytest.approx(0.65494520, rel=1e-7)
    assert both.gut_activity.induction == pytest.approx(6.884569, rel=1e-6)
    assert both.aucr == pytest.approx(0.2321612, rel=1e-6)
    three = auc_ratio(MIDAZOLAM, [EXAMPLINIB_TDI], ITS_BODY)
    assert three.gut_activity.inactivation == pytest.approx(0.4348241, rel=1e-6)
    assert three.liver_activity["CYP3A4"].inactivation == pytest.approx(0.4757909, rel=1e-6)
    assert three.aucr == pytest.approx(0.8446594, rel=1e-6)


def test_published_static_ratios_of_cyp2c8_and_oatp1b1_inhibitors() -> None:
    """Table "Summary of input parameters and prediction ... by static model", Drug Metab Dispos (markup 62208)."""
    for concentration, ki, printed in ((3.28, 30.2, 1.11), (5.50, 27.3, 1.20), (3.75, 1.39, 3.70), (5.55, 14.2, 1.39)):
        assert round(float(basic.reversible_ratio(concentration, ki)), 2) == printed
    # two inactivators share a loss rate that the table does not print: one row gives it, the other must follow
    kobs = float(basic.inactivation_rate(1.21, 2.82, 9.9))
    kdeg = kobs / (10.3 - 1)
    assert basic.inactivation_ratio(basic.inactivation_rate(5.55, 4.05, 26.7), kdeg) == pytest.approx(22.1, abs=0.15)


def test_by_hand() -> None:
    half = auc_ratio(Victim("v", {"CYP2D6": 0.8}), [inhibitor(1.0)], BODY)  # I = Ki: half the activity
    assert half.aucr == pytest.approx(1 / (0.8 / 2 + 0.2))
    two = auc_ratio(Victim("v", {"CYP2D6": 0.5, "CYP3A4": 0.3}), [inhibitor(1.0), inhibitor(0.5)], BODY)
    assert two.aucr == pytest.approx(1 / (0.8 / 4 + 0.2))  # 1 + 1/1 + 1/0.5 = 4
    gut = Perpetrator("g", 0.0, 0.0, 18.0, 1.0, ki_umol_per_l={"CYP3A4": 1.0})  # Ig = 1, nothing in blood
    assert auc_ratio(MIDAZOLAM, [gut], BODY).aucr == pytest.approx(1 / (0.43 / 2 + 0.57))
    assert auc_ratio(replace(MIDAZOLAM, oral=False), [gut], BODY).aucr == 1


TWO_PATHS, BY_VEIN = Victim("m", {"CYP2D6": 0.5, "CYP3A4": 0.3}), Victim("i", {"CYP3A4": 0.9}, 0.4, False)


@pytest.mark.parametrize("v", [MIDAZOLAM, TWO_PATHS, BY_VEIN])
def test_limits(v: Victim) -> None:
    assert auc_ratio(v, [inhibitor(1e30)], BODY).aucr == pytest.approx(1)
    assert auc_ratio(v, [], BODY).aucr == 1
    oral = Perpetrator("all", 1.0, 1.0, 1.0, 1.0, ki_umol_per_l={"CYP2D6": 1e-15, "CYP3A4": 1e-15})
    assert auc_ratio(v, [oral], BODY).aucr == pytest.approx(float(ceiling(v)), rel=1e-9)


def test_the_only_path() -> None:
    alone = Victim("v", {"CYP3A4": 1.0})
    assert ceiling(alone) == np.inf
    assert auc_ratio(alone, [inhibitor(0.01)], BODY).aucr == pytest.approx(101)
    with pytest.raises(ValueError, match="no path of clearance"):
        auc_ratio(alone, [], BODY, {"CYP3A4": 0.0})


def test_genotype_and_drug_together() -> None:
    v = Victim("v", {"CYP2D6": 0.8})
    assert fm_genotype(v.fm, {"CYP2D6": 0.5})["CYP2D6"] == pytest.approx(0.8 * 0.5 / (0.4 + 0.2))
    assert genotype_ratio(v, {"CYP2D6": 0.0}) == pytest.approx(5)  # 1/(1-fm)
    assert auc_ratio(v, [inhibitor(1e-12)], BODY, {"CYP2D6": 0.0}).aucr == pytest.approx(1)  # nothing to inhibit
    for f in (0.25, 0.5, 1.0, 1.5):  # gene x drug always ends at the same ceiling, and product = joint formula
        joint = genotype_ratio(v, {"CYP2D6": f}) * auc_ratio(v, [inhibitor(1.0)], BODY, {"CYP2D6": f}).aucr
        assert joint == pytest.approx(1 / (0.8 * f / 2 + 0.2))


def test_the_gut_wall_has_a_genotype_too() -> None:
    g = Perpetrator("g", 0.0, 0.0, 18.0, 1.0, ki_umol_per_l={"CYP3A4": 1.0})
    assert auc_ratio(MIDAZOLAM, [g], BODY, {"CYP3A4": 0.5}).gut == pytest.approx(
        (0.5 * 0.43 + 0.57) / (0.25 * 0.43 + 0.57)
    )


def test_metabolite_adds_and_untouched_enzyme_stays() -> None:
    parent, metabolite = inhibitor(1.0), replace(inhibitor(2.0), name="m", oral=False)
    assert enzyme_activity("CYP2D6", [(parent, 1.0), (metabolite, 1.0)], {}).total == pytest.approx(1 / 2.5)
    assert enzyme_activity("CYP1A2", [(parent, 1.0)], {}) == Activity()


def test_no_guess_of_a_loss_rate() -> None:
    drug = Perpetrator("t", 1.0, 1.0, tdi={"CYP2J2": (1.0, 1.0)})
    with pytest.raises(KeyError, match="CYP2J2"):
        auc_ratio(Victim("v", {"CYP2J2": 0.5}), [drug], BODY)
    assert decision_table([drug], BODY)[0].verdict == OPEN


def test_victims_outside_their_bounds() -> None:
    for fm, fg in (({"A": 0.7, "B": 0.4}, 1.0), ({"A": -0.1}, 1.0), ({"A": 0.5}, 0.0), ({"A": 0.5}, 1.2)):
        with pytest.raises(ValueError, match="must lie"):
            Victim("v", fm, fg)


def test_limits_include_themselves_and_frameworks_differ() -> None:
    at = Perpetrator("x", 0.02, 1.0, ki_umol_per_l={"CYP2D6": 1.0}, ic50_umol_per_l={"MATE1": 1.0, "OAT9": 1.0})
    table = {r.target: r for r in decision_table([at], BODY)}
    assert (table["CYP2D6"].verdict, table["MATE1"].verdict, table["OAT9"].verdict) == (YES, YES, OPEN)
    assert {r.target: r.verdict for r in decision_table([at], BODY, framework=FDA_2020)}["MATE1"] == NO
    slow = Perpetrator("t", 0.01, 1.0, tdi={"CYP3A4": (0.06, 1.0)})
    assert [decision_table([slow], BODY, framework=f)[0].verdict for f in ("ICH M12", FDA_2020)] == [NO, YES]
    assert decision_table([Perpetrator("nothing", 1.0, 1.0)], BODY)[0].verdict == OPEN
    with pytest.raises(ValueError, match="no framework"):
        decision_table([slow], BODY, framework="EMA 1997")


def test_transporter_site_follows_the_route() -> None:
    oral = Perpetrator("o", 1.0, 0.5, 250.0, 1.0, ic50_umol_per_l={"P-gp": 100.0, "OATP1B1": 10.0})
    by = {r.model: r for r in decision_table([oral], BODY)}
    assert by["transporter, gut"].ratio == pytest.approx(10)
    assert by["transporter, inlet"].ratio == pytest.approx(0.5 * (1 + 250 / 97) / 10)
    assert "transporter, systemic" not in by
    given = {r.model: r for r in decision_table([replace(oral, oral=False)], BODY)}
    assert given["transporter, systemic"].ratio == pytest.approx(0.005)
    assert "transporter, gut" not in given


def test_fold_change() -> None:
    c = np.array([1.0, 10.0, 50.0])
    assert basic.fold_change(c, np.array([1.1, 1.6, 2.4]), 1.0, 8.0).flagged is True
    assert basic.fold_change(c, np.array([1.0, 1.1, 1.2]), 1.0, 8.0).flagged is False
    assert basic.fold_change(c, np.array([1.0, 1.3, 1.7]), 1.0, 4.0).flagged is True  # weak control, 23 % of it
    assert basic.fold_change(c, np.array([1.0, 1.1, 1.2]), 2.0, 8.0).flagged is None  # 100 umol/L was needed
    assert basic.fold_change(c, np.array([1.0, 1.1, 1.2]), 1.0, 1.0).flagged is None
    assert basic.fold_change(c, np.array([1.0, 1.1, 1.2]), 0.001, 8.0).flagged is None
    with pytest.raises(ValueError, match="rising"):
        basic.fold_change(c[::-1], c, 1.0, 8.0)


def test_correlates_of_induction() -> None:
    assert basic.relative_induction_score(2.0, 6.0, 4.0) == pytest.approx(2)
    assert basic.exposure_over_ec50(2.0, 4.0) == 0.5
    assert basic.induction_ratio(2.0, 6.0, 4.0, d=0.5) == pytest.approx(0.5)


def test_guest() -> None:
    assert guest_limit([1.0, 2.0, 0.5], 1.0) == pytest.approx([1.0, 1.5, 1.5])
    assert guest_limit([1.0, 1e9], 1.25) == pytest.approx([1.25, 2.0])
    assert list(within_guest([3.0, 3.1, 1.3], [2.0, 2.0, 2.0])) == [True, False, False]


def test_table_is_whole() -> None:
    for name in victim_names():
        v = victim(name)
        assert 0 < sum(v.fm.values()) < 1 and 0 < v.fg <= 1
    for given in perpetrator_names():
        for regimen in regimens(given):
            for p in perpetrators(given, regimen):
                assert p.cmax_umol_per_l > 0 and 0 < p.fu < 1 and p.rb > 0
                assert p.enzymes or p.ic50_umol_per_l, p.name
                assert not p.oral or (p.dose_umol > 0 and p.ka_per_h > 0)
    assert all(str(r["source"]) and str(r["unit"]) for r in rows())
    keys = [tuple(r[k] for k in ("role", "drug", "regimen", "parameter", "target")) for r in rows()]
    assert len(keys) == len(set(keys))
    assert physiology().hepatic_blood_flow_l_per_h == 97 and physiology().enterocyte_flow_l_per_h == 18


def test_units_at_the_door() -> None:
    paroxetine = perpetrators("Paroxetine", "30 mg md")[0]
    assert paroxetine.cmax_umol_per_l == pytest.approx(0.04744 / 329.37 * 1000)
    assert paroxetine.dose_umol == pytest.approx(30 / 329.37 * 1000)
    assert paroxetine.tdi["CYP2D6"][0] == pytest.approx(0.17 * 60)
    doubled = perpetrators("Paroxetine", "30 mg md", scale=2)[0]
    assert doubled.cmax_umol_per_l == pytest.approx(2 * float(paroxetine.cmax_umol_per_l))
    assert not perpetrators("Fluconazole", "400 mg sd IV")[0].oral
    assert [p.oral for p in perpetrators("Itraconazole", "200 mg sd")] == [True, False]
    with pytest.raises(KeyError, match="there are"):
        perpetrators("Paroxetine", "900 mg")
    with pytest.raises(KeyError, match="no victim"):
        victim("Paroxetin")


def test_absorption_rate_puts_the_peak_there() -> None:
    for ka, half_life in ((1.0, 4.0), (0.3, 10.0), (3.0, 1.0)):
        k = np.log(2) / half_life
        assert absorption_rate(np.log(ka / k) / (ka - k), half_life) == pytest.approx(ka, rel=1e-6)
    assert absorption_rate(np.array([2.0, 2.0]), np.array([4.0, 8.0])).shape == (2,)
    assert absorption_rate(10.0, 1.0) == pytest.approx(np.log(2), rel=1e-6)  # a peak beyond 1/k: ka = k


def test_draws_have_names_and_the_right_spread() -> None:
    draws = Draws(20_000, 7)
    fu = next(r for r in rows() if r["drug"] == "Rifampicin" and r["parameter"] == "fu")
    ki = next(r for r in rows() if r["drug"] == "Rifampicin" and r["parameter"] == "ki")
    again, x, y = draws(fu), draws(fu), draws(ki)
    assert np.array_equal(again, x) and not np.array_equal(Draws(20_000, 8)(fu), x)
    assert np.median(x) == pytest.approx(0.17, rel=0.02) and np.all((x > 0) & (x < 1))
    assert np.std(x) == pytest.approx(0.2 * 0.17, rel=0.1)
    assert np.median(y) == pytest.approx(float(ki["value"]), rel=0.02)
    assert np.std(y) / np.mean(y) == pytest.approx(0.5, rel=0.05)
    ratio = auc_ratio(victim("Midazolam", draws=draws), perpetrators("Rifampicin", "600 mg", draws=draws), physiology())
    assert np.shape(ratio.aucr) == (20_000,)
    with pytest.raises(ValueError, match="inlet or systemic"):
        auc_ratio(MIDAZOLAM, [], BODY, liver_site="portal")


def test_doses_and_groups_of_the_study_table() -> None:
    assert [_dose_mg(t) for t in ("500", "50/100", "first 2, then 600", "10/10/2010", "")] == [500, 100, 600, 20, None]
    assert [_score(g) for g in ("X_AS0.5", "X_PM", "X_NM", "X_IM", "day1")] == [0.5, 0.0, 2.0, "IM", None]
