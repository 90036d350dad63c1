"""The only door to ArviZ (0.23): plain arrays in, plain arrays out.

ArviZ 1.x renamed most of what is used here, so a change of version ends in this file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def chain_diagnostics(draws: Floats) -> dict[str, Floats]:
    """Diagnostics of the draws (chains, draws, n) of n quantities, each (n,).

    rhat : rank-normalised split R-hat; ess_bulk, ess_tail : effective draws in the middle and in the 5 % tails;
    mcse_mean, mcse_sd : Monte-Carlo standard error of the posterior mean and sd (Vehtari 2021,
    doi:10.1214/20-BA1221). nan for a quantity that never moves or is not finite.
    """
    import arviz as az

    draws = _three_dimensions(draws)
    # ArviZ calls a quantity that never moves perfectly mixed
    moving = np.isfinite(draws).all(axis=(0, 1)) & (draws.max(axis=(0, 1)) > draws.min(axis=(0, 1)))
    data = az.convert_to_dataset({"x": draws[..., moving]})
    found = {
        "rhat": az.rhat(data, method="rank")["x"].values,
        "ess_bulk": az.ess(data, method="bulk")["x"].values,
        "ess_tail": az.ess(data, method="tail")["x"].values,
        "mcse_mean": az.mcse(data, method="mean")["x"].values,
        "mcse_sd": _mcse_sd(draws[..., moving]),
    }
    out = {name: np.full(draws.shape[2], np.nan) for name in found}
    for name, values in found.items():
        out[name][moving] = values
    return out


def _mcse_sd(draws: Floats) -> Floats:
    """Monte-Carlo error of the sd by the delta method from that of the variance.

    ArviZ 0.23's own ``mcse(method="sd")`` raises under NumPy 2.4 where numba is installed.
    """
    import arviz as az

    square = (draws - draws.mean(axis=(0, 1))) ** 2
    effective = az.ess(az.convert_to_dataset({"x": square}), method="mean")["x"].values
    return np.asarray(np.sqrt(square.var(axis=(0, 1)) / effective / square.mean(axis=(0, 1))) / 2)


def bulk_ess(draws: Floats) -> float:
    """Effective draws in the middle of one quantity's draws (chains, draws), one chain being enough; nan if it never
    moves or is not finite."""
    import arviz as az

    if not np.isfinite(draws).all() or draws.max() == draws.min():
        return float("nan")
    return float(
        az.ess(az.convert_to_dataset({"x": _three_dimensions(draws[..., None])}), method="bulk")["x"].values[0]
    )


def energy_bfmi(energy: Floats) -> Floats:
    """Energy Bayesian fraction of missing information of each chain (chains,) from energies (chains, draws)."""
    import arviz as az

    return np.asarray(az.bfmi(np.asarray(energy, dtype=float)), dtype=float)


def relative_efficiency(draws: Floats) -> Floats:
    """Effective draws of the mean per draw (n,), at most 1, from draws (chains, draws, n) of n positive quantities.

    A quantity without variation counts as independent draws (1).
    """
    import arviz as az

    data = az.convert_to_dataset({"x": _three_dimensions(draws)})
    found = np.array(az.ess(data, method="mean", relative=True)["x"].values, dtype=float)
    return np.minimum(np.where(np.isfinite(found), found, 1.0), 1.0)


def _three_dimensions(draws: Floats) -> Floats:
    if draws.ndim != 3 or draws.shape[1] < 4:
        raise ValueError(f"draws must be (chains, at least 4 draws, quantities), not {draws.shape}")
    return np.asarray(draws, dtype=float)
