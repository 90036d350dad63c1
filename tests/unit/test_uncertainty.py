"""Declarations of uncertain inputs: distributions, correlations, and that qualification and sensitivity share them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.core.drug import load_drug
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.values import quantities
from pharmtwin.qualification.judging.intervals import library_scales, normals
from pharmtwin.qualification.plan import read_plan
from pharmtwin.uncertainty.adherence import DELAY, PATTERN, TAKEN, taken_doses
from pharmtwin.uncertainty.body import FLOWS, anatomy_inputs, bodies
from pharmtwin.uncertainty.declared import declared_inputs
from pharmtwin.uncertainty.drugs import between_inputs, molecule_inputs, twin_value_inputs, value_inputs
from pharmtwin.uncertainty.inputs import Input, Law, check, dummy, factor, values
from pharmtwin.uncertainty.spread import shipped_spread

U = np.linspace(0.001, 0.999, 333)


@pytest.mark.parametrize(
    ("law", "peer"),
    [
        (Law("lognormal", (3.0, 0.4)), stats.lognorm(0.4, scale=3.0)),
        (Law("normal", (1.0, 2.0)), stats.norm(1.0, 2.0)),
        (Law("uniform", (2.0, 5.0)), stats.uniform(2.0, 3.0)),
        (Law("loguniform", (0.5, 50.0)), stats.loguniform(0.5, 50.0)),
        (Law("beta", (9.0, 1.0)), stats.beta(9.0, 1.0)),
    ],
)
def test_quantiles_are_those_of_scipy(law: Law, peer: stats.rv_continuous) -> None:
    np.testing.assert_allclose(law.quantile(U), peer.ppf(U), rtol=1e-10)


def test_a_discrete_law_has_its_shares() -> None:
    law = Law("discrete", (0.0, 1.0, 0.5, 2.0, 1.0, 5.0))
    drawn = law.quantile((np.arange(8000) + 0.5) / 8000)
    assert [np.mean(drawn == v) for v in (0.0, 0.5, 1.0)] == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert law.quantile(np.array([0.0, 1.0])).tolist() == [0.0, 1.0]


def test_the_ends_of_the_unit_interval_are_finite() -> None:
    assert np.isfinite(Law("normal", (0.0, 1.0)).quantile(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(
    ("family", "arguments"),
    [("weibull", (1.0,)), ("uniform", (2.0, 1.0)), ("lognormal", (-1.0, 0.2)), ("normal", (0.0, -1.0)),
     ("beta", (0.0, 1.0)), ("discrete", (1.0, 0.5, 0.0, 0.5)), ("discrete", (1.0,)), ("normal", (0.0, np.nan)),
     ("uniform", (1.0,))],
)  # fmt: skip
def test_impossible_laws_are_refused(family: str, arguments: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        Law(family, arguments)


def test_correlated_inputs_have_their_correlation_and_their_own_distributions() -> None:
    inputs = [factor(n, 0.5, "drug", n, "test", group="g") for n in "ab"] + [factor("c", 0.3, "drug", "c", "test")]
    u = np.random.default_rng(3).random((40_000, 3))
    drawn = values(inputs, u, {("a", "b"): -0.6})
    assert np.corrcoef(np.log(drawn[:, 0]), np.log(drawn[:, 1]))[0, 1] == pytest.approx(-0.6, abs=0.01)
    assert np.log(drawn[:, 1]).std() == pytest.approx(0.5, rel=0.01)
    np.testing.assert_allclose(drawn[:, [0, 2]], values(inputs, u)[:, [0, 2]], rtol=1e-13)
    np.testing.assert_array_equal(drawn[:7], values(inputs, u[:7], {("a", "b"): -0.6}))  # whatever comes with it


def test_what_cannot_be_declared_is_said() -> None:
    a, b = (factor(n, 0.1, "drug", n, "t") for n in "ab")
    with pytest.raises(ValueError, match="declared twice"):
        check([a, a])
    with pytest.raises(ValueError, match="must stand in one group"):
        check([a, b], {("a", "b"): 0.5})
    with pytest.raises(ValueError, match="names no pair"):
        check([a], {("a", "x"): 0.5})
    with pytest.raises(ValueError, match="not one of"):
        check([replace(a, kind="weather")])
    check([a, b, dummy()])


# ---------------------------------------------------------------- declared once


def test_the_intervals_of_qualification_are_drawn_from_the_same_declarations() -> None:
    """A draw of ``qualify`` is exp(sd z) of the declared input, for every uncertain value of a drug file."""
    drug = read_drug("paroxetine")
    declared = {i.acts_on: i.law.sd for i in value_inputs(drug)}
    (scales,) = library_scales({drug.name: drug}, 1, 11)
    assert set(scales["paroxetine"]) == set(declared)
    for path, sd in declared.items():
        z = normals(11, f"paroxetine:{path}", 1)[0]
        assert scales["paroxetine"][path] == pytest.approx(np.exp(sd * z), rel=1e-12)
    of = quantities(drug)
    assert {p for p, q in of.items() if q.cv > 0 and not p.endswith("shape")} == set(declared)
    assert {i.acts_on for i in between_inputs(drug)} == {p for p, q in of.items() if q.between_subject > 0}


def test_the_spreads_are_those_of_the_plan() -> None:
    assert shipped_spread() == read_plan().spread


def test_a_known_genotype_narrows_its_enzyme_only() -> None:
    drug, spread = read_drug("paroxetine"), shipped_spread()
    free = {i.acts_on: i.law.sd for i in molecule_inputs([drug], spread)}
    known = {i.acts_on: i.law.sd for i in molecule_inputs([drug], spread, {"CYP2D6": 1})}
    assert set(free) == {"CYP2D6", "CYP3A4"} and known["CYP3A4"] == free["CYP3A4"]
    assert known["CYP2D6"] == spread.within_genotype < free["CYP2D6"]


def test_inputs_of_the_twin_model_are_the_drug_files() -> None:
    drug = load_drug("paroxetine")
    found = {i.name: i for i in twin_value_inputs(drug)}
    assert (
        found["metabolism.CYP2D6_kcat"].law.sd == 0.4 and found["metabolism.CYP2D6_kcat between people"].law.sd == 0.35
    )
    assert found["absorption.MTT"].value(2.0) == pytest.approx(2.3)
    names = [i.name for i in declared_inputs("twin")]
    assert len(names) == len(set(names)) and all(i.source for i in declared_inputs("system"))


# ---------------------------------------------------------------- bodies and adherence


def body() -> dict[str, float]:
    table = physiology(reference_twins())
    return dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"])


def test_bodies_keep_mass_and_flow_closed() -> None:
    of, n = body(), 50
    inputs = anatomy_inputs(of)
    assert {i.group for i in inputs} == {"", FLOWS} and sum(i.group == FLOWS for i in inputs) > 10
    drawn = values(inputs, np.random.default_rng(1).random((n, len(inputs))))
    factors = {i.name: drawn[:, k] for k, i in enumerate(inputs)}
    out = bodies(of, "M", 35.0, factors)
    branches = [k for k in out if k.startswith("Q_") and k != "Q_lung"]
    np.testing.assert_allclose(sum(out[k] for k in branches), out["Q_lung"], rtol=1e-12)
    np.testing.assert_allclose(out["Q_lung"], of["CO"] * factors["cardiac_output"], rtol=1e-12)
    np.testing.assert_allclose(out["V_liver"], of["V_liver"] * factors["volume.liver"], rtol=1e-12)
    same = bodies(of, "M", 35.0, {"volume.liver": np.ones(2)})
    for name, value in same.items():
        np.testing.assert_allclose(value, of[name], rtol=1e-9, err_msg=name)


def test_omitted_doses_are_as_many_as_said_and_the_last_is_taken() -> None:
    times, amounts, n = 24.0 * np.arange(41), np.full(41, 20.0), 400
    pattern = (np.arange(n) + 0.5) / n
    t, a = taken_doses(times, amounts, {TAKEN: np.full(n, 0.8), PATTERN: pattern}, n)
    np.testing.assert_array_equal(t, np.tile(times, (n, 1)))
    assert set(np.unique(a)) == {0.0, 20.0} and np.all(a[:, -1] == 20.0)
    assert np.mean(a[:, :-1] == 0.0) == pytest.approx(0.2, abs=0.002)
    _, all_taken = taken_doses(times, amounts, {TAKEN: np.ones(n), PATTERN: pattern}, n)
    assert np.all(all_taken == 20.0)


def test_a_late_dose_stays_in_its_interval() -> None:
    t, a = taken_doses([0.0, 24.0, 48.0], [1.0, 1.0, 1.0], {DELAY: np.array([-3.0, 2.0, 100.0])}, 3)
    assert t[:, 2].tolist() == [45.0, 50.0, 56.0] and np.all(t[:, :2] == [0.0, 24.0]) and np.all(a == 1.0)
    once, _ = taken_doses([0.0], [1.0], {DELAY: np.array([2.0])}, 1)
    assert once.tolist() == [[0.0]]  # a single dose has no interval to be late in


def test_an_input_says_its_value_in_its_unit() -> None:
    assert factor("x", 0.1, "drug", "x", "t", typical=5.0).value(2.0) == 10.0
    assert Input("x", Law("uniform", (0.0, 1.0)), "model", "x", "t").value(0.4) == 0.4
