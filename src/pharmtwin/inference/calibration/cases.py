"""Whom the ladder is proved on: people with a model, a regimen and times of samples, drawn by name.

amikacin         two compartments, four effects with covariances, infusions, covariates (Burdet 2015)
one_compartment  oral, three effects, proportional error (Le Louedec 2021, run 001)
whole_body       the workflow's PBPK model with an ambiguous genotype and a prior of population draws
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.drug import Drug
from pharmtwin.core.priors import PopulationPriors, drug_file_population
from pharmtwin.facts import resource_path
from pharmtwin.inference.calibration.settings import settings
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.read import read_population_model
from pharmtwin.inference.problem.problem import ALONE, Component
from pharmtwin.inference.problem.records import Columns, Subject, read_subjects
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.whole_body import ACTIVITY, population_prior, whole_body_model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Person:
    """Somebody to be simulated and fitted. ``subject`` has doses and times; its values are placeholders."""

    model: PopulationModel
    subject: Subject
    prior: TwinPrior
    components: tuple[Component, ...] = ALONE


@dataclass(frozen=True)
class Case:
    """A kind of person.

    Attributes
    ----------
    person : makes one of a name, from a generator. quantity : what the interval is of; ``value`` gives its logarithm
        from effects v (n, k) and hypotheses (n,).
    """

    name: str
    person: Callable[[np.random.Generator, str], Person]
    quantity: str
    value: Callable[[Person, Floats, Ints], Floats]


def cases(bodies: Mapping[str, Floats] | None = None, drug: Drug | None = None, master: int = 1) -> dict[str, Case]:
    """Cases by name; ``whole_body`` only with parameter vectors of bodies (``core.assembly``) and their drug."""
    found = [_published("amikacin", "amikacin_burdet.yaml", "clearance"),
             _published("one_compartment", "mapbayr_study/run001.yaml", "clearance")]  # fmt: skip
    if bodies and drug is not None:
        found.append(_whole_body(bodies, drug, master))
    return {c.name: c for c in found}


def _published(name: str, file: str, quantity: str) -> Case:
    """A model of ``resources/population`` with known population; its first effect is that on clearance."""
    model, data = read_population_model(resource_path(f"population/{file}"))
    columns = Columns(states=data.get("states", {}))
    design, prior = settings(name), TwinPrior.of_model(model)
    rows = {"amikacin": _amikacin_rows, "one_compartment": _oral_rows}[name]

    def person(rng: np.random.Generator, who: str) -> Person:
        subject = read_subjects(model, rows(rng, design).assign(ID=who), columns)[0][0]
        return Person(model, subject, prior)

    return Case(name, person, quantity, lambda person, v, case: v[:, 0])


def _whole_body(bodies: Mapping[str, Floats], drug: Drug, master: int) -> Case:
    """The PBPK model: one of the bodies, a genotype of three candidates, the drug file's uncertain population."""
    design, priors = settings("whole_body"), PopulationPriors.of(drug)
    models = {name: whole_body_model(priors, base) for name, base in sorted(bodies.items())}
    population = drug_file_population(drug, master, int(design["population_draws"]))
    prior = population_prior(next(iter(models.values())), population)
    activity = np.array([design[f"activity_{level}"] for level in ("high", "middle", "low")])

    def person(rng: np.random.Generator, who: str) -> Person:
        model = models[list(models)[rng.integers(len(models))]]
        weight = rng.dirichlet(np.ones(len(activity)))
        components = tuple(Component(float(w), {ACTIVITY: float(a)}, f"{a:g}") for a, w in zip(activity, weight))
        rows = _oral_rows(rng, design).assign(ID=who, CMT="oral")
        return Person(model, read_subjects(model, rows)[0][0], prior, components)

    def value(person: Person, v: Floats, case: Ints) -> Floats:
        return np.asarray(np.log(activity)[case] + v[:, 0])

    return Case("whole_body", person, "intrinsic clearance by CYP2D6", value)


def _times(rng: np.random.Generator, n_doses: int, interval: float, first: float) -> Floats:
    """Times of samples (h): each some time after one of the doses, before the next would be due."""
    design = settings("design")
    n = int(rng.integers(int(design["samples_from"]), int(design["samples_to"]) + 1))
    after = rng.uniform(first, interval, n) + interval * rng.integers(n_doses, size=n)
    return np.sort(np.round(after, 2))


def _rows(doses: pd.DataFrame, samples: Floats) -> pd.DataFrame:
    """Rows of doses and samples in time order."""
    taken = pd.DataFrame({"TIME": samples, "EVID": 0, "AMT": 0.0, "RATE": 0.0, "DV": 1.0})
    return pd.concat([doses, taken]).sort_values("TIME", kind="stable", ignore_index=True)


def _amikacin_rows(rng: np.random.Generator, d: Mapping[str, float]) -> pd.DataFrame:
    """Infusions once a day by body weight, covariates around the model's centres."""
    own = {n: d[n] * float(np.exp(d[f"{n}_spread"] * rng.standard_normal())) for n in ("CLCREAT4H", "TBW", "PoverF")}
    dose = d["rounding"] * round(d["dose_per_kg"] * own["TBW"] / d["rounding"])
    n = int(rng.integers(1, int(d["doses_to"]) + 1))
    doses = pd.DataFrame({"TIME": d["interval"] * np.arange(n), "EVID": 1, "AMT": dose, "RATE": dose / d["infusion"]})
    return _rows(doses, _times(rng, n, d["interval"], d["first_sample"])).assign(CMT="iv", **own)


def _oral_rows(rng: np.random.Generator, d: Mapping[str, float]) -> pd.DataFrame:
    """Oral doses at an interval."""
    n = int(rng.integers(1, int(d["doses_to"]) + 1))
    doses = pd.DataFrame({"TIME": d["interval"] * np.arange(n), "EVID": 1, "AMT": d["dose"], "RATE": 0.0})
    return _rows(doses, _times(rng, n, d["interval"], d["first_sample"])).assign(CMT="1")
