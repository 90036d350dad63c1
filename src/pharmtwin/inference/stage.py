"""Fit stage: from the sheets' rows to tables and the stored posterior."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.drug import Drug
from pharmtwin.core.priors import PopulationPriors
from pharmtwin.inference.study import study_data

N_KEPT = 400  # joint draws that later stages use
CAP = 3.5 * 3600.0  # seconds that sampling may take: half an hour less than the rule's runtime


def fit_study(
    drug: Drug,
    base: Mapping[str, NDArray[np.float64]],
    events: pd.DataFrame,
    activity: pd.DataFrame,
    shares: pd.DataFrame,
    options: Mapping[str, Any],
    master: int,
    cores: int,
    log: logging.Logger,
) -> tuple[Any, Any]:
    """Fit all twins with samples; returns (FitTables, InferenceData).

    Parameters
    ----------
    base : parameter vectors by twin. events : canonical events sheet. activity : CYP2D6 activity ``priors``.
    shares : of each diplotype in their components (``diplotypes.diplotype_table``).
    options : ``fit`` of the config.
    """
    from pharmtwin.inference.population_fit.build import build
    from pharmtwin.inference.population_fit.sample import Plan, sample
    from pharmtwin.inference.results import tabulate, with_own_effects

    priors = PopulationPriors.of(drug)
    data = study_data(priors, base, events, activity, float(options["min_component_weight"]))
    fit = build(data.model, data.subjects, components=data.solved, shifts=data.shifts, rtol=float(options["rtol"]))
    samples = sum(len(s.obs_row) for s in data.subjects)
    log.info("%d twins, %d runs, %d samples", len(data.subjects), fit.problem.n_runs, samples)
    if data.cut_weight:  # logs name nobody
        most = max(data.cut_weight.values())
        log.info("components cut in %d twins, at most %.2g of the weight (fit.min_component_weight)",
                 len(data.cut_weight), most)  # fmt: skip
    plan = Plan(
        chains=int(options["chains"]), tune=int(options["tune"]), draws=int(options["draws"]),
        target_accept=float(options["target_accept"]), cores=cores, cap=CAP, low_rank=True,
    )  # fmt: skip
    posterior = sample(fit, plan, master=master, name="population", log=log)
    tables = tabulate(posterior, fit, data, shares, priors, n_keep=N_KEPT, master=master)
    for row in tables.diagnostics.itertuples():
        log.info("%s = %g (%s): %s", row.check, row.value, row.limit, "passed" if row.passed else "NOT PASSED")
    return tables, with_own_effects(posterior, fit, master)
