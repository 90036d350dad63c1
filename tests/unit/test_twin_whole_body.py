"""The PBPK model as one person's population model: the workflow's equations, its priors, its genotype."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.core.assembly import assemble
from pharmtwin.core.drug import load_drug
from pharmtwin.core.priors import PopulationPriors, drug_file_population
from pharmtwin.core.whole_body import whole_body, whole_body_for_fit
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import Component, make_problem
from pharmtwin.inference.problem.records import Subject, read_subjects
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.target import TwinTarget
from pharmtwin.inference.twin.twin import fit_twin
from pharmtwin.inference.twin.whole_body import ACTIVITY, activity_components, population_prior, whole_body_model

DRUG = load_drug("paroxetine")
TIMES = [4.0, 28.0, 47.0]


@cache
def base() -> np.ndarray:
    return assemble(DRUG, physiology(reference_twins()))["population_M"]


@cache
def model() -> PopulationModel:
    return whole_body_model(PopulationPriors.of(DRUG), base())


def subject(values: list[float]) -> Subject:
    rows = pd.DataFrame({"ID": "m", "TIME": [0.0, *TIMES], "EVID": [1, 0, 0, 0], "AMT": [20.0, 0, 0, 0], "II": 24.0,
                         "ADDL": 1, "CMT": "oral", "DV": [np.nan, *values]})  # fmt: skip
    return read_subjects(model(), rows)[0][0]


def test_predictions_are_the_workflows_for_every_effect_and_activity() -> None:
    components = [Component(0.5, {ACTIVITY: 1.0}), Component(0.5, {ACTIVITY: 0.3})]
    problem = make_problem(model(), [subject([5.0] * 3)], components={"m": components}, rtol=1e-8)
    v = np.array([0.2, -0.3, 0.15, -0.4])
    target = TwinTarget(problem, TwinPrior.of_model(model()))
    got = target.evaluate(np.tile(v, (2, 1)), np.arange(2)).f
    names = whole_body().parameter_names
    for row, activity in zip(got, (1.0, 0.3)):
        p = base().copy()
        for name, value, effect in zip(
            ("f_CYP2D6", "f_other", "Kp_scale", "MTT"), PopulationPriors.of(DRUG).typical, v
        ):
            p[names.index(name)] = value * np.exp(effect) * (activity if name == "f_CYP2D6" else 1.0)
        doses = [Dose(0.0, 20.0), Dose(24.0, 20.0)]
        batch = pack(whole_body_for_fit(), [p], [doses], [np.array(TIMES)])
        plasma = simulate(whole_body_for_fit(), batch, engine="rosenbrock", rtol=1e-8).values[:, 0]
        np.testing.assert_allclose(row, 1000.0 * plasma, rtol=1e-6)


def test_priors_are_the_drug_files() -> None:
    priors, made = PopulationPriors.of(DRUG), model()
    np.testing.assert_allclose([f.value for f in made.fixed], priors.typical)
    np.testing.assert_allclose(np.sqrt(np.diag(made.omega)), priors.omega)
    assert made.residuals[0].value == priors.sigma and made.output("plasma").error == "lognormal"
    population = drug_file_population(DRUG, 3, 50)
    prior = population_prior(made, population)
    # typical value times exp(effect), centre and deviation together, is the draw's typical value
    np.testing.assert_allclose(prior.centre * np.exp(prior.mean), priors.typical * np.exp(population.theta))
    np.testing.assert_allclose(np.einsum("sii->si", prior.cov), population.omega**2)
    np.testing.assert_allclose(prior.sigma[:, 0], population.sigma)


def test_components_of_the_genotype_carry_activity_and_what_was_cut_is_told() -> None:
    table = pd.DataFrame({
        "twin_id": "m", "parameter": "activity.CYP2D6", "component": ["*1/*1", "*1/*4", "unknown:*1/*4", "*4/*4"],
        "location": [1.0, 0.5, 0.5, 0.0], "weight": [0.6, 0.25, 0.149, 0.001],
    })  # fmt: skip
    components, cut = activity_components(table, "m", 0.01)
    assert [(c.name, c.values[ACTIVITY]) for c in components] == [("*1/*4", 0.5), ("*1/*1", 1.0)]
    np.testing.assert_allclose([c.weight for c in components], [0.399 / 0.999, 0.6 / 0.999])
    assert cut == pytest.approx(0.001)
    with pytest.raises(KeyError, match="nobody"):
        activity_components(table, "nobody", 0.01)
    with pytest.raises(ValueError, match="shape"):
        whole_body_model(PopulationPriors.of(DRUG), base()[:-1])


def test_a_poor_metabolisers_samples_settle_the_genotype() -> None:
    """Samples of a person without CYP2D6 activity: the genotype is found, and no variance is left over for it."""
    components = [Component(0.6, {ACTIVITY: 1.0}, "normal"), Component(0.4, {ACTIVITY: 0.0}, "poor")]
    problem = make_problem(model(), [subject([5.0] * 3)], components={"m": components}, rtol=1e-6)
    target = TwinTarget(problem, TwinPrior.of_model(model()))
    f = target.evaluate(np.zeros((2, 4)), np.arange(2)).f
    assert f[1, -1] > 3 * f[0, -1]
    for case, name in enumerate(("normal", "poor")):
        twin = fit_twin(model(), subject(list(f[case])), components=components)
        assert twin.posterior.trusted and twin.usable
        best = twin.hypotheses.set_index("component")["posterior"]
        assert best[name] > 0.9
        assert abs(twin.posterior.mean[1]) < 0.3  # other clearance is not bent to make up for a genotype
    known = fit_twin(model(), subject(list(f[1])), components=[Component(1.0, {ACTIVITY: 0.0}, "poor")])
    assert known.posterior.sd[0] == pytest.approx(0.35, rel=0.1)  # nothing to learn of an enzyme that is not there
