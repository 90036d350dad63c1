"""The study's own verification: known doses and sums, errors that fall, and faults that are found and said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from verification_fixture import PRODUCTION, REGIMEN, bodies, somebody, verification_tables, weights

from pharmtwin.core.draws import ACTIVITY
from pharmtwin.core.exposure import Scenario
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.run import pack, simulate
from pharmtwin.evaluation.evidence import Stages, validation
from pharmtwin.pbpk.verification.courses import (
    PLASMA,
    POOLS,
    Ends,
    Production,
    Solver,
    balance_check,
    balance_rows,
    end_states,
    grid,
    organ_rows,
    parameter_values,
)
from pharmtwin.pbpk.verification.exact import against_exact, hepatic_flow, horizon, linear, linear_body
from pharmtwin.pbpk.verification.ladder import climb, order_checks, production_checks, rungs
from pharmtwin.pbpk.verification.limits import AT_LEAST, AT_MOST, Check, check_table, failed_rows, settings
from pharmtwin.pbpk.verification.people import HIGHEST, LOWEST, ONLY, chosen
from pharmtwin.pbpk.verification.sums import FLOWS, MASSES, body_sums, sum_checks
from pharmtwin.tables import TableError, conform, read_table, schema, write_table
from pharmtwin.workflow.failed import exit_code, failed_solves

STAGE = "verification"
GIVEN = REGIMEN.dose_mg * REGIMEN.n_doses
TABLES = ("verification", "organ_courses", "mass_balance", "tolerance_ladder", "exact_courses", "closed_forms",
          "body_sums")  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return verification_tables("LOW", "HIGH")


@pytest.fixture(scope="module")
def ends() -> Ends:
    return end_states(somebody("population_M").parameters, REGIMEN, grid(REGIMEN), PRODUCTION.solver, "m", STAGE)


# ---------------------------------------------------------------- states and mass balance


def test_every_conserved_state_is_in_one_pool() -> None:
    states = [s for pool in POOLS.values() for s in pool]
    assert sorted(states) == sorted(s.name for s in whole_body().states if s.conserved)


def test_the_grid_has_every_dose_and_both_ends() -> None:
    times = grid(REGIMEN)
    assert times[0] == 0.0 and times[-1] == 36.0 and {12.0, 24.0} <= set(times) and np.all(np.diff(times) > 0)
    assert len(grid(replace(REGIMEN, n_doses=500))) < 700


def test_a_known_dose_is_found_again_at_every_time(ends: Ends) -> None:
    rows = balance_rows(somebody("population_M"), REGIMEN, ends)
    total = rows[[f"{pool}_mg" for pool in POOLS]].sum(axis=1)
    np.testing.assert_allclose(total, rows["given_mg"], rtol=1e-9)
    assert rows["given_mg"].iloc[0] == 0.0 and rows["given_mg"].iloc[-1] == GIVEN == 120.0
    # a record at a dose precedes it
    assert rows.set_index("time_h")["given_mg"].loc[[12.0, 24.0]].tolist() == [40.0, 80.0]
    assert rows["imbalance"].max() <= settings()["mass_balance"]
    check = balance_check(somebody("population_M"), rows, ends)
    assert check.passed and check.value == rows["imbalance"].max()


def test_drug_that_gets_lost_is_found_and_said(ends: Ends) -> None:
    lost = ends.states.copy()
    muscle = whole_body().state_names.index("A_muscle")
    lost[-1, muscle] *= 0.5
    leaky = Ends(ends.times, lost, ends.failed)
    check = balance_check(somebody("T1"), balance_rows(somebody("T1"), REGIMEN, leaky), leaky)
    assert check.value == pytest.approx(0.5 * ends.states[-1, muscle] / GIVEN, rel=1e-6)
    assert not check.passed and "mass balance of T1" in check.words and "limit: at most 1e-09" in check.words
    assert "at 36 h" in check.words


def test_a_failed_solve_has_no_balance_and_does_not_pass(ends: Ends) -> None:
    failed = pd.DataFrame({"run": ["m/36 h"]})
    check = balance_check(somebody("T1"), balance_rows(somebody("T1"), REGIMEN, ends), replace(ends, failed=failed))
    assert not check.passed and "no value" in check.words and "1 solves failed" in check.words


def test_organ_courses_are_the_models_states_and_plasma_its_observable(ends: Ends) -> None:
    person = somebody("population_M")
    rows = organ_rows(person, REGIMEN, ends)
    v = parameter_values(person.parameters)
    wide = rows.pivot(index="time_h", columns="compartment", values="concentration_ng_ml")
    model = whole_body()
    batch = pack(model, [person.parameters], [REGIMEN.doses()], [ends.times])
    observed = simulate(model, batch, engine="cvode", rtol=1e-4).of(0)[:, 0] * 1000.0
    np.testing.assert_allclose(wide[PLASMA], observed, rtol=2e-3, atol=1e-3 * observed.max())
    brain = rows[rows["compartment"] == "brain"]
    np.testing.assert_allclose(brain["amount_mg"], brain["concentration_ng_ml"] * v["V_brain"] / 1000.0)
    assert wide["brain"].to_numpy()[-1] > 3 * wide[PLASMA].to_numpy()[-1]  # its own state, and not plasma
    assert rows.loc[rows["compartment"] == PLASMA, "amount_mg"].isna().all()


# ---------------------------------------------------------------- tolerances


def test_the_error_falls_with_the_tolerance(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["tolerance_ladder"]
    for _, mine in table.groupby(["twin_id", "engine"]):
        e = mine.set_index("rtol")[["curve_error", "AUCtau_error", "Cmax_error"]]
        assert (e.loc[1e-10] < 1e-3 * e.loc[1e-4] + 1e-12).all()
        assert (np.diff(np.log(e["curve_error"].to_numpy())) < 0.5).all()  # from loose to tight
    assert set(table.loc[table["used_for"] == "predictions", "rtol"]) == {1e-4}
    assert set(table.loc[table["used_for"] == "predictions", "engine"]) == {"cvode"}
    assert set(table.loc[table["used_for"] == "fit", "rtol"]) == {1e-2}
    assert tables["verification"]["passed"].all()


def test_the_ladder_has_the_studys_own_tolerance() -> None:
    own = Production(Solver("rosenbrock", 3e-6), 1e-3, None)
    assert rungs(own) == [1e-4, 1e-5, 3e-6, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10]


def test_a_tolerance_too_loose_for_its_limit_is_said() -> None:
    loose = Production(Solver("cvode", 1e-2), 1e-6, None)
    found = [c for c in climb(somebody("T1"), REGIMEN, loose, STAGE).checks if c.kind == "tolerance_curve"]
    assert len(found) == 1 and not found[0].passed
    assert "CVODE at 0.01" in found[0].words and "limit: at most 1e-06" in found[0].words


def test_errors_that_do_not_fall_and_missing_ones_fail(tables: dict[str, pd.DataFrame]) -> None:
    person = somebody("population_M")
    table = tables["tolerance_ladder"]
    mine = table[table["twin_id"] == "population_M"]
    flat = order_checks(person, mine.assign(curve_error=1e-3), 1e-12)
    assert [c.passed for c in flat] == [False, False] and all(abs(c.value) < 1e-9 for c in flat)
    halved = mine.assign(curve_error=mine["rtol"] ** 0.5)
    assert [round(c.value, 6) for c in order_checks(person, halved, 1e-12)] == [0.5, 0.5]
    gone = mine.assign(curve_error=np.nan)
    assert not any(c.passed for c in [*order_checks(person, gone, 1e-12), *production_checks(person, gone, PRODUCTION)]
                   if c.kind in ("tolerance_order", "tolerance_curve"))  # fmt: skip


# ---------------------------------------------------------------- closed forms


def test_closed_forms_hold_and_hepatic_flow_is_the_limit(tables: dict[str, pd.DataFrame]) -> None:
    forms = tables["closed_forms"].set_index(["case", "engine"])
    assert forms["passed"].all() and forms.index.get_level_values("case").nunique() == 7
    v = linear(parameter_values(somebody("population_M").parameters))
    # hepatic artery 6.5 %, gut 15, pancreas 1 and spleen 3 % of 6.5 L/min (ICRP 89, the reference man)
    assert forms.at[("flow_limit", "cvode"), "exact"] == pytest.approx(hepatic_flow(v)) == pytest.approx(0.255 * 390)
    # four transit compartments after their mean time: exp(-4) (1 + 4 + 8 + 32/3)
    share = np.exp(-4.0) * (1 + 4 + 8 + 32 / 3)
    assert forms.at[("transit_absorption", "rosenbrock"), "exact"] == pytest.approx(share, rel=1e-12)


def test_the_matrix_keeps_mass_and_the_horizon_is_long_enough() -> None:
    v = linear(parameter_values(somebody("population_M").parameters))
    M, names = linear_body(v)
    np.testing.assert_allclose(M.sum(axis=0), 0.0, atol=1e-9 * np.abs(M).max())
    assert names[-3:] == ["A_faeces", "A_met_other", "A_urine"] and 24.0 < horizon(v) < 5000.0


def test_a_circulation_that_does_not_close_is_found() -> None:
    """The lung takes 10 % less than the branches give back: the model piles drug up, the matrix does not."""
    person = somebody("T1")
    broken = person.parameters.copy()
    broken[whole_body().parameter_names.index("Q_lung")] *= 0.9
    times = np.array([1.0, 6.0, 12.0, 24.0])
    exact = against_exact(replace(person, parameters=broken), REGIMEN, times, PRODUCTION, STAGE)
    bad = [c for c in exact.checks if c.kind == "matrix_exponential"]
    assert len(bad) == 2 and not any(c.passed for c in bad) and all(c.value > 0.01 for c in bad)
    assert "matrix exponential of CVODE" in {c.words.split(":")[0] for c in bad}


def test_an_intravenous_regimen_is_exact_too() -> None:
    iv = Scenario("iv", 10.0, 24.0, 2, "iv")
    exact = against_exact(somebody("T1"), iv, np.array([0.5, 24.0, 25.0, 48.0]), PRODUCTION, STAGE)
    assert all(c.passed for c in exact.checks)


# ---------------------------------------------------------------- sums


def test_bodies_add_up_and_a_broken_flow_is_named() -> None:
    good = body_sums(bodies(), weights())
    assert good["passed"].all() and set(good["twin_id"]) == {"population_M", "population_F"}
    assert good[good["parts"] == MASSES].set_index("twin_id")["sum"].to_dict() == pytest.approx(
        {"population_M": 73.0, "population_F": 60.0}
    )
    body = bodies().copy()
    muscle = (body["twin_id"] == "population_F") & (body["quantity"] == "Q_muscle")
    body.loc[muscle, "value"] *= 1.01
    bad = body_sums(body, weights())
    output = float(body[(body["twin_id"] == "population_F") & (body["quantity"] == "CO")]["value"].iloc[0])
    row = bad[(bad["twin_id"] == "population_F") & (bad["parts"] == FLOWS)].iloc[0]
    assert row["relative_difference"] == pytest.approx(body.loc[muscle, "value"].iloc[0] / 1.01 * 0.01 / output)
    assert (~bad["passed"]).sum() == 1
    words = [c.words for c in sum_checks(bad) if not c.passed]
    assert len(words) == 1 and "arterial branches" in words[0] and "furthest: population_F" in words[0]
    assert "1 outside the limit" in words[0]


def test_what_is_missing_does_not_pass() -> None:
    body = bodies()
    without = body[~((body["twin_id"] == "population_M") & (body["quantity"] == "V_brain"))]
    table = body_sums(without, weights()).set_index(["twin_id", "parts"])
    assert not table.at[("population_M", MASSES), "passed"] and table.at[("population_F", MASSES), "passed"]
    assert np.isnan(table.at[("population_M", MASSES), "relative_difference"])
    unknown = body_sums(body, weights().head(1))
    assert unknown["passed"].sum() == 5 and "no value" in next(c for c in sum_checks(unknown) if not c.passed).words
    heavier = body_sums(body, weights().assign(weight_kg=lambda t: t["weight_kg"] * 1.02))
    assert set(heavier.loc[~heavier["passed"], "parts"]) == {MASSES}


# ---------------------------------------------------------------- people, checks, tables


def test_the_twins_of_least_and_most_activity_are_chosen_among_the_fitted() -> None:
    priors = pd.DataFrame({
        "twin_id": ["a", "a", "b", "c", "d"], "parameter": ACTIVITY, "component": ["x", "y", "x", "x", "x"],
        "weight": [0.5, 0.5, 1.0, 1.0, 1.0], "location": [0.0, 1.0, 2.0, 0.0, 0.0],
    })  # fmt: skip
    assert chosen(priors, ["a", "b", "c", "d"], set()) == {"c": LOWEST, "b": HIGHEST}
    assert chosen(priors, ["a", "b", "c", "d"], {"a", "b"}) == {"a": LOWEST, "b": HIGHEST}
    assert chosen(priors, ["a", "b", "c", "d"], {"b"}) == {"b": ONLY}
    assert chosen(priors, [], set()) == {}


@pytest.mark.parametrize(
    ("value", "relation", "passed"),
    [(0.5, AT_MOST, True), (1.0, AT_MOST, True), (1.5, AT_MOST, False), (0.5, AT_LEAST, False), (1.0, AT_LEAST, True),
     (np.nan, AT_MOST, False), (np.inf, AT_MOST, False), (np.inf, AT_LEAST, False)],
)  # fmt: skip
def test_a_value_keeps_its_limit_or_not(value: float, relation: str, passed: bool) -> None:
    assert Check("closed_form", "x", value, 1.0, relation, "here").passed is passed


def test_a_failed_check_ends_the_run_with_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = [Check.create("closed_form", "flow_limit", 0.25, "CVODE at 1e-10"),
              Check.create("closed_form", "renal_excretion", 1e-12, "CVODE at 1e-10")]  # fmt: skip
    path = tmp_path / "solver_check.tsv"
    write_table("solver_check", failed_rows(checks, STAGE), path)
    assert exit_code([path]) == 1 and len(failed_solves([path])) == 1
    said = capsys.readouterr().err
    assert "closed form of flow_limit: 0.25 (limit: at most 1e-06)" in said and "renal" not in said
    write_table("solver_check", failed_rows(checks[1:], STAGE), path)
    assert exit_code([path]) == 0


def test_failed_checks_stand_first_and_unknown_ones_have_no_limit() -> None:
    checks = [Check.create("closed_form", "a", 0.0, ""), Check.create("closed_form", "b", np.inf, "")]
    table = check_table(checks)
    assert list(table["subject"]) == ["b", "a"] and list(table["passed"]) == [False, True]
    assert table["value"].isna().tolist() == [True, False]
    with pytest.raises(KeyError):
        Check.create("imagined", "a", 0.0, "")


@pytest.mark.parametrize("name", TABLES)
def test_tables_keep_their_schema_and_refuse_what_breaks_it(
    name: str, tables: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.{'parquet' if name.endswith(('courses', 'balance', 'sums')) else 'tsv'}"
    write_table(name, tables[name], path)
    pd.testing.assert_frame_equal(read_table(name, path), conform(name, tables[name]))
    for column in (c for c in schema(name).columns if c.allowed):
        with pytest.raises(TableError, match="allowed"):
            conform(name, tables[name].assign(**{column.name: "imagined"}))
    with pytest.raises(TableError, match="missing columns"):
        conform(name, tables[name].drop(columns=schema(name).names[-1]))
    with pytest.raises(TableError, match="duplicate key"):
        conform(name, pd.concat([tables[name], tables[name].head(1)]))


def test_validation_has_the_figures_and_names_what_failed(tables: dict[str, pd.DataFrame]) -> None:
    good = validation(Stages(verification=tables["verification"])).set_index("activity")
    assert good.loc[["solver_error", "mass_balance", "closed_forms"], "status"].eq("done").all()
    assert good.at["known_answers", "status"] == "not done"
    assert "6 of 6 checks of balances" in good.at["mass_balance", "result"]
    assert "9 of 9 checks of closed forms passed; largest relative difference" in good.at["closed_forms", "result"]
    worse = tables["verification"].copy()
    worse.loc[worse["subject"] == "flow_limit", ["passed", "value"]] = [False, 0.25]
    said = validation(Stages(verification=worse)).set_index("activity").at["closed_forms", "result"]
    assert "8 of 9" in said and "0.25" in said and "NOT passed: closed form of flow limit" in said
    none = validation(Stages()).set_index("activity")
    assert none.at["mass_balance", "status"] == "not done"
    assert none.at["mass_balance", "why_not"] == "the verification stage did not run"
