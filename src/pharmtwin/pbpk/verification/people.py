"""Whom the verification simulates: the reference adult, and the twins of least and most expected CYP2D6 activity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.assembly import individual_columns, typical_individual
from pharmtwin.core.draws import ACTIVITY
from pharmtwin.pbpk.alternatives import best_model
from pharmtwin.pbpk.predict import POPULATION, Inputs, parameter_draws

Floats = NDArray[np.float64]
REFERENCE, LOWEST, HIGHEST, ONLY = "reference adult", "lowest activity", "highest activity", "twin"
DRAWS = 400  # parameter draws whose median stands for a twin


@dataclass(frozen=True)
class Person:
    """Somebody simulated with one parameter vector: ``name`` as in table ``body``, ``role`` one of those above."""

    name: str
    role: str
    parameters: Floats


def chosen(priors: pd.DataFrame, twins: list[str], fitted: set[str]) -> dict[str, str]:
    """Twin -> role: those of least and most expected CYP2D6 activity, among the fitted twins where there are any.

    Equal activities: the first by name. A single twin is ``ONLY``; without twins nobody is chosen.
    """
    among = sorted(fitted & set(twins)) or sorted(twins)
    mine = priors[(priors["parameter"] == ACTIVITY) & priors["twin_id"].isin(among)]
    expected = (mine["weight"] * mine["location"]).groupby(mine["twin_id"].astype(str)).sum().sort_index()
    if expected.empty:
        return {}
    low, high = str(expected.idxmin()), str(expected.idxmax())
    return {low: ONLY} if low == high else {low: LOWEST, high: HIGHEST}


def reference_adult(inputs: Inputs) -> Person:
    """The reference man with CYP2D6 activity score 2 and the population's typical values."""
    individual = typical_individual(inputs.drug) * np.exp(np.median(inputs.population.theta, axis=0))
    return Person(POPULATION[0], REFERENCE, _with_individual(inputs.base[POPULATION[0]], individual))


def twin(inputs: Inputs, name: str, role: str, master: int) -> Person:
    """A twin at the medians of its own four parameters: of its posterior, else of its genotype's prior.

    Body, GFR and binding are those of its covariates.
    """
    draws, _ = parameter_draws(inputs, name, best_model(inputs, name), DRAWS, master)
    return Person(name, role, _with_individual(inputs.base[name], np.median(draws[:, individual_columns()], axis=0)))


def people(inputs: Inputs, roles: dict[str, str], master: int) -> list[Person]:
    """The reference adult, then the chosen twins (:func:`chosen`)."""
    return [reference_adult(inputs), *(twin(inputs, name, role, master) for name, role in roles.items())]


def _with_individual(base: Floats, individual: Floats) -> Floats:
    out = base.copy()
    out[individual_columns()] = individual
    return out
