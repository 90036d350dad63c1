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
MOMENTS = ["parameter", "mean", "reference_mean", "z", "sd", "reference_sd", "sd_ratio", "sd_z", "agrees"]
DRAWS = ["parameter", "figure", "value", "reference", "z", "agrees"]


def compare_moments(ours: pd.DataFrame, reference: pd.DataFrame, sd_by: str = "ratio") -> pd.DataFrame:
    """Means and sds side by side, columns :data:`MOMENTS`; z, sd_z: differences over their combined Monte-Carlo errors.

    ours : rows parameter, mean, sd, mcse_mean, mcse_sd (``criticism.diagnostics.parameter_table``). reference :
    parameter, mean, sd, and effective draws ess_bulk; the errors are then sd / sqrt(ess) and, of an sd of about normal
    draws, sd / sqrt(2 ess). The parameters of ``reference`` decide; one that ``ours`` lacks raises KeyError.
    sd_by : sds agree where their "ratio" is within :data:`SD_RATIO`, or (published sds of few effective draws) where
    they differ by less than :data:`LARGEST_Z` of their "error".
    """
    known = ours.set_index("parameter")
    own = known.loc[reference["parameter"].astype(str).to_list()]
    mean, sd, error, sd_error = (own[c].to_numpy(float) for c in ("mean", "sd", "mcse_mean", "mcse_sd"))
    their_mean, their_sd, effective = (reference[c].to_numpy(float) for c in ("mean", "sd", "ess_bulk"))
    z = (mean - their_mean) / np.hypot(error, their_sd / np.sqrt(effective))
    ratio, sd_z = sd / their_sd, (sd - their_sd) / np.hypot(sd_error, their_sd / np.sqrt(2.0 * effective))
    same_sd = {"ratio": (ratio >= SD_RATIO[0]) & (ratio <= SD_RATIO[1]), "error": np.abs(sd_z) < LARGEST_Z}[sd_by]
    agrees = (np.abs(z) < LARGEST_Z) & same_sd
    columns = (reference["parameter"].to_list(), mean, their_mean, z, sd, their_sd, ratio, sd_z, agrees)
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
