"""Drug file, draws, seeds, exposure metrics, assembly, and who gets which model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray

from pharmtwin.body.physiology import physiology
from pharmtwin.core.anatomy import PORTAL, SYSTEMIC
from pharmtwin.core.assembly import (
    assemble,
    base_parameters,
    between_subject,
    enzyme_facts,
    individual_columns,
    liver_density,
    typical_individual,
    typical_uncertainty,
)
from pharmtwin.core.draws import (
    ACTIVITY,
    Population,
    choose_components,
    gfr_factors,
    individual_draws,
    prior_population,
)
from pharmtwin.core.drug import REQUIRED, Drug, DrugFileError, known_drugs, load_drug
from pharmtwin.core.exposure import GRID_POINTS, Scenario, interval_metrics, log_quantiles, scenarios_of, summarise
from pharmtwin.core.seeds import generator, seed_sequence
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.engine.run import N_STATS, Trajectories, pack, simulate
from pharmtwin.pbpk.predict import POPULATION, Inputs, models_of, parameter_draws
from pharmtwin.tables import conform

Floats = NDArray[np.float64]


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Any], Drug]:
    """Write content to a drug file and load it."""

    def write(content: Any) -> Drug:
        (tmp_path / "test.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_drug("test.yaml", tmp_path)

    return write


# ---------------------------------------------------------------- drug file


def test_complete_drug_file_is_read(load: Callable[[Any], Drug], drug_file: dict[str, Any]) -> None:
    drug = load(drug_file)
    assert (drug.name, drug.kind, len(drug.sha256)) == ("testamine", "base", 64)
    assert drug["metabolism.CYP2D6_Km"] == 0.05
    assert drug.values["metabolism.CLint_other"].between_subject == 0.35
    assert drug.formulation("IR")["MTT"].value == 2.5
    assert set(drug.values) == set(REQUIRED)
    with pytest.raises(DrugFileError, match=r"'XR'.*\['IR'\]"):
        drug.formulation("XR")


def test_every_problem_of_a_drug_file_is_told_at_once(load: Callable[[Any], Drug], drug_file: dict[str, Any]) -> None:
    del drug_file["physicochemistry"]["MW"]
    drug_file["physicochemistry"]["kind"] = "zwitterion"
    drug_file["binding"]["fu_p"]["unit"] = "%"
    drug_file["binding"]["B_P"]["source"] = ""
    drug_file["metabolism"]["CYP2D6_Km"]["value"] = "5e-2 or so"
    drug_file["metabolism"]["CYP2D6_kcat"].pop("uncertainty")
    drug_file["metabolism"]["CLint_other"]["between_subject"] = 0
    drug_file["absorption"]["formulations"]["CR"] = {"MTT": drug_file["absorption"]["formulations"].pop("IR")["MTT"]}
    with pytest.raises(DrugFileError) as error:
        load(drug_file)
    said = str(error.value).removeprefix("test.yaml: ").split("; ")
    for words in (
        ("physicochemistry.MW", "missing", "g/mol"),
        ("physicochemistry.kind", "base, acid or neutral"),
        ("binding.fu_p", "'%'", "'1'"),
        ("binding.B_P", "no source"),
        ("metabolism.CYP2D6_Km", "5e-2 or so", "not a number"),
        ("metabolism.CYP2D6_kcat", "needs uncertainty and between_subject"),
        ("metabolism.CLint_other", "needs uncertainty and between_subject"),
        ("absorption.formulations.CR.lag", "missing"),
        ("absorption.formulations.CR.F_rel", "missing"),
        ("absorption.formulations", "at least IR"),
    ):
        assert any(all(w in line for w in words) for line in said), (words, said)
    assert len(said) == 10


def test_an_empty_file_lacks_everything(load: Callable[[Any], Drug]) -> None:
    with pytest.raises(DrugFileError) as error:
        load({})
    assert all(key in str(error.value) for key in REQUIRED)


@pytest.mark.parametrize(
    ("section", "leaf", "value"),
    [
        ("binding", "fu_p", float("nan")),
        ("physicochemistry", "MW", float("inf")),
        ("absorption", "F_a", True),
    ],
)
def test_a_value_that_is_no_finite_number_is_refused(
    load: Callable[[Any], Drug], drug_file: dict[str, Any], section: str, leaf: str, value: object
) -> None:
    drug_file[section][leaf]["value"] = value
    with pytest.raises(DrugFileError, match=f"{section}.{leaf}"):
        load(drug_file)


@pytest.mark.parametrize("content", [{"binding": 3}, {"absorption": {"formulations": ["IR"]}}, ["a", "list"]])
def test_a_file_of_the_wrong_shape_is_a_drug_file_error(load: Callable[[Any], Drug], content: Any) -> None:
    with pytest.raises(DrugFileError):
        load(content)


def test_shipped_drugs_load_and_an_unknown_one_names_them() -> None:
    assert known_drugs()
    for name in known_drugs():
        assert load_drug(name).name == name
    with pytest.raises(FileNotFoundError, match=known_drugs()[0]):
        load_drug("unobtainium")


# ---------------------------------------------------------------- seeds


def test_seeds_come_from_names() -> None:
    a = generator(1, "gfr", "t1").random(4)
    np.testing.assert_array_equal(a, generator(1, "gfr", "t1").random(4))
    others = [
        generator(2, "gfr", "t1"),
        generator(1, "fit", "t1"),
        generator(1, "gfr", "t2"),
        generator(1, "t1", "gfr"),
    ]
    assert all(not np.isclose(a, g.random(4)).any() for g in others)
    assert seed_sequence(7, "a", "bc").entropy != seed_sequence(7, "ab", "c").entropy


# ---------------------------------------------------------------- draws


@pytest.mark.parametrize("n", [7, 100, 1000])
def test_components_match_their_weights_to_one_draw(n: int) -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        weight = rng.dirichlet(np.full(6, 0.5)) * rng.uniform(0.5, 3.0)
        share = np.bincount(choose_components(rng, weight, n), minlength=6)
        assert np.max(np.abs(share - n * weight / weight.sum())) < 1.0


def test_components_come_in_no_order_and_never_run_out() -> None:
    rng = np.random.default_rng(5)
    pick = choose_components(rng, np.array([0.5, 0.5]), 1000)
    assert abs(np.corrcoef(pick, np.arange(1000))[0, 1]) < 0.15
    assert (choose_components(rng, np.array([0.0, 1.0, 0.0]), 50) == 1).all()
    ragged = np.full(10, 0.1) * (1 - 1e-16)  # the cumulative sum may end below one
    assert choose_components(rng, ragged, 10_000).max() <= 9


def population(n: int = 64) -> Population:
    return prior_population(np.array([0.3, 0.4, 0.3, 0.3]), np.array([0.3, 0.35, 0.2, 0.4]), 0.15, 0.4, n, 11)


def test_prior_population_has_the_spread_of_the_drug_file() -> None:
    p = population(40_000)
    np.testing.assert_allclose(p.theta.std(axis=0), [0.3, 0.4, 0.3, 0.3], rtol=0.03)
    np.testing.assert_allclose(np.median(p.omega, axis=0), [0.3, 0.35, 0.2, 0.4], rtol=0.03)
    np.testing.assert_allclose(np.log(p.omega).std(axis=0), 0.4, rtol=0.03)
    assert np.median(p.sigma) == pytest.approx(0.15, rel=0.03)
    back = Population.from_frame(conform("population_draws", p.to_frame()))
    for f in fields(p):
        np.testing.assert_array_equal(getattr(back, f.name), getattr(p, f.name))


def test_individual_draws_have_typical_value_activity_and_spread() -> None:
    n = 20_000
    fixed = Population(np.zeros((5, 4)), np.tile([0.3, 0.35, 0.2, 0.4], (5, 1)), np.full(5, 0.1))
    typical = np.array([1.0, 1.0, 1.3, 2.5])
    x = individual_draws("t", np.array([0.25, 1.5]), np.array([0.3, 0.7]), typical, fixed, n, 3)
    np.testing.assert_allclose(np.median(x[:, 1:], axis=0), typical[1:], rtol=0.02)
    np.testing.assert_allclose(np.log(x[:, 1:]).std(axis=0), [0.35, 0.2, 0.4], rtol=0.02)
    assert np.log(x[:, 0]).mean() == pytest.approx(0.3 * np.log(0.25) + 0.7 * np.log(1.5), abs=0.01)
    spread = np.sqrt(0.3**2 + 0.3 * 0.7 * np.log(6.0) ** 2)
    assert np.log(x[:, 0]).std() == pytest.approx(spread, rel=0.02)
    assert np.abs(np.corrcoef(np.log(x).T) - np.eye(4)).max() < 0.03
    poor = individual_draws("t", np.array([0.0]), np.array([1.0]), typical, fixed, 50, 3)
    assert (poor[:, 0] == 0.0).all() and (poor[:, 1:] > 0).all()


def test_gfr_is_lognormal_around_the_estimate() -> None:
    g = gfr_factors("t", 0.2, 20_000, 1)
    assert np.median(g) == pytest.approx(1.0, rel=0.01) and np.log(g).std() == pytest.approx(0.2, rel=0.02)


# ---------------------------------------------------------------- which model, which numbers


@pytest.fixture
def inputs(load: Callable[[Any], Drug], drug_file: dict[str, Any], vector: Callable[..., Floats]) -> Inputs:
    """Two twins (the first has a posterior of its own) and the two reference bodies, told apart by liver volume."""
    base = {"a": vector(V_liver=1.0), "b": vector(V_liver=2.0)}
    base |= {who: vector(V_liver=v) for who, v in zip(POPULATION, (3.0, 4.0))}
    rows = []
    for who in base:
        mixture = [("AS=0", 0.2, 0.0), ("AS=2", 0.8, 1.0)] if who in POPULATION else [("AS=1", 1.0, 0.5)]
        rows += [(who, ACTIVITY, c, w, "point", x, 0.0, "1", "test") for c, w, x in mixture]
        rows.append((who, "GFR", "-", 1.0, "lognormal", 5.0, 0.1, "L/h", "test"))
    columns = ["twin_id", "parameter", "component", "weight", "family", "location", "scale", "unit", "source"]
    rng = np.random.default_rng(0)
    mine = pd.DataFrame(rng.lognormal(size=(40, 5)), columns=[*INDIVIDUAL, "sigma"]).assign(twin_id="a")
    return Inputs(load(drug_file), base, conform("priors", pd.DataFrame(rows, columns=columns)), population(), mine)


def test_same_twin_same_numbers_whatever_stands_beside_it(inputs: Inputs) -> None:
    first = {w: parameter_draws(inputs, w, "covariates", 30, 9) for w in ("a", "b")}
    again = {w: parameter_draws(inputs, w, "covariates", 30, 9) for w in ("b", "a")}
    shuffled = Inputs(
        inputs.drug, dict(reversed(inputs.base.items())), inputs.priors.iloc[::-1], inputs.population, inputs.twin_draws
    )
    for w in ("a", "b"):
        for k in range(2):
            np.testing.assert_array_equal(first[w][k], again[w][k])
            if w in ("a", "b"):  # one activity component: the order of the table cannot matter
                np.testing.assert_array_equal(first[w][k], parameter_draws(shuffled, w, "covariates", 30, 9)[k])
    at = individual_columns()
    assert not np.isclose(first["a"][0][:, at], first["b"][0][:, at]).any()
    assert not np.isclose(first["a"][0][:, at], parameter_draws(inputs, "a", "covariates", 30, 10)[0][:, at]).any()


def test_population_model_knows_nothing_of_the_patient(inputs: Inputs) -> None:
    P, sigma = parameter_draws(inputs, "a", "population", 100, 9)
    other, _ = parameter_draws(inputs, "b", "population", 100, 9)
    np.testing.assert_array_equal(P, other)
    names = whole_body().parameter_names
    np.testing.assert_array_equal(P[:, names.index("V_liver")], np.tile([3.0, 4.0], 50))
    assert np.sum(P[:, names.index("f_CYP2D6")] == 0.0) == pytest.approx(20, abs=1)
    assert sigma.shape == (100,) and set(sigma) <= set(inputs.population.sigma)
    untouched = [k for k, n in enumerate(names) if n not in (*INDIVIDUAL, "GFR", "V_liver")]
    np.testing.assert_array_equal(P[:, untouched], np.tile(inputs.base["a"][untouched], (100, 1)))


def test_twin_without_samples_has_covariates_only(inputs: Inputs) -> None:
    assert models_of(inputs, "a") == ["covariates", "twin"]
    assert models_of(inputs, "b") == ["covariates"]
    nobody = Inputs(inputs.drug, inputs.base, inputs.priors, inputs.population, inputs.twin_draws.iloc[:0])
    assert models_of(nobody, "a") == ["covariates"]


def test_twin_model_uses_its_joint_draws(inputs: Inputs) -> None:
    P, sigma = parameter_draws(inputs, "a", "twin", 40, 9)
    np.testing.assert_array_equal(P[:, individual_columns()], inputs.twin_draws[list(INDIVIDUAL)].to_numpy())
    np.testing.assert_array_equal(sigma, inputs.twin_draws["sigma"])
    few, _ = parameter_draws(inputs, "a", "twin", 5, 9)  # fewer: rows stay together
    rows = {tuple(r) for r in inputs.twin_draws[list(INDIVIDUAL)].to_numpy()}
    assert {tuple(r) for r in few[:, individual_columns()]} <= rows and len({tuple(r) for r in few}) == 5


def test_an_uncertain_body_is_drawn_with_the_draws(inputs: Inputs, vector: Callable[..., Floats]) -> None:
    bodies = np.array([vector(V_liver=v, GFR=v) for v in (1.0, 1.5, 2.0)])
    drawn = replace(inputs, base_draws={"b": bodies})
    P, _ = parameter_draws(drawn, "b", "covariates", 7, 9)
    names = whole_body().parameter_names
    np.testing.assert_array_equal(P[:, names.index("V_liver")], [1.0, 1.5, 2.0, 1.0, 1.5, 2.0, 1.0])
    fixed, _ = parameter_draws(inputs, "b", "covariates", 7, 9)
    at = names.index("GFR")  # each body's own GFR, as uncertain as the twin's prior says
    np.testing.assert_allclose(P[:, at] / P[:, names.index("V_liver")], fixed[:, at] / inputs.base["b"][at])
    for a, b in zip(parameter_draws(drawn, "a", "covariates", 7, 9), parameter_draws(inputs, "a", "covariates", 7, 9)):
        np.testing.assert_array_equal(a, b)


def test_missing_prior_is_named(inputs: Inputs) -> None:
    gone = inputs.priors[~((inputs.priors.twin_id == "b") & (inputs.priors.parameter == "GFR"))]
    with pytest.raises(KeyError, match="GFR for twin b"):
        parameter_draws(
            Inputs(inputs.drug, inputs.base, gone, inputs.population, inputs.twin_draws), "b", "covariates", 5, 1
        )


# ---------------------------------------------------------------- exposure


@pytest.mark.parametrize(("interval", "n_doses"), [(24.0, 1), (24.0, 7), (12.0, 10), (1.0 / 3.0, 5), (0.1, 31)])
def test_times_of_a_scenario_hold_every_trough_and_the_fine_grid(interval: float, n_doses: int) -> None:
    s = Scenario("s", 20.0, interval, n_doses, "oral")
    t = s.times()
    assert [d.time for d in s.doses()] == [k * interval for k in range(n_doses)]
    assert np.all(np.diff(t) > 1e-6 * interval), "times that differ by rounding only are one time"
    assert all(np.isclose(t, d.time, rtol=1e-12, atol=0).any() for d in s.doses())
    mine = t[t >= s.last_start - 1e-9]
    assert len(mine) >= GRID_POINTS and t[-1] == pytest.approx(n_doses * interval, rel=1e-12)
    assert mine[0] == pytest.approx(s.last_start, rel=1e-12, abs=1e-15)


def test_metrics_of_a_known_profile() -> None:
    """One compartment with first-order absorption at steady state; the grid bounds what Cmax may miss."""
    ka, k, tau, scale = 1.1, 0.12, 24.0, 0.05
    s = Scenario("s", 20.0, tau, 6, "oral")
    t = s.times()
    age = t - np.floor(t / tau + 1e-12) * tau
    age[-1] = tau

    def c(x: Floats) -> Floats:
        return scale * (np.exp(-k * x) / (1 - np.exp(-k * tau)) - np.exp(-ka * x) / (1 - np.exp(-ka * tau)))

    def integral(x: Floats) -> Floats:
        a = (1 - np.exp(-k * x)) / (k * (1 - np.exp(-k * tau)))
        return scale * (a - (1 - np.exp(-ka * x)) / (ka * (1 - np.exp(-ka * tau))))

    area = integral(age) + np.floor(t / tau + 1e-12) * integral(np.array([tau]))
    area[-1] = 6 * integral(np.array([tau]))[0]
    got = interval_metrics(s, t, np.column_stack([c(age), area, np.ones_like(t)]))
    tmax = np.log(ka * (1 - np.exp(-k * tau)) / (k * (1 - np.exp(-ka * tau)))) / (ka - k)
    cmax = 1000 * c(np.array([tmax]))[0]
    grid = tau / (GRID_POINTS - 1)
    assert abs(got["tmax"] - tmax) <= grid / 2
    assert 0 <= cmax - got["Cmax"] <= cmax * ka * k * grid**2 / 8 * 1.05
    assert got["Ctrough"] == pytest.approx(1000 * c(np.array([tau]))[0], rel=1e-12)
    assert got["AUCtau"] == pytest.approx(1000 * scale * (1 / k - 1 / ka), rel=1e-12)


def test_auctau_of_the_state_is_the_area_of_the_profile(vector: Callable[..., Floats]) -> None:
    model = whole_body()
    s = Scenario("s", 20.0, 24.0, 4, "oral")
    fine = s.last_start + np.linspace(0.0, 24.0, 4001)
    t = np.unique(np.concatenate([s.times(), fine]))
    batch = pack(model, [vector()], [s.doses()], [t])
    values = simulate(model, batch, engine="rosenbrock", rtol=1e-9).of(0)
    mine = t >= s.last_start
    trapezoid = np.trapezoid(values[mine, 0], t[mine]) * 1000
    coarse = interval_metrics(s, s.times(), values[np.isin(t, s.times())])
    assert coarse["AUCtau"] == pytest.approx(trapezoid, rel=1e-6)


def test_summary_counts_failed_draws_and_never_fills_them() -> None:
    s = Scenario("s", 20.0, 24.0, 2, "oral")
    t = s.times()
    n = len(t)
    level = np.arange(1.0, 12.0)
    values = np.concatenate([np.column_stack([np.full(n, x), x * t, np.ones(n)]) for x in level])
    values[3 * n : 4 * n] = np.nan  # draw 3 failed
    flag = np.zeros(11, dtype=np.int64)
    flag[3] = 3
    nothing, stat = np.zeros((11, 1)), np.zeros((11, N_STATS))
    solved = Trajectories(values, np.arange(12) * n, nothing, nothing, flag, stat)
    exposure, profiles = summarise("t", s, "covariates", t, solved)
    left = np.delete(level, 3) * 1000
    frame = conform("exposure", pd.DataFrame(exposure)).set_index("metric")
    assert (frame.n_draws == 10).all() and (frame.n_failed == 1).all()
    assert frame.loc["Cmax", "median"] == np.median(left)
    assert frame.loc["AUCtau", "hi90"] == pytest.approx(24 * np.quantile(left, 0.95))
    assert conform("profiles", pd.DataFrame(profiles)).q05.iloc[0] == pytest.approx(np.quantile(left, 0.05))
    gone = Trajectories(values * np.nan, np.arange(12) * n, nothing, nothing, np.full(11, 3), stat)
    exposure, profiles = summarise("t", s, "covariates", t, gone)
    frame = conform("exposure", pd.DataFrame(exposure)).set_index("metric")
    assert list(frame.index) == ["AUCtau", "Cmax", "Ctrough", "tmax"] and profiles == []
    assert (frame.n_draws == 0).all() and (frame.n_failed == 11).all()
    assert frame[["median", "lo90", "hi90"]].isna().all(axis=None)


def test_scenarios_and_quantiles() -> None:
    frame = pd.DataFrame({"scenario": ["x"], "dose_mg": [20], "interval_h": [24], "n_doses": [14], "route": ["oral"]})
    assert scenarios_of(frame) == [Scenario("x", 20.0, 24.0, 14, "oral")]
    assert log_quantiles(np.arange(101.0)) == (50.0, 5.0, 95.0)


# ---------------------------------------------------------------- assembly


@pytest.fixture(scope="module")
def bodies() -> pd.DataFrame:
    twins = pd.DataFrame(
        {
            "twin_id": ["m", "f"], "sex": ["M", "F"], "age_y": [35.0, 62.0], "weight_kg": [73.0, 90.0],
            "height_cm": [176.0, 163.0], "creatinine_mg_dl": [0.9, 1.4],
        }
    )  # fmt: skip
    return physiology(twins)


def test_arterial_branches_sum_to_cardiac_output(
    bodies: pd.DataFrame, load: Callable[[Any], Drug], drug_file: Any
) -> None:
    names = whole_body().parameter_names
    for p in assemble(load(drug_file), bodies).values():
        v = dict(zip(names, p))
        branches = sum(v[f"Q_{o}"] for o in (*SYSTEMIC, *PORTAL))
        assert branches == pytest.approx(v["Q_lung"], rel=1e-12)
        assert all(np.isfinite(p)) and min(v[n] for n in names if n[0] in "VQK") > 0


def test_assembly_scales_enzymes_with_the_liver(
    bodies: pd.DataFrame, load: Callable[[Any], Drug], drug_file: Any
) -> None:
    drug = load(drug_file)
    row = dict(bodies[bodies.twin_id == "m"].set_index("quantity")["value"])
    livers = (row | {"V_liver": 1.8 / liver_density()}, row | {"V_liver": 0.9 / liver_density()})
    one, two = (dict(zip(whole_body().parameter_names, base_parameters(drug, body))) for body in livers)
    fact = enzyme_facts()
    pmol = fact["CYP2D6", "abundance"] * fact["liver", "MPPGL"] * 1800.0  # pmol/mg x mg/g x g
    assert one["Vmax_CYP2D6"] == pytest.approx(5.0 * 60.0 * pmol / 1e6, rel=1e-12)  # pmol/min/pmol -> umol/h
    assert one["CLint_other"] == pytest.approx(200.0 * 1.8 / fact["liver", "reference_mass"], rel=1e-12)
    for name in ("Vmax_CYP2D6", "CLint_other"):
        assert one[name] == pytest.approx(2 * two[name], rel=1e-12)
    assert (one["f_CYP2D6"], one["f_other"], one["Kp_scale"], one["MTT"]) == (1.0, 1.0, 1.1, 2.5)


def test_assembly_follows_enzymes_binding_and_haematocrit(
    bodies: pd.DataFrame, load: Callable[[Any], Drug], drug_file: Any
) -> None:
    names = whole_body().parameter_names
    row = dict(bodies[bodies.twin_id == "m"].set_index("quantity")["value"])
    changed = row | {"enzyme_CYP2D6": 0.5, "enzyme_CYP3A4": 0.25, "AGP_ratio": 0.5, "haematocrit": 0.30}
    plain = load(drug_file)
    first, second = (dict(zip(names, base_parameters(plain, body))) for body in (row, changed))
    assert second["Vmax_CYP2D6"] == pytest.approx(0.5 * first["Vmax_CYP2D6"], rel=1e-12)
    # the drug file names neither the other enzyme nor the protein: nothing else may change
    assert {n for n in names if first[n] != second[n]} == {"Vmax_CYP2D6"}

    drug_file["metabolism"]["other_enzyme"] = {"value": "CYP3A4", "source": "test"}
    drug_file["binding"]["protein"] = {"value": "AGP", "source": "test"}
    named = dict(zip(names, base_parameters(load(drug_file), changed)))
    fu = drug_file["binding"]["fu_p"]["value"]
    own = 1 / (1 + (1 - fu) / fu * 0.5)
    assert named["CLint_other"] == pytest.approx(0.25 * first["CLint_other"], rel=1e-12)
    assert named["fu_p"] == pytest.approx(own, rel=1e-12)
    assert named["Kp_muscle"] == pytest.approx(first["Kp_muscle"] * own / fu, rel=1e-12)
    cells = (drug_file["binding"]["B_P"]["value"] - 1 + 0.45) / (0.45 * fu)
    assert named["B_P"] == pytest.approx(1 + 0.30 * (own * cells - 1), rel=1e-12)


@pytest.mark.parametrize("word", [{"value": "globulin", "source": "x"}, {"value": "AGP"}, "AGP"])
def test_a_binding_protein_that_is_not_known_or_has_no_source_is_refused(
    load: Callable[[Any], Drug], drug_file: Any, word: Any
) -> None:
    drug_file["binding"]["protein"] = word
    with pytest.raises(DrugFileError, match=r"binding\.protein"):
        load(drug_file)


def test_the_four_individual_parameters_keep_their_order(load: Callable[[Any], Drug], drug_file: Any) -> None:
    drug = load(drug_file)
    assert [whole_body().parameter_names[k] for k in individual_columns()] == list(INDIVIDUAL)
    np.testing.assert_array_equal(typical_individual(drug), [1.0, 1.0, 1.1, 2.5])
    np.testing.assert_array_equal(between_subject(drug), [0.3, 0.35, 0.2, 0.4])
    np.testing.assert_array_equal(typical_uncertainty(drug), [0.3, 0.4, 0.3, 0.3])
