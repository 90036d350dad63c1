"""Body stage: equations against published vectors, conservation to 1e-12, findings, priors, speed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body import equations
from pharmtwin.body.physiology import (
    Reference,
    body_priors,
    organ_masses,
    physiology,
    physiology_findings,
    reference,
    wide,
)
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


@pytest.mark.parametrize(
    ("creatinine", "age", "female", "expected"),
    [(1.0, 40, False, 97.58), (0.8, 60, True, 84.30), (2.0, 75, False, 34.16)],
)
def test_ckd_epi_2021_gives_the_published_values(creatinine: float, age: float, female: bool, expected: float) -> None:
    got = equations.egfr_ckd_epi_2021(np.array([creatinine]), np.array([age], dtype=float), np.array([female]))
    assert got[0] == pytest.approx(expected, abs=0.005)


def test_size_equations_by_hand() -> None:
    weight, height = np.array([70.0, 70.0]), np.array([170.0, 170.0])
    assert equations.body_surface_area(weight, height)[0] == pytest.approx((170 * 70 / 3600) ** 0.5)
    bmi = 70 / 1.7**2
    ffm = equations.fat_free_mass(weight, height, np.array([False, True]))
    assert ffm == pytest.approx([9270 * 70 / (6680 + 216 * bmi), 9270 * 70 / (8780 + 244 * bmi)])
    assert equations.absolute_gfr(np.array([100.0]), np.array([1.73]))[0] == pytest.approx(6.0)


def test_cardiac_output_falls_half_a_percent_a_year_and_is_the_reference_at_35() -> None:
    factor = equations.cardiac_output_age_factor(np.array([18.0, 25.0, 35.0, 85.0]))
    assert factor == pytest.approx([1 / 0.95, 1 / 0.95, 1.0, 0.70 / 0.95])


@pytest.mark.parametrize(("sex", "weight", "height", "output"), [("M", 73.0, 176.0, 390.0), ("F", 60.0, 163.0, 354.0)])
def test_the_reference_adult_is_returned_unchanged(sex: str, weight: float, height: float, output: float) -> None:
    body = wide(physiology(one(sex=sex, weight_kg=weight, height_cm=height))).iloc[0]
    sheet = fact_table("physiology/reference_organs.tsv")
    sheet = sheet[(sheet["sex"] == sex) & sheet["mass_kg"].notna()]
    for row in sheet.itertuples():
        assert body[f"V_{row.organ}"] == pytest.approx(row.mass_kg / row.density_kg_per_L, rel=1e-12)
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
    assert large["V_liver"] / small["V_liver"] == pytest.approx(large["FFM"] / small["FFM"])
    assert large["V_adipose"] > 3 * small["V_adipose"]


def test_a_thin_muscular_body_keeps_essential_fat_and_says_so() -> None:
    table = one(weight_kg=50.0, height_cm=190.0)
    body = wide(physiology(table)).iloc[0]
    assert body["V_adipose"] * 0.916 == pytest.approx(0.03 * 50.0)
    mass, shrink = organ_masses(np.array([50.0]), np.array([190.0]), np.array([False]))
    assert 0.8 < shrink[0] < 1.0 and mass.sum() == pytest.approx(50.0, rel=1e-12)
    (note,) = physiology_findings(table)
    assert (note.rule, note.severity, note.row) == ("body.lean", "note", 2)


def test_ordinary_bodies_are_silent() -> None:
    table = twins(2000, seed=3)
    bmi = table["weight_kg"] / (table["height_cm"] / 100) ** 2
    assert physiology_findings(table[bmi > 18.5]) == []


def test_every_error_is_said_at_once_and_stops() -> None:
    table = pd.concat(
        [
            one(sex="X"),
            one(age_y=12.0),
            one(creatinine_mg_dl=np.nan),
            one(weight_kg="heavy"),
            one(weight_kg=20.0, height_cm=195.0),
        ],
        ignore_index=True,
    )
    found = physiology_findings(table, "cohort.tsv")
    assert [(f.row, f.rule) for f in found] == [
        (2, "body.sex"),
        (3, "body.adult"),
        (4, "body.number"),
        (5, "body.number"),
        (6, "body.impossible"),
    ]
    assert found[0].message().startswith("cohort.tsv:2 sex [X] - ")
    with pytest.raises(ValueError, match=r"(?s)body\.sex.*body\.adult.*body\.number.*body\.impossible"):
        physiology(table)
    (columns,) = physiology_findings(table.drop(columns="sex"))
    assert columns.rule == "body.columns"


def test_tables_keep_their_schemas() -> None:
    body = physiology(twins(20))
    pd.testing.assert_frame_equal(conform("body", body), body)
    priors = conform("priors", body_priors(body))
    assert len(priors) == 20 and set(priors["parameter"]) == {"GFR"}
    assert set(priors["scale"]) == {0.206} and set(priors["unit"]) == {"L/h"}
    assert priors["location"].to_numpy() == pytest.approx(wide(body)["GFR"].to_numpy())


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
