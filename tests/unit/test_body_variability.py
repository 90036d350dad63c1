"""Residual variability: medians, spreads, correlations, closure, and draws that depend on nothing but their names."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body import variability
from pharmtwin.body.anatomy.composition import least_adipose
from pharmtwin.body.anatomy.flows import cardiac_output, organ_flows
from pharmtwin.body.anatomy.organs import organ_masses
from pharmtwin.body.anatomy.reference import BLOOD, reference
from pharmtwin.body.content.liver import abundance
from pharmtwin.body.equations import Bools, Floats
from pharmtwin.body.kidney.equations import kidney_coefficients
from pharmtwin.body.people.cohort import cohort
from pharmtwin.body.variability import (
    CORRELATIONS,
    STREAMS,
    TABLE,
    correlation_matrix,
    healthy_gfr,
    residual_factors,
    residual_sds,
    sd_log_of_cv,
    vary,
)
from pharmtwin.facts import fact_table

AT = reference().position()
MAN = tuple(np.array([x]) for x in (73.0, 176.0, 35.0)), np.array([False])
CYPS = [f"enzyme.{e}" for e in ("CYP3A4", "CYP3A5", "CYP2C8", "CYP2C9")]


def body(weight: Floats, height: Floats, age: Floats, female: Bools) -> tuple[Floats, Floats, Floats]:
    """Masses, flows and cardiac output by the covariates alone."""
    output = cardiac_output(weight, height, age, female)
    return organ_masses(weight, height, age, female).mass, organ_flows(output, age, female)[1], output


@pytest.fixture(scope="module")
def many() -> dict[str, Floats]:
    """20,000 draws of one twin."""
    return residual_factors(["T1"], 20000, 11, gfr_sd_log=0.2)


def test_medians_and_spreads_are_those_of_the_table(many: dict[str, Floats]) -> None:
    sds = residual_sds() | {"gfr": 0.2}
    assert set(many) == set(sds)
    for name, draws in many.items():
        logs = np.log(draws[0])
        assert abs(np.median(logs)) < 4 * 1.2533 * sds[name] / np.sqrt(20000), name
        assert np.std(logs) == pytest.approx(sds[name], rel=0.025), name
        assert np.mean(((logs - logs.mean()) / logs.std()) ** 3) == pytest.approx(0.0, abs=0.08), name


def test_spread_of_a_cv() -> None:
    draws = np.exp(sd_log_of_cv(0.5) * np.random.default_rng(1).standard_normal(400000))
    assert draws.std() / draws.mean() == pytest.approx(0.5, rel=0.02)
    assert residual_sds()["enzyme.CYP3A4"] == pytest.approx(np.sqrt(np.log(1 + abundance("CYP3A4").cv ** 2)))


def test_correlations_are_the_published_ones(many: dict[str, Floats]) -> None:
    ranks = pd.DataFrame({name: many[name][0] for name in many}).corr(method="spearman")
    published = fact_table(CORRELATIONS)
    published = published[published["statistic"] == "spearman"]
    assert len(published) == 4
    for row in published.itertuples():
        assert ranks.loc[row.quantity_a, row.quantity_b] == pytest.approx(row.correlation, abs=0.02)
    alone = ranks.drop(index=CYPS, columns=CYPS).to_numpy() - np.eye(len(ranks) - len(CYPS))
    assert np.abs(alone).max() < 0.035  # 5 standard errors


def test_pairs_nobody_published_are_independent_given_cyp3a4() -> None:
    matrix = correlation_matrix(CYPS)
    partial = np.linalg.inv(matrix)
    assert partial[1, 2] == pytest.approx(0.0, abs=1e-3) and partial[1, 3] == pytest.approx(0.0, abs=1e-3)
    assert np.linalg.eigvalsh(correlation_matrix(list(residual_sds())))[0] > 0.2
    without = matrix.copy()
    without[1, 2:] = without[2:, 1] = 0.0
    assert np.linalg.eigvalsh(without)[0] < 0  # zero would contradict the published pairs: docs/variability.md


def test_correlations_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    table = fact_table(CORRELATIONS).iloc[:4]
    monkeypatch.setattr(variability, "fact_table", lambda name: table)
    with pytest.raises(ValueError, match="not positive definite"):
        correlation_matrix(CYPS)


def test_draws_depend_on_seed_and_name_only() -> None:
    all_three = residual_factors(["A", "B", "C"], 3, 7)
    other = residual_factors(["C", "A"], 5, 7)
    for name in all_three:
        np.testing.assert_array_equal(all_three[name][2], other[name][0, :3])
        np.testing.assert_array_equal(all_three[name][0], other[name][1, :3])
    assert not np.array_equal(all_three["cardiac_output"][0], all_three["cardiac_output"][1])
    assert not np.array_equal(all_three["cardiac_output"], residual_factors(["A", "B", "C"], 3, 8)["cardiac_output"])


def test_a_new_quantity_changes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    table = fact_table(TABLE)
    before = residual_factors(["A", "B"], 4, 7)
    new = table[table["quantity"] == "volume.liver"].copy()
    new["quantity"], new["stream"] = "volume.thymus", 99
    grown, correlations = pd.concat([new, table], ignore_index=True), fact_table(CORRELATIONS)
    monkeypatch.setattr(variability, "fact_table", lambda name: grown.copy() if name == TABLE else correlations)
    after = residual_factors(["A", "B"], 4, 7)
    assert set(after) - set(before) == {"volume.thymus"}
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_table_is_consistent() -> None:
    table = fact_table(TABLE)
    streams = table.groupby("quantity")["stream"].agg(["nunique", "first"])
    assert (streams["nunique"] == 1).all() and not streams["first"].duplicated().any()
    assert table["stream"].between(0, STREAMS - 1).all()
    assert (table.groupby("quantity")["default"].sum() == 1).all()
    assert table["source"].notna().all() and table["checked"].notna().all()
    organs = {"blood" if organ in BLOOD else organ for organ in reference().organs} - {"adipose"}
    assert {q.removeprefix("volume.") for q in table["quantity"] if q.startswith("volume.")} == organs
    flows = set(reference().organs) - set(BLOOD) - {"lung", "rest"}
    assert {q.removeprefix("flow.") for q in table["quantity"] if q.startswith("flow.")} == flows


def test_choices() -> None:
    assert residual_sds({"cardiac_output": "rusinaru_2021"})["cardiac_output"] == pytest.approx(
        np.log(4.3 / 1.9) / (2 * 1.959964), abs=1e-4
    )
    plain, wide = (residual_factors(["A"], 2, 1, choices=c) for c in ({}, {"cardiac_output": "rusinaru_2021"}))
    ratio = np.log(wide["cardiac_output"]) / np.log(plain["cardiac_output"])
    np.testing.assert_allclose(ratio, 0.2084 / 0.1402)
    np.testing.assert_array_equal(plain["volume.liver"], wide["volume.liver"])
    with pytest.raises(KeyError, match="it has feng_2017, willmann_2007"):
        residual_sds({"volume.liver": "nobody"})
    with pytest.raises(KeyError, match=r"volume\.tail"):
        residual_sds({"volume.tail": "willmann_2007"})
    with pytest.raises(ValueError, match="at least one draw"):
        residual_factors(["A"], 0, 1)


def test_gfr_takes_the_own_spread_of_each_person() -> None:
    drawn = residual_factors(["A", "B", "C"], 1000, 3, gfr_sd_log=[0.1, 0.3, np.nan])["gfr"]
    assert np.log(drawn[:2]).std(axis=1) == pytest.approx([0.1, 0.3], rel=0.1)
    assert np.isnan(drawn[2]).all()
    assert "gfr" not in residual_factors(["A"], 1, 3)


def test_gfr_of_healthy_people_spreads_as_measured() -> None:
    """tau in all, whatever share of it the creatinine tells; an unusual creatinine moves the median by less than it."""
    c = kidney_coefficients("healthy_population")
    n = 20000
    typical = np.full(n, 100.0)
    z = np.random.default_rng(4).standard_normal(n)
    estimated = typical * np.exp(c["offset"] + c["sd_estimate"] * z)
    for told in (estimated, None, np.full(n, np.nan)):
        centre, sd = healthy_gfr(typical, told)
        drawn = np.log(centre * residual_factors([f"P{i}" for i in range(n)], 1, 5, gfr_sd_log=sd)["gfr"][:, 0])
        assert drawn.std() == pytest.approx(c["tau"], rel=0.02) and np.median(drawn) == pytest.approx(
            np.log(100), abs=0.01
        )
        seen = np.corrcoef(drawn, np.log(estimated))[0, 1]
        assert seen == pytest.approx(c["rho"] if told is estimated else 0.0, abs=0.02)
    low = healthy_gfr([100.0], [100.0 * np.exp(c["offset"]) * 0.8])[0]
    assert low[0] == pytest.approx(100.0 * 0.8 ** (0.45 * 0.145 / 0.15))
    assert np.isnan(healthy_gfr([np.nan], [90.0])[0][0])


def test_masses_and_flows_close_for_10000_people_of_all_ages() -> None:
    people = cohort(10000, 3, age=(0.0, 95.0), ages="uniform").people
    weight, height, age = (people[c].to_numpy(dtype=float) for c in ("weight_kg", "height_cm", "age_y"))
    female = people["sex"].to_numpy() == "F"
    mass, flow, output = body(weight, height, age, female)
    start = time.perf_counter()
    factors = residual_factors(list(people["twin_id"]), 1, 9)
    varied = vary(mass, flow, output, factors, age, female)
    assert time.perf_counter() - start < 5  # 0.5 s on an idle machine
    assert varied.mass.shape == (10000, 1, len(AT)) and (varied.mass > 0).all()
    np.testing.assert_allclose(varied.mass.sum(axis=-1)[:, 0], weight, rtol=1e-9)
    organs = [organ for organ in reference().organs if organ not in BLOOD]
    parallel = [i for i, organ in enumerate(organs) if organ != "lung"]
    np.testing.assert_allclose(varied.flow[..., parallel].sum(axis=-1), varied.cardiac_output, rtol=1e-9)
    np.testing.assert_array_equal(varied.flow[..., organs.index("lung")], varied.cardiac_output)
    hepatic = [organs.index(organ) for organ in ("liver", "gut", "pancreas", "spleen")]
    np.testing.assert_allclose(varied.liver_flow, varied.flow[..., hepatic].sum(axis=-1))
    fat = varied.mass[..., AT["adipose"]][:, 0]
    assert (fat >= least_adipose(age, female) * weight * (1 - 1e-9)).all()
    assert 0.8 < varied.shrink.min() < 1.0 and (varied.shrink < 1).mean() < 0.005


def test_spread_about_the_reference_man(many: dict[str, Floats]) -> None:
    covariates, female = MAN
    mass, flow, output = body(*covariates, female)
    varied = vary(mass, flow, output, many, covariates[2], female)
    for organ in ("liver", "kidney", "brain", "muscle"):
        logs = np.log(varied.mass[0, :, AT[organ]] / mass[0, AT[organ]])
        assert np.median(logs) == pytest.approx(0.0, abs=0.006)
        assert logs.std() == pytest.approx(residual_sds()[f"volume.{organ}"], rel=0.03)
    fat = varied.mass[0, :, AT["adipose"]]
    assert fat.std() == pytest.approx(3.0, abs=0.1)  # docs/variability.md
    assert np.quantile(fat, [0.025, 0.975]) == pytest.approx([8.1, 19.7], abs=0.25)
    ratio = varied.mass[0, :, AT["venous"]] / varied.mass[0, :, AT["arterial"]]
    np.testing.assert_allclose(ratio, 2.0, rtol=1e-9)  # one factor for all blood
    assert np.log(varied.cardiac_output).std() == pytest.approx(0.14, abs=0.003)
    assert np.log(varied.liver_flow / varied.cardiac_output).std() < 0.05
    sizes = np.corrcoef(np.log(varied.mass[0, :, AT["liver"]]), np.log(varied.liver_flow[0]))
    assert abs(sizes[0, 1]) < 0.03  # an organ's flow does not follow its mass


def test_no_factors_change_nothing_and_a_known_one_is_exact() -> None:
    covariates, female = MAN
    mass, flow, output = body(*covariates, female)
    same = vary(mass, flow, output, {}, covariates[2], female)
    np.testing.assert_allclose(same.mass, mass, rtol=1e-12)
    np.testing.assert_allclose(same.flow, flow, rtol=1e-12)
    given = {"volume.liver": np.array([1.5]), "flow.kidney": np.array([2.0]), "cardiac_output": np.array([0.5])}
    varied = vary(mass, flow, output, given, covariates[2], female)
    changed = np.zeros(len(AT))
    changed[AT["liver"]], changed[AT["adipose"]] = mass[0, AT["liver"]] / 2, -mass[0, AT["liver"]] / 2
    np.testing.assert_allclose(varied.mass[0], mass[0] + changed, rtol=1e-12)
    organs = [organ for organ in reference().organs if organ not in BLOOD]
    share = flow[0] / output[0]
    kidney, brain = organs.index("kidney"), organs.index("brain")
    assert varied.flow[0, kidney] / varied.cardiac_output[0] == pytest.approx(2 * share[kidney] / (1 + share[kidney]))
    assert varied.flow[0, brain] / varied.cardiac_output[0] == pytest.approx(share[brain] / (1 + share[kidney]))
    assert varied.cardiac_output[0] == pytest.approx(output[0] / 2)


def test_organs_that_do_not_fit_shrink_muscle_and_rest_or_are_refused() -> None:
    covariates, female = MAN
    mass, flow, output = body(*covariates, female)
    varied = vary(mass, flow, output, {"volume.liver": np.array([10.0])}, covariates[2], female)
    assert varied.shrink[0] < 1
    assert varied.mass[0, AT["adipose"]] == pytest.approx(0.03 * 73.0)
    assert varied.mass[0, AT["muscle"]] / mass[0, AT["muscle"]] == pytest.approx(varied.shrink[0])
    assert varied.mass.sum() == pytest.approx(73.0, rel=1e-12)
    with pytest.raises(ValueError, match="do not fit into body mass"):
        vary(mass, flow, output, {"volume.liver": np.array([100.0])}, covariates[2], female)


def test_unknown_covariates_stay_unknown() -> None:
    (weight, height, age), female = MAN
    mass, flow, output = body(weight * np.nan, height, age, female)
    varied = vary(mass, flow, output, residual_factors(["A"], 2, 1), age, female)
    known = ~np.isnan(varied.mass).all(axis=(0, 1))
    assert known.sum() == 1 and known[AT["brain"]]  # an adult's brain does not follow body weight
    assert np.isnan(varied.cardiac_output).all() and np.isnan(varied.flow).all()
