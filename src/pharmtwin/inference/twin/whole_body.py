"""The workflow's whole-body PBPK model as a population model of one person.

Their body is constants, their genotype hypotheses, four individual parameters have random effects:

    f_CYP2D6 = activity_CYP2D6 TV_f_CYP2D6 exp(eta_f_CYP2D6)      f_other  = TV_f_other exp(eta_f_other)
    Kp_scale = TV_Kp_scale exp(eta_Kp_scale)                      MTT      = TV_MTT exp(eta_MTT)
    log C ~ Normal(log C_plasma, sigma)

Priors are those of the workflow's fit (``core.priors``): typical values, their uncertainty, variances between people
and residual error from the drug file, or the draws of a population fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.draws import Population
from pharmtwin.core.priors import OMEGA_SPREAD, PopulationPriors
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body, whole_body_for_fit
from pharmtwin.inference.data import MG_PER_L, activity_mixture
from pharmtwin.inference.models.description import FixedEffect, Output, PopulationModel, Prior, RandomEffect, Residual
from pharmtwin.inference.problem.problem import Component
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.model.description import Definition, Model, Parameter

Floats = NDArray[np.float64]
ACTIVITY = "activity_CYP2D6"
PLASMA = "C_plasma_ng_mL"


def whole_body_structure() -> Model:
    """The ODE model: individual parameters are definitions of typical values and effects; plasma also in ng/mL."""
    model = whole_body_for_fit()
    unit = {p.name: p.unit for p in model.parameters}
    new = [Parameter(ACTIVITY, "1", "CYP2D6 activity of the genotype relative to activity score 2")]
    own = []
    for name in INDIVIDUAL:
        new += [
            Parameter(f"TV_{name}", unit[name], f"typical {name}"),
            Parameter(f"eta_{name}", "1", f"effect on {name}"),
        ]
        factor = f"{ACTIVITY} * " if name == "f_CYP2D6" else ""
        text = f"{factor}TV_{name} * exp(eta_{name})"
        own.append(Definition(name, text, unit[name], f"{name} of the person"))
    seen = Definition(PLASMA, f"C_plasma * {MG_PER_L:g}", "ng/mL", "venous plasma concentration")
    return replace(
        model, name="whole_body_twin", sensitivities=(),
        parameters=(*(p for p in model.parameters if p.name not in INDIVIDUAL), *new),
        definitions=(*own, *model.definitions, seen), observables=(*model.observables, seen),
    )  # fmt: skip


def whole_body_model(priors: PopulationPriors, base: Floats, name: str = "whole_body") -> PopulationModel:
    """The model of one person.

    Parameters
    ----------
    priors : of the drug (``PopulationPriors.of``): their medians are the model's values.
    base : (n_parameters,) of ``core.whole_body.whole_body()``, from body and drug (``core.assembly.base_parameters``).
    """
    names = whole_body().parameter_names
    if np.shape(base) != (len(names),):
        raise ValueError(f"base has shape {np.shape(base)}, the whole body has {len(names)} parameters")
    structure = whole_body_structure()
    kept = set(structure.parameter_names)
    constants = {n: float(v) for n, v in zip(names, base, strict=True) if n in kept}
    spread = lambda median: Prior("lognormal", (float(median), OMEGA_SPREAD))  # noqa: E731
    omega = zip(INDIVIDUAL, priors.omega.tolist(), strict=True)
    return PopulationModel.create(
        name, structure,
        [
            FixedEffect(f"TV_{n}", float(t), source="drug file", prior=Prior("lognormal", (float(t), float(u))))
            for n, t, u in zip(INDIVIDUAL, priors.typical, priors.uncertainty, strict=True)
        ],
        [RandomEffect(f"eta_{n}", w**2, prior=spread(w)) for n, w in omega],
        [Residual("sigma", float(priors.sigma), prior=spread(priors.sigma))],
        [Output("plasma", PLASMA, "lognormal", ("sigma",), unit="ng/mL", matrix="plasma")],
        constants={**constants, ACTIVITY: 1.0},
    )  # fmt: skip


def activity_components(priors: pd.DataFrame, twin_id: str, minimum: float) -> tuple[list[Component], float]:
    """A person's diplotypes as hypotheses about their CYP2D6 activity, from table ``priors``.

    Returns them and the weight that was cut (components below ``minimum``). Raises KeyError for a person without
    genotype.
    """
    activity, weight, names, cut = activity_mixture(priors, twin_id, minimum)
    return [Component(float(w), {ACTIVITY: float(a)}, n) for a, w, n in zip(activity, weight, names, strict=True)], cut


def population_prior(model: PopulationModel, population: Population) -> TwinPrior:
    """The prior of a person from draws of the population (``core.draws.Population``)."""
    typical = np.array([f.value for f in model.fixed])
    alias: Mapping[str, str] = {f"TV_{n}": f"eta_{n}" for n in INDIVIDUAL}
    omega = np.einsum("si,ij->sij", population.omega**2, np.eye(len(INDIVIDUAL)))
    return TwinPrior.of_draws(model, dict(alias), typical * np.exp(population.theta), omega, population.sigma[:, None])
