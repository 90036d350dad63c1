"""Exposures of many twins: the same numbers as one by one, independent of company; limits; activities; failures."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body.physiology import body_of, reference_twins
from pharmtwin.core.gut import gut
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_vector, parameter_vectors
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.system import build
from pharmtwin.engine.replicate import replicate
from pharmtwin.engine.run import pack, simulate
from pharmtwin.exposures import stage
from pharmtwin.exposures.activity import activities, diplotype_activity, genotyped
from pharmtwin.exposures.draws import components, normals, shared_normals, sliced
from pharmtwin.exposures.metrics import exposures, limits
from pharmtwin.exposures.parameters import powers
from pharmtwin.exposures.people import People, people_of
from pharmtwin.exposures.regimens import Regimen, regimens_of, system_of
from pharmtwin.facts import RESOURCES
from pharmtwin.intake.config import check_config, load_config

DRUGS = sorted(p.stem for p in (RESOURCES / "drugs").glob("*.yaml"))
LOG = logging.getLogger("test")
CONFIG = {
    "master_seed": 1,
    "genome": {"activity_map": "power"},
    "pbpk": {"rtol": 1e-4, "crosscheck_fraction": 0.2, "crosscheck_rtol": 1e-3},
    "exposures": {
        "draws": 5,
        "regimens": [{"drug": "omeprazole_S", "dose_mg": 20, "interval_h": 24, "n_doses": 2, "formulation": ""}],
    },
}


def three_people() -> pd.DataFrame:
    """The reference man and woman, and a heavier man with little albumin."""
    twins = reference_twins()
    third = twins.iloc[[0]].assign(twin_id="heavy", weight_kg=110.0, albumin_g_l=30.0, age_y=60.0)
    return pd.concat([twins, third], ignore_index=True)


def bodies() -> dict[str, np.ndarray]:
    return {q: v for q, (v, _) in body_of(three_people()).columns.items()}


@pytest.mark.parametrize("name", DRUGS)
def test_parameters_of_many_are_those_of_each(name: str) -> None:
    system, own = build([read_drug(name)]), bodies()
    molecules = {m for m, _ in system.enzymes}
    activity = {m: np.array([0.3, 1.0, 2.0]) for m in molecules}
    many = parameter_vectors(system, own, activity, gut=gut("fasted"))
    for k in range(3):
        one = {q: float(v[k]) for q, v in own.items()}
        assert np.array_equal(
            many[k], parameter_vector(system, one, {m: float(a[k]) for m, a in activity.items()}, gut=gut("fasted"))
        )


def test_a_replicated_run_is_the_packed_one() -> None:
    drug = read_drug("desipramine")
    system = build([drug])
    P = parameter_vectors(system, bodies())
    doses = dose_events(system, drug.name, "oral", [(0.0, 50.0, 0.0), (24.0, 50.0, 0.0)])
    times = np.array([1.0, 12.0, 30.0])
    many = simulate(system.model, pack(system.model, P, [doses] * 3, [times] * 3), engine="rosenbrock")
    one = pack(system.model, P[:1], [doses], [times])
    assert np.array_equal(simulate(system.model, replicate(one, P), engine="rosenbrock").values, many.values)
    with pytest.raises(ValueError, match="single run"):
        replicate(pack(system.model, P, [doses] * 3, [times] * 3), P)


def test_draws_are_named_and_sliced() -> None:
    u = sliced(1, "a", 20)
    assert sorted(np.floor(u * 20).astype(int)) == list(range(20))
    assert np.array_equal(normals(1, "a", 20), normals(1, "a", 20)) and not np.array_equal(
        normals(1, "a", 20), normals(1, "b", 20)
    )
    z = shared_normals(1, [f"x{k}" for k in range(12)], 20)
    assert np.allclose(z.mean(axis=1), 0, atol=1e-12)
    assert np.allclose(z @ z.T / 20, np.eye(12), atol=1e-9)
    many = shared_normals(1, [f"x{k}" for k in range(30)], 20)  # more inputs than draws: mean and variance alone
    assert np.allclose(many.mean(axis=1), 0, atol=1e-12) and np.allclose((many**2).mean(axis=1), 1)
    picked = components(sliced(1, "g", 20), np.array([0.25, 0.5, 0.25]))
    assert np.bincount(picked).tolist() == [5, 10, 5]


def test_limits_are_unbiased_for_a_normal_distribution_and_skip_failures() -> None:
    x = np.random.default_rng(1).standard_normal((4000, 20))
    found = limits(x).mean(axis=0)
    assert found == pytest.approx([-1.645, 0.0, 1.645], abs=0.03)  # type 7 gives 1.43
    holes = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    out = limits(holes)
    assert out[0, 1] == 2.0 and np.isnan(out[1]).all()


def test_metrics_of_known_curves() -> None:
    times = np.array([144.0, 145.0, 150.0, 168.0])
    c = np.array([[0.1, 0.5, 0.3, 0.2], [np.nan] * 4])
    area = np.array([[10.0, 10.3, 12.0, 17.0], [np.nan] * 4])
    out = exposures(times, c, area)
    assert out[0] == pytest.approx([7000.0, 500.0, 200.0, 1.0])
    assert np.isnan(out[1]).all()


def test_activity_of_diplotypes() -> None:
    assert diplotype_activity("CYP2D6", "*1/*1", "EUR", "power") == (((1.0, 1.0),), True)
    assert diplotype_activity("CYP2D6", "*4/*4", "EUR", "power") == (((0.0, 1.0),), True)
    ((value, share),), known = diplotype_activity("CYP2C19", "*1/*2", "EUR", "power")
    assert value == 0.462 and share == 1.0 and known  # clearance_maps.tsv, escitalopram
    mixture, known = diplotype_activity("SLCO1B1", "*1/*2", "EUR", "power")  # *2 has uncertain function
    assert not known and len(mixture) > 1 and sum(p for _, p in mixture) == pytest.approx(1.0)
    assert "CYP2B6" not in genotyped(["CYP2B6"])  # has no map of the enzyme alone


def test_an_uncalled_gene_is_that_of_the_ancestry_and_says_so() -> None:
    nobody = pd.DataFrame({"twin_id": [], "gene": [], "diplotype": [], "probability": []})
    own = activities(nobody, {"a": "EAS", "b": "EUR"}, ["CYP2C19"], "power")["CYP2C19"]
    assert own["a"].unsourced == 1.0
    poor = {t: dict(own[t].components).get(0.0, 0.0) for t in own}
    assert poor["a"] > 2 * poor["b"]  # poor metabolisers are more frequent in East Asia


def people(twins: pd.DataFrame) -> People:
    body = body_of(twins)
    nothing = pd.DataFrame({"twin_id": [], "draw": [], "quantity": [], "value": [], "unit": []})
    return people_of(body.table(), nothing, body.priors(), {str(t): "EUR" for t in twins["twin_id"]})


def genotype(diplotypes: Mapping[str, str]) -> pd.DataFrame:
    rows = [(t, "CYP2C19", d, 1.0) for t, d in diplotypes.items()]
    return pd.DataFrame(rows, columns=["twin_id", "gene", "diplotype", "probability"])


def test_a_twin_is_the_same_in_any_company_and_a_poor_metaboliser_is_exposed_more() -> None:
    twins = three_people()
    calls = genotype({"population_M": "*2/*2", "population_F": "*1/*1", "heavy": "*1/*1"})
    table, checks = stage.exposures_of(people(twins), calls, CONFIG, "exposures/b000", LOG)
    own = people(twins)
    heavy = People(("heavy",), {q: v[2:] for q, v in own.body.items()}, own.gfr_sd[2:], {"heavy": "EUR"})
    alone, _ = stage.exposures_of(heavy, calls, CONFIG, "exposures/b000", LOG)
    together = table[table["twin_id"] == "heavy"].reset_index(drop=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)
    auc = table[table["metric"] == "AUCtau"].set_index("twin_id")
    assert auc.loc["population_M", "median"] > 2 * auc.loc["population_F", "median"]
    assert (auc["lo90"] < auc["median"]).all() and (auc["median"] < auc["hi90"]).all()
    assert (table["n_draws"] == 5).all() and (table["unsourced"] == 0.0).all()
    assert len(checks) and checks["passed"].all()
    summary = stage.summary_of(table, {"population_M": "EUR", "population_F": "EUR", "heavy": "AFR"})
    assert set(summary["group"]) == {"all", "EUR", "AFR"} and summary["n_twins"].max() == 3


def test_failed_draws_are_counted_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every solve of one twin fails, with both engines: no result, said in both tables; the others go on."""
    real = stage.simulate

    def failing(model: object, batch: object, **more: object) -> object:
        solved = real(model, batch, **more)  # type: ignore[arg-type]
        bad = np.isclose(batch.P[:, model.parameter_names.index("V_adipose")], big)  # type: ignore[attr-defined]
        for k in np.flatnonzero(bad):
            solved.flag[k] = 2
            solved.values[solved.t_0[k] : solved.t_0[k + 1]] = np.nan
        return solved

    twins = three_people()
    them = people(twins)
    big = float(them.body["V_adipose"][them.twin_ids.index("heavy")])
    monkeypatch.setattr(stage, "simulate", failing)
    table, checks = stage.exposures_of(them, genotype({}), CONFIG, "exposures/b000", LOG)
    heavy = table[table["twin_id"] == "heavy"]
    assert (heavy["n_draws"] == 0).all() and (heavy["n_failed"] == 5).all() and heavy["median"].isna().all()
    assert (table.loc[table["twin_id"] != "heavy", "n_draws"] == 5).all()
    named = checks[~checks["passed"]]
    assert set(named["run"]) >= {f"heavy/{regimens_of(CONFIG)[0].name}/covariates"}
    summary = stage.summary_of(table, {})
    assert (summary["n_without"] == 1).all() and (summary["n_failed"] == 5).all()


