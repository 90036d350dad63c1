"""Imputation: the conditional normal, its width, determinism, refusals, values that cannot be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body.people.cohort import cohort
from pharmtwin.body.people.imputation import ALBUMIN, IMPUTABLE, extreme_findings, impute
from pharmtwin.body.people.survey import survey_model


def _twins(**columns: list) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    start: dict[str, list] = {"twin_id": [f"T{i}" for i in range(n)], "sex": ["M"] * n, "age_y": [40.0] * n}
    return pd.DataFrame(start | columns)


def test_the_mean_and_sd_are_those_of_the_bivariate_normal() -> None:
    twins = _twins(height_cm=[190.0])
    line = impute(twins, ["weight_kg"]).table.iloc[0]
    who = np.array([40.0]), np.array([False])
    r = survey_model().correlation(*who)[0, 0, 1]
    u = survey_model().score("height", np.array([190.0]), *who)[0]
    assert line["mean"] == pytest.approx(r * u) and line["sd"] == pytest.approx(np.sqrt(1 - r**2))
    value = survey_model().value("weight", np.array([r * u]), *who)[0]
    assert line["median"] == pytest.approx(value)
    assert line["given"] == "sex, age_y, height_cm"


def test_ancestry_and_other_values_enter() -> None:
    twins = _twins(height_cm=[np.nan] * 3, weight_kg=[80.0, 80.0, 130.0], ancestry=["EUR", "EAS", "EUR"])
    table = impute(twins, ["height_cm"]).table
    european, asian, heavy = table["median"]
    assert european > asian + 2 and heavy > european + 2


def test_everything_missing_is_the_population() -> None:
    table = impute(_twins(age_y=[30.0])).table
    assert list(table["column"]) == list(IMPUTABLE)
    scores = table[table["scale"] == "score"]
    np.testing.assert_allclose(scores["mean"], 0.0, atol=1e-9)
    np.testing.assert_allclose(scores["sd"], 1.0, atol=1e-9)


def test_draws_have_the_stated_distribution_and_correlation() -> None:
    done = impute(_twins(age_y=[30.0]), ["height_cm", "weight_kg", ALBUMIN])
    height, weight, albumin = done.draws(3, 20_000)
    for values, line in zip((height, weight, albumin), done.table.to_dict("records")):
        low, middle, high = np.quantile(values, [0.1587, 0.5, 0.8413])
        np.testing.assert_allclose([low, middle, high], [line["low"], line["median"], line["high"]], rtol=0.02)
    r = survey_model().correlation(np.array([30.0]), np.array([False]))[0, 0, 1]
    assert np.corrcoef(height, np.log(weight))[0, 1] == pytest.approx(r, abs=0.03)
    assert abs(np.corrcoef(height, albumin)[0, 1]) < 0.03


def test_draws_belong_to_the_twin_not_to_its_place() -> None:
    twins = _twins(height_cm=[170.0, 180.0, 190.0])
    done, turned = impute(twins), impute(twins.iloc[::-1].reset_index(drop=True))
    a = pd.DataFrame(done.draws(1, 6), index=pd.MultiIndex.from_frame(done.table[["twin_id", "column"]]))
    b = pd.DataFrame(turned.draws(1, 6), index=pd.MultiIndex.from_frame(turned.table[["twin_id", "column"]]))
    np.testing.assert_allclose(a.sort_index(), b.sort_index())
    np.testing.assert_allclose(done.draws(1, 20)[:, :6], done.draws(1, 6))
    assert not np.allclose(done.draws(1, 6), done.draws(2, 6))
    only = impute(twins, ["weight_kg"])
    at = (done.table["column"] == "weight_kg").to_numpy()
    np.testing.assert_allclose(only.draws(1, 6), done.draws(1, 6)[at])  # whatever else is wanted


def test_filled_keeps_what_is_known_and_says_the_rest() -> None:
    twins = _twins(height_cm=[170.0, np.nan], weight_kg=[np.nan, 70.0])
    done = impute(twins, ["height_cm", "weight_kg"], file="my.tsv")
    full = done.filled()
    assert full["height_cm"].iloc[0] == 170.0 and full["weight_kg"].iloc[1] == 70.0
    assert full[["height_cm", "weight_kg"]].notna().all(axis=None)
    assert [(f.rule, f.row, f.column, f.severity) for f in done.findings] == [
        ("body.imputed", 2, "weight_kg", "note"),
        ("body.imputed", 3, "height_cm", "note"),
    ]
    assert "at one sd" in done.findings[0].what and done.findings[0].file == "my.tsv"
    drawn = done.draw(1, 2)
    assert drawn["weight_kg"].iloc[0] == pytest.approx(done.draws(1, 3)[0, 2])


def test_nothing_missing_is_nothing_said() -> None:
    twins = _twins(height_cm=[175.0], weight_kg=[80.0])
    done = impute(twins, ["height_cm", "weight_kg"])
    assert done.table.empty and not done.findings and done.draws(1, 3).shape == (0, 3)
    pd.testing.assert_frame_equal(done.filled(), twins)


def test_age_sex_and_broken_numbers_are_errors_not_guesses() -> None:
    twins = _twins(sex=["M", "", "F", "F"], age_y=[np.nan, 30.0, 30.0, 30.0], weight_kg=[70, 70, -5, "heavy"])
    done = impute(twins, ["height_cm", "weight_kg"])
    assert done.table.empty
    assert {(f.rule, f.row, f.column, f.severity) for f in done.findings} == {
        ("body.not_imputable", 2, "age_y", "error"),
        ("body.not_imputable", 3, "sex", "error"),
        ("body.number", 4, "weight_kg", "error"),
        ("body.number", 5, "weight_kg", "error"),
    }


def test_preterm_infants_are_not_made_up() -> None:
    twins = _twins(age_y=[0.1, 0.1, 5.0], gestational_age_wk=[30.0, 40.0, 30.0], weight_kg=[2.4, 4.4, 18.0])
    done = impute(twins, ["height_cm"])
    assert list(done.table["row"]) == [1, 2]
    assert [(f.rule, f.row) for f in done.findings if f.severity == "error"] == [("body.not_imputable", 2)]


def test_unknown_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot impute"):
        impute(_twins(height_cm=[170.0]), ["shoe_size"])


@pytest.mark.parametrize(
    ("row", "rule", "column"),
    [
        ({"height_cm": 100.0}, "body.extreme", "height_cm"),  # an adult of 1 m
        ({"age_y": 5.0, "height_cm": 175.0}, "body.extreme", "height_cm"),
        ({"age_y": 0.5, "weight_kg": 40.0}, "body.extreme", "weight_kg"),
        ({"height_cm": 190.0, "weight_kg": 38.0}, "body.unlikely", "weight_kg"),
        ({"creatinine_mg_dl": 88.0}, "body.impossible", "creatinine_mg_dl"),  # umol/L
        ({"creatinine_mg_dl": 16.0}, "body.unlikely", "creatinine_mg_dl"),  # dialysis: rare, not impossible
        ({"haematocrit": 45.0}, "body.impossible", "haematocrit"),  # per cent
        ({"height_cm": 60.0, "weight_kg": 80.0}, "body.impossible", "weight_kg"),  # body mass index 222
    ],
)
def test_what_cannot_be_is_an_error_and_what_is_rare_a_warning(row: dict, rule: str, column: str) -> None:
    found = extreme_findings(_twins(**{k: [v] for k, v in row.items()}))
    severity = "error" if rule in ("body.impossible", "body.extreme") else "warning"
    assert (rule, column, severity) in {(f.rule, f.column, f.severity) for f in found}


PRETERM = {"age_y": 0.0575, "gestational_age_wk": 28.0, "sex": "F"}


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({**PRETERM, "weight_kg": 1.4, "height_cm": 40.0, "creatinine_mg_dl": 1.2}, set()),
        ({**PRETERM, "weight_kg": 14.0, "height_cm": 40.0}, {("body.extreme", "weight_kg", "error")}),
        ({**PRETERM, "weight_kg": 1.4, "height_cm": 80.0}, {("body.impossible", "weight_kg", "error")}),
        ({**PRETERM, "weight_kg": 8.0, "height_cm": 80.0}, {("body.extreme", "height_cm", "error")}),
        ({**PRETERM, "age_y": 0.002, "gestational_age_wk": 23.0, "weight_kg": 0.48, "height_cm": 29.0}, set()),
        ({"weight_kg": 14.0, "height_cm": 158.0}, {("body.impossible", "weight_kg", "error")}),  # 5.6 kg/m2, adult
    ],
)
def test_preterm_infants_may_be_small_but_not_large(row: dict, wanted: set) -> None:
    found = {(f.rule, f.column, f.severity) for f in extreme_findings(_twins(**{k: [v] for k, v in row.items()}))}
    assert {f for f in found if f[2] == "error"} >= wanted and bool(found) == bool(wanted)


def test_a_tiny_infant_without_gestational_age_may_be_born_early() -> None:
    small = _twins(age_y=[0.0575], weight_kg=[1.4], height_cm=[40.0])
    found = extreme_findings(small)
    assert found and all("gestational_age_wk" in f.fix for f in found)
    told = extreme_findings(small.assign(gestational_age_wk=40.0))
    assert told and not any("gestational_age_wk" in f.fix for f in told)


def test_an_extreme_size_says_that_it_can_be_accepted() -> None:
    (found,) = [f for f in extreme_findings(_twins(height_cm=[100.0])) if f.rule == "body.extreme"]
    assert "put body.extreme into the column accept" in found.fix


def test_ordinary_people_pass() -> None:
    people = cohort(3000, 8, age=(0, 95)).people
    found = extreme_findings(people)
    assert not [f for f in found if f.severity == "error"]
    assert len(found) < 8


def test_imputing_a_hidden_value_covers_it() -> None:
    """Hide the weights of a cohort: 68 % lie within one sd of what is imputed, 95 % within two."""
    people = cohort(3000, 11, age=(1, 80)).people
    hidden = people["weight_kg"].to_numpy()
    line = impute(people.assign(weight_kg=np.nan), ["weight_kg"]).table
    female = (people["sex"] == "F").to_numpy()
    u = survey_model().score("weight", hidden, people["age_y"].to_numpy(), female)
    z = (u - line["mean"].to_numpy()) / line["sd"].to_numpy()
    assert abs(z.mean()) < 0.06 and z.std() == pytest.approx(1.0, abs=0.04)
    assert (np.abs(z) < 1).mean() == pytest.approx(0.683, abs=0.03)
    assert (np.abs(z) < 2).mean() == pytest.approx(0.954, abs=0.015)
