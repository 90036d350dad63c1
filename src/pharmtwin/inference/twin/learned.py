"""What a person's samples taught: shrinkage and overlap of prior and posterior, by effect."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pharmtwin.inference.criticism.priors import overlap
from pharmtwin.inference.twin.ladder import TwinPosterior
from pharmtwin.inference.twin.prior import TwinPrior

#: draws of the prior that the overlap is computed with
N_PRIOR = 4000
#: share of the prior's sd below which its mean is 0 but for rounding
ROUNDING = 1e-12


def learned(prior: TwinPrior, posterior: TwinPosterior, rng: np.random.Generator) -> pd.DataFrame:
    """A row an effect: effect, mean and sd of prior and posterior, mcse of the mean, variance_left, sd_left, overlap.

    variance_left, sd_left : shares of the prior's that the samples did not remove, 1 where nothing was learned (the
    person's own shrinkage). overlap : of the two densities, 0 to 1 (``criticism.priors.overlap``). All three are 1 for
    effects without variance.
    """
    draws, _ = prior.sample(N_PRIOR, rng)
    mean, cov = prior.moments()
    rows = []
    for k, name in enumerate(posterior.names):
        sd, left = float(np.sqrt(cov[k, k])), 1.0
        if sd > 0:
            left = float(posterior.sd[k]) / sd
        centre = float(mean[k]) if abs(mean[k]) > ROUNDING * sd else 0.0
        rows.append(
            {
                "effect": name, "prior_mean": centre, "prior_sd": sd, "mean": float(posterior.mean[k]),
                "sd": float(posterior.sd[k]), "mcse": float(posterior.mcse[k]),
                "variance_left": left**2, "sd_left": left,
                "overlap": overlap(draws[:, k], posterior.v[:, k]) if sd > 0 else 1.0,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
