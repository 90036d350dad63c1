"""A twin whose solves all fail stops nothing and is named with its reason in tables, log and report."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from report_fixture import make_inputs, make_tables

from pharmtwin.core.draws import ACTIVITY, prior_population
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import Scenario
from pharmtwin.core.unsolved import unsolved
from pharmtwin.core.whole_body import INDIVIDUAL
from pharmtwin.evaluation.accuracy import accuracy
from pharmtwin.evaluation.verdict import verdict
from pharmtwin.pbpk.predict import POPULATION, Inputs, predict_scenarios
from pharmtwin.pbpk.stage import predict_bucket, settings_of
from pharmtwin.report import build_report
from pharmtwin.tables import read_table, write_table
from pharmtwin.workflow.failed import failed_solves

SCENARIO = Scenario("once", 20.0, 24.0, 2, "oral")
DRAWS = 6
CONFIG = {
    "master_seed": 9,
    "evaluation": {"limits_ng_ml": [5.0]},
    "pbpk": {
        "engine": "rosenbrock", "rtol": 1e-5, "draws": DRAWS, "crosscheck_fraction": 0.01, "crosscheck_rtol": 1e-3,
    },
}  # fmt: skip
Vector = Callable[..., NDArray[np.float64]]


def bucket_inputs(base: dict[str, NDArray[np.float64]], drug: Path) -> Inputs:
    """Inputs of a bucket of these twins (and the reference bodies) with a point prior on activity."""
    rows = []
    for who in base:
        rows.append((who, ACTIVITY, "AS=1", 1.0, "point", 0.5, 0.0, "1", "test"))
        rows.append((who, "GFR", "-", 1.0, "lognormal", 5.0, 0.1, "L/h", "test"))
    columns = ["twin_id", "parameter", "component", "weight", "family", "location", "scale", "unit", "source"]
    mine = pd.DataFrame(np.full((20, 5), 1.0) * np.linspace(0.9, 1.1, 20)[:, None], columns=[*INDIVIDUAL, "sigma"])
    spread = np.array([0.1, 0.1, 0.1, 0.1])
    pooled = prior_population(spread, spread, 0.15, 0.1, 16, 11)
    return Inputs(load_drug(str(drug)), base, pd.DataFrame(rows, columns=columns), pooled, mine.assign(twin_id="bad"))


@pytest.fixture
def drug(drug_file: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "drug.yaml"
    path.write_text(yaml.safe_dump(drug_file), encoding="utf-8")
    return path


def events(*twins: str) -> pd.DataFrame:
    """One dose and two samples of each twin."""
    rows = []
    for twin in twins:
        rows.append((twin, 0.0, 1, 20.0, np.nan, "", "oral", 0, 0.0))
        rows += [(twin, t, 0, np.nan, 5.0, "test", "", 0, 0.0) for t in (4.0, 24.0)]
    names = ["twin_id", "time_h", "evid", "dose_mg", "dv_ng_ml", "use", "route", "addl", "ii_h"]
    return pd.DataFrame(rows, columns=names)


def run(base: dict[str, NDArray[np.float64]], drug: Path, *sampled: str) -> dict[str, pd.DataFrame]:
    log = logging.getLogger("test")
    return predict_bucket(bucket_inputs(base, drug), events(*sampled), [SCENARIO], CONFIG, "pbpk/b0", log)


def test_the_bucket_goes_on_and_the_twin_is_marked(
    vector: Vector, drug: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reference = {who: vector() for who in POPULATION}
    good = {"a": vector(), "z": vector(V_liver=2.0)}
    bad = {"bad": vector(V_muscle=np.nan)}
    alone = run(good | reference, drug, "a")
    with caplog.at_level(logging.ERROR):
        beside = run({"a": good["a"]} | bad | {"z": good["z"]} | reference, drug, "a", "bad")
    for name in ("exposure", "profiles", "predictions", "solver_check"):
        write_table(name, beside[name], tmp_path / f"{name}.tsv")
        table = read_table(name, tmp_path / f"{name}.tsv")
        owner = table.run.str.split("/").str[0] if name == "solver_check" else table.twin_id
        write_table(name, alone[name], tmp_path / "alone.tsv")
        expected = read_table(name, tmp_path / "alone.tsv")
        assert len(expected)
        pd.testing.assert_frame_equal(table[owner != "bad"].reset_index(drop=True), expected, check_exact=True)

    mine = read_table("exposure", tmp_path / "exposure.tsv").query("twin_id == 'bad'")
    assert len(mine) == 8 and set(mine.model) == {"covariates", "twin"}  # four metrics of two models
    assert (mine.n_draws == 0).all() and (mine.n_failed == DRAWS).all()
    assert mine[["median", "lo90", "hi90"]].isna().all(axis=None)
    profiles = read_table("profiles", tmp_path / "profiles.tsv").query("twin_id == 'bad'")
    predictions = read_table("predictions", tmp_path / "predictions.tsv").query("twin_id == 'bad'")
    assert set(profiles.model) == set(predictions.model) == {"population"}  # of which the twin knows nothing

    checks = read_table("solver_check", tmp_path / "solver_check.tsv")
    found = [c for r in checks.itertuples() if (c := unsolved(str(r.run), r.failure)) is not None]  # type: ignore[arg-type]
    assert {(c.twin_id, c.scenario, c.model) for c in found} == {
        ("bad", s, m) for s in ("once", "samples") for m in ("covariates", "twin")
    }
    assert all("parameter V_muscle is nan" in c.reason for c in found)
    assert (checks.run == "bad/once/twin/draw3").sum() == 1  # each draw by name, as before
    assert "bad/once/covariates: no result: all 6 solves failed" in caplog.text


def test_a_population_model_without_a_result_still_has_tables(vector: Vector, drug: Path, tmp_path: Path) -> None:
    inputs = bucket_inputs({who: vector(V_liver=np.nan) for who in POPULATION}, drug)
    done = predict_scenarios(inputs, ["population"], [SCENARIO], settings_of(CONFIG), "population")
    for name, frame in zip(("exposure", "profiles", "solver_check"), done):
        write_table(name, frame, tmp_path / f"{name}.tsv")
    assert len(done[1]) == 0 and (done[0].n_draws == 0).all()


def test_some_failed_draws_leave_a_result_and_are_named(vector: Vector, drug: Path, tmp_path: Path) -> None:
    base = {"population_M": vector(V_liver=np.nan), "population_F": vector()}
    done = predict_scenarios(bucket_inputs(base, drug), ["population"], [SCENARIO], settings_of(CONFIG), "population")
    assert (done[0].n_failed == DRAWS // 2).all() and done[0]["median"].notna().all()
    path = tmp_path / "pbpk/population/solver_check.tsv"
    write_table("solver_check", done[2], path)
    assert (~done[2].passed.astype(bool)).sum() == DRAWS // 2
    (one,) = failed_solves([path])
    assert one.has_result and one.who == "population, population/once/population" and len(one.draws) == DRAWS // 2
    assert one.reason.startswith("solve failed: parameter V_liver is nan")


# ---------------------------------------------------------------- evaluation and report


def spoil(tables: dict[str, Any], twin: str, models: tuple[str, ...]) -> dict[str, Any]:
    """The made-up study with no result for these models of a twin, as the pbpk stage leaves it."""
    out = dict(tables)
    mine = (tables["exposure"].twin_id == twin) & tables["exposure"].model.isin(models)
    exposure = tables["exposure"].copy()
    exposure.loc[mine, ["median", "lo90", "hi90"]] = np.nan
    exposure.loc[mine, ["n_draws", "n_failed"]] = [0, 200]
    out["exposure"] = exposure
    for name in ("profiles", "predictions"):
        table = tables[name]
        out[name] = table[~((table.twin_id == twin) & table.model.isin(models))]
    scenarios = [*sorted(set(exposure[mine].scenario)), "samples"]
    why = f"{twin}/x/draw0 - solve failed: parameter V_muscle is nan"
    rows = [
        ("pbpk/b0", f"{twin}/{s}/{m}", "not known", np.nan, np.nan, False,
         f"no result: all 200 solves failed; the first: {why}")
        for s in scenarios for m in models
    ]  # fmt: skip
    rows.append(("pbpk/b0", "PT-0003/x/covariates/draw1", "C_plasma at 2 h", 2e-5, 1e-3, True, None))
    columns = ["stage", "run", "state", "max_relative_difference", "limit", "passed", "failure"]
    out["solver_check"] = pd.DataFrame(rows, columns=columns)
    return out


def text_of(page: str) -> str:
    """The page without library and figures."""
    return re.sub(r"/\* bundle begins \*/.*?/\* bundle ends \*/|<script.*?</script>", "", page, flags=re.S)


def rows_of(page: str, twin: str) -> list[str]:
    return [r for r in re.findall(r"<tr>(.*?)</tr>", page, re.S) if f">{twin}<" in r]


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    return make_tables(8, 3)


def test_the_report_names_a_twin_without_a_fit(tables: dict[str, Any]) -> None:
    page = text_of(build_report(make_inputs(spoil(tables, "PT-0007", ("covariates", "population"))))["index.html"])
    top = page.split('<section id="cohort">')[0]
    assert "Twins without a result" in top and "PT-0007 (scenario 40mg_bid, covariates" in top
    checks = page.split('<section id="checks">')[1].split("</section>")[0]
    assert "parameter V_muscle is nan" in checks and "PT-0007" in checks
    assert "1 run solved again by the second engine: largest relative difference 2.00e-05 (limit 0.00100)" in checks
    exposure = page.split('<section id="exposure">')[1].split("</section>")[0]
    # two scenarios, two models in the table of scenarios; once more each scenario among the exposures of every twin
    assert len(rows_of(exposure, "PT-0007")) == 4 + 2
    assert all("solver failed, see checks" in r for r in rows_of(exposure, "PT-0007"))
    assert exposure.count("1 more: solver failed, see checks") == 2  # on its group's line of each scenario
    assert ">nan<" not in page.lower()


def test_the_page_of_a_fitted_twin_says_why(tables: dict[str, Any]) -> None:
    pages = build_report(make_inputs(spoil(tables, "PT-0002", ("covariates", "twin"))))
    page = text_of(pages["twins/PT-0002.html"])
    assert "No result: at its samples, twin" in page and "parameter V_muscle is nan" in page
    assert "No AUCtau (40mg_bid, Twin (+ own concentrations)): solver failed, see checks" in page
    exposure = page.split('<section id="exposure">')[1]
    lines = [r for r in re.findall(r"<tr>(.*?)</tr>", exposure, re.S) if "AUCtau" in r]
    assert len(lines) == 2 and all(r.count("solver failed, see checks") == 2 for r in lines)
    observed = page.split('<section id="observed">')[1].split("</section>")[0]
    assert observed.count("solver failed, see checks") == 16  # eight samples, two models
    index = text_of(pages["index.html"])
    assert "No prediction at the samples of PT-0002" in index and "3 not predicted" in index
    other = text_of(pages["twins/PT-0001.html"])
    assert "No result" not in other and "solver failed" not in other


def test_a_twin_without_any_prediction_and_a_cohort_without_any_result(tables: dict[str, Any]) -> None:
    models = ("population", "covariates", "twin")
    pages = build_report(make_inputs(spoil(tables, "PT-0001", models)))
    assert "predicted by no model: solver failed, see checks" in text_of(pages["twins/PT-0001.html"])
    assert "Not drawn, solver failed (see checks): PT-0001" in text_of(pages["index.html"])
    none = tables["exposure"].assign(median=np.nan, lo90=np.nan, hi90=np.nan, n_draws=0, n_failed=200)
    page = text_of(build_report(make_inputs({**tables, "exposure": none}))["index.html"])
    assert "No exposure to show (Covariates (genotype, body)): solver failed, see checks" in page
    assert page.split('<section id="checks">')[1].count("the reason was not handed to the report") >= 2 * 8


def test_reasons_that_were_not_handed_over_are_not_silence(tables: dict[str, Any]) -> None:
    spoilt = spoil(tables, "PT-0007", ("covariates",))
    page = text_of(build_report(make_inputs({**spoilt, "solver_check": None}))["index.html"])
    checks = page.split('<section id="checks">')[1].split("</section>")[0]
    assert "PT-0007" in checks and "the reason was not handed to the report" in checks


def test_accuracy_counts_what_is_missing(tables: dict[str, Any]) -> None:
    whole = accuracy(tables["predictions"], None, "synthetic", 1)
    assert (whole.n_missing == 0).all()
    table = accuracy(spoil(tables, "PT-0002", ("twin",))["predictions"], None, "synthetic", 1)
    kept = table[table.data_set.str.contains("kept aside")].set_index(["model", "metric"])
    assert kept.loc[("twin", "GMFE"), ["n", "n_missing"]].tolist() == [6, 3]  # 3 of 9 troughs
    assert kept.loc[("covariates", "GMFE"), ["n", "n_missing"]].tolist() == [9, 0]
    assert kept.loc[("twin", "GMFE_ratio_to_covariates"), ["n", "n_missing"]].tolist() == [6, 3]
    assert kept.loc[("covariates", "GMFE_ratio_to_population"), ["n", "n_missing"]].tolist() == [9, 0]
    assert "Not predicted, and not counted: 3 by the twin." in verdict(table, "synthetic")
    assert "Not predicted" not in verdict(whole, "synthetic")
