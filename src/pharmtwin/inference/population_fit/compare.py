"""A posterior beside a published one: differences in units of what Monte-Carlo error allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.criticism.diagnostics import parameter_table

Floats = NDArray[np.float64]
#: differences that may be chance, in combined Monte-Carlo standard errors
LARGEST_Z = 4.0
#: ratio of posterior sds that counts as agreement
SD_RATIO = (0.9, 1.1)
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOMENTS = ["parameter", "mean", "reference_mean", "z", "sd", "reference_sd", "sd_ratio", "agrees"]
DRAWS = ["parameter", "figure", "value", "reference", "z", "agrees"]


def compare_moments(ours: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Means and sds side by side, columns :data:`MOMENTS`; z: difference of the means over their combined error.

    ours : rows parameter, mean, sd, mcse_mean (``criticism.diagnostics.parameter_table``). reference : parameter, mean,
    sd and either mcse_mean or ess_bulk (the error is then sd / sqrt(ess_bulk)). The parameters of ``reference`` decide;
    one that ``ours`` lacks raises KeyError.
    """
    known = ours.set_index("parameter")
    own = known.loc[reference["parameter"].astype(str).to_list()]
    mean, sd, error = (own[c].to_numpy(float) for c in ("mean", "sd", "mcse_mean"))
    their_mean, their_sd = (reference[c].to_numpy(float) for c in ("mean", "sd"))
    if "mcse_mean" in reference:
        their_error = reference["mcse_mean"].to_numpy(float)
    else:
        their_error = their_sd / np.sqrt(reference["ess_bulk"].to_numpy(float))
    z, ratio = (mean - their_mean) / np.hypot(error, their_error), sd / their_sd
    agrees = (np.abs(z) < LARGEST_Z) & (ratio >= SD_RATIO[0]) & (ratio <= SD_RATIO[1])
    columns = (reference["parameter"].to_list(), mean, their_mean, z, sd, their_sd, ratio, agrees)
    return pd.DataFrame(dict(zip(MOMENTS, columns, strict=True)))


def quantile_errors(chains: Floats, probabilities: Sequence[float]) -> Floats:
    """Monte-Carlo standard errors of quantiles of draws (chains, draws) (Vehtari 2021, doi 10.1214/20-BA1221)."""
    import arviz as az

    draws = np.asarray(chains, dtype=float)
    return np.array([float(np.asarray(az.mcse(draws, method="quantile", prob=p))) for p in probabilities])


def compare_draws(
    ours: Mapping[str, Floats], reference: Mapping[str, Floats], probabilities: Sequence[float] = PROBABILITIES
) -> pd.DataFrame:
    """Mean, sd and quantiles of draws (chains, draws) by name side by side, columns :data:`DRAWS`.

    ``agrees``: within :data:`LARGEST_Z` combined Monte-Carlo errors. The parameters of ``reference`` decide.
    """
    rows = []
    tables = [parameter_table({n: d[n] for n in reference}).set_index("parameter") for d in (ours, reference)]
    for name, theirs in reference.items():
        figures = ["mean", "sd", *(f"q{100 * p:g}" for p in probabilities)]
        values, errors = [], []
        for draws, table in zip((np.asarray(ours[name]), np.asarray(theirs)), tables, strict=True):
            row = table.loc[name]
            values.append([row["mean"], row["sd"], *np.quantile(draws, probabilities)])
            errors.append([row["mcse_mean"], row["mcse_sd"], *quantile_errors(draws, probabilities)])
        z = (np.array(values[0]) - values[1]) / np.hypot(np.array(errors[0]), np.array(errors[1]))
        rows += [
            (name, f, a, b, c, bool(abs(c) < LARGEST_Z))
            for f, a, b, c in zip(figures, *values, z.tolist(), strict=True)
        ]
    return pd.DataFrame(rows, columns=DRAWS)
