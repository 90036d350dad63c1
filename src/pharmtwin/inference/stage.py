"""Fit stage: from the sheets' rows to tables and the stored posterior."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.drug import Drug
from pharmtwin.core.priors import PopulationPriors
from pharmtwin.core.seeds import seed_sequence
from pharmtwin.files import replace_atomically
from pharmtwin.inference.data import fit_data

N_KEPT = 400  # joint draws that later stages use


def fit_study(
    drug: Drug,
    base: Mapping[str, NDArray[np.float64]],
    events: pd.DataFrame,
    activity: pd.DataFrame,
    options: Mapping[str, Any],
    master: int,
    cores: int,
    log: logging.Logger,
) -> tuple[Any, Any]:
    """Fit all twins with samples; returns (FitTables, InferenceData).

    Parameters
    ----------
    base : parameter vectors by twin. events : canonical events sheet. activity : CYP2D6 activity ``priors``.
    options : ``fit`` of the config.
    """
    from pharmtwin.inference.population import SamplerSettings, build_model, sample
    from pharmtwin.inference.results import tabulate

    priors = PopulationPriors.of(drug)
    data = fit_data(dict(base), events, activity, float(options["min_component_weight"]))
    log.info("%d twins, %d runs, %d samples", len(data.twins), data.batch.n, sum(len(t.times) for t in data.twins))
    for twin, weight in sorted(data.cut_weight.items()):
        log.info("twin %s: activity components with weight %.2g cut (fit.min_component_weight)", twin, weight)
    model, op, _ = build_model(data, priors, float(options["rtol"]))
    seed = int(seed_sequence(master, "fit", "population").generate_state(1)[0])
    settings = SamplerSettings(
        chains=int(options["chains"]), tune=int(options["tune"]), draws=int(options["draws"]),
        target_accept=float(options["target_accept"]), cores=cores, seed=seed,
    )  # fmt: skip
    posterior = sample(model, settings)
    tables = tabulate(posterior, data, priors, op.kernel, n_keep=N_KEPT, master=master, rtol=float(options["rtol"]))
    for row in tables.diagnostics.itertuples():
        log.info("%s = %g (%s): %s", row.check, row.value, row.limit, "passed" if row.passed else "NOT PASSED")
    return tables, posterior


def save_posterior(posterior: Any, path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write all draws as NetCDF without clock or host, so that equal draws give equal bytes.

    about : attributes of the group ``posterior``. A group that is not there is left out.
    """
    import arviz as az

    groups = {}
    for name in ("posterior", "sample_stats"):
        if name not in posterior.groups():
            continue
        group = getattr(posterior, name).copy()
        keep = [v for v in group.data_vars if group[v].dtype.kind in "fiub" and v not in ("u",)]
        group = group[keep]
        group.attrs = dict(about or {}) if name == "posterior" else {}
        groups[name] = group
    idata = az.InferenceData(**groups)
    idata.attrs.clear()
    replace_atomically(path, lambda p: idata.to_netcdf(str(p), engine="h5netcdf"))