def test_a_value_that_parameters_do_not_follow_by_a_power_is_refused() -> None:
    drug, system = system_of(Regimen("omeprazole_S", 20, 24, 1))
    typical = {q: float(v[0]) for q, v in bodies().items()}
    exponents = powers(drug, system, {}, typical, "absorption.Peff")
    assert set(exponents) >= {0.0, 1.0}
    path = next(p for p in ("compounds.omeprazole_S.physicochemistry.logP",))
    with pytest.raises(ValueError, match="by a power"):
        powers(drug, system, {}, typical, path)


def test_regimens_have_names_and_none_stands_twice() -> None:
    twice = {"exposures": {"regimens": [*CONFIG["exposures"]["regimens"]] * 2}}  # type: ignore[index]
    assert regimens_of(CONFIG)[0].name == "omeprazole_S_20mg_q24h_x2"
    with pytest.raises(ValueError, match="stands there twice"):
        regimens_of(twice)


def test_a_regimen_of_an_unknown_drug_is_a_finding() -> None:
    config, _, _ = load_config([])
    assert config is not None
    good, bad = ({"drug": d, "dose_mg": 20, "interval_h": 24, "n_doses": 7} for d in ("omeprazole_S", "omeprazol"))
    config["exposures"]["regimens"] = [good, bad, {"drug": "midazolam", "dose_mg": -1, "interval_h": 24}]
    found = [f for f in check_config(config) if f.column.startswith("exposures")]
    assert sorted((f.rule, f.value) for f in found) == [
        ("config.drug_unknown", "omeprazol"),
        ("config.key_missing", ""),
        ("config.out_of_range", "-1"),
    ]
