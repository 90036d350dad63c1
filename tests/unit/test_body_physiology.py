"""Body stage: equations against published vectors, conservation to 1e-12, findings, priors, speed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body import equations
from pharmtwin.body.anatomy.organs import organ_masses
from pharmtwin.body.anatomy.reference import Reference, reference
from pharmtwin.body.checks import body_findings, completed
from pharmtwin.body.content.blood import haematocrit
from pharmtwin.body.draws import body_draws
from pharmtwin.body.physiology import body_of, physiology, wide
from pharmtwin.facts import fact_table
from pharmtwin.tables import conform


def twins(n: int = 500, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    height = rng.uniform(150, 195, n)
    return pd.DataFrame(
        {
            "twin_id": [f"twin{i:05d}" for i in range(n)],
            "sex": rng.choice(["M", "F"], n),
            "age_y": rng.uniform(18, 100, n),
            "weight_kg": rng.uniform(17, 45, n) * (height / 100) ** 2,
            "height_cm": height,
            "creatinine_mg_dl": rng.uniform(0.4, 5.0, n),
        }
    )


def one(**changed: Any) -> pd.DataFrame:
    row = {
        "twin_id": "a",
        "sex": "M",
        "age_y": 35.0,
        "weight_kg": 73.0,
        "height_cm": 176.0,
        "creatinine_mg_dl": 0.9,
    }
    return pd.DataFrame([row | changed])


def test_size_equations_by_hand() -> None:
    weight, height = np.array([70.0, 70.0]), np.array([170.0, 170.0])
    assert equations.body_surface_area(weight, height)[0] == pytest.approx((170 * 70 / 3600) ** 0.5)
    bmi = 70 / 1.7**2
    ffm = equations.fat_free_mass(weight, height, np.array([False, True]))
    assert ffm == pytest.approx([9270 * 70 / (6680 + 216 * bmi), 9270 * 70 / (8780 + 244 * bmi)])


def test_cardiac_output_falls_half_a_percent_a_year_and_is_the_reference_at_35() -> None:
    factor = equations.cardiac_output_age_factor(np.array([18.0, 25.0, 35.0, 85.0]))
    assert factor == pytest.approx([1 / 0.95, 1 / 0.95, 1.0, 0.70 / 0.95])


@pytest.mark.parametrize(("sex", "weight", "height", "output"), [("M", 73.0, 176.0, 390.0), ("F", 60.0, 163.0, 354.0)])
def test_the_reference_adult_is_returned_unchanged(sex: str, weight: float, height: float, output: float) -> None:
    body = wide(physiology(one(sex=sex, weight_kg=weight, height_cm=height))).iloc[0]
    sheet = fact_table("physiology/reference_organs.tsv")
    sheet = sheet[(sheet["sex"] == sex) & sheet["mass_kg"].notna()]
    for row in sheet.itertuples():
        if row.organ != "liver":
            assert body[f"V_{row.organ}"] == pytest.approx(row.mass_kg / row.density_kg_per_L, rel=1e-12)
            if row.organ not in ("venous", "arterial"):
                assert body[f"Q_{row.organ}"] == pytest.approx(row.flow_fraction * output, rel=1e-12)
    # the liver is its equation's: 6.7 % (M), 2.9 % (F) below ICRP 89
    assert body["V_liver"] == pytest.approx((-794.41 + 1267.28 * (weight * height / 3600) ** 0.5) / 1000)
    assert body["V_liver"] * 1.05 / (1.8 if sex == "M" else 1.4) == pytest.approx(
        0.933 if sex == "M" else 0.971, abs=5e-4
    )
    assert body["CO"] == pytest.approx(output)
    q_hepatic = body[["Q_liver", "Q_gut", "Q_pancreas", "Q_spleen"]].sum()
    assert q_hepatic / body["CO"] == pytest.approx(0.255 if sex == "M" else 0.275)


def test_masses_sum_to_body_mass_and_flows_to_cardiac_output() -> None:
    table = twins()
    body, ref = wide(physiology(table)), reference()
    sex = (table["sex"] == "F").to_numpy().astype(int)
    volumes = body[[f"V_{organ}" for organ in ref.organs]].to_numpy()
    assert np.allclose(
        (volumes * ref.density[sex]).sum(axis=1) / table["weight_kg"].to_numpy(), 1.0, rtol=0, atol=1e-12
    )
    parallel = [c for c in body if c.startswith("Q_") and c != "Q_lung"]
    assert np.allclose(body[parallel].sum(axis=1) / body["CO"], 1.0, rtol=0, atol=1e-12)
    assert (body["Q_lung"] == body["CO"]).all()
    assert (body.to_numpy() > 0).all()
    assert body["V_venous"].to_numpy() == pytest.approx(2 * body["V_arterial"].to_numpy())
    density = table["weight_kg"].to_numpy() / volumes.sum(axis=1)
    assert ((density > 0.97) & (density < 1.08)).all()


def test_organs_grow_as_stated() -> None:
    small, large = (wide(physiology(one(weight_kg=w))).iloc[0] for w in (60.0, 120.0))
    assert small["V_brain"] == large["V_brain"]
    assert large["V_skin"] / small["V_skin"] == pytest.approx(2**0.5)
    assert large["V_heart"] / small["V_heart"] == pytest.approx(large["FFM"] / small["FFM"])
    assert large["V_adipose"] > 3 * small["V_adipose"]


def test_a_thin_muscular_body_keeps_essential_fat_and_says_so() -> None:
    table = one(weight_kg=50.0, height_cm=190.0)
    body = wide(physiology(table)).iloc[0]
    assert body["V_adipose"] * 0.916 == pytest.approx(0.03 * 50.0)
    organs = organ_masses(np.array([50.0]), np.array([190.0]), np.array([35.0]), np.array([False]))
    assert 0.8 < organs.shrink[0] < 1.0 and organs.mass.sum() == pytest.approx(50.0, rel=1e-12)
    assert body["FFM"] == pytest.approx(organs.lean[0])
    (note,) = [f for f in body_findings(table) if f.rule == "body.lean"]
    assert (note.rule, note.severity, note.row) == ("body.lean", "note", 2)


def test_ordinary_bodies_are_silent() -> None:
    rng = np.random.default_rng(3)
    height = rng.uniform(160, 175, 500)
    table = twins(500).assign(
        age_y=rng.uniform(20, 75, 500),
        height_cm=height,
        weight_kg=rng.uniform(21, 32, 500) * (height / 100) ** 2,
        creatinine_mg_dl=rng.uniform(0.6, 1.1, 500),
    )
    assert body_findings(table) == []


def test_every_error_is_said_at_once_at_its_line() -> None:
    rows = [
        one(sex="X"),
        one(age_y=np.nan),
        one(creatinine_mg_dl=88.0),
        one(weight_kg="heavy"),
        one(weight_kg=20.0, height_cm=195.0),
        one(age_y=101.0),
        one(conditions="measles"),
        one(conditions="pregnancy:20wk"),
        one(),
    ]
    table = pd.concat(rows, ignore_index=True).assign(row=range(12, 21))
    found = [f for f in body_findings(table, "cohort.tsv") if f.severity == "error"]
    assert {(f.row, f.rule) for f in found} == {
        (12, "body.not_imputable"),
        (13, "body.not_imputable"),
        (14, "kidney.creatinine_unit"),
        (15, "body.number"),
        (16, "body.impossible"),
        (17, "body.age"),
        (18, "conditions.unknown"),
        (19, "conditions.sex"),
    }
    with pytest.raises(KeyError, match="sex"):
        physiology(table.drop(columns="sex"))
    (columns,) = body_findings(table.drop(columns="sex"))
    assert columns.rule == "body.columns"


def test_kidney_flow_of_an_infant_follows_the_typical_gfr_of_its_size_and_gestation() -> None:
    rows = [(0.02, 3.4, 51.0, 40.0), (0.02, 1.6, 41.0, 31.0), (0.5, 7.7, 67.0, 40.0), (0.5, 9.5, 67.0, 40.0)]
    table = pd.concat([one(twin_id=f"i{k}", creatinine_mg_dl=np.nan) for k in range(4)], ignore_index=True)
    table[["age_y", "weight_kg", "height_cm", "gestational_age_wk"]] = rows
    body = wide(physiology(table))
    filtered = (body["GFR_healthy"] / (body["Q_kidney"] * (1.0 - haematocrit(table["age_y"], False).value))).to_numpy()
    assert filtered == pytest.approx(filtered[0], rel=1e-9) and filtered[0] == pytest.approx(0.17, abs=0.003)
    share = (body["Q_kidney"] / body["CO"]).to_numpy()
    assert share[1] < 0.7 * share[0] < 0.7 * share[2] < 0.7 * share[3] < 0.1


def test_a_body_that_cannot_be_computed_is_named() -> None:
    with pytest.raises(ValueError, match="a: no V_"):
        physiology(one(weight_kg=np.nan))


def test_tables_keep_their_schemas() -> None:
    body = body_of(twins(20))
    table = body.table()
    pd.testing.assert_frame_equal(conform("body", table), table)
    priors = conform("priors", body.priors())
    assert len(priors) == 20 and set(priors["parameter"]) == {"GFR"}
    adults = twins(20)["age_y"] >= 25
    assert set(priors["scale"][adults.to_numpy()]) == {0.206} and set(priors["unit"]) == {"L/h"}
    assert priors["location"].to_numpy() == pytest.approx(wide(table)["GFR"].to_numpy())
    assert priors["source"].str.startswith("CKD-EPI 2021 creatinine").sum() == adults.sum()


def test_without_a_marker_gfr_is_typical_and_wide_and_says_so() -> None:
    table = one(creatinine_mg_dl=np.nan)
    body = body_of(table)
    assert body.priors()["scale"].iloc[0] > 0.2 and "typical" in body.kidney.method[0]
    assert body.columns["GFR"][0] == pytest.approx(body.columns["GFR_healthy"][0])
    assert [(f.rule, f.severity) for f in body_findings(table)] == [("body.gfr_typical", "note")]
    measured = body_of(one(creatinine_mg_dl=np.nan, gfr_ml_min=50.0))
    assert measured.columns["GFR"][0] == pytest.approx(3.0) and body_findings(one(gfr_ml_min=90.0)) == []


def test_ages_from_birth_to_old_age_close_with_and_without_conditions() -> None:
    rng, n, ref = np.random.default_rng(5), 2000, reference()
    age = rng.uniform(0, 95, n)
    table = completed(
        pd.DataFrame(
            {"twin_id": [f"t{i}" for i in range(n)], "sex": rng.choice(["M", "F"], n), "age_y": age}
        ).assign(weight_kg=np.nan, height_cm=np.nan)
    )  # fmt: skip
    adult = (age > 20) & (age < 45) & (table["sex"] == "F")
    table["conditions"] = np.where(adult, "pregnancy:30wk", np.where(age > 50, "ckd:G4; nyha:III", ""))
    table.loc[(age > 45) & (age <= 50), "conditions"] = "child_pugh:C"
    body = wide(physiology(table))
    sex = (table["sex"] == "F").to_numpy().astype(int)
    volumes = body[[f"V_{organ}" for organ in ref.organs]].to_numpy()
    assert (volumes * ref.density[sex]).sum(axis=1) == pytest.approx(table["weight_kg"].to_numpy(), rel=1e-9)
    parallel = [c for c in body if c.startswith("Q_") and c != "Q_lung"]
    assert body[parallel].sum(axis=1).to_numpy() == pytest.approx(body["CO"].to_numpy(), rel=1e-9)
    assert (body[[c for c in body if c[:2] in ("V_", "Q_")]].to_numpy() > 0).all()


def test_pregnancy_adds_its_masses_to_the_woman_before() -> None:
    woman = one(sex="F", age_y=28.0, weight_kg=60.0, height_cm=165.0, creatinine_mg_dl=np.nan)
    before, week30 = (
        wide(physiology(t)).iloc[0] for t in (woman, woman.assign(weight_kg=69.0, conditions="pregnancy:30wk"))
    )
    assert week30["V_brain"] == before["V_brain"] and week30["V_heart"] == pytest.approx(before["V_heart"], rel=0.05)
    assert week30["V_rest"] > before["V_rest"] + 3 and week30["V_venous"] > 1.2 * before["V_venous"]
    assert week30["GFR"] > 1.3 * before["GFR"] and week30["haematocrit"] < before["haematocrit"]
    assert week30["enzyme_CYP2D6"] > 1.2 and week30["enzyme_CYP1A2"] < 0.7


def test_a_measured_value_is_not_changed_by_a_condition() -> None:
    sick = one(conditions="child_pugh:B")
    typical = wide(physiology(sick)).iloc[0]
    own = wide(physiology(sick.assign(albumin_g_l=41.0, agp_g_l=0.8, haematocrit=0.44))).iloc[0]
    assert typical["albumin"] < 32 and own["albumin"] == 41.0 and own["AGP"] == 0.8 and own["haematocrit"] == 0.44


def test_only_uncertain_bodies_are_drawn_and_each_by_its_name() -> None:
    known, child = one(), one(twin_id="c", age_y=0.5, weight_kg=7.5, height_cm=67.0, creatinine_mg_dl=0.25)
    unweighed = one(twin_id="u", weight_kg=np.nan)
    draws = body_draws(pd.concat([known, child, unweighed], ignore_index=True), 50, 7)
    assert set(draws["twin_id"]) == {"c", "u"}
    sd = draws.assign(log=np.log(draws["value"])).groupby(["twin_id", "quantity"])["log"].std()
    assert sd["c", "V_liver"] < 1e-9 and sd["c", "enzyme_CYP3A4"] == pytest.approx(0.77 * (1 - 0.475), rel=0.3)
    assert sd["u", "enzyme_CYP3A4"] < 1e-9 and sd["u", "V_muscle"] > 0.02
    alone = body_draws(unweighed, 50, 7)
    mine = draws[draws["twin_id"] == "u"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone)
    assert body_draws(known, 50, 7).empty


def test_a_body_does_not_depend_on_who_stands_beside_it() -> None:
    child = one(twin_id="c", age_y=0.7, weight_kg=8.5, height_cm=70.0, creatinine_mg_dl=0.3, conditions="")
    sick = one(twin_id="s", conditions="child_pugh:B")
    alone, together = physiology(child), physiology(pd.concat([child, sick], ignore_index=True))
    mine = together[together["twin_id"] == "c"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, mine)


GAIN_30 = 12.37  # kg at 30 weeks (Kapraun 2019)


def test_a_pregnant_body_is_judged_by_the_woman_before() -> None:
    thin = one(
        sex="F", age_y=25.0, weight_kg=36.0, height_cm=165.0, conditions="pregnancy:40wk", creatinine_mg_dl=np.nan
    )
    found = [f for f in body_findings(thin) if f.severity == "warning"]
    assert {f.rule for f in found} == {"body.unlikely"} and {f.value for f in found} == {"21.9"}  # 36 kg less the gain
    unweighed = one(sex="F", age_y=25.0, weight_kg=np.nan, conditions="pregnancy:30wk", creatinine_mg_dl=np.nan)
    woman = completed(unweighed.assign(conditions=""))["weight_kg"].iloc[0]
    assert completed(unweighed)["weight_kg"].iloc[0] == pytest.approx(woman + GAIN_30, abs=0.05)


def test_gfr_of_a_stage_is_as_wide_as_the_stage_and_named_so() -> None:
    prior = body_of(one(age_y=60.0, creatinine_mg_dl=np.nan, conditions="ckd:G4")).priors().iloc[0]
    assert prior["source"].startswith("middle of ckd:G4") and prior["scale"] == pytest.approx(0.19, abs=0.01)
    liver = body_of(one(age_y=60.0, creatinine_mg_dl=np.nan, conditions="child_pugh:C")).priors().iloc[0]
    assert "by child_pugh:C" in liver["source"] and liver["scale"] > 0.3


def test_an_effect_without_a_published_spread_is_not_taken_as_exact() -> None:
    draws = body_draws(one(conditions="child_pugh:B"), 200, 3)
    spread = np.log(draws.loc[draws["quantity"] == "enzyme_CYP3A4", "value"]).std()
    assert spread == pytest.approx(0.5 * abs(np.log(0.4)), rel=0.2)


def test_a_newborn_is_told_one_thing_about_creatinine() -> None:
    newborn = one(age_y=0.02, weight_kg=3.4, height_cm=50.0, creatinine_mg_dl=0.7)
    assert [f.rule for f in body_findings(newborn)] == ["kidney.creatinine_newborn"]
    early = newborn.assign(weight_kg=1.2, height_cm=38.0, gestational_age_wk=29.0)
    assert "body.preterm_enzymes" in {f.rule for f in body_findings(early)}


def test_wide_keeps_the_order_of_twins() -> None:
    table = twins(30).sample(frac=1.0, random_state=2)
    assert list(wide(physiology(table)).index) == list(table["twin_id"])


def test_rest_cannot_be_eaten_by_the_named_organs() -> None:
    organs, bodies = fact_table("physiology/reference_organs.tsv"), fact_table("physiology/reference_bodies.tsv")
    organs.loc[organs["organ"] == "muscle", "mass_kg"] = 60.0
    with pytest.raises(ValueError, match="leave no mass"):
        Reference.create(organs, bodies)


def test_every_sheet_is_sourced_and_listed() -> None:
    versions = fact_table("versions.tsv")
    versions = versions[
        versions["table"].str.startswith("physiology/") & versions["table"].str.endswith(".tsv")
    ].set_index("table")
    for name, row in versions.iterrows():
        sheet = fact_table(str(name))
        assert len(sheet) == row["rows"], name
        assert sheet["source"].notna().all(), name
