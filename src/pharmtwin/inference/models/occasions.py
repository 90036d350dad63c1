"""Inter-occasion variability: one effect an occasion, switched by an indicator that is constant within it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pharmtwin.inference.models.description import PopulationModel, RandomEffect
from pharmtwin.model.description import Definition, Parameter

#: name of the indicator of an occasion among the parameters of an expanded model
INDICATOR = "occasion_{k}"


def effect_of(name: str, k: int) -> str:
    """Name of an effect in occasion ``k`` (from 1)."""
    return f"{name}_occ{k}"


def expand(model: PopulationModel, n_occasions: int) -> PopulationModel:
    """The model with ``n_occasions`` independent copies of every effect of the occasion.

    ``kappa`` becomes the definition ``kappa_occ1 * occasion_1 + kappa_occ2 * occasion_2 + ...``; the indicators
    ``occasion_k`` are covariates (1 during the occasion, else 0). All copies share one variance, as NONMEM's SAME.
    """
    effects = model.of_occasion
    if not effects:
        return model
    structure = model.structure
    names = {e.name for e in effects}
    numbers = range(1, n_occasions + 1)
    kept = tuple(p for p in structure.parameters if p.name not in names)
    new = [Parameter(effect_of(e.name, k), "1", f"{e.name} in occasion {k}") for e in effects for k in numbers]
    new += [Parameter(INDICATOR.format(k=k), "1", f"1 during occasion {k}") for k in numbers]
    sums = tuple(
        Definition(
            e.name, " + ".join(f"{effect_of(e.name, k)} * {INDICATOR.format(k=k)}" for k in numbers), "1",
            "effect of the occasion",
        )
        for e in effects
    )  # fmt: skip
    expanded = replace(
        structure,
        name=f"{structure.name}_{n_occasions}_occasions",
        parameters=(*kept, *new),
        definitions=(*sums, *structure.definitions),
    )
    subject = model.of_subject
    copies = [
        RandomEffect(effect_of(e.name, k), e.variance, "subject", e.fixed, e.prior) for k in numbers for e in effects
    ]
    n, m = len(subject), len(effects)
    omega = np.zeros((n + m * n_occasions, n + m * n_occasions))
    omega[:n, :n] = model.omega_of(subject)
    block = model.omega_of(effects)
    for k in range(n_occasions):
        at = n + k * m
        omega[at : at + m, at : at + m] = block
    return replace(
        model,
        structure=expanded,
        random=(*subject, *copies),
        omega=omega,
        covariates=(*model.covariates, *(INDICATOR.format(k=k) for k in numbers)),
    )
