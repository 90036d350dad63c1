"""Attributions on the workflow's own model: known answers of a linear drug, efficiency, causes that belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pharmtwin.attribution.causes import GENOTYPE, SAMPLES, causes_of, mixed_rows
from pharmtwin.attribution.exposure import Genes, Solver, own_of
from pharmtwin.attribution.stage import Inputs, attribute
from pharmtwin.body.checks import misfit
from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.core.assembly import base_parameters, individual_columns, typical_individual
from pharmtwin.core.draws import ACTIVITY, Population
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import Scenario, interval_metrics
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.engine.run import pack, simulate
from pharmtwin.report.attributions import GIVEN, attribution_blocks, cohort_section
from pharmtwin.report.blocks import Chart, Paragraph, Table
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.tables import read_table, write_table

SCENARIO = Scenario("single", 20.0, 24.0, 1, "oral")
SOLVER = Solver("cvode", 1e-7, 0.01, 1e-3, 5)
REFERENCE = reference_twins().set_index("sex", drop=False).loc["M"]
PRIOR = ["twin_id", "parameter", "component", "weight", "family", "location", "scale", "unit", "source"]


def person(name: str, **changes: Any) -> dict[str, Any]:
    """The reference man under another name, with changes."""
    return {**REFERENCE.to_dict(), "twin_id": name, **changes}


def activities(name: str, *pairs: tuple[str, float, float]) -> list[tuple[Any, ...]]:
    return [(name, ACTIVITY, c, w, "point", x, 0.0, "1", "test") for c, x, w in pairs]


@pytest.fixture
def drug(drug_file: dict[str, Any], tmp_path: Path) -> str:
    path = tmp_path / "drug.yaml"
    path.write_text(yaml.safe_dump(drug_file), encoding="utf-8")
    return str(path)


def wide_reference() -> dict[str, float]:
    body = physiology(pd.DataFrame([person("r")]))
    return dict(zip(body["quantity"], body["value"].astype(float), strict=True))


def inputs(drug: str, people: list[dict[str, Any]], priors: list[tuple[Any, ...]], **changes: Any) -> Inputs:
    still = Population(np.zeros((3, 4)), np.zeros((3, 4)), np.ones(3))
    none = pd.DataFrame({c: [] for c in ("twin_id", "draw", "component", *INDIVIDUAL)})
    values: dict[str, Any] = {
        "drug": load_drug(drug), "twins": pd.DataFrame(people), "reference": REFERENCE, "reference_activity": 1.0,
        "priors": pd.DataFrame(priors, columns=PRIOR), "population": still, "twin_draws": none, "bodies": physiology,
        "refusal": misfit,
        "scenario": SCENARIO, "solver": SOLVER, "max_exact": 512, "pairs": 20, "draws": 0, "draw_pairs": 2,
    }  # fmt: skip
    return Inputs(**{**values, **changes})


def test_one_cause_alone_gets_the_whole_difference(drug: str) -> None:
    """Everything as the reference man but the genotype: its value is total less base, its factor total over base."""
    given = inputs(drug, [person("a")], activities("a", ("AS=1", 0.3, 1.0)))
    table = attribute(given, ["a"])["attributions"]
    assert set(table["cause"]) == {GENOTYPE} and set(table["method"]) == {"exact"}
    assert (table["value"] == table["total"] - table["base"]).all() and (table["value"] > 0).all()
    assert table["factor"].to_numpy() == pytest.approx((table["total"] / table["base"]).to_numpy())


def test_values_add_up_and_factors_multiply(drug: str) -> None:
    twin = person("a", age_y=70.0, weight_kg=100.0, sex="F", height_cm=160.0, creatinine_mg_dl=1.8,
                  conditions="child_pugh:B")  # fmt: skip
    priors = activities("a", ("AS=1", 0.3, 0.8), ("AS=2", 1.0, 0.2))
    table = attribute(inputs(drug, [twin], priors), ["a"])["attributions"]
    for _, part in table.groupby("metric"):
        assert len(part) == 6  # sex, age, body size, kidney markers, conditions, genotype
        assert part["value"].sum() == pytest.approx(float((part["total"] - part["base"]).iloc[0]))
        assert part["factor"].prod() == pytest.approx(float((part["total"] / part["base"]).iloc[0]))
        assert (part["value_lo95"] == part["value"]).all() and (part["n_runs"] == 64).all()
    auc = table[table["metric"] == "AUCtau"].set_index("cause")["factor"]
    assert auc["conditions"] > 1 and auc[GENOTYPE] > 1


def test_sampled_orders_agree_with_all_combinations(drug: str) -> None:
    twin = person("a", age_y=70.0, weight_kg=100.0, sex="F", height_cm=160.0, creatinine_mg_dl=1.8)
    priors = activities("a", ("AS=1", 0.3, 1.0))
    every = attribute(inputs(drug, [twin], priors), ["a"])["attributions"]
    some = attribute(inputs(drug, [twin], priors, max_exact=4), ["a"])["attributions"]
    assert set(some["method"]) == {"sampled orders"}
    width = (some["value_hi95"] - some["value_lo95"]).abs() + 1e-6 * every["total"]
    assert ((some["value"] - every["value"]).abs() <= 2 * width).all()
    for _, part in some.groupby("metric"):
        assert part["value"].sum() == pytest.approx(float((part["total"] - part["base"]).iloc[0]))


def test_a_fitted_twin_s_samples_are_a_cause_and_the_total_is_its_posterior(drug: str) -> None:
    typical = typical_individual(load_drug(drug))
    x = np.exp(np.array([[0.1, 0.2, 0.0, 0.0], [0.3, 0.4, 0.0, 0.0]])) * typical
    x[:, 0] *= 0.3  # activity of the component
    draws = pd.DataFrame(x, columns=list(INDIVIDUAL)).assign(twin_id="a", draw=[0, 1], component="AS=1")
    priors = activities("a", ("AS=1", 0.3, 0.5), ("AS=unknown:1", 0.3, 0.1), ("AS=2", 1.0, 0.4))
    frame = pd.DataFrame(priors, columns=PRIOR)
    own = own_of(draws, frame, "a", typical)
    assert own is not None
    assert np.log(own.deviation) == pytest.approx([0.2, 0.3, 0, 0])
    assert own.genes.activity.tolist() == [0.3] and own.genes.weight.tolist() == [1.0]  # the samples ruled AS=2 out
    table = attribute(inputs(drug, [person("a")], priors, twin_draws=draws), ["a"])["attributions"]
    assert set(table["cause"]) == {GENOTYPE, SAMPLES}
    vector = base_parameters(load_drug(drug), wide_reference())
    vector[individual_columns()] = typical * own.deviation * np.array([0.3, 1, 1, 1])
    model, times = whole_body(), SCENARIO.times()
    solved = simulate(model, pack(model, [vector], [SCENARIO.doses()], [times]), engine="cvode", rtol=1e-7)
    auc = interval_metrics(SCENARIO, times, solved.of(0))["AUCtau"]
    assert table.loc[table["metric"] == "AUCtau", "total"].to_numpy() == pytest.approx([auc] * 2, rel=1e-6)
    nothing = own_of(draws.assign(component="AS=0"), pd.DataFrame(activities("a", ("AS=0", 0.0, 1.0)), columns=PRIOR),
                     "a", typical)  # fmt: skip
    assert nothing is not None and nothing.deviation[0] == 1.0  # without activity its deviation cannot be seen


def test_the_interval_over_draws_is_that_of_the_posterior(drug: str) -> None:
    """Draws of the mean transit time only: at the twin's whole posterior each draw's total less base is its values'
    sum, so the only cause that moves is the samples, from the first draw's value to the last one's."""
    typical = typical_individual(load_drug(drug))
    logs = np.linspace(-0.5, 0.5, 5)
    x = np.tile(typical, (5, 1))
    x[:, 1] *= np.exp(logs)  # the clearance that no gene of the twin's changes
    draws = pd.DataFrame(x, columns=list(INDIVIDUAL)).assign(twin_id="a", draw=0, component="AS=2")
    given = inputs(drug, [person("a")], activities("a", ("AS=2", 1.0, 1.0)), twin_draws=draws, draws=5)
    table = attribute(given, ["a"])["attributions"].set_index(["metric", "cause"])
    single = [
        attribute(replace(given, twin_draws=draws.iloc[[k]], draws=0), ["a"])["attributions"].set_index(
            ["metric", "cause"]
        )["value"]["AUCtau", SAMPLES]
        for k in range(5)
    ]
    row = table.loc[("AUCtau", SAMPLES)]
    assert [row.value_lo90, row.value_hi90] == pytest.approx(np.quantile(single, [0.05, 0.95]), rel=1e-5)
    assert row.n_draws == 5 and row.value_lo95 == row["value"] == row.value_hi95  # exact: no sampling error
    assert row.factor_lo90 < row.factor < row.factor_hi90
    assert table.loc[("AUCtau", GENOTYPE), ["value_lo90", "value_hi90"]].tolist() == [0.0, 0.0]


def test_a_twin_without_samples_has_the_interval_of_the_study_s_parameters(drug: str) -> None:
    theta = np.zeros((4, 4))
    theta[:, 0] = [-0.6, -0.2, 0.2, 0.6]
    moved = Population(theta, np.zeros((4, 4)), np.ones(4))
    given = inputs(drug, [person("a")], activities("a", ("AS=1", 0.3, 1.0)), population=moved, draws=4)
    table = attribute(given, ["a"])["attributions"]
    still = attribute(replace(given, population=Population(np.zeros((4, 4)), np.zeros((4, 4)), np.ones(4))), ["a"])
    assert (table["n_draws"] == 4).all() and (table["value_lo90"] < table["value_hi90"]).all()
    none = still["attributions"]
    assert none["value_lo90"].to_numpy() == pytest.approx(none["value_hi90"].to_numpy())
    assert none["value_lo90"].to_numpy() == pytest.approx(none["value"].to_numpy())


def test_rare_activities_are_left_out_and_told(drug: str) -> None:
    rows = activities("a", ("AS=2", 1.0, 0.95), ("AS=1", 0.3, 0.045), ("AS=3", 2.0, 0.005))
    genes = Genes.of(pd.DataFrame(rows, columns=PRIOR), "a")
    assert genes.activity.tolist() == [1.0, 0.3] and genes.left_out == pytest.approx(0.005)
    assert genes.weight.sum() == pytest.approx(1)
    table = attribute(inputs(drug, [person("a")], rows), ["a"])["attributions"]
    assert (table["note"] == "0.5 % of the probability (rare activities) left out").all()


def test_a_childs_age_and_size_are_one_cause() -> None:
    child = pd.Series(person("c", age_y=5.0, weight_kg=18.0, height_cm=108.0, sex="F", creatinine_mg_dl=0.4))
    causes = causes_of(child, REFERENCE, sampled=False)
    assert causes.names == ("sex, age and body size", "kidney markers", GENOTYPE)
    both = np.array([[False, True, False], [True, False, True]])
    rows = mixed_rows(child, REFERENCE, causes, both)
    assert rows[["age_y", "weight_kg", "sex"]].to_numpy().tolist() == [[35.0, 73.0, "M"], [5.0, 18.0, "F"]]
    assert rows["creatinine_mg_dl"].tolist() == [0.4, REFERENCE["creatinine_mg_dl"]]


def test_what_cannot_be_taken_apart_is_one_cause(drug: str) -> None:
    """A pregnancy in a man is no person: it goes with sex and age, and the table says why; a stage of kidney disease
    can be told from its markers."""
    woman = person("w", sex="F", age_y=30.0, weight_kg=75.0, height_cm=165.0, conditions="pregnancy:30wk")
    ill = person("k", weight_kg=90.0, creatinine_mg_dl=4.0, conditions="ckd:G4")
    priors = [r for name in "wk" for r in activities(name, ("AS=2", 1.0, 1.0))]
    table = attribute(inputs(drug, [woman, ill], priors), ["w", "k"])["attributions"]
    found = table[table["metric"] == "AUCtau"].groupby("twin_id")["cause"].agg(list).to_dict()
    assert found["w"] == ["sex, age and conditions", "body size", GENOTYPE]
    assert found["k"] == ["body size", "kidney markers", "conditions", GENOTYPE]
    whole = table[table["cause"] == "sex, age and conditions"]
    assert whole["note"].str.contains("no person").all() and (whole["value"] != 0).all()
    assert (table.loc[table["cause"] == "body size", "note"] == "").all()


def test_a_failed_combination_fails_the_metrics_by_name(drug: str) -> None:
    spoilt = Population(np.full((3, 4), np.nan), np.zeros((3, 4)), np.ones(3))
    found = attribute(inputs(drug, [person("a")], activities("a", ("AS=1", 0.3, 1.0)), population=spoilt), ["a"])
    assert set(found["attributions"]["method"]) == {"failed"} and found["attributions"]["value"].isna().all()
    assert found["solver_check"]["run"].str.startswith("a/single/attribution").all()
    with pytest.raises(KeyError, match="no complete prior"):
        attribute(inputs(drug, [person("a")], activities("a", ("AS=1", float("nan"), 1.0))), ["a"])


def test_an_exposure_that_is_not_above_zero_has_values_and_no_factor(drug: str) -> None:
    """Without a dose every exposure is 0: the differences are 0, and no factor can be told."""
    given = inputs(
        drug, [person("a")], activities("a", ("AS=1", 0.3, 1.0)), scenario=Scenario("none", 0.0, 24.0, 1, "oral")
    )
    table = attribute(given, ["a"])["attributions"]
    assert (
        (table["value"] == 0).all() and table["factor"].isna().all() and table["note"].str.contains("no factor").all()
    )


def test_a_bucket_without_fitted_twins_gives_tables_without_rows(drug: str, tmp_path: Path) -> None:
    found = attribute(inputs(drug, [person("a")], activities("a", ("AS=1", 0.3, 1.0))), [])
    for name, table in found.items():
        write_table(name, table, tmp_path / f"{name}.parquet")
        assert read_table(name, tmp_path / f"{name}.parquet").empty


def test_the_fast_engine_is_checked_by_the_second_and_every_run_has_its_name(drug: str, tmp_path: Path) -> None:
    """Several activities a combination: as many runs, each with a label of its own, and the values of CVODE."""
    priors = activities("a", ("AS=1", 0.3, 0.5), ("AS=2", 1.0, 0.5))
    fast = Solver("rosenbrock", 1e-6, 1.0, 1e-3, 5)
    people = [person("a", weight_kg=90.0)]
    found = attribute(inputs(drug, people, priors, solver=fast), ["a"])
    write_table("solver_check", found["solver_check"], tmp_path / "solver_check.tsv")  # the key has to be unique
    assert len(found["solver_check"]) == 6 and found["solver_check"]["passed"].all()
    same = attribute(inputs(drug, people, priors), ["a"])["attributions"]
    assert found["attributions"]["total"].to_numpy() == pytest.approx(same["total"].to_numpy(), rel=1e-4)


def test_report_shows_bars_table_and_cohort(drug: str) -> None:
    twin = person("a", weight_kg=100.0, creatinine_mg_dl=1.8)
    table = attribute(inputs(drug, [twin], activities("a", ("AS=1", 0.3, 1.0)), draws=3), ["a"])["attributions"]
    made = ReportInputs.create(study="s", drug="d", data_kind="real", attributions=table)
    blocks = attribution_blocks(made, "a")
    chart = next(b for b in blocks if isinstance(b, Chart))
    assert len(chart.panels) == 3 and len(chart.table.rows) == 9
    assert all(p.data[-1]["name"] == GIVEN for p in chart.panels) and "Whiskers" in chart.caption
    assert {row[7].text for row in chart.table.rows} == {"none: exact"} and " to " in chart.table.rows[0][4].sub
    assert any("The strongest cause is CYP2D6 genotype" in b.text for b in blocks if isinstance(b, Paragraph))
    assert any(isinstance(b, Table) for b in cohort_section(made).blocks)
    (none,) = attribution_blocks(made, "nobody")
    assert isinstance(none, Paragraph) and none.tone == "missing"
