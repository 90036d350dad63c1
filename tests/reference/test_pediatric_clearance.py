"""Children's clearance: the values are what they say, the scaling does what it says, the page has today's figures.

Needs nothing beside the checkout, but for one comparison with the open data base.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body.content.ontogeny import ontogeny_sources
from pharmtwin.curation import pediatric_clearance as pc
from pharmtwin.curation import pediatric_clearance_choice as choice
from pharmtwin.curation import pediatric_clearance_infants as infants
from pharmtwin.curation import pediatric_clearance_page as page
from pharmtwin.curation import pediatric_clearance_profiles as profiles
from pharmtwin.evaluation.metrics import gmfe
from pharmtwin.facts import fact_table

PBPK = Path(__file__).resolve().parents[3] / "shared" / "data" / "pbpk"
RAW = PBPK / "osp_pediatric_pk_raw.csv"
GROUPS = ("GFR", "CYP3A4")
DRUGS = ("amikacin", "vancomycin", "gentamicin", "alfentanil", "sufentanil", "fentanyl", "midazolam")
ONE = np.ones(1)
ADULT = pc.Body(  # round figures: the known answers below do not depend on our physiology
    gfr=100.0 * ONE, hepatic_flow=1500.0 * ONE, cyp3a4=6000.0 * ONE, albumin=ONE, agp=ONE, haematocrit=0.45 * ONE,
    weight=70.0 * ONE,
)  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return fact_table(pc.CHILDREN)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pc.predictions()


def test_every_value_is_used_or_has_a_reason(table: pd.DataFrame) -> None:
    assert set(table["used"]) == {"yes", "no"} and table["id"].is_unique
    used, left = table[table["used"] == "yes"], table[table["used"] == "no"]
    assert left["reason"].notna().all()
    assert used[["age_y", "weight_kg", "CL_mL_min_kg", "read_at", "reference"]].notna().all().all()
    assert set(used["weight_from"]) <= {"study", "growth chart"}
    assert set(used["group"]) == set(GROUPS)
    assert all((used["group"] == group).sum() >= 30 for group in GROUPS)  # the issue asks for 30 in all
    assert not used.duplicated(["drug", "study", "label"]).any()


def test_a_chart_gives_no_weight_to_preterm_infants(table: pd.DataFrame) -> None:
    chart = table[(table["weight_from"] == "growth chart") | (table["height_from"] == "growth chart")]
    assert len(chart) > 10
    assert (chart["gestational_age_wk"].dropna().astype(float) >= 37.0).all()


def test_clearances_follow_from_what_was_published(table: pd.DataFrame) -> None:
    for r in table[table["CL_mL_min_kg"].notna()].itertuples():
        value = float(r.value)
        by_unit = {
            "mL/min/kg": lambda v, r: v,
            "L/h/kg": lambda v, r: v * 1000 / 60,
            "mL/min": lambda v, r: v / float(r.weight_kg),
            "L/h": lambda v, r: v * 1000 / 60 / float(r.weight_kg),
            "ng*min/mL AUCinf": lambda v, r: float(r.dose_mg_kg) * 1e6 / v,
        }
        assert float(r.CL_mL_min_kg) == pytest.approx(by_unit[r.unit](value, r), rel=1e-3), f"row {r.id}"


def test_adult_studies_follow_from_what_was_published() -> None:
    adults = fact_table(pc.ADULTS)
    by_unit = {
        "mL/min": lambda v, r: v / float(r.weight_kg),
        "mL/min/kg": lambda v, r: v,
        "L/h/kg": lambda v, r: v * 1000 / 60,
        "mg*h/L AUC at 15 mg/kg": lambda v, r: 15 / v * 1000 / 60,
        "mL/min/kg by its profile": lambda v, r: profiles.clearances()[(r.drug, r.study)],
    }
    for r in adults[adults["used"] == "yes"].itertuples():
        assert float(r.CL_mL_min_kg) == pytest.approx(by_unit[r.unit](float(r.value), r), rel=1e-3), r.study
        assert float(r.n) > 0, r.study
    assert adults.loc[adults["used"] == "no", "reason"].notna().all()
    assert not adults.duplicated(["drug", "study"]).any()
    assert set(DRUGS) == set(pc.drugs())
    drawn = adults[(adults["used"] == "yes") & (adults["unit"] == "mL/min/kg by its profile")]
    assert set(zip(drawn["drug"], drawn["study"])) == set(profiles.clearances())  # none forgotten, none invented


def test_adults_by_the_profiles_n_are_those_of_the_table() -> None:
    adults, drawn = fact_table(pc.ADULTS), profiles.exposures()
    drawn = drawn[drawn["role"] == "reference"]
    for (drug, study), part in drawn.groupby(["drug", "study"]):
        row = adults[(adults["drug"] == drug) & (adults["study"] == study)]
        assert float(row["n"].iloc[0]) == part["n"].astype(float).sum()


def test_profiles_follow_the_rule_of_the_third_search() -> None:
    rows = profiles.exposures()
    reference, check = rows[rows["role"] == "reference"], rows[rows["role"] == "check"]
    assert reference["counts"].all() and (reference["terminal_points"] >= 3).all()
    assert rows.loc[rows["role"] == "refused", "note"].notna().all()
    ratio = check["clearance"].to_numpy(float) / check["printed"].to_numpy(float)  # the check of the method
    assert len(ratio) == 7 and np.exp(np.log(ratio).mean()) == pytest.approx(0.968, abs=0.005)
    assert (np.abs(np.log(ratio)) < np.log(1.25)).all()
    whole = rows[rows["unit_printed"] == "mL/min"].groupby("study")[["printed", "clearance"]].mean().astype(float)
    weight = whole["printed"] / whole["clearance"]
    assert profiles.LIGHTEST_KG < weight["Heizmann 1983"] < profiles.HEAVIEST_KG < weight["Allonen 1981"]
    assert set(rows.loc[rows["study"] == "Allonen 1981", "role"]) == {"refused"}


@pytest.mark.reference
@pytest.mark.skipif(not (PBPK / "osp_profiles.csv").exists(), reason="reference data not beside the checkout")
def test_midazolam_profiles_agree_with_the_open_model() -> None:
    source = pd.read_csv(PBPK / "osp_profiles.csv")
    points = fact_table(profiles.POINTS)
    for ours, theirs in (("saari_2006", "068"), ("swart_2002", "088"), ("olkkola_1993", "063")):
        mine = points[points["profile"] == f"midazolam_{ours}"]
        open_model = source[source["dataset_id"] == f"midazolam_{theirs}"].sort_values("time_h")
        expected = open_model["conc_ug_per_L"].to_numpy(float) / 1000.0
        assert mine["conc_mg_L"].to_numpy(float) == pytest.approx(expected, rel=1e-3)


def test_adult_studies_are_weighted_by_their_n() -> None:
    amikacin = pc.drugs()["amikacin"]
    assert amikacin.clearance == pytest.approx((10 * 1.191 + 6 * 1.812) / 16, rel=1e-9)
    assert amikacin.weight == pytest.approx((10 * 71.0 + 6 * 58.5) / 16, rel=1e-9)


def test_the_peers_ratios_give_the_peers_printed_figures(table: pd.DataFrame) -> None:
    for group, printed in (("GFR", 1.258017), ("CYP3A4", 1.254230)):
        ratios = table.loc[(table["group"] == group) & table["pksim_ratio"].notna(), "pksim_ratio"].to_numpy(float)
        assert len(ratios) == 39
        assert gmfe(ratios, np.ones(39)) == pytest.approx(printed, abs=2e-5)


@pytest.mark.reference
@pytest.mark.skipif(not RAW.exists(), reason="reference data not beside the checkout")
def test_values_agree_with_the_open_data_base(table: pd.DataFrame) -> None:
    with open(RAW, encoding="utf-8-sig", newline="") as handle:
        raw = {row["ID"]: row for row in csv.DictReader(handle)}
    compared = 0
    for r in table.itertuples():
        source = str(r.read_at).split(" id ")[-1].split(" ")[0].rstrip(";") if " id " in str(r.read_at) else ""
        if source in raw and r.value is not pd.NA:
            row = raw[source]
            assert float(r.value) in [float(row[c]) for c in ("CL Avg", "AUC Avg") if row[c]], f"row {r.id}"
            compared += 1
    assert compared > 40


@pytest.mark.parametrize("name", DRUGS)
def test_an_adult_keeps_its_own_clearance(name: str) -> None:
    drug = pc.drugs()[name]
    assert pc.scaled_clearance(drug, ADULT, ADULT)[0] / 70.0 == pytest.approx(drug.clearance, rel=1e-12)


def test_filtered_drug_follows_gfr_and_binding() -> None:
    drug = pc.drugs()["vancomycin"]
    whole = drug.clearance * 70.0
    half = pc.scaled_clearance(drug, replace(ADULT, gfr=50.0 * ONE), ADULT)[0]
    assert half == pytest.approx(whole * (0.5 * 0.89 + 0.11), rel=1e-12)
    less_bound = pc.scaled_clearance(drug, replace(ADULT, albumin=0.5 * ONE), ADULT)[0]
    fu = 1.0 / (1.0 + 0.3 / 0.7 * 0.5)
    assert less_bound == pytest.approx(whole * (0.89 * fu / 0.7 + 0.11), rel=1e-9)


def test_the_liver_is_limited_by_flow_above_and_by_enzyme_below() -> None:
    drug = replace(pc.drugs()["alfentanil"], f_gfr=0.0, f_cyp3a4=1.0)
    endless = pc.scaled_clearance(drug, replace(ADULT, cyp3a4=1e12 * ONE), ADULT)[0]
    assert endless == pytest.approx(drug.blood_to_plasma * 1500.0, rel=1e-6)
    clint = pc.scaled_clearance(drug, replace(ADULT, hepatic_flow=1e12 * ONE), ADULT)[0]
    blood = drug.clearance * 70.0 / drug.blood_to_plasma
    assert clint == pytest.approx(drug.blood_to_plasma * blood / (1.0 - blood / 1500.0), rel=1e-6)
    little = pc.scaled_clearance(drug, replace(ADULT, cyp3a4=6.0 * ONE), ADULT)[0]
    assert little == pytest.approx(clint / 1000.0, rel=1e-3)


def test_an_adult_whose_liver_would_clear_more_than_it_is_given_is_refused() -> None:
    with pytest.raises(ValueError, match="hepatic blood flow"):
        pc.scaled_clearance(pc.drugs()["fentanyl"], ADULT, replace(ADULT, hepatic_flow=500.0 * ONE))


def test_another_body_can_be_put_in_its_place(rows: pd.DataFrame) -> None:
    def without_kidneys(*covariates: pc.Floats) -> pc.Body:
        body = pc.body_of(*covariates)
        return replace(body, gfr=body.gfr * np.where(covariates[0] < 18.0, 0.0, 1.0))

    changed = pc.predictions(without_kidneys)
    mine = changed[changed["drug"] == "amikacin"]
    weight, drug = mine["weight_kg"].to_numpy(float), pc.drugs()["amikacin"]
    rest = 0.04 * drug.clearance * drug.weight * (weight / drug.weight) ** 0.75 / weight
    assert mine["predicted"].to_numpy() == pytest.approx(rest, rel=1e-12)
    assert (changed["predicted"] <= rows["predicted"]).all()


def test_a_small_group_is_not_judged() -> None:
    names = np.array(["a", "b", "c"])
    assert pc.judge(np.ones(3), np.ones(3), names).verdict == "reported, not judged"
    ten = pc.judge(np.ones(10), np.ones(10), np.array(list("abcdeabcde")))
    assert ten.verdict == "met" and ten.gmfe.value == 1.0
    assert pc.judge(np.full(10, 3.0), np.ones(10), np.array(list("abcdeabcde"))).verdict == "missed"


def test_bands_follow_age_and_gestation() -> None:
    assert pc.band(0.0, 30.5) == "preterm"
    assert [pc.band(age, 40.0) for age in (0.0, 0.5, 1.0, 17.9)] == ["birth-1 month", "1-12 months", "1-2 y", "12-18 y"]


@pytest.mark.parametrize(
    ("group", "n", "studies", "figure", "within_2"), [("GFR", 56, 20, 1.304, 1.0), ("CYP3A4", 54, 9, 1.644, 0.78)]
)
def test_figures(rows: pd.DataFrame, group: str, n: int, studies: int, figure: float, within_2: float) -> None:
    j = pc.judge_rows(rows[rows["group"] == group])
    assert (j.n, j.studies) == (n, studies)
    assert j.gmfe.value == pytest.approx(figure, abs=0.004)
    assert j.within_2.value == pytest.approx(within_2, abs=0.01)
    assert j.gmfe.lo95 < j.gmfe.value < j.gmfe.hi95


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.xfail(strict=True, reason="missed; docs/pediatric-clearance.md says by how much and why")
def test_the_target_is_met(rows: pd.DataFrame, group: str) -> None:
    assert pc.judge_rows(rows[rows["group"] == group]).verdict == "met"


def test_other_adult_references_move_what_the_page_says() -> None:
    def figure(name: str, group: str) -> float:
        rows = pc.predictions(facts=pc.drugs(page.other_adults()[name]))
        return pc.judge_rows(rows[rows["group"] == group]).gmfe.value

    assert figure("of the first two searches", "GFR") == pytest.approx(1.305, abs=0.002)
    assert figure("of the first two searches", "CYP3A4") == pytest.approx(1.602, abs=0.004)
    assert figure("Walker 1979 (amikacin) by its profile", "GFR") < pc.TARGET_GMFE  # so the verdict hangs on it


@pytest.mark.parametrize(
    ("element", "factor"),
    [
        ("hepatic blood flow", np.nan),
        ("liver mass, or CYP3A4 per gram", 3.6),
        ("liver mass, its flow in proportion", 2.5),
        ("AGP in plasma (unbound fraction)", 0.16),
        ("clearance of the reference adult", np.nan),
    ],
)
def test_no_single_element_explains_infants_within_what_was_measured(element: str, factor: float) -> None:
    mine = infants.groups()
    assert sum(len(g.observed) for g in mine) == 8
    assert infants.needed(mine, infants.ELEMENTS[element]) == pytest.approx(factor, rel=0.02, nan_ok=True)


def test_the_needed_factor_of_a_drug_far_below_blood_flow_is_the_missing_ratio() -> None:
    drug = replace(pc.drugs()["alfentanil"], f_gfr=0.0, f_cyp3a4=1.0, clearance=0.001)
    child = replace(ADULT, albumin=ONE)
    pair = pc.Pair(drug, np.zeros(1, dtype=int), child, ADULT)
    group = [infants.Group(pair, 2.0 * pc.scaled_clearance(drug, child, ADULT) / 70.0)]
    assert infants.needed(group, infants.ELEMENTS["liver mass, or CYP3A4 per gram"]) == pytest.approx(2.0, rel=1e-3)
    assert infants.needed(group, infants.ELEMENTS["clearance of the reference adult"]) == pytest.approx(2.0, rel=1e-3)
    assert np.isnan(infants.needed(group, infants.ELEMENTS["hepatic blood flow"]))


def test_filtration_by_our_gfr_alone_reaches_the_peer_where_both_predict() -> None:
    alone = pc.predictions(scaling=page.filtration_alone)
    alone = alone[alone["group"] == "GFR"]
    j = pc.judge_rows(alone[alone["pksim_ratio"].notna()])
    assert j.n == 39 and j.gmfe.value <= 1.258017 and j.within_2.value >= 38 / 39 - 1e-9
    assert pc.judge_rows(alone).gmfe.value == pytest.approx(1.308, abs=0.004)  # on all values it misses as well


@pytest.fixture(scope="module")
def tables() -> dict[choice.Candidate, pd.DataFrame]:
    return choice.by_candidate()


def test_candidates_are_independent_curves_with_the_protein_their_basis_asks_for() -> None:
    found = {(c.curve, c.protein) for c in choice.candidates()}
    assert not any(curve in choice.NOT_INDEPENDENT for curve, _ in found)
    assert ("pksim", None) in found and ("salem_2014", "barter_2008") in found and len(found) == 7


def test_the_held_out_drug_has_no_say_in_the_choice(tables: dict[choice.Candidate, pd.DataFrame]) -> None:
    folds, rows = choice.leave_one_drug_out(tables)
    spoiled = {c: t.assign(ratio=np.where(t["drug"] == "alfentanil", 100.0, t["ratio"])) for c, t in tables.items()}
    again, _ = choice.leave_one_drug_out(spoiled)
    before = {f.drug: (f.chosen, f.others) for f in folds}
    after = {f.drug: (f.chosen, f.others) for f in again}
    assert before["alfentanil"] == after["alfentanil"] and before["sufentanil"] != after["sufentanil"]
    assert len(rows) == len(next(iter(tables.values()))) and set(rows["drug"]) == {f.drug for f in folds}


def test_which_curve_wins_with_each_drug_left_out(tables: dict[choice.Candidate, pd.DataFrame]) -> None:
    folds, rows = choice.leave_one_drug_out(tables)
    assert len({f.chosen for f in folds}) > 1  # with both sources of protein no curve wins every fold
    assert choice.gmfe_of(rows) == pytest.approx(1.716, abs=0.004)
    fixed = {c: t for c, t in tables.items() if c.protein in (None, "barter_2008")}  # protein as the model has it
    folds, rows = choice.leave_one_drug_out(fixed)
    assert {f.chosen.curve for f in folds} == {"pksim"} == {ontogeny_sources("CYP3A4")[0]}
    assert choice.gmfe_of(rows) == pytest.approx(1.644, abs=0.004)


def test_the_page_has_todays_figures() -> None:
    text, drawing = page.report()
    assert page.PAGE.read_text(encoding="utf-8") == page.written(page.PAGE.read_text(encoding="utf-8"), text), (
        "run scripts/maintenance/pediatric_clearance.py --write"
    )
    assert page.PICTURE.read_text(encoding="utf-8") == drawing
    assert drawing.count("<title>") == 110
