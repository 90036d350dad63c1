"""A twin's page: the chain begins and ends at the models, a step moves what it names, exchanges are exact."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray

from pharmtwin.core.assembly import individual_columns
from pharmtwin.core.draws import ACTIVITY, prior_population
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import Scenario
from pharmtwin.core.metrics import METRICS
from pharmtwin.core.targets import COLUMNS, Target, faults, read_targets, target_of
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.facts import resource_path
from pharmtwin.intake.config import check_config, load_config
from pharmtwin.pbpk.alternatives import attainment, course_rows, dose_rows, with_activity
from pharmtwin.pbpk.explain import explain_bucket, explained_scenario
from pharmtwin.pbpk.predict import POPULATION, Inputs, parameter_draws, predict_scenarios
from pharmtwin.pbpk.stage import limits_of, settings_of
from pharmtwin.pbpk.steps import STEPS, Outcome, factor, knowing

SCENARIO = Scenario("once", 20.0, 24.0, 2, "oral")
N, MASTER = 12, 9
CONFIG = {
    "master_seed": MASTER, "drug": "none", "paths": {"targets": ""},
    "pbpk": {"engine": "rosenbrock", "rtol": 1e-5, "draws": 4, "crosscheck_fraction": 0.0, "crosscheck_rtol": 1e-3},
    "explain": {"scenario": "", "draws": N, "doses": [10, 20]}, "evaluation": {"limits_ng_ml": []},
}  # fmt: skip
GFR = whole_body().parameter_names.index("GFR")
GENE = individual_columns()[INDIVIDUAL.index("f_CYP2D6")]
Vector = Callable[..., NDArray[np.float64]]


def prior_rows(who: str, activities: dict[str, tuple[float, float]], spread: float) -> list[tuple[object, ...]]:
    genes = [(who, ACTIVITY, c, w, "point", a, 0.0, "1", "test") for c, (a, w) in activities.items()]
    return [*genes, (who, "GFR", "-", 1.0, "lognormal", 5.0, spread, "L/h", "test")]


@pytest.fixture
def inputs(vector: Vector, drug_file: dict[str, Any], tmp_path: Path) -> Inputs:
    """``sampled`` and ``unsampled`` differ from the reference in genes, liver and GFR; ``nobody`` in nothing."""
    path = tmp_path / "drug.yaml"
    path.write_text(yaml.safe_dump(drug_file), encoding="utf-8")
    pool = {"AS=0": (0.0, 0.1), "AS=2": (1.0, 0.9)}
    own = {"AS=0": (0.0, 0.25), "AS=unknown:1": (0.4, 0.75)}
    rows = [r for who in (*POPULATION, "nobody") for r in prior_rows(who, pool, 0.2)]
    rows += [r for who in ("sampled", "unsampled") for r in prior_rows(who, own, 0.1)]
    columns = ["twin_id", "parameter", "component", "weight", "family", "location", "scale", "unit", "source"]
    base = {who: vector() for who in (*POPULATION, "nobody")}
    base |= {who: vector(V_liver=2.4, GFR=2.0) for who in ("sampled", "unsampled")}
    draws = pd.DataFrame(np.full((20, 5), 1.0) * np.linspace(0.9, 1.1, 20)[:, None], columns=[*INDIVIDUAL, "sigma"])
    draws = draws.assign(
        twin_id="sampled", draw=np.arange(20), component=["AS=0" if k % 4 == 0 else "AS=1" for k in range(20)]
    )
    draws.loc[draws.component == "AS=0", "f_CYP2D6"] = 0.0
    spread = np.array([0.1, 0.1, 0.1, 0.1])
    pooled = prior_population(spread, spread, 0.15, 0.1, 20, 11)
    return Inputs(load_drug(str(path)), base, pd.DataFrame(rows, columns=columns), pooled, draws)


def changed(inputs: Inputs, before: str, after: str) -> set[int]:
    """Columns of the parameters that differ between two steps of the sampled twin."""
    first, second = (knowing(inputs, "sampled", step, N, MASTER) for step in (before, after))
    return set(np.flatnonzero((first != second).any(axis=0)).tolist())


def test_each_step_moves_what_it_names_and_nothing_else(inputs: Inputs) -> None:
    names = whole_body().parameter_names
    assert changed(inputs, "population", "genotype") == {GENE}
    assert changed(inputs, "genotype", "body") == {names.index("V_liver")}
    assert changed(inputs, "body", "kidney") == {GFR}


def test_the_chain_begins_and_ends_at_the_models(inputs: Inputs) -> None:
    for step, model in (("population", "population"), ("samples", "twin")):
        assert np.array_equal(
            knowing(inputs, "sampled", step, N, MASTER), parameter_draws(inputs, "sampled", model, N, MASTER)[0]
        )
    with pytest.raises(ValueError, match="comedication"):
        knowing(inputs, "sampled", "comedication", N, MASTER)


def test_tables_of_a_page_agree_with_the_exposure_table(inputs: Inputs) -> None:
    tables = explain_bucket(inputs, ["sampled", "unsampled"], SCENARIO, CONFIG, "explain/b", logging.getLogger())
    settings = settings_of(CONFIG, page=True)
    assert settings.draws == N and settings_of(CONFIG).draws == 4
    exposure = predict_scenarios(inputs, ["sampled", "unsampled", "population"], [SCENARIO], settings, "pbpk/b")[0]
    seen = exposure.set_index(["twin_id", "model", "metric"])["median"]
    steps = tables["steps"].set_index(["twin_id", "step", "metric"])
    other = tables["counterfactuals"].set_index(["twin_id", "metric"])
    doses = tables["dose_options"].set_index(["twin_id", "dose_mg", "metric"])["median"]
    for metric in METRICS:
        assert steps.loc[("sampled", "population", metric), "median"] == seen["population", "population", metric]
        assert steps.loc[("sampled", "samples", metric), "median"] == seen["sampled", "twin", metric]
        for twin, model in (("sampled", "twin"), ("unsampled", "covariates")):
            assert other.loc[(twin, metric), "actual_median"] == seen[twin, model, metric]
            assert other.loc[(twin, metric), "model"] == model
            assert doses[twin, 20.0, metric] == seen[twin, model, metric]
    assert (steps["n_failed"] == 0).all() and tables["solver_check"].empty


def test_factors_multiply_to_the_whole_and_gaps_are_named(inputs: Inputs) -> None:
    steps = explain_bucket(inputs, ["sampled", "unsampled"], SCENARIO, CONFIG, "x", logging.getLogger())["steps"]
    for twin, last in (("sampled", "samples"), ("unsampled", "kidney")):
        mine = steps[(steps.twin_id == twin) & (steps.metric == "AUCtau")].set_index("step")
        whole = mine["median"][last] / mine["median"]["population"]
        assert np.prod(mine["factor"].dropna()) == pytest.approx(whole, rel=1e-12)
        assert list(mine.index) == list(STEPS)
        assert mine["state"]["comedication"] == "not_simulated" and pd.isna(mine["factor"]["comedication"])
        assert ((mine["factor_lo95"] <= mine["factor"]) | mine["factor"].isna()).all()
    states = steps.set_index(["twin_id", "step"])["state"]
    assert set(states[("unsampled", "samples")]) == {"absent"}


def test_who_is_like_the_population_is_moved_by_nothing(inputs: Inputs) -> None:
    steps = explain_bucket(inputs, ["nobody"], SCENARIO, CONFIG, "x", logging.getLogger())["steps"]
    moved = steps[steps.step.isin(["genotype", "body", "kidney"])]
    assert (moved[["factor", "factor_lo95", "factor_hi95"]] == 1.0).all(axis=None)


def test_exchanged_genes_keep_what_the_samples_taught(inputs: Inputs) -> None:
    actual = parameter_draws(inputs, "sampled", "twin", 20, MASTER)[0]
    normal = with_activity(inputs, "sampled", 1.0, 20, MASTER)
    active = inputs.twin_draws.component.to_numpy() == "AS=1"
    assert normal[active, GENE] == pytest.approx(actual[active, GENE] / 0.4, rel=1e-14)
    assert (actual[~active, GENE] == 0).all() and (normal[~active, GENE] > 0.5).all()
    rest = [k for k in range(actual.shape[1]) if k != GENE]
    assert np.array_equal(actual[:, rest], normal[:, rest])
    half = with_activity(inputs, "unsampled", 0.5, 20, MASTER)
    assert half[:, GENE] == pytest.approx(0.5 * with_activity(inputs, "unsampled", 1.0, 20, MASTER)[:, GENE])


def test_a_twin_without_active_alleles_would_clear_more_with_normal_ones(inputs: Inputs) -> None:
    rows = explain_bucket(inputs, ["sampled"], SCENARIO, CONFIG, "x", logging.getLogger())["counterfactuals"]
    auc = rows[rows.metric == "AUCtau"].iloc[0]
    assert (auc.gene, auc.diplotype, auc.n_draws) == ("CYP2D6", "*1/*1", N)
    assert auc.ratio_hi90 < 1 and auc["median"] < auc.actual_median


def test_courses_are_those_of_the_exposures_and_of_the_profiles(inputs: Inputs) -> None:
    """At the end of the last interval a course is Ctrough; as the twin is, it is the profile of the pbpk stage."""
    tables = explain_bucket(inputs, ["sampled", "unsampled"], SCENARIO, CONFIG, "x", logging.getLogger())
    courses, other = tables["counterfactual_courses"], tables["counterfactuals"].set_index(["twin_id", "metric"])
    assert len(courses) == 2 * 2 * len(SCENARIO.times()) and (courses["n_draws"] == N).all()
    profiles = predict_scenarios(inputs, ["sampled", "unsampled"], [SCENARIO], settings_of(CONFIG, page=True), "p")[1]
    for twin, model in (("sampled", "twin"), ("unsampled", "covariates")):
        for case, prefix in (("actual", "actual_"), ("exchanged", "")):
            mine = courses[(courses.twin_id == twin) & (courses.case == case)]
            last = mine[mine.time_h == mine.time_h.max()].iloc[0]
            trough = other.loc[(twin, "Ctrough")]
            assert [last.q50, last.q05, last.q95] == [trough[f"{prefix}{q}"] for q in ("median", "lo90", "hi90")]
            assert (mine.model == model).all() and np.array_equal(mine.time_h, SCENARIO.times())
        drawn = profiles[(profiles.twin_id == twin) & (profiles.model == model)]
        actual = courses[(courses.twin_id == twin) & (courses.case == "actual")]
        assert np.array_equal(actual[["q05", "q50", "q95"]], drawn[["q05", "q50", "q95"]])
    exchanged = courses[courses.case == "exchanged"].set_index(["twin_id", "time_h"])["q50"]
    actual = courses[courses.case == "actual"].set_index(["twin_id", "time_h"])["q50"]
    assert (exchanged["sampled"][1:] < actual["sampled"][1:]).all()


def test_a_draw_that_failed_one_way_is_in_neither_course(inputs: Inputs) -> None:
    times = len(SCENARIO.times())
    good = np.tile(np.arange(1.0, 5.0)[:, None], (1, times))
    failed = good.copy()
    failed[3] = np.nan
    one, other = (Outcome({m: c[:, 0] for m in METRICS}, c) for c in (good, failed))
    rows = pd.DataFrame(course_rows(inputs, "sampled", SCENARIO, one, other))
    assert (rows["n_draws"] == 3).all() and (rows["q50"] == 2.0).all()
    assert course_rows(inputs, "sampled", SCENARIO, one, Outcome(one.metrics, np.full((4, times), np.nan))) == []


def test_doses_are_the_scenarios_own_and_the_wished_ones(inputs: Inputs) -> None:
    own = {m: np.arange(1.0, N + 1) for m in METRICS}
    target = Target("x", "Ctrough", 3.0, 6.0, "test")
    rows, checks = dose_rows(inputs, "sampled", SCENARIO, [20.0], target, own, settings_of(CONFIG, page=True), "x")
    assert len(checks) == 0 and [r["dose_mg"] for r in rows] == [20.0] * len(METRICS)
    trough = next(r for r in rows if r["metric"] == "Ctrough")
    assert (trough["p_below"], trough["p_inside"], trough["p_above"]) == (2 / N, 4 / N, 6 / N)
    assert np.isnan(next(r for r in rows if r["metric"] == "Cmax")["p_inside"])  # type: ignore[arg-type]


def test_attainment_without_draws_has_limits_and_no_shares() -> None:
    found = attainment(np.empty(0), Target("x", "Cmax", 1.0, 2.0, "test"))
    assert (found["target_high"], found["target_source"]) == (2.0, "test") and found["p_inside"] != found["p_inside"]


def test_a_factor_between_paired_draws_has_no_noise() -> None:
    rng = np.random.default_rng(1)
    before = rng.lognormal(0, 1, 300)
    paired = factor(before, 2 * before, True, np.random.default_rng(2))
    assert paired == pytest.approx({"factor": 2.0, "factor_lo95": 2.0, "factor_hi95": 2.0})
    apart = factor(before, 2 * rng.lognormal(0, 1, 300), False, np.random.default_rng(2))
    assert apart["factor_lo95"] < 2.0 < apart["factor_hi95"] and apart["factor_hi95"] / apart["factor_lo95"] < 2.5
    before[0] = np.nan  # a failed draw drops out of both
    assert factor(before, 2 * before, True, np.random.default_rng(2))["factor"] == pytest.approx(2.0)
    assert np.isnan(factor(np.empty(0), before, False, rng)["factor"])


def test_a_twin_whose_solves_fail_has_rows_that_say_so(inputs: Inputs, vector: Vector) -> None:
    broken = replace(inputs, base={**inputs.base, "unsampled": vector(V_muscle=np.nan)})
    tables = explain_bucket(broken, ["unsampled"], SCENARIO, CONFIG, "x", logging.getLogger())
    states = tables["steps"].drop_duplicates("step").set_index("step")["state"]
    assert dict(states) == {
        "population": "computed", "genotype": "computed", "body": "failed", "kidney": "failed",
        "comedication": "not_simulated", "samples": "absent",
    }  # fmt: skip
    assert tables["counterfactuals"].empty and tables["dose_options"].empty and len(tables["solver_check"]) == 3 * N


def test_unknown_scenario_is_refused() -> None:
    assert explained_scenario(CONFIG, [SCENARIO]) is SCENARIO
    with pytest.raises(ValueError, match="other"):
        explained_scenario({"explain": {"scenario": "other"}}, [SCENARIO])


TARGETS = "drug\tmetric\tlow\thigh\tunit\tsource\n"


def test_targets_are_read_and_every_fault_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.tsv", tmp_path / "bad.tsv"
    good.write_text(TARGETS + "x\tCtrough\t20\t60\tng/mL\tsomebody\n", encoding="utf-8")
    assert target_of(good, "x") == Target("x", "Ctrough", 20.0, 60.0, "somebody")
    assert target_of(good, "y") is None
    bad.write_text(
        TARGETS + "x\tAUC\t20\t60\tng/mL\ts\ny\tCmax\t60\t20\tmg/L\ts\ny\tCmax\tlow\t20\tng/mL\t\n", encoding="utf-8"
    )
    found = {(line, column) for line, column, _, _ in faults(read_targets(bad))}
    assert found == {(2, "metric"), (3, "unit"), (3, "high"), (4, "low"), (4, "source"), (4, "drug")}
    with pytest.raises(ValueError, match=r"bad\.tsv:2 metric"):
        target_of(bad, "x")


def test_the_check_of_the_input_names_a_faulty_target(tmp_path: Path) -> None:
    config, places, _ = load_config([])
    assert config is not None
    (tmp_path / "t.tsv").write_text(TARGETS + "x\tCmax\t60\t20\tng/mL\ts\n", encoding="utf-8")
    config["paths"] = {**config["paths"], "targets": "t.tsv", "published": ""}
    found = [f for f in check_config(config, tmp_path, places) if f.rule == "targets.cell"]
    assert [(f.file, f.row, f.column) for f in found] == [("t.tsv", 2, "high")]
    assert target_of(Path("resources/targets.tsv").resolve(), "paroxetine") is not None


@pytest.mark.parametrize(
    ("row", "limits", "found"),
    [
        ("x\tCtrough\t25\t60\tng/mL\ttest", ["target"], (25.0,)),
        ("x\tCtrough\t25\t60\tng/mL\ttest", [7, "target", 25], (7.0, 25.0)),
        ("x\tCtrough\t0\t60\tng/mL\ttest", ["target"], ()),
        ("x\tAUCtau\t25\t60\tng*h/mL\ttest", ["target", 5], (5.0,)),
        ("y\tCtrough\t25\t60\tng/mL\ttest", ["target"], ()),
        ("x\tCtrough\t25\t60\tng/mL\ttest", [], ()),
    ],
)
def test_the_limit_to_exceed_is_that_of_the_target_range(
    tmp_path: Path, row: str, limits: list[object], found: tuple[float, ...]
) -> None:
    (tmp_path / "t.tsv").write_text("\t".join(COLUMNS) + f"\n{row}\n")
    config = {"drug": "x", "paths": {"targets": str(tmp_path / "t.tsv")}, "evaluation": {"limits_ng_ml": limits}}
    assert limits_of(config) == found


def test_the_default_limit_stands_in_one_table() -> None:
    config, _, _ = load_config([])
    assert config is not None and check_config(config) == []
    target = target_of(resource_path("targets.tsv"), "paroxetine")
    assert target is not None and limits_of(config) == (target.low,)
